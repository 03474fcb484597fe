"""The table of counts against the same table written cell by cell."""

import io
import resource
import time
from types import SimpleNamespace

import numpy as np
import pysam
import pytest

from gpuvc.api import pileup
from gpuvc.batches import PILEUP_FIELDS, IndelTable, Pileup
from gpuvc.errors import OutputError, UsageError
from gpuvc.output.counts import COLUMNS, indel_texts, open_table, tsv_rows
from gpuvc.settings import Settings

N_FIELDS = len(PILEUP_FIELDS)


def indels(*alleles):
    """IndelTable from (pos, inserted bases or number deleted, forward, reverse)."""
    inserted = [allele if isinstance(allele, str) else "" for _, allele, _, _ in alleles]
    return IndelTable(
        pos=np.array([pos for pos, _, _, _ in alleles], np.int32),
        length=np.array([len(a) if isinstance(a, str) else -a for _, a, _, _ in alleles], np.int32),
        inserted=np.array(["ACGTN".index(base) for bases in inserted for base in bases], np.uint8),
        inserted_offsets=np.cumsum([0, *map(len, inserted)]).astype(np.int64),
        forward=np.array([forward for _, _, forward, _ in alleles], np.int32),
        reverse=np.array([reverse for _, _, _, reverse in alleles], np.int32),
    )


def cell_by_cell(contig, pileup, codes):
    texts = indel_texts(pileup)
    return "".join(
        "\t".join([contig, str(pileup.start + i + 1), "ACGTN"[codes[i]], *map(str, pileup.counts[:, i].tolist()), texts.get(i, ".")]) + "\n"
        for i in range(pileup.n_positions)
    ).encode()


@pytest.mark.parametrize("n, start, top", [(0, 0, 1), (1, 0, 1), (12, 0, 1), (300, 95, 2), (300, 999_900, 2_000_000_000), (40_000, 5, 120)])
def test_rows(n, start, top):
    random = np.random.default_rng(7)
    counts = random.integers(0, top, (N_FIELDS, n)).astype(np.int32)
    counts[:, ::3] = 0
    table = indels(*((start + i, ("ACG", 2)[i // 4 % 2], i % 7, 3) for i in range(0, n, 4)))
    pileup = Pileup(0, start, counts, table)
    codes = random.integers(0, 5, n).astype(np.uint8)
    assert tsv_rows("chr1", pileup, codes) == cell_by_cell("chr1", pileup, codes)


def test_indels_by_row():
    table = indels((9, "T", 1, 0), (10, "GAT", 3, 4), (10, 2, 0, 5), (12, "N", 2, 2), (13, 7, 1, 1))
    pileup = Pileup(0, 10, np.zeros((N_FIELDS, 3), np.int32), table)
    assert indel_texts(pileup) == {0: "+GAT:3,4;-2:0,5", 2: "+N:2,2"}


@pytest.fixture
def windows():
    random = np.random.default_rng(3)
    counts = [random.integers(0, 50, (N_FIELDS, n)).astype(np.int32) for n in (4, 3)]
    return [
        ("chr1", Pileup(0, 7, counts[0], indels((8, "AC", 2, 1))), np.array([0, 1, 2, 3], np.uint8)),
        ("chr2", Pileup(1, 0, counts[1], indels()), np.array([4, 4, 0], np.uint8)),
    ]


def test_tsv_file(tmp_path, windows):
    with open_table(str(tmp_path / "a.tsv")) as table:
        for window in windows:
            table.add(*window)
        assert not (tmp_path / "a.tsv").exists()
        table.commit()
    text = (tmp_path / "a.tsv").read_bytes()
    assert text == ("#" + "\t".join(COLUMNS) + "\n").encode() + b"".join(cell_by_cell(*window) for window in windows)


@pytest.mark.parametrize("name", ["a.arrow", "a.feather"])
def test_arrow_file(tmp_path, windows, name):
    feather = pytest.importorskip("pyarrow.feather")
    with open_table(str(tmp_path / name)) as table:
        for window in windows:
            table.add(*window)
        table.commit()
    rows = feather.read_table(tmp_path / name)
    assert tuple(rows.column_names) == COLUMNS
    lines = [
        "\t".join("." if value is None else str(value) for value in row) for row in zip(*(column.to_pylist() for column in rows.columns))
    ]
    assert "\n".join(lines) + "\n" == b"".join(cell_by_cell(*window) for window in windows).decode()


@pytest.mark.parametrize("name", ["a.tsv", "a.arrow"])
def test_nothing_remains_without_commit(tmp_path, windows, name):
    with pytest.raises(ZeroDivisionError), open_table(str(tmp_path / name)) as table:
        table.add(*windows[0])
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.tsv", "a.arrow"])
def test_full_disk(tmp_path, windows, name):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written"), open_table(str(tmp_path / name)) as table:
            for _ in range(99):
                table.add(*windows[0])
            table.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_unknown_suffix():
    with pytest.raises(UsageError, match=r"\.feather"):
        open_table("a.csv")


def test_standard_output(monkeypatch, windows):
    stream = SimpleNamespace(buffer=io.BytesIO())
    monkeypatch.setattr("sys.stdout", stream)
    with open_table("-") as table:
        table.add(*windows[0])
        table.commit()
    assert stream.buffer.getvalue().endswith(cell_by_cell(*windows[0]))


@pytest.mark.parametrize("window_bp", [70, 1 << 20])
def test_the_command_writes_what_the_api_counts(run_cli, demo_data, monkeypatch, window_bp):
    monkeypatch.setattr("gpuvc.cli._WINDOW_BP", window_bp)
    region = "chr20:5,100-5,400"  # three deletions and two insertions
    done = run_cli("pileup", "-R", demo_data.reference, "-I", demo_data.bam, "-L", region, "-mbq", "20")
    assert done.code == 0 and done.err == ""
    counts = pileup(demo_data.reference, demo_data.bam, region, settings=Settings(min_base_quality=20))
    with pysam.FastaFile(demo_data.reference) as fasta:
        codes = np.array(["ACGTN".index(base) for base in fasta.fetch("chr20", 5099, 5400).upper()], np.uint8)
    header, _, rows = done.out.partition("\n")
    assert header == "#" + "\t".join(COLUMNS)
    assert rows.encode() == cell_by_cell("chr20", counts, codes)


def test_the_command_without_region_writes_every_contig(run_cli, tmp_path):
    (tmp_path / "ref.fa").write_text(">a\nACGTNACGT\n>b\nGGG\n")
    pysam.faidx(str(tmp_path / "ref.fa"))
    header = {"SQ": [{"SN": "a", "LN": 9}, {"SN": "b", "LN": 3}], "RG": [{"ID": "1", "SM": "S"}]}
    with pysam.AlignmentFile(str(tmp_path / "a.bam"), "wb", header=header):
        pass
    pysam.index(str(tmp_path / "a.bam"))
    done = run_cli("pileup", "-R", tmp_path / "ref.fa", "-I", tmp_path / "a.bam", "-O", tmp_path / "a.tsv")
    assert done.code == 0, done.err
    rows = [line.split("\t") for line in (tmp_path / "a.tsv").read_text().splitlines()[1:]]
    assert [row[:3] for row in rows] == [["a", str(i), base] for i, base in enumerate("ACGTNACGT", 1)] + [
        ["b", str(i), "G"] for i in (1, 2, 3)
    ]
    assert all(row[3:-1] == ["0"] * N_FIELDS and row[-1] == "." for row in rows)


def test_text_is_made_without_a_loop_over_cells():
    counts = np.random.default_rng(1).integers(0, 90, (N_FIELDS, 200_000)).astype(np.int32)
    pileup, codes = Pileup(0, 0, counts, indels()), np.zeros(200_000, np.uint8)
    before = time.process_time()
    tsv_rows("chr1", pileup, codes)
    assert time.process_time() - before < 3.0  # 0.5 s measured; a loop over the 6 million cells takes 3 s at the least
