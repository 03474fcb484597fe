"""BGZF: blocks of at most 64 KB, inflated many at a time by libdeflate without the GIL.

libdeflate is found in the `deflate` wheel's own shared object, else as the system's libdeflate.so.0, and called by address from compiled
code. Where neither exports it, blocks are inflated one by one by `deflate`'s Python function, and at last by zlib: same bytes, slower.
"""

import ctypes
import importlib.util
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from gpuvc.errors import InputError
from gpuvc.io.unaligned import (
    call_alloc_decompressor,
    call_crc32,
    call_deflate_decompress,
    call_free_decompressor,
    load_i32,
    load_u16,
)
from gpuvc.kernels.jit import kernel

EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
MAX_BLOCK_BYTES = 65536
SLACK_BYTES = 64  # behind every buffer that compiled code walks: it loads eight bytes at a time

_SYMBOLS = (
    "libdeflate_alloc_decompressor",
    "libdeflate_free_decompressor",
    "libdeflate_deflate_decompress",
    "libdeflate_crc32",
)


@dataclass(frozen=True)
class Inflater:
    """How blocks are inflated: `addresses` of libdeflate's functions (int64[4], in the order of `_SYMBOLS`), else None and `inflate`."""

    source: str
    addresses: np.ndarray | None
    inflate: object = None  # (bytes, n_out) -> bytes


def _addresses_in(path):
    """Addresses of libdeflate's functions in the shared object at `path`; None if it does not load or lacks one."""
    try:
        library = ctypes.CDLL(path)
        return np.array([ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in _SYMBOLS], np.int64)
    except (OSError, AttributeError):
        return None


def _zlib_inflate(data, n_out):
    return zlib.decompress(data, -15, n_out)


@cache
def find_inflater():
    """The fastest way to inflate on this machine."""
    spec = importlib.util.find_spec("deflate")
    wheel_objects = sorted(Path(spec.origin).parent.glob("_deflate*.so")) if spec and spec.origin else []
    for path in (*map(str, wheel_objects), "libdeflate.so.0"):
        addresses = _addresses_in(path)
        if addresses is not None:
            return Inflater(path, addresses)
    if spec:
        import deflate

        return Inflater("the deflate package, block by block", None, deflate.deflate_decompress)
    return Inflater("zlib, block by block", None, _zlib_inflate)


def libdeflate_source():
    """Where blocks are inflated, in words: a shared object's path, or the slower fall-back in use."""
    return find_inflater().source


# What `list_blocks` and `inflate_blocks` found wrong.
OK, NOT_BGZF, BAD_BLOCK, BAD_DEFLATE, BAD_CRC = range(5)
PROBLEMS = {
    NOT_BGZF: ("block header", "other bytes", "the BGZF magic 1f 8b 08 04 with a BC field"),
    BAD_BLOCK: ("block size", "one that does not fit the block", "a BGZF block of at most 64 KB"),
    BAD_DEFLATE: ("compressed block", "data that do not inflate to their stated size", "a whole BGZF block"),
    BAD_CRC: ("block checksum", "another CRC-32 than stored", "the stored one"),
}


@kernel
def list_blocks(raw, start, stop, block_starts, data_sizes, inflated_sizes):
    """Walk the block headers of raw[start:stop] for as many whole blocks as are there or fit in the tables.

    block_starts : int64[max_blocks + 1]
        Written: where each block starts, and behind the last one where the next would.
    data_sizes, inflated_sizes : int64[max_blocks]
        Written. A block's deflate data end 8 bytes before the next block starts.

    Returns (n_blocks, problem): on a problem it is at block_starts[n_blocks].
    """
    base = np.int64(raw.ctypes.data)
    n = 0
    p = start
    block_starts[0] = start
    while n < data_sizes.size and p + 18 <= stop:
        if raw[p] != 31 or raw[p + 1] != 139 or raw[p + 2] != 8 or raw[p + 3] != 4:
            return n, NOT_BGZF
        extra_end = p + 12 + np.int64(load_u16(base + p + 10))
        if extra_end > stop:
            break
        block_bytes = np.int64(0)
        q = p + 12
        while q + 6 <= extra_end:
            field_bytes = np.int64(load_u16(base + q + 2))
            if raw[q] == 66 and raw[q + 1] == 67 and field_bytes == 2:
                block_bytes = np.int64(load_u16(base + q + 4)) + 1
            q += 4 + field_bytes
        if block_bytes == 0:
            return n, NOT_BGZF
        data_bytes = p + block_bytes - 8 - extra_end
        if data_bytes < 0:
            return n, BAD_BLOCK
        if p + block_bytes > stop:
            break
        inflated_bytes = np.int64(load_i32(base + p + block_bytes - 4))
        if inflated_bytes < 0 or inflated_bytes > MAX_BLOCK_BYTES:
            return n, BAD_BLOCK
        data_sizes[n] = data_bytes
        inflated_sizes[n] = inflated_bytes
        p += block_bytes
        n += 1
        block_starts[n] = p
    return n, OK


@kernel
def inflate_blocks(libdeflate, raw, block_starts, data_sizes, inflated_sizes, n_blocks, out, out_start):
    """Inflate blocks of `raw` one behind the other into out[out_start:], which has room for them all; every CRC is checked.

    libdeflate : int64[4]
        Addresses of its functions.

    Returns (n_blocks_done, problem).
    """
    source = np.int64(raw.ctypes.data)
    to = np.int64(out.ctypes.data) + out_start
    decompressor = call_alloc_decompressor(libdeflate[0])
    if decompressor == 0:
        return 0, BAD_DEFLATE
    problem = OK
    done = 0
    while done < n_blocks:
        trailer = source + block_starts[done + 1] - 8
        n_out = inflated_sizes[done]
        n_in = data_sizes[done]
        if n_out > 0:
            if call_deflate_decompress(libdeflate[2], decompressor, trailer - n_in, n_in, to, n_out, np.int64(0)) != 0:
                problem = BAD_DEFLATE
                break
            if np.int64(call_crc32(libdeflate[3], np.uint32(0), to, n_out)) != np.int64(load_i32(trailer)) & 0xFFFFFFFF:
                problem = BAD_CRC
                break
            to += n_out
        done += 1
    call_free_decompressor(libdeflate[1], decompressor)
    return done, problem


def _inflate_one_by_one(inflate, raw, block_starts, data_sizes, inflated_sizes, n_blocks, out, out_start):
    """As `inflate_blocks`, through a Python function a block."""
    for i in range(n_blocks):
        end, n_in, n_out = int(block_starts[i + 1]) - 8, int(data_sizes[i]), int(inflated_sizes[i])
        if not n_out:
            continue
        try:
            data = inflate(raw[end - n_in : end].tobytes(), n_out)
        except Exception:  # zlib.error or deflate.DeflateError: both mean the same here and are reported as one
            return i, BAD_DEFLATE
        if len(data) != n_out:
            return i, BAD_DEFLATE
        if zlib.crc32(data) != int.from_bytes(raw[end : end + 4].tobytes(), "little"):
            return i, BAD_CRC
        out[out_start : out_start + n_out] = np.frombuffer(data, np.uint8)
        out_start += n_out
    return n_blocks, OK


class BlockTable:
    """The blocks of one run of compressed bytes: list them, then inflate them. Buffers are reused from run to run; one thread at a time."""

    def __init__(self, max_blocks=1024):
        self.block_starts = np.empty(max_blocks + 1, np.int64)
        self.data_sizes = np.empty(max_blocks, np.int64)
        self.inflated_sizes = np.empty(max_blocks, np.int64)
        self.n_blocks = 0

    @property
    def n_inflated(self):
        """Bytes the listed blocks inflate to."""
        return int(self.inflated_sizes[: self.n_blocks].sum())

    @property
    def end(self):
        """Where in the run the next block starts."""
        return int(self.block_starts[self.n_blocks])

    def list(self, raw, start, stop, path, file_offset):
        """List the whole blocks in raw[start:stop]; raw[0] stands at `file_offset` of the file at `path`."""
        self.n_blocks, problem = list_blocks(raw, start, stop, self.block_starts, self.data_sizes, self.inflated_sizes)
        if problem:
            raise block_error(path, file_offset + self.end, problem)

    def inflate(self, raw, out, out_start, path, file_offset):
        """Inflate the listed blocks into out[out_start:]."""
        inflater = find_inflater()
        tables = (raw, self.block_starts, self.data_sizes, self.inflated_sizes, self.n_blocks, out, out_start)
        if inflater.addresses is not None:
            done, problem = inflate_blocks(inflater.addresses, *tables)
        else:
            done, problem = _inflate_one_by_one(inflater.inflate, *tables)
        if problem:
            raise block_error(path, file_offset + int(self.block_starts[done]), problem)


def block_error(path, file_offset, problem):
    """The InputError of a bad block."""
    what, value, expectation = PROBLEMS[problem]
    return InputError(
        f"{what} in {path}, byte {file_offset}: found {value}, expected {expectation}. The file is damaged: copy it again from its source."
    )
