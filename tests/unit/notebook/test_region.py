"""A region of an open sample: the calls of any run, stages that agree with `look_inside`, tables that agree with each other."""

import numpy as np
import pytest

import gpuvc
from gpuvc.notebook.stages import SCHEMAS
from gpuvc.notebook.tables import Ragged

REGION = "chr20:6,500-11,500"


@pytest.fixture(scope="module", params=["none", "hc"])
def settings(request):
    return gpuvc.Settings(concordance=request.param)


@pytest.fixture(scope="module")
def sample(demo_data, settings):
    with gpuvc.open(demo_data.bam, demo_data.reference, settings=settings, device="cpu") as opened:
        yield opened


@pytest.fixture(scope="module")
def region(sample):
    return sample[REGION]


def test_calls_are_those_of_a_run(region, sample, demo_data, settings):
    run = gpuvc.call_variants(demo_data.reference, demo_data.bam, settings=settings, intervals=[REGION], threads=1, device="cpu")
    assert len(run.calls) > 15 and list(region.calls) == run.calls
    assert list(sample.call(REGION, progress=False)) == run.calls


def test_likelihoods_are_those_of_a_look_inside(region, demo_data, settings):
    regions = region.active_regions
    assert len(regions) > 5
    wanted = [g for g in range(len(regions)) if regions.n_haplotypes[g] > 2][:2]
    assert wanted
    for g in wanted:
        place = f"chr20:{regions.start[g] + 1}"
        look = gpuvc.look_inside(demo_data.reference, demo_data.bam, place, settings=settings, intervals=[REGION], device="cpu")
        own = region.active_region(g)
        assert np.array_equal(own.likelihoods, look.likelihoods, equal_nan=True) and own.likelihoods.shape[1] == regions.n_haplotypes[g]
        assert np.array_equal(own.best_haplotype, look.best_haplotype)
        rows = region.likelihoods.active_region == g
        matrix = np.full(look.likelihoods.shape, 1.0)
        matrix[region.likelihoods.row[rows], region.likelihoods.haplotype[rows]] = region.likelihoods.log10_likelihood[rows]
        assert np.array_equal(matrix, look.likelihoods, equal_nan=True)
        assert [locus.alleles for locus in own.loci] == [locus.alleles for locus in look.loci]


def test_reads_are_those_of_the_file(region, demo_data):
    batch = gpuvc.read_columns(demo_data.bam, REGION)
    reads = region.reads
    assert len(reads) == batch.n_reads > 1000
    for mine, its in (("start", "pos"), ("end", "ref_end"), ("mapq", "mapq"), ("flag", "flag"), ("mate_start", "mate_pos")):
        assert np.array_equal(reads[mine], getattr(batch, its)), mine
    import pysam

    with pysam.AlignmentFile(demo_data.bam) as file:
        for row, record in enumerate(file.fetch(region=REGION.replace(",", ""))):
            if row % 97 == 0:
                assert (reads.name[row], reads.cigar[row], reads.sequence[row]) == (
                    record.query_name, record.cigarstring or "", record.query_sequence,
                )  # fmt: skip
                assert reads.base_quals[row].tolist() == record.query_qualities.tolist()
    assert row == len(reads) - 1 and set(reads.sample) == {"NA12878"}


def test_why_reads_do_not_count(demo_data):
    few = gpuvc.Settings(max_reads_per_alignment_start=1)
    with gpuvc.open(demo_data.bam, demo_data.reference, settings=few, device="cpu") as sample:
        region = sample["chr20:7,200-7,800"]
        before = region.reads.refused_by.tolist()
        used = region._record.recorder.stages["activity"]["use"]
    assert {"", "MappingQualityReadFilter", "NotDuplicateReadFilter", "PositionalDownsampler"} == set(before)
    assert np.array_equal(np.array(before) == "", np.isin(region._rows, used))


def test_pileup_is_that_of_the_function(region, demo_data, settings):
    counts = gpuvc.pileup(demo_data.reference, demo_data.bam, REGION, settings=settings, device="cpu")
    for name in gpuvc.batches.PILEUP_FIELDS:
        assert np.array_equal(region.pileup[name], counts.field(name)), name
    assert "".join(region.pileup.ref) == region.reference and len(region.reference) == len(region) == 5001
    assert sum(text.count(":") for text in region.pileup.indels) == len(counts.indels) > 5


def test_activity(region):
    activity = region.activity
    assert activity.pos[0] == region.start and activity.pos[-1] == region.end - 1
    assert np.array_equal(activity.is_active, activity.smoothed > region.threshold)
    active = np.zeros(len(region), bool)
    for start, end in zip(region.active_regions.start, region.active_regions.end):
        active[max(0, start - region.start) : end - region.start] = True
    assert (active == activity.is_active).mean() > 0.98 and active.any() and not active.all()


def test_tables_agree(region, sample):
    wider = sample["chr20:6,000-12,000"]
    regions, haplotypes, rows, likelihoods = region.active_regions, region.haplotypes, region.region_reads, region.likelihoods
    assert len(haplotypes) == regions.n_haplotypes.sum() and len(region.loci) == regions.n_loci.sum()
    n_rows = np.bincount(rows.active_region, minlength=len(regions))
    assert len(likelihoods) == (n_rows * regions.n_haplotypes).sum()
    assert haplotypes.n_reads.sum() == (rows.best_haplotype >= 0).sum() > 500
    for row in range(len(haplotypes)):
        start, end, sequence = haplotypes.start[row], haplotypes.end[row], haplotypes.sequence[row]
        own = wider.reference[start - wider.start : end - wider.start]
        assert (sequence == own) == bool(haplotypes.is_ref[row]) == (not haplotypes.events[row])
        grown = 0
        for event in haplotypes.events[row]:
            pos1, ref, alt = event.split(":")
            at = int(pos1) - 1 - wider.start
            assert wider.reference[at : at + len(ref)] == ref
            grown += len(alt) - len(ref)
        assert len(sequence) == end - start + grown
    assert set(rows.role) <= {"genotyped", "far", "depth only", "unfit"} and (rows.best_haplotype[rows.role == "genotyped"] >= 0).all()
    shown = rows.read >= 0
    assert (region.reads.name[rows.read[shown]] == rows.name[shown]).all() and shown.mean() > 0.9
    sure = (rows.role == "genotyped") & (rows.margin > 0.2)
    best = region.active_region(0).likelihoods[rows.row[sure & (rows.active_region == 0)]].argmax(axis=1)
    assert np.array_equal(best, rows.best_haplotype[sure & (rows.active_region == 0)])


def test_reads_beside_the_region_have_no_row(demo_data):
    with gpuvc.open(demo_data.bam, demo_data.reference, device="cpu") as sample:
        start = int(sample[REGION].active_regions.start[0])
        with_few = sample[f"chr20:{start + 1}-{start + 5}"]
        rows = with_few.region_reads
    assert len(with_few.active_regions) == 1 and (rows.read == -1).any() and (rows.read >= 0).any()
    assert (with_few.reads.name[rows.read[rows.read >= 0]] == rows.name[rows.read >= 0]).all()


def test_computed_once_and_only_when_asked(demo_data, monkeypatch):
    from gpuvc import caller

    asked = []
    inner = caller.call_shard
    monkeypatch.setattr(caller, "call_shard", lambda *a, **k: (asked.append(1), inner(*a, **k))[1])
    with gpuvc.open(demo_data.bam, demo_data.reference, device="cpu") as sample:
        region = sample["chr20:7,400-7,600"]
        assert "computed when asked for" in region._repr_html_() and region.reads is region.reads and region.pileup is region.pileup
        assert not asked
        assert region.calls is region.calls and region.haplotypes is region.haplotypes and len(region.activity) == 201
    assert asked == [1] and len(region.loci) > 0  # results stay when the files are closed


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_table_as_arrow_and_pandas(region, name):
    table = getattr(region, name)
    arrow, frame = table.to_arrow(), table.to_pandas()
    assert arrow.column_names == list(frame.columns) == [column.name for column in SCHEMAS[name]] == list(table.to_numpy())
    assert arrow.num_rows == len(frame) == len(table) > 0
    for column in table.schema:
        values, field = table[column.name], arrow.schema.field(column.name)
        assert field.metadata == {b"unit": column.unit.encode(), b"meaning": column.meaning.encode()}
        if column.dtype == "string" or column.dtype.startswith("list"):
            listed = [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
            assert arrow[column.name].to_pylist() == listed, column.name
        else:
            assert str(values.dtype) == column.dtype == str(frame[column.name].dtype)
            assert np.array_equal(arrow[column.name].to_numpy(), values, equal_nan=values.dtype.kind == "f")
            chunk = arrow[column.name].chunk(0)
            if column.dtype != "bool":
                assert chunk.buffers()[1].address == np.ascontiguousarray(values).ctypes.data or not values.flags.c_contiguous
    html = table._repr_html_()
    assert html.count("<tr>") == 1 + min(8, len(table)) and f"{len(table):,} row" in html


def test_an_empty_region(demo_data):
    with gpuvc.open(demo_data.bam, demo_data.reference, device="cpu") as sample:
        region = sample["chr20:1,000,000-1,000,100"]
        assert len(region.calls) == 0 and len(region.pileup) == len(region.activity) == 101
        for name in ("reads", "active_regions", "haplotypes", "region_reads", "likelihoods", "loci"):
            table = getattr(region, name)
            assert len(table) == 0 and table.to_pandas().shape == (0, len(SCHEMAS[name])), name
            assert table._repr_html_().count("<tr>") == 1


def test_the_pileup_engine_has_no_haplotypes(demo_data):
    settings = gpuvc.Settings(engine="pileup")
    with gpuvc.open(demo_data.bam, demo_data.reference, settings=settings, device="cpu") as sample:
        region = sample[REGION]
        run = gpuvc.call_variants(demo_data.reference, demo_data.bam, settings=settings, intervals=[REGION], device="cpu")
        assert list(region.calls) == run.calls and len(run.calls) > 15 and len(region.reads) > 1000
        with pytest.raises(gpuvc.UsageError, match="engine: found pileup, expected haplotype"):
            _ = region.haplotypes


def test_ragged():
    ragged = Ragged(np.array([1, 2, 3]), np.array([0, 2, 2, 3]))
    assert [part.tolist() for part in ragged] == [[1, 2], [], [3]] and ragged[-1].tolist() == [3] and len(ragged) == 3
    with pytest.raises(IndexError):
        _ = ragged[3]


def test_a_column_that_is_not_there(region):
    with pytest.raises(AttributeError, match="no column 'depth', but pos, raw, smoothed, is_active"):
        _ = region.activity.depth
    assert "smoothed" in dir(region.activity)
