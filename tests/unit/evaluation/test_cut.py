"""Wrong loci as cases: what is in the folder, and that it can be called and judged."""

import pysam
import pytest
import yaml

from gpuvc.evaluation.cut import FLANK_BP, wrong_loci
from gpuvc.evaluation.evaluate import evaluate
from tests.builders import haplotype, random_sequence, reads_of, write_bam, write_fasta

SEQUENCE = random_sequence(3000, 11)
SNV = (1500, SEQUENCE[1500], "ACGT"["ACGT".index(SEQUENCE[1500]) - 1])


@pytest.fixture
def sample(tmp_path, vcf):
    """Reference, reads with one SNV on half of them, the truth that has it, and calls that have another genotype far on, too."""
    reference = write_fasta(tmp_path / "ref.fa", {"c1": SEQUENCE})
    aligned = [read for variants in ([], [SNV]) for read in reads_of(haplotype(SEQUENCE, *variants), length=100, step=9)]
    bam = write_bam(tmp_path / "reads.bam", aligned, {"c1": SEQUENCE})
    pos, ref, alt = SNV
    truth = vcf("truth.vcf", f"{pos + 1} {ref} {alt} 0/1", contig="c1")
    calls = vcf("calls.vcf", f"{pos + 1} {ref} {alt} 1/1", f"{2501} {SEQUENCE[2500]} {SEQUENCE[2500]}T 0/1", contig="c1")
    return reference, bam, truth, calls


def cut(run_cli, sample, folder, *more):
    reference, bam, truth, calls = sample
    return run_cli("evaluate", "--truth", truth, "-R", reference, calls, "--cut", folder, *more or ("-I", bam))


def test_folders(run_cli, sample, tmp_path):
    done = cut(run_cli, sample, tmp_path / "cases")
    assert done.code == 0 and "2 wrong loci" in done.err
    case = tmp_path / "cases" / "c1_1501"
    assert sorted(path.name for path in (tmp_path / "cases").iterdir()) == ["c1_1501", "c1_2502"]
    assert sorted(path.name for path in case.iterdir()) == ["expected.yaml", "reads.bam", "reads.bam.bai", "ref.fa", "ref.fa.fai"]
    expected = yaml.safe_load((case / "expected.yaml").read_text())
    pos, ref, alt = SNV
    assert expected["locus"] == {"contig": "c1", "start": FLANK_BP + 1, "end": FLANK_BP + 1}
    assert expected["truth"] == [{"pos": FLANK_BP + 1, "ref": ref, "alt": alt, "gt": "0/1"}]
    assert [v["gt"] for v in expected["called"]] == ["1/1"]
    assert f"{ref}>{alt} 0/1 at {pos + 1}" in expected["hard"] and "1/1" in expected["hard"]
    with pysam.FastaFile(str(case / "ref.fa")) as fasta:
        assert fasta.fetch("c1") == SEQUENCE[pos - FLANK_BP : pos + FLANK_BP + 1]
    with pysam.AlignmentFile(sample[1]) as whole, pysam.AlignmentFile(str(case / "reads.bam")) as part:
        first, last = pos - FLANK_BP, pos + FLANK_BP + 1
        inside = [r for r in whole.fetch("c1", first, last) if r.reference_start >= first and r.reference_end <= last]
        kept = list(part.fetch("c1"))
        assert [(r.query_name, r.reference_start - first, r.cigarstring, r.query_sequence) for r in inside] == [
            (r.query_name, r.reference_start, r.cigarstring, r.query_sequence) for r in kept
        ]
        assert kept[0].get_tag("RG") == "lane1" and part.header.to_dict()["RG"] == whole.header.to_dict()["RG"]


def test_a_case_can_be_called(run_cli, sample, tmp_path):
    cut(run_cli, sample, tmp_path / "cases")
    case = tmp_path / "cases" / "c1_1501"
    done = run_cli("call", "-R", case / "ref.fa", "-I", case / "reads.bam", "-O", tmp_path / "again.vcf", "--device", "cpu")
    assert done.code == 0, done.err
    with pysam.VariantFile(str(tmp_path / "again.vcf")) as file:
        assert [(r.pos, r.ref, r.alts, sorted(r.samples[0]["GT"])) for r in file] == [(FLANK_BP + 1, SNV[1], (SNV[2],), [0, 1])]


def test_near_variants_are_one_locus(vcf, reference):
    truth = vcf("truth.vcf", "3 T C 0/1", "10 TCA T 1/1")
    evaluation = evaluate(truth, vcf("calls.vcf", "22 A G 0/1"), reference)
    assert wrong_loci(evaluation) == [(0, 2, 22)]


def test_what_is_refused(run_cli, sample, tmp_path):
    reference, _, truth, calls = sample
    alone = run_cli("evaluate", "--truth", truth, "-R", reference, calls, "--cut", tmp_path / "cases")
    assert alone.code == 2 and "-I" in alone.err
    assert cut(run_cli, sample, tmp_path / "cases").code == 0
    again = cut(run_cli, sample, tmp_path / "cases")
    assert again.code == 4 and "there already" in again.err
    (tmp_path / "file").write_text("")
    blocked = cut(run_cli, sample, tmp_path / "file" / "cases")
    assert blocked.code == 4 and len(blocked.err.splitlines()) == 1
    assert not [path for path in (tmp_path / "cases").iterdir() if path.name.startswith(".")]
