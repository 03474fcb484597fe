"""Loads, stores and calls at raw addresses, for kernels that walk packed bytes.

Addresses are int64 everywhere: Numba turns uint64 + int64 into float64. None of these checks a bound; who calls them has done so.
Memory is little-endian, as BAM is.
"""

import sys

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

if sys.byteorder != "little":
    raise ImportError("gpuvc reads BAM on little-endian machines only")

_BITS = {types.int32: 32, types.uint16: 16, types.uint64: 64}


def _load(numba_type):
    def load(typingctx, address):
        def codegen(context, builder, signature, args):
            pointer = builder.inttoptr(args[0], ir.IntType(_BITS[numba_type]).as_pointer())
            return builder.load(pointer, align=1)

        return numba_type(types.int64), codegen

    return intrinsic(load)


load_i32 = _load(types.int32)
load_u16 = _load(types.uint16)
load_u64 = _load(types.uint64)


@intrinsic
def store_u64(typingctx, address, value):
    """Write eight bytes at an address of any alignment."""

    def codegen(context, builder, signature, args):
        builder.store(args[1], builder.inttoptr(args[0], ir.IntType(64).as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64), codegen


@intrinsic
def copy_bytes(typingctx, to, source, n_bytes):
    """memcpy."""

    def codegen(context, builder, signature, args):
        byte = ir.IntType(8).as_pointer()
        cgutils.raw_memcpy(builder, builder.inttoptr(args[0], byte), builder.inttoptr(args[1], byte), args[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


def _call(result, *arguments):
    """A C function at a run-time address. Nothing is linked by name, so cached machine code holds no symbol that could be missing."""
    signature_types = (types.int64, *arguments)

    def make_codegen():
        def codegen(context, builder, signature, args):
            to_ir = context.get_value_type
            prototype = ir.FunctionType(to_ir(result) if result != types.void else ir.VoidType(), [to_ir(t) for t in arguments])
            value = builder.call(builder.inttoptr(args[0], prototype.as_pointer()), args[1:])
            return context.get_dummy_value() if result == types.void else value

        return codegen

    return result(*signature_types), make_codegen()


@intrinsic
def call_alloc_decompressor(typingctx, function):
    """struct libdeflate_decompressor *libdeflate_alloc_decompressor(void)"""
    return _call(types.int64)


@intrinsic
def call_free_decompressor(typingctx, function, decompressor):
    """void libdeflate_free_decompressor(struct libdeflate_decompressor *)"""
    return _call(types.void, types.int64)


@intrinsic
def call_deflate_decompress(typingctx, function, decompressor, source, n_source, to, n_to, n_written):
    """enum libdeflate_result libdeflate_deflate_decompress(...); 0 is success, and with n_written = NULL the output fills n_to exactly."""
    return _call(types.int32, types.int64, types.int64, types.int64, types.int64, types.int64, types.int64)


@intrinsic
def call_crc32(typingctx, function, crc, source, n_source):
    """uint32_t libdeflate_crc32(uint32_t, const void *, size_t)"""
    return _call(types.uint32, types.uint32, types.int64, types.int64)
