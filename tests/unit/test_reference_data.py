"""The bundled data is what its README says: intact, complete, and one set of reads in two formats."""

import hashlib
from importlib.resources import files

import pysam

DATA = files("gpuvc") / "data"
NOT_SUMMED = {"README.md", "SHA256SUMS"}


def checksums():
    """File name → SHA-256 as SHA256SUMS lists them."""
    lines = (DATA / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def test_every_file_has_its_checksum():
    assert {path.name for path in DATA.iterdir()} == set(checksums()) | NOT_SUMMED
    for name, digest in checksums().items():
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == digest, name


def test_data_stay_small():
    assert sum(len((DATA / name).read_bytes()) for name in checksums()) < 9e6


def test_cram_holds_the_reads_of_the_bam():
    def reads(name):
        with pysam.AlignmentFile(str(DATA / name), reference_filename=str(DATA / "chr20.fa")) as alignments:
            for read in alignments.fetch(until_eof=True):
                cigar = None if read.is_unmapped else read.cigarstring
                yield (read.query_name, read.flag, read.reference_start, read.mapping_quality, cigar, read.query_sequence, read.qual)

    bam = list(reads("NA12878.chr20.100kb.bam"))
    assert len(bam) == 52_035
    assert bam == list(reads("NA12878.chr20.100kb.cram"))


def test_truth_agrees_with_the_reference():
    with pysam.FastaFile(str(DATA / "chr20.fa")) as reference, pysam.VariantFile(str(DATA / "truth.vcf.gz")) as truth:
        contig = reference.fetch("chr20")
        assert len(contig) == 1_100_000
        records = list(truth.fetch("chr20"))
    assert len(records) > 1_000
    assert all(contig[record.start : record.stop].upper() == record.ref for record in records)


def test_confident_regions_hold_what_the_readme_says():
    spans = [line.split("\t")[:3] for line in (DATA / "confident.bed").read_text().splitlines()]
    snps = others = 0
    with pysam.VariantFile(str(DATA / "truth.vcf.gz")) as truth:
        for contig, start, end in spans:
            for record in truth.fetch(contig, int(start), int(end)):
                is_snp = all(len(allele) == 1 for allele in record.alleles)
                snps, others = snps + is_snp, others + (not is_snp)
    assert (snps, others) == (159, 23)
