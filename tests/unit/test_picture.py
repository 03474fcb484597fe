"""The pile as text."""

import numpy as np
import pytest

from gpuvc.kernels.codes import BASES
from gpuvc.output.picture import MOST_INSERTED, draw, lay_out

#            0123456789012345
REFERENCE = "GATTACAGATTACACC"
CODES = np.array([BASES.index(letter) for letter in REFERENCE], np.uint8)


def laid(pos, cigar, bases, start=0, end=16, reverse=False):
    operations = np.array([int(length) << 4 | "MIDNSHP=X".index(letter) for length, letter in cigar], np.uint32)
    cells, insertions = lay_out(
        pos, operations, np.array([BASES.index(letter) for letter in bases], np.uint8), CODES, 0, start, end, reverse
    )
    return "".join(cells), insertions


@pytest.mark.parametrize(
    "pos, cigar, bases, reverse, cells, insertions",
    [
        (0, [(4, "M")], "GATT", False, "....            ", {}),
        (2, [(4, "M")], "TTGC", False, "  ..G.          ", {}),
        (2, [(4, "M")], "TTGN", True, "  ,,gn          ", {}),
        (1, [(2, "S"), (3, "M"), (1, "S")], "CCATTG", False, " ...            ", {}),
        (2, [(2, "M"), (2, "D"), (2, "M")], "TTAG", False, "  ..**..        ", {}),
        (2, [(2, "M"), (3, "I"), (2, "M")], "TTGGCAC", True, "  ,,,,          ", {3: "ggc"}),
        (13, [(1, "H"), (3, "="), (2, "I")], "ACCTT", False, "             ...", {15: "TT"}),
        (2, [(2, "I"), (2, "M")], "GGTT", False, "  ..            ", {1: "GG"}),
    ],
)
def test_one_alignment(pos, cigar, bases, reverse, cells, insertions):
    assert laid(pos, cigar, bases, reverse=reverse) == (cells, insertions)


def test_only_what_the_window_holds():
    assert laid(0, [(16, "M")], REFERENCE, start=3, end=7) == ("....", {})
    assert laid(0, [(3, "M"), (1, "I"), (4, "M"), (1, "I"), (3, "M")], "GATGTACATGAT", start=3, end=7) == ("....", {6: "T"})


def test_a_picture():
    rows = [
        ("haplotype 2", laid(0, [(5, "M"), (2, "I"), (11, "M")], "GATTAGGCAGATTACACC"), "3 reads"),
        ("", laid(3, [(2, "M"), (1, "I"), (4, "M"), (1, "D"), (2, "M")], "TACCAGATA", reverse=True), "mapq 60"),
        ("", laid(8, [(4, "M")], "AGTA"), "mapq 7"),
    ]
    assert draw(9, 0, 16, CODES, 0, rows) == [
        "                       10",
        "                        v",
        "reference    GATTA**CAGATTACACC",
        "haplotype 2  .....GG...........  3 reads",
        "                ,,c*,,,,*,,      mapq 60",
        "                       .G..      mapq 7",
    ]


def test_the_mark_stands_over_its_base():
    rows = [("", laid(0, [(2, "M"), (40, "I"), (14, "M")], "GA" + 40 * "C" + REFERENCE[2:]), "")]
    lines = draw(4, 0, 16, CODES, 0, rows)
    mark = lines[1].index("v")
    assert lines[2][mark] == REFERENCE[4] and lines[2].count("*") == MOST_INSERTED == lines[3].count("C")
    assert lines[0].endswith("5") and len(lines[0]) == mark + 1
