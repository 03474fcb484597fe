"""What each read shows at each locus, on the CPU. Twin of `cuda/observe.py`."""

import numpy as np

from ..codes import ALIGNS, CIGAR_D, CIGAR_I, CIGAR_N, CIGAR_S, CONSUMES_READ, CONSUMES_REFERENCE
from ..jit import kernel

DELETED, ABSENT = 5, 6  # beside the base codes 0..4


@kernel
def observe_pair(
    k, pair_locus, pair_read, locus_pos, segment_start, segment_end, clip_reach, pos, cigar, cigar_offsets, bases, base_quals, base_offsets,
    code, quality, end_distance, segment_first, segment_length, segment_ref,
):  # fmt: skip
    """Write what read `pair_read[k]` shows at locus `pair_locus[k]`, and which of its bases lie near it.

    Parameters
    ----------
    pair_locus, pair_read : int32[n_pairs]
    locus_pos, segment_start, segment_end : int32[n_loci]
        0-based position of the locus, and the reference span around it whose read bases form the segment.
    clip_reach : int
        So many soft-clipped bases next to the aligned ones belong to the segment, at the position they would have; 0 for none.
    pos, cigar, cigar_offsets, bases, base_quals, base_offsets
        Columns of a `ReadBatch`.
    code, quality : uint8[n_pairs]
        Base and phred at the locus. DELETED: a deletion spans it (quality of the base before it); ABSENT: no aligned base there.
    end_distance : int32[n_pairs]
        Bases between the locus and the nearer read end, clipped ones included; -1 when absent.
    segment_first : int64[n_pairs]
        Index in `bases` of the first base of the segment. segment_length, segment_ref : int32[n_pairs]: its bases, 0 for none, and
        the reference position of the first.
    """
    locus, read = pair_locus[k], pair_read[k]
    x = locus_pos[locus]
    begin, end = segment_start[locus], segment_end[locus]
    first, last = cigar_offsets[read], cigar_offsets[read + 1]
    origin = base_offsets[read]
    read_length = base_offsets[read + 1] - origin
    at, base = pos[read], 0  # next reference position, next base of the read
    seen, at_base = ABSENT, -1
    from_base, to_base, from_ref = -1, -1, 0
    for c in range(first, last):
        operation = cigar[c] & 15
        size = np.int64(cigar[c] >> 4)
        if (1 << operation) & ALIGNS:
            if at <= x < at + size:
                at_base = base + x - at
                seen = bases[origin + at_base]
            low, high = max(begin, at), min(end, at + size)
            if low < high:
                if from_base < 0:
                    from_base, from_ref = base + low - at, low
                to_base = base + high - at
        elif operation == CIGAR_S and clip_reach > 0:
            if at_base < 0 and from_base < 0 and base == 0:  # the left clip: its bases would lie before `at`
                low, high = max(begin, at - min(size, clip_reach)), min(end, at)
                if low < high:
                    from_base, from_ref = size - (at - low), low
                    to_base = size - (at - high)
            elif base > 0:  # the right clip: they would lie from `at` on
                low, high = max(begin, at), min(end, at + min(size, clip_reach))
                if low < high:
                    if from_base < 0:
                        from_base, from_ref = base + low - at, low
                    to_base = base + high - at
        elif operation == CIGAR_I:
            if from_base >= 0 and begin < at < end:
                to_base = base + size
        elif (operation == CIGAR_D or operation == CIGAR_N) and at <= x < at + size:
            seen = DELETED
            at_base = base - 1
        if (1 << operation) & CONSUMES_READ:
            base += size
        if (1 << operation) & CONSUMES_REFERENCE:
            at += size
    code[k] = seen
    if at_base >= 0:
        quality[k] = base_quals[origin + at_base]
        end_distance[k] = min(at_base, read_length - 1 - at_base)
    else:
        quality[k] = 0
        end_distance[k] = -1
    segment_first[k] = origin + max(from_base, 0)
    segment_length[k] = to_base - from_base if from_base >= 0 else 0
    segment_ref[k] = from_ref


@kernel
def observe(
    pair_locus, pair_read, locus_pos, segment_start, segment_end, clip_reach, pos, cigar, cigar_offsets, bases, base_quals, base_offsets,
    code, quality, end_distance, segment_first, segment_length, segment_ref,
):  # fmt: skip
    """`observe_pair` for every pair."""
    for k in range(pair_locus.size):
        observe_pair(
            k, pair_locus, pair_read, locus_pos, segment_start, segment_end, clip_reach, pos, cigar, cigar_offsets, bases, base_quals,
            base_offsets, code, quality, end_distance, segment_first, segment_length, segment_ref,
        )  # fmt: skip
