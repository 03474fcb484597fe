"""Windows of a FASTA as codes."""

import gzip
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pysam
import pytest

from gpuvc.errors import InputError
from gpuvc.io.fasta import open_reference

LETTERS = {"chr1": "ACGTNacgtnRYKMryk-*" * 30, "two": "T" * 61, "e": "G"}
CODES = {"A": 0, "C": 1, "G": 2, "T": 3}


def write_fasta(path, compressed=False):
    text = "".join(f">{name} a comment\n" + "".join(s[k : k + 50] + "\n" for k in range(0, len(s), 50)) for name, s in LETTERS.items())
    if compressed:
        with pysam.BGZFile(str(path), "w") as file:
            file.write(text.encode())
    else:
        path.write_text(text)
    pysam.faidx(str(path))
    return str(path)


@pytest.mark.parametrize("name", ["x.fa", "x.fa.gz"])
def test_windows(tmp_path, name):
    reference = open_reference(write_fasta(tmp_path / name, compressed=name.endswith("gz")))
    assert reference.contigs.names == ("chr1", "two", "e") and reference.contigs.lengths == (570, 61, 1)
    rng = random.Random(1)
    for _ in range(200):
        contig = rng.choice(sorted(LETTERS))
        start = rng.randrange(-20, 600)
        end = start + rng.randrange(0, 120)
        expected = [CODES.get(LETTERS[contig][k].upper(), 4) if 0 <= k < len(LETTERS[contig]) else 4 for k in range(start, end)]
        window = reference.window(contig, start, end)
        assert window.dtype == np.uint8 and window.flags.writeable and window.tolist() == expected
    with ThreadPoolExecutor(4) as pool:
        assert all(w.tolist() == [3] * 61 for w in pool.map(lambda _: reference.window("two", 0, 61), range(40)))


def said(path):
    with pytest.raises(InputError) as caught:
        open_reference(str(path)).window("chr1", 0, 5700)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def test_what_can_be_wrong(tmp_path):
    assert "does not exist" in said(tmp_path / "missing.fa")
    assert "folder" in said(tmp_path)
    path = tmp_path / "x.fa"
    write_fasta(path)
    index = tmp_path / "x.fa.fai"
    rows = index.read_text()
    for changed in ("chr1\n", "chr1\tmany\t1\t50\t51\n", "", rows.replace("570", "5700"), rows.replace("570", "590")):
        index.write_text(changed)
        assert "samtools faidx" in said(path)
    index.unlink()
    assert f"samtools faidx {path}" in said(path)
    text = path.read_text()
    write_fasta(path)
    path.write_text(text[:200])
    assert "samtools faidx" in said(path)
    packed = tmp_path / "y.fa.gz"
    write_fasta(packed, compressed=True)
    (tmp_path / "y.fa.gz.gzi").unlink()
    assert "y.fa.gz.gzi" in said(packed)
    packed.write_bytes(gzip.compress(Path(path).read_bytes()))
    assert "bgzip" in said(packed)


def test_unknown_contig(tmp_path):
    with pytest.raises(InputError, match="has no contig three"):
        open_reference(write_fasta(tmp_path / "x.fa")).window("three", 0, 1)
