"""What this machine can do at best, measured: bytes a second when copying, operations a second of fused multiply-adds."""

import time
from statistics import median

import numpy as np

_COPIED = 64 << 20  # float32 numbers: 256 MB, far more than any cache holds
_ROUNDS = 4_000_000  # rounds of multiply-adds: a tenth of a second or so
_DEVICE_THREADS, _DEVICE_ROUNDS = 1 << 18, 4096


def cpu_ceilings(repeats):
    """{"copy_gb_s", "fma_gflop_s"} of one thread: bytes read and written, and float32 operations, two for each multiply-add."""
    from gpuvc.kernels.cpu import ceilings

    source, target = np.ones(_COPIED, np.float32), np.zeros(_COPIED, np.float32)
    values = np.full((ceilings.SUMS + 2) * ceilings.LANES, 1.0, np.float32)
    values[-2 * ceilings.LANES : -ceilings.LANES] = 0.5
    copy_s = _seconds(lambda: ceilings.copy(source, target), repeats, time.thread_time)
    fma_s = _seconds(lambda: ceilings.multiply_add(values, _ROUNDS), repeats, time.thread_time)
    return {"copy_gb_s": 2 * source.nbytes / copy_s / 1e9, "fma_gflop_s": ceilings.FLOP_A_ROUND * _ROUNDS / fma_s / 1e9}


def cuda_ceilings(repeats, n_copied=_COPIED, n_threads=_DEVICE_THREADS, n_rounds=_DEVICE_ROUNDS):
    """The same of the current CUDA device."""
    from numba import cuda

    from gpuvc.kernels.cuda import ceilings

    source, target = cuda.to_device(np.ones(n_copied, np.float32)), cuda.to_device(np.zeros(n_copied, np.float32))
    values = np.ones((ceilings.SUMS, n_threads + 2), np.float32)
    values[0, -2] = 0.5
    on_device = cuda.to_device(values)

    def waited(launch, *arguments):
        def run():
            launch(*arguments)
            cuda.synchronize()

        return run

    copy_s = _seconds(waited(ceilings.copy, source, target), repeats, time.perf_counter)
    fma_s = _seconds(waited(ceilings.multiply_add, on_device, n_rounds), repeats, time.perf_counter)
    return {
        "copy_gb_s": 8 * n_copied / copy_s / 1e9,
        "fma_gflop_s": 2 * ceilings.SUMS * n_threads * n_rounds / fma_s / 1e9,
    }


def _seconds(function, repeats, clock):
    """Median, after a first run that compiles and touches memory."""
    function()
    times = []
    for _ in range(repeats):
        before = clock()
        function()
        times.append(clock() - before)
    return median(times)
