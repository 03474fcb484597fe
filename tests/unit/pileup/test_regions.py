"""Regions: GATK's own, computed profiles, and the same regions whatever the shards."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from golden_regions import SETS, golden_set, wanted_regions

from gpuvc.batches import RegionBatch
from gpuvc.pileup.activity import activity_profile
from gpuvc.pileup.regions import cut_profile, reach, smooth, smoothing_weights, split_contig, with_ploidies
from gpuvc.settings import Settings

COMPUTED = json.loads((Path(__file__).parents[2] / "golden" / "activity.json").read_text())


def profile_of(run, settings):
    """(raw, start) of all that a run of GATK looks at."""
    reads, _, sample, n_samples = run.loaded
    start, end = int(run.intervals[0, 0]), int(run.intervals[-1, 1])
    forced = run.forced or None
    raw = activity_profile(
        reads, run.use(), sample, n_samples, start, end, run.codes, 0, len(run.codes), settings.sample_ploidy, settings, forced
    )  # fmt: skip
    return raw, start


def table(found):
    return list(zip(*(column.tolist() for column in found)))


class TestGolden:
    @pytest.mark.parametrize("name", SETS)
    def test_regions_of_gatk(self, name):
        run, path = golden_set(name)
        raw, start = profile_of(run, run.hc)
        assert table(cut_profile(raw, start, run.intervals, len(run.codes), run.hc, run.intervals)) == wanted_regions(path)

    @pytest.mark.parametrize("name", ["wgs50x", "wgs7x", "sim", "exome", "chr22", "four"])
    def test_our_rule_gives_the_same_active_regions(self, name):
        run, path = golden_set(name)
        settings = replace(run.hc, concordance="none")
        raw, start = profile_of(run, settings)
        missing = int(run.intervals[-1, 1]) + reach(settings)[1] - start - len(raw)
        raw = np.concatenate([np.zeros(start), raw, np.zeros(max(0, min(missing, len(run.codes) - start - len(raw))))])
        regions, _ = split_contig(raw, 0, run.intervals, 0, len(run.codes), settings)
        wanted = [(start, end) for start, end, active in wanted_regions(path) if active]
        assert list(zip(regions.start.tolist(), regions.end.tolist())) == wanted
        assert (regions.padded_start == np.maximum(regions.start - 100, 0)).all()
        assert (regions.padded_end == np.minimum(regions.end + 100, len(run.codes))).all()

    @pytest.mark.parametrize("case", COMPUTED["profiles"], ids=lambda case: case["name"])
    def test_computed_profiles(self, case):
        raw = np.zeros(case["length"])
        if isinstance(case["raw"], str):
            raw[200:881:20] = 0.9
        else:
            for pos, value in case["raw"].items():
                mean = case.get("hq_softclip_mean", {}).get(pos, 0.0)
                raw[int(pos)] = value * (2 * int(mean) + 1)
        smoothed = np.empty_like(raw)
        smooth(raw, smoothing_weights(), smoothed)
        for pos, value in case["smoothed"].items():
            assert smoothed[int(pos)] == pytest.approx(value, abs=1e-15)
        whole = [[0, len(raw)]]
        found = table(cut_profile(raw, 0, whole, len(raw), Settings(concordance="hc")))
        assert [list(region) for region in found] == case["regions"]

    def test_weights(self):
        weights = smoothing_weights()
        assert weights[50:].tolist() == pytest.approx(COMPUTED["kernel"]["weights_from_centre"], abs=1e-17)
        assert (weights == weights[::-1]).all()


def long_runs(seed, n=60_000):
    """A raw profile with active runs of up to 25,000 bp."""
    random = np.random.default_rng(seed)
    raw = np.zeros(n)
    at = 0
    while at < n:
        length = int(random.choice([200, 3000, 25_000]))
        dense = random.random() < 0.7
        part = slice(at, at + length)
        raw[part] = np.where(random.random(len(raw[part])) < (0.08 if dense else 0.0005), random.uniform(0.5, 1, len(raw[part])), 0)
        at += length
    return raw


class TestShards:
    """Any cut of the contig into shards finds the regions of the uncut one, each shard seeing no more than it asked for."""

    @staticmethod
    def check(raw, settings, seed, pieces):
        n = len(raw)
        before, after = reach(settings)
        whole = table(cut_profile(raw, 0, [[0, n]], n, settings))
        borders = [0, *np.sort(np.random.default_rng(seed).integers(1, n, pieces)).tolist(), n]
        for start, end in pairwise(borders):
            if start == end:
                continue
            low, high = max(0, start - before), min(n, end + after)
            found = table(cut_profile(raw[low:high], low, [[start, end]], n, settings))
            assert found == [region for region in whole if region[0] < end and region[1] > start], (start, end)

    @pytest.mark.parametrize("seed", range(4))
    def test_long_runs(self, seed):
        raw = long_runs(seed)
        _, ends, actives = cut_profile(raw, 0, [[0, len(raw)]], len(raw), Settings())
        assert any(end % 4800 == 0 for end in ends[actives].tolist()) or seed, "no run is cut at an anchor"
        for pieces in (1, 9, 60):
            self.check(raw, Settings(), seed, pieces)

    @pytest.mark.parametrize("name", ["wgs50x", "divergent", "sim", "cuts"])
    def test_real_profiles(self, name):
        run, _ = golden_set(name)
        settings = replace(run.hc, concordance="none")
        raw, _ = profile_of(run, settings)
        for pieces in (5, 50):
            self.check(raw, settings, 11, pieces)

    def test_targets_choose_regions(self):
        raw = np.zeros(20_000)
        raw[[500, 3000, 9000]] = 1.0
        regions, _ = split_contig(raw, 0, [[2963, 2964], [9000, 9001]], 0, len(raw), Settings())
        assert list(zip(regions.start.tolist(), regions.end.tolist())) == [(2963, 3038), (8963, 9038)]
        assert split_contig(raw, 0, [[2962, 2963], [3038, 8963]], 0, len(raw), Settings())[0].n_regions == 0

    def test_a_profile_too_short_is_refused(self):
        raw = np.zeros(20_000)
        with pytest.raises(ValueError, match="expected at least 351-"):
            cut_profile(raw[9000:], 9000, [[10_000, 12_000]], len(raw), Settings())

    def test_nothing_to_call(self):
        regions, _ = split_contig(np.zeros(100), 0, np.empty((0, 2)), 0, 100, Settings())
        assert regions.n_regions == 0

    def test_streaming_only_for_concordance(self):
        """The made-up region whose last value GATK reads too early."""
        run, path = golden_set("cuts")
        raw, start = profile_of(run, run.hc)
        ours = table(cut_profile(raw, start, run.intervals, len(run.codes), replace(run.hc, concordance="none"), run.intervals))
        assert {region for region in wanted_regions(path) if region[2]} != {region for region in ours if region[2]}
        assert (999, 1154, True) in wanted_regions(path) and (999, 1299, True) in ours

    def test_intervals_are_worlds_of_their_own_for_concordance(self):
        raw = np.zeros(1000)
        raw[495] = 1.0
        intervals = [[400, 500], [510, 700]]
        ours, _ = split_contig(raw, 0, intervals, 0, 1000, Settings())
        theirs, _ = split_contig(raw, 0, intervals, 0, 1000, Settings(concordance="hc"), intervals)
        assert (ours.start.tolist(), ours.end.tolist()) == ([458], [533])
        assert (theirs.start.tolist(), theirs.end.tolist()) == ([458], [500])


class TestPloidies:
    """Two regions on a contig of 500 bp; from 100 on are known: ploidy 1 from 220 to 250 and 3 from 240 to 420, 2 elsewhere."""

    regions = RegionBatch(0, *np.array([(200, 300, 100, 400), (400, 450, 300, 500)], np.int32).T.copy())
    given = np.zeros(400, np.int64)
    given[120:140], given[140:320] = 1, 3

    def cut(self, given, **settings):
        regions, ploidy = with_ploidies(self.regions, given, 100, 500, Settings(**settings))
        assert regions.padded_start.tolist() == (regions.start - 100).tolist()
        assert regions.padded_end.tolist() == np.minimum(regions.end + 100, 500).tolist()
        return list(zip(regions.start.tolist(), regions.end.tolist(), ploidy.tolist()))

    def test_regions_end_where_the_ploidy_changes(self):
        assert self.cut(self.given) == [(200, 220, 2), (220, 240, 1), (240, 300, 3), (400, 420, 3), (420, 450, 2)]

    def test_in_gatk_the_highest_ploidy_given_counts_for_the_whole_region(self):
        only_haploid = np.where(self.given == 1, 1, 0)
        assert self.cut(self.given, concordance="hc", sample_ploidy=4) == [(200, 300, 3), (400, 450, 3)]
        assert self.cut(only_haploid, concordance="hc", sample_ploidy=4) == [(200, 300, 1), (400, 450, 4)]

    def test_without(self):
        assert self.cut(None, sample_ploidy=4) == [(200, 300, 4), (400, 450, 4)]
