"""The BAM of realigned reads on small made-up samples, and what can go wrong with it."""

import json
import resource
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import pysam
import pytest
from builders import CONTIG, haplotype, random_sequence, reads_of, write_bam, write_fasta

import gpuvc
from gpuvc.intervals import Contigs
from gpuvc.io.whole_records import WholeRecords
from gpuvc.output.realigned_bam import RealignedBam, bam_header

REFERENCE = random_sequence(900, seed=31)
SNV = (300, REFERENCE[300], "ACGT"["ACGT".index(REFERENCE[300]) - 1])
DELETION = (302, REFERENCE[302:307], REFERENCE[302])


@pytest.fixture
def sample(tmp_path):
    fasta = write_fasta(tmp_path / "ref.fa", {CONTIG: REFERENCE})
    reads = [r for variants in ((), (SNV, DELETION)) for r in reads_of(haplotype(REFERENCE, *variants))]
    return SimpleNamespace(fasta=fasta, bam=write_bam(tmp_path / "reads.bam", reads, {CONTIG: REFERENCE}), reads=reads, folder=tmp_path)


@pytest.fixture
def call(sample):
    """Call the sample → the records of its BAM."""

    def run(bam=None, **options):
        options = {"bam_output": sample.folder / "out.bam"} | options
        settings = gpuvc.Settings(engine="haplotype")
        gpuvc.call_variants(sample.fasta, bam or sample.bam, settings=settings, device="cpu", threads=1, **options)
        with pysam.AlignmentFile(options["bam_output"]) as file:
            return list(file)

    return run


def test_reads_tell_their_haplotype_and_their_alleles(call):
    records = call()
    haplotypes = [r for r in records if r.get_tag("RG") == "ArtificialHaplotypeRG"]
    assert [(r.query_name, r.flag, r.mapping_quality) for r in haplotypes] == [("HC_1_0", 16, 60), ("HC_2_1", 16, 60)]
    bases = {r.get_tag("HC"): r.query_sequence for r in haplotypes}
    changed = next(r.get_tag("HC") for r in haplotypes if "D" in r.cigarstring)
    told = [r for r in records if r not in haplotypes and r.has_tag("HC")]
    assert len(told) > 10
    for record in told:
        assert record.query_sequence in bases[record.get_tag("HC")]
        allele = int(record.get_tag("HC") == changed)
        assert set(record.get_tag("XA").split(", ")) <= {f"{CONTIG}:{pos + 1}={allele}" for pos in (SNV[0], DELETION[0])}


def test_regions_without_reads_are_left_out(sample, call):
    """An allele given for a place that no read covers makes a region all the same."""
    bam = write_bam(sample.folder / "short.bam", [r for r in sample.reads if r.ref_end < 600], {CONTIG: REFERENCE})
    alleles = sample.folder / "alleles.vcf"
    other = "ACGT"["ACGT".index(REFERENCE[800]) - 1]
    alleles.write_text(
        f"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n{CONTIG}\t801\t.\t{REFERENCE[800]}\t{other}\t.\t.\t.\n"
    )
    track = sample.folder / "regions.igv"
    records = call(bam=bam, alleles=alleles, bam_writer_type="ALL_POSSIBLE_HAPLOTYPES", assembly_region_out=track)
    assert [line.split("\t")[4] for line in track.read_text().splitlines()[2:]].count("1.00000") == 2
    assert len(records) > 10 and max(r.reference_end for r in records) < 600


def test_the_hash_of_a_haplotype_is_that_of_a_java_array(call):
    record = next(r for r in call() if r.query_name == "HC_1_0")
    value = 1
    for letter in record.query_sequence.encode():
        value = (31 * value + letter) & 0xFFFFFFFF
    assert record.get_tag("HC") == value - (value >> 31 << 32)


@pytest.mark.parametrize("option", ["--dragen-mode", "--transform-dragen-mapping-quality"])
def test_extended_mapping_qualities(sample, run_cli, option):
    """Reads are found by what their file says of them, and written with the quality that counted."""
    paths = {name: str(sample.folder / f"{name}.bam") for name in ("extended", "out")}
    with pysam.AlignmentFile(sample.bam) as source, pysam.AlignmentFile(paths["extended"], "wb", template=source) as file:
        for k, record in enumerate(source):
            if k % 3:
                record.set_tag("XQ", 30 + k % 3, "i")
            file.write(record)
    pysam.index(paths["extended"])
    command = ["call", "-R", sample.fasta, "-I", paths["extended"], "-O", sample.folder / "out.vcf", "--engine", "haplotype"]
    done = run_cli(*command, option, "--concordance", "hc", "--bam-output", paths["out"], "--bam-writer-type", "NO_HAPLOTYPES")
    assert done.code == 0, done.err
    with pysam.AlignmentFile(paths["out"]) as file:
        records = list(file)
    assert len(records) > 10 and len({r.mapping_quality for r in records}) == 3
    assert [r.mapping_quality for r in records] == [r.get_tag("XQ") if r.has_tag("XQ") else 60 for r in records]


def test_the_report_names_the_vcf(sample, call):
    call(output=sample.folder / "out.vcf", report=sample.folder / "report.json", assembly_region_out=sample.folder / "out.igv")
    assert json.loads((sample.folder / "report.json").read_text())["output"] == str(sample.folder / "out.vcf")


def test_an_old_index_does_not_outlive_its_file(sample, call):
    for name in ("out.bam.bai", "out.bam.csi", "out.csi"):
        (sample.folder / name).write_text("old")
    call()
    assert sorted(path.name for path in sample.folder.glob("out*")) == ["out.bai", "out.bam"]


class TestRefused:
    def test_a_name_that_is_no_bam(self, call):
        with pytest.raises(gpuvc.UsageError, match=r"--bam-output: found out.sam, expected a name that ends in .bam"):
            call(bam_output="out.sam")

    def test_an_unknown_type(self, call):
        with pytest.raises(gpuvc.UsageError, match=r"--bam-writer-type: found ALL, expected CALLED_HAPLOTYPES or"):
            call(bam_writer_type="ALL")

    def test_reads_without_index(self, sample, call):
        bam = write_bam(sample.folder / "plain.bam", sample.reads, {CONTIG: REFERENCE}, index=False)
        with pytest.raises(gpuvc.UsageError, match=r"--bam-output: found .*plain.bam without index"):
            call(bam=bam)

    @pytest.mark.parametrize("option", ["bam_output", "assembly_region_out"])
    def test_places_that_cannot_be_written(self, sample, call, option):
        (sample.folder / "folder.bam").mkdir()
        before = sorted(sample.folder.iterdir())
        for path, words in (("none/out.bam", "found no folder"), ("folder.bam", "found a folder of that name")):
            with pytest.raises(gpuvc.OutputError, match=words):
                call(**{option: sample.folder / path})
        assert sorted(sample.folder.iterdir()) == before

    @pytest.mark.parametrize("option", ["bam_output", "assembly_region_out"])
    def test_the_pileup_engine(self, sample, option):
        with pytest.raises(gpuvc.UsageError, match="found it with --engine pileup, expected --engine haplotype"):
            settings = gpuvc.Settings(engine="pileup")
            gpuvc.call_variants(sample.fasta, sample.bam, settings=settings, **{option: sample.folder / "out.bam"})

    def test_two_outputs_of_one_name(self, sample, run_cli):
        out = sample.folder / "out.bam"
        command = ["call", "-R", sample.fasta, "-I", sample.bam, "-O", sample.folder / "out.vcf", "--engine", "haplotype"]
        done = run_cli(*command, "--bam-output", out, "--assembly-region-out", out)
        assert done.code == 2
        assert f"option --assembly-region-out: found {out}, which is the --bam-output as well" in done.err
        assert not list(sample.folder.glob("out*"))


def test_nothing_remains_of_a_run_that_fails(sample, monkeypatch):
    from gpuvc.output.vcf import VariantWriter

    def fail(self):
        raise gpuvc.OutputError("disk full")

    monkeypatch.setattr(VariantWriter, "commit", fail)
    before = sorted(sample.folder.iterdir())
    outputs = {"output": "out.vcf", "bam_output": "out.bam", "assembly_region_out": "out.igv"}
    with pytest.raises(gpuvc.OutputError, match="disk full"):
        gpuvc.call_variants(
            sample.fasta, sample.bam, settings=gpuvc.Settings(engine="haplotype"), device="cpu",
            **{option: sample.folder / name for option, name in outputs.items()},
        )  # fmt: skip
    assert sorted(sample.folder.iterdir()) == before


@pytest.mark.parametrize("n_records", [10, 20_000], ids=["at its end", "on the way"])
def test_a_disk_that_fills_up(tmp_path, n_records):
    source = SimpleNamespace(header_texts=(), contigs=Contigs(("one",), (1_000_000,)))
    bases = random_sequence(n_records + 150, seed=3)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(gpuvc.OutputError, match=r"output .*out.bam: found it cannot be written"), ExitStack() as stack:
        out = stack.enter_context(RealignedBam(tmp_path / "out.bam", "NO_HAPLOTYPES", source, None))
        stack.callback(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100 if n_records == 10 else 100_000, limits[1]))
        for k in range(n_records):
            record = pysam.AlignedSegment()
            record.query_name, record.reference_id, record.reference_start = f"r{k}", 0, k
            record.query_sequence, record.cigarstring = bases[k : k + 150], "150M"
            out.add(SimpleNamespace(contig_id=0), [(k, [], [record])])
        out.finish()
    assert not list(tmp_path.iterdir())


def test_reads_that_are_gone(sample):
    batch = SimpleNamespace(
        pos=np.array([5]), flag=np.array([0]), name=np.array([b"gone"]), mapq=np.array([60]), mate_pos=np.array([-1]),
        template_length=np.array([0]), base_offsets=np.array([0, 60]),
    )  # fmt: skip
    with pytest.raises(gpuvc.InputError, match="found 1 reads gone that were read before"):
        WholeRecords([str(sample.bam)], sample.fasta).find(CONTIG, [(0, 100)], batch, [0])


def test_read_groups_and_programs_of_several_inputs():
    texts = (
        "@HD\tVN:1.5\n@SQ\tSN:one\tLN:9\n@RG\tID:a\tSM:x\tPL:p\n@RG\tID:b\tSM:x\n@PG\tID:bwa\n",
        "@SQ\tSN:one\tLN:9\n@RG\tID:a\tSM:y\n@RG\tSM:x\tID:b\n@PG\tID:gpuvc\tVN:0\n",
    )
    source = SimpleNamespace(header_texts=texts, contigs=Contigs(("one",), (9,)))
    header, ids = bam_header(source, "CALLED_HAPLOTYPES", with_version=False)
    assert ids == ["a", "b", "a.1", "b"]
    assert str(header).splitlines() == [
        "@HD\tVN:1.6\tSO:coordinate", "@SQ\tSN:one\tLN:9", "@RG\tID:a\tSM:x\tPL:p", "@RG\tID:b\tSM:x", "@RG\tID:a.1\tSM:y",
        "@RG\tID:ArtificialHaplotypeRG\tSM:HC", "@PG\tID:bwa", "@PG\tID:gpuvc\tVN:0", "@PG\tID:gpuvc.1\tPN:gpuvc",
    ]  # fmt: skip
    header, _ = bam_header(source, "NO_HAPLOTYPES", with_version=True)
    assert "ArtificialHaplotypeRG" not in str(header)
    assert str(header).splitlines()[-1] == f"@PG\tID:gpuvc.1\tPN:gpuvc\tVN:{gpuvc.__version__}"
