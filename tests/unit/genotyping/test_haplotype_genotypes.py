"""Exact genotype likelihoods, allele frequencies and site annotations against the golden numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from gpuvc.batches import SampleCall
from gpuvc.genotyping.allele_frequency import MAX_PHRED, genotype_alleles, judge_alleles, n_genotypes, subset_pls, sum_likelihoods
from gpuvc.genotyping.genotypes import genotype_table
from gpuvc.genotyping.haplotype_calls import trim_suffix
from gpuvc.genotyping.site_annotations import excess_het, excess_het_p, inbreeding_of, qual_by_depth
from gpuvc.likelihoods.marginalize import median_below_best

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = json.loads((GOLDEN / "genotyping.json").read_text())["cases"]
WEIGHTS = {"ref": 10.0, "snp": 0.01, "indel": 0.00125}


def pls_of(log10, ploidy):
    """PLs of one sample; log10 : float64[n_reads, n_alleles]."""
    n_reads, n_alleles = log10.shape
    table = genotype_table(ploidy, n_alleles)
    pls = np.empty(len(table), np.int32)
    sum_likelihoods(
        np.zeros(1, np.int64), np.array([0, n_reads], np.int64), np.zeros(n_reads, np.int16), np.array([0, log10.size], np.int64),
        np.ascontiguousarray(log10).ravel(), table, genotype_alleles(table), np.array([0, n_alleles], np.int64),
        np.full(n_alleles, -np.inf), np.empty((1, len(table))), np.array([0, len(table)], np.int64), pls,
    )  # fmt: skip
    return pls


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_pl_qual_and_copies(case):
    log10 = np.array(case["read_log10_likelihoods"]).T
    pls = pls_of(log10, case["ploidy"])
    assert pls.tolist() == case["pl"]
    n = log10.shape[1]
    spanning = np.arange(n) == (-1 if case["star_index"] is None else case["star_index"])
    weights = np.array([WEIGHTS[kind] for kind in case["allele_kinds"]])
    slots = np.array([0, len(pls)], np.int64)
    _, counts, reference = judge_alleles(pls, slots, np.array([0, n], np.int64), weights, spanning, case["ploidy"], 1)
    assert reference[0] == pytest.approx(case["log10_p_no_variant"], rel=1e-9)
    assert counts == pytest.approx(case["effective_counts"], rel=1e-9)


def test_samples_share_frequencies():
    pls = np.array([0, 30, 400, 50, 0, 60, 0, 12, 150, 200, 21, 0], np.int32)
    absent, counts, reference = judge_alleles(
        pls, np.array([0, 12], np.int64), np.array([0, 2], np.int64), np.array([10, 0.01]), np.zeros(2, np.bool_), 2, 4
    )
    assert -10 * reference[0] == pytest.approx(232.26883947520906, abs=1e-6)
    assert counts[1] == pytest.approx(2.9500465674391227, rel=1e-9)
    assert absent[1] == reference[0]


def test_an_allele_without_haplotype_costs_all_there_is():
    assert pls_of(np.array([[-1.0, -np.inf], [-2.0, -np.inf]]), 2).tolist() == [0, 6, MAX_PHRED]


@pytest.mark.parametrize("ploidy", [1, 2, 3, 4])
def test_subset_takes_the_genotypes_of_the_kept_alleles(ploidy):
    kept, full = np.array([0, 2, 3], np.int32), genotype_table(ploidy, 4)
    assert len(full) == n_genotypes(ploidy, 4)
    pls = np.arange(10, 10 + len(full), dtype=np.int32)
    table = genotype_table(ploidy, 3)
    out = np.empty(len(table), np.int32)
    subset_pls(
        np.zeros(1, np.int64), pls, np.array([0, len(full)], np.int64), kept, np.array([0, 3], np.int64), 1, table, out,
        np.array([0, len(table)], np.int64),
    )  # fmt: skip
    expected = pls[full[:, 1] == 0]
    assert out.tolist() == (expected - expected.min()).tolist()


def test_median_below_the_best():
    rows = [(-0.1, -4.0, -6.0), (-5.0, -0.2, -3.0), (-1.0, -1.0, -1.2), (-2.0, -2.0)]
    assert [median_below_best(np.array(row)) for row in rows] == [-5.0, -4.0, -1.2, -2.0]


@pytest.mark.parametrize(("texts", "trimmed"), [
    (["CAA", "CA"], ["CA", "C"]), (["CAA", "C"], ["CAA", "C"]), (["CAA", "TAA", "*"], ["C", "T", "*"]), (["CAG", "CA"], ["CAG", "CA"]),
])  # fmt: skip
def test_trim_suffix(texts, trimmed):
    assert trim_suffix(texts) == trimmed


@pytest.mark.parametrize(("counts", "p"), [((5, 87, 8), 1.0), ((17, 81, 2), 0.930424), ((21, 79, 0), 0.309604), ((537, 845, 72), 0.147634)])
def test_excess_het_p(counts, p):
    assert excess_het_p(*counts) == pytest.approx(p, abs=1e-6)


def test_excess_het_of_samples():
    het, none = SampleCall((0, 1), None, None, 99, (100, 0, 100)), SampleCall((-1, -1), None, None, 0, (0, 0, 0))
    assert excess_het([het] * 10, 2) > 5
    assert excess_het([none], 2) is None
    assert excess_het([SampleCall((1,), None, None, 99, (100, 0))], 2) is None


@pytest.mark.parametrize(("counts", "f"), [((6, 3, 1), 0.2), ((25, 50, 25), 0.0), ((50, 20, 30), 0.583333)])
def test_inbreeding(counts, f):
    assert inbreeding_of(*counts, sum(counts)) == pytest.approx(f, abs=1e-6)


def test_qual_by_depth_counts_carriers():
    het = (0, 1)
    assert qual_by_depth(50.0, [(5, 5)], [10], [het]) == 5.0
    assert qual_by_depth(50.0, [(5, 5), (9, 1)], [10, 10], [het, het]) == 5.0
    assert qual_by_depth(50.0, [(9, 1)], [10], [het]) == 5.0
    assert qual_by_depth(50.0, [(5, 5), (8, 2)], [10, 10], [het, het]) == 2.5
    assert qual_by_depth(900.0, [(0, 10)], [10], [(1, 1)]) == 35.0
    assert qual_by_depth(50.0, [(5, 5)], [10], [(0, 0)]) is None
