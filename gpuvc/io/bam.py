"""An indexed BAM file: regions and whole, read where the index says."""

import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from gpuvc.io import problems
from gpuvc.io.bgzf import EOF_BLOCK, MAX_BLOCK_BYTES
from gpuvc.io.columns import ColumnStore, place_of
from gpuvc.io.record_buffer import RUN_BYTES, RecordBuffer
from gpuvc.io.records import ANY_CONTIG, POSITION

UNIT_BYTES = 1 << 20  # compressed bytes of one unit of whole-file decoding


def check_eof_block(fd, path):
    """Raise InputError unless the file ends in BGZF's empty end-of-file block."""
    size = os.fstat(fd).st_size
    if size < len(EOF_BLOCK) or os.pread(fd, len(EOF_BLOCK), size - len(EOF_BLOCK)) != EOF_BLOCK:
        raise problems.truncated(path, "its last bytes are not BGZF's end-of-file block")


class IndexedBam:
    """A BAM with its index. `fetch` may be called from any number of threads."""

    is_sequential = False

    def __init__(self, path, fd, header, index, first_group=0, extras=()):
        """`first_group`: where this file's read groups start among those of all inputs. `extras`: columns that `fetch` fills, too."""
        self.path = path
        self.header = header
        self.total_bytes = os.fstat(fd).st_size
        self._index = index
        self._first_group = first_group
        self._extras = extras
        self._fd = fd
        self._local = threading.local()

    def close(self):
        """Close the file."""
        os.close(self._fd)

    def byte_starts(self, contig_id):
        """As `BamIndex.byte_starts`."""
        return self._index.byte_starts(contig_id)

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
        region = (interval.contig_id, interval.start, interval.end)
        for start, end in self._index.query(*region):
            if self._scan_range(buffer, start >> 16, start & 0xFFFF, end, region):
                break
        return buffer.columns(first_group=self._first_group, extras=self._extras)

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
            try:
                n_read = os.preadv(self._fd, [memoryview(buffer.raw)[:wanted]], offset) if wanted > 0 else 0
            except OSError as error:
                raise problems.unreadable(self.path, error) from error
            blocks.list(buffer.raw, 0, n_read, self.path, offset)
            n_before = int(np.searchsorted(blocks.block_starts[: blocks.n_blocks], stop_block - offset))
            at_stop = offset + int(blocks.block_starts[n_before]) == stop_block and (not stop_byte or n_before < blocks.n_blocks)
            blocks.n_blocks = n_before + (1 if at_stop and stop_byte else 0)
            if not blocks.n_blocks and not at_stop:
                raise problems.index_misfit(self.path, f"there is no whole block at byte {offset}")
            n_last = int(blocks.inflated_sizes[n_before]) if at_stop and stop_byte else 0
            buffer.inflate(buffer.raw, offset)
            offset += blocks.end
            stop = buffer.n_inflated - n_last + min(stop_byte, n_last) if at_stop else buffer.n_inflated
            if buffer.scan(stop, *region):
                return True
            if at_stop:
                if buffer.state[POSITION] != stop:
                    raise problems.index_misfit(self.path, f"a range of reads ends inside a read, near {buffer.last_place}")
                return False

    def _units(self):
        """(offset, n_skipped, end) of stretches of about UNIT_BYTES that hold all records between them."""
        cuts, last = [], 0
        for virtual_offset in self._index.record_offsets().tolist():
            if (virtual_offset >> 16) - last >= UNIT_BYTES:
                cuts.append(virtual_offset)
                last = virtual_offset >> 16
        starts = [(0, self.header.n_bytes), *((cut >> 16, cut & 0xFFFF) for cut in cuts)]
        return [(*start, end) for start, end in zip(starts, [*cuts, self.total_bytes << 16])]

    def _decode_unit(self, unit, store):
        buffer = self._buffer()
        self._scan_range(buffer, *unit)
        return buffer.columns(store, self._first_group)

    def batches(self, threads=1):
        """All records in order of the file; each batch stands in recycled arrays and is valid until the next is asked for."""
        last_place = -1
        for batch in self._decode_units(threads):
            if batch.n_reads:
                if place_of(batch, 0) < last_place:
                    place = problems.place_in_words(self.header, last_place >> 32, last_place & 0xFFFFFFFF)
                    raise problems.unsorted(self.path, place)
                last_place = place_of(batch, -1)
                yield batch

    def _decode_units(self, threads):
        if threads == 1:
            store = ColumnStore()
            for unit in self._units():
                yield self._decode_unit(unit, store)
            return
        units = iter(self._units())
        stores = deque(ColumnStore() for _ in range(threads + 2))
        running = deque()
        with ThreadPoolExecutor(threads) as pool:
            try:
                while True:
                    while stores and (unit := next(units, None)) is not None:
                        store = stores.popleft()
                        running.append((pool.submit(self._decode_unit, unit, store), store))
                    if not running:
                        return
                    future, store = running.popleft()
                    yield future.result()
                    stores.append(store)
            finally:
                for future, _ in running:
                    future.cancel()
