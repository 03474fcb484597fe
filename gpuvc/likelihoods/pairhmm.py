"""How well each haplotype of a region explains each of its reads: the PairHMM, and what limits a single read's say.

A read that maps elsewhere fits no haplotype here and would outvote all others; so its likelihoods differ by no more than its chance of
being misplaced, and it has no say at all when it has more mismatches than its errors explain.
"""

import math
from dataclasses import replace

import numpy as np

from gpuvc.batches import LikelihoodBatch
from gpuvc.errors import UsageError
from gpuvc.kernels.cpu.pairhmm import row_starts
from gpuvc.kernels.jit import inner_kernel, kernel
from gpuvc.likelihoods.marginalize import soft_bounds
from gpuvc.likelihoods.read_quality import (
    GAP_CONTINUATION,
    LEAST_BASE_QUAL,
    dragstr_costs,
    dragstr_gap_quals,
    gap_open_quals,
    hmm_base_quals,
    pcr_gap_open,
    repeat_gap_open,
    repeat_gap_open_quals,
)
from gpuvc.likelihoods.windows import cut_windows, spread, whole_haplotypes

# float32 knows sums near 2^120 to 7 digits, so that log10 likelihoods nearer than about 2e-6 are one number. Who counts ties (the
# median likelihood that stands for <NON_REF>) needs them tied here too; below the limit GATK computes in float64.
TIE_OFFSET = 120 * math.log10(2)
TIE_LIMIT = -64.0
LOG10_PER_MISMATCH = -4.0  # what an unexplained mismatch may cost before it counts as one too many
MAX_STATIC_MISMATCHES = 2
MIXER = np.uint32(2654435761)  # odd, near 2^32 divided by the golden ratio
MAX_MODELLED_QUAL = 40  # phred; better qualities are not believed when a read's errors are expected


def score_haplotypes(region_reads, haplotypes, reads, takes_part, settings, backend, dragstr=None):
    """Score the reads of each region against its haplotypes.

    Parameters
    ----------
    region_reads : RegionReads
        Clipped to the span that is genotyped.
    haplotypes : HaplotypeBatch
        Of the same regions.
    reads : ReadBatch
        Where `region_reads.read` points; for the mapping quality.
    takes_part : bool[n_rows]
        Reads that genotyping uses; the others are not scored, and have NaN in their rows. So have reads without bases.
    settings : Settings
    backend : Backend
    dragstr : Dragstr or None
        What gaps cost, in place of `settings.pcr_indel_model`.

    Returns
    -------
    LikelihoodBatch
        log10 after the cap; `kept` is False for reads that no haplotype explains, and those that were not scored.

    Raises
    ------
    UsageError
        `base_quality_score_threshold` or `pcr_indel_model` is out of range.
    """
    if settings.base_quality_score_threshold < LEAST_BASE_QUAL:
        raise UsageError(
            f"base quality score threshold: found {settings.base_quality_score_threshold}, expected {LEAST_BASE_QUAL} or more."
        )
    if settings.soft_clip_low_quality_ends:
        region_reads = _without_soft_clips(region_reads)
    offsets, n_rows = region_reads.base_offsets, region_reads.n_rows
    base_quals = np.empty_like(region_reads.base_quals)
    hmm_base_quals(
        offsets, region_reads.base_quals, reads.mapq[region_reads.read], settings.base_quality_score_threshold,
        settings.cap_base_qualities_to_mapq, base_quals,
    )  # fmt: skip
    n_haplotypes, n_reads = np.diff(haplotypes.region_slots), np.diff(region_reads.region_slots)
    widths = np.repeat(n_haplotypes, n_reads)
    is_scored = takes_part & (widths > 0)
    windows = (whole_haplotypes if settings.concordance == "hc" else cut_windows)(region_reads, haplotypes, is_scored)
    twin = np.empty(n_rows, np.int64)
    find_equal_reads(region_reads.region_slots, offsets, region_reads.bases, base_quals, windows.group, twin)
    chosen = np.flatnonzero(twin == np.arange(n_rows))
    chosen = chosen[np.argsort(windows.group[chosen], kind="stable")]

    lengths = (offsets[1:] - offsets[:-1])[chosen]
    read_offsets = np.concatenate(([0], np.cumsum(lengths)))
    flat = np.arange(read_offsets[-1]) + np.repeat(offsets[chosen] - read_offsets[:-1], lengths)
    bases, gap_quals, continuation = region_reads.bases[flat], np.empty(len(flat), np.uint8), GAP_CONTINUATION
    if dragstr is not None and dragstr.scores_gaps:
        continuation = np.empty(len(flat), np.uint8)
        dragstr_gap_quals(read_offsets, bases, *dragstr_costs(dragstr), gap_quals, continuation)
    elif settings.pcr_indel_model == "REPEATS":
        repeat_gap_open_quals(read_offsets, bases, repeat_gap_open(), gap_quals)
    else:
        gap_open_quals(read_offsets, bases, pcr_gap_open(settings.pcr_indel_model), gap_quals)
    read_slots = np.searchsorted(windows.group[chosen], np.arange(len(windows.slots)))
    scored_offsets = row_starts(read_slots, windows.slots)
    scored = np.empty(scored_offsets[-1])
    backend.pair_hmm(
        read_slots, read_offsets, bases, base_quals[flat], gap_quals, gap_quals, windows.slots, windows.base_offsets, windows.bases,
        continuation, scored_offsets[:-1], scored,
    )  # fmt: skip

    row_offsets = np.concatenate(([0], np.cumsum(widths)))
    log10 = np.full(row_offsets[-1], np.nan)
    spread(chosen, windows.group, windows.haplotype_slots, windows.window, scored, scored_offsets, row_offsets, log10)
    kept = np.zeros(n_rows, np.bool_)
    mean, variance = _error_costs()
    limit_likelihoods(
        row_offsets, twin, offsets, base_quals, mean, variance, -settings.phred_scaled_global_read_mismapping_rate / 10,
        settings.expected_mismatch_rate, settings.dynamic_read_disqualification, log10, kept,
    )  # fmt: skip
    return LikelihoodBatch(log10, np.concatenate(([0], np.cumsum(n_reads * n_haplotypes))), kept, is_scored & (windows.group < 0))


def _without_soft_clips(region_reads):
    """RegionReads without the bases that they soft-clip, which the PairHMM is not to see."""
    offsets = region_reads.base_offsets
    pos, end = soft_bounds(region_reads)
    before, behind = region_reads.pos - pos, end - region_reads.end
    lengths = np.diff(offsets) - before - behind
    new = np.concatenate(([0], np.cumsum(lengths)))
    flat = np.arange(new[-1]) + np.repeat(offsets[:-1] + before - new[:-1], lengths)
    return replace(region_reads, base_offsets=new, bases=region_reads.bases[flat], base_quals=region_reads.base_quals[flat])


@kernel(allocates=True)
def find_equal_reads(region_slots, base_offsets, bases, base_quals, group, twin):
    """Write for each row the first of its region with the same group, bases and qualities (itself, most often); -1 if it is unused or
    empty.

    Parameters
    ----------
    region_slots : int64[n_regions + 1]
    base_offsets : int64[n_rows + 1]; bases, base_quals : uint8[...]
    group : int64[n_rows]
        -1 for unused ones.
    twin : int64[n_rows]
    """
    most = 0
    for region in range(region_slots.size - 1):
        most = max(most, region_slots[region + 1] - region_slots[region])
    size = 2
    while size < 2 * most:
        size *= 2
    table = np.empty(size, np.int64)
    for region in range(region_slots.size - 1):
        table[:] = -1
        for row in range(region_slots[region], region_slots[region + 1]):
            first, length = base_offsets[row], base_offsets[row + 1] - base_offsets[row]
            twin[row] = -1
            if group[row] < 0 or length == 0:
                continue
            digest = np.uint32(length)
            for i in range(length):  # a sum, in any order: it vectorises
                digest += np.uint32(np.uint32(bases[first + i] + 5 * base_quals[first + i]) * np.uint32(np.uint32(2 * i + 1) * MIXER))
            slot = np.int64(digest >> np.uint32(16) ^ digest) & (size - 1)
            while table[slot] >= 0 and not (
                group[table[slot]] == group[row] and _is_equal(base_offsets, bases, base_quals, table[slot], row)
            ):
                slot = (slot + 1) & (size - 1)
            if table[slot] < 0:
                table[slot] = row
            twin[row] = table[slot]


@inner_kernel
def _is_equal(base_offsets, bases, base_quals, one, other):
    a, b = base_offsets[one], base_offsets[other]
    length = base_offsets[one + 1] - a
    if base_offsets[other + 1] - b != length:
        return False
    for i in range(length):  # noqa: SIM110
        if bases[a + i] != bases[b + i] or base_quals[a + i] != base_quals[b + i]:
            return False
    return True


def _error_costs():
    """float64[MAX_MODELLED_QUAL + 1] twice: mean and variance of what a base of each quality costs under its own error rate, in phred.

    With p = 1 - e, e = 10^(-q/10): a right base costs -10 log10 p, a wrong one q + 10 log10 3. Quality 0 is not used.
    """
    mean, variance = np.zeros(MAX_MODELLED_QUAL + 1), np.zeros(MAX_MODELLED_QUAL + 1)
    for quality in range(1, MAX_MODELLED_QUAL + 1):
        error = 10 ** (-quality / 10)
        right, wrong = -10 * math.log10(1 - error), quality + 10 * math.log10(3)
        mean[quality] = (1 - error) * right + error * wrong
        variance[quality] = (1 - error) * right**2 + error * wrong**2 - mean[quality] ** 2
    return mean, variance


@inner_kernel
def least_log10(base_quals, mean, variance, mismatch_rate, is_dynamic):
    """The log10 likelihood that a read's best haplotype has to reach, or the read is modelled too poorly to count.

    Parameters
    ----------
    base_quals : uint8[n_bases]
        As the PairHMM has them.
    mean, variance : float64[MAX_MODELLED_QUAL + 1]
        From `_error_costs`.
    mismatch_rate : float
        Mismatches a base that are allowed for.
    is_dynamic : bool
        False: at most MAX_STATIC_MISMATCHES. True: as many as the length has, or what its qualities lead one to expect, if that is more.
    """
    n_mismatches = math.ceil(mismatch_rate * base_quals.size)
    if not is_dynamic:
        return LOG10_PER_MISMATCH * min(n_mismatches, MAX_STATIC_MISMATCHES)
    cost, spread = 0.0, 0.0
    for quality in base_quals:
        believed = min(max(np.int64(quality), 1), MAX_MODELLED_QUAL)
        cost += mean[believed]
        spread += variance[believed]
    return min(LOG10_PER_MISMATCH * n_mismatches, -0.1 * (cost + math.sqrt(spread)))


@kernel
def limit_likelihoods(
    row_offsets, twin, base_offsets, base_quals, mean, variance, most_below_best, mismatch_rate, is_dynamic, log10, kept
):  # fmt: skip
    """Give equal reads the row of the first, tie what float32 ties, cap what a read can say, and write which reads count.

    Parameters
    ----------
    row_offsets : int64[n_rows + 1]
        Where each read's likelihoods lie.
    twin : int64[n_rows]
        From `find_equal_reads`.
    base_offsets, base_quals, mean, variance, mismatch_rate, is_dynamic
        See `least_log10`.
    most_below_best : float
        Log10: no haplotype lies further below the read's best one; above 0 for no limit.
    log10 : float64[...]
        Updated. kept : bool[n_rows], written.
    """
    offset = np.float32(TIE_OFFSET)
    for row in range(twin.size):
        kept[row] = False
        source = twin[row]
        if source < 0:
            continue
        first, n = row_offsets[row], row_offsets[row + 1] - row_offsets[row]
        if source != row:  # an earlier row: it has its limits already
            for h in range(n):
                log10[first + h] = log10[row_offsets[source] + h]
            kept[row] = kept[source]
            continue
        best = -np.inf
        for h in range(n):
            value = log10[first + h]
            if value >= TIE_LIMIT:
                log10[first + h] = np.float64(np.float32(np.float32(value + TIE_OFFSET) - offset))
            best = max(best, log10[first + h])
        if most_below_best <= 0.0:
            for h in range(n):
                log10[first + h] = max(log10[first + h], best + most_below_best)
        quals = base_quals[base_offsets[row] : base_offsets[row + 1]]
        kept[row] = best >= least_log10(quals, mean, variance, mismatch_rate, is_dynamic)
