"""No output takes the place of an input, of an index beside one, or of another output."""

import os
from types import SimpleNamespace

import pysam
import pytest
from builders import CONTIG, random_sequence, write_bam, write_fasta

import gpuvc
from gpuvc.output.files import check_places

REFERENCE = random_sequence(300, seed=5)
OPTIONS = {"output": "--output", "report": "--report", "bam_output": "--bam-output", "assembly_region_out": "--assembly-region-out"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in that holds each kind of input."""
    monkeypatch.chdir(tmp_path)
    write_fasta(tmp_path / "ref.fa", {CONTIG: REFERENCE})
    write_bam(tmp_path / "reads.bam", [], {CONTIG: REFERENCE})
    (tmp_path / "link.bam").symlink_to("reads.bam")
    (tmp_path / "given.vcf").write_text(f"##fileformat=VCFv4.2\n##contig=<ID={CONTIG}>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
    pysam.tabix_index("given.vcf", preset="vcf")
    (tmp_path / "ploidies.bed").write_text(f"{CONTIG}\t0\t100\t1\n")
    (tmp_path / "where.bed").write_text(f"{CONTIG}\t0\t200\n")
    (tmp_path / "more.args").write_text("--min-base-quality-score 9\n")
    (tmp_path / "inputs.list").write_text("reads.bam\n")
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=["CLI", "API"])
def refusal(request, folder, run_cli):
    """Call with some outputs → what is said."""

    def run(**outputs):
        before = contents(folder)
        if request.param == "CLI":
            inputs = "-R ref.fa -I reads.bam --alleles given.vcf.gz --ploidy-regions ploidies.bed -L where.bed --engine haplotype"
            outputs = {"output": "out.vcf"} | outputs
            done = run_cli("call", *inputs.split(), *(word for name, path in outputs.items() for word in (OPTIONS[name], path)))
            assert done.code == 2, done.err
            said = done.err
        else:
            inputs = SimpleNamespace(alleles="given.vcf.gz", ploidy_regions="ploidies.bed", intervals=["where.bed"])
            with pytest.raises(gpuvc.UsageError) as error:
                gpuvc.call_variants("ref.fa", "reads.bam", settings=gpuvc.Settings(engine="haplotype"), **vars(inputs), **outputs)
            said = str(error.value)
        assert contents(folder) == before
        return said

    return run


@pytest.mark.parametrize(
    ("option", "path", "words"),
    [
        ("bam_output", "reads.bam", "which is the --input as well"),
        ("bam_output", "link.bam", "which is the --input as well"),
        ("report", "reads.bam.bai", "which is the index of --input as well"),
        ("report", "ref.fa", "which is the --reference as well"),
        ("report", "ref.fa.fai", "which is the index of --reference as well"),
        ("output", "given.vcf.gz", "which is the --alleles as well"),
        ("assembly_region_out", "./given.vcf.gz.tbi", "which is the index of --alleles as well"),
        ("assembly_region_out", "ploidies.bed", "which is the --ploidy-regions as well"),
        ("assembly_region_out", "where.bed", "which is the --intervals as well"),
    ],
)
def test_inputs_stay(refusal, option, path, words):
    assert f"option {OPTIONS[option]}: found {path}, {words}, expected another file." in refusal(**{option: path})


def test_outputs_differ(refusal):
    found = "option --assembly-region-out: found ./a.bam, which is the --bam-output as well"
    assert found in refusal(bam_output="a.bam", assembly_region_out="./a.bam")
    assert f"whose index {os.path.realpath('a.bai')} is the --report as well" in refusal(bam_output="a.bam", report="a.bai")


def test_files_that_only_the_command_line_knows(folder, run_cli):
    before = contents(folder)
    for path, words in (("inputs.list", "the --input as well"), ("more.args", "the --arguments_file as well")):
        done = run_cli(*["call", "-R", "ref.fa", "-I", "inputs.list", "--arguments_file", "more.args", "-O", "out.vcf", "--report"], path)
        assert done.code == 2 and f"option --report: found {path}, which is {words}" in done.err
    assert contents(folder) == before


def test_neighbours_are_no_conflict():
    """Names that differ in their kind alone; standard input and output."""
    read = [("--input", "s.cram"), ("index of --input", "s.cram.crai"), ("--input", "-"), ("--alleles", "s.g.vcf.gz")]
    check_places(read, output="s.vcf.gz", report=["s.json"], bam_output="s.bam", assembly_region_out="s.igv")
    check_places(read, output="-")
