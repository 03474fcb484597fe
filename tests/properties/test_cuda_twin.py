"""The whole program gives the same bytes on the CPU and on CUDA: here on numba.cuda's simulator, in a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
REGION = "chr20:62501-82500"  # 20 kb with 24 records, among them SNVs, insertions, deletions, and reads over 60 candidate loci


@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed: pip install 'gpuvc[dev]'")
def test_same_bytes_on_simulated_cuda(demo_data, tmp_path):
    def call(device, simulator, *options):
        out, report = tmp_path / f"{device}.vcf", tmp_path / f"{device}.json"
        # Overflow in the simulator's scalars, which a device would not see, is an error.
        command = [sys.executable, "-W", "error::RuntimeWarning", "-m", "gpuvc", "call", "-R", demo_data.reference, "-I", demo_data.bam]
        command += ["-O", out, "-L", REGION, "--no-version", "--device", device, "--report", report, "--QUIET", *options]
        subprocess.run(command, check=True, cwd=REPOSITORY, env={**os.environ, "NUMBA_ENABLE_CUDASIM": simulator}, timeout=600)
        return out.read_bytes(), json.loads(report.read_text())["device"]

    on_cpu, cpu = call("cpu", "0")
    on_cuda, cuda = call("cuda", "1", "--threads", "2", "--shard-bytes", "400000")  # two shards, whose calls take turns
    assert on_cuda == on_cpu
    records = [line.split(b"\t") for line in on_cpu.splitlines() if not line.startswith(b"#")]
    assert len(records) > 20
    lengths = [len(record[4]) - len(record[3]) for record in records]
    assert min(lengths) < 0 < max(lengths) and lengths.count(0) > 10
    assert ("CPU" in json.dumps(cpu)) and ("CUDA simulator" in json.dumps(cuda))
