"""The one decorator of CPU kernels: compiled once a machine, never stale.

Numba's own cache notices an edit of the file a function stands in, but not of the functions it calls from other files. So the cache
lives in a folder named after a digest of every file that holds kernels, or constants of theirs: any edit anywhere starts a new folder.
"""

import hashlib
import os
import sys
from pathlib import Path

import numba

_KERNEL_FILES = ("kernels/**/*.py", "io/*.py", "pileup/*.py", "assembly/*.py", "likelihoods/*.py", "genotyping/*.py", "settings.py")


def kernel_sources():
    """All files that hold compiled functions, or constants that are compiled into them."""
    root = Path(__file__).absolute().parent.parent
    package = root if (root / "batches.py").exists() else root / "gpuvc"
    return [path for pattern in _KERNEL_FILES for path in sorted(package.glob(pattern))]


def _digest():
    """Digest of `kernel_sources`, and of the versions that compile them."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.version_info[:2]}".encode())
    for path in kernel_sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder():
    """Folder of the compiled kernels: NUMBA_CACHE_DIR if set, else the user's cache, below a digest of the sources."""
    base = os.environ.get("NUMBA_CACHE_DIR")
    if not base:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpuvc"
    return Path(base) / f"kernels-{_digest()}"


_CACHE = str(cache_folder())


def kernel(function=None, **options):
    """Compile `function` without the GIL, cached. Options are Numba's (`inline`, `boundscheck`, ...)."""

    def compile_it(function):
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = _CACHE
        try:
            return numba.njit(nogil=True, cache=True, **options)(function)
        finally:
            numba.config.CACHE_DIR = before

    return compile_it(function) if function else compile_it
