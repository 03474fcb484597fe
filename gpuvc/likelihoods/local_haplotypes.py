"""Candidate alleles and the reads that carry them → a few short haplotypes around each locus that needs them.

No assembly: a haplotype is the reference with a set of candidate alleles that reads near the locus were seen to carry together. Each locus
has its own, from the alleles within FLANK_BP, so what a locus is called from does not depend on a chain of neighbours.
"""

from dataclasses import dataclass

import numpy as np

from gpuvc.kernels.codes import ALIGNS, CONSUMES_READ, CONSUMES_REFERENCE
from gpuvc.kernels.cpu.align import BAND_PAD
from gpuvc.kernels.cpu.sequences import copy_bases
from gpuvc.kernels.jit import kernel
from gpuvc.settings import MAX_INDEL_BP

FLANK_BP = 30  # on either side of the locus and its repeat: the read bases that are scored, the alleles that may be in its haplotypes
MAX_COMBINATIONS = 8  # most carried sets of alleles, beside the reference and each allele of the locus alone
MAX_WINDOW_ALLELES = 62  # bits of a set

# Gap opening by period (1..8) and copies (1..20) of the repeat around it, in phred: the published default parameters of DRAGEN-GATK's
# model of tandem repeats (specification, section 8.4). They end where its authors ran out of loci; stutter of homopolymers keeps
# growing, so the first row goes on falling to 10 from 12 copies on.
GAP_OPEN_PHRED = (
    (45, 45, 45, 45, 45, 45, 40.5, 33.5, 28, 24, 21.75, 20, 18.5, 17, 15.5, 14, 13, 12, 11, 10),
    (39.5, 39.5, 39.5, 39.5, 36, 30, 27.25, 25, 24.25, 24.25, 24.25, 24.25, 24.25, 24.25, 24.25, 24.25, 24.25, 24.25, 24.25, 24.25),
    (38.5, 41, 41, 41, 41, 37.5, 35.25, 34.75, 34.75, 33.25, 33.25, 33.25, 32.5, 30.75, 28.5, 28.5, 28.5, 28.5, 28.5, 28.5),
    (37.5, 39, 39, 37.75, 34, 34, 30.25, 30.25, 30.25, 30.25, 30.25, 30.25, 30.25, 30.25, 30.25, 30.25, 30.25, 30.25, 30.25, 30.25),
    (37, 40, 40, 40, 36, 35, 24.5, 24.5, 24.5, 24.5, 22.5, 22.5, 22.5, 22.5, 22.5, 22.5, 22.5, 22.5, 22.5, 22.5),
    (36.25, *(19 * (40,))),
    (36, 40.5, 40.5, 40.5, *(16 * (20.75,))),
    (36.25, 39.75, *(18 * (32.75,))),
)  # fmt: skip
GAP_OPEN = np.floor(100 * np.array(GAP_OPEN_PHRED) + 0.5).astype(np.int16)
GAP_EXTEND = np.array([1000 // period for period in range(1, 9)], np.int16)
NO_REPEAT_OPEN, NO_REPEAT_EXTEND = 4500, 1000  # HaplotypeCaller's gap penalties


@dataclass(slots=True)
class LocalHaplotypes:
    """Haplotypes of the loci that need them; H haplotypes, L loci (those without have none).

    slots : int64[L + 1]; start, segment_start, segment_end : int32[L]
        Which haplotypes belong to a locus, the reference position of their first base, the span of read bases to score.
    offsets : int64[H + 1]; bases : uint8[...]; gap_open, gap_extend : int16[...]
        Sequence and gap penalties (hundredths of a phred).
    cheapest_gap, shift_low, shift_high, allele : int32[H]
        As `gpuvc.kernels.cpu.align.score_pair` takes them.
    """

    slots: np.ndarray
    start: np.ndarray
    segment_start: np.ndarray
    segment_end: np.ndarray
    offsets: np.ndarray
    bases: np.ndarray
    gap_open: np.ndarray
    gap_extend: np.ndarray
    cheapest_gap: np.ndarray
    shift_low: np.ndarray
    shift_high: np.ndarray
    allele: np.ndarray


@kernel
def _carried_snvs(use, pos, ref_end, cigar, cigar_offsets, bases, base_quals, base_offsets, snv_pos, snv_base, min_base_quality, read, snv):
    """Write (read, candidate SNV) for each used read that shows one. Returns how many; -1 - n when n do not fit."""
    n = 0
    for u in range(use.size):
        r = use[u]
        next_snv = np.searchsorted(snv_pos, pos[r])
        if next_snv == snv_pos.size or snv_pos[next_snv] >= ref_end[r]:
            continue
        at, base = pos[r], base_offsets[r]
        for c in range(cigar_offsets[r], cigar_offsets[r + 1]):
            operation = cigar[c] & 15
            length = np.int64(cigar[c] >> 4)
            if (1 << operation) & ALIGNS:
                while next_snv < snv_pos.size and snv_pos[next_snv] < at + length:
                    if snv_pos[next_snv] >= at:
                        i = base + snv_pos[next_snv] - at
                        if bases[i] == snv_base[next_snv] and base_quals[i] >= min_base_quality:
                            if n < read.size:
                                read[n] = r
                                snv[n] = next_snv
                            n += 1
                    next_snv += 1
            if (1 << operation) & CONSUMES_READ:
                base += length
            if (1 << operation) & CONSUMES_REFERENCE:
                at += length
    return n if n <= read.size else -1 - n


def carried_alleles(reads, use, candidates, events, min_base_quality):
    """Which candidate alleles each read carries by its own alignment.

    Returns
    -------
    slots : int64[n_reads + 1]
    alleles : int32[...]
        Rows of `candidates`, ascending within a read.
    """
    snvs = np.flatnonzero(candidates.indel < 0).astype(np.int32)
    size = 4 * len(use) + 1024
    while True:
        read, snv = np.empty(size, np.int32), np.empty(size, np.int32)
        n = _carried_snvs(
            use, reads.pos, reads.ref_end, reads.cigar, reads.cigar_offsets, reads.bases, reads.base_quals, reads.base_offsets,
            candidates.pos[snvs], candidates.base[snvs], min_base_quality, read, snv,
        )  # fmt: skip
        if n >= 0:
            break
        size = -1 - n
    row_of_indel = np.full(len(candidates.indels), -1, np.int32)
    indel_rows = np.flatnonzero(candidates.indel >= 0)
    row_of_indel[candidates.indel[indel_rows]] = indel_rows
    event_row = row_of_indel[events.allele]
    known = event_row >= 0
    read = np.concatenate([read[:n], events.read[known]])
    allele = np.concatenate([snvs[snv[:n]], event_row[known]])
    order = np.lexsort((allele, read))
    slots = np.zeros(reads.n_reads + 1, np.int64)
    np.cumsum(np.bincount(read, minlength=reads.n_reads), out=slots[1:])
    return slots, allele[order].astype(np.int32)


@kernel
def _repeat_penalties(hap, gap_open_table, gap_extend_table, gap_open, gap_extend):
    """Gap penalties along a haplotype: of the repeat (period 1..8, at least two copies) around each base the cheapest to open a gap in."""
    n = hap.size
    gap_open[:] = NO_REPEAT_OPEN
    gap_extend[:] = NO_REPEAT_EXTEND
    for period in range(1, 9):
        i = 0
        while i + period < n:
            if hap[i] != hap[i + period]:
                i += 1
                continue
            start = i
            while i + period < n and hap[i] == hap[i + period]:
                i += 1
            length = i + period - start
            copies = length // period
            if copies >= 2:
                opening = gap_open_table[period - 1, min(copies, 20) - 1]
                for j in range(max(0, start - 1), min(n, start + length + 1)):
                    if opening < gap_open[j]:
                        gap_open[j] = opening
                        gap_extend[j] = gap_extend_table[period - 1]


@kernel
def _apply(alleles, n_alleles, pos, length, base, indel, inserted, inserted_offsets, reference, reference_start, start, end, out):
    """Write the reference from start to end with the alleles applied; one that overlaps an earlier one is left out.

    Returns the number of bases and how far the alleles move what follows, at least and at most.
    """
    at = start - reference_start
    stop = end - reference_start
    n = 0
    shift, low, high = 0, 0, 0
    for k in range(n_alleles):
        a = alleles[k]
        p = pos[a] - reference_start
        if indel[a] < 0:
            if p < at or p >= stop:
                continue
            copy_bases(reference, at, out, n, p - at)
            n += p - at
            out[n] = base[a]
            n += 1
            at = p + 1
        else:
            if p + 1 < at or p + 1 >= stop:
                continue
            copy_bases(reference, at, out, n, p + 1 - at)
            n += p + 1 - at
            at = p + 1
            if length[a] > 0:
                first = inserted_offsets[indel[a]]
                copy_bases(inserted, first, out, n, length[a])
                n += length[a]
            else:
                at -= length[a]
            shift += length[a]
            low, high = min(low, shift), max(high, shift)
    if at < stop:
        copy_bases(reference, at, out, n, stop - at)
        n += stop - at
    return n, low, high


@kernel(allocates=True)
def _build(
    loci, pos, length, base, indel, inserted, inserted_offsets, locus_slots, start, end, window_low, window_high, pair_slots, pair_read,
    carried_slots, carried, reference, reference_start, gap_open_table, gap_extend_table, slots, offsets, bases, gap_open, gap_extend,
    cheapest_gap, shift_low, shift_high, allele,
):  # fmt: skip
    """Fill the haplotypes of each locus. Returns whether everything fitted."""
    n_haplotypes = 0
    n_bases = 0
    chosen = np.empty(MAX_WINDOW_ALLELES, np.int32)
    done = 0
    for k in range(loci.size):
        locus = loci[k]
        while done <= locus:
            slots[done] = n_haplotypes
            done += 1
        focal_low, focal_high = locus_slots[locus], locus_slots[locus + 1]
        low, high = window_low[locus], window_high[locus]
        # More alleles than bits: those nearest to the locus, by their order.
        while high - low > MAX_WINDOW_ALLELES:
            if focal_low - low > high - focal_high:
                low += 1
            else:
                high -= 1
        # The sets of alleles that reads carry, and how many reads carry each.
        n_reads = pair_slots[locus + 1] - pair_slots[locus]
        sets = np.empty(n_reads, np.int64)
        for i in range(n_reads):
            r = pair_read[pair_slots[locus] + i]
            bits = np.int64(0)
            for c in range(carried_slots[r], carried_slots[r + 1]):
                if low <= carried[c] < high:
                    bits |= np.int64(1) << (carried[c] - low)
            sets[i] = bits
        sets.sort()
        n_sets = 0
        count = np.empty(n_reads, np.int64)
        for i in range(n_reads):
            if i == 0 or sets[i] != sets[i - 1]:
                sets[n_sets] = sets[i]
                count[n_sets] = 0
                n_sets += 1
            count[n_sets - 1] += 1
        # The reference, the sets most reads carry (ties: the smaller set), each allele of the locus alone where no set has it.
        wanted = np.empty(MAX_COMBINATIONS + 2 + focal_high - focal_low, np.int64)
        wanted[0] = 0
        n_wanted = 1
        while n_wanted <= MAX_COMBINATIONS:
            best = -1
            for i in range(n_sets):
                if count[i] >= 2 and sets[i] != 0 and (best < 0 or count[i] > count[best]):
                    best = i
            if best < 0:
                break
            wanted[n_wanted] = sets[best]
            n_wanted += 1
            count[best] = 0
        for a in range(focal_low, focal_high):
            bit = np.int64(1) << (a - low)
            found = False
            for i in range(n_wanted):
                if wanted[i] & bit:
                    found = True
            if not found:
                wanted[n_wanted] = bit
                n_wanted += 1
        for i in range(n_wanted):
            n_chosen = 0
            total_inserted = 0
            which = 0
            for a in range(low, high):
                if wanted[i] & (np.int64(1) << (a - low)):
                    chosen[n_chosen] = a
                    n_chosen += 1
                    total_inserted += max(0, length[a])
                    if focal_low <= a < focal_high:
                        which = a - focal_low + 1
            if n_haplotypes >= allele.size or n_bases + end[locus] - start[locus] + total_inserted > bases.size:
                return False
            n, down, up = _apply(
                chosen, n_chosen, pos, length, base, indel, inserted, inserted_offsets, reference, reference_start, start[locus],
                end[locus], bases[n_bases:],
            )  # fmt: skip
            if down < -MAX_INDEL_BP or up > MAX_INDEL_BP:
                # Several long indels in one haplotype: beyond the band the kernels have room for.
                down, up = max(down, -MAX_INDEL_BP), min(up, MAX_INDEL_BP)
            here = slice(n_bases, n_bases + n)
            _repeat_penalties(bases[here], gap_open_table, gap_extend_table, gap_open[here], gap_extend[here])
            cheapest = NO_REPEAT_OPEN
            for j in range(n_bases, n_bases + n):
                cheapest = min(cheapest, gap_open[j])
            offsets[n_haplotypes] = n_bases
            cheapest_gap[n_haplotypes] = cheapest
            shift_low[n_haplotypes] = down
            shift_high[n_haplotypes] = up
            allele[n_haplotypes] = which
            n_haplotypes += 1
            n_bases += n
    offsets[n_haplotypes] = n_bases
    while done < slots.size:
        slots[done] = n_haplotypes
        done += 1
    return True


def segment_spans(candidates):
    """The span of reference whose read bases are scored at each locus: the locus, its repeat, FLANK_BP on either side."""
    start = candidates.locus_pos - FLANK_BP
    end = np.maximum(candidates.locus_end, candidates.locus_last + 1) + FLANK_BP
    return start.astype(np.int32), end.astype(np.int32)


def build_haplotypes(candidates, pair_slots, pair_read, carried, reference, reference_start):
    """Haplotypes of the loci with `by_haplotypes`.

    Parameters
    ----------
    candidates : Candidates
    pair_slots : int64[L + 1]; pair_read : int32[n_pairs]
        The reads at each locus.
    carried : tuple
        From `carried_alleles`.
    reference : uint8[n]
        Codes from `reference_start` on.
    """
    segment_start, segment_end = segment_spans(candidates)
    pad = BAND_PAD + MAX_INDEL_BP
    start = np.maximum(segment_start - pad, reference_start).astype(np.int32)
    end = np.minimum(segment_end + pad, reference_start + len(reference)).astype(np.int32)
    window_low = np.searchsorted(candidates.pos, candidates.locus_pos - FLANK_BP)
    reach = np.maximum(candidates.locus_end, candidates.locus_last + 1) + FLANK_BP
    window_high = np.searchsorted(candidates.pos, reach)
    loci = np.flatnonzero(candidates.by_haplotypes)
    n_loci = candidates.n_loci
    alleles = np.diff(candidates.locus_slots)[loci]
    room = int((MAX_COMBINATIONS + 1 + alleles).sum())
    widest = (end - start)[loci].astype(np.int64) + 4 * MAX_INDEL_BP
    n_bases = int((widest * (4 + alleles)).sum()) + 1024
    while True:
        slots = np.empty(n_loci + 1, np.int64)
        offsets = np.empty(room + 1, np.int64)
        bases = np.empty(n_bases, np.uint8)
        gap_open, gap_extend = np.empty(n_bases, np.int16), np.empty(n_bases, np.int16)
        cheapest_gap, shift_low, shift_high, allele = (np.empty(room, np.int32) for _ in range(4))
        fitted = _build(
            loci, candidates.pos, candidates.length, candidates.base, candidates.indel, candidates.indels.inserted,
            candidates.indels.inserted_offsets, candidates.locus_slots, start, end, window_low, window_high, pair_slots, pair_read,
            *carried, reference, reference_start, GAP_OPEN, GAP_EXTEND, slots, offsets, bases, gap_open, gap_extend, cheapest_gap,
            shift_low, shift_high, allele,
        )  # fmt: skip
        if fitted:
            break
        n_bases *= 2
    n = int(slots[-1])
    used = int(offsets[n])
    return LocalHaplotypes(
        slots=slots, start=start, segment_start=segment_start, segment_end=segment_end, offsets=offsets[: n + 1], bases=bases[:used],
        gap_open=gap_open[:used], gap_extend=gap_extend[:used], cheapest_gap=cheapest_gap[:n], shift_low=shift_low[:n],
        shift_high=shift_high[:n], allele=allele[:n],
    )  # fmt: skip
