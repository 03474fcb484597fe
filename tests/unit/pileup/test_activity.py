"""Activity: GATK's own probabilities, computed pileups, what counts as evidence, and what the answer must not depend on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import Read, batch, codes, random_sequence, read, used
from golden_regions import SETS, golden, golden_set, lines

from gpuvc.kernels.codes import FLAG_MATE_REVERSE, FLAG_MATE_UNMAPPED, FLAG_PAIRED, FLAG_REVERSE
from gpuvc.pileup import activity
from gpuvc.pileup.activity import ActiveLoci, activity_profile, find_active_loci, raw_profile
from gpuvc.settings import Settings

COMPUTED = json.loads((Path(__file__).parents[2] / "golden" / "activity.json").read_text())
REFERENCE = random_sequence(200, seed=3)
HC = Settings(concordance="hc")


def probabilities(aligned, reference=REFERENCE, samples=None, settings=Settings(), ploidy=2):  # noqa: B008
    """{position: probability} of the loci that are active."""
    reads = batch(aligned)
    sample = np.zeros(reads.n_reads, np.int16) if samples is None else np.array(samples, np.int16)
    n_samples = int(sample.max(initial=0)) + 1
    loci = find_active_loci(reads, used(reads), sample, n_samples, 0, len(reference), codes(reference), 0, ploidy, settings)
    return {pos: p for pos, p in zip(loci.pos.tolist(), loci.probability.tolist()) if p > 0}


def other(base):
    return "ACGT"["CGTA".index(base)]


def read_at(pos, length=40, alt=(), **fields):
    """A read like the reference, but for other bases at `alt`."""
    bases = "".join(other(base) if pos + i in alt else base for i, base in enumerate(REFERENCE[pos : pos + length]))
    return Read(pos, (("M", length),), bases, **fields)


class TestGolden:
    @pytest.mark.parametrize("name", [name for name in SETS if golden(f"{name}.activity.tsv.gz").exists()] or ["chr22"])
    def test_probabilities_and_clips_of_gatk(self, name):
        run, _ = golden_set(name)
        reads, _, sample, n_samples = run.loaded
        start, end = int(run.intervals[0, 0]), int(run.intervals[-1, 1])
        loci = find_active_loci(reads, run.use(), sample, n_samples, start, end, run.codes, 0, run.hc.sample_ploidy, run.hc)
        wanted, clips = np.zeros(end - start), np.zeros(end - start)
        for _, pos1, probability, clipped in lines(golden(f"{name}.activity.tsv.gz")):
            wanted[int(pos1) - 1 - start], clips[int(pos1) - 1 - start] = float(probability), float(clipped)
        found, found_clips = np.zeros(end - start), np.zeros(end - start)
        found[loci.pos - start] = loci.probability
        found_clips[loci.pos - start] = np.where(loci.clipped_bases > activity.CLIPPED_BASES, loci.clipped_bases, 0)
        assert np.abs(found - wanted).max() < 1e-12 and ((found > 0) == (wanted > 0)).all()
        assert np.abs(found_clips - clips)[wanted > 0].max() < 1e-12

    @pytest.mark.parametrize("case", COMPUTED["pileups"], ids=lambda case: case["name"])
    def test_computed_pileups(self, case):
        aligned = []
        for is_alt, qual, is_deletion in case["obs"]:
            bases, cigar = REFERENCE[90:111], (("M", 21),)
            if is_deletion:
                bases, cigar = bases[:10] + bases[11:], (("M", 10), ("D", 1), ("M", 10))
            elif is_alt:
                bases = bases[:10] + other(bases[10]) + bases[11:]
            aligned.append(Read(90, cigar, bases, quals=qual))
        assert probabilities(aligned).get(100, 0.0) == pytest.approx(case["active_prob"], abs=1e-12)


class TestEvidence:
    """Ten reads, five of which show something at locus 100."""

    @pytest.mark.parametrize(
        ("pos", "cigar", "active"),
        [
            (80, (("M", 21), ("I", 1), ("M", 18)), {100, 101}),
            (80, (("M", 21), ("D", 2), ("M", 19)), {100, 101, 102, 103}),
            (80, (("M", 21), ("S", 19)), {100}),
            (100, (("S", 5), ("M", 35)), {100}),
            (80, (("M", 21), ("H", 19)), set()),
        ],
    )
    def test_neighbours_of_indels_and_clips(self, pos, cigar, active):
        bases, at = "", pos
        for letter, n in cigar:
            bases += {"M": REFERENCE[at : at + n], "I": "A" * n, "S": "A" * n}.get(letter, "")
            at += n if letter in "MD" else 0
        aligned = [Read(pos, cigar, bases) for _ in range(5)] + [read_at(79) for _ in range(5)]
        assert set(probabilities(aligned)) == active

    def test_qualities_up_to_the_threshold_do_not_count(self):
        aligned = [read_at(80, alt={100}, quals=10) for _ in range(5)] + [read_at(80) for _ in range(5)]
        assert probabilities(aligned) == {}
        assert set(probabilities(aligned, settings=Settings(min_base_quality=9))) == {100}

    def test_bases_beyond_the_fragment_do_not_count(self):
        paired = {"flag": FLAG_PAIRED | FLAG_MATE_REVERSE, "mate_pos": 60, "mate_contig_id": 0, "template_length": 20}
        reads = [read_at(80, alt={99, 100}, **paired) for _ in range(5)] + [read_at(80) for _ in range(5)]
        assert set(probabilities(reads)) == {99}
        assert set(probabilities([r.but(template_length=101) for r in reads])) == {99, 100}
        assert set(probabilities([r.but(flag=r.flag | FLAG_MATE_UNMAPPED) for r in reads])) == {99, 100}
        for template_length, active in ((100, set()), (101, {165})):
            paired |= {"mate_pos": 60, "template_length": template_length}
            aligned = [read_at(60, length=120, alt={165}, **paired) for _ in range(5)] + [read_at(140) for _ in range(5)]
            assert set(probabilities(aligned)) == active
        paired = {"flag": FLAG_PAIRED | FLAG_REVERSE, "mate_pos": 100, "mate_contig_id": 0, "template_length": -200}
        reads = [read_at(80, alt={99, 100}, **paired) for _ in range(5)] + [read_at(80) for _ in range(5)]
        assert set(probabilities(reads)) == {100}

    def test_unknown_reference(self):
        reference = REFERENCE[:100] + "N" + REFERENCE[101:]
        reads = [read_at(80) for _ in range(10)]
        assert probabilities(reads, reference) == {} and set(probabilities(reads, reference, settings=HC)) == {100}

    def test_ploidy_moves_the_threshold(self):
        aligned = [read_at(80, alt={100}) for _ in range(6)] + [read_at(80) for _ in range(94)]
        assert probabilities(aligned) == {} and set(probabilities(aligned, ploidy=10)) == {100}

    def test_clipped_bases_are_counted_over_both_ends(self):
        clipped = read(REFERENCE, " " * 60 + "acgt" + "." * 37 + "acgtacg", quals=35)
        reads = batch([clipped] * 5)
        loci = find_active_loci(reads, used(reads), np.zeros(5, np.int16), 1, 0, 200, codes(REFERENCE), 0, 2, Settings())
        assert loci.pos.tolist() == [64, 100] and loci.clipped_bases.tolist() == [11.0, 11.0]


class TestSamples:
    def test_a_sample_without_reads_makes_no_difference(self):
        aligned = [read_at(80, alt={100}) for _ in range(4)] + [read_at(80) for _ in range(8)]
        alone = probabilities(aligned)
        elsewhere = [read_at(140), read_at(150)]
        assert alone and probabilities([*aligned, *elsewhere], samples=[0] * 12 + [1] * 2) == alone

    def test_many_samples_without_evidence_are_looked_at(self):
        """Beyond SCREENED_SAMPLES expectation maximisation may stop early, so nothing is ruled out beforehand."""
        n = 200
        aligned = [read_at(80, quals=5) for _ in range(n)]
        assert len(probabilities(aligned, samples=range(n))) == 40
        assert probabilities(aligned[:20], samples=range(20)) == {}

    def test_a_read_of_no_sample_counts_nowhere(self):
        aligned = [read_at(80, alt={100}) for _ in range(8)]
        assert probabilities(aligned, samples=[-1] * 8) == {}


class TestWhatItDependsOn:
    @pytest.fixture(params=["wgs50x", "divergent", "random", "four"])
    def run(self, request):
        return golden_set(request.param)[0]

    def profile(self, run, start, end, use=None):
        reads, _, sample, n_samples = run.loaded
        use = run.use() if use is None else use
        first = max(0, start - 7)
        return activity_profile(
            reads, use, sample, n_samples, start, end, run.codes[first : end + 5], first, len(run.codes), 2, run.hc
        )  # fmt: skip

    def test_windows_agree(self, run):
        start, end = int(run.intervals[0, 0]), min(6000, len(run.codes)) + 5000 * (len(run.codes) > 6000)
        whole = self.profile(run, start, end)
        for low, high in np.sort(np.random.default_rng(5).integers(start, end, (20, 2))).tolist():
            assert (self.profile(run, low, high) == whole[low - start : high - start]).all()

    def test_no_active_locus_is_screened_out(self, run, monkeypatch):
        start, end = 4900 % len(run.codes), min(len(run.codes), 30000)
        screened = self.profile(run, start, end)
        monkeypatch.setattr(activity, "_worth_of_an_alternate", lambda *_: float("inf"))
        assert (self.profile(run, start, end) == screened).all()

    def test_low_qualities_turn_the_screen_off(self):
        table = activity.element_table(2)
        assert activity._worth_of_an_alternate(table, 0, 40) == float("inf")
        assert 15.1 < activity._worth_of_an_alternate(table, 10, 42) < 15.2


class TestRawProfile:
    def raw(self, clipped, pos=300, contig_length=600, **settings):
        loci = ActiveLoci(np.array([pos], np.int32), np.array([0.4]), np.array([clipped]))
        return raw_profile(loci, 0, 600, contig_length, replace(Settings(), **settings))[pos]

    def test_clips_multiply(self):
        assert self.raw(6.0) == 0.4 and self.raw(8.7) == 0.4 * 17 and self.raw(300.0) == 0.4 * 201
        assert self.raw(300.0, max_prob_propagation_distance=0) == 0.4 * 101

    def test_only_copies_on_the_contig_count(self):
        assert self.raw(20.0, pos=5) == 0.4 * 26 and self.raw(20.0, pos=590) == 0.4 * 30

    def test_forced_spans(self):
        loci = ActiveLoci(np.array([300], np.int32), np.array([0.4]), np.array([9.0]))
        raw = raw_profile(loci, 0, 600, 600, Settings(), [(299, 302), (590, 700)])
        assert raw[298:303].tolist() == [0, 1, 1, 1, 0] and raw.sum() == 13
