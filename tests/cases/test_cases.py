"""Every folder here: call its reads, and hold the calls at the locus against the truth."""

from pathlib import Path

import pytest
import yaml

from gpuvc.evaluation.evaluate import evaluate

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/expected.yaml"))


def test_there_are_cases():
    assert CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(run_cli, tmp_path, case):
    expected = yaml.safe_load((case / "expected.yaml").read_text())
    locus = expected["locus"]
    calls, truth, bed = tmp_path / "calls.vcf", tmp_path / "truth.vcf", tmp_path / "locus.bed"
    done = run_cli("call", "-R", case / "ref.fa", "-I", case / "reads.bam", "-O", calls, "--device", "cpu", *expected.get("options", []))
    assert done.code == 0, done.err
    lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ttruth"]
    lines += [f"{locus['contig']}\t{v['pos']}\t.\t{v['ref']}\t{v['alt']}\t.\tPASS\t.\tGT\t{v['gt']}" for v in expected["truth"]]
    truth.write_text("\n".join(lines) + "\n")
    bed.write_text(f"{locus['contig']}\t{locus['start'] - 1}\t{locus['end']}\n")
    evaluation = evaluate(truth, calls, case / "ref.fa", bed)
    wrong = evaluation.scores().fp + evaluation.scores().fn
    if "known_wrong" in expected:
        assert wrong, f"{case.name} is called right now: take known_wrong out of its expected.yaml"
        pytest.xfail(expected["known_wrong"])
    assert not wrong, f"{expected['hard']}\n{calls.read_text()}"
