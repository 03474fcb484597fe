"""What paired reads know about each other: adaptor beyond the fragment's end, and bases seen twice.

Both lower base qualities in place; a base of quality 0 counts nowhere.
"""

import numpy as np

from gpuvc.kernels.codes import (
    ALIGNS,
    CONSUMES_READ,
    CONSUMES_REFERENCE,
    FLAG_MATE_REVERSE,
    FLAG_MATE_UNMAPPED,
    FLAG_PAIRED,
    FLAG_REVERSE,
    FLAG_SECONDARY,
    FLAG_SUPPLEMENTARY,
)
from gpuvc.kernels.jit import kernel

AGREED_QUAL = 20
"""Phred: half of the PCR error (Q40); two mates that agree may count as much together and no more (specification, section 1.5)."""


@kernel
def _silence_adaptor(read, pos, ref_end, flag, mate_pos, template_length, cigar, cigar_offsets, base_quals, base_offsets):
    """Set the quality of bases on or beyond the fragment's end to 0 (specification, section 1.3)."""
    f = flag[read]
    size = template_length[read]
    reverse = (f & FLAG_REVERSE) != 0
    if size == 0 or not f & FLAG_PAIRED or f & FLAG_MATE_UNMAPPED or mate_pos[read] < 0 or reverse == ((f & FLAG_MATE_REVERSE) != 0):
        return
    if reverse:
        if ref_end[read] <= mate_pos[read] + 1:
            return
        boundary = mate_pos[read] - 1
        if boundary < pos[read]:
            return
    else:
        if pos[read] > mate_pos[read] + size:
            return
        boundary = pos[read] + abs(size)
        if boundary >= ref_end[read]:
            return
    at, base = pos[read], base_offsets[read]
    for c in range(cigar_offsets[read], cigar_offsets[read + 1]):
        operation = cigar[c] & 15
        length = np.int64(cigar[c] >> 4)
        is_aligned = (1 << operation) & ALIGNS
        if (1 << operation) & CONSUMES_READ:
            for i in range(length):
                p = at + i if is_aligned else at
                if (reverse and p <= boundary) or (not reverse and p >= boundary):
                    base_quals[base + i] = 0
            base += length
        if (1 << operation) & CONSUMES_REFERENCE:
            at += length


@kernel
def _operation_over(at, c, position, base, cigar):
    """From CIGAR operation c, which begins at `position` and read base `base`, on to the one that covers reference position `at`."""
    while True:
        operation, length = cigar[c] & 15, np.int64(cigar[c] >> 4)
        consumed = length if (1 << operation) & CONSUMES_REFERENCE else 0
        if consumed > 0 and position + consumed > at:
            return c, position, base
        base += length if (1 << operation) & CONSUMES_READ else 0
        position += consumed
        c += 1


@kernel
def _correct_pair(a, b, pos, ref_end, cigar, cigar_offsets, bases, base_quals, base_offsets):
    """Walk both reads over the reference they share; equal bases: at most AGREED_QUAL each, unequal: 0 both."""
    start = max(pos[a], pos[b])
    end = min(ref_end[a], ref_end[b])
    ca, cb = cigar_offsets[a], cigar_offsets[b]
    pa, pb = np.int64(pos[a]), np.int64(pos[b])
    ba, bb = base_offsets[a], base_offsets[b]
    at = start
    while at < end:
        ca, pa, ba = _operation_over(at, ca, pa, ba, cigar)
        cb, pb, bb = _operation_over(at, cb, pb, bb, cigar)
        stop = min(end, min(pa + np.int64(cigar[ca] >> 4), pb + np.int64(cigar[cb] >> 4)))
        if (1 << (cigar[ca] & 15)) & ALIGNS and (1 << (cigar[cb] & 15)) & ALIGNS:
            for p in range(at, stop):
                i, j = ba + p - pa, bb + p - pb
                if bases[i] == bases[j]:
                    base_quals[i] = min(base_quals[i], AGREED_QUAL)
                    base_quals[j] = min(base_quals[j], AGREED_QUAL)
                else:
                    base_quals[i] = 0
                    base_quals[j] = 0
        at = stop


@kernel(allocates=True)
def _find_pairs(use, name_hash, pos, ref_end, flag, mate_pos, mates):
    """mates[u]: the used read that is the mate of used read u and starts before it or with it, and overlaps it; -1 for none.

    A hash table of the reads whose mate starts inside them; each is looked for by the mate when that comes.
    """
    n_slots = 16
    while n_slots < 2 * use.size:
        n_slots *= 2
    slots = np.full(n_slots, -1, np.int32)
    mask = np.uint64(n_slots - 1)
    for u in range(use.size):
        mates[u] = -1
        read = use[u]
        f = flag[read]
        if not f & FLAG_PAIRED or f & (FLAG_MATE_UNMAPPED | FLAG_SECONDARY | FLAG_SUPPLEMENTARY):
            continue
        slot = (name_hash[read] ^ (name_hash[read] >> np.uint64(29))) & mask
        if mate_pos[read] <= pos[read]:
            s = slot
            while slots[s] >= 0:
                other = use[slots[s]]
                is_mate = name_hash[other] == name_hash[read] and pos[other] == mate_pos[read] and mate_pos[other] == pos[read]
                if is_mate and (flag[other] & 0xC0) != (f & 0xC0) and ref_end[other] > pos[read]:
                    mates[u] = slots[s]
                    break
                s = (s + np.uint64(1)) & mask
        if mates[u] < 0 and pos[read] <= mate_pos[read] < ref_end[read]:
            while slots[slot] >= 0:
                slot = (slot + np.uint64(1)) & mask
            slots[slot] = u


@kernel
def _finalise(
    use, mates, correct, pos, ref_end, flag, mate_pos, template_length, cigar, cigar_offsets, bases, base_quals, base_offsets
):
    for u in range(use.size):
        _silence_adaptor(use[u], pos, ref_end, flag, mate_pos, template_length, cigar, cigar_offsets, base_quals, base_offsets)
    if correct:
        for u in range(use.size):
            if mates[u] >= 0:
                _correct_pair(use[u], use[mates[u]], pos, ref_end, cigar, cigar_offsets, bases, base_quals, base_offsets)


def finalise_quals(reads, use, correct_overlaps=True):
    """Lower base qualities in place where a pair says so: adaptor bases to 0, overlapping mates by the rule of `_correct_pair`.

    Parameters
    ----------
    reads : ReadBatch
        `base_quals` is changed.
    use : int32[n_used]
        Reads that count, in file order. A pair is corrected when both mates do.

    Source: specification, sections 1.3 and 1.5; the overlap is walked through both CIGARs (htslib's way) instead of base by base.
    """
    mates = np.empty(len(use), np.int32)
    if correct_overlaps:
        _find_pairs(use, reads.name_hash, reads.pos, reads.ref_end, reads.flag, reads.mate_pos, mates)
    _finalise(
        use, mates, correct_overlaps, reads.pos, reads.ref_end, reads.flag, reads.mate_pos, reads.template_length, reads.cigar,
        reads.cigar_offsets, reads.bases, reads.base_quals, reads.base_offsets,
    )  # fmt: skip
