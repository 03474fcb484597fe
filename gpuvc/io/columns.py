"""ReadBatch as a table: make one, pick rows, join and order several."""

import numpy as np

from gpuvc.batches import ReadBatch
from gpuvc.io.unaligned import copy_bytes
from gpuvc.kernels.jit import kernel

PER_READ = {
    "contig_id": np.int32,
    "pos": np.int32,
    "ref_end": np.int32,
    "mapq": np.uint8,
    "flag": np.uint16,
    "read_group": np.int16,
    "mate_contig_id": np.int32,
    "mate_pos": np.int32,
    "template_length": np.int32,
    "name_hash": np.uint64,
}


EXTRAS = {"name": "S1", "extended_mapq": np.int16}
"""Columns that are None unless they are asked for. Where there is no read, nobody asks: they are empty."""


def new_columns(n_reads, n_cigar, n_bases):
    """A ReadBatch of that size; its offsets are 0, everything else is yet to be written."""
    return ReadBatch(
        **({} if n_reads else {name: np.empty(0, dtype) for name, dtype in EXTRAS.items()}),
        **{name: np.empty(n_reads, dtype) for name, dtype in PER_READ.items()},
        cigar=np.empty(n_cigar, np.uint32),
        cigar_offsets=np.zeros(n_reads + 1, np.int64),
        bases=np.empty(n_bases, np.uint8),
        base_quals=np.empty(n_bases, np.uint8),
        base_offsets=np.zeros(n_reads + 1, np.int64),
    )


class ColumnStore:
    """Arrays that batches are filled into, one after the other."""

    def __init__(self):
        self._columns = new_columns(0, 0, 0)

    def take(self, n_reads, n_cigar, n_bases):
        """A ReadBatch of that size in the store's arrays, which the next call hands out again."""
        columns = self._columns
        if n_reads > columns.n_reads or n_cigar > len(columns.cigar) or n_bases > len(columns.bases):
            sizes = ((n_reads, columns.n_reads), (n_cigar, len(columns.cigar)), (n_bases, len(columns.bases)))
            columns = self._columns = new_columns(*(max(needed + needed // 4, held) for needed, held in sizes))
        return ReadBatch(
            **{name: getattr(columns, name)[:n_reads] for name in PER_READ},
            cigar=columns.cigar[:n_cigar],
            cigar_offsets=columns.cigar_offsets[: n_reads + 1],
            bases=columns.bases[:n_bases],
            base_quals=columns.base_quals[:n_bases],
            base_offsets=columns.base_offsets[: n_reads + 1],
        )


@kernel
def _copy_segments(values, offsets, item_bytes, rows, out, out_offsets):
    """Copy the segment of each row: values and out are uint8, offsets count items of `item_bytes`."""
    source = np.int64(values.ctypes.data)
    to = np.int64(out.ctypes.data)
    for i in range(rows.size):
        row = rows[i]
        n_items = offsets[row + 1] - offsets[row]
        copy_bytes(to + out_offsets[i] * item_bytes, source + offsets[row] * item_bytes, n_items * item_bytes)


def take_reads(batch, rows):
    """The reads at `rows` (int64) as a new batch, in that order."""
    rows = np.ascontiguousarray(rows, np.int64)
    cigar_offsets, base_offsets = (_offsets(np.diff(offsets)[rows]) for offsets in (batch.cigar_offsets, batch.base_offsets))
    taken = new_columns(len(rows), cigar_offsets[-1], base_offsets[-1])
    taken.cigar_offsets, taken.base_offsets = cigar_offsets, base_offsets
    for name in PER_READ:
        np.take(getattr(batch, name), rows, out=getattr(taken, name))
    for name in EXTRAS:
        column = getattr(batch, name)
        if column is not None:
            setattr(taken, name, column[rows])
    _copy_segments(batch.cigar.view(np.uint8), batch.cigar_offsets, 4, rows, taken.cigar.view(np.uint8), cigar_offsets)
    _copy_segments(batch.bases, batch.base_offsets, 1, rows, taken.bases, base_offsets)
    _copy_segments(batch.base_quals, batch.base_offsets, 1, rows, taken.base_quals, base_offsets)
    return taken


def _offsets(lengths):
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def join_batches(batches):
    """All reads of `batches`, one behind the other, in new arrays."""
    if not any(batch.n_reads for batch in batches):
        return new_columns(0, 0, 0)
    joined = {name: np.concatenate([getattr(batch, name) for batch in batches]) for name in (*PER_READ, "cigar", "bases", "base_quals")}
    for name in ("cigar_offsets", "base_offsets"):
        joined[name] = _offsets(np.concatenate([np.diff(getattr(batch, name)) for batch in batches]))
    for name in EXTRAS:
        parts = [getattr(batch, name) for batch in batches if batch.n_reads]
        joined[name] = np.concatenate(parts) if all(part is not None for part in parts) else None
    return ReadBatch(**joined)


def rank_names(batch):
    """Put the rank of each read's name in the place of its hash, so that reads compare as their names do."""
    batch.name_hash = np.unique(batch.name, return_inverse=True)[1].astype(np.uint64)


def extend_mapq(batch):
    """Put XQ in the place of the mapping quality of the reads that have it."""
    batch.mapq = np.where(batch.extended_mapq >= 0, batch.extended_mapq, batch.mapq).astype(np.uint8)


UNPLACED = 1 << 62  # sorts behind every place


def places(batch):
    """int64 sort keys of the reads: contig, then position; unplaced reads come last."""
    contig_id = batch.contig_id.astype(np.int64)
    return np.where(contig_id < 0, np.int64(UNPLACED), (contig_id << 32) + batch.pos)


def place_of(batch, row):
    """The sort key of one read."""
    contig_id = int(batch.contig_id[row])
    return UNPLACED if contig_id < 0 else (contig_id << 32) + int(batch.pos[row])


def merge_batches(batches):
    """All reads of `batches` by position; at one position, those of the earlier batch first."""
    joined = join_batches(batches)
    keys = places(joined)
    if (keys[1:] >= keys[:-1]).all():
        return joined
    return take_reads(joined, np.argsort(keys, kind="stable"))
