"""Base-quality dropout and foreign reads against numbers computed from the formulas by other code."""

import json
from pathlib import Path

import numpy as np
import pytest

from gpuvc.genotyping.dragen import MISPLACED_PHRED, dropout_phred, foreign_log10
from gpuvc.likelihoods.marginalize import add_soft_clips

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "dragen.json").read_text())


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


def test_bounds_with_soft_clips():
    cigar = np.array([2 << 4 | 5, 3 << 4 | 4, 10 << 4, 4 << 4 | 4, 10 << 4, 7 << 4 | 4, 1 << 4 | 5], np.uint32)
    pos, end = np.array([100, 200], np.int32), np.array([110, 210], np.int32)
    add_soft_clips(cigar, np.array([0, 4, 7]), pos, end)
    assert pos.tolist() == [97, 200] and end.tolist() == [114, 217]
