"""The short ways of aligning a read to its haplotype give what the long one gives."""

import numpy as np
from builders import callable_kernel

from gpuvc.assembly import smith_waterman
from gpuvc.assembly.smith_waterman import SOFTCLIP
from gpuvc.likelihoods import realign

align, align_to_haplotype, ungapped_placement = map(
    callable_kernel, (smith_waterman.align, realign.align_to_haplotype, realign.ungapped_placement)
)


def random_pair(rng):
    """A reference of few letters, often repetitive, and a piece of it with mismatches, an indel, bases in front."""
    n = int(rng.integers(20, 120))
    ref = rng.integers(0, int(rng.integers(2, 5)), n).astype(np.uint8)
    if rng.random() < 0.3:
        ref = np.tile(ref[: int(rng.integers(1, 7))], n)[:n].copy()
    start = int(rng.integers(0, n - 10))
    query = ref[start : start + int(rng.integers(10, n - start + 1))].copy()
    for _ in range(int(rng.integers(0, 5))):
        query[rng.integers(0, query.size)] = rng.integers(0, 4)
    at = int(rng.integers(1, query.size))
    kind = rng.random()
    if kind < 0.2:
        query = np.concatenate([query[:at], rng.integers(0, 4, 3).astype(np.uint8), query[at:]])
    elif kind < 0.4:
        query = np.concatenate([query[:at], query[at + int(rng.integers(1, 5)) :]])
    elif kind < 0.6:
        query = np.concatenate([rng.integers(0, 4, 2).astype(np.uint8), query])
    return ref, np.ascontiguousarray(query)


def test_short_alignment_equals_the_full_one():
    rng = np.random.default_rng(11)
    rows, back = np.empty((6, 200), np.int32), np.empty(200 * 200, np.int16)
    full, short = np.empty(500, np.uint32), np.empty(500, np.uint32)
    sparse = 0
    for k in range(3000):
        ref, query = random_pair(rng)
        sparse += ungapped_placement(ref, query, 6)[1] >= 2
        wanted = align(ref, query, 10, -15, -30, -5, SOFTCLIP, rows, back, full)
        found = align_to_haplotype(ref, query, rows, back, short)
        assert found == wanted, k
        assert (short[: found[1]] == full[: found[1]]).all(), k
    assert sparse > 1000
