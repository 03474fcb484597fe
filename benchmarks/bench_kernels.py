"""Speed of each kernel on what calling real reads gives it, CPU beside CUDA where there is a device.

    python -m benchmarks.bench_kernels [--dataset NAME] [--repeats 5]

The data set is called once; the arguments of the largest call of each operation are kept, and run again. Compilation and a first run
are not timed. On the CPU: seconds of the one thread that runs the kernel. On a device: wall seconds until it is done, of the kernel
alone (arrays already there) and of the operation with its copies. Medians.
Writes benchmarks/results/kernels.json and the table of docs/gpu.md.

What is counted: pile_up: aligned bases; collect_indels: reads; observe: pairs of a read and a locus; score_segments: pairs of a segment and
a haplotype; genotype_likelihoods: pairs of a genotype and a read.
"""

import argparse
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import datasets, measure
from gpuvc.api import call_shard, plan_shards
from gpuvc.backends import choose_backend, cuda_problem, is_simulated
from gpuvc.backends.cpu import CpuBackend
from gpuvc.io.alignments import open_alignments
from gpuvc.io.bed import resolve_intervals
from gpuvc.io.fasta import open_reference
from gpuvc.settings import Settings
from gpuvc.timing import Clock

OPERATIONS = {
    "pile_up": "bases",
    "collect_indels": "reads",
    "observe": "pairs",
    "score_segments": "pairs",
    "genotype_likelihoods": "pairs",
}


def n_items(operation, arguments):
    """How much work a call is, in the unit of OPERATIONS."""
    if operation == "pile_up":
        use, base_offsets = arguments[0], arguments[8]
        return int((base_offsets[use + 1] - base_offsets[use]).sum())
    if operation == "score_segments":
        return int(np.diff(arguments[10])[arguments[0]].sum())
    if operation == "genotype_likelihoods":
        return int(np.diff(arguments[2])[arguments[0]].sum())
    return len(arguments[0])


class KeepingBackend(CpuBackend):
    """The CPU, keeping a copy of the arguments of the largest call of each operation."""

    def __init__(self):
        self.kept = {}
        for operation in OPERATIONS:
            setattr(self, operation, partial(self._keep_and_run, operation))

    def _keep_and_run(self, operation, *arguments):
        if operation not in self.kept or n_items(operation, arguments) > n_items(operation, self.kept[operation]):
            self.kept[operation] = tuple(value.copy() if isinstance(value, np.ndarray) else value for value in arguments)
        getattr(CpuBackend, operation)(*arguments)


def arguments_of(dataset, intervals=()):
    """Of the largest call of each operation while the data set is called."""
    backend, genome = KeepingBackend(), open_reference(str(dataset.reference))
    with open_alignments([str(dataset.reads)], reference=str(dataset.reference)) as source:
        targets = resolve_intervals(intervals, (), contigs=source.contigs)
        for shard in plan_shards(targets, source):
            call_shard(shard, source, genome, Settings(engine="pileup"), backend, Clock())
    return backend.kept


def seconds_of(function, repeats, clock):
    """Median over the repeats, after a first run that compiles."""
    function()
    times = []
    for _ in range(repeats):
        before = clock()
        function()
        times.append(clock() - before)
    return median(times)


def time_on_cuda(operation, arguments, repeats):
    """Seconds of the kernel alone, and of the operation with its copies."""
    from numba import cuda

    from gpuvc.backends.cuda import CudaBackend
    from gpuvc.kernels.cuda import align, genotypes, observe, pileup

    launches = (pileup.pile_up, pileup.collect_indels, observe.observe, align.score_segments, genotypes.genotype_likelihoods)
    launch = next(function for function in launches if function.__name__ == operation)
    on_device = [cuda.to_device(value) if isinstance(value, np.ndarray) else value for value in arguments]

    def kernel():
        launch(*on_device)
        cuda.synchronize()

    whole = partial(getattr(CudaBackend(), operation), *arguments)
    return seconds_of(kernel, repeats, time.perf_counter), seconds_of(whole, repeats, time.perf_counter)


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
    for operation, arguments in arguments_of(dataset).items():
        n, unit = n_items(operation, arguments), OPERATIONS[operation]
        cpu_s = seconds_of(partial(getattr(CpuBackend, operation), *arguments), options.repeats, time.thread_time)
        row = {"kernel": operation, "unit": unit, "items": n, "cpu_s": cpu_s, "per_cpu_s": round(n / cpu_s)}
        shown = f"{operation:20} {n:>12,} {unit:6} CPU {n / cpu_s / 1e6:10.1f} M/s"
        if problem is None:
            kernel_s, whole_s = time_on_cuda(operation, arguments, options.repeats)
            row |= {"cuda_kernel_s": kernel_s, "cuda_with_copies_s": whole_s}
            shown += f"   CUDA {n / kernel_s / 1e6:10.1f} M/s, with copies {n / whole_s / 1e6:10.1f} M/s"
        print(shown)
        rows.append(row)
    device = f"not measured: {problem}" if problem else choose_backend("cuda")[0].device
    measure.write(options.out, measure.circumstances({}) | {"dataset": dataset.name, "cuda": device, "results": rows})


if __name__ == "__main__":
    main()
