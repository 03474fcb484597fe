"""The inputs behind the golden regions of GATK 4.6.2.0, as columns, and what GATK said; golden/README.md says how they were made.

The sets of bundled reads are always there, all others where the checkout has `../shared`.
"""

import gzip
import zlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import pysam
import pytest

from gpuvc.intervals import Interval
from gpuvc.io.alignments import open_alignments
from gpuvc.kernels.codes import CODE_OF_ASCII
from gpuvc.pileup.read_filters import choose_reads
from gpuvc.settings import Settings

REPOSITORY = Path(__file__).parent.parent
SHARED = REPOSITORY.parent / "shared"
BUNDLED, GOLDEN = REPOSITORY / "tests" / "golden" / "regions", SHARED / "golden" / "gatk" / "regions"
DATA, DEMO = SHARED / "data", REPOSITORY / "reference" / "data"
OPERATIONS = "MIDNSHP=X"


def golden(name):
    """Path of a golden file: the bundled one, or that of `../shared`."""
    return BUNDLED / name if (BUNDLED / name).exists() else GOLDEN / name


def lines(path):
    """Rows of a gzipped table, without its header."""
    with gzip.open(path, "rt") as file:
        return [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]


def sequence(path, contig):
    """Base codes of a contig of a FASTA, gzipped or not."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
        text = file.read()
    name, _, rest = text[text.index(b">" + contig.encode()) + 1 :].partition(b"\n")
    assert name.split()[0] == contig.encode()
    return CODE_OF_ASCII[np.frombuffer(rest.partition(b">")[0].replace(b"\n", b""), np.uint8)]


class JavaRandom:
    """java.util.Random as documented: which reads GATK's downsampler drops hangs on it."""

    def __init__(self, seed):
        self.state = (seed ^ 0x5DEECE66D) & ((1 << 48) - 1)

    def below(self, bound):
        while True:
            self.state = (self.state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
            value = self.state >> 17
            if bound & (bound - 1) == 0:
                return (bound * value) >> 31
            if value - value % bound + bound - 1 < 1 << 31:
                return value % bound


def drop_as_gatk_does(use, pos, cap):
    """The rows of `use` that GATK's seeded reservoir keeps, at most `cap` per start."""
    random, kept = JavaRandom(47382911), []
    for group in np.split(use, np.flatnonzero(np.diff(pos[use])) + 1):
        reservoir = group[:cap].tolist()
        for n, row in enumerate(group[cap:].tolist(), cap + 1):
            slot = random.below(n)
            if slot < cap:
                reservoir[slot] = row
        kept += sorted(reservoir)
    return np.array(kept, np.int32)


@dataclass(frozen=True)
class GoldenSet:
    """One run of GATK. `spans` are 1-based and closed, as its -L has them."""

    fasta: Path
    bams: tuple
    contig: str
    spans: tuple
    settings: dict = field(default_factory=dict)
    name_to_sample: object = None
    substitutions: Path | None = None
    forced: tuple = ()

    def needs(self):
        return (self.fasta, *self.bams, *((self.substitutions,) if self.substitutions else ()))

    @cached_property
    def hc(self):
        """Settings of the run."""
        return Settings(**({"concordance": "hc"} | self.settings))

    @cached_property
    def intervals(self):
        """int[n, 2], 0-based and half-open, touching ones merged."""
        merged = []
        for start, end in sorted(self.spans):
            if merged and start - 1 <= merged[-1][1]:
                merged[-1][1] = max(end, merged[-1][1])
            else:
                merged.append([start - 1, end])
        return np.minimum(np.array(merged), len(self.codes))

    @cached_property
    def codes(self):
        codes = _sequence(self.fasta, self.contig)
        if self.substitutions:
            codes = codes.copy()
            for pos1, base in lines(self.substitutions):
                codes[int(pos1) - 1] = CODE_OF_ASCII[ord(base)]
        return codes

    @cached_property
    def loaded(self):
        """(ReadBatch, names, sample column, number of samples): all reads of the contig; names compare as their hashes do."""
        reads, names, groups = _load(self.bams, self.contig)
        samples = groups if self.name_to_sample is None else [self.name_to_sample(name) for name in names]
        index = {sample: row for row, sample in enumerate(sorted(set(samples)))}
        return reads, names, np.array([index[sample] for sample in samples], np.int16), len(index)

    def use(self, whole=False):
        """Rows of the reads that GATK uses: those that pass, near the intervals or everywhere, downsampled by its own dice."""
        reads = self.loaded[0]
        unlimited = replace(self.hc, max_reads_per_alignment_start=0)
        use = choose_reads(reads, len(self.codes), unlimited, 0, len(self.codes))[0]
        if whole:
            return use
        near = np.zeros(len(use), bool)
        for start, end in self.intervals.tolist():
            low, high = max(0, start - 100), min(len(self.codes), end + 100)
            near |= (reads.pos[use] < high) & (reads.ref_end[use] > low)
        use = use[near]
        cap = self.hc.max_reads_per_alignment_start
        return drop_as_gatk_does(use, reads.pos, cap) if cap else use


_sequence = cache(sequence)


@cache
def _load(bams, contig):
    parts = []
    for k, path in enumerate(bams):
        with open_alignments([str(path)]) as source, pysam.AlignmentFile(str(path)) as file:
            contig_id = source.contigs.index[contig]
            batch = source.fetch(Interval(contig_id, 0, source.contigs.lengths[contig_id]))
            samples = {group["ID"]: group["SM"] for group in file.header.to_dict().get("RG", [])}
            rows = [(a.query_name, samples.get(a.get_tag("RG") if a.has_tag("RG") else "", f"file{k}")) for a in file.fetch(contig)]
        assert len(rows) == batch.n_reads
        parts.append((batch, rows))
    if len(parts) == 1:
        reads, rows = parts[0]
    else:
        with open_alignments([str(path) for path in bams]) as source:
            reads = source.fetch(Interval(source.contigs.index[contig], 0, source.contigs.lengths[source.contigs.index[contig]]))
        order = np.argsort(np.concatenate([batch.pos for batch, _ in parts]), kind="stable")
        together = list(chain.from_iterable(rows for _, rows in parts))
        rows = [together[i] for i in order]
        assert (reads.name_hash == np.concatenate([batch.name_hash for batch, _ in parts])[order]).all()
    names = [name for name, _ in rows]
    # GATK sorts reads of one start by name. Hashes that sort as the names do make rows comparable one by one.
    rank = {name: i for i, name in enumerate(sorted(set(names)))}
    reads.name_hash = np.array([(rank[name] + 1) << 40 for name in names], np.uint64)
    return reads, names, [sample for _, sample in rows]


def _split(name):
    path = GOLDEN / "inputs" / f"{name}.split.intervals.gz"
    return tuple(tuple(int(v) for v in row[0].split(":")[1].split("-")) for row in lines(path)) if path.exists() else ()


def _targets(path):
    if not path.exists():
        return ()
    return tuple((int(row.split()[1]) + 1, int(row.split()[2])) for row in path.read_text().splitlines() if row.startswith("chr"))


def _one_of_four(name):
    """Samples of unequal size: 9, 6, 3 and 2 twentieths."""
    return int(np.searchsorted([9, 15, 18], zlib.crc32(name.encode()) % 20, side="right"))


HG19, W50 = DEMO / "chr20.fa", (DEMO / "NA12878.chr20.100kb.bam",)
W7 = (DATA / "chr20-10M" / "NA12878.wgs7x.bam",)
TRIO = tuple(DATA / "chr20-10M" / f"trio.{name}.bam" for name in ("NA12878", "NA12891", "NA12892"))
SIM_FASTA, SIM = DATA / "sim-hg001" / "b37.chr20.1-2000000.fa.gz", (DATA / "sim-hg001" / "sim_hg001.bam",)
EXOME_FASTA, EXOME = DATA / "exome-chr20-6M" / "GRCh38.chr20.5969355-6169354.fa", (DATA / "exome-chr20-6M" / "NA12878.exome.bam",)
TINY_FASTA, TINY = DATA / "chr22-tiny" / "q.fa", (DATA / "chr22-tiny" / "NA12878.chr22.tiny.bam",)
LAMBDA_FASTA, LAMBDA = DATA / "lambda-phage" / "lambda.fa", (DATA / "lambda-phage" / "lambda_mixed_population.bam",)
W = ((1, 110000),)
SMALLER = {
    "min_assembly_region_size": 30, "max_assembly_region_size": 120, "active_probability_threshold": 0.01, "min_base_quality": 20,
}  # fmt: skip
DIVERGENT = {"substitutions": golden("divergent.substitutions.tsv.gz")}
if not DIVERGENT["substitutions"].exists():
    DIVERGENT["substitutions"] = GOLDEN / "inputs" / "divergent.substitutions.tsv.gz"
SETS = {
    "wgs50x": GoldenSet(HG19, W50, "chr20", W),
    "wgs50x.ploidy4": GoldenSet(HG19, W50, "chr20", W, {"sample_ploidy": 4}),
    "divergent": GoldenSet(HG19, W50, "chr20", W, **DIVERGENT),
    "wgs50x.ploidy1": GoldenSet(HG19, W50, "chr20", W, {"sample_ploidy": 1}),
    "wgs50x.split": GoldenSet(HG19, W50, "chr20", _split("wgs50x")),
    "wgs50x.cap2": GoldenSet(HG19, W50, "chr20", W, {"max_reads_per_alignment_start": 2}),
    "divergent.options": GoldenSet(HG19, W50, "chr20", W, SMALLER, **DIVERGENT),
    "divergent.propagation0": GoldenSet(HG19, W50, "chr20", W, {"max_prob_propagation_distance": 0}, **DIVERGENT),
    "four": GoldenSet(HG19, W50, "chr20", W, name_to_sample=_one_of_four),
    "wgs7x": GoldenSet(HG19, W7, "chr20", ((1, 280000),)),
    "wgs7x.split": GoldenSet(HG19, W7, "chr20", _split("wgs7x")),
    "sim": GoldenSet(SIM_FASTA, SIM, "20", ((60001, 360000),)),
    "sim.split": GoldenSet(SIM_FASTA, SIM, "20", _split("sim")),
    "exome": GoldenSet(EXOME_FASTA, EXOME, "chr20", ((1, 200000),)),
    "exome.bed": GoldenSet(EXOME_FASTA, EXOME, "chr20", _targets(DATA / "exome-chr20-6M" / "covered_10x.bed")),
    "exome.cap2": GoldenSet(EXOME_FASTA, EXOME, "chr20", ((1, 200000),), {"max_reads_per_alignment_start": 2}),
    "trio": GoldenSet(HG19, TRIO, "chr20", ((4000, 16000),)),
    "trio.child": GoldenSet(HG19, TRIO[:1], "chr20", ((4000, 16000),)),
    "chr22": GoldenSet(TINY_FASTA, TINY, "q", ((1, 12356),)),
    "chr22.forced": GoldenSet(
        TINY_FASTA, TINY, "q", ((1, 12356),), forced=((999, 1000), (3299, 3300), (4999, 5007), (12339, 12342))
    ),
    "chrM.1_1000": GoldenSet(
        DATA / "mito" / "Homo_sapiens_assembly38.mt_only.fasta", (DATA / "mito" / "NA12878.chrM_1-1000.bam",), "chrM", ((1, 1200),)
    ),
    "chrM.200": GoldenSet(DATA / "mito" / "chrM_hg19.fa", (DATA / "mito" / "NA12878_chrM_200-200.bam",), "chrM", ((1, 400),)),
    "lambda": GoldenSet(LAMBDA_FASTA, LAMBDA, "lambda", ((1, 48502),)),
    "lambda.ploidy1": GoldenSet(LAMBDA_FASTA, LAMBDA, "lambda", ((1, 10000),), {"sample_ploidy": 1}),
    "cuts": GoldenSet(GOLDEN / "inputs" / "cuts.fa.gz", (GOLDEN / "inputs" / "cuts.bam",), "syn", ((1, 30000),)),
    "random": GoldenSet(GOLDEN / "inputs" / "random.fa.gz", (GOLDEN / "inputs" / "random.bam",), "sf", ((1, 6000),)),
}  # fmt: skip

GENOTYPING = SHARED / "golden" / "gatk" / "genotyping"
# Runs whose reads as the PairHMM got them are known; spans do not matter there.
GENOTYPED = {
    "tiny": SETS["chr22"], "wgs50": SETS["wgs50x"], "wgs7": SETS["wgs7x"], "trio": SETS["trio"], "hard3": SETS["trio"],
    "exome": SETS["exome"],
    "side": GoldenSet(GENOTYPING / "data" / "side.fa.gz", (GENOTYPING / "data" / "side.bam",), "q", W),
    **{
        f"st{n}": GoldenSet(GENOTYPING / "data" / f"stress{n}.fa.gz", (GENOTYPING / "data" / f"stress{n}.bam",), "s1", W)
        for n in (1, 2, 3)
    },
}  # fmt: skip


def golden_set(name):
    """SETS[name] and the path of its regions; skips where the data are not there."""
    chosen, regions = SETS[name], golden(f"{name}.regions.tsv.gz")
    for path in (*chosen.needs(), regions):
        if not path.exists():
            pytest.skip(f"no {path}")
    return chosen, regions


def wanted_regions(path):
    """[(start, end, active)] of a golden file, 0-based and half-open."""
    return [(int(start) - 1, int(end), active == "1") for _, start, end, active in lines(path)]


def described(rows, reads, names, region=None):
    """The rows of a RegionReads, or those of one region, as the golden files write them: name, flag, start, CIGAR, bases, qualities."""
    first, last = (0, rows.n_rows) if region is None else rows.region_slots[region : region + 2].tolist()
    text = []
    for i in range(first, last):
        r = rows.read[i]
        flag = int(reads.flag[r])
        if flag & 1 and (flag & 8 or reads.mate_contig_id[r] < 0 or reads.mate_pos[r] < 0):
            flag = (flag | 8) & ~0x20
        ops = rows.cigar[rows.cigar_offsets[i] : rows.cigar_offsets[i + 1]].tolist()
        span = slice(rows.base_offsets[i], rows.base_offsets[i + 1])
        bases = np.frombuffer(b"ACGTN", np.uint8)[rows.bases[span]].tobytes().decode()
        quals = (rows.base_quals[span] + 33).astype(np.uint8).tobytes().decode()
        text.append([
            names[r], str(flag), str(rows.pos[i] + 1), "".join(f"{op >> 4}{OPERATIONS[op & 15]}" for op in ops), bases, quals
        ])  # fmt: skip
    return text


def by_first_column(rows):
    """Rows of a table by their first column, which is taken off."""
    grouped = defaultdict(list)
    for first, *rest in rows:
        grouped[int(first)].append(rest)
    return grouped
