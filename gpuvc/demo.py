"""`gpuvc demo`: call the bundled human reads, show what was found and how it stands against the truth."""

import gzip
from collections import Counter
from pathlib import Path

import numpy as np

from gpuvc.errors import OutputError
from gpuvc.intervals import Contigs
from gpuvc.io.bed import resolve_intervals
from gpuvc.output.vcf import normal_forms

DATA = Path(__file__).parent / "data"
_TRANSITIONS = {("A", "G"), ("G", "A"), ("C", "T"), ("T", "C")}


def run_demo(output_dir="demo-output", device="auto", threads=None):
    """Call, compare, print two tables on standard output. Writes NA12878.vcf.gz, its index and a report into `output_dir`."""
    from rich.console import Console

    from gpuvc.api import call_variants
    from gpuvc.io.fasta import open_reference

    folder = Path(output_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"folder {folder}: found it cannot be made ({error.strerror}), expected a place to write. Use --output-dir."
        ) from error
    vcf, report = folder / "NA12878.vcf.gz", folder / "NA12878.report.json"
    reference, reads = DATA / "chr20.fa", DATA / "NA12878.chr20.100kb.bam"
    summary = call_variants(
        str(reference), str(reads), str(vcf), report=str(report), device=device, threads=threads, command_line="gpuvc demo"
    )
    genome = open_reference(str(reference))
    confident = resolve_intervals([str(DATA / "confident.bed")], contigs=genome.contigs)
    found = read_alleles(vcf, genome)
    truth = read_alleles(DATA / "truth.vcf.gz", genome)
    console = Console(highlight=False)
    console.print(f"NA12878 (50x, 100 kb of chromosome 20): {summary}", soft_wrap=True)
    console.print(_table_of_found(found, summary.n_records))
    console.print(_table_of_scores(inside(truth, confident, genome.contigs), inside(found, confident, genome.contigs)))
    console.print(f"Variants: {vcf} (index {vcf.name}.tbi)  Report: {report}", soft_wrap=True)
    console.print("Your own: gpuvc call -R ref.fa -I sample.bam -O sample.vcf.gz", soft_wrap=True)


def read_alleles(path, genome):
    """(contig, pos, ref, alt) → copies in the genotype, for the alleles of the first sample in records that pass.

    Alleles are split, left-aligned and trimmed, neighbouring substitutions taken apart, so that equal variants have equal keys.
    """
    alleles = Counter()
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            contig, pos1, _, ref, alts, _, filters, _, keys, sample = line.rstrip("\n").split("\t")[:10]
            if filters not in ("PASS", "."):
                continue
            genotype = sample.split(":")[keys.split(":").index("GT")].replace("|", "/").split("/")
            for number, alt in enumerate(alts.split(","), 1):
                copies = genotype.count(str(number))
                if copies and alt.strip("ACGTN") == "":
                    for key in normal_forms(contig, int(pos1) - 1, ref, alt, genome):
                        alleles[key] += copies
    return alleles


def inside(alleles, targets, contigs: Contigs):
    """The alleles whose reference bases all lie in one interval of `targets`."""
    kept = {}
    for key, copies in alleles.items():
        contig, pos, ref, _ = key
        intervals = targets[contigs.index[contig]]
        nearest = int(np.searchsorted(intervals[:, 0], pos, side="right")) - 1
        if nearest >= 0 and pos + len(ref) <= intervals[nearest, 1]:
            kept[key] = copies
    return kept


def score(truth, found):
    """Kind ("SNV", "indel") → (true positives, false positives, false negatives); allele and copies must both agree."""
    scores = {}
    for kind in ("SNV", "indel"):
        wanted = {item for item in truth.items() if _kind(item[0]) == kind}
        called = {item for item in found.items() if _kind(item[0]) == kind}
        scores[kind] = len(wanted & called), len(called - wanted), len(wanted - called)
    return scores


def _kind(key):
    return "SNV" if len(key[2]) == len(key[3]) else "indel"


def _ratio(a, b):
    return f"{a / b:.2f}" if b else "-"


def _table_of_found(found, n_records):
    from rich.table import Table

    kinds = Counter(_kind(key) if _kind(key) == "SNV" else "insertion" if len(key[3]) > len(key[2]) else "deletion" for key in found)
    transitions = sum((key[2], key[3]) in _TRANSITIONS for key in found)
    table = Table(title="Found", title_justify="left", show_header=True)
    for title in ("records", "SNVs", "insertions", "deletions", "Ti/Tv", "het/hom"):
        table.add_column(title, justify="right")
    het, hom = (sum(copies == n for copies in found.values()) for n in (1, 2))
    counts = [n_records, kinds["SNV"], kinds["insertion"], kinds["deletion"]]
    table.add_row(*map(str, counts), _ratio(transitions, kinds["SNV"] - transitions), _ratio(het, hom))
    return table


def _table_of_scores(truth, found):
    from rich.table import Table

    table = Table(title="Against GIAB's truth, in its confident regions (allele and genotype must agree)", title_justify="left")
    for title in ("", "true", "false", "missed", "precision", "recall"):
        table.add_column(title, justify="right" if title else "left")
    for kind, (tp, fp, fn) in score(truth, found).items():
        percentages = (f"{100 * tp / n:.2f} %" if n else "-" for n in (tp + fp, tp + fn))
        table.add_row(f"{kind}s", str(tp), str(fp), str(fn), *percentages)
    return table
