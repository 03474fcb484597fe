"""The run report as one page (--report NAME.html): HTML that asks no network for anything; docs/report.md says what its figures mean."""

import json
import re
from html import escape
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from gpuvc.errors import UsageError
from gpuvc.genotyping.filters import FILTERS
from gpuvc.output import figures
from gpuvc.output.statistics import MOST_DEPTH, MOST_INDEL_BP, MOST_QUALITY, N_SHARES, TRANSITIONS
from gpuvc.settings import Settings

_TEMPLATE = Path(__file__).with_name("page.html")
_MOST_LINES = 8  # samples that a plot tells apart; tables have them all
_LINES = (figures.BLUE, figures.RED, figures.GREEN, figures.ORANGE, figures.PURPLE, figures.SKY, figures.YELLOW, figures.GREY)


_LIBRARIES = {"matplotlib": "Matplotlib", "jinja2": "Jinja2"}


def has_libraries():
    """Whether a page can be made."""
    return all(find_spec(module) for module in _LIBRARIES)


def require_libraries(what):
    """Raise UsageError where a library is missing that the page needs."""
    for module, name in _LIBRARIES.items():
        if find_spec(module) is None:
            raise UsageError(f"{what}: found no {name}, expected it for pages. pip install 'gpuvc[report]'")


def page(report) -> bytes:
    """The report of `gpuvc.output.report.run_report`, with its statistics, as a page."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": _number, "percent": _percent, "seconds": _seconds, "megabytes": _megabytes}
    template = environment.from_string(_TEMPLATE.read_text())
    text = template.render(
        report=report,
        samples=report["statistics"]["samples"],
        facts=_facts(report),
        plots=_plots(report),
        filters=[(name, n, _meaning(name)) for name, n in sorted(report["records"]["by_filter"].items(), key=_passes_first)],
        reads=_reads(report["reads"]),
        stages=_stages(report["seconds"]),
        changed=_changed(report["settings"]),
        most_indel_bp=MOST_INDEL_BP,
        # What would end the element that holds it cannot stand in it.
        raw=json.dumps(report, default=lambda value: value.item(), allow_nan=False).replace("<", "\\u003c"),
    )
    return text.encode()


def _facts(report):
    records, reads, seconds = report["records"], report["reads"], report["seconds"]
    working = max(seconds["cpu"] - seconds["compile"], 1e-9)
    shown = [(_number(records["total"]), "records"), (_number(records["by_filter"].get("PASS", 0)), "of them pass all filters")]
    samples = report.get("statistics", {}).get("samples", [])
    if len(samples) == 1:
        (sample,) = samples
        shown += [
            (_number(sum(sample["substitutions"].values())), "SNVs"),
            (_number(sum(sample["indel_lengths"].values())), "indels"),
            (_number(sample["ti_tv"], 2), "transitions to transversions"),
            (_number(sample["het_hom"], 2), "heterozygous to homozygous"),
            (f"{_number(sample['depth']['mean'], 1)}x", "mean depth"),
            (_percent(sample["depth"]["at_least"]["20"]), "of the targets at 20x or more"),
        ]
    shown += [(_percent(reads["used"] / reads["seen"] if reads["seen"] else None), f"of {_number(reads['seen'])} reads used")]
    shown += [(_seconds(seconds["wall"]), "wall time"), (f"{report['targets_bp'] / 1e6 / working:.3g} Mb", "of targets a CPU second")]
    if "evaluation" in report:
        shown += [(_number(report["evaluation"]["classes"]["all"]["f1"], 4), "F1 against the truth")]
    return shown


def _meaning(filters):
    """What FILTER says: of several, joined by semicolons, each."""
    return ". ".join(FILTERS[name] for name in filters.split(";") if name in FILTERS)


def _passes_first(item):
    return item[0] != "PASS", item[0]


def _reads(reads):
    """[(reason, reads, share)]: used, then each filter, the most frequent first."""
    rows = [("used", reads["used"]), *sorted(reads["filtered"].items(), key=lambda item: (-item[1], item[0]))]
    return [(name, n, n / reads["seen"] if reads["seen"] else None) for name, n in rows]


def _stages(seconds):
    """[(stage, wall, CPU)], the longest first; compilation is part of the stages that wait for it."""
    return sorted(((name, s["wall"], s["cpu"]) for name, s in seconds["stages"].items()), key=lambda row: -row[2])


def _changed(settings):
    """[(name, value, default)] of the settings that are not the defaults."""
    default = Settings().as_dict()
    return [(name, value, default[name]) for name, value in settings.items() if value != default[name]]


# ------------------------------------------------------------------------------------------------------------------- plots


def _plots(report):
    """Name → <svg> as markup; those of nothing are left out."""
    import matplotlib as mpl

    with mpl.rc_context({"text.parse_math": False}):  # names may hold $, which is no formula
        return _drawn(report)


def _drawn(report):
    from markupsafe import Markup

    statistics = report["statistics"]
    samples = statistics["samples"][:_MOST_LINES]
    plots = {
        "depth": _depth(samples),
        "along": _along(statistics, samples),
        "qual": _qual(statistics["qual"]),
        "genotype_quality": _genotype_quality(samples),
        "substitutions": _substitutions(samples),
        "indel_lengths": _indel_lengths(samples),
        "allele_balance": _allele_balance(samples),
        "reads": _bars([(name, n) for name, n, _ in _reads(report["reads"]) if n], "reads"),
        "stages": _stage_bars(_stages(report["seconds"])),
        "roc": _roc(report.get("evaluation")),
    }
    return {name: Markup(_own_names(text, name)) for name, text in plots.items() if text is not None}


def _own_names(text, plot):
    """The <svg> with names that no other has on the page, as wide as its place, and drawn in the page's own font and colour."""
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{plot}-", text)
    text = re.sub(r'width="([\d.]+)pt" height="[\d.]+pt"', r'style="max-width: \1pt"', text, count=1)
    text = re.sub(r"font-family: [^;]*; ", "", text)
    return re.sub(r"(fill|stroke): #000000", r"\1: currentColor", text).replace("<svg ", '<svg aria-hidden="true" ', 1)


def _by_sample(samples):
    return list(zip(samples, _LINES))


def _label(sample):
    """The name for a legend; a word joiner in front of one that begins with _, which Matplotlib leaves out of legends."""
    name = sample["name"]
    return f"\u2060{name}" if name.startswith("_") else name


def _depth(samples):
    top = max((_high_end(sample["depth"]["counts"]) for sample in samples), default=0)
    if not top:
        return None
    most = 0.0  # of the depths from 1: positions without reads may be nine of ten, and would flatten all others
    with figures.figure(5.2, 2.6) as (figure, axes):
        for sample, colour in _by_sample(samples):
            counts = np.array(sample["depth"]["counts"], float)
            share = 100 * counts / max(1, counts.sum())
            shown = np.zeros(top + 1)
            shown[: min(len(share), top + 1)] = share[: top + 1]
            most = max(most, shown[1:].max())
            axes.step(np.arange(top + 1), shown, where="mid", color=colour, label=_label(sample))
            if len(samples) == 1:
                axes.fill_between(np.arange(top + 1), shown, step="mid", color=colour, alpha=0.25, linewidth=0)
        axes.set(xlabel="reads over a position", ylabel="% of positions", xlim=(0, top), ylim=(0, 1.1 * most if most else None))
        _legend(axes, samples)
        return figures.svg(figure)


def _high_end(counts):
    """The depth below which all but a thousandth of the positions lie, with room."""
    counts = np.array(counts, float)
    if not counts.sum():
        return 0
    return min(MOST_DEPTH, 10 + int(1.15 * np.searchsorted(np.cumsum(counts), 0.999 * counts.sum())))


def _along(statistics, samples):
    contigs = statistics["bins"]["contig"]
    if not contigs or not any(value for sample in samples for value in sample["depth"]["by_bin"]):
        return None
    begins = [k for k, name in enumerate(contigs) if k == 0 or contigs[k - 1] != name]
    with figures.figure(10.6, 2.2) as (figure, axes):
        places = np.array(statistics["bins"]["start"]) / 1e6 if len(begins) == 1 else np.arange(len(contigs))
        for sample, colour in _by_sample(samples):
            depth = np.array([np.nan if value is None else value for value in sample["depth"]["by_bin"]])
            axes.step(places, depth, where="post", color=colour, linewidth=1, label=_label(sample))
        if len(begins) == 1:
            axes.set_xlabel(f"{contigs[0]}, Mb")
        else:
            for k in begins[1:]:
                axes.axvline(k, color=figures.GREY, linewidth=0.6)
            shown = begins[:: -(-len(begins) // 24)]
            axes.set_xticks(shown, [contigs[k].removeprefix("chr")[:12] for k in shown], ha="left", rotation=30 if len(shown) > 12 else 0)
        axes.set(ylabel="mean depth", xlim=(places[0], places[-1]) if len(places) > 1 else None, ylim=(0, None))
        _legend(axes, samples)
        return figures.svg(figure)


def _qual(qual):
    passed, filtered = np.array(qual["passed"]), np.array(qual["filtered"])
    if not (passed.sum() + filtered.sum()):
        return None
    edges = np.array([qual["edges"][0] / 10**0.1, *qual["edges"], qual["edges"][-1] * 10**0.1])
    used = np.flatnonzero(passed + filtered)
    with figures.figure(5.2, 2.6) as (figure, axes):
        for counts, below, colour, label in ((passed, 0, figures.BLUE, "pass"), (filtered, passed, figures.RED, "marked by a filter")):
            axes.bar(edges[:-1], counts, np.diff(edges), below, align="edge", color=colour, label=label)
        axes.set(xscale="log", xlabel="QUAL, phred", ylabel="records", xlim=(edges[used[0]] / 1.2, edges[used[-1] + 1] * 1.2))
        _plain_numbers(axes.xaxis)
        axes.legend()
        return figures.svg(figure)


def _genotype_quality(samples):
    if not any(sum(sample["genotype_quality"]) for sample in samples):
        return None
    with figures.figure(5.2, 2.6) as (figure, axes):
        for sample, colour in _by_sample(samples):
            axes.step(np.arange(MOST_QUALITY + 1), sample["genotype_quality"], where="mid", color=colour, label=_label(sample))
        axes.set(yscale="symlog", xlabel="GQ, phred", ylabel="genotypes", xlim=(0, MOST_QUALITY + 1), ylim=(0, None))
        _plain_numbers(axes.yaxis)
        _legend(axes, samples)
        return figures.svg(figure)


def _substitutions(samples):
    if not any(sum(sample["substitutions"].values()) for sample in samples):
        return None
    names = list(samples[0]["substitutions"])
    width = 0.8 / len(samples)
    with figures.figure(5.2, 2.6) as (figure, axes):
        for k, (sample, colour) in enumerate(_by_sample(samples)):
            colours = [figures.BLUE if name in TRANSITIONS else figures.ORANGE for name in names] if len(samples) == 1 else colour
            places = np.arange(len(names)) - 0.4 + width * (k + 0.5)
            axes.bar(places, list(sample["substitutions"].values()), width, color=colours, label=_label(sample))
        axes.set_xticks(range(len(names)), names, rotation=45)
        axes.set(ylabel="alternates")
        axes.grid(axis="x", visible=False)
        if len(samples) == 1:
            axes.set_title("transitions blue, transversions orange", fontsize=9)
        _legend(axes, samples)
        return figures.svg(figure)


def _indel_lengths(samples):
    if not any(sample["indel_lengths"] for sample in samples):
        return None
    width = 0.9 / len(samples)
    with figures.figure(5.2, 2.6) as (figure, axes):
        for k, (sample, colour) in enumerate(_by_sample(samples)):
            lengths = np.array([int(text) for text in sample["indel_lengths"]])
            axes.bar(lengths - 0.45 + width * (k + 0.5), list(sample["indel_lengths"].values()), width, color=colour, label=_label(sample))
        longest = max(abs(int(text)) for sample in samples for text in sample["indel_lengths"])
        axes.set(yscale="symlog", xlabel="deleted  ←  bp  →  inserted", ylabel="alternates", xlim=(-longest - 1, longest + 1))
        _plain_numbers(axes.yaxis)
        _legend(axes, samples)
        return figures.svg(figure)


def _allele_balance(samples):
    totals = {
        kind: np.sum([sample["allele_balance"][kind] for sample in samples], axis=0) if samples else np.zeros(N_SHARES)
        for kind in ("substitutions", "indels")
    }
    if not sum(counts.sum() for counts in totals.values()):
        return None
    centres = (np.arange(N_SHARES) + 0.5) / N_SHARES
    with figures.figure(5.2, 2.6) as (figure, axes):
        for (kind, counts), colour in zip(totals.items(), (figures.BLUE, figures.ORANGE)):
            axes.step(centres, 100 * counts / max(1, counts.sum()), where="mid", color=colour, label=kind)
        axes.axvline(0.5, color=figures.GREY, linewidth=0.8)
        axes.set(xlabel="share of the alternate's reads in heterozygotes", ylabel="% of them", xlim=(0, 1), ylim=(0, None))
        axes.legend()
        return figures.svg(figure)


def _bars(rows, label):
    if not rows:
        return None
    with figures.figure(5.2, 0.6 + 0.28 * len(rows)) as (figure, axes):
        axes.barh(
            [name for name, _ in rows][::-1], [value for _, value in rows][::-1], color=[*[figures.ORANGE] * (len(rows) - 1), figures.BLUE]
        )
        axes.set(xlabel=label, xscale="log")
        _plain_numbers(axes.xaxis)
        axes.grid(axis="y", visible=False)
        return figures.svg(figure)


def _stage_bars(stages):
    if not stages:
        return None
    places = np.arange(len(stages))[::-1]
    with figures.figure(5.2, 0.8 + 0.34 * len(stages)) as (figure, axes):
        axes.barh(places + 0.2, [cpu for _, _, cpu in stages], 0.38, color=figures.BLUE, label="CPU")
        axes.barh(places - 0.2, [wall for _, wall, _ in stages], 0.38, color=figures.SKY, label="wall, all threads")
        axes.set_yticks(places, [name for name, _, _ in stages])
        axes.set(xlabel="seconds")
        axes.grid(axis="y", visible=False)
        axes.legend()
        return figures.svg(figure)


def _roc(evaluation):
    if not evaluation:
        return None
    with figures.figure(5.2, 2.6) as (figure, axes):
        n_points = 0
        for kind, colour in (("SNV", figures.BLUE), ("indel", figures.ORANGE)):
            points = evaluation["roc"]["classes"][kind]
            n_points += len(points)
            axes.plot([p["recall"] for p in points], [p["precision"] for p in points], color=colour, label=kind, marker=".", markersize=3)
        if not n_points:
            return None
        axes.set(xlabel="recall", ylabel="precision")
        axes.legend()
        return figures.svg(figure)


def _plain_numbers(axis):
    """Ticks of a logarithmic axis at every power of ten, as 10, 100 and 1,000: not as powers, which need a font of their own."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _legend(axes, samples):
    if len(samples) > 1:
        axes.legend(fontsize=8, loc="upper right")


# ------------------------------------------------------------------------------------------------------------------- numbers as text


def _number(value, digits=0):
    return "–" if value is None else f"{value:,.{digits}f}"


def _percent(value, digits=1):
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def _seconds(value):
    if value < 100:
        return f"{value:.3g} s"
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {seconds} s"


def _megabytes(value):
    return "–" if value is None else f"{value / 1e6:,.1f} MB"


def as_html(report, title) -> str:
    """A small table of the facts of a report, for notebooks."""
    big, small = "<b style='font-size:1.2em'>", "<span style='opacity:.75'>"
    cells = (f"<div style='margin:0 1.5em .5em 0'>{big}{escape(n)}</b><br>{small}{escape(what)}</span></div>" for n, what in _facts(report))
    return f"<div><b>{escape(title)}</b><div style='display:flex;flex-wrap:wrap;margin-top:.5em'>{''.join(cells)}</div></div>"
