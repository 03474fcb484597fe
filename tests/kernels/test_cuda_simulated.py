"""Runs the tests of this folder that need CUDA in a process of its own, on numba.cuda's simulator.

The simulator is chosen when Numba is imported, so this process, where most tests compile for the CPU alone, cannot turn to it.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gpuvc.backends import is_simulated

HERE = Path(__file__).parent


@pytest.mark.skipif(is_simulated(), reason="this is the simulated run")
@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed: pip install 'gpuvc[dev]'")
def test_kernels_on_the_simulator():
    command = [sys.executable, "-m", "pytest", str(HERE), "-k", "cuda", "-p", "no:cacheprovider", "-W", "error::RuntimeWarning"]
    ran = subprocess.run(
        command, cwd=HERE.parent.parent, env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True, timeout=600
    )
    assert ran.returncode == 0, ran.stdout[-10_000:] + ran.stderr[-2_000:]
    (n_passed,) = re.findall(r"(\d+) passed", ran.stdout)
    assert int(n_passed) > 100, ran.stdout
