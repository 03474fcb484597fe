"""CRAM and remote files through htslib: the columns of the BAM they were made from, and its errors as ours."""

import random
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bam_files
import numpy as np
import pysam
import pytest
from bam_files import HEADER, record

from gpuvc.errors import InputError
from gpuvc.intervals import Interval
from gpuvc.io import htslib_file
from gpuvc.io.alignments import open_alignments
from gpuvc.io.columns import join_batches

REGIONS = [Interval(0, 0, 100_000), Interval(0, 30_000, 30_500), Interval(1, 0, 1), Interval(1, 20_000, 40_000)]


def whole(source, threads=1):
    return join_batches([join_batches([batch]) for batch in source.batches(threads)])


def assert_equal(found, expected):
    for name in found.__slots__:
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder with ref.fa, other.fa and x.bam: mapped pairs of every shape CRAM keeps."""
    folder = tmp_path_factory.mktemp("cram")
    rng = random.Random(3)
    for name in ("ref.fa", "other.fa"):
        sequences = {contig["SN"]: "".join(rng.choices("ACGT", k=contig["LN"])) for contig in HEADER["SQ"]}
        (folder / name).write_text("".join(f">{contig}\n{sequence}\n" for contig, sequence in sequences.items()))
        pysam.faidx(str(folder / name))
    bam_files.write_bam(folder / "x.bam", [read for read in bam_files.mixed_records(800, seed=4) if _survives_cram(read)])
    return folder


def _survives_cram(read):
    """CRAM takes = and X for M, and forgets a read group that the header lacks."""
    return not re.search("[=X]", read.cigarstring or "") and not (read.has_tag("RG") and "not" in read.get_tag("RG"))


def convert(made, path, *options):
    """x.bam as CRAM. Its header names the FASTA it was made with (UR), which is gone afterwards."""
    fasta = path.with_suffix(".fa")
    shutil.copy(made / "ref.fa", fasta)
    pysam.view("-C", "-T", str(fasta), "-o", str(path), *options, str(made / "x.bam"), catch_stdout=False)
    pysam.index(str(path))
    fasta.unlink()
    return str(path)


@pytest.mark.parametrize(
    ("options", "needs_reference"),
    [
        (("--output-fmt-option", "version=3.0"), True),
        (("--output-fmt-option", "version=3.1"), True),
        (("--output-fmt-option", "version=3.1", "--output-fmt-option", "archive=1"), True),
        (("--output-fmt-option", "embed_ref=1"), False),
        (("--output-fmt-option", "no_ref=1"), False),
    ],
    ids=["3.0", "3.1", "3.1 archive", "embedded reference", "no reference"],
)
def test_cram_gives_the_columns_of_its_bam(made, tmp_path, options, needs_reference):
    path = convert(made, tmp_path / "x.cram", *options)
    reference = str(made / "ref.fa") if needs_reference else None
    with open_alignments([str(made / "x.bam")]) as bam, open_alignments([path], reference=reference) as cram:
        assert cram.contigs == bam.contigs and cram.read_groups == bam.read_groups and cram.sample == "ann" and not cram.is_sequential
        assert_equal(whole(cram), whole(bam))
        assert_equal(whole(cram, threads=2), whole(bam))
        for interval in REGIONS:
            assert_equal(cram.fetch(interval), bam.fetch(interval))
        assert cram.fetch(REGIONS[0]).bases.flags.writeable
        pos, offsets = cram.byte_starts(0)
        assert len(pos) and (np.diff(pos) >= 0).all() and (np.diff(offsets) >= 0).all() and offsets[-1] < cram.total_bytes
        with ThreadPoolExecutor(3) as pool:
            for found, interval in zip(pool.map(cram.fetch, REGIONS * 3), REGIONS * 3):
                assert_equal(found, bam.fetch(interval))
        assert 1 <= len(cram._inputs[0]._idle) <= 3, "processes are kept and used again"


def test_cram_without_index_is_read_forward(made, tmp_path):
    path = convert(made, tmp_path / "x.cram")
    Path(path + ".crai").unlink()
    with open_alignments([str(made / "x.bam")]) as bam, open_alignments([path], reference=str(made / "ref.fa")) as cram:
        assert cram.is_sequential and cram.byte_starts(0) is None
        for interval in REGIONS:
            assert_equal(cram.fetch(interval), bam.fetch(interval))


def test_contig_names_with_colons_and_commas(tmp_path):
    names = ("HLA:A*01:01", "a,b", "HLA:A*01", "c", "c:91-200")
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": name, "LN": 1000} for name in names]}
    records = [record(100, contig_id=k, header=header, tags=()) for k in range(len(names))]
    path = bam_files.write_bam(tmp_path / "x.bam", records, header)
    pysam.view("-C", "--output-fmt-option", "no_ref=1", "-o", str(tmp_path / "x.cram"), path, catch_stdout=False)
    pysam.index(str(tmp_path / "x.cram"))
    with open_alignments([str(tmp_path / "x.cram")]) as cram:
        assert [cram.fetch(Interval(k, 90, 200)).contig_id.tolist() for k in range(len(names))] == [[k] for k in range(len(names))]


def said(path, how, **options):
    with pytest.raises(InputError) as caught, open_alignments([str(path)], **options) as source:
        how(source)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


@pytest.mark.parametrize("how", [lambda source: source.fetch(REGIONS[0]), whole], ids=["fetch", "whole"])
def test_references_that_do_not_fit(made, tmp_path, how, monkeypatch):
    monkeypatch.delenv("REF_PATH", raising=False)
    path = convert(made, tmp_path / "x.cram")
    assert "-R ref.fa" in said(path, how)
    assert re.search("(?i)md5.*-R ref.fa", said(path, how, reference=str(made / "other.fa")))
    (tmp_path / "renamed.fa").write_text((made / "ref.fa").read_text().replace(">chr", ">"))
    pysam.faidx(str(tmp_path / "renamed.fa"))
    assert "chr1" in said(path, how, reference=str(tmp_path / "renamed.fa"))


def test_damaged_cram(made, tmp_path):
    path = Path(convert(made, tmp_path / "x.cram"))
    data = path.read_bytes()
    options = {"reference": str(made / "ref.fa")}
    for n in (10, len(data) // 2, len(data) - 5):
        path.write_bytes(data[:n])
        assert "truncated" in said(path, lambda source: source.fetch(REGIONS[2]), **options)
    changed = bytearray(data)
    changed[len(data) // 2] ^= 0xFF
    path.write_bytes(changed)
    said(path, whole, **options)
    path.write_bytes(data)
    Path(f"{path}.crai").write_bytes(b"no index")
    said(path, lambda source: source.byte_starts(0), **options)
    said(path, lambda source: source.fetch(REGIONS[0]), **options)


def test_failed_process_ends_and_is_not_used_again(made, tmp_path, monkeypatch):
    processes = []

    class Recorded(htslib_file.ViewWorker):
        def __init__(self, path):
            super().__init__(path)
            processes.append(self._process)

    monkeypatch.setattr(htslib_file, "ViewWorker", Recorded)
    path = convert(made, tmp_path / "x.cram")
    with open_alignments([path], reference=str(made / "ref.fa")) as source:
        good = source.fetch(REGIONS[1])
        Path(path).rename(path + ".away")
        with pytest.raises(InputError, match="No such file"):
            source.fetch(REGIONS[1])
        Path(path + ".away").rename(path)
        assert_equal(source.fetch(REGIONS[1]), good)
        half_read = source.batches()
        next(half_read)
        half_read.close()
        assert [process.poll() is None for process in processes] == [False, False]
    assert all(process.poll() is not None for process in processes)


@pytest.fixture
def served(made, tmp_path, monkeypatch):
    """(URL, folder) of a local server of tmp_path with x.bam, x.cram and their indexes."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for suffix in ("", ".bai"):
        shutil.copy(made / f"x.bam{suffix}", tmp_path)
    convert(made, tmp_path / "x.cram")
    server = subprocess.Popen([sys.executable, str(Path(__file__).with_name("range_server.py")), str(tmp_path)], stdout=subprocess.PIPE)
    yield f"http://127.0.0.1:{int(server.stdout.readline())}", tmp_path
    server.kill()
    server.communicate()


@pytest.mark.skipif(not pysam.config.HAVE_LIBCURL, reason="this pysam is built without libcurl")
def test_urls(made, served):
    url, folder = served
    before = set(Path.cwd().iterdir())
    with open_alignments([str(made / "x.bam")]) as bam:
        for name in ("x.bam", "x.cram"):
            with open_alignments([f"{url}/{name}"], reference=str(made / "ref.fa")) as source:
                assert not source.is_sequential and source.sample == "ann"
                assert_equal(source.fetch(REGIONS[3]), bam.fetch(REGIONS[3]))
                assert_equal(whole(source), whole(bam))
        (folder / "x.bam.bai").unlink()
        with open_alignments([f"{url}/x.bam"]) as source:
            assert source.is_sequential
            assert_equal(source.fetch(REGIONS[1]), bam.fetch(REGIONS[1]))
    said(f"{url}/missing.bam", whole)
    assert set(Path.cwd().iterdir()) == before, "downloaded indexes do not stay behind"
