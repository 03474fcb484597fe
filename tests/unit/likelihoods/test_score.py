"""What each read says at a locus: penalties by base quality, by realignment to haplotypes, and nothing at all."""

import numpy as np
import pytest
from builders import Read, batch, codes, haplotype, random_sequence, reads_of, used, whole

from gpuvc.backends.cpu import CpuBackend
from gpuvc.genotyping.genotypes import copy_costs
from gpuvc.kernels.cpu.observe import ABSENT, DELETED
from gpuvc.likelihoods.local_haplotypes import FLANK_BP, GAP_OPEN
from gpuvc.likelihoods.score import CLIP_REACH_BP, MISMAPPING_CAP, misfits, mismatch_costs, score_reads
from gpuvc.pileup.candidates import find_candidates
from gpuvc.pileup.pileup import pile_up
from gpuvc.settings import Settings

REFERENCE = random_sequence(300, seed=21)
# A place where one base, or three, can be taken out in no other way.
AT = next(p for p in range(140, 160) if all(REFERENCE[p + k] != REFERENCE[p + k + n] for k in (0, 1) for n in (1, 3)))
Q30 = 3477  # hundredths of a phred: 30 + 10 log10 3


def other(base):
    return "ACGT"["ACGT".index(base) - 1]


def scored(reads, reference=REFERENCE, **settings):
    """(Candidates, PairLikelihoods) of Reads."""
    columns = batch(reads)
    settings = Settings(**settings)
    pileup, events = pile_up(columns, used(columns), whole(reference), codes(reference), 0, settings.min_base_quality, CpuBackend())
    candidates = find_candidates(pileup, codes(reference), 0, 2, copy_costs(2), 6)
    return candidates, score_reads(columns, used(columns), candidates, events, codes(reference), 0, settings, CpuBackend())


def said(reads, pos, is_indel, **options):
    """{read: [penalty of the reference and of each allele]} at one locus; a read's number is its place."""
    candidates, likelihoods = scored(reads, **options)
    (locus,) = np.flatnonzero((candidates.locus_pos == pos) & (candidates.is_indel == is_indel))
    pairs = range(likelihoods.pair_slots[locus], likelihoods.pair_slots[locus + 1])
    slots = likelihoods.allele_slots
    return {int(likelihoods.pair_read[k]): likelihoods.penalties[slots[k] : slots[k + 1]].tolist() for k in pairs}


def with_snv(start, n=60, pos=AT, base=None, **fields):
    """A read of n bases that shows another base at `pos`."""
    text = REFERENCE[:pos] + (base or other(REFERENCE[pos])) + REFERENCE[pos + 1 :]
    return Read(start, (("M", n),), text[start : start + n], **fields)


def plain(start, n=60, **fields):
    return Read(start, (("M", n),), REFERENCE[start : start + n], **fields)


def with_deletion(start, size=3, n=60, **fields):
    columns = haplotype(REFERENCE, (AT, REFERENCE[AT : AT + size + 1], REFERENCE[AT]))
    (found,) = reads_of(columns, start=start, end=start + n, length=n, flag=0)
    return found.but(**fields)


SUPPORT = 3 * [with_snv(AT - 30)]
INDEL_SUPPORT = 3 * [with_deletion(AT - 30)]


class TestByBases:
    def test_reference_and_alternate(self):
        found = said([*SUPPORT, plain(AT - 30)], AT, False)
        assert found == {0: [Q30, 0], 1: [Q30, 0], 2: [Q30, 0], 3: [0, Q30]}

    @pytest.mark.parametrize(
        "quality, cost", [(2, 0), (9, 0), (10, 1477), (20, 2477), (40, 4477), (41, MISMAPPING_CAP), (60, MISMAPPING_CAP)]
    )
    def test_quality(self, quality, cost):
        assert said([*SUPPORT, plain(AT - 30, quals=quality)], AT, False)[3] == [0, cost]

    def test_least_quality_is_a_setting(self):
        reads = [*SUPPORT, plain(AT - 30, quals=7)]
        assert said(reads, AT, False, min_base_quality=7)[3] == [0, 1177]
        assert said(reads, AT, False, min_base_quality=8)[3] == [0, 0]

    @pytest.mark.parametrize("mapq, cost", [(60, Q30), (34, 3400), (20, 2000), (0, 0)])
    def test_no_read_is_surer_than_its_place(self, mapq, cost):
        assert said([*SUPPORT, plain(AT - 30, mapq=mapq)], AT, False)[3] == [0, cost]

    def test_reads_that_show_neither_say_nothing(self):
        third = next(base for base in "ACGT" if base not in (REFERENCE[AT], other(REFERENCE[AT])))
        assert said([*SUPPORT, with_snv(AT - 30, base=third)], AT, False)[3] == [0, 0]
        assert said([*SUPPORT, with_snv(AT - 30, base="N")], AT, False)[3] == [0, 0]

    def test_two_alternates(self):
        first, second, _ = (base for base in "ACGT" if base != REFERENCE[AT])
        reads = [*(3 * [with_snv(AT - 30, base=first)]), *(3 * [with_snv(AT - 30, base=second)]), plain(AT - 30)]
        found = said(reads, AT, False)
        assert found[0] == [Q30, 0, Q30] and found[3] == [Q30, Q30, 0] and found[6] == [0, Q30, Q30]

    def test_only_reads_over_the_locus_count(self):
        reads = [*SUPPORT, plain(AT - 60), plain(AT - 59), plain(AT), plain(AT + 1)]
        assert set(said(reads, AT, False)) == {0, 1, 2, 4, 5}

    def test_a_deletion_over_the_locus_says_nothing(self):
        """Too few reads have it for a candidate, so that the SNV is judged by bases."""
        deleted = Read(AT - 30, (("M", 29), ("D", 3), ("M", 28)), REFERENCE[AT - 30 : AT - 1] + REFERENCE[AT + 2 : AT + 30])
        reads = [*(10 * SUPPORT), deleted]
        candidates, likelihoods = scored(reads)
        assert candidates.by_haplotypes.tolist() == [False]
        assert likelihoods.code.tolist() == 30 * ["ACGT".index(other(REFERENCE[AT]))] + [DELETED]
        assert likelihoods.penalties[-2:].tolist() == [0, 0] and likelihoods.end_distance[-1] == 28

    def test_distance_to_the_read_end_counts_clips(self):
        clipped = Read(AT - 5, (("S", 7), ("M", 53)), "ACGTACG" + REFERENCE[AT - 5 : AT + 48])
        _, likelihoods = scored([*SUPPORT, plain(AT - 50), clipped])
        assert likelihoods.end_distance.tolist() == [29, 29, 29, 9, 12]


class TestByHaplotypes:
    def test_deletion(self):
        """One gap of three, opened and twice extended, or what the read without it costs as mismatches: the cheaper."""
        found = said([*INDEL_SUPPORT, plain(AT - 30), plain(AT - 20)], AT, True)
        assert found[0] == found[1] == found[2] and found[0][1] == 0 and found[3][0] == 0
        assert found[0][0] == MISMAPPING_CAP == found[3][1] == found[4][1]

    def test_insertion_of_one_base_costs_a_gap(self):
        inserted = other(REFERENCE[AT])
        if inserted == REFERENCE[AT + 1]:
            inserted = next(base for base in "ACGT" if base not in REFERENCE[AT : AT + 2])
        columns = haplotype(REFERENCE, (AT, REFERENCE[AT], REFERENCE[AT] + inserted))
        support = 3 * reads_of(columns, start=AT - 30, end=AT + 30, flag=0)
        found = said([*support, plain(AT - 30)], AT, True)
        assert found == {0: [4500, 0], 1: [4500, 0], 2: [4500, 0], 3: [0, 4500]}

    @pytest.mark.parametrize("n", [10, 14, 18])
    def test_gaps_in_homopolymers_cost_little(self, n):
        """A read with a base less in a run of n: an error of its length in the reference, or the deletion."""
        reference = REFERENCE[:100] + "C" + n * "A" + "G" + REFERENCE[100:200]
        columns = haplotype(reference, (100, "CA", "C"))
        support = 3 * reads_of(columns, start=80, end=140, flag=0)
        found = said([*support, Read(80, (("M", 60),), reference[80:140])], 100, True, reference=reference)
        # In its own haplotype the read fits; in the other the gap opens in a run of n, or of n - 1.
        assert found[0] == [GAP_OPEN[0, n - 1], 0] and found[3] == [0, GAP_OPEN[0, n - 2]]

    def test_mapping_quality_caps(self):
        found = said([*INDEL_SUPPORT, plain(AT - 30, mapq=25), with_deletion(AT - 30, mapq=30)], AT, True)
        assert found[3] == [0, 2500] and found[4] == [3000, 0]

    def test_reads_that_end_before_the_sequences_part_say_nothing(self):
        """A run of A: only a read that reaches its end tells its length."""
        reference = REFERENCE[:100] + "C" + 20 * "A" + "G" + REFERENCE[100:200]
        columns = haplotype(reference, (100, "CAA", "C"))
        support = 3 * reads_of(columns, start=80, end=140, flag=0)
        inside = [Read(60, (("M", n),), reference[60 : 60 + n]) for n in (45, 59, 60, 70)]
        found = said([*support, *inside], 100, True, reference=reference)
        assert found[3] == [0, 0] and found[4] == [0, 0] and found[6][1] > 500

    def test_a_read_that_fits_no_haplotype_says_nothing(self):
        """One error in 33 bases is allowed for, of 40 phred each."""
        n_bases = 2 * FLANK_BP + 4
        limit = misfits(n_bases)[n_bases]
        for n_errors, says_something in ((limit // Q30, True), (limit // Q30 + 1, False)):
            bases = list(REFERENCE[AT - 30 : AT + 34])
            for k in range(n_errors):
                bases[5 * k] = other(bases[5 * k])
            found = said([*INDEL_SUPPORT, Read(AT - 30, (("M", 64),), "".join(bases))], AT, True)
            assert (found[3] == [0, 0]) is not says_something, n_errors

    def test_allowance_grows_with_the_read(self):
        assert misfits(200)[[0, 1, 33, 34, 66, 67, 100]].tolist() == [0, 4000, 4000, 8000, 8000, 12000, 12000]

    def test_the_mappers_view_does_not_matter(self):
        """The same bases, aligned with mismatches or a clip instead of the deletion, say the same."""
        found = with_deletion(AT - 50)
        as_mismatches, as_clip = found.but(cigar=(("M", 60),)), found.but(cigar=(("M", 51), ("S", 9)))
        said_by = said([*INDEL_SUPPORT, found, as_mismatches, as_clip], AT, True)
        assert said_by[3][1] == said_by[4][1] == said_by[5][1] == 0
        assert said_by[3][0] == said_by[4][0] == said_by[5][0] > 2000

    def test_without_soft_clips(self):
        clip = with_deletion(AT - 50).but(cigar=(("M", 51), ("S", 9)))
        assert said([*INDEL_SUPPORT, clip], AT, True, use_soft_clipped_bases=False)[3] == [0, 0]
        assert said([*INDEL_SUPPORT, clip], AT, True)[3][0] > 2000

    def test_reads_are_taken_as_far_as_their_clips_reach(self):
        """A read whose aligned part begins behind the locus."""
        columns = haplotype(REFERENCE, (AT, REFERENCE[AT : AT + 4], REFERENCE[AT]))
        text = "".join(base for _, base in columns)
        clipped = Read(AT + 12, (("S", 40), ("M", 40)), text[AT + 9 - 40 : AT + 9 + 40])
        found = said([*INDEL_SUPPORT, clipped, clipped.but(cigar=(("H", 5), *clipped.cigar))], AT, True)
        assert found[3] == found[4] and found[3][1] == 0 and found[3][0] > 2000
        hard = Read(AT + 12, (("H", 40), ("M", 40)), text[AT + 9 : AT + 49])
        assert 3 not in said([*INDEL_SUPPORT, hard], AT, True)
        assert CLIP_REACH_BP > 40

    def test_unknown_bases_fit_everything(self):
        bases = REFERENCE[AT - 30 : AT - 10] + 40 * "N"
        assert said([*INDEL_SUPPORT, Read(AT - 30, (("M", 60),), bases)], AT, True)[3] == [0, 0]

    def test_quiet_bases_fit_everything(self):
        quals = tuple(9 if i >= 25 else 30 for i in range(60))
        assert said([*INDEL_SUPPORT, plain(AT - 30, quals=quals)], AT, True)[3][1] < 200

    def test_an_snv_beside_the_indel_is_not_held_against_it(self):
        snv_and_deletion = with_deletion(AT - 30)
        bases = list(snv_and_deletion.bases)
        bases[20] = other(bases[20])
        both = snv_and_deletion.but(bases="".join(bases))
        reads = [*(3 * [both]), *(3 * [plain(AT - 30)])]
        found = said(reads, AT, True)
        assert found[0] == [MISMAPPING_CAP, 0] and found[3] == [0, MISMAPPING_CAP]
        assert said(reads, AT - 10, False)[0][1] == 0 and said(reads, AT - 10, False)[3][0] == 0


class TestPairs:
    def test_by_locus_and_in_file_order(self):
        reads = [r for p in range(60, 240, 3) for r in (plain(p, 50), with_snv(p, 50, 100), with_snv(p, 50, 200))]
        _, likelihoods = scored(reads)
        assert len(likelihoods.pair_slots) == 3 and likelihoods.pair_slots[-1] == len(likelihoods.pair_read)
        for locus, pos in enumerate((100, 200)):
            pairs = slice(likelihoods.pair_slots[locus], likelihoods.pair_slots[locus + 1])
            expected = [i for i, r in enumerate(reads) if r.pos <= pos < r.ref_end]
            assert likelihoods.pair_read[pairs].tolist() == expected and set(likelihoods.pair_locus[pairs].tolist()) == {locus}

    def test_no_candidates(self):
        _, likelihoods = scored([plain(100)])
        assert likelihoods.pair_slots.tolist() == [0] and len(likelihoods.penalties) == 0

    def test_the_best_allele_of_every_read_costs_nothing(self):
        indel = (AT, REFERENCE[AT : AT + 4], REFERENCE[AT])
        reads = [*reads_of(haplotype(REFERENCE, indel)), *reads_of(haplotype(REFERENCE)), *(with_snv(p) for p in range(90, 150, 6))]
        _, likelihoods = scored(reads)
        least = np.minimum.reduceat(likelihoods.penalties, likelihoods.allele_slots[:-1])
        assert (least == 0).all() and likelihoods.penalties.max() <= MISMAPPING_CAP


def test_costs_of_a_mismatch():
    costs = mismatch_costs(10)
    assert costs[:10].tolist() == 10 * [0] and costs[[10, 30, 93]].tolist() == [1477, 3477, 9777]
    assert mismatch_costs(0)[:3].tolist() == [0, 577, 677]  # a base of quality 0 never counts
    assert ABSENT != DELETED
