"""Batches for the PairHMM, made by a seeded generator: every length, quality and fill of the lanes, N, repeats, unrelated reads."""

import json

import numpy as np

from gpuvc.kernels.codes import N
from gpuvc.kernels.cpu import pairhmm
from tests.conftest import REPOSITORY

HAPLOTYPE_BP = 12, 250


def offsets_of(lengths):
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)


def batch(regions):
    """(reads, haplotypes) as `score_pairs` takes them.

    regions : list of (reads, haplotypes)
        A read is (bases, base, insertion and deletion qualities), a haplotype its bases; all arrays of uint8.
    """
    reads = [read for some, _ in regions for read in some]
    haplotypes = [haplotype for _, some in regions for haplotype in some]
    columns = [np.concatenate([np.zeros(0, np.uint8), *(read[i] for read in reads)]) for i in range(4)]
    return (
        (offsets_of([len(some) for some, _ in regions]), offsets_of([len(read[0]) for read in reads]), *columns),
        (
            offsets_of([len(some) for _, some in regions]), offsets_of([len(haplotype) for haplotype in haplotypes]),
            np.concatenate([np.zeros(0, np.uint8), *haplotypes]),
        ),
    )  # fmt: skip


def random_batch(rng, n_regions, read_bp=(1, 120)):
    return batch([random_region(rng, read_bp) for _ in range(n_regions)])


def random_region(rng, read_bp):
    haplotypes = _random_haplotypes(rng)
    n_reads = int(rng.choice([0, 1, 2, 3, 5, 8, 11, 17, 24]))
    return [_random_read(rng, haplotypes, int(rng.integers(*read_bp, endpoint=True))) for _ in range(n_reads)], haplotypes


def _random_haplotypes(rng):
    base = rng.integers(0, 4, int(rng.integers(*HAPLOTYPE_BP))).astype(np.uint8)
    if rng.random() < 0.3:
        base = np.resize(base[: int(rng.integers(1, 7))], base.size)
    haplotypes = []
    for _ in range(int(rng.integers(1, 10))):
        haplotype = base
        for _ in range(int(rng.integers(0, 4))):
            at = int(rng.integers(0, haplotype.size))
            inserted = rng.integers(0, 4, int(rng.integers(0, 12))).astype(np.uint8)
            haplotype = np.concatenate((haplotype[:at], inserted, haplotype[at + int(rng.integers(0, 3)) :]))
            haplotype[rng.integers(0, haplotype.size)] = rng.integers(0, 5)
        haplotypes.append(haplotype)
    return haplotypes


def _random_read(rng, haplotypes, length):
    source = haplotypes[int(rng.integers(0, len(haplotypes)))]
    if rng.random() < 0.75 and length <= source.size:
        start = int(rng.integers(0, source.size - length + 1))
        bases = source[start : start + length].copy()
        wrong = rng.random(length) < rng.choice([0, 0.01, 0.1])
        bases[wrong] = rng.integers(0, 5, wrong.sum())
    else:
        bases = rng.integers(0, 5 if rng.random() < 0.3 else 4, length).astype(np.uint8)
    return bases, *(rng.integers(low, 61, length).astype(np.uint8) for low in (2, 5, 5))


def likelihoods(operation, reads, haplotypes, gap_continuation=10):
    """What a backend's `pair_hmm` writes."""
    offsets = pairhmm.row_starts(reads[0], haplotypes[0])
    log10 = np.full(offsets[-1], 7.0)
    operation(*reads, *haplotypes, gap_continuation, offsets[:-1], log10)
    return log10


def golden_cases():
    return json.loads((REPOSITORY / "tests" / "golden" / "pairhmm.json").read_text())["cases"]


def has_n(reads, haplotypes):
    return (reads[2] == N).any() and (haplotypes[2] == N).any()
