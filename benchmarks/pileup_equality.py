"""Pileup counts of gpuvc against those of `samtools mpileup -B -A -x -d 0` with the same filters, at every position of every data set.

    python -m benchmarks.pileup_equality [--first-bp N] [--data FOLDER]

Counts of the reads as they stand in the file (`gpuvc.pileup(..., settled=False)`): bases and deletions by strand, quality sums, insertions
and deletions that begin after a position, by strand and left-aligned by length and sequence, depth, mapping qualities. Prints a line a
file; exit code 1 when a count differs. Nothing is written: the figure is 0.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pysam

import gpuvc
from benchmarks import datasets
from gpuvc.batches import PILEUP_FIELDS
from reference.oracles import mpileup

WINDOW_BP = 1 << 20
# (lowest mapping quality, lowest base quality, --ff of mpileup, filters of gpuvc that do the same switched off). mpileup has no filters
# on CIGARs and read groups.
_NOT_IN_MPILEUP = ("MappingQualityAvailableReadFilter", "GoodCigarReadFilter", "WellformedReadFilter")
FILTERS = {
    "all bases": (0, 0, "UNMAP,SECONDARY,QCFAIL,DUP", _NOT_IN_MPILEUP),
    "MAPQ >= 20, base quality >= 13, with duplicates and secondary": (
        20, 13, "UNMAP,QCFAIL", (*_NOT_IN_MPILEUP, "NotDuplicateReadFilter", "NotSecondaryAlignmentReadFilter"),
    ),
}  # fmt: skip


def inputs(data):
    """(reads, reference) of the bundled data and of every set under `data`."""
    bundled = datasets.BUNDLED
    yield bundled / "NA12878.chr20.100kb.bam", bundled / "chr20.fa"
    yield bundled / "NA12878.chr20.100kb.cram", bundled / "chr20.fa"
    for path in sorted([*data.rglob("*.bam"), *data.rglob("*.cram")]):
        reference = reference_of(path, data)
        yield path, reference


def reference_of(path, data):
    """The FASTA that the reads of a data set were aligned to: in its folder, or sim-hg001's; of several the one with the contigs."""
    folder = data / "sim-hg001" if path.parent.name == "hard-hg001" else path.parent
    with pysam.AlignmentFile(str(path), check_sq=False) as reads:
        contigs = dict(zip(reads.references, reads.lengths))
    for index in sorted(folder.glob("*.fai")):
        lines = [line.split("\t") for line in index.read_text().splitlines()]
        if all(contigs.get(name) == int(length) for name, length, *_ in lines):
            return index.with_suffix("")
    raise datasets.Unavailable(f"no FASTA in {folder} has the contigs of {path}")


def differences(path, reference, filters, first_bp=None):
    """(positions compared, reads counted over them, descriptions of what differs) of one file.

    Parameters
    ----------
    filters : tuple
        A value of FILTERS.
    first_bp : int, optional
        Compare so many positions from the first read on.
    """
    min_mapping_quality, min_base_quality, excluded_flags, disabled = filters
    settings = gpuvc.Settings(
        min_mapping_quality=min_mapping_quality, min_base_quality=min_base_quality, max_reads_per_alignment_start=0,
        disabled_read_filters=disabled,
    )  # fmt: skip
    n_positions, n_bases, found = 0, 0, []
    with pysam.FastaFile(str(reference)) as fasta:
        sequences = {name: fasta.fetch(name).upper() for name in fasta.references}
    with pysam.AlignmentFile(str(path), reference_filename=str(reference)) as reads:
        firsts = {name: next((read.reference_start for read in reads.fetch(name)), None) for name in sequences if name in reads.references}
    for contig, first in firsts.items():
        if first is None:
            continue
        span = (first, min(len(sequences[contig]), first + first_bp)) if first_bp else (0, len(sequences[contig]))
        for start in range(*span, WINDOW_BP):
            end = min(start + WINDOW_BP, span[1])
            expected, expected_indels = mpileup.mpileup_counts(
                path, reference, contig, sequences[contig], min_mapping_quality=min_mapping_quality, min_base_quality=min_base_quality,
                excluded_flags=excluded_flags, start=start, end=end,
            )  # fmt: skip
            pileup = gpuvc.pileup(
                str(reference), str(path), f"{contig}:{start + 1}-{end}", settings=settings, settled=False, device="cpu"
            )  # fmt: skip
            for field in mpileup.BASE_FIELDS if min_base_quality else mpileup.FIELDS:
                mine, its = pileup.field(field), expected[PILEUP_FIELDS.index(field)]
                for column in np.flatnonzero(mine != its)[:3].tolist():
                    found.append(f"{contig}:{start + column + 1} {field}: gpuvc {mine[column]}, mpileup {its[column]}")
            if not min_base_quality:
                indels = mpileup.indels_of(pileup)
                for key in sorted(indels.keys() | expected_indels.keys()):
                    if indels.get(key) != expected_indels.get(key):
                        text = f"{contig}:{key[0] + 1} {key[1]:+d}{key[2]}"
                        found.append(f"{text}: gpuvc {indels.get(key)}, mpileup {expected_indels.get(key)}")
            n_positions += end - start
            n_bases += int(expected[:10].sum())
    return n_positions, n_bases, found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first-bp", type=int, help="compare so many positions a file, from its first read on (default: all)")
    parser.add_argument("--data", type=Path, default=datasets.REPOSITORY.parent / "shared" / "data", help="folder of the larger data sets")
    options = parser.parse_args()
    n_different = 0
    began = time.perf_counter()
    for path, reference in inputs(options.data):
        for name, filters in FILTERS.items():
            n_positions, n_bases, found = differences(path, reference, filters, options.first_bp)
            n_different += len(found)
            heading = f"{path.name}, {name}: {n_positions} positions, {n_bases} bases, {len(found)} differences"
            print(heading, *found[:10], sep="\n  ", flush=True)
    print(f"{n_different} differences, {time.perf_counter() - began:.0f} s")
    sys.exit(n_different > 0)


if __name__ == "__main__":
    main()
