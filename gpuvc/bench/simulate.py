"""Paired reads from two haplotypes, every one with its true place. Whatever is drawn is a hash of the seed, the pair and what it is for."""

from typing import NamedTuple

import numpy as np

from gpuvc.bench.placed import MOST_OPERATIONS, place
from gpuvc.bench.profile import DELETED_SHARE, INDEL_RATE_BY_RUN
from gpuvc.kernels.codes import (
    COMPLEMENT,
    FLAG_DUPLICATE,
    FLAG_MATE_REVERSE,
    FLAG_PAIRED,
    FLAG_PROPER,
    FLAG_READ1,
    FLAG_READ2,
    FLAG_REVERSE,
    N,
)
from gpuvc.kernels.jit import kernel

READ_BP = 150
SPARE_BP = 40  # of the haplotype behind a fragment, for reads that lost bases
_TRIES = 16  # places drawn for a fragment until one has no N
_GOLDEN = 0x9E3779B97F4A7C15
HAPLOTYPE, PLACE, SHAPE, FRAGMENT, SOURCE, STRAND, BASES = range(7)  # what a hash is for


class Pairs(NamedTuple):
    """Fragments; each gives a forward and a reverse read.

    haplotype : uint8[n], 0 or 1
    start : int32[n]
        On the haplotype. length : int32[n].
    shape : int32[n]
        Pair of the profile whose qualities it takes.
    is_duplicate : bool[n]
    first_is_forward : bool[n]
    """

    haplotype: np.ndarray
    start: np.ndarray
    length: np.ndarray
    shape: np.ndarray
    is_duplicate: np.ndarray
    first_is_forward: np.ndarray


class Reads(NamedTuple):
    """Aligned reads; rows 2i and 2i + 1 are the forward and the reverse mate of pair i.

    pos, ref_end : int32[n]
    flag : uint16[n]
    mapq : uint8[n]
    template_length : int32[n]
    cigar : uint32[n, MOST_OPERATIONS]; n_cigar : int32[n]
    bases, quals : uint8[n, READ_BP]
        In the reference's direction.
    n_different : int32[n]
        NM.
    n_misread, n_indels : int32[n]
        Bases that were read as others; bases that were lost, or read twice.
    """

    pos: np.ndarray
    ref_end: np.ndarray
    flag: np.ndarray
    mapq: np.ndarray
    template_length: np.ndarray
    cigar: np.ndarray
    n_cigar: np.ndarray
    bases: np.ndarray
    quals: np.ndarray
    n_different: np.ndarray
    n_misread: np.ndarray
    n_indels: np.ndarray


def mixed(*values):
    """uint64 or an array of them: a hash of integers and arrays of integers (splitmix64's finaliser after each)."""
    state = np.uint64(0)
    with np.errstate(over="ignore"):
        for value in values:
            state = _mix((state ^ np.asarray(value).astype(np.uint64)) + np.uint64(_GOLDEN))
    return state


def _mix(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def draw_pairs(haplotypes, depth, profile, key):
    """Pairs whose reads, duplicates aside, cover a haploid genome `depth` times; both haplotypes equally often, places evenly.

    key : uint64
        Of the seed and of this piece.
    """
    scale = READ_BP / profile.quals.shape[2]  # the library of the profile with longer reads
    inserts = np.maximum(np.rint(profile.insert_bp * scale), READ_BP).astype(np.int64)
    inserts = inserts[inserts <= np.percentile(inserts, 99.9)]
    bp = np.mean([len(haplotype.bases) - np.count_nonzero(haplotype.bases == N) for haplotype in haplotypes])
    n_single = round(depth * bp / (2 * READ_BP))
    i = np.arange(n_single)
    which = (mixed(key, HAPLOTYPE, i) >> np.uint64(63)).astype(np.uint8)
    length = inserts[(mixed(key, FRAGMENT, i) % np.uint64(len(inserts))).astype(np.int64)]
    start = np.full(n_single, -1, np.int64)
    for number, haplotype in enumerate(haplotypes):
        n_before = np.concatenate(([0], np.cumsum(haplotype.bases == N)))
        for attempt in range(_TRIES):
            rows = np.flatnonzero((which == number) & (start < 0))
            room = len(haplotype.bases) - SPARE_BP - length[rows]
            drawn = (mixed(key, PLACE, rows, attempt) % np.maximum(room, 1).astype(np.uint64)).astype(np.int64)
            is_free = (n_before[drawn + length[rows] + SPARE_BP] == n_before[drawn]) if len(rows) else np.zeros(0, bool)
            start[rows] = np.where((room > 0) & is_free, drawn, -1)
    placed = np.flatnonzero(start >= 0)
    n_duplicates = round(profile.duplicates * len(placed))
    source = (mixed(key, SOURCE, np.arange(n_duplicates)) % np.uint64(max(1, len(placed)))).astype(np.int64)
    rows = np.concatenate([placed, placed[source]])
    i = np.arange(len(rows))
    return Pairs(
        which[rows],
        start[rows].astype(np.int32),
        length[rows].astype(np.int32),
        (mixed(key, SHAPE, i) % np.uint64(profile.quals.shape[1])).astype(np.int32),
        i >= len(placed),
        (mixed(key, STRAND, rows) >> np.uint64(63)).astype(bool),
    )


def read_pairs(pairs, haplotypes, reference, profile, key):
    """Reads of the pairs, aligned to `reference` (codes)."""
    n = 2 * len(pairs.start)
    reads = Reads(
        pos=np.empty(n, np.int32), ref_end=np.empty(n, np.int32), flag=np.empty(n, np.uint16), mapq=np.empty(n, np.uint8),
        template_length=np.empty(n, np.int32), cigar=np.zeros((n, MOST_OPERATIONS), np.uint32), n_cigar=np.empty(n, np.int32),
        bases=np.empty((n, READ_BP), np.uint8), quals=np.empty((n, READ_BP), np.uint8), n_different=np.empty(n, np.int32),
        n_misread=np.empty(n, np.int32), n_indels=np.empty(n, np.int32),
    )  # fmt: skip
    cycle = (np.arange(READ_BP) * profile.quals.shape[2] // READ_BP).astype(np.int32)
    thresholds = (np.minimum(profile.error_rate, 0.999) * 2.0**64).astype(np.uint64)
    _read_all(
        pairs.haplotype, pairs.start, pairs.length, pairs.shape, haplotypes[0].bases, haplotypes[0].ref_pos, haplotypes[1].bases,
        haplotypes[1].ref_pos, reference, profile.quals, cycle, thresholds, np.cumsum(profile.wrong_base, axis=1), INDEL_RATE_BY_RUN,
        mixed(key, BASES), reads.bases, reads.quals, reads.pos, reads.ref_end, reads.cigar, reads.n_cigar, reads.n_different,
        reads.n_misread, reads.n_indels,
    )  # fmt: skip
    is_reverse = np.arange(n) % 2 == 1
    first = np.repeat(pairs.first_is_forward, 2) != is_reverse
    flag = FLAG_PAIRED | FLAG_PROPER | np.where(is_reverse, FLAG_REVERSE, FLAG_MATE_REVERSE) | np.where(first, FLAG_READ1, FLAG_READ2)
    reads.flag[:] = flag | np.where(np.repeat(pairs.is_duplicate, 2), FLAG_DUPLICATE, 0)
    reads.mapq[0::2], reads.mapq[1::2] = profile.mapqs[0, pairs.shape], profile.mapqs[1, pairs.shape]
    left = np.minimum(reads.pos[0::2], reads.pos[1::2])
    reads.template_length[0::2] = np.maximum(reads.ref_end[0::2], reads.ref_end[1::2]) - left
    reads.template_length[1::2] = -reads.template_length[0::2]
    whole = (reads.n_cigar.reshape(-1, 2) > 0).all(axis=1).repeat(2)
    return reads if whole.all() else Reads(*(column[whole] for column in reads))


@kernel
def _hash(state, value):
    z = (state ^ np.uint64(value)) + np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel(allocates=True)
def _read_all(
    which, start, length, shape, bases_0, ref_pos_0, bases_1, ref_pos_1, reference, shape_quals, cycle, thresholds, wrong_to, indel_rates,
    key, bases, quals, pos, ref_end, cigar, n_cigar, n_different, n_misread, n_indels,
):  # fmt: skip
    """Sequence both ends of every fragment, and align them."""
    ref_pos = np.empty(bases.shape[1], np.int32)
    for i in range(len(which)):
        for mate in range(2):
            row = 2 * i + mate
            own = _hash(key, np.uint64(row))
            from_bp = start[i] + (length[i] - len(ref_pos) if mate else 0)
            source, source_ref = (bases_1, ref_pos_1) if which[i] else (bases_0, ref_pos_0)
            n_indels[row] = _copy_with_indels(source, source_ref, from_bp, indel_rates, own, bases[row], ref_pos)
            n_misread[row] = _misread(shape_quals[mate, shape[i]], cycle, mate == 1, thresholds, wrong_to, own, bases[row], quals[row])
            pos[row], ref_end[row], n_cigar[row], n_different[row] = place(bases[row], ref_pos, reference, cigar[row])


@kernel
def _copy_with_indels(source, source_ref, first, indel_rates, key, bases, ref_pos):
    """Bases from `first` on, now and then one lost or one more at the left end of a run of equal ones; returns how many such."""
    i, n_indels = first, 0
    k = 0
    while k < len(bases):
        if k > 0 and source[i] != source[i - 1]:
            run = 1
            while run < len(indel_rates) - 1 and i + run < len(source) and source[i + run] == source[i]:
                run += 1
            drawn = _hash(key, np.uint64(1000 + i)) / 2.0**64
            if drawn < indel_rates[run] * DELETED_SHARE and n_indels < SPARE_BP // 2:
                i += 1
                n_indels += 1
                continue
            if indel_rates[run] * DELETED_SHARE <= drawn < indel_rates[run]:
                bases[k], ref_pos[k] = source[i], -1
                n_indels += 1
                k += 1
                if k == len(bases):
                    break
        bases[k], ref_pos[k] = source[i], source_ref[i]
        k += 1
        i += 1
    return n_indels


@kernel
def _misread(shape, cycle, is_reverse, thresholds, wrong_to, key, bases, quals):
    """Lay the qualities along the read and put in the errors they stand for; returns how many."""
    n, n_errors = len(bases), 0
    for k in range(n):
        at = n - 1 - k if is_reverse else k
        q = shape[cycle[k]]
        quals[at] = q
        drawn = _hash(key, np.uint64(k))
        if drawn < thresholds[q]:
            true = COMPLEMENT[bases[at]] if is_reverse else bases[at]
            share = _hash(drawn, np.uint64(1)) / 2.0**64
            wrong = 0
            while wrong < 3 and share >= wrong_to[true, wrong]:
                wrong += 1
            bases[at] = COMPLEMENT[wrong] if is_reverse else wrong
            n_errors += 1
    return n_errors
