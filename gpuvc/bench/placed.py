"""The alignment that an aligner would write for a read whose true place is known.

Scores are bwa mem's: 1 a match, -4 a mismatch, -6 and -1 a base for a gap, -5 for a clipped end. Near a read's end a gap pays only when
enough bases lie beyond it; otherwise they stand as mismatches, or are clipped.
"""

from gpuvc.kernels.codes import CIGAR_D, CIGAR_I, CIGAR_M, CIGAR_S
from gpuvc.kernels.jit import kernel

MATCH, MISMATCH, GAP_OPEN, GAP_EXTEND, CLIP = 1, -4, -6, -1, -5
INSERTED, CLIPPED = -1, -2
MOST_OPERATIONS = 24  # of a CIGAR; reads with more are not made
_LEAST_ALIGNED = 30  # bases; a read is never clipped to fewer, an aligner would not report it


@kernel
def _end_score(bases, reference, at, first, ref_first, step):
    """(score to the end, best score of a part that begins here, number of bases in that part) along one diagonal, from base `first` on.

    `at` and `step`: base k of the way is bases[at + step * k].
    """
    score, best, n_best = 0, 0, 0
    for k in range(first, len(bases)):
        r = ref_first + step * (k - first)
        is_match = 0 <= r < len(reference) and reference[r] == bases[at + step * k]
        score += MATCH if is_match else MISMATCH
        if score > best:
            best, n_best = score, k + 1 - first
    return score, best, n_best


@kernel
def _settle_end(bases, reference, ref_pos, at, step):
    """Decide on the gaps near one end, and on its clip; `at`, `step` as above: (0, 1) for the right end, (n - 1, -1) for the left."""
    n = len(bases)
    while True:
        last = n - 1
        while last >= 0 and ref_pos[at + step * last] < 0:
            last -= 1
        if last < 0:
            return
        if last < n - 1:  # the read ends inside an insertion
            for k in range(last + 1, n):
                r = ref_pos[at + step * last] + step * (k - last)
                ref_pos[at + step * k] = r if 0 <= r < len(reference) else CLIPPED
            if ref_pos[at + step * (n - 1)] == CLIPPED:
                return
            continue
        start = last
        while start > 0 and ref_pos[at + step * (start - 1)] >= 0 and ref_pos[at + step * start] == ref_pos[at + step * (start - 1)] + step:
            start -= 1
        before = start - 1
        while before >= 0 and ref_pos[at + step * before] < 0:
            before -= 1
        score, best, n_best = _end_score(bases, reference, at, start, ref_pos[at + step * start], step)
        if before >= 0:
            here = ref_pos[at + step * before]
            gap_bp = abs(ref_pos[at + step * start] - here) - 1 + (start - 1 - before)
            is_straight_inside = 0 <= here + step * (last - before) < len(reference)
            straight, straight_best, _ = _end_score(bases, reference, at, before + 1, here + step, step)
            if is_straight_inside and max(straight, straight_best + CLIP) >= GAP_OPEN + GAP_EXTEND * gap_bp + max(score, best + CLIP):
                for k in range(before + 1, n):
                    ref_pos[at + step * k] = here + step * (k - before)
                continue
        if best + CLIP > score and start + n_best >= _LEAST_ALIGNED:
            for k in range(start + n_best, n):
                ref_pos[at + step * k] = CLIPPED
        return


@kernel
def _join_gaps(ref_pos):
    """Inserted bases beside deleted ones stand on their places: one gap, not two."""
    n = len(ref_pos)
    i = 1
    while i < n:
        if ref_pos[i] == INSERTED and ref_pos[i - 1] >= 0:
            end = i
            while end < n and ref_pos[end] == INSERTED:
                end += 1
            if end < n:
                n_deleted = ref_pos[end] - ref_pos[i - 1] - 1
                for k in range(min(n_deleted, end - i)):
                    ref_pos[i + k] = ref_pos[i - 1 + k] + 1
            i = end
        i += 1


@kernel
def place(bases, ref_pos, reference, cigar):
    """Align one read.

    Parameters
    ----------
    bases : uint8[n]
        In the reference's direction.
    ref_pos : int32[n]
        Where each base comes from, INSERTED for none; becomes where it is aligned.
    reference : uint8[m]
    cigar : uint32[MOST_OPERATIONS]
        Written.

    Returns
    -------
    pos, ref_end, n_operations, n_different : int
        n_operations 0: there are too many, or the read reaches beyond the reference.
        n_different: mismatches, inserted and deleted bases (NM).
    """
    n = len(bases)
    _join_gaps(ref_pos)
    _settle_end(bases, reference, ref_pos, 0, 1)
    _settle_end(bases, reference, ref_pos, n - 1, -1)
    pos, end, n_operations, n_different = -1, -1, 0, 0
    operation, length = -1, 0
    for i in range(n + 1):
        r = ref_pos[i] if i < n else 0
        if r >= len(reference):
            return pos, end, 0, n_different
        new = -1 if i == n else (CIGAR_M if r >= 0 else (CIGAR_I if r == INSERTED else CIGAR_S))
        gap = r - end if new == CIGAR_M and pos >= 0 else 0
        if new != operation or gap > 0:
            if operation >= 0:
                if n_operations + 2 > MOST_OPERATIONS:
                    return pos, end, 0, n_different
                cigar[n_operations] = length << 4 | operation
                n_operations += 1
            operation, length = new, 0
        if gap > 0:
            cigar[n_operations] = gap << 4 | CIGAR_D
            n_operations += 1
            n_different += gap
        length += 1
        if new == CIGAR_M:
            if pos < 0:
                pos = r
            end = r + 1
            n_different += reference[r] != bases[i]
        elif new == CIGAR_I:
            n_different += 1
    return pos, end, n_operations, n_different
