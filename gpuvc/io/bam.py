"""BAM files and streams to columns.

A run of blocks is inflated into a thread's buffer, its records are found and checked there, and columns of exactly their size are filled.
An indexed file is read where its index says; a stream from start to end, with the record that straddles two runs carried over.
"""

import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from gpuvc.errors import InputError
from gpuvc.io import records
from gpuvc.io.bgzf import MAX_BLOCK_BYTES, SLACK_BYTES, BlockTable, check_eof_block, truncated_error
from gpuvc.io.header import parse_bam_header
from gpuvc.io.records import (
    ANY_CONTIG,
    LAST_CONTIG,
    LAST_POS,
    MIN_RECORD_BYTES,
    N_STATE,
    NEED_MORE,
    PAST_REGION,
    POSITION,
    UNSORTED,
    ColumnStore,
)

RUN_BYTES = 1 << 18  # compressed bytes inflated and scanned in one go: 1 MB inflated stays in a core's cache (measured 2026-11, Zen 4)
UNIT_BYTES = 1 << 20  # compressed bytes of one unit of whole-file decoding


def grown(array, used, needed):
    """`array`, or a longer copy of its first `used` elements where `needed` do not fit."""
    if needed <= len(array):
        return array
    longer = np.empty(needed + needed // 2, array.dtype)
    longer[:used] = array[:used]
    return longer


class RecordBuffer:
    """Inflated bytes and the records found in them; one thread's scratch, reused so that steady work touches no new memory."""

    def __init__(self, path, header):
        self.path = path
        self.header = header
        self.group_hashes = np.array([records.hash_name(group.id) for group in header.read_groups], np.uint64)
        self.raw = np.empty(RUN_BYTES + MAX_BLOCK_BYTES, np.uint8)
        self.blocks = BlockTable()
        self.inflated = np.empty(8 * RUN_BYTES, np.uint8)
        self.record_starts = np.empty(1 << 14, np.int64)
        self.ref_ends = np.empty(1 << 14, np.int64)
        self.cigar_offsets = np.empty(1 << 14, np.int64)
        self.base_offsets = np.empty(1 << 14, np.int64)
        self.state = np.zeros(N_STATE, np.int64)
        self.n_inflated = 0
        self.clear()

    def clear(self):
        """Forget all records and bytes."""
        self.state[:] = 0
        self.state[LAST_POS] = -1
        self.n_inflated = 0

    def inflate(self, raw, path_offset):
        """Append the listed blocks of `raw`, whose first byte stands at `path_offset` of the file."""
        needed = self.n_inflated + self.blocks.n_inflated
        self.inflated = grown(self.inflated, self.n_inflated, needed + SLACK_BYTES)
        self.blocks.inflate(raw, self.inflated, self.n_inflated, self.path, path_offset)
        self.n_inflated = needed

    def scan(self, stop, contig_id=ANY_CONTIG, start=0, end=0):
        """Find the records up to byte `stop` that overlap the region; True when no later one can."""
        n = int(self.state[records.N_RECORDS])
        capacity = n + (stop - int(self.state[POSITION])) // MIN_RECORD_BYTES + 2
        self.record_starts = grown(self.record_starts, n, capacity)
        self.ref_ends = grown(self.ref_ends, n, capacity)
        self.cigar_offsets = grown(self.cigar_offsets, n + 1, capacity)
        self.base_offsets = grown(self.base_offsets, n + 1, capacity)
        ended = records.scan_records(
            self.inflated, stop, len(self.header.contigs), contig_id, start, end, self.state,
            self.record_starts, self.cigar_offsets, self.base_offsets, self.ref_ends,
        )  # fmt: skip
        if ended not in (NEED_MORE, PAST_REGION):
            raise self._error(ended)
        return ended == PAST_REGION

    def columns(self, store=None, first_group=0):
        """The found records as a ReadBatch: in `store`'s arrays, or else in new ones of exactly their size."""
        n = int(self.state[records.N_RECORDS])
        n_cigar, n_bases = int(self.cigar_offsets[n]) if n else 0, int(self.base_offsets[n]) if n else 0
        batch = store.take(n, n_cigar, n_bases) if store else records.new_columns(n, n_cigar, n_bases)
        batch.cigar_offsets[0] = batch.base_offsets[0] = 0
        batch.cigar_offsets[1:] = self.cigar_offsets[1 : n + 1]
        batch.base_offsets[1:] = self.base_offsets[1 : n + 1]
        bad = records.fill_columns(
            self.inflated, n, self.record_starts, self.ref_ends, self.group_hashes, first_group,
            batch.contig_id, batch.pos, batch.ref_end, batch.mapq, batch.flag, batch.read_group, batch.mate_contig_id, batch.mate_pos,
            batch.template_length, batch.name_hash, batch.cigar, batch.cigar_offsets, batch.bases, batch.base_quals, batch.base_offsets,
        )  # fmt: skip
        if bad >= 0:
            self.state[LAST_CONTIG], self.state[LAST_POS] = batch.contig_id[bad], batch.pos[bad]
            raise self._error(records.BAD_TAGS)
        return batch

    @property
    def last_place(self):
        """`contig:position` of the last good record, for messages."""
        return place_in_words(self.header, int(self.state[LAST_CONTIG]), int(self.state[LAST_POS]))

    def _error(self, problem):
        if problem == UNSORTED:
            return unsorted_error(self.path, self.last_place)
        what, value, expectation = records.PROBLEMS[problem]
        return InputError(
            f"{what} of a read in {self.path}, near {self.last_place}: found {value}, expected {expectation}. "
            f"The file is damaged, or its index belongs to another: samtools quickcheck {self.path} && samtools index {self.path}"
        )


def place_in_words(header, contig_id, pos):
    """`contig:position` (1-based) for messages."""
    if 0 <= contig_id < len(header.contigs) and pos >= 0:
        return f"{header.contigs.names[contig_id]}:{pos + 1}"
    return "the unplaced reads" if contig_id else "the first read"


def unsorted_error(path, place):
    """The InputError of a file whose reads do not stand in the order of their positions."""
    return InputError(
        f"order of the reads in {path}: found one that belongs before {place} behind it, expected ascending positions. "
        f"Sort it: samtools sort -o sorted.bam {path}"
    )


def read_header(read_at, path, size):
    """The header of a BAM. `read_at(n_bytes, offset)` reads compressed bytes."""
    blocks, data, offset = BlockTable(), b"", 0
    while True:
        raw = np.frombuffer(bytearray(read_at(RUN_BYTES, offset)), np.uint8)
        blocks.list(raw, 0, len(raw), path, offset)
        if not blocks.n_blocks:
            raise truncated_error(path, f"it ends inside its header, at byte {min(size, offset + len(raw))}")
        inflated = np.empty(blocks.n_inflated + SLACK_BYTES, np.uint8)
        blocks.inflate(raw, inflated, 0, path, offset)
        data += inflated[: blocks.n_inflated].tobytes()
        offset += blocks.end
        header = parse_bam_header(data, path)
        if header is not None:
            return header


class IndexedBam:
    """A BAM with its index. `fetch` may be called from any number of threads."""

    is_sequential = False

    def __init__(self, path, fd, header, index):
        self.path = path
        self.header = header
        self.index = index
        self.total_bytes = os.fstat(fd).st_size
        self.first_group = 0  # where this file's read groups start among those of all inputs
        self._fd = fd
        self._local = threading.local()
        check_eof_block(fd, self.total_bytes, path)

    def close(self):
        """Close the file."""
        os.close(self._fd)

    def byte_starts(self, contig_id):
        """As `BamIndex.byte_starts`."""
        return self.index.byte_starts(contig_id)

    def _buffer(self):
        """This thread's scratch, empty."""
        buffer = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = RecordBuffer(self.path, self.header)
        buffer.clear()
        return buffer

    def fetch(self, interval):
        """The records that overlap `interval`, as a ReadBatch of exactly their size."""
        buffer = self._buffer()
        for start, end in self.index.query(interval.contig_id, interval.start, interval.end):
            region = (interval.contig_id, interval.start, interval.end)
            if self._scan_range(buffer, start >> 16, start & 0xFFFF, end, region):
                break
        return buffer.columns(first_group=self.first_group)

    def _scan_range(self, buffer, offset, n_skipped, end, region=(ANY_CONTIG, 0, 0)):
        """Inflate and scan the records from `n_skipped` inflated bytes behind the block at `offset` to virtual offset `end`.

        Returns True when no record behind them can overlap the region.
        """
        stop_block, stop_byte = end >> 16, end & 0xFFFF
        buffer.state[POSITION] = buffer.n_inflated + n_skipped
        blocks = buffer.blocks
        while True:
            wanted = min(RUN_BYTES, stop_block - offset)
            if wanted < RUN_BYTES and stop_byte:
                wanted += MAX_BLOCK_BYTES  # the range ends inside the block at `stop_block`
            n_read = os.preadv(self._fd, [memoryview(buffer.raw)[:wanted]], offset) if wanted > 0 else 0
            blocks.list(buffer.raw, 0, n_read, self.path, offset)
            n_before = int(np.searchsorted(blocks.block_starts[: blocks.n_blocks], stop_block - offset))
            at_stop = offset + int(blocks.block_starts[n_before]) == stop_block and (not stop_byte or n_before < blocks.n_blocks)
            blocks.n_blocks = n_before + (1 if at_stop and stop_byte else 0)
            if not blocks.n_blocks and not at_stop:
                raise InputError(
                    f"blocks of {self.path}: found none that starts at byte {offset} and is whole, expected one by the index {self.index.path}. "
                    f"The file is truncated or the index belongs to another: samtools quickcheck {self.path} && samtools index {self.path}"
                )
            n_last = int(blocks.inflated_sizes[n_before]) if at_stop and stop_byte else 0
            buffer.inflate(buffer.raw, offset)
            offset += blocks.end
            stop = buffer.n_inflated - n_last + min(stop_byte, n_last) if at_stop else buffer.n_inflated
            if buffer.scan(stop, *region):
                return True
            if at_stop:
                if buffer.state[POSITION] != stop:
                    raise InputError(
                        f"end of a range of reads in {self.path}: found it inside a read near {buffer.last_place}, expected it between two. "
                        f"The file is truncated or damaged, or its index belongs to another: "
                        f"samtools quickcheck {self.path} && samtools index {self.path}"
                    )
                return False

    def _units(self):
        """(offset, n_skipped, end) of stretches of about UNIT_BYTES that hold all records between them."""
        cuts, last = [], 0
        for virtual_offset in self.index.record_offsets().tolist():
            if (virtual_offset >> 16) - last >= UNIT_BYTES:
                cuts.append(virtual_offset)
                last = virtual_offset >> 16
        ends = [*cuts, self.total_bytes << 16]
        starts = [(0, self.header.n_bytes), *((cut >> 16, cut & 0xFFFF) for cut in cuts)]
        return [(*start, end) for start, end in zip(starts, ends)]

    def _decode_unit(self, unit, store):
        buffer = self._buffer()
        self._scan_range(buffer, *unit)
        return buffer.columns(store, self.first_group), store

    def batches(self, threads=1):
        """All records in order of the file; each batch stands in recycled arrays and is valid until the next is asked for."""
        order = OrderCheck(self.path, self.header)
        if threads == 1:
            store = ColumnStore()
            for unit in self._units():
                yield order.checked(self._decode_unit(unit, store)[0])
            return
        units = iter(self._units())
        stores = deque(ColumnStore() for _ in range(threads + 2))
        running = deque()
        with ThreadPoolExecutor(threads) as pool:
            try:
                while True:
                    while stores and (unit := next(units, None)) is not None:
                        running.append(pool.submit(self._decode_unit, unit, stores.popleft()))
                    if not running:
                        return
                    batch, store = running.popleft().result()
                    yield order.checked(batch)
                    stores.append(store)
            finally:
                for future in running:
                    future.cancel()


class OrderCheck:
    """Raises InputError when a batch begins before the one in front of it ends."""

    def __init__(self, path, header):
        self.path = path
        self.header = header
        self._last = (0, -1)

    def checked(self, batch):
        """`batch`, which may be empty."""
        if batch.n_reads:
            first, last = place(batch, 0), place(batch, -1)
            if first < self._last:
                raise unsorted_error(self.path, place_in_words(self.header, *self._last))
            self._last = last
        return batch


def place(batch, row):
    """Sort key of a read: contig and position, unplaced reads last."""
    contig_id = int(batch.contig_id[row])
    return (contig_id, int(batch.pos[row])) if contig_id >= 0 else (1 << 31, -1)
