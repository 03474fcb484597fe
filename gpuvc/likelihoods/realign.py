"""Where a read lies once its best haplotype is known: aligned to that haplotype, lifted to the reference.

Which reads a locus hears, and what base and end distance they have there, is judged by this alignment, not by the aligner's.
"""

from dataclasses import dataclass

import numpy as np

from gpuvc.assembly.smith_waterman import NEVER, SOFTCLIP, align, append_operation, reverse_operations, trace_back
from gpuvc.kernels.codes import CIGAR_D, CIGAR_H, CIGAR_I, CIGAR_M, CIGAR_S
from gpuvc.kernels.cpu.sequences import WIDTH, n_bits, same_until, unequal_mask
from gpuvc.kernels.jit import inner_kernel, kernel

MATCH, MISMATCH, GAP_OPEN, GAP_EXTEND = 10, -15, -30, -5
INFORMATIVE_LOG10 = 0.2  # haplotypes no further apart explain a read equally well
_MISMATCH_LOSS = MATCH - MISMATCH
KEY_BASES = 12  # of 3 bits
_MOST_SPARSE = 8  # mismatches up to which few paths stay within reach of the gapless placement


@dataclass(slots=True)
class RealignedReads:
    """Alignments of the rows of a RegionReads; rows that no haplotype was chosen for keep theirs.

    pos, end : int32[N]
        First reference base, and one past the last.
    cigar : uint32[sum of operations]; cigar_offsets : int64[N + 1]
        As in RegionReads, clips included.
    haplotype : int32[N]
        The row's haplotype, as a row of the HaplotypeBatch; -1 for none.
    """

    pos: np.ndarray
    end: np.ndarray
    cigar: np.ndarray
    cigar_offsets: np.ndarray
    haplotype: np.ndarray


def realign_reads(region_reads, haplotypes, likelihoods):
    """Align the kept reads to their best haplotypes and lift them to the reference.

    Parameters
    ----------
    region_reads : RegionReads
        Clipped to the span that is genotyped.
    haplotypes : HaplotypeBatch; likelihoods : LikelihoodBatch
        Of the same regions.

    Returns
    -------
    RealignedReads

    Source: specification, section 4.7.
    """
    n_rows = region_reads.n_rows
    pos, end = region_reads.pos.astype(np.int32), region_reads.end.astype(np.int32)
    haplotype = np.full(n_rows, -1, np.int32)
    cigar_offsets = np.zeros(n_rows + 1, np.int64)
    priority = haplotypes.is_ref.astype(np.int64) + 1 - np.diff(haplotypes.cigar_offsets)
    cigar = _realign(
        region_reads.region_slots, region_reads.bases, region_reads.base_offsets, region_reads.cigar, region_reads.cigar_offsets,
        likelihoods.kept, likelihoods.log10, likelihoods.matrix_offsets, haplotypes.start, haplotypes.region_slots, haplotypes.bases,
        haplotypes.base_offsets, haplotypes.cigar, haplotypes.cigar_offsets, haplotypes.is_ref, priority, pos, end, haplotype,
        cigar_offsets,
    )  # fmt: skip
    return RealignedReads(pos, end, cigar, cigar_offsets, haplotype)


@kernel
def best_haplotype(log10, priority):
    """The likeliest haplotype; where others are as good (INFORMATIVE_LOG10), the one of the highest priority.

    log10 : float64[n_haplotypes]; priority : int64[n_haplotypes]
    """
    best, second, which = log10[0], -np.inf, 0
    for h in range(1, log10.size):
        if log10[h] > best:
            second, best, which = best, log10[h], h
        elif log10[h] > second:
            second = log10[h]
    if best - second < INFORMATIVE_LOG10:
        for h in range(log10.size):
            if best - log10[h] <= INFORMATIVE_LOG10 and priority[h] > priority[which]:
                which = h
    return which


@inner_kernel
def ungapped_placement(ref, query, most):
    """(offset, mismatches) of the gapless placement with fewest mismatches, the last of equal ones; (-1, -1) if all have more than most."""
    best, where = most + 1, -1
    for start in range(ref.size - query.size, -1, -1):
        n = 0
        for t in range(0, query.size, WIDTH):
            n += n_bits(unequal_mask(ref, start + t, query, t, min(WIDTH, query.size - t)))
            if n >= best:
                break
        if n < best:
            best, where = n, start
            if n == 0:
                break
    return (where, best) if where >= 0 else (-1, -1)


@inner_kernel
def last_exact_placement(ref, query):
    """Offset of the last place in ref that is equal to query; -1 if there is none, or query has fewer than KEY_BASES bases.

    Compares the first KEY_BASES bases at once, as one number.
    """
    if query.size < KEY_BASES or ref.size < query.size:
        return -1
    key, wanted, mask = np.int64(0), np.int64(0), np.int64((1 << 3 * KEY_BASES) - 1)
    start = ref.size - query.size
    for i in range(KEY_BASES - 1, -1, -1):
        key, wanted = key << 3 | np.int64(ref[start + i]), wanted << 3 | np.int64(query[i])
    while start >= 0:
        if key == wanted:
            i = KEY_BASES
            while i < query.size and ref[start + i] == query[i]:
                i += 1
            if i == query.size:
                return start
        start -= 1
        if start >= 0:
            key = (key << 3 | np.int64(ref[start])) & mask
    return -1


@inner_kernel
def _overhangs(ref, query, bases):
    """Whether query fits without mismatch when up to `bases` of it hang over one end of ref."""
    for over in range(1, min(bases, query.size) + 1):
        inside = query.size - over
        if inside <= ref.size and (
            same_until(ref, 0, query, over, 0, inside) == inside or same_until(ref, ref.size - inside, query, 0, 0, inside) == inside
        ):
            return True
    return False


@inner_kernel
def align_to_haplotype(ref, query, rows, back, alive, cigar):
    """`align` with the weights above, by a short way where that is sure to give the same: (offset, number of operations).

    A gap costs more than one mismatch and the bases that hang over an end cost MATCH each, so without mismatch, or with one and no such
    overhang, the gapless placement is the best; of equal ones the last is taken. alive : int64[2, > ref.size], scratch.
    """
    start, mismatches = last_exact_placement(ref, query), 0
    if start < 0:
        start, mismatches = ungapped_placement(ref, query, _MOST_SPARSE)
    if mismatches == 0 or (mismatches == 1 and not _overhangs(ref, query, _MISMATCH_LOSS // MATCH)):
        cigar[0] = np.uint32(query.size << 4 | CIGAR_M)
        return start, 1
    if mismatches < 0:
        return align(ref, query, MATCH, MISMATCH, GAP_OPEN, GAP_EXTEND, SOFTCLIP, rows, back, cigar)
    n_alive = find_starts(ref, query, mismatches, alive[0])
    at_least = query.size * MATCH - mismatches * _MISMATCH_LOSS
    end_row, end_column = fill_near(ref, query, at_least, n_alive, alive[0], alive[1], rows, back)
    return trace_back(ref.size, query.size, end_row, end_column, SOFTCLIP, back, cigar)


@inner_kernel
def find_starts(ref, query, mismatches, rows):
    """The rows where a path that costs no more than so many mismatches can begin → their number.

    Whatever a path does costs at least as much as a mismatch, but for the bases that hang over an end, of which each costs less. So of
    mismatches + 2 pieces of the query, one lies on the path as it is; and no gap carries the path further from that piece's diagonal than
    the cost allows. Row 0 is where all that hang over begin. rows : int64[> ref.size], written, in order.
    """
    n_pieces = mismatches + 2
    length = min(query.size // n_pieces, WIDTH)
    loss = mismatches * _MISMATCH_LOSS
    if length < 8 or length * MATCH < loss:
        for row in range(ref.size + 1):
            rows[row] = row
        return ref.size + 1
    reach = max(0, loss + GAP_OPEN) // -GAP_EXTEND + 1
    for row in range(ref.size + 1):
        rows[row] = 0
    for piece in range(n_pieces):
        at = piece * (query.size // n_pieces)
        for place in range(ref.size - length + 1):
            if unequal_mask(ref, place, query, at, length) == 0:
                for row in range(max(0, place - at - reach), min(ref.size, place - at + reach) + 1):
                    rows[row] = 1
    rows[0] = 1
    n = 0
    for row in range(ref.size + 1):
        is_start = rows[row]
        rows[n] = row
        n += is_start
    return n


@inner_kernel
def fill_near(ref, query, at_least, n_alive, alive, next_alive, columns, back):
    """`fill`, but only the cells from which a score of `at_least` can still be reached → the cell where the alignment ends.

    Such cells alone lie on the best paths, equal ones included, when some path has that score; the others count as unreachable. The walk
    goes base by base of the query, over the rows (bases of ref) still alive.

    n_alive, alive : int64[> ref.size]
        Rows where such a path can begin; overwritten, as is next_alive.
    columns : int32[6, >= ref.size + 1]
        Overwritten: score, insertion, insertion_length of the last base and this.
    """
    n, m = ref.size, query.size
    width = m + 1
    score, gap, gap_length = columns[0], columns[1], columns[2]
    new_score, new_gap, new_length = columns[3], columns[4], columns[5]
    score[: n + 1] = 0
    gap[: n + 1] = NEVER
    gap_length[: n + 1] = 0
    best, end_row, end_column = np.int64(NEVER), n, m
    last_best, last_column = np.int64(NEVER), m  # in the last row
    for j in range(1, m + 1):
        base = query[j - 1]
        needed = np.int64(at_least - MATCH * (m - j))
        n_next, p, q = 0, 0, 0  # p: first alive row >= i; q: first alive row >= i - 1
        row, deletion, deletion_length = np.int64(-1), np.int64(NEVER), np.int64(0)
        above = np.int64(NEVER)  # score of the row before in this column
        while True:
            # The next row that an insertion, a step along the diagonal, or a deletion from the row above can reach.
            i = n + 1
            if p < n_alive:
                i = min(i, alive[p])
            if q < n_alive:
                i = min(i, alive[q] + 1)
            if max(above + GAP_OPEN, deletion + GAP_EXTEND) >= needed:
                i = min(i, row + 1)
            if i > n:
                break
            if i != row + 1:
                above, deletion = np.int64(NEVER), np.int64(NEVER)
            opened, extended = above + GAP_OPEN, deletion + GAP_EXTEND
            deletion_length = np.int64(1) if opened > extended else deletion_length + 1
            deletion = max(opened, extended)
            diagonal, insertion, length = np.int64(NEVER), np.int64(NEVER), np.int64(0)
            if q < n_alive and alive[q] == i - 1:
                diagonal = np.int64(score[i - 1]) + (MATCH if ref[i - 1] == base else MISMATCH)
                q += 1
            if p < n_alive and alive[p] == i:
                opened, extended = np.int64(score[i]) + GAP_OPEN, np.int64(gap[i]) + GAP_EXTEND
                length = np.int64(1) if opened > extended else np.int64(gap_length[i]) + 1
                insertion = max(opened, extended)
                p += 1
            if i == 0:
                value, step, insertion = np.int64(0), np.int64(0), np.int64(NEVER)
            else:
                value, step = diagonal, np.int64(0)
                if insertion > value:
                    value, step = insertion, -length
                if deletion > value:
                    value, step = deletion, deletion_length
            if value < needed:
                above = np.int64(NEVER)
                row = i
                if deletion < needed:
                    deletion = np.int64(NEVER)
                continue
            back[i * width + j] = np.int16(step)
            new_score[i], new_gap[i], new_length[i] = value, max(insertion, np.int64(NEVER)), length
            next_alive[n_next] = i
            n_next += 1
            above, row = value, i
            if j == m and i > 0 and value >= best:
                best, end_row = value, i
            if (i == n and value > last_best) or (i == n and value == last_best and abs(n - j) < abs(n - last_column)):
                last_best, last_column = value, j
        score, new_score = new_score, score
        gap, new_gap = new_gap, gap
        gap_length, new_length = new_length, gap_length
        alive, next_alive = next_alive, alive
        n_alive = n_next
    if last_best > best or (last_best == best and abs(n - last_column) < abs(end_row - m)):
        end_row, end_column = n, last_column
    return end_row, end_column


@inner_kernel
def add_operation(cigar, n, operation, length):
    """Put an operation behind the first n, in the one order used for an indel: deletion, then insertion → the new count."""
    if length > 0 and operation == CIGAR_D and n > 0 and np.int64(cigar[n - 1]) & 15 == CIGAR_I:
        if n > 1 and np.int64(cigar[n - 2]) & 15 == CIGAR_D:
            cigar[n - 2] += np.uint32(length << 4)
            return n
        cigar[n] = cigar[n - 1]
        cigar[n - 1] = np.uint32(length << 4 | CIGAR_D)
        return n + 1
    return append_operation(cigar, n, operation, length)


@inner_kernel
def drop_end_deletions(cigar, n):
    """Take away a deletion that is first or last, or next to a last insertion → (number of operations, bases of the first deletion)."""
    if n > 0 and np.int64(cigar[n - 1]) & 15 == CIGAR_D:
        n -= 1
    elif n > 1 and np.int64(cigar[n - 1]) & 15 == CIGAR_I and np.int64(cigar[n - 2]) & 15 == CIGAR_D:
        cigar[n - 2] = cigar[n - 1]
        n -= 1
    if n > 0 and np.int64(cigar[0]) & 15 == CIGAR_D:
        dropped = np.int64(cigar[0]) >> 4
        for k in range(1, n):
            cigar[k - 1] = cigar[k]
        return n - 1, dropped
    return n, np.int64(0)


@inner_kernel
def lift(query_cigar, n_query, offset, haplotype_cigar, out):
    """Alignment to a haplotype → alignment to the reference.

    Parameters
    ----------
    query_cigar : uint32[...]
        Its first n_query operations align the read to the haplotype from `offset` on; clipped bases count as inserted.
    haplotype_cigar : uint32[n]
        Haplotype against reference. out : uint32[...]: written.

    Returns
    -------
    (reference bases before the read, number of operations)
    """
    h, used, start = 0, np.int64(0), np.int64(0)  # `used`: bases of operation h that lie behind
    left = np.int64(offset)
    while left > 0:
        operation, length = np.int64(haplotype_cigar[h]) & 15, np.int64(haplotype_cigar[h]) >> 4
        if operation == CIGAR_D:
            start += length
            h += 1
            continue
        used = min(left, length)
        left -= used
        if operation == CIGAR_M:
            start += used
        if used == length:
            h, used = h + 1, np.int64(0)
    n = 0
    for q in range(n_query):
        operation, length = np.int64(query_cigar[q]) & 15, np.int64(query_cigar[q]) >> 4
        if operation == CIGAR_I or operation == CIGAR_S:
            n = add_operation(out, n, CIGAR_I, length)
            continue
        while length > 0:
            over, span = np.int64(haplotype_cigar[h]) & 15, (np.int64(haplotype_cigar[h]) >> 4) - used
            if over == CIGAR_D:
                n = add_operation(out, n, CIGAR_D, span)
                h, used = h + 1, np.int64(0)
                continue
            step = min(length, span)
            if operation == CIGAR_M:
                n = add_operation(out, n, over, step)
            elif over == CIGAR_M:
                n = add_operation(out, n, CIGAR_D, step)
            length -= step
            used += step
            if step == span:
                h, used = h + 1, np.int64(0)
    n, _ = drop_end_deletions(out, n)
    return start, n


@inner_kernel
def left_align(cigar, n, ref, ref_start, query, out):
    """Move the indels of an alignment as far left as they go, from the right; neighbours met on the way join.

    Parameters
    ----------
    cigar : uint32[...]
        First n operations, M, I and D; ref_start: where on `ref` they begin.
    out : uint32[...]
        Written.

    Returns
    -------
    (number of operations, deleted bases dropped at the start)
    """
    ref_end, query_end = np.int64(ref_start), np.int64(0)
    for k in range(n):
        operation, length = np.int64(cigar[k]) & 15, np.int64(cigar[k]) >> 4
        ref_end += length if operation != CIGAR_I else 0
        query_end += length if operation != CIGAR_D else 0
    ref_first, query_first = ref_end, query_end  # the indel under way deletes ref[ref_first:ref_end] for query[query_first:query_end]
    written = 0  # operations, from right to left
    for k in range(n - 1, -1, -1):
        operation, length = np.int64(cigar[k]) & 15, np.int64(cigar[k]) >> 4
        if operation == CIGAR_D:
            ref_first -= length
            continue
        if operation == CIGAR_I:
            query_first -= length
            continue
        if ref_first == ref_end and query_first == query_end:
            written = append_operation(out, written, CIGAR_M, length)
            ref_first, query_first = ref_first - length, query_first - length
            ref_end, query_end = ref_first, query_first
            continue
        right, shift, trimmed = np.int64(0), np.int64(0), np.int64(0)
        smaller = min(ref_end - ref_first, query_end - query_first)
        while right < smaller and ref[ref_end - 1] == query[query_end - 1]:
            ref_end, query_end, right = ref_end - 1, query_end - 1, right + 1
        while right + trimmed < smaller and ref[ref_first] == query[query_first]:
            ref_first, query_first, trimmed = ref_first + 1, query_first + 1, trimmed + 1
        while (
            shift - trimmed < length
            and ref_first > 0
            and query_first > 0
            and ref[ref_first - 1] == query[query_first - 1]
            and ref[ref_end - 1] == query[query_end - 1]
        ):
            ref_first, ref_end, query_first, query_end = ref_first - 1, ref_end - 1, query_first - 1, query_end - 1
            shift, right = shift + 1, right + 1
        written = append_operation(out, written, CIGAR_M, right)
        behind = min(length, length + trimmed - shift)  # bases of this block left of the indel
        new_match = max(0, trimmed - shift)
        if k == 0 or shift - trimmed < length:
            written = _add_from_right(out, written, ref_end - ref_first, query_end - query_first)
            ref_first, query_first = ref_first - new_match - behind, query_first - new_match - behind
            ref_end, query_end = ref_first, query_first
        written = append_operation(out, written, CIGAR_M, new_match)
        written = append_operation(out, written, CIGAR_M, behind)
    written = _add_from_right(out, written, ref_end - ref_first, query_end - query_first)
    reverse_operations(out, written)
    # From right to left an insertion can have come to stand before a deletion that it meets only now.
    tidy = 0
    for k in range(written):
        tidy = add_operation(out, tidy, np.int64(out[k]) & 15, np.int64(out[k]) >> 4)
    return drop_end_deletions(out, tidy)


@inner_kernel
def _add_from_right(out, n, deleted, inserted):
    n = append_operation(out, n, CIGAR_I, inserted)
    return append_operation(out, n, CIGAR_D, deleted)


@inner_kernel
def _clip_bounds(cigar):
    """Operations before and from the clips at either end, and soft-clipped bases there: (first, last, left, right)."""
    first, last, left, right = 0, cigar.size, np.int64(0), np.int64(0)
    while first < last and (np.int64(cigar[first]) & 15 == CIGAR_H or np.int64(cigar[first]) & 15 == CIGAR_S):
        if np.int64(cigar[first]) & 15 == CIGAR_S:
            left += np.int64(cigar[first]) >> 4
        first += 1
    while last > first and (np.int64(cigar[last - 1]) & 15 == CIGAR_H or np.int64(cigar[last - 1]) & 15 == CIGAR_S):
        last -= 1
        if np.int64(cigar[last]) & 15 == CIGAR_S:
            right += np.int64(cigar[last]) >> 4
    return first, last, left, right


@inner_kernel
def _has_indel(cigar, n):
    for k in range(n):  # noqa: SIM110
        if np.int64(cigar[k]) & 15 != CIGAR_M:
            return True
    return False


@inner_kernel
def _ref_length(cigar, n):
    total = np.int64(0)
    for k in range(n):
        operation = np.int64(cigar[k]) & 15
        if operation == CIGAR_M or operation == CIGAR_D:
            total += np.int64(cigar[k]) >> 4
    return total


@inner_kernel
def _longest(offsets):
    longest = np.int64(0)
    for k in range(offsets.size - 1):
        longest = max(longest, offsets[k + 1] - offsets[k])
    return longest


@kernel(allocates=True)
def _realign(
    region_slots, bases, base_offsets, cigar, cigar_offsets, kept, log10, matrix_offsets, haplotype_start, haplotype_slots, haplotype_bases,
    haplotype_offsets, haplotype_cigar, haplotype_cigar_offsets, is_ref, priority, pos, end, haplotype, new_offsets,
):  # fmt: skip
    """Write pos, end, haplotype and new_offsets by row; the new CIGARs are returned."""
    longest_read, longest_haplotype = _longest(base_offsets), _longest(haplotype_offsets)
    rows = np.empty((6, max(longest_read, longest_haplotype) + 1), np.int32)
    back = np.empty((longest_haplotype + 1) * (longest_read + 1), np.int16)
    alive = np.empty((2, longest_haplotype + 1), np.int64)
    room = 2 * (longest_read + longest_haplotype) + _longest(haplotype_cigar_offsets) + 8
    to_haplotype, lifted, final = np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty(room, np.uint32)
    out = np.empty(cigar.size + 2 * pos.size + room, np.uint32)
    n_out = np.int64(0)
    for region in range(region_slots.size - 1):
        first_haplotype, n_haplotypes = haplotype_slots[region], haplotype_slots[region + 1] - haplotype_slots[region]
        ref = haplotype_bases[:0]
        for h in range(first_haplotype, first_haplotype + n_haplotypes):
            if is_ref[h]:
                ref = haplotype_bases[haplotype_offsets[h] : haplotype_offsets[h + 1]]
        for row in range(region_slots[region], region_slots[region + 1]):
            old = cigar[cigar_offsets[row] : cigar_offsets[row + 1]]
            if out.size < n_out + old.size + room:
                grown = np.empty(2 * out.size + old.size + room, np.uint32)
                grown[:n_out] = out[:n_out]
                out = grown
            first, last, left, right = _clip_bounds(old)
            query = bases[base_offsets[row] + left : base_offsets[row + 1] - right]
            if not kept[row] or n_haplotypes == 0 or query.size == 0:
                for k in range(old.size):
                    out[n_out + k] = old[k]
                n_out += old.size
                new_offsets[row + 1] = n_out
                continue
            cell = matrix_offsets[region] + (row - region_slots[region]) * n_haplotypes
            best = first_haplotype + best_haplotype(
                log10[cell : cell + n_haplotypes], priority[first_haplotype : first_haplotype + n_haplotypes]
            )
            haplotype[row] = best
            target = haplotype_bases[haplotype_offsets[best] : haplotype_offsets[best + 1]]
            offset, n = align_to_haplotype(target, query, rows, back, alive, to_haplotype)
            start, n = lift(
                to_haplotype, n, offset, haplotype_cigar[haplotype_cigar_offsets[best] : haplotype_cigar_offsets[best + 1]], lifted
            )
            dropped, operations = np.int64(0), lifted
            if _has_indel(lifted, n):
                n, dropped = left_align(lifted, n, ref, start, query, final)
                operations = final
            pos[row] = haplotype_start[region] + start + dropped
            end[row] = pos[row] + _ref_length(operations, n)
            for k in range(first):
                out[n_out] = old[k]
                n_out += 1
            for k in range(n):
                out[n_out] = operations[k]
                n_out += 1
            for k in range(last, old.size):
                out[n_out] = old[k]
                n_out += 1
            new_offsets[row + 1] = n_out
    return out[:n_out]
