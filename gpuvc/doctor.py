"""What this machine offers, what gpuvc will use, and why. For people and for fault reports."""

import importlib.metadata
import os
import platform
import shutil

_LIBRARIES = ("numpy", "numba", "llvmlite", "pysam", "deflate", "rich", "cupy-cuda12x", "cupy-cuda13x", "numba-cuda", "pyarrow", "dask")
_SIMD = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512bw", "neon", "sve")


def examine():
    """Yield the lines of the examination; what fails is named in its line, and the rest goes on."""
    from gpuvc import __version__

    yield _line("gpuvc", __version__)
    yield _line("Python", f"{platform.python_version()} ({platform.python_implementation()}), {platform.platform()}")
    yield _line("libraries", ", ".join(_versions()))
    yield _line("htslib", _htslib())
    yield _line("libdeflate", _tried(_libdeflate))
    yield _line("cores", f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}")
    yield _line("SIMD", _tried(_simd))
    yield _line("memory", _tried(_memory))
    yield _line("kernel cache", _tried(_kernel_cache))
    from gpuvc.backends import describe_devices

    for line in describe_devices():
        yield _line("device", line)


def _line(what, text):
    return f"{what:<13} {text}"


def _tried(question):
    """The answer, or the reason why there is none: one ailing part must not hide the others from a doctor."""
    try:
        return question()
    except Exception as error:
        return f"cannot be found out: {type(error).__name__}: {error}"


def _versions():
    for name in _LIBRARIES:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue


def _htslib():
    from pysam.version import __htslib_version__

    return __htslib_version__


def _libdeflate():
    from gpuvc.io.bgzf import libdeflate_source

    return libdeflate_source()


def _simd():
    """Of the processor, as the compiler of the kernels sees it."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    return f"{llvm.get_host_cpu_name()}: {' '.join(name for name in _SIMD if features.get(name)) or 'none of ' + ' '.join(_SIMD)}"


def _memory():
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (os.sysconf(name) * page / 2**30 for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    return f"{total:.1f} GiB, {free:.1f} GiB free"


def _kernel_cache():
    from gpuvc.kernels.jit import cache_base

    folder = cache_base() / "kernels"
    if not folder.exists():
        return f"{folder} (empty: the first run compiles)"
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 2**20
    return f"{folder} ({len(files)} files, {size:.1f} MiB; {shutil.disk_usage(folder).free / 2**30:.1f} GiB free there)"
