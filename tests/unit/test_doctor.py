"""The doctor answers every question, whatever ails."""

import gpuvc.doctor


def test_answers(run_cli):
    done = run_cli("doctor")
    assert done.code == 0 and done.err == ""
    answers = dict(line.split(maxsplit=1) for line in done.out.splitlines() if not line.startswith("kernel cache"))
    assert {"gpuvc", "Python", "libraries", "htslib", "libdeflate", "cores", "SIMD", "memory", "device"} <= set(answers)
    assert "numba" in answers["libraries"] and "GiB" in answers["memory"] and "usable of" in answers["cores"]
    assert "cannot be found out" not in done.out
    assert "--device auto uses " in done.out.splitlines()[-1]


def test_an_ailing_part_is_named_and_the_rest_goes_on(run_cli, monkeypatch):
    def ail():
        raise OSError("it hurts here")

    monkeypatch.setattr(gpuvc.doctor, "_simd", ail)
    done = run_cli("doctor")
    assert done.code == 0
    assert "SIMD          cannot be found out: OSError: it hurts here" in done.out and "--device auto uses" in done.out


def test_an_empty_cache_is_said_to_be_empty(run_cli, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "none"))
    assert "(empty: the first run compiles)" in run_cli("doctor").out
