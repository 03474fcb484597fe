"""What a run shows of one place: the same calls as any run, and arrays that belong together."""

import numpy as np
import pytest

import gpuvc
from gpuvc.evidence import BEFORE_BP, BEHIND_BP, look_inside
from gpuvc.genotyping.genotypes import genotype_table
from gpuvc.pileup.read_filters import DOWNSAMPLED
from gpuvc.recording import one_region

PLACE = 7458  # two insertions at one locus, and an SNV beside it


@pytest.fixture(scope="module", params=["none", "hc"])
def settings(request):
    return gpuvc.Settings(engine="haplotype", concordance=request.param)


@pytest.fixture(scope="module")
def look(demo_data, settings):
    return look_inside(demo_data.reference, demo_data.bam, f"chr20:{PLACE}", settings=settings)


def test_calls_are_those_of_any_run(look, demo_data, settings):
    run = gpuvc.call_variants(demo_data.reference, demo_data.bam, settings=settings, intervals=["chr20:6000-9000"], threads=1)
    wanted = [call for call in run.calls if PLACE - 1 - BEFORE_BP <= call.pos < PLACE - 1 + BEHIND_BP]
    seen = [call for call in look.calls if PLACE - 1 - BEFORE_BP <= call.pos < PLACE - 1 + BEHIND_BP]
    assert len(wanted) > 1 and seen == wanted


def test_reads_and_why_they_do_not_count(look, demo_data):
    assert look.reads.n_reads == len(look.refused_by) == len(look.covers) == len(look.sample) and (look.sample == 0).all()
    at = look.pos
    assert ((look.reads.pos <= at) & (look.reads.ref_end > at))[look.covers].all() and look.covers.sum() == 47
    assert set(look.refused_by) == {"", "MappingQualityReadFilter", "NotDuplicateReadFilter"}
    why = np.array(look.refused_by)
    low, is_duplicate = look.reads.mapq < 20, (look.reads.flag & 0x400) != 0
    assert ((why == "MappingQualityReadFilter") == low).all() and ((why == "NotDuplicateReadFilter") == (~low & is_duplicate)).all()
    capped = gpuvc.Settings(engine="haplotype", max_reads_per_alignment_start=1)
    few = look_inside(demo_data.reference, demo_data.bam, f"chr20:{PLACE}", settings=capped)
    dropped = np.array([reason == DOWNSAMPLED for reason in few.refused_by])
    kept = few.reads.pos[np.array([reason == "" for reason in few.refused_by])]
    assert dropped.any() and len(np.unique(kept)) == len(kept) and np.isin(few.reads.pos[dropped], kept).all()


def test_activity_and_regions(look):
    activity, regions = look.activity, look.regions
    assert len(activity.raw) == len(activity.smoothed)
    start, end = int(regions.start[look.region]), int(regions.end[look.region])
    assert start <= look.pos < end
    inside = activity.smoothed[start - activity.start : end - activity.start]
    assert (inside > activity.threshold).all()
    assert activity.raw[look.pos - activity.start] > 0


def test_haplotypes_and_likelihoods_belong_together(look):
    haplotypes, rows = look.haplotypes, look.region_reads
    n_reads, n_haplotypes = look.likelihoods.shape
    assert n_haplotypes == haplotypes.n_haplotypes == len(haplotypes.base_offsets) - 1 > 2
    assert n_reads == rows.n_rows == len(look.kept) == len(look.is_side) == len(look.best_haplotype)
    assert haplotypes.is_ref.sum() == 1
    first, last = haplotypes.start[0] - look.reference_start, haplotypes.end[0] - look.reference_start
    ref = int(np.flatnonzero(haplotypes.is_ref)[0])
    own = haplotypes.bases[haplotypes.base_offsets[ref] : haplotypes.base_offsets[ref + 1]]
    assert np.array_equal(own, look.reference[first:last])
    assert haplotypes.haplotype_events.max() == len(haplotypes.event_pos) - 1
    # A read is where it was: rows of `reads`, whose bases the rows are part of.
    for row in (0, n_reads // 2, n_reads - 1):
        read = rows.read[row]
        whole = look.reads.bases[look.reads.base_offsets[read] : look.reads.base_offsets[read + 1]].tobytes()
        assert rows.bases[rows.base_offsets[row] : rows.base_offsets[row + 1]].tobytes() in whole
    scored = look.kept
    assert np.isfinite(look.likelihoods[scored]).all() and (look.best_haplotype[scored] >= 0).all()
    assert (look.best_haplotype[~scored] == -1).all()
    margin = look.likelihoods[scored].max(axis=1) - look.likelihoods[scored, look.best_haplotype[scored]]
    assert (margin <= 0.2).all()


def test_loci_and_genotypes(look, settings):
    locus = next(locus for locus in look.loci if locus.pos == look.pos)
    call = next(call for call in look.calls if call.pos == look.pos)
    assert set(call.alts) <= set(locus.alleles[1:]) and locus.qual == call.qual
    assert locus.log10.shape == (len(locus.row), len(locus.alleles)) and look.kept[locus.row].all()
    # The likelihood of an allele is that of its best haplotype.
    assert np.allclose(locus.log10.max(axis=1), look.likelihoods[locus.row].max(axis=1))
    n_genotypes = len(genotype_table(2, len(locus.alleles)))
    assert locus.phred_likelihoods.shape == (1, n_genotypes) and locus.phred_likelihoods.min() == 0
    if set(call.alts) == set(locus.alleles[1:]):
        assert tuple(locus.phred_likelihoods[0].tolist()) == call.samples[0].phred_likelihoods
    assert locus.is_kept.all() and np.isfinite(locus.prior).all()
    if settings.concordance == "hc":
        assert locus.counted is None and locus.weight is None
    else:
        assert locus.counted.shape == locus.log10.shape and (locus.counted.max(axis=1) == 0).all()
        assert ((locus.weight > 0) & (locus.weight <= 1)).all()
        # No read counts for more than its mapping quality.
        assert (locus.counted >= -locus.mapq[:, None].astype(float) / 10 - 1e-9).all() and locus.counted.min() < -2


def test_a_place_without_a_region(demo_data):
    look = look_inside(demo_data.reference, demo_data.bam, "chr20:5,300")
    assert look.region is None and look.haplotypes is None and look.loci is None
    assert look.activity.smoothed[look.pos - look.activity.start] <= look.activity.threshold and look.covers.any()


def test_a_place_without_reads(demo_data):
    look = look_inside(demo_data.reference, demo_data.bam, "chr20:1000000")
    assert look.reads.n_reads == 0 and not look.activity.raw.any() and look.calls == [] and look.regions.n_regions == 0


def test_intervals(demo_data):
    for intervals, inside in ((["chr20:7000-7500"], True), (["chr20:7000-7457"], False), (["chr20:7459-7500"], False)):
        assert look_inside(demo_data.reference, demo_data.bam, "chr20:7458", intervals=intervals).is_target is inside


def test_one_region_of_several(look):
    """Cut out of a batch of two, a region is what it was alone."""
    h = look.haplotypes
    n, n_events = h.n_haplotypes, len(h.event_pos)

    def twice(values):
        return np.concatenate([values, values])

    def offsets(values):
        return np.concatenate([values, values[1:] + values[-1]])

    double = type(h)(
        **{name: twice(getattr(h, name)) for name in h.__slots__ if not name.endswith(("_offsets", "_slots"))},
        **{name: offsets(getattr(h, name)) for name in h.__slots__ if name.endswith(("_offsets", "_slots"))},
    )
    double.haplotype_events = np.concatenate([h.haplotype_events, h.haplotype_events + np.int32(n_events)])
    assert double.region_slots.tolist() == [0, n, 2 * n]
    for g in (0, 1):
        alone = one_region(double, g)
        for name in h.__slots__:
            assert np.array_equal(getattr(alone, name), getattr(h, name), equal_nan=name == "score"), name


@pytest.mark.parametrize(
    "place, words",
    [
        ("chr21:5", "chr21"),
        ("chr20:0", "1 <= start"),
        ("chr20:99,999,999", "1 <= start"),
        ("chr20:5-9", "expected one position, such as chr20:5"),
        ("chr20", "expected one position"),
    ],
)
def test_places_that_cannot_be(place, words, demo_data):
    with pytest.raises(gpuvc.UsageError, match=words):
        look_inside(demo_data.reference, demo_data.bam, place)


def test_the_pileup_engine_is_refused(demo_data):
    with pytest.raises(gpuvc.UsageError, match="engine: found pileup, expected haplotype"):
        look_inside(demo_data.reference, demo_data.bam, "chr20:5117", settings=gpuvc.Settings(engine="pileup"))
