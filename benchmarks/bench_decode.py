"""Speed and memory of decoding alone: reads per CPU second into all columns, beside `samtools view -c`, which inflates and counts.

    python -m benchmarks.bench_decode [--dataset NAME] [--twice NAME] [--repeats 5]

gpuvc and samtools, each with one thread and with two, take turns on the same BAM, every time in a process of its own. CPU seconds are
medians; wall seconds are the best, because other work on the machine only ever adds to them. Start-up (imports, loading compiled kernels,
a first small file) and compilation stand apart. Peak memory is taken on the BAM and on one of twice its size.
Writes benchmarks/results/decode.json.

    python -m benchmarks.bench_decode --decode x.bam --threads 2      one measured process: JSON on standard output
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks import datasets, measure, peers


def decode(path, threads):
    """Reads, CPU seconds and wall seconds of decoding the whole BAM; columns are dropped as they come."""
    from gpuvc.io.alignments import open_alignments

    cpu, wall = time.process_time(), time.perf_counter()
    with open_alignments([path]) as source:
        n_reads = sum(batch.n_reads for batch in source.batches(threads))
    return n_reads, time.process_time() - cpu, time.perf_counter() - wall


def measure_here(path, threads):
    """Decode in this process, after a small file that starts everything up."""
    decode(datasets.BUNDLED / "NA12878.chr20.100kb.bam", threads)
    startup_cpu_s = time.process_time()
    n_reads, cpu_s, wall_s = decode(path, threads)
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"reads": n_reads, "cpu_s": cpu_s, "wall_s": wall_s, "startup_cpu_s": startup_cpu_s, "peak_bytes": peak_bytes}


def run_gpuvc(path, threads, environment=None):
    """`measure_here` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bench_decode", "--decode", path, "--threads", threads]
    with tempfile.NamedTemporaryFile() as told:
        measure.run([command], stdout=told.name, environment=environment)
        return json.loads(Path(told.name).read_text())


def run_samtools(path, threads):
    """`samtools view -c`; `-@ 2` is its setting for two cores, as its first thread mostly waits."""
    cost = measure.run([["samtools", "view", "-c", *(["-@", threads] if threads > 1 else []), path]])
    return {"cpu_s": cost.cpu_s, "wall_s": cost.wall_s, "peak_bytes": cost.peak_bytes}


def compile_cpu_s(path):
    """CPU seconds of a first run on a machine, with nothing compiled yet, over those of a second one."""
    with tempfile.TemporaryDirectory() as cache:
        first, second = (run_gpuvc(path, 1, {"NUMBA_CACHE_DIR": cache})["startup_cpu_s"] for _ in range(2))
    return first - second


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="na12878-50x-x140")
    parser.add_argument("--twice", default="na12878-50x-x280", help="the same at twice the size, for its peak memory")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=measure.RESULTS / "decode.json")
    parser.add_argument("--decode", type=Path, help="measure decoding this file in this process")
    parser.add_argument("--threads", type=int, default=1, help="with --decode")
    datasets.add_arguments(parser)
    options = parser.parse_args()
    if options.decode:
        print(json.dumps(measure_here(options.decode, options.threads)))
        return
    dataset = datasets.load(options.dataset, options.data, options.work)
    twice = datasets.load(options.twice, options.data, options.work)
    programs = {"gpuvc": run_gpuvc} | ({"samtools": run_samtools} if shutil.which("samtools") else {})
    runs = {(program, threads): [] for program in programs for threads in (1, 2)}
    compiling = compile_cpu_s(datasets.BUNDLED / "NA12878.chr20.100kb.bam")
    for _ in range(options.repeats):
        for (program, threads), costs in runs.items():
            costs.append(programs[program](dataset.reads, threads))
    n_reads = runs["gpuvc", 1][0]["reads"]
    counted = subprocess.run(["samtools", "view", "-c", dataset.reads], capture_output=True, text=True) if len(programs) > 1 else None
    if counted and int(counted.stdout) != n_reads:
        raise SystemExit(f"{n_reads} reads decoded, samtools counts {counted.stdout.strip()}")
    rows = [_row(program, threads, n_reads, costs) for (program, threads), costs in runs.items()]
    for row in rows:
        print(
            f"{row['program']:9} {row['threads']} threads: {row['reads_per_cpu_s'] / 1e6:.2f} M reads per CPU second, "
            f"{row['wall_s']:.2f} s at best, {row['peak_mb']} MB"
        )
    peaks = {str(threads): round(run_gpuvc(twice.reads, threads)["peak_bytes"] / 1e6) for threads in (1, 2)}
    result = {
        "dataset": dataset.name,
        "bam_mb": round(dataset.reads.stat().st_size / 1e6),
        "reads": n_reads,
        "results": rows,
        "wall_two_threads_times": round(_wall(rows, "gpuvc", 1) / _wall(rows, "gpuvc", 2), 2),
        "startup_cpu_s": round(median(cost["startup_cpu_s"] for cost in runs["gpuvc", 1]), 2),
        "compile_cpu_s": round(compiling, 1),
        "twice": {"dataset": twice.name, "bam_mb": round(twice.reads.stat().st_size / 1e6), "peak_mb_by_threads": peaks},
    }
    print(f"gpuvc with two threads: {result['wall_two_threads_times']}x the speed of one")
    print(f"start-up {result['startup_cpu_s']} CPU seconds, compilation {result['compile_cpu_s']}; MB at peak on twice the size: {peaks}")
    measure.write(options.out, measure.circumstances(peers.versions("samtools")) | result)


def _row(program, threads, n_reads, costs):
    cpu_s = median(cost["cpu_s"] for cost in costs)
    return {
        "program": program,
        "threads": threads,
        "cpu_s": round(cpu_s, 3),
        "wall_s": round(min(cost["wall_s"] for cost in costs), 3),
        "reads_per_cpu_s": round(n_reads / cpu_s),
        "peak_mb": round(max(cost["peak_bytes"] for cost in costs) / 1e6),
    }


def _wall(rows, program, threads):
    return next(row["wall_s"] for row in rows if (row["program"], row["threads"]) == (program, threads))


if __name__ == "__main__":
    main()
