"""Runs that are stopped from outside."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_stopped_leaves_nothing(demo_data, out, number, code):
    command = [sys.executable, "-m", "gpuvc", "call", "-R", demo_data.reference, "-I", "-", "-O", out / "calls.vcf.gz"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdin.write(Path(demo_data.bam).read_bytes()[:2_000_000])  # and then nothing more, so that the run waits
        run.stdin.flush()
        deadline = time.monotonic() + 60
        while not list(out.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert [path.name.startswith(".calls") for path in out.iterdir()] == [True]
        run.send_signal(number)
        assert run.wait(60) == code
        assert len(run.stderr.read().splitlines()) == 1
    assert list(out.iterdir()) == []
