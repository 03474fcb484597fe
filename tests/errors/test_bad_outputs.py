"""Outputs that cannot be written."""

import subprocess
import sys


def test_no_folder(fails):
    fails(4, "mkdir -p", output="none/calls.vcf.gz")


def test_a_folder_of_that_name(fails, out):
    (out / "calls.vcf.gz").mkdir()
    fails(4, "folder")


def test_a_file_where_a_folder_should_be(fails, out):
    (out / "file").write_text("")
    fails(4, "file/calls.vcf", output="file/calls.vcf")


def test_a_place_that_takes_no_files(fails):
    fails(4, "/proc/calls.vcf", output="/proc/calls.vcf")


def test_unknown_suffix(fails):
    fails(2, "calls.txt", ".vcf.gz", output="calls.txt")


def test_report_that_cannot_be_written(fails, out):
    fails(4, "report.json", arguments=["--report", out / "none" / "report.json"])


def test_standard_output_that_takes_no_more(small):
    command = [sys.executable, "-m", "gpuvc", "call", "-R", small.reference, "-I", small.bam, "-O", "-"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 4 and len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr
