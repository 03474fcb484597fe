"""How likely alleles are before reads are seen: by kind, and by the tandem repeat that an indel falls into."""

import numpy as np
import pytest
from builders import codes, random_sequence, read
from hypothesis import given
from hypothesis import strategies as st

from gpuvc.batches import IndelTable
from gpuvc.genotyping.priors import REPEAT_INDEL_PHRED, _repeats, allele_rates
from gpuvc.pileup.candidates import Candidates
from gpuvc.settings import Settings

FLANK = random_sequence(30, seed=3)


def repeat_at(text, position):
    """(period, copies) of the repeat that holds a position."""
    period, copies = np.empty(1, np.int64), np.empty(1, np.int64)
    _repeats(np.array([position]), codes(text), period, copies)
    return int(period[0]), int(copies[0])


def candidates(*alleles):
    """Candidates of (position, length, is_indel), in order; what priors do not look at is left empty."""
    nothing = np.empty(0)
    indel, n = [], 0
    for _, _, is_indel in alleles:
        indel.append(n if is_indel else -1)
        n += is_indel
    return Candidates(
        pos=np.array([a[0] for a in alleles], np.int32), length=np.array([a[1] for a in alleles], np.int32), base=nothing,
        indel=np.array(indel, np.int32), last=nothing, locus_slots=nothing, locus_pos=nothing, locus_end=nothing, locus_last=nothing,
        is_indel=nothing, by_haplotypes=nothing, indels=IndelTable(*(6 * [nothing])),
    )  # fmt: skip


def rates(text, *alleles, start=0, **settings):
    return allele_rates(candidates(*alleles), codes(text), start, Settings(**settings)).tolist()


class TestRepeats:
    @pytest.mark.parametrize(
        "unit, copies", [("A", 8), ("AC", 5), ("CAG", 4), ("TGCA", 3), ("TGCAG", 3), ("GATCAC", 3), ("GATCACT", 2), ("GATCACTC", 2)]
    )
    def test_found_from_any_of_its_bases(self, unit, copies):
        text = "CCGGT" + copies * unit + "GTTGG"
        for at in range(5, 5 + copies * len(unit)):
            assert repeat_at(text, at) == (len(unit), copies), at

    def test_incomplete_units_do_not_count(self):
        assert repeat_at("GGT" + "CAGCAGCAGCA" + "TTG", 4) == (3, 3)

    def test_most_copies_win(self):
        """A run of A within a repeat of six bases."""
        assert repeat_at("CCG" + 2 * "GTAAAA" + "GGC", 6) == (1, 4)

    def test_none(self):
        assert repeat_at("ACGTGCA", 3) == (1, 1)

    @pytest.mark.parametrize("at", [-1, 7, 50])
    def test_outside(self, at):
        assert repeat_at("AAAAAAA", at) == (1, 1)

    def test_unknown_bases(self):
        assert repeat_at("NNNNNN", 3) == (1, 1)
        assert repeat_at("NNAAAANN", 3) == (1, 4)

    @given(st.text("AC", min_size=1, max_size=30), st.data())
    def test_against_all_tracts(self, text, data):
        """The most copies of any tract of whole units around the base; of equals the shortest unit."""
        at = data.draw(st.integers(0, len(text) - 1))
        best = (1, 1)
        for period in range(1, 9):
            for low in range(at + 1):
                for high in range(at + 1, len(text) + 1):
                    tract = text[low:high]
                    if len(tract) >= 2 * period and tract == (len(tract) * tract[:period])[: len(tract)] and len(tract) // period > best[1]:
                        best = (period, len(tract) // period)
        assert repeat_at(text, at) == best


class TestRates:
    def test_snvs(self):
        assert rates(FLANK, (10, 0, False), (12, 0, False)) == [1e-3, 1e-3]
        assert rates(FLANK, (10, 0, False), heterozygosity=0.02) == [0.02]

    def test_indels_outside_repeats(self):
        assert rates(FLANK, (10, 3, True), (10, -2, True)) == 2 * [10**-3.9]  # of one copy of one base, a little above 1.25e-4
        assert rates(FLANK, (10, 3, True), indel_heterozygosity=1e-3) == [1e-3]

    @pytest.mark.parametrize("n", [8, 12, 20, 30])
    @pytest.mark.parametrize("length", [-2, -1, 1, 4])
    def test_homopolymers(self, n, length):
        text = FLANK + "C" + n * "A" + "C" + FLANK
        assert rates(text, (30, length, True)) == [10 ** (-REPEAT_INDEL_PHRED[0, min(n, 20) - 1] / 10)]

    @pytest.mark.parametrize("length, is_whole", [(-2, True), (2, True), (4, True), (-6, True), (1, False), (-1, False), (3, False)])
    def test_whole_units_only(self, length, is_whole):
        text = FLANK + "G" + 9 * "AC" + "G" + FLANK
        expected = 10 ** (-REPEAT_INDEL_PHRED[1, 8] / 10) if is_whole else 1.25e-4
        assert rates(text, (30, length, True)) == [expected]

    def test_never_below_the_general_rate(self):
        text = FLANK + "C" + "AA" + "C" + FLANK
        assert 10 ** (-REPEAT_INDEL_PHRED[0, 1] / 10) > 1.25e-4
        assert rates(text, (30, -1, True), indel_heterozygosity=0.01) == [0.01]

    def test_window_may_begin_anywhere(self):
        text = FLANK + "C" + 12 * "A" + "C" + FLANK
        for start in (0, 5, 30):
            assert rates(text[start:], (30, -1, True), start=start) == rates(text, (30, -1, True))

    def test_kinds_may_be_mixed(self):
        text = FLANK + "C" + 12 * "A" + "C" + FLANK
        assert rates(text, (10, 0, False), (30, -1, True), (35, 0, False), (50, 2, True)) == [1e-3, 10**-0.7, 1e-3, 10**-3.9]


def test_table():
    assert REPEAT_INDEL_PHRED.shape == (8, 20) and (REPEAT_INDEL_PHRED > 0).all()
    assert (np.diff(REPEAT_INDEL_PHRED, axis=1) <= 0).all()  # the more copies the likelier
    assert read(FLANK, "....").bases == FLANK[:4]
