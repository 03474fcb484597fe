"""Speed of whole runs: megabases of reference called per CPU second, beside bcftools, freebayes and GATK in the same session.

    python -m benchmarks.bench_calling [--dataset NAME ...] [--repeats 3]

Every caller runs with one thread, in turn, `repeats` times; figures are medians of user and system seconds over all processes of a
caller. Start-up is the cost of the same command on 1 kb and is taken off. gpuvc compiles its kernels once a machine: that cost is
measured apart, with an empty cache. The wall time of gpuvc with two threads stands beside the one with one.
Writes benchmarks/results/calling.json.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

from benchmarks import datasets, measure, peers

DATASETS = ("na12878-50x-x20", "sim-hg001")


def time_callers(dataset, callers, repeats, work):
    """{caller: costs} on one data set, the callers taking turns."""
    output = work / "timed.vcf.gz"
    costs = {caller: {"startup": [], "one_thread": [], "two_threads": []} for caller in callers}
    for repeat in range(repeats + 1):
        for caller in callers:
            if repeat == 0:  # fills the caches of files, and of kernels: not every one is met in 1 kb
                measure.run(*peers.pipeline(caller, dataset, output, region=None if caller in peers.OURS else dataset.one_kb))
                continue
            startup = measure.run(*peers.pipeline(caller, dataset, output, region=dataset.one_kb))
            costs[caller]["startup"].append(startup)
            costs[caller]["one_thread"].append(measure.run(*peers.pipeline(caller, dataset, output)))
            if caller in peers.OURS:
                costs[caller]["two_threads"].append(measure.run(*peers.pipeline(caller, dataset, output, threads=2)))
    output.unlink(missing_ok=True)
    return costs


def summary(dataset, caller, costs):
    """One row of the results from the costs of one caller."""
    cpu_s = median(cost.cpu_s for cost in costs["one_thread"])
    startup_cpu_s = median(cost.cpu_s for cost in costs["startup"])
    row = {
        "dataset": dataset.name,
        "caller": caller,
        "mb": dataset.n_bases / 1e6,
        "cpu_s": round(cpu_s, 3),
        "startup_cpu_s": round(startup_cpu_s, 3),
        "mb_per_cpu_s": round(dataset.n_bases / 1e6 / (cpu_s - startup_cpu_s), 4),
        "wall_s": round(median(cost.wall_s for cost in costs["one_thread"]), 3),
        "startup_wall_s": round(median(cost.wall_s for cost in costs["startup"]), 3),
        "peak_mb": round(max(cost.peak_bytes for cost in costs["one_thread"]) / 1e6),
        "cpu_s_of_each_run": [round(cost.cpu_s, 3) for cost in costs["one_thread"]],
    }
    if costs["two_threads"]:
        row["wall_s_two_threads"] = round(median(cost.wall_s for cost in costs["two_threads"]), 3)
    return row


def compile_cpu_s(dataset, work):
    """CPU seconds that the first run on a machine spends compiling: 1 kb with an empty kernel cache, less the same with a full one."""
    output = work / "timed.vcf.gz"
    command = peers.pipeline("gpuvc", dataset, output, region=dataset.one_kb)
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = (measure.run(*command, environment={"NUMBA_CACHE_DIR": cache}).cpu_s for _ in range(2))
    output.unlink(missing_ok=True)
    return round(cold - warm, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", action="append", help=f"default: {', '.join(DATASETS)}")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=measure.RESULTS / "calling.json")
    datasets.add_arguments(parser)
    options = parser.parse_args()
    versions = peers.versions(*peers.PEERS)
    results, left_out = [], []
    for dataset in datasets.each_available(options.dataset or DATASETS, options, left_out):
        costs = time_callers(dataset, (*peers.OURS, *versions), options.repeats, options.work)
        rows = [summary(dataset, caller, of_caller) for caller, of_caller in costs.items()]
        for row in rows:
            row["times_bcftools"] = _times(row, rows, "bcftools")
            row["times_gatk"] = _times(row, rows, "gatk")
            speed = f"{row['mb_per_cpu_s']:8.3f} Mb per CPU second, start-up {row['startup_cpu_s']:.2f} s"
            print(f"{dataset.name:16} {row['caller']:14} {speed}")
        results += rows
    compiling = compile_cpu_s(datasets.load("na12878-50x", options.data, options.work), options.work)
    print(f"compiling, once a machine: {compiling} CPU seconds")
    found = {"repeats": options.repeats, "left_out": left_out, "compile_cpu_s": compiling, "results": results}
    measure.write(options.out, measure.circumstances(versions) | found)


def _times(row, rows, peer):
    """How many times the speed of `peer` on the same data set, None where that peer is missing."""
    speeds = [other["mb_per_cpu_s"] for other in rows if other["caller"] == peer]
    return round(row["mb_per_cpu_s"] / speeds[0], 2) if speeds else None


if __name__ == "__main__":
    main()
