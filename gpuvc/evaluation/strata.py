"""What surrounds a variant: the homopolymer and the tandem repeat that it touches, GC, and how many reads cover it.

A stratum is a number: index into the names of its context; -1 where nothing is known.
"""

import numpy as np

from gpuvc.intervals import Interval
from gpuvc.kernels.codes import N

STRATA = {
    "homopolymer": ("none", "4-6 bp", "7-11 bp", "12+ bp"),
    "tandem repeat": ("none", "<20 bp", "20-49 bp", "50+ bp"),
    "GC": ("<30 %", "30-45 %", "45-55 %", "55-70 %", "70+ %"),
    "depth": ("<5", "5-9", "10-19", "20-39", "40-79", "80+"),
}
"""Context → names of its strata. Homopolymers are cut where GIAB's stratifications cut them (7 and 12 bp)."""
_HOMOPOLYMER_BP, _REPEAT_BP, _GC, _DEPTH = (4, 7, 12), (1, 20, 50), (0.30, 0.45, 0.55, 0.70), (5, 10, 20, 40, 80)
LONGEST_PERIOD = 6
LEAST_COPIES, LEAST_REPEAT_BP = 3, 9  # of a tandem repeat
_REACH_BP = 150  # to either side that repeats are followed
_GC_BP = 50  # to either side
_AT_ONCE = 2048  # variants whose surroundings are held as one array
_DEPTH_WINDOW_BP = 1 << 22


def sequence_strata(codes, start, end):
    """int8[3, n]: homopolymer, tandem repeat and GC around variants of one contig.

    Parameters
    ----------
    codes : uint8[length]
        Base codes of the contig.
    start, end : int64[n]
        Replaced bases, 0-based, half-open.
    """
    strata = np.empty((3, len(start)), np.int8)
    padded = np.concatenate([np.full(_REACH_BP, N, np.uint8), codes, np.full(2 * _REACH_BP, N, np.uint8)])
    for first in range(0, len(start), _AT_ONCE):
        rows = slice(first, first + _AT_ONCE)
        strata[:, rows] = _of_windows(padded, start[rows], np.minimum(end[rows], start[rows] + _REACH_BP - LONGEST_PERIOD - 1))
    return strata


def _of_windows(padded, start, end):
    # Row by row of this array is what is gone through: one row is one distance from the variants' starts, which are row _REACH_BP.
    windows = padded[np.arange(2 * _REACH_BP)[:, None] + start]
    at_end = _REACH_BP + (end - start)
    homopolymer = _tract_bp(windows, 1, at_end)
    repeat = np.zeros(len(start), np.int64)
    for period in range(2, LONGEST_PERIOD + 1):
        tract = _tract_bp(windows, period, at_end)
        # A homopolymer repeats with any period.
        is_repeat = (tract >= max(LEAST_COPIES * period, LEAST_REPEAT_BP)) & (tract > homopolymer + period)
        repeat = np.maximum(repeat, np.where(is_repeat, tract, 0))
    around = windows[_REACH_BP - _GC_BP : _REACH_BP + _GC_BP]
    known = (around != N).sum(axis=0)
    gc = ((around == 1) | (around == 2)).sum(axis=0) / np.maximum(known, 1)
    return (
        np.searchsorted(_HOMOPOLYMER_BP, homopolymer, side="right"),
        np.searchsorted(_REPEAT_BP, repeat, side="right"),
        np.where(known > 0, np.searchsorted(_GC, gc, side="right"), -1),
    )


def _tract_bp(windows, period, at_end):
    """int64[n]: the longest stretch of this period that holds the base before a variant, its first, or the one behind it."""
    width, n = windows.shape
    equal = (windows[period:] == windows[:-period]) & (windows[period:] != N)
    run = np.zeros((width, n), np.int16)  # equal bases in a row, at every place of the run its whole length
    count = np.zeros(n, np.int16)
    for place in range(width - period):
        count = (count + 1) * equal[place]
        run[place] = count
    for place in range(width - period - 2, -1, -1):
        np.copyto(run[place], run[place + 1], where=equal[place] & equal[place + 1])
    tract = np.where(run > 0, run + period, 1)
    # A stretch holds base j where equality holds at one of the places j - period to j.
    longest = tract[_REACH_BP - period - 1 : _REACH_BP + 1].max(axis=0).astype(np.int64)
    columns = np.arange(n)
    for back in range(period + 1):
        longest = np.maximum(longest, tract[at_end - back, columns])
    return longest


def depth_stratum(depth):
    """int8[n] of reads over each variant; -1 where the depth is below 0, for unknown."""
    return np.where(depth < 0, -1, np.searchsorted(_DEPTH, depth, side="right")).astype(np.int8)


def read_depths(source, contig_id, pos):
    """int64[n]: reads that count over each position (mapped, primary, no duplicate, not failed), of one contig.

    source : AlignmentSource
        A deleted base counts as covered. pos : int64[n], sorted.
    """
    depths = np.zeros(len(pos), np.int64)
    first = 0
    while first < len(pos):
        start = int(pos[first])
        last = int(np.searchsorted(pos, start + _DEPTH_WINDOW_BP))
        reads = source.fetch(Interval(contig_id, start, int(pos[last - 1]) + 1))
        counts = (reads.flag & 0xF04) == 0  # unmapped, secondary, failed, duplicate, supplementary
        starts, ends = np.sort(reads.pos[counts]), np.sort(reads.ref_end[counts])
        here = pos[first:last]
        depths[first:last] = np.searchsorted(starts, here, side="right") - np.searchsorted(ends, here, side="right")
        first = last
    return depths
