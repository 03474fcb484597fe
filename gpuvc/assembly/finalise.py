"""The reads of each region as that region sees them: clipped, sorted, overlapping mates corrected (specification, sections 1.3 to 1.5).

    alignment --settle soft clips--> --low-quality ends--> --adaptor--> --the region's padded span--> --sort--> --mate overlap--> rows

Every region works on copies of its own. Cutting at a reference position counts soft clips as if they were aligned; a position in a deletion
means the read base behind it. No CIGAR begins or ends with a deletion once clips are left out.
"""

import numpy as np

from gpuvc.batches import RegionReads
from gpuvc.kernels.codes import (
    CIGAR_D,
    CIGAR_H,
    CIGAR_I,
    CIGAR_M,
    CIGAR_S,
    CONSUMES_READ,
    CONSUMES_REFERENCE,
    FLAG_MATE_REVERSE,
    FLAG_MATE_UNMAPPED,
    FLAG_PAIRED,
    FLAG_REVERSE,
)
from gpuvc.kernels.jit import inner_kernel, kernel
from gpuvc.pileup.activity import fragment_is_defined, mate_is_mapped
from gpuvc.pileup.overlaps import AGREED_QUAL

MIN_READ_BASES = 10
"""A read with fewer unclipped bases inside the genotyping span says nothing."""

ROOM = 8  # operations that clipping may add to a read's CIGAR
READ_ROW, POS, END, FIRST_BASE, LAST_BASE, FIRST_OPERATION, N_OPERATIONS, PLACE, N_FIELDS = range(9)  # a row before it is written

# ------------------------------------------------------------------------------------------------------------------- one CIGAR


@inner_kernel
def _copy(source, first, last, out, at):
    """out[at:] = source[first:last]: a slice would take Numba two seconds to compile; unsigned indices, which do not wrap, vectorise."""
    first, at = np.uint64(first), np.uint64(at)
    for i in range(np.uint64(last) - first):
        out[at + i] = source[first + i]


@inner_kernel
def _append(ops, n, length, operation):
    """Add an operation to ops[:n], merged with an equal one before it → n."""
    if length == 0:
        return n
    if n > 0 and (ops[n - 1] & 15) == operation:
        ops[n - 1] += np.uint32(length << 4)
        return n
    ops[n] = np.uint32(length << 4 | operation)
    return n + 1


@inner_kernel
def _remove(ops, n, k):
    """Take operation k out of ops[:n] → n."""
    for i in range(k, n - 1):
        ops[i] = ops[i + 1]
    return n - 1


@inner_kernel
def _is_clip(op):
    return (op & 15) == CIGAR_S or (op & 15) == CIGAR_H


@inner_kernel
def _tidy_ends(ops, n):
    """Take out a deletion that stands first or last, or next to a first or last insertion, clips not counted → n."""
    k = 0
    while k < n and _is_clip(ops[k]):
        k += 1
    if k < n and (ops[k] & 15) == CIGAR_D:
        n = _remove(ops, n, k)
    elif k + 1 < n and (ops[k] & 15) == CIGAR_I and (ops[k + 1] & 15) == CIGAR_D:
        n = _remove(ops, n, k + 1)
    k = n - 1
    while k >= 0 and _is_clip(ops[k]):
        k -= 1
    if k >= 0 and (ops[k] & 15) == CIGAR_D:
        n = _remove(ops, n, k)
    elif k >= 1 and (ops[k] & 15) == CIGAR_I and (ops[k - 1] & 15) == CIGAR_D:
        n = _remove(ops, n, k - 1)
    return n


@inner_kernel
def _span(ops, n):
    """Reference bases that ops[:n] covers."""
    span = 0
    for c in range(n):
        if (1 << (ops[c] & 15)) & CONSUMES_REFERENCE:
            span += np.int64(ops[c] >> 4)
    return span


@inner_kernel
def soft_start(ops, n, start):
    """Where the read would begin if its leading soft clip were aligned."""
    for c in range(n):
        if not _is_clip(ops[c]):
            break
        if (ops[c] & 15) == CIGAR_S:
            start -= np.int64(ops[c] >> 4)
    return start


@inner_kernel
def _offset_at(ops, n, start, position):
    """(read offset, operation) at a reference position, soft clips laid out; in a deletion the offset behind it. (-1, 0): outside."""
    at, offset = soft_start(ops, n, start), 0
    for c in range(n):
        operation, length = ops[c] & 15, np.int64(ops[c] >> 4)
        in_read = ((1 << operation) & CONSUMES_READ) != 0
        width = length if (1 << operation) & CONSUMES_REFERENCE or operation == CIGAR_S else 0
        if at <= position < at + width:
            return offset + (position - at if in_read else 0), operation
        at += width
        offset += length if in_read else 0
    return -1, 0


@inner_kernel
def _clip(ops, n, start, first, last, clip_with, scratch):
    """Clip read offsets first to last, the read's left end (first is 0) or its right end → (n, start).

    clip_with : CIGAR_H or CIGAR_S
    scratch : uint32[n + ROOM]
    """
    m, offset = np.int64(0), np.int64(0)
    is_left = first == 0
    for c in range(n):
        operation, length = ops[c] & 15, np.int64(ops[c] >> 4)
        if operation == CIGAR_H:
            m = _append(scratch, m, length, CIGAR_H)
            continue
        in_read = ((1 << operation) & CONSUMES_READ) != 0
        stop = offset + (length if in_read else 0)
        gone = max(0, min(stop, last) - max(offset, first)) if in_read else 0
        clipped = gone
        if operation == CIGAR_D and ((is_left and offset <= last) or (not is_left and offset >= first)):
            gone = length
        if is_left:
            if (1 << operation) & CONSUMES_REFERENCE:
                start += gone
            m = _append(scratch, m, clipped, clip_with)
        m = _append(scratch, m, length - gone, operation)
        if not is_left:
            m = _append(scratch, m, clipped, clip_with)
        offset = stop
    m = _tidy_ends(scratch, m)
    _copy(scratch, 0, m, ops, 0)
    return m, start


# ---------------------------------------------------------------------------------------------------- one read; n == 0: nothing is left


@inner_kernel
def _keep_from(ops, n, start, lo, hi, keep, scratch):
    """Hard-clip the first `keep` bases → (n, start, lo, hi)."""
    if keep >= hi - lo:
        return 0, start, lo, lo
    n, start = _clip(ops, n, start, np.int64(0), keep, np.int64(CIGAR_H), scratch)
    return n, start, lo + keep, hi


@inner_kernel
def _keep_to(ops, n, start, lo, hi, keep, scratch):
    """Hard-clip all but the first `keep` bases → (n, start, lo, hi)."""
    if keep <= 0:
        return 0, start, lo, lo
    n, start = _clip(ops, n, start, keep, hi - lo, np.int64(CIGAR_H), scratch)
    return n, start, lo, lo + keep


@inner_kernel
def _clip_through(ops, n, start, lo, hi, position, scratch):
    """Hard-clip everything up to a reference position and including it."""
    offset, operation = _offset_at(ops, n, start, position)
    if offset < 0:
        return n, start, lo, hi
    return _keep_from(ops, n, start, lo, hi, offset + (1 if (1 << operation) & CONSUMES_READ else 0), scratch)


@inner_kernel
def _clip_onwards(ops, n, start, lo, hi, position, scratch):
    """Hard-clip everything from a reference position on."""
    offset, _ = _offset_at(ops, n, start, position)
    if offset < 0:
        return n, start, lo, hi
    return _keep_to(ops, n, start, lo, hi, offset, scratch)


@inner_kernel
def _settle_soft_clips(ops, n, start, lo, hi, revert, scratch):
    """Make soft clips part of the alignment, or cut them off."""
    first, last = 0, n - 1
    while first < n and (ops[first] & 15) == CIGAR_H:
        first += 1
    while last > first and (ops[last] & 15) == CIGAR_H:
        last -= 1
    leading = np.int64(ops[first] >> 4) if (ops[first] & 15) == CIGAR_S else 0
    trailing = np.int64(ops[last] >> 4) if last > first and (ops[last] & 15) == CIGAR_S else 0
    if leading == 0 and trailing == 0:
        return n, start, lo, hi
    if not revert:
        if trailing > 0:
            n, start, lo, hi = _keep_to(ops, n, start, lo, hi, hi - lo - trailing, scratch)
        if leading > 0 and n > 0:
            n, start, lo, hi = _keep_from(ops, n, start, lo, hi, leading, scratch)
        return n, start, lo, hi
    start = soft_start(ops, n, start)
    m = np.int64(0)
    for c in range(n):
        operation = ops[c] & 15
        m = _append(scratch, m, np.int64(ops[c] >> 4), CIGAR_M if operation == CIGAR_S else operation)
    n = _tidy_ends(scratch, m)
    _copy(scratch, 0, n, ops, 0)
    if start < 0:  # before the contig
        n, start, lo, hi = _keep_from(ops, n, start, lo, hi, -start, scratch)
        start = 0
    return n, start, lo, hi


@inner_kernel
def _settle_ends(ops, n, start, lo, hi, base_quals, min_qual, soften, scratch):
    """Cut off, or soft-clip, the bases below min_qual at both ends."""
    first, last = lo, hi
    while first < hi and base_quals[first] < min_qual:
        first += 1
    while last > first and base_quals[last - 1] < min_qual:
        last -= 1
    if first == hi:
        return 0, start, lo, lo
    if soften and hi - lo <= 2:
        return n, start, lo, hi
    clip_with = np.int64(CIGAR_S if soften else CIGAR_H)
    if last < hi:
        n, start = _clip(ops, n, start, last - lo, hi - lo, clip_with, scratch)
    if first > lo:
        n, start = _clip(ops, n, start, np.int64(0), first - lo, clip_with, scratch)
    return (n, start, lo, hi) if soften else (n, start, first, last)


@inner_kernel
def _clip_to_span(ops, n, start, lo, hi, low, high, scratch):
    """What of a read lies in the reference span low to high."""
    end = start + _span(ops, n)
    if end <= low or start >= high or start >= end:
        return 0, start, lo, lo
    if start >= low and end <= high:
        return n, start, lo, hi
    block = 1 if (ops[0] & 15) == CIGAR_H else 0
    behind = n - 1 if (ops[n - 1] & 15) == CIGAR_H else n
    if block + 1 == behind and (ops[block] & 15) == CIGAR_M:  # nearly every read: one block, and what was cut off before
        left, right = max(low - start, 0), max(end - high, 0)
        cut_left, cut_right = np.int64(ops[0] >> 4) if block == 1 else 0, np.int64(ops[behind] >> 4) if behind < n else 0
        n = _append(ops, np.int64(0), left + cut_left, np.int64(CIGAR_H))
        n = _append(ops, n, hi - lo - left - right, np.int64(CIGAR_M))
        n = _append(ops, n, right + cut_right, np.int64(CIGAR_H))
        return n, start + left, lo + left, hi - right
    if end > high:
        n, start, lo, hi = _clip_onwards(ops, n, start, lo, hi, high, scratch)
    if n > 0 and start < low:
        if start + _span(ops, n) < low:
            return 0, start, lo, lo
        n, start, lo, hi = _clip_through(ops, n, start, lo, hi, low - 1, scratch)
    if n > 0 and _span(ops, n) == 0:
        return 0, start, lo, lo
    return n, start, lo, hi


@inner_kernel
def _settle(
    start, end, lo, hi, flag, mate_contig_id, mate_pos, template_length, base_quals, min_qual, revert_always, revert_never, soften, ops, n,
    scratch,
):  # fmt: skip
    """The steps of section 1.4 that know no region."""
    defined = fragment_is_defined(start, end, flag, mate_contig_id, mate_pos, template_length)
    revert = not revert_never and (revert_always or defined)
    n, start, lo, hi = _settle_soft_clips(ops, n, start, lo, hi, revert, scratch)
    if n > 0:
        n, start, lo, hi = _settle_ends(ops, n, start, lo, hi, base_quals, min_qual, soften, scratch)
    if n > 0:
        # The fragment's end anew, from the read as it is now.
        end = start + _span(ops, n)
        if start < end and fragment_is_defined(start, end, flag, mate_contig_id, mate_pos, template_length):
            if flag & FLAG_REVERSE:
                boundary = np.int64(mate_pos) - 1
                if start <= boundary < end:
                    n, start, lo, hi = _clip_through(ops, n, start, lo, hi, boundary, scratch)
            else:
                boundary = start + abs(np.int64(template_length))
                if start <= boundary < end:
                    n, start, lo, hi = _clip_onwards(ops, n, start, lo, hi, boundary, scratch)
    return n, start, lo, hi


# --------------------------------------------------------------------------------------------------------------------- one region


@inner_kernel
def _settled_flag(flag, mate_contig_id, mate_pos):
    """The flag by which reads are sorted: a mate without a place is unmapped and has no strand."""
    if flag & FLAG_PAIRED and not mate_is_mapped(flag, mate_contig_id, mate_pos):
        return (flag | FLAG_MATE_UNMAPPED) & ~FLAG_MATE_REVERSE
    return np.int64(flag)


@inner_kernel
def _goes_before(x, y, flag, mapq, mate_contig_id, mate_pos, template_length):
    """Of two reads of one start, strand and name, x stands before y: by flag, mapq, mate's contig and start, template length, row."""
    flag_x = _settled_flag(flag[x], mate_contig_id[x], mate_pos[x])
    flag_y = _settled_flag(flag[y], mate_contig_id[y], mate_pos[y])
    if flag_x != flag_y:
        return flag_x < flag_y
    if mapq[x] != mapq[y]:
        return mapq[x] < mapq[y]
    if mate_contig_id[x] != mate_contig_id[y]:
        return mate_contig_id[x] < mate_contig_id[y]
    if mate_pos[x] != mate_pos[y]:
        return mate_pos[x] < mate_pos[y]
    if template_length[x] != template_length[y]:
        return template_length[x] < template_length[y]
    return x < y


@inner_kernel
def _sort_rows(n, order, spare, rows, flag, mapq, mate_contig_id, mate_pos, template_length, name_hash):
    """Fill order[:n] with the rows in the order of section 1.4: by start, forward first, name, and `_goes_before` (merge sort).

    They nearly are: only those cut off at the region's start, and those of one start, can be out of place.
    """
    for i in range(n):
        order[i] = i
        rows[i, PLACE] = rows[i, POS] << 1 | np.int64((flag[rows[i, READ_ROW]] & FLAG_REVERSE) != 0)
    width = 1
    while width < n:
        for begin in range(0, n - width, 2 * width):
            middle, stop = begin + width, min(begin + 2 * width, n)
            if rows[order[middle - 1], PLACE] < rows[order[middle], PLACE]:
                continue
            _copy(order, begin, middle, spare, 0)
            i, j, k = 0, middle, begin
            while i < width and j < stop:
                a, b = order[j], spare[i]
                take_right = rows[a, PLACE] < rows[b, PLACE]
                if rows[a, PLACE] == rows[b, PLACE]:
                    x, y = rows[a, READ_ROW], rows[b, READ_ROW]
                    take_right = name_hash[x] < name_hash[y]
                    if name_hash[x] == name_hash[y]:
                        take_right = _goes_before(x, y, flag, mapq, mate_contig_id, mate_pos, template_length)
                if take_right:
                    order[k] = a
                    j += 1
                else:
                    order[k] = b
                    i += 1
                k += 1
            _copy(spare, i, width, order, k)
        width *= 2


@inner_kernel
def _write_rows(
    n, order, rows, ops, sample, bases, base_quals, used, out_read, out_sample, out_pos, out_end, out_cigar, out_cigar_offsets, out_bases,
    out_base_quals, out_base_offsets,
):  # fmt: skip
    """Append rows in `order` to the output, which holds `used` → how many it holds then."""
    for i in range(n):
        row = rows[order[i]]
        out_read[used] = row[READ_ROW]
        out_sample[used] = sample[row[READ_ROW]]
        out_pos[used], out_end[used] = row[POS], row[END]
        to = out_cigar_offsets[used]
        _copy(ops, row[FIRST_OPERATION], row[FIRST_OPERATION] + row[N_OPERATIONS], out_cigar, to)
        out_cigar_offsets[used + 1] = to + row[N_OPERATIONS]
        to, n_bases = out_base_offsets[used], row[LAST_BASE] - row[FIRST_BASE]
        _copy(bases, row[FIRST_BASE], row[LAST_BASE], out_bases, to)
        _copy(base_quals, row[FIRST_BASE], row[LAST_BASE], out_base_quals, to)
        out_base_offsets[used + 1] = to + n_bases
        used += 1
    return used


@inner_kernel
def _correct_pair(a, b, pos, end, cigar, cigar_offsets, bases, base_quals, base_offsets):
    """Where two mates overlap: equal bases at most AGREED_QUAL each, unequal ones 0; a is the earlier row."""
    ops_a, ops_b = cigar[cigar_offsets[a] : cigar_offsets[a + 1]], cigar[cigar_offsets[b] : cigar_offsets[b + 1]]
    if soft_start(ops_a, ops_a.size, np.int64(pos[a])) >= soft_start(ops_b, ops_b.size, np.int64(pos[b])):
        a, b = b, a
        ops_a, ops_b = ops_b, ops_a
    start_a, start_b = np.int64(pos[a]), np.int64(pos[b])
    i, operation = _offset_at(ops_a, ops_a.size, start_a, start_b)
    if end[a] <= start_b or i < 0 or _is_clip(operation):
        return
    j, _ = _offset_at(ops_b, ops_b.size, start_b, start_b)
    last_a, _ = _offset_at(ops_a, ops_a.size, start_a, np.int64(end[a]) - 1)
    last_b, _ = _offset_at(ops_b, ops_b.size, start_b, np.int64(end[b]) - 1)
    i += base_offsets[a]
    j += base_offsets[b]
    for k in range(min(last_a + base_offsets[a] - i, last_b + base_offsets[b] - j) + 1):
        if bases[i + k] == bases[j + k]:
            base_quals[i + k] = min(base_quals[i + k], AGREED_QUAL)
            base_quals[j + k] = min(base_quals[j + k], AGREED_QUAL)
        else:
            base_quals[i + k] = 0
            base_quals[j + k] = 0


@inner_kernel
def _correct_overlaps(
    first, last, slots, flag, mate_contig_id, mate_pos, name_hash, read, sample, pos, end, cigar, cigar_offsets, bases, base_quals,
    base_offsets,
):  # fmt: skip
    """Rows first to last, in order: the second of a name pairs with the first, a fourth with a third.

    slots : int64[a power of two >= 2 (last - first)]
        Scratch: a hash table of the rows that wait for their mate; -1 is free, -2 was paired.
    """
    for i in range(slots.size):
        slots[i] = -1
    mask = np.uint64(slots.size - 1)
    for row in range(first, last):
        r = read[row]
        if not mate_is_mapped(flag[r], mate_contig_id[r], mate_pos[r]) or mate_pos[r] >= end[row]:
            continue
        name = name_hash[r]
        slot = (name ^ (name >> np.uint64(29))) & mask
        while slots[slot] != -1:
            other = slots[slot]
            if other >= 0 and name_hash[read[other]] == name and sample[other] == sample[row]:
                break
            slot = (slot + np.uint64(1)) & mask
        if slots[slot] == -1:
            slots[slot] = row
        else:
            _correct_pair(slots[slot], row, pos, end, cigar, cigar_offsets, bases, base_quals, base_offsets)
            slots[slot] = -2


# -------------------------------------------------------------------------------------------------------------------- all regions


@kernel
def _table_slots(n):
    """The smallest power of two that holds n rows at half load."""
    size = 16
    while size < 2 * n:
        size *= 2
    return size


@inner_kernel
def _first_read(use, pos, after):
    """Index into `use` of the first read that starts at or after a position."""
    low, high = 0, use.size
    while low < high:
        middle = (low + high) // 2
        if pos[use[middle]] < after:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _measure(use, sample, pos, ref_end, max_span, cigar_offsets, base_offsets, padded_start, padded_end):
    """(rows, operations, bases) at most: of all regions, and (rows, operations) of the largest."""
    rows = operations = bases = most_rows = most_operations = 0
    for g in range(padded_start.size):
        before, operations_before = rows, operations
        u = _first_read(use, pos, padded_start[g] - max_span)
        while u < use.size and pos[use[u]] < padded_end[g]:
            read = use[u]
            if ref_end[read] > padded_start[g] and sample[read] >= 0:
                rows += 1
                operations += cigar_offsets[read + 1] - cigar_offsets[read] + ROOM
                bases += base_offsets[read + 1] - base_offsets[read]
            u += 1
        most_rows = max(most_rows, rows - before)
        most_operations = max(most_operations, operations - operations_before)
    return rows, operations, bases, most_rows, most_operations


@kernel
def _finalise(
    use, sample, max_span, pos, ref_end, flag, mapq, mate_contig_id, mate_pos, template_length, name_hash, cigar, cigar_offsets, bases,
    base_quals, base_offsets, padded_start, padded_end, min_qual, revert_always, revert_never, soften, correct, scratch, rows, ops, order,
    spare, slots, out_slots, out_read, out_sample, out_pos, out_end, out_cigar, out_cigar_offsets, out_bases, out_base_quals,
    out_base_offsets,
):  # fmt: skip
    used = np.int64(0)  # rather than a literal, for which the kernels below would be compiled once more
    for g in range(padded_start.size):
        low, high = np.int64(padded_start[g]), np.int64(padded_end[g])
        n_rows = n_ops = np.int64(0)
        u = _first_read(use, pos, low - max_span)
        while u < use.size and pos[use[u]] < high:
            r = use[u]
            u += 1
            if ref_end[r] <= low or sample[r] < 0:
                continue
            n = cigar_offsets[r + 1] - cigar_offsets[r]
            mine = ops[n_ops:]
            _copy(cigar, cigar_offsets[r], cigar_offsets[r + 1], mine, 0)
            n, start, lo, hi = _settle(
                np.int64(pos[r]), np.int64(ref_end[r]), base_offsets[r], base_offsets[r + 1], flag[r], mate_contig_id[r], mate_pos[r],
                template_length[r], base_quals, min_qual, revert_always, revert_never, soften, mine, n, scratch,
            )  # fmt: skip
            if n > 0:
                n, start, lo, hi = _clip_to_span(mine, n, start, lo, hi, low, high, scratch)
            if n > 0:
                row = rows[n_rows]
                row[READ_ROW], row[POS], row[END] = r, start, start + _span(mine, n)
                row[FIRST_BASE], row[LAST_BASE], row[FIRST_OPERATION], row[N_OPERATIONS] = lo, hi, n_ops, n
                n_rows += 1
                n_ops += n
        _sort_rows(n_rows, order, spare, rows, flag, mapq, mate_contig_id, mate_pos, template_length, name_hash)
        before = used
        used = _write_rows(
            n_rows, order, rows, ops, sample, bases, base_quals, used, out_read, out_sample, out_pos, out_end, out_cigar,
            out_cigar_offsets, out_bases, out_base_quals, out_base_offsets,
        )  # fmt: skip
        if correct:
            _correct_overlaps(
                before, used, slots[: _table_slots(n_rows)], flag, mate_contig_id, mate_pos, name_hash, out_read, out_sample, out_pos,
                out_end, out_cigar, out_cigar_offsets, out_bases, out_base_quals, out_base_offsets,
            )  # fmt: skip
        out_slots[g + 1] = used


@inner_kernel
def _unclipped_bases(ops, n):
    """Bases that ops[:n] does not soft-clip."""
    total = 0
    for c in range(n):
        operation = ops[c] & 15
        if (1 << operation) & CONSUMES_READ and operation != CIGAR_S:
            total += np.int64(ops[c] >> 4)
    return total


@kernel
def _reclip(
    region_slots, read, pos, cigar, cigar_offsets, bases, base_quals, base_offsets, sample, flag, mapq, mate_contig_id, mate_pos,
    template_length, name_hash, span_start, span_end, scratch, rows, ops, order, spare, out_slots, out_read, out_sample, out_pos, out_end,
    out_cigar, out_cigar_offsets, out_bases, out_base_quals, out_base_offsets,
):  # fmt: skip
    used = np.int64(0)  # rather than a literal, for which the kernels below would be compiled once more
    for g in range(span_start.size):
        n_rows = n_ops = np.int64(0)
        for i in range(region_slots[g], region_slots[g + 1]):
            n = cigar_offsets[i + 1] - cigar_offsets[i]
            mine = ops[n_ops:]
            _copy(cigar, cigar_offsets[i], cigar_offsets[i + 1], mine, 0)
            n, start, lo, hi = _clip_to_span(
                mine, n, np.int64(pos[i]), base_offsets[i], base_offsets[i + 1], np.int64(span_start[g]), np.int64(span_end[g]), scratch
            )
            if n > 0 and _unclipped_bases(mine, n) >= MIN_READ_BASES:
                row = rows[n_rows]
                row[READ_ROW], row[POS], row[END] = read[i], start, start + _span(mine, n)
                row[FIRST_BASE], row[LAST_BASE], row[FIRST_OPERATION], row[N_OPERATIONS] = lo, hi, n_ops, n
                n_rows += 1
                n_ops += n
        _sort_rows(n_rows, order, spare, rows, flag, mapq, mate_contig_id, mate_pos, template_length, name_hash)
        used = _write_rows(
            n_rows, order, rows, ops, sample, bases, base_quals, used, out_read, out_sample, out_pos, out_end, out_cigar,
            out_cigar_offsets, out_bases, out_base_quals, out_base_offsets,
        )  # fmt: skip
        out_slots[g + 1] = used


def _new_rows(n_regions, n_rows, n_operations, n_bases):
    """RegionReads with room for so much; offsets begin with 0, everything else is yet to be written."""
    return RegionReads(
        region_slots=np.zeros(n_regions + 1, np.int64), read=np.empty(n_rows, np.int32), sample=np.empty(n_rows, np.int16),
        pos=np.empty(n_rows, np.int32), end=np.empty(n_rows, np.int32), cigar=np.empty(n_operations, np.uint32),
        cigar_offsets=np.zeros(n_rows + 1, np.int64), bases=np.empty(n_bases, np.uint8), base_quals=np.empty(n_bases, np.uint8),
        base_offsets=np.zeros(n_rows + 1, np.int64),
    )  # fmt: skip


def _columns(rows):
    """The arrays of a RegionReads, as the kernels take them."""
    return (
        rows.region_slots, rows.read, rows.sample, rows.pos, rows.end, rows.cigar, rows.cigar_offsets, rows.bases, rows.base_quals,
        rows.base_offsets,
    )  # fmt: skip


def _trimmed(rows):
    """The part of a RegionReads that was written."""
    n = int(rows.region_slots[-1])
    n_operations, n_bases = int(rows.cigar_offsets[n]), int(rows.base_offsets[n])
    return RegionReads(
        region_slots=rows.region_slots, read=rows.read[:n], sample=rows.sample[:n], pos=rows.pos[:n], end=rows.end[:n],
        cigar=rows.cigar[:n_operations], cigar_offsets=rows.cigar_offsets[: n + 1], bases=rows.bases[:n_bases],
        base_quals=rows.base_quals[:n_bases], base_offsets=rows.base_offsets[: n + 1],
    )  # fmt: skip


def _scratch(n_rows, n_operations, longest_cigar):
    """Memory for the largest region: (one CIGAR, rows, operations, order, spare)."""
    return (
        np.empty(longest_cigar + ROOM, np.uint32), np.empty((n_rows, N_FIELDS), np.int64), np.empty(n_operations + ROOM, np.uint32),
        np.empty(n_rows, np.int64), np.empty(n_rows, np.int64),
    )  # fmt: skip


def finalise_reads(regions, reads, use, sample, settings):
    """RegionReads: what assembly and the likelihoods see of each read that overlaps a region's padded span with aligned bases.

    Parameters
    ----------
    regions : RegionBatch
    reads : ReadBatch
        On the regions' contig, sorted; all that overlap a padded span. Not changed.
    use : int32[n_used]
        Rows of the reads that pass, ascending.
    sample : int16[R]
        Sample of each read; -1 for none, which is left out.

    Rows stand in the order of section 1.4, where names compare by their hash. Source: specification, sections 1.3 to 1.5. With
    settings.soft_clip_low_quality_ends low-quality ends stay in the read, soft-clipped.
    """
    max_span = int((reads.ref_end[use] - reads.pos[use]).max(initial=0))
    longest_cigar = int(np.diff(reads.cigar_offsets)[use].max(initial=0))
    n_rows, n_operations, n_bases, most_rows, most_operations = _measure(
        use, sample, reads.pos, reads.ref_end, max_span, reads.cigar_offsets, reads.base_offsets, regions.padded_start, regions.padded_end
    )
    out = _new_rows(regions.n_regions, n_rows, n_operations, n_bases)
    _finalise(
        use, sample, max_span, reads.pos, reads.ref_end, reads.flag, reads.mapq, reads.mate_contig_id, reads.mate_pos,
        reads.template_length, reads.name_hash, reads.cigar, reads.cigar_offsets, reads.bases, reads.base_quals, reads.base_offsets,
        regions.padded_start, regions.padded_end, settings.min_base_quality, settings.override_fragment_softclip_check,
        not settings.use_soft_clipped_bases, settings.soft_clip_low_quality_ends, settings.correct_overlapping_quality,
        *_scratch(most_rows, most_operations, longest_cigar), np.empty(_table_slots(most_rows), np.int64), *_columns(out),
    )  # fmt: skip
    return _trimmed(out)


def reclip(rows, span_start, span_end, reads, sample, settings):
    """(RegionReads, is_aside bool[N]): the rows hard-clipped to the span that haplotypes were trimmed to (section 3.10), sorted anew.

    Parameters
    ----------
    rows : RegionReads
        From `finalise_reads`; not changed.
    span_start, span_end : int32[n_regions]
        Equal in a region without variation, which keeps no rows.
    reads, sample
        As for `finalise_reads`.

    Rows with fewer than MIN_READ_BASES unclipped bases are discarded. Those aside (`stands_aside`) count for INFO DP and MQ only.
    """
    n_operations = len(rows.cigar) + ROOM * rows.n_rows
    per_region = np.diff(rows.region_slots)
    operations_to = rows.cigar_offsets[rows.region_slots]
    most_operations = int((np.diff(operations_to) + ROOM * per_region).max(initial=0))
    longest_cigar = int(np.diff(rows.cigar_offsets).max(initial=0))
    out = _new_rows(len(per_region), rows.n_rows, n_operations, len(rows.bases))
    _reclip(
        rows.region_slots, rows.read, rows.pos, rows.cigar, rows.cigar_offsets, rows.bases, rows.base_quals, rows.base_offsets, sample,
        reads.flag, reads.mapq, reads.mate_contig_id, reads.mate_pos, reads.template_length, reads.name_hash, span_start, span_end,
        *_scratch(int(per_region.max(initial=0)), most_operations, longest_cigar), *_columns(out),
    )  # fmt: skip
    clipped = _trimmed(out)
    return clipped, stands_aside(clipped, reads, settings)


def take_rows(rows, chosen):
    """The RegionReads of the chosen rows; chosen : bool[N]."""
    kept = np.concatenate(([0], np.cumsum(chosen)))
    new = {"region_slots": kept[rows.region_slots]}
    for name in ("read", "sample", "pos", "end"):
        new[name] = getattr(rows, name)[chosen]
    n_operations, n_bases = np.diff(rows.cigar_offsets), np.diff(rows.base_offsets)
    new["cigar"] = rows.cigar[: rows.cigar_offsets[-1]][np.repeat(chosen, n_operations)]
    new["cigar_offsets"] = np.concatenate(([0], np.cumsum(n_operations[chosen])))
    is_taken = np.repeat(chosen, n_bases)
    new["bases"], new["base_quals"] = rows.bases[: rows.base_offsets[-1]][is_taken], rows.base_quals[: rows.base_offsets[-1]][is_taken]
    new["base_offsets"] = np.concatenate(([0], np.cumsum(n_bases[chosen])))
    return RegionReads(**new)


def stands_aside(rows, reads, settings):
    """bool[N]: rows of a RegionReads whose mapping quality is below settings.genotyping_mapping_quality, or whose mate is mapped on another
    contig."""
    r = rows.read
    has_mate = (reads.flag[r] & FLAG_PAIRED != 0) & (reads.flag[r] & FLAG_MATE_UNMAPPED == 0)
    has_mate &= (reads.mate_contig_id[r] >= 0) & (reads.mate_pos[r] >= 0)
    is_elsewhere = has_mate & (reads.mate_contig_id[r] != reads.contig_id[r])
    return is_elsewhere | (reads.mapq[r] < settings.genotyping_mapping_quality)
