"""What goes wrong for users, end to end: one clear line, the documented exit code, and nothing under the output's name."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pysam
import pytest

CONTIGS = {"chrA": 6000, "chrB": 3000}
READ_LENGTH = 100


def write_fasta(path, sequences):
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in sequences.items()))
    pysam.faidx(str(path))
    return path


def write_reads(path, sequences, *, order="coordinate", contigs=None, samples=("S1",), index=True, mode="wb", step=5, **options):
    """Error-free reads every `step` bp of each contig in `sequences`; `order` "shuffled" is disorder under a header that denies it."""
    contigs = contigs or {name: len(sequence) for name, sequence in sequences.items()}
    header = {
        "HD": {"VN": "1.6", "SO": "coordinate" if order == "shuffled" else order},
        "SQ": [{"SN": name, "LN": length} for name, length in contigs.items()],
        "RG": [{"ID": sample, "SM": sample} for sample in samples],
    }
    reads = []
    with pysam.AlignmentFile(str(path), mode, header=header, **options) as sink:
        for name, sequence in sequences.items():
            for n, start in enumerate(range(0, len(sequence) - READ_LENGTH, step)):
                read = pysam.AlignedSegment(sink.header)
                read.query_name = f"{name}.{start}"
                read.reference_name, read.reference_start, read.mapping_quality = name, start, 60
                read.flag = 16 * (n % 2)
                read.cigarstring = f"{READ_LENGTH}M"
                read.query_sequence = sequence[start : start + READ_LENGTH]
                read.query_qualities = pysam.qualitystring_to_array("F" * READ_LENGTH)
                read.set_tag("RG", samples[n % len(samples)])
                reads.append(read)
        if order != "coordinate":
            random.Random(1).shuffle(reads)
        for read in reads:
            sink.write(read)
    if index and order == "coordinate":
        pysam.index(str(path))
    return path


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A genome of 9,000 bp with one SNV, and reads on it."""
    folder = tmp_path_factory.mktemp("small")
    bases = random.Random(7)
    genome = {name: "".join(bases.choices("ACGT", k=length)) for name, length in CONTIGS.items()}
    reference = write_fasta(folder / "ref.fa", genome)
    snv = {**genome, "chrA": genome["chrA"][:3000] + ("A" if genome["chrA"][3000] != "A" else "C") + genome["chrA"][3001:]}
    bam = write_reads(folder / "reads.bam", snv)
    return SimpleNamespace(folder=folder, genome=genome, sample=snv, reference=reference, bam=bam)


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def fails(run_cli, small, out):
    """Run `gpuvc call` on the small files, with changes; check all that every failure has in common.

    `after`: words of the one warning that comes before the message.
    """

    def fails(code, *words, bam=small.bam, reference=small.reference, output="calls.vcf.gz", arguments=(), after=""):
        before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
        done = run_cli("call", "-R", reference, "-I", bam, "-O", out / output, *arguments)
        assert done.code == code, done.err
        assert done.out == "" and "Traceback" not in done.err
        *warnings, line = done.err.splitlines()
        assert line.startswith("gpuvc: ")
        assert len(warnings) == bool(after) and all(after in warning for warning in warnings)
        for word in words:
            assert word in line
        assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before

    return fails


def copy_with_index(source, target, change):
    """`source` with its bytes changed, beside its old index."""
    target.write_bytes(change(source.read_bytes()))
    shutil.copy(f"{source}.bai", f"{target}.bai")
    return target


def test_the_small_files_are_good(run_cli, small, out):
    done = run_cli("call", "-R", small.reference, "-I", small.bam, "-O", out / "calls.vcf.gz", "--report", out / "report.json")
    assert done.code == 0, done.err
    with pysam.VariantFile(str(out / "calls.vcf.gz")) as variants:
        assert [(v.contig, v.pos, v.samples[0]["GT"]) for v in variants] == [("chrA", 3001, (1, 1))]
    assert sorted(path.name for path in out.iterdir()) == ["calls.vcf.gz", "calls.vcf.gz.tbi", "report.json"]


class TestReads:
    def test_missing(self, fails, small):
        fails(1, "none.bam", bam=small.folder / "none.bam")

    def test_folder(self, fails, small):
        fails(1, str(small.folder), bam=small.folder)

    @pytest.mark.parametrize("part", [0.01, 0.5, 0.97])
    def test_truncated(self, fails, small, tmp_path, part):
        bam = copy_with_index(small.bam, tmp_path / "cut.bam", lambda data: data[: int(len(data) * part)])
        fails(1, "cut.bam", bam=bam)

    def test_truncated_between_blocks(self, fails, small, tmp_path):
        bam = copy_with_index(small.bam, tmp_path / "cut.bam", lambda data: data[:-28])
        fails(1, "cut.bam", "truncated", bam=bam)

    def test_truncated_after_much_was_called(self, fails, small, tmp_path):
        bam = copy_with_index(small.bam, tmp_path / "cut.bam", lambda data: data[:-2000])
        fails(1, "cut.bam", bam=bam, arguments=["--shard-bytes", "1000", "--threads", "1"])

    @pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
    def test_corrupt(self, fails, small, tmp_path, part):
        def flip(data):
            at = int(len(data) * part)
            return data[:at] + bytes(255 - byte for byte in data[at : at + 8]) + data[at + 8 :]

        fails(1, "bad.bam", bam=copy_with_index(small.bam, tmp_path / "bad.bam", flip))

    @pytest.mark.parametrize("order", ["unsorted", "shuffled"])
    def test_unsorted(self, fails, small, tmp_path, order):
        bam = write_reads(tmp_path / "mixed.bam", small.sample, order=order)
        fails(1, "mixed.bam", "samtools sort", bam=bam, after="no index" if order == "shuffled" else "")

    def test_no_index_but_a_region_asked_for(self, fails, small, tmp_path):
        bam = write_reads(tmp_path / "plain.bam", small.sample, index=False)
        fails(1, "plain.bam", "samtools index", bam=bam, arguments=["-L", "chrA:100-200"])

    def test_index_of_other_reads(self, fails, small, tmp_path):
        bam = write_reads(tmp_path / "other.bam", {"chrA": small.genome["chrA"]}, step=50, index=False)
        shutil.copy(f"{small.bam}.bai", f"{bam}.bai")
        fails(1, "other.bam", "samtools index", bam=bam)

    def test_damaged_index(self, fails, small, tmp_path):
        bam = copy_with_index(small.bam, tmp_path / "a.bam", lambda data: data)
        Path(f"{bam}.bai").write_bytes(Path(f"{small.bam}.bai").read_bytes()[:30])
        fails(1, "a.bam.bai", bam=bam)

    @pytest.mark.parametrize("content", [b"", b"@HD\n", b"not a BAM at all" * 99], ids=["nothing", "short", "text"])
    def test_no_bam_at_all(self, fails, tmp_path, content):
        (tmp_path / "empty.bam").write_bytes(content)
        fails(1, "empty.bam", bam=tmp_path / "empty.bam")

    def test_no_reads_are_no_variants(self, run_cli, small, out, tmp_path):
        bam = write_reads(tmp_path / "header.bam", {}, contigs=CONTIGS)
        done = run_cli("call", "-R", small.reference, "-I", bam, "-O", out / "calls.vcf.gz")
        assert done.code == 0, done.err
        with pysam.VariantFile(str(out / "calls.vcf.gz")) as variants:
            assert list(variants) == []

    def test_several_samples(self, fails, small, tmp_path):
        bam = write_reads(tmp_path / "two.bam", small.sample, samples=("S1", "S2"))
        fails(2, "S1", "S2", "--sample-name", bam=bam, arguments=["--engine", "pileup"])  # the other engine takes all
        fails(2, "S3", "S1", bam=bam, arguments=["--sample-name", "S3"])

    @pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    def test_a_run_that_is_stopped_leaves_nothing(self, demo_data, out, number, code):
        command = [sys.executable, "-m", "gpuvc", "call", "-R", demo_data.reference, "-I", "-", "-O", out / "calls.vcf.gz"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            run.stdin.write(Path(demo_data.bam).read_bytes()[:2_000_000])  # and then nothing more, so that the run waits
            run.stdin.flush()
            deadline = time.monotonic() + 60
            while not list(out.iterdir()) and time.monotonic() < deadline:
                time.sleep(0.02)
            assert [path.name.startswith(".calls") for path in out.iterdir()] == [True]
            run.send_signal(number)
            assert run.wait(60) == code
            assert len(run.stderr.read().splitlines()) == 1
        assert list(out.iterdir()) == []

    def test_standard_input_that_is_empty(self, small, out):
        command = [sys.executable, "-m", "gpuvc", "call", "-R", small.reference, "-I", "-", "-O", out / "calls.vcf.gz"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr
        assert list(out.iterdir()) == []


class TestReference:
    def test_missing(self, fails, small):
        fails(1, "none.fa", reference=small.folder / "none.fa")

    def test_no_index(self, fails, small, tmp_path):
        shutil.copy(small.reference, tmp_path / "plain.fa")
        fails(1, "plain.fa.fai", "samtools faidx", reference=tmp_path / "plain.fa")

    def test_no_fasta(self, fails, small, tmp_path):
        (tmp_path / "x.fa").write_bytes(b"\x00\x01" * 99)
        shutil.copy(f"{small.reference}.fai", tmp_path / "x.fa.fai")
        fails(1, "x.fa", reference=tmp_path / "x.fa")

    def test_other_lengths(self, fails, small, tmp_path):
        genome = {name: sequence + "ACGT" for name, sequence in small.genome.items()}
        fails(1, "chrA", "6004", "6000", "reads.bam", reference=write_fasta(tmp_path / "longer.fa", genome))

    def test_names_without_chr(self, fails, small, tmp_path):
        genome = {name.removeprefix("chr"): sequence for name, sequence in small.genome.items()}
        fails(1, "chrA", "lack chr", "sed", reference=write_fasta(tmp_path / "bare.fa", genome))

    def test_names_with_chr(self, fails, small, tmp_path):
        bam = write_reads(tmp_path / "bare.bam", {name.removeprefix("chr"): sequence for name, sequence in small.sample.items()})
        fails(1, "begin with chr", "sed", bam=bam)

    def test_nothing_in_common(self, fails, tmp_path):
        fails(1, "aligned to", reference=write_fasta(tmp_path / "other.fa", {"phage": "ACGT" * 99}))

    def test_a_contig_with_reads_is_missing(self, fails, small, tmp_path):
        reference = write_fasta(tmp_path / "part.fa", {"chrA": small.genome["chrA"]})
        fails(1, "chrB", "part.fa", reference=reference)
        fails(1, "chrB", "part.fa", reference=reference, arguments=["-L", "chrB:5-9"])

    def test_a_contig_without_reads_may_be_missing(self, run_cli, small, out, tmp_path):
        bam = write_reads(tmp_path / "a.bam", {"chrA": small.sample["chrA"]}, contigs=CONTIGS)
        reference = write_fasta(tmp_path / "part.fa", {"chrA": small.genome["chrA"]})
        done = run_cli("call", "-R", reference, "-I", bam, "-O", out / "calls.vcf.gz")
        assert done.code == 0, done.err

    def test_cram_of_another_reference(self, fails, small, tmp_path):
        cram = write_reads(tmp_path / "a.cram", small.sample, mode="wc", reference_filename=str(small.reference))
        other = {name: sequence[::-1] for name, sequence in small.genome.items()}
        fails(1, "a.cram", bam=cram, reference=write_fasta(tmp_path / "other.fa", other))


class TestIntervals:
    @pytest.mark.parametrize(
        "name, text, words",
        [
            ("a.bed", "chrA\t10\n", ["a.bed:1", "start and end"]),
            ("a.bed", "chrA\t10\t20\nchrA\t20\t10\n", ["a.bed:2", "start < end"]),
            ("a.bed", "chrA\t10\t6001\n", ["a.bed:1", "<= 6000"]),
            ("a.bed", "A\t10\t20\n", ["a.bed:1", "call it 'chrA'"]),
            ("a.bed", "chrC\t10\t20\n", ["a.bed:1", "'chrC'"]),
            ("a.bed", "", ["a.bed", "found none"]),
            ("a.interval_list", "@SQ\tSN:chrA\tLN:5\n", ["a.interval_list:1", "6000 bp"]),
        ],
    )
    def test_bad_files(self, fails, tmp_path, name, text, words):
        (tmp_path / name).write_text(text)
        fails(1, *words, arguments=["-L", tmp_path / name])
        fails(1, *words, arguments=["-XL", tmp_path / name])

    def test_missing_file(self, fails, tmp_path):
        fails(1, "none.bed", "no such file", arguments=["-L", tmp_path / "none.bed"])

    @pytest.mark.parametrize(
        "region, word", [("chrA:0-5", "1 <= start"), ("A:5-9", "'chrA'"), ("chrA:5-7000", "6000"), ("nowhere", "chrA")]
    )
    def test_bad_regions(self, fails, region, word):
        fails(2, word, "-L", arguments=["-L", region])

    def test_nothing_left(self, fails):
        fails(2, "every position excluded", arguments=["-L", "chrA:5-9", "-XL", "chrA"])


class TestOptions:
    @pytest.mark.parametrize(
        "arguments, words",
        [
            (["--min-base-qual", "5"], ["--min-base-qual", "Did you mean --min-base-quality-score"]),
            (["--engine", "pileup", "-ERC", "GVCF"], ["--emit-ref-confidence", "--engine haplotype"]),
            (["-ERC", "GVCF", "-GQB", "20", "-GQB", "20"], ["--gvcf-gq-bands", "20, 20"]),
            (["--engine", "pileup", "-bamout", "x.bam"], ["--bam-output"]),
            (["-ploidy", "two"], ["-ploidy", "'two'", "whole number"]),
            (["-RF", "NoSuchReadFilter"], ["NoSuchReadFilter"]),
            (["extra"], ["'extra'"]),
        ],
    )
    def test_bad(self, fails, arguments, words):
        fails(2, *words, arguments=arguments)


class TestOutput:
    def test_no_folder(self, fails):
        fails(4, "mkdir -p", output="none/calls.vcf.gz")

    def test_a_folder_of_that_name(self, fails, out):
        (out / "calls.vcf.gz").mkdir()
        fails(4, "folder")

    def test_a_file_where_a_folder_should_be(self, fails, out):
        (out / "file").write_text("")
        fails(4, "file/calls.vcf", output="file/calls.vcf")

    def test_a_place_that_takes_no_files(self, fails):
        fails(4, "/proc/calls.vcf", output="/proc/calls.vcf")

    def test_unknown_suffix(self, fails):
        fails(2, "calls.txt", ".vcf.gz", output="calls.txt")

    def test_report_that_cannot_be_written(self, fails, out):
        fails(4, "report.json", arguments=["--report", out / "none" / "report.json"])

    def test_standard_output_that_takes_no_more(self, small):
        command = [sys.executable, "-m", "gpuvc", "call", "-R", small.reference, "-I", small.bam, "-O", "-"]
        with open("/dev/full", "w") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 4 and len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr


def test_cuda_without_a_card(fails, monkeypatch):
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a card")
    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
    fails(3, "--device cuda", "--device cpu", arguments=["--device", "cuda"])


class TestPileup:
    def test_bad_requests(self, run_cli, small, tmp_path):
        for code, arguments in (
            (2, ["-I", small.bam, "-L", "chrC"]),
            (1, ["-I", tmp_path / "none.bam"]),
            (2, ["-I", small.bam, "-O", tmp_path / "a.csv"]),
            (4, ["-I", small.bam, "-O", tmp_path / "none" / "a.tsv"]),
        ):
            done = run_cli("pileup", "-R", small.reference, *arguments)
            assert done.code == code and len(done.err.splitlines()) == 1 and "Traceback" not in done.err
        assert list(tmp_path.iterdir()) == []
