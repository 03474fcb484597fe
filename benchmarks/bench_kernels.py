"""Speed of each kernel on what calling real reads gives it, CPU beside CUDA where there is a device.

    python -m benchmarks.bench_kernels [--dataset NAME] [--repeats 5]

`gpuvc.bench.kernels` says how they are timed; figures are medians.
Writes benchmarks/results/kernels.json and the table of docs/gpu.md.

What is counted: pile_up: aligned bases; collect_indels: reads; observe: pairs of a read and a locus; score_segments: pairs of a segment and
a haplotype; genotype_likelihoods: pairs of a genotype and a read.
"""

import argparse
import time
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import datasets, measure
from gpuvc.backends import choose_backend, cuda_problem, is_simulated
from gpuvc.backends.cpu import CpuBackend
from gpuvc.bench.kernels import OPERATIONS, arguments_of, n_items, time_on_cuda, timed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="sim-hg001")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=measure.RESULTS / "kernels.json")
    datasets.add_arguments(parser)
    options = parser.parse_args()
    dataset = datasets.load(options.dataset, options.data, options.work)
    problem = "it is simulated" if is_simulated() else cuda_problem()
    rows = []
    for operation, arguments in arguments_of(dataset, engines=("pileup",)).items():
        n, unit = n_items(operation, arguments), OPERATIONS[operation]
        cpu_s = median(timed(partial(getattr(CpuBackend, operation), *arguments), options.repeats, time.thread_time))
        row = {"kernel": operation, "unit": unit, "items": n, "cpu_s": cpu_s, "per_cpu_s": round(n / cpu_s)}
        shown = f"{operation:20} {n:>12,} {unit:6} CPU {n / cpu_s / 1e6:10.1f} M/s"
        if problem is None:
            on_device = time_on_cuda(operation, arguments, options.repeats)
            kernel_s, whole_s = on_device["cuda_kernel_s"], on_device["cuda_with_copies_s"]
            row |= {"cuda_kernel_s": kernel_s, "cuda_with_copies_s": whole_s}
            shown += f"   CUDA {n / kernel_s / 1e6:10.1f} M/s, with copies {n / whole_s / 1e6:10.1f} M/s"
        print(shown)
        rows.append(row)
    device = f"not measured: {problem}" if problem else choose_backend("cuda")[0].device
    measure.write(options.out, measure.circumstances({}) | {"dataset": dataset.name, "cuda": device, "results": rows})


if __name__ == "__main__":
    main()
