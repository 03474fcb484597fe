"""Speed of the PairHMM on the CPU: useful cells (read bases x haplotype bases) per CPU second on regions of real reads, beside Intel's GKL.

    GATK_JARS=/path/to/gatk/lib python -m benchmarks.bench_pairhmm [--dataset NAME] [--repeats 5]

A region is a window around variants of the truth set, or around none; its haplotypes are the reference with the variants' combinations,
and with mismatches of single reads, as assembly finds them. Reads are cut to the window. One thread; each repeat runs, in turn, our
kernel (float32, its preparation included) with every column computed, the same with shared prefixes, the whole operation with equal
reads once and poor likelihoods again in float64, and GKL (float32, AVX-512 where there is one). Seconds are medians.
GKL comes with GATK's jars and needs a JDK; without GATK_JARS it is left out. Writes benchmarks/results/pairhmm.json.
"""

import argparse
import itertools
import os
import re
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pysam

from benchmarks import datasets, measure

WINDOW_PAD, JOIN_BP, MOST_BP = 150, 60, 150  # around variants; variants nearer than that share a region, up to that span
MOST_VARIANTS, MOST_MISMATCHES, MOST_HAPLOTYPES = 3, 2, 16
LEAST_READS, LEAST_READ_BP = 5, 10
CALM_EVERY_BP = 2_000  # regions without a variant: false activity
GAP_CONTINUATION = 10


def regions_of(dataset):
    """[(haplotypes, reads)]: texts; and pairs of bases (text) and qualities."""
    with pysam.FastaFile(str(dataset.reference)) as fasta, pysam.AlignmentFile(str(dataset.reads)) as bam:
        contig = bam.references[0]
        reference = fasta.fetch(contig).upper()
        first = next(iter(bam)).reference_start + 2 * WINDOW_PAD
        last = first + dataset.n_bases - 6 * WINDOW_PAD
        with pysam.VariantFile(str(dataset.truth)) as truth:
            variants = [(v.start, v.ref, v.alts[0]) for v in truth.fetch(contig) if first < v.start < last and len(v.ref) < 40]
        sites = sorted([(v[0], [v]) for v in variants] + [(pos, []) for pos in range(first, last, CALM_EVERY_BP)])
        clusters = []
        for pos, here in sites:
            if clusters and pos - clusters[-1][1] < JOIN_BP and pos - clusters[-1][0] < MOST_BP:
                clusters[-1][1] = pos
                clusters[-1][2] += here
            else:
                clusters.append([pos, pos, list(here)])
        made = [_region(bam, contig, reference, *cluster) for cluster in clusters]
    return [region for region in made if len(region[1]) >= LEAST_READS]


def _region(bam, contig, reference, start, end, variants):
    start_bp, end_bp = start - WINDOW_PAD, end + WINDOW_PAD
    reads, seen = [], {}
    for read in bam.fetch(contig, start_bp, end_bp):
        if read.is_secondary or read.is_supplementary or read.is_duplicate or read.mapping_quality < 20:
            continue
        aligned = [pair for pair in read.get_aligned_pairs(matches_only=True) if start_bp <= pair[1] < end_bp]
        if not aligned or aligned[-1][0] + 1 - aligned[0][0] < LEAST_READ_BP:
            continue
        span = slice(aligned[0][0], aligned[-1][0] + 1)
        reads.append((read.query_sequence[span], np.array(read.query_qualities[span], np.uint8)))
        for i, pos in aligned:
            if start - 40 <= pos < end + 40 and read.query_sequence[i] != reference[pos] and read.query_qualities[i] > 10:
                mismatch = (pos, reference[pos], read.query_sequence[i])
                seen[mismatch] = seen.get(mismatch, 0) + 1
    variants = variants[:MOST_VARIANTS]
    mismatches = [
        (pos, ref, alt) for (pos, ref, alt), _ in sorted(seen.items(), key=lambda item: -item[1]) if (pos, ref, alt) not in variants
    ]

    def carrying(chosen):
        pieces, at = [], start_bp
        for pos, ref, alt in sorted(chosen):
            if at <= pos and pos + len(ref) <= end_bp:
                pieces += [reference[at:pos], alt]
                at = pos + len(ref)
        return "".join([*pieces, reference[at:end_bp]])

    combinations = [c for n in range(len(variants) + 1) for c in itertools.combinations(variants, n)]
    haplotypes = [carrying(chosen) for chosen in combinations] + [carrying([m]) for m in mismatches[:MOST_MISMATCHES]]
    return list(dict.fromkeys(haplotypes))[:MOST_HAPLOTYPES], reads


def batch_of(regions):
    """(reads, haplotypes) as `gpuvc.kernels.cpu.pairhmm.score_pairs` takes them."""
    from gpuvc.kernels.codes import CODE_OF_ASCII
    from gpuvc.likelihoods.read_quality import gap_open_quals, hmm_base_quals, pcr_gap_open

    def offsets(lengths):
        return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)

    def codes(texts):
        return CODE_OF_ASCII[np.frombuffer("".join(texts).encode(), np.uint8)]

    reads = [read for _, some in regions for read in some]
    haplotypes = [haplotype for some, _ in regions for haplotype in some]
    bases, base_offsets = codes(bases for bases, _ in reads), offsets([len(bases) for bases, _ in reads])
    quals, gaps = np.empty_like(bases), np.empty_like(bases)
    hmm_base_quals(base_offsets, np.concatenate([q for _, q in reads]), np.full(len(reads), 60, np.uint8), 18, True, quals)
    gap_open_quals(base_offsets, bases, pcr_gap_open("CONSERVATIVE"), gaps)
    return (
        (offsets([len(some) for _, some in regions]), base_offsets, bases, quals, gaps, gaps),
        (offsets([len(some) for some, _ in regions]), offsets([len(text) for text in haplotypes]), codes(haplotypes)),
    )


def cells_of(reads, haplotypes):
    read_bp, haplotype_bp = (offsets[slots[1:]] - offsets[slots[:-1]] for slots, offsets in (reads[:2], haplotypes[:2]))
    return int((read_bp * haplotype_bp).sum())


class Ours:
    """Our kernel in its three ways; each call gives CPU seconds."""

    def __init__(self, reads, haplotypes):
        from gpuvc.kernels.cpu import pairhmm

        self._pairhmm, self._batch = pairhmm, (reads, haplotypes)
        self._offsets = pairhmm.row_starts(reads[0], haplotypes[0])
        self.log10 = np.empty(self._offsets[-1])

    def sums(self, share):
        began = time.process_time()
        self._pairhmm.cpu_sums(np.float32, *self._batch, GAP_CONTINUATION, share)
        return time.process_time() - began

    def whole(self):
        began = time.process_time()
        self._pairhmm.pair_hmm(*self._batch[0], *self._batch[1], GAP_CONTINUATION, self._offsets[:-1], self.log10)
        return time.process_time() - began


class Gkl:
    """Intel's kernel, in a Java process a call."""

    def __init__(self, jars, folder, reads, haplotypes):
        self._command = ["java", "-Xmx4g", "-cp", f"{jars}/*", str(Path(__file__).with_name("GklPairHmm.java"))]
        self._input, self._output = folder / "regions", folder / "log10"
        (found,) = [re.search(r"\d[\d.]*\d", path.stem)[0] for path in Path(jars).glob("gkl-*.jar")]
        self.version = found
        self._write(reads, haplotypes)

    def _write(self, reads, haplotypes):
        read_slots, read_offsets, bases, quals, gaps, _ = reads
        haplotype_slots, haplotype_offsets, haplotype_bases = haplotypes
        letters = np.frombuffer(b"ACGTN", np.uint8)
        read_columns = (letters[bases], quals, gaps, np.full_like(quals, GAP_CONTINUATION))
        haplotype_letters = letters[haplotype_bases]
        with self._input.open("wb") as out:

            def write(column, offsets, i):
                piece = column[offsets[i] : offsets[i + 1]].tobytes()
                out.write(struct.pack(">i", len(piece)) + piece)

            out.write(struct.pack(">i", len(read_slots) - 1))
            for region in range(len(read_slots) - 1):
                rows, columns = (range(slots[region], slots[region + 1]) for slots in (read_slots, haplotype_slots))
                out.write(struct.pack(">ii", len(rows), len(columns)))
                for i in rows:
                    for column in read_columns:
                        write(column, read_offsets, i)
                for i in columns:
                    write(haplotype_letters, haplotype_offsets, i)

    def __call__(self):
        done = subprocess.run([*self._command, self._input, self._output, "2"], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"GKL failed:\n{done.stderr[-2000:]}")
        return float(done.stdout.split()[-1])  # the second of two, after loading

    def log10(self):
        return np.fromfile(self._output, ">f8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    datasets.add_arguments(parser)
    parser.add_argument("--dataset", default="na12878-50x")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=measure.RESULTS / "pairhmm.json")
    options = parser.parse_args()
    regions = regions_of(datasets.load(options.dataset, options.data, options.work))
    reads, haplotypes = batch_of(regions)
    cells, ours = cells_of(reads, haplotypes), Ours(reads, haplotypes)
    began = time.process_time()
    ours.whole()
    ways = {"every column": lambda: ours.sums(False), "shared prefixes": lambda: ours.sums(True), "whole operation": ours.whole}
    print(f"{len(regions)} regions, {len(ours.log10)} pairs, {cells} cells; first call {time.process_time() - began:.1f} CPU seconds")
    versions, difference = {}, None
    with tempfile.TemporaryDirectory() as folder:
        jars = os.environ.get("GATK_JARS")
        if jars and shutil.which("java"):
            gkl = Gkl(jars, Path(folder), reads, haplotypes)
            ways["GKL"], versions["gkl"] = gkl, gkl.version
        else:
            print("GKL left out: it needs GATK_JARS=/path/to/gatk/lib and java on PATH")
        seconds = {name: [] for name in ways}
        for _ in range(options.repeats):
            for name, run in ways.items():
                seconds[name].append(run())
        if "GKL" in ways:
            difference = float(np.abs(gkl.log10() - ours.log10).max())
    rows = [{"way": name, "cpu_s": median(some), "cells_per_cpu_s": cells / median(some)} for name, some in seconds.items()]
    for row in rows:
        beside = f", {row['cells_per_cpu_s'] / rows[-1]['cells_per_cpu_s']:.2f} times GKL" if "GKL" in ways else ""
        print(f"{row['way']}: {row['cells_per_cpu_s'] / 1e9:.2f} G cells a CPU second{beside}")
    result = {"dataset": options.dataset, "regions": len(regions), "pairs": len(ours.log10), "cells": cells, "results": rows}
    if difference is not None:
        print(f"largest difference from GKL in log10: {difference:.1e}")
        result["greatest_difference_log10"] = difference
    measure.write(options.out, measure.circumstances(versions) | result)


if __name__ == "__main__":
    main()
