"""Runs that are stopped from outside."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gpuvc import caller
from gpuvc.output.files import PartialFile


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


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_while_threads_work(run_cli, small, out, monkeypatch, number, code):
    whole = caller.call_shard

    def stop(shard, *arguments, **more):
        if shard.contig_id == 1:
            os.kill(os.getpid(), number)
        return whole(shard, *arguments, **more)

    monkeypatch.setattr(caller, "call_shard", stop)
    options = ["--threads", "2", "--shard-bytes", "500"]
    done = run_cli("call", "-R", small.reference, "-I", small.bam, "-O", out / "calls.vcf.gz", *options)
    assert done.code == code and len(done.err.splitlines()) == 1
    assert list(out.iterdir()) == [] and not [t for t in threading.enumerate() if t.name.startswith("gpuvc")]


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_while_files_get_their_names(run_cli, small, out, monkeypatch, number, code):
    publish = PartialFile.publish

    def stop(file):
        signal.raise_signal(number)
        publish(file)

    monkeypatch.setattr(PartialFile, "publish", stop)
    done = run_cli("call", "-R", small.reference, "-I", small.bam, "-O", out / "calls.vcf.gz")
    assert done.code == code and len(done.err.splitlines()) == 1
    assert sorted(path.name for path in out.iterdir()) == ["calls.vcf.gz", "calls.vcf.gz.tbi"]
