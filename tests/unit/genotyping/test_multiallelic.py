"""Alleles, likelihoods and genotypes as bcftools call -m has them; whole records: tests/golden/test_bcftools.py."""

from math import comb, log10

import numpy as np
import pytest

from gpuvc.genotyping.multiallelic import base_likelihoods, error_tables, judge_alleles, order_alleles
from gpuvc.kernels.codes import A, C, G, T
from gpuvc.pileup.mpileup import CODES, MAX_QUAL, STRANDS

LOG_PRIOR = np.log(1.1e-3)


def likelihoods(bases):
    """float32[CODES, CODES] of [(weight, strand, code)]."""
    columns = np.array([(weight * STRANDS + strand) * CODES + code for weight, strand, code in bases], np.uint16)
    phred = np.empty((1, CODES, CODES), np.float32)
    tally = np.zeros((MAX_QUAL + 1, STRANDS * CODES), np.int64)
    slots = np.array([0, len(columns)], np.int64)
    base_likelihoods(slots, columns, *error_tables(), tally, np.empty(CODES), np.empty(CODES, np.int64), phred)
    assert not tally.any()
    return phred[0]


def ordered(ref, sums, phred=None):
    """(alleles, their shares, PL)."""
    alleles, n_alleles = np.empty((1, 4), np.int8), np.empty(1, np.int8)
    shares, pls = np.empty((1, 4), np.float32), np.empty((1, 10), np.int32)
    phred = np.zeros((1, CODES, CODES), np.float32) if phred is None else phred[None]
    order_alleles(np.array([ref], np.uint8), np.array([sums], np.int32), phred, alleles, n_alleles, shares, pls)
    n = int(n_alleles[0])
    return alleles[0, :n].tolist(), shares[0, :n].tolist(), pls[0, : n * (n + 1) // 2].tolist()


def judged(pls, shares, ploidy=2):
    """(alleles that are there, genotype, GQ, QUAL)."""
    n = len(shares)
    all_pls, all_shares = np.zeros((1, 10), np.int32), np.zeros((1, 4), np.float32)
    all_pls[0, : len(pls)], all_shares[0, :n] = pls, shares
    chosen, qual = np.empty(1, np.int8), np.empty(1, np.float32)
    genotype, gq = np.empty((1, 2), np.int8), np.empty(1, np.int16)
    judge_alleles(all_pls, all_shares, np.array([n], np.int8), ploidy, LOG_PRIOR, np.empty(10), chosen, qual, genotype, gq)
    return [a for a in range(n) if chosen[0] >> a & 1], genotype[0, :ploidy].tolist(), int(gq[0]), float(qual[0])


class TestErrorTables:
    @pytest.mark.parametrize("weight, n, k", [(4, 1, 0), (20, 5, 0), (20, 5, 3), (37, 30, 4), (60, 255, 0)])
    def test_cost_is_the_chance_of_one_more_error(self, weight, n, k):
        _, costs, _ = error_tables()
        e = 10 ** (-weight / 10)
        chance = [comb(n, i) * e**i * (1 - e) ** (n - i) for i in range(n + 1)]
        assert costs[weight, n, k] == pytest.approx(-10 * log10(sum(chance[k + 1 :]) / sum(chance[k:])), rel=1e-9)

    def test_splits(self):
        _, _, splits = error_tables()
        assert np.exp(splits[10, 3]) == pytest.approx(comb(10, 3) / 2**10)
        assert np.exp(splits[255, 0]) == pytest.approx(2.0**-255)


class TestLikelihoods:
    def test_the_order_of_bases_does_not_matter(self):
        bases = [(4 + i * 7 % 40, i % 2, (A, C, C, 4)[i % 4]) for i in range(60)]
        assert (likelihoods(bases) == likelihoods(bases[::-1])).all()

    def test_repeated_errors_of_one_strand_count_less(self):
        one_strand, both = ([(30, strand % s, C) for strand in range(6)] + 6 * [(30, 0, A)] for s in (1, 2))
        assert likelihoods(one_strand)[A, A] < likelihoods(both)[A, A]

    def test_unknown_bases_speak_against_all(self):
        assert likelihoods([(30, 0, A)])[A, A] == 0
        assert likelihoods([(30, 0, A), (30, 0, 4)])[A, A] == likelihoods([(30, 0, A), (30, 0, C)])[A, A] > 0

    def test_a_deep_locus(self):
        found = likelihoods(255 * [(60, 0, G)])
        assert found[G, G] == 0 and np.isfinite(found).all()


class TestAlleles:
    def test_order(self):
        assert ordered(C, [10, 60, 0, 30])[:2] == ([C, T, A, G], pytest.approx([0.6, 0.3, 0.1, 0.0]))

    def test_of_equal_ones_the_last_comes_first(self):
        assert ordered(A, [0, 20, 20, 20])[0] == [A, T, G, C]
        assert ordered(T, [7, 0, 0, 7])[0] == [T, A, G]

    def test_all_four(self):
        assert ordered(G, [1, 2, 3, 4])[0] == [G, T, C, A]

    def test_pl(self):
        phred = np.arange(25, dtype=np.float32).reshape(5, 5) * np.float32(4.3)
        phred = np.maximum(phred, phred.T)
        assert ordered(A, [9, 0, 0, 9], phred)[2] == [0, 64, 77, 43, 73, 52]


class TestCalls:
    def test_heterozygous(self):
        assert judged([103, 0, 103], [0.5, 0.5])[:3] == ([0, 1], [0, 1], 102)

    def test_two_alternates(self):
        pls = [255, 120, 110, 120, 0, 110]
        assert judged(pls, [0.0, 0.5, 0.5])[:2] == ([1, 2], [1, 2])
        assert judged(pls, [0.0, 0.5, 0.0])[0] == [1]  # what was not seen pairs with nothing

    def test_an_alternate_costs_its_prior(self):
        assert judged([25, 0, 60], [0.5, 0.5])[0] == [0]
        assert judged([35, 0, 60], [0.5, 0.5])[0] == [0, 1]

    def test_shares_say_which_genotype(self):
        assert judged([60, 0, 60], [0.6, 0.4])[1] == [0, 1]
        assert judged([60, 0, 1], [0.02, 0.98])[1] == [1, 1]

    def test_haploid(self):
        assert judged([70, 20, 0], [0.1, 0.9], ploidy=1)[:2] == ([1], [1])
        assert judged([0, 20, 70], [0.9, 0.1], ploidy=1)[0] == [0]

    def test_gq_ends_at_127(self):
        assert judged([255, 255, 0], [0.0, 1.0])[2] == 127
