"""What each stage of the haplotype engine costs: CPU milliseconds a region, mean and 99th percentile, and CPU seconds a megabase.

    python -m benchmarks.bench_stages [--dataset NAME ...] [--repeats 3]

A region is an active region that is assembled, as the engine hands it from stage to stage; stretches without activity are none, and what
finding the regions costs is the stage `activity`, by megabase only. Means and megabases come from runs as they are, regions in batches.
The percentile comes from runs with every region a batch of its own: each call of a stage is one region's, and from it is taken what the
cheapest region of all costs, which is next to nothing but the call. One thread; least of `repeats` runs.
Writes benchmarks/results/stages.json.
"""

import argparse
import functools
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks import datasets, measure
from gpuvc import Settings, call_variants, caller

DATASETS = ("na12878-50x-x20", "sim-hg001")
# The functions of gpuvc.caller that make up each stage of a region, in the order in which it goes through them.
STEPS = {
    "reads clipped to the region": ("finalise_reads", "reclip"),
    "assembly": ("assemble", "align_haplotypes", "lost_alleles", "inject_alleles", "trim_haplotypes"),
    "likelihoods": ("score_haplotypes",),
    "genotyping": ("realign_reads", "genotype_regions"),
}
# Stages of a run that lie before the regions.
BEFORE = ("decode", "filter", "activity")


def timed_run(dataset, intervals=(), one_by_one=False):
    """({function: CPU seconds of each call}, {stage of BEFORE: CPU seconds}, regions) of one run; one_by_one: a batch a region."""
    seconds, n_regions = defaultdict(list), []

    def timed(name, function):
        @functools.wraps(function)
        def call(*args, **options):
            began = time.thread_time()
            try:
                return function(*args, **options)
            finally:
                seconds[name].append(time.thread_time() - began)

        return call

    def counted(regions, *args):
        n_regions.append(regions.n_regions)
        return finalise(regions, *args)

    finalise = caller.finalise_reads
    with ExitStack() as stack:
        for names in STEPS.values():
            for name in names:
                function = counted if name == "finalise_reads" else getattr(caller, name)
                stack.enter_context(patch.object(caller, name, timed(name, function)))
        if one_by_one:
            stack.enter_context(patch.object(caller, "ROWS_A_BATCH", 1))
        settings = Settings(engine="haplotype")
        summary = call_variants(dataset.reference, dataset.reads, settings=settings, intervals=intervals, device="cpu", threads=1)
    stages = summary.report["seconds"]["stages"]
    return seconds, {stage: stages[stage]["cpu"] for stage in BEFORE}, sum(n_regions)


def stage_rows(dataset, repeats):
    """One row of the results by stage."""
    timed_run(dataset)  # compiles, if this machine has not yet
    whole = [timed_run(dataset) for _ in range(repeats)]
    alone = [timed_run(dataset, one_by_one=True)[0] for _ in range(repeats)]
    n_regions = whole[0][2]
    mb = dataset.n_bases / 1e6
    rows = []
    for stage in BEFORE:
        cpu_s = min(before[stage] for _, before, _ in whole)
        rows.append({"dataset": dataset.name, "stage": stage, "cpu_s_per_mb": cpu_s / mb})
    for stage, names in STEPS.items():
        cpu_s = min(sum(sum(seconds[name]) for name in names) for seconds, _, _ in whole)
        by_call = [np.sum([seconds[name] for name in names], axis=0) for seconds in alone]
        ms = 1e3 * np.min(by_call, axis=0)
        rows.append(
            {
                "dataset": dataset.name,
                "stage": stage,
                "mean_ms": 1e3 * cpu_s / n_regions,
                "p99_ms": float(np.percentile(ms - ms.min(), 99)),
                "cpu_s_per_mb": cpu_s / mb,
            }
        )
    return [{"regions": n_regions, **row} for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", action="append", help=f"default: {', '.join(DATASETS)}")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=measure.RESULTS / "stages.json")
    datasets.add_arguments(parser)
    options = parser.parse_args()
    results, left_out = [], []
    for dataset in datasets.each_available(options.dataset or DATASETS, options, left_out):
        for row in stage_rows(dataset, options.repeats):
            by_region = f"{row['mean_ms']:8.3f} ms a region, p99 {row['p99_ms']:8.3f}" if "mean_ms" in row else " " * 34
            print(f"{dataset.name:16} {row['stage']:28} {by_region} {row['cpu_s_per_mb']:8.3f} CPU s/Mb", flush=True)
            results.append({key: round(value, 5) if isinstance(value, float) else value for key, value in row.items()})
    measure.write(options.out, measure.circumstances({}) | {"repeats": options.repeats, "left_out": left_out, "results": results})


if __name__ == "__main__":
    main()
