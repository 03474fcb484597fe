"""How much each read counts when others say the same on the same strand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuvc.batches import ReadBatch
from gpuvc.genotyping.dependence import FLOOR, REPEATED_ERROR, WEIGHTS, error_weights, least_error_cost
from gpuvc.likelihoods.score import PairLikelihoods


def weights_of(*reads, is_indel=False, ploidy=1):
    """Weights of reads (strand, penalty of the reference, of each alternate) at one locus; ploidy 1 has no least cost."""
    strands, penalties = [r[0] for r in reads], np.array([r[1:] for r in reads], np.int32)
    n, n_alleles = penalties.shape
    batch = ReadBatch(*(15 * [None]))
    batch.flag = np.where(np.array(strands) == "-", 16, 0).astype(np.uint16)
    pairs = np.arange(n, dtype=np.int32)
    likelihoods = PairLikelihoods(
        np.array([0, n]), np.zeros(n, np.int32), pairs, None, None, None, np.arange(0, n * n_alleles + 1, n_alleles), penalties.ravel()
    )
    return error_weights(np.array([is_indel]), likelihoods, batch, ploidy).tolist()


def nth(*ranks):
    return WEIGHTS[list(ranks)].tolist()


ALT, REF = ("+", 3000, 0), ("+", 0, 3000)


class TestSnvs:
    def test_the_first_counts_in_full(self):
        assert weights_of(ALT) == [256] == nth(0)

    def test_the_nth_of_a_strand_counts_less(self):
        assert weights_of(*(5 * [ALT])) == nth(0, 1, 2, 3, 4)

    def test_strands_and_alleles_are_apart(self):
        reads = [ALT, REF, ("-", 3000, 0), ALT, ("-", 0, 3000), ("-", 3000, 0), REF]
        assert weights_of(*reads) == nth(0, 0, 0, 1, 0, 1, 1)
        assert weights_of(("+", 3000, 0, 3000), ("+", 3000, 3000, 0), ("+", 3000, 0, 3000)) == nth(0, 0, 1)

    def test_firmest_first(self):
        assert weights_of(("+", 1000, 0), ("+", 3000, 0), ("+", 2000, 0)) == nth(2, 0, 1)

    def test_equals_keep_their_order(self):
        assert weights_of(ALT, ALT, ("+", 1000, 0), ALT) == nth(0, 1, 3, 2)

    def test_they_end_at_the_floor(self):
        found = weights_of(*(100 * [ALT]))
        assert found[:64] == WEIGHTS.tolist() and set(found[64:]) == {int(WEIGHTS[-1])}

    @given(st.lists(st.tuples(st.sampled_from("+-"), st.booleans(), st.integers(0, 4500)), min_size=1, max_size=30), st.randoms())
    def test_reads_in_another_order_count_the_same(self, reads, random):
        reads = [(strand, 0, penalty) if is_ref else (strand, penalty, 0) for strand, is_ref, penalty in reads]
        order = random.sample(range(len(reads)), len(reads))
        found, shuffled = weights_of(*reads), weights_of(*(reads[i] for i in order))
        assert sorted(zip(reads, found)) == sorted(zip((reads[i] for i in order), shuffled))


def test_indels_count_in_full():
    assert weights_of(*(9 * [ALT]), is_indel=True) == 9 * [256]


def test_loci_are_apart():
    batch = ReadBatch(*(15 * [None]))
    batch.flag = np.zeros(3, np.uint16)
    penalties = np.array(5 * [3000, 0], np.int32)
    likelihoods = PairLikelihoods(
        np.array([0, 2, 5]), None, np.array([0, 1, 0, 1, 2], np.int32), None, None, None, np.arange(0, 11, 2), penalties
    )
    assert error_weights(np.array([False, False]), likelihoods, batch, 1).tolist() == nth(0, 1, 0, 1, 2)


class TestLeastCost:
    @pytest.mark.parametrize("ploidy, expected", [(1, 0), (2, 903), (3, 1243), (4, 1465)])
    def test_half_as_much_again_as_under_the_heterozygote(self, ploidy, expected):
        assert least_error_cost(ploidy) == expected

    @pytest.mark.parametrize("ploidy", [2, 3, 4, 10])
    def test_every_read_costs_at_least_that(self, ploidy):
        found = weights_of(*(40 * [ALT]), ploidy=ploidy)
        least = 256 * least_error_cost(ploidy) // 3000
        assert min(found) == least == found[-1] and found[0] == 256
        assert found == [max(least, weight) for weight in weights_of(*(40 * [ALT]))]

    def test_but_never_more_than_it_is_worth(self):
        assert weights_of(*(5 * [("+", 700, 0)]), ploidy=2) == 5 * [256]

    @pytest.mark.parametrize("ploidy", [2, 3, 6, 20])
    def test_a_pair_of_reads_more_speaks_for_the_heterozygote(self, ploidy):
        """What a read of the one copy and those of the others cost under it, against what the one costs as an error."""
        het = 1000 * (np.log10(ploidy) + (ploidy - 1) * np.log10(ploidy / (ploidy - 1)))
        assert het * 1.4 < least_error_cost(ploidy) < het * 1.6


def test_table():
    assert WEIGHTS[0] == 256 and WEIGHTS[1] == round(256 * (REPEATED_ERROR * (1 - FLOOR) + FLOOR))
    assert (np.diff(WEIGHTS) <= 0).all() and WEIGHTS[-1] == round(256 * FLOOR)
