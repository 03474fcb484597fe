"""The most probable mistakes with commands other than call: what every failure has in common holds for them, too."""

import shutil

import pytest

from gpuvc import call_variants


@pytest.fixture(scope="module")
def files(small, tmp_path_factory):
    """Name → path: of calls on the small genome, and of files that are wrong in one way each."""
    folder = tmp_path_factory.mktemp("other")
    calls = folder / "calls.vcf.gz"
    call_variants(str(small.reference), str(small.bam), str(calls), device="cpu")
    cut = folder / "cut.vcf.gz"
    cut.write_bytes(calls.read_bytes()[:-40])
    shutil.copy(f"{calls}.tbi", f"{cut}.tbi")
    empty = folder / "empty.vcf"
    empty.write_text("")
    bed = folder / "wrong.bed"
    bed.write_text("chrA\t10\tx\n")
    return {
        "REF": small.reference, "BAM": small.bam, "CALLS": calls, "CUT": cut, "EMPTY": empty, "BED": bed, "NONE": folder / "none",
        "FOLDER": folder,
    }  # fmt: skip


@pytest.mark.parametrize(
    "code, line, said",
    [
        (1, "pileup -R REF -I NONE", "none"),
        (1, "pileup -R NONE -I BAM", "none"),
        (2, "pileup -R REF -I BAM -L chrZ:1-10", "chrZ"),
        (2, "pileup -R REF -I BAM -O counts.txt", "expected .tsv, .arrow, .feather"),
        (2, "pileup -I BAM", "--reference"),
        (2, "explain -R REF -I BAM", "place"),
        (2, "explain chrA:0 -R REF -I BAM", "chrA:0"),
        (2, "explain chrA:99999 -R REF -I BAM", "chrA:99999"),
        (1, "explain chrA:3001 -R REF -I NONE", "none"),
        (4, "demo --output-dir BAM", "--output-dir"),
        (2, "demo --speed", "--speed"),
        (2, "doctor --speed", "--speed"),
        (2, "evaluate --truth CALLS", "calls"),
        (2, "evaluate CALLS", "--truth"),
        (1, "evaluate CALLS --truth NONE -R REF", "none"),
        (1, "evaluate NONE --truth CALLS -R REF", "none"),
        (1, "evaluate CUT --truth CALLS -R REF", "cut.vcf.gz"),
        (1, "evaluate EMPTY --truth CALLS -R REF", "empty.vcf"),
        (1, "evaluate CALLS --truth CALLS -R REF --bed BED", "wrong.bed"),
        (1, "evaluate CALLS --truth CALLS -R NONE", "none"),
        (4, "evaluate CALLS --truth CALLS -R REF -O FOLDER/none/a", "mkdir -p"),
        (2, "compare CALLS", "compare"),
        (1, "compare CALLS CUT -R REF", "cut.vcf.gz"),
        (1, "compare CALLS NONE -R REF", "none"),
        (2, "bench --mb 0", "--mb"),
        (2, "bench --peers deepvariant", "deepvariant"),
        (1, "bench --reference NONE --truth NONE --peers none --output-dir out", "none"),
        (4, "bench --peers none --output-dir BAM", "reads.bam"),
    ],
)
def test_one_line_and_nothing_written(run_cli, files, tmp_path, monkeypatch, code, line, said):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    words = []
    for word in line.split():
        name, slash, rest = word.partition("/")
        words.append(f"{files[name]}{slash}{rest}" if name in files else word)
    done = run_cli(*words)
    assert done.code == code, done.err
    *warnings, message = done.err.splitlines()
    assert message.startswith("gpuvc: ") and said in message and "Traceback" not in done.err
    assert all(warning.startswith("gpuvc: ") for warning in warnings) and done.out == ""
    assert [path for path in folder.rglob("*") if path.is_file()] == []
