"""Positions without a variant → blocks of like genotype quality (specification, section 6.2)."""

import numpy as np

from gpuvc.batches import ReferenceBlocks, ShardCalls
from gpuvc.kernels.jit import inner_kernel, kernel

MOST_GQ = 99
DEFAULT_BANDS = (*range(1, 61), 70, 80, 90, 99)
"""Exclusive upper bounds of the GQ of sites that share a block (GATK --gvcf-gq-bands)."""


@inner_kernel
def _take_median(counts, depth, first, last):
    """Median of depth[first:last], the mean of the middle two rounded half up; counts: zeros, and zeros again afterwards."""
    size = last - first
    if size == 1:
        return np.int64(depth[first])
    least, most = np.int64(depth[first]), np.int64(depth[first])
    for x in range(first, last):
        counts[depth[x]] += 1
        least, most = min(least, np.int64(depth[x])), max(most, np.int64(depth[x]))
    lower = upper = np.int64(-1)
    seen = np.int64(0)
    for d in range(least, most + 1):
        seen += counts[d]
        if lower < 0 and seen > (size - 1) // 2:
            lower = d
        if upper < 0 and seen > size // 2:
            upper = d
        counts[d] = 0
    return (lower + upper + 1) // 2


@kernel(allocates=True)
def find_blocks(
    start, target_start, target_end, covered, record_end, band_of, each_position, pls, quality, depth, block_start, block_end, block_band,
    block_pls, block_least, block_median,
):  # fmt: skip
    """Write runs of positions of one band of GQ → how many.

    start : int
        Position of the first row of record_end, pls, quality, depth.
    target_start, target_end : int64[n_targets]
        Where positions are written.
    covered : int
        No block begins before it: the end of the last record before the targets.
    record_end : int32[n]
        Where a record begins, the position behind it; else 0. Up to there are no blocks.
    band_of : int32[MOST_GQ + 1]
        Least GQ of each GQ's band.
    each_position : bool
        Every position without a record is a block of its own, whatever covers it.

    Source: specification, section 6.2.
    """
    n_blocks = np.int64(0)
    most = np.int64(0)
    for x in range(depth.size):
        most = max(most, np.int64(depth[x]))
    counts = np.zeros(most + 1, np.int64)
    for t in range(target_start.size):
        x, stop = target_start[t] - start, target_end[t] - start
        while x < stop:
            if record_end[x] > 0:
                covered = np.int64(record_end[x])
            if record_end[x] > 0 or (x + start < covered and not each_position):
                x += 1
                continue
            first, band = x, band_of[min(quality[x], MOST_GQ)]
            least = depth[x]
            for k in range(pls.shape[1]):
                block_pls[n_blocks, k] = pls[x, k]
            x += 1
            while not each_position and x < stop and record_end[x] == 0 and band_of[min(quality[x], MOST_GQ)] == band:
                least = min(least, depth[x])
                for k in range(pls.shape[1]):
                    block_pls[n_blocks, k] = min(block_pls[n_blocks, k], pls[x, k])
                x += 1
            block_start[n_blocks], block_end[n_blocks], block_band[n_blocks] = first + start, x + start, band
            block_least[n_blocks] = least
            block_median[n_blocks] = _take_median(counts, depth, first, x)
            n_blocks += 1
    return n_blocks


def is_record(call):
    """Whether a call stands for itself: not so the reference against everything else, which goes into a block."""
    sample = call.samples[0]
    return len(call.alts) > 1 or sample.phred_likelihoods[0] > 0 or max(sample.genotype) > 0


def make_blocks(span, codes, targets, earlier, calls, pls, quality, depth, other_depth, settings):
    """ShardCalls: the calls that are records, and the blocks around them. A call without a variant allele becomes part of a block.

    Parameters
    ----------
    span : Interval
        What the columns are of.
    codes : uint8[n]
        Reference.
    targets : int64[n_targets, 2]
        Where blocks are made.
    earlier : list[Call]
        That are written before the targets and may reach them.
    calls : list[Call]
        That begin in a target.
    pls : int32[n, ploidy + 1]; quality, depth, other_depth : int32[n]
        From `gpuvc.genotyping.reference_confidence.judge_positions`; overwritten where a call becomes part of a block.
    settings : Settings
    """
    each_position = settings.emit_ref_confidence == "BP_RESOLUTION"
    covered = ([0] + [call.pos + len(call.ref) for call in earlier if is_record(call)])[-1]
    record_end = np.zeros(len(span), np.int32)
    records = []
    for call in calls:
        x, sample = call.pos - span.start, call.samples[0]
        if not each_position and not is_record(call):
            pls[x], quality[x], depth[x] = sample.phred_likelihoods, sample.genotype_quality, sample.depth or 0
            continue
        record_end[x] = call.pos + len(call.ref)
        records.append(call)
    n_rows, n_genotypes = int((targets[:, 1] - targets[:, 0]).sum()), pls.shape[1]
    columns = [np.empty(shape, np.int32) for shape in (n_rows, n_rows, n_rows, (n_rows, n_genotypes), n_rows, n_rows)]
    n_blocks = find_blocks(
        span.start, targets[:, 0].copy(), targets[:, 1].copy(), covered, record_end, least_of_band(settings.gvcf_gq_bands), each_position,
        pls, quality, depth, *columns,
    )  # fmt: skip
    start, end, band, block_pls, least, median = (column[:n_blocks].copy() for column in columns)
    counts = [np.bincount(depth[start[k] - span.start : end[k] - span.start]) for k in (0, -1)] if n_blocks else [np.zeros(1, int)] * 2
    return ShardCalls(records, ReferenceBlocks(
        contig_id=span.contig_id, start=start, end=end, ref=codes[start - span.start], band=band, phred_likelihoods=block_pls,
        min_depth=least, depth=median, other_depth=other_depth[start - span.start] if each_position else None, first_depths=counts[0],
        last_depths=counts[1],
    ))  # fmt: skip


def least_of_band(bounds):
    """int32[MOST_GQ + 1]: the least GQ of the band that each GQ is in; bounds: exclusive upper ones, DEFAULT_BANDS when empty."""
    bounds = np.array(bounds or DEFAULT_BANDS)
    return np.concatenate(([0], bounds))[np.searchsorted(bounds, np.arange(MOST_GQ + 1), side="right")].astype(np.int32)
