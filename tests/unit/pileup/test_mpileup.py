"""What bases weigh where bcftools mpileup -B weighs them, and which of a locus are taken."""

from itertools import pairwise

import numpy as np
import pytest
from builders import Read, batch, used

from gpuvc.kernels.codes import FLAG_MATE_REVERSE, FLAG_PAIRED, FLAG_PROPER, FLAG_READ1, FLAG_READ2, FLAG_REVERSE, FLAG_SUPPLEMENTARY
from gpuvc.pileup.mpileup import CODES, MAX_BASES, STRANDS, bases_at, weigh_bases

PAIR = FLAG_PAIRED | FLAG_PROPER
FIRST = Read(100, (("M", 10),), 10 * "A", flag=PAIR | FLAG_READ1 | FLAG_MATE_REVERSE, mate_pos=104, mate_contig_id=0, template_length=14)
SECOND = FIRST.but(pos=104, flag=PAIR | FLAG_READ2 | FLAG_REVERSE, mate_pos=100, template_length=-14)
EARLIER, LATER = "d", "a"  # names by which the earlier or the later read's base counts
OTHER = Read(104, (("M", 1),), "A")


def weights(*reads, correct=True, min_base_quality=1):
    """What the bases of each read weigh."""
    columns = batch(reads)
    columns.name = np.array([read.name for read in reads], "S")
    weigh_bases(columns, used(columns), correct, min_base_quality)
    return [columns.base_quals[a:b].tolist() for a, b in zip(columns.base_offsets, columns.base_offsets[1:])]


def pair(name, **second):
    return FIRST.but(name=name), SECOND.but(name=name, **second)


class TestWeights:
    def test_neighbours(self):
        (found,) = weights(Read(0, (("M", 7),), 7 * "A", quals=(40, 2, 40, 40, 9, 40, 3)))
        assert found == [32, 4, 32, 39, 9, 33, 4]

    def test_clipped_neighbours_count(self):
        assert weights(Read(0, (("S", 1), ("M", 2)), "AAA", quals=(2, 40, 40))) == [[4, 32, 40]]

    @pytest.mark.parametrize("mapq, most", [(0, 4), (3, 4), (20, 20), (60, 60), (90, 60), (255, 20)])
    def test_mapping_quality(self, mapq, most):
        assert weights(Read(0, (("M", 2),), "AA", quals=70, mapq=mapq)) == [[most, most]]

    def test_least_quality_is_asked_before_mapping_quality(self):
        assert weights(Read(0, (("M", 3),), "AAA", quals=(12, 13, 40), mapq=7), min_base_quality=13) == [[0, 7, 7]]
        assert weights(Read(0, (("M", 2),), "AA", quals=(0, 1))) == [[0, 4]]


class TestMates:
    def test_equal_bases(self):
        for name, counts in ((EARLIER, 0), (LATER, 1)):
            found = weights(*pair(name))
            assert found[counts][slice(4, 10) if counts == 0 else slice(0, 6)] == 6 * [60]
            assert found[1 - counts][slice(4, 10) if counts else slice(0, 6)] == 6 * [0]

    def test_sum_is_limited(self):
        assert weights(*(read.but(quals=90, mapq=60) for read in pair(EARLIER)))[0] == 10 * [60]

    def test_unequal_bases(self):
        first, second = pair(EARLIER, bases=10 * "C", quals=29)
        assert weights(first, second) == [4 * [30] + 6 * [24], 6 * [0] + 4 * [29]]
        assert weights(first, second.but(quals=31)) == [4 * [30] + 6 * [0], 6 * [24] + 4 * [31]]
        assert weights(first, second.but(quals=30)) == [4 * [30] + 6 * [24], 6 * [0] + 4 * [30]]
        later = (read.but(name=LATER, quals=30) for read in (first, second))
        assert weights(*later) == [4 * [30] + 6 * [0], 6 * [24] + 4 * [30]]

    def test_not_corrected(self):
        assert weights(*pair(EARLIER), correct=False) == [10 * [30], 10 * [30]]

    @pytest.mark.parametrize("flag", [FLAG_PAIRED, PAIR | 0x8])
    def test_pairs_that_are_none(self, flag):
        assert weights(FIRST.but(name=EARLIER), SECOND.but(name=EARLIER, flag=flag | FLAG_READ2)) == [10 * [30], 10 * [30]]

    def test_position_behind_a_deletion_of_the_later_read(self):
        """It stays as it was; behind one of the earlier read it does not."""
        first, second = pair(EARLIER, cigar=(("M", 2), ("D", 1), ("M", 8)))
        assert weights(first, second) == [[30] * 4 + [60, 60, 30, 30, 60, 60], [0, 0, 30, 0, 0] + 5 * [30]]
        first = first.but(cigar=(("M", 6), ("D", 1), ("M", 4)))
        assert weights(first, SECOND.but(name=EARLIER)) == [4 * [30] + 6 * [60], [0, 0, 30, 0, 0, 0, 0] + 3 * [30]]

    def test_base_before_the_mate_was_written_before_the_mate_came(self):
        """Unless the mate is the first to start there, the position before it has its neighbour as it stands in the file."""
        first, second = (read.but(quals=40) for read in pair(LATER))
        assert weights(first, second)[0] == [40, 40, 40, 30, 0, 0, 0, 0, 0, 0]
        assert weights(first, OTHER, second)[0] == [40, 40, 40, 40, 0, 0, 0, 0, 0, 0]
        assert weights(first, second, OTHER)[0] == [40, 40, 40, 30, 0, 0, 0, 0, 0, 0]

    def test_three_reads_of_one_name(self):
        """The first two that meet are a pair; one that ended is no longer met, and nobody waits for its mate any more."""
        first, second = pair(EARLIER)
        between = first.but(pos=102, flag=first.flag | FLAG_SUPPLEMENTARY)
        assert weights(first, between, second)[2] == 10 * [30]
        far = SECOND.but(name=EARLIER, pos=130)
        between = between.but(pos=125, mate_pos=130)
        assert weights(first.but(mate_pos=130), between, far)[2] == 10 * [30]
        gone = Read(120, (("M", 1),), "A", name="x")
        assert weights(first.but(mate_pos=130), gone, between, far)[3] == 5 * [0] + 5 * [30]
        assert weights(first.but(mate_pos=130), between, gone.but(pos=126), far)[3] == 10 * [30]


class TestBasesOfLoci:
    @staticmethod
    def taken(reads, *loci):
        """[(weight, strand, code)] of each locus."""
        columns = batch(reads)
        locus_of = np.full(20, -1, np.int32)
        locus_of[list(loci)] = np.arange(len(loci))
        n_bases = np.array([sum(read.pos - 100 <= at < read.ref_end - 100 for read in reads) for at in loci])
        slots, bases = bases_at(columns, used(columns), 100, locus_of, n_bases)
        split = [(int(b) // (STRANDS * CODES), int(b) // CODES % STRANDS, int(b) % CODES) for b in bases]
        return [split[a:b] for a, b in pairwise(slots)]

    def test_codes(self):
        reads = [Read(100, (("M", 2),), "AC", quals=(7, 60)), Read(101, (("M", 1),), "N", quals=4, flag=FLAG_REVERSE)]
        assert self.taken(reads, 0, 1) == [[(7, 0, 0)], [(60, 0, 1), (4, 1, 4)]]

    def test_outside_and_deleted(self):
        reads = [Read(95, (("M", 5), ("D", 2), ("M", 30)), 5 * "C" + 30 * "G")]
        assert self.taken(reads, 2, 19) == [[(30, 0, 2)], [(30, 0, 2)]]

    def test_of_too_many_the_same_whatever_else_is_there(self):
        deep = [Read(100, (("M", 2),), "AC", quals=4 + i % 50, name=f"r{i}") for i in range(300)]
        (kept,) = self.taken(deep, 0)
        assert len(kept) == MAX_BASES and kept != self.taken(deep[:MAX_BASES], 0)[0]
        shifted = [Read(99, (("M", 1),), "A", name="z")] + [Read(101, (("M", 1),), "T", name=f"z{i}") for i in range(9)]
        assert sorted(self.taken(shifted[:1] + deep[::-1] + shifted[1:], 0)[0]) == sorted(kept)
