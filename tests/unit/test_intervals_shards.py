"""Intervals, and how targets are cut into shards."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuvc.api import MAX_GAP_BP, MAX_SHARD_BP, SHARD_BYTES, plan_shards
from gpuvc.intervals import Contigs, Interval, Shard


def source(*byte_starts):
    """Alignments as far as shards are planned by them: one (positions, offsets) per contig, or None without an index."""
    found = [part if part is None else tuple(np.array(column, np.int64) for column in part) for part in byte_starts]
    return SimpleNamespace(byte_starts=lambda contig_id: found[contig_id])


def targets(*contigs):
    return [np.array(rows, np.int64).reshape(-1, 2) for rows in contigs]


def planned(*arguments, **options):
    """[(contig, [target, ...])] of the shards."""
    shards = plan_shards(*arguments, **options)
    assert [shard.index for shard in shards] == list(range(len(shards)))
    return [(shard.contig_id, [tuple(row) for row in shard.targets.tolist()]) for shard in shards]


class TestPlan:
    def test_one_small_target_is_one_shard(self):
        assert planned(targets([(100, 900)]), source(([0], [0]))) == [(0, [(100, 900)])]

    def test_no_targets(self):
        assert planned(targets([], [(5, 9)], []), source(None, None, None)) == [(1, [(5, 9)])]

    def test_by_bytes(self):
        """1,000 bytes a base over 16 kb windows of an index: shards of 100,000 bytes are 100 bp."""
        index = ([0, 1000], [0, 1_000_000])
        shards = planned(targets([(0, 1000)]), source(index), shard_bytes=100_000)
        assert shards == [(0, [(at, at + 100)]) for at in range(0, 1000, 100)]

    def test_dense_places_get_short_shards(self):
        index = ([0, 1000, 2000, 3000], [0, 10_000, 1_010_000, 1_020_000])
        shards = planned(targets([(0, 3000)]), source(index), shard_bytes=100_000)
        lengths = [rows[0][1] - rows[0][0] for _, rows in shards]
        assert len(shards) == 11 and lengths[0] > 1000 and lengths[-1] > 900 and lengths[1:-1] == 9 * [100]

    def test_no_longer_than_the_limit(self):
        shards = planned(targets([(7, 1_000_000)]), source(None))
        assert [rows[0][1] - rows[0][0] for _, rows in shards[:-1]] == 6 * [MAX_SHARD_BP]
        assert shards[0][1][0][0] == 7 and shards[-1][1][0][1] == 1_000_000

    def test_targets_near_each_other_share_a_shard(self):
        rows = [(100, 200), (300, 400), (400 + MAX_GAP_BP, 900 + MAX_GAP_BP)]
        assert planned(targets(rows), source(None)) == [(0, rows)]

    def test_wide_gaps_part_them(self):
        rows = [(100, 200), (201 + MAX_GAP_BP, 300 + MAX_GAP_BP)]
        assert planned(targets(rows), source(None)) == [(0, rows[:1]), (0, rows[1:])]

    def test_shards_lie_on_one_contig(self):
        assert planned(targets([(0, 10)], [(0, 10), (20, 30)]), source(None, None)) == [(0, [(0, 10)]), (1, [(0, 10), (20, 30)])]

    def test_default_size(self):
        index = ([0, 100_000], [0, 10 * SHARD_BYTES])
        assert len(planned(targets([(0, 100_000)]), source(index))) == 10

    @given(
        st.lists(st.integers(1, 400_000), min_size=2, max_size=40, unique=True),
        st.one_of(st.none(), st.lists(st.integers(0, 4_000_000), min_size=2, max_size=20)),
        st.integers(1, 2_000_000),
    )
    def test_together_they_are_the_targets(self, bounds, offsets, shard_bytes):
        bounds = sorted(bounds)[: len(bounds) // 2 * 2]
        rows = list(zip(bounds[::2], bounds[1::2]))
        index = None if offsets is None else (np.linspace(0, 400_000, len(offsets)).astype(int), sorted(offsets))
        shards = planned(targets(rows), source(index), shard_bytes=shard_bytes)
        pieces = [piece for _, part in shards for piece in part]
        assert all(a < b for a, b in pieces)
        inside = np.zeros(400_001, np.int64)
        for a, b in pieces:
            inside[a:b] += 1
        expected = np.zeros(400_001, np.int64)
        for a, b in rows:
            expected[a:b] += 1
        assert np.array_equal(inside, expected)
        starts = [a for a, _ in pieces]
        assert starts == sorted(starts)
        assert all(part[-1][1] - part[0][0] <= MAX_SHARD_BP for _, part in shards)
        assert all(b[0] - a[1] <= MAX_GAP_BP for _, part in shards for a, b in pairwise(part))


class TestIntervals:
    def test_padding_stays_on_the_contig(self):
        assert Interval(2, 100, 200).padded(30, 1000) == Interval(2, 70, 230)
        assert Interval(2, 10, 990).padded(30, 1000) == Interval(2, 0, 1000)
        assert Interval(0, 5, 5).padded(0, 9) == Interval(0, 5, 5)

    def test_length_and_order(self):
        assert len(Interval(0, 5, 12)) == 7
        first, second, third = Interval(0, 7, 8), Interval(0, 7, 9), Interval(1, 0, 5)
        assert sorted([third, second, first]) == [first, second, third]

    def test_contigs(self):
        contigs = Contigs(("chr2", "chr1"), (20, 10))
        assert contigs.index == {"chr2": 0, "chr1": 1} and len(contigs) == 2

    @pytest.mark.parametrize("rows, span, n_bases", [([(3, 9)], (3, 9), 6), ([(3, 9), (20, 21)], (3, 21), 7)])
    def test_shard(self, rows, span, n_bases):
        shard = Shard(0, 4, np.array(rows))
        assert shard.span == Interval(4, *span) and shard.n_bases == n_bases
