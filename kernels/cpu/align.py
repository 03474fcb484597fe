"""Penalty of each read segment against local haplotypes, on the CPU. Twin of `cuda/align.py`.

All in int32 hundredths of a phred: adding, comparing and taking the smaller of integers gives the same bits on any device, in any order.
The best alignment (Viterbi) instead of the sum over all of them, within a band around where the mapper put the read. Most pairs need
no table at all: a read that fits some diagonal of the band for less than the cheapest gap costs has no better alignment.
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
    diagonal = segment_ref[k] - haplotype_start[locus]
    first_haplotype, n_haplotypes = haplotype_slots[locus], haplotype_slots[locus + 1] - haplotype_slots[locus]
    best = WORST
    # Two turns over the haplotypes. The first bounds the least penalty, by the diagonals that the haplotype's indels lead to: what is worse
    # by the cap need not be known exactly, so the second turn's search ends wherever that is certain.
    for turn in range(2 * n_haplotypes):
        is_first_turn = turn < n_haplotypes
        h = first_haplotype + (turn if is_first_turn else turn - n_haplotypes)
        hap, n_columns = haplotype_offsets[h], haplotype_offsets[h + 1] - haplotype_offsets[h]
        low = diagonal + shift_low[h] - BAND_PAD
        n_band = min(MAX_BAND, shift_high[h] - shift_low[h] + 2 * BAND_PAD + 1)
        penalty = best if is_first_turn else best + cap[k]
        for way in range(-1, n_band):  # the reference's diagonal first: it fits most reads, and then ends the search on the others
            d = diagonal if way < 0 else low + way
            if (way >= 0 and d == diagonal) or d < 0 or d + n_rows > n_columns:
                continue
            if is_first_turn and way >= 0 and way != BAND_PAD and way != n_band - 1 - BAND_PAD:
                continue
            total = 0
            for i in range(n_rows):
                # Unsigned, here and below: Numba would check signed indices for below 0.
                base = bases[np.uint64(first + i)]
                if base != haplotype_bases[np.uint64(hap + d + i)] and base < 4:
                    total += mismatch[base_quals[np.uint64(first + i)]]
                    if total >= penalty:
                        break
            penalty = min(penalty, total)
        if is_first_turn:
            best = penalty
            continue
        cheapest = WORST  # gap that these columns offer
        if penalty > cheapest_gap[h]:
            for j in range(max(0, low), min(n_columns, low + n_rows + n_band)):
                cheapest = min(cheapest, gap_open[np.uint64(hap + j)])
        if penalty > cheapest:
            for b in range(n_band + 1):
                match[b] = 0 if b < n_band and 0 <= low + b < n_columns else WORST
                insertion[b] = WORST
                deletion[b] = WORST
            # Columns whose penalty has reached the bound are dead: WORST in all states. Those alive are few, except within repeats.
            alive_first, alive_last, row_best = 0, n_band - 1, 0
            for i in range(n_rows):
                base = bases[np.uint64(first + i)]
                cost = mismatch[base_quals[np.uint64(first + i)]] if base < 4 else 0
                begin, end = max(0, -low - i, alive_first - 1), min(n_band, n_columns - low - i)
                left_match, left_deletion, row_best = WORST, WORST, WORST
                next_first, next_last = n_band, -1
                for b in range(begin, end):
                    here, right, j = np.uint64(b), np.uint64(b + 1), np.uint64(hap + low + i + b)
                    deleted = min(left_match + gap_open[j], left_deletion + gap_extend[j])
                    if b > alive_last and deleted >= penalty:
                        break
                    through = min(match[here], insertion[here], deletion[here]) + (0 if base == haplotype_bases[j] else cost)
                    inserted = min(match[right] + gap_open[j], insertion[right] + gap_extend[j])
                    ending = min(through, inserted)
                    if min(ending, deleted) < penalty:
                        next_first, next_last = min(next_first, b), b
                        row_best = min(row_best, ending)
                        left_match, left_deletion = through, deleted
                    else:
                        through, inserted, left_match, left_deletion = WORST, WORST, WORST, WORST
                    match[here] = through
                    insertion[here] = inserted
                    deletion[here] = left_deletion
                alive_first, alive_last = next_first, next_last
                if alive_last < 0:
                    break
            penalty = min(penalty, row_best)
        best = min(best, penalty)
        a = slot + haplotype_allele[h]
        penalties[a] = min(penalties[a], penalty)
    for a in range(slot, slot + n_alleles):
        penalties[a] = min(penalties[a] - best, cap[k]) if best <= misfit[n_rows] else 0


@kernel(allocates=True)
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
