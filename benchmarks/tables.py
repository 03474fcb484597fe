"""The figures of docs/ from benchmarks/results/*.json, so that no number in them is typed by hand.

python -m benchmarks.tables            rewrites what stands between <!-- begin NAME --> and <!-- end NAME -->, draws docs/overview.svg
python -m benchmarks.tables --check    changes nothing; exit 1 when a table or the picture differs from the results
"""

import argparse
import json
import re
import sys
from xml.sax.saxutils import escape

from benchmarks.datasets import REPOSITORY
from benchmarks.measure import RESULTS
from benchmarks.peers import OURS
from gpuvc.bench import show

PAGES = ("docs/performance.md", "docs/accuracy.md", "docs/gpu.md")
PICTURE = "docs/overview.svg"
TITLES = {
    "na12878-50x": "NA12878, 50x, 100 kb",
    "na12878-7x": "NA12878, 7x, 270 kb",
    "sim-hg001": "simulated HG001, 30x, 2 Mb",
    "sim-hg001-12x-seed57": "simulated HG001, 12x, 2 Mb",
    "hard-hg001": "hard simulated HG001, 30x, 2 Mb",
    "sim-hg001-20x-seed91": "held out: simulated HG001, 20x, 2 Mb",
    "hard-hg001-30x-seed77": "held out: hard simulated HG001, 30x, 2 Mb",
    "na12878-50x-x20": "NA12878, 50x, 2 Mb",
    "na12878-50x-x140": "NA12878, 50x, 14 Mb",
    "na12878-50x-x280": "NA12878, 50x, 28 Mb",
}
COLOURS = {"gpuvc": "#1f6feb", "gpuvc, pileup": "#80b3ff", "bcftools": "#8c959f", "freebayes": "#bf8700", "gatk": "#cf222e"}


def table(heads, rows):
    """A Markdown table; every column but the first two is set to the right."""
    rules = ["---" if i < 2 else "---:" for i in range(len(heads))]
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in (heads, rules, *rows))


def accuracy_table(result, with_filtered):
    """Counts and F1 by data set and caller; with_filtered also shows gpuvc with the records that its filters mark."""
    rows = []
    for row in result["results"]:
        if row["caller"] in OURS and row["records"] == "all":
            if not with_filtered:
                continue
            caller = f"{row['caller']}, all records"
        else:
            caller = row["caller"]
        cells = [cell for kind in ("snp", "other") for cell in (_counts(row[kind]), f"{row[kind]['f1']:.4f}")]
        rows.append([TITLES[row["dataset"]], caller, *cells])
    return table(("data", "caller", "SNP tp/fp/fn", "F1", "other tp/fp/fn", "F1"), rows) + "\n\n" + provenance(result)


def _counts(scores):
    return f"{scores['tp']}/{scores['fp']}/{scores['fn']}"


def calling_table(result):
    """Speed and memory by data set and caller."""
    rows = []
    for row in result["results"]:
        times = ["" if row.get(f"times_{peer}") is None else f"{row[f'times_{peer}']:.1f}x" for peer in ("bcftools", "gatk")]
        two_threads = f"{row['wall_s_two_threads']:.2f}" if "wall_s_two_threads" in row else ""
        seconds = (f"{row['startup_cpu_s']:.2f}", f"{row['wall_s']:.2f}", two_threads)
        rows.append([TITLES[row["dataset"]], row["caller"], f"{row['mb_per_cpu_s']:.3g}", *times, *seconds, row["peak_mb"]])
    heads = ("data", "caller", "Mb per CPU s", "of bcftools", "of GATK", "start-up, CPU s", "wall s, 1 thread", "2 threads", "peak MB")
    compiling = f"The first run on a machine compiles its kernels: {result['compile_cpu_s']:.0f} CPU seconds, once."
    return table(heads, rows) + "\n\n" + compiling + " " + provenance(result)


def stages_table(result):
    """Cost of each stage of the haplotype engine by data set."""
    rows = []
    for row in result["results"]:
        by_region = [f"{row[key]:.3f}" if key in row else "" for key in ("mean_ms", "p99_ms")]
        rows.append([TITLES[row["dataset"]], row["stage"], *by_region, f"{row['cpu_s_per_mb']:.3f}"])
    regions = {TITLES[row["dataset"]]: row["regions"] for row in result["results"]}
    counts = "; ".join(f"{title}: {n:,} regions" for title, n in regions.items())
    return table(("data", "stage", "ms a region, mean", "p99", "CPU s a Mb"), rows) + f"\n\n{counts}. " + provenance(result)


def decode_table(result):
    """Decoding alone beside samtools."""
    rows = []
    for row in result["results"]:
        speeds = (f"{row['reads_per_cpu_s'] / 1e6:.2f}", f"{row['cpu_s']:.2f}", f"{row['wall_s']:.2f}")
        rows.append([row["program"], row["threads"], *speeds, row["peak_mb"]])
    heads = ("program", "threads", "M reads per CPU s", "CPU s", "wall s, best", "peak MB")
    twice = result["twice"]
    peaks = " and ".join(f"{peak} MB with {threads}" for threads, peak in twice["peak_mb_by_threads"].items())
    what = f"{result['reads']:,} reads, a BAM of {result['bam_mb']} MB; on one of {twice['bam_mb']} MB gpuvc peaks at {peaks} threads."
    return table(heads, rows) + "\n\n" + what + " " + provenance(result)


def memory_table(result):
    """Peak memory by size of the input."""
    rows = [
        [TITLES[row["dataset"]], f"{row['bam_mb']} MB", row["peak_mb"], f"{row['wall_s']:.1f}", row["threads"]] for row in result["results"]
    ]
    return table(("data", "BAM", "peak MB", "wall s", "threads"), rows) + "\n\n" + provenance(result)


def compiled_table(result):
    """Registers a thread by kernel and architecture, with a thread's local memory and what was spilled in all architectures together."""
    architectures = list(dict.fromkeys(row["architecture"] for row in result["results"]))
    rows = []
    for kernel in dict.fromkeys(row["kernel"] for row in result["results"]):
        here = [row for row in result["results"] if row["kernel"] == kernel]
        spilled = sum(row["spill_store_bytes"] + row["spill_load_bytes"] for row in here)
        rows.append([f"`{kernel}`", max(row["stack_bytes"] for row in here), *(row["registers"] for row in here), spilled])
    return table(("kernel", "local bytes", *architectures, "bytes spilled"), rows) + "\n\n" + provenance(result)


def kernels_table(result):
    """Millions of items a second by kernel."""
    rows = []
    for row in result["results"]:
        seconds = (row.get(name) for name in ("cpu_s", "cuda_kernel_s", "cuda_with_copies_s"))
        speeds = ("" if s is None else f"{row['items'] / s / 1e6:.1f}" for s in seconds)
        rows.append([f"`{row['kernel']}`", row["unit"], f"{row['items']:,}", *speeds])
    heads = ("kernel", "of", "items", "M a CPU second", "M a second, device", "with copies")
    return table(heads, rows) + f"\n\n{TITLES[result['dataset']]}; CUDA: {result['cuda']}. " + provenance(result)


def bench_text(result):
    """What `gpuvc bench` printed for a result."""
    return f"```text\n{show.as_text(result)}\n```"


def provenance(result):
    """One line: machine, versions, commit, date."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    machine = result["machine"]
    return f"<sub>{machine['cpu']}, {machine['cores']} cores; {versions}; commit {result['commit']}; {result['date']}.</sub>"


def picture(calling, accuracy):
    """SVG of two panels of bars: speed, and wrong calls."""
    speed = [(TITLES[row["dataset"]], row["caller"], row["mb_per_cpu_s"], f"{row['mb_per_cpu_s']:.2g}") for row in calling["results"]]
    wrong = []
    for row in accuracy["results"]:
        if row["caller"] not in OURS or row["records"] == "pass":
            n = sum(row[kind][error] for kind in ("snp", "other") for error in ("fp", "fn"))
            wrong.append((TITLES[row["dataset"]], row["caller"], n, str(n)))
    left, left_height = _panel("Speed: Mb per CPU second (longer is better)", speed, 0)
    right, right_height = _panel("Wrong calls: false + missed (shorter is better)", wrong, 440)
    height = max(left_height + 40 + 22 * len(COLOURS), right_height + 12)
    legend = "".join(
        f'<rect x="20" y="{left_height + 30 + 22 * i}" width="14" height="14" fill="{colour}"/>'
        f'<text x="42" y="{left_height + 42 + 22 * i}" font-size="13" fill="#1f2328">{name}</text>'
        for i, (name, colour) in enumerate(COLOURS.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 {height}" font-family="system-ui, sans-serif" font-size="12">\n'
        "<title>Speed and wrong calls of gpuvc, bcftools, freebayes and GATK</title>\n"
        f'<rect width="880" height="{height}" rx="8" fill="#ffffff"/>\n'
        f"{left}{right}{legend}\n</svg>\n"
    )


def _panel(title, bars, x):
    """Horizontal bars grouped by data set (one scale for each), and the height they take."""
    parts = [f'<text x="{x + 20}" y="28" font-weight="600" font-size="14" fill="#1f2328">{escape(title)}</text>\n']
    y = 40
    for group in dict.fromkeys(name for name, *_ in bars):
        members = [bar for bar in bars if bar[0] == group]
        longest = max(value for _, _, value, _ in members) or 1
        y += 20
        parts.append(f'<text x="{x + 20}" y="{y}" fill="#57606a">{escape(group)}</text>\n')
        y += 6
        for _, caller, value, label in members:
            width = max(1.0, 320 * value / longest)
            parts.append(f'<rect x="{x + 20}" y="{y}" width="{width:.1f}" height="13" fill="{COLOURS[caller]}"/>')
            parts.append(f'<text x="{x + 26 + width:.1f}" y="{y + 11}" fill="#1f2328">{label}</text>\n')
            y += 16
    return "".join(parts), y


def filled(text, blocks):
    """The page with every marked block replaced by the one of its name."""
    return re.sub(
        r"<!-- begin (\S+) -->\n.*?<!-- end \1 -->",
        lambda found: f"<!-- begin {found[1]} -->\n{blocks[found[1]]}\n<!-- end {found[1]} -->",
        text,
        flags=re.DOTALL,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    results = {path.stem: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}
    blocks = {
        "accuracy": accuracy_table(results["accuracy"], with_filtered=False),
        "accuracy-full": accuracy_table(results["accuracy"], with_filtered=True),
        "calling": calling_table(results["calling"]),
        "decode": decode_table(results["decode"]),
        "memory": memory_table(results["memory"]),
        "stages": stages_table(results["stages"]),
        "compiled": compiled_table(results["cuda_compile"]),
        "kernels": kernels_table(results["kernels"]),
        "bench": bench_text(results["bench"]),
        "bench-kernels": bench_text(results["bench_kernels"]),
    }
    wanted = {PICTURE: picture(results["calling"], results["accuracy"])}
    for page in PAGES:
        wanted[page] = filled((REPOSITORY / page).read_text(), blocks)
    stale = [page for page, text in wanted.items() if not (REPOSITORY / page).exists() or (REPOSITORY / page).read_text() != text]
    if options.check:
        if stale:
            sys.exit(f"{', '.join(stale)} differ from benchmarks/results. Run: python -m benchmarks.tables")
        return
    for page in stale:
        (REPOSITORY / page).write_text(wanted[page])
        print(f"wrote {page}")


if __name__ == "__main__":
    main()
