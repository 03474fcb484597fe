"""What the machine refuses: standard streams that are closed or full, too many open files, a disk that does not answer, odd names."""

import errno
import os
import shutil
import subprocess
import sys

import pysam
import pytest
from small_files import CONTIGS, READ_LENGTH, write_fasta, write_reads

from gpuvc import InputError, call_variants


def run(redirection, *arguments):
    """A command line by a shell that redirects its streams → exit code, standard error."""
    words = [sys.executable, "-m", "gpuvc", *map(str, arguments)]
    shell = ["sh", "-c", f'exec "$@" {redirection}', "sh"]
    done = subprocess.run([*shell, *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
@pytest.mark.parametrize("command", ["--help", "doctor", "explain", "pileup"])
def test_results_that_nobody_can_take(small, redirection, command):
    files = ["-R", small.reference, "-I", small.bam]
    arguments = {"explain": ["chrA:3001", *files], "pileup": files}.get(command, [])
    code, said = run(redirection, command, *arguments)
    assert code == 4, said
    assert len(said.splitlines()) == 1 and said.startswith("gpuvc: output -: found standard output cannot be written")


def test_a_file_needs_no_standard_streams(small, out):
    """Files opened must not get their numbers: what is printed would stand in them."""
    code, said = run("<&- >&- 2>&-", "call", "-R", small.reference, "-I", small.bam, "-O", out / "calls.vcf")
    assert (code, said) == (0, "")
    with pysam.VariantFile(str(out / "calls.vcf")) as variants:
        assert [v.pos for v in variants] == [3001]


def test_closed_standard_input(small, out):
    code, said = run("<&-", "call", "-R", small.reference, "-I", "-", "-O", out / "calls.vcf")
    assert code == 1 and len(said.splitlines()) == 1 and "standard input cannot be read to its end: found Bad file descriptor" in said
    assert list(out.iterdir()) == []


def test_too_many_open_files(small, out):
    inputs = [word for _ in range(30) for word in ("-I", small.bam)]
    words = [sys.executable, "-m", "gpuvc", "call", "-R", small.reference, *inputs, "-O", out / "calls.vcf"]
    done = subprocess.run(["sh", "-c", 'ulimit -n 24; exec "$@"', "sh", *words], capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "open files: found the limit of 24 reached" in done.stderr and "ulimit -n" in done.stderr
    assert list(out.iterdir()) == []


def test_a_disk_that_fails_while_reads_are_fetched(small, out, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "preadv", refuse)
    with pytest.raises(InputError, match=r"reads\.bam cannot be read to its end: found Input/output error"):
        call_variants(small.reference, small.bam, out / "calls.vcf")
    assert list(out.iterdir()) == []


def test_names_that_are_not_utf8(small, tmp_path):
    folder = tmp_path / os.fsdecode(b"b\xff")
    folder.mkdir()
    for path in small.folder.iterdir():
        shutil.copy(path, folder)
    reference, bam = folder / "ref.fa", folder / "reads.bam"
    code, said = run("", "call", "-R", reference, "-I", bam, "-O", folder / "calls.vcf", "--report", folder / "report.json")
    assert code == 0, said
    assert r"b\udcff/ref.fa" in (folder / "calls.vcf").read_bytes().decode("utf-8")


def test_contigs_without_bases(run_cli, small, out, tmp_path):
    bam = tmp_path / "zero.bam"
    with pysam.AlignmentFile(str(small.bam)) as reads:
        header = reads.header.to_dict()
        header["SQ"].append({"SN": "zero", "LN": 0})
        with pysam.AlignmentFile(str(bam), "wb", header=header) as copy:
            for read in reads:
                copy.write(read)
    pysam.index(str(bam))
    done = run_cli("call", "-R", small.reference, "-I", bam, "-O", out / "calls.vcf")
    assert done.code == 0, done.err
    done = run_cli("call", "-R", small.reference, "-I", bam, "-O", out / "more.vcf", "-L", "zero")
    assert done.code == 2 and "a contig of 0 bp" in done.err and [path.name for path in out.iterdir()] == ["calls.vcf"]


def test_reads_that_reach_beyond_their_contig(run_cli, small, out, tmp_path):
    """They are left out, and counted."""
    contigs = {**CONTIGS, "chrB": CONTIGS["chrB"] - READ_LENGTH}
    genome = {name: sequence[: contigs[name]] for name, sequence in small.genome.items()}
    bam = write_reads(tmp_path / "long.bam", small.sample, contigs=contigs)
    done = run_cli("call", "-R", write_fasta(tmp_path / "short.fa", genome), "-I", bam, "-O", out / "calls.vcf")
    assert done.code == 0, done.err
    with pysam.VariantFile(str(out / "calls.vcf")) as variants:
        assert [(v.chrom, v.pos) for v in variants] == [("chrA", 3001)]
