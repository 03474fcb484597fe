"""How CUDA kernels are compiled and launched: the decorators, and the shapes of grids.

Every kernel strides over its items, so any grid gives the same answer; the shape is a matter of speed alone.
"""

import os
import threading
from importlib import metadata

from numba import config, cuda

from ..jit import cache_folder

THREADS = 128  # of a block: 4 warps. Not tuned; no kernel was timed on a device yet.
LANES = 32  # threads that share one read where they stride over its bases: a warp, so that they touch neighbouring columns
MAX_BLOCKS = 1 << 16  # more items than these hold are strided over

# Under the simulator each thread is one of Python: few of them, with many items each. More than one block and more than one
# lane remain, so that strides and atomics are put to the test.
SIMULATED_BLOCKS, SIMULATED_THREADS, SIMULATED_LANES = 2, 8, 4

KERNELS: dict[str, tuple] = {}
"""(Python function, Numba types of its arguments) by name of the operation: for compiling ahead, and to check what a launch is given."""


def is_simulated():
    """Whether numba.cuda is its simulator (NUMBA_ENABLE_CUDASIM=1 when Numba was imported)."""
    return bool(config.ENABLE_CUDASIM)


def _take_turns():
    """Let each simulated thread run until it ends or waits at a barrier before the next one starts.

    The simulator starts all threads of a block at once and polls them, and its atomics share a lock: threads that meet there pass
    both this lock and the interpreter's to each other, at up to 5 ms for each addition (540 times slower, by the largest test).
    """
    from numba.cuda.simulator.kernel import BlockThread

    def start(thread):
        threading.Thread.start(thread)
        while thread.is_alive() and not thread.syncthreads_blocked:
            thread.join(timeout=0.001)

    BlockThread.start = start


if is_simulated():
    _take_turns()


def cuda_kernel(*types):
    """Decorator of the kernel `_name` of the operation `name`: compiled for the device at hand on first launch, and cached.

    The cache lies where the CPU kernels' does, for the same reason (`gpuvc.kernels.jit`), apart for each version of numba-cuda.
    """

    def decorate(function):
        KERNELS[function.__name__.removeprefix("_")] = function, types
        if is_simulated():
            return cuda.jit(function)
        before = config.CACHE_DIR
        config.CACHE_DIR = os.fspath(cache_folder(function.__code__.co_filename) / f"numba-cuda-{metadata.version('numba-cuda')}")
        try:
            return cuda.jit(cache=True)(function)
        finally:
            config.CACHE_DIR = before

    return decorate


def device_function(cpu_function):
    """The source of a CPU kernel (`gpuvc.kernels.jit.kernel`) for use in CUDA kernels: the arithmetic is written once.

    Inlined into its caller by Numba, so that a kernel can be compiled for a device that is not there.
    """
    return cuda.jit(device=True, inline="always")(cpu_function.py_func)


def grid_of(n_items):
    """Blocks and threads for one thread an item; `n_items` is above 0."""
    if is_simulated():
        return SIMULATED_BLOCKS, SIMULATED_THREADS
    return min(-(-n_items // THREADS), MAX_BLOCKS), THREADS


def grid_of_lanes(n_items):
    """Blocks and (lanes, items) threads for LANES threads an item; `n_items` is above 0."""
    if is_simulated():
        return SIMULATED_BLOCKS, (SIMULATED_LANES, SIMULATED_THREADS // SIMULATED_LANES)
    items = THREADS // LANES
    return min(-(-n_items // items), MAX_BLOCKS), (LANES, items)
