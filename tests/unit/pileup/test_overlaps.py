"""What mates know of each other: adaptor behind a fragment's end, and bases that both have read."""

import numpy as np
import pytest
from builders import Read, batch, read, used
from hypothesis import given
from hypothesis import strategies as st

from gpuvc.kernels.codes import (
    FLAG_MATE_REVERSE,
    FLAG_MATE_UNMAPPED,
    FLAG_PAIRED,
    FLAG_READ1,
    FLAG_READ2,
    FLAG_REVERSE,
    FLAG_SECONDARY,
    FLAG_SUPPLEMENTARY,
)
from gpuvc.pileup.overlaps import finalise_quals

FORWARD = FLAG_PAIRED | FLAG_READ1 | FLAG_MATE_REVERSE
REVERSE = FLAG_PAIRED | FLAG_READ2 | FLAG_REVERSE
REFERENCE = "ACGTTGCATCAGGATTACGCATGCAACTGGTCAGTACGATCGGCTA"


def quals_after(*reads, correct=True):
    """Base qualities of each read, finalised."""
    columns = batch(reads)
    finalise_quals(columns, used(columns), correct)
    return [columns.base_quals[a:b].tolist() for a, b in zip(columns.base_offsets, columns.base_offsets[1:])]


class TestAdaptor:
    """A fragment of positions 100 to 130, read by 40 bases from either end."""

    FORWARD_READ = Read(100, (("M", 40),), 40 * "A", flag=FORWARD, mate_pos=91, template_length=30)
    REVERSE_READ = Read(90, (("M", 40),), 40 * "A", flag=REVERSE, mate_pos=100, template_length=-30)

    def test_forward(self):
        assert quals_after(self.FORWARD_READ) == [30 * [30] + 10 * [0]]

    def test_reverse(self):
        assert quals_after(self.REVERSE_READ) == [10 * [0] + 30 * [30]]

    def test_fragment_as_long_as_the_read(self):
        assert quals_after(self.FORWARD_READ.but(template_length=40)) == [40 * [30]]
        assert quals_after(self.FORWARD_READ.but(template_length=39)) == [39 * [30] + [0]]
        assert quals_after(self.REVERSE_READ.but(mate_pos=90)) == [40 * [30]]
        assert quals_after(self.REVERSE_READ.but(mate_pos=91)) == [[0] + 39 * [30]]

    def test_behind_indels(self):
        """Reference positions decide: an inserted base lies where the next aligned one does, a deletion moves the end nearer."""
        inserted = self.FORWARD_READ.but(cigar=(("M", 10), ("I", 4), ("M", 26)))
        assert quals_after(inserted) == [34 * [30] + 6 * [0]]
        deleted = self.FORWARD_READ.but(cigar=(("M", 10), ("D", 4), ("M", 30)))
        assert quals_after(deleted) == [26 * [30] + 14 * [0]]

    def test_soft_clip_behind_the_end(self):
        assert quals_after(self.FORWARD_READ.but(cigar=(("M", 32), ("S", 8)))) == [30 * [30] + 10 * [0]]
        assert quals_after(self.REVERSE_READ.but(pos=98, cigar=(("S", 8), ("M", 32)))) == [10 * [0] + 30 * [30]]

    @pytest.mark.parametrize(
        "changes",
        [
            {"template_length": 0}, {"mate_pos": -1}, {"flag": FORWARD & ~FLAG_PAIRED}, {"flag": FORWARD | FLAG_MATE_UNMAPPED},
            {"flag": FORWARD | FLAG_REVERSE}, {"flag": FORWARD & ~FLAG_MATE_REVERSE}, {"mate_pos": 20},
        ],
        ids=str,
    )  # fmt: skip
    def test_fragment_that_is_not_known(self, changes):
        assert quals_after(self.FORWARD_READ.but(**changes)) == [40 * [30]]

    def test_reverse_read_that_ends_before_its_mate_starts(self):
        assert quals_after(self.REVERSE_READ.but(mate_pos=129)) == [40 * [30]]

    def test_without_correction_of_overlaps(self):
        assert quals_after(self.FORWARD_READ, correct=False) == [30 * [30] + 10 * [0]]


def pair(first_row, second_row, first={}, second={}):  # noqa: B006 - not changed
    """Mates drawn on REFERENCE."""
    a = read(REFERENCE, first_row, flag=FORWARD, name="pair", mate_contig_id=0)
    b = read(REFERENCE, second_row, flag=REVERSE, name="pair", mate_contig_id=0)
    return a.but(**({"mate_pos": b.pos} | first)), b.but(**({"mate_pos": a.pos} | second))


class TestOverlap:
    def test_equal_bases_count_once(self):
        assert quals_after(*pair("..........", "      ..........")) == [6 * [30] + 4 * [20], 4 * [20] + 6 * [30]]

    def test_unequal_bases_do_not_count(self):
        assert quals_after(*pair("........C.", "      ..........")) == [6 * [30] + [20, 20, 0, 20], [20, 20, 0, 20] + 6 * [30]]

    def test_equal_bases_that_differ_from_the_reference(self):
        assert quals_after(*pair("........G.", "      ..G.......")) == [6 * [30] + 4 * [20], 4 * [20] + 6 * [30]]

    def test_low_qualities_stay(self):
        assert quals_after(*pair("....", "  ....", {"quals": (30, 30, 7, 30)}, {"quals": (30, 2, 30, 30)})) == [
            [30, 30, 7, 20], [20, 2, 30, 30],
        ]  # fmt: skip

    def test_a_deletion_in_one(self):
        assert quals_after(*pair("....--....", "  ........")) == [[30, 30] + 6 * [20], [20, 20, 30, 30, 20, 20, 20, 20]]

    def test_an_insertion_in_one(self):
        """The bases behind it are still compared with their own."""
        assert quals_after(*pair("....gt....", "  ......")) == [[30, 30, 20, 20, 30, 30, 20, 20, 20, 20], 6 * [20]]

    def test_soft_clips_are_left_alone(self):
        assert quals_after(*pair("......gt", "  gg....")) == [[30, 30, 30, 30, 20, 20, 30, 30], [30, 30, 20, 20, 30, 30]]

    def test_one_inside_the_other(self):
        assert quals_after(*pair("..........", "   ....")) == [3 * [30] + 4 * [20] + 3 * [30], 4 * [20]]

    def test_same_start(self):
        assert quals_after(*pair("....", "......")) == [4 * [20], 4 * [20] + 2 * [30]]

    def test_no_overlap(self):
        assert quals_after(*pair("....", "    ....")) == [4 * [30], 4 * [30]]

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": "other"}, {"mate_pos": 1}, {"flag": REVERSE & ~FLAG_PAIRED}, {"flag": REVERSE | FLAG_SUPPLEMENTARY},
            {"flag": REVERSE | FLAG_SECONDARY}, {"flag": REVERSE | FLAG_MATE_UNMAPPED}, {"flag": FORWARD},
        ],
        ids=str,
    )  # fmt: skip
    def test_reads_that_are_not_mates(self, changes):
        assert quals_after(*pair("....", "  ....", second=changes)) == [4 * [30], 4 * [30]]

    def test_switched_off(self):
        assert quals_after(*pair("....", "  ...."), correct=False) == [4 * [30], 4 * [30]]

    def test_a_mate_that_does_not_count_changes_nothing(self):
        columns = batch(pair("....", "  ...."))
        finalise_quals(columns, np.array([0], np.int32))
        assert columns.base_quals.tolist() == 8 * [30]

    def test_many_pairs_at_one_place(self):
        """Every pair finds its own mate: the first pair agrees, the second differs in the last base shared, and so on in turn."""
        pairs = [
            tuple(r.but(name=f"pair{n}") for r in pair("......" if n % 2 == 0 else ".....C", "    ......")) for n in range(200)
        ]
        found = quals_after(*(first for first, _ in pairs), *(second for _, second in pairs))
        for n in range(200):
            last = 20 if n % 2 == 0 else 0
            assert found[n] == [30, 30, 30, 30, 20, last] and found[200 + n] == [20, last, 30, 30, 30, 30]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 12), st.integers(1, 12), st.randoms())
def test_overlap_is_symmetric_and_never_raises_a_quality(start, other_start, length, other_length, random):
    reads = [
        Read(pos, (("M", n),), "".join(random.choices("ACGT", k=n)), tuple(random.choices(range(2, 42), k=n)), flag=flag, name="pair")
        for pos, n, flag in ((start, length, FORWARD), (other_start, other_length, REVERSE))
    ]
    reads = [reads[0].but(mate_pos=other_start), reads[1].but(mate_pos=start)]
    swapped = [reads[1].but(flag=FORWARD), reads[0].but(flag=REVERSE)]
    by_pos = [sorted(pair, key=lambda r: r.pos) for pair in (reads, swapped)]
    after = [sorted((r.pos, r.bases, r.quals, quals) for r, quals in zip(pair, quals_after(*pair))) for pair in by_pos]
    assert after[0] == after[1]
    assert all(new <= old for _, _, before, quals in after[0] for new, old in zip(quals, before))
