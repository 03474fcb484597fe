"""The data set of a benchmark: real sequence, reads of its two haplotypes, and a truth that holds everywhere. Made once, then kept."""

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam

from gpuvc.demo import DATA
from gpuvc.errors import InputError, OutputError, UsageError
from gpuvc.io.fasta import open_reference
from gpuvc.kernels.codes import ASCII_OF_CODE, N
from gpuvc.kernels.jit import kernel_sources
from gpuvc.output.files import PartialFile

MOST_PIECE_BP = 5_000_000  # reads of a piece are held at a time: 1.2 GB at 30x
LEAST_STRETCH_BP = 20_000  # between gaps of the reference
LEAST_GAP_BP = 50  # a run of N as long as that ends a stretch
MARGIN_BP = 700  # at the ends of a contig, where reads thin out, nothing is judged
_BUNDLED = DATA / "chr20.fa", DATA / "truth.vcf.gz"


class Piece(NamedTuple):
    """A stretch of the source that is a contig of the data set, under `name`; `copy` counts its uses from 0."""

    name: str
    contig: str
    start: int
    end: int
    copy: int


@dataclass(frozen=True)
class BenchData:
    """Files of the data set, and what was made.

    about : dict
        Size, depth, seed, pieces, reads, records, checksums of sources and reads; all of it plain values.
    """

    folder: Path
    about: dict

    reference = property(lambda self: self.folder / "ref.fa")
    reads = property(lambda self: self.folder / "reads.bam")
    truth = property(lambda self: self.folder / "truth.vcf.gz")
    confident = property(lambda self: self.folder / "confident.bed")

    @property
    def n_bases(self):
        """Reference bases that have reads: what speed is counted in."""
        return self.about["bases"]

    @property
    def one_kb(self):
        """A region of 1 kb with reads (samtools notation); the same command on it costs the start-up."""
        piece = self.about["pieces"][0]
        middle = (piece["end"] - piece["start"]) // 2
        return f"{piece['name']}:{middle + 1}-{middle + 1000}"


def bench_data(output_dir, mb=2.0, reference=None, truth=None, depth=30.0, seed=1, say=lambda text: None):
    """The BenchData in a folder of `output_dir`, made first unless it is there and whole.

    Raises
    ------
    UsageError
        One of `reference` and `truth` without the other; less than one piece is asked for.
    InputError
        A source cannot be read, or they do not fit each other.
    OutputError
        The folder cannot be written.
    """
    if (reference is None) != (truth is None):
        given, other = ("--truth", "--reference") if reference is None else ("--reference", "--truth")
        raise UsageError(f"option {given}: found it without {other}, expected both or neither. Name the FASTA and its truth set.")
    sources = (Path(reference), Path(truth)) if reference else _BUNDLED
    genome = open_reference(str(sources[0]))
    if not sources[1].exists():
        raise InputError(f"truth {sources[1]} does not exist. Name a VCF.gz with its index with --truth.")
    asked = {"mb": mb, "depth": depth, "seed": seed}
    checksums = {path.name: _sha256(path) for path in sources}
    makers = [path for name in ("data", "bam", "profile") for path in kernel_sources(Path(__file__).with_name(f"{name}.py"))]
    made_by = hashlib.sha256(b"".join(path.read_bytes() for path in sorted({p for p in makers if p.parent.name == "bench"}))).hexdigest()
    key = hashlib.sha256(json.dumps([asked, checksums, made_by]).encode()).hexdigest()[:12]
    folder = Path(output_dir) / "data" / f"{mb:g}mb-{depth:g}x-seed{seed}-{key}"
    kept = _kept(folder)
    if kept:
        say(f"data: {folder}, made before")
        return BenchData(folder, kept)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"folder {folder}: found it cannot be made ({error.strerror}), expected a place to write. Use --output-dir."
        ) from error
    pieces = choose_pieces(genome, round(mb * 1e6))
    say(f"data: making {sum(p.end - p.start for p in pieces) / 1e6:g} Mb at {depth:g}x in {folder}")
    try:
        about = _make(folder, genome, sources[1], pieces, depth, seed)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)  # half a data set only takes room
        if not isinstance(error, OSError):
            raise
        raise OutputError(
            f"data set in {folder}: found it cannot be written ({error.strerror or error}), expected room. Free space, or use --output-dir."
        ) from error
    about = asked | {"sources": {name: digest for name, digest in checksums.items()}, "made_by": made_by[:12]} | about
    with PartialFile(folder / "data.json") as file:  # last: it stands for a whole data set
        file.write((json.dumps(about, indent=1) + "\n").encode())
        file.commit()
    return BenchData(folder, about)


def choose_pieces(genome, n_bases):
    """[Piece]: stretches without gaps from the first contig on, until they hold `n_bases`; when they run out, the same again."""
    pieces: list[Piece] = []
    uses: Counter = Counter()
    for copy, contig, start, end in _again_and_again(genome):
        for low in range(start, end, MOST_PIECE_BP):
            high = min(low + MOST_PIECE_BP, end, low + n_bases)
            if high - low >= LEAST_STRETCH_BP:
                uses[contig] += 1
                name = contig if uses[contig] == 1 else f"{contig}_{uses[contig]}"
                pieces.append(Piece(name, contig, low, high, copy))
                n_bases -= high - low
        if n_bases < LEAST_STRETCH_BP:
            break
    return pieces


def _again_and_again(genome):
    """(copy, contig, start, end) of each stretch, in order, without end; contigs are looked at when their turn comes."""
    stretches = []
    for contig, length in zip(genome.contigs.names, genome.contigs.lengths):
        for start, end in _stretches(genome.window(contig, 0, length)):
            stretches.append((contig, start, end))
            yield 0, contig, start, end
    if not stretches:
        raise InputError(
            f"reference {genome.path}: found no stretch of {LEAST_STRETCH_BP} bp without N, expected one. Use one with real sequence."
        )
    for copy in count(1):
        yield from ((copy, *stretch) for stretch in stretches)


def _stretches(codes):
    """(start, end) between runs of N, those that are long enough."""
    is_gap = np.concatenate(([False], codes == N, [False]))
    edges = np.flatnonzero(np.diff(is_gap.astype(np.int8)))
    gaps = [(0, 0), *(pair for pair in edges.reshape(-1, 2).tolist() if pair[1] - pair[0] >= LEAST_GAP_BP), (len(codes), len(codes))]
    between = [(low[1], high[0]) for low, high in pairwise(gaps)]
    return [(start, end) for start, end in between if end - start >= LEAST_STRETCH_BP]


def _make(folder, genome, truth_path, pieces, depth, seed):
    """Write all files of the data set; returns what `about` says of them."""
    from gpuvc.bench.bam import SAMPLE, BamWriter
    from gpuvc.bench.haplotypes import build_haplotypes, read_truth
    from gpuvc.bench.profile import learn_profile
    from gpuvc.bench.simulate import draw_pairs, mixed, read_pairs

    profile, left_out = learn_profile(), Counter()
    names, lengths = [piece.name for piece in pieces], [piece.end - piece.start for piece in pieces]
    n_reads = n_errors = 0
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Allele of each haplotype">']
    lines += [f"##contig=<ID={name},length={length}>" for name, length in zip(names, lengths)]
    lines.append(f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{SAMPLE}")
    n_head, beds = len(lines), []
    with BamWriter(folder / "reads.bam", names, lengths) as bam, open(folder / "ref.fa", "wb") as fasta:
        for number, piece in enumerate(pieces):
            codes = genome.window(piece.contig, piece.start, piece.end)
            fasta.write(f">{piece.name}\n".encode() + _wrapped(ASCII_OF_CODE[codes].tobytes()))
            skipped: Counter = Counter()
            haplotypes, records = build_haplotypes(codes, read_truth(truth_path, piece.contig, piece.start, piece.end, skipped), skipped)
            left_out += skipped
            key = mixed(seed, number)
            reads = read_pairs(draw_pairs(haplotypes, depth, profile, key), haplotypes, codes, profile, key)
            bam.write(number, reads)
            n_reads += len(reads.pos)
            n_errors += int(reads.n_misread.sum() + reads.n_indels.sum())
            lines += [_vcf_line(piece.name, record) for record in records]
            beds.append(f"{piece.name}\t{MARGIN_BP}\t{piece.end - piece.start - MARGIN_BP}\n")
        if len(lines) == n_head:
            raise InputError(
                f"truth {truth_path}: found no variant of {', '.join(dict.fromkeys(p.contig for p in pieces))} that haplotypes can carry, "
                "expected some. Are its contigs named as those of the reference?"
            )
        bam.commit()
    pysam.faidx(str(folder / "ref.fa"))
    _write_dictionary(folder / "ref.fa")
    (folder / "confident.bed").write_text("".join(beds))
    (folder / "truth.vcf").write_text("\n".join(lines) + "\n")
    pysam.tabix_compress(str(folder / "truth.vcf"), str(folder / "truth.vcf.gz"), force=True)
    pysam.tabix_index(str(folder / "truth.vcf.gz"), preset="vcf", force=True)
    (folder / "truth.vcf").unlink()
    return {
        "bases": sum(lengths),
        "pieces": [piece._asdict() for piece in pieces],
        "reads": n_reads,
        "errors": n_errors,
        "read_bp": reads.bases.shape[1],
        "truth_records": len(lines) - n_head,
        "truth_left_out": dict(left_out),
        "sha256": {name: _sha256(folder / name) for name in ("ref.fa", "reads.bam", "truth.vcf.gz")},
    }


def _vcf_line(name, record):
    genotype = "|".join(map(str, record.genotype))
    return f"{name}\t{record.pos + 1}\t.\t{record.alleles[0]}\t{','.join(record.alleles[1:])}\t50\tPASS\t.\tGT\t{genotype}"


def _wrapped(sequence, width=100):
    return b"".join(sequence[start : start + width] + b"\n" for start in range(0, len(sequence), width))


def _write_dictionary(reference):
    """The sequence dictionary that GATK asks for."""
    dictionary = reference.with_suffix(".dict")
    dictionary.unlink(missing_ok=True)
    pysam.dict("-o", str(dictionary), str(reference))


def _kept(folder):
    """What data.json says, if the files are those that it was written for; else None."""
    try:
        about = json.loads((folder / "data.json").read_text())
        whole = all(_sha256(folder / name) == digest for name, digest in about["sha256"].items())
    except (OSError, ValueError, KeyError):
        return None
    beside = ("ref.fa.fai", "ref.dict", "reads.bam.bai", "truth.vcf.gz.tbi", "confident.bed")
    return about if whole and all((folder / name).exists() for name in beside) else None


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
