"""Indels at their leftmost place, and which alleles are candidates."""

import pytest
from builders import Read, batch, codes, haplotype, random_sequence, read, reads_of, used, whole
from hypothesis import given
from hypothesis import strategies as st

from gpuvc.backends.cpu import CpuBackend
from gpuvc.batches import PILEUP_FIELDS
from gpuvc.genotyping.genotypes import copy_costs
from gpuvc.intervals import Interval
from gpuvc.kernels.codes import ASCII_OF_CODE, BASES
from gpuvc.kernels.cpu import pileup as pileup_kernels
from gpuvc.kernels.cpu.pileup import MAX_SHIFT_BP
from gpuvc.pileup.candidates import MIN_SNV_EVIDENCE, NEAR_INDEL_BP, find_candidates
from gpuvc.pileup.pileup import pile_up
from gpuvc.settings import MAX_INDEL_BP

PLAIN = random_sequence(400, seed=9)


def piled(reference, reads, *, min_base_quality=10, window=None):
    """(Pileup, IndelEvents) of Reads on the whole reference."""
    columns = batch(reads)
    return pile_up(columns, used(columns), window or whole(reference), codes(reference), 0, min_base_quality, CpuBackend())


def indels(reference, *rows):
    """[(pos, length, inserted bases, reads)] of rows of text."""
    table = piled(reference, [row if isinstance(row, Read) else read(reference, row) for row in rows])[0].indels
    letters = ASCII_OF_CODE[table.inserted].tobytes().decode()
    rows = zip(table.pos, table.length, table.inserted_offsets, table.inserted_offsets[1:], table.forward + table.reverse)
    return [(int(pos), int(length), letters[a:b], int(n)) for pos, length, a, b, n in rows]


def candidates(reference, reads, ploidy=2, max_alternates=6, **options):
    pileup, _ = piled(reference, reads, **options)
    return find_candidates(pileup, codes(reference), 0, ploidy, copy_costs(ploidy), max_alternates)


def texts(found):
    """Each candidate: "pos:base" or "pos:+sequence" or "pos:-length"."""
    letters = ASCII_OF_CODE[found.indels.inserted].tobytes().decode()
    shown = []
    for pos, length, base, row in zip(found.pos.tolist(), found.length.tolist(), found.base.tolist(), found.indel.tolist()):
        inserted = letters[found.indels.inserted_offsets[row] : found.indels.inserted_offsets[row + 1]] if length > 0 else ""
        shown.append(f"{pos}:" + (BASES[base] if length == 0 else f"+{inserted}" if length > 0 else str(length)))
    return shown


class TestLeftAlignment:
    def test_every_deletion_of_one_base_of_a_run_is_one_allele(self):
        #            0123456789
        reference = "CGAAAAATGC"
        rows = [".." + 5 * "." + "..." for _ in range(5)]
        rows = [row[: 2 + i] + "-" + row[3 + i :] for i, row in enumerate(rows)]
        assert indels(reference, *rows) == [(1, -1, "", 5)]

    def test_every_insertion_into_a_repeat_is_one_allele(self):
        reference = "CGATATATGC"
        rows = ["..at........", "...ta.......", "....at......", ".....ta.....", "......at....", ".......ta...", "........at.."]
        assert indels(reference, *rows) == [(1, 2, "AT", 7)]

    def test_units_are_taken_whole(self):
        reference = "CTCAGCAGCAGTC"
        assert indels(reference, "........---..") == [(1, -3, "", 1)]
        assert indels(reference, ".......---...") == [(1, -3, "", 1)]
        assert indels(reference, "........--...") == [(7, -2, "", 1)]

    def test_sequences_are_told_apart(self):
        reference = "CGATTGCA"
        assert indels(reference, "...g.....", "...c.....", "...gg.....", "...-....", "...--...", "...g.....") == [
            (2, -2, "", 1), (2, -1, "", 1), (2, 1, "C", 1), (2, 1, "G", 2), (2, 2, "GG", 1),
        ]  # fmt: skip

    def test_strands(self):
        reference = "CGATTGCA"
        reads = [read(reference, "..-.....", flag=flag) for flag in (0, 16, 16)]
        table = piled(reference, reads)[0].indels
        assert (table.forward.tolist(), table.reverse.tolist()) == ([1], [2])

    def test_unknown_bases_stop_it(self):
        assert indels("CAAANAAAG", ".......-.") == [(4, -1, "", 1)]
        assert indels("CAAANAAAG", "........a.") == [(4, 1, "A", 1)]
        assert indels("CANNNNAG", ".....-..") == [(4, -1, "", 1)]
        assert indels("CANNNNAG", ".....n...") == [(4, 1, "N", 1)]

    def test_at_the_contigs_start(self):
        assert indels("AAAAC", "...-.") == [(0, -1, "", 1)]
        assert indels("AAAAC", "...a..") == [(0, 1, "A", 1)]

    def test_no_further_than_the_limit(self):
        reference = "C" + 300 * "A" + "G"
        at = 250
        assert indels(reference, (at - 5) * " " + ".....-....") == [(at - 1 - MAX_SHIFT_BP, -1, "", 1)]

    def test_what_is_no_event(self):
        """Indels at a read's end, where nothing is aligned on one side."""
        reference = "CGATTGCATCA"
        for cigar in ((("I", 2), ("M", 4)), (("M", 4), ("I", 2)), (("S", 1), ("I", 2), ("M", 3)), (("M", 3), ("D", 2), ("S", 3))):
            assert indels(reference, Read(2, cigar, "ATTGCA")) == []

    @given(st.integers(1, 3), st.integers(2, 6), st.data())
    def test_moving_changes_no_sequence(self, unit_length, copies, data):
        """The haplotype is the same wherever the mapper put the indel."""
        reference = "GGC" + copies * data.draw(st.text("AC", min_size=unit_length, max_size=unit_length)) + "TGG"
        size = data.draw(st.integers(1, 4))
        at = data.draw(st.integers(1, len(reference) - size - 2))
        if data.draw(st.booleans()):
            row = "." * at + "-" * size + "." * (len(reference) - at - size)
        else:
            row = "." * at + data.draw(st.text("acgt", min_size=size, max_size=size)) + "." * (len(reference) - at)
        aligned = read(reference, row)
        ((pos, length, inserted, _),) = indels(reference, aligned)
        assert reference[: pos + 1] + inserted + reference[pos + 1 - min(0, length) :] == aligned.bases
        assert pos <= at - 1
        last = inserted[-1] if length > 0 else reference[pos - length]
        assert pos == 0 or reference[pos] != last


class TestSnvs:
    @staticmethod
    def reads(n_ref, n_alt, qual=30, alt_qual=None):
        """Reads over position 5 of AAAAAAAAAA."""
        ref, alt = read(10 * "A", "..........", quals=qual), read(10 * "A", ".....C....", quals=alt_qual or qual)
        return n_ref * [ref] + n_alt * [alt]

    @pytest.mark.parametrize(
        "ploidy, n_alt, most_ref",
        [
            # Two copies: each read costs 3.01; what the alternate ones show, 30 each, must exceed that by 10.
            (2, 2, 14), (2, 3, 23),
            # Four copies: an alternate read costs 6.02, another one 1.25.
            (4, 2, 30), (4, 3, 49),
            # One copy: no read costs anything, but the others' qualities count against it.
            (1, 2, 1), (1, 3, 2),
        ],
    )  # fmt: skip
    def test_evidence(self, ploidy, n_alt, most_ref):
        reference = 10 * "A"
        assert texts(candidates(reference, self.reads(most_ref, n_alt), ploidy)) == ["5:C"]
        assert texts(candidates(reference, self.reads(most_ref + 1, n_alt), ploidy)) == []
        assert MIN_SNV_EVIDENCE == 1000

    def test_one_read_is_not_enough(self):
        assert texts(candidates(10 * "A", self.reads(0, 1, 60))) == []
        assert texts(candidates(10 * "A", self.reads(0, 2, 60))) == ["5:C"]

    def test_bases_below_the_least_quality_count_nowhere(self):
        assert texts(candidates(10 * "A", self.reads(3, 5, 30, 9))) == []
        assert texts(candidates(10 * "A", self.reads(3, 5, 30, 9), min_base_quality=9)) == ["5:C"]

    def test_unknown_bases(self):
        alt = read("AAAANAAAAA", "....C.....")
        assert texts(candidates("AAAANAAAAA", 9 * [alt])) == []
        assert texts(candidates(10 * "A", 9 * [read(10 * "A", "....N.....")])) == []

    def test_several_bases_at_one_position(self):
        reference = 10 * "A"
        reads = [read(reference, f".....{base}....") for base in 9 * "C" + 8 * "G" + 8 * "T"]
        assert texts(candidates(reference, reads)) == ["5:C", "5:G", "5:T"]
        found = candidates(reference, reads, max_alternates=2)
        assert texts(found) == ["5:C", "5:G"]  # of as many reads the first
        assert found.n_loci == 1 and found.locus_slots.tolist() == [0, 2]

    def test_no_reads(self):
        found = candidates(PLAIN, [])
        assert found.n_loci == 0 and found.locus_slots.tolist() == [0]

    def test_positions_do_not_depend_on_the_window(self):
        reads = reads_of(haplotype(PLAIN, (200, PLAIN[200], "ACGT"["ACGT".index(PLAIN[200]) - 1])))
        for window in (Interval(0, 0, 400), Interval(0, 200, 201), Interval(0, 150, 260)):
            pileup, _ = piled(PLAIN, reads, window=window)
            reference_start = max(0, window.start - 50)
            found = find_candidates(pileup, codes(PLAIN[reference_start:]), reference_start, 2, copy_costs(2), 6)
            assert found.pos.tolist() == [200], window
        pileup, _ = piled(PLAIN, reads, window=Interval(0, 201, 300))
        assert find_candidates(pileup, codes(PLAIN), 0, 2, copy_costs(2), 6).n_loci == 0


class TestIndels:
    REFERENCE = "ACGTTGCATC"

    @pytest.mark.parametrize(
        "ploidy, n_ref, is_candidate", [(2, 9, True), (2, 10, False), (1, 4, True), (1, 5, False), (4, 19, True), (4, 20, False)]
    )
    def test_share_of_the_reads(self, ploidy, n_ref, is_candidate):
        """One read is enough when it is a fifth of one copy's share."""
        reads = n_ref * [read(self.REFERENCE, "..........")] + [read(self.REFERENCE, ".....-....")]
        assert texts(candidates(self.REFERENCE, reads, ploidy)) == (["4:-1"] if is_candidate else [])

    @pytest.mark.parametrize("size, is_candidate", [(MAX_INDEL_BP, True), (MAX_INDEL_BP + 1, False)])
    def test_longest(self, size, is_candidate):
        deletion = Read(100, (("M", 20), ("D", size), ("M", 20)), PLAIN[100:120] + PLAIN[120 + size : 140 + size])
        insertion = Read(100, (("M", 20), ("I", size), ("M", 20)), PLAIN[100:120] + random_sequence(size, seed=1) + PLAIN[120:140])
        found = candidates(PLAIN, [deletion, insertion])
        assert sorted(found.length.tolist()) == ([-size, size] if is_candidate else [])

    def test_kept_are_those_most_reads_show(self):
        rows = 3 * ["......-..."] + 2 * ["......t...."] + 4 * ["......tt...."]
        reads = [read(self.REFERENCE, row) for row in rows]
        assert texts(candidates(self.REFERENCE, reads)) == ["5:-1", "5:+T", "5:+TT"]
        assert texts(candidates(self.REFERENCE, reads, max_alternates=2)) == ["5:-1", "5:+TT"]
        assert texts(candidates(self.REFERENCE, reads, max_alternates=1)) == ["5:+TT"]

    def test_last_place_is_the_right_end_of_the_repeat(self):
        #            0         1
        #            0123456789012
        reference = "CTCAGCAGCAGTC"
        found = candidates(reference, [read(reference, "..---........"), read(reference, "..cag...........")])
        assert texts(found) == ["1:-3", "1:+CAG"] and found.last.tolist() == [7, 10]
        assert found.locus_last.tolist() == [10] and found.locus_end.tolist() == [5]

    def test_last_place_of_a_deletion_that_ends_the_reference(self):
        assert candidates("CGAAA", [read("CGAAA", "..-..")]).last.tolist() == [3]
        assert candidates("CGAAA", [read("CGAAA", "..a...")]).last.tolist() == [4]

    def test_snv_and_indel_at_one_position_are_two_loci(self):
        reads = [read(self.REFERENCE, "....C-....") for _ in range(4)]
        found = candidates(self.REFERENCE, reads)
        assert texts(found) == ["4:C", "4:-1"] and found.is_indel.tolist() == [False, True] and found.locus_slots.tolist() == [0, 1, 2]


class TestNearIndels:
    @pytest.mark.parametrize("distance, by_haplotypes", [(0, True), (1, True), (NEAR_INDEL_BP, True), (NEAR_INDEL_BP + 1, False)])
    @pytest.mark.parametrize("side", [-1, 1])
    def test_snvs_within_reach_of_an_indel(self, distance, by_haplotypes, side):
        """Counted from the base before the indel, and from the one behind it."""
        pos = next(p for p in range(200, 220) if PLAIN[p] != PLAIN[p + 3] and PLAIN[p + 1] != PLAIN[p + 4])
        at = pos - distance if side < 0 else pos + 4 + distance
        deletion = Read(100, (("M", pos - 99), ("D", 3), ("M", 60)), PLAIN[100 : pos + 1] + PLAIN[pos + 4 : pos + 64])
        snv = Read(100, (("M", 200),), PLAIN[100:at] + "ACGT"["ACGT".index(PLAIN[at]) - 1] + PLAIN[at + 1 : 300])
        found = candidates(PLAIN, 2 * [deletion, snv])
        flags = dict(zip(zip(found.locus_pos.tolist(), found.is_indel.tolist()), found.by_haplotypes.tolist()))
        assert flags == {(pos, True): True, (at, False): by_haplotypes}

    def test_repeats_reach_further(self):
        """From where the sequences with and without the indel part: the last place it can be moved to."""
        reference = PLAIN[:100] + "C" + 40 * "A" + "G" + PLAIN[100:200]
        deletion = Read(80, (("M", 21), ("D", 1), ("M", 60)), reference[80:101] + reference[102:162])
        for at, expected in ((150, True), (139 + NEAR_INDEL_BP, True), (140 + NEAR_INDEL_BP, False)):
            base = "ACGT"["ACGT".index(reference[at]) - 1]
            snv = Read(120, (("M", 60),), reference[120:at] + base + reference[at + 1 : 180])
            found = candidates(reference, [deletion, deletion, snv, snv])
            assert found.last[found.length < 0].tolist() == [139]
            assert found.by_haplotypes[found.locus_pos == at].tolist() == [expected], at


def test_rows_that_kernels_address_by_number():
    assert PILEUP_FIELDS[:10:2] == tuple(f"{base}_forward" for base in BASES)
    assert PILEUP_FIELDS[pileup_kernels.QUAL_ROW] == "A_qual_sum" and PILEUP_FIELDS[pileup_kernels.READS_ROW] == "reads"
    assert PILEUP_FIELDS[pileup_kernels.INSERTION_ROW] == "insertions_forward" and PILEUP_FIELDS[pileup_kernels.CLIP_ROW] == "clips_left"
    assert PILEUP_FIELDS[pileup_kernels.DELETED_ROW] == "deleted_forward" and PILEUP_FIELDS[pileup_kernels.MAPQ0_ROW] == "mapq0_reads"
