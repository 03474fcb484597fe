"""What stands beside the records, with --concordance hc: assembled regions and realigned reads, against GATK 4.6.2.0's own files."""

import gzip
import zlib
from pathlib import Path

import pysam
import pytest

from benchmarks.datasets import BUNDLED

HERE = Path(__file__).parent
COMMAND = [
    "call", "-R", BUNDLED / "chr20.fa", "-I", BUNDLED / "NA12878.chr20.100kb.bam", "--engine", "haplotype", "--concordance", "hc",
    "--device", "cpu", "--QUIET",
]  # fmt: skip
# Records of GATK's files, and the checksum of their lines.
CALLED, ALL, READS = (13_417, 92204423), (2_389, 3247040875), (2_315, 3486677527)


def lines(path):
    """One line a record, by position.

    GATK names a supported allele twice for reads that stand in the input twice; here it counts once. Haplotypes are called HC: GATK numbers
    them in the order of a hash set.
    """
    rows = []
    with pysam.AlignmentFile(path) as file:
        for record in file:
            tags = dict(record.get_tags())
            is_haplotype = tags["RG"] == "ArtificialHaplotypeRG"
            alleles = ",".join(dict.fromkeys(tags.get("XA", ".").split(", ")))
            fields = (
                "HC" if is_haplotype else record.query_name, record.flag, record.mapping_quality, record.cigarstring,
                record.next_reference_start + 1, record.template_length, zlib.crc32(f"{record.query_sequence} {record.qual}".encode()),
                tags.get("HC", "."), tags.get("AR", "."), tags["CR"], alleles,
            )  # fmt: skip
            rows.append((record.reference_start + 1, "\t".join(map(str, fields))))
    return [f"{pos1}\t{rest}" for pos1, rest in sorted(rows)]


def crc(rows):
    return zlib.crc32("\n".join(rows).encode())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The files of one run over the bundled reads."""
    from gpuvc.cli import main

    folder = tmp_path_factory.mktemp("made")
    files = ["-O", folder / "out.vcf", "--bam-output", folder / "reads.bam", "--assembly-region-out", folder / "regions.igv"]
    assert main([str(word) for word in (*COMMAND, *files)]) == 0
    return folder


def test_assembled_regions_are_those_of_gatk(made):
    assert (made / "regions.igv").read_bytes() == gzip.decompress((HERE / "gatk.wgs50.regions.igv.gz").read_bytes())


def test_realigned_reads_are_those_of_gatk(made):
    rows = lines(made / "reads.bam")
    expected = gzip.decompress((HERE / "gatk.wgs50.bamout.tsv.gz").read_bytes()).decode().splitlines()
    assert rows[: len(expected)] == expected
    assert (len(rows), crc(rows)) == CALLED


def test_the_index_is_that_of_the_file(made):
    with pysam.AlignmentFile(made / "reads.bam") as file:
        assert file.header.to_dict()["HD"]["SO"] == "coordinate"
        assert file.count("chr20", 0, 1_100_000) == CALLED[0]
        assert file.count("chr20", 30_000, 30_500) == sum(r.reference_start < 30_500 and r.reference_end > 30_000 for r in file.fetch())


@pytest.mark.parametrize(
    "writer_type, where, expected",
    [("ALL_POSSIBLE_HAPLOTYPES", "-L chr20:30000-50000", ALL), ("NO_HAPLOTYPES", "-L chr20:30000-50000 -L chr20:60000-61000", READS)],
)
def test_other_types(run_cli, tmp_path, writer_type, where, expected):
    options = ["-O", tmp_path / "out.vcf", "-bamout", tmp_path / "reads.bam", "--bam-writer-type", writer_type]
    assert run_cli(*COMMAND, *options, *where.split()).code == 0
    rows = lines(tmp_path / "reads.bam")
    assert (len(rows), crc(rows)) == expected
    groups = [group["ID"] for group in pysam.AlignmentFile(tmp_path / "reads.bam").header.to_dict()["RG"]]
    assert groups == ["NA12878", *["ArtificialHaplotypeRG"] * (writer_type != "NO_HAPLOTYPES")]


def test_reads_of_a_cram(run_cli, tmp_path):
    options = ["-O", tmp_path / "out.vcf", "-bamout", tmp_path / "reads.bam", "--bam-writer-type", "ALL_POSSIBLE_HAPLOTYPES"]
    command = [BUNDLED / "NA12878.chr20.100kb.cram" if str(word).endswith(".bam") else word for word in COMMAND]
    assert run_cli(*command, *options, "-L", "chr20:30000-50000").code == 0
    rows = lines(tmp_path / "reads.bam")
    assert (len(rows), crc(rows)) == ALL


def test_haplotypes_alone(run_cli, tmp_path, made):
    options = ["-O", tmp_path / "out.vcf", "-bamout", tmp_path / "reads.bam", "--bam-writer-type", "CALLED_HAPLOTYPES_NO_READS"]
    assert run_cli(*COMMAND, *options, "--create-output-bam-index", "false").code == 0
    is_haplotype = [row for row in lines(made / "reads.bam") if row.split("\t")[1] == "HC"]
    assert lines(tmp_path / "reads.bam") == is_haplotype
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.vcf", "reads.bam"]
