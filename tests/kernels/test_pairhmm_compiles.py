"""`pairhmm.cu` compiles to machine code for every architecture we name, without a device."""

import importlib.util
import re

import numpy as np
import pytest

from benchmarks.compile_cuda import ARCHITECTURES, compile_source, sm
from gpuvc.backends import is_simulated
from gpuvc.kernels.cuda.pairhmm import GAPS_BY_BASE, SOURCE, TILES, kernel_name

pytestmark = [
    pytest.mark.skipif(is_simulated(), reason="the simulator has no compiler"),
    pytest.mark.skipif(importlib.util.find_spec("cuda") is None, reason="cuda-bindings is not installed: pip install 'gpuvc[dev]'"),
]
NAMES = {"prepare_f32", "prepare_f64"} | {kernel_name(dtype, tile) for dtype, tiles in TILES.items() for tile in tiles}


@pytest.mark.parametrize(
    "architecture, options",
    [*((architecture, ()) for architecture in ARCHITECTURES), ((9, 0), GAPS_BY_BASE)],
    ids=[*map(sm, ARCHITECTURES), "gap continuation by base"],
)
def test_compiles(architecture, options):
    compiled = compile_source(SOURCE, architecture, *options)
    assert set(compiled) == NAMES
    for name, kernel in compiled.items():
        assert kernel.registers <= 255  # one warp a block: eight or more blocks fit on a multiprocessor
        # Outside of the loop over columns: coefficients that wait for it.
        assert kernel.spill_store_bytes <= (192 if name == kernel_name(np.float64, (32, 16)) else 16), name
        assert kernel.cubin.startswith(b"\x7fELF")


def test_nothing_is_rounded_by_a_compilers_choice():
    """Every operation of the column loop is a `_rn` one, which none may fuse or split behind the source's back."""
    (ptx,) = {kernel.ptx for kernel in compile_source(SOURCE, (9, 0)).values()}
    assert ".ftz" not in ptx and ".approx" not in ptx
    entries = {part.split("(")[0].strip(): part for part in ptx.split(".entry")[1:]}
    assert set(entries) == NAMES
    for name, text in entries.items():
        bits = 32 if "f32" in name else 64
        operations = set(re.findall(r"\b(?:mul|add|sub|fma|div|mad)\.(?:\w+\.)*f(?:32|64)\b", text))
        if name.startswith("forward"):
            assert operations == {f"{operation}.rn.f{bits}" for operation in ("mul", "add", "fma")}, name
        else:  # frexp and ldexp multiply by powers of 2, without rounding
            assert operations <= {f"{operation}.f64" for operation in ("mul.rn", "add.rn", "sub.rn", "div.rn", "fma.rn", "mul", "add")}, (
                name
            )
