"""FILTER values: what they mark, and what they leave alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuvc.batches import Call, SampleCall
from gpuvc.genotyping.filters import FILTERS, IMBALANCE, NEAR_BP, NEAR_IMBALANCE, apply_filters, hidden_copies


def call(pos, depths, genotype=(0, 1), qual=100.0):
    alts = tuple("CGT"[: len(depths) - 1])
    return Call(0, pos, "A", alts, qual, (), {}, (SampleCall(genotype, depths, sum(depths), 99, (100, 0, 100)),))


def filters_of(*calls):
    apply_filters(list(calls))
    return [found.filters for found in calls]


def phred(ref, alt, share):
    """What the share says of these depths more than a half does."""
    return 10 * (alt * np.log10(share / 0.5) + ref * np.log10((1 - share) / 0.5))


class TestHiddenCopies:
    @pytest.mark.parametrize("ref, alt", [(20, 20), (22, 18), (0, 0), (1, 1)])
    def test_two_copies_fit_best(self, ref, alt):
        assert hidden_copies(np.array([ref]), np.array([alt]))[0] == 0

    @pytest.mark.parametrize("ref, alt, share", [(30, 10, 1 / 4), (40, 20, 1 / 3), (20, 40, 2 / 3), (10, 30, 3 / 4)])
    def test_shares_of_three_and_four_copies(self, ref, alt, share):
        assert hidden_copies(np.array([ref]), np.array([alt]))[0] == pytest.approx(phred(ref, alt, share), abs=1e-9)

    @given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=20))
    def test_symmetric_and_never_below_0(self, depths):
        ref, alt = np.array(depths, int).reshape(-1, 2).T
        found = hidden_copies(ref, alt)
        assert len(found) == len(depths) and (found >= 0).all() and found == pytest.approx(hidden_copies(alt, ref), abs=1e-6)


FAR, NEAR, FINE = (45, 10), (20, 8), (16, 15)  # 30 and 6 phred, as the assertions below hold


class TestAlleleBalance:
    def test_depths_of_these_tests(self):
        far, near, fine = (float(hidden_copies(*np.array(depths).reshape(2, 1))[0]) for depths in (FAR, NEAR, FINE))
        assert far >= IMBALANCE > near >= NEAR_IMBALANCE > fine

    def test_by_itself(self):
        assert filters_of(call(100, FAR)) == [("AlleleBalance",)]
        assert filters_of(call(100, FAR[::-1])) == [("AlleleBalance",)]
        assert filters_of(call(100, NEAR), call(5000, FINE)) == [(), ()]

    @pytest.mark.parametrize("distance, is_marked", [(1, True), (NEAR_BP, True), (NEAR_BP + 1, False)])
    @pytest.mark.parametrize("side", [-1, 1])
    def test_beside_such_a_call(self, distance, is_marked, side):
        calls = sorted([call(1000, FAR), call(1000 + side * distance, NEAR)], key=lambda found: found.pos)
        found = dict(zip([found.pos for found in calls], filters_of(*calls)))
        assert found == {1000: ("AlleleBalance",), 1000 + side * distance: ("AlleleBalance",) if is_marked else ()}

    def test_marks_are_not_handed_on(self):
        """The one in the middle is marked for its neighbour; the third is near the second only."""
        assert filters_of(call(1000, FAR), call(1140, NEAR), call(1280, NEAR)) == [("AlleleBalance",), ("AlleleBalance",), ()]

    def test_balanced_calls_are_left_alone_beside_it(self):
        assert filters_of(call(1000, FAR), call(1010, FINE)) == [("AlleleBalance",), ()]

    @pytest.mark.parametrize(
        "genotype, depths", [((1, 1), FAR), ((1, 2), (0, 40, 10)), ((1,), FAR), ((0, 0, 1), FAR), ((0, 1, 1), FAR), ((0, 0, 0, 1), FAR)]
    )
    def test_diploid_heterozygotes_only(self, genotype, depths):
        assert filters_of(call(100, depths, genotype)) == [()]

    def test_the_called_alternate_counts(self):
        assert filters_of(call(100, (45, 0, 10), (0, 2))) == [("AlleleBalance",)]
        assert filters_of(call(100, (16, 30, 15), (0, 2))) == [()]


class TestLowQual:
    @pytest.mark.parametrize("qual, expected", [(9.99, ("LowQual",)), (10.0, ()), (0.0, ("LowQual",))])
    def test_threshold(self, qual, expected):
        assert filters_of(call(100, FINE, qual=qual)) == [expected]

    def test_both(self):
        assert filters_of(call(100, FAR, qual=5.0)) == [("LowQual", "AlleleBalance")]


def test_no_calls():
    assert filters_of() == []


def test_every_filter_is_described():
    assert set(FILTERS) == {"LowQual", "AlleleBalance"} and all('"' not in text and "\n" not in text for text in FILTERS.values())
