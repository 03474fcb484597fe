"""Precision, recall and F1 of gpuvc and its peers against the truth, by rtg vcfeval.

    RTG_JAR=rtg-tools/build/rtg-tools.jar python -m benchmarks.accuracy [--dataset NAME ...]

Genotypes must match. SNPs are records whose alleles are all one base long; every other record is "other". tp and fn are counted in the
truth, fp in the calls. gpuvc is judged by its PASS records, and by all of them beside it; the others (freebayes: QUAL > 1) set no filters.
Writes benchmarks/results/accuracy.json.
"""

import argparse
import gzip
import shutil
import subprocess
from pathlib import Path

import pysam

from benchmarks import datasets, measure, peers

HELD_OUT = ("sim-hg001-20x-seed91", "hard-hg001-30x-seed77")  # no parameter was chosen with these in view
DATASETS = ("na12878-50x", "na12878-7x", "sim-hg001", "sim-hg001-12x-seed57", "hard-hg001", *HELD_OUT)


def judge(rtg, dataset, calls, work, all_records):
    """{"snp": counts, "other": counts} with tp, fp, fn, precision, recall, f1 of a bgzipped, indexed VCF."""
    template = work / f"{dataset.reference.name}.sdf"
    if not template.exists():
        _quietly([*rtg, "format", "-o", template, dataset.reference])
    judged = work / "vcfeval"
    shutil.rmtree(judged, ignore_errors=True)
    command = [*rtg, "vcfeval", "-T", "1", "-b", dataset.truth, "-c", calls, "-t", template, "-o", judged]
    command += ["--all-records"] if all_records else []
    command += ["--evaluation-regions", dataset.confident] if dataset.confident else []
    _quietly(command)
    tp, fp, fn = (count_by_class(judged / name) for name in ("tp-baseline.vcf.gz", "fp.vcf.gz", "fn.vcf.gz"))
    return {kind: scores(tp[kind], fp[kind], fn[kind]) for kind in ("snp", "other")}


def scores(tp, fp, fn):
    """Counts with precision, recall and F1; a ratio without a denominator is 0."""
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"tp": tp, "fp": fp, "fn": fn, "precision": round(precision, 6), "recall": round(recall, 6), "f1": round(f1, 6)}


def count_by_class(path):
    counts = {"snp": 0, "other": 0}
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if not line.startswith("#"):
                _, _, _, ref, alts, *_ = line.split("\t", 5)
                is_snp = len(ref) == 1 and all(len(alt) == 1 for alt in alts.split(","))
                counts["snp" if is_snp else "other"] += 1
    return counts


def _quietly(command):
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"{command[0]} failed: {ran.stderr.strip()[-500:]}")


def call(caller, dataset, work):
    """Run `caller`; its calls as a bgzipped, indexed VCF."""
    calls = work / f"{dataset.name}.{caller.replace(', ', '-')}.vcf.gz"
    if caller == "freebayes":
        text = work / f"{dataset.name}.{caller}.vcf"
        measure.run(*peers.pipeline(caller, dataset, text))
        with open(text) as lines, pysam.BGZFile(str(calls), "wb") as kept:
            for line in lines:
                if line.startswith("#") or float(line.split("\t", 6)[5]) > peers.FREEBAYES_MIN_QUAL:
                    kept.write(line.encode())
        text.unlink()
    else:
        measure.run(*peers.pipeline(caller, dataset, calls, threads=2))
    pysam.tabix_index(str(calls), preset="vcf", force=True)
    return calls


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", action="append", help=f"default: {', '.join(DATASETS)}")
    parser.add_argument("--out", type=Path, default=measure.RESULTS / "accuracy.json")
    datasets.add_arguments(parser)
    options = parser.parse_args()
    rtg = peers.rtg_command()
    versions = peers.versions(*peers.PEERS)
    results, left_out = [], []
    for dataset in datasets.each_available(options.dataset or DATASETS, options, left_out):
        for caller in (*peers.OURS, *versions):
            calls = call(caller, dataset, options.work)
            for records in ("pass", "all") if caller in peers.OURS else ("all",):
                judged = judge(rtg, dataset, calls, options.work, all_records=records == "all")
                results.append({"dataset": dataset.name, "caller": caller, "records": records, **judged})
                shown = (f"{kind} {s['tp']}/{s['fp']}/{s['fn']} F1 {s['f1']:.4f}" for kind, s in judged.items())
                print(f"{dataset.name:14} {caller:10} {records:5}", *shown)
    versions["rtg-tools"] = peers.rtg_version(rtg)
    measure.write(options.out, measure.circumstances(versions) | {"left_out": sorted(left_out), "results": results})


if __name__ == "__main__":
    main()
