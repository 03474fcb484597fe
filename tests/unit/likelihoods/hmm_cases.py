"""Regions as HaplotypeCaller scored them, as the batches that `score_haplotypes` takes."""

import gzip
import json
from pathlib import Path

import numpy as np

from gpuvc.batches import HaplotypeBatch, ReadBatch, RegionReads
from gpuvc.kernels.codes import CODE_OF_ASCII

REPOSITORY = Path(__file__).parents[3]
SHARED_GOLDEN = REPOSITORY.parent / "shared" / "golden"


def codes(text):
    return CODE_OF_ASCII[np.frombuffer(text.encode(), np.uint8)]


def slots(counts):
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)


def read_regions(path):
    """One dict a region; `reads` holds those of all samples, in the order of the likelihoods."""
    with gzip.open(path, "rt") as lines:
        regions = [json.loads(line) for line in lines]
    for region in regions:
        region["reads"] = [read for sample in region.pop("samples") for read in sample["reads"]]
    return regions


def batches(haplotypes, reads):
    """RegionReads, HaplotypeBatch, ReadBatch of regions given as texts; what the PairHMM does not look at is None.

    haplotypes : list of lists of str
    reads : list of lists of (bases, base qualities, mapping quality)
    """
    flat = [read for region in reads for read in region]
    region_reads = RegionReads(
        region_slots=slots([len(region) for region in reads]), read=np.arange(len(flat), dtype=np.int32)[::-1].copy(), sample=None,
        pos=None, end=None, cigar=None, cigar_offsets=None, bases=np.concatenate([codes(read[0]) for read in flat] or [codes("")]),
        base_quals=np.concatenate([np.array(read[1], np.uint8) for read in flat] or [codes("")]),
        base_offsets=slots([len(read[0]) for read in flat]),
    )  # fmt: skip
    texts = [haplotype for region in haplotypes for haplotype in region]
    haplotype_batch = HaplotypeBatch(**dict.fromkeys(HaplotypeBatch.__slots__))
    haplotype_batch.region_slots = slots([len(region) for region in haplotypes])
    haplotype_batch.bases = np.concatenate([codes(text) for text in texts] or [codes("")])
    haplotype_batch.base_offsets = slots([len(text) for text in texts])
    read_batch = ReadBatch(**dict.fromkeys(ReadBatch.__slots__))
    read_batch.mapq = np.array([read[2] for read in flat[::-1]], np.uint8)
    return region_reads, haplotype_batch, read_batch
