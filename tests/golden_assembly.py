"""Regions of the golden assembly data as the arrays that assembly takes."""

import gzip
import json
from dataclasses import replace

import numpy as np

from gpuvc.batches import RegionBatch, RegionReads
from gpuvc.kernels.codes import BASES, CODE_OF_ASCII
from gpuvc.settings import Settings

OPTIONS = {
    "min_pruning": "min_pruning",
    "num_pruning_samples": "num_pruning_samples",
    "adaptive_pruning": "adaptive_pruning",
    "recover_all": "recover_all_dangling_branches",
    "matching_bases": "matching_bases_in_dangling_end",
    "legacy_cycles": "legacy_graph_cycle_detection",
    "allow_repeats": "allow_non_unique_kmers_in_ref",
}


def load_cases(path):
    """The cases of a gzipped file of JSON lines."""
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def codes_of(bases):
    """uint8 codes of a string."""
    return CODE_OF_ASCII[np.frombuffer(bases.encode(), np.uint8)]


def bases_of(codes):
    """String of uint8 codes."""
    return "".join(BASES[code] for code in codes)


def settings_of(case):
    """The settings that the options of a case amount to."""
    return replace(Settings(concordance="hc"), **{OPTIONS[name]: value for name, value in case["options"].items() if name in OPTIONS})


def pack_cigar(text):
    """A CIGAR as BAM packs it."""
    packed, length = [], 0
    for letter in text:
        if letter.isdigit():
            length = 10 * length + int(letter)
        else:
            packed.append(length << 4 | "MIDNSHP=X".index(letter))
            length = 0
    return packed


def arrays_of(case):
    """(RegionBatch, RegionReads, reference codes, their start) of one case."""
    start, end = case["padded"][0] - 1, case["padded"][1]
    context_start, context = case["context"][0] - 1, case["context"][1]
    contig_start, contig_end = map(int, case["region"].rsplit(":", 1)[1].split("-"))
    regions = RegionBatch(
        contig_id=0, start=np.array([contig_start - 1], np.int32), end=np.array([contig_end], np.int32),
        padded_start=np.array([start], np.int32), padded_end=np.array([end], np.int32),
    )  # fmt: skip
    samples = sorted({read[0] for read in case["reads"]})
    cigars = [pack_cigar(read[2]) for read in case["reads"]]
    covered = [sum(c >> 4 for c in cigar if c & 15 in (0, 2, 3, 7, 8)) for cigar in cigars]
    pos = np.array([read[1] - 1 for read in case["reads"]], np.int32)
    n = len(pos)
    reads = RegionReads(
        region_slots=np.array([0, n], np.int64), read=np.arange(n, dtype=np.int32),
        sample=np.array([samples.index(read[0]) for read in case["reads"]], np.int16), pos=pos, end=pos + np.array(covered, np.int32),
        cigar=np.array([c for cigar in cigars for c in cigar], np.uint32),
        cigar_offsets=np.cumsum([0] + [len(cigar) for cigar in cigars], dtype=np.int64),
        bases=codes_of("".join(read[3] for read in case["reads"])),
        base_quals=np.frombuffer("".join(read[4] for read in case["reads"]).encode(), np.uint8) - np.uint8(33),
        base_offsets=np.cumsum([0] + [len(read[3]) for read in case["reads"]], dtype=np.int64),
    )  # fmt: skip
    return regions, reads, codes_of(context), context_start


def region_of_reads(reads, ref, padding=50, start=1000):
    """(RegionBatch, RegionReads) of one region over `ref`, whose first base is at `start`.

    A read is bases that begin where ref does, or (bases, CIGAR, first base in ref, quality).
    """
    reads = [read if isinstance(read, tuple) else (read, f"{len(read)}M", 0, 30) for read in reads]
    cigars = [pack_cigar(read[1]) for read in reads]
    lengths = [len(read[0]) for read in reads]
    pos = np.array([start + read[2] for read in reads], np.int32)
    region_reads = RegionReads(
        region_slots=np.array([0, len(reads)]), read=np.arange(len(reads), dtype=np.int32), sample=np.zeros(len(reads), np.int16), pos=pos,
        end=pos + 1, cigar=np.array([op for cigar in cigars for op in cigar], np.uint32),
        cigar_offsets=np.cumsum([0] + [len(cigar) for cigar in cigars]), bases=codes_of("".join(read[0] for read in reads)),
        base_quals=np.repeat([read[3] for read in reads], lengths).astype(np.uint8), base_offsets=np.cumsum([0, *lengths]),
    )  # fmt: skip
    one = np.array([start], np.int32)
    return RegionBatch(0, one + padding, one + len(ref) - padding, one, one + len(ref)), region_reads
