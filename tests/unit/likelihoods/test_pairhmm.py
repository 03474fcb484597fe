"""From reads and haplotypes to likelihoods that genotyping can use, against what HaplotypeCaller made of the same."""

import json
from dataclasses import replace

import numpy as np
import pytest
from builders import callable_kernel
from hmm_cases import REPOSITORY, SHARED_GOLDEN, batches, codes, read_regions, slots

from gpuvc.backends.cpu import CpuBackend
from gpuvc.errors import UsageError
from gpuvc.likelihoods import pairhmm
from gpuvc.likelihoods.pairhmm import _error_costs, find_equal_reads, limit_likelihoods, score_haplotypes
from gpuvc.likelihoods.read_quality import gap_open_quals, hmm_base_quals, pcr_gap_open
from gpuvc.settings import Settings

least_log10 = callable_kernel(pairhmm.least_log10)
GOLDEN = REPOSITORY / "tests" / "golden"
LIMITS = json.loads((GOLDEN / "read_limits.json").read_text())
# HMM qualities are given as they come out, so that nothing may change them again.
AS_GIVEN = replace(Settings(concordance="hc"), cap_base_qualities_to_mapq=False, base_quality_score_threshold=6)
# gpuvc's own settings, but every read is scored against whole haplotypes.
WHOLE = Settings(concordance="hc", base_quality_score_threshold=6, pcr_indel_model="REPEATS")
HAPLOTYPES = ["ACGTTGCAAGGCTTACCGATGCATTGACCA", "ACGTTGCAAGGCTTACCGTTGCATTGACCA", "ACGTTGCAAGGCTTGATGCATTGACCA"]
# HaplotypeCaller's float32 is coarse: in float64 the specification's authors measured 1e-5, here 8.8e-6 in 37,713 pairs.
TOLERANCE = 1e-5


def regions_of(where):
    path = GOLDEN / "hmm_regions.jsonl.gz" if where == "bundled" else SHARED_GOLDEN / "gatk" / "genotyping" / "regions.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return read_regions(path)


@pytest.fixture(scope="module", params=["bundled", "shared"])
def regions(request):
    return regions_of(request.param)


def model_of(region):
    return "HOSTILE" if region["set"] == "wgs50.hostile" else "CONSERVATIVE"


def score(haplotypes, reads, settings=AS_GIVEN, takes_part=None, backend=CpuBackend):
    """The LikelihoodBatch, and its matrices."""
    arguments = batches(haplotypes, reads)
    n_rows = arguments[0].n_rows
    scored = score_haplotypes(*arguments, np.ones(n_rows, bool) if takes_part is None else np.array(takes_part), settings, backend)
    matrices = [
        scored.log10[first:end].reshape(len(rows), len(columns))
        for first, end, rows, columns in zip(scored.matrix_offsets, scored.matrix_offsets[1:], reads, haplotypes)
    ]
    return scored, matrices


def test_gap_openings_of_haplotype_caller(regions):
    for region in regions:
        texts = [read["bases"] for read in region["reads"]]
        out = np.zeros(sum(map(len, texts)), np.uint8)
        gap_open_quals(slots([len(text) for text in texts]), codes("".join(texts)), pcr_gap_open(model_of(region)), out)
        np.testing.assert_array_equal(out, np.concatenate([read["gap_open"] for read in region["reads"]]))


def test_base_quals_of_haplotype_caller(regions):
    for region in regions:
        reads = [read for read in region["reads"] if read["kept"]]
        offsets = slots([len(read["bases"]) for read in reads])
        out = np.zeros(offsets[-1], np.uint8)
        quals = np.concatenate([read["base_quals"] for read in reads]).astype(np.uint8)
        hmm_base_quals(offsets, quals, np.array([read["mapq"] for read in reads], np.uint8), 18, True, out)
        np.testing.assert_array_equal(out, np.concatenate([read["hmm_quals"] for read in reads]))


def test_likelihoods_of_haplotype_caller(regions):
    """All regions of a PCR model in one batch: raw, capped, and which reads are kept."""
    for model in ("CONSERVATIVE", "HOSTILE"):
        some = [region for region in regions if model_of(region) == model]
        haplotypes = [[haplotype["bases"] for haplotype in region["haplotypes"]] for region in some]
        reads = [[(read["bases"], read["hmm_quals"], 60) for read in region["reads"]] for region in some]
        settings = replace(AS_GIVEN, pcr_indel_model=model)
        _, raw = score(haplotypes, reads, replace(settings, phred_scaled_global_read_mismapping_rate=-1))
        limited, capped = score(haplotypes, reads, settings)
        for i, region in enumerate(some):
            expected = np.array([read["pairhmm"] for read in region["reads"]])
            np.testing.assert_allclose(raw[i], expected, rtol=0, atol=TOLERANCE)
            kept = [read["kept"] for read in region["reads"]]
            np.testing.assert_allclose(
                capped[i][kept], [read["capped"] for read in region["reads"] if read["kept"]], rtol=0, atol=TOLERANCE
            )
        assert limited.kept.tolist() == [read["kept"] for region in some for read in region["reads"]]


def test_ties_are_those_of_float32(regions):
    """Likelihoods that HaplotypeCaller has equal to the last digit are equal here too, but for a few: 99.7 % measured."""
    n_equal = n_tied = 0
    for region in regions:
        haplotypes = [[haplotype["bases"] for haplotype in region["haplotypes"]]]
        reads = [[(read["bases"], read["hmm_quals"], 60) for read in region["reads"]]]
        settings = replace(AS_GIVEN, pcr_indel_model=model_of(region), phred_scaled_global_read_mismapping_rate=-1)
        _, (found,) = score(haplotypes, reads, settings)
        expected = np.array([read["pairhmm"] for read in region["reads"]])
        tied = expected[:, :-1] == expected[:, 1:]
        n_tied += tied.sum()
        n_equal += (tied & (found[:, :-1] == found[:, 1:])).sum()
        in_float32 = found >= -64
        np.testing.assert_array_equal(found[in_float32], np.float32(found[in_float32]))
    assert n_tied > 50 and n_equal >= 0.99 * n_tied


def test_equal_reads_and_absent_ones():
    read, other = ("AGGCTTACCGAT", [30] * 12, 60), ("AGGCTTACCGTT", [30] * 12, 60)
    better = ("AGGCTTACCGAT", [30] * 11 + [31], 60)
    handed = []

    class Counting(CpuBackend):
        @staticmethod
        def pair_hmm(*arguments):
            handed.append(len(arguments[1]) - 1)
            CpuBackend.pair_hmm(*arguments)

    empty = ("", [], 60)
    reads = [[read, other, read, empty, better], [], [read, read]]
    scored, (first, _, last) = score(
        [HAPLOTYPES, [], HAPLOTYPES[:1]], reads, takes_part=[True, True, True, True, True, False, True], backend=Counting
    )
    assert handed == [4]  # three in the first region, one in the last
    assert scored.matrix_offsets.tolist() == [0, 15, 15, 17]
    np.testing.assert_array_equal(first[0], first[2])
    assert (first[0] != first[1]).any() and (first[0] != first[4]).any()
    assert np.isnan(first[3]).all() and np.isnan(last[0]).all() and not np.isnan(last[1]).any()
    assert scored.kept.tolist() == [True, True, True, False, True, False, True]
    # A read's row does not depend on who else is there.
    _, (alone,) = score([HAPLOTYPES], [[other]])
    np.testing.assert_array_equal(alone[0], first[1])


def test_regions_without_haplotypes_or_reads():
    scored, _ = score([[], HAPLOTYPES], [[("ACGT", [30] * 4, 60)], []])
    assert scored.kept.tolist() == [False] and scored.matrix_offsets.tolist() == [0, 0, 0] and len(scored.log10) == 0
    scored, _ = score([], [])
    assert len(scored.kept) == 0 and scored.matrix_offsets.tolist() == [0]


def test_find_equal_reads():
    texts, quals = ["ACG", "ACG", "ACG", "AC", "ACG", "ACG"], [30, 30, 31, 30, 30, 30]
    offsets = slots([len(text) for text in texts])
    twin = np.full(6, 99)
    flat = np.repeat(np.array(quals, np.uint8), np.diff(offsets))
    find_equal_reads(np.array([0, 4, 6]), offsets, codes("".join(texts)), flat, np.array([0, 0, 0, 0, 1, -1]), twin)
    assert twin.tolist() == [0, 0, 2, 3, 4, -1]


def test_find_equal_reads_among_many(seed=9):
    """So many in a table of their own number that they meet in its places."""
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice(list("ACGT"), 4)) for _ in range(300)]
    quals = [tuple(rng.choice([20, 30], 4)) for _ in texts]
    twin, first = np.full(300, 99), {}
    expected = [first.setdefault(read, i) for i, read in enumerate(zip(texts, quals))]
    find_equal_reads(
        np.array([0, 300]), slots([4] * 300), codes("".join(texts)), np.concatenate(quals).astype(np.uint8), np.zeros(300, np.int64), twin
    )
    assert 200 < len(first) < 300
    assert twin.tolist() == expected


def limit(matrix, lengths, rate=0.02, is_dynamic=False, most_below_best=-4.5, quality=30):
    log10, kept = np.array(matrix, float).ravel(), np.zeros(len(matrix), bool)
    limit_likelihoods(
        slots([len(row) for row in matrix]), np.arange(len(matrix)), slots(lengths), np.full(sum(lengths), quality, np.uint8),
        *_error_costs(), most_below_best, rate, is_dynamic, log10, kept,
    )  # fmt: skip
    return log10.reshape(len(matrix), -1), kept.tolist()


def test_mismapping_cap():
    raw, expected = (np.array(LIMITS["mismap_cap"][key]).T for key in ("raw", "capped"))
    np.testing.assert_allclose(limit(raw, [150] * 3)[0], expected, atol=2e-6)  # float32's ties move them by as much
    np.testing.assert_allclose(limit(raw, [150] * 3, most_below_best=0.1)[0], raw, atol=2e-6)
    # A single haplotype, none that is possible, and what float64 alone can tell.
    assert limit([[-90.0]], [150])[0].tolist() == [[-90.0]]
    impossible, kept = limit([[-np.inf, -np.inf]], [150])
    assert np.isneginf(impossible).all() and kept == [False]
    assert limit([[-80.0, -80.0000001]], [150])[0].tolist() == [[-80.0, -80.0000001]]
    tied = limit([[-2.0, -2.0000001]], [150])[0][0]
    assert tied[0] == tied[1]


@pytest.mark.parametrize("case", LIMITS["poor_read_filter"])
def test_static_disqualification(case):
    quals = np.full(case["read_len"], 30, np.uint8)
    assert least_log10(quals, *_error_costs(), 0.02, False) == case["static_threshold"]
    assert limit([[case["best"] + 1e-5, -50.0]], [case["read_len"]])[1] == [case["kept_static"]]


@pytest.mark.parametrize("case", LIMITS["disqualification_thresholds"], ids=lambda case: case["name"])
def test_dynamic_disqualification(case):
    quals = np.concatenate([np.full(int(n), int(q), np.uint8) for n, q in (part.split("xQ") for part in case["name"].split("_"))])
    assert least_log10(quals, *_error_costs(), 0.03, True) == case["used"]
    # Without mismatches allowed for by length, what the qualities lead one to expect.
    assert least_log10(quals, *_error_costs(), 0.0, True) == pytest.approx(case["log10_threshold_k1"], rel=1e-12)


def test_moments_of_the_error_cost():
    mean, variance = _error_costs()
    for row in LIMITS["disqualification_moments"]:
        assert mean[row["q"]] == pytest.approx(row["mean"], rel=1e-9) and variance[row["q"]] == pytest.approx(row["var"], rel=1e-9)
    # Qualities beyond the table count as its ends.
    least = [least_log10(np.full(100, q, np.uint8), mean, variance, 0.0, True) for q in (40, 60, 127, 1, 0)]
    assert least[0] == least[1] == least[2] and least[3] == least[4] < least[0]


def test_settings_reach_the_kernels():
    reads = [[("AGGCTTACCGAT", [30] * 5 + [16] + [30] * 6, 25), ("AGGCTTACCCAT", [30] * 12, 40)]]
    base, (plain,) = score([HAPLOTYPES], reads, WHOLE)
    assert base.kept.tolist() == [True, False]
    for change in (
        {"base_quality_score_threshold": 18},
        {"cap_base_qualities_to_mapq": False},
        {"pcr_indel_model": "HOSTILE"},
        {"pcr_indel_model": "AGGRESSIVE"},
        {"phred_scaled_global_read_mismapping_rate": 10},
    ):
        assert (score([HAPLOTYPES], reads, replace(WHOLE, **change))[1][0] != plain).any(), change
    for change in ({"expected_mismatch_rate": 0.2}, {"expected_mismatch_rate": 0.2, "dynamic_read_disqualification": True}):
        assert score([HAPLOTYPES], reads, replace(WHOLE, **change))[0].kept.tolist() == [True, True], change
    with pytest.raises(UsageError, match="base quality score threshold: found 5, expected 6 or more"):
        score([HAPLOTYPES], reads, replace(WHOLE, base_quality_score_threshold=5))


def test_gap_continuation_is_what_the_float32_rule_expects():
    assert pairhmm.GAP_CONTINUATION == 10
    assert round(pairhmm.TIE_OFFSET, 5) == 36.12360
