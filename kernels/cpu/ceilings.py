"""What one core can do at best: bytes moved, and fused multiply-adds. Twin of `cuda/ceilings.py`; other kernels are held against these."""

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..jit import kernel

# Enough independent sums to hide the latency of an FMA (4 cycles, 2 a cycle), few enough for AVX2's 16 registers.
SUMS = 12
_FEATURES = llvmlite.binding.get_host_cpu_features()
LANES = 16 if _FEATURES.get("avx512f") else 8 if _FEATURES.get("avx2") else 4
FLOP_A_ROUND = 2 * SUMS * LANES


@kernel
def copy(source, target):
    """Copy an array; reads and writes its bytes once."""
    for i in range(source.size):
        target[i] = source[i]


@intrinsic
def _rounds(typingctx, values, n_rounds):
    def generate(context, builder, signature, arguments):
        vector = ir.VectorType(ir.FloatType(), LANES)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        index = arguments[1].type
        fused = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{LANES}f32")

        def pointer(i):
            return builder.bitcast(builder.gep(data, [index(i * LANES)]), vector.as_pointer())

        def load(i):
            value = builder.load(pointer(i))
            value.align = 4
            return value

        factor, addend = load(SUMS), load(SUMS + 1)
        sums = [cgutils.alloca_once_value(builder, load(i)) for i in range(SUMS)]
        with cgutils.for_range(builder, arguments[1], intp=index):
            for one in sums:
                builder.store(builder.call(fused, [builder.load(one), factor, addend]), one)
        for i, one in enumerate(sums):
            builder.store(builder.load(one), pointer(i)).align = 4
        return context.get_dummy_value()

    return types.void(types.Array(types.float32, 1, "C"), types.intp), generate


@kernel
def multiply_add(values, n_rounds):
    """SUMS * LANES running sums, each `n_rounds` times multiplied and added to: FLOP_A_ROUND operations a round.

    values : float32[(SUMS + 2) * LANES]
        The sums, updated; then the factor and the addend of each lane.
    """
    _rounds(values, n_rounds)
