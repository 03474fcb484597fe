"""Each reason for which two call sets differ, and what the command writes."""

import json

import pytest

from gpuvc.evaluation import compare as module
from gpuvc.evaluation.compare import compare
from tests.unit.evaluation.conftest import SEQUENCE


def reasons(comparison):
    """(in, POS) → reason of every difference."""
    return {(row["in"], row["pos1"]): row["reason"] for row in comparison.differences()}


@pytest.mark.parametrize(
    ("a", "b", "options", "expected"),
    [
        (["3 T C 0/1"], ["3 T C 1/1"], {}, {("A", 3): module.OTHER_GENOTYPE, ("B", 3): module.OTHER_GENOTYPE}),
        (["3 T C 0/1"], ["3 T C 0/1 LowQual"], {}, {("A", 3): module.FILTERED}),
        (["3 T C 0/1"], ["3 T C 1/1 LowQual"], {}, {("A", 3): module.FILTERED}),
        (["3 T C 0/1"], ["3 T C 0/1 LowQual"], {"all_records": True}, {}),
        (["3 T C 0/1"], ["3 T C 0/1 PASS 5"], {"min_qual": 10.0}, {("A", 3): module.BELOW_QUAL}),
        (["3 T C 0/1"], ["3 T C 0/1 PASS 5"], {}, {}),
        (["3 T C 0/1"], ["3 T G 0/1"], {}, {("A", 3): module.OTHER_ALLELES, ("B", 3): module.OTHER_ALLELES}),
        (["4 T G 0/1"], ["3 TTA T 0/1"], {}, {("A", 4): module.OTHER_ALLELES, ("B", 3): module.OTHER_ALLELES}),
        # The same change told otherwise, and wrong: it touches, and lies in the same repeat.
        (["10 TCA T 0/1"], ["17 C A 0/1"], {}, {("A", 10): module.OTHER_ALLELES, ("B", 17): module.OTHER_ALLELES}),
        (["3 T C 0/1"], ["3 T C 0/0"], {}, {("A", 3): module.NOT_VARIANT}),
        (["3 T C 0/1"], ["20 G T 0/1"], {}, {("A", 3): module.ONLY, ("B", 20): module.ONLY}),
        (["10 TCA T 1/1"], ["15 CAC C 1/1"], {}, {}),
    ],
)
def test_reasons(vcf, reference, a, b, options, expected):
    assert reasons(compare(vcf("a.vcf", *a), vcf("b.vcf", *b), reference, **options)) == expected


def test_counts_by_class(vcf, reference):
    a = vcf("a.vcf", "3 T C 0/1", "10 TCA T 1/1", "20 G T 0/1")
    b = vcf("b.vcf", "3 T C 1|0", "15 CAC C 1/1", f"101 {SEQUENCE[100]} {SEQUENCE[100]}T 0/1")
    comparison = compare(a, b, reference)
    assert comparison.counts() == {module.SAME: (1, 0, 1, 0), module.OTHER_RECORDS: (0, 1, 0, 1), module.ONLY: (1, 0, 0, 1)}
    assert list(comparison.to_pandas().pos1) == [20, 101]
    assert module.OTHER_RECORDS in comparison._repr_html_()


def test_what_stands_beside(vcf, reference):
    comparison = compare(vcf("a.vcf", "3 T C 0/1"), vcf("b.vcf", "3 T C 1/1 LowQual"), reference)
    assert [row["other"] for row in comparison.differences()] == ["3 T>C 1/1 LowQual"]


def test_regions(vcf, reference, tmp_path):
    (tmp_path / "a.bed").write_text("c\t15\t30\n")
    comparison = compare(vcf("a.vcf", "3 T C 0/1", "20 G T 0/1"), vcf("b.vcf"), reference, tmp_path / "a.bed")
    assert reasons(comparison) == {("A", 20): module.ONLY}


def test_command(run_cli, vcf, reference, tmp_path):
    a, b = vcf("a.vcf", "3 T C 0/1", "20 G T 0/1"), vcf("b.vcf", "3 T C 0/1")
    done = run_cli("compare", a, b, "-R", reference, "-O", tmp_path / "out")
    assert done.code == 0 and done.err == "", done.err
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.out.splitlines() if line.startswith("│")]
    assert cells == [[module.SAME, "1", "0", "1", "0"], [module.ONLY, "1", "0", "0", "0"]]
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["counts"][module.ONLY] == {"a": {"SNV": 1, "indel": 0}, "b": {"SNV": 0, "indel": 0}}
    lines = [line.split("\t") for line in (tmp_path / "out.tsv").read_text().splitlines()]
    assert lines[1] == ["A", "c", "20", "G", "T", "0/1", "50", "PASS", module.ONLY, ""]
    alone = run_cli("compare", a, "-R", reference)
    assert alone.code == 2 and "expected two" in alone.err
    other = run_cli("compare", a, vcf("d.vcf", "3 T C 0/1", contig="d"), "-R", reference)
    assert other.code == 1 and "contigs in" in other.err
