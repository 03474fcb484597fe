"""Loads, stores and calls at raw addresses, for kernels that walk packed bytes.

Addresses are int64 everywhere: Numba turns uint64 + int64 into float64. None of these checks a bound; who calls them has done so.
Memory is little-endian, as BAM is.
"""

import sys

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from gpuvc.kernels.codes import N

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
def unpack_32_bases(typingctx, source, to):
    """The 32 bases that BAM packs into the 16 bytes at `source`, as 32 bytes of codes at `to`.

    One-hot nibbles 1, 2, 4, 8 (A, C, G, T) become 0 to 3 as (x >> 1) - (x >> 3); every other nibble becomes N. Vectors of LLVM, which it
    splits to the machine's width.
    """
    byte = ir.IntType(8)
    packed, unpacked = ir.VectorType(byte, 16), ir.VectorType(byte, 32)
    interleaved = ir.Constant(ir.VectorType(ir.IntType(32), 32), [k // 2 + 16 * (k % 2) for k in range(32)])

    def all_lanes(value):
        return ir.Constant(unpacked, [value] * 32)

    def codegen(context, builder, signature, args):
        x = builder.load(builder.inttoptr(args[0], packed.as_pointer()), align=1)
        high = builder.lshr(x, ir.Constant(packed, [4] * 16))
        low = builder.and_(x, ir.Constant(packed, [15] * 16))
        x = builder.shuffle_vector(high, low, interleaved)
        codes = builder.sub(builder.lshr(x, all_lanes(1)), builder.lshr(x, all_lanes(3)))
        without_lowest_bit = builder.and_(x, builder.sub(x, all_lanes(1)))
        has_two_bits = builder.icmp_unsigned("!=", without_lowest_bit, all_lanes(0))
        has_none = builder.icmp_unsigned("==", x, all_lanes(0))
        codes = builder.select(builder.or_(has_two_bits, has_none), all_lanes(N), codes)
        builder.store(codes, builder.inttoptr(args[1], unpacked.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


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
