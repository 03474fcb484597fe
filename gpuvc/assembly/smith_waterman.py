"""Pairwise alignment with affine gaps, with the tie rules that decide where an indel is written (specification, section 3.8).

It is an overlap alignment: scores may be negative, and the overhang says what becomes of sequence that sticks out at the ends.
"""

import numpy as np

from gpuvc.kernels.codes import CIGAR_D, CIGAR_I, CIGAR_M, CIGAR_S
from gpuvc.kernels.jit import inner_kernel

# What the ends cost and become: soft clips, free; gaps at both ends; gaps in front, free behind; matches, free.
SOFTCLIP, INDEL, LEADING_INDEL, IGNORE = range(4)

# match, mismatch, gap open, gap extend
HAPLOTYPE_WEIGHTS = (200, -150, -260, -11)
READ_WEIGHTS = (10, -15, -30, -5)
DANGLING_WEIGHTS = (25, -50, -110, -6)

MAX_LENGTH = 32_000  # gap lengths travel as int16; below it no score comes near NEVER either
NEVER = np.int32(-100_000_000)


def make_workspace(max_ref_length, max_query_length):
    """Scratch memory of `align` for sequences up to these lengths: rows int32[6, max_query_length + 1], back int16[cells].

    Any workspace that is large enough gives the same alignment. A CIGAR needs room for 2 * min(lengths) + 3 operations.
    """
    rows = np.empty((6, max_query_length + 1), np.int32)
    return rows, np.empty((max_ref_length + 1) * (max_query_length + 1), np.int16)


@inner_kernel
def align(ref, query, match, mismatch, gap_open, gap_extend, overhang, rows, back, cigar):
    """Best alignment of `query` to `ref` → (offset of its first base on ref, number of operations written to `cigar`).

    Parameters
    ----------
    ref, query : uint8[n], uint8[m]
        Codes; equal codes match, N with N too. Neither is empty, neither longer than MAX_LENGTH.
    match, mismatch, gap_open, gap_extend : int
        A gap of n bases costs gap_open + (n - 1) gap_extend; costs are negative, gap_open <= gap_extend.
    overhang : int
        SOFTCLIP, INDEL, LEADING_INDEL or IGNORE.
    rows, back : int32[6, >= m + 1], int16[>= (n + 1)(m + 1)]
        From `make_workspace`; overwritten.
    cigar : uint32[>= 2 min(n, m) + 3]
        Written, as BAM packs operations.

    Ties: the diagonal, then an insertion, then a deletion; of equal gaps the one open longer.
    """
    if overhang == SOFTCLIP or overhang == IGNORE:
        start = last_occurrence(ref, query)
        if start >= 0:
            cigar[0] = np.uint32(query.size << 4 | CIGAR_M)
            return start, 1
    end_row, end_column = fill(ref, query, match, mismatch, gap_open, gap_extend, overhang, rows, back)
    return trace_back(ref.size, query.size, end_row, end_column, overhang, back, cigar)


@inner_kernel
def last_occurrence(ref, query):
    """Offset of the last place where `query` stands in `ref` unchanged; -1 if nowhere."""
    for start in range(ref.size - query.size, -1, -1):
        matched = 0
        while matched < query.size and ref[start + matched] == query[matched]:
            matched += 1
        if matched == query.size:
            return start
    return -1


@inner_kernel
def fill(ref, query, match, mismatch, gap_open, gap_extend, overhang, rows, back):
    """Fill `back` (0: diagonal; n > 0: deletion of n; n < 0: insertion of -n) → the cell where the alignment ends."""
    n, m = ref.size, query.size
    width = m + 1
    free = overhang == SOFTCLIP or overhang == IGNORE
    match, mismatch, gap_open, gap_extend = np.int32(match), np.int32(mismatch), np.int32(gap_open), np.int32(gap_extend)
    score, diagonal, deletion, deletion_length, insertion, insertion_length = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
    for j in range(width):
        deletion[j] = NEVER
        deletion_length[j] = 0
        score[j] = 0 if free or j == 0 else gap_open + (j - 1) * gap_extend
    best = np.int32(-(2**31))
    end_row, end_column = n, m
    for i in range(1, n + 1):
        base = ref[i - 1]
        # Three passes over the row, because only the middle one has to go base by base.
        for j in range(1, width):
            diagonal[j] = score[j - 1] + (match if base == query[j - 1] else mismatch)
            opened, extended = score[j] + gap_open, deletion[j] + gap_extend
            deletion_length[j] = 1 if opened > extended else deletion_length[j] + 1
            deletion[j] = max(opened, extended)
        score[0] = np.int32(0) if free else np.int32(gap_open + (i - 1) * gap_extend)
        left, gap, length = score[0], NEVER, np.int32(0)
        for j in range(1, width):
            opened, extended = left + gap_open, gap + gap_extend
            length = np.int32(1) if opened > extended else length + np.int32(1)
            gap = max(opened, extended)
            insertion[j] = gap
            insertion_length[j] = length
            # Without the insertion itself: to open a second one at its end never pays.
            left = max(diagonal[j], deletion[j])
        row = i * width
        for j in range(1, width):
            step = np.int32(0)
            value = diagonal[j]
            if insertion[j] > value:
                value = insertion[j]
                step = -insertion_length[j]
            if deletion[j] > value:
                value = deletion[j]
                step = deletion_length[j]
            score[j] = value
            back[row + j] = np.int16(step)
        if overhang != INDEL and score[m] >= best:
            best = score[m]
            end_row = i
    if free:
        for j in range(1, width):
            if score[j] > best or (score[j] == best and abs(n - j) < abs(end_row - end_column)):
                best = score[j]
                end_row, end_column = n, j
    return end_row, end_column


@inner_kernel
def trace_back(n, m, i, j, overhang, back, cigar):
    """Write the path that ends in cell (i, j) as a CIGAR → (offset on the reference, number of operations)."""
    width = m + 1
    n_operations = 0
    if j < m:
        n_operations = append_operation(cigar, n_operations, CIGAR_S if overhang == SOFTCLIP else CIGAR_M, m - j)
    while i > 0 and j > 0:
        step = np.int64(back[i * width + j])
        if step == 0:
            n_operations = append_operation(cigar, n_operations, CIGAR_M, 1)
            i -= 1
            j -= 1
        elif step > 0:
            n_operations = append_operation(cigar, n_operations, CIGAR_D, step)
            i -= step
        else:
            n_operations = append_operation(cigar, n_operations, CIGAR_I, -step)
            j += step
    offset = i
    if overhang == SOFTCLIP:
        n_operations = append_operation(cigar, n_operations, CIGAR_S, j)
    elif overhang == IGNORE:
        n_operations = append_operation(cigar, n_operations, CIGAR_M, j)
        offset = i - j
    else:
        n_operations = append_operation(cigar, n_operations, CIGAR_D, i)
        n_operations = append_operation(cigar, n_operations, CIGAR_I, j)
        offset = 0
    reverse_operations(cigar, n_operations)
    return offset, n_operations


@inner_kernel
def append_operation(cigar, n_operations, operation, length):
    """Put an operation behind the first `n_operations`, joined with an equal one before it; nothing for length 0 → the new count."""
    if length <= 0:
        return n_operations
    if n_operations > 0 and np.int64(cigar[n_operations - 1]) & 15 == operation:
        cigar[n_operations - 1] += np.uint32(length << 4)
        return n_operations
    cigar[n_operations] = np.uint32(length << 4 | operation)
    return n_operations + 1


@inner_kernel
def reverse_operations(cigar, n_operations):
    """Turn the first `n_operations` round."""
    for k in range(n_operations // 2):
        other = n_operations - 1 - k
        cigar[k], cigar[other] = cigar[other], cigar[k]
