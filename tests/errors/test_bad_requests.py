"""Intervals and options that cannot be met."""

from pathlib import Path

import pytest


class TestIntervals:
    @pytest.mark.parametrize(
        "name, text, words",
        [
            ("a.bed", "chrA\t10\n", ["a.bed:1", "start and end"]),
            ("a.bed", "chrA\t10\t20\nchrA\t20\t10\n", ["a.bed:2", "start < end"]),
            ("a.bed", "chrA\t10\t6001\n", ["a.bed:1", "<= 6000"]),
            ("a.bed", "A\t10\t20\n", ["a.bed:1", "call it 'chrA'"]),
            ("a.bed", "chrC\t10\t20\n", ["a.bed:1", "'chrC'"]),
            ("a.bed", "", ["a.bed", "found none"]),
            ("a.interval_list", "@SQ\tSN:chrA\tLN:5\n", ["a.interval_list:1", "6000 bp"]),
        ],
    )
    def test_bad_files(self, fails, tmp_path, name, text, words):
        (tmp_path / name).write_text(text)
        fails(1, *words, arguments=["-L", tmp_path / name])
        fails(1, *words, arguments=["-XL", tmp_path / name])

    def test_missing_file(self, fails, tmp_path):
        fails(1, "none.bed", "no such file", arguments=["-L", tmp_path / "none.bed"])

    @pytest.mark.parametrize(
        "region, word", [("chrA:0-5", "1 <= start"), ("A:5-9", "'chrA'"), ("chrA:5-7000", "6000"), ("nowhere", "chrA")]
    )
    def test_bad_regions(self, fails, region, word):
        fails(2, word, "-L", arguments=["-L", region])

    def test_nothing_left(self, fails):
        fails(2, "every position excluded", arguments=["-L", "chrA:5-9", "-XL", "chrA"])


class TestOptions:
    @pytest.mark.parametrize(
        "arguments, words",
        [
            (["--min-base-qual", "5"], ["--min-base-qual", "Did you mean --min-base-quality-score"]),
            (["--engine", "pileup", "-ERC", "GVCF"], ["--emit-ref-confidence", "--engine haplotype"]),
            (["-ERC", "GVCF", "-GQB", "20", "-GQB", "20"], ["--gvcf-gq-bands", "20, 20"]),
            (["--engine", "pileup", "-bamout", "x.bam"], ["--bam-output"]),
            (["-ploidy", "two"], ["-ploidy", "'two'", "whole number"]),
            (["-RF", "NoSuchReadFilter"], ["NoSuchReadFilter"]),
            (["extra"], ["'extra'"]),
        ],
    )
    def test_bad(self, fails, arguments, words):
        fails(2, *words, arguments=arguments)


def test_cuda_without_a_card(fails, monkeypatch):
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a card")
    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
    fails(3, "--device cuda", "--device cpu", arguments=["--device", "cuda"])


class TestPileup:
    def test_bad_requests(self, run_cli, small, tmp_path):
        for code, arguments in (
            (2, ["-I", small.bam, "-L", "chrC"]),
            (1, ["-I", tmp_path / "none.bam"]),
            (2, ["-I", small.bam, "-O", tmp_path / "a.csv"]),
            (4, ["-I", small.bam, "-O", tmp_path / "none" / "a.tsv"]),
        ):
            done = run_cli("pileup", "-R", small.reference, *arguments)
            assert done.code == code and len(done.err.splitlines()) == 1 and "Traceback" not in done.err
        assert list(tmp_path.iterdir()) == []
