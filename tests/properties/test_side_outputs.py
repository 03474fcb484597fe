"""Given alleles and ploidies, realigned reads and region tracks do not depend on how the work is done."""

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pysam
import pytest

import gpuvc
from benchmarks.datasets import BUNDLED
from gpuvc.batches import RegionBatch
from gpuvc.intervals import Shard
from gpuvc.output.region_track import owned

GOLDEN = Path(__file__).parents[1] / "golden"
BAM = BUNDLED / "NA12878.chr20.100kb.bam"
GIVEN = ["--alleles", GOLDEN / "gatk.wgs50.forced.alleles.vcf.gz", "--ploidy-regions", GOLDEN / "gatk.wgs50.ploidies.bed"]


@pytest.fixture
def made(run_cli, tmp_path):
    """Run and return the bytes of all files by name."""
    n = 0

    def run(*options, reads=(BAM,), files=("--bam-output", "reads.bam", "--assembly-region-out", "regions.igv")):
        nonlocal n
        n += 1
        folder = tmp_path / str(n)
        folder.mkdir()
        files = [folder / word if "." in word else word for word in ("-O", "calls.vcf.gz", *files)]
        inputs = [word for path in reads for word in ("-I", path)]
        done = run_cli(
            "call", "-R", BUNDLED / "chr20.fa", *inputs, "--engine", "haplotype", "--device", "cpu", "--no-version", *files, *options
        )
        assert done.code == 0, done.err
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    return run


@pytest.mark.parametrize(
    "options",
    [
        ["-L", "chr20:10000-42000"],
        ["-L", "chr20:10000-42000", "--concordance", "hc"],
        ["-L", "chr20:20000-30000", "-L", "chr20:54000-60500"],
    ],
)
def test_threads_and_shards(made, options):
    """Intervals begin and end inside active regions and given ploidies."""
    whole = made(*GIVEN, *options, "--threads", 1)
    assert list(whole) == ["calls.vcf.gz", "calls.vcf.gz.tbi", "reads.bai", "reads.bam", "regions.igv"]
    assert made(*GIVEN, *options, "--threads", 2, "--shard-bytes", 40_000) == whole
    assert made(*GIVEN, *options, "--threads", 1, "--shard-bytes", 700_000) == whole


def test_given_alleles_of_a_whole_are_those_of_its_parts():
    """Cut inside given alleles, beside them, at borders of ploidies, and anywhere."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    options = {"alleles": GIVEN[1], "ploidy_regions": str(GIVEN[3]), "settings": gpuvc.Settings(engine="haplotype"), "device": "cpu"}

    def call(start, end):
        return gpuvc.call_variants(str(BUNDLED / "chr20.fa"), str(BAM), intervals=[f"chr20:{start + 1}-{end}"], **options).calls

    whole = call(15_000, 45_000)
    edges = [edge for c in whole for edge in (c.pos - 1, c.pos, c.pos + 1, c.pos + len(c.ref)) if 15_000 < edge < 45_000]
    cuts = sorted({*rng.sample(edges, 12), *(rng.randrange(15_001, 45_000) for _ in range(3)), 20_000, 40_000})
    assert [c for part in pairwise([15_000, *cuts, 45_000]) for c in call(*part)] == whole, cuts


def test_they_change_no_call(made):
    where = ["-L", "chr20:5000-50000"]
    assert made(*where, files=())["calls.vcf.gz"] == made(*where)["calls.vcf.gz"]


def test_shards_without_reads(made):
    """Of a CRAM, too, and with columns that only some runs need."""
    options = ["--dragen-mode", "--concordance", "hc", "-L", "chr20:9000-9900", "-L", "chr20:900000-900500"]
    cram = made(*options, reads=[BUNDLED / "NA12878.chr20.100kb.cram"])
    assert cram["regions.igv"] == made(*options)["regions.igv"]
    assert b"\t899999\t" in cram["regions.igv"]


def test_reads_in_two_files(made, tmp_path):
    """Mates in different files, each read group once: the same BAM."""
    paths = [tmp_path / f"{k}.bam" for k in range(2)]
    with pysam.AlignmentFile(BAM) as source:
        files = [pysam.AlignmentFile(path, "wb", template=source) for path in paths]
        for k, record in enumerate(source):
            files[k % 2].write(record)
    for path, file in zip(paths, files):
        file.close()
        pysam.index(str(path))
    where = ["-L", "chr20:5000-30000"]
    assert made(*where, reads=paths)["reads.bam"] == made(*where)["reads.bam"]


class TestOwned:
    """One shard owns each region that touches a target."""

    intervals = ((100, 200), (240, 300), (500, 900))
    bounds = np.array([(20, 80), (60, 120), (110, 150), (199, 235), (230, 245), (260, 270), (310, 320), (450, 490), (700, 990)])

    @pytest.mark.parametrize("cuts", [[], [100], [150, 260], [112, 240, 250, 600, 700, 701]])
    def test_each_region_once(self, cuts):
        regions = RegionBatch(0, self.bounds[:, 0], self.bounds[:, 1], self.bounds[:, 0], self.bounds[:, 1])
        n_owners = np.zeros(len(self.bounds), int)
        for low, high in pairwise([0, *cuts, 1000]):
            targets = [(max(start, low), min(end, high)) for start, end in self.intervals if max(start, low) < min(end, high)]
            if targets:
                n_owners += owned(regions, Shard(0, 0, np.array(targets), np.array(self.intervals)))
        assert n_owners.tolist() == [0, 1, 1, 1, 1, 1, 0, 0, 1]
