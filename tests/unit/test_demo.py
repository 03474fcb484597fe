"""How the demo counts: equal variants have equal keys, and a match needs allele and copies."""

import gzip
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pysam
import pytest

from gpuvc.demo import inside, read_alleles, score
from gpuvc.intervals import Contigs
from gpuvc.output.vcf import normal_forms

#            0123456789012
REFERENCE = "GATCACACACTTG"
GENOME = SimpleNamespace(window=lambda contig, start, end: np.array(["ACGTN".index(base) for base in REFERENCE[start:end]], np.uint8))


@pytest.mark.parametrize(
    "pos, ref, alt, expected",
    [
        (3, "C", "T", [(3, "C", "T")]),
        (2, "TC", "TT", [(3, "C", "T")]),
        (3, "CA", "TG", [(3, "C", "T"), (4, "A", "G")]),
        (2, "TCA", "GCT", [(2, "T", "G"), (4, "A", "T")]),
        (9, "CTT", "CT", [(9, "CT", "C")]),
        (7, "CAC", "C", [(2, "TCA", "T")]),
        (9, "C", "CAC", [(2, "T", "TCA")]),
        (8, "ACTT", "ACT", [(9, "CT", "C")]),
    ],
)
def test_normal_forms(pos, ref, alt, expected):
    assert REFERENCE[pos : pos + len(ref)] == ref
    assert normal_forms("c", pos, ref, alt, GENOME) == [("c", *form) for form in expected]


def test_alleles_of_a_file(tmp_path):
    lines = [
        "#CHROM",
        "c\t4\t.\tC\tT,A\t.\tPASS\t.\tGT:DP\t1/2:3",
        "c\t5\t.\tA\tG\t.\t.\t.\tDP:GT\t3:1|1",
        "c\t6\t.\tC\tG\t.\tLowQual\t.\tGT\t0/1",
        "c\t7\t.\tA\tG\t.\tPASS\t.\tGT\t0/0",
        "c\t8\t.\tC\t*\t.\tPASS\t.\tGT\t0/1",
    ]
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    found = read_alleles(path, GENOME)
    assert found == {("c", 3, "C", "T"): 1, ("c", 3, "C", "A"): 1, ("c", 4, "A", "G"): 2}


def test_inside_needs_every_reference_base():
    alleles = {("c", 3, "C", "T"): 1, ("c", 5, "C", "T"): 1, ("c", 4, "AC", "A"): 1, ("c", 2, "T", "C"): 1}
    kept = inside(alleles, [np.array([[3, 5], [7, 9]])], Contigs(("c",), (13,)))
    assert list(kept) == [("c", 3, "C", "T")]


def test_the_whole_demo(run_cli, tmp_path):
    done = run_cli("demo", "--output-dir", tmp_path / "a" / "demo", "--threads", "2")
    assert done.code == 0 and done.err == "", done.err
    names = ["NA12878.report.json", "NA12878.vcf.gz", "NA12878.vcf.gz.tbi"]
    assert sorted(path.name for path in (tmp_path / "a" / "demo").iterdir()) == names
    # Each row is a row of one of the two tables; the truth in the confident regions is 159 SNPs and 23 indels.
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.out.splitlines() if line.startswith("│")]
    found, snvs, indels = rows
    for (_, true, false, missed, precision, recall), total in ((snvs, 159), (indels, 23)):
        assert int(true) + int(missed) == total
        assert recall == f"{100 * int(true) / total:.2f} %" and precision == f"{100 * int(true) / (int(true) + int(false)):.2f} %"
        assert int(true) > 0.9 * total
    with pysam.VariantFile(str(tmp_path / "a" / "demo" / "NA12878.vcf.gz")) as variants:
        records = list(variants)
    passed = [record for record in records if list(record.filter) == ["PASS"]]
    kinds, copies = Counter(), Counter()
    for record in passed:
        for number, alt in enumerate(record.alts, 1):
            if alt == "*":  # counted where the deletion begins
                continue
            n = record.samples[0]["GT"].count(number)
            copies[n] += 1
            kinds["SNV" if len(alt) == len(record.ref) else "insertion" if len(alt) > len(record.ref) else "deletion"] += 1
            if len(alt) == len(record.ref) == 1:
                kinds["transition"] += {record.ref, alt} in ({"A", "G"}, {"C", "T"})
    ratios = [kinds["transition"] / (kinds["SNV"] - kinds["transition"]), copies[1] / copies[2]]
    assert found == [*map(str, [len(records), kinds["SNV"], kinds["insertion"], kinds["deletion"]]), *(f"{ratio:.2f}" for ratio in ratios)]


def test_a_folder_that_cannot_be_made(run_cli, tmp_path):
    (tmp_path / "file").write_text("")
    done = run_cli("demo", "--output-dir", tmp_path / "file" / "demo")
    assert done.code == 4 and "--output-dir" in done.err and len(done.err.splitlines()) == 1


def test_score():
    truth = {("c", 1, "A", "C"): 1, ("c", 2, "A", "C"): 2, ("c", 5, "A", "AC"): 1, ("c", 6, "AC", "A"): 1}
    found = {("c", 1, "A", "C"): 1, ("c", 2, "A", "C"): 1, ("c", 5, "A", "AC"): 1}
    assert score(truth, found) == {"SNV": (1, 1, 1), "indel": (1, 0, 1)}
