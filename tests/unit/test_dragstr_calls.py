"""Whole calls with DRAGstr: what it changes, what it does not, and what the output says of it."""

import pytest

import gpuvc
from gpuvc.evidence import BEFORE_BP, BEHIND_BP, look_inside
from gpuvc.output.vcf import format_call
from gpuvc.settings import DRAGEN_MODE
from tests.conftest import REPOSITORY

MADE_UP = REPOSITORY / "tests" / "golden" / "dragstr.made_up.txt"
DRAGEN = gpuvc.Settings(concordance="hc", **DRAGEN_MODE)
WHERE = ["chr20:6000-15000"]
PLACE = 7458


@pytest.fixture(scope="module")
def call(demo_data):
    def run(settings=DRAGEN, **options):
        run = gpuvc.call_variants(demo_data.reference, demo_data.bam, settings=settings, intervals=WHERE, device="cpu", **options)
        return [format_call(call, "chr20") for call in run.calls]

    return run


def test_without_either_use_nothing_changes(call):
    assert call(dragstr_params_path=MADE_UP, dragstr_pair_hmm_scores=False, dragstr_priors=False) == call()


def test_each_use_changes_calls(call):
    uses = [{}, {"dragstr_pair_hmm_scores": False}, {"dragstr_priors": False}, {"dragstr_het_hom_ratio": 7}]
    found = [tuple(call(dragstr_params_path=MADE_UP, **use)) for use in uses]
    assert len({tuple(call()), *found}) == 5
    with_info = [{line.count("DRAGstr") for line in lines} for lines in found]
    assert with_info == [{0, 2}, {0, 2}, {0}, {0, 2}]


def test_threads_and_shards(call):
    """Repeats are counted around a region, wherever shards begin."""
    whole = call(dragstr_params_path=MADE_UP, threads=1)
    assert call(dragstr_params_path=MADE_UP, threads=2, shard_bytes=20_000) == whole


def test_a_look_inside_sees_the_same_calls(call, demo_data):
    wanted = [line for line in call(dragstr_params_path=MADE_UP) if PLACE - BEFORE_BP <= int(line.split("\t")[1]) < PLACE + BEHIND_BP]
    seen = look_inside(demo_data.reference, demo_data.bam, f"chr20:{PLACE}", settings=DRAGEN, dragstr_params_path=MADE_UP).calls
    assert len(wanted) > 1 and [line for line in (format_call(call, "chr20") for call in seen) if line in wanted] == wanted


def test_explained(demo_data):
    told = gpuvc.explain(demo_data.reference, demo_data.bam, f"chr20:{PLACE}", settings=DRAGEN, dragstr_params_path=MADE_UP)
    (info,) = (call["info"] for call in told["calls"] if call["pos"] == PLACE)
    assert info["DRAGstrInfo"] == [1, 11] and info["DRAGstrParams"] == [25.1, 9.7, 16.3]


def test_header(demo_data, tmp_path):
    def header(name, **options):
        out = tmp_path / name
        gpuvc.call_variants(
            demo_data.reference, demo_data.bam, out, settings=DRAGEN, intervals=["chr20:7000-7100"], version_header=False, **options
        )
        return [line for line in out.read_text().splitlines() if line.startswith("##")]

    plain, ours = header("plain.vcf"), header("dragstr.vcf", dragstr_params_path=MADE_UP, dragstr_het_hom_ratio=3)
    new = [line for line in ours if line not in plain]
    assert [line for line in ours if line in plain] == plain
    assert [line.split(",")[0] for line in new] == [
        "##INFO=<ID=DRAGstrInfo", "##INFO=<ID=DRAGstrParams", "##gpuvcDragstr=het_hom_ratio=3 scores_gaps=True is_prior=True"
    ]  # fmt: skip


def test_no_output_replaces_the_tables(demo_data, tmp_path):
    tables = tmp_path / "out.vcf"
    tables.write_text(MADE_UP.read_text())
    with pytest.raises(gpuvc.UsageError, match="--dragstr-params-path"):
        gpuvc.call_variants(demo_data.reference, demo_data.bam, tables, settings=DRAGEN, dragstr_params_path=tables)
    with pytest.raises(gpuvc.UsageError, match="--dragstr-params-path: found it with --engine pileup"):
        gpuvc.call_variants(demo_data.reference, demo_data.bam, settings=gpuvc.Settings(engine="pileup"), dragstr_params_path=tables)
