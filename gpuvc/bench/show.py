"""What `gpuvc bench` prints, and its picture, from the plain values of its result."""

import io

from gpuvc.output.figures import BLUE, CALLERS, ORANGE, figure, image

WIDTH = 136  # of tables that go into a file or a page
_NO_SPREAD = "-"
_MOST_SPREAD = 100.0  # highest over lowest; beyond it the repeats tell nothing


def print_result(result, console):
    """The tables of a result on a rich console."""
    console.print(_data_line(result["data"]), soft_wrap=True)
    if "kernels" in result:
        from gpuvc.bench.show_kernels import print_kernels

        print_kernels(result["kernels"], console)
    else:
        _print_calling(result, console)
    device = result["device"]
    gpu = f"no CUDA device: not measured ({device['problem']})" if device["problem"] else device["name"]
    console.print(f"GPU: {gpu}", soft_wrap=True)
    console.print(provenance(result), soft_wrap=True)


def as_text(result):
    """The same as plain text, for a page."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=WIDTH, highlight=False, color_system=None)
    print_result(result, console)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def provenance(result):
    """One line: machine, versions, commit, date."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    machine = result["machine"]
    return f"{machine['cpu']}, {machine['cores']} cores; {versions}; commit {result['commit']}; {result['date']}."


def _data_line(about):
    copies = max(piece["copy"] for piece in about["pieces"])
    again = f", the sequence {copies + 1} times over, each time with other reads" if copies else ""
    return (
        f"Data: {about['bases'] / 1e6:g} Mb of {' and '.join(about['sources'])}{again}; {about['reads']:,} reads of {about['read_bp']} bp "
        f"({about['depth']:g}x, seed {about['seed']}) of two haplotypes that differ from it by {about['truth_records']:,} known variants."
    )


def _print_calling(result, console):
    console.print(_speeds(result["speeds"]))
    console.print(_ratios(result["ratios"]))
    words = "(lowest-highest): where the figure of another run lies, with 95 % probability; -: start-up drowns it."
    console.print(words, soft_wrap=True)
    console.print(_stages(result))
    if result["accuracy"]:
        console.print(_accuracy(result["accuracy"]))
    same = {caller: [row["name"] for row in result["speeds"] if row["caller"] == caller] for caller in result["same_bytes"]}
    for names in same.values():
        console.print(f"Same bytes in every repeat: {'; '.join(names)}.", soft_wrap=True)
    compiled = f"compiled in this run, {result['compile_s']:.0f} s, once a machine" if result["compile_s"] > 1 else "compiled before"
    console.print(f"Kernels: {compiled}; not in these times.", soft_wrap=True)
    for name, reason in result["left_out"].items():
        console.print(f"{name}: not measured ({reason}).", soft_wrap=True)


def _table(title, *heads, caption=None):
    from rich.table import Table

    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left", no_wrap=i == 0)
    return table


def _speeds(rows):
    table = _table(
        "Speed, start-up apart, and what the whole commands cost", "", "Mb per CPU s", "Mb per wall s", "CPU s", "start-up", "wall s",
        "start-up", "peak MB", "repeats",
    )  # fmt: skip
    for row in rows:
        speeds = [_number(row[f"mb_per_{seconds}_apart"]) for seconds in ("cpu_s", "wall_s")]
        seconds = [f"{row[name]:.2f}" for name in ("cpu_s", "startup_cpu_s", "wall_s", "startup_wall_s")]
        table.add_row(row["name"], *speeds, *seconds, str(row["peak_mb"]), str(row["repeats"]))
    return table


def _ratios(rows):
    table = _table(
        "How many times as fast", "", "CPU, start-up apart", "CPU, whole command", "wall, start-up apart", "wall, whole command",
    )  # fmt: skip
    for row in rows:
        cells = [_with_spread(row[f"{seconds}_{way}"]) for seconds in ("cpu_s", "wall_s") for way in ("apart", "whole")]
        table.add_row(_pair(row), *cells)
    return table


def _pair(row):
    """ "gpuvc, 1 thread : bcftools"; of two ways of one caller, the second in short."""
    ours, to = row["name"].split(", "), row["to"].split(", ")
    while len(to) > 1 and ours[0] == to[0]:
        ours, to = ours[1:], to[1:]
    return f"{row['name']} : {', '.join(to)}"


def _number(estimate):
    return f"{estimate['value']:.3g}" if estimate else _NO_SPREAD


def _with_spread(estimate):
    if not estimate:
        return _NO_SPREAD
    if estimate["low"] is None:
        return f"{estimate['value']:.3g}"
    if estimate["high"] > _MOST_SPREAD * estimate["low"]:
        return f"{estimate['value']:.3g} (no telling)"
    return f"{estimate['value']:.3g} ({estimate['low']:.3g}-{estimate['high']:.3g})"


def stage_seconds(result):
    """{name: {stage: mean CPU seconds}} of gpuvc's engines with one thread on the CPU."""
    names = [row["name"] for row in result["speeds"] if row["threads"] == 1 and row["device"] == "cpu" and row["name"] in result["stages"]]
    found = {}
    for name in names:
        runs = result["stages"][name]
        found[name] = {stage: sum(run[stage]["cpu"] for run in runs) / len(runs) for stage in runs[0]}
    return found


def _stages(result):
    mb = result["data"]["bases"] / 1e6
    table = _table("Stages of one thread", "", "stage", "CPU s", "Mb per CPU s")
    for name, stages in stage_seconds(result).items():
        for stage, seconds in stages.items():
            table.add_row(name, stage, f"{seconds:.3f}", f"{mb / seconds:.3g}" if seconds > 0 else _NO_SPREAD)
            name = ""
    return table


def _accuracy(rows):
    table = _table(
        "Against the known truth (allele and genotype must agree)", "", "", "true", "false", "missed", "precision", "recall", "F1"
    )
    for row in rows:
        counts = [f"{row[name]:,}" for name in ("tp", "fp", "fn")]
        shares = [_NO_SPREAD if row[name] is None else f"{row[name]:.4f}" for name in ("precision", "recall", "f1")]
        table.add_row(row["name"], row["kind"], *counts, *shares)
    return table


def picture(result):
    """PNG: speeds, ratios with their spread, stages; or the kernels' shares."""
    if "kernels" in result:
        from gpuvc.bench.show_kernels import kernels_picture

        return kernels_picture(result["kernels"])
    stages = stage_seconds(result)
    n_rows = max(len(result["speeds"]), len(result["ratios"]))
    with figure(13, 1.4 + 0.27 * n_rows, columns=3, width_ratios=(1, 1.25, 0.9)) as (drawn, (speeds, ratios, parts)):
        _draw_speeds(speeds, result["speeds"])
        _draw_ratios(ratios, result["ratios"])
        _draw_stages(parts, stages)
        return image(drawn, ".png")


def _draw_speeds(axes, rows):
    values = [row["mb_per_cpu_s_apart"]["value"] if row["mb_per_cpu_s_apart"] else 0.0 for row in rows]
    axes.barh(range(len(rows)), values, color=[CALLERS[row["caller"]] for row in rows], height=0.7)
    for i, value in enumerate(values):
        axes.annotate(f"{value:.3g}" if value else "too small", (value, i), xytext=(3, 0), textcoords="offset points", va="center")
    axes.set(title="Mb per CPU second, start-up apart", yticks=range(len(rows)), yticklabels=[row["name"] for row in rows])
    axes.margins(x=0.2)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def _draw_ratios(axes, rows):
    for i, row in enumerate(rows):
        for key, colour, shift in (("cpu_s_apart", BLUE, -0.14), ("wall_s_whole", ORANGE, 0.14)):
            if row[key]:
                value, low, high = (row[key][name] for name in ("value", "low", "high"))
                reach = [[value - low], [high - value]] if low is not None else None
                label = {"cpu_s_apart": "per CPU second, start-up apart", "wall_s_whole": "per wall second, whole command"}[key]
                axes.errorbar(value, i + shift, xerr=reach, fmt="o", ms=4, capsize=2, color=colour, label=None if i else label)
    axes.axvline(1, color="#8c959f", lw=1)
    axes.set(title="How many times as fast", xscale="log", yticks=range(len(rows)), yticklabels=[_pair(row) for row in rows])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    axes.invert_yaxis()
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=1)


def _draw_stages(axes, stages):
    names = list(dict.fromkeys(stage for of_one in stages.values() for stage in of_one))
    for i, (name, of_one) in enumerate(stages.items()):
        colour = CALLERS[name.rpartition(",")[0]]
        places = [k + 0.38 * i - 0.19 for k in range(len(names))]
        axes.barh(places, [of_one.get(stage, 0.0) for stage in names], 0.36, color=colour, label=name)
    axes.set(title="CPU seconds by stage", yticks=range(len(names)), yticklabels=names)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12))
