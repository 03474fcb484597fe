"""Every CUDA kernel compiles to machine code for every architecture we name, without a device."""

import importlib.util
import re

import pytest

from benchmarks.compile_cuda import ARCHITECTURES, compile_kernel, kernels, sm
from gpuvc.backends import is_simulated

pytestmark = [
    pytest.mark.skipif(is_simulated(), reason="the simulator has no compiler"),
    pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed: pip install 'gpuvc[dev]'"),
]
OPERATIONS = ("pile_up", "collect_indels", "observe", "score_segments", "genotype_likelihoods")


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=sm)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_compiles(operation, architecture):
    compiled = compile_kernel(*kernels()[operation], architecture)
    assert f".target {sm(architecture)}" in compiled.ptx
    assert compiled.cubin.startswith(b"\x7fELF")
    assert compiled.spill_store_bytes == compiled.spill_load_bytes == 0
    # 128 threads of a block have to fit into the 65,536 registers of a multiprocessor, with room for a few blocks more.
    assert compiled.registers <= 128
    # The same bits on any device: nothing but integers, so no rounding; and nothing that the driver would have to find later.
    assert not re.search(r"\.f(16|32|64)\b", compiled.ptx)
    assert ".extern" not in compiled.ptx


def test_covers_every_kernel():
    assert set(kernels()) == set(OPERATIONS)
