"""A BAM read from start to end: a pipe, or a file without an index.

    read ahead, list blocks (in order) --> inflate (threads) --> scan, fill (in order)

The part of a record that a run of blocks ends in is carried to the front of the next run.
"""

import os
import stat
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from gpuvc.errors import InputError
from gpuvc.io import problems
from gpuvc.io.bgzf import EOF_BLOCK
from gpuvc.io.columns import ColumnStore, join_batches, place_of, take_reads
from gpuvc.io.formats import kind_of
from gpuvc.io.header import parse_bam_header
from gpuvc.io.record_buffer import RUN_BYTES, RecordBuffer
from gpuvc.io.records import LAST_CONTIG, LAST_POS, POSITION

HEADROOM_BYTES = 1 << 16  # for the carried part of a record


class BlockReader:
    """Runs of whole blocks from a descriptor, in order. One thread at a time."""

    def __init__(self, fd, path, ends_at_eof_block=False):
        """`ends_at_eof_block`: stop at the empty block, where another process's answer ends but its pipe stays open."""
        self.path = path
        self.offset = 0  # file offset of the next run's first byte
        self.at_end = False
        self._fd = fd
        self._left = b""  # the start of a block whose end is not read yet
        self._ends_at_eof_block = ends_at_eof_block
        self._last_was_empty = False

    def read_run(self, raw, blocks):
        """Read about RUN_BYTES into `raw` and list its whole blocks; returns the file offset of raw[0]. At the end, `at_end` is set."""
        run_offset = self.offset
        n = len(self._left)
        raw[:n] = np.frombuffer(self._left, np.uint8)
        no_more = False
        while True:
            if self._ends_at_eof_block and raw[max(0, n - len(EOF_BLOCK)) : n].tobytes() == EOF_BLOCK:
                no_more = True
            if no_more or n >= RUN_BYTES:
                break
            try:
                n_read = os.readv(self._fd, [memoryview(raw)[n:]])
            except OSError as error:
                raise problems.unreadable(self.path, error) from error
            n += n_read
            no_more = n_read == 0
        if run_offset == 0 and kind_of(raw[: min(n, 64)].tobytes(), self.path) != "bam":
            raise InputError(f"format of {self.path}: found CRAM in a pipe, expected BAM. Convert it on the way: samtools view -u")
        blocks.list(raw, 0, n, self.path, run_offset)
        self._left = raw[blocks.end : n].tobytes()
        self.offset = run_offset + blocks.end
        if blocks.n_blocks:
            self._last_was_empty = blocks.inflated_sizes[blocks.n_blocks - 1] == 0
        if no_more and (not self._left or not blocks.n_blocks):
            if self._left:
                raise problems.truncated(self.path, f"it ends inside the block at byte {self.offset}")
            if not self._last_was_empty:
                raise problems.truncated(self.path, "it does not end with BGZF's end-of-file block")
            self.at_end = True
        return run_offset


class BamStream:
    """The batches of a BAM that is read once, from start to end."""

    def __init__(self, fd, path, ends_at_eof_block=False):
        self.path = path
        self._reader = BlockReader(fd, path, ends_at_eof_block)
        self.header, self._carry = self._read_header()

    def _read_header(self):
        """The header, and the inflated bytes read behind it."""
        buffer = RecordBuffer(self.path)
        header = None
        while header is None:
            if self._reader.at_end:
                raise problems.truncated(self.path, "it ends inside its header")
            offset = self._reader.read_run(buffer.raw, buffer.blocks)
            buffer.inflate(buffer.raw, offset)
            header = parse_bam_header(buffer.inflated[: buffer.n_inflated].tobytes(), self.path)
        return header, buffer.inflated[header.n_bytes : buffer.n_inflated].copy()

    def batches(self, threads=1, first_group=0, recycle=True, extras=()):
        """All records in order of the stream; with `recycle` a batch is valid until the next is asked for, else it is the caller's."""
        store = ColumnStore() if recycle else None
        carry, last_contig, last_pos = self._carry, 0, -1
        for buffer in self._inflated_runs(threads):
            buffer.prepend(carry, HEADROOM_BYTES)
            buffer.state[LAST_CONTIG], buffer.state[LAST_POS] = last_contig, last_pos
            buffer.scan(buffer.n_inflated)
            last_contig, last_pos = int(buffer.state[LAST_CONTIG]), int(buffer.state[LAST_POS])
            carry = buffer.inflated[int(buffer.state[POSITION]) : buffer.n_inflated].copy()
            batch = buffer.columns(store, first_group, extras)
            if batch.n_reads:
                yield batch
        if len(carry):
            place = problems.place_in_words(self.header, last_contig, last_pos)
            raise problems.truncated(self.path, f"it ends inside a read, near {place}")

    def _inflated_runs(self, threads):
        """RecordBuffers with the next run of blocks inflated behind HEADROOM_BYTES, in order; valid until the next is asked for.

        The first one is empty: it is for what was read behind the header.
        """
        buffers = deque(RecordBuffer(self.path, self.header) for _ in range(threads + 2 if threads > 1 else 1))
        buffers[0].clear(HEADROOM_BYTES)
        yield buffers[0]

        def next_run():
            buffer = buffers.popleft()
            buffer.clear(HEADROOM_BYTES)
            return buffer, self._reader.read_run(buffer.raw, buffer.blocks)

        if threads == 1:
            while not self._reader.at_end:
                buffer, offset = next_run()
                buffer.inflate(buffer.raw, offset)
                yield buffer
                buffers.append(buffer)
            return
        running = deque()
        with ThreadPoolExecutor(threads) as pool:
            try:
                while True:
                    while buffers and not self._reader.at_end:
                        buffer, offset = next_run()
                        running.append((pool.submit(buffer.inflate, buffer.raw, offset), buffer))
                    if not running:
                        return
                    future, buffer = running.popleft()
                    future.result()
                    yield buffer
                    buffers.append(buffer)
            finally:
                for future, _ in running:
                    future.cancel()


class ForwardReads:
    """Regions of a stream, asked for in ascending order: keeps the batches that the next region may need, and no more."""

    def __init__(self, batches, path, header):
        """`batches`: an iterator of batches that it may keep."""
        self._batches = batches
        self._path = path
        self._header = header
        self._kept = deque()
        self._read_to = -1  # place of the last read seen
        self._asked_from = (0, 0)
        self._lock = threading.Lock()

    def fetch(self, interval):
        """The records that overlap `interval`, in new arrays. Raises InputError for an interval that starts before the last one did."""
        with self._lock:
            contig_id, start, end = interval.contig_id, interval.start, interval.end
            if (contig_id, start) < self._asked_from:
                raise InputError(
                    f"region {problems.place_in_words(self._header, contig_id, start)} of {self._path}: found it asked for after "
                    f"{problems.place_in_words(self._header, *self._asked_from)}, expected ascending regions, because without an index the "
                    f"file is read once. Create one: samtools index {self._path}"
                )
            self._asked_from = (contig_id, start)
            while self._kept and _ends_before(self._kept[0], contig_id, start):
                self._kept.popleft()
            while self._read_to < (contig_id << 32) + end and (batch := next(self._batches, None)) is not None:
                self._read_to = place_of(batch, -1)
                if not _ends_before(batch, contig_id, start):
                    self._kept.append(batch)
            return join_batches([take_reads(batch, _overlapping(batch, contig_id, start, end)) for batch in self._kept])


def _ends_before(batch, contig_id, start):
    """True when no read of the batch reaches position `start` of the contig or lies behind it."""
    here = batch.contig_id == contig_id
    later = (batch.contig_id > contig_id) | (batch.contig_id < 0)
    return not (later | (here & (np.maximum(batch.ref_end, batch.pos + 1) > start))).any()


def _overlapping(batch, contig_id, start, end):
    """Rows of the reads that overlap the region; one without reference span covers one base."""
    reaches = np.maximum(batch.ref_end, batch.pos + 1) > start
    return np.flatnonzero((batch.contig_id == contig_id) & (batch.pos < end) & reaches)


class StreamedBam:
    """A BAM without index, or a pipe, behind the interface of `IndexedBam`: regions only in ascending order."""

    is_sequential = True

    def __init__(self, path, fd, threads=1, first_group=0, extras=()):
        self.path = path
        self.total_bytes = os.fstat(fd).st_size if _is_regular(fd) else 0
        self._fd = fd
        self._threads = threads
        self._first_group = first_group
        self._extras = extras
        self._stream = BamStream(fd, path)
        self.header = self._stream.header
        self._forward = None
        if self.header.sort_order in ("unsorted", "queryname"):
            raise InputError(
                f"sort order of {path}: found {self.header.sort_order} in its header, expected coordinate. "
                f"Sort it: samtools sort -o sorted.bam {path}"
            )

    def close(self):
        """Close the file."""
        os.close(self._fd)

    def byte_starts(self, contig_id):
        """None: unknown without an index."""

    def fetch(self, interval):
        """As `ForwardReads.fetch`."""
        if self._forward is None:
            stream = self._whole_stream()
            batches = stream.batches(self._threads, self._first_group, recycle=False, extras=self._extras)
            self._forward = ForwardReads(batches, self.path, self.header)
        return self._forward.fetch(interval)

    def batches(self, threads=1):
        """All records in order of the file; each batch stands in recycled arrays and is valid until the next is asked for."""
        return self._whole_stream().batches(threads, self._first_group)

    def _whole_stream(self):
        """The stream from its start: a file is read again, a pipe only once."""
        stream, self._stream = self._stream, None
        if stream is None:
            if not _is_regular(self._fd):
                raise InputError(f"{self.path} is a pipe: found it read already, expected once. Write it to a file and index that.")
            self._forward = None
            os.lseek(self._fd, 0, os.SEEK_SET)
            stream = BamStream(self._fd, self.path)
        return stream


def _is_regular(fd):
    return stat.S_ISREG(os.fstat(fd).st_mode)
