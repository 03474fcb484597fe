"""`gpuvc bench`: turns, ratios and their spread, what must be the same, and one whole run."""

import json
import math
import os
import shlex
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from gpuvc.bench import show
from gpuvc.bench.data import bench_data
from gpuvc.bench.figures import figures
from gpuvc.bench.run import Contest, choose_peers
from gpuvc.bench.spread import estimates, paired_ratios
from gpuvc.bench.turns import BUDGET_S, Contender, contenders, players
from gpuvc.errors import GpuvcError, UsageError
from gpuvc.kernels.cuda.emulate import emulator_problem
from tests.conftest import REPOSITORY


class TestSpread:
    def test_by_hand(self):
        (found,) = estimates([[1.0, 2.0, 4.0]])  # logarithms lie log 2 apart; the series alone makes the pool
        reach = 2.447 * math.log(2) * math.sqrt(2 + 2 / 3)  # t of 2 + 4 degrees of freedom
        assert found.value == pytest.approx(2) and found.n == 3
        assert found.high == pytest.approx(2 * math.exp(reach)) and found.low == pytest.approx(2 * math.exp(-reach))

    def test_repeats_that_are_alike_by_chance_are_not_believed(self):
        alike, unlike = estimates([[10.0, 10.0], [8.0, 12.5]])
        deviation = math.sqrt((0 + 4 * (math.log(12.5 / 8) ** 2 / 2) / 2) / 5)  # nothing of its own, four of the pool's
        assert math.log(alike.high / 10) == pytest.approx(2.571 * deviation * math.sqrt(3))
        assert unlike.high > alike.high

    def test_one_repeat_has_none_and_nothing_has_no_figure(self):
        assert estimates([[1.0], [1.0]]) == [(1.0, None, None, 1)] * 2
        assert estimates([[], [1.0, 0.0], [1.0, -0.1]]) == [None] * 3

    @pytest.mark.parametrize("n", [2, 3, 6])
    def test_another_run_falls_into_it(self, n):
        """Runs of ten series of n repeats that differ by 5 %; runs that do not differ as a whole, and runs that differ by as much."""
        rng = np.random.default_rng(20)

        def run(between):
            return estimates(np.exp(rng.normal(0, between, (10, 1)) + rng.normal(0, 0.05, (10, n))).tolist())

        held = {
            between: np.mean([a.holds(b.value) for _ in range(200) for a, b in zip(run(between), run(between))]) for between in (0, 0.05)
        }
        assert held[0] > 0.99 and 0.93 < held[0.05] < 0.98, held

    def test_a_slow_minute_cancels_in_pairs(self):
        slow = {1: 1.0, 2: 3.0, 3: 1.5}
        ours, theirs = ({i: seconds * factor for i, factor in slow.items()} for seconds in (2.0, 20.0))
        assert paired_ratios(theirs, ours) == pytest.approx([10, 10, 10])
        assert paired_ratios(theirs, {2: 6.0, 9: 1.0}) == [10]
        assert paired_ratios(theirs, {1: 2.0, 2: -0.1}) == []


class TestTurns:
    def test_everybody_plays_a_given_number(self):
        turn_s = {"gpuvc, 1 thread": 3.0, "gatk": 500.0}
        assert [len(players(turn_s, number, 1e9, repeats=2)) for number in (1, 2, 3)] == [2, 2, 0]

    def test_slow_ones_sit_out_and_the_budget_ends_it(self):
        turn_s = {"gpuvc, 1 thread": 4.0, "bcftools": 10.0, "gatk": 40.0}
        elapsed, played, number = 0.0, [], 0
        while names := players(turn_s, number := number + 1, elapsed):
            elapsed += sum(turn_s[name] for name in names)
            played.append(names)
        assert [len(names) for names in played] == [3, 3, 3, *[2] * 7]
        assert elapsed <= BUDGET_S
        assert players({"gpuvc, 1 thread": 10.0, "bcftools": 25.0}, 8, 345.0) != []
        assert players({"gpuvc, 1 thread": 10.0, "bcftools": 25.0}, 9, 380.0) == []
        # On a machine ten times slower: two of the slow, and not ten of anyone.
        slow = {name: 10 * seconds for name, seconds in turn_s.items()}
        assert players(slow, 2, 540.0) == list(slow) and players(slow, 3, 1080.0) == []

    def test_the_gpu_plays_where_there_is_one(self):
        assert [one.name for one in contenders(8, True, ["gatk"])] == [
            "gpuvc, 1 thread", "gpuvc, 8 threads", "gpuvc, GPU, 8 threads", "gpuvc, pileup, 1 thread", "gpuvc, pileup, 8 threads",
            "gpuvc, pileup, GPU, 8 threads", "gatk",
        ]  # fmt: skip
        assert [one.name for one in contenders(1, False, [])] == ["gpuvc, 1 thread", "gpuvc, pileup, 1 thread"]


class TestPeers:
    def test_missing_ones_are_named(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("GPUVC_GATK", raising=False)
        assert choose_peers() == ({}, dict.fromkeys(("bcftools", "freebayes", "gatk"), "not on PATH"))
        assert choose_peers("none") == ({}, {})
        with pytest.raises(UsageError, match="option --peers: found no freebayes and no gatk on GPUVC_GATK or PATH"):
            choose_peers("freebayes,gatk")

    def test_unknown_ones_are_refused(self):
        with pytest.raises(UsageError, match="option --peers: found 'strelka', expected names among bcftools, freebayes, gatk, or none"):
            choose_peers("strelka")

    def test_one_that_fails_is_named(self, monkeypatch, tmp_path):
        broken = tmp_path / "freebayes"
        broken.write_text("#!/bin/sh\necho version: v9; echo no such luck >&2; exit 3\n")
        broken.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        data = SimpleNamespace(reference=tmp_path / "r.fa", reads=tmp_path / "r.bam", one_kb="a:1-1000")
        with pytest.raises(UsageError, match=r"run of freebayes: found that it fails.*no such luck.*--peers"):
            Contest([Contender("freebayes")], data, tmp_path).warm_up(Contender("freebayes"))


def test_other_bytes_are_an_error(tmp_path):
    one, two, pileup = Contender("gpuvc", 1), Contender("gpuvc", 2), Contender("gpuvc, pileup")
    contest = Contest([one, two, pileup], None, tmp_path)
    for contender, text in ((one, "a"), (two, "a"), (pileup, "b")):
        contest.output(contender).write_text(text)
        contest.check_bytes(contender)
    contest.output(two).write_text("c")
    with pytest.raises(GpuvcError, match=r"calls of gpuvc, 2 threads.*found other bytes than in gpuvc-1thread\.vcf\.gz") as raised:
        contest.check_bytes(two)
    assert raised.value.exit_code == 70


def turn(repeat, cpu_s, startup_s=1.0):
    return {
        "repeat": repeat,
        "startup": {"cpu_s": startup_s, "wall_s": startup_s, "peak_bytes": 1},
        "whole": {"cpu_s": cpu_s, "wall_s": cpu_s / 2, "peak_bytes": 2_000_000},
    }


def test_speeds_and_ratios_by_hand():
    field = [Contender("gpuvc"), Contender("gatk")]
    turns = {"gpuvc, 1 thread": [turn(1, 3.0), turn(2, 3.0), turn(3, 2.0, 1.99)], "gatk": [turn(1, 21.0), turn(2, 21.0)]}
    found = figures(field, turns, mb=4.0)
    assert found["speeds"][1]["mb_per_cpu_s_apart"]["value"] == pytest.approx(0.2)
    assert found["speeds"][1]["cpu_s"] == 21 and found["speeds"][0]["peak_mb"] == 2
    (row,) = found["ratios"]
    assert (row["name"], row["to"]) == ("gpuvc, 1 thread", "gatk")
    assert row["cpu_s_apart"] == pytest.approx({"value": 10, "low": 10, "high": 10, "n": 2})
    assert row["cpu_s_whole"]["value"] == pytest.approx(7)
    # Start-up that takes longer than half of the run on the wall: nothing is left to be measured.
    assert found["speeds"][0]["mb_per_wall_s_apart"] is None


def test_a_spread_is_shown_as_far_as_it_tells_something():
    for low, high, shown in ((9.5, 10.55, "10 (9.5-10.6)"), (None, None, "10"), (0.1, 1000.0, "10 (no telling)")):
        assert show._with_spread({"value": 10.0, "low": low, "high": high, "n": 3}) == shown
    assert show._with_spread(None) == "-"


def test_a_whole_run(run_cli, tmp_path):
    ran = run_cli("bench", "--mb", "0.1", "--repeats", "2", "--threads", "2", "--peers", "none", "--output-dir", tmp_path)
    assert ran.code == 0, ran.err
    result = json.loads((tmp_path / "bench.json").read_text())
    names = ["gpuvc, 1 thread", "gpuvc, 2 threads", "gpuvc, pileup, 1 thread", "gpuvc, pileup, 2 threads"]
    assert [row["name"] for row in result["speeds"]] == list(result["turns"]) == names
    assert all([turn["repeat"] for turn in turns] == [1, 2] for turns in result["turns"].values())
    assert [(row["name"], row["to"]) for row in result["ratios"]] == [(names[1], names[0]), (names[3], names[2])]
    assert all(row["wall_s_whole"]["low"] < row["wall_s_whole"]["value"] < row["wall_s_whole"]["high"] for row in result["ratios"])
    assert set(result["same_bytes"]) == {"gpuvc", "gpuvc, pileup"}
    assert {"decode", "assembly", "likelihoods", "genotyping"} <= set(result["stages"][names[0]][0])
    assert result["data"]["seed"] == 1 and len(result["data"]["sha256"]["reads.bam"]) == 64
    # The commands are those to time by hand: they give the same calls again.
    calls = tmp_path / "calls" / "gpuvc-1thread.vcf.gz"
    before = calls.read_bytes()
    calls.unlink()
    program, *words = shlex.split(result["commands"][names[0]])
    assert program == "gpuvc"
    subprocess.run([sys.executable, "-m", program, *words], check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    assert calls.read_bytes() == before
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    # Accuracy against a truth that is known everywhere.
    for row in result["accuracy"]:
        assert row["fp"] + row["fn"] <= 3 and row["tp"] > (150 if row["kind"] == "SNV" else 20)
    assert [(row["name"], row["kind"]) for row in result["accuracy"]] == [
        (name, kind) for name in ("gpuvc", "gpuvc, pileup") for kind in ("SNV", "indel")
    ]
    shown = show.as_text(result)
    assert shown == "\n".join(line.rstrip() for line in ran.out.splitlines()).rpartition("\nEvery timing")[0]
    for words in ("How many times as fast", "Same bytes in every repeat: gpuvc, 1 thread; gpuvc, 2 threads", "Against the known truth"):
        assert words in shown
    if result["device"]["problem"]:
        assert "GPU: no CUDA device: not measured (" in shown and "GPU" not in shown.replace("GPU: no CUDA", "")


@pytest.mark.skipif(find_spec("numba_cuda") is None, reason="numba-cuda is not installed: pip install 'gpuvc[dev]'")
def test_the_gpu_is_held_to_the_cpu_s_bytes(tmp_path, monkeypatch):
    """The ways of a machine with a GPU, whose place the simulator takes: turns, bytes and ratios; its times mean nothing."""
    if problem := emulator_problem():
        pytest.skip(problem)
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")  # of the commands; this process has its Numba
    field = [one for one in contenders(1, True, []) if one.caller == "gpuvc"]
    assert [one.device for one in field] == ["cpu", "cuda"]
    data = bench_data(tmp_path, 0.02, depth=10)
    contest = Contest(field, data, tmp_path)
    contest.warm_up(field[1])
    for one in field:
        contest.turn(one, 1)
    assert len(contest.digests) == 1
    report = json.loads((tmp_path / "gpuvc-GPU-1thread.vcf.json").read_text())
    assert report["device"]["name"] == "cuda (CUDA simulator)" and report["records"]["total"] > 30
    (row,) = figures(field, contest.turns, 0.02)["ratios"]
    assert (row["name"], row["to"]) == ("gpuvc, GPU, 1 thread", "gpuvc, 1 thread") and row["wall_s_whole"]["value"] > 0
