"""Compile every CUDA kernel for every architecture, without a device: registers, stack and spills of each.

    python -m benchmarks.compile_cuda [--out FILE]

NVVM (NVRTC for CUDA C++) makes PTX and nvJitLink machine code of it, as on a device; `pip install 'gpuvc[dev]'` brings them. It shows
that the kernels compile and what they take of a multiprocessor, not that they are right or how fast they are. Writes
benchmarks/results/cuda_compile.json and the table of docs/gpu.md.
"""

import argparse
import importlib
import pkgutil
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchmarks import measure

# Turing (T4), Ampere (A100; A10), Hopper (H100), Blackwell (B200; RTX 50).
ARCHITECTURES = ((7, 5), (8, 0), (8, 6), (9, 0), (10, 0), (12, 0))


@dataclass(frozen=True)
class Compiled:
    """stack_bytes: local memory of a thread, arrays and spills; the spills are what did not fit into registers."""

    ptx: str
    cubin: bytes
    registers: int
    stack_bytes: int
    spill_store_bytes: int
    spill_load_bytes: int


def sm(architecture):
    """The name of a compute capability, given as (major, minor)."""
    return "sm_{}{}".format(*architecture)


def kernels():
    """(Python function, types of its arguments) of every CUDA kernel, by operation."""
    import gpuvc.kernels.cuda
    from gpuvc.kernels.cuda.launch import KERNELS

    for module in pkgutil.iter_modules(gpuvc.kernels.cuda.__path__):
        importlib.import_module(f"gpuvc.kernels.cuda.{module.name}")
    return dict(KERNELS)


def compile_kernel(function, types, architecture):
    """Compiled for one compute capability, given as (major, minor)."""
    from numba import cuda

    ptx, _ = cuda.compile(function, cuda.types.void(*types), device=False, abi="numba", cc=architecture)
    cubin, log = _link(ptx.encode(), architecture)
    (registers,) = re.findall(r"Used (\d+) registers", log)
    ((stack, stores, loads),) = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", log)
    return Compiled(ptx, cubin, int(registers), int(stack), int(stores), int(loads))


def compile_source(path, architecture, *more_options):
    """{kernel: Compiled} of a CUDA C++ file, as CuPy compiles it: NVRTC, then the linker for the figures."""
    from cuda.bindings import nvrtc

    status, program = nvrtc.nvrtcCreateProgram(path.read_bytes(), path.name.encode(), 0, [], [])
    options = [f"--gpu-architecture=compute_{architecture[0]}{architecture[1]}".encode(), b"--std=c++17"]
    options += [option.encode() for option in more_options]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        log = b" " * nvrtc.nvrtcGetProgramLogSize(program)[1]
        nvrtc.nvrtcGetProgramLog(program, log)
        raise RuntimeError(f"{path.name} does not compile for {sm(architecture)}:\n{log.decode()}")
    ptx = b" " * nvrtc.nvrtcGetPTXSize(program)[1]
    nvrtc.nvrtcGetPTX(program, ptx)
    nvrtc.nvrtcDestroyProgram(program)
    cubin, log = _link(ptx.rstrip(b"\0"), architecture)
    names = re.findall(r"Compiling entry function '(\w+)'", log)
    registers = re.findall(r"Used (\d+) registers", log)
    memory = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", log)
    return {
        name: Compiled(ptx.decode(), cubin, int(used), *map(int, bytes_used))
        for name, used, bytes_used in zip(names, registers, memory, strict=True)
    }


def _link(ptx, architecture):
    """Machine code of the PTX, and what the assembler says about it."""
    from cuda.bindings import nvjitlink

    handle = nvjitlink.create(2, [f"-arch={sm(architecture)}", "-verbose"])
    try:
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, ptx, len(ptx), "kernel.ptx")
        nvjitlink.complete(handle)
        cubin = bytearray(nvjitlink.get_linked_cubin_size(handle))
        nvjitlink.get_linked_cubin(handle, cubin)
        log = bytearray(nvjitlink.get_info_log_size(handle))
        nvjitlink.get_info_log(handle, log)
    finally:
        nvjitlink.destroy(handle)
    return bytes(cubin), log.decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=measure.RESULTS / "cuda_compile.json")
    options = parser.parse_args()
    from gpuvc.kernels.cuda.pairhmm import SOURCE

    compiled = [(name, cc, compile_kernel(*kernel, cc)) for name, kernel in kernels().items() for cc in ARCHITECTURES]
    from_source = {cc: compile_source(SOURCE, cc) for cc in ARCHITECTURES}
    compiled += [(name, cc, from_source[cc][name]) for name in from_source[ARCHITECTURES[0]] for cc in ARCHITECTURES]
    results = []
    for name, architecture, kernel in compiled:
        row = {"kernel": name, "architecture": sm(architecture), "cubin_bytes": len(kernel.cubin)}
        row |= {what: getattr(kernel, what) for what in ("registers", "stack_bytes", "spill_store_bytes", "spill_load_bytes")}
        print(row)
        results.append(row)
    versions = {name: metadata.version(name) for name in ("numba-cuda", "cuda-bindings", "cuda-toolkit")}
    measure.write(options.out, measure.circumstances(versions) | {"results": results})


if __name__ == "__main__":
    main()
