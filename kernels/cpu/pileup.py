"""Pileup on the CPU: counts per position, and the indels reads carry. Twin of `cuda/pileup.py`.

Rows of `counts` are `gpuvc.batches.PILEUP_FIELDS`. One pass over the CIGAR of each read; a read's bases touch a few kilobytes of
each row, which stay in the first-level cache while its neighbours in the sorted file add to the same ones. A base's count and quality go
into one 64-bit sum (count above bit 32), taken apart at the end: one read-modify-write a base instead of two.
"""

import numpy as np

from ..codes import ALIGNS, CIGAR_D, CIGAR_H, CIGAR_I, CIGAR_S, CONSUMES_READ, CONSUMES_REFERENCE, FLAG_REVERSE
from ..jit import kernel

QUAL_ROW, DELETED_ROW, INSERTION_ROW, DELETION_ROW, CLIP_ROW, READS_ROW, MAPQ_ROW, MAPQ0_ROW = 10, 15, 17, 19, 21, 23, 24, 25

COUNTED_ONCE = 1 << 32

MAX_SHIFT_BP = 200  # an indel is moved left at most this far, so that where it lands depends on nearby bases only
# Inserted sequences are told apart by a 42-bit digest: below 2^42 a step times 2^20 stays inside int64 on every device.
DIGEST_MODULUS, DIGEST_FACTOR = (1 << 42) - 11, (1 << 20) - 3


@kernel
def _cover(cover, begin, end, read_mapq):
    """Count one read over columns begin..end, as a step up and a step down of three sums along the columns."""
    if begin < end:
        cover[0, begin] += 1
        cover[0, end] -= 1
        cover[1, begin] += read_mapq
        cover[1, end] -= read_mapq
        if read_mapq == 0:
            cover[2, begin] += 1
            cover[2, end] -= 1


@kernel
def follows_reference(c, first, cigar):
    """Whether the read covers the reference base before its operation `c`, so that an indel there begins after a base of the read's."""
    return c > first and ((1 << (cigar[c - 1] & 15)) & CONSUMES_REFERENCE) != 0


@kernel(allocates=True)
def pile_up(use, pos, flag, mapq, cigar, cigar_offsets, bases, base_quals, base_offsets, window_start, min_base_quality, counts):
    """Add the reads `use` to `counts`.

    Parameters
    ----------
    use : int32[n_used]
        Indices of the reads that count.
    pos, flag, mapq, cigar, cigar_offsets, bases, base_quals, base_offsets
        Columns of a `ReadBatch`.
    window_start : int
        0-based reference position of column 0 of `counts`.
    min_base_quality : int
        Phred; bases below it are not counted.
    counts : int32[26, n_positions]
        Added to. Reads may reach beyond either end; what does is not counted.
    """
    n_positions = counts.shape[1]
    packed = np.zeros(10 * n_positions, np.int64)  # [base, strand, position]
    cover = np.zeros((3, n_positions + 1), np.int64)
    for u in range(use.size):
        read = use[u]
        reverse = 1 if flag[read] & FLAG_REVERSE else 0
        read_mapq = mapq[read]
        at = pos[read] - window_start
        base = base_offsets[read]
        first, last = cigar_offsets[read], cigar_offsets[read + 1]
        for c in range(first, last):
            operation = cigar[c] & 15
            length = np.int64(cigar[c] >> 4)
            if (1 << operation) & ALIGNS:
                begin, end = max(0, -at), min(length, n_positions - at)
                _cover(cover, at + begin, at + end, read_mapq)
                strand_row = reverse * n_positions + at
                for i in range(begin, end):
                    quality = base_quals[np.uint64(base + i)]
                    if quality >= min_base_quality:
                        # Unsigned: Numba would check a signed index for below 0.
                        packed[np.uint64(2 * n_positions * np.int64(bases[np.uint64(base + i)]) + strand_row + i)] += COUNTED_ONCE + quality
            elif operation == CIGAR_D:
                if 0 < at <= n_positions and follows_reference(c, first, cigar):
                    counts[DELETION_ROW + reverse, at - 1] += 1
                begin, end = max(0, at), min(n_positions, at + length)
                _cover(cover, begin, end, read_mapq)
                for p in range(begin, end):
                    counts[DELETED_ROW + reverse, p] += 1
            elif operation == CIGAR_I:
                if 0 < at <= n_positions and follows_reference(c, first, cigar):
                    counts[INSERTION_ROW + reverse, at - 1] += 1
            elif operation == CIGAR_S:
                is_left = c == first or (c == first + 1 and (cigar[first] & 15) == CIGAR_H)
                if is_left and 0 <= at < n_positions:
                    counts[CLIP_ROW, at] += 1
                elif not is_left and 0 < at <= n_positions:
                    counts[CLIP_ROW + 1, at - 1] += 1
            if (1 << operation) & CONSUMES_READ:
                base += length
            if (1 << operation) & CONSUMES_REFERENCE:
                at += length
    for row in range(3):
        total = 0
        for p in range(n_positions):
            total += cover[row, p]
            counts[READS_ROW + row, p] += total
    for row in range(10):
        both = packed[row * n_positions : (row + 1) * n_positions]
        for p in range(n_positions):
            counts[row, p] += both[p] >> 32
            counts[QUAL_ROW + row // 2, p] += both[p] & (COUNTED_ONCE - 1)


@kernel
def collect_read_indels(
    u, use, pos, cigar, cigar_offsets, bases, base_offsets, reference, reference_start, slots, anchor, length, read_offset, shift, digest
):
    """Write the left-aligned insertions and deletions of read `use[u]` into its slots; one between two aligned blocks each.

    An event is moved left while the sequence allows, at most MAX_SHIFT_BP and not beyond the reference window. Moving an insertion by
    one base rotates it by one, so `shift` says how far its bases in the read are rotated.

    Parameters
    ----------
    u : int
        Which of the used reads.
    use, pos, cigar, cigar_offsets, bases, base_offsets
        As in `pile_up`.
    reference : uint8[n_reference]
        Codes from position `reference_start` on.
    slots : int64[n_used + 1]
        Where each read's events begin in the outputs: as many as its CIGAR has insertions and deletions.
    anchor : int32[n_events]
        0-based reference base before the event; -1 for an operation that is no event (at a read end, or beyond the window).
    length : int32[n_events]
        Above 0 inserted, below 0 deleted bases.
    read_offset : int64[n_events]
        Index in `bases` of the first inserted base (of the base after a deletion).
    shift : int32[n_events]
    digest : int64[n_events]
        Of the inserted bases after rotation; 0 for deletions.
    """
    read = use[u]
    at = pos[read] - reference_start
    base = base_offsets[read]
    first, last = cigar_offsets[read], cigar_offsets[read + 1]
    slot = slots[u]
    n_reference = reference.size
    for c in range(first, last):
        operation = cigar[c] & 15
        size = np.int64(cigar[c] >> 4)
        if operation == CIGAR_I or operation == CIGAR_D:
            anchor[slot] = -1
            inside = c > first and c + 1 < last and at > 0 and at + size <= n_reference
            if inside and (1 << (cigar[c - 1] & 15)) & ALIGNS and (1 << (cigar[c + 1] & 15)) & ALIGNS:
                p = at - 1
                moved = 0
                if operation == CIGAR_D:
                    while p > 0 and moved < MAX_SHIFT_BP and reference[p] < 4 and reference[p] == reference[p + size]:
                        p -= 1
                        moved += 1
                    length[slot] = -size
                    digest[slot] = 0
                else:
                    while p > 0 and moved < MAX_SHIFT_BP and reference[p] < 4 and reference[p] == bases[base + (size - 1 - moved % size)]:
                        p -= 1
                        moved += 1
                    value = np.int64(0)
                    for i in range(size):
                        # Base i after rotation to the right by `moved`.
                        value = (value * DIGEST_FACTOR + bases[base + (i - moved) % size] + 1) % DIGEST_MODULUS
                    length[slot] = size
                    digest[slot] = value
                anchor[slot] = p + reference_start
                read_offset[slot] = base
                shift[slot] = moved
            slot += 1
        if (1 << operation) & CONSUMES_READ:
            base += size
        if (1 << operation) & CONSUMES_REFERENCE:
            at += size


@kernel
def collect_indels(
    use, pos, cigar, cigar_offsets, bases, base_offsets, reference, reference_start, slots, anchor, length, read_offset, shift, digest
):
    """`collect_read_indels` for every used read."""
    for u in range(use.size):
        collect_read_indels(
            u, use, pos, cigar, cigar_offsets, bases, base_offsets, reference, reference_start, slots, anchor, length, read_offset, shift,
            digest,
        )  # fmt: skip
