"""Regions cut down to their variants and the flanks these need (specification, section 3.10)."""

import numpy as np

from gpuvc.assembly.events import with_room
from gpuvc.assembly.haplotypes import offsets_of, with_events
from gpuvc.assembly.injection import no_alleles
from gpuvc.assembly.smith_waterman import append_operation
from gpuvc.kernels.codes import CIGAR_D, CIGAR_I, CIGAR_M, G
from gpuvc.kernels.jit import inner_kernel, kernel


def trim_haplotypes(regions, haplotypes, codes, codes_start, settings, forced=None):
    """The haplotypes over what the region's events need, without duplicates, sorted by length, then bases → HaplotypeBatch.

    Parameters
    ----------
    regions : RegionBatch
    haplotypes : HaplotypeBatch
        Over the padded spans, from `align_haplotypes`.
    codes : uint8[any]
        Reference codes from `codes_start`, 0-based, on; they cover the padded spans and, where there is one, a base before each.
    settings : Settings
        snp_padding, indel_padding, str_padding, max_mnp_distance.
    forced : AlleleTable or None
        Alleles that count as events though no haplotype carries them.

    A region none of whose events overlaps it has no haplotypes and an empty span. The reference stays the reference where another
    haplotype becomes equal to it; else the first of equal ones gives CIGAR and score. Haplotypes that would begin or end inside a
    deletion are dropped.
    """
    forced = no_alleles() if forced is None else forced
    start, end, variant_start, variant_end = spans(
        codes, codes_start, regions.start, regions.end, regions.padded_start, regions.padded_end, haplotypes.event_slots,
        haplotypes.event_pos, haplotypes.event_ref_length, haplotypes.event_alt, haplotypes.event_alt_offsets, forced.pos,
        forced.ref_length, forced.alt, forced.alt_offsets, forced.is_symbolic, settings.snp_padding, settings.indel_padding,
        settings.str_padding,
    )  # fmt: skip
    region_slots, source, first_base, cigar, cigar_offsets, lengths = cut(
        haplotypes.start, start, end, haplotypes.region_slots, haplotypes.bases, haplotypes.base_offsets, haplotypes.cigar,
        haplotypes.cigar_offsets, haplotypes.is_ref,
    )  # fmt: skip
    base_offsets = offsets_of(lengths)
    taken = np.arange(base_offsets[-1]) + np.repeat(first_base - base_offsets[:-1], lengths)
    return with_events(
        codes, codes_start, start, end, variant_start, variant_end, region_slots, haplotypes.bases[taken], base_offsets, cigar,
        cigar_offsets, haplotypes.is_ref[source], haplotypes.score[source], settings.max_mnp_distance,
    )  # fmt: skip


@kernel(allocates=True)
def spans(
    codes, codes_start, region_start, region_end, padded_start, padded_end, event_slots, event_pos, event_ref_length, event_alt,
    event_alt_offsets, forced_pos, forced_ref_length, forced_alt, forced_alt_offsets, forced_symbolic, snp_padding, indel_padding,
    str_padding,
):  # fmt: skip
    """(start, end, variant_start, variant_end) of each region by its events; all four the region's start where there is no variation."""
    n = region_start.size
    start, end = region_start.copy(), region_start.copy()
    variant_start, variant_end = region_start.copy(), region_start.copy()
    for g in range(n):
        least, most, first, last = padded_end[g], padded_start[g], padded_end[g], padded_start[g]
        forced_first = np.searchsorted(forced_pos, region_start[g])
        forced_end = np.searchsorted(forced_pos, padded_end[g])
        n_events = event_slots[g + 1] - event_slots[g]
        for k in range(n_events + forced_end - forced_first):
            if k < n_events:
                e = event_slots[g] + k
                pos, length, symbolic = event_pos[e], event_ref_length[e], False
                alt = event_alt[event_alt_offsets[e] : event_alt_offsets[e + 1]]
            else:
                e = forced_first + k - n_events
                pos, length, symbolic = forced_pos[e], forced_ref_length[e], forced_symbolic[e]
                alt = forced_alt[forced_alt_offsets[e] : forced_alt_offsets[e + 1]]
            if pos >= region_end[g] or pos + length <= region_start[g]:
                continue
            padding = snp_padding
            if length != alt.size and not symbolic:
                padding = indel_padding
                context = codes[pos + 1 - codes_start : padded_end[g] - codes_start]
                repeat = longest_repeat(context[: length - 1], alt[1:], context)
                if repeat > 0:
                    padding = str_padding + repeat
            first, last = min(first, pos), max(last, pos + length)
            least, most = min(least, pos - padding), max(most, pos + length + padding)
        if first < last:
            start[g], end[g] = max(least, padded_start[g]), min(most, padded_end[g])
            variant_start[g], variant_end[g] = max(first, region_start[g]), min(last, region_end[g])
    return start, end, variant_start, variant_end


@inner_kernel
def longest_repeat(ref_tail, alt_tail, context):
    """Bases of the tandem repeat that an indel changes, in the longer of the two alleles; 0 if it changes none.

    Tails: alleles without their first base. context: the reference behind that base, the reference's own tail included.
    """
    longer = alt_tail if alt_tail.size > ref_tail.size else ref_tail
    period = 1
    while repeats(longer[:period], longer, longer[:0]) * period < longer.size:
        period += 1
    unit = longer[:period]
    own = repeats(unit, ref_tail, longer[:0])
    by_ref, by_alt = repeats(unit, ref_tail, context) - own, repeats(unit, alt_tail, context) - own
    return max(by_ref, by_alt) * period if by_ref > 0 and by_alt > 0 else 0


@inner_kernel
def repeats(unit, tail, context):
    """How often `unit` is repeated from the start of tail + context on."""
    k = 0
    while k < tail.size + context.size:
        base = tail[k] if k < tail.size else context[k - tail.size]
        if base != unit[k % unit.size]:
            break
        k += 1
    return k // unit.size


@kernel(allocates=True)
def cut(old_start, start, end, region_slots, bases, base_offsets, cigar, cigar_offsets, is_ref):
    """What is left of each haplotype → (region_slots, row it was, its first base, CIGARs, their offsets, lengths), in the final order."""
    n_regions = start.size
    new_slots = np.zeros(n_regions + 1, np.int64)
    source, first_base = np.empty(is_ref.size, np.int64), np.empty(is_ref.size, np.int64)
    lengths, new_offsets = np.empty(is_ref.size, np.int64), np.zeros(is_ref.size + 1, np.int64)
    new_cigar, operations = np.empty(cigar.size, np.uint32), np.empty(64, np.uint32)
    n = 0
    for g in range(n_regions):
        slot = n
        for h in range(region_slots[g], region_slots[g + 1] if start[g] < end[g] else region_slots[g]):
            own = cigar[cigar_offsets[h] : cigar_offsets[h + 1]]
            operations = with_room(operations, 0, own.size)
            first, length, _ = cut_haplotype(own, start[g] - old_start[g], end[g] - old_start[g], operations)
            if length <= 0:
                continue
            first += base_offsets[h]
            low, high, same = slot, n, False
            while low < high and not same:
                middle = (low + high) >> 1
                there = bases[first_base[middle] : first_base[middle] + lengths[middle]]
                sign = compare_size_and_bases(there, bases[first : first + length])
                if sign == 0:
                    low, same = middle, True
                elif sign < 0:
                    low = middle + 1
                else:
                    high = middle
            if not same:
                for t in range(n, low, -1):
                    source[t], first_base[t], lengths[t] = source[t - 1], first_base[t - 1], lengths[t - 1]
                n += 1
            if not same or is_ref[h]:
                source[low], first_base[low], lengths[low] = h, first, length
        for t in range(slot, n):
            own = cigar[cigar_offsets[source[t]] : cigar_offsets[source[t] + 1]]
            operations = with_room(operations, 0, own.size)
            _, _, n_operations = cut_haplotype(own, start[g] - old_start[g], end[g] - old_start[g], operations)
            new_cigar[new_offsets[t] : new_offsets[t] + n_operations] = operations[:n_operations]
            new_offsets[t + 1] = new_offsets[t] + n_operations
        new_slots[g + 1] = n
    return (
        new_slots, source[:n].copy(), first_base[:n].copy(), new_cigar[: new_offsets[n]].copy(), new_offsets[: n + 1].copy(),
        lengths[:n].copy(),
    )  # fmt: skip


@inner_kernel
def cut_haplotype(cigar, ref_start, ref_end, operations):
    """The part of an alignment over reference offsets ref_start to ref_end → (first base, number of bases, number of operations).

    No bases when the part would begin or end inside a deletion. Insertions right before or behind the part are left out.
    """
    ref_at = at = n_operations = 0
    first = end = 0
    for k in range(cigar.size):
        operation, length = np.int64(cigar[k]) & 15, np.int64(cigar[k]) >> 4
        if operation == CIGAR_I:
            if ref_start < ref_at < ref_end:
                n_operations = append_operation(operations, n_operations, CIGAR_I, length)
            at += length
            continue
        inside = min(ref_at + length, ref_end) - max(ref_at, ref_start)
        if operation == CIGAR_D:
            if ref_at <= ref_start < ref_at + length or ref_at < ref_end <= ref_at + length:
                return 0, 0, 0
            n_operations = append_operation(operations, n_operations, CIGAR_D, inside)
        else:
            if ref_at <= ref_start < ref_at + length:
                first = at + ref_start - ref_at
            if ref_at < ref_end <= ref_at + length:
                end = at + ref_end - ref_at
            n_operations = append_operation(operations, n_operations, CIGAR_M, inside)
            at += length
        ref_at += length
    return first, end - first, n_operations


@inner_kernel
def compare_size_and_bases(one, other):
    """Below, at or above 0 as `one` is shorter, or of equal length and earlier in the order of the letters; N stands before T."""
    if one.size != other.size:
        return one.size - other.size
    for k in range(one.size):
        if one[k] != other[k]:
            return letter_rank(one[k]) - letter_rank(other[k])
    return 0


@inner_kernel
def letter_rank(code):
    """Place of a base's letter in the alphabet's order: A C G N T."""
    return np.int64(code) if code <= G else 7 - np.int64(code)
