"""Alignment files that are missing, damaged, disordered or do not fit."""

import shutil
import subprocess
import sys
from pathlib import Path

import pysam
import pytest
from small_files import CONTIGS, copy_with_index, write_reads


def test_the_small_files_are_good(run_cli, small, out):
    done = run_cli("call", "-R", small.reference, "-I", small.bam, "-O", out / "calls.vcf.gz", "--report", out / "report.json")
    assert done.code == 0, done.err
    with pysam.VariantFile(str(out / "calls.vcf.gz")) as variants:
        assert [(v.contig, v.pos, v.samples[0]["GT"]) for v in variants] == [("chrA", 3001, (1, 1))]
    assert sorted(path.name for path in out.iterdir()) == ["calls.vcf.gz", "calls.vcf.gz.tbi", "report.json"]


def test_missing(fails, small):
    fails(1, "none.bam", bam=small.folder / "none.bam")


def test_folder(fails, small):
    fails(1, str(small.folder), bam=small.folder)


@pytest.mark.parametrize("part", [0.01, 0.5, 0.97])
def test_truncated(fails, small, tmp_path, part):
    bam = copy_with_index(small.bam, tmp_path / "cut.bam", lambda data: data[: int(len(data) * part)])
    fails(1, "cut.bam", bam=bam)


def test_truncated_between_blocks(fails, small, tmp_path):
    bam = copy_with_index(small.bam, tmp_path / "cut.bam", lambda data: data[:-28])
    fails(1, "cut.bam", "truncated", bam=bam)


def test_truncated_after_much_was_called(fails, small, tmp_path):
    bam = copy_with_index(small.bam, tmp_path / "cut.bam", lambda data: data[:-2000])
    fails(1, "cut.bam", bam=bam, arguments=["--shard-bytes", "1000", "--threads", "1"])


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_corrupt(fails, small, tmp_path, part):
    def flip(data):
        at = int(len(data) * part)
        return data[:at] + bytes(255 - byte for byte in data[at : at + 8]) + data[at + 8 :]

    fails(1, "bad.bam", bam=copy_with_index(small.bam, tmp_path / "bad.bam", flip))


@pytest.mark.parametrize("order", ["unsorted", "shuffled"])
def test_unsorted(fails, small, tmp_path, order):
    bam = write_reads(tmp_path / "mixed.bam", small.sample, order=order)
    fails(1, "mixed.bam", "samtools sort", bam=bam, after="no index" if order == "shuffled" else "")


def test_no_index_but_a_region_asked_for(fails, small, tmp_path):
    bam = write_reads(tmp_path / "plain.bam", small.sample, index=False)
    fails(1, "plain.bam", "samtools index", bam=bam, arguments=["-L", "chrA:100-200"])


def test_index_of_other_reads(fails, small, tmp_path):
    bam = write_reads(tmp_path / "other.bam", {"chrA": small.genome["chrA"]}, step=50, index=False)
    shutil.copy(f"{small.bam}.bai", f"{bam}.bai")
    fails(1, "other.bam", "samtools index", bam=bam)


def test_damaged_index(fails, small, tmp_path):
    bam = copy_with_index(small.bam, tmp_path / "a.bam", lambda data: data)
    Path(f"{bam}.bai").write_bytes(Path(f"{small.bam}.bai").read_bytes()[:30])
    fails(1, "a.bam.bai", bam=bam)


@pytest.mark.parametrize("content", [b"", b"@HD\n", b"not a BAM at all" * 99], ids=["nothing", "short", "text"])
def test_no_bam_at_all(fails, tmp_path, content):
    (tmp_path / "empty.bam").write_bytes(content)
    fails(1, "empty.bam", bam=tmp_path / "empty.bam")


def test_no_reads_are_no_variants(run_cli, small, out, tmp_path):
    bam = write_reads(tmp_path / "header.bam", {}, contigs=CONTIGS)
    done = run_cli("call", "-R", small.reference, "-I", bam, "-O", out / "calls.vcf.gz")
    assert done.code == 0, done.err
    with pysam.VariantFile(str(out / "calls.vcf.gz")) as variants:
        assert list(variants) == []


def test_several_samples(fails, small, tmp_path):
    bam = write_reads(tmp_path / "two.bam", small.sample, samples=("S1", "S2"))
    fails(2, "S1", "S2", "--sample-name", bam=bam, arguments=["--engine", "pileup"])  # the other engine takes all
    fails(2, "S3", "S1", bam=bam, arguments=["--sample-name", "S3"])


def test_standard_input_that_is_empty(small, out):
    command = [sys.executable, "-m", "gpuvc", "call", "-R", small.reference, "-I", "-", "-O", out / "calls.vcf.gz"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr
    assert list(out.iterdir()) == []
