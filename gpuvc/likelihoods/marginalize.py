"""Haplotypes → alleles: which alleles there are at each locus, and how well each explains each read there."""

from dataclasses import dataclass

import numpy as np

from gpuvc.kernels.codes import ALIGNS, CIGAR_H, CIGAR_I, CIGAR_S, CONSUMES_READ, CONSUMES_REFERENCE, FLAG_REVERSE
from gpuvc.kernels.jit import inner_kernel, kernel

REFERENCE, SPANNING, NON_REF = -1, -2, -3
"""What stands in the place of an event in LocusBatch.allele_event: the reference, `*`, and the symbolic allele for all others."""
NO_VALUE = -1


@dataclass(slots=True)
class LocusBatch:
    """Loci to be genotyped and what the reads say there; L loci, A alleles, P pairs of a locus and a read.

    region : int32[L]
    pos, ref_length : int32[L]
        First base of the alleles, and how many the reference allele has: the longest of the events' there.
    allele_slots : int64[L + 1]
    allele_event : int32[A]
        Row of the event table, or REFERENCE (always the first), SPANNING, NON_REF.
    allele_length : int32[A]
        Bases of the allele over the locus's whole reference allele; 1 for `*`, 0 for NON_REF.
    haplotype_slots : int64[L + 1]; haplotype_allele : int16[...]
        Allele of each haplotype of the region; -1 for one whose allele was too many.
    pair_slots : int64[L + 1]
    pair_row : int32[P]
        Row of RegionReads. pair_sample : int16[P]. pair_reverse : bool[P]. pair_mapq : uint8[P].
    pair_base_qual : int16[P]
        Of the base at the locus's first position; NO_VALUE where the read has none.
    pair_end_distance : int32[P]
        Bases to the nearer end of the read; NO_VALUE likewise.
    log10_slots : int64[L + 1]; log10 : float64[...]
        Likelihoods, one row a pair, one column an allele.
    depth : int32[L, n_samples]
        Reads at the locus, those that do not take part in genotyping included.
    mapq_squares : float64[L]; mapq_reads : int32[L]
        Sum over the squared mapping qualities of these reads, and over how many (255 is none).
    """

    region: np.ndarray
    pos: np.ndarray
    ref_length: np.ndarray
    allele_slots: np.ndarray
    allele_event: np.ndarray
    allele_length: np.ndarray
    haplotype_slots: np.ndarray
    haplotype_allele: np.ndarray
    pair_slots: np.ndarray
    pair_row: np.ndarray
    pair_sample: np.ndarray
    pair_reverse: np.ndarray
    pair_mapq: np.ndarray
    pair_base_qual: np.ndarray
    pair_end_distance: np.ndarray
    log10_slots: np.ndarray
    log10: np.ndarray
    depth: np.ndarray
    mapq_squares: np.ndarray
    mapq_reads: np.ndarray

    @property
    def n_loci(self):
        return len(self.pos)


def marginalize(
    region_reads, haplotypes, likelihoods, realigned, side_reads, reads, n_samples, max_alleles, with_non_ref=False, margin=2,
    with_soft_clips=False, with_spanning=True,
):  # fmt: skip
    """Collect the alleles of each locus with an event, and score the reads near it.

    Parameters
    ----------
    region_reads : RegionReads; haplotypes : HaplotypeBatch; likelihoods : LikelihoodBatch; realigned : RealignedReads
        Of the same regions.
    side_reads : bool[N]
        Rows that count as depth only.
    reads : ReadBatch
        For flags and mapping qualities.
    max_alleles : int
        More are cut down to those on the best-scored haplotypes.
    with_non_ref : bool
        Add the allele that stands for all others (GVCF).
    margin : int
        A read counts at a locus when it comes within so many bases of the reference allele.
    with_soft_clips : bool
        Whether its soft clips count as part of it.
    with_spanning : bool
        Whether deletions from before are an allele, `*`; if not, haplotypes with one count as reference.

    Returns
    -------
    LocusBatch
        In genome order.

    Source: specification, section 4.8.
    """
    n_events, event_slots = len(haplotypes.event_pos), haplotypes.event_slots
    n_haplotypes = np.diff(haplotypes.region_slots)
    room = int((np.diff(event_slots) * n_haplotypes).sum())
    region, pos, ref_length = (np.empty(n_events, np.int32) for _ in range(3))
    allele_slots, haplotype_slots = np.zeros(n_events + 1, np.int64), np.zeros(n_events + 1, np.int64)
    allele_event, allele_length = np.empty(4 * n_events, np.int32), np.empty(4 * n_events, np.int32)
    haplotype_allele = np.empty(room, np.int16)
    alt_length = np.diff(haplotypes.event_alt_offsets).astype(np.int32)
    anchored = keeps_first_base(haplotypes)
    n_loci = find_loci(
        haplotypes.variant_start, haplotypes.variant_end, haplotypes.region_slots, haplotypes.score, event_slots, haplotypes.event_pos,
        haplotypes.event_ref_length, alt_length, anchored, haplotypes.haplotype_events, haplotypes.haplotype_event_offsets, max_alleles,
        with_non_ref, with_spanning, region, pos, ref_length, allele_slots, allele_event, allele_length, haplotype_slots, haplotype_allele,
    )  # fmt: skip
    region, pos, ref_length = region[:n_loci], pos[:n_loci], ref_length[:n_loci]
    allele_slots, haplotype_slots = allele_slots[: n_loci + 1], haplotype_slots[: n_loci + 1]

    mapq, flag = reads.mapq[region_reads.read], reads.flag[region_reads.read]
    pair_slots = np.zeros(n_loci + 1, np.int64)
    reach = soft_bounds(realigned) if with_soft_clips else (realigned.pos, realigned.end)
    count_pairs(region, pos, ref_length, region_reads.region_slots, likelihoods.kept, *reach, margin, pair_slots)
    n_pairs = int(pair_slots[-1])
    log10_slots = np.concatenate(([0], np.cumsum(np.diff(pair_slots) * np.diff(allele_slots))))
    loci = LocusBatch(
        region, pos, ref_length, allele_slots, allele_event[: allele_slots[-1]], allele_length[: allele_slots[-1]], haplotype_slots,
        haplotype_allele[: haplotype_slots[-1]], pair_slots, np.empty(n_pairs, np.int32), np.empty(n_pairs, np.int16),
        np.empty(n_pairs, np.bool_), np.empty(n_pairs, np.uint8), np.empty(n_pairs, np.int16), np.empty(n_pairs, np.int32), log10_slots,
        np.empty(int(log10_slots[-1])), np.zeros((n_loci, n_samples), np.int32), np.zeros(n_loci), np.zeros(n_loci, np.int32),
    )  # fmt: skip
    fill_pairs(
        region, pos, ref_length, region_reads.region_slots, likelihoods.kept, *reach, margin, region_reads.sample, mapq, flag,
        loci.pair_slots, loci.pair_row, loci.pair_sample, loci.pair_reverse, loci.pair_mapq,
    )  # fmt: skip
    place_pairs(
        pos, ref_length, pair_slots, loci.pair_row, realigned.pos, realigned.end, realigned.cigar, realigned.cigar_offsets,
        region_reads.base_quals, region_reads.base_offsets, loci.pair_base_qual, loci.pair_end_distance,
    )  # fmt: skip
    score_alleles(
        region, pair_slots, loci.pair_row, allele_slots, loci.haplotype_slots, loci.haplotype_allele, region_reads.region_slots,
        likelihoods.log10, likelihoods.matrix_offsets, with_non_ref, loci.log10_slots, loci.log10,
    )  # fmt: skip
    count_depth(
        region, pos, ref_length, region_reads.region_slots, pair_slots, loci.pair_row, side_reads, region_reads.pos, region_reads.end,
        region_reads.sample, mapq, margin, loci.depth, loci.mapq_squares, loci.mapq_reads,
    )  # fmt: skip
    return loci


def soft_bounds(realigned):
    """int32[N] twice: where each read would begin and end if its soft clips were aligned."""
    pos, end = realigned.pos.copy(), realigned.end.copy()
    add_soft_clips(realigned.cigar, realigned.cigar_offsets, pos, end)
    return pos, end


@kernel
def add_soft_clips(cigar, cigar_offsets, pos, end):
    """Widen each read's bounds by its soft clips."""
    for row in range(pos.size):
        k, last = cigar_offsets[row], cigar_offsets[row + 1] - 1
        while k <= last and (np.int64(cigar[k]) & 15 == CIGAR_H or np.int64(cigar[k]) & 15 == CIGAR_S):
            if np.int64(cigar[k]) & 15 == CIGAR_S:
                pos[row] -= np.int64(cigar[k]) >> 4
            k += 1
        while last > k and (np.int64(cigar[last]) & 15 == CIGAR_H or np.int64(cigar[last]) & 15 == CIGAR_S):
            if np.int64(cigar[last]) & 15 == CIGAR_S:
                end[row] += np.int64(cigar[last]) >> 4
            last -= 1


def keeps_first_base(haplotypes):
    """bool[E]: whether an event's alternate allele begins as its reference allele does: a plain insertion or deletion.

    The reference haplotype of a region has no gaps, so positions on it are positions in the region.
    """
    event_region = np.repeat(np.arange(len(haplotypes.start)), np.diff(haplotypes.event_slots))
    ref_haplotypes = np.flatnonzero(haplotypes.is_ref)
    of_region = np.zeros(len(haplotypes.start), np.int64)
    of_region[np.searchsorted(haplotypes.region_slots, ref_haplotypes, "right") - 1] = haplotypes.base_offsets[ref_haplotypes]
    at = of_region[event_region] + haplotypes.event_pos - haplotypes.start[event_region]
    # An event may be anchored on the base before its region; such a one deletes the first bases, and is plain.
    inside = haplotypes.event_pos >= haplotypes.start[event_region]
    first = haplotypes.event_alt[haplotypes.event_alt_offsets[:-1]]
    return ~inside | (first == haplotypes.bases[np.where(inside, at, 0)])


@kernel
def find_loci(
    variant_start, variant_end, region_slots, score, event_slots, event_pos, event_ref_length, alt_length, anchored, haplotype_events,
    haplotype_event_offsets, max_alleles, with_non_ref, with_spanning, region_of, pos, ref_length, allele_slots, allele_event,
    allele_length, haplotype_slots, haplotype_allele,
):  # fmt: skip
    """Write the loci, their alleles, and what each haplotype has there → number of loci. Arguments as in LocusBatch."""
    n_loci = 0
    for region in range(variant_start.size):
        previous = np.int64(-1)
        for event in range(event_slots[region], event_slots[region + 1]):
            x = np.int64(event_pos[event])
            if x == previous or x < variant_start[region] or x >= variant_end[region]:
                continue
            previous = x
            first_allele, first_haplotype = allele_slots[n_loci], haplotype_slots[n_loci]
            allele_event[first_allele] = REFERENCE
            n_alleles, longest = 1, np.int64(1)
            for h in range(region_slots[region], region_slots[region + 1]):
                allele = 0
                with_insertion, is_spanned = False, False
                for k in range(haplotype_event_offsets[h], haplotype_event_offsets[h + 1]):
                    e = haplotype_events[k]
                    if event_pos[e] == x and event_ref_length[e] == 1 and alt_length[e] > 1 and anchored[e]:
                        with_insertion = True
                for k in range(haplotype_event_offsets[h], haplotype_event_offsets[h + 1]):
                    e = haplotype_events[k]
                    past = event_pos[e] + event_ref_length[e]
                    if event_pos[e] > x or past <= x:
                        continue
                    if with_insertion and past == x + 1 and event_ref_length[e] > 1 and alt_length[e] == 1 and anchored[e]:
                        continue
                    key = np.int64(e)
                    if event_pos[e] < x:
                        if not with_spanning:
                            is_spanned = True
                            continue
                        key = np.int64(SPANNING)
                    else:
                        longest = max(longest, np.int64(event_ref_length[e]))
                    which = 1
                    while which < n_alleles and allele_event[first_allele + which] != key:
                        which += 1
                    if which == n_alleles:
                        allele_event[first_allele + which] = key
                        n_alleles += 1
                    if allele == 0 and not is_spanned:  # a spanning event comes first, and hides what starts here
                        allele = which
                haplotype_allele[first_haplotype + h - region_slots[region]] = allele
            if n_alleles == 1:
                continue
            n_haplotypes = region_slots[region + 1] - region_slots[region]
            if n_alleles > max_alleles:
                n_alleles = _drop_alleles(
                    max_alleles, n_alleles, allele_event[first_allele : first_allele + n_alleles],
                    haplotype_allele[first_haplotype : first_haplotype + n_haplotypes],
                    score[region_slots[region] : region_slots[region + 1]],
                )  # fmt: skip
            if with_non_ref:
                allele_event[first_allele + n_alleles] = NON_REF
                n_alleles += 1
            for a in range(first_allele, first_allele + n_alleles):
                e = allele_event[a]
                if e >= 0:
                    allele_length[a] = alt_length[e] + longest - event_ref_length[e]
                else:
                    allele_length[a] = longest if e == REFERENCE else 1 if e == SPANNING else 0
            region_of[n_loci], pos[n_loci], ref_length[n_loci] = region, x, longest
            allele_slots[n_loci + 1] = first_allele + n_alleles
            haplotype_slots[n_loci + 1] = first_haplotype + n_haplotypes
            n_loci += 1
    return n_loci


@inner_kernel(allocates=True)
def _drop_alleles(n_keep, n_alleles, allele_event, haplotype_allele, score):
    """Keep the reference and the alleles on the best-scored haplotypes, in their order; haplotypes of the others get -1."""
    best, second = np.full(n_alleles, -np.inf), np.full(n_alleles, -np.inf)
    for h in range(haplotype_allele.size):
        a, value = haplotype_allele[h], score[h]
        if value > best[a]:
            best[a], second[a] = value, best[a]
        elif value > second[a]:
            second[a] = value
    new = np.full(n_alleles, -1, np.int16)
    for a in range(n_alleles):
        better = 0
        for b in range(1, n_alleles):
            if best[b] > best[a] or (best[b] == best[a] and (second[b] > second[a] or (second[b] == second[a] and b < a))):
                better += 1
        if a == 0 or better < n_keep - 1:
            new[a] = 0
    n = 0
    for a in range(n_alleles):
        if new[a] == 0:
            new[a] = n
            allele_event[n] = allele_event[a]
            n += 1
    for h in range(haplotype_allele.size):
        haplotype_allele[h] = new[haplotype_allele[h]]
    return n


@kernel
def count_pairs(region, pos, ref_length, region_slots, kept, read_pos, read_end, margin, pair_slots):
    """Write slots of the kept reads that come within `margin` bases of each locus's reference allele."""
    for locus in range(pos.size):
        low, high = pos[locus] - margin, pos[locus] + ref_length[locus] + margin
        n = 0
        for row in range(region_slots[region[locus]], region_slots[region[locus] + 1]):
            if kept[row] and read_pos[row] < high and read_end[row] > low:
                n += 1
        pair_slots[locus + 1] = pair_slots[locus] + n


@kernel
def fill_pairs(
    region, pos, ref_length, region_slots, kept, read_pos, read_end, margin, sample, mapq, flag, pair_slots, pair_row, pair_sample,
    pair_reverse, pair_mapq,
):  # fmt: skip
    """Write the pairs that `count_pairs` counted."""
    for locus in range(pos.size):
        low, high = pos[locus] - margin, pos[locus] + ref_length[locus] + margin
        k = pair_slots[locus]
        for row in range(region_slots[region[locus]], region_slots[region[locus] + 1]):
            if kept[row] and read_pos[row] < high and read_end[row] > low:
                pair_row[k] = row
                pair_sample[k] = sample[row]
                pair_reverse[k] = flag[row] & FLAG_REVERSE != 0
                pair_mapq[k] = mapq[row]
                k += 1


@kernel
def read_offset(cigar, pos, x):
    """(index of the read's base at reference position x, whether x is deleted, when it is the next base's); -1 if the read is elsewhere.

    Soft clips count as if they were aligned. pos : first aligned base.
    """
    ref = np.int64(pos)
    k = 0
    while k < cigar.size and (np.int64(cigar[k]) & 15 == CIGAR_H or np.int64(cigar[k]) & 15 == CIGAR_S):
        if np.int64(cigar[k]) & 15 == CIGAR_S:
            ref -= np.int64(cigar[k]) >> 4
        k += 1
    if x < ref:
        return np.int64(-1), False
    offset = np.int64(0)
    for k in range(cigar.size):
        operation, length = np.int64(cigar[k]) & 15, np.int64(cigar[k]) >> 4
        both = ALIGNS >> operation & 1 or operation == CIGAR_S
        if both or CONSUMES_REFERENCE >> operation & 1:
            if x < ref + length:
                return (offset + x - ref, False) if both else (offset, True)
            ref += length
        if CONSUMES_READ >> operation & 1:
            offset += length
    return np.int64(-1), False


@kernel
def place_pairs(
    pos, ref_length, pair_slots, pair_row, read_pos, read_end, cigar, cigar_offsets, base_quals, base_offsets, pair_base_qual,
    pair_end_distance,
):  # fmt: skip
    """Write base quality and distance from the read's ends at each locus's first position."""
    for locus in range(pos.size):
        x, record_end = np.int64(pos[locus]), np.int64(pos[locus]) + ref_length[locus]
        for pair in range(pair_slots[locus], pair_slots[locus + 1]):
            row = pair_row[pair]
            operations = cigar[cigar_offsets[row] : cigar_offsets[row + 1]]
            offset, deleted = read_offset(operations, read_pos[row], x)
            pair_base_qual[pair] = NO_VALUE
            pair_end_distance[pair] = NO_VALUE
            if offset >= 0 and not deleted and read_pos[row] <= x < read_end[row]:
                pair_base_qual[pair] = base_quals[base_offsets[row] + offset]
            if read_pos[row] == record_end and _starts_inserted(operations):
                pair_end_distance[pair] = 0
            elif offset >= 0:
                n, left, right = base_offsets[row + 1] - base_offsets[row], np.int64(operations[0]), np.int64(operations[-1])
                before = left >> 4 if left & 15 == CIGAR_H else np.int64(0)
                behind = right >> 4 if right & 15 == CIGAR_H else np.int64(0)
                pair_end_distance[pair] = min(before + offset, n - 1 - offset + behind)


@inner_kernel
def _starts_inserted(cigar):
    for k in range(cigar.size):
        operation = np.int64(cigar[k]) & 15
        if operation != CIGAR_H and operation != CIGAR_S:
            return operation == CIGAR_I
    return False


@kernel
def score_alleles(
    region, pair_slots, pair_row, allele_slots, haplotype_slots, haplotype_allele, region_slots, log10, matrix_offsets, with_non_ref,
    log10_slots, out,
):  # fmt: skip
    """Write each allele's likelihood of each read: the best of its haplotypes'."""
    for locus in range(region.size):
        n_alleles = allele_slots[locus + 1] - allele_slots[locus]
        first_haplotype, n_haplotypes = haplotype_slots[locus], haplotype_slots[locus + 1] - haplotype_slots[locus]
        for k in range(pair_slots[locus + 1] - pair_slots[locus]):
            row = pair_row[pair_slots[locus] + k] - region_slots[region[locus]]
            cell = matrix_offsets[region[locus]] + row * n_haplotypes
            slot = log10_slots[locus] + k * n_alleles
            out[slot : slot + n_alleles] = -np.inf
            for h in range(n_haplotypes):
                a = haplotype_allele[first_haplotype + h]
                if a >= 0 and log10[cell + h] > out[slot + a]:
                    out[slot + a] = log10[cell + h]
            if with_non_ref:
                out[slot + n_alleles - 1] = median_below_best(out[slot : slot + n_alleles - 1])


@kernel(allocates=True)
def median_below_best(values):
    """Median of the values below the greatest, which stands for an allele nobody proposed; the greatest itself if all are equal."""
    best = values.max()
    below = np.sort(values[values < best])
    if below.size == 0:
        return best
    return (below[(below.size - 1) // 2] + below[below.size // 2]) / 2


@kernel
def count_depth(
    region, pos, ref_length, region_slots, pair_slots, pair_row, side_reads, side_pos, side_end, sample, mapq, margin, depth, squares,
    n_known,
):  # fmt: skip
    """Add up depth and squared mapping qualities of the paired reads, and of the side reads that come as near."""
    for locus in range(pos.size):
        low, high = pos[locus] - margin, pos[locus] + ref_length[locus] + margin
        n_pairs = pair_slots[locus + 1] - pair_slots[locus]
        first = region_slots[region[locus]]
        for k in range(n_pairs + region_slots[region[locus] + 1] - first):
            row = np.int64(pair_row[pair_slots[locus] + k]) if k < n_pairs else first + k - n_pairs
            if k >= n_pairs and not (side_reads[row] and side_pos[row] < high and side_end[row] > low):
                continue
            depth[locus, sample[row]] += 1
            if mapq[row] != 255:
                squares[locus] += float(mapq[row]) * mapq[row]
                n_known[locus] += 1
