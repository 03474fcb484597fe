"""`gpuvc.open`: what it shows, what it refuses, and the calls of a whole run as an object."""

import gzip
import sys

import pysam
import pytest

import gpuvc

REGION = "chr20:20,000-40,000"


@pytest.fixture(scope="module")
def sample(demo_data):
    with gpuvc.open(demo_data.bam, demo_data.reference, device="cpu") as opened:
        yield opened


@pytest.fixture(scope="module")
def calls(sample):
    return sample.call(REGION, threads=1, progress=False)


def test_what_it_shows(sample):
    assert sample.samples == ("NA12878",) and sample.contigs == {"chr20": 1_100_000} and sample.n_reads == {"chr20": 52_035}
    assert repr(sample) == "<gpuvc.Sample NA12878: 1 contig, 52,035 reads>"
    html = sample._repr_html_()
    assert "NA12878.chr20.100kb.bam" in html and "52,035 reads" in html and "engine haplotype" in html and "/data" not in html
    assert repr(sample["chr20:7,400-7,600"]) == "<gpuvc.Region chr20:7,400-7,600 of NA12878>" and len(sample["chr20"]) == 1_100_000


def test_settings_that_are_not_the_default_are_shown(demo_data):
    with gpuvc.open(demo_data.bam, demo_data.reference, settings=gpuvc.Settings(sample_ploidy=4), device="cpu") as sample:
        assert "sample_ploidy 4" in sample._repr_html_()


def test_several_files_and_cram(demo_data):
    with gpuvc.open([demo_data.cram], demo_data.reference, device="cpu") as sample:
        assert sample.n_reads is None and repr(sample) == "<gpuvc.Sample NA12878: 1 contig>"
        assert len(sample["chr20:7,400-7,600"].calls) == 2
    with gpuvc.open([demo_data.bam, demo_data.bam], demo_data.reference, device="cpu") as sample:
        assert sample.n_reads == {"chr20": 2 * 52_035}


def test_several_samples(demo_data, tmp_path):
    path = str(tmp_path / "two.bam")
    with pysam.AlignmentFile(demo_data.bam) as file:
        header = file.header.to_dict() | {"RG": [{"ID": name, "SM": name} for name in ("first", "second")]}
        with pysam.AlignmentFile(path, "wb", header=header) as two:
            for number, record in enumerate(file.fetch("chr20", 7000, 8000)):
                record.set_tag("RG", ("first", "second")[number % 2])
                two.write(record)
    pysam.index(path)
    with gpuvc.open(path, demo_data.reference, device="cpu") as sample:
        region = sample["chr20:7,400-7,600"]
        assert sample.samples == region.samples == ("first", "second") and set(region.reads.sample) == {"first", "second"}
        run = gpuvc.call_variants(demo_data.reference, path, intervals=[region.name], device="cpu")
        assert list(region.calls) == run.calls and len(run.calls) == 2 and len(run.calls[0].samples) == 2
        assert {"first_GT", "second_GT"} <= set(region.calls.to_pandas().columns) and "second" in region.calls._repr_html_()
        n_genotypes = {len(own) for own in region.loci.phred_likelihoods}
        assert all(n % 2 == 0 for n in n_genotypes)
    with gpuvc.open(path, demo_data.reference, sample_name="second", device="cpu") as sample:
        assert sample.samples == ("second",) and set(sample["chr20:7,400-7,600"].reads.sample) == {"second"}


@pytest.mark.parametrize("region, words", [("chr21:5", "chr21"), ("chr20:0-5", "1 <= start"), ("chr20:9-5", "9"), ("chr20:x", "chr20:x")])
def test_regions_that_cannot_be(sample, region, words):
    with pytest.raises(gpuvc.UsageError, match=words):
        sample.region(region)


def test_inputs_that_cannot_be(demo_data, tmp_path):
    with pytest.raises(gpuvc.InputError, match=r"no\.bam does not exist"):
        gpuvc.open("no.bam", demo_data.reference)
    with pytest.raises(gpuvc.InputError, match=r"no\.fa does not exist"):
        gpuvc.open(demo_data.bam, "no.fa")
    alone = tmp_path / "alone.bam"
    alone.symlink_to(demo_data.bam)
    with pytest.raises(gpuvc.InputError, match=r"alone\.bam has no index"):
        gpuvc.open(alone, demo_data.reference)


def test_a_gvcf_is_written_by_the_function(demo_data):
    settings = gpuvc.Settings(emit_ref_confidence="GVCF")
    with gpuvc.open(demo_data.bam, demo_data.reference, settings=settings) as sample:  # noqa: SIM117
        with pytest.raises(gpuvc.UsageError, match="call_variants"):
            sample.call()


def test_calls_as_a_sequence(calls):
    assert len(calls) == calls.run.n_records == len(list(calls)) == sum(calls.by_type.values()) > 20
    assert calls[0].pos < calls[-1].pos and len(calls[2:5]) == 3 and isinstance(calls[2:5], gpuvc.Calls)
    assert sum(calls.by_filter.values()) == len(calls) and len(calls.passing()) == calls.by_filter["PASS"]
    assert repr(calls).startswith(f"<gpuvc.Calls: {len(calls)} of NA12878 (") and calls == calls[:] != calls[1:]
    html = calls._repr_html_()
    assert html.count("<tr>") == 1 + 12 and f"<b>{len(calls)} calls</b>" in html and f"the first 12 of {len(calls)}" in html


@pytest.mark.parametrize("suffix", [".vcf", ".vcf.gz", ".bcf"])
def test_written_as_by_a_run(calls, demo_data, tmp_path, suffix):
    mine, its = tmp_path / f"mine{suffix}", tmp_path / f"its{suffix}"
    calls.write(mine, version_header=False)
    gpuvc.call_variants(
        demo_data.reference, demo_data.bam, str(its), intervals=[REGION], threads=1, device="cpu", version_header=False
    )  # fmt: skip
    assert mine.read_bytes() == its.read_bytes()
    assert {path.suffix for path in tmp_path.iterdir()} == {path.suffix for path in [mine, its]} | {
        ".vcf": set(), ".vcf.gz": {".tbi"}, ".bcf": {".csi"},
    }[suffix]  # fmt: skip


def test_the_table_is_the_file(calls, tmp_path):
    calls.write(tmp_path / "calls.vcf.gz")
    table = calls.to_arrow()
    assert table == gpuvc.read_vcf(tmp_path / "calls.vcf.gz") and table.num_rows == len(calls)
    rows = table.to_pylist()
    for call, row in zip(calls, rows, strict=True):
        assert (row["contig"], row["pos1"], row["ref"], tuple(row["alts"])) == ("chr20", call.pos + 1, call.ref, call.alts)
        assert row["qual"] == pytest.approx(call.qual, abs=0.01) and row["INFO_DP"] == call.info["DP"]
        own = call.samples[0]
        assert tuple(row["NA12878_PL"]) == own.phred_likelihoods and tuple(row["NA12878_AD"]) == own.allele_depths
        assert row["NA12878_GT"] == ("|" if own.phase else "/").join(map(str, own.genotype))
    assert "0|1" in {row["NA12878_GT"] for row in rows}
    frame = calls.to_pandas()
    assert list(frame.columns) == table.column_names and frame.pos1.tolist() == [call.pos + 1 for call in calls]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
def test_tables_on_disk(calls, tmp_path, suffix):
    from pyarrow import feather, parquet

    path = tmp_path / f"calls{suffix}"
    calls.write(path)
    read = parquet.read_table if suffix == ".parquet" else feather.read_table
    assert read(path).equals(calls.to_arrow()) and [p.name for p in tmp_path.iterdir()] == [path.name]


def test_places_that_cannot_be_written(calls, tmp_path):
    with pytest.raises(gpuvc.UsageError, match="unknown suffix"):
        calls.write(tmp_path / "calls.xlsx")
    for name in ("calls.vcf", "calls.parquet"):
        with pytest.raises(gpuvc.OutputError, match="no folder"):
            calls.write(tmp_path / "nowhere" / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("module, extra_of", [("pyarrow", "to_arrow"), ("pandas", "to_pandas")])
def test_missing_libraries(calls, monkeypatch, module, extra_of):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(gpuvc.UsageError, match=rf"Python library {module}: found none, .* pip install 'gpuvc\[notebook\]'"):
        getattr(calls, extra_of)()


def test_progress(sample, capsys, monkeypatch):
    sample.call(REGION, threads=1)
    assert capsys.readouterr().err == ""  # nobody watches
    sample.call(REGION, threads=1, progress=True)
    assert "chr20:40,000: 100%" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(gpuvc.UsageError, match="tqdm"):
        sample.call(REGION, threads=1, progress=True)


def test_reading_a_vcf(demo_data, tmp_path):
    truth = demo_data.reference.replace("chr20.fa", "truth.vcf.gz")
    table = gpuvc.read_vcf(truth)
    lines = [line.split("\t") for line in gzip.open(truth, "rt") if not line.startswith("#")]
    assert table.num_rows == len(lines) and table["pos1"].to_pylist() == [int(line[1]) for line in lines]
    assert table["filter"].to_pylist() == [None if line[6] == "." else line[6] for line in lines]
    part = gpuvc.read_vcf(truth, "chr20:20,000-40,000")
    assert 0 < part.num_rows < table.num_rows and set(part["pos1"].to_pylist()) <= set(table["pos1"].to_pylist())
    with pytest.raises(gpuvc.UsageError, match="chr99"):
        gpuvc.read_vcf(truth, "chr99:1-5")
    with pytest.raises(gpuvc.InputError, match="variants in"):
        gpuvc.read_vcf(demo_data.reference)
    with pytest.raises(gpuvc.InputError, match="variants in"):
        gpuvc.read_vcf(tmp_path / "none.vcf")


def test_types_of_the_header(tmp_path):
    path = tmp_path / "typed.vcf"
    path.write_text("\n".join([
        "##fileformat=VCFv4.2", "##contig=<ID=1>", '##FILTER=<ID=low,Description="x">',
        '##INFO=<ID=DB,Number=0,Type=Flag,Description="x">', '##INFO=<ID=AF,Number=A,Type=Float,Description="af">',
        '##INFO=<ID=N,Number=1,Type=Integer,Description="x">', '##INFO=<ID=S,Number=1,Type=String,Description="x">',
        '##INFO=<ID=T,Number=.,Type=String,Description="x">', '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">',
        '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">',
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb",
        "1\t5\trs1\tA\tC,G\t1.5\tlow\tDB;AF=0.5,0.25;N=3;S=x;T=p,q\tGT:PL\t0/1:0,1,2,3,4,5\t./.",
        "1\t9\t.\tA\t.\t.\t.\t.\tGT\t0|0\t0",
    ]) + "\n")  # fmt: skip
    table = gpuvc.read_vcf(path)
    assert {f.name: str(f.type).replace("element", "item") for f in table.schema if "_" in f.name} == {
        "INFO_DB": "bool", "INFO_AF": "list<item: float>", "INFO_N": "int32", "INFO_S": "string", "INFO_T": "list<item: string>",
        "a_GT": "string", "a_PL": "list<item: int32>", "b_GT": "string", "b_PL": "list<item: int32>",
    }  # fmt: skip
    first, second = table.to_pylist()
    assert first == {
        "contig": "1", "pos1": 5, "id": "rs1", "ref": "A", "alts": ["C", "G"], "qual": 1.5, "filter": "low", "INFO_DB": True,
        "INFO_AF": [0.5, 0.25], "INFO_N": 3, "INFO_S": "x", "INFO_T": ["p", "q"], "a_GT": "0/1", "a_PL": [0, 1, 2, 3, 4, 5],
        "b_GT": "./.", "b_PL": None,
    }  # fmt: skip
    assert second["alts"] == [] and second["qual"] is second["filter"] is second["id"] is second["INFO_AF"] is None
    assert second["INFO_DB"] is False and second["a_GT"] == "0|0" and second["b_GT"] == "0"
    assert table.schema.field("INFO_AF").metadata == {b"meaning": b"af"}


def test_a_kernel_is_watched(monkeypatch):
    import types

    from gpuvc.notebook.progress import is_watched

    for shell, watched in ((None, False), (types.SimpleNamespace(), False), (types.SimpleNamespace(kernel=1), True)):
        monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert is_watched() is watched
