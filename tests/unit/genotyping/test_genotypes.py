"""Genotypes in the order of the VCF, their priors, QUAL, and the genotype that is called."""

from itertools import combinations_with_replacement, product
from math import comb, factorial, log10, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuvc.genotyping.calls import _genotype
from gpuvc.genotyping.genotypes import (
    MAX_GENOTYPES,
    REFERENCE_PSEUDOCOUNT,
    allele_frequencies,
    copy_costs,
    genotype_table,
    judge_loci,
    log10_multinomials,
    log_sum_table,
    most_alleles,
)
from gpuvc.kernels.cpu.genotypes import genotype_likelihoods

SHAPES = [(1, 2), (1, 5), (2, 2), (2, 3), (2, 7), (3, 3), (4, 2), (4, 4), (7, 2)]
each_shape = pytest.mark.parametrize("ploidy, n_alleles", SHAPES)


def vcf_index(genotype):
    """Where the VCF specification puts a genotype: the sum over its ascending alleles a_k of (a_k + k over k + 1)."""
    return sum(comb(allele + k, k + 1) for k, allele in enumerate(sorted(genotype)))


class TestTables:
    @each_shape
    def test_order_of_genotypes(self, ploidy, n_alleles):
        table = genotype_table(ploidy, n_alleles)
        assert table.shape == (comb(ploidy + n_alleles - 1, ploidy), n_alleles) and (table.sum(axis=1) == ploidy).all()
        for genotype in combinations_with_replacement(range(n_alleles), ploidy):
            assert table[vcf_index(genotype)].tolist() == [genotype.count(a) for a in range(n_alleles)]

    @each_shape
    def test_orders_of_alleles(self, ploidy, n_alleles):
        expected = [log10(factorial(ploidy) / prod(map(factorial, row))) for row in genotype_table(ploidy, n_alleles).tolist()]
        assert log10_multinomials(ploidy, n_alleles) == pytest.approx(expected, abs=1e-12)

    @pytest.mark.parametrize("ploidy, expected", [(1, [0]), (2, [301, 0]), (4, [602, 301, 125, 0])])
    def test_costs_of_copies(self, ploidy, expected):
        assert copy_costs(ploidy).tolist()[1:] == expected

    def test_log_sums(self):
        table = log_sum_table()
        assert table[0] == 301 and table[-1] == 1 and (np.diff(table) <= 0).all()
        d = np.arange(len(table))
        assert np.abs(table - 1000 * np.log10(1 + 10 ** (-d / 1000))).max() <= 0.5

    @pytest.mark.parametrize("ploidy", [1, 2, 3, 4, 8, 20, 100])
    def test_most_alleles(self, ploidy):
        n = most_alleles(ploidy, 7)
        assert 2 <= n <= 7
        assert comb(ploidy + n - 1, ploidy) <= MAX_GENOTYPES
        assert n == 7 or comb(ploidy + n, ploidy) > MAX_GENOTYPES


def likelihoods_of(penalties, ploidy, weights=None):
    """PLs in hundredths of a phred, not shifted. penalties: int[n_reads, n_alleles]."""
    penalties = np.array(penalties, np.int32)
    n_reads, n_alleles = penalties.shape
    table = genotype_table(ploidy, n_alleles)
    out = np.empty(len(table), np.int64)
    genotype_likelihoods(
        np.zeros(len(table), np.int32), np.arange(len(table), dtype=np.int32), np.array([0, n_reads], np.int64),
        np.arange(0, penalties.size + 1, n_alleles), penalties.ravel(), np.array(weights or n_reads * [256], np.int32), table,
        log_sum_table(), copy_costs(ploidy), out,
    )  # fmt: skip
    return out.tolist()


penalties_of_reads = st.integers(2, 4).flatmap(
    lambda n_alleles: st.lists(st.lists(st.integers(0, 4500), min_size=n_alleles, max_size=n_alleles), min_size=1, max_size=12)
)


class TestLikelihoods:
    @given(penalties_of_reads, st.integers(1, 5))
    def test_product_over_reads_of_the_mean_over_copies(self, penalties, ploidy):
        expected = []
        for row in genotype_table(ploidy, len(penalties[0])).tolist():
            reads = [sum(c / ploidy * 10 ** (-p / 1000) for c, p in zip(row, read)) for read in penalties]
            expected.append(-1000 * sum(map(log10, reads)))
        assert likelihoods_of(penalties, ploidy) == pytest.approx(expected, abs=1.5 * len(penalties) * max(1, len(penalties[0]) - 1))

    @given(penalties_of_reads, st.integers(1, 4), st.randoms())
    def test_order_of_reads_does_not_matter(self, penalties, ploidy, random):
        shuffled = random.sample(penalties, len(penalties))
        assert likelihoods_of(shuffled, ploidy) == likelihoods_of(penalties, ploidy)

    def test_a_read_that_says_nothing_changes_little(self):
        reads = [[0, 3000], [3000, 0]]
        before, after = likelihoods_of(reads, 2), likelihoods_of([*reads, [0, 0]], 2)
        assert np.abs(np.array(after) - before).max() <= 1

    def test_weights_count_only_against_errors(self):
        """Half the weight: the genotype that makes an error of the read pays half; the heterozygote pays its share in full."""
        assert likelihoods_of([[3000, 0]], 2) == [3000, 301, 0]
        assert likelihoods_of([[3000, 0]], 2, [128]) == [1500, 301, 0]
        assert likelihoods_of([[200, 0]], 2, [128])[0] == 200  # hardly disfavoured is no error
        assert likelihoods_of([[201, 0]], 2, [128])[0] == 101


class TestJudge:
    @staticmethod
    def judge(pls, rates, ploidy=2):
        n = len(rates)
        qual, best = judge_loci(
            np.array(pls, np.int64), np.array([0, len(pls)], np.int64), np.array([0, n], np.int64), np.array(rates, float), ploidy
        )  # fmt: skip
        return float(qual[0]), genotype_table(ploidy, n + 1)[best[0]].tolist()

    @pytest.mark.parametrize(
        "pls, copies", [([0, 60, 800], [2, 0]), ([400, 0, 400], [1, 1]), ([800, 60, 0], [0, 2]), ([40, 0, 3], [1, 1]), ([40, 3, 0], [0, 2])]
    )
    def test_likeliest_genotype(self, pls, copies):
        assert self.judge(pls, [1e-3])[1] == copies

    def test_quality_is_the_chance_of_no_variant(self):
        """With counts of the alleles known for sure, by hand: a heterozygote leaves one copy each beside the pseudocounts."""
        qual, _ = self.judge([500, 0, 500], [1e-3])
        weights = np.array([REFERENCE_PSEUDOCOUNT + 1, REFERENCE_PSEUDOCOUNT * 1e-3 + 1])
        f, g = weights / weights.sum()
        expected = 500 + 10 * log10(2 * f * g) - 20 * log10(f)
        assert qual == pytest.approx(expected, abs=1e-6)

    def test_nothing_seen_is_no_variant(self):
        qual, copies = self.judge([0, 0, 0], [1e-3])
        assert 0 <= qual < 1 and copies == [2, 0]

    def test_likelier_alleles_need_less(self):
        quals = [self.judge([20, 0, 60], [rate])[0] for rate in (1e-5, 1e-3, 0.1)]
        assert quals == sorted(quals) and quals[0] + 1 < quals[2]

    def test_a_second_alternate_needs_more_than_its_reads_say(self):
        """1/2 is 20 phred likelier than 1/1, but another allele at one in a thousand costs 30."""
        # 0/0, 0/1, 1/1, 0/2, 1/2, 2/2
        assert self.judge([500, 60, 20, 300, 0, 200], [1e-3, 1e-3])[1] == [0, 2, 0]
        assert self.judge([500, 60, 40, 300, 0, 200], [1e-3, 1e-3])[1] == [0, 1, 1]

    def test_every_locus_by_itself(self):
        pls = [[0, 50, 500], [300, 0, 300], [500, 60, 20, 300, 0, 200], [200, 30, 0]]
        rates = [[1e-3], [1e-3], [1e-3, 1e-2], [1e-4]]
        together = judge_loci(
            np.concatenate(pls), np.cumsum([0, *map(len, pls)]), np.cumsum([0, *map(len, rates)]), np.concatenate(rates), 2
        )  # fmt: skip
        for locus, (p, r) in enumerate(zip(pls, rates)):
            qual, copies = self.judge(p, r)
            assert together[0][locus] == qual and genotype_table(2, len(r) + 1)[together[1][locus]].tolist() == copies

    def test_no_loci(self):
        qual, best = judge_loci(np.empty(0, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64), np.empty(0), 2)
        assert len(qual) == len(best) == 0

    @given(st.integers(1, 4), st.integers(2, 3), st.data())
    def test_posterior_is_one(self, ploidy, n_alleles, data):
        table = genotype_table(ploidy, n_alleles)
        pls = np.array(data.draw(st.lists(st.integers(0, 900), min_size=len(table), max_size=len(table))))
        pls -= pls.min()
        posterior, counts = np.empty(len(table)), np.empty(n_alleles)
        pseudocounts = np.array([10.0, *((n_alleles - 1) * [0.01])])
        no_variant = allele_frequencies(pls, table, log10_multinomials(ploidy, n_alleles), pseudocounts, posterior, counts)
        assert (10.0**posterior).sum() == pytest.approx(1) and no_variant <= 0
        assert counts.sum() == pytest.approx(ploidy)


class TestGenotype:
    @pytest.mark.parametrize(
        "pls, ploidy, alleles, expected",
        [
            ([30, 0, 200], 2, (0, 1), ((0, 1), 30, (30, 0, 200))),
            ([300, 45, 0], 2, (0, 1), ((1, 1), 45, (300, 45, 0))),
            ([400, 0], 1, (0, 1), ((1,), 99, (400, 0))),
            ([59, 0, 5, 19, 217], 4, (0, 1), ((0, 0, 0, 1), 5, (59, 0, 5, 19, 217))),
            # Of three alleles the reference and the second alternate: 0/0, 0/2, 2/2, shifted to their least.
            ([300, 90, 80, 20, 0, 70], 2, (0, 2), ((0, 1), 50, (280, 0, 50))),
            ([300, 90, 80, 20, 0, 70], 2, (0, 1, 2), ((1, 2), 20, (300, 90, 80, 20, 0, 70))),
            ([5, 0, 0], 2, (0, 1), ((0, 1), 0, (5, 0, 0))),  # of equal ones the first
        ],
    )  # fmt: skip
    def test_called(self, pls, ploidy, alleles, expected):
        assert _genotype(pls, ploidy, alleles) == expected

    @pytest.mark.parametrize("ploidy, n_alleles", [(2, 4), (3, 3), (4, 3)])
    def test_subsets_keep_the_right_likelihoods(self, ploidy, n_alleles):
        genotypes = sorted(combinations_with_replacement(range(n_alleles), ploidy), key=vcf_index)
        pls = {genotype: 10 * k for k, genotype in enumerate(genotypes)}
        for others in product((False, True), repeat=n_alleles - 1):
            alleles = (0, *(a for a in range(1, n_alleles) if others[a - 1]))
            if len(alleles) == 1:
                continue
            kept = sorted(combinations_with_replacement(range(len(alleles)), ploidy), key=vcf_index)
            expected = [pls[tuple(sorted(alleles[a] for a in genotype))] for genotype in kept]
            _, _, found = _genotype(list(pls.values()), ploidy, alleles)
            assert list(found) == [pl - min(expected) for pl in expected]
