"""Make evaluation/ again: call sets, stripped to what matching needs, and what `rtg vcfeval` counts in them.

    RTG_JAR=rtg-tools/build/rtg-tools.jar GPUVC_GATK=gatk/gatk python -m tests.golden.make_evaluation [--dataset NAME ...]

Needs the callers, RTG Tools and the larger data sets, as benchmarks/accuracy.py does. Call sets that lie in --work are not made again.
"""

import argparse
import gzip
import json
import shutil
import subprocess
from dataclasses import replace

import pysam

from benchmarks import accuracy, datasets, peers
from tests.conftest import REPOSITORY

GOLDEN = REPOSITORY / "tests" / "golden" / "evaluation"
CALLERS = ("gpuvc", *peers.PEERS)
DATASETS = (
    "na12878-50x", "na12878-7x", "sim-hg001", "hard-hg001", "sim-hg001-12x-seed57", "exome", "chr22-tiny", "trio-child",
)  # fmt: skip
MODES = {"pass": [], "all": ["--all-records"], "squash": ["--all-records", "--squash-ploidy"]}


def load(name, options):
    """The data set called `name`: one of benchmarks/datasets.py, or one of the three that only serve here."""
    data = options.data
    if name == "exome":
        folder = data / "exome-chr20-6M"
        reference = folder / "GRCh38.chr20.5969355-6169354.fa"
        truth = folder / "HG001.v3.3.2.lifted.truth.vcf.gz"
        return datasets.Dataset(name, reference, folder / "NA12878.exome.bam", 200_000, "", truth, folder / "eval.bed")
    if name == "chr22-tiny":
        folder = data / "chr22-tiny"
        truth = folder / "NA12878.giab.truth.vcf.gz"
        return datasets.Dataset(name, folder / "q.fa", folder / "NA12878.chr22.tiny.bam", 12_356, "", truth)
    if name == "trio-child":
        like = datasets.load("na12878-50x", data, options.work)
        folder = data / "chr20-10M"
        bed = folder / "HG001.quickstart.confident.10kb.bed"
        return replace(like, name=name, reads=folder / "trio.NA12878.bam", confident=bed)
    return datasets.load(name, data, options.work)


def strip(source, target, sample=0):
    """Write CHROM to FILTER and GT of one sample, bgzipped and indexed; the header lines that matter stay."""
    with gzip.open(source, "rt") as lines, pysam.BGZFile(str(target), "wb") as kept:
        for line in lines:
            if line.startswith("##"):
                if line.startswith(("##fileformat", "##contig", "##FILTER", "##ALT", "##FORMAT=<ID=GT,")):
                    kept.write(line.encode())
                continue
            fields = line.rstrip("\n").split("\t")
            if line.startswith("#"):
                fields = [*fields[:9], fields[9 + sample]]
            else:
                gt = fields[9 + sample].split(":")[fields[8].split(":").index("GT")]
                fields = [*fields[:2], ".", *fields[3:7], ".", "GT", gt]
            kept.write(("\t".join(fields) + "\n").encode())
    pysam.tabix_index(str(target), preset="vcf", force=True, keep_original=True)


def judge(rtg, reference, truth, bed, calls, work, mode):
    """Counts of vcfeval by class, as accuracy.judge has them, with the true positives of the call side."""
    template = work / f"{reference.name}.sdf"
    if not template.exists():
        subprocess.run([*map(str, [*rtg, "format", "-o", template, reference])], check=True, capture_output=True)
    judged = work / "vcfeval"
    shutil.rmtree(judged, ignore_errors=True)
    command = [*rtg, "vcfeval", "-T", "1", "-b", truth, "-c", calls, "-t", template, "-o", judged, *MODES[mode]]
    command += ["--evaluation-regions", bed] if bed else []
    subprocess.run([*map(str, command)], check=True, capture_output=True)
    files = {"tp": "tp-baseline", "fp": "fp", "fn": "fn", "tp_calls": "tp"}
    counts = {count: accuracy.count_by_class(judged / f"{name}.vcf.gz") for count, name in files.items()}
    return {kind: {count: counts[count][kind] for count in files} for kind in ("snp", "other")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", action="append", help=f"default: {', '.join(DATASETS)}")
    datasets.add_arguments(parser)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    GOLDEN.mkdir(exist_ok=True)
    rtg = peers.rtg_command()
    stored = GOLDEN / "vcfeval.json"
    results = json.loads(stored.read_text()) if stored.exists() else {}
    for name in options.dataset or DATASETS:
        dataset = load(name, options)
        truth = GOLDEN / f"{name}.truth.vcf.gz"
        strip(dataset.truth, truth)
        if dataset.confident:
            shutil.copyfile(dataset.confident, GOLDEN / f"{name}.bed")
        results[name] = {"reference": dataset.reference.name}
        for caller in CALLERS:
            called = options.work / f"{name}.{caller}.vcf.gz"
            if not called.exists():
                accuracy.call(caller, dataset, options.work)
            calls = GOLDEN / f"{name}.{caller}.vcf.gz"
            strip(called, calls)
            given = rtg, dataset.reference, truth, dataset.confident, calls, options.work
            results[name][caller] = {mode: judge(*given, mode) for mode in MODES}
            print(name, caller, results[name][caller], flush=True)
        stored.write_text(json.dumps(results, indent=1) + "\n")
    for index in GOLDEN.glob("*.tbi"):
        index.unlink()


if __name__ == "__main__":
    main()
