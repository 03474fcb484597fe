"""BAI and CSI indexes: where in the file the records of a region stand, and where work can be cut.

Both give chunks: ranges of virtual offsets (compressed offset << 16 | offset in the inflated block) that hold the records of one bin. A
chunk starts and ends between records, so any chunk's start is a place where decoding can begin.
"""

import gzip
import os
import zlib
from dataclasses import dataclass, field

import numpy as np

from gpuvc.errors import InputError
from gpuvc.kernels.jit import kernel

MERGE_BYTES = 1 << 16  # chunks nearer than a block are read as one


@kernel
def _parse_contigs(data, start, n_contigs, is_csi, pseudo_bin, bins, linear, linear_starts):
    """Walk the contigs of an index; fills the tables where they are not empty, else only counts.

    bins : int64[n_chunks, 5]
        Written: contig, bin, first-record offset of the bin (CSI; else 0), chunk start, chunk end.
    linear : int64[n_windows]
        Written: the linear index (BAI). linear_starts : int64[n_contigs + 1], written: where each contig's part starts.

    Returns (n_chunks, n_windows), or (-1, byte) where the data end too early or a count is out of range.
    """
    n_chunks_seen = np.int64(0)
    n_windows_seen = np.int64(0)
    size = data.size
    p = np.int64(start)
    for contig in range(n_contigs):
        if p + 4 > size:
            return np.int64(-1), p
        n_bins = _int32(data, p)
        p += 4
        if n_bins < 0:
            return np.int64(-1), p
        for _ in range(n_bins):
            if p + (16 if is_csi else 8) > size:
                return np.int64(-1), p
            bin_number = _int32(data, p) & 0xFFFFFFFF
            first = np.int64(0)
            p += 4
            if is_csi:
                first = _int64(data, p)
                p += 8
            n_chunks = _int32(data, p)
            p += 4
            if n_chunks < 0 or p + 16 * n_chunks > size:
                return np.int64(-1), p
            for _chunk in range(n_chunks):
                if bin_number != pseudo_bin:
                    if n_chunks_seen < bins.shape[0]:
                        bins[n_chunks_seen, 0] = contig
                        bins[n_chunks_seen, 1] = bin_number
                        bins[n_chunks_seen, 2] = first
                        bins[n_chunks_seen, 3] = _int64(data, p)
                        bins[n_chunks_seen, 4] = _int64(data, p + 8)
                    n_chunks_seen += 1
                p += 16
        linear_starts[contig] = n_windows_seen
        if not is_csi:
            if p + 4 > size:
                return np.int64(-1), p
            n_windows = _int32(data, p)
            p += 4
            if n_windows < 0 or p + 8 * n_windows > size:
                return np.int64(-1), p
            for _window in range(n_windows):
                if n_windows_seen < linear.size:
                    linear[n_windows_seen] = _int64(data, p)
                n_windows_seen += 1
                p += 8
    linear_starts[n_contigs] = n_windows_seen
    return n_chunks_seen, n_windows_seen


@kernel
def _int32(data, p):
    value = np.int64(0)
    for k in range(4):
        value |= np.int64(data[p + k]) << (8 * k)
    return value - (1 << 32) if value >= 1 << 31 else value


@kernel
def _int64(data, p):
    value = np.int64(0)
    for k in range(8):
        value |= np.int64(data[p + k]) << (8 * k)
    return value


@dataclass(frozen=True)
class BamIndex:
    """The chunks of every contig with the span of their bins, and for BAI the linear index.

    chunks : int64[n_chunks, 2]
        Virtual offsets, by contig; contig c has rows chunk_rows[c] to chunk_rows[c + 1].
    bin_spans : int64[n_chunks, 2]
        Reference span of each chunk's bin, 0-based half-open.
    first_offsets : int64[n_chunks]
        Virtual offset of the first record that overlaps the bin (CSI), else 0.
    linear : int64[n_windows]
        Virtual offset of the first record that overlaps each 16-kb window; 0 for none. Contig c's part starts at linear_starts[c].
    """

    path: str
    chunks: np.ndarray = field(repr=False)
    chunk_rows: np.ndarray = field(repr=False)
    bin_spans: np.ndarray = field(repr=False)
    first_offsets: np.ndarray = field(repr=False)
    linear: np.ndarray = field(repr=False)
    linear_starts: np.ndarray = field(repr=False)

    @property
    def n_contigs(self):
        return len(self.chunk_rows) - 1

    def _linear_of(self, contig_id):
        return self.linear[self.linear_starts[contig_id] : self.linear_starts[contig_id + 1]]

    def query(self, contig_id, start, end):
        """Virtual offset ranges that hold every record overlapping the region: list of (start, end), ascending, disjoint."""
        rows = slice(self.chunk_rows[contig_id], self.chunk_rows[contig_id + 1])
        spans, chunks = self.bin_spans[rows], self.chunks[rows]
        # A record that reaches the region cannot stand before the first record of any window or bin at or left of its start.
        left = self.first_offsets[rows][spans[:, 0] <= start]
        windows = self._linear_of(contig_id)[: (start >> 14) + 1]
        earliest = max(left.max(initial=0), windows.max(initial=0))
        wanted = chunks[(spans[:, 0] < end) & (spans[:, 1] > start) & (chunks[:, 1] > earliest)]
        ranges = []
        for chunk_start, chunk_end in wanted[np.argsort(wanted[:, 0], kind="stable")].tolist():
            chunk_start = max(chunk_start, int(earliest))
            if ranges and (chunk_start >> 16) - (ranges[-1][1] >> 16) <= MERGE_BYTES:
                ranges[-1][1] = max(ranges[-1][1], chunk_end)
            else:
                ranges.append([chunk_start, chunk_end])
        return ranges

    def record_offsets(self):
        """Virtual offsets at which some record starts, ascending: int64[n]."""
        starts = np.concatenate([self.chunks[:, 0], self.linear])
        return np.unique(starts[starts > 0])

    def byte_starts(self, contig_id):
        """int64 positions and the compressed file offsets where the records from there on begin, both ascending; empty for no reads."""
        windows = self._linear_of(contig_id)
        if len(windows):
            pos, offsets = np.arange(len(windows)) << 14, windows
        else:
            rows = slice(self.chunk_rows[contig_id], self.chunk_rows[contig_id + 1])
            pos, first = np.unique(self.bin_spans[rows, 0], return_index=True)
            offsets = self.first_offsets[rows][first]
        known = offsets > 0
        return pos[known].astype(np.int64), np.maximum.accumulate(offsets[known] >> 16)


def _bin_spans(bins, min_shift, depth):
    """Reference span of each bin number: int64[n, 2]."""
    level = np.zeros(len(bins), np.int64)
    for k in range(1, depth + 1):
        level += bins >= ((1 << 3 * k) - 1) // 7  # number of the first bin of level k
    first = ((1 << 3 * level) - 1) // 7
    shift = min_shift + 3 * (depth - level)
    return np.stack([(bins - first) << shift, (bins - first + 1) << shift], axis=1)


def find_index(path):
    """Path of the index beside the BAM at `path`, or None."""
    return next((name for name in index_names(path) if os.path.exists(name)), None)  # noqa: PTH110


def index_names(path):
    """Where the index of the BAM at `path` may stand."""
    stem = path.removesuffix(".bam")
    return tuple(dict.fromkeys((f"{path}.bai", f"{path}.csi", f"{stem}.bai", f"{stem}.csi")))


def check_variant_index(path):
    """Raise InputError where the TBI or CSI beside the VCF or BCF at `path` is damaged so that its parts have no right sizes.

    htslib, which reads it, trusts some of its counts: it may crash on such a file.
    """
    for index in (f"{path}.csi", f"{path}.tbi"):
        if os.path.exists(index):  # noqa: PTH110
            _check_variant_index(index, path)


def _check_variant_index(path, variants_path):
    def wrong(what, value, expectation):
        return InputError(f"{what} in {path}: found {value}, expected {expectation}. Make it again: bcftools index -f {variants_path}")

    data = _data_of(path, wrong, "a readable TBI or CSI")
    is_csi = data[:4] == b"CSI\1"
    if not is_csi and data[:4] != b"TBI\1":
        raise wrong("first bytes", repr(data[:4]), "TBI\\1 or CSI\\1")

    def number(at):
        return int.from_bytes(data[at : at + 4], "little", signed=True)

    depth, n_contigs, names_at, names_end = 5, number(4), 36, 36 + number(32)
    contigs_at = names_end
    if is_csi:
        min_shift, depth, n_extra = number(4), number(8), number(12)
        if not (0 < min_shift < 32 and 0 < depth < 11 and 0 <= n_extra <= len(data)):
            raise wrong("bin sizes", f"min_shift {min_shift}, depth {depth}", "those of a CSI index")
        n_contigs, contigs_at = number(16 + n_extra), 20 + n_extra
        names_at, names_end = 44, 44 + number(40)
    names = data[names_at : max(names_at, names_end)]
    has_names = not is_csi or n_extra > 0  # the index of a BCF has none, as the file's header has them
    if not 0 <= n_contigs <= len(data) // 4:
        raise wrong("number of contigs", n_contigs, "one that the index has room for")
    is_whole = len(names) == names_end - names_at and names.count(b"\0") == n_contigs and (names.endswith(b"\0") or not names)
    if has_names and not is_whole:
        raise wrong("names of contigs", repr(names[:40]), f"{n_contigs}, each with its NUL")
    _parse(data, contigs_at, n_contigs, is_csi, depth, wrong)


def _data_of(path, wrong, expectation):
    """The bytes of an index, inflated."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise wrong("index", error, expectation) from error


def _parse(data, at, n_contigs, is_csi, depth, wrong):
    """(bins, linear, linear_starts) as of `_parse_contigs`, whose values are in range, and the number of the bin that holds counts."""
    pseudo_bin = ((1 << 3 * (depth + 1)) - 1) // 7 + 1
    linear_starts = np.zeros(n_contigs + 1, np.int64)
    fixed = (np.frombuffer(data, np.uint8).copy(), at, n_contigs, is_csi, pseudo_bin)
    n_chunks, n_windows = _parse_contigs(*fixed, np.empty((0, 5), np.int64), np.empty(0, np.int64), linear_starts)
    if n_chunks < 0:
        raise wrong(f"length at byte {n_windows}", "the end of the data or a count out of range", "whole contigs")
    bins, linear = np.empty((n_chunks, 5), np.int64), np.empty(n_windows, np.int64)
    _parse_contigs(*fixed, bins, linear, linear_starts)
    if (bins[:, 2:] < 0).any() or (linear < 0).any() or (bins[:, 1] > pseudo_bin).any():
        raise wrong("bin or file offset", "a value out of range", "offsets into the file")
    return bins, linear, linear_starts


def read_index(path, alignments_path, n_contigs):
    """The BAI or CSI at `path`. Raises InputError where it is damaged or has another number of contigs than the alignments."""

    def wrong(what, value, expectation):
        return InputError(
            f"{what} in {path}: found {value}, expected {expectation}. Make the index again: samtools index {alignments_path}"
        )

    data = _data_of(path, wrong, "a readable BAI or CSI")
    is_csi = data[:4] == b"CSI\1"
    if not is_csi and data[:4] != b"BAI\1":
        raise wrong("first bytes", repr(data[:4]), "BAI\\1 or CSI\\1")
    min_shift, depth, at = 14, 5, 4
    if is_csi:
        if len(data) < 16:
            raise wrong("length", f"{len(data)} bytes", "a whole CSI header")
        min_shift, depth, n_extra = (int.from_bytes(data[k : k + 4], "little", signed=True) for k in (4, 8, 12))
        if not (0 < min_shift < 32 and 0 < depth < 11 and 0 <= n_extra <= len(data)):
            raise wrong("bin sizes", f"min_shift {min_shift}, depth {depth}", "those of a CSI index")
        at = 16 + n_extra
    n_indexed = int.from_bytes(data[at : at + 4], "little", signed=True)
    if n_indexed != n_contigs:
        raise wrong("number of contigs", n_indexed, f"{n_contigs} as in {alignments_path}")
    bins, linear, linear_starts = _parse(data, at + 4, n_contigs, is_csi, depth, wrong)
    n_bytes = os.path.getsize(alignments_path)  # noqa: PTH202
    last = max(bins[:, 2:].max(initial=0), linear.max(initial=0)) >> 16
    if last > n_bytes:
        raise wrong("file offset", last, f"at most {n_bytes}, the size of {alignments_path}")
    spans = _bin_spans(bins[:, 1], min_shift, depth)
    # Reads come in order, so where they begin can only move on: what lies before such an offset is left out unread.
    firsts = bins[np.lexsort((spans[:, 0], bins[:, 0])), 2]
    if (bins[:, 3] > bins[:, 4]).any() or any((np.diff(offsets[offsets > 0]) < 0).any() for offsets in (linear, firsts)):
        raise wrong("file offset", "one before another that it belongs behind", "ascending ones")
    return BamIndex(
        path,
        chunks=bins[:, 3:].copy(),
        chunk_rows=np.searchsorted(bins[:, 0], np.arange(n_contigs + 1)),
        bin_spans=spans,
        first_offsets=bins[:, 2].copy(),
        linear=linear,
        linear_starts=linear_starts,
    )
