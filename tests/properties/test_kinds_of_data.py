"""The haplotype engine on data of every shape: deep, haploid, short, patchy, shallow, variant after variant, a family.

It has to finish, in little memory, and to find what is surely there. Exact calls on ordinary data are test_concordance.py's.
"""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import codes, haplotype, random_sequence, reads_of, used, write_bam, write_fasta

from benchmarks.datasets import REPOSITORY
from gpuvc.intervals import Interval
from gpuvc.io.alignments import open_alignments
from gpuvc.pileup.activity import activity_profile
from gpuvc.pileup.regions import split_contig
from gpuvc.settings import Settings

SHARED = REPOSITORY.parent / "shared"
DATA, GATK = SHARED / "data", SHARED / "golden" / "gatk" / "genotyping" / "vcf"
MOST_BYTES = 2e9
BUSY = "variant after variant"
HG19 = DATA / "chr20-10M" / "hg19.chr20.9995001-11095000.fa"
# Name → reference, reads, options.
SETS = {
    "mitochondrion, 5,589x": (DATA / "mito" / "chrM_hg19.fa", DATA / "mito" / "NA12878_chrM_200-200.bam", ()),
    "mitochondrion, 1,671x": (
        DATA / "mito" / "Homo_sapiens_assembly38.mt_only.fasta", DATA / "mito" / "NA12878.chrM_1-1000.bam", ("-ploidy", "1")
    ),
    "phage": (DATA / "lambda-phage" / "lambda.fa", DATA / "lambda-phage" / "lambda_mixed_population.bam", ("-ploidy", "1")),
    "exome": (DATA / "exome-chr20-6M" / "GRCh38.chr20.5969355-6169354.fa", DATA / "exome-chr20-6M" / "NA12878.exome.bam", ()),
    "7x": (HG19, DATA / "chr20-10M" / "NA12878.wgs7x.bam", ()),
}  # fmt: skip
FAMILY = tuple(DATA / "chr20-10M" / f"trio.{name}.bam" for name in ("NA12878", "NA12891", "NA12892"))
# Each line is a run of the command line. The memory is the most that the process held so far, no less than what the run itself took;
# VmHWM, because what the parent of a process held enters ru_maxrss.
PROGRAM = """
import json, sys
from gpuvc.cli import main

for name, arguments in json.load(sys.stdin):
    code = main(arguments)
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    print(json.dumps([name, code, 1024 * peak]), flush=True)
"""
RUN_START, RUN_BP, STEP_BP = 500, 3000, 80
"""A variant makes the loci around it active, so that at this distance none between two is not."""


def read_records(path):
    """(pos, ref, alts) → (one dictionary a sample, QUAL, FILTER) of a VCF; genotypes without phase, their alleles ascending."""
    found = {}
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as file:
        for line in file:
            if not line.startswith("#"):
                _, pos, _, ref, alts, qual, passes, _, keys, *samples = line.rstrip("\n").split("\t")
                samples = [dict(zip(keys.split(":"), sample.split(":"))) for sample in samples]
                for sample in samples:
                    sample["GT"] = "/".join(sorted(sample["GT"].replace("|", "/").split("/")))
                found[int(pos), ref, alts] = samples, float(qual), passes
    return found


def passing(path):
    """(pos, ref, alts) → genotype of the only sample, for the records that pass."""
    return {key: samples[0]["GT"] for key, (samples, _, passes) in read_records(path).items() if passes == "PASS"}


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A made-up sample as files: reference, reads, options."""
    folder = tmp_path_factory.mktemp("busy")
    reference, _, reads = busy_sample()
    files = write_fasta(folder / "busy.fa", {"chr1": reference}), write_bam(folder / "busy.bam", reads, {"chr1": reference})
    return (*map(Path, files), ())


@pytest.fixture(scope="module")
def runs(busy, tmp_path_factory):
    """Name → (exit code, bytes held at most, VCF) for the sets that are there: command lines one after the other in one process."""
    folder = tmp_path_factory.mktemp("runs")
    lines = []
    for k, (name, (reference, bam, options)) in enumerate({BUSY: busy, **SETS}.items()):
        if reference.exists() and bam.exists():
            words = f"call -R {reference} -I {bam} -O {folder / str(k)}.vcf --engine haplotype --device cpu --QUIET"
            lines.append((name, [*words.split(), *options]))
    done = subprocess.run([sys.executable, "-c", PROGRAM], input=json.dumps(lines), capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    found = (json.loads(line) for line in done.stdout.splitlines())
    return {name: (code, peak_bytes, Path(words[6])) for (name, words), (_, code, peak_bytes) in zip(lines, found, strict=True)}


def vcf_of(runs, name):
    if name not in runs:
        pytest.skip(f"{SETS[name][1]} is not there")
    return runs[name][2]


@pytest.mark.parametrize("name", [BUSY, *SETS])
def test_finishes_in_little_memory(runs, name):
    vcf_of(runs, name)
    code, peak_bytes, _ = runs[name]
    assert code == 0 and peak_bytes < MOST_BYTES  # 0.3 GB measured


def test_deep_mitochondrion(runs):
    """All that GATK calls there, and no more."""
    called = passing(vcf_of(runs, "mitochondrion, 5,589x"))
    assert called == {(150, "T", "C"): "1/1", (152, "T", "C"): "1/1", (195, "C", "T"): "1/1"}


def test_haploid_mitochondrion(runs):
    """The three real SNVs, and the insertions that GATK calls in the runs of C behind 302 and 310."""
    called = passing(vcf_of(runs, "mitochondrion, 1,671x"))
    assert {key for key in called if len(key[1]) == len(key[2])} == {(152, "T", "C"), (263, "A", "G"), (750, "A", "G")}
    assert {key for key in called if len(key[1]) != len(key[2])} == {(302, "A", "AC"), (310, "T", "TC")}
    assert set(called.values()) == {"1"}


def test_short_reads_of_a_haploid(runs):
    """Every record of GATK, whose least QUAL is 315, and not many more."""
    called = passing(vcf_of(runs, "phage"))
    sure = read_records(GATK / "lambda.vcf.gz")
    assert len(sure) == 25 and sure.keys() <= called.keys()
    assert len(called) <= 35 and set(called.values()) == {"1"}


@pytest.mark.parametrize(
    ("name", "golden", "least_qual", "n_sure", "most"), [("exome", "exome", 50, 11, 35), ("7x", "wgs7", 150, 194, 480)]
)
def test_patchy_and_shallow(runs, name, golden, least_qual, n_sure, most):
    """What GATK is sure of, its genotype where it is sure of that (GQ 20), and about as many records as GATK has from QUAL 30 on."""
    called = passing(vcf_of(runs, name))
    sure = {key: samples[0] for key, (samples, qual, _) in read_records(GATK / f"{golden}.vcf.gz").items() if qual >= least_qual}
    assert len(sure) == n_sure and sure.keys() <= called.keys()
    assert len(called) <= most
    genotypes = {key: sample["GT"] for key, sample in sure.items() if int(sample["GQ"]) >= 20}
    assert {key: called[key] for key in genotypes} == genotypes


def busy_sample():
    """(reference, variants as in VCF → genotype, Reads): two haplotypes that differ from the reference every 80 bases."""
    reference = random_sequence(RUN_START + RUN_BP + 500, seed=11)
    own, truth = ([], []), {}
    for k, pos in enumerate(range(RUN_START, RUN_START + RUN_BP, STEP_BP)):
        if k % 4 == 3:
            pos = next(p for p in range(pos, pos + STEP_BP) if reference[p] != reference[p + 3])  # else it would lie further left
        ref = reference[pos]
        other = next(base for base in "ACGT" if base not in (ref, reference[pos + 1]))
        alt = ((ref, other), (ref, other), (ref, ref + "ACGT"[k % 3] + 2 * other), (reference[pos : pos + 4], ref))[k % 4]
        carriers = ((0,), (1,), (0, 1))[k % 3]
        for h in carriers:
            own[h].append((pos, *alt))
        truth[pos + 1, *alt] = "1/1" if len(carriers) == 2 else "0/1"
    reads = [read for h in own for read in reads_of(haplotype(reference, *h), length=120, step=5)]
    return reference, truth, reads


def test_active_throughout_3000_bases(runs, busy):
    """Every variant with its genotype, and nothing else, out of regions that lie end to end."""
    reference, truth, _ = busy_sample()
    with open_alignments([str(busy[1])]) as source:
        batch = source.fetch(Interval(0, 0, len(reference)))
    settings = Settings(engine="haplotype")
    profile = activity_profile(
        batch, used(batch), np.zeros(batch.n_reads, np.int16), 1, 0, len(reference), codes(reference), 0, len(reference), 2, settings
    )
    regions, _ = split_contig(profile, 0, np.array([[0, len(reference)]]), 0, len(reference), settings)
    assert regions.start[0] < RUN_START and regions.end[-1] >= RUN_START + RUN_BP - STEP_BP and regions.n_regions >= RUN_BP // 300
    assert (regions.start[1:] == regions.end[:-1]).all() and (regions.end - regions.start).max() <= 300
    assert passing(runs[BUSY][2]) == truth


def test_child_has_one_allele_of_each_parent(run_cli, tmp_path):
    """At every record that all three are sure of."""
    for path in (HG19, *FAMILY):
        if not path.exists():
            pytest.skip(f"{path} is not there")
    out = tmp_path / "family.vcf"
    inputs = [word for path in FAMILY for word in ("-I", path)]
    done = run_cli("call", "-R", HG19, *inputs, "-O", out, "--engine", "haplotype", "--device", "cpu")
    assert done.code == 0, done.err
    header = next(line for line in out.read_text().splitlines() if line.startswith("#CHROM"))
    assert header.split("\t")[9:] == ["HG001", "NA12891", "NA12892"]  # the child under its other name
    sure, inconsistent = 0, []
    for key, (samples, *_) in read_records(out).items():
        if all(int(sample.get("GQ", 0)) >= 20 for sample in samples):
            sure += 1
            (a, b), father, mother = (sample["GT"].split("/") for sample in samples)
            if not ((a in father and b in mother) or (b in father and a in mother)):
                inconsistent.append((key, [sample["GT"] for sample in samples]))
    assert sure >= 65 and not inconsistent
