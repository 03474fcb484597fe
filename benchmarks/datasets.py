"""Inputs by name: found where they lie, or made from the bundled reads. Nothing is timed here.

    na12878-50x         the bundled 100 kb (always there)
    na12878-50x-x20     the same reads laid out on 20 contigs (2 Mb, 78 MB); likewise any -xN; -x140 is 549 MB, -x280 1.1 GB
    na12878-7x          270 kb of real reads at 7x                                      data folder
    sim-hg001           2 Mb simulated from the haplotypes of HG001, 30x                data folder
    hard-hg001          the same with stutter, systematic errors, adaptors and hidden duplications          data folder
    sim-hg001-12x-seed57, hard-hg001-30x-seed77     the same at other depths and seeds  data folder and the simulator of its tools

The data folder is ../shared/data beside the repository unless --data names another; what is made goes to --work (benchmarks/work).
"""

import argparse
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pysam

REPOSITORY = Path(__file__).resolve().parent.parent
BUNDLED = REPOSITORY / "gpuvc" / "data"
TILED_SPAN = (4_900, 105_100)  # the part of the bundled contig that has reads


class Unavailable(SystemExit):
    """An input, or a program that makes or judges it, is not on this machine; the text says which, and ends the command where uncaught."""


@dataclass(frozen=True)
class Dataset:
    """One input of a caller, with the truth to judge it by where there is one.

    n_bases : int
        Reference bases that have reads: what speed is counted in.
    one_kb : str
        Region of 1 kb among them (samtools notation); the same command on it costs the start-up.
    """

    name: str
    reference: Path
    reads: Path
    n_bases: int
    one_kb: str
    truth: Path | None = None
    confident: Path | None = None


def add_arguments(parser):
    """The options that every benchmark shares: where inputs lie and where made ones go."""
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="folder of the larger data sets")
    parser.add_argument("--work", type=Path, default=REPOSITORY / "benchmarks" / "work", help="folder for what is made on the way")


def each_available(names, options, left_out):
    """Load the named data sets one by one; those that cannot be had are printed with the reason, and their names added to `left_out`."""
    for name in names:
        try:
            dataset = load(name, options.data, options.work)
        except Unavailable as reason:
            left_out.append(name)
            print(f"{name}: left out, {reason}")
        else:
            yield dataset


def load(name, data, work):
    """The data set called `name`, made first if need be. Raises Unavailable."""
    work.mkdir(parents=True, exist_ok=True)
    tiled = re.fullmatch(r"(.+)-x(\d+)", name)
    if tiled and tiled[1] == "na12878-50x":
        return _tiled(load(tiled[1], data, work), int(tiled[2]), work)
    if name == "na12878-50x":
        bam = BUNDLED / "NA12878.chr20.100kb.bam"
        return Dataset(name, BUNDLED / "chr20.fa", bam, 100_000, "chr20:50001-51000", BUNDLED / "truth.vcf.gz", BUNDLED / "confident.bed")
    if name == "na12878-7x":
        folder = data / "chr20-10M"
        bam = _existing(folder / "NA12878.wgs7x.bam")
        confident = _existing(folder / "HG001.proxy_confident.reads270kb.bed")
        return Dataset(name, BUNDLED / "chr20.fa", bam, 270_000, "chr20:50001-51000", BUNDLED / "truth.vcf.gz", confident)
    simulated = re.fullmatch(r"(sim|hard)-hg001(?:-(\d+)x-seed(\d+))?", name)
    if simulated:
        truth = _existing(data / "sim-hg001" / "hg001.truth.vcf.gz")
        reference = _plain_fasta(_existing(data / "sim-hg001" / "b37.chr20.1-2000000.fa.gz"), work)
        kind, depth, seed = simulated.groups()
        if seed is None:
            bam = _existing(data / f"{kind}-hg001" / f"{kind}_hg001.bam")
        else:
            bam = work / f"{name}.bam"
            _simulate(data.parent / "tools" / "simulate_reads.sh", kind == "hard", reference, truth, bam, depth, seed)
        return Dataset(name, reference, bam, 1_940_000, "20:1000001-1001000", truth)
    raise Unavailable(f"no data set is called {name}; datasets.py lists them")


def _existing(path):
    if not path.exists():
        raise Unavailable(f"{path} is not there; --data FOLDER names another data folder")
    return path


def _plain_fasta(compressed, work):
    """The FASTA without compression and with its index: not every peer reads bgzipped ones."""
    plain = work / compressed.name.removesuffix(".gz")
    if not plain.with_name(plain.name + ".fai").exists():
        with pysam.BGZFile(str(compressed)) as source, open(plain, "wb") as target:
            shutil.copyfileobj(source, target)
        pysam.faidx(str(plain))
    return plain


def _simulate(script, is_hard, reference, truth, bam, depth, seed):
    if bam.with_name(bam.name + ".bai").exists():
        return
    for program in ("art_illumina", "bwa", "samtools", "bcftools"):
        if shutil.which(program) is None:
            raise Unavailable(f"{program} is not on PATH; it makes {bam.name}")
    command = [_existing(script), *(["--hard"] if is_hard else []), reference, truth, bam, depth, seed, "SIM"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _tiled(base, n, work):
    """The reads of `base` laid out `n` times as `n` contigs: real reads, as many as a speed or memory test needs."""
    start, end = TILED_SPAN
    name = f"{base.name}-x{n}"
    reference, bam = work / f"{name}.fa", work / f"{name}.bam"
    made = Dataset(name, reference, bam, n * base.n_bases, "tile1:50001-51000")
    if bam.with_name(bam.name + ".bai").exists():
        return made
    with pysam.FastaFile(str(base.reference)) as fasta:
        contig = fasta.references[0]
        sequence = fasta.fetch(contig, start, end)
    with open(reference, "w") as fasta:
        for i in range(n):
            fasta.write(f">tile{i + 1}\n{sequence}\n")
    pysam.faidx(str(reference))

    with pysam.AlignmentFile(str(base.reads)) as source:
        header = source.header.to_dict() | {"SQ": [{"SN": f"tile{i + 1}", "LN": end - start} for i in range(n)]}
        header.pop("PG", None)
        header = pysam.AlignmentHeader.from_dict(header)
        reads = [_moved(read, start, header) for read in source.fetch(contig, start, end) if _lies_inside(read, start, end)]
    names = [read.query_name for read in reads]
    unfinished = bam.with_name("unfinished-" + bam.name)
    with pysam.AlignmentFile(str(unfinished), "wb", header=header, threads=2) as tiles:
        for i in range(n):
            for read, read_name in zip(reads, names):
                read.query_name = f"{read_name}:{i}"
                read.reference_id = i
                read.next_reference_id = i if read.is_paired else -1
                tiles.write(read)
    unfinished.replace(bam)
    pysam.index(str(bam))
    return made


def _lies_inside(read, start, end):
    """Whether the read and its mate lie inside the span."""
    inside = read.reference_start >= start and (read.reference_end or read.reference_start + 1) <= end
    mate_inside = not read.is_paired or (read.next_reference_id == read.reference_id and start <= read.next_reference_start < end)
    return inside and mate_inside


def _moved(read, start, header):
    """The read shifted to the left by `start`, under another header, without its links to other alignments (SA)."""
    fields = read.to_dict() | {"ref_name": header.references[0], "ref_pos": str(read.reference_start - start + 1)}
    if read.is_paired:
        fields |= {"next_ref_name": "=", "next_ref_pos": str(read.next_reference_start - start + 1)}
    fields["tags"] = [tag for tag in fields["tags"] if not tag.startswith("SA:")]
    return pysam.AlignedSegment.from_dict(fields, header)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    add_arguments(parser)
    options = parser.parse_args()
    for name in options.names:
        dataset = load(name, options.data, options.work)
        print(f"{dataset.name}\t{dataset.reads}\t{dataset.reference}\t{dataset.reads.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
