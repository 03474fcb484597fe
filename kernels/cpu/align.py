"""Penalty of each read segment against local haplotypes, on the CPU. Twin of `cuda/align.py`.

All in int32 hundredths of a phred: adding, comparing and taking the smaller of integers gives the same bits on any device, in any order.
The best alignment (Viterbi) instead of the sum over all of them, within a band around where the mapper put the read. Most pairs need
no band at all: a read that fits without a gap for less than the cheapest gap costs has no better alignment.
"""

import numpy as np

from ..jit import kernel

BAND_PAD = 8  # columns on either side of the diagonals that the haplotype's own indels lead to
MAX_BAND = 256  # columns; twice the longest indel, both pads and the diagonal itself stay below it
WORST = np.int64(1 << 28)  # of no alignment: large enough to lose, small enough to add to


@kernel
def score_pair(
    k, pair_locus, segment_first, segment_length, segment_ref, cap, allele_slots, bases, base_quals, mismatch, misfit,
    haplotype_slots, haplotype_start, haplotype_offsets, haplotype_bases, gap_open, gap_extend, cheapest_gap, shift_low, shift_high,
    haplotype_allele, match, insertion, deletion, penalties,
):  # fmt: skip
    """Write the penalty of segment `k` under each allele of its locus: the least over the haplotypes that carry the allele.

    Parameters
    ----------
    pair_locus, segment_length, segment_ref : int32[n_pairs]; segment_first : int64[n_pairs]
        From `observe_pair`.
    cap : int32[n_pairs]
        No allele is worse than the best by more.
    allele_slots : int64[n_pairs + 1]
        Where in `penalties` each pair's alleles begin.
    bases, base_quals : uint8[...]
        Columns of a `ReadBatch`. mismatch : int32[256]: cost of a mismatch by base quality.
    misfit : int32[max segment length + 1]
        By segment length: a segment whose best penalty is above it fits no haplotype, and says nothing (all penalties 0).
    haplotype_slots : int64[n_loci + 1]
        Which haplotypes belong to a locus. haplotype_start : int32[n_loci]: reference position of their first base.
    haplotype_offsets : int64[n_haplotypes + 1]; haplotype_bases : uint8[...]
    gap_open, gap_extend : int16[...]
        Per haplotype base: of a gap that opens (goes on) there. cheapest_gap : int32[n_haplotypes]: the least `gap_open` of each.
    shift_low, shift_high : int32[n_haplotypes]
        How far left (<= 0) and right (>= 0) of the reference's diagonal the haplotype's indels move a read.
    haplotype_allele : int32[n_haplotypes]
        The allele of the locus it carries, 0 = reference.
    match, insertion, deletion : int32[MAX_BAND + 1]
        Scratch of one thread.
    penalties : int32[...]
        Written, in hundredths of a phred.
    """
    locus = pair_locus[k]
    slot, n_alleles = allele_slots[k], allele_slots[k + 1] - allele_slots[k]
    n_rows, first = segment_length[k], segment_first[k]
    for a in range(n_alleles):
        penalties[slot + a] = WORST if n_rows > 0 else 0
    if n_rows == 0:
        return
    best = WORST
    for h in range(haplotype_slots[locus], haplotype_slots[locus + 1]):
        hap, n_columns = haplotype_offsets[h], haplotype_offsets[h + 1] - haplotype_offsets[h]
        diagonal = segment_ref[k] - haplotype_start[locus]
        limit = min(WORST, best + cap[k])
        # Without a gap, along the reference's diagonal and the two outermost ones.
        penalty = limit
        for way in range(3):
            d = diagonal + (0 if way == 0 else (shift_low[h] if way == 1 else shift_high[h]))
            if (way > 0 and d == diagonal) or d < 0 or d + n_rows > n_columns:
                continue
            total = 0
            for i in range(n_rows):
                base = bases[first + i]
                if base != haplotype_bases[hap + d + i] and base < 4:
                    total += mismatch[base_quals[first + i]]
                    if total >= penalty:
                        break
            penalty = min(penalty, total)
        if penalty > cheapest_gap[h]:
            low = diagonal + shift_low[h] - BAND_PAD
            n_band = min(MAX_BAND, shift_high[h] - shift_low[h] + 2 * BAND_PAD + 1)
            cheapest = WORST  # gap that the read could open here
            for j in range(max(0, low), min(n_columns, low + n_rows + n_band)):
                cheapest = min(cheapest, gap_open[np.uint64(hap + j)])
            if penalty > cheapest:
                for b in range(n_band + 1):
                    match[b] = 0 if b < n_band and 0 <= low + b < n_columns else WORST
                    insertion[b] = WORST
                    deletion[b] = WORST
                finished = True
                for i in range(n_rows):
                    base = bases[first + i]
                    cost = mismatch[base_quals[first + i]] if base < 4 else np.int32(0)
                    begin, end = max(0, -low - i), min(n_band, n_columns - low - i)
                    column = hap + low + i
                    row_best = np.int32(WORST)
                    for b in range(begin, end):
                        # Unsigned: Numba would check signed indices for below 0.
                        here, right, j = np.uint64(b), np.uint64(b + 1), np.uint64(column + b)
                        through = min(match[here], min(insertion[here], deletion[here])) + (np.int32(0) if base == haplotype_bases[j] else cost)
                        inserted = min(match[right] + gap_open[j], insertion[right] + gap_extend[j])
                        match[here] = through
                        insertion[here] = inserted
                        row_best = min(row_best, min(through, inserted))
                    if row_best >= penalty:
                        finished = False
                        break
                    deleted, left = np.int32(WORST), np.int32(WORST)
                    for b in range(begin, end):
                        here, j = np.uint64(b), np.uint64(column + b)
                        deleted = min(left + gap_open[j], deleted + gap_extend[j])
                        left = match[here]
                        deletion[here] = deleted
                    if end < n_band:
                        match[end] = insertion[end] = WORST
                        deletion[end] = WORST
                    if begin > 0:
                        match[begin - 1] = WORST
                if finished:
                    penalty = min(penalty, row_best)
        best = min(best, penalty)
        a = slot + haplotype_allele[h]
        penalties[a] = min(penalties[a], penalty)
    for a in range(slot, slot + n_alleles):
        penalties[a] = min(penalties[a] - best, cap[k]) if best <= misfit[n_rows] else 0


@kernel
def score_segments(
    pair_locus, segment_first, segment_length, segment_ref, cap, allele_slots, bases, base_quals, mismatch, misfit,
    haplotype_slots, haplotype_start, haplotype_offsets, haplotype_bases, gap_open, gap_extend, cheapest_gap, shift_low, shift_high,
    haplotype_allele, penalties,
):  # fmt: skip
    """`score_pair` for every pair."""
    scratch = np.empty((3, MAX_BAND + 1), np.int32)
    for k in range(pair_locus.size):
        score_pair(
            k, pair_locus, segment_first, segment_length, segment_ref, cap, allele_slots, bases, base_quals, mismatch, misfit,
            haplotype_slots, haplotype_start, haplotype_offsets, haplotype_bases, gap_open, gap_extend, cheapest_gap, shift_low, shift_high,
            haplotype_allele, scratch[0], scratch[1], scratch[2], penalties,
        )  # fmt: skip
