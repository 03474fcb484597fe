"""FILTER values: what they mark, and what they leave alone."""

import math

import numpy as np
import pytest
from builders import codes
from hypothesis import given
from hypothesis import strategies as st

from gpuvc.batches import Call, SampleCall
from gpuvc.genotyping.filters import (
    FILTERS,
    IMBALANCE,
    LOW_RANK,
    MAX_SLIPPAGE,
    NEAR_BP,
    NEAR_IMBALANCE,
    ONE_STRAND,
    SLIPPED,
    apply_filters,
    hidden_copies,
    one_strand,
    slippage,
)


def call(pos, depths, genotype=(0, 1), qual=100.0):
    alts = tuple("CGT"[: len(depths) - 1])
    return Call(0, pos, "A", alts, qual, (), {}, (SampleCall(genotype, depths, sum(depths), 99, (100, 0, 100)),))


PLAIN = codes("ACGTTGCA" * 1000)


def filters_of(*calls, reference=PLAIN):
    apply_filters(list(calls), reference, 0)
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


def strand_call(strands, rank=LOW_RANK, genotype=(0, 1), others=()):
    """A heterozygote with these reads: reference forward and reverse, alternate forward and reverse."""
    samples = [SampleCall(genotype, (16, 15), 31, 99, (100, 0, 100), strand_depths=own) for own in (strands, *others)]
    return Call(0, 100, "A", ("C",), 100.0, (), {"BaseQRankSum": rank}, tuple(samples))


class TestStrandBias:
    def test_by_counting(self):
        """5 alternate reads of 10 on one strand, none of 4 on the other: all orders of reads, all shares alike."""
        shares = (np.arange(100_000) + 0.5) / 100_000
        error = np.mean(shares**5 * (1 - shares) ** 5)
        assert one_strand(5, 4, 5, 0) == pytest.approx(10 * math.log10(error / 0.5**14), abs=1e-3)
        assert one_strand(4, 5, 0, 5) == one_strand(5, 4, 5, 0)
        assert one_strand(5, 3, 5, 1) == pytest.approx(10 * math.log10(error * 0.01 / 0.5**14), abs=1e-3)

    def test_alleles_on_both_strands_or_one_that_was_read_alone(self):
        assert one_strand(10, 10, 10, 10) < -50
        assert one_strand(15, 0, 15, 0) < 0 and one_strand(0, 0, 0, 0) <= 0

    ONE, BOTH = (12, 12, 0, 12), (12, 12, 6, 6)

    def test_one_strand_and_low_qualities_together(self):
        assert one_strand(*self.ONE) >= ONE_STRAND > one_strand(*self.BOTH)
        assert filters_of(strand_call(self.ONE)) == [("StrandBias",)]
        assert filters_of(strand_call(self.ONE, LOW_RANK + 0.01)) == [()]
        assert filters_of(strand_call(self.ONE, None)) == [()]
        assert filters_of(strand_call(self.ONE, 3.0)) == [()]
        assert filters_of(strand_call(self.BOTH)) == [()]

    def test_heterozygotes_with_known_strands_only(self):
        assert filters_of(strand_call(self.ONE, genotype=(1, 1))) == [()]
        assert filters_of(strand_call(None)) == [()]

    def test_samples_count_together(self):
        assert filters_of(strand_call(self.ONE, others=[(4, 4, 8, 0)])) == [()]
        assert filters_of(strand_call((3, 3, 0, 3), others=[(9, 9, 0, 9)])) == [("StrandBias",)]


REPEAT = codes("ACGTTGCATG" + "CA" * 5 + "GGTTCCATGA" * 5)


def indel_call(depths, alt, genotype=(0, 1), *, pos, ref, more=()):
    samples = [SampleCall(genotype, own, sum(own), 99, (100, 0, 100)) for own in (depths, *more)]
    return Call(0, pos, ref, (alt,), 100.0, (), {}, tuple(samples))


class TestStutter:
    def test_by_counting(self):
        rates = MAX_SLIPPAGE * (np.arange(100_000) + 0.5) / 100_000
        assert slippage(15, 3) == pytest.approx(10 * math.log10(np.mean(rates**3 * (1 - rates) ** 15) / 0.5**18), abs=0.01)
        assert slippage(0, 0) == pytest.approx(0, abs=1e-9)

    @pytest.mark.parametrize("depths, is_marked", [((15, 3), True), ((20, 5), True), ((9, 2), False), ((20, 8), False), ((15, 15), False)])
    def test_share_and_depth(self, depths, is_marked):
        assert (slippage(*depths) >= SLIPPED) == is_marked
        # One copy is gained: the repeat begins behind the base that the record begins with.
        call = indel_call(depths, "GCA", pos=9, ref="G")
        assert filters_of(call, reference=REPEAT) == [("Stutter",) if is_marked else ()]

    @pytest.mark.parametrize(
        "ref, alt, is_marked",
        [("G", "GCA", True), ("GCA", "G", True), ("G", "GCACA", True), ("G", "GC", False), ("GCAC", "G", False), ("G", "C", False)],
    )
    def test_whole_units_only(self, ref, alt, is_marked):
        assert filters_of(indel_call((20, 3), alt, pos=9, ref=ref), reference=REPEAT) == [("Stutter",) if is_marked else ()]

    def test_a_repeat_of_enough_copies(self):
        short = codes("ACGTTGCATG" + "CA" * 4 + "GGTTCCATGA" * 5)
        assert filters_of(indel_call((20, 3), "GCA", pos=9, ref="G"), reference=short) == [()]

    def test_every_heterozygote_has_to_slip(self):
        slips, holds = (20, 3), (15, 15)
        assert filters_of(indel_call(slips, "GCA", pos=9, ref="G", more=[slips]), reference=REPEAT) == [("Stutter",)]
        assert filters_of(indel_call(slips, "GCA", pos=9, ref="G", more=[holds]), reference=REPEAT) == [()]

    @pytest.mark.parametrize("genotype, alt", [((1, 1), "GCA"), ((0, 1), "*"), ((0, 0, 1), "GCA")])
    def test_diploid_heterozygotes_for_an_indel_only(self, genotype, alt):
        assert filters_of(indel_call((20, 3), alt, genotype, pos=9, ref="G"), reference=REPEAT) == [()]


class TestLowQual:
    @pytest.mark.parametrize("qual, expected", [(9.99, ("LowQual",)), (10.0, ()), (0.0, ("LowQual",))])
    def test_threshold(self, qual, expected):
        assert filters_of(call(100, FINE, qual=qual)) == [expected]

    def test_both(self):
        assert filters_of(call(100, FAR, qual=5.0)) == [("LowQual", "AlleleBalance")]


def test_no_calls():
    assert filters_of() == []


def test_every_filter_is_described():
    assert set(FILTERS) == {"LowQual", "AlleleBalance", "StrandBias", "Stutter"}
    assert all('"' not in text and "\n" not in text for text in FILTERS.values())
