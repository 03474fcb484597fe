"""Blocks of reference that wait for the next shard."""

import numpy as np

from gpuvc.batches import ReferenceBlocks
from gpuvc.output.gvcf import joined, last_block, without_last


def three_blocks(start, depths):
    """Neighbouring blocks of one band, each of the depths (int by position) given."""
    ends = start + np.cumsum([len(d) for d in depths])
    counts = [np.bincount(d) for d in depths]
    likely, least, median = np.full((3, 3), 20, np.int32), [min(d) for d in depths], [sorted(d)[len(d) // 2] for d in depths]
    return ReferenceBlocks(
        contig_id=0, start=np.array([start, *ends[:-1]], np.int32), end=ends.astype(np.int32), ref=np.zeros(3, np.uint8),
        band=np.full(3, 20, np.int32), phred_likelihoods=likely, min_depth=np.array(least, np.int32), depth=np.array(median, np.int32),
        other_depth=None, first_depths=counts[0], last_depths=counts[2],
    )  # fmt: skip


def test_the_last_block_is_cut_off_with_its_own_depths():
    blocks = three_blocks(100, [[1], [5, 5, 5], [7, 9, 9]])
    last, others = last_block(blocks), without_last(blocks)
    assert (last.start.tolist(), last.end.tolist(), others.start.tolist(), others.end.tolist()) == ([104], [107], [100, 101], [101, 104])
    assert last.first_depths.tolist() == last.last_depths.tolist() == [0] * 7 + [1, 0, 2]
    assert others.first_depths.tolist() == [0, 1]
    after = joined(last, three_blocks(107, [[2, 2], [4], [6]]))
    assert (int(after.start[0]), int(after.end[0]), int(after.min_depth[0]), int(after.depth[0])) == (104, 109, 2, 7)
