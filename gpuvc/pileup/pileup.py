"""Reads → counts per position and a table of the indels they carry."""

from dataclasses import dataclass

import numpy as np

from gpuvc.batches import PILEUP_FIELDS, IndelTable, Pileup
from gpuvc.kernels.codes import CIGAR_D, CIGAR_I, FLAG_REVERSE
from gpuvc.kernels.jit import kernel


@dataclass(slots=True)
class IndelEvents:
    """Each insertion and deletion of each read, in file order. E events.

    read : int32[E]
        Index into the batch.
    allele : int32[E]
        Row of the `IndelTable`.
    """

    read: np.ndarray
    allele: np.ndarray


@kernel
def _count_slots(use, cigar, cigar_offsets, slots):
    """slots[u + 1] = slots[u] + insertions and deletions in the CIGAR of used read u."""
    slots[0] = 0
    for u in range(use.size):
        n = 0
        for c in range(cigar_offsets[use[u]], cigar_offsets[use[u] + 1]):
            operation = cigar[c] & 15
            if operation == CIGAR_I or operation == CIGAR_D:
                n += 1
        slots[u + 1] = slots[u] + n


@kernel
def _rotated_insertions(event, length, read_offset, shift, bases, offsets, inserted):
    """Write the inserted bases of each event of `event`, rotated to the right by its shift."""
    for k in range(event.size):
        e = event[k]
        size = length[e]
        for i in range(size):
            inserted[offsets[k] + i] = bases[read_offset[e] + (i - shift[e]) % size]


def collect_indels(reads, use, reference, reference_start, backend):
    """The distinct indels among the reads `use`, left-aligned, and which read carries which.

    Parameters
    ----------
    reads : ReadBatch
    use : int32[n_used]
    reference : uint8[n]
        Codes of the reference from `reference_start` on; indels beyond it are left out.

    Returns
    -------
    IndelTable, IndelEvents
    """
    slots = np.empty(len(use) + 1, np.int64)
    _count_slots(use, reads.cigar, reads.cigar_offsets, slots)
    n_events = int(slots[-1])
    anchor, length, shift = (np.empty(n_events, np.int32) for _ in range(3))
    read_offset, digest = (np.empty(n_events, np.int64) for _ in range(2))
    if n_events:
        backend.collect_indels(
            use, reads.pos, reads.cigar, reads.cigar_offsets, reads.bases, reads.base_offsets, reference, reference_start, slots,
            anchor, length, read_offset, shift, digest,
        )  # fmt: skip
    events = np.flatnonzero(anchor >= 0)
    read = use[np.repeat(np.arange(len(use)), np.diff(slots))[events]]
    order = np.lexsort((digest[events], length[events], anchor[events]))
    ordered = events[order]
    is_first = np.ones(len(ordered), bool)
    same = (anchor[ordered[1:]] == anchor[ordered[:-1]]) & (length[ordered[1:]] == length[ordered[:-1]])
    is_first[1:] = ~(same & (digest[ordered[1:]] == digest[ordered[:-1]]))
    row = np.cumsum(is_first) - 1
    allele = np.empty(len(events), np.int32)
    allele[order] = row
    firsts = ordered[is_first]
    n_alleles = len(firsts)
    inserted_offsets = np.zeros(n_alleles + 1, np.int64)
    np.cumsum(np.maximum(length[firsts], 0), out=inserted_offsets[1:])
    inserted = np.empty(int(inserted_offsets[-1]), np.uint8)
    _rotated_insertions(firsts, length, read_offset, shift, reads.bases, inserted_offsets, inserted)
    reverse = (reads.flag[read] & FLAG_REVERSE) != 0
    table = IndelTable(
        pos=anchor[firsts],
        length=length[firsts],
        inserted=inserted,
        inserted_offsets=inserted_offsets,
        forward=np.bincount(allele[~reverse], minlength=n_alleles).astype(np.int32),
        reverse=np.bincount(allele[reverse], minlength=n_alleles).astype(np.int32),
    )
    return table, IndelEvents(read=read, allele=allele)


def count_bases(reads, use, window, min_base_quality, backend):
    """int32[n_fields, n_positions]: the counts of a `Pileup`; arguments as of `pile_up`."""
    counts = np.zeros((len(PILEUP_FIELDS), len(window)), np.int32)
    backend.pile_up(
        use, reads.pos, reads.flag, reads.mapq, reads.cigar, reads.cigar_offsets, reads.bases, reads.base_quals, reads.base_offsets,
        window.start, min_base_quality, counts,
    )  # fmt: skip
    return counts


def pile_up(reads, use, window, reference, reference_start, min_base_quality, backend):
    """Counts over `window` of the reads `use`, with the indels they carry.

    Parameters
    ----------
    reads : ReadBatch
    use : int32[n_used]
        In file order.
    window : Interval
    reference, reference_start
        As in `collect_indels`.
    min_base_quality : int
        Phred.

    Returns
    -------
    Pileup, IndelEvents
    """
    counts = count_bases(reads, use, window, min_base_quality, backend)
    table, events = collect_indels(reads, use, reference, reference_start, backend)
    return Pileup(window.contig_id, window.start, counts, table), events
