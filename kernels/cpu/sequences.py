"""Sequences of codes, thirty-two bases at once: compared, searched, copied.

Bit t of a mask speaks of the t-th base, so that what has to be done for a few bases is done for these and no other. Comparisons are
written as LLVM vectors, because the compiler makes none of a loop that may end early. They are split where registers are narrower; the
result is the same on every machine.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from gpuvc.kernels.jit import inner_kernel

WIDTH = 32


def _pointer(context, builder, array_type, array, at):
    """Where the vector that begins at row `at` of an array lies."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), ir.VectorType(ir.IntType(8), WIDTH).as_pointer())


def _load(context, builder, array_type, array, at):
    value = builder.load(_pointer(context, builder, array_type, array, at))
    value.align = 1
    return value


def _mask(builder, bits):
    """A vector of truths as an int64."""
    return builder.zext(builder.bitcast(bits, ir.IntType(WIDTH)), ir.IntType(64))


@intrinsic
def _unequal(typingctx, one, one_at, other, other_at):
    def generate(context, builder, signature, arguments):
        one, other = (_load(context, builder, signature.args[i], arguments[i], arguments[i + 1]) for i in (0, 2))
        return _mask(builder, builder.icmp_unsigned("!=", one, other))

    return types.int64(one, types.intp, other, types.intp), generate


@intrinsic
def _below(typingctx, values, at, threshold):
    def generate(context, builder, signature, arguments):
        kind = ir.VectorType(ir.IntType(8), WIDTH)
        filled = builder.insert_element(ir.Constant(kind, ir.Undefined), arguments[2], ir.IntType(32)(0))
        threshold = builder.shuffle_vector(filled, filled, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))
        values = _load(context, builder, signature.args[0], arguments[0], arguments[1])
        return _mask(builder, builder.icmp_unsigned("<", values, threshold))

    return types.int64(values, types.intp, types.uint8), generate


@intrinsic
def lowest_bit(typingctx, mask):
    """Place of the lowest bit that is set, of an int64 that has one."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], cgutils.true_bit)

    return types.int64(types.int64), generate


@intrinsic
def n_bits(typingctx, mask):
    """How many bits of an int64 are set."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), generate


@inner_kernel
def unequal_mask(one, one_at, other, other_at, size):
    """Bit t says that one[one_at + t] and other[other_at + t] differ, t < size <= WIDTH; both lie inside. uint8[any]."""
    if max(one_at - one.size, other_at - other.size) + WIDTH <= 0:
        return _unequal(one, one_at, other, other_at) & ((1 << size) - 1)
    more = WIDTH - size
    if min(one_at, other_at) >= more:
        return _unequal(one, one_at - more, other, other_at - more) >> more
    mask = 0
    for t in range(size):
        mask |= np.int64(one[one_at + t] != other[other_at + t]) << t
    return mask


@inner_kernel
def below_mask(values, at, threshold, size):
    """Bit t says that values[at + t] < threshold, t < size <= WIDTH; all lie inside. uint8[any], uint8."""
    if at + WIDTH <= values.size:
        return _below(values, at, threshold) & ((1 << size) - 1)
    more = WIDTH - size
    if at >= more:
        return _below(values, at - more, threshold) >> more
    mask = 0
    for t in range(size):
        mask |= np.int64(values[at + t] < threshold) << t
    return mask


@inner_kernel
def same_until(one, one_at, other, other_at, start, stop):
    """First offset from `start` on at which one[one_at:] and other[other_at:] differ; `stop` if none."""
    for t in range(start, stop, WIDTH):
        mask = unequal_mask(one, one_at + t, other, other_at + t, min(WIDTH, stop - t))
        if mask:
            return t + lowest_bit(mask)
    return stop


@inner_kernel
def copy_bases(source, source_at, target, target_at, length):
    """target[target_at:] = source[source_at:], so many; the two do not overlap."""
    # Indices without a sign: Numba counts negative ones from the end, and a loop that has to look is not made of vectors.
    source_at, target_at = np.uint64(source_at), np.uint64(target_at)
    for u in range(np.uint64(length)):
        target[target_at + u] = source[source_at + u]
