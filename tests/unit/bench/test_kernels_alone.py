"""Each kernel alone: it is given what calling gives it, and its work is counted."""

import json

import numpy as np
import pytest

from benchmarks import datasets
from gpuvc.backends.cpu import CpuBackend
from gpuvc.bench.kernels import OPERATIONS, arguments_of, n_items, timed


def test_keeps_the_largest_call_of_every_operation(tmp_path):
    kept = arguments_of(
        datasets.load("na12878-50x", tmp_path, tmp_path), intervals=["chr20:30001-31000", "chr20:80001-80010"]
    )  # fmt: skip
    n = {operation: n_items(operation, arguments) for operation, arguments in kept.items()}
    assert set(n) == set(OPERATIONS)
    # 1 kb and its surroundings at 50x; a plain SNV with two genotypes beside the reference's has three times its reads.
    assert 50_000 < n["pile_up"] < 300_000
    assert n["genotype_likelihoods"] >= 3 * n["observe"] > 3 * len(kept["score_segments"][0]) > 0
    read_slots, read_offsets, *_ = kept["pair_hmm"]
    haplotype_slots, haplotype_offsets = kept["pair_hmm"][6:8]
    pairs = [
        (read_offsets[i + 1] - read_offsets[i]) * (haplotype_offsets[j + 1] - haplotype_offsets[j])
        for region in range(len(read_slots) - 1)
        for i in range(read_slots[region], read_slots[region + 1])
        for j in range(haplotype_slots[region], haplotype_slots[region + 1])
    ]
    assert n["pair_hmm"] == sum(pairs) > 100_000
    for operation, arguments in kept.items():
        (seconds,) = timed(getattr(CpuBackend, operation), 1, iter((0.0, 0.5, 1.0, 2.0)).__next__, lambda a=arguments: a)
        assert seconds == 1.0


def test_short_runs_are_timed_several_at_once():
    calls = []
    # The second run takes 0.02 s by this clock: three of them make up the least time of a repeat.
    (seconds,) = timed(lambda: calls.append(1), 1, iter((0.0, 0.02, 1.0, 4.0)).__next__)
    assert seconds == 1.0 and len(calls) == 2 + 3


def test_the_command_measures_them_beside_the_ceilings(run_cli, tmp_path):
    ran = run_cli("bench", "--kernels", "--mb", "0.03", "--repeats", "2", "--peers", "none", "--output-dir", tmp_path)
    assert ran.code == 0, ran.err
    result = json.loads((tmp_path / "kernels.json").read_text())
    rows = {row["kernel"]: row for row in result["kernels"]["rows"]}
    assert set(OPERATIONS) | {"decode", "activity", "assembly", "likelihoods", "genotyping"} <= set(rows)
    assert all(row["per_cpu_s"]["value"] > 0 and len(row["seconds"]) == 2 for row in rows.values())
    ceilings = result["kernels"]["ceilings"]["cpu"]
    assert ceilings["copy_gb_s"] > 0.5 and ceilings["fma_gflop_s"] > 2
    hmm = rows["pair_hmm"]
    assert hmm["share"] == pytest.approx(10 * hmm["items"] / hmm["cpu_s"] / 1e9 / ceilings["fma_gflop_s"])
    assert 0.01 < hmm["share"] < 2  # prefixes that haplotypes share are not computed again, but counted
    assert "GCUPS" in ran.out and "% of FMA" in ran.out
    assert (tmp_path / "kernels.png").read_bytes().startswith(b"\x89PNG")


def test_multiply_adds_are_done():
    """As often as asked, in every sum and lane: x / 2 + 1 tends to 2."""
    from gpuvc.kernels.cpu.ceilings import FLOP_A_ROUND, LANES, SUMS, multiply_add

    values = np.full((SUMS + 2) * LANES, 1.0, np.float32)
    values[SUMS * LANES : (SUMS + 1) * LANES] = 0.5
    multiply_add(values, 3)
    assert np.all(values[: SUMS * LANES] == 1.875) and FLOP_A_ROUND == 2 * SUMS * LANES
