"""What is read, what is counted where, what is written, and what is refused."""

import gzip
import json
import logging
import re

import numpy as np
import pysam
import pytest

from gpuvc.evaluation.evaluate import evaluate
from gpuvc.evaluation.scores import Scores, curve, wilson
from gpuvc.evaluation.strata import STRATA, sequence_strata
from gpuvc.output import figures
from tests.builders import codes, random_sequence, read, reads_of, write_bam
from tests.conftest import DEMO, REPOSITORY
from tests.unit.evaluation.conftest import SEQUENCE

CALLS = ("3 T C 0/1 PASS 50", "5 A C 0/1 PASS 20", "20 G T 1/1 PASS 10", "22 A G 0/1 LowQual 90")
TRUTH = ("3 T C 0/1", "10 TCA T 1/1", "20 G T 1/1")


# ------------------------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(("n", "of", "low", "high"), [(8, 10, 0.4901625, 0.9433178), (0, 10, 0.0, 0.2775328), (10, 10, 0.7224672, 1.0)])
def test_wilson(n, of, low, high):
    """Bounds as statsmodels' proportion_confint(method="wilson") has them."""
    assert wilson(n, of) == pytest.approx((low, high), abs=1e-6)


def test_shares_without_anything_are_none():
    assert Scores(0, 0, 0, 0).as_dict() == {
        "tp": 0, "fp": 0, "fn": 0, "tp_calls": 0, "precision": None, "precision_interval": None, "recall": None, "recall_interval": None,
        "f1": None, "f1_interval": None,
    }  # fmt: skip


def test_f1_lies_in_its_interval():
    scores = Scores(tp=90, fp=10, fn=20, tp_calls=90)
    assert scores.f1 == pytest.approx(2 * scores.precision * scores.recall / (scores.precision + scores.recall))
    low, high = scores.f1_interval
    assert low < scores.f1 < high


def test_curve_joins_equal_scores_and_puts_unknown_ones_last():
    score = np.array([10.0, 30.0, 10.0, np.nan, 30.0])
    points = curve(score, np.array([1.0, 1.0, 0.0, 1.0, 0.5]), np.array([False, False, True, False, False]), 4)
    assert [(p["score"], p["tp"], p["fp"]) for p in points] == [(30.0, 1.5, 0), (10.0, 2.5, 1), (None, 3.5, 1)]
    assert points[-1]["recall"] == 0.875


@pytest.mark.parametrize(
    ("middle", "start", "end", "expected"),
    [
        ("AAAAAAA", 0, 1, ("7-11 bp", "none")),
        ("AAAA", 4, 4, ("4-6 bp", "none")),
        ("T" * 14, 14, 14, ("12+ bp", "none")),
        ("ACACACACACAC", 0, 2, ("none", "<20 bp")),
        ("CAG" * 8, 3, 3, ("none", "20-49 bp")),
        ("GATA" * 15, 20, 24, ("none", "50+ bp")),
        ("G", 0, 1, ("none", "none")),
    ],
)
def test_sequence_strata(middle, start, end, expected):
    text = random_sequence(200, 1) + middle + random_sequence(200, 2)
    found = sequence_strata(codes(text), np.array([200 + start]), np.array([200 + end]))[:2, 0]
    assert tuple(STRATA[name][k] for name, k in zip(("homopolymer", "tandem repeat"), found)) == expected


@pytest.mark.parametrize(("base", "expected"), [("AT", "<30 %"), ("GC", "70+ %"), ("AGTC", "45-55 %")])
def test_gc(base, expected):
    found = sequence_strata(codes(base * 200), np.array([150]), np.array([151]))[2, 0]
    assert STRATA["GC"][found] == expected


def test_strata_at_the_ends_of_a_contig():
    strata = sequence_strata(codes("ACGTT"), np.array([0, 4]), np.array([1, 5]))
    assert strata.shape == (3, 2) and (strata >= 0).all()
    assert sequence_strata(codes("NNNN"), np.array([1]), np.array([2]))[2, 0] == -1


# ------------------------------------------------------------------------------------------------------------------------- results


def test_result_as_plain_values(vcf, reference):
    evaluation = evaluate(vcf("truth.vcf", *TRUTH), vcf("calls.vcf", *CALLS), reference)
    result = json.loads(json.dumps(evaluation.as_dict(), allow_nan=False))
    assert sorted(result) == ["bed", "calls", "classes", "contexts", "reference", "roc", "settings", "truth"]
    assert {kind: [s["tp"], s["fp"], s["fn"]] for kind, s in result["classes"].items()} == {
        "all": [2, 1, 1],
        "SNV": [2, 1, 0],
        "indel": [0, 0, 1],
    }
    assert result["calls"]["left_out"] == {"filtered": 1}
    assert [(p["score"], p["tp"], p["fp"]) for p in result["roc"]["classes"]["SNV"]] == [(50, 1, 0), (20, 1, 1), (10, 2, 1)]
    for context in ("homopolymer", "tandem repeat", "GC"):  # each splits the same variants
        rows = [row for row in result["contexts"] if row["context"] == context]
        assert sum(row["tp"] for row in rows) == 2 and sum(row["fp"] for row in rows) == 1 and sum(row["fn"] for row in rows) == 1
    assert not [row for row in result["contexts"] if row["context"] == "depth"]


def test_result_in_a_notebook(vcf, reference):
    evaluation = evaluate(vcf("truth.vcf", *TRUTH), vcf("calls.vcf", *CALLS), reference)
    frame = evaluation.to_pandas()
    everywhere = frame[frame.context == "all"].set_index("class")
    assert everywhere.loc["all", "tp"] == 2 and everywhere.loc["all", "recall_low"] < everywhere.loc["all", "recall"]
    assert "calls.vcf" in evaluation._repr_html_() and "66.67 %" in evaluation._repr_html_()
    assert [axes.get_xlabel() for axes in evaluation.plot().axes] == ["recall, %", "F1, %"]


def test_depth_from_the_calls_and_from_the_reads(vcf, reference, tmp_path):
    header = ['##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">']
    calls = vcf("calls.vcf", "c\t3\t.\tT\tC\t50\tPASS\t.\tGT:DP\t0/1:12", "c\t20\t.\tG\tT\t50\tPASS\t.\tGT\t1/1", header=header)
    truth = vcf("truth.vcf", "3 T C 0/1", "20 G T 1/1")
    by_depth = [row for row in evaluate(truth, calls, reference).contexts() if row[0] == "depth" and row[2] == "SNV"]
    assert [(stratum, scores.tp) for _, stratum, _, scores in by_depth] == [("10-19", 1)]
    aligned = [read(SEQUENCE, "." * 10)] * 7 + [read(SEQUENCE, "." * 10, flag=1024)] * 5 + [read(SEQUENCE, " " * 15 + "." * 10)] * 3
    bam = write_bam(tmp_path / "a.bam", aligned, {"c": SEQUENCE})
    by_depth = [row for row in evaluate(truth, calls, reference, alignments=bam).contexts() if row[0] == "depth" and row[2] == "SNV"]
    assert [(stratum, scores.tp) for _, stratum, _, scores in by_depth] == [("<5", 1), ("5-9", 1)]


@pytest.mark.parametrize("field", ["INFO.X", "INFO/X", "FORMAT.GQ", "GQ"])
def test_other_score_fields(vcf, reference, field):
    lines = [
        f"c\t{pos}\t.\t{ref}\t{alt}\t50\tPASS\tY=1;X={x},7\tGT:GQ\t0/1:{x}" for pos, ref, alt, x in ((3, "T", "C", 5), (5, "A", "C", 9))
    ]
    evaluation = evaluate(vcf("truth.vcf", "3 T C 0/1"), vcf("calls.vcf", *lines), reference, score_field=field)
    assert [(p["score"], p["tp"], p["fp"]) for p in evaluation.roc()] == [(9, 0, 1), (5, 1, 1)]


def test_reference_of_the_header(vcf, reference, run_cli):
    truth = vcf("truth.vcf", *TRUTH)
    for text in (reference, f"file://{reference}"):
        assert evaluate(truth, vcf("calls.vcf", *CALLS, header=[f"##reference={text}"]), None).scores().tp == 2
    for header, words in (([], "found none in its header"), (["##reference=/nowhere.fa"], "/nowhere.fa")):
        done = run_cli("evaluate", "--truth", truth, vcf("calls.vcf", *CALLS, header=header))
        assert done.code == 2 and words in done.err and "-R" in done.err


def test_kinds_of_file_make_no_difference(vcf, reference, tmp_path):
    header = [
        f"##contig=<ID=c,length={len(SEQUENCE)}>",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">',
        '##FILTER=<ID=LowQual,Description="l">',
    ]
    truth, calls = vcf("truth.vcf", *TRUTH, header=header), vcf("calls.vcf", *CALLS, header=header)
    expected = evaluate(truth, calls, reference).as_dict()["classes"]
    with open(calls, "rb") as plain, gzip.open(tmp_path / "calls.vcf.gz", "wb") as packed:
        packed.write(plain.read())
    pysam.tabix_compress(str(calls), str(tmp_path / "bgzipped.vcf.gz"))
    with pysam.VariantFile(str(calls)) as source, pysam.VariantFile(str(tmp_path / "calls.bcf"), "wb", header=source.header) as bcf:
        for record in source:
            bcf.write(record)
    for name in ("calls.vcf.gz", "bgzipped.vcf.gz", "calls.bcf"):
        assert evaluate(truth, tmp_path / name, reference).as_dict()["classes"] == expected


def test_command_writes_everything(run_cli, vcf, reference, tmp_path):
    truth, calls = vcf("truth.vcf", *TRUTH), vcf("calls.vcf", *CALLS)
    done = run_cli("evaluate", "--truth", truth, "-R", reference, calls, "-O", tmp_path / "out", "--plot-format", "svg")
    assert done.code == 0 and done.err == "", done.err
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.out.splitlines() if line.startswith("│ ")]
    assert cells[0][:4] == ["SNV", "2", "1", "0"] and cells[2][:4] == ["indel", "0", "0", "1"]
    assert "1 filtered" in done.out
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["classes"]["all"]["tp"] == 2
    rows = [line.split("\t") for line in (tmp_path / "out.tsv").read_text().splitlines()]
    assert len({len(row) for row in rows}) == 1 and rows[1][:6] == ["SNV", "all", "all", "2", "1", "0"]
    assert (tmp_path / "out.svg").read_text().startswith("<?xml")
    for name, expected in (("tp", [3, 20]), ("fp", [5]), ("fn", [10]), ("tp-baseline", [3, 20])):
        with pysam.VariantFile(str(tmp_path / f"out.{name}.vcf.gz")) as file:
            assert [record.pos for record in file.fetch("c", 0, 300)] == expected


def test_option_names_of_others(run_cli, vcf, reference):
    truth, calls = vcf("truth.vcf", *TRUTH), vcf("calls.vcf", *CALLS)
    ours = run_cli("evaluate", "--truth", truth, "-R", reference, calls)
    assert run_cli("evaluate", "-b", truth, "-c", calls, "--ref", reference).out == ours.out
    twice = run_cli("evaluate", "-b", truth, calls, "-c", calls, "-R", reference)
    assert twice.code == 2 and "twice" in twice.err


# -------------------------------------------------------------------------------------------------------------------------- errors


def refused(run_cli, code, *words, truth, calls, reference, more=()):
    done = run_cli("evaluate", "--truth", truth, "-R", reference, calls, *more)
    assert done.code == code and len(done.err.splitlines()) == 1, done.err
    for word in words:
        assert word in done.err
    assert "Traceback" not in done.err and done.out == ""


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (["c\t3"], ["record 1", "truncated"]),
        (["c\tx\t.\tT\tC\t50\tPASS\t.\tGT\t0/1"], ["record 1", "numbers"]),
        (["3 T C 0/2"], ["GT of record 1", "0/2"]),
        (["3 T C a/b"], ["GT of record 1", "a/b"]),
        (["900 T C 0/1"], ["c:900", "327 bp"]),
        (["3 G C 0/1"], ["REF of c:3", "found G, expected T"]),
        (["d\t3\t.\tT\tC\t50\tPASS\t.\tGT\t0/1"], ["found d", "contigs of the reference (c)"]),
    ],
)
def test_bad_records(run_cli, vcf, reference, records, words):
    for names in (("bad.vcf", "good.vcf"), ("good.vcf", "bad.vcf")):
        vcf("bad.vcf", *records), vcf("good.vcf", *TRUTH)
        folder = vcf("x.vcf").parent
        refused(run_cli, 1, "bad.vcf", *words, truth=folder / names[0], calls=folder / names[1], reference=reference)


def test_files_that_are_not_there_or_not_whole(run_cli, vcf, reference, tmp_path):
    truth = vcf("truth.vcf", *TRUTH)
    refused(run_cli, 1, "no such file", truth=truth, calls=tmp_path / "none.vcf", reference=reference)
    refused(run_cli, 1, "a folder", truth=tmp_path, calls=truth, reference=reference)
    many = vcf("many.vcf", *["3 T C 0/1"] * 20_000)
    pysam.tabix_compress(str(many), str(tmp_path / "whole.vcf.gz"))
    whole = (tmp_path / "whole.vcf.gz").read_bytes()
    for n in (len(whole) - 28, len(whole) // 2):  # without the last block, and within one
        (tmp_path / "cut.vcf.gz").write_bytes(whole[:n])
        refused(run_cli, 1, "cut.vcf.gz", "truncated", truth=truth, calls=tmp_path / "cut.vcf.gz", reference=reference)
    (tmp_path / "text.vcf").write_text("hello\n")
    refused(run_cli, 1, "#CHROM", truth=truth, calls=tmp_path / "text.vcf", reference=reference)
    refused(run_cli, 1, "does not exist", truth=truth, calls=truth, reference=tmp_path / "none.fa")


def test_samples(run_cli, vcf, reference):
    truth, two = vcf("truth.vcf", *TRUTH, samples=("t",)), vcf("two.vcf", *CALLS, samples=("ann", "bob"))
    refused(run_cli, 2, "ann, bob", "--sample", truth=truth, calls=two, reference=reference)
    refused(run_cli, 2, "found eve", truth=truth, calls=two, reference=reference, more=["--sample", "eve"])
    refused(run_cli, 2, "found eve", truth=truth, calls=two, reference=reference, more=["--sample", "eve,ann"])
    for name in ("bob", "t,bob"):
        done = run_cli("evaluate", "--truth", truth, "-R", reference, two, "--sample", name)
        assert done.code == 0, done.err
    none = vcf("none.vcf", samples=())
    refused(run_cli, 1, "found none", "genotypes", truth=truth, calls=none, reference=reference)


def test_regions_that_do_not_fit(run_cli, vcf, reference, tmp_path):
    truth = vcf("truth.vcf", *TRUTH)
    for text, word in (("c\t10\t900\n", "length of c"), ("d\t1\t5\n", "found 'd'"), ("", "found none")):
        (tmp_path / "a.bed").write_text(text)
        refused(run_cli, 1, "a.bed", word, truth=truth, calls=truth, reference=reference, more=["--bed", tmp_path / "a.bed"])


def test_impossible_requests(run_cli, vcf, reference, tmp_path):
    truth = vcf("truth.vcf", *TRUTH)
    refused(run_cli, 2, "--score-field", truth=truth, calls=truth, reference=reference, more=["--score-field", "X.Y"])
    refused(run_cli, 2, "found it in no record", truth=truth, calls=truth, reference=reference, more=["--score-field", "GQ"])
    out = tmp_path / "out.tp.vcf.gz"
    truth.rename(out)
    refused(run_cli, 2, "--output-prefix", truth=out, calls=out, reference=reference, more=["-O", tmp_path / "out"])
    refused(run_cli, 4, "no folder", truth=out, calls=out, reference=reference, more=["-O", tmp_path / "none" / "out"])
    done = run_cli("evaluate", "--truth", out, "-R", reference)
    assert done.code == 2 and "calls: found none" in done.err


def test_no_variants_are_a_warning(vcf, reference, caplog):
    with caplog.at_level(logging.WARNING):
        scores = evaluate(vcf("truth.vcf", *TRUTH), vcf("calls.vcf"), reference).scores()
    assert (scores.tp, scores.fp, scores.fn, scores.precision) == (0, 0, 3, None)
    assert "calls.vcf" in caplog.text


def test_reads_need_an_index(run_cli, vcf, reference, tmp_path):
    truth = vcf("truth.vcf", *TRUTH)
    bam = write_bam(tmp_path / "a.bam", reads_of([(i, b) for i, b in enumerate(SEQUENCE)]), {"c": SEQUENCE}, index=False)
    refused(run_cli, 1, "samtools index", truth=truth, calls=truth, reference=reference, more=["-I", bam])


def test_a_part_of_a_genome_keeps_the_header_of_the_whole(vcf, reference, caplog):
    calls = vcf("calls.vcf", *CALLS, header=["##contig=<ID=c,length=5000>"])
    assert evaluate(vcf("truth.vcf", *TRUTH), calls, reference).scores().tp == 2
    assert "5000 bp" in caplog.text


def test_public_name():
    import gpuvc

    scores = gpuvc.evaluate(DEMO / "truth.vcf.gz", DEMO / "truth.vcf.gz", DEMO / "chr20.fa", DEMO / "confident.bed").scores()
    assert (scores.tp, scores.fp, scores.fn) == (182, 0, 0)


def test_the_picture_of_the_page_is_current():
    golden = REPOSITORY / "tests" / "golden" / "evaluation"
    files = [golden / f"na12878-7x.{name}" for name in ("truth.vcf.gz", "gpuvc.vcf.gz", "bed")]
    drawn = figures.image(evaluate(files[0], files[1], DEMO / "chr20.fa", files[2]).plot(), ".svg").decode()
    stored = (REPOSITORY / "docs" / "evaluate.svg").read_text()
    texts = [re.findall(r"<text[^>]*>([^<]*)</text>", svg) for svg in (stored, drawn)]
    assert texts[0] == texts[1] and len(texts[0]) > 20
