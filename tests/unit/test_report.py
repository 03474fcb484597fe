"""The run report: complete, plain, and JSON."""

import json
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from gpuvc.output.report import peak_memory_bytes, report_json, run_report, variant_type
from gpuvc.settings import Settings
from gpuvc.timing import Clock


def report(**changes):
    clock = Clock()
    with clock.stage("decode"):
        time.sleep(0.01)
    clock.add("decode.bytes", 77)
    values = {
        "command_line": "gpuvc call",
        "settings": Settings(),
        "reference": "ref.fa",
        "alignments": {"a.bam": 1234, "-": None},
        "output": "out.vcf",
        "samples": ("NA12878",),
        "device": "cpu",
        "device_reason": "no GPU",
        "threads": 2,
        "started_at": datetime.now(UTC) - timedelta(seconds=5),
        "reads_seen": 10,
        "reads_used": 7,
        "reads_filtered": {"NotDuplicateReadFilter": np.int64(3)},
        "bases": np.int64(700),
        "targets_bp": 1000,
        "candidate_loci": 4,
        "regions": 2,
        "records_by_type": {"SNV": 2, "deletion": 1},
        "records_by_filter": {"PASS": 2, "LowQual": 1},
        "clock": clock,
        "compile_s": 0.25,
    }
    return run_report(**values | changes)


def test_contents():
    found = json.loads(report_json(report()))
    assert found["reads"] == {"seen": 10, "used": 7, "bases": 700, "filtered": {"NotDuplicateReadFilter": 3}}
    assert found["records"] == {"total": 3, "by_type": {"SNV": 2, "deletion": 1}, "by_filter": {"PASS": 2, "LowQual": 1}}
    assert found["inputs"]["alignments"] == [{"path": "a.bam", "bytes": 1234}, {"path": "-", "bytes": None}]
    assert found["settings"]["min_base_quality"] == 10 and found["device"] == {"name": "cpu", "reason": "no GPU"}
    assert found["seconds"]["stages"]["decode"]["wall"] >= 0.01 > found["seconds"]["stages"]["decode"]["cpu"]
    assert 5 <= found["seconds"]["wall"] < 6 and found["seconds"]["compile"] == 0.25 and found["counts"] == {"decode.bytes": 77}
    assert datetime.fromisoformat(found["started"]) < datetime.fromisoformat(found["ended"])
    assert found["version"] and found["command"] == "gpuvc call" and found["output"] == "out.vcf"


def test_peak_memory_is_in_bytes():
    before = peak_memory_bytes()
    assert 10 << 20 < before < 64 << 30
    block = np.ones(before + (64 << 20), np.uint8)
    assert peak_memory_bytes() >= block.nbytes


def test_numbers_that_json_lacks_are_faults():
    with pytest.raises(ValueError):
        report_json(report(compile_s=float("nan")))


@pytest.mark.parametrize(
    "ref, alts, expected",
    [
        ("A", ["C"], "SNV"),
        ("A", ["C", "G"], "SNV"),
        ("AC", ["GT"], "MNV"),
        ("AC", ["AT"], "SNV"),
        ("A", ["AC"], "insertion"),
        ("AC", ["A"], "deletion"),
        ("AC", ["A", "GC"], "mixed"),
        ("AC", ["A", "*"], "deletion"),
    ],
)
def test_types(ref, alts, expected):
    assert variant_type(ref, alts) == expected
