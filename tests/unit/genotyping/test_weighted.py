"""The haplotype engine's own genotype model, beside the exact one that it departs from."""

from itertools import pairwise

import numpy as np
import pytest

from gpuvc.backends.cpu import CpuBackend
from gpuvc.genotyping.allele_frequency import genotype_pls
from gpuvc.genotyping.weighted import prior_counts, weighted_pls
from gpuvc.likelihoods.marginalize import REFERENCE, LocusBatch
from gpuvc.settings import Settings

REF, ALT = (-0.05, -4.55), (-4.55, -0.05)


def loci_of(*loci, ref_length=1, alt_length=1):
    """LocusBatch of loci that are lists of reads: (likelihoods, sample, reverse, mapq)."""
    reads = [read for locus in loci for read in locus]
    n, k = len(loci), len(reads)
    slots = np.concatenate(([0], np.cumsum([len(locus) for locus in loci])))
    column = lambda i, dtype: np.array([read[i] for read in reads], dtype)  # noqa: E731
    return LocusBatch(
        np.zeros(n, np.int32), 100 * np.arange(n, dtype=np.int32), np.full(n, ref_length, np.int32), 2 * np.arange(n + 1),
        np.array([REFERENCE, 0] * n, np.int32), np.array([ref_length, alt_length] * n, np.int32), np.zeros(n + 1, np.int64),
        np.empty(0, np.int16), slots, np.arange(k, dtype=np.int32), column(1, np.int16), column(2, np.bool_), column(3, np.uint8),
        np.full(k, 30, np.int16), np.full(k, 20, np.int32), 2 * slots, np.array([x for read in reads for x in read[0]]),
        np.zeros((n, 2), np.int32), np.zeros(n), np.zeros(n, np.int32),
    )  # fmt: skip


def pls(loci, ploidy=2, n_samples=1):
    found, slots = weighted_pls(loci, ploidy, n_samples, CpuBackend())
    return [found[a:b].tolist() for a, b in pairwise(slots)]


def test_one_read_says_what_the_exact_model_says():
    loci = loci_of([(ALT, 0, False, 60)])
    exact, _ = genotype_pls(loci, 2, 1)
    assert pls(loci) == [exact.tolist()] == [[45, 3, 0]]


def test_errors_on_one_strand_count_less_than_on_both():
    one = pls(loci_of([(ALT, 0, False, 60)] * 4 + [(REF, 0, False, 60)] * 20))[0]
    both = pls(loci_of([(ALT, 0, k % 2 == 0, 60) for k in range(4)] + [(REF, 0, False, 60)] * 20))[0]
    assert one[0] < both[0] and one[1] == both[1] == 0
    exact, _ = genotype_pls(loci_of([(ALT, 0, False, 60)] * 4 + [(REF, 0, False, 60)] * 20), 2, 1)
    assert both[0] < exact[0]


def test_at_indels_every_read_counts_in_full():
    loci = loci_of([(ALT, 0, False, 60)] * 4 + [(REF, 0, False, 60)] * 8, alt_length=2)
    exact, _ = genotype_pls(loci, 2, 1)
    assert np.abs(np.array(pls(loci)[0]) - exact).max() <= 1


def test_no_read_is_surer_than_its_place():
    assert pls(loci_of([(ALT, 0, False, 7)]))[0][0] == 7


@pytest.mark.parametrize("ploidy", [1, 2, 4])
def test_samples_are_judged_apart(ploidy):
    a, b = [(ALT, 0, False, 60)] * 3, [(REF, 1, False, 60)] * 3
    together = pls(loci_of(a + b), ploidy, 2)[0]
    alone = pls(loci_of(a), ploidy)[0] + pls(loci_of([(REF, 0, False, 60)] * 3), ploidy)[0]
    assert together == alone


def test_indels_of_whole_repeat_units_are_expected_where_repeats_are_long():
    codes = np.array([0, 1, 2] * 40 + [3] * 20 + [0, 1, 2] * 20, np.uint8)
    loci = loci_of([], [], alt_length=2)
    loci.pos[:] = 20, 119  # in no repeat; before twenty equal bases
    rows = np.arange(4)
    found = prior_counts(loci, rows, rows // 2, codes, 0, Settings())
    assert found[[0, 2]].tolist() == [10, 10] and found[1] == pytest.approx(1.25e-3) and found[3] > 100 * found[1]
