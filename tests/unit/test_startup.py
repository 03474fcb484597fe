"""What starting costs: nothing heavy for help, nothing compiled twice."""

import os
import subprocess
import sys
import time

import pytest

HEAVY = ("numba", "llvmlite", "pysam", "cupy", "dask", "fastapi", "rich", "pyarrow", "pandas")


def python(program, **environment):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **environment}, check=True
    ).stdout


@pytest.mark.parametrize(
    "program",
    ["import gpuvc", "from gpuvc.cli import main; main(['--help'])", "from gpuvc.cli import main; main(['call', '--help'])"],
    ids=["import", "help", "call help"],
)
class TestStart:
    def test_loads_nothing_heavy(self, program):
        loaded = python(f"import sys; {program}; print('loaded:', *sys.modules)").rpartition("loaded:")[2].split()
        assert "gpuvc" in loaded and not set(HEAVY) & set(loaded)

    def test_takes_less_than_300_ms(self, program):
        def seconds():
            before = time.perf_counter()
            python(program)
            return time.perf_counter() - before

        assert min(seconds() for _ in range(5)) < 0.3  # 0.06 s measured


def test_a_second_run_compiles_nothing(demo_data, tmp_path):
    program = f"""
import pysam
from numba.core import event
from gpuvc.cli import main
from gpuvc.kernels.jit import cache_base
compiled = event.RecordingListener()
event.register("numba:compile", compiled)
files = ["-R", {demo_data.reference!r}, "-I", {demo_data.bam!r}, "-O", {str(tmp_path / "a.vcf")!r}]
code = main(["call", *files, "-L", "chr20:10000-20000", "--QUIET"])
print(code, sum(e.is_start for _, e in compiled.buffer), any(cache_base().rglob("*.nbi")))
"""
    python(program)
    assert python(program).split() == ["0", "0", "True"]
