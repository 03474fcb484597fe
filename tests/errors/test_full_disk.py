"""Every output on a disk that is full, or fills up on the way, or is read only: a real file system of a few kB."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gpuvc import call_variants
from tests.conftest import REPOSITORY

# Case: kB of room (None: read only), command, options; DISK is the small disk, SAFE a folder beside it.
CASES = {
    "VCF": (0, "call", "-O DISK/a.vcf"),
    "VCF, compressed": (0, "call", "-O DISK/a.vcf.gz"),
    "index of the VCF": (4, "call", "-O DISK/a.vcf.gz"),
    "BCF": (4, "call", "-O DISK/a.bcf"),
    "VCF that fills it": (64, "call", "-O DISK/a.g.vcf -ERC BP_RESOLUTION"),
    "GVCF that fills it": (8, "call", "-O DISK/a.g.vcf.gz -ERC BP_RESOLUTION"),
    "report": (0, "call", "-O SAFE/a.vcf --report DISK/a.json"),
    "realigned reads": (0, "call", "-O SAFE/b.vcf -bamout DISK/a.bam"),
    "index of realigned reads": (4, "call", "-O SAFE/c.vcf -bamout DISK/a.bam"),
    "regions": (0, "call", "-O SAFE/d.vcf --assembly-region-out DISK/a.igv"),
    "page": (0, "call", "-O SAFE/e.vcf --report DISK/a.html"),
    "file for MultiQC": (0, "call", "-O SAFE/f.vcf --report DISK/a_mqc.json"),
    "VCF, read only": (None, "call", "-O DISK/a.vcf.gz"),
    "realigned reads, read only": (None, "call", "-O SAFE/g.vcf -bamout DISK/a.bam"),
    "pileup, read only": (None, "pileup", "-O DISK/a.tsv"),
    "evaluation": (0, "evaluate", "SAFE/calls.vcf --truth SAFE/calls.vcf -O DISK/a"),
    "comparison": (0, "compare", "SAFE/calls.vcf SAFE/calls.vcf -O DISK/a"),
    "demo": (0, "demo", "--output-dir DISK/a.demo"),
    "bench": (0, "bench", "--mb 0.05 --peers none --output-dir DISK/a.bench"),
    "pileup": (64, "pileup", "-O DISK/a.tsv"),
    "pileup, Arrow": (64, "pileup", "-O DISK/a.arrow"),
}


@pytest.fixture(scope="module")
def runs(small, tmp_path_factory):
    """{case: [exit code, standard error, files left]}, and the folder beside the disk."""
    disk, safe = tmp_path_factory.mktemp("disk"), tmp_path_factory.mktemp("safe")
    requests = []
    for room, command, options in CASES.values():
        words = options.replace("DISK", str(disk)).replace("SAFE", str(safe)).split()
        files = {"evaluate": ["-R", str(small.reference)], "compare": ["-R", str(small.reference)], "demo": [], "bench": []}
        with_reads = ["-R", str(small.reference), "-I", str(small.bam), "--QUIET"]
        requests.append([room, [command, *files.get(command, with_reads), *words]])
    call_variants(str(small.reference), str(small.bam), str(safe / "calls.vcf"), device="cpu")
    if not shutil.which("unshare"):
        pytest.skip("this machine has no unshare (util-linux)")
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    script = Path(__file__).with_name("on_a_small_disk.py")
    done = subprocess.run(
        [*namespace, sys.executable, script, disk], input=json.dumps(requests), capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    if "unshare failed" in done.stderr or "no tmpfs" in done.stderr:
        pytest.skip(f"this machine allows no file system of one's own: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return dict(zip(CASES, json.loads(done.stdout), strict=True)), safe


@pytest.mark.parametrize("case", CASES)
def test_full(runs, case):
    results, _ = runs
    code, said, left = results[case]
    assert (code, left) == (4, []), said
    assert len(said.splitlines()) == (2 if case == "bench" else 1) and "Traceback" not in said  # bench tells what it begins
    assert "/a" in said and "found" in said and "expected" in said and "Free space, or " in said


def test_outputs_elsewhere(runs):
    """What could not be written takes along what belongs to it, and leaves alone what was whole before."""
    _, safe = runs
    # A report is written last.
    assert sorted(path.name for path in safe.iterdir()) == ["a.vcf", "calls.vcf", "e.vcf", "f.vcf"]
    assert (safe / "a.vcf").read_text().count("\nchrA\t3001\t") == 1
