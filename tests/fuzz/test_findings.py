"""What fuzzing found in gpuvc, each as a small input that once ended otherwise."""

import gzip
import struct

import numpy as np
import pytest

from gpuvc.errors import InputError
from gpuvc.intervals import Contigs, Interval
from gpuvc.io.alignments import open_alignments
from gpuvc.io.bed import resolve_intervals
from gpuvc.io.fasta import open_reference
from gpuvc.output.picture import lay_out
from tests.fuzz.mutate import put
from tests.fuzz.seeds import STORED_BLOCK_BYTES, make_seeds
from tests.unit.io import bam_files

CALL = ["call", "-R", "ref.fa", "-I", "reads.bam", "-O", "out.vcf", "--QUIET", "true", "--device", "cpu", "--threads", "1"]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    return make_seeds(tmp_path_factory.mktemp("seeds"))


@pytest.fixture
def folder(tmp_path, monkeypatch, seeds):
    """A folder to work in that holds the good files."""
    monkeypatch.chdir(tmp_path)
    for name, data in seeds.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.fixture
def said(folder, run_cli):
    """Run a command line that ends with `code` → its last line, one that prints; nothing is left in the folder."""

    def run(*arguments, code=1):
        before = {path.name for path in folder.iterdir()}
        done = run_cli(*arguments)
        assert done.code == code, done.err
        lines = done.err.split("\n")[:-1]
        assert all(line.startswith("gpuvc: ") and line.isprintable() for line in lines), done.err
        assert {path.name for path in folder.iterdir()} == before
        return lines[-1]

    return run


def write_bam(folder, data):
    """The inflated bytes as reads.bam, whose index stays true."""
    bam_files.write_blocks(folder / "reads.bam", data, STORED_BLOCK_BYTES, level=0)


def test_message_repeats_no_control_characters(folder, seeds, said):
    write_bam(folder, seeds["reads.bam inflated"].replace(b"chr1\0", b"\x1b[2m\0").replace(b"chr2\0", b"a\nb\t\0"))
    assert r"\x1b[2m" in said(*CALL)


def test_header_line_that_is_none(folder, seeds, said):
    # Its read group would be missed, and with it the sample of half the reads.
    write_bam(folder, seeds["reads.bam inflated"].replace(b"@RG\tID:lane1\tSM:ann", b"SM:ann\t@RG\tID:lane1"))
    assert "line of the header" in said(*CALL)


def test_bam_output_of_a_record_that_htslib_refuses(folder, seeds, said):
    data = seeds["reads.bam inflated"]
    at = bam_files.record_offsets(data)[20]
    cigar = at + 36 + data[at + 12]
    write_bam(folder, put(data, cigar, "<I", 90 << 4))  # of 100 bases
    assert "htslib refuses" in said(*CALL, "--bam-output", "out.bam")


def test_bam_output_of_a_name_that_is_no_text(folder, seeds, said):
    write_bam(folder, seeds["reads.bam inflated"].replace(b"read20\0", b"\xffead20\0"))
    assert "expected ASCII" in said(*CALL, "--bam-output", "out.bam")


def test_contig_without_bases():
    """It was a shard without a target."""
    targets = resolve_intervals([], contigs=Contigs(("chr1", "chr2"), (0, 5)))
    assert [part.tolist() for part in targets] == [[], [[0, 5]]]


def test_type_of_long_cigar_that_is_none(folder, seeds):
    data = seeds["reads.bam inflated"]
    write_bam(folder, put(data, data.index(b"CGBI") + 2, "<B", 0x80))
    with open_alignments(["reads.bam"]) as source, pytest.raises(InputError, match="tags"):
        source.fetch(Interval(0, 0, 3000))


def test_picture_of_a_read_without_bases():
    cells, _ = lay_out(2, np.array([4 << 4], np.uint32), np.zeros(1, np.uint8), np.zeros(8, np.uint8), 0, 0, 8, False)
    assert "".join(cells) == "  .NNN  "


@pytest.mark.parametrize("kind", ["bai", "csi"])
def test_index_offsets_past_the_end(folder, seeds, said, kind):
    """They once were cut into shards: gigabytes of them."""
    index = seeds[f"spread.bam.{kind}"]
    index = gzip.decompress(index) if kind == "csi" else index
    for other in ("bai", "csi"):
        (folder / f"spread.bam.{other}").unlink()
    at = _first_window(index) if kind == "bai" else 28  # where reads of the first bin begin
    (folder / f"spread.bam.{kind}").write_bytes(put(index, at, "<q", 1 << 62))
    assert "file offset" in said("pileup", "-R", "spread.fa", "-I", "spread.bam", "-L", "chr1:1-100", "--device", "cpu")


def test_index_out_of_order(folder, seeds):
    """One window's offset too far on left all reads before it out, of every later region."""
    index = seeds["spread.bam.bai"]
    at = _first_window(index)
    (folder / "spread.bam.csi").unlink()
    second, third = (index[at + 8 * k : at + 8 * k + 8] for k in (1, 2))
    (folder / "spread.bam.bai").write_bytes(index[: at + 8] + third + second + index[at + 24 :])
    with pytest.raises(InputError, match="samtools index"):
        open_alignments(["spread.bam"])


def _first_window(index):
    """Where the linear index of the first contig begins in a BAI."""
    (n_bins,) = struct.unpack_from("<i", index, 8)
    at = 12
    for _ in range(n_bins):
        at += 8 + 16 * struct.unpack_from("<i", index, at + 4)[0]
    return at + 4


def test_number_in_crai_beyond_int64(folder, seeds, said):
    fields = seeds["reads.cram.crai text"].split(b"\t")
    (folder / "reads.cram.crai").write_bytes(b"\t".join([*fields[:3], b"9" * 30, *fields[4:]]))
    assert "samtools index" in said(*(word.replace("reads.bam", "reads.cram") for word in CALL))


def test_cram_that_is_not_read_to_its_end(folder, monkeypatch):
    """Its process, and the folder of that, outlived the run."""
    monkeypatch.setattr("tempfile.tempdir", str(folder / "tmp"))
    (folder / "tmp").mkdir()
    (folder / "reads.cram.crai").unlink()
    with open_alignments(["reads.cram"], reference="ref.fa") as source:
        assert source.fetch(Interval(0, 0, 100)).n_reads
        assert any((folder / "tmp").iterdir())
    assert not any((folder / "tmp").iterdir())


def test_fasta_that_does_not_fit_its_index(folder, seeds):
    """Every base behind such a place was another one."""
    text, index = seeds["ref.fa"], seeds["ref.fa.fai"]
    for changed, changed_index in (
        (text[:100] + b"A" + text[100:], index),  # a line too long
        (text.replace(b">chr2", b">chrX"), index),
        (text.replace(b">chr2", b"AAAAA"), index),
        (text[:-1] + b"ACGT\n", index),  # more bases than it says
        (text[:500] + b"\xff" + text[501:], index),
        (text, index.replace(b"3078", b"3079")),
        (text, index.replace(b"3078\t60", b"3078\t59")),
        (text, index.replace(b"14\t60\t61", b"14\t60\t62")),
        (text, index + index),
        (text, index.replace(b"14", b"1_4")),
        (text, index.replace(b"3078", b"9" * 18)),
    ):
        (folder / "ref.fa").write_bytes(changed)
        (folder / "ref.fa.fai").write_bytes(changed_index)
        with pytest.raises(InputError, match="samtools faidx"):
            genome = open_reference("ref.fa")
            for name, length in (("chr1", 3000), ("chr2", 1000)):
                genome.window(name, 0, length)


def test_gzi_that_does_not_fit(folder):
    for changed in (b"", b"\1" + b"\0" * 7, struct.pack("<Q2q", 1, 1 << 40, 100), struct.pack("<Q2q", 1, 30, 1000), b"\0" * 9):
        (folder / "ref.fa.gz.gzi").write_bytes(changed)
        with pytest.raises(InputError, match=r"bgzip|block"):
            open_reference("ref.fa.gz").window("chr1", 0, 3000)


def test_thousands_of_digits(folder, seeds, said):
    (folder / "x.bed").write_text(f"chr1\t1\t{'9' * 5000}\n")
    assert "expected contig, start and end" in said(*CALL, "-L", "x.bed")
    (folder / "x.list").write_text(f"chr1:{'9' * 5000}\n")
    said(*CALL, "-L", "x.list")
    (folder / "tables.txt").write_text("1 2\n" + "A" * 5000 + ":\n")
    assert len(said(*CALL, "--dragstr-params-path", "tables.txt", "--concordance", "hc")) < 400
    row = seeds["tables.txt"].replace(b"39.50", b"9" * 5000)
    (folder / "tables.txt").write_bytes(row)
    assert len(said(*CALL, "--dragstr-params-path", "tables.txt", "--concordance", "hc")) < 400
    for option in ("--min-base-quality-score", "--heterozygosity", "-ip", "--no-such-option"):
        assert len(said(*CALL, option, "9" * 5000, code=2)) < 400
    assert len(said(*CALL, "9" * 5000, code=2)) < 400


def test_region_that_ends_in_a_colon(folder, said):
    """It was the whole contig."""
    assert "positions" in said(*CALL, "-L", "chr1:", code=2)


def test_long_name_of_a_contig(folder, seeds, said):
    data = seeds["reads.bam inflated"]
    write_bam(folder, put(data, data.index(b"chr1\0") - 4, "<i", 65_000))
    assert len(said(*CALL)) < 400
    write_bam(folder, data)
    (folder / "ref.fa.fai").write_bytes(seeds["ref.fa.fai"].replace(b"chr1", b"A" * 5000).replace(b"chr2", b"C" * 5000))
    assert len(said(*CALL)) < 400


def test_index_of_alleles_that_is_damaged(folder, seeds, said):
    """htslib trusts the counts of some; it ended the process."""
    index = gzip.decompress(seeds["given.vcf.gz.tbi"])
    for at, value in ((4, 1 << 30), (4, -1), (32, 1 << 30), (32, -5), (32, 3), (36 + 10, 1 << 30)):
        (folder / "given.vcf.gz.tbi").write_bytes(bam_files.block(put(index, at, "<i", value)) + bam_files.EOF_BLOCK)
        assert "bcftools index" in said(*CALL, "--alleles", "given.vcf.gz")


def test_alleles_in_plain_gzip(folder, seeds, said):
    (folder / "given.vcf.gz").write_bytes(gzip.compress(seeds["given.vcf"]))
    assert "bgzip" in said(*CALL, "--alleles", "given.vcf.gz")


@pytest.mark.parametrize("pos", ["", "0", "3001"])
def test_alleles_nowhere(folder, seeds, said, pos):
    """htslib reads an empty column as 0; the allele was not called, without a word."""
    (folder / "given.vcf").write_bytes(seeds["given.vcf"].replace(b"chr1\t301\t", f"chr1\t{pos}\t".encode()))
    assert "expected a position from 1 to 3000" in said(*CALL, "--alleles", "given.vcf")


def test_bcf_whose_contigs_have_no_numbers(folder, seeds, said):
    """pysam asserts that they have."""
    data = seeds["given.bcf inflated"].replace(b"##contig=<ID=chr1,length=3000,IDX=0>", b"##contig=<ID=chr1,length=3000,IDX=7>")
    (folder / "given.bcf").write_bytes(bam_files.block(data) + bam_files.EOF_BLOCK)
    for option in ("-L", "--alleles"):
        said(*CALL, option, "given.bcf")


@pytest.mark.parametrize("option", ["-L", "-XL", "--alleles", "--assembly-region-out", "--report"])
def test_a_word_too_long_for_a_name(said, option):
    word = "9" * 5000 + (".json" if option == "--report" else "")
    assert "found a name of" in said(*CALL, option, word, code=2)
