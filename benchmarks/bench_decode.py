"""Speed of decoding alone: reads per CPU second into all columns, beside `samtools view -c`, which inflates and counts.

    python -m benchmarks.bench_decode [--dataset NAME] [--repeats 3]

gpuvc with one and two threads and samtools take turns on the same BAM; medians. The kernels are compiled before the clock starts.
Writes benchmarks/results/decode.json.
"""

import argparse
import shutil
import time
from pathlib import Path
from statistics import median

from benchmarks import datasets, measure, peers
from gpuvc.io.alignments import open_alignments


def decode(path, threads):
    """Reads, CPU seconds and wall seconds of decoding the whole BAM; columns are dropped as they come."""
    cpu, wall = time.process_time(), time.perf_counter()
    with open_alignments([path]) as source:
        n_reads = sum(batch.n_reads for batch in source.batches(threads))
    return n_reads, time.process_time() - cpu, time.perf_counter() - wall


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="na12878-50x-x140")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=measure.RESULTS / "decode.json")
    datasets.add_arguments(parser)
    options = parser.parse_args()
    dataset = datasets.load(options.dataset, options.data, options.work)
    has_samtools = shutil.which("samtools") is not None
    decode(datasets.load("na12878-50x", options.data, options.work).reads, threads=2)  # compiles
    one, two, samtools = [], [], []
    for _ in range(options.repeats):
        one.append(decode(dataset.reads, threads=1))
        two.append(decode(dataset.reads, threads=2))
        if has_samtools:
            samtools.append(measure.run([["samtools", "view", "-c", dataset.reads]]))
    n_reads = one[0][0]
    rows = [
        _row("gpuvc", 1, n_reads, [cpu for _, cpu, _ in one], [wall for _, _, wall in one]),
        _row("gpuvc", 2, n_reads, [cpu for _, cpu, _ in two], [wall for _, _, wall in two]),
    ]
    if samtools:
        rows.append(_row("samtools", 1, n_reads, [cost.cpu_s for cost in samtools], [cost.wall_s for cost in samtools]))
    for row in rows:
        print(f"{row['program']:9} {row['threads']} threads: {row['reads_per_cpu_s'] / 1e6:.2f} M reads per CPU second, {row['wall_s']} s")
    found = {"dataset": dataset.name, "bam_mb": round(dataset.reads.stat().st_size / 1e6), "reads": n_reads, "results": rows}
    measure.write(options.out, measure.circumstances(peers.versions("samtools")) | found)


def _row(program, threads, n_reads, cpu_s, wall_s):
    return {
        "program": program,
        "threads": threads,
        "cpu_s": round(median(cpu_s), 3),
        "wall_s": round(median(wall_s), 3),
        "reads_per_cpu_s": round(n_reads / median(cpu_s)),
    }


if __name__ == "__main__":
    main()
