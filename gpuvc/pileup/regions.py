"""Where haplotypes are assembled: the activity profile, smoothed and cut into regions (specification, sections 2.5 to 2.7).

A run of active loci is cut at minima of the profile, counted from where the run begins; a run longer than ANCHOR_BP, from absolute
positions on the contig too. So a region is a function of the data within reach(settings) of it, and every shard finds the same ones.
"""

import numpy as np

from gpuvc.batches import RegionBatch
from gpuvc.kernels.jit import inner_kernel, kernel
from gpuvc.pileup.activity import SMOOTHING_BP

SMOOTHING_SIGMA = 17.0
ANCHOR_BP = 4800
"""Inside a run of active loci that is longer, cutting starts anew at every multiple of it. On all real sets this gives the regions of the
unbounded rule (specification, section 2.6)."""
INACTIVE_ANCHOR_BP = 300
"""The same between active regions, where bounds matter less."""
UNBOUNDED = 1 << 40


def smoothing_weights():
    """float64[2 SMOOTHING_BP + 1]: the Gaussian that a locus contributes by, its sum 1."""
    weights = np.exp(-0.5 * (np.arange(-SMOOTHING_BP, SMOOTHING_BP + 1) / SMOOTHING_SIGMA) ** 2)
    return weights / weights.sum()


def reach(settings):
    """(before, after): bp beyond a shard's first and last target that its regions depend on, as far as the raw profile goes."""
    ahead = settings.max_assembly_region_size + settings.max_prob_propagation_distance + SMOOTHING_BP
    return 2 * ANCHOR_BP - 1 + SMOOTHING_BP, ahead


@kernel
def smooth(raw, weights, out):
    """Fill out with the smoothed profile of raw (both float64[n]); each sum runs in ascending order of the loci it comes from."""
    half = weights.size // 2
    for i in range(raw.size):
        out[i] = 0.0
    for p in range(raw.size):
        value = raw[p]
        if value > 0.0:
            for i in range(max(0, p - half), min(raw.size, p + half + 1)):
                out[i] += value * weights[i - p + half]


@inner_kernel
def _best_cut(window, n, min_size):
    """Length of the region that begins with window[0]: up to the lowest local minimum, the rightmost of equal ones; window[:n]."""
    max_size = window.size - 1
    best = -1
    for i in range(max_size - 1, min_size - 2, -1):
        if 1 <= i < n - 1 and window[i] <= window[i + 1] and window[i] < window[i - 1] and (best < 0 or window[i] < window[best]):
            best = i
    return max_size if best < 0 else best + 1


@inner_kernel
def _known_until(raw, s, need, contig_end, half):
    """The last locus whose raw value GATK has read when it decides on the region at s: a locus above 0 lengthens its list ahead of time."""
    for p in range(max(0, s + need - 1 - half), min(raw.size, s + need - 1)):
        if raw[p] > 0.0 and min(p + half, contig_end) + 1 - s >= need:
            return p
    return s + need - 1


@inner_kernel
def _forget_beyond(window, n, s, known, raw, weights):
    """Recompute window[:n], the profile from s on, without the raw values beyond `known`."""
    half = weights.size // 2
    for x in range(max(s, known - half + 1), s + n):
        value = 0.0
        for p in range(max(0, x - half), min(x + half, known) + 1):
            if raw[p] > 0.0:
                value += raw[p] * weights[x - p + half]
        window[x - s] = value


@inner_kernel
def _anchor_before(profile, threshold, limit, x, origin, anchor):
    """The last anchor at or before x: where a run of equal flags starts, or a multiple of `anchor` at least `anchor` behind that."""
    flag = profile[x] > threshold
    multiple = (origin + x) // anchor * anchor - origin
    low = max(multiple - anchor, limit)
    y = x
    while y > low and (profile[y - 1] > threshold) == flag:
        y -= 1
    return multiple if y == low and multiple - anchor >= limit else y


@inner_kernel
def _cut(
    profile, raw, weights, origin, limit, first, last, contig_end, need, streamed, threshold, min_size, window, anchors, n_found, starts,
    ends, actives,
):  # fmt: skip
    """Append the regions that begin at or after the anchor before offset `first`, and before `last` → how many there are now.

    profile, raw : float64[n]
        From position `origin` on; complete from offset `limit` on.
    anchors : int64[2]
        Of inactive and active runs.
    window : float64[max size + 1]
        Scratch.
    """
    n = profile.size
    max_size = window.size - 1
    anchor = anchors[np.int64(profile[first] > threshold)]
    s = _anchor_before(profile, threshold, limit, first, origin, anchor)
    if s == limit and limit > 0 and anchor == UNBOUNDED:
        anchor = ANCHOR_BP if profile[first] > threshold else INACTIVE_ANCHOR_BP  # the run begins out of sight
        s = _anchor_before(profile, threshold, limit, first, origin, anchor)
    run, known = s, np.int64(0)
    while s < last:
        active = profile[s] > threshold
        if s > run and active != (profile[s - 1] > threshold):
            run, anchor = s, anchors[np.int64(active)]
        size = min(max_size + 1, n - s)
        for i in range(size):
            window[i] = profile[s + i]
        if streamed:
            known = max(known, _known_until(raw, s, need, contig_end, weights.size // 2))
            if known < n - 1:
                _forget_beyond(window, size, s, known, raw, weights)
        e = 1
        while e < max_size and e < size and (window[e] > threshold) == active:
            if (origin + s + e) % anchor == 0 and s + e - run >= anchor:
                break
            e += 1
        if active and e == max_size:
            e = _best_cut(window, size, min_size)
        starts[n_found], ends[n_found], actives[n_found] = origin + s, origin + s + e, active
        n_found += 1
        s += e
    return n_found


@kernel(allocates=True)
def _cut_units(
    raw, start, units, first, last, contig_length, need, streamed, threshold, min_size, max_size, weights, anchors, starts, ends, actives
):
    """Smooth and cut each unit by itself → how many regions were found.

    units : int64[n, 3]
        Start and end, within raw, which begins at `start`; from where on the profile is complete.
    """
    n_found = np.int64(0)
    window = np.empty(max_size + 1)
    profile = np.empty(raw.size)
    for u in range(units.shape[0]):
        low, high, complete = units[u, 0], units[u, 1], units[u, 2]
        a, b = max(first, complete), min(last, high)
        if a >= b:
            continue
        part = raw[low - start : high - start]
        smooth(part, weights, profile[: part.size])
        n_found = _cut(
            profile[: part.size], part, weights, low, complete - low, a - low, b - low, contig_length - 1 - low, need, streamed, threshold,
            min_size, window, anchors, n_found, starts, ends, actives,
        )  # fmt: skip
    return n_found


def cut_profile(raw, start, targets, contig_length, settings, intervals=None):
    """Regions that touch a target, active or not → (start int32[G], end int32[G], active bool[G]), in genome order.

    Parameters
    ----------
    raw : float64[n]
        From `activity_profile`, of the positions from `start` on. Has to go `reach(settings)` beyond the targets, within the contig or,
        for settings.concordance "hc", within the intervals.
    targets : int[n_targets, 2]
        Disjoint, sorted, 0-based half-open: where calls are made.
    intervals : int[n_intervals, 2] or None
        What the user asked for, merged where intervals touch; None for the whole contig. With settings.concordance "hc" each is a world
        of its own, as in GATK: nothing outside counts, cutting begins at its start, and a decision is taken before the last value that
        it reads is complete (section 2.6, "streaming"). Without, they make no difference.

    Raises ValueError where raw does not go far enough.
    """
    targets = np.asarray(targets, np.int64).reshape(-1, 2)
    end = start + len(raw)
    streamed = settings.concordance == "hc"
    units = np.array([[0, contig_length]])
    if streamed and intervals is not None:
        units = np.asarray(intervals, np.int64).reshape(-1, 2)
    anchors = np.array([UNBOUNDED, UNBOUNDED] if streamed else [INACTIVE_ANCHOR_BP, ANCHOR_BP])
    first, last = (int(targets[0, 0]), int(targets[-1, 1])) if len(targets) else (0, 0)
    units = units[(units[:, 1] > first) & (units[:, 0] < last)]
    before, after = reach(settings)
    wanted = np.clip(units, first - before, last + after)
    if len(units) and (wanted[0, 0] < start or wanted[-1, 1] > end):
        raise ValueError(f"activity profile: found {start}-{end}, expected at least {wanted[0, 0]}-{wanted[-1, 1]}.")
    seen = np.clip(units, start, end)
    complete = np.where(seen[:, 0] > units[:, 0], np.minimum(seen[:, 0] + SMOOTHING_BP, seen[:, 1]), seen[:, 0])
    starts, ends, actives = (np.empty(len(raw), dtype) for dtype in (np.int32, np.int32, np.bool_))
    n_found = _cut_units(
        raw, start, np.column_stack([seen, complete]), first, last, contig_length, after, streamed,
        settings.active_probability_threshold, settings.min_assembly_region_size, settings.max_assembly_region_size, smoothing_weights(),
        anchors, starts, ends, actives,
    )  # fmt: skip
    starts, ends, actives = starts[:n_found], ends[:n_found], actives[:n_found]
    target = np.searchsorted(targets[:, 1], starts, side="right")
    touches = target < len(targets)
    touches[touches] = targets[target[touches], 0] < ends[touches]
    return starts[touches], ends[touches], actives[touches]


def split_contig(raw, start, targets, contig_id, contig_length, settings, intervals=None):
    """Two RegionBatches, of the active regions that touch a target and of the inactive ones; see `cut_profile`.

    A region at a shard's border is found by the shards on both sides; each keeps what it says of its own targets.
    """
    starts, ends, actives = cut_profile(raw, start, targets, contig_length, settings, intervals)
    return tuple(_padded(contig_id, starts[chosen], ends[chosen], contig_length, settings) for chosen in (actives, ~actives))


def _padded(contig_id, starts, ends, contig_length, settings):
    """RegionBatch of the regions between these bounds."""
    padding = settings.assembly_region_padding
    return RegionBatch(
        contig_id=contig_id, start=starts, end=ends, padded_start=np.maximum(starts - padding, 0).astype(np.int32),
        padded_end=np.minimum(ends + padding, contig_length).astype(np.int32),
    )  # fmt: skip


def with_ploidies(regions, given, start, contig_length, settings):
    """(RegionBatch, int64[G]): the regions, and the ploidy of each.

    Parameters
    ----------
    given : int64[n] or None
        Ploidy given for each locus from position `start` on, which the regions lie within; 0 where none is: settings.sample_ploidy there.

    A region ends where the ploidy changes. With settings.concordance "hc" it stays whole, and has the highest given for any of its loci.
    """
    default = settings.sample_ploidy
    if given is None:
        return regions, np.full(regions.n_regions, default, np.int64)
    if settings.concordance == "hc":
        highest = [given[a:b].max() for a, b in zip((regions.start - start).tolist(), (regions.end - start).tolist())]
        return regions, np.array([ploidy or default for ploidy in highest], np.int64)
    ploidy = np.where(given > 0, given, default)
    borders = np.flatnonzero(np.diff(ploidy)) + 1 + start
    inside = np.searchsorted(regions.end, borders, side="right")  # the first region that ends past the border
    inside = borders[(inside < regions.n_regions) & (np.append(regions.start, np.iinfo(np.int32).max)[inside] < borders)]
    starts = np.sort(np.concatenate((regions.start, inside))).astype(np.int32)
    ends = np.sort(np.concatenate((regions.end, inside))).astype(np.int32)
    return _padded(regions.contig_id, starts, ends, contig_length, settings), ploidy[starts - start]
