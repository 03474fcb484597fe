"""Files that are cut, damaged, unsorted or no BAM at all: each one clear InputError, never a wrong answer and never a crash."""

import os
import shutil
import struct
from pathlib import Path

import bam_files
import pysam
import pytest
from bam_files import EOF_BLOCK, HEADER, record

from gpuvc.errors import InputError
from gpuvc.intervals import Interval
from gpuvc.io import bam, bgzf
from gpuvc.io.alignments import open_alignments

REPOSITORY = Path(__file__).resolve().parents[3]
ALL = Interval(0, 0, 100_000)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return bam_files.write_bam(tmp_path_factory.mktemp("good") / "good.bam", bam_files.mixed_records(1000, seed=9))


def decode(path, **options):
    """Number of records, decoded whole."""
    with open_alignments([str(path)], **options) as source:
        return sum(batch.n_reads for batch in source.batches())


def fetch(path, interval=ALL):
    with open_alignments([str(path)]) as source:
        return source.fetch(interval)


def said(path, how=decode):
    """The message of the InputError that `how` raises; one line that names the file."""
    with pytest.raises(InputError) as caught:
        how(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def with_index(path, good):
    shutil.copy(good + ".bai", f"{path}.bai")
    return path


@pytest.mark.parametrize("indexed", [True, False])
def test_file_cut_anywhere(good, tmp_path, indexed):
    data = Path(good).read_bytes()
    path = tmp_path / "cut.bam"
    if indexed:
        with_index(path, good)
    for n in [1, 10, 17, 27, *range(40, len(data), max(1, len(data) // 40)), len(data) - 29, len(data) - 28, len(data) - 1]:
        path.write_bytes(data[:n])
        if n > 18:
            assert "truncated" in said(path)
        else:
            said(path)


def test_cut_file_is_refused_before_any_region_is_read(tmp_path):
    whole = REPOSITORY / "gpuvc" / "data" / "NA12878.chr20.100kb.bam"
    path = with_index(tmp_path / "cut.bam", str(whole))
    path.write_bytes(whole.read_bytes()[:-28])
    assert "truncated" in said(path, lambda path: fetch(path, Interval(0, 5000, 5100)))


@pytest.mark.parametrize("indexed", [True, False])
def test_blocks_lost_before_the_end(good, tmp_path, indexed):
    data = Path(good).read_bytes()
    path = tmp_path / "lost.bam"
    if indexed:
        with_index(path, good)
    for n in (len(data) // 3, len(data) // 2):
        path.write_bytes(data[:n] + EOF_BLOCK)
        said(path)


def test_records_cut_between_whole_blocks(good, tmp_path):
    data = bam_files.inflated(good)
    last = bam_files.record_offsets(data)[-1]
    for n_left in (1, 3, 4, 20, 36, 60):
        path = bam_files.write_blocks(tmp_path / "cut.bam", data[: last + n_left])
        assert "it ends inside a read" in said(path)


def test_one_changed_byte_in_a_block(good, tmp_path):
    data = bytearray(Path(good).read_bytes())
    path = tmp_path / "changed.bam"
    middle = len(data) // 2
    for k in range(middle, middle + 40):
        data[k] ^= 0x10
        path.write_bytes(data)
        assert "block" in said(path) or "BGZF" in said(path)
        data[k] ^= 0x10


@pytest.mark.parametrize("inflates_in_python", [False, True])
def test_wrong_checksum_and_sizes(good, tmp_path, monkeypatch, inflates_in_python):
    if inflates_in_python:
        monkeypatch.setattr(bgzf, "find_inflater", lambda: bgzf.Inflater("zlib", None, bgzf._zlib_inflate))
    data = Path(good).read_bytes()
    end = len(data) - 28  # of the last block with data
    for changed, what in (
        (change(data, end - 8, "<B", data[end - 8] ^ 1), "checksum"),
        (change(data, end - 4, "<I", struct.unpack_from("<I", data, end - 4)[0] - 1), "compressed block"),
        (change(data, end - 4, "<I", 70_000), "block size"),
        (change(data, end - 4, "<I", 0xFFFFFFFF), "block size"),
        (change(change(data, 16, "<H", 24), 21, "<I", 0), "block size"),  # ends before its own header and trailer do
    ):
        path = tmp_path / "changed.bam"
        path.write_bytes(changed)
        assert what in said(path)


def change(data, offset, layout, value):
    changed = bytearray(data)
    struct.pack_into(layout, changed, offset, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("field", "layout", "values", "what"),
    [
        (0, "<i", (-1, 0, 32, (1 << 28) + 1, 0x7FFFFFFF), "record size"),  # block_size
        (0, "<i", (1 << 20,), "ends inside a read"),
        (4, "<i", (-2, 2, 1 << 30), "contig or position"),  # refID
        (8, "<i", (-2,), "contig or position"),  # pos
        (12, "<B", (0, 1, 250), ""),  # l_read_name: what follows the name is misread
        (16, "<H", (60_000, 65_535), "lengths"),  # n_cigar_op
        (20, "<i", (-1, 1 << 20, 0x7FFFFFFF), "lengths"),  # l_seq
        (24, "<i", (-2, 2), "contig or position"),  # next_refID
        (28, "<i", (-2,), "contig or position"),  # next_pos
    ],
)
def test_record_fields_out_of_range(good, tmp_path, field, layout, values, what):
    data = bam_files.inflated(good)
    at = bam_files.record_offsets(data)[500]
    for value in values:
        path = bam_files.write_blocks(tmp_path / "changed.bam", change(data, at + field, layout, value))
        assert what in said(path)


def test_one_base_more_than_the_record_has(tmp_path):
    path = bam_files.write_bam(tmp_path / "x.bam", [record(5, sequence="ACGTACGTACGTACGTACG", cigar="19M", tags=())])
    data = bam_files.inflated(path)
    at = bam_files.record_offsets(data)[0]
    assert "lengths" in said(bam_files.write_blocks(tmp_path / "changed.bam", change(data, at + 20, "<i", 20)))


def test_damaged_names(tmp_path):
    path = bam_files.write_bam(tmp_path / "x.bam", [record(5, "name", cigar=None, sequence="", tags=(), flag=4)])
    data = bam_files.inflated(path)
    at = bam_files.record_offsets(data)[0]
    without_name = change(data, at + 12, "<B", 0)
    without_nul = data.replace(b"name\0", b"names")
    for changed in (without_name, without_nul):
        assert "read name" in said(bam_files.write_blocks(tmp_path / "changed.bam", changed))


def test_damaged_tags(tmp_path):
    read = record(5, tags=[("XX", "abc"), ("RG", "lane1")])
    path = bam_files.write_bam(tmp_path / "tags.bam", [read])
    data = bam_files.inflated(path)
    at = data.index(b"XXZabc\0RGZ")
    for changed in (data[:-1] + b"x", change(data, at + 2, "<B", ord("?")), change(data, at + 2, "<B", ord("B"))):
        assert "tags" in said(bam_files.write_blocks(tmp_path / "changed.bam", changed))
    array = record(5, tags=[("XX", bam_files.array("i", [1, 2]))])
    data = bam_files.inflated(bam_files.write_bam(tmp_path / "array.bam", [array]))
    at = data.index(b"XXB")
    for n in (3, 1 << 29, 0x7FFFFFFF, -1):
        assert "tags" in said(bam_files.write_blocks(tmp_path / "changed.bam", change(data, at + 4, "<i", n)))
    back_to_itself = change(change(data, at + 3, "<B", ord("c")), at + 4, "<i", -8)  # a walk that trusted the length would never end
    assert "tags" in said(bam_files.write_blocks(tmp_path / "changed.bam", back_to_itself))


def test_damaged_long_cigar(tmp_path):
    path = bam_files.write_bam(tmp_path / "long.bam", [record(20, cigar="1M1I" * 40_000, tags=())])
    data = bam_files.inflated(path)
    at = data.index(b"CGBI")
    for n in (80_001, 0x7FFFFFFF, -1):
        assert "tags" in said(bam_files.write_blocks(tmp_path / "changed.bam", change(data, at + 4, "<i", n)))
    assert "CIGAR" in said(bam_files.write_blocks(tmp_path / "changed.bam", change(data, at + 8, "<I", 1 << 4 | 9)))
    # Without the tag the placeholder stands for itself.
    bam_files.write_blocks(tmp_path / "changed.bam", data.replace(b"CGBI", b"XGBI"))
    assert fetch(tmp_path / "changed.bam").cigar_offsets.tolist() == [0, 2]


def test_position_that_overflows(tmp_path):
    path = bam_files.write_bam(tmp_path / "far.bam", [record(5, cigar="10M1000N10M")])
    data = bam_files.inflated(path)
    at = bam_files.record_offsets(data)[0]
    assert "CIGAR" in said(bam_files.write_blocks(tmp_path / "changed.bam", change(data, at + 8, "<i", 0x7FFFFFFF - 500)))


@pytest.mark.parametrize("field", ["l_text", "n_ref", "l_name"])
def test_damaged_header(good, tmp_path, field):
    data = bam_files.inflated(good)
    (n_text,) = struct.unpack_from("<i", data, 4)
    at = {"l_text": 4, "n_ref": 8 + n_text, "l_name": 12 + n_text}[field]
    what = {"l_text": "header", "n_ref": "number of contigs", "l_name": "contig's name"}[field]
    assert what in said(bam_files.write_blocks(tmp_path / "changed.bam", change(data, at, "<i", -1)))
    for value in (-1, 0x7FFFFFFF):
        said(bam_files.write_blocks(tmp_path / "changed.bam", change(data, at, "<i", value)))


def test_unsorted(tmp_path):
    header = {key: HEADER[key] for key in ("SQ", "RG")}
    for name, first, second in (("position", (50, 0), (49, 0)), ("contig", (5, 1), (5, 0)), ("unplaced", (-1, -1), (5, 0))):
        reads = [record(pos, contig_id=contig_id) for pos, contig_id in (first, second)]
        path = bam_files.write_bam(tmp_path / f"{name}.bam", reads, header, index=None)
        assert "samtools sort" in said(path)
        assert "samtools sort" in said(path, fetch) or name == "contig"
    for order in ("unsorted", "queryname"):
        path = bam_files.write_bam(tmp_path / f"{order}.bam", [record(5)], HEADER | {"HD": {"VN": "1.6", "SO": order}}, index=None)
        assert f"found {order} in its header" in said(path)


def test_unsorted_in_spite_of_an_index(good, tmp_path):
    data = bam_files.inflated(good)
    at = bam_files.record_offsets(data)
    swapped = data[: at[700]] + data[at[701] : at[702]] + data[at[700] : at[701]] + data[at[702] :]
    path = with_index(bam_files.write_blocks(tmp_path / "swapped.bam", swapped, level=0), good)
    original = bam_files.write_blocks(tmp_path / "original.bam", data, level=0)
    pysam.index(original)
    shutil.copy(original + ".bai", path + ".bai")
    for how in (decode, fetch):
        assert "samtools sort" in said(path, how)


def test_units_out_of_order(good, monkeypatch):
    monkeypatch.setattr(bam, "UNIT_BYTES", 1 << 14)
    units = bam.IndexedBam._units
    assert decode(good) == 2100
    monkeypatch.setattr(bam.IndexedBam, "_units", lambda self: units(self)[::-1])
    assert "samtools sort" in said(good)


def test_not_an_alignment_file(tmp_path):
    for start, found in (
        (b"@HD\tVN:1.6\n", "SAM text"), (b"##fileformat=VCFv4.2\n", "a VCF"),
        (b">chr1\nACGT\n", "a FASTA"), (b"@read/1\nACGT\n", "a FASTQ"),
        (b"BAM\1\0\0\0\0", "BAM data outside BGZF"), (b"\x1f\x8b\x08\x00\0\0\0\0\0\0", "plain gzip"), (b"hello", "something else"),
    ):  # fmt: skip
        path = tmp_path / "other"
        path.write_bytes(start)
        assert f"found {found}" in said(path)
    path.write_bytes(b"")
    assert "is empty" in said(path)
    assert "expected BAM\\1" in said(bam_files.write_blocks(tmp_path / "vcf.gz", b"##fileformat=VCFv4.2\n"))
    assert "is a folder" in said(tmp_path)
    assert "does not exist" in said(tmp_path / "missing.bam")
    assert "truncated" in said(bam_files.write_blocks(tmp_path / "nothing.bam", b""))


def test_permission_denied(good, monkeypatch):
    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)  # root, as in a container, may read every file
    assert "permission denied" in said(good)


def test_damaged_index(good, tmp_path):
    path = tmp_path / "x.bam"
    shutil.copy(good, path)
    bai = Path(good + ".bai").read_bytes()
    index = tmp_path / "x.bam.bai"
    many_contigs, many_bins = bai[:4] + b"\x07\0\0\0" + bai[8:], bai[:8] + b"\xff\xff\xff\x7f" + bai[12:]
    (n_bins,) = struct.unpack_from("<i", bai, 8)
    at = 12
    for _ in range(n_bins):
        at += 8 + 16 * struct.unpack_from("<i", bai, at + 4)[0]
    many_chunks, many_windows = change(bai, 16, "<i", 0x7FFFFFFF), change(bai, at, "<i", 0x7FFFFFFF)
    for changed in (b"", b"BAI\1", b"BAM\1", bai[: len(bai) // 2], many_contigs, many_bins, many_chunks, many_windows):
        index.write_bytes(changed)
        assert "samtools index" in said(path)
    csi = tmp_path / "x.bam.csi"
    index.unlink()
    pysam.index("-c", str(path), str(csi))
    whole = csi.read_bytes()
    for changed in (whole[: len(whole) // 2], b"CSI\1"):
        csi.write_bytes(changed)
        assert "samtools index" in said(path)


def test_index_of_another_file(good, tmp_path):
    path = tmp_path / "x.bam"
    bam_files.write_bam(path, bam_files.mixed_records(400, seed=77))
    for other_bai in (good, bam_files.write_bam(tmp_path / "other.bam", bam_files.mixed_records(1200, seed=78))):
        shutil.copy(other_bai + ".bai", f"{path}.bai")
        assert "index" in said(path, lambda path: (fetch(path, Interval(0, 60_000, 60_100)), fetch(path, Interval(1, 30_000, 40_000))))
