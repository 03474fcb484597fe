"""Which reads count: each filter by itself, the order of counting, and the limit of reads per start."""

import random
from itertools import pairwise

import numpy as np
import pytest
from builders import Read, batch
from hypothesis import given
from hypothesis import strategies as st

from gpuvc.errors import UsageError
from gpuvc.io.columns import take_reads
from gpuvc.kernels.codes import (
    FLAG_DUPLICATE,
    FLAG_MATE_UNMAPPED,
    FLAG_PAIRED,
    FLAG_PROPER,
    FLAG_QC_FAIL,
    FLAG_SECONDARY,
    FLAG_SUPPLEMENTARY,
    FLAG_UNMAPPED,
)
from gpuvc.pileup.read_filters import (
    ALL_FILTERS,
    ALWAYS,
    DEFAULT_FILTERS,
    DOWNSAMPLED,
    MAX_READ_SPAN,
    OPTIONAL_FILTERS,
    active_filters,
    choose_reads,
)
from gpuvc.settings import Settings

LENGTH = 10_000
PAIRED = FLAG_PAIRED | FLAG_PROPER
GOOD = Read(100, (("M", 20),), 5 * "ACGT", flag=PAIRED, mate_pos=130, mate_contig_id=0)


def choose(*reads, count_from=-1, count_to=LENGTH, **settings):
    """(indices of the reads that count, what was refused)."""
    use, refused, _ = choose_reads(batch(reads), LENGTH, Settings(**settings), count_from, count_to)
    return use.tolist(), refused


def cigar(text):
    """Operations of "3M1I16M"."""
    found, number = [], ""
    for letter in text:
        number, letter = (number + letter, None) if letter.isdigit() else (number, letter)
        if letter:
            found.append((letter, int(number)))
            number = ""
    return tuple(found)


# Filter → reads that it alone refuses.
REFUSED = {
    "MappingQualityReadFilter": [GOOD.but(mapq=19), GOOD.but(mapq=0)],
    "MappingQualityAvailableReadFilter": [GOOD.but(mapq=255)],
    "MappedReadFilter": [GOOD.but(flag=PAIRED | FLAG_UNMAPPED), GOOD.but(contig_id=-1, mate_contig_id=-1), GOOD.but(pos=-1)],
    "NotSecondaryAlignmentReadFilter": [GOOD.but(flag=PAIRED | FLAG_SECONDARY)],
    "NotDuplicateReadFilter": [GOOD.but(flag=PAIRED | FLAG_DUPLICATE)],
    "PassesVendorQualityCheckReadFilter": [GOOD.but(flag=PAIRED | FLAG_QC_FAIL)],
    "NonZeroReferenceLengthAlignmentReadFilter": [GOOD.but(cigar=cigar("20I")), GOOD.but(cigar=cigar("3S17I"))],
    "GoodCigarReadFilter": [
        GOOD.but(cigar=cigar(text))
        for text in (
            "2D20M", "20M2D", "3S2D17M", "2H20M1D1H", "17M1D3S",  # a deletion at an end
            "9M1I1D10M", "9M1D1I10M", "8M1I1I10M", "10M1D2D10M",  # neighbouring indels
            "5M5S10M", "10M0D10M",  # a clip inside, nothing
        )
    ],
    "WellformedReadFilter": [
        GOOD.but(read_group=-1), GOOD.but(cigar=cigar("10M50N10M")), GOOD.but(quals=255), GOOD.but(pos=LENGTH - 19),
    ],
    "NotSupplementaryAlignmentReadFilter": [GOOD.but(flag=PAIRED | FLAG_SUPPLEMENTARY)],
    "PairedReadFilter": [GOOD.but(flag=FLAG_PROPER)],
    "ProperlyPairedReadFilter": [GOOD.but(flag=FLAG_PAIRED)],
    "MateOnSameContigOrNoMappedMateReadFilter": [GOOD.but(mate_contig_id=1)],
    "NotOrphanReadFilter": [GOOD.but(flag=FLAG_PAIRED)],
    "ReferenceSpanReadFilter": [GOOD.but(cigar=(("M", 10), ("D", MAX_READ_SPAN - 19), ("M", 10)))],
}  # fmt: skip
PASSING = [
    GOOD, GOOD.but(mapq=20), GOOD.but(mapq=254), GOOD.but(flag=0), GOOD.but(flag=PAIRED | FLAG_SUPPLEMENTARY), GOOD.but(pos=0),
    GOOD.but(pos=LENGTH - 20), GOOD.but(mate_contig_id=1), GOOD.but(cigar=cigar("2H3S14M3S1H")), GOOD.but(cigar=cigar("2I18M")),
    GOOD.but(cigar=cigar("18M2I")), GOOD.but(cigar=cigar("3S2I15M")), GOOD.but(cigar=cigar("9M1I1M1D9M")), GOOD.but(cigar=cigar("9=1X10=")),
    GOOD.but(cigar=cigar("10M2P10M")), GOOD.but(cigar=(("M", 10), ("D", MAX_READ_SPAN - 20), ("M", 10))), GOOD.but(quals=0),
]  # fmt: skip
EACH_REFUSED = [pytest.param(name, read, id=f"{name}-{n}") for name, reads in REFUSED.items() for n, read in enumerate(reads)]


def enabled(*names):
    """Settings that switch on whichever of these filters are off."""
    return {"extra_read_filters": tuple(name for name in names if name in OPTIONAL_FILTERS)}


class TestFilters:
    @pytest.mark.parametrize("name, read", EACH_REFUSED)
    def test_refuses(self, name, read):
        assert choose(GOOD, read, GOOD, **enabled(name)) == ([0, 2], {name: 1, "passed": 2})

    @pytest.mark.parametrize("name, read", [param for param in EACH_REFUSED if param.values[0] not in ALWAYS])
    def test_nothing_else_refuses_it(self, name, read):
        assert choose(read, disabled_read_filters=(name,)) == ([0], {"passed": 1})

    @pytest.mark.parametrize("read", PASSING, ids=lambda read: "-".join(f"{n}{op}" for op, n in read.cigar) + f"-{read.flag}-{read.mapq}")
    def test_passes(self, read):
        assert choose(read) == ([0], {"passed": 1})

    def test_filters_of_bcftools(self):
        """Odd alignments, unplaced and unknown qualities count; of a pair that is not proper nothing does."""
        off = {name for name, reads in REFUSED.items() for read in reads if choose(read, concordance="bcftools", engine="pileup")[0]}
        refusing = {
            "MappedReadFilter", "NotSecondaryAlignmentReadFilter", "NotDuplicateReadFilter", "PassesVendorQualityCheckReadFilter",
            "NotOrphanReadFilter", "ProperlyPairedReadFilter", *ALWAYS,
        }  # fmt: skip
        assert off == set(REFUSED) - refusing

    def test_every_filter_has_a_case(self):
        # Bases that the CIGAR does not account for break two rules at once; see below.
        assert set(REFUSED) | {"ReadLengthEqualsCigarLengthReadFilter"} == set(ALL_FILTERS)

    @pytest.mark.parametrize("read", [GOOD.but(bases="ACGT"), GOOD.but(bases="", quals=())], ids=["short", "none"])
    def test_bases_that_do_not_fit_the_cigar(self, read):
        assert choose(read)[1] == {"WellformedReadFilter": 1, "passed": 0}
        assert choose(read, disabled_read_filters=("WellformedReadFilter",))[1] == {"ReadLengthEqualsCigarLengthReadFilter": 1, "passed": 0}

    @pytest.mark.parametrize(
        "mate", [{"flag": PAIRED | FLAG_MATE_UNMAPPED}, {"mate_contig_id": -1}, {"mate_pos": -1}, {"flag": 0}], ids=str
    )
    def test_a_mate_that_is_not_mapped_is_on_no_other_contig(self, mate):
        name = "MateOnSameContigOrNoMappedMateReadFilter"
        assert choose(GOOD.but(**({"mate_contig_id": 1} | mate)), **enabled(name))[1] == {"passed": 1}

    def test_first_filter_that_refuses_counts(self):
        """A read that breaks every rule is counted once, under the first filter in force, in the order of ALL_FILTERS."""
        flags = FLAG_UNMAPPED | FLAG_SECONDARY | FLAG_DUPLICATE | FLAG_QC_FAIL | FLAG_SUPPLEMENTARY
        worst = GOOD.but(mapq=0, flag=flags, cigar=cigar("1D1I"), bases="", quals=(), read_group=-1)
        off, counted = [], []
        for _ in DEFAULT_FILTERS:
            use, refused = choose(worst, **enabled(*OPTIONAL_FILTERS), disabled_read_filters=tuple(off))
            (name,) = refused.keys() - {"passed"}
            assert use == [] and refused == {name: 1, "passed": 0}
            off.append(name)
            counted.append(name)
        passed = {"MappingQualityAvailableReadFilter", "NonZeroReferenceLengthAlignmentReadFilter"}
        expected = [name for name in DEFAULT_FILTERS if name not in passed]
        assert counted[: len(expected)] == expected
        assert counted[len(expected) :] == list(OPTIONAL_FILTERS[:2])

    def test_counts_of_many(self):
        rng = random.Random(3)
        reads = [rng.choice([GOOD, *(r for name in DEFAULT_FILTERS for r in REFUSED[name])]).but(pos=100) for _ in range(300)]
        use, refused = choose(*reads, max_reads_per_alignment_start=0)
        assert refused["passed"] == len(use) and sum(refused.values()) == 300
        assert [name for name in refused if name != "passed"] == [name for name in DEFAULT_FILTERS if name in refused]

    def test_only_reads_that_start_in_the_span_are_counted_but_all_are_used(self):
        reads = [GOOD.but(pos=p, mapq=q) for p in (99, 100, 149, 150) for q in (0, 60)]
        use, refused = choose(*reads, count_from=100, count_to=150)
        assert use == [1, 3, 5, 7] and refused == {"MappingQualityReadFilter": 2, "passed": 2}
        _, _, n_bases = choose_reads(batch(reads), LENGTH, Settings(), 100, 150)
        assert n_bases == 40

    def test_threshold_of_mapping_quality(self):
        reads = [GOOD.but(mapq=q) for q in (0, 1, 29, 30)]
        assert choose(*reads, min_mapping_quality=30)[0] == [3]
        assert choose(*reads, min_mapping_quality=1)[0] == [1, 2, 3]
        assert choose(*reads, min_mapping_quality=0)[0] == [0, 1, 2, 3]

    def test_no_reads(self):
        assert choose() == ([], {"passed": 0})


class TestNames:
    def test_default(self):
        assert active_filters(Settings()) == (*DEFAULT_FILTERS, *ALWAYS)

    def test_added_and_removed(self):
        settings = Settings(extra_read_filters=("PairedReadFilter",), disabled_read_filters=("MappedReadFilter",))
        names = active_filters(settings)
        assert "PairedReadFilter" in names and "MappedReadFilter" not in names
        assert list(names) == sorted(names, key=ALL_FILTERS.index)

    @pytest.mark.parametrize("field", ["extra_read_filters", "disabled_read_filters"])
    def test_unknown(self, field):
        with pytest.raises(UsageError, match=r"read filter MappedRead is not known\. Known: MappingQualityReadFilter, "):
            active_filters(Settings(**{field: ("MappedRead",)}))

    @pytest.mark.parametrize("name", ALWAYS)
    def test_what_kernels_rely_on_stays(self, name):
        with pytest.raises(UsageError, match=f"{name} cannot be disabled"):
            active_filters(Settings(disabled_read_filters=(name,)))


class TestDownsampler:
    @staticmethod
    def names_kept(reads, cap):
        use, refused, _ = choose_reads(batch(reads), LENGTH, Settings(max_reads_per_alignment_start=cap), 0, LENGTH)
        return {(reads[i].name, reads[i].flag) for i in use}, refused

    @staticmethod
    def pile(n, pos=100):
        return [GOOD.but(name=f"{pos}.{i}", pos=pos, flag=PAIRED | 16 * (i % 2)) for i in range(n)]

    @pytest.mark.parametrize("n, cap, kept", [(7, 5, 5), (5, 5, 5), (3, 5, 3), (60, 50, 50), (60, 0, 60), (4, 1, 1)])
    def test_limit(self, n, cap, kept):
        names, refused = self.names_kept(self.pile(n), cap)
        assert len(names) == kept == refused["passed"]
        assert refused.get(DOWNSAMPLED, 0) == n - kept

    @given(st.permutations(range(12)), st.integers(1, 12))
    def test_choice_does_not_depend_on_the_order_in_the_file(self, order, cap):
        reads = self.pile(12)
        assert self.names_kept([reads[i] for i in order], cap)[0] == self.names_kept(reads, cap)[0]

    def test_choice_is_by_hash_not_by_place(self):
        """Each read is kept in about half of many piles."""
        kept = np.zeros(10)
        for pile in range(200):
            reads = [GOOD.but(name=f"{pile}.{i}") for i in range(10)]
            names, _ = self.names_kept(reads, 5)
            kept += [(r.name, r.flag) in names for r in reads]
        assert kept.sum() == 1000 and kept.min() > 70 and kept.max() < 130  # mean 100, 5 standard deviations 35

    def test_mates_are_chosen_apart(self):
        reads = [GOOD.but(name=f"{i}", flag=flag) for i in range(40) for flag in (PAIRED | 0x40, PAIRED | 0x80)]
        names, _ = self.names_kept(reads, 40)
        n_whole_pairs = len([name for name, flag in names if flag & 0x40 and (name, PAIRED | 0x80) in names])
        assert 5 < n_whole_pairs < 15  # mean 10; 20 if mates shared a hash

    def test_smaller_limits_keep_part_of_what_larger_ones_keep(self):
        kept = [self.names_kept(self.pile(30), cap)[0] for cap in range(1, 31)]
        assert all(smaller < larger for smaller, larger in pairwise(kept))

    def test_starts_are_apart(self):
        piles = [self.pile(9, pos) for pos in (99, 100, 101)]
        together, _ = self.names_kept([r for pile in piles for r in pile], 4)
        assert together == set().union(*(self.names_kept(pile, 4)[0] for pile in piles))

    def test_window_does_not_matter(self):
        """Any run of whole starts gives the same choice as all of them."""
        reads = batch([r for pos in range(100, 140) for r in self.pile(7, pos)])
        settings = Settings(max_reads_per_alignment_start=3)
        whole = set(choose_reads(reads, LENGTH, settings, 0, LENGTH)[0].tolist())
        for first, last in ((0, 70), (21, 140), (203, 280)):
            part = take_reads(reads, np.arange(first, last))
            use, _, _ = choose_reads(part, LENGTH, settings, 0, LENGTH)
            assert set((use + first).tolist()) == {i for i in whole if first <= i < last}

    def test_refused_reads_take_no_place(self):
        reads = self.pile(10) + [GOOD.but(name=f"bad{i}", mapq=0) for i in range(30)]
        names, refused = self.names_kept(reads, 10)
        assert len(names) == 10 and refused == {"MappingQualityReadFilter": 30, "passed": 10}

    def test_counts_where_the_span_ends(self):
        reads = batch([*self.pile(8, 99), *self.pile(8, 100)])
        _, refused, _ = choose_reads(reads, LENGTH, Settings(max_reads_per_alignment_start=5), 100, 200)
        assert refused == {DOWNSAMPLED: 3, "passed": 5}
