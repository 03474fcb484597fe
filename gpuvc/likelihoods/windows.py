"""What of a region's haplotypes a read can tell apart: PairHMM work that gpuvc's own model leaves out.

    events    |--a--|            |-b-|                      |-c-|
    read                    =================
    window           [......................................)         b is in reach: haplotypes that agree there are one to this read

A read says nothing of an event REACH_BP beyond its ends. So it is scored against each haplotype between the last event before it and the
first behind it that are out of its reach, and only once against haplotypes that are equal there. A read within reach of no event has
nothing to say, and is not scored.
"""

from dataclasses import dataclass

import numpy as np

from gpuvc.kernels.codes import CIGAR_D, CIGAR_M
from gpuvc.kernels.jit import inner_kernel, kernel

REACH_BP = 10
"""How far beyond its ends a read may be affected by an event: it may be aligned a few bases off, or have its end moved by a gap."""
CLUSTER_BP = 8  # events with fewer bases between them are within reach together


@dataclass(slots=True)
class Windows:
    """Distinct windows on the haplotypes of each region, by the events in reach; K groups of reads of one region and one reach.

    group : int64[N]
        Of each row of the RegionReads; -1 for those that are not scored.
    slots : int64[K + 1]
        Windows of each group.
    bases : uint8[sum of lengths]; base_offsets : int64[number of windows + 1]
    haplotype_slots : int64[K + 1]
    window : int64[...]
        For each group and each haplotype of its region: which window of the group it has.
    """

    group: np.ndarray
    slots: np.ndarray
    bases: np.ndarray
    base_offsets: np.ndarray
    haplotype_slots: np.ndarray
    window: np.ndarray


def whole_haplotypes(region_reads, haplotypes, is_scored):
    """Windows without anything left out: each region is one group."""
    n_haplotypes, n_reads = np.diff(haplotypes.region_slots), np.diff(region_reads.region_slots)
    window = np.arange(haplotypes.region_slots[-1]) - np.repeat(haplotypes.region_slots[:-1], n_haplotypes)
    return Windows(
        np.where(is_scored, np.repeat(np.arange(len(n_reads)), n_reads), -1), haplotypes.region_slots, haplotypes.bases,
        haplotypes.base_offsets, haplotypes.region_slots, window,
    )  # fmt: skip


def cut_windows(region_reads, haplotypes, is_scored):
    """Windows for the rows with is_scored, bool[N], of a RegionReads on the HaplotypeBatch of its regions."""
    n_rows = region_reads.n_rows
    group, region = np.empty(n_rows, np.int64), np.empty(n_rows, np.int64)
    spans = np.empty((n_rows, 2), np.int64)
    n_groups = find_groups(
        region_reads.region_slots, region_reads.pos, region_reads.end, region_reads.base_offsets, is_scored, haplotypes.start,
        haplotypes.end, haplotypes.event_slots, haplotypes.event_pos, haplotypes.event_ref_length, group, region, spans,
    )  # fmt: skip
    region = region[:n_groups]
    n_haplotypes = np.diff(haplotypes.region_slots)[region]
    haplotype_slots = np.concatenate(([0], np.cumsum(n_haplotypes)))
    room = int(np.diff(haplotypes.base_offsets[haplotypes.region_slots])[region].sum())
    slots = np.zeros(n_groups + 1, np.int64)
    bases, base_offsets = np.empty(room, np.uint8), np.zeros(int(haplotype_slots[-1]) + 1, np.int64)
    window = np.empty(int(haplotype_slots[-1]), np.int64)
    n_windows = cut_haplotypes(
        region, spans, haplotypes.region_slots, haplotypes.bases, haplotypes.base_offsets, haplotypes.cigar, haplotypes.cigar_offsets,
        slots, bases, base_offsets, haplotype_slots, window,
    )  # fmt: skip
    base_offsets = base_offsets[: n_windows + 1]
    return Windows(group, slots, bases[: base_offsets[-1]], base_offsets, haplotype_slots, window)


@kernel(allocates=True)
def find_groups(
    region_slots, pos, end, base_offsets, is_scored, start, stop, event_slots, event_pos, event_ref_length, group, region_of, spans
):  # fmt: skip
    """Write each row's group, by row, and each group's region and window, as offsets from the span's start → number of groups.

    A read's ends are where its alignment has them, or where they would be if it had no gap and only one of them were right.
    """
    most = 0
    for region in range(start.size):
        most = max(most, event_slots[region + 1] - event_slots[region])
    cluster_start, cluster_end = np.empty(most + 1, np.int64), np.empty(most + 1, np.int64)
    known = np.empty((most + 1) * (most + 1), np.int64)
    n_groups = 0
    for region in range(start.size):
        n = 0
        for event in range(event_slots[region], event_slots[region + 1]):
            first, last = np.int64(event_pos[event]), np.int64(event_pos[event]) + np.int64(event_ref_length[event])
            if n > 0 and first < cluster_end[n - 1] + CLUSTER_BP:
                cluster_end[n - 1] = max(cluster_end[n - 1], last)
            else:
                cluster_start[n], cluster_end[n] = first, last
                n += 1
        for i in range((n + 1) * (n + 1)):
            known[i] = -1
        for row in range(region_slots[region], region_slots[region + 1]):
            group[row] = -1
            if not is_scored[row]:
                continue
            length = base_offsets[row + 1] - base_offsets[row]
            low = min(np.int64(pos[row]), np.int64(end[row]) - length) - REACH_BP
            high = max(np.int64(end[row]), np.int64(pos[row]) + length) + REACH_BP
            before = 0  # clusters out of reach
            while before < n and cluster_end[before] <= low:
                before += 1
            behind = before
            while behind < n and cluster_start[behind] < high:
                behind += 1
            if before == behind:
                continue
            key = before * (n + 1) + behind
            if known[key] < 0:
                known[key] = n_groups
                region_of[n_groups] = region
                spans[n_groups, 0] = cluster_end[before - 1] - start[region] if before > 0 else 0
                spans[n_groups, 1] = (cluster_start[behind] if behind < n else np.int64(stop[region])) - start[region]
                n_groups += 1
            group[row] = known[key]
    return n_groups


@inner_kernel
def _offset_on(cigar, x):
    """The haplotype's offset at `x` bases of the reference, behind what is inserted there; 0 at 0."""
    ref, offset = np.int64(0), np.int64(0)
    if x == 0:
        return offset
    for k in range(cigar.size):
        operation, length = np.int64(cigar[k]) & 15, np.int64(cigar[k]) >> 4
        if ref > x:
            break
        if operation == CIGAR_M and ref + length > x:
            return offset + x - ref
        if operation != CIGAR_D:
            offset += length
        if operation == CIGAR_M or operation == CIGAR_D:
            ref += length
    return offset


@kernel
def cut_haplotypes(
    region_of, spans, region_slots, bases, base_offsets, cigar, cigar_offsets, slots, out, out_offsets, haplotype_slots, window
):  # fmt: skip
    """Write the distinct windows of each group → how many. Arguments as in HaplotypeBatch, `find_groups` and Windows."""
    n = 0
    for group in range(region_of.size):
        first_window, first_haplotype = n, region_slots[region_of[group]]
        for h in range(first_haplotype, region_slots[region_of[group] + 1]):
            operations = cigar[cigar_offsets[h] : cigar_offsets[h + 1]]
            begin = base_offsets[h] + _offset_on(operations, spans[group, 0])
            length = base_offsets[h] + _offset_on(operations, spans[group, 1]) - begin
            which = first_window
            while which < n:
                is_equal = out_offsets[which + 1] - out_offsets[which] == length
                i = 0
                while is_equal and i < length:
                    is_equal = out[out_offsets[which] + i] == bases[begin + i]
                    i += 1
                if is_equal:
                    break
                which += 1
            if which == n:
                for i in range(length):
                    out[out_offsets[n] + i] = bases[begin + i]
                out_offsets[n + 1] = out_offsets[n] + length
                n += 1
            window[haplotype_slots[group] + h - first_haplotype] = which - first_window
        slots[group + 1] = n
    return n


@kernel
def spread(chosen, group, haplotype_slots, window, scored, scored_offsets, row_offsets, log10):
    """Write, to each chosen row's entries of log10, what was scored for the windows that the haplotypes have.

    Parameters
    ----------
    chosen : int64[n]
        Rows; group, haplotype_slots, window as in Windows.
    scored : float64[...]; scored_offsets : int64[n + 1]
        One entry a window of the row's group, by entry of `chosen`.
    row_offsets : int64[N + 1]; log10 : float64[...]
    """
    for i in range(chosen.size):
        row = chosen[i]
        slot = haplotype_slots[group[row]]
        for h in range(haplotype_slots[group[row] + 1] - slot):
            log10[row_offsets[row] + h] = scored[scored_offsets[i] + window[slot + h]]
