"""Each kernel and each stage alone, on what calling the data set gives it, beside what the machine can do at best.

The data are called once; the arguments of the largest call of each operation are kept, and run again. Compilation and a first run are
not timed. On the CPU: seconds of the one thread that runs the kernel. On a device: wall seconds until it is done, of the kernel alone
(arrays already there) and of the operation with its copies.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from gpuvc import caller
from gpuvc.api import call_shard, plan_shards
from gpuvc.backends import cuda_problem, is_simulated
from gpuvc.backends.cpu import CpuBackend
from gpuvc.bench.ceilings import cpu_ceilings, cuda_ceilings
from gpuvc.bench.spread import estimates
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
    "pair_hmm": "cells",
}
"""Operations of a backend, and what each is counted in: aligned bases; reads; pairs of a read and a locus; of a segment and a haplotype; of
a genotype and a read; cells of the PairHMM, read bases times haplotype bases of every pair, whether or not a prefix spares them."""
LEAST_S, MOST_RUNS = 0.05, 20
FLOP_A_CELL = 10  # five fused multiply-adds; see kernels/cpu/pairhmm.py


def n_items(operation, arguments):
    """How much work a call is, in the unit of OPERATIONS."""
    if operation == "pile_up":
        use, base_offsets = arguments[0], arguments[8]
        return int((base_offsets[use + 1] - base_offsets[use]).sum())
    if operation == "score_segments":
        return int(np.diff(arguments[10])[arguments[0]].sum())
    if operation == "genotype_likelihoods":
        return int(np.diff(arguments[2])[arguments[0]].sum())
    if operation == "pair_hmm":
        read_bp, haplotype_bp = (arguments[k + 1][arguments[k]] for k in (0, 6))
        return int((np.diff(read_bp) * np.diff(haplotype_bp)).sum())
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


class _KeepingStages:
    """What the haplotype engine shows of its stages (`see`), copied: that of the shard with the most regions."""

    def __init__(self):
        self.kept: dict[str, Any] = {}
        self._now: dict[str, Any] = {}

    def see(self, stage, **columns):
        self._now[stage] = copy.deepcopy(columns)
        if stage == "likelihoods" and self._now["assembly"]["regions"].n_regions > self._n_kept():
            self.kept = dict(self._now)

    def _n_kept(self):
        return self.kept["assembly"]["regions"].n_regions if self.kept else 0


def arguments_of(data, engines=("pileup", "haplotype"), intervals=(), see=None):
    """Of the largest call of each operation while the data set is called with these engines."""
    backend, genome = KeepingBackend(), open_reference(str(data.reference))
    with open_alignments([str(data.reads)], reference=str(data.reference)) as source:
        targets = resolve_intervals(intervals, (), contigs=source.contigs)
        for engine in engines:
            for shard in plan_shards(targets, source):
                more = {"see": see} if engine == "haplotype" and see else {}
                call_shard(shard, source, genome, Settings(engine=engine), backend, Clock(), **more)
    return backend.kept


@dataclass(frozen=True)
class Work:
    """Something to time.

    prepare : () → arguments
        New ones for every run, since stages change what they are given.
    n_bytes, n_flop : float or None
        What it reads and writes at least, or computes; for its share of the ceiling.
    """

    name: str
    unit: str
    items: int
    run: Callable
    prepare: Callable
    n_bytes: float | None = None
    n_flop: float | None = None


def measure_kernels(data, repeats, say=lambda text: None):
    """{"ceilings", "rows"}: plain values; `say` gets a line now and then."""
    stages = _KeepingStages()
    say("calling the data once, to see what each kernel is given")
    kept = arguments_of(data, see=stages.see)
    say("measuring what this machine can do at best")
    problem = "it is simulated" if is_simulated() else cuda_problem()
    ceilings = {"cpu": cpu_ceilings(repeats), "cuda": None if problem else cuda_ceilings(repeats)}
    say(f"timing each kernel {repeats} times")
    rows = [_row(work, repeats, ceilings["cpu"]) for work in (_decoding(data), *_stages(stages.kept), *_operations(kept))]
    for row, rate in zip(rows, estimates([[row["items"] / s for s in row["seconds"]] for row in rows]), strict=True):
        row["per_cpu_s"] = rate._asdict()
    if problem is None:
        for row in rows:
            if row["kernel"] in kept:
                row |= time_on_cuda(row["kernel"], kept[row["kernel"]], repeats)
                if row["kernel"] == "pair_hmm":
                    flop = FLOP_A_CELL * row["items"]
                    row["cuda_share"] = flop / row["cuda_with_copies_s"] / 1e9 / ceilings["cuda"]["fma_gflop_s"]
    return {"ceilings": ceilings, "rows": rows}


def _row(work, repeats, ceilings):
    seconds = timed(work.run, repeats, time.thread_time, work.prepare)
    typical = median(seconds)
    share, of = None, None
    if work.n_flop:
        share, of = work.n_flop / typical / 1e9 / ceilings["fma_gflop_s"], "fma"
    elif work.n_bytes:
        share, of = work.n_bytes / typical / 1e9 / ceilings["copy_gb_s"], "copy"
    return {
        "kernel": work.name, "unit": work.unit, "items": work.items, "cpu_s": typical, "seconds": seconds, "share": share, "of": of,
    }  # fmt: skip


def timed(function, repeats, clock, prepare=tuple):
    """Seconds of a run in each repeat, after a first run that compiles; a repeat is as many runs as take LEAST_S, at most MOST_RUNS."""
    function(*prepare())
    arguments, before = prepare(), clock()
    function(*arguments)
    n = max(1, min(MOST_RUNS, math.ceil(LEAST_S / max(clock() - before, 1e-9))))
    times = []
    for _ in range(repeats):
        runs = [prepare() for _ in range(n)]
        before = clock()
        for arguments in runs:
            function(*arguments)
        times.append((clock() - before) / n)
    return times


def _decoding(data):
    """BAM to columns, inflating included."""

    def decode(source):
        return sum(batch.n_reads for batch in source.batches())

    def opened():
        return (open_alignments([str(data.reads)]),)

    (source,) = opened()
    with source:
        sizes = [(batch.n_reads, batch.nbytes) for batch in source.batches()]
    n_bytes = sum(size for _, size in sizes) + data.reads.stat().st_size
    return Work("decode", "reads", sum(n for n, _ in sizes), decode, opened, n_bytes=n_bytes)


def _stages(kept):
    """Stages of the haplotype engine, on the shard with the most regions."""
    settings = Settings(engine="haplotype")
    seen, built, scored = kept["activity"], kept["assembly"], kept["likelihoods"]
    codes, codes_start, start, n_loci = seen["codes"], seen["codes_start"], seen["start"], seen["raw"].shape[-1]
    batch, n_regions, n_rows = built["regions"], built["regions"].n_regions, scored["reads"].n_rows

    def work(name, unit, items, function, *arguments):
        return Work(name, unit, items, function, lambda: copy.deepcopy(arguments))

    ploidy = np.full(n_loci, settings.sample_ploidy)
    yield work(
        "activity", "positions", n_loci, caller.activity_profile, seen["reads"], seen["use"], seen["sample"], 1, start, start + n_loci,
        codes, codes_start, codes_start + len(codes), ploidy, settings, (),
    )  # fmt: skip
    yield work("assembly", "regions", n_regions, caller.assemble, batch, built["reads"], codes, codes_start, settings, 1)
    yield work(
        "haplotype alignment", "haplotypes", built["raw"].n_haplotypes, caller.align_haplotypes, batch, built["raw"], codes, codes_start,
        settings,
    )  # fmt: skip
    yield work(
        "likelihoods", "regions", n_regions, caller.score_haplotypes, scored["reads"], scored["haplotypes"], seen["reads"],
        ~scored["is_side"], settings, CpuBackend(), None,
    )  # fmt: skip
    yield work("realignment", "reads", n_rows, caller.realign_reads, scored["reads"], scored["haplotypes"], scored["likelihoods"])
    realigned = caller.realign_reads(scored["reads"], scored["haplotypes"], scored["likelihoods"])
    yield work(
        "genotyping", "regions", n_regions, caller.genotype_regions, batch, scored["haplotypes"], scored["reads"], scored["likelihoods"],
        realigned, scored["is_side"], seen["reads"], codes, codes_start, 1, settings, CpuBackend(), None, [], None, None,
    )  # fmt: skip


def _operations(kept):
    """The operations of the backend, which have CUDA twins."""
    for operation, arguments in kept.items():
        items = n_items(operation, arguments)
        n_bytes = n_flop = None
        if operation == "pile_up":  # bases and qualities once, counts read and written
            n_bytes = 2 * items + 2 * arguments[-1].nbytes
        elif operation == "pair_hmm":
            n_flop = FLOP_A_CELL * items
        yield Work(
            operation, OPERATIONS[operation], items, getattr(CpuBackend, operation), partial(tuple, arguments), n_bytes, n_flop
        )  # fmt: skip


def time_on_cuda(operation, arguments, repeats):
    """{"cuda_kernel_s" (not of pair_hmm, which is several launches), "cuda_with_copies_s", "cuda_seconds"}: medians, and each run."""
    from numba import cuda

    from gpuvc.backends.cuda import CudaBackend
    from gpuvc.kernels.cuda import align, genotypes, observe, pileup

    found: dict[str, Any] = {}
    if operation != "pair_hmm":
        launches = (pileup.pile_up, pileup.collect_indels, observe.observe, align.score_segments, genotypes.genotype_likelihoods)
        launch = next(function for function in launches if function.__name__ == operation)
        on_device = [cuda.to_device(value) if isinstance(value, np.ndarray) else value for value in arguments]

        def kernel():
            launch(*on_device)
            cuda.synchronize()

        found["cuda_kernel_s"] = median(timed(kernel, repeats, time.perf_counter))
    whole = timed(partial(getattr(CudaBackend(), operation), *arguments), repeats, time.perf_counter)
    return found | {"cuda_with_copies_s": median(whole), "cuda_seconds": whole}
