"""A stand-in for a CUDA device that runs `pairhmm.cu` on the CPU, for tests: exact, and thousands of times slower than a device.

It needs a C++ compiler (CXX, or c++, g++, clang++ on PATH) on an x86-64 machine.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from ..cpu.simd import has_fma
from ..jit import cache_base

_SOURCE = Path(__file__).parent / "pairhmm_emulator.cc"


def emulator_problem():
    """Why the emulator cannot be had here, in a few words; None when it can."""
    if platform.machine() != "x86_64":
        return f"the emulator of pairhmm.cu runs on x86_64, not on {platform.machine()}"
    return None if _compiler() else "no C++ compiler: c++, g++ and clang++ were not found, and CXX is not set"


def _compiler():
    return next(filter(None, map(shutil.which, filter(None, (os.environ.get("CXX"), "c++", "g++", "clang++")))), None)


@cache
def _library(options):
    """The emulator, compiled once for a state of the sources and options.

    Raises RuntimeError with what the compiler says when it fails.
    """
    folder = cache_base() / "emulator"
    sources = (source.read_bytes() for source in (_SOURCE, _SOURCE.with_name("pairhmm.cu")))
    digest = hashlib.sha256(b"".join((*sources, " ".join(options).encode()))).hexdigest()
    library = folder / f"pairhmm-{digest[:16]}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch) / library.name
            options = ["-O2", "-std=c++17", "-ffp-contract=off", "-shared", "-fPIC", *(["-mfma"] if has_fma() else []), *options]
            done = subprocess.run([_compiler(), *options, "-o", made, _SOURCE], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"{_SOURCE.name} does not compile:\n{done.stderr}")
            made.replace(library)
    return ctypes.CDLL(library)


class EmulatedDevice:
    """The four things that `pairhmm.py` asks of a device; its arrays are NumPy's."""

    def __init__(self):
        problem = emulator_problem()
        if problem is not None:
            raise RuntimeError(problem)
        _library(())

    upload = staticmethod(np.ascontiguousarray)
    empty = staticmethod(np.empty)
    download = staticmethod(np.asarray)

    def launch(self, name, options, n_blocks, n_threads, *arguments):
        scalars = {np.int32: ctypes.c_int32, np.float32: ctypes.c_float, np.float64: ctypes.c_double}
        values = [value.ctypes if isinstance(value, np.ndarray) else scalars[type(value)](value) for value in arguments]
        pointers = [ctypes.c_void_p(value.data) if hasattr(value, "data") else value for value in values]
        getattr(_library(options), f"emulate_{name}")(ctypes.c_int32(n_blocks), ctypes.c_int32(n_threads), *pointers)
