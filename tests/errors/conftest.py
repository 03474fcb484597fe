"""What every failure has in common, and the small files that runs fail on."""

import random
import re
from types import SimpleNamespace

import pytest
from small_files import CONTIGS, write_fasta, write_reads

from tests.conftest import REPOSITORY

EXPLAINED = re.findall(r"^\| `([^`]+)` \|", (REPOSITORY / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)


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
        assert any(message in line for message in EXPLAINED), f"docs/troubleshooting.md has nothing on: {line}"
        assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before

    return fails
