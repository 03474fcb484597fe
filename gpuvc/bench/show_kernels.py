"""What `gpuvc bench --kernels` prints, and its picture."""

from gpuvc.output.figures import BLUE, GREY, figure, image


def print_kernels(kernels, console):
    """Tables on a rich console."""
    from rich.table import Table

    on_device = kernels["ceilings"]["cuda"] is not None
    table = Table(title="Each kernel and stage alone", title_justify="left")
    heads = ["", "in a CPU second", "(another run)", "share of the ceiling", "timed on"]
    for head in [*heads, *(["GPU, a second", "with copies"] if on_device else [])]:
        table.add_column(head, justify="left" if head in ("", "(another run)") else "right", no_wrap=True)
    for row in kernels["rows"]:
        table.add_row(*_cells(row), *(_device_cells(row) if on_device else ()))
    console.print(table)
    for name, ceiling in kernels["ceilings"].items():
        if ceiling:
            who = "one core" if name == "cpu" else "the GPU"
            console.print(
                f"Ceilings of {who}: copying {ceiling['copy_gb_s']:.1f} GB/s read and written, fused multiply-adds "
                f"{ceiling['fma_gflop_s']:.1f} GFLOP/s in float32.", soft_wrap=True,
            )  # fmt: skip


def _cells(row):
    rate = row["per_cpu_s"]
    spread = f"({_scaled(rate['low'])}-{_scaled(rate['high'])})" if rate["low"] is not None else ""
    return row["kernel"], _merit(row, rate["value"]), spread, _share(row), f"{row['items']:,} {row['unit']}"


def _merit(row, rate):
    """ "1.53 M reads", "5.64 GCUPS": giga cell updates per second."""
    return f"{rate / 1e9:.3g} GCUPS" if row["unit"] == "cells" else f"{_scaled(rate)} {row['unit']}"


def _share(row):
    return f"{100 * row['share']:.0f} % of {'FMA' if row['of'] == 'fma' else 'copying'}" if row["share"] else ""


def _scaled(value):
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _device_cells(row):
    return [_merit(row, row["items"] / row[name]) if name in row else "" for name in ("cuda_kernel_s", "cuda_with_copies_s")]


def kernels_picture(kernels):
    """PNG: what a CPU second does, in each kernel's own unit."""
    rows = kernels["rows"]
    with figure(7.5, 0.8 + 0.3 * len(rows)) as (drawn, axes):
        values = [row["per_cpu_s"]["value"] for row in rows]
        axes.barh(range(len(rows)), values, color=[BLUE if row["share"] else GREY for row in rows], height=0.7)
        for i, row in enumerate(rows):
            text = ", ".join(filter(None, [_merit(row, values[i]), _share(row)]))
            axes.annotate(text, (values[i], i), xytext=(3, 0), textcoords="offset points", va="center")
        axes.set(title="A CPU second of each kernel", xscale="log", yticks=range(len(rows)), yticklabels=[row["kernel"] for row in rows])
        axes.margins(x=0.5)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        return image(drawn, ".png")
