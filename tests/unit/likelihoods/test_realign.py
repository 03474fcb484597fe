"""The short ways of aligning a read to its haplotype give what the long one gives."""

import numpy as np
from builders import callable_kernel

from gpuvc.assembly import smith_waterman
from gpuvc.assembly.smith_waterman import SOFTCLIP
from gpuvc.likelihoods import realign

align, align_to_haplotype, ungapped_placement, find_starts = map(
    callable_kernel, (smith_waterman.align, realign.align_to_haplotype, realign.ungapped_placement, realign.find_starts)
)


def random_pair(rng):
    """A reference of few letters, often repetitive, and a piece of it with mismatches, an indel, bases that hang over either end."""
    n = int(rng.integers(20, 260))
    ref = rng.integers(0, int(rng.integers(2, 5)), n).astype(np.uint8)
    if rng.random() < 0.3:
        ref = np.tile(ref[: int(rng.integers(1, 40))], n)[:n].copy()
    start = int(rng.integers(0, n - 10))
    query = ref[start : start + int(rng.integers(10, n - start + 1))].copy()
    for _ in range(int(rng.integers(0, 8))):
        query[rng.integers(0, query.size)] = rng.integers(0, 4)
    at = int(rng.integers(1, query.size))
    kind = rng.random()
    hangs = rng.integers(0, 4, int(rng.integers(1, 8))).astype(np.uint8)
    if kind < 0.2:
        query = np.concatenate([query[:at], hangs, query[at:]])
    elif kind < 0.4:
        query = np.concatenate([query[:at], query[at + int(rng.integers(1, 10)) :]])
    elif kind < 0.6:
        query = np.concatenate([hangs, query])
    elif kind < 0.7:
        query = np.concatenate([query, hangs])
    return ref, np.ascontiguousarray(query)


def test_short_alignment_equals_the_full_one():
    rng = np.random.default_rng(11)
    rows, back = np.empty((6, 300), np.int32), np.empty(300 * 300, np.int16)
    full, short, alive = np.empty(700, np.uint32), np.empty(700, np.uint32), np.empty((2, 300), np.int64)
    sparse = few_starts = 0
    for k in range(6000):
        ref, query = random_pair(rng)
        mismatches = ungapped_placement(ref, query, realign._MOST_SPARSE)[1]
        sparse += mismatches >= 2
        few_starts += mismatches >= 1 and find_starts(ref, query, mismatches, alive[0]) < ref.size // 2
        wanted = align(ref, query, 10, -15, -30, -5, SOFTCLIP, rows, back, full)
        found = align_to_haplotype(ref, query, rows, back, alive, short)
        assert found == wanted, k
        assert (short[: found[1]] == full[: found[1]]).all(), k
    assert sparse > 1000
    assert few_starts > 300
