"""Which hardware runs the kernels; decided once, at the edge."""

import ctypes
import os

from gpuvc.errors import DeviceError, UsageError


def choose_backend(device):
    """The backend for "auto", "cpu" or "cuda", and a sentence on why.

    Raises DeviceError when "cuda" is asked for and there is no usable device; only "auto" falls back, and says so.
    """
    from gpuvc.backends.cpu import CpuBackend

    if device == "cpu":
        return CpuBackend(), "asked for"
    if device not in ("auto", "cuda"):
        raise UsageError(f"device: found {device}, expected auto, cpu or cuda.")
    problem = cuda_problem()
    if problem is None:
        from gpuvc.backends.cuda import CudaBackend

        return CudaBackend(), "asked for" if device == "cuda" else "a usable CUDA device was found"
    if device == "cuda":
        raise DeviceError(f"--device cuda: no usable CUDA device ({problem}). Use --device cpu, or see: gpuvc doctor")
    return CpuBackend(), f"no usable CUDA device ({problem})"


def cuda_problem():
    """Why CUDA kernels cannot run here, in a few words; None when they can (on a device, or simulated).

    The driver is asked first, which takes no time: importing numba.cuda takes some, and fails in many ways on machines without CUDA.
    """
    if not is_simulated():
        problem = _driver_problem()
        if problem is not None:
            return problem
    try:
        from gpuvc.backends.cuda import device_problem

        return None if is_simulated() else device_problem()
    except Exception as error:  # what is missing shows as ImportError, OSError or one of several packages' own errors
        reason = " ".join(str(error).split()).rstrip(":. ") or type(error).__name__
        return f"numba.cuda does not work here: {reason}; install gpuvc[cuda12] or gpuvc[cuda13], as the driver needs"


def _driver_problem():
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no NVIDIA driver: libcuda.so.1 was not found"
    code = driver.cuInit(0)
    if code != 0:
        return f"the NVIDIA driver does not start: cuInit returned {code}"
    count = ctypes.c_int()
    driver.cuDeviceGetCount(ctypes.byref(count))
    return None if count.value else "the NVIDIA driver sees no device"


def is_simulated():
    """Whether numba.cuda is its simulator (NUMBA_ENABLE_CUDASIM=1)."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def describe_devices():
    """Lines for `gpuvc doctor`: each device, and what --device auto takes."""
    problem = cuda_problem()
    if problem is not None:
        lines = [f"none usable: {problem}"]
    elif is_simulated():
        lines = ["CUDA simulator (NUMBA_ENABLE_CUDASIM=1): for tests, thousands of times slower than the CPU"]
    else:
        from gpuvc.backends.cuda import describe_cuda_devices

        lines = describe_cuda_devices()
    backend, reason = choose_backend("auto")
    return [*lines, f"--device auto uses {backend.name}: {reason}"]
