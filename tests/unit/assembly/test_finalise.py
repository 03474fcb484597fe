"""Finalised reads: GATK's own base for base, drawn cases, and what the rows must not depend on."""

import gzip
import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
from builders import Read, batch, codes, random_sequence, read, used
from golden_regions import GENOTYPED, GENOTYPING, SETS, by_first_column, described, golden, golden_set, lines, wanted_regions

from gpuvc.assembly.finalise import finalise_reads, reclip
from gpuvc.batches import RegionBatch
from gpuvc.io.columns import take_reads
from gpuvc.kernels.codes import (
    CIGAR_S,
    FLAG_MATE_REVERSE,
    FLAG_MATE_UNMAPPED,
    FLAG_PAIRED,
    FLAG_REVERSE,
    FLAG_SUPPLEMENTARY,
)
from gpuvc.settings import Settings

MODES = {
    "": {},
    ".no_soft_clips": {"use_soft_clipped_bases": False},
    ".soft_tails": {"soft_clip_low_quality_ends": True},
    ".always_revert": {"override_fragment_softclip_check": True},
}
FINALISED = [
    (name, mode, kind)
    for name in SETS
    for mode in MODES
    for kind in ("finalised", "finalised.crc")
    if golden(f"{name}{mode}.{kind}.tsv.gz").exists()
]
REFERENCE = random_sequence(400, seed=8)
FORWARD = {"flag": FLAG_PAIRED | FLAG_MATE_REVERSE, "mate_contig_id": 0}
REVERSE = {"flag": FLAG_PAIRED | FLAG_REVERSE, "mate_contig_id": 0}


def regions_of(spans, contig_length, padding=100):
    """RegionBatch of 0-based half-open spans."""
    start, end = np.array(spans, np.int32).reshape(-1, 2).T
    padded = np.maximum(start - padding, 0), np.minimum(end + padding, contig_length)
    return RegionBatch(0, start.copy(), end.copy(), padded[0].astype(np.int32), padded[1].astype(np.int32))


def finalised(*reads, span=(0, 400), samples=None, **settings):
    """[(start, CIGAR, bases, qualities)] of the rows of one region, and the rows."""
    columns = batch(reads)
    sample = np.zeros(len(reads), np.int16) if samples is None else np.array(samples, np.int16)
    rows = finalise_reads(regions_of([span], 400, padding=0), columns, used(columns), sample, Settings(**settings))
    names = [str(i) for i in range(len(reads))]
    quals = [[ord(letter) - 33 for letter in row[5]] for row in described(rows, columns, names)]
    return [(int(row[2]) - 1, row[3], row[4], q) for row, q in zip(described(rows, columns, names), quals)], rows


class TestGolden:
    @pytest.mark.parametrize(("name", "mode", "kind"), FINALISED, ids=["".join(case[:2]) for case in FINALISED])
    def test_reads_of_gatk(self, name, mode, kind):
        run, path = golden_set(name)
        reads, names, sample, _ = run.loaded
        regions = regions_of([region[:2] for region in wanted_regions(path) if region[2]], len(run.codes))
        rows = finalise_reads(regions, reads, run.use(whole=True), sample, replace(run.hc, **MODES[mode]))
        wanted = by_first_column(lines(golden(f"{name}{mode}.{kind}.tsv.gz")))
        for g, start in enumerate(regions.start.tolist()):
            found = described(rows, reads, names, g)
            if kind == "finalised.crc":
                crc = zlib.crc32("".join("\t".join(row) + "\n" for row in found).encode())
                found = [[str(len(found)), f"{crc:08x}"]]
            assert found == wanted[start + 1], f"region at {start + 1}"

    @pytest.mark.parametrize("name", GENOTYPED)
    def test_reads_that_gatk_genotypes(self, name):
        """Clipped to the trimmed span: those handed to the PairHMM, their order and qualities, and the side list."""
        run = GENOTYPED[name]
        if not GENOTYPING.exists() or not all(path.exists() for path in run.needs()):
            pytest.skip("no ../shared with golden data and reads")
        reads, names, sample, n_samples = run.loaded
        use = run.use(whole=True)
        with gzip.open(GENOTYPING / "regions.jsonl.gz", "rt") as file:
            cases = [case for case in map(json.loads, file) if case["set"].split(".")[0] == name]

        def spans_of(key):
            return [[int(x) - (i == 0) for i, x in enumerate(case[key].split(":")[1].split("-"))] for case in cases]

        regions = regions_of(spans_of("region"), len(run.codes))
        rows = finalise_reads(regions, reads, use, sample, run.hc)
        span_start, span_end = np.array(spans_of("padded_span"), np.int32).T.copy()
        rows, is_aside = reclip(rows, span_start, span_end, reads, sample, run.hc)
        for g, case in enumerate(cases):
            inside = np.zeros(rows.n_rows, bool)
            inside[rows.region_slots[g] : rows.region_slots[g + 1]] = True
            for row, wanted in zip(range(n_samples), case["samples"]):
                found = np.flatnonzero(inside & ~is_aside & (rows.sample == row))
                assert [names[rows.read[i]] for i in found] == [one["name"] for one in wanted["reads"]]
                for i, one in zip(found, wanted["reads"]):
                    span = slice(rows.base_offsets[i], rows.base_offsets[i + 1])
                    assert (rows.bases[span] == codes(one["bases"])).all()
                    assert "base_quals" not in one or rows.base_quals[span].tolist() == one["base_quals"]
            aside = [(names[rows.read[i]], rows.pos[i] + 1, rows.end[i]) for i in np.flatnonzero(inside & is_aside)]
            assert sorted(aside) == sorted((one["name"], one["start"], one["end"]) for one in case["side_list"])


class TestClipping:
    """One read, 40 bp of the reference from 100 on, unless drawn otherwise."""

    @staticmethod
    def at(pos, cigar, **fields):
        bases, p = "", pos
        for letter, n in cigar:
            bases += {"M": REFERENCE[p : p + n], "I": "A" * n, "S": "A" * n}.get(letter, "")
            p += n if letter in "MD" else 0
        return Read(pos, cigar, bases, **fields)

    def check(self, read, *wanted, **more):
        rows, _ = finalised(read, **more)
        assert [row[:2] for row in rows] == list(wanted)
        for start, cigar, bases, quals in rows:
            assert len(bases) == len(quals) > 0
            if set(cigar) <= set("0123456789MH") and "S" not in dict(read.cigar):
                assert bases == REFERENCE[start : start + len(bases)]

    def test_as_it_is(self):
        self.check(self.at(100, (("M", 40),)), (100, "40M"))

    def test_soft_clips_are_cut_off_without_a_fragment(self):
        read = self.at(100, (("S", 3), ("M", 30), ("S", 7)))
        self.check(read, (100, "3H30M7H"))
        self.check(read, (97, "40M"), override_fragment_softclip_check=True)
        self.check(read, (100, "3H30M7H"), override_fragment_softclip_check=True, use_soft_clipped_bases=False)

    def test_soft_clips_are_reverted_in_a_fragment(self):
        read = self.at(100, (("H", 2), ("S", 3), ("M", 30), ("S", 7)), mate_pos=200, template_length=140, **FORWARD)
        self.check(read, (97, "2H40M"))
        self.check(read.but(flag=read.flag | FLAG_MATE_UNMAPPED), (100, "5H30M7H"))
        self.check(read.but(template_length=0), (100, "5H30M7H"))

    def test_a_reverted_clip_before_the_contig_is_cut(self):
        self.check(self.at(2, (("S", 5), ("M", 30)), mate_pos=200, template_length=240, **FORWARD), (0, "3H32M"))

    def test_low_quality_ends(self):
        read = self.at(100, (("M", 40),), quals=(9,) * 5 + (10,) + (2,) * 29 + (10,) + (9,) * 4)
        self.check(read, (105, "5H31M4H"))
        self.check(read, (105, "5S31M4S"), soft_clip_low_quality_ends=True)
        self.check(read.but(quals=9))
        self.check(self.at(100, (("M", 2),), quals=(9, 10)), (100, "2M"), soft_clip_low_quality_ends=True)

    def test_deletions_at_a_clip_vanish(self):
        read = self.at(100, (("M", 5), ("D", 4), ("M", 30), ("D", 2), ("M", 5)), quals=(2,) * 5 + (30,) * 30 + (2,) * 5)
        self.check(read, (109, "5H30M5H"))

    def test_the_padded_span(self):
        read = self.at(100, (("M", 20), ("D", 5), ("M", 20)))
        self.check(read, (110, "10H10M5D10M10H"), span=(110, 135))
        self.check(read, (125, "20H20M"), span=(122, 400))
        self.check(read, (100, "20M20H"), span=(0, 123))
        self.check(read, span=(145, 400))
        self.check(read, span=(0, 100))
        self.check(read, span=(121, 124))
        self.check(self.at(100, (("M", 20), ("I", 3), ("M", 20))), (120, "20H3I5M15H"), span=(120, 125))

    def test_adaptor_behind_a_forward_read(self):
        read = self.at(100, (("M", 40),), mate_pos=90, template_length=30, **FORWARD)
        self.check(read, (100, "30M10H"))
        # A reverted clip moves the boundary with the start.
        self.check(self.at(100, (("S", 4), ("M", 36)), mate_pos=90, template_length=30, **FORWARD), (96, "30M10H"))

    def test_adaptor_before_a_reverse_read(self):
        self.check(self.at(100, (("M", 40),), mate_pos=110, template_length=-30, **REVERSE), (110, "10H30M"))


class TestOverlaps:
    def pair(self, first="." * 40, second="." * 40, shift=20, quals=(37, 37), **more):
        one = read(REFERENCE, " " * 100 + first, name="f", quals=quals[0], mate_pos=100 + shift, template_length=200, **FORWARD)
        two = read(REFERENCE, " " * (100 + shift) + second, name="f", quals=quals[1], mate_pos=100, template_length=-200, **REVERSE)
        return one, two.but(**more)

    def test_equal_and_unequal_bases(self):
        one, two = self.pair(second="....." + "ACGT"["CGTA".index(REFERENCE[125])] + "." * 34)
        rows, _ = finalised(one, two)
        assert rows[0][3] == [37] * 20 + [20] * 5 + [0] + [20] * 14
        assert rows[1][3] == [20] * 5 + [0] + [20] * 14 + [37] * 20

    def test_computed_qualities(self):
        one, two = self.pair(quals=(12, 40), shift=0)
        assert [row[3] for row in finalised(one, two)[0]] == [[12] * 40, [20] * 40]

    def test_switched_off(self):
        assert [row[3] for row in finalised(*self.pair(), correct_overlapping_quality=False)[0]] == [[37] * 40] * 2

    def test_other_names_samples_and_places_do_not_pair(self):
        one, two = self.pair()
        for reads, samples in (((one, two.but(name="g")), None), ((one, two), (0, 1)), ((one.but(mate_pos=140), two), None)):
            assert [row[3] for row in finalised(*reads, samples=samples)[0]] == [[37] * 40] * 2

    def test_a_third_alignment_waits_for_a_fourth(self):
        one, two = self.pair()
        three = two.but(pos=125, bases=REFERENCE[125:165], flag=two.flag | FLAG_SUPPLEMENTARY)
        alone = [row[3] for row in finalised(one, two)[0]]
        assert [row[3] for row in finalised(one, two, three)[0]] == [*alone, [37] * 40]
        four = one.but(pos=130, bases=REFERENCE[130:170], mate_pos=110)
        quals = [row[3] for row in finalised(one, two, three, four)[0]]
        assert quals == [*alone, [37] * 5 + [20] * 35, [20] * 35 + [37] * 5]

    def test_bases_step_together_across_an_indel(self):
        """The rule walks read coordinates: after the deletion of one mate it compares neighbours, which differ or not by chance."""
        one, two = self.pair(first="." * 30 + "-" * 3 + "." * 10)
        rows, _ = finalised(one, two)
        expected = [20 if a == b else 0 for a, b in zip(REFERENCE[133:143], REFERENCE[130:140])]
        assert rows[0][3] == [37] * 20 + [20] * 10 + expected and rows[1][3] == [20] * 10 + expected + [37] * 20


class TestRows:
    @pytest.fixture(params=["wgs50x", "random"])
    def run(self, request):
        run, path = golden_set(request.param)
        regions = regions_of([region[:2] for region in wanted_regions(path) if region[2]], len(run.codes))
        return run, regions

    def test_a_region_does_not_see_the_others(self, run):
        run, regions = run
        reads, names, sample, _ = run.loaded
        use = run.use(whole=True)
        before = reads.base_quals.copy()
        rows = finalise_reads(regions, reads, use, sample, run.hc)
        assert (reads.base_quals == before).all()
        for g in range(0, regions.n_regions, 7):
            alone = regions_of([[regions.start[g], regions.end[g]]], len(run.codes))
            near = np.flatnonzero((reads.pos < alone.padded_end[0]) & (reads.ref_end > alone.padded_start[0]))
            few = take_reads(reads, near)
            found = finalise_reads(alone, few, np.flatnonzero(np.isin(near, use)).astype(np.int32), sample[near], run.hc)
            assert described(found, few, [names[i] for i in near]) == described(rows, reads, names, g)

    def test_clipping_to_the_same_span_changes_nothing(self, run):
        run, regions = run
        reads, names, sample, _ = run.loaded
        rows = finalise_reads(regions, reads, run.use(whole=True), sample, run.hc)
        again, is_aside = reclip(rows, regions.padded_start, regions.padded_end, reads, sample, run.hc)
        long_enough = np.diff(rows.base_offsets) >= 10
        assert described(again, reads, names) == [row for row, keep in zip(described(rows, reads, names), long_enough) if keep]
        elsewhere = [i for i, r in enumerate(again.read) if reads.flag[r] & 9 == 1 and reads.mate_contig_id[r] not in (-1, 0)]
        assert np.flatnonzero(is_aside).tolist() == [i for i in elsewhere if reads.mate_pos[again.read[i]] >= 0]

    def test_no_regions_and_no_reads(self):
        none = batch([])
        rows = finalise_reads(regions_of([[10, 20]], 400), none, used(none), np.empty(0, np.int16), Settings())
        assert rows.n_rows == 0 and rows.region_slots.tolist() == [0, 0]
        reads = batch([Read(100, (("M", 4),), "ACGT")])
        rows = finalise_reads(regions_of([], 400), reads, used(reads), np.zeros(1, np.int16), Settings())
        assert rows.n_rows == 0 and rows.region_slots.tolist() == [0]

    def test_stubs_and_reads_aside(self):
        at = {"mapq": 60, "mate_pos": 300, "template_length": 0}
        bases = REFERENCE[100:140]
        reads = batch([
            Read(100, (("M", 40),), bases, name="a", flag=FLAG_PAIRED, mate_contig_id=0, **at),
            Read(100, (("M", 40),), bases, name="b", flag=FLAG_PAIRED, mate_contig_id=1, **at),
            Read(100, (("M", 40),), bases, name="c", flag=FLAG_PAIRED | FLAG_MATE_UNMAPPED, mate_contig_id=1, **at),
            Read(100, (("M", 40),), bases, name="d", **(at | {"mapq": 19})),
            Read(131, (("M", 40),), REFERENCE[131:171], name="e"),
        ])  # fmt: skip
        sample = np.zeros(5, np.int16)
        rows = finalise_reads(regions_of([[100, 150]], 400, 0), reads, used(reads), sample, Settings())
        rows, is_aside = reclip(rows, np.array([110], np.int32), np.array([140], np.int32), reads, sample, Settings())
        assert sorted(zip(rows.read.tolist(), is_aside.tolist())) == [(0, False), (1, True), (2, False), (3, True)]
        assert rows.pos.tolist() == [110] * 4 and rows.end.tolist() == [140] * 4 and (rows.cigar & 15 != CIGAR_S).all()

    def test_a_region_without_variation_keeps_nothing(self):
        reads = batch([Read(100, (("M", 40),), REFERENCE[100:140])])
        rows = finalise_reads(regions_of([[100, 150]], 400, 0), reads, used(reads), np.zeros(1, np.int16), Settings())
        nowhere = np.array([120], np.int32)
        assert reclip(rows, nowhere, nowhere, reads, np.zeros(1, np.int16), Settings())[0].n_rows == 0
