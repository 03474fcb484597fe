"""Change random bytes of a BAM's inflated data and read the result; run by test_damaged_bam.py in a process of its own.

    damage_randomly.py good.bam ROUNDS [SEED]

Three readers see every change: the stream, the index (blocks are stored, so its offsets stay true), and the kernels alone on memory that
ends at a protected page, so that what they read or write too far kills the process. Those for blocks see changed compressed bytes too.
"""

import contextlib
import ctypes
import logging
import mmap
import random
import re
import sys
import tempfile
from pathlib import Path

import bam_files
import numpy as np
import pysam

from gpuvc.errors import InputError
from gpuvc.intervals import Interval
from gpuvc.io import record_buffer
from gpuvc.io.alignments import open_alignments
from gpuvc.io.bgzf import SLACK_BYTES, BlockTable
from gpuvc.io.columns import EXTRAS, PER_READ, join_batches
from gpuvc.io.record_buffer import RecordBuffer
from reference.oracles.columns import columns_of

COMPARED = [name for name in (*PER_READ, "cigar", "cigar_offsets", "bases", "base_quals", "base_offsets") if name != "name_hash"]
_libc = ctypes.CDLL(None, use_errno=True)
_mappings = []


def guarded(n, dtype):
    """Array of n items whose last byte stands before a page that may not be touched."""
    n_bytes = n * np.dtype(dtype).itemsize
    n_pages = -(-n_bytes // mmap.PAGESIZE) + 1
    mapping = mmap.mmap(-1, n_pages * mmap.PAGESIZE)
    _mappings.append(mapping)
    address = ctypes.addressof(ctypes.c_char.from_buffer(mapping))
    guard = address + (n_pages - 1) * mmap.PAGESIZE
    if _libc.mprotect(ctypes.c_void_p(guard), mmap.PAGESIZE, 0):
        raise OSError("mprotect")
    return np.frombuffer(mapping, np.uint8)[(n_pages - 1) * mmap.PAGESIZE - n_bytes : (n_pages - 1) * mmap.PAGESIZE].view(dtype)


def guarded_columns(n_reads, n_cigar, n_bases):
    batch = record_buffer_columns(n_reads, n_cigar, n_bases)
    for name in [*COMPARED, "name_hash"]:
        setattr(batch, name, guarded(len(getattr(batch, name)), getattr(batch, name).dtype))
    return batch


record_buffer_columns = record_buffer.new_columns


def kernels_alone(data, header):
    """Scan and fill the inflated records, every array against a protected page."""
    buffer = RecordBuffer("damaged", header)
    buffer.inflated = guarded(len(data) - header.n_bytes + SLACK_BYTES, np.uint8)
    buffer.inflated[: len(data) - header.n_bytes] = np.frombuffer(data, np.uint8)[header.n_bytes :]
    buffer.n_inflated = len(data) - header.n_bytes
    capacity = buffer.n_inflated // 37 + 2
    for name in ("record_starts", "ref_ends", "cigar_offsets", "base_offsets"):
        setattr(buffer, name, guarded(capacity, np.int64))
    record_buffer.new_columns = guarded_columns
    try:
        buffer.scan(buffer.n_inflated)
        with contextlib.suppress(InputError):  # of tags that are looked at for these alone
            buffer.columns(extras=EXTRAS)
        return buffer.columns(extras=("name",))
    finally:
        record_buffer.new_columns = record_buffer_columns


def blocks_alone(data, starts, rng):
    """List and inflate the blocks (at `starts`) of a file with changed compressed bytes, every array against a protected page."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 2, 5])):
        at = rng.choice(starts) + rng.randrange(18) if rng.random() < 0.7 else rng.randrange(len(data))
        data[at] = rng.choice([0, 1, 0x7F, 0xFF, rng.randrange(256)])
    n = rng.randrange(len(data)) if rng.random() < 0.5 else len(data)
    raw = guarded(n, np.uint8)
    raw[:] = np.frombuffer(data[:n], np.uint8)
    blocks = BlockTable()
    with contextlib.suppress(InputError):  # the blocks in front of the damaged one are listed
        blocks.list(raw, 0, n, "damaged", 0)
    out = guarded(blocks.n_inflated + SLACK_BYTES, np.uint8)
    with contextlib.suppress(InputError):
        blocks.inflate(raw, out, 0, "damaged", 0)


def read(path, how):
    try:
        with open_alignments([path]) as source:
            return how(source)
    except InputError:
        return None


def first_quals(batch):
    """The first base quality of each read; 0 for a read without bases."""
    return np.append(batch.base_quals, 0)[batch.base_offsets[:-1]]


def main(good, rounds, seed):
    print(f"seed {seed}")
    logging.disable()  # every round reads a file without index and one with an old index
    rng = random.Random(seed)
    data = bam_files.inflated(good)
    offsets = bam_files.record_offsets(data)
    compressed = Path(good).read_bytes()
    block_starts = [found.start() for found in re.finditer(rb"\x1f\x8b\x08\x04", compressed)]
    n_errors = n_same = n_only_ours = 0
    with tempfile.TemporaryDirectory() as folder, open_alignments([good]) as source:
        header = source._inputs[0].header
        streamed, indexed = str(Path(folder) / "streamed.bam"), str(Path(folder) / "indexed.bam")
        bam_files.write_blocks(indexed, data, level=0)
        pysam.index(indexed)
        for _ in range(rounds):
            changed = bytearray(data)
            for _ in range(rng.choice([1, 1, 1, 2, 5])):
                # Half of the changes hit the fixed fields and the start of a name, where the lengths are.
                near = rng.choice(offsets)
                at = near + rng.randrange(40) if rng.random() < 0.5 else rng.randrange(header.n_bytes, len(data))
                changed[min(at, len(data) - 1)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
            changed = bytes(changed)
            for path in (streamed, indexed):
                bam_files.write_blocks(path, changed, level=0)
            whole = read(streamed, lambda source: join_batches([join_batches([batch]) for batch in source.batches()]))
            by_index = read(indexed, lambda source: join_batches([join_batches([batch]) for batch in source.batches(2)]))
            region = read(indexed, lambda source: source.fetch(Interval(0, 0, 100_000)))
            alone = None
            with contextlib.suppress(InputError):
                alone = kernels_alone(changed, header)
            blocks_alone(compressed, block_starts, rng)
            _mappings.clear()
            if whole is None:
                n_errors += 1
                assert by_index is None, "the stream saw damage that the indexed file did not"
                continue
            assert by_index is not None and alone is not None and region is not None
            try:
                with pysam.AlignmentFile(streamed, check_sq=False) as file:
                    expected, _ = columns_of(file.fetch(until_eof=True), [group.id for group in header.read_groups])
            except (OSError, UnicodeDecodeError):
                n_only_ours += 1  # a name that is no text, or a CIGAR of another length than SEQ: the read filters count those
                continue
            n_same += 1
            # To pysam a read whose first quality is 255 has none; the column holds what is stored.
            without_quals = np.repeat(first_quals(expected) == 255, np.diff(expected.base_offsets))
            for found in (whole, by_index, alone):
                found.base_quals = np.where(without_quals, 255, found.base_quals)
                for name in COMPARED:
                    assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    print(f"{rounds} changes: {n_errors} refused, {n_same} read as pysam reads them, {n_only_ours} that pysam refuses")
    assert n_errors and n_same


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32))
