"""The demo: what it counts, prints and writes."""

from collections import Counter

import pysam

from gpuvc.demo import alleles_called
from gpuvc.evaluation.variants import read_call_set
from gpuvc.io.fasta import open_reference
from tests.builders import write_fasta


def test_alleles_called(tmp_path):
    reference = write_fasta(tmp_path / "ref.fa", {"c": "GATCACACACTTG"})
    lines = [
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts",
        "c\t4\t.\tC\tT,A\t.\tPASS\t.\tGT:DP\t1/2:3",  # a transition and a transversion, on one copy each
        "c\t5\t.\tA\tG\t.\t.\t.\tDP:GT\t3:1|1",
        "c\t6\t.\tC\tG\t.\tLowQual\t.\tGT\t0/1",
        "c\t7\t.\tA\tG\t.\tPASS\t.\tGT\t0/0",
        "c\t8\t.\tC\t*,G\t.\tPASS\t.\tGT\t1/2",
        "c\t9\t.\tAC\tGG\t.\tPASS\t.\tGT\t0/1",  # two substitutions
        "c\t10\t.\tC\tCAT\t.\tPASS\t.\tGT\t1/1",
        "c\t11\t.\tTT\tT\t.\tPASS\t.\tGT\t0/1",
    ]
    path = tmp_path / "a.vcf"
    path.write_text("\n".join(lines) + "\n")
    found = alleles_called(read_call_set(path, open_reference(reference).contigs, "calls"))
    assert found == {("SNV", True): [2, 1], ("SNV", False): [3, 0], ("insertion", False): [0, 1], ("deletion", False): [1, 0]}


def test_the_whole_demo(run_cli, tmp_path):
    done = run_cli("demo", "--output-dir", tmp_path / "a" / "demo", "--threads", "2")
    assert done.code == 0 and done.err == "", done.err
    names = ["NA12878.report.html", "NA12878.report.json", "NA12878.vcf.gz", "NA12878.vcf.gz.tbi"]
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
