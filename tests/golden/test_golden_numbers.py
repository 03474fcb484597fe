"""gpuvc against numbers that other code computed; README.md says how."""

import json
from pathlib import Path

import numpy as np
import pytest
from builders import Read, batch, used

from gpuvc.genotyping.annotations import fisher_strand, qual_by_depth, rank_sum, read_evidence, strand_odds_ratio, z_of
from gpuvc.genotyping.calls import _genotype
from gpuvc.genotyping.genotypes import (
    REFERENCE_PSEUDOCOUNT,
    allele_frequencies,
    copy_costs,
    genotype_table,
    log10_multinomials,
    log_sum_table,
)
from gpuvc.genotyping.multiallelic import base_likelihoods, error_tables, judge_alleles, order_alleles
from gpuvc.genotyping.priors import REPEAT_INDEL_PHRED
from gpuvc.io.dragstr import read_tables
from gpuvc.kernels.codes import FLAG_MATE_REVERSE, FLAG_PAIRED, FLAG_READ1, FLAG_READ2, FLAG_REVERSE
from gpuvc.kernels.cpu.genotypes import genotype_likelihoods
from gpuvc.likelihoods.local_haplotypes import GAP_EXTEND, GAP_OPEN_PHRED
from gpuvc.likelihoods.score import misfits
from gpuvc.pileup.mpileup import CODES, MAX_QUAL, STRANDS
from gpuvc.pileup.overlaps import finalise_quals
from gpuvc.settings import Settings

HERE = Path(__file__).parent
GENOTYPING, ANNOTATIONS, OVERLAP, REPEATS, PILEUP_CALLER = (
    json.loads((HERE / f"{name}.json").read_text()) for name in ("genotyping", "annotations", "overlap", "repeats", "pileup_caller")
)
PSEUDOCOUNTS = {
    "ref": REFERENCE_PSEUDOCOUNT,
    "snp": REFERENCE_PSEUDOCOUNT * Settings().heterozygosity,
    "indel": REFERENCE_PSEUDOCOUNT * Settings().indel_heterozygosity,
}
each_case = pytest.mark.parametrize("case", GENOTYPING["cases"], ids=lambda case: case["name"])


class TestGenotyping:
    @staticmethod
    def kernel(case):
        """Hundredths of a phred by genotype, as the kernel sums them up, and the log10 likelihood it leaves out."""
        log10 = np.array(case["read_log10_likelihoods"]).T
        n_reads, n_alleles = log10.shape
        best = log10.max(axis=1)
        penalties = np.floor(1000 * (best[:, None] - log10) + 0.5).astype(np.int32)
        table = genotype_table(case["ploidy"], n_alleles)
        out = np.empty(len(table), np.int64)
        genotype_likelihoods(
            np.zeros(len(table), np.int32), np.arange(len(table), dtype=np.int32), np.array([0, n_reads], np.int64),
            np.arange(0, n_reads * n_alleles + 1, n_alleles), penalties.ravel(), np.full(n_reads, 256, np.int32), table, log_sum_table(),
            copy_costs(case["ploidy"]), out,
        )  # fmt: skip
        return out, best.sum()

    @each_case
    def test_likelihoods(self, case):
        out, left_out = self.kernel(case)
        n_reads = len(case["read_log10_likelihoods"][0])
        # The kernel rounds penalty, share of copies and sum to 1/1000 each; measured: at most 0.0005 a read.
        assert left_out - out / 1000 == pytest.approx(case["log10_gl"], abs=0.001 * n_reads)

    @each_case
    def test_pl_and_genotype(self, case):
        out, _ = self.kernel(case)
        pls = ((out - out.min() + 50) // 100).tolist()
        assert pls == case["pl"]
        genotype, quality, pl = _genotype(pls, case["ploidy"], tuple(range(len(case["allele_kinds"]))))
        assert (list(genotype), quality, list(pl)) == (case["gt"], case["gq"], case["pl"])

    @each_case
    def test_no_variant(self, case):
        n_alleles = len(case["allele_kinds"])
        table = genotype_table(case["ploidy"], n_alleles)
        posterior, counts = np.empty(len(table)), np.empty(n_alleles)
        pseudocounts = np.array([PSEUDOCOUNTS[kind] for kind in case["allele_kinds"]])
        found = allele_frequencies(
            np.array(case["pl"]), table, log10_multinomials(case["ploidy"], n_alleles), pseudocounts, posterior, counts
        )  # fmt: skip
        if case["star_index"] is not None:
            # A deletion that spans the locus is no variant of it.
            is_variant = np.delete(table, [0, case["star_index"]], axis=1).any(axis=1)
            found = np.log10((10.0 ** posterior[~is_variant]).sum())
        assert -10 * found == pytest.approx(-10 * case["log10_p_no_variant"], abs=1e-6, rel=1e-9)
        assert counts == pytest.approx(case["effective_counts"], abs=1e-9)
        assert (10.0**posterior).sum() == pytest.approx(1, abs=1e-12)

    def test_reads_that_fit_nothing(self):
        for case in GENOTYPING["best_below_which_a_read_says_nothing"]:
            assert misfits(200)[case["bases"]] == round(-1000 * case["log10"])


class TestAnnotations:
    @pytest.mark.parametrize("case", ANNOTATIONS["strand"], ids=lambda case: str(case["table"]))
    def test_strands(self, case):
        assert strand_odds_ratio(*case["table"]) == pytest.approx(case["sor"], rel=1e-9)
        assert fisher_strand(*case["table"]) == pytest.approx(case["fs"], rel=1e-6, abs=1e-9)

    @pytest.mark.parametrize("case", ANNOTATIONS["rank_sum"], ids=str)
    def test_rank_sum(self, case):
        values = np.array(case["alt"] + case["ref"], np.int32)
        z = z_of(*rank_sum(values, np.arange(len(values)) < len(case["alt"])))
        assert z == pytest.approx(case["z"], rel=1e-9, abs=1e-12) if case["z"] is not None else z is None

    def test_root_mean_square_of_mapping_qualities(self):
        (case,) = ANNOTATIONS["rms_mq"]
        mapq = np.array([*case["mq"], 255], np.uint8)  # 255: not known, left out
        n = len(mapq)
        squares = np.empty(1)
        read_evidence(
            np.zeros(1, np.int64), np.array([0, n], np.int64), np.arange(0, 2 * n + 1, 2), np.zeros(2 * n, np.int32),
            np.array([0, 1], np.int32), np.array([0, 2], np.int64), np.arange(n, dtype=np.int32), np.full(n, 30, np.uint8),
            np.full(n, 9, np.int32), mapq, np.zeros(n, np.uint16), np.empty(2, np.int32), np.empty(1), np.empty(1), np.empty((1, 3)),
            np.empty((1, 3), np.int8), np.empty(1, np.int32), squares,
        )  # fmt: skip
        assert np.sqrt(squares[0]) == pytest.approx(case["value"], rel=1e-9)

    @pytest.mark.parametrize("case", ANNOTATIONS["qd"], ids=str)
    def test_qual_by_depth(self, case):
        assert qual_by_depth(case["qual"], case["ad"]) == pytest.approx(case["qd"], rel=1e-9)


@pytest.mark.parametrize("case", OVERLAP["pairs"])
@pytest.mark.parametrize("first_on_reverse", [False, True])
def test_overlapping_mates(case, first_on_reverse):
    n = len(case["bases"][0])
    flags = [FLAG_PAIRED | FLAG_READ1 | FLAG_MATE_REVERSE, FLAG_PAIRED | FLAG_READ2 | FLAG_REVERSE]
    if first_on_reverse:
        flags = [FLAG_PAIRED | FLAG_READ1 | FLAG_REVERSE, FLAG_PAIRED | FLAG_READ2 | FLAG_MATE_REVERSE]
    pair = batch(
        Read(100, (("M", n),), bases, tuple(quals), flag=flag, name="pair", mate_pos=100, mate_contig_id=0)
        for bases, quals, flag in zip(case["bases"], case["quals"], flags)
    )
    finalise_quals(pair, used(pair))
    assert pair.base_quals.reshape(2, n).tolist() == case["corrected"]


class TestRepeats:
    def test_chance_of_an_indel(self):
        assert REPEAT_INDEL_PHRED.tolist() == REPEATS["indel_phred"]

    def test_gap_opening(self):
        """As published, but that no row rises again once it has begun to fall, and homopolymers go on falling from 12 copies on."""
        for period, (ours, published) in enumerate(zip(GAP_OPEN_PHRED, REPEATS["gap_open_phred"]), 1):
            top = int(np.argmax(published))
            expected = published[:top] + np.minimum.accumulate(published[top:]).tolist()
            n = 11 if period == 1 else 20
            assert list(ours[:n]) == expected[:n], period
            assert all(a >= b >= 10 for a, b in zip(ours[n - 1 :], ours[n:]))

    def test_gap_continuation(self):
        """As published, but for the last digit: hundredths of a phred, rounded down."""
        assert (GAP_EXTEND / 100).tolist() == pytest.approx(REPEATS["gap_continuation_phred"], abs=0.0101)

    def test_what_gatk_writes_when_a_sample_has_too_few_repeats(self):
        gap_open, gap_continuation, indel_prior = read_tables(HERE / "dragstr.defaults.txt")
        assert gap_open.tolist() == REPEATS["gap_open_phred"]
        assert gap_continuation.tolist() == [[phred] * 20 for phred in REPEATS["gap_continuation_phred"]]
        assert indel_prior.tolist() == REPEATS["indel_phred"]


@pytest.mark.parametrize("case", PILEUP_CALLER["cases"], ids=lambda case: case["name"])
class TestPileupCaller:
    """The model of `bcftools mpileup | bcftools call -m`: likelihoods within the 1e-4 of its float32."""

    def test_likelihoods_and_pl(self, case):
        bases = np.array([(qual * STRANDS + strand) * CODES + base for qual, strand, base in case["bases"]], np.uint16)
        phred = np.empty((1, CODES, CODES), np.float32)
        tally = np.zeros((MAX_QUAL + 1, STRANDS * CODES), np.int64)
        slots = np.array([0, len(bases)], np.int64)
        base_likelihoods(slots, bases, *error_tables(), tally, np.empty(CODES), np.empty(CODES, np.int64), phred)
        found = {"AA": phred[0, 0, 0], "AG": phred[0, 0, 2], "GG": phred[0, 2, 2]}
        assert found == pytest.approx(case["gl_phred"], rel=1e-4, abs=1e-4)
        sums = np.array([[sum(qual for qual, _, base in case["bases"] if base == code) for code in range(4)]], np.int32)
        alleles, n_alleles = np.empty((1, 4), np.int8), np.empty(1, np.int8)
        shares, pls = np.empty((1, 4), np.float32), np.empty((1, 10), np.int32)
        order_alleles(np.zeros(1, np.uint8), sums, phred, alleles, n_alleles, shares, pls)
        # Without G, the base that was not seen stands in its place; their likelihoods are the same.
        assert (shares[0, :2].tolist(), pls[0, :3].tolist()) == (pytest.approx(case["qs"], rel=1e-6), case["pl"])
        assert alleles[0, 1] == (2 if sums[0, 2] else 3)

    def test_call(self, case):
        pls, shares = np.zeros((1, 10), np.int32), np.zeros((1, 4), np.float32)
        pls[0, :3], shares[0, :2] = case["pl"], case["qs"]
        chosen, qual = np.empty(1, np.int8), np.empty(1, np.float32)
        genotype, gq = np.empty((1, 2), np.int8), np.empty(1, np.int16)
        judge_alleles(pls, shares, np.array([2], np.int8), 2, np.log(1.1e-3), np.empty(10), chosen, qual, genotype, gq)
        assert [a for a in (0, 1) if chosen[0] >> a & 1] == case["call"]["best_alleles"]
        assert qual[0] == pytest.approx(case["call"]["qual"], rel=1e-4, abs=1e-4)
