"""Where haplotypes differ from the reference, read from their CIGARs (specification, section 3.9)."""

import numpy as np

from gpuvc.kernels.codes import CIGAR_D, CIGAR_I, N
from gpuvc.kernels.cpu.sequences import copy_bases, same_until
from gpuvc.kernels.jit import inner_kernel, kernel


@inner_kernel(allocates=True)
def with_room(array, used, more):
    """`array`, or a longer copy of its first `used` entries where `more` would not fit behind them."""
    if used + more <= array.size:
        return array
    longer = np.empty(2 * (used + more), array.dtype)
    longer[:used] = array[:used]
    return longer


@kernel(allocates=True)
def find_events(codes, codes_start, start, region_slots, bases, base_offsets, cigar, cigar_offsets, max_mnp_distance):
    """The event columns of a HaplotypeBatch, from event_slots to haplotype_event_offsets.

    Mismatches are SNPs, or MNPs where they follow each other at up to `max_mnp_distance` bases; an insertion at either end of a haplotype
    is no event, and nothing with a base that is not A, C, G or T is. Several events at one position of a haplotype are joined to one.
    """
    n_regions, n_haplotypes = start.size, base_offsets.size - 1
    event_slots = np.zeros(n_regions + 1, np.int64)
    pos, ref_length = np.empty(64, np.int32), np.empty(64, np.int32)
    alt, alt_offsets = np.empty(256, np.uint8), np.zeros(65, np.int64)
    haplotype_events, haplotype_event_offsets = np.empty(256, np.int32), np.zeros(n_haplotypes + 1, np.int64)
    n_events = n_rows = 0
    # One region's distinct events as they are met, and their order.
    own_pos, own_ref_length = np.empty(64, np.int32), np.empty(64, np.int32)
    own_alt, own_alt_offsets = np.empty(256, np.uint8), np.zeros(65, np.int64)
    order, rank = np.empty(64, np.int32), np.empty(64, np.int32)
    # One haplotype's.
    found_pos, found_ref_length = np.empty(64, np.int32), np.empty(64, np.int32)
    found_alt, found_alt_offsets = np.empty(256, np.uint8), np.zeros(65, np.int64)
    for g in range(n_regions):
        n_own = 0
        first_row = n_rows
        for h in range(region_slots[g], region_slots[g + 1]):
            operations = cigar[cigar_offsets[h] : cigar_offsets[h + 1]]
            haplotype = bases[base_offsets[h] : base_offsets[h + 1]]
            most = haplotype.size + operations.size
            found_pos, found_ref_length = with_room(found_pos, 0, most), with_room(found_ref_length, 0, most)
            found_alt, found_alt_offsets = with_room(found_alt, 0, 2 * most), with_room(found_alt_offsets, 0, most + 1)
            n_found = events_of_haplotype(
                codes, codes_start, start[g], haplotype, operations, max_mnp_distance, found_pos, found_ref_length, found_alt,
                found_alt_offsets,
            )  # fmt: skip
            own_pos, own_ref_length = with_room(own_pos, n_own, n_found), with_room(own_ref_length, n_own, n_found)
            order, own_alt_offsets = with_room(order, n_own, n_found), with_room(own_alt_offsets, n_own + 1, n_found)
            own_alt = with_room(own_alt, own_alt_offsets[n_own], found_alt_offsets[n_found])
            haplotype_events = with_room(haplotype_events, n_rows, n_found)
            for k in range(n_found):
                this_alt = found_alt[found_alt_offsets[k] : found_alt_offsets[k + 1]]
                place, same = place_among(
                    order, n_own, own_pos, own_ref_length, own_alt, own_alt_offsets, found_pos[k], found_ref_length[k], this_alt
                )
                if not same:
                    for t in range(n_own, place, -1):
                        order[t] = order[t - 1]
                    order[place] = n_own
                    own_pos[n_own], own_ref_length[n_own] = found_pos[k], found_ref_length[k]
                    own_alt_offsets[n_own + 1] = own_alt_offsets[n_own] + this_alt.size
                    own_alt[own_alt_offsets[n_own] : own_alt_offsets[n_own + 1]] = this_alt
                    n_own += 1
                haplotype_events[n_rows + k] = order[place]
            n_rows += n_found
            haplotype_event_offsets[h + 1] = n_rows
        pos, ref_length = with_room(pos, n_events, n_own), with_room(ref_length, n_events, n_own)
        rank, alt_offsets = with_room(rank, 0, n_own), with_room(alt_offsets, n_events + 1, n_own)
        alt = with_room(alt, alt_offsets[n_events], own_alt_offsets[n_own])
        for t in range(n_own):
            k = order[t]
            rank[k] = n_events
            pos[n_events], ref_length[n_events] = own_pos[k], own_ref_length[k]
            size = own_alt_offsets[k + 1] - own_alt_offsets[k]
            alt_offsets[n_events + 1] = alt_offsets[n_events] + size
            alt[alt_offsets[n_events] : alt_offsets[n_events + 1]] = own_alt[own_alt_offsets[k] : own_alt_offsets[k + 1]]
            n_events += 1
        for row in range(first_row, n_rows):
            haplotype_events[row] = rank[haplotype_events[row]]
        event_slots[g + 1] = n_events
    return (
        event_slots, pos[:n_events].copy(), ref_length[:n_events].copy(), alt[: alt_offsets[n_events]].copy(),
        alt_offsets[: n_events + 1].copy(), haplotype_events[:n_rows].copy(), haplotype_event_offsets,
    )  # fmt: skip


@inner_kernel
def events_of_haplotype(
    codes, codes_start, start, haplotype, operations, max_mnp_distance, pos, ref_length, alt, alt_offsets
):  # fmt: skip
    """Write one haplotype's events by position → their number.

    start: first reference base of the haplotype. The outputs have room for len(haplotype) + len(operations) events, alt for twice that.
    """
    n_events = 0
    alt_offsets[0] = 0
    ref_at, at = start - codes_start, 0
    for k in range(operations.size):
        operation, length = np.int64(operations[k]) & 15, np.int64(operations[k]) >> 4
        anchor = ref_at - 1
        if operation == CIGAR_I:
            if 0 < k < operations.size - 1 and is_regular(codes, anchor, anchor + 1) and is_regular(haplotype, at, at + length):
                n_events = add_event(
                    codes, codes_start, anchor, 1, anchor, haplotype[at : at + length], n_events, pos, ref_length, alt, alt_offsets
                )
            at += length
        elif operation == CIGAR_D:
            # A deletion at the very start of the reference has no base before it to be named by.
            if anchor >= 0 and is_regular(codes, anchor, ref_at + length):
                n_events = add_event(
                    codes, codes_start, anchor, length + 1, anchor, haplotype[:0], n_events, pos, ref_length, alt, alt_offsets
                )
            ref_at += length
        else:
            offset = next_mismatch(codes, ref_at, haplotype, at, 0, length)
            while offset < length:
                last = offset
                following = next_mismatch(codes, ref_at, haplotype, at, last + 1, length)
                while following < length and following - last <= max_mnp_distance:
                    last = following
                    following = next_mismatch(codes, ref_at, haplotype, at, last + 1, length)
                n_events = add_event(
                    codes, codes_start, ref_at + offset, last - offset + 1, -1, haplotype[at + offset : at + last + 1], n_events, pos,
                    ref_length, alt, alt_offsets,
                )  # fmt: skip
                offset = following
            ref_at += length
            at += length
    return n_events


@inner_kernel
def next_mismatch(codes, ref_at, haplotype, at, offset, length):
    """First offset from `offset` on where two regular bases differ; `length` if none."""
    offset = same_until(codes, ref_at, haplotype, at, offset, length)
    while offset < length and (codes[ref_at + offset] >= N or haplotype[at + offset] >= N):
        offset = same_until(codes, ref_at, haplotype, at, offset + 1, length)
    return offset


@inner_kernel
def is_regular(sequence, first, end):
    """Whether all bases from `first` to `end` are A, C, G or T."""
    unknown = 0
    for k in range(first, end):
        unknown += sequence[k] >= N
    return unknown == 0


@inner_kernel
def add_event(codes, codes_start, ref_at, length, anchor, own, n_events, pos, ref_length, alt, alt_offsets):
    """Put an event behind the others, or join it with the last one if that is at the same position → number of events.

    ref_at, length : the reference allele, as offset into `codes`. anchor : offset of the base before `own` in the alternate; -1: none.
    """
    if n_events > 0 and pos[n_events - 1] == ref_at + codes_start:
        last = n_events - 1
        end = alt_offsets[last + 1]
        if ref_length[last] == 1 and end - alt_offsets[last] == 1:
            # A changed base with an indel behind it: the indel's anchor is the changed base.
            copy_bases(own, 0, alt, end, own.size)
            ref_length[last] = length
            end += own.size
        else:
            # Deletion and insertion: the reference allele of the one, the alternate of the other.
            ref_length[last] = max(np.int64(ref_length[last]), length)
            if own.size > 0:
                first = alt_offsets[last]
                alt[first] = codes[ref_at]
                copy_bases(own, 0, alt, first + 1, own.size)
                end = first + 1 + own.size
        alt_offsets[last + 1] = end
    else:
        last = n_events
        pos[last], ref_length[last] = ref_at + codes_start, length
        end = alt_offsets[last]
        if anchor >= 0:
            alt[end] = codes[anchor]
            end += 1
        copy_bases(own, 0, alt, end, own.size)
        alt_offsets[last + 1] = end + own.size
    first, end = alt_offsets[last], alt_offsets[last + 1]
    while ref_length[last] > 1 and end - first > 1 and codes[ref_at + ref_length[last] - 1] == alt[end - 1]:
        ref_length[last] -= 1
        end -= 1
    alt_offsets[last + 1] = end
    return last + 1


@inner_kernel
def place_among(order, n, pos, ref_length, alt, alt_offsets, this_pos, this_ref_length, this_alt):
    """Where an event stands, or would, in the order by position, length of the reference allele, alternate → (place, found)."""
    low, high = 0, n
    while low < high:
        middle = (low + high) >> 1
        k = order[middle]
        sign = np.int64(pos[k]) - this_pos
        if sign == 0:
            sign = np.int64(ref_length[k]) - this_ref_length
        if sign == 0:
            sign = compare_bases(alt[alt_offsets[k] : alt_offsets[k + 1]], this_alt)
        if sign == 0:
            return middle, True
        if sign < 0:
            low = middle + 1
        else:
            high = middle
    return low, False


@inner_kernel
def compare_bases(one, other):
    """Below, at or above 0 as `one` stands before, with or after `other` in the order of the codes; a beginning stands first."""
    for k in range(min(one.size, other.size)):
        if one[k] != other[k]:
            return np.int64(one[k]) - np.int64(other[k])
    return one.size - other.size


@inner_kernel
def has_event(pos, ref_length, alt, first, last, event_pos, event_ref_length, event_alt, event_alt_offsets):
    """Whether one of the events first to last, of columns as in HaplotypeBatch, is this allele. alt : uint8[any]."""
    for e in range(first, last):
        same_place = event_pos[e] == pos and event_ref_length[e] == ref_length
        if same_place and compare_bases(event_alt[event_alt_offsets[e] : event_alt_offsets[e + 1]], alt) == 0:
            return True
    return False
