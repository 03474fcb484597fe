"""Haplotypes against the reference: raw sequences to CIGARs with left-aligned indels and their events (specification, section 3.7).

The specification's answer is a whole Smith-Waterman matrix between the two sequences, ten N put around each. Nearly all of that matrix is
never computed here, and the answer is the same to the last tie. Let p and s be the lengths of the common prefix and suffix (the N count
in), d the difference in length; no N inside; a match is worth 200, a mismatch -150, a gap of n bases -260 - 11 (n - 1).

1.  The trace-back starts in the corner and runs down the diagonal through the whole common suffix: a path that ends in a gap can end in
    the match instead and lose nothing, and ties prefer the diagonal. Other ends lose N: at least 350 each, more than the gap that keeps
    them, as long as that gap is below 200 bases. Longer ones lie 200 - |d| diagonals outside, where as many pairs of 200 are lost; and the
    N at one's head against those at the other's tail are 10 pairs and no more.
2.  To the right of and below (p, p) every cell equals what it would be if the matrix began there: up to row or column p no path is better
    than p matches and one gap. Where the path leaves that quadrant, one gap is left; it goes left as far as the bases match (ties).
3.  In between, an alignment that reaches x diagonals outside those of the two corners has lost x pairs and has two gaps:
    200 x + 520 + 11 (|d| + 2x - 2) below the most it could score. A band is as good as the matrix once that is more than the loss of an
    alignment at hand: the one that has a single gap, at its best place. No band is needed where that is so for x = 1 and d = 0.
"""

import numpy as np

from gpuvc.assembly.events import find_events, with_room
from gpuvc.assembly.smith_waterman import SOFTCLIP, align, append_operation, make_workspace, reverse_operations
from gpuvc.batches import HaplotypeBatch
from gpuvc.kernels.codes import CIGAR_D, CIGAR_I, CIGAR_M, CIGAR_S, N
from gpuvc.kernels.cpu.sequences import copy_bases, same_until
from gpuvc.kernels.jit import inner_kernel, kernel

PADDING = 10  # N around either sequence, so that the ends stay together
MIN_REF_LENGTH = 30  # a haplotype over less of the reference is discarded
MATCH, MISMATCH, GAP_OPEN, GAP_EXTEND = 200, -150, -260, -11
MISMATCH_LOSS = MATCH - MISMATCH
FREE_GAP = 200  # below it a gap costs less than the N it keeps (step 1)

# A cell of the band: score, way (diagonal 2, insertion 1, deletion 0) and length of the gap, so that the larger number is the better cell.
LENGTH_BITS, WAY_BITS = 10, 2
SCORE_SHIFT = LENGTH_BITS + WAY_BITS
MAX_MIDDLE = (1 << LENGTH_BITS) - 1
LENGTH_MASK, LOW_MASK = (1 << LENGTH_BITS) - 1, (1 << SCORE_SHIFT) - 1
DIAGONAL_WAY, INSERTION_WAY = 2 << LENGTH_BITS, 1 << LENGTH_BITS
OPENED, EXTENDED = (GAP_OPEN << SCORE_SHIFT) + 1, (GAP_EXTEND << SCORE_SHIFT) + 1
UNREACHED = -1_200_000_000  # below all scores of a middle of MAX_MIDDLE bases, and far enough above the least int32
FIRST_MARGIN = 8


def align_haplotypes(regions, raw, codes, codes_start, settings):
    """The raw haplotypes of each region against the reference over its padded span, with their events → HaplotypeBatch.

    Parameters
    ----------
    regions : RegionBatch
    raw : RawHaplotypes
        Columns region_slots, bases, base_offsets, score, is_ref; exactly one haplotype of a region is the reference.
    codes : uint8[any]
        Reference codes from `codes_start`, 0-based, on; they cover the padded spans and, where there is one, a base before each.
    settings : Settings
        max_mnp_distance.

    Haplotypes that cannot be aligned end to end, or lie over less than 30 reference bases, are left out; the reference never is.
    variant_start, variant_end are the regions' own bounds until the haplotypes are trimmed.
    """
    workspace = make_alignment_workspace(regions.padded_end - regions.padded_start, raw.base_offsets)
    cigar, cigar_offsets, aligned = align_batch(
        codes, codes_start, regions.padded_start, regions.padded_end, raw.region_slots, raw.bases, raw.base_offsets, raw.is_ref,
        SOFTCLIP, *workspace,
    )  # fmt: skip
    region_slots, bases, base_offsets, is_ref, score = raw.region_slots, raw.bases, raw.base_offsets, raw.is_ref, raw.score
    if not aligned.all():
        lengths = np.diff(base_offsets)
        bases = bases[np.repeat(aligned, lengths)]
        base_offsets = offsets_of(lengths[aligned])
        cigar_offsets = offsets_of(np.diff(cigar_offsets)[aligned])
        region_slots = offsets_of(aligned)[region_slots]
        is_ref, score = is_ref[aligned], score[aligned]
    return with_events(
        codes, codes_start, regions.padded_start, regions.padded_end, regions.start, regions.end, region_slots, bases, base_offsets,
        cigar, cigar_offsets, is_ref, score, settings.max_mnp_distance,
    )  # fmt: skip


def with_events(
    codes, codes_start, start, end, variant_start, variant_end, region_slots, bases, base_offsets, cigar, cigar_offsets, is_ref, score,
    max_mnp_distance,
):  # fmt: skip
    """The HaplotypeBatch of aligned haplotypes: their events are read from the CIGARs."""
    return HaplotypeBatch(
        start, end, variant_start, variant_end, region_slots, bases, base_offsets, cigar, cigar_offsets, is_ref, score,
        *find_events(
            codes, codes_start, start, region_slots, bases, base_offsets, cigar, cigar_offsets, max_mnp_distance
        ),
    )  # fmt: skip


def offsets_of(lengths):
    """int64[n + 1]: where each of the consecutive stretches begins, and the end."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)))


def make_alignment_workspace(ref_lengths, base_offsets):
    """Scratch memory for haplotypes of these offsets against spans of these lengths."""
    longest_ref = int(ref_lengths.max(initial=1)) + 2 * PADDING
    longest = int(np.diff(base_offsets).max(initial=1)) + 2 * PADDING
    rows, back = make_workspace(longest_ref, longest)
    return (
        rows, back, np.empty((2, longest + 1), np.int32), np.full(longest_ref, N, np.uint8), np.full(longest, N, np.uint8),
        np.empty((2, 2 * min(longest_ref, longest) + 8), np.uint32),
    )  # fmt: skip


@kernel(allocates=True)
def align_batch(
    codes, codes_start, start, end, region_slots, bases, base_offsets, is_ref, overhang, rows, back, band_rows, padded_ref,
    padded_haplotype, operations,
):  # fmt: skip
    """Align every haplotype to its region's span → (CIGARs, their offsets, whether each could be aligned)."""
    n_haplotypes = base_offsets.size - 1
    cigar = np.empty(4 * n_haplotypes + 16, np.uint32)
    cigar_offsets = np.zeros(n_haplotypes + 1, np.int64)
    aligned = np.ones(n_haplotypes, np.bool_)
    used = 0
    for g in range(region_slots.size - 1):
        ref = codes[start[g] - codes_start : end[g] - codes_start]
        for h in range(region_slots[g], region_slots[g + 1]):
            haplotype = bases[base_offsets[h] : base_offsets[h + 1]]
            n = align_to_reference(
                ref, haplotype, overhang, rows, back, band_rows, padded_ref, padded_haplotype, operations[0], operations[1]
            )
            if not is_ref[h] and (n == 0 or ref.size < MIN_REF_LENGTH):
                aligned[h] = False
                n = 0
            cigar = with_room(cigar, used, n)
            cigar[used : used + n] = operations[1, :n]
            used += n
            cigar_offsets[h + 1] = used
    return cigar[:used].copy(), cigar_offsets, aligned


@inner_kernel
def align_to_reference(ref, haplotype, overhang, rows, back, band_rows, padded_ref, padded_haplotype, path, cigar):
    """Write the left-aligned CIGAR of `haplotype` over all of `ref` → number of operations; 0 if the ends do not stay together.

    overhang: SOFTCLIP, or INDEL for a haplotype with an inserted allele. path, cigar: uint32, scratch and output.
    """
    n_operations = best_path(ref, haplotype, back, band_rows, path)
    if n_operations < 0:
        n_operations = best_path_by_matrix(ref, haplotype, overhang, rows, back, padded_ref, padded_haplotype, path)
    if n_operations == 1:
        cigar[0] = path[0]
        return 1
    return left_align(ref, haplotype, path, n_operations, cigar)


@inner_kernel
def best_path_by_matrix(ref, haplotype, overhang, rows, back, padded_ref, padded_haplotype, path):
    """The definition: align with N around, by the whole matrix → number of operations; 0 if an end was clipped or gapped."""
    n, m = ref.size, haplotype.size
    copy_bases(ref, 0, padded_ref, PADDING, n)
    padded_ref[PADDING + n : 2 * PADDING + n] = N
    copy_bases(haplotype, 0, padded_haplotype, PADDING, m)
    padded_haplotype[PADDING + m : 2 * PADDING + m] = N
    whole_ref, whole = padded_ref[: n + 2 * PADDING], padded_haplotype[: m + 2 * PADDING]
    offset, n_operations = align(whole_ref, whole, MATCH, MISMATCH, GAP_OPEN, GAP_EXTEND, overhang, rows, back, path)
    first, last = np.int64(path[0]), np.int64(path[n_operations - 1])
    if offset > 0 or first & 15 != CIGAR_M or last & 15 != CIGAR_M or first >> 4 < PADDING or last >> 4 < PADDING:
        return 0
    covered = 0
    for k in range(n_operations):
        operation = np.int64(path[k])
        if operation & 15 == CIGAR_S:
            return 0
        if operation & 15 != CIGAR_I:
            covered += operation >> 4
    if covered != n + 2 * PADDING:
        return 0
    path[0] -= np.uint32(PADDING << 4)
    path[n_operations - 1] -= np.uint32(PADDING << 4)
    kept = 0
    for k in range(n_operations):
        if path[k] >> np.uint32(4) > 0:
            path[kept] = path[k]
            kept += 1
    return kept


@inner_kernel
def best_path(ref, haplotype, back, band_rows, path):
    """What `best_path_by_matrix` gives, from as few cells as prove it → number of operations; -1 where that proof does not hold."""
    n, m = ref.size, haplotype.size
    if n == 0 or m == 0 or has_n(ref) or has_n(haplotype):
        return -1
    shorter, difference = min(n, m), m - n
    prefix = same_until(ref, 0, haplotype, 0, 0, shorter)
    suffix = 0
    while suffix < shorter and ref[n - 1 - suffix] == haplotype[m - 1 - suffix]:
        suffix += 1
    room = MATCH * min(FREE_GAP - abs(difference), PADDING + shorter)
    if prefix + suffix >= shorter:
        if abs(difference) > 0 and gap_loss(abs(difference)) >= room:
            return -1
        before = shorter - suffix
        n_operations = append_operation(path, 0, CIGAR_M, before)
        n_operations = append_operation(path, n_operations, CIGAR_D, -difference)
        n_operations = append_operation(path, n_operations, CIGAR_I, difference)
        return append_operation(path, n_operations, CIGAR_M, shorter - before)
    rows_end, columns_end = n - suffix, m - suffix
    middle_ref, middle = ref[prefix:rows_end], haplotype[prefix:columns_end]
    loss = loss_with_one_gap(middle_ref, middle)
    if loss >= room:
        return -1
    margin = margin_of(loss, difference)
    if margin == 0 and difference == 0:
        return append_operation(path, 0, CIGAR_M, n)
    low, high = min(0, difference), max(0, difference)
    widest = back.size // (middle_ref.size + 1)
    if max(middle_ref.size, middle.size) > MAX_MIDDLE or high - low + 2 * min(margin, FIRST_MARGIN) + 1 > widest:
        return -1
    if margin > FIRST_MARGIN:
        # Several gaps may lose far less than one: see what a narrow band finds, and how wide a proof must be then.
        score = fill_band(middle_ref, middle, low - FIRST_MARGIN, high + FIRST_MARGIN, band_rows, back)
        margin = max(FIRST_MARGIN, min(margin, margin_of(MATCH * min(middle_ref.size, middle.size) - score, difference)))
        if margin == FIRST_MARGIN:
            return trace_band(ref, haplotype, prefix, suffix, low - margin, high + margin, back, path)
    if high - low + 2 * margin + 1 > widest:
        return -1
    fill_band(middle_ref, middle, low - margin, high + margin, band_rows, back)
    return trace_band(ref, haplotype, prefix, suffix, low - margin, high + margin, back, path)


@inner_kernel
def margin_of(loss, difference):
    """How many diagonals outside the corners' an alignment can reach and be as good as one with this loss (step 3)."""
    return max(0, (loss + 2 * GAP_OPEN + GAP_EXTEND * (abs(difference) - 2)) // (MATCH - 2 * GAP_EXTEND))


@inner_kernel
def has_n(sequence):
    """Whether any base is N."""
    found = 0
    for k in range(sequence.size):
        found |= sequence[k] >> 2
    return found != 0


@inner_kernel
def gap_loss(length):
    """What a gap costs."""
    return -GAP_OPEN - GAP_EXTEND * (length - 1)


@inner_kernel
def loss_with_one_gap(ref, query):
    """Least that an alignment from corner to corner loses when it has one gap at most, of the difference in length."""
    n, m = ref.size, query.size
    shorter, difference = min(n, m), m - n
    mismatches = 0
    for k in range(shorter):
        mismatches += ref[k] != query[k]
    if difference == 0:
        return MISMATCH_LOSS * mismatches
    skip_ref, skip_query = max(0, -difference), max(0, difference)
    fewest = mismatches
    for k in range(shorter - 1, -1, -1):
        mismatches += np.int64(ref[k + skip_ref] != query[k + skip_query]) - np.int64(ref[k] != query[k])
        fewest = min(fewest, mismatches)
    return MISMATCH_LOSS * fewest + gap_loss(abs(difference))


@inner_kernel
def fill_band(ref, query, low, high, rows, back):
    """Fill `back` for an alignment from corner to corner on the diagonals low <= column - row <= high, which hold both corners → score.

    rows: int32[2, >= m + 1]. back: int16[(n + 1) * (high - low + 1)]: way and length of a cell, row by row.
    """
    n, m = ref.size, query.size
    score, deletion = rows[0], rows[1]
    for j in range(m + 1):
        deletion[j] = UNREACHED
        score[j] = UNREACHED if j > high else -gap_loss(j) << SCORE_SHIFT
    score[0] = 0
    match_step, mismatch_step = (MATCH << SCORE_SHIFT) + DIAGONAL_WAY, (MISMATCH << SCORE_SHIFT) + DIAGONAL_WAY
    # Bands are narrow and a cell waits for the one to its left: one loop without vectors. Indices without a sign, as in `copy_bases`.
    for i in range(1, n + 1):
        first = max(1, i + low)
        above_left = np.int64(score[first - 1])
        left = insertion = UNREACHED
        if i + low <= 0:
            left = -gap_loss(i) << SCORE_SHIFT
            score[0] = left
        base = ref[i - 1]
        row = i * (high - low) - low
        for j in range(np.uint64(first), np.uint64(min(m, i + high) + 1)):
            above = np.int64(score[j])
            down = max(above + OPENED, deletion[j] + EXTENDED)
            deletion[j] = down
            candidate = max(above_left + (match_step if base == query[j - np.uint64(1)] else mismatch_step), down)
            above_left = above
            insertion = max(left + OPENED, insertion + EXTENDED)
            # Without the insertion itself: to open a second one at its end never pays.
            left = candidate & ~LOW_MASK
            best = max(candidate, insertion + INSERTION_WAY)
            score[j] = best & ~LOW_MASK
            back[np.uint64(row) + j] = best & LOW_MASK
    return np.int64(score[m]) >> SCORE_SHIFT


@inner_kernel
def trace_band(ref, haplotype, prefix, suffix, low, high, back, path):
    """Write the path that `fill_band` found between prefix and suffix, and these → number of operations."""
    i, j = ref.size - suffix - prefix, haplotype.size - suffix - prefix
    n_operations = append_operation(path, 0, CIGAR_M, suffix)
    while i > 0 and j > 0:
        cell = np.int64(back[i * (high - low) - low + j])
        length = cell & LENGTH_MASK
        if cell >= DIAGONAL_WAY:
            n_operations = append_operation(path, n_operations, CIGAR_M, 1)
            i -= 1
            j -= 1
        elif cell >= INSERTION_WAY:
            n_operations = append_operation(path, n_operations, CIGAR_I, length)
            j -= length
        else:
            n_operations = append_operation(path, n_operations, CIGAR_D, length)
            i -= length
    # One of the two is left over, beside the prefix: the matrix would put that gap as far left as it goes.
    before = prefix
    if i + j > 0:
        while before > 0 and ref[before - 1 + i] == haplotype[before - 1 + j]:
            before -= 1
        n_operations = append_operation(path, n_operations, CIGAR_M, prefix - before)
        n_operations = append_operation(path, n_operations, CIGAR_I, j)
        n_operations = append_operation(path, n_operations, CIGAR_D, i)
    n_operations = append_operation(path, n_operations, CIGAR_M, before)
    reverse_operations(path, n_operations)
    return n_operations


@inner_kernel
def left_align(ref, haplotype, path, n_path, cigar):
    """Move the indels of `path` left → number of operations written to `cigar`.

    Neighbouring insertions and deletions are one block, freed of the bases its two sides share at either end. It moves while the last
    bases of both sides are equal (an empty side: the base before it) and those before both are, over the M before it; where it meets
    another indel the two become one block. A deletion stands before the insertion of its block.
    """
    ref_start = ref_end = ref.size
    start = end = haplotype.size
    n_operations = 0
    for k in range(n_path - 1, -1, -1):
        operation, length = np.int64(path[k]) & 15, np.int64(path[k]) >> 4
        if operation == CIGAR_I:
            start -= length
            continue
        if operation == CIGAR_D:
            ref_start -= length
            continue
        moved = matched = 0
        if start < end or ref_start < ref_end:
            while start < end and ref_start < ref_end and ref[ref_end - 1] == haplotype[end - 1]:
                ref_end -= 1
                end -= 1
                matched += 1
            while start < end and ref_start < ref_end and ref[ref_start] == haplotype[start]:
                ref_start += 1
                start += 1
                moved -= 1
            while moved < length and ref[ref_start - 1] == haplotype[start - 1] and ref[ref_end - 1] == haplotype[end - 1]:
                ref_start -= 1
                ref_end -= 1
                start -= 1
                end -= 1
                moved += 1
                matched += 1
            n_operations = append_operation(cigar, n_operations, CIGAR_M, matched)
            if moved == length and k > 0:
                continue
            n_operations = append_operation(cigar, n_operations, CIGAR_I, end - start)
            n_operations = append_operation(cigar, n_operations, CIGAR_D, ref_end - ref_start)
        n_operations = append_operation(cigar, n_operations, CIGAR_M, length - moved)
        ref_start -= length - moved
        start -= length - moved
        ref_end, end = ref_start, start
    n_operations = append_operation(cigar, n_operations, CIGAR_I, end - start)
    n_operations = append_operation(cigar, n_operations, CIGAR_D, ref_end - ref_start)
    reverse_operations(cigar, n_operations)
    return n_operations
