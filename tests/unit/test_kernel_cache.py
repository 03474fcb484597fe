"""No edit leaves a stale kernel behind: what is compiled lies in files that the cache's name is made of."""

import ast
from pathlib import Path

import pytest

import gpuvc
from gpuvc.kernels.jit import cache_folder, kernel_sources

PACKAGE = Path(gpuvc.__file__).parent
COVERED = {path.resolve() for path in kernel_sources()}


def test_every_kernel_is_covered():
    holding = [path for path in PACKAGE.rglob("*.py") if "\n@kernel" in path.read_text()]
    holding += [path for path in (PACKAGE / "kernels").resolve().rglob("*.py") if "\n@kernel" in path.read_text()]
    assert len(holding) > 15
    assert {path.resolve() for path in holding} <= COVERED


def test_constants_of_kernels_are_covered():
    """Names in capitals that kernels use are numbers compiled into them, wherever they were imported from."""
    n_found = 0
    for path in COVERED:
        tree = ast.parse(path.read_text())
        home = {
            name.name: PACKAGE.joinpath(*node.module.split(".")[1:]).with_suffix(".py").resolve()
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module.startswith("gpuvc.")
            for name in node.names
        }
        kernels = [
            node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and "kernel" in map(ast.unparse, node.decorator_list)
        ]
        used = {node.id for function in kernels for node in ast.walk(function) if isinstance(node, ast.Name) and node.id.isupper()}
        for name in used & home.keys():
            n_found += 1
            assert home[name] in COVERED, f"{name} in {path}"
    assert n_found > 20


@pytest.mark.parametrize("edited", ["settings.py", "likelihoods/score.py", "kernels/cpu/align.py"])
def test_an_edit_makes_another_cache(monkeypatch, edited):
    before, read_bytes = cache_folder(), Path.read_bytes
    edited = (PACKAGE / edited).resolve()
    monkeypatch.setattr(Path, "read_bytes", lambda self: read_bytes(self) + b"#" * (self.resolve() == edited))
    assert cache_folder() != before
