"""What a device can do at best: bytes moved, and fused multiply-adds. Twin of `cpu/ceilings.py`; not run on a device yet."""

from numba import cuda

SUMS = 8  # independent sums of a thread; with 8 warps a scheduler far more than an FMA's latency of 4 cycles asks for


@cuda.jit
def _copy(source, target):
    for i in range(cuda.grid(1), source.size, cuda.gridsize(1)):
        target[i] = source[i]


@cuda.jit
def _multiply_add(values, n_rounds):
    i = cuda.grid(1)
    if i < values.shape[1] - 2:
        factor, addend = values[0, values.shape[1] - 2], values[0, values.shape[1] - 1]
        a, b, c, d = values[0, i], values[1, i], values[2, i], values[3, i]
        e, f, g, h = values[4, i], values[5, i], values[6, i], values[7, i]
        for _ in range(n_rounds):
            a = cuda.fma(a, factor, addend)
            b = cuda.fma(b, factor, addend)
            c = cuda.fma(c, factor, addend)
            d = cuda.fma(d, factor, addend)
            e = cuda.fma(e, factor, addend)
            f = cuda.fma(f, factor, addend)
            g = cuda.fma(g, factor, addend)
            h = cuda.fma(h, factor, addend)
        values[0, i], values[1, i], values[2, i], values[3, i] = a, b, c, d
        values[4, i], values[5, i], values[6, i], values[7, i] = e, f, g, h


def copy(source, target):
    """Launch: copy an array on the device; reads and writes its bytes once."""
    _copy[4096, 256](source, target)


def multiply_add(values, n_rounds):
    """Launch: SUMS running sums a thread, each `n_rounds` times multiplied and added to.

    values : float32[SUMS, n_threads + 2] on the device
        The sums, updated; the last two columns of the first row are the factor and the addend.
    """
    _multiply_add[-(-(values.shape[1] - 2) // 256), 256](values, n_rounds)
