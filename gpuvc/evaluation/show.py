"""An evaluation as tables for people, notebooks and programs, as files and as a picture."""

import json
import os
from html import escape
from pathlib import Path

import numpy as np

from gpuvc.errors import UsageError
from gpuvc.evaluation.strata import STRATA
from gpuvc.optional import optional
from gpuvc.output import figures
from gpuvc.output.files import BgzfStream, PartialFile

_COLUMNS = ("tp", "fp", "fn", "tp_calls", "precision", "recall", "f1")
_COLOURS = {"SNV": figures.BLUE, "indel": figures.RED}


def rows(evaluation):
    """[(class, context, stratum, Scores)]; everywhere first, as context and stratum "all"."""
    everywhere = [(kind, "all", "all", evaluation.scores(kind)) for kind in ("SNV", "indel", "all")]
    return everywhere + [(kind, context, stratum, scores) for context, stratum, kind, scores in evaluation.contexts()]


def as_frame(evaluation):
    """A pandas DataFrame of `rows`; bounds of the 95 % intervals as NAME_low and NAME_high, NaN where there is nothing to divide by."""
    return optional("pandas", "tables").DataFrame([_flat(*row) for row in rows(evaluation)])


def _flat(kind, context, stratum, scores):
    """One row as a dictionary without lists."""
    flat = {"class": kind, "context": context, "stratum": stratum}
    for name, value in scores.as_dict().items():
        if name.endswith("_interval"):
            low, high = value or (None, None)
            flat |= {name.replace("interval", "low"): low, name.replace("interval", "high"): high}
        else:
            flat[name] = value
    return flat


def as_tsv(evaluation):
    """`rows` as tab-separated text; a dot where there is nothing to divide by."""
    flat = [_flat(*row) for row in rows(evaluation)]
    lines = ["\t".join(flat[0])]
    lines += ["\t".join("." if value is None else str(value) for value in row.values()) for row in flat]
    return "\n".join(lines) + "\n"


def percent(value):
    return "-" if value is None else f"{100 * value:.2f} %"


def _with_bounds(scores, name):
    """(share, its interval) of precision, recall or f1, as text."""
    bounds = getattr(scores, f"{name}_interval")
    return percent(getattr(scores, name)), f"{100 * bounds[0]:.2f}-{100 * bounds[1]:.2f}" if bounds else ""


def print_evaluation(evaluation, console):
    """Two tables: by class with intervals, by context without."""
    from rich.table import Table

    table = Table(title="Against the truth, with 95 % confidence intervals", title_justify="left")
    for title in ("", "true", "false", "missed", "precision", "recall", "F1"):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    for kind in ("SNV", "indel", "all"):
        scores = evaluation.scores(kind)
        shares = ("\n".join(_with_bounds(scores, name)) for name in ("precision", "recall", "f1"))
        table.add_row(kind, str(scores.tp), str(scores.fp), str(scores.fn), *shares)
    console.print(table)
    table = Table(title="By context: true/false/missed, F1", title_justify="left")
    for title in ("", "", "SNV", "F1", "indel", "F1"):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    before = None
    for context, stratum in dict.fromkeys((context, stratum) for context, stratum, _, _ in evaluation.contexts()):
        cells = []
        for kind in ("SNV", "indel"):
            scores = evaluation.scores(kind, context, stratum)
            cells += [f"{scores.tp}/{scores.fp}/{scores.fn}", percent(scores.f1)] if scores.tp + scores.fp + scores.fn else ["", ""]
        table.add_row(context if context != before else "", stratum, *cells)
        before = context
    console.print(table)
    for what, side in (("truth", evaluation.truth), ("calls", evaluation.calls)):
        if side.left_out:
            reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(side.left_out.items(), key=lambda item: -item[1]))
            console.print(f"Not counted of the {what}: {reasons}.", soft_wrap=True)


def as_html(evaluation):
    """Both tables as HTML, for notebooks."""
    head = "<tr><th style='text-align:left'>{}</th>" + "".join(
        f"<th>{t}</th>" for t in ("true", "false", "missed", "precision", "recall", "F1")
    )

    def line(label, scores, bounded):
        shares = (_with_bounds(scores, name) for name in ("precision", "recall", "f1"))
        shown = (f"{share}<br><small>{bounds}</small>" if bounded else share for share, bounds in shares)
        cells = "".join(f"<td style='text-align:right'>{cell}</td>" for cell in (scores.tp, scores.fp, scores.fn, *shown))
        return f"<tr><td style='text-align:left'>{escape(label)}</td>{cells}</tr>"

    of_class = [line(kind, evaluation.scores(kind), True) for kind in ("SNV", "indel", "all")]
    of_context = [
        line(f"{context} {stratum}, {kind}", scores, False)
        for context, stratum, kind, scores in evaluation.contexts()
        if scores.tp + scores.fp + scores.fn
    ]
    calls, truth = (escape(Path(side.variants.path).name) for side in (evaluation.calls, evaluation.truth))
    return (
        f"<p><b>{calls}</b> against {truth} (95 % confidence intervals)</p><table>{head.format('class')}</tr>{''.join(of_class)}</table>"
        f"<details><summary>by context</summary><table>{head.format('context')}</tr>{''.join(of_context)}</table></details>"
    )


def figure(evaluation):
    """Precision and recall along the score, and F1 by context with its interval: a matplotlib Figure."""
    figures.require_matplotlib("plot")
    contexts = [(context, stratum, kind, s) for context, stratum, kind, s in evaluation.contexts() if s.tp + s.fp + s.fn]
    labels = list(dict.fromkeys((context, stratum) for context, stratum, _, _ in contexts))
    height = max(3.2, 0.6 + 0.2 * (len(labels) + len(STRATA)))
    with figures.figure(9.5, height, columns=2, width_ratios=(1, 1.15)) as (drawn, (roc, by_context)):
        shown = []
        for kind, colour in _COLOURS.items():
            points = [p for p in evaluation.roc(kind) if p["precision"] is not None and p["recall"] is not None]
            if points:
                recall, precision = (np.array([100 * p[name] for p in points]) for name in ("recall", "precision"))
                roc.plot(recall, precision, color=colour, label=kind, drawstyle="default", linewidth=1.5)
                roc.plot(recall[-1:], precision[-1:], "o", color=colour, markersize=4)
                shown.append((recall, precision))
        roc.set(xlabel="recall, %", ylabel="precision, %", title=f"Along {evaluation.score_field}; a dot: all calls")
        if shown:
            lowest = min(float(precision.min()) for _, precision in shown)
            roc.set_ylim(max(0, min(lowest - 2, 98)), 100.4)
            roc.set_xlim(0, 101)
            roc.legend(loc="lower left")
        # Strata from top to bottom, a gap between contexts.
        place, at, heads = {}, 0.0, []
        for n, (context, stratum) in enumerate(labels):
            if n == 0 or labels[n - 1][0] != context:
                at += 0.9
                heads.append((at - 0.8, context))
            place[context, stratum] = at
            at += 1
        for kind, colour in _COLOURS.items():
            shift = -0.15 if kind == "SNV" else 0.15
            found = [(place[c, s] + shift, scores) for c, s, k, scores in contexts if k == kind and scores.f1 is not None]
            if found:
                y, middle = [at for at, _ in found], np.array([100 * s.f1 for _, s in found])
                bounds = np.array([[100 * bound for bound in s.f1_interval] for _, s in found]).T
                by_context.errorbar(middle, y, xerr=np.abs(bounds - middle), fmt="o", color=colour, markersize=3.5, linewidth=1, label=kind)
        by_context.set_yticks([place[label] for label in labels], [stratum for _, stratum in labels])
        for y, context in heads:
            by_context.text(-0.02, y, context, transform=by_context.get_yaxis_transform(), ha="right", va="center", fontweight="bold")
        by_context.set_ylim(at, -0.5)
        by_context.set(xlabel="F1, %", title="By context, with 95 % confidence intervals")
        by_context.grid(axis="y", visible=False)
    return drawn


def output_paths(prefix, plot=".png"):
    """Name of each output → its path."""
    names = {"json": ".json", "tsv": ".tsv", "plot": plot} | {kind: f".{kind}.vcf.gz" for kind in ("tp", "tp-baseline", "fp", "fn")}
    return {name: f"{prefix}{suffix}" for name, suffix in names.items()}


def check_outputs(prefix, plot, inputs):
    """Raise UsageError where an output would take the place of an input, or no picture can be drawn."""
    figures.require_matplotlib("--output-prefix")
    taken = {os.path.realpath(path) for path in inputs}
    for path in output_paths(prefix, plot).values():
        if os.path.realpath(path) in taken:
            raise UsageError(f"option --output-prefix: found {prefix}, by which {path} is an input as well, expected another prefix.")


def write_evaluation(evaluation, prefix, plot=".png"):
    """Write PREFIX.json, .tsv, .png and .{tp,tp-baseline,fp,fn}.vcf.gz with their indexes; returns the paths.

    tp and fp are records of the calls, tp-baseline and fn of the truth: the names of vcfeval. Raises OutputError.
    """
    import pysam

    paths = output_paths(prefix, plot)
    whole = {
        "json": (json.dumps(evaluation.as_dict(), indent=1, allow_nan=False) + "\n").encode(),
        "tsv": as_tsv(evaluation).encode(),
        "plot": figures.image(figure(evaluation), plot),
    }
    for name, data in whole.items():
        with PartialFile(paths[name]) as file:
            file.write(data)
            file.commit()
    truth, calls = evaluation.truth, evaluation.calls
    kept = {"tp": (calls, calls.agrees & (calls.weight > 0)), "fp": (calls, calls.is_wrong)}
    kept |= {"tp-baseline": (truth, truth.is_true), "fn": (truth, truth.is_wrong)}
    for name, (side, chosen) in kept.items():
        write_records(paths[name], side.variants, np.flatnonzero(chosen))
        pysam.tabix_index(paths[name], preset="vcf", force=True)
    return list(paths.values())


def write_records(path, call_set, chosen):
    """Write the records of some variants, with the header of their file, as bgzipped VCF sorted by position."""
    by_place = sorted({(int(call_set.contig[i]), call_set.pos1(i), int(call_set.record[i])) for i in chosen.tolist()})
    with PartialFile(path) as file:
        stream = BgzfStream(file)
        stream.write(b"\n".join([*call_set.header, *(call_set.lines[record] for _, _, record in by_place)]) + b"\n")
        stream.close()
        file.commit()


def print_comparison(comparison, console):
    """The reasons, with the number of SNVs and indels in either set."""
    from rich.table import Table

    table = Table(title=_comparison_title(comparison), title_justify="left")
    for title in ("", "A: SNVs", "indels", "B: SNVs", "indels"):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    for reason, cells in comparison.counts().items():
        table.add_row(reason, *map(str, cells))
    console.print(table)


def comparison_as_html(comparison):
    """The reasons as an HTML table, for notebooks."""
    head = "".join(f"<th>{t}</th>" for t in ("", "A: SNVs", "indels", "B: SNVs", "indels"))
    lines = [
        f"<tr><td style='text-align:left'>{escape(reason)}</td>{''.join(f'<td>{n}</td>' for n in cells)}</tr>"
        for reason, cells in comparison.counts().items()
    ]
    return f"<p>{escape(_comparison_title(comparison))}</p><table><tr>{head}</tr>{''.join(lines)}</table>"


def _comparison_title(comparison):
    return f"A: {Path(comparison.a.path).name}   B: {Path(comparison.b.path).name}"


def write_comparison(comparison, prefix):
    """Write PREFIX.json and PREFIX.tsv, the differences one a line. Raises OutputError."""
    rows = comparison.differences()
    titles = ("in", "contig", "pos1", "ref", "alts", "genotype", "qual", "filter", "reason", "other")
    text = "".join("\t".join(map(str, row)) + "\n" for row in [titles, *([row[t] for t in titles] for row in rows)])
    for suffix, data in ((".json", json.dumps(comparison.as_dict(), indent=1, allow_nan=False) + "\n"), (".tsv", text)):
        with PartialFile(f"{prefix}{suffix}") as file:
            file.write(data.encode())
            file.commit()
