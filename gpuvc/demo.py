"""`gpuvc demo`: call the bundled human reads, show what was found and how it stands against the truth."""

from pathlib import Path

from gpuvc.errors import OutputError
from gpuvc.evaluation.show import percent
from gpuvc.output.page import has_libraries

DATA = Path(__file__).parent / "data"


def run_demo(output_dir="demo-output", device="auto", threads=None):
    """Call, compare, print two tables on standard output. Writes NA12878.vcf.gz, its index and reports into `output_dir`."""
    from rich.console import Console

    from gpuvc.api import call_variants
    from gpuvc.evaluation.evaluate import evaluate

    folder = Path(output_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"folder {folder}: found it cannot be made ({error.strerror}), expected a place to write. Use --output-dir."
        ) from error
    vcf, report = folder / "NA12878.vcf.gz", folder / "NA12878.report.json"
    page = folder / "NA12878.report.html"
    reports = [str(report), *([str(page)] if has_libraries() else [])]
    reference, reads = DATA / "chr20.fa", DATA / "NA12878.chr20.100kb.bam"
    summary = call_variants(
        str(reference), str(reads), str(vcf), report=reports, device=device, threads=threads, command_line="gpuvc demo"
    )
    evaluation = evaluate(DATA / "truth.vcf.gz", vcf, reference, DATA / "confident.bed")
    console = Console(highlight=False)
    console.print(f"NA12878 (50x, 100 kb of chromosome 20): {summary}", soft_wrap=True)
    console.print(_table_of_found(alleles_called(evaluation.calls.variants), summary.n_records))
    console.print(_table_of_scores(evaluation))
    console.print(f"Variants: {vcf} (index {vcf.name}.tbi)  Report: {Path(reports[-1])}", soft_wrap=True)
    if len(reports) == 1:
        console.print("A page to look at, too: pip install 'gpuvc[report]'", soft_wrap=True, markup=False)
    console.print("Your own: gpuvc call -R ref.fa -I sample.bam -O sample.vcf.gz", soft_wrap=True)


def alleles_called(call_set):
    """(kind, is a transition) → [alleles on one copy, alleles on two] of the variants of a CallSet; substitutions base by base.

    Kinds: SNV, insertion, deletion.
    """
    found = {}
    for copies, genotype, ref, start, end in zip(
        call_set.copies, call_set.genotypes, call_set.refs, call_set.start.tolist(), call_set.end.tolist()
    ):
        own = ref[len(ref) - (end - start) :]
        for number in set(genotype):
            allele = copies[genotype.index(number)]
            if number < 1 or allele is None:  # the reference's, or that of a deletion that began before
                continue
            if len(allele) == len(own):
                kinds = [("SNV", abs(a - b) == 2) for a, b in zip(own, allele) if a != b]  # A, C, G, T are 0 to 3
            else:
                kinds = [("insertion" if len(allele) > len(own) else "deletion", False)]
            for kind in kinds:
                found.setdefault(kind, [0, 0])[genotype.count(number) - 1] += 1
    return found


def _ratio(a, b):
    return f"{a / b:.2f}" if b else "-"


def _table_of_found(found, n_records):
    from rich.table import Table

    def count(kind, is_transition):
        return sum(found.get((kind, is_transition), ()))

    transitions, transversions = count("SNV", True), count("SNV", False)
    table = Table(title="Found", title_justify="left", show_header=True)
    for title in ("records", "SNVs", "insertions", "deletions", "Ti/Tv", "het/hom"):
        table.add_column(title, justify="right")
    counts = [n_records, transitions + transversions, count("insertion", False), count("deletion", False)]
    het, hom = (sum(numbers[k] for numbers in found.values()) for k in (0, 1))
    table.add_row(*map(str, counts), _ratio(transitions, transversions), _ratio(het, hom))
    return table


def _table_of_scores(evaluation):
    from rich.table import Table

    table = Table(title="Against GIAB's truth, in its confident regions (allele and genotype must agree)", title_justify="left")
    for title in ("", "true", "false", "missed", "precision", "recall"):
        table.add_column(title, justify="right" if title else "left")
    for kind in ("SNV", "indel"):
        scores = evaluation.scores(kind)
        table.add_row(f"{kind}s", str(scores.tp), str(scores.fp), str(scores.fn), percent(scores.precision), percent(scores.recall))
    return table
