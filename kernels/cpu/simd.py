"""The inner loop of the PairHMM in explicit SIMD: one intrinsic that emits LLVM vector instructions.

Numba's compiler does not vectorise a scalar fused multiply-add, so the vectors are written out here. No fast-math flag is set: every
lane is IEEE round-to-nearest and each fused multiply-add rounds once, the same bits as CUDA's `__fmaf_rn` and `__fma_rn`. LLVM splits
vectors wider than the machine's registers, so the source and the results are the same for AVX-512, AVX2 and NEON. Where the processor
has no fused multiply-add, LLVM calls the C library's `fma`: the same bits still, some sixty times slower (`has_fma` tells).

Lanes and columns only decide how well the registers are used; no result depends on them.
"""

import llvmlite.binding
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

_DOUBLE_FMA = ("fma", "fma4")  # x86; on other machines it is part of the base instruction set


def _cpu_features():
    """Names of the features that Numba compiles for: the host's, or those of NUMBA_CPU_FEATURES (none for NUMBA_CPU_NAME=generic)."""
    if config.CPU_FEATURES is not None:
        return {word[1:] for word in config.CPU_FEATURES.split(",") if word.startswith("+")}
    return {name for name, is_there in llvmlite.binding.get_host_cpu_features().items() if is_there}


def _is_x86():
    return llvmlite.binding.get_process_triple().startswith(("x86_64", "i"))


def has_fma():
    """Whether the kernels run on fused multiply-add instructions; without them they give the same bits, slowly."""
    return not _is_x86() or any(name in _cpu_features() for name in _DOUBLE_FMA)


# Measured 2026-11-24 on an AMD EPYC (Zen 4), real regions: 8 x 8 fills its lanes better than 16 x 8 and is as fast. A column keeps two
# vectors in registers, of which AVX-512VL and NEON have 32 and AVX2 has 16.
LANES = 8
COLUMNS = 8 if "avx512vl" in _cpu_features() or not _is_x86() else 4


@intrinsic
def sweep(
    typingctx, n_rows, coefficients, row_letters, states, column_letters, first_column, lengths, extend, extend_step, start, corner, sums
):  # fmt: skip
    """Take COLUMNS haplotype columns through all rows of LANES (read, haplotype) pairs.

    For each row and column, in this order and no other (E = 1 where the letters match, `r` elsewhere):

        m = fma(E, S of the row above in the column before, smallest normal number)
        S = fma(l, v, fma(k, d, m));   d = fma(extend, d, m);   v of the row below = fma(e, v, m)

    n_rows, first_column : int
    coefficients : T[n_rows, 4, LANES], flat; T is float32 or float64
        e (of the row below), k, l, r.
    row_letters : I[n_rows, LANES], column_letters : I[first_column + COLUMNS or more, LANES], flat; I is the integer as wide as T
        Bit sets; they match when they share a bit.
    states : T[n_rows, 2, LANES], flat
        S and d of each row after the columns so far; updated.
    lengths : I[LANES]
        Columns of each lane's haplotype; those from there on are not summed.
    extend : T[n_rows, LANES] or T[LANES], flat
    extend_step : int
        From a row's `extend` to the next row's: LANES, or 0 when all rows have the same.
    start, corner : T[LANES]
        S above the first row in every column; v of the first row.
    sums : T[LANES]
        Updated: the v below the last row is added, column by column.
    """
    real, integer = coefficients.dtype, row_letters.dtype
    n_bits = real.bitwidth

    def generate(context, builder, signature, arguments):
        scalar, whole = (ir.FloatType(), ir.IntType(32)) if n_bits == 32 else (ir.DoubleType(), ir.IntType(64))
        vector, letters = ir.VectorType(scalar, LANES), ir.VectorType(whole, LANES)
        index = arguments[0].type
        positions = dict(zip(("coefficients", "row_letters", "states", "column_letters", "lengths", "extend", "start", "corner", "sums"),
                             (1, 2, 3, 4, 6, 7, 9, 10, 11), strict=True))  # fmt: skip
        data = {name: context.make_array(signature.args[i])(context, builder, arguments[i]).data for name, i in positions.items()}

        def pointer(name, at):
            kind = letters if name in ("row_letters", "column_letters", "lengths") else vector
            return builder.bitcast(builder.gep(data[name], [at]), kind.as_pointer())

        def load_at(name, at):
            value = builder.load(pointer(name, at))
            value.align = n_bits // 8
            return value

        def load(name, vector_index):
            return load_at(name, builder.mul(vector_index, index(LANES)))

        def store(name, vector_index, value):
            builder.store(value, pointer(name, builder.mul(vector_index, index(LANES)))).align = n_bits // 8

        def splat(value, kind):
            filled = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.IntType(32)(0))
            return builder.shuffle_vector(filled, filled, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))

        def constant(value):
            return ir.Constant(vector, [ir.Constant(scalar, value)] * LANES)

        fused = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{LANES}f{n_bits}")

        def fma(a, b, c):
            return builder.call(fused, [a, b, c])

        columns = range(COLUMNS)
        first_column = arguments[5]
        one, zero_letters = constant(1.0), ir.Constant(letters, [whole(0)] * LANES)
        smallest_normal = constant(2.0**-126 if n_bits == 32 else 2.0**-1022)
        haplotype = [load("column_letters", builder.add(first_column, index(j))) for j in columns]
        above = [cgutils.alloca_once_value(builder, load("start", index(0))) for _ in columns]
        carried = [cgutils.alloca_once_value(builder, load("corner", index(0))) for _ in columns]

        with cgutils.for_range(builder, arguments[0], intp=index) as loop:
            row = loop.index
            at = builder.mul(row, index(4))
            e, k, l, r = (load("coefficients", builder.add(at, index(i))) for i in range(4))  # noqa: E741
            c = load_at("extend", builder.mul(row, arguments[8]))
            letter = load("row_letters", row)
            at = builder.mul(row, index(2))
            s, d = load("states", at), load("states", builder.add(at, index(1)))
            for j in columns:
                matches = builder.icmp_unsigned("!=", builder.and_(letter, haplotype[j]), zero_letters)
                emission = builder.select(matches, one, r)
                v = builder.load(carried[j])
                m = fma(emission, builder.load(above[j]), smallest_normal)
                builder.store(s, above[j])
                s = fma(l, v, fma(k, d, m))
                d = fma(c, d, m)
                builder.store(fma(e, v, m), carried[j])
            store("states", at, s)
            store("states", builder.add(at, index(1)), d)

        length, total = load("lengths", index(0)), load("sums", index(0))
        for j in columns:
            column = builder.add(first_column, index(j))
            column = builder.trunc(column, whole) if n_bits < index.width else column
            is_inside = builder.icmp_signed("<", splat(column, letters), length)
            total = builder.select(is_inside, builder.fadd(total, builder.load(carried[j])), total)
        store("sums", index(0), total)
        return context.get_dummy_value()

    array, letters_array = types.Array(real, 1, "C"), types.Array(integer, 1, "C")
    signature = types.void(
        types.intp, array, letters_array, array, letters_array, types.intp, letters_array, array, types.intp, array, array, array
    )  # fmt: skip
    return signature, generate
