"""No edit leaves a stale kernel behind: the cache's name is made of all files that a kernel can depend on."""

import ast
import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.registry import cpu_target
from numba.core.runtime import _nrt_python, rtsys

import gpuvc
from gpuvc.kernels import jit

PACKAGE = Path(gpuvc.__file__).parent
KERNELS = (PACKAGE / "kernels").resolve()
FILES = sorted({path.resolve() for folder in (PACKAGE, KERNELS) for path in folder.rglob("*.py")})


def _imports(path):
    """Files of the package that the file imports from, as Python itself reads it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not [name for name in node.names if name.name.startswith("gpuvc.")], f"{path}: import gpuvc.x hides what is used"
        if not isinstance(node, ast.ImportFrom) or not (node.level or (node.module or "").startswith("gpuvc")):
            continue
        base = path.parents[node.level - 1] if node.level else PACKAGE.parent
        target = base.joinpath(*(node.module or "").split("."))
        files = [target.with_suffix(".py")] + [target / f"{name.name}.py" for name in node.names]
        found |= {file.resolve() for file in files if file.exists()}
    return found


def test_imports_are_read_as_python_reads_them():
    holding = [path for path in FILES if "kernel" in path.read_text()]
    assert len(holding) > 40
    for path in holding:
        assert jit.imported_files(path) == _imports(path), path


@pytest.mark.parametrize(
    ("edited", "kept_in", "changes"),
    [
        ("kernels/codes.py", "assembly/graph.py", False),
        ("kernels/cpu/pileup.py", "genotyping/dependence.py", False),
        ("assembly/graph.py", "assembly/graph.py", True),
        ("assembly/graph.py", "assembly/assemble.py", True),
        ("kernels/codes.py", "pileup/candidates.py", True),
        ("assembly/graph.py", "caller.py", True),  # through assembly.assemble
    ],
)
def test_an_edit_makes_another_cache(monkeypatch, edited, kept_in, changes):
    kept_in = PACKAGE / kept_in
    edited = (PACKAGE / edited).resolve()
    before, text = jit.cache_folder(kept_in), jit._text
    monkeypatch.setattr(jit, "_text", lambda path: text(path) + b"#" * (path == edited))
    jit._folder_name.cache_clear()
    after = jit.cache_folder(kept_in)
    jit._folder_name.cache_clear()
    assert (after != before) == changes


def test_a_kernel_is_kept_in_the_folder_of_its_file():
    from gpuvc.assembly import trimming

    assert trimming.cut._cache.cache_path.startswith(str(jit.cache_folder(trimming.__file__)))


COUNTS_COMPILATIONS = """
import numpy as np
from numba.core import event
compiled = event.RecordingListener()
event.register("numba:compile", compiled)
from gpuvc.pileup.regions import smooth, smoothing_weights
smooth(np.ones(9), smoothing_weights(), np.empty(9))
print(sum(e.is_start for _, e in compiled.buffer))
"""


def _compilations(root, cache):
    environment = {**os.environ, "PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", COUNTS_COMPILATIONS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=root, check=True)
    return int(done.stdout), done.stderr


def test_the_same_sources_elsewhere_compile_nothing(tmp_path):
    for name in ("first", "second"):
        shutil.copytree(PACKAGE, tmp_path / name / "gpuvc", ignore=shutil.ignore_patterns("data", "__pycache__"))
    assert _compilations(tmp_path / "first", tmp_path / "cache")[0] > 0
    assert _compilations(tmp_path / "second", tmp_path / "cache") == (0, "")


def test_a_folder_that_takes_no_kernels_is_named_once(tmp_path):
    (tmp_path / "file").write_text("")
    n, said = _compilations(PACKAGE.parent, tmp_path / "file" / "cache")
    assert n > 0 and said.count("kernels cannot be kept in") == 1 and str(tmp_path / "file" / "cache") in said


def test_a_folder_that_is_read_only_is_read(tmp_path):
    if not shutil.which("unshare"):
        pytest.skip("this machine has no unshare (util-linux)")
    cache = tmp_path / "cache"
    assert _compilations(PACKAGE.parent, cache)[0] > 0
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    mounts = f"mount --bind {cache} {cache} && mount -o remount,bind,ro {cache} || exit 77; "
    command = [*namespace, "sh", "-c", mounts + 'exec "$@"', "sh", sys.executable, "-c", COUNTS_COMPILATIONS]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip(f"this machine allows no file system of one's own: {done.stderr.strip()}")
    assert (done.stdout, done.stderr) == ("0\n", "")


@jit.inner_kernel
def _doubled(x):
    return 2 * x


@jit.kernel
def _twice_doubled(x):
    return _doubled(_doubled(x))


def test_an_inner_kernel_is_part_of_what_calls_it():
    assert _twice_doubled(3) == 12
    _twice_doubled.recompile()  # what an earlier run left knows no inner kernel
    (inner,), (outer,) = _doubled.overloads.values(), _twice_doubled.overloads.values()
    assert outer.library.get_pointer_to_function(outer.fndesc.llvm_cpython_wrapper_name)
    engine = outer.library.codegen._engine
    assert engine.is_symbol_defined(outer.fndesc.llvm_func_name)
    assert not engine.is_symbol_defined(inner.fndesc.llvm_cpython_wrapper_name)


def test_python_cannot_enter_an_inner_kernel():
    with pytest.raises(TypeError, match="bad argument"):
        _doubled(3)


@jit.inner_kernel(allocates=True)
def _pair(x):
    return np.full(2, x)


@jit.kernel(allocates=True)
def _first_of_pair(x):
    return _pair(x)[0]


@jit.kernel
def _first_of_lost_pair(x):
    return _pair(x)[0]


def test_a_kernel_says_that_it_makes_arrays():
    assert _first_of_pair(3) == 3
    with pytest.raises(TypeError, match="_first_of_lost_pair calls a kernel that returns arrays; declare it with allocates=True"):
        _first_of_lost_pair(3)


def test_no_array_is_lost():
    rtsys.initialize(cpu_target.target_context)
    _nrt_python.memsys_enable_stats()
    try:
        _arrays_left_by_a_call()  # what is compiled and tabulated once stays
        assert _arrays_left_by_a_call() == 0
    finally:
        _nrt_python.memsys_disable_stats()


def _arrays_left_by_a_call():
    before = rtsys.get_allocation_stats()
    data = PACKAGE / "data"
    reads = data / "NA12878.chr20.100kb.bam"
    gpuvc.call_variants(data / "chr20.fa", reads, intervals=["chr20:40000-60000"], device="cpu", threads=1)
    gc.collect()
    after = rtsys.get_allocation_stats()
    assert after.mi_alloc > before.mi_alloc
    return (after.mi_alloc - before.mi_alloc) - (after.mi_free - before.mi_free)
