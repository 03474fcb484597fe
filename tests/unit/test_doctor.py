"""The doctor answers every question, whatever ails."""

import os
import re
from pathlib import Path

import gpuvc.doctor
import gpuvc.kernels.jit


def test_answers(run_cli):
    done = run_cli("doctor")
    assert done.code == 0 and done.err == ""
    answers = dict(line.split(maxsplit=1) for line in done.out.splitlines() if not line.startswith("kernel cache"))
    assert {"gpuvc", "Python", "libraries", "htslib", "libdeflate", "cores", "SIMD", "memory", "device"} <= set(answers)
    assert "numba" in answers["libraries"] and "GiB" in answers["memory"] and "usable of" in answers["cores"]
    assert "cannot be found out" not in done.out
    assert answers["cores"].split() == [str(len(os.sched_getaffinity(0))), "usable", "of", str(os.cpu_count())]
    kib = int(re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text()).group(1))
    assert answers["memory"].split()[0] == f"{kib / 2**20:.1f}"
    assert "--device auto uses " in done.out.splitlines()[-1]


def test_an_ailing_part_is_named_and_the_rest_goes_on(run_cli, monkeypatch):
    def ail():
        raise OSError("it hurts here")

    monkeypatch.setattr(gpuvc.doctor, "_simd", ail)
    done = run_cli("doctor")
    assert done.code == 0
    assert "SIMD          cannot be found out: OSError: it hurts here" in done.out and "--device auto uses" in done.out


def test_the_cache_is_measured(run_cli, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = gpuvc.kernels.jit.cache_base() / "kernels"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a").write_bytes(bytes(3 << 20))
    (folder / "b").write_bytes(bytes(1 << 20))
    assert f"{folder} (2 files, 4.0 MiB; " in run_cli("doctor").out


def test_an_empty_cache_is_said_to_be_empty(run_cli, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "none"))
    assert "(empty: the first run compiles)" in run_cli("doctor").out
