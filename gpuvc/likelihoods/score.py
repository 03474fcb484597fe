"""Reads × loci → penalty of each read under each allele."""

from dataclasses import dataclass

import numpy as np

from gpuvc.kernels.codes import CIGAR_H, CIGAR_S
from gpuvc.kernels.jit import kernel
from gpuvc.likelihoods.local_haplotypes import build_haplotypes, carried_alleles, segment_spans

CLIP_REACH_BP = 100  # soft-clipped bases next to the aligned ones that may speak for an indel
MISMAPPING_CAP = 4500
"""Hundredths of a phred by which one read may prefer an allele at most: HaplotypeCaller's phred-scaled-global-read-mismapping-rate."""
ERROR_RATE = 0.03  # expected errors per base of a read that fits; specification, section 4.6
ERROR_COST = 4000  # hundredths of a phred, of each


@dataclass(slots=True)
class PairLikelihoods:
    """What each read says at each locus; P pairs of a locus and a read, by locus, within a locus in file order.

    pair_slots : int64[L + 1]; pair_locus, pair_read : int32[P]
        Which pairs belong to a locus; index into the ReadBatch.
    code, quality : uint8[P]; end_distance : int32[P]
        As `gpuvc.kernels.cpu.observe.observe_pair` writes them.
    allele_slots : int64[P + 1]; penalties : int32[...]
        Hundredths of a phred below the best allele, reference first, then the candidates of the locus in their order.
    """

    pair_slots: np.ndarray
    pair_locus: np.ndarray
    pair_read: np.ndarray
    code: np.ndarray
    quality: np.ndarray
    end_distance: np.ndarray
    allele_slots: np.ndarray
    penalties: np.ndarray


@kernel
def _reach(read, pos, ref_end, cigar, cigar_offsets, clip_reach):
    """The read's reference span, widened by its soft clips up to clip_reach."""
    first, last = cigar_offsets[read], cigar_offsets[read + 1]
    low, high = np.int64(pos[read]), np.int64(ref_end[read])
    if clip_reach > 0 and last > first:
        c = first + 1 if (cigar[first] & 15) == CIGAR_H and last - first > 1 else first
        if (cigar[c] & 15) == CIGAR_S:
            low -= min(clip_reach, np.int64(cigar[c] >> 4))
        c = last - 2 if (cigar[last - 1] & 15) == CIGAR_H and last - first > 1 else last - 1
        if (cigar[c] & 15) == CIGAR_S:
            high += min(clip_reach, np.int64(cigar[c] >> 4))
    return low, high


@kernel
def _pair(
    use, pos, ref_end, cigar, cigar_offsets, clip_reach, locus_pos, locus_end, by_haplotypes, longest, fill, slots, pair_locus, pair_read
):
    """Count (fill False: into slots[locus + 1]) or write (fill True: slots are cursors) the reads over each locus."""
    for u in range(use.size):
        read = use[u]
        low, high = _reach(read, pos, ref_end, cigar, cigar_offsets, clip_reach)
        locus = np.searchsorted(locus_pos, low - longest)
        while locus < locus_pos.size and locus_pos[locus] < high:
            if by_haplotypes[locus]:
                over = locus_end[locus] > low
            else:
                over = pos[read] <= locus_pos[locus] < ref_end[read]
            if over:
                if fill:
                    k = slots[locus]
                    pair_locus[k] = locus
                    pair_read[k] = read
                    slots[locus] = k + 1
                else:
                    slots[locus + 1] += 1
            locus += 1


@kernel
def _score_bases(pair_locus, code, quality, by_haplotypes, locus_slots, base, reference_code, mismatch, cap, allele_slots, penalties):
    """At loci without haplotypes: 0 for the allele the base shows, the cost of a mismatch for the others."""
    for k in range(pair_locus.size):
        locus = pair_locus[k]
        if by_haplotypes[locus]:
            continue
        slot = allele_slots[k]
        n_alternates = locus_slots[locus + 1] - locus_slots[locus]
        shown = -1
        if code[k] == reference_code[locus]:
            shown = 0
        for a in range(n_alternates):
            if code[k] == base[locus_slots[locus] + a]:
                shown = a + 1
        cost = min(mismatch[quality[k]], cap[k])
        for a in range(n_alternates + 1):
            penalties[slot + a] = cost if shown >= 0 and a != shown else 0


def mismatch_costs(min_base_quality):
    """int32[256]: hundredths of a phred a mismatch costs by base quality.

    Q + 10 log10 3 (one of three wrong bases); 0 below min_base_quality.
    """
    quality = np.arange(256)
    costs = np.floor(100 * (quality + 10 * np.log10(3)) + 0.5)
    return np.where(quality < max(min_base_quality, 1), 0, costs).astype(np.int32)


def misfits(n):
    """int32[n + 1]: by segment length, the penalty above which a read fits no haplotype."""
    return (ERROR_COST * np.ceil(ERROR_RATE * np.arange(n + 1))).astype(np.int32)


def score_reads(reads, use, candidates, events, reference, reference_start, settings, backend):
    """Penalties of the reads `use` at all candidate loci: by base quality at plain SNVs, by realignment to haplotypes elsewhere.

    Parameters
    ----------
    reads : ReadBatch
        With final base qualities.
    use : int32[n_used]
    candidates : Candidates; events : IndelEvents
    reference : uint8[n]
        Codes from `reference_start` on; reaches 200 bp beyond the outermost locus or to the contig's end.

    Returns
    -------
    PairLikelihoods
    """
    n_loci = candidates.n_loci
    clip_reach = CLIP_REACH_BP if settings.use_soft_clipped_bases else 0
    longest = int((candidates.locus_end - candidates.locus_pos).max(initial=0))
    pair_slots = np.zeros(n_loci + 1, np.int64)
    nothing = np.empty(0, np.int32)
    arguments = (
        use, reads.pos, reads.ref_end, reads.cigar, reads.cigar_offsets, clip_reach, candidates.locus_pos, candidates.locus_end,
        candidates.by_haplotypes, longest,
    )  # fmt: skip
    _pair(*arguments, False, pair_slots, nothing, nothing)
    np.cumsum(pair_slots, out=pair_slots)
    n_pairs = int(pair_slots[-1])
    pair_locus, pair_read = np.empty(n_pairs, np.int32), np.empty(n_pairs, np.int32)
    _pair(*arguments, True, pair_slots[:-1].copy(), pair_locus, pair_read)

    segment_start, segment_end = segment_spans(candidates)
    code, quality = np.empty(n_pairs, np.uint8), np.empty(n_pairs, np.uint8)
    end_distance, segment_length, segment_ref = (np.empty(n_pairs, np.int32) for _ in range(3))
    segment_first = np.empty(n_pairs, np.int64)
    backend.observe(
        pair_locus, pair_read, candidates.locus_pos, segment_start, segment_end, clip_reach, reads.pos, reads.cigar, reads.cigar_offsets,
        reads.bases, reads.base_quals, reads.base_offsets, code, quality, end_distance, segment_first, segment_length, segment_ref,
    )  # fmt: skip

    n_alleles = np.diff(candidates.locus_slots) + 1
    allele_slots = np.zeros(n_pairs + 1, np.int64)
    np.cumsum(n_alleles[pair_locus], out=allele_slots[1:])
    penalties = np.empty(int(allele_slots[-1]), np.int32)
    cap = np.minimum(100 * reads.mapq[pair_read].astype(np.int32), MISMAPPING_CAP).astype(np.int32)
    mismatch = mismatch_costs(settings.min_base_quality)
    reference_code = reference[candidates.locus_pos - reference_start]
    _score_bases(
        pair_locus, code, quality, candidates.by_haplotypes, candidates.locus_slots, candidates.base, reference_code, mismatch, cap,
        allele_slots, penalties,
    )  # fmt: skip

    chosen = np.flatnonzero(candidates.by_haplotypes[pair_locus])
    if len(chosen):
        carried = carried_alleles(reads, use, candidates, events, settings.min_base_quality)
        haplotypes = build_haplotypes(candidates, pair_slots, pair_read, carried, reference, reference_start)
        starts, lengths = allele_slots[chosen], n_alleles[pair_locus[chosen]]
        slots = np.zeros(len(chosen) + 1, np.int64)
        np.cumsum(lengths, out=slots[1:])
        scored = np.empty(int(slots[-1]), np.int32)
        backend.score_segments(
            pair_locus[chosen], segment_first[chosen], segment_length[chosen], segment_ref[chosen], cap[chosen], slots, reads.bases,
            reads.base_quals, mismatch, misfits(int(segment_length.max(initial=0))), haplotypes.slots, haplotypes.start,
            haplotypes.offsets, haplotypes.bases, haplotypes.gap_open, haplotypes.gap_extend, haplotypes.cheapest_gap,
            haplotypes.shift_low, haplotypes.shift_high, haplotypes.allele, scored,
        )  # fmt: skip
        penalties[np.repeat(starts - slots[:-1], lengths) + np.arange(len(scored))] = scored
    return PairLikelihoods(pair_slots, pair_locus, pair_read, code, quality, end_distance, allele_slots, penalties)
