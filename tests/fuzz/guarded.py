"""The decoding kernels alone, on memory that ends at a protected page: what they read or write too far kills the process."""

import contextlib
import ctypes
import mmap

import numpy as np

from gpuvc.errors import InputError
from gpuvc.io import record_buffer
from gpuvc.io.bgzf import SLACK_BYTES, BlockTable
from gpuvc.io.columns import EXTRAS, PER_READ
from gpuvc.io.record_buffer import RecordBuffer

COMPARED = [name for name in (*PER_READ, "cigar", "cigar_offsets", "bases", "base_quals", "base_offsets") if name != "name_hash"]
_libc = ctypes.CDLL(None, use_errno=True)
_new_columns = record_buffer.new_columns


def guarded(n, dtype):
    """Array of n items whose last byte stands before a page that may not be touched. It keeps its mapping alive."""
    n_bytes = n * np.dtype(dtype).itemsize
    n_pages = -(-n_bytes // mmap.PAGESIZE) + 1
    mapping = mmap.mmap(-1, n_pages * mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(mapping))
    guard = address + (n_pages - 1) * mmap.PAGESIZE
    if _libc.mprotect(ctypes.c_void_p(guard), mmap.PAGESIZE, 0):
        raise OSError("mprotect")
    return np.frombuffer(mapping, np.uint8)[(n_pages - 1) * mmap.PAGESIZE - n_bytes : (n_pages - 1) * mmap.PAGESIZE].view(dtype)


def _guarded_columns(n_reads, n_cigar, n_bases):
    batch = _new_columns(n_reads, n_cigar, n_bases)
    for name in [*COMPARED, "name_hash"]:
        setattr(batch, name, guarded(len(getattr(batch, name)), getattr(batch, name).dtype))
    return batch


def records_alone(data, header):
    """Scan and fill the records of inflated bytes, every array against a protected page; the ReadBatch, or None where they are refused."""
    buffer = RecordBuffer("damaged", header)
    buffer.inflated = guarded(len(data) - header.n_bytes + SLACK_BYTES, np.uint8)
    buffer.inflated[: len(data) - header.n_bytes] = np.frombuffer(data, np.uint8)[header.n_bytes :]
    buffer.n_inflated = len(data) - header.n_bytes
    capacity = buffer.n_inflated // 37 + 2
    for name in ("record_starts", "ref_ends", "cigar_offsets", "base_offsets"):
        setattr(buffer, name, guarded(capacity, np.int64))
    record_buffer.new_columns = _guarded_columns
    try:
        buffer.scan(buffer.n_inflated)
        with contextlib.suppress(InputError):  # of tags that are looked at for these alone
            buffer.columns(extras=EXTRAS)
        return buffer.columns(extras=("name",))
    except InputError:
        return None
    finally:
        record_buffer.new_columns = _new_columns


def blocks_alone(data):
    """List and inflate the blocks of a damaged file, every array against a protected page."""
    raw = guarded(len(data), np.uint8)
    raw[:] = np.frombuffer(data, np.uint8)
    blocks = BlockTable()
    with contextlib.suppress(InputError):  # the blocks in front of the damaged one are listed
        blocks.list(raw, 0, len(data), "damaged", 0)
    out = guarded(blocks.n_inflated + SLACK_BYTES, np.uint8)
    with contextlib.suppress(InputError):
        blocks.inflate(raw, out, 0, "damaged", 0)
