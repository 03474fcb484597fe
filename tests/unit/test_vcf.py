"""VCF text against lines written by hand, and files that are whole or absent."""

import contextlib
import gzip
import io
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuvc.batches import Call, SampleCall
from gpuvc.errors import OutputError, UsageError
from gpuvc.intervals import Contigs
from gpuvc.output.files import BGZF_EOF, BgzfStream, PartialFile
from gpuvc.output.vcf import VariantWriter, format_call, normal_forms, vcf_header
from gpuvc.settings import Settings

CONTIGS = Contigs(("chr1", "HLA-A*01:01"), (1000, 300))


def call(**changes):
    values = {
        "contig_id": 0,
        "pos": 99,
        "ref": "A",
        "alts": ("C",),
        "qual": 512.6,
        "filters": (),
        "info": {"AC": (1,), "AF": (0.5,), "AN": 2, "DP": 31, "FS": 0.0, "MQ": 60.0, "QD": 16.5355, "SOR": 0.6931},
        "genotype": (0, 1),
        "allele_depths": (15, 16),
        "depth": 31,
        "genotype_quality": 99,
        "phred_likelihoods": (520, 0, 490),
    }
    values |= changes
    sample = SampleCall(**{name: values.pop(name) for name in SampleCall.__slots__ if name in values})
    return Call(**values, samples=(sample,))


def header(contigs=CONTIGS, **options):
    options = {"reference_path": "ref.fa", "settings": Settings(), "command_line": "gpuvc call -R ref.fa", **options}
    return vcf_header(contigs, ("NA12878",), **options)


class TestLines:
    def test_het_snv(self):
        assert format_call(call(), "chr1") == (
            "chr1\t100\t.\tA\tC\t512.60\tPASS\tAC=1;AF=0.500;AN=2;DP=31;FS=0.000;MQ=60.00;QD=16.54;SOR=0.693\t"
            "GT:AD:DP:GQ:PL\t0/1:15,16:31:99:520,0,490\n"
        )

    def test_two_alternates_filters_and_absent_annotations(self):
        info = {"AC": (1, 1), "AF": (0.5, 0.5), "AN": 2, "BaseQRankSum": None, "DP": 20, "MQRankSum": -1.2345, "ReadPosRankSum": 0.0}
        line = format_call(
            call(
                ref="AT",
                alts=("A", "ATTTT"),
                qual=30.0,
                filters=("LowQual", "StrandBias"),
                info=info,
                genotype=(1, 2),
                allele_depths=(0, 9, 11),
                depth=20,
                genotype_quality=7,
                phred_likelihoods=(9, 8, 7, 6, 0, 5),
            ),
            "chr1",
        )
        assert line == (
            "chr1\t100\t.\tAT\tA,ATTTT\t30\tLowQual;StrandBias\tAC=1,1;AF=0.500,0.500;AN=2;DP=20;MQRankSum=-1.234;ReadPosRankSum=0.000\t"
            "GT:AD:DP:GQ:PL\t1/2:0,9,11:20:7:9,8,7,6,0,5\n"
        )

    def test_missing_values_are_dots(self):
        line = format_call(
            call(alts=(), qual=None, info={}, genotype=(-1, -1), allele_depths=(), depth=0, genotype_quality=None, phred_likelihoods=()),
            "chr1",
        )
        assert line == "chr1\t100\t.\tA\t.\t.\tPASS\t.\tGT:AD:DP:GQ:PL\t./.:.:0:.:.\n"

    def test_phased_and_several_samples(self):
        record = call(genotype=(1, 0), phase=("1|0", "90_G_T", 90))
        record.samples += (SampleCall((-1, -1), None, None, None, None),)
        assert format_call(record, "chr1").split("\t", 8)[8] == (
            "GT:AD:DP:GQ:PGT:PID:PL:PS\t1|0:15,16:31:99:1|0:90_G_T:520,0,490:90\t./.:.:.:.:.:.:.:.\n"
        )

    @pytest.mark.parametrize("genotype, text", [((1,), "1"), ((0, 0, 1, 1), "0/0/1/1")])
    def test_any_ploidy(self, genotype, text):
        assert format_call(call(genotype=genotype), "chr1").split("\t")[9].split(":")[0] == text

    @pytest.mark.parametrize(
        "af, text", [(1.0, "1.00"), (0.5, "0.500"), (0.01, "0.010"), (0.005, "5.000e-03"), (0.0, "0.00"), (float("nan"), "NaN")]
    )
    def test_allele_fraction_as_gatk_writes_it(self, af, text):
        assert f"AF={text};" in format_call(call(info={"AF": (af,), "AN": 2}), "chr1")

    @pytest.mark.parametrize("qual, text", [(30.0, "30"), (30.1, "30.10"), (30.004, "30"), (1234.5678, "1234.57")])
    def test_qual(self, qual, text):
        assert format_call(call(qual=qual), "chr1").split("\t")[5] == text

    def test_a_key_that_the_header_lacks_is_a_bug(self):
        with pytest.raises(KeyError):
            format_call(call(info={"XX": 1}), "chr1")


class TestHeader:
    def test_htslib_reads_it_and_knows_every_field(self, tmp_path):
        path = tmp_path / "a.vcf"
        path.write_text(header() + format_call(call(filters=("LowQual",)), "chr1") + format_call(call(), "HLA-A*01:01"))
        with pysam.VariantFile(str(path)) as variants:
            assert list(variants.header.samples) == ["NA12878"]
            assert {n: c.length for n, c in variants.header.contigs.items()} == {"chr1": 1000, "HLA-A*01:01": 300}
            first, second = variants
        assert (first.contig, first.pos, first.alleles, list(first.filter)) == ("chr1", 100, ("A", "C"), ["LowQual"])
        assert second.contig == "HLA-A*01:01" and second.info["AF"] == (0.5,) and second.samples[0]["PL"] == (520, 0, 490)

    def test_bcftools_reads_it_without_a_word(self, tmp_path):
        path = tmp_path / "a.vcf"
        path.write_text(header() + format_call(call(), "chr1"))
        done = subprocess.run(["bcftools", "view", str(path)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")

    def test_provenance(self):
        text = header()
        assert "##gpuvcCommand=gpuvc call -R ref.fa\n" in text and f"##reference=file://{Path.cwd()}/ref.fa\n" in text
        assert "##gpuvcVersion=" in text and "##source=gpuvc\n" in text and "min_base_quality=10" in text
        assert "##reference=https://x/ref.fa\n" in header(reference_path="https://x/ref.fa")

    def test_a_command_with_line_breaks_stays_one_line(self):
        assert "##gpuvcCommand=gpuvc call -L a b\n" in header(command_line="gpuvc call -L a\nb")

    def test_without_version_nothing_names_the_run(self):
        one, other = (header(version=False, reference_path=path, command_line=path) for path in ("a.fa", "/b/c.fa"))
        assert one == other
        dropped = set(header().splitlines()) - set(one.splitlines())
        assert {line.split("=")[0] for line in dropped} == {"##gpuvcVersion", "##gpuvcCommand", "##reference"}


# Numbers that htslib writes back as they were, so that whole lines can be compared.
LINES = [format_call(call(pos=pos, qual=99.0, info={"AC": (1,), "AN": 2}), "chr1") for pos in range(0, 900, 7)]


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def write(path, lines=LINES, contigs=CONTIGS, **options):
    with VariantWriter(path, header(contigs), **options) as writer:
        for line in lines:
            writer.write(line)
        writer.commit()


class TestWriter:
    @pytest.mark.parametrize(
        "name, index",
        [("a.vcf", None), ("a.vcf.gz", "tbi"), ("a.b.vcf.bgz", "tbi"), ("a.bcf", "csi"), ("a.g.vcf.gz", "tbi")],
    )
    def test_every_format_whole_and_indexed(self, out, name, index):
        write(out / name)
        assert sorted(p.name for p in out.iterdir()) == sorted([name] + ([f"{name}.{index}"] if index else []))
        with pysam.VariantFile(str(out / name)) as variants:
            assert [str(v) for v in variants] == LINES
            if index:
                assert [v.pos for v in variants.fetch("chr1", 690, 710)] == [694, 701, 708]
        if index:
            assert (out / name).read_bytes().endswith(BGZF_EOF)
            assert (out / f"{name}.{index}").stat().st_mtime_ns >= (out / name).stat().st_mtime_ns

    def test_bytes_and_text_are_the_same(self, out):
        write(out / "a.vcf.gz")
        write(out / "b.vcf.gz", [line.encode() for line in LINES])
        assert (out / "a.vcf.gz").read_bytes() == (out / "b.vcf.gz").read_bytes()

    def test_long_contig_gets_csi(self, out):
        contigs = Contigs(("chr1",), (2**29,))
        far = format_call(call(pos=2**29 - 5), "chr1")
        write(out / "a.vcf.gz", [*LINES, far], contigs)
        assert sorted(p.name for p in out.iterdir()) == ["a.vcf.gz", "a.vcf.gz.csi"]
        with pysam.VariantFile(str(out / "a.vcf.gz")) as variants:
            assert [v.pos for v in variants.fetch("chr1", 2**29 - 10, 2**29)] == [2**29 - 4]
        write(out / "b.vcf.gz", contigs=Contigs(("chr1",), (2**29 - 1,)))
        assert (out / "b.vcf.gz.tbi").exists()

    def test_replaces_what_was_there_with_its_indexes(self, out):
        (out / "a.vcf.gz").write_bytes(b"old")
        (out / "a.vcf.gz.csi").write_bytes(b"old")
        (out / "a.vcf.gz.tbi").write_bytes(b"old")
        write(out / "a.vcf.gz", create_index=False)
        assert [p.name for p in out.iterdir()] == ["a.vcf.gz"]

    def test_a_link_stays_a_link(self, out, tmp_path):
        (out / "a.vcf.gz").symlink_to(tmp_path / "real.vcf.gz")
        write(out / "a.vcf.gz")
        assert (out / "a.vcf.gz").is_symlink() and (tmp_path / "real.vcf.gz").exists() and (tmp_path / "real.vcf.gz.tbi").exists()

    @pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz", "a.bcf"])
    def test_nothing_remains_without_commit(self, out, name):
        with pytest.raises(ZeroDivisionError), VariantWriter(out / name, header()) as writer:
            writer.write(LINES[0])
            raise ZeroDivisionError
        with VariantWriter(out / name, header()) as writer:
            writer.write(LINES[0])
        assert list(out.iterdir()) == []

    def test_what_was_there_survives_a_failure(self, out):
        write(out / "a.vcf.gz")
        before = {p.name: p.read_bytes() for p in out.iterdir()}
        with VariantWriter(out / "a.vcf.gz", header()) as writer:
            writer.write(LINES[0])
        assert {p.name: p.read_bytes() for p in out.iterdir()} == before

    @pytest.mark.parametrize("name", ["a.vcf.gz", "a.bcf"])
    def test_records_out_of_order_do_not_become_a_file(self, out, name):
        with pytest.raises(OutputError, match="bcftools index"):
            write(out / name, LINES[::-1])
        assert list(out.iterdir()) == []

    @pytest.mark.parametrize("name", ["a", "a.txt", "a.vcf.zip", "a.bam", "stdout"])
    def test_unknown_suffix(self, out, name):
        with pytest.raises(UsageError, match=r"\.vcf\.gz"):
            VariantWriter(out / name, header())

    def test_places_that_cannot_be_written(self, out):
        with pytest.raises(OutputError, match="mkdir -p"):
            VariantWriter(out / "none" / "a.vcf", header())
        (out / "a.vcf").mkdir()
        with pytest.raises(OutputError, match="folder of that name"):
            VariantWriter(out / "a.vcf", header())
        os.mkfifo(out / "b.vcf")
        with pytest.raises(OutputError, match="pipe"):
            VariantWriter(out / "b.vcf", header())
        with pytest.raises(OutputError, match="cannot be written"):
            VariantWriter("/proc/a.vcf", header())

    @pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz", "a.bcf"])
    @pytest.mark.parametrize("limit", [0, 100, 20_000])
    def test_full_disk(self, out, name, limit, capfd):
        noise = [format_call(call(pos=i, qual=(i * 7919 % 100_003) / 7), "chr1") for i in range(999)]
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(OutputError, match=r"cannot be written|bcftools view"):
                write(out / name, noise * 5 if name == "a.vcf" else sorted(noise * 20))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert list(out.iterdir()) == []

    def test_standard_output(self, monkeypatch):
        stream = SimpleNamespace(buffer=io.BytesIO())
        monkeypatch.setattr(sys, "stdout", stream)
        write("-")
        assert stream.buffer.getvalue().decode() == header() + "".join(LINES)

    def test_standard_output_that_takes_no_more(self, monkeypatch):
        with open("/dev/full", "w") as full:
            monkeypatch.setattr(sys, "stdout", full)
            with pytest.raises(OutputError, match="standard output"):
                write("-", LINES * 99)
            monkeypatch.undo()
            with contextlib.suppress(OSError):  # of what is still in its buffer, if anything is
                full.close()


class TestBgzf:
    @given(st.lists(st.binary(max_size=400), max_size=9), st.integers(1, 300))
    def test_bytes_return_and_do_not_depend_on_the_pieces(self, pieces, repeat):
        data = b"".join(pieces) * repeat
        whole, cut = io.BytesIO(), io.BytesIO()
        for sink, parts in ((whole, [data]), (cut, pieces * repeat)):
            stream = BgzfStream(sink)
            for part in parts:
                stream.write(part)
            stream.close()
        assert gzip.decompress(whole.getvalue()) == data
        assert whole.getvalue() == cut.getvalue()

    def test_blocks_begin_as_htslib_writes_them(self):
        sink = io.BytesIO()
        BgzfStream(sink).close()
        stream = BgzfStream(sink)
        stream.write(b"A" * 70_000)
        stream.close()
        starts = [at for at in range(len(sink.getvalue())) if sink.getvalue().startswith(BGZF_EOF[:16], at)]
        assert len(starts) == 4 and starts[1] == len(BGZF_EOF)  # an empty file's marker; two blocks and their marker
        assert int.from_bytes(sink.getvalue()[starts[2] - 4 : starts[2]], "little") == 0xFF00

    def test_blocks_hold_what_does_not_compress(self, tmp_path):
        data = os.urandom(200_000)
        with PartialFile(tmp_path / "a.gz") as file:
            stream = BgzfStream(file)
            stream.write(data)
            stream.close()
            file.commit()
        with pysam.BGZFile(str(tmp_path / "a.gz")) as reader:
            assert reader.read(len(data) + 1) == data


def test_aborted_files_are_closed(tmp_path):
    def open_files():
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    file = PartialFile(tmp_path / "a.vcf")
    assert open_files() == before + 1
    file.abort()
    assert open_files() == before


def test_temporary_file_has_the_usual_permissions(tmp_path):
    old = os.umask(0o027)
    try:
        write(tmp_path / "a.vcf.gz")
    finally:
        os.umask(old)
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("a.vcf.gz", "a.vcf.gz.tbi")} == {0o640}


#            0123456789012
REFERENCE = "GATCACACACTTG"
GENOME = SimpleNamespace(window=lambda contig, start, end: np.array(["ACGTN".index(base) for base in REFERENCE[start:end]], np.uint8))


@pytest.mark.parametrize(
    "pos, ref, alt, expected",
    [
        (3, "C", "T", [(3, "C", "T")]),
        (2, "TC", "TT", [(3, "C", "T")]),
        (3, "CA", "TG", [(3, "C", "T"), (4, "A", "G")]),
        (2, "TCA", "GCT", [(2, "T", "G"), (4, "A", "T")]),
        (9, "CTT", "CT", [(9, "CT", "C")]),
        (7, "CAC", "C", [(2, "TCA", "T")]),
        (9, "C", "CAC", [(2, "T", "TCA")]),
        (8, "ACTT", "ACT", [(9, "CT", "C")]),
    ],
)
def test_normal_forms(pos, ref, alt, expected):
    assert REFERENCE[pos : pos + len(ref)] == ref
    assert normal_forms("c", pos, ref, alt, GENOME) == [("c", *form) for form in expected]
