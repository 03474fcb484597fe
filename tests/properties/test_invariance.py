"""Calls do not depend on how the work is done: threads, shards, format of the reads, index or stream, files, splits of the genome."""

import random
import shutil
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace

import pysam
import pytest

import gpuvc
from benchmarks.datasets import BUNDLED, REPOSITORY
from gpuvc.output.vcf import format_call

DATA = REPOSITORY.parent / "shared" / "data"
SHARD_BYTES = (20_000, 300_000, 1 << 26)
BUNDLED_BAM, BUNDLED_CRAM = BUNDLED / "NA12878.chr20.100kb.bam", BUNDLED / "NA12878.chr20.100kb.cram"
SETS = {
    "bundled": (BUNDLED / "chr20.fa", BUNDLED_BAM, "chr20", 4_900, 105_100, {"engine": "pileup"}),
    "bundled, triploid": (BUNDLED / "chr20.fa", BUNDLED_BAM, "chr20", 4_900, 105_100, {"sample_ploidy": 3, "engine": "pileup"}),
    "bundled, as bcftools":
        (BUNDLED / "chr20.fa", BUNDLED_BAM, "chr20", 4_900, 105_100, {"engine": "pileup", "concordance": "bcftools"}),
    "mito, 1,671x, as bcftools": (
        DATA / "mito" / "Homo_sapiens_assembly38.mt_only.fasta", DATA / "mito" / "NA12878.chrM_1-1000.bam", "chrM", 0, 16_569,
        {"engine": "pileup", "concordance": "bcftools"},
    ),
    "bundled, assembled": (BUNDLED / "chr20.fa", BUNDLED_BAM, "chr20", 4_900, 105_100, {"engine": "haplotype"}),
    "hard-hg001, assembled": (
        DATA / "sim-hg001" / "b37.chr20.1-2000000.fa.gz", DATA / "hard-hg001" / "hard_hg001.bam", "20", 950_000, 1_250_000,
        {"engine": "haplotype"},
    ),
    "mito, 1,671x, haploid, assembled": (
        DATA / "mito" / "Homo_sapiens_assembly38.mt_only.fasta", DATA / "mito" / "NA12878.chrM_1-1000.bam", "chrM", 0, 16_569,
        {"sample_ploidy": 1, "engine": "haplotype"},
    ),
    "hard-hg001": (
        DATA / "sim-hg001" / "b37.chr20.1-2000000.fa.gz", DATA / "hard-hg001" / "hard_hg001.bam", "20", 950_000, 1_250_000,
        {"engine": "pileup"},
    ),
    "mito, 1,671x, haploid": (
        DATA / "mito" / "Homo_sapiens_assembly38.mt_only.fasta", DATA / "mito" / "NA12878.chrM_1-1000.bam", "chrM", 0, 16_569,
        {"sample_ploidy": 1, "engine": "pileup"},
    ),
    "mito, 5,589x": (DATA / "mito" / "chrM_hg19.fa", DATA / "mito" / "NA12878_chrM_200-200.bam", "chrM", 0, 16_571, {"engine": "pileup"}),
}  # fmt: skip


def lines(reference, reads, contig, spans, settings=None, **options):
    """VCF lines of the calls in spans [(start, end)] of a contig."""
    intervals = [f"{contig}:{start + 1}-{end}" for start, end in spans]
    settings = gpuvc.Settings(**(settings or {}))
    summary = gpuvc.call_variants(str(reference), reads, intervals=intervals, settings=settings, device="cpu", **options)
    return [format_call(call, contig) for call in summary.calls]


@pytest.fixture(scope="module", params=SETS)
def dataset(request):
    """A set of reads, with all its calls in one go."""
    reference, reads, contig, start, end, settings = SETS[request.param]
    if not reads.exists():
        pytest.skip(f"{reads} is not there")

    def call(*spans, **options):
        return lines(reference, str(reads), contig, spans or [(start, end)], settings, **options)

    return SimpleNamespace(call=call, contig=contig, start=start, end=end, lines=call(threads=1))


@pytest.fixture
def rng():
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


def span_of(line):
    """Reference bases [start, end) that a record replaces."""
    _, pos1, _, ref, *_ = line.split("\t")
    return int(pos1) - 1, int(pos1) - 1 + len(ref)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shard_bytes", SHARD_BYTES)
def test_threads_and_shards(dataset, threads, shard_bytes):
    assert dataset.call(threads=threads, shard_bytes=shard_bytes) == dataset.lines
    assert len(dataset.lines) >= 3


@pytest.mark.parametrize("attempt", range(3))
def test_whole_is_the_concatenation_of_splits(dataset, rng, attempt):
    """Cut right inside the alleles of calls, one base beside them, and anywhere."""
    edges = {p for line in dataset.lines for p in range(span_of(line)[0] - 1, span_of(line)[1] + 2)}
    edges = sorted(p for p in edges if dataset.start < p < dataset.end)
    cuts = {*rng.sample(edges, min(8, len(edges))), *(rng.randrange(dataset.start + 1, dataset.end) for _ in range(4))}
    bounds = [dataset.start, *sorted(cuts), dataset.end]
    parts = [dataset.call(part) for part in pairwise(bounds)]
    assert [line for part in parts for line in part] == dataset.lines, bounds


def test_filters_see_the_calls_beyond_a_cut(dataset):
    """A call's filters depend on calls up to 150 bp away, on either side."""
    spans = [(span_of(line)[0], line.split("\t")[6] != "PASS") for line in dataset.lines]
    cuts = [b for (a, is_marked), (b, is_next_marked) in pairwise(spans) if b - a <= 150 and (is_marked or is_next_marked)][:40]
    bounds = [dataset.start, *sorted({*cuts} - {dataset.start}), dataset.end]
    assert [line for part in pairwise(bounds) for line in dataset.call(part)] == dataset.lines, bounds


def test_one_call_of_many_targets_is_the_whole_inside_them(dataset, rng):
    bounds = sorted(rng.sample(range(dataset.start, dataset.end), 40))
    targets = list(zip(bounds[::2], bounds[1::2]))
    inside = [line for line in dataset.lines if any(start <= span_of(line)[0] < end for start, end in targets)]
    assert dataset.call(*targets, shard_bytes=100_000) == inside, targets


def all_calls(reference, alignments, **options):
    """Calls on all contigs."""
    return gpuvc.call_variants(str(reference), alignments, device="cpu", **options).calls


@pytest.fixture(scope="module", params=["bundled", "hard-hg001"])
def reads(request, tmp_path_factory):
    """An indexed BAM with reads on 100 or 300 kb, and its calls."""
    reference, bam, contig, start, end, _ = SETS[request.param]
    if not bam.exists():
        pytest.skip(f"{bam} is not there")
    if request.param != "bundled":
        part = tmp_path_factory.mktemp("part") / "part.bam"
        pysam.view("-b", "-o", str(part), str(bam), f"{contig}:{start + 1}-{end}", catch_stdout=False)
        pysam.index(str(part))
        bam = part
    calls = all_calls(reference, str(bam))
    assert len(calls) > 200
    return SimpleNamespace(reference=reference, bam=bam, calls=calls)


class TestReadsFromElsewhere:
    """One set of reads in other files."""

    @pytest.mark.parametrize("version", ["3.0", "3.1"])
    def test_cram(self, reads, tmp_path, version):
        cram = str(tmp_path / "reads.cram")
        options = f"cram,version={version}"
        pysam.view("-T", str(reads.reference), "-O", options, "-o", cram, str(reads.bam), catch_stdout=False)
        assert all_calls(reads.reference, cram) == reads.calls
        pysam.index(cram)
        assert all_calls(reads.reference, cram, shard_bytes=100_000) == reads.calls

    @pytest.mark.parametrize("threads", [1, 2])
    def test_without_index(self, reads, tmp_path, threads):
        bam = str(shutil.copy(reads.bam, tmp_path))
        assert all_calls(reads.reference, bam, threads=threads) == reads.calls

    def test_standard_input(self, reads, tmp_path):
        command = [sys.executable, "-m", "gpuvc", "call", "-R", reads.reference, "--device", "cpu", "--no-version", "-I"]
        from_file, from_stdin = tmp_path / "file.vcf.gz", tmp_path / "stdin.vcf.gz"
        subprocess.run([*command, reads.bam, "-O", from_file], check=True, cwd=REPOSITORY)
        with subprocess.Popen(["cat", reads.bam], stdout=subprocess.PIPE) as cat:
            subprocess.run([*command, "-", "-O", from_stdin], check=True, cwd=REPOSITORY, stdin=cat.stdout)
        assert from_stdin.read_bytes() == from_file.read_bytes()
        assert from_stdin.with_name("stdin.vcf.gz.tbi").read_bytes() == from_file.with_name("file.vcf.gz.tbi").read_bytes()

    def test_several_inputs_that_together_are_one(self, reads, tmp_path):
        """Every other read, so that mates stand in both files."""
        paths = [str(tmp_path / f"{k}.bam") for k in range(2)]
        with pysam.AlignmentFile(str(reads.bam)) as source:
            files = [pysam.AlignmentFile(path, "wb", template=source) for path in paths]
            for n, record in enumerate(source):
                files[n % 2].write(record)
        for file, path in zip(files, paths):
            file.close()
            pysam.index(path)
        assert all_calls(reads.reference, paths) == reads.calls
        assert all_calls(reads.reference, paths[::-1], shard_bytes=100_000, threads=2) == reads.calls


def text_of(path):
    """The lines of a VCF without its header."""
    return [line for line in path.read_text().splitlines(keepends=True) if line[0] != "#"]


class TestReferenceConfidence:
    """What a GVCF says of every base, too, and blocks that are cut by shards."""

    def gvcf(self, run_cli, out, reads, *options, confidence="GVCF"):
        done = run_cli(
            "call", "-R", BUNDLED / "chr20.fa", "-I", reads, "-O", out, "--device", "cpu", "--no-version", "--engine", "haplotype", "-ERC",
            confidence, *options,
        )  # fmt: skip
        assert done.code == 0, done.err
        return out

    @pytest.mark.parametrize("ploidy", [2, 3])
    def test_threads_and_shards(self, run_cli, tmp_path, ploidy):
        texts = set()
        for n, (reads, threads, shard_bytes) in enumerate(
            [(BUNDLED_BAM, 1, 1 << 26), (BUNDLED_BAM, 2, 20_000), (BUNDLED_BAM, 1, 90_000), (BUNDLED_CRAM, 2, 300_000)]
        ):
            options = ("--threads", threads, "--shard-bytes", shard_bytes, "-ploidy", ploidy, "-L", "chr20:1-60000")
            texts.add(self.gvcf(run_cli, tmp_path / f"{n}.vcf", reads, *options).read_bytes())
        assert len(texts) == 1
        covered = 1
        for line in text_of(tmp_path / "0.vcf"):
            _, pos1, _, ref, alts, _, _, info, *_ = line.split("\t")
            assert int(pos1) <= covered  # a record inside a deletion begins earlier
            end = int(info.removeprefix("END=")) if alts == "<NON_REF>" else int(pos1) + len(ref) - 1
            covered = max(covered, end + 1)
        assert covered == 60_001

    def test_bases_are_the_concatenation_of_splits(self, run_cli, tmp_path, rng):
        whole = text_of(self.gvcf(run_cli, tmp_path / "w.vcf", BUNDLED_BAM, "-L", "chr20:5000-30000", confidence="BP_RESOLUTION"))
        edges = [int(line.split("\t")[1]) + d for line in whole if "\t<NON_REF>\t" not in line for d in (0, 1)]
        bounds = [5000, *sorted({*rng.sample(edges, 4), rng.randrange(5001, 30_000)}), 30_001]
        parts = []
        for a, b in pairwise(bounds):
            out = self.gvcf(run_cli, tmp_path / "p.vcf", BUNDLED_BAM, "-L", f"chr20:{a}-{b - 1}", confidence="BP_RESOLUTION")
            parts += text_of(out)
        assert parts == whole, bounds

    def test_records_are_those_of_a_vcf(self, run_cli, tmp_path):
        """A GVCF keeps every allele that was looked at; genotypes, and the likelihoods of the VCF's alleles, are the same."""
        done = run_cli(
            "call", "-R", BUNDLED / "chr20.fa", "-I", BUNDLED_BAM, "-O", tmp_path / "v.vcf", "--device", "cpu", "--engine", "haplotype"
        )  # fmt: skip
        assert done.code == 0, done.err
        plain, gvcf = (records_of(path) for path in (tmp_path / "v.vcf", self.gvcf(run_cli, tmp_path / "g.vcf", BUNDLED_BAM)))
        assert len(plain) > 200
        different = {}
        for pos, (alleles, genotype, pls) in plain.items():
            more, its_genotype, its_pls = gvcf[pos]
            own = [allele if allele == "*" else allele + more[0][len(alleles[0]) :] for allele in alleles]
            assert set(own) <= set(more), pos
            which = [more.index(allele) for allele in own]
            chosen = [its_pls[max(i, j) * (max(i, j) + 1) // 2 + min(i, j)] for n, i in enumerate(which) for j in which[: n + 1]]
            if genotype != tuple(own.index(more[k]) if more[k] in own else -1 for k in its_genotype) or pls != chosen:
                different[pos] = (alleles, genotype, pls), (more, its_genotype, its_pls)
        assert len(different) <= 0.01 * len(plain), different


def records_of(path):
    """Diploid records of a VCF that have an alternate by position: (alleles, genotype, PL)."""
    found = {}
    for line in text_of(path):
        _, pos, _, ref, alts, _, _, _, keys, sample = line.rstrip("\n").split("\t")
        if alts != "<NON_REF>":
            sample = dict(zip(keys.split(":"), sample.split(":"), strict=True))
            genotype = sorted(sample["GT"].replace("|", "/").replace(".", "-1").split("/"))
            found[pos] = [ref, *alts.split(",")], tuple(map(int, genotype)), [int(pl) for pl in sample["PL"].split(",")]
    return found


@pytest.mark.parametrize("name", ["calls.vcf", "calls.vcf.gz", "calls.bcf"])
def test_files_are_the_same_bytes(run_cli, tmp_path, name):
    contents = set()
    for n, (reads, threads, shard_bytes) in enumerate(
        [(BUNDLED_BAM, 1, SHARD_BYTES[0]), (BUNDLED_BAM, 2, SHARD_BYTES[1]), (BUNDLED_CRAM, 2, SHARD_BYTES[2])]
    ):
        folder = tmp_path / str(n)
        folder.mkdir()
        done = run_cli(
            "call", "-R", BUNDLED / "chr20.fa", "-I", reads, "-O", folder / name, "--device", "cpu", "--no-version", "--threads", threads,
            "--shard-bytes", shard_bytes,
        )  # fmt: skip
        assert done.code == 0, done.err
        contents.add(tuple((path.name, path.read_bytes()) for path in sorted(folder.iterdir())))
    assert len(contents) == 1
