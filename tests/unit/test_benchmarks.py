"""What the benchmarks report can be trusted: inputs, costs, scores and tables."""

import sys

import pysam
import pytest

from benchmarks import accuracy, bench_stages, datasets, measure, tables


def test_tiles_are_the_reads_they_were_made_of(tmp_path):
    once = datasets.load("na12878-50x", tmp_path, tmp_path)
    tiled = datasets.load("na12878-50x-x3", tmp_path, tmp_path)
    start, end = datasets.TILED_SPAN
    with pysam.AlignmentFile(str(once.reads)) as source, pysam.AlignmentFile(str(tiled.reads)) as tiles:
        reads = {}
        for read in source.fetch("chr20", start, end):
            reads[read.query_name, read.flag] = (read.reference_start - start, read.cigarstring, read.query_sequence, read.template_length)
        for contig in ("tile1", "tile3"):
            laid = list(tiles.fetch(contig))
            assert len(laid) > 51_000
            for read in laid:
                name = read.query_name.rsplit(":", 1)[0]
                seen = (read.reference_start, read.cigarstring, read.query_sequence, read.template_length)
                assert seen == reads[name, read.flag]
                assert read.next_reference_name == contig
    with pysam.FastaFile(str(once.reference)) as source, pysam.FastaFile(str(tiled.reference)) as tiles:
        assert tiles.fetch("tile2") == source.fetch("chr20", start, end)


def test_missing_data_are_named(tmp_path):
    with pytest.raises(datasets.Unavailable, match=r"NA12878\.wgs7x\.bam"):
        datasets.load("na12878-7x", tmp_path, tmp_path)


def test_cost_counts_every_process_of_a_pipeline(tmp_path):
    burn = "import sys, time\nwhile time.process_time() < 0.3: pass\nprint(sys.stdin.read() + 'x', end='')"
    out = tmp_path / "out"
    cost = measure.run([[sys.executable, "-c", burn]] * 2, stdout=out)
    assert out.read_text() == "xx"
    assert 0.6 <= cost.cpu_s < 2
    assert 2**20 < cost.peak_bytes < 2**25


def test_memory_is_the_command_s_own():
    """And not that of the process that measures, which holds a lot more."""
    held = bytearray(200 << 20)
    held[::4096] = b"x" * len(held[::4096])
    assert measure.run([["true"]]).peak_bytes < 50 << 20
    assert len(held) > measure.run([[sys.executable, "-c", "x = bytearray(100 << 20); x[::4096] = x[1::4096]"]]).peak_bytes > 100 << 20


def test_failure_of_a_command_is_not_a_cost():
    with pytest.raises(RuntimeError, match="no such thing"):
        measure.run([[sys.executable, "-c", "import sys; sys.exit('no such thing')"], ["cat"]])


def test_scores_by_hand():
    assert accuracy.scores(tp=8, fp=2, fn=8) == {"tp": 8, "fp": 2, "fn": 8, "precision": 0.8, "recall": 0.5, "f1": 0.615385}
    assert accuracy.scores(0, 0, 0)["f1"] == 0


def test_tables_fill_their_blocks_only():
    page = "a\n<!-- begin one -->\nold\n<!-- end one -->\nb\n<!-- begin two -->\n<!-- end two -->\n"
    filled = tables.filled(page, {"one": r"\1 new", "two": "2"})
    assert filled == "a\n<!-- begin one -->\n\\1 new\n<!-- end one -->\nb\n<!-- begin two -->\n2\n<!-- end two -->\n"


def test_every_step_of_a_stage_is_timed_region_by_region(tmp_path):
    dataset = datasets.load("na12878-50x", tmp_path, tmp_path)
    together, before, n_regions = bench_stages.timed_run(dataset, ["chr20:50000-55000"])
    alone, _, same_regions = bench_stages.timed_run(dataset, ["chr20:50000-55000"], one_by_one=True)
    assert n_regions == same_regions > 5
    for name in [name for names in bench_stages.STEPS.values() for name in names]:
        assert len(together[name]) == 1, name
        assert len(alone[name]) == n_regions, name
    assert all(before[stage] > 0 for stage in bench_stages.BEFORE)
