"""Too little memory: by a real limit, and in a thread of the run; and depths that would need much of it."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pysam
import pytest

from gpuvc import caller
from tests.builders import random_sequence, write_fasta

DEEP = 100_000  # reads over one position
BARELY = 700  # MB of address space: enough to begin with the deep reads, not to end (845 measured)


def run_within(megabytes, *arguments):
    """A command line with so much address space, in a process of its own → exit code, standard error."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    words = [sys.executable, "-m", "gpuvc", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, preexec_fn=limit if megabytes else None, timeout=300)
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """Twice DEEP reads that start within 100 bp; half of those over position 3,000 show another base."""
    folder = tmp_path_factory.mktemp("deep")
    sequence = random_sequence(6_000, 11)
    other = "A" if sequence[3_000] != "A" else "C"
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": "c", "LN": 6_000}], "RG": [{"ID": "a", "SM": "s"}]}
    with pysam.AlignmentFile(str(folder / "deep.bam"), "wb", header=header) as reads:
        read = pysam.AlignedSegment(reads.header)
        read.reference_id, read.mapping_quality, read.cigarstring = 0, 60, "100M"
        read.set_tag("RG", "a")
        quals = pysam.qualitystring_to_array("F" * 100)
        for i in range(2 * DEEP):
            start = 2_901 + i * 100 // (2 * DEEP)
            bases = sequence[start : start + 100]
            if i % 2:
                bases = bases[: 3_000 - start] + other + bases[3_001 - start :]
            read.query_name, read.reference_start, read.flag = f"r{i}", start, 16 * (i // 2 % 2)
            read.query_sequence, read.query_qualities = bases, quals
            reads.write(read)
    pysam.index(str(folder / "deep.bam"))
    return write_fasta(folder / "deep.fa", {"c": sequence}), folder / "deep.bam"


@pytest.mark.parametrize("megabytes", [200, 400, 639])
def test_too_little_to_begin_with(small, out, megabytes):
    code, said = run_within(megabytes, "call", "-R", small.reference, "-I", small.bam, "-O", out / "a.vcf.gz")
    assert code == 137 and said.startswith(f"gpuvc: out of memory (found {megabytes} MB of address space, expected at least 640 MB")
    assert len(said.splitlines()) == 1 and list(out.iterdir()) == []


def test_memory_that_gives_out_on_the_way(deep, out):
    reference, bam = deep
    options = ["--max-reads-per-alignment-start", "0", "--threads", "2"]
    code, said = run_within(BARELY, "call", "-R", reference, "-I", bam, "-O", out / "a.vcf.gz", *options)
    assert code == 137 and said.startswith("gpuvc: out of memory") and len(said.splitlines()) == 1, said
    assert list(out.iterdir()) == []


def test_a_worker_without_memory_ends_the_run(fails, monkeypatch):
    whole = caller.call_shard

    def refuse(shard, *arguments, **more):
        if shard.contig_id == 1:
            raise MemoryError("Unable to allocate 7 GiB")
        return whole(shard, *arguments, **more)

    monkeypatch.setattr(caller, "call_shard", refuse)
    fails(137, "out of memory (Unable to allocate 7 GiB)", "--threads", arguments=["--threads", "2", "--shard-bytes", "1000"])


@pytest.fixture
def group_of_64_mb():
    """A file to which a process writes its number to have no more than 64 MB of memory; the kernel ends it where it takes more."""
    for folder, limit in ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max")):
        group = folder / f"gpuvc-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(64 << 20))
            yield group / "cgroup.procs"
            return
        except OSError:
            continue
        finally:
            group.rmdir()
    pytest.skip("this machine allows no memory cgroup of one's own")


def test_killed_for_its_memory(small, out, group_of_64_mb):
    """The kernel says nothing, and lets nothing be tidied: but no output stands under its name."""
    words = [sys.executable, "-m", "gpuvc", "call", "-R", small.reference, "-I", small.bam, "-O", out / "a.vcf.gz"]
    shell = ["sh", "-c", f'echo $$ > {group_of_64_mb}; exec "$@"', "sh"]
    done = subprocess.run([*shell, *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode in (-signal.SIGKILL, 137)
    assert all(path.name.startswith(".") for path in out.iterdir())


@pytest.mark.parametrize("options", [(), ("--max-reads-per-alignment-start", "0"), ("--engine", "pileup")])
def test_a_hundred_thousand_reads_at_one_place(deep, out, options):
    reference, bam = deep
    code, said = run_within(1_100, "call", "-R", reference, "-I", bam, "-O", out / "a.vcf", "--threads", "2", "--QUIET", *options)
    assert (code, said) == (0, "")
    with pysam.VariantFile(str(out / "a.vcf")) as records:
        (record,) = records
        assert (record.pos, record.samples[0]["GT"]) == (3_001, (0, 1))
        assert record.info["DP"] == DEEP * 2 if options[:1] == ("--max-reads-per-alignment-start",) else record.info["DP"] <= 5_000
