"""References that are missing, without index, or not the one of the reads."""

import shutil

import pytest
from small_files import CONTIGS, write_fasta, write_reads

from gpuvc import InputError
from gpuvc.intervals import Contigs
from gpuvc.io.bed import check_contigs


def test_missing(fails, small):
    fails(1, "none.fa", reference=small.folder / "none.fa")


def test_no_index(fails, small, tmp_path):
    shutil.copy(small.reference, tmp_path / "plain.fa")
    fails(1, "plain.fa.fai", "samtools faidx", reference=tmp_path / "plain.fa")


def test_no_fasta(fails, small, tmp_path):
    (tmp_path / "x.fa").write_bytes(b"\x00\x01" * 99)
    shutil.copy(f"{small.reference}.fai", tmp_path / "x.fa.fai")
    fails(1, "x.fa", reference=tmp_path / "x.fa")


def test_other_lengths(fails, small, tmp_path):
    genome = {name: sequence + "ACGT" for name, sequence in small.genome.items()}
    fails(1, "chrA", "6004", "6000", "reads.bam", reference=write_fasta(tmp_path / "longer.fa", genome))


def test_names_without_chr(fails, small, tmp_path):
    genome = {name.removeprefix("chr"): sequence for name, sequence in small.genome.items()}
    fails(1, "chrA", "lack chr", "sed", reference=write_fasta(tmp_path / "bare.fa", genome))


def test_names_with_chr(fails, small, tmp_path):
    bam = write_reads(tmp_path / "bare.bam", {name.removeprefix("chr"): sequence for name, sequence in small.sample.items()})
    fails(1, "begin with chr", "sed", bam=bam)


def test_nothing_in_common(fails, tmp_path):
    fails(1, "aligned to", reference=write_fasta(tmp_path / "other.fa", {"phage": "ACGT" * 99}))


def test_a_contig_with_reads_is_missing(fails, small, tmp_path):
    reference = write_fasta(tmp_path / "part.fa", {"chrA": small.genome["chrA"]})
    fails(1, "chrB", "part.fa", reference=reference)
    fails(1, "chrB", "part.fa", reference=reference, arguments=["-L", "chrB:5-9"])


def test_a_contig_without_reads_may_be_missing(run_cli, small, out, tmp_path):
    bam = write_reads(tmp_path / "a.bam", {"chrA": small.sample["chrA"]}, contigs=CONTIGS)
    reference = write_fasta(tmp_path / "part.fa", {"chrA": small.genome["chrA"]})
    done = run_cli("call", "-R", reference, "-I", bam, "-O", out / "calls.vcf.gz")
    assert done.code == 0, done.err


def test_cram_of_another_reference(fails, small, tmp_path):
    cram = write_reads(tmp_path / "a.cram", small.sample, mode="wc", reference_filename=str(small.reference))
    other = {name: sequence[::-1] for name, sequence in small.genome.items()}
    fails(1, "a.cram", bam=cram, reference=write_fasta(tmp_path / "other.fa", other))


def test_contigs_of_one_name():
    """htslib drops them from headers that it writes, so no file of its own shows them."""
    twice, once = Contigs(("a", "b", "a"), (5, 6, 5)), Contigs(("a", "b"), (5, 6))
    for alignments, reference, where in ((twice, once, "reads.bam"), (once, twice, "ref.fa")):
        with pytest.raises(InputError, match=rf"contigs of {where}: found a more than once"):
            check_contigs(alignments, reference, "reads.bam", "ref.fa")
