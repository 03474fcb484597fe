"""Pictures of a region: what is drawn is what the tables say, and the same bytes each time."""

import sys
from itertools import pairwise

import numpy as np
import pytest

import gpuvc
from gpuvc.kernels.codes import CODE_OF_ASCII
from gpuvc.notebook.pile_figure import PILE_BP, _extent, _groups, _marks_of, _packed, _shown_haplotypes
from gpuvc.output.picture import lay_out

PLACE = "chr20:7,380-7,560"  # two insertions at one locus, and an SNV beside it


@pytest.fixture(scope="module")
def sample(demo_data):
    with gpuvc.open(demo_data.bam, demo_data.reference, device="cpu") as opened:
        yield opened


@pytest.fixture(scope="module")
def region(sample):
    return sample[PLACE]


def texts(picture):
    return [text.get_text() for axis in picture.figure.axes for text in axis.texts] + [
        label.get_text() for axis in picture.figure.axes for label in axis.get_yticklabels()
    ]


def test_a_pile_names_its_calls_and_haplotypes(region):
    picture = region.plot()
    shown = "\n".join(texts(picture))
    assert "7,458 G>GTT,GTTT  1/2  QUAL 953  PASS" in shown and "7,470 C>T  1/1  QUAL 520  PASS" in shown
    table = region.haplotypes
    for row in np.flatnonzero((table.n_reads > 0) & ~table.is_ref):
        assert f"haplotype {table.haplotype[row]} · {table.n_reads[row]} read" in shown
    assert "+TT\n" in shown and "+TTT\n" in shown and "reference · " in shown
    data, size = picture._repr_png_()
    assert data[:4] == b"\x89PNG" and size["width"] == 810 and data == region.plot()._repr_png_()[0]


@pytest.mark.parametrize("refused", [False, True])
def test_every_read_is_in_one_group(region, refused):
    groups = _groups(region, _shown_haplotypes(region), 10_000, refused)
    drawn = [read for _, _, pile, _ in groups for row in pile for read in row]
    reads = region.reads
    wanted = np.flatnonzero((reads.end > reads.start) & (refused | (reads.refused_by == "")))
    assert sorted(drawn) == wanted.tolist() and len(drawn) > 100 and not any(n for *_, n in groups)
    labels = [label.split("\n")[0] for label, *_ in groups]
    assert labels[0] == "reference" and ("left out" in labels) == refused and any(label.startswith("haplotype") for label in labels)
    rows = region.region_reads
    haplotypes = region.haplotypes
    is_ref = {(g, h): own for g, h, own in zip(haplotypes.active_region.tolist(), haplotypes.haplotype.tolist(), haplotypes.is_ref)}
    best = zip(rows.read.tolist(), rows.active_region.tolist(), rows.best_haplotype.tolist())
    of_reference = {read for read, g, h in best if read >= 0 and is_ref.get((g, h))}
    assert {read for row in groups[0][2] for read in row} == of_reference


def test_a_deep_pile_is_thinned_and_says_so(region):
    groups = _groups(region, _shown_haplotypes(region), 20, False)
    assert sum(len(pile) for *_, pile, _ in groups) <= 20 + 3 * len(groups)
    for label, _, pile, left_out in groups:
        assert int(label.split("\n")[1].split()[0]) == left_out + sum(map(len, pile))
    assert "not shown" in "\n".join(texts(region.plot(max_rows=20)))


def test_packed_reads_do_not_touch(region):
    reads = region.read_batch
    members = list(range(reads.n_reads))
    pile = _packed(reads, members, region)
    assert sorted(read for row in pile for read in row) == members and len(pile) < len(members)
    for row in pile:
        spans = [_extent(reads, read) for read in row]
        assert all(max(a[1], region.start) < b[0] for a, b in pairwise(spans))


def test_extent_counts_soft_clips(region):
    reads = region.reads
    clipped = [row for row in range(len(reads)) if "S" in reads.cigar[row]]
    assert clipped
    for row in clipped:
        first, last = _extent(region.read_batch, row)
        grown = (reads.start[row] - first) + (last - reads.end[row])
        letters = reads.cigar[row]
        assert grown == sum(int(n) for n in _numbers_before(letters, "S")), letters


def _numbers_before(text, letter):
    number = ""
    for character in text:
        if character.isdigit():
            number += character
            continue
        if character == letter:
            yield number
        number = ""


def test_marks_of_a_read():
    codes = CODE_OF_ASCII[np.frombuffer(b"ACGTACGTAC", np.uint8)]
    cigar = np.array([2 << 4, 1 << 4 | 1, 2 << 4 | 2, 3 << 4], np.uint32)  # 2M1I2D3M over ACGTACG
    bases = CODE_OF_ASCII[np.frombuffer(b"ATGACA", np.uint8)]
    marks, gaps, insertions = [], [], []
    _marks_of(*lay_out(100, cigar, bases, codes, 100, 100, 110), 100, 7, marks, gaps, insertions, {101: 12})
    assert marks == [(101, 7, "T", 12), (106, 7, "A", 40)] and gaps == [(102, 104, 7)] and insertions == [(101, 7, "G")]


def test_an_overview_of_a_long_region(sample, demo_data):
    region = sample["chr20:50,000-60,000"]
    truth = demo_data.reference.replace("chr20.fa", "truth.vcf.gz")
    figure = region.plot(truth=truth).figure
    assert len(region) > PILE_BP and [axis.get_ylabel() for axis in figure.axes] == ["QUAL", "", "depth", "activity"]
    sticks = [line.get_xdata()[0] for line in figure.axes[0].lines[::2]]
    assert sticks == [call.pos + 1 for call in region.calls] and len(sticks) == 8
    assert len(figure.axes[1].lines) == gpuvc.read_vcf(truth, region.name).num_rows


def test_empty_and_tiny_regions(sample):
    for place in ("chr20:1,000,000-1,000,100", "chr20:55,161", "chr20:1-300", "chr20:1,099,000-1,100,000"):
        assert sample[place].plot()._repr_png_()[0][:4] == b"\x89PNG"


def test_saving(region, tmp_path):
    picture = region.plot()
    for suffix, first in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        picture.save(tmp_path / f"pile{suffix}")
        assert (tmp_path / f"pile{suffix}").read_bytes().startswith(first)
    with pytest.raises(gpuvc.UsageError, match=r"found suffix '\.pdf'"):
        picture.save(tmp_path / "pile.pdf")
    with pytest.raises(gpuvc.OutputError, match="no folder"):
        picture.save(tmp_path / "nowhere" / "pile.png")
    assert len(list(tmp_path.iterdir())) == 2


def test_without_matplotlib(region, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(gpuvc.UsageError, match=r"found no Matplotlib.*pip install 'gpuvc\["):
        region.plot()
