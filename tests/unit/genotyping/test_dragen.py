"""DRAGEN-GATK's additions, against numbers computed from the formulas by other code, and GATK's."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gpuvc.genotyping.dragen import (
    MISPLACED_PHRED,
    REPEAT_CONTEXT_BP,
    dropout_phred,
    foreign_log10,
    genotype_log10_priors,
    locus_repeats,
    no_variant_phred,
    posterior_call,
    repeats_from,
)
from gpuvc.genotyping.genotypes import genotype_table
from gpuvc.io.dragstr import Dragstr, read_tables
from gpuvc.kernels.codes import CODE_OF_ASCII
from gpuvc.likelihoods.marginalize import add_soft_clips
from gpuvc.settings import Settings

FOLDER = Path(__file__).parents[2] / "golden"
GOLDEN = json.loads((FOLDER / "dragen.json").read_text())
MADE_UP = Dragstr(*read_tables(FOLDER / "dragstr.made_up.txt"))


def test_weight_of_mapping_qualities():
    assert [MISPLACED_PHRED[mapq] for mapq, _ in GOLDEN["mapq_transform"]] == pytest.approx(
        [phred for _, phred in GOLDEN["mapq_transform"]]
    )


class TestDropout:
    case = GOLDEN["bqd_one_strand"]
    genotype, error, quals = (np.array(column) for column in zip(*case["reads"]))

    def score(self, n=None, discount=case["homopolymer_adj"]):
        return dropout_phred(self.genotype[:n].copy(), self.error[:n].copy(), self.quals[:n].astype(np.int64), discount)

    def test_late_errors_of_low_quality(self):
        assert self.score() == pytest.approx(self.case["phred_score"], rel=1e-9)

    def test_errors_that_are_too_good(self):
        """Bases of high quality are no dropout: the plain score is better."""
        found = dropout_phred(self.genotype.copy(), self.error.copy(), np.full(len(self.quals), 40, np.int64), 0.0)
        assert found == pytest.approx(self.case["plain_phred"], rel=1e-9)

    def test_no_reads(self):
        assert self.score(n=0) == 0

    def test_a_read_without_a_say_lends_its_quality(self):
        """What no haplotype explains has no likelihoods, but a base."""
        with_one = [np.concatenate([[0.0], column]) for column in (self.genotype, self.error)]
        quals = np.concatenate([[2], self.quals]).astype(np.int64)
        assert dropout_phred(*with_one, quals, self.case["homopolymer_adj"]) < self.score()


class TestForeign:
    case = GOLDEN["frd"]
    genotype, foreign, mapq, strand = (np.array(column) for column in zip(*case["reads"]))
    critical = -0.1 * MISPLACED_PHRED[mapq.astype(int)] - 0.1 * case["prior_phred"]

    @pytest.mark.parametrize("strand", ["F", "R", "B"])
    def test_badly_placed_reads(self, strand):
        chosen = {"F": self.strand == 0, "R": self.strand == 1, "B": np.ones(len(self.strand), bool)}[strand]
        found = foreign_log10(self.genotype, self.foreign, self.critical, chosen, np.unique(self.critical))
        assert found == pytest.approx(self.case["best_log10"][strand], rel=1e-9)
        assert self.genotype.sum() == pytest.approx(self.case["plain_log10_hom"], rel=1e-9)

    def test_no_reads(self):
        nothing = np.empty(0)
        assert foreign_log10(nothing, nothing, nothing, np.empty(0, bool), nothing) == -np.inf


class TestPosteriors:
    """Figures from records of GATK."""

    def priors(self, lengths, symbolic=(), *more, ploidy=2):
        n = len(lengths)
        is_symbolic = np.isin(np.arange(n), symbolic)
        table = genotype_table(ploidy, n)
        return genotype_log10_priors(np.array(lengths, np.int32), np.arange(n) == 0, is_symbolic, table, Settings(), *more)

    @pytest.mark.parametrize(
        ("lengths", "phred"),
        [
            ([1, 1], [0, 34.77, 64.77]),
            ([1, 3], [0, 39.03, 78.06]),
            ([1, 1, 7], [0, 34.77, 64.77, 39.03, 73.8, 78.06]),
        ],
    )
    def test_priors(self, lengths, phred):
        assert -10 * self.priors(lengths) == pytest.approx(phred, abs=0.005)

    def test_prior_of_what_is_not_named(self):
        assert -10 * self.priors([1, 0], symbolic=[1]) == pytest.approx([0, 30, 60])

    @pytest.mark.parametrize(
        ("lengths", "symbolic", "indel_phred", "ratio", "phred"),
        [
            ([1, 3], (), 34.3, 2, [0, 34.3, 37.31]),
            ([1, 3, 0], (2,), 34.3, 2, [0, 34.3, 37.31, 30, 64.3, 33.01]),
            ([1, 1, 0], (2,), math.nan, 2, [0, 34.77, 37.78, 39.03, 73.8, 42.04]),  # nobody looks at repeats where there is no indel
            ([1, 1, 7], (), 1.0, 2, [0, 34.77, 37.78, 1, 35.77, 4.01]),
            ([1, 2, 3], (), 16.5, 5, [0, 16.5, 23.49, 16.5, 33, 23.49]),
        ],
    )
    def test_priors_with_dragstr(self, lengths, symbolic, indel_phred, ratio, phred):
        found = -10 * self.priors(lengths, symbolic, MADE_UP._replace(het_hom_ratio=ratio), indel_phred)
        assert found == pytest.approx(phred, abs=0.0051)

    def test_priors_of_more_copies_with_dragstr(self):
        """Each copy beyond the first as unlikely as the second."""
        found = -10 * self.priors([1, 3], (), MADE_UP, 20.0, ploidy=4)
        assert found == pytest.approx(20 * (np.arange(5) > 0) + 10 * math.log10(2) * np.maximum(np.arange(5) - 1, 0))

    @pytest.mark.parametrize(
        ("pls", "best", "quality", "posteriors"),
        [
            ((75, 0, 39), 1, 40, (40.23, 0, 69)),
            ((48, 0, 40), 1, 13, (13.23, 0, 70)),
            ((30, 0, 40), 0, 5, (0, 4.77, 74.77)),
            ((1057, 0, 923), 1, 99, (1022.23, 0, 953)),
        ],
    )
    def test_of_a_sample(self, pls, best, quality, posteriors):
        found = posterior_call(pls, self.priors([1, 1]))
        assert found == (best, quality, posteriors, (0, 34.77, 64.77))

    def test_genotypes_that_are_equally_likely(self):
        assert posterior_call((0, 0, 0), np.zeros(3))[:2] == (0, 0)

    def test_no_variant(self):
        """Several samples add up; a deletion that spans the locus is no variant of it."""
        two, three = genotype_table(2, 2), genotype_table(2, 3)
        assert no_variant_phred([(40.23, 0, 69), (0, 4.77, 74.77)], two, None) == pytest.approx(40.23)
        # ref/ref, ref/alt, alt/alt, ref/*, alt/*, */*
        assert no_variant_phred([(30, 0, 50, 40, 60, 50)], three, 2) == pytest.approx(-10 * np.log10(1e-3 + 1e-4 + 1e-5))
        assert no_variant_phred([(0, 20, 50, 3, 60, 50)], three, 2) == 0


def test_bounds_with_soft_clips():
    cigar = np.array([2 << 4 | 5, 3 << 4 | 4, 10 << 4, 4 << 4 | 4, 10 << 4, 7 << 4 | 4, 1 << 4 | 5], np.uint32)
    pos, end = np.array([100, 200], np.int32), np.array([110, 210], np.int32)
    add_soft_clips(cigar, np.array([0, 4, 7]), pos, end)
    assert pos.tolist() == [97, 200] and end.tolist() == [114, 217]


class TestRepeats:
    @staticmethod
    def of(text, at, low=0, high=None, max_period=8):
        codes = CODE_OF_ASCII[np.frombuffer(text.encode(), np.uint8)]
        period, copies = np.empty(1, np.int64), np.empty(1, np.int64)
        bounds = (np.array([value]) for value in (at, low, len(text) if high is None else high))
        repeats_from(*bounds, codes, max_period, period, copies)
        return int(period[0]), int(copies[0])

    @pytest.mark.parametrize(
        ("before", "after", "expected"),
        [
            ("G", "ACGT", (1, 1)),
            ("G", "AAAC", (1, 3)),
            ("GAA", "AAAC", (1, 5)),
            ("GTAC", "ACACACT", (2, 4)),
            ("GTCAC", "ACACACT", (2, 4)),  # half a unit more is none
            # What begins there counts, however long a repeat ends there.
            ("ATACACACACACACACAC", "ACTACTACTACTGAAGA", (3, 4)),
            ("GTTTTTTTT", "ACG", (1, 1)),
            ("C", "AAGAAGAAGC", (3, 3)),
            ("C", "AAGAAGC", (1, 2)),  # of as many copies the shortest unit
            ("G", "", (1, 1)),
        ],
    )
    def test_copies(self, before, after, expected):
        assert self.of(before + after, len(before)) == expected

    def test_nothing_is_counted_beyond_the_bounds(self):
        text = "AC" * 20
        assert self.of(text, 20) == (2, 20)
        assert self.of(text, 20, low=10, high=26) == (2, 8)
        assert self.of(text, 20, low=11, high=25) == (2, 6)
        assert self.of(text, 20, max_period=1) == (1, 1)

    def test_of_loci(self):
        """Repeats are counted up to REPEAT_CONTEXT_BP from their region, and say something where a haplotype has an indel."""
        unit = "AC" * 600
        codes = CODE_OF_ASCII[np.frombuffer(f"{unit}G{unit}".encode(), np.uint8)]
        regions = SimpleNamespace(padded_start=np.array([10_600, 11_300], np.int32), padded_end=np.array([10_700, 11_400], np.int32))
        # Events: an SNV in the first region; an SNV and an insertion in the second.
        haplotypes = SimpleNamespace(
            event_slots=np.array([0, 1, 3]), event_ref_length=np.array([1, 1, 1], np.int32), event_alt_offsets=np.array([0, 1, 2, 5])
        )
        loci = SimpleNamespace(n_loci=3, region=np.array([0, 1, 1]), pos=np.array([10_649, 11_200, 11_350], np.int32))
        found = locus_repeats(loci, regions, haplotypes, codes, 10_000, MADE_UP)
        n = (2 * REPEAT_CONTEXT_BP + 100) // 2
        assert found.period.tolist() == [2, 2, 2]
        assert found.copies.tolist() == [n, (11_400 + REPEAT_CONTEXT_BP - 11_201) // 2, (11_900 - 11_201) // 2]
        assert np.isnan(found.indel_phred).tolist() == [True, False, False]
        assert found.indel_phred[1:].tolist() == [MADE_UP.indel_prior[1, 19]] * 2
