"""Peak memory of `gpuvc call` on a large file, and on one twice as large: it must not grow with the file.

    python -m benchmarks.memory [--dataset NAME ...] [--threads 2]

Resident memory at its peak, as the kernel counts it for the process. Writes benchmarks/results/memory.json.
"""

import argparse
from pathlib import Path

from benchmarks import datasets, measure, peers

DATASETS = ("na12878-50x-x140", "na12878-50x-x280")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", action="append", help=f"default: {', '.join(DATASETS)}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=measure.RESULTS / "memory.json")
    datasets.add_arguments(parser)
    options = parser.parse_args()
    results = []
    for name in options.dataset or DATASETS:
        dataset = datasets.load(name, options.data, options.work)
        output = options.work / "measured.vcf.gz"
        measure.run(*peers.pipeline("gpuvc", dataset, output, region=dataset.one_kb))  # compiles, if this machine has not yet
        cost = measure.run(*peers.pipeline("gpuvc", dataset, output, threads=options.threads))
        output.unlink()
        row = {
            "dataset": name,
            "threads": options.threads,
            "bam_mb": round(dataset.reads.stat().st_size / 1e6),
            "mb": dataset.n_bases / 1e6,
            "peak_mb": round(cost.peak_bytes / 1e6),
            "wall_s": round(cost.wall_s, 2),
            "cpu_s": round(cost.cpu_s, 2),
        }
        results.append(row)
        print(f"{name:18} BAM {row['bam_mb']} MB: peak {row['peak_mb']} MB, {row['wall_s']} s with {options.threads} threads")
    measure.write(options.out, measure.circumstances({}) | {"results": results})


if __name__ == "__main__":
    main()
