"""The decorators of CPU kernels: compiled once a machine, never stale.

Numba's own cache notices an edit of the file a function stands in, but not of the functions it calls from other files. So the kernels of
a file are kept in a folder named after a digest of it and of all files of the package that it imports, directly or through others: an
edit recompiles what can depend on it, and nothing else, and a second installation of the same sources nothing at all.

Numba optimises every function with all that it calls, and makes machine code of it, although what calls it does both again: the code of
a function deep down is made once for each way up. `inner_kernel` leaves both to the kernels that Python calls.

Numba counts who holds an array, in every function that has it as an argument: ten arrays cost a call more than most calls do. Here the
caller holds them. A function that makes arrays, or calls one that returns them, has to say so: `allocates=True`, and its own are counted.
"""

import ctypes
import hashlib
import logging
import os
import re
import sys
import tempfile
from functools import cache
from pathlib import Path

import numba
from numba import types
from numba.core import caching
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.types import unliteral

log = logging.getLogger(__name__)

_IMPORT = re.compile(rb"^ *from (gpuvc[\w.]*|\.+[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
_PACKAGE = next(folder for up in Path(__file__).absolute().parents for folder in (up, up / "gpuvc") if (folder / "batches.py").exists())


@cache
def imported_files(path):
    """frozenset of Path: the files of the package that the file imports from, anywhere in it."""
    found = set()
    for module, names in _IMPORT.findall(_text(path)):
        module = module.decode()
        dots = len(module) - len(module.lstrip("."))
        folder = path.parents[dots - 1] if dots else _PACKAGE.parent
        target = folder.joinpath(*module[dots:].split("."))
        if target.is_dir():
            names = re.sub(rb"#[^\n]*", b"", names.strip(b"()"))
            files = [target / f"{name.split()[0].decode()}.py" for name in names.split(b",") if name.strip()]
        else:
            files = [target.with_suffix(".py")]
        found.update(file.resolve() for file in files if file.exists())
    return frozenset(found)


@cache
def _text(path):
    return path.read_bytes()


def kernel_sources(path):
    """All files that what is compiled in the file at `path` can depend on: itself, and what it imports, directly or through others."""
    path = Path(path).resolve()
    sources, new = {path}, {path}
    while new:
        new = set().union(*map(imported_files, new)) - sources
        sources |= new
    return sorted(sources)


def cache_base():
    """Folder of all compiled kernels: NUMBA_CACHE_DIR if set, else gpuvc's in the user's cache."""
    base = os.environ.get("NUMBA_CACHE_DIR")
    return Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpuvc"


@cache
def _folder_name(path):
    digest = hashlib.sha256(f"{numba.__version__} {sys.version_info[:2]}".encode())
    for source in kernel_sources(path):
        digest.update(_text(source))
    return f"{path.stem}-{digest.hexdigest()[:16]}"


def cache_folder(path):
    """Folder of the kernels of the file at `path`."""
    return cache_base() / "kernels" / _folder_name(Path(path).resolve())


@cache
def _can_keep(base):
    """Whether kernels can be kept under `base`; says once why not."""
    try:
        base.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=base).close()
    except OSError as error:
        reason = error.strerror or error
        log.warning("kernels cannot be kept in %s (%s): each run compiles them anew. NUMBA_CACHE_DIR names another folder.", base, reason)
        return False
    return True


class _ByContent(caching._CacheLocator):
    """Where a kernel is kept: what the folder is named after is all that it depends on, so neither path nor time of its file matters."""

    def __init__(self, function, file):
        self._py_file = file
        self._line = function.__code__.co_firstlineno

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func, py_file)

    def get_cache_path(self):
        return str(cache_folder(self._py_file))

    def get_source_stamp(self):
        return None

    def get_disambiguator(self):
        return str(self._line)


class _Results(caching.CompileResultCacheImpl):
    _locator_classes = [_ByContent]  # noqa: RUF012 - as Numba has it


class _KernelCache(caching.FunctionCache):
    """Numba's cache of a function, in the place that `_ByContent` names; one that cannot be written is read."""

    _impl_class = _Results

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except (NotADirectoryError, PermissionError):
            return None

    def save_overload(self, sig, data):
        if _can_keep(cache_base()):
            super().save_overload(sig, data)


class _CheckedCompiler(Compiler):
    """Numba's compiler; refuses a function that would lose the memory of arrays which another made for it."""

    def compile_extra(self, func):
        result = super().compile_extra(func)
        for call, signature in () if self.state.flags.nrt else self.state.calltypes.items():
            if getattr(call, "op", None) != "call" or not isinstance(self.state.typemap[call.func.name], types.Dispatcher):
                continue
            if any(isinstance(value, types.Array) for value in getattr(signature.return_type, "types", [signature.return_type])):
                raise TypeError(f"{func.__qualname__} calls a kernel that returns arrays; declare it with allocates=True.")
        return result


def kernel(function=None, *, allocates=False, **options):
    """Compile `function` without the GIL, cached. allocates : it makes arrays. Options are Numba's (`inline`, `boundscheck`, ...)."""
    options |= {"_nrt": allocates, "pipeline_class": _CheckedCompiler}

    def compile_it(function):
        compiled = numba.njit(nogil=True, **options)(function)
        if not numba.config.DISABLE_JIT:
            compiled._cache = _KernelCache(function)
        return _for_any_value(compiled)

    return compile_it(function) if function else compile_it


class _NoEnvironment:
    """Stands for the engine where an entry point would be told its environment: code that is not loaded has no place for it."""

    @staticmethod
    def set_env(env_name, env):
        pass


class _InnerLibrary(JITCodeLibrary):
    """Code as it was lowered, with that of all it calls: neither optimised nor loaded, for others to link in."""

    codegen = _NoEnvironment

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name):
        """Where Python enters: a TypeError."""
        self._ensure_finalized()
        return ctypes.cast(ctypes.pythonapi.PyErr_BadArgument, ctypes.c_void_p).value


class _InnerCompiler(_CheckedCompiler):
    """Numba's compiler, into an `_InnerLibrary`."""

    def compile_extra(self, func):
        self.state.library = _InnerLibrary(self.state.targetctx.codegen(), func.__qualname__)
        return super().compile_extra(func)


def inner_kernel(function=None, *, allocates=False, **options):
    """Compile `function` for kernels to call, not Python; it is kept as part of each of them. Options as of `kernel`."""
    options |= {"_nrt": allocates, "nogil": True, "pipeline_class": _InnerCompiler, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

    def compile_it(function):
        return _for_any_value(numba.njit(**options)(function))

    return compile_it(function) if function else compile_it


def _for_any_value(compiled):
    """The same without versions of its own for arguments that are constants where it is called: one serves them all."""
    if not numba.config.DISABLE_JIT:
        find = compiled.get_call_template
        compiled.get_call_template = lambda args, kws: find(
            tuple(map(unliteral, args)), {name: unliteral(value) for name, value in kws.items()}
        )
    return compiled
