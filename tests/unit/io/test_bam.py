"""BAM files to columns: every shape of record, any cut into blocks, either index, regions as samtools cuts them."""

import random
import shutil
import struct
from pathlib import Path

import bam_files
import numpy as np
import pysam
import pytest
from bam_files import HEADER, record

from gpuvc.intervals import Interval
from gpuvc.io import bgzf
from gpuvc.io.alignments import open_alignments
from gpuvc.io.columns import join_batches, take_reads
from gpuvc.kernels.codes import BASES
from reference.oracles.columns import columns_of

REPOSITORY = Path(__file__).resolve().parents[3]
GROUPS = [group["ID"] for group in HEADER["RG"]]


def whole(path, threads=1, **options):
    with open_alignments([path], **options) as source:
        return join_batches([join_batches([batch]) for batch in source.batches(threads)])


def regions(seed, n=60):
    rng = random.Random(seed)
    for _ in range(n):
        contig_id = rng.randrange(2)
        start = rng.choice([rng.randrange(40_000), 16384 * rng.randrange(3), 16384 * rng.randrange(3) - 1])
        yield Interval(contig_id, max(0, start), max(0, start) + rng.choice([0, 1, 2, 100, 5000, 40_000]))


def assert_equal(found, expected):
    for name in found.__slots__:
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name


def assert_equals_pysam(found, records):
    expected, _ = columns_of(records, GROUPS)
    expected.name_hash, expected.name, expected.extended_mapq = found.name_hash, found.name, found.extended_mapq
    assert_equal(found, expected)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """An indexed BAM with 6,300 reads of every shape."""
    return bam_files.write_bam(tmp_path_factory.mktemp("bam") / "mixed.bam", bam_files.mixed_records(3000, seed=7))


def test_every_shape_equals_pysam(mixed):
    with pysam.AlignmentFile(mixed) as file:
        assert_equals_pysam(whole(mixed), list(file.fetch(until_eof=True)))
        assert_equals_pysam(whole(mixed, threads=2), list(pysam.AlignmentFile(mixed).fetch(until_eof=True)))


def test_regions_equal_pysam(mixed):
    with open_alignments([mixed]) as source, pysam.AlignmentFile(mixed) as file:
        for interval in regions(seed=1):
            records = file.fetch(HEADER["SQ"][interval.contig_id]["SN"], interval.start, interval.end) if len(interval) else []
            assert_equals_pysam(source.fetch(interval), list(records))


@pytest.mark.parametrize("block_bytes", [97, 1000, 65280])
def test_records_that_straddle_blocks(mixed, tmp_path, block_bytes):
    path = bam_files.write_blocks(tmp_path / "cut.bam", bam_files.inflated(mixed), block_bytes)
    expected = whole(mixed)
    assert_equal(whole(path), expected)  # no index: streamed
    assert_equal(whole(path, threads=3), expected)
    pysam.index(path)
    assert_equal(whole(path, threads=2), expected)
    with open_alignments([path]) as source, open_alignments([mixed]) as uncut:
        for interval in regions(seed=2, n=20):
            assert_equal(source.fetch(interval), uncut.fetch(interval))


def test_csi_equals_bai(mixed, tmp_path):
    path = tmp_path / "csi.bam"
    path.write_bytes(open(mixed, "rb").read())
    pysam.index("-c", "-m", "12", str(path))
    with open_alignments([str(path)]) as source, open_alignments([mixed]) as bai:
        assert not source.is_sequential
        for interval in regions(seed=3):
            assert_equal(source.fetch(interval), bai.fetch(interval))
    assert_equal(whole(str(path), threads=2), whole(mixed))


def test_csi_and_bai_of_many_bins_agree(tmp_path):
    bundled = str(REPOSITORY / "gpuvc" / "data" / "NA12878.chr20.100kb.bam")
    path = shutil.copy(bundled, tmp_path)
    pysam.index("-c", str(path))
    with open_alignments([str(path)]) as source, open_alignments([bundled]) as bai:
        expected = dict(zip(*(column.tolist() for column in bai.byte_starts(0))))
        pos, offsets = source.byte_starts(0)
        assert len(pos) >= 6 and (np.diff(pos) > 0).all()
        assert [expected[p] for p in pos.tolist()] == offsets.tolist()
        rng = random.Random(6)
        for _ in range(40):
            start = rng.choice([rng.randrange(100_000), 16384 * rng.randrange(7)])
            interval = Interval(0, start, start + rng.choice([1, 100, 20_000]))
            assert_equal(source.fetch(interval), bai.fetch(interval))


def test_csi_beyond_what_bai_can_address(tmp_path):
    header = {"HD": {"SO": "coordinate"}, "SQ": [{"SN": "long", "LN": 2_000_000_000}]}
    places = [5, 600_000_000, 1_999_999_000]
    path = bam_files.write_bam(tmp_path / "long.bam", [record(pos, header=header, tags=()) for pos in places], header, index="csi")
    with open_alignments([path]) as source:
        for pos in places:
            assert source.fetch(Interval(0, pos - 5, pos + 30)).pos.tolist() == [pos]
        pos, offsets = source.byte_starts(0)
        assert len(pos) == len(offsets) > 0 and (np.diff(pos) >= 0).all() and (np.diff(offsets) >= 0).all()


def test_cigar_of_more_than_65535_operations(tmp_path):
    cigar = "1M1I" * 40_000
    reads = [record(10, "short"), record(20, "long", cigar=cigar), record(30, "after")]
    path = bam_files.write_bam(tmp_path / "long.bam", reads)
    data = bam_files.inflated(path)
    at = bam_files.record_offsets(data)[1]
    assert struct.unpack_from("<H", data, at + 16) == (2,), "stored as a placeholder with a CG tag"
    found = whole(path)
    assert np.diff(found.cigar_offsets).tolist() == [1, 80_000, 1]
    assert found.ref_end.tolist() == [30, 20 + 40_000, 50]
    assert (found.cigar[1:80_001].reshape(-1, 2) == [1 << 4, 1 << 4 | 1]).all()
    with open_alignments([path]) as source:
        assert_equal(source.fetch(Interval(0, 40_010, 40_011)), take_reads(found, np.array([1])))


def test_bases_of_every_length_and_code(tmp_path):
    letters = "=ACMGRSVTWYHKDBN"  # nibbles 0 to 15
    rng = random.Random(5)
    sequences = ["".join(rng.choices(letters, k=n)) for n in range(1, 40)] + ["ACGT" * 10, "N" * 17, "A" * 16]
    path = bam_files.write_bam(tmp_path / "bases.bam", [record(k, cigar=f"{len(s)}M", sequence=s) for k, s in enumerate(sequences)])
    found = whole(path)
    starts = found.base_offsets
    for k, sequence in enumerate(sequences):
        codes = found.bases[starts[k] : starts[k + 1]]
        assert "".join(BASES[code] for code in codes) == "".join(letter if letter in "ACGT" else "N" for letter in sequence)


def test_no_record_writes_past_its_columns(tmp_path):
    """The last read's bases end exactly at the column's end, in whatever phase of eight."""
    for n in range(1, 18):
        path = bam_files.write_bam(tmp_path / f"{n}.bam", [record(0, cigar=f"{n}M", sequence="C" * n)])
        assert whole(path).bases.tolist() == [1] * n


def test_qualities_not_stored_are_255(tmp_path):
    path = bam_files.write_bam(tmp_path / "quals.bam", [record(0, has_quals=False), record(1)])
    assert whole(path).base_quals.tolist() == [255] * 20 + list(range(2, 22))


def test_read_group_behind_every_type_of_tag(tmp_path):
    tags = [
        ("XA", "c", "A"), ("XC", -3, "c"), ("XD", 200, "C"), ("XE", -300, "s"), ("XF", 60_000, "S"), ("XG", -70_000, "i"),
        ("XH", 1 << 31, "I"), ("XI", 0.25, "f"), ("XJ", "text", "Z"), ("XK", "00FF", "H"), ("XL", "", "Z"),
    ]  # fmt: skip
    read = record(0)
    read.set_tags(tags)
    for code in "bBhHiIf":
        read.set_tag("Y" + code, bam_files.array(code, [1, 2, 3]))
    read.set_tag("RG", "lane2", "Z")
    others = [record(1), record(2, tags=()), record(3, tags=[("RG", "lane"), ("XX", "lane1")])]
    path = bam_files.write_bam(tmp_path / "tags.bam", [read, *others])
    assert whole(path).read_group.tolist() == [1, 0, -1, -1]


def test_region_edges(tmp_path):
    reads = [
        record(100, "plain"), record(100, "spliced", cigar="10M1000N10M"),
        record(100, "beside its mate", cigar=None, sequence="ACGT", flag=4),
        record(100, "no reference span", cigar="20S"), record(5000, "unmapped with a CIGAR", flag=4),
    ]  # fmt: skip
    path = bam_files.write_bam(tmp_path / "edges.bam", reads)
    with open_alignments([path]) as source:
        for start, end, n_expected in [
            (99, 100, 0), (100, 101, 4), (101, 102, 2), (119, 120, 2), (120, 121, 1), (1119, 1120, 1), (1120, 1121, 0), (100, 100, 0),
            (5000, 5001, 1), (5001, 5002, 0),
        ]:  # fmt: skip
            assert source.fetch(Interval(0, start, end)).n_reads == n_expected, (start, end)
        assert source.fetch(Interval(0, 5000, 5001)).ref_end.tolist() == [5000]
        assert source.fetch(Interval(1, 0, 50_000)).n_reads == 0


def test_file_without_reads(tmp_path):
    path = bam_files.write_bam(tmp_path / "none.bam", [])
    assert whole(path).n_reads == 0
    with open_alignments([path]) as source:
        assert source.fetch(Interval(0, 0, 100_000)).n_reads == 0
        pos, offsets = source.byte_starts(0)
        assert len(pos) == len(offsets) == 0


def test_byte_starts_ascend_and_lead_to_the_reads(mixed):
    with open_alignments([mixed]) as source:
        pos, offsets = source.byte_starts(0)
        assert (np.diff(pos) > 0).all() and (np.diff(offsets) >= 0).all() and offsets[-1] < source.total_bytes
        assert pos.dtype == offsets.dtype == np.int64


def test_fetch_from_many_threads(mixed):
    from concurrent.futures import ThreadPoolExecutor

    with open_alignments([mixed]) as source:
        wanted = list(regions(seed=4, n=40))
        expected = [source.fetch(interval) for interval in wanted]
        with ThreadPoolExecutor(4) as pool:
            for found, same in zip(pool.map(source.fetch, wanted), expected):
                assert_equal(found, same)


@pytest.mark.parametrize("path_of_fallback", ["deflate", "zlib"])
def test_slower_inflaters_give_the_same(mixed, monkeypatch, path_of_fallback):
    expected = whole(mixed)
    monkeypatch.setattr(bgzf, "_addresses_in", lambda path: None)
    if path_of_fallback == "zlib":
        monkeypatch.setattr(bgzf.importlib.util, "find_spec", lambda name: None)
    bgzf.find_inflater.cache_clear()
    try:
        assert path_of_fallback in bgzf.libdeflate_source()
        assert_equal(whole(mixed), expected)
    finally:
        monkeypatch.undo()
        bgzf.find_inflater.cache_clear()
    assert bgzf.libdeflate_source().endswith((".so", ".so.0"))
