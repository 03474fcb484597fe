"""The qualities that the PairHMM takes of each read: how far a base can be trusted, and how likely a gap opens before it.

Base qualities are capped by the mapping quality, and low ones made lower still. Gaps are likelier in tandem repeats, where PCR slips:
the repeat is counted in the read itself.
"""

import math

import numpy as np

from gpuvc.errors import UsageError
from gpuvc.kernels.jit import inner_kernel, kernel
from gpuvc.likelihoods.local_haplotypes import GAP_OPEN_PHRED

MAX_PHRED = 127  # the PairHMM's table ends there
LEAST_BASE_QUAL = 6  # phred; a base that says nothing
GAP_OPEN = 45  # phred, outside of repeats
GAP_CONTINUATION = 10  # phred
MAX_DRAGSTR_GAP_OPEN = 40  # phred, at all bases but the last
MAX_REPEAT_UNIT, MAX_REPEATS = 8, 20  # bases, copies
PCR_RATES = {"NONE": None, "HOSTILE": 1, "AGGRESSIVE": 2, "CONSERVATIVE": 3}  # GATK's names for how much PCR slips


def pcr_gap_open(model):
    """uint8[MAX_REPEATS + 1]: the most that opening a gap may cost, in phred, by copies of the repeat; GAP_OPEN throughout for NONE.

    max(10, 41 - exp(n / (rate pi))), rounded.

    Raises UsageError for a model that is not of PCR_RATES.
    """
    if model not in PCR_RATES:
        raise UsageError(f"PCR indel model: found {model!r}, expected one of {', '.join(PCR_RATES)}.")
    rate = PCR_RATES[model]
    if rate is None:
        return np.full(MAX_REPEATS + 1, GAP_OPEN, np.uint8)
    costs = (40 - math.exp(n / (rate * math.pi)) + 1 for n in range(MAX_REPEATS + 1))
    return np.array([max(10, math.floor(cost + 0.5)) for cost in costs], np.uint8)


def repeat_gap_open():
    """uint8[MAX_REPEAT_UNIT, MAX_REPEATS]: what opening a gap costs in a repeat, in phred, by period and copies.

    A repeat as a whole errs as `GAP_OPEN_PHRED` says. The PairHMM sums over all places in it where the gap may be, period x copies of
    them, so each place has its share of the chance.
    """
    places = np.multiply.outer(np.arange(1, MAX_REPEAT_UNIT + 1), np.arange(1, MAX_REPEATS + 1))
    costs = np.array(GAP_OPEN_PHRED) + 10 * np.log10(places)
    return np.floor(np.minimum(GAP_OPEN, costs) + 0.5).astype(np.uint8)


@kernel
def hmm_base_quals(base_offsets, base_quals, mapq, threshold, caps_to_mapq, out):
    """Write each base's quality for the PairHMM.

    Parameters
    ----------
    base_offsets : int64[n_rows + 1]; base_quals, out : uint8[...]
        Phred.
    mapq : uint8[n_rows]
        The most that a base of the read can be worth, if `caps_to_mapq`.
    threshold : int
        What is below becomes LEAST_BASE_QUAL; from LEAST_BASE_QUAL.
    """
    for row in range(mapq.size):
        cap = min(np.int64(mapq[row]), MAX_PHRED) if caps_to_mapq else MAX_PHRED
        for i in range(base_offsets[row], base_offsets[row + 1]):
            quality = min(np.int64(base_quals[i]), cap)
            out[i] = quality if quality >= threshold else LEAST_BASE_QUAL


@inner_kernel
def _copies_ending_at(bases, first, i, unit_start, unit):
    """How often the `unit` bases from `unit_start` stand one behind the other in bases[first : i + 1], up to its end."""
    copies = 0
    at = i - unit + 1
    while at >= first:
        for k in range(unit):
            if bases[at + k] != bases[unit_start + k]:
                return copies
        copies += 1
        at -= unit
    return copies


@inner_kernel
def _copies_starting_at(bases, end, i, unit):
    """How often the `unit` bases at `i` stand one behind the other from there."""
    copies = 0
    at = i
    while at + unit <= end:
        for k in range(unit):
            if bases[at + k] != bases[i + k]:
                return copies
        copies += 1
        at += unit
    return copies


@inner_kernel
def _is_same_unit(bases, one, one_length, other, other_length):
    if one_length != other_length:
        return False
    for k in range(one_length):  # noqa: SIM110
        if bases[one + k] != bases[other + k]:
            return False
    return True


@inner_kernel
def repeats_at(bases, first, end, i):
    """Copies of the tandem repeat around offset `i` of the read bases[first:end]; at most MAX_REPEATS.

    The shortest repeat that ends at i, and the shortest that starts after it; together if they are of the same unit, else the one
    behind with its copies before.
    """
    backward_unit, backward = 1, 1
    for unit in range(1, min(MAX_REPEAT_UNIT, i + 1 - first) + 1):
        copies = _copies_ending_at(bases, first, i, i + 1 - unit, unit)
        if copies > 1:
            backward_unit, backward = unit, copies
            break
    if i + 1 >= end:
        return min(backward, MAX_REPEATS)
    forward_unit, forward = 1, 1
    for unit in range(1, min(MAX_REPEAT_UNIT, end - i - 1) + 1):
        copies = _copies_starting_at(bases, end, i + 1, unit)
        if copies > 1:
            forward_unit, forward = unit, copies
            break
    if _is_same_unit(bases, i + 1 - backward_unit, backward_unit, i + 1, forward_unit):
        return min(backward + forward, MAX_REPEATS)
    return min(forward + _copies_ending_at(bases, first, i, i + 1, forward_unit), MAX_REPEATS)


@kernel
def gap_open_quals(base_offsets, bases, most, out):
    """Write what it costs to open an insertion, or a deletion, at each base of each read.

    Parameters
    ----------
    base_offsets : int64[n_rows + 1]; bases, out : uint8[...]
        Codes; phred.
    most : uint8[MAX_REPEATS + 1]
        From `pcr_gap_open`. The last base keeps GAP_OPEN.
    """
    for row in range(base_offsets.size - 1):
        first, end = base_offsets[row], base_offsets[row + 1]
        for i in range(first, end):
            out[i] = GAP_OPEN if i == end - 1 else min(GAP_OPEN, most[repeats_at(bases, first, end, i)])


@inner_kernel
def _next_run(bases, first, n, period, length, begin):
    """Offset in bases[first : first + n], from `begin` on, of the next `length` bases that equal those a period on; n if there are none.

    Looks from the last of them backwards, and begins behind the first that differs.
    """
    while begin + length + period <= n:
        i = begin + length - 1
        while i >= begin and bases[first + i] == bases[first + i + period]:
            i -= 1
        if i < begin:
            return begin
        begin = i + 1
    return n


@inner_kernel
def _most_copies(bases, first, n, max_period, as_gatk, periods, most):
    """Write, for each of bases[first : first + n], the period and copies of the repeat with most copies that covers it or begins after it.

    The shorter period where copies are equal, 1 and 1 where nothing repeats. `as_gatk`: a repeat of a longer unit than a base, with
    which the read begins, counts a copy less for those bases that only its first unit's start tells of it (as DRAGEN does).
    """
    most[:n] = 1
    periods[:n] = 1
    for period in range(1, max_period + 1):
        begin = _next_run(bases, first, n, period, period, 0)
        while begin < n:
            end = begin + period
            while end + period < n and bases[first + end] == bases[first + end + period]:
                end += 1
            copies = (end - begin + period) // period
            n_fewer = period - 1 if as_gatk and begin == 0 and end % period == 0 else 0
            for i in range(max(begin - 1, 0), end + period):
                counted = copies - 1 if i < n_fewer else copies
                if counted > most[i]:
                    most[i] = counted
                    periods[i] = period
            begin = _next_run(bases, first, n, period, period, end + 1)


@inner_kernel
def _longest(base_offsets):
    longest = 0
    for row in range(base_offsets.size - 1):
        longest = max(longest, base_offsets[row + 1] - base_offsets[row])
    return longest


@kernel(allocates=True)
def repeat_gap_open_quals(base_offsets, bases, costs, out):
    """`gap_open_quals` by period and copies of the repeat with most copies that covers the base or begins right after it.

    Parameters
    ----------
    costs : uint8[MAX_REPEAT_UNIT, MAX_REPEATS]
        From `repeat_gap_open`.

    A run of bases that equal those a period on is a tract of so many bases and a period. Most reads have none long enough to make gaps
    likelier, and are told by a few of their bases.

    Source: DRAGEN-GATK's model of tandem repeats (specification, section 8.4). The last base keeps GAP_OPEN.
    """
    longest = _longest(base_offsets)
    most, periods = np.empty(longest, np.int64), np.empty(longest, np.int64)
    shortest = np.full(MAX_REPEAT_UNIT + 1, longest + 1)  # run of each period that matters
    for period in range(1, MAX_REPEAT_UNIT + 1):
        for copies in range(MAX_REPEATS, 1, -1):
            if costs[period - 1, copies - 1] != GAP_OPEN:
                shortest[period] = (copies - 1) * period
    for row in range(base_offsets.size - 1):
        first, n = base_offsets[row], base_offsets[row + 1] - base_offsets[row]
        matters = False
        for period in range(1, MAX_REPEAT_UNIT + 1):
            matters = matters or _next_run(bases, first, n, period, shortest[period], 0) < n
        for i in range(n):
            out[first + i] = GAP_OPEN
        if not matters:
            continue
        _most_copies(bases, first, n, MAX_REPEAT_UNIT, False, periods, most)
        for i in range(n - 1):
            if most[i] > 1:
                out[first + i] = costs[periods[i] - 1, min(most[i], MAX_REPEATS) - 1]


@kernel(allocates=True)
def dragstr_gap_quals(base_offsets, bases, gap_open, gap_continuation, open_out, continuation_out):
    """Write what it costs to open a gap at each base of each read, and to continue it, as DRAGstr has it.

    Parameters
    ----------
    base_offsets : int64[n_rows + 1]; bases, open_out, continuation_out : uint8[...]
        Codes; phred.
    gap_open, gap_continuation : uint8[n_periods, n_copies]
        From `dragstr_costs`. The last base keeps GAP_OPEN and GAP_CONTINUATION.

    Source: specification, section 8.4.
    """
    longest = _longest(base_offsets)
    most, periods = np.empty(longest, np.int64), np.empty(longest, np.int64)
    for row in range(base_offsets.size - 1):
        first, n = base_offsets[row], base_offsets[row + 1] - base_offsets[row]
        _most_copies(bases, first, n, gap_open.shape[0], True, periods, most)
        for i in range(n - 1):
            copies = min(most[i], gap_open.shape[1])
            open_out[first + i] = gap_open[periods[i] - 1, copies - 1]
            continuation_out[first + i] = gap_continuation[periods[i] - 1, copies - 1]
        if n > 0:
            open_out[first + n - 1] = GAP_OPEN
            continuation_out[first + n - 1] = GAP_CONTINUATION


def dragstr_costs(dragstr):
    """(uint8[n_periods, n_copies], same): what opening and continuing a gap costs in a repeat, in whole phred, of a Dragstr."""
    opening = np.minimum(dragstr.gap_open, MAX_DRAGSTR_GAP_OPEN)
    return tuple(np.floor(table + 0.5).astype(np.uint8) for table in (opening, dragstr.gap_continuation))
