"""Which haplotypes a locus has, what they look like, and where gaps are cheap in them."""

from itertools import pairwise

import numpy as np
import pytest
from builders import batch, codes, random_sequence, read, used, whole

from gpuvc.backends.cpu import CpuBackend
from gpuvc.genotyping.genotypes import copy_costs
from gpuvc.kernels.codes import ASCII_OF_CODE
from gpuvc.kernels.cpu.align import BAND_PAD
from gpuvc.likelihoods.local_haplotypes import (
    FLANK_BP,
    GAP_EXTEND,
    GAP_OPEN,
    MAX_COMBINATIONS,
    MAX_WINDOW_ALLELES,
    NO_REPEAT_EXTEND,
    NO_REPEAT_OPEN,
    _repeat_penalties,
    build_haplotypes,
    carried_alleles,
    segment_spans,
)
from gpuvc.pileup.candidates import find_candidates
from gpuvc.pileup.pileup import pile_up
from gpuvc.settings import MAX_INDEL_BP

#            0         1         2         3         4
#            0123456789012345678901234567890123456789012345
REFERENCE = "ACGTTGCATCAGGATTACGCATGCAACTGGTCAGTACGATCGGCTA"


def stages(reference, reads, ploidy=2):
    """Candidates and events of Reads, with the columns they stand in."""
    columns = batch(reads)
    pileup, events = pile_up(columns, used(columns), whole(reference), codes(reference), 0, 10, CpuBackend())
    return columns, find_candidates(pileup, codes(reference), 0, ploidy, copy_costs(ploidy), 6), events


def haplotypes_of(reference, reads, locus_pos, is_indel=True):
    """{haplotype as text: its allele} of one locus, in the order they were made, and the LocalHaplotypes."""
    columns, candidates, events = stages(reference, reads)
    n = columns.n_reads
    pair_slots = np.arange(candidates.n_loci + 1) * n
    pair_read = np.tile(used(columns), candidates.n_loci)
    found = build_haplotypes(
        candidates, pair_slots, pair_read, carried_alleles(columns, used(columns), candidates, events, 10), codes(reference), 0
    )  # fmt: skip
    (locus,) = np.flatnonzero((candidates.locus_pos == locus_pos) & (candidates.is_indel == is_indel))
    texts = [
        ASCII_OF_CODE[found.bases[found.offsets[h] : found.offsets[h + 1]]].tobytes().decode()
        for h in range(found.slots[locus], found.slots[locus + 1])
    ]
    return list(zip(texts, found.allele[found.slots[locus] : found.slots[locus + 1]].tolist())), found


def rows(*texts):
    return [read(REFERENCE, text) for text in texts]


PLAIN = "." * len(REFERENCE)
DELETION = PLAIN[:20] + "-" + PLAIN[21:]
NEAR_SNV = PLAIN[:28] + "C" + PLAIN[29:]
BOTH = DELETION[:28] + "C" + DELETION[29:]
INSERTION = PLAIN[:21] + "gg" + PLAIN[21:]


def applied(*changes):
    """REFERENCE with (position, bases removed, bases put there) from right to left."""
    text = REFERENCE
    for at, n, bases in sorted(changes, reverse=True):
        text = text[:at] + bases + text[at + n :]
    return text


class TestSets:
    def test_reference_first_then_the_allele(self):
        found, _ = haplotypes_of(REFERENCE, 4 * rows(PLAIN) + 4 * rows(DELETION), 19)
        assert found == [(REFERENCE, 0), (applied((20, 1, "")), 1)]

    def test_what_reads_carry_together_is_one_haplotype(self):
        found, _ = haplotypes_of(REFERENCE, 4 * rows(PLAIN) + 4 * rows(BOTH), 19)
        assert found == [(REFERENCE, 0), (applied((20, 1, ""), (28, 1, "C")), 1)]

    def test_most_carried_sets_come_first(self):
        reads = 3 * rows(PLAIN) + 2 * rows(BOTH) + 4 * rows(NEAR_SNV) + 3 * rows(DELETION)
        found, _ = haplotypes_of(REFERENCE, reads, 19)
        snv, deletion = (28, 1, "C"), (20, 1, "")
        assert found == [(REFERENCE, 0), (applied(snv), 0), (applied(deletion), 1), (applied(deletion, snv), 1)]

    def test_sets_of_one_read_do_not_count_but_every_allele_of_the_locus_has_a_haplotype(self):
        reads = 3 * rows(PLAIN) + rows(BOTH) + 2 * rows(NEAR_SNV)
        found, _ = haplotypes_of(REFERENCE, reads, 19)
        assert found == [(REFERENCE, 0), (applied((28, 1, "C")), 0), (applied((20, 1, "")), 1)]

    def test_two_alleles_of_a_locus(self):
        """Numbered by length, the longest deletion first."""
        longer = PLAIN[:20] + "--" + PLAIN[22:]
        reads = 2 * rows(PLAIN) + 3 * rows(longer) + 4 * rows(DELETION)
        found, _ = haplotypes_of(REFERENCE, reads, 19)
        assert found == [(REFERENCE, 0), (applied((20, 1, "")), 2), (applied((20, 2, "")), 1)]

    def test_a_locus_sees_alleles_as_far_as_the_flanks_reach(self):
        reference = random_sequence(160, seed=8)
        at = next(p for p in range(60, 70) if len({*reference[p : p + 3]}) == 3)
        for distance, is_part in ((FLANK_BP, True), (FLANK_BP + 1, False)):
            snv = at - distance
            base = "ACGT"["ACGT".index(reference[snv]) - 1]
            row = "." * snv + base + "." * (at - snv) + "-" + "." * 40
            found, _ = haplotypes_of(reference, 3 * [read(reference, row)] + 3 * [read(reference, "." * 140)], at)
            assert [allele for _, allele in found] == [0, 1]
            assert (found[1][0] != reference[:at + 1] + reference[at + 2 :][: len(found[1][0]) - at - 1]) is is_part

    def test_at_most_so_many_sets(self):
        """Ten SNVs beside the indel, each in reads of its own that end before it."""
        reference = random_sequence(140, seed=4)
        at = next(p for p in range(60, 90) if reference[p] != reference[p + 1] != reference[p + 2])
        reads = 12 * [read(reference, "." * (at + 1) + "-" + "." * 40)]
        for k in range(10):
            snv = at - 3 - 2 * k
            base = "ACGT"["ACGT".index(reference[snv]) - 1]
            reads += (23 - k) * [read(reference, "." * snv + base + "." * (at - 1 - snv), quals=60)]
        found, _ = haplotypes_of(reference, reads, at)
        alleles = [allele for _, allele in found]
        assert len(found) == 1 + MAX_COMBINATIONS + 1 and alleles == (1 + MAX_COMBINATIONS) * [0] + [1]
        assert len(set(found)) == len(found)

    def test_more_alleles_than_bits(self):
        """SNVs all along, three at a position: those nearest to the locus take part, and the locus always does."""
        reference = random_sequence(140, seed=4)
        at = next(p for p in range(60, 90) if reference[p] != reference[p + 1] != reference[p + 2])
        reads = 30 * [read(reference, "." * (at + 1) + "-" + "." * 40)]
        for shift in range(1, 4):
            bases = "".join("ACGT"[("ACGT".index(base) + shift) % 4] for base in reference[at - 25 : at + 25])
            reads += 30 * [read(reference, "." * (at - 25) + bases + "." * 20)]
        _, candidates, _ = stages(reference, reads)
        assert len(candidates.pos) > 2 * MAX_WINDOW_ALLELES
        found, _ = haplotypes_of(reference, reads, at)
        assert {allele for _, allele in found} == {0, 1} and 2 <= len(found) <= 2 + MAX_COMBINATIONS
        assert (reference[: at + 1] + reference[at + 2 :])[: len(found[1][0])] in [text for text, _ in found]

    def test_snvs_away_from_indels_have_none(self):
        reads = 3 * [read(REFERENCE, NEAR_SNV), read(REFERENCE, PLAIN)]
        columns, candidates, events = stages(REFERENCE, reads)
        carried = carried_alleles(columns, used(columns), candidates, events, 10)
        found = build_haplotypes(candidates, np.array([0, 6]), used(columns), carried, codes(REFERENCE), 0)
        assert candidates.n_loci == 1 and found.slots.tolist() == [0, 0] and len(found.bases) == 0

    def test_an_snv_near_an_indel_is_an_allele_of_its_own_locus(self):
        reads = 3 * rows(PLAIN) + 2 * rows(BOTH) + 3 * rows(NEAR_SNV)
        found, _ = haplotypes_of(REFERENCE, reads, 28, is_indel=False)
        assert found == [(REFERENCE, 0), (applied((28, 1, "C")), 1), (applied((20, 1, ""), (28, 1, "C")), 1)]


class TestShape:
    def test_shifts_say_how_far_indels_move_reads(self):
        longer = PLAIN[:24] + "---" + PLAIN[27:]
        reads = 3 * rows(PLAIN) + 3 * rows(INSERTION) + 3 * rows(longer) + 3 * rows(INSERTION[:26] + "---" + INSERTION[29:])
        found, local = haplotypes_of(REFERENCE, reads, 20)
        shifts = dict(zip([text for text, _ in found], zip(local.shift_low.tolist(), local.shift_high.tolist())))
        inserted, removed = (21, 0, "GG"), (24, 3, "")
        assert shifts == {
            applied(): (0, 0), applied(inserted): (0, 2), applied(removed): (-3, 0), applied(inserted, removed): (-1, 2),
        }  # fmt: skip

    def test_spans(self):
        reference = random_sequence(400, seed=8)
        at = next(p for p in range(200, 210) if reference[p] not in (reference[p + 5],) and reference[p + 1] != reference[p + 6])
        reads = 3 * [read(reference, "." * (at + 1) + "-----" + "." * 80)]
        _, candidates, _ = stages(reference, reads)
        start, end = segment_spans(candidates)
        assert (start[0], end[0]) == (at - FLANK_BP, at + 6 + FLANK_BP)
        ((text, _), _), local = haplotypes_of(reference, reads, at)
        pad = BAND_PAD + MAX_INDEL_BP
        assert local.start[0] == at - FLANK_BP - pad and text == reference[local.start[0] : at + 6 + FLANK_BP + pad]

    def test_they_end_with_the_reference(self):
        found, local = haplotypes_of(REFERENCE, 3 * rows(DELETION), 19)
        assert local.start[0] == 0 and found[0][0] == REFERENCE


class TestGaps:
    @staticmethod
    def penalties(text):
        gap_open, gap_extend = np.empty(len(text), np.int16), np.empty(len(text), np.int16)
        _repeat_penalties(codes(text), GAP_OPEN, GAP_EXTEND, gap_open, gap_extend)
        return gap_open.tolist(), gap_extend.tolist()

    def test_no_repeat(self):
        assert self.penalties("ACGTCATG") == (8 * [NO_REPEAT_OPEN], 8 * [NO_REPEAT_EXTEND])

    @pytest.mark.parametrize("n", [7, 10, 15, 20, 30])
    def test_homopolymers(self, n):
        """Cheap within and right beside the run, the cheaper the longer. A run of A is one of AA, too: the cheapest counts."""
        gap_open, gap_extend = self.penalties("TCG" + n * "A" + "GCT")
        cheap, period = min((int(GAP_OPEN[period - 1, min(n // period, 20) - 1]), period) for period in range(1, 9) if n // period >= 2)
        assert gap_open == 2 * [NO_REPEAT_OPEN] + (n + 2) * [cheap] + 2 * [NO_REPEAT_OPEN]
        assert gap_extend == 2 * [NO_REPEAT_EXTEND] + (n + 2) * [1000 // period] + 2 * [NO_REPEAT_EXTEND]
        assert cheap < NO_REPEAT_OPEN and (period == 1 or n < 8)

    @pytest.mark.parametrize("unit, copies", [("CA", 8), ("CAG", 7), ("TTCA", 5), ("TTCAG", 5)])
    def test_tandem_repeats(self, unit, copies):
        gap_open, gap_extend = self.penalties("GGTCG" + copies * unit + "GGATC")
        inside = slice(6, 5 + copies * len(unit) - 1)
        assert set(gap_open[inside]) == {GAP_OPEN[len(unit) - 1, copies - 1]}
        assert set(gap_extend[inside]) == {1000 // len(unit)}

    def test_the_cheaper_of_two_repeats(self):
        """A long run of A within a repeat of four bases."""
        gap_open, _ = self.penalties("CG" + 2 * ("AAAAAAAAAA" + "CGTC") + "TG")
        assert gap_open[5] == GAP_OPEN[0, 9]

    def test_tables(self):
        assert GAP_OPEN.shape == (8, 20) and (GAP_OPEN <= NO_REPEAT_OPEN).all() and (GAP_OPEN >= 1000).all()
        assert GAP_EXTEND.tolist() == [1000, 500, 333, 250, 200, 166, 142, 125]

    def test_cheapest(self):
        reference = "TTGCATCAGG" + 12 * "A" + "CGCATGCAAC"
        _, local = haplotypes_of(reference, [read(reference, 10 * "." + "-" + 21 * ".")], 9)
        assert local.cheapest_gap.tolist() == [GAP_OPEN[0, 11], GAP_OPEN[0, 10]]


def test_bases_below_the_least_quality_carry_nothing():
    quals = tuple(9 if i == 28 else 30 for i in range(len(REFERENCE)))
    reads = 3 * rows(PLAIN) + 3 * rows(NEAR_SNV) + [read(REFERENCE, NEAR_SNV).but(quals=quals)] + 2 * rows(DELETION)
    columns, candidates, events = stages(REFERENCE, reads)
    slots, carried = carried_alleles(columns, used(columns), candidates, events, 10)
    assert candidates.pos.tolist() == [19, 28]
    assert [carried[a:b].tolist() for a, b in pairwise(slots)] == 3 * [[]] + 3 * [[1]] + [[]] + 2 * [[0]]
    slots, _ = carried_alleles(columns, used(columns), candidates, events, 9)
    assert slots[7] - slots[6] == 1


def test_indels_that_are_no_candidates_are_not_carried():
    reads = 30 * rows(PLAIN) + rows(DELETION) + 8 * rows(INSERTION)
    columns, candidates, events = stages(REFERENCE, reads)
    slots, carried = carried_alleles(columns, used(columns), candidates, events, 10)
    assert len(events.read) == 9 and candidates.length.tolist() == [2]
    assert np.diff(slots).tolist() == 31 * [0] + 8 * [1] and set(carried.tolist()) == {0}
