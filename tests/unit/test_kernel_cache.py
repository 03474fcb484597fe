"""No edit leaves a stale kernel behind: the cache's name is made of all files that a kernel can depend on."""

import ast
from pathlib import Path

import pytest

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
