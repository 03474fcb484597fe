"""Reads that lie between the variants of a region, near none: all haplotypes explain them alike, and they still count as reads."""

import pysam
import pytest
from builders import CONTIG, haplotype, random_sequence, reads_of, write_bam, write_fasta

import gpuvc

REFERENCE = random_sequence(1200, seed=8)
SITES = (500, 570)  # one region
FIRST, LAST = 530, 540
SPAN = SITES[0] + 11, SITES[1] - 10  # a read inside reaches neither


@pytest.fixture
def sample(tmp_path):
    """(reference, reads, VCF-to-be): heterozygous for two SNVs 70 bp apart, in reads of 30 bp."""
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}
    columns = haplotype(REFERENCE, *((x, REFERENCE[x], other[REFERENCE[x]]) for x in SITES))
    aligned = reads_of(haplotype(REFERENCE), length=30, step=2) + reads_of(columns, length=30, step=2)
    files = write_fasta(tmp_path / "ref.fa", {CONTIG: REFERENCE}), write_bam(tmp_path / "reads.bam", aligned, {CONTIG: REFERENCE})
    return *files, tmp_path


def test_they_speak_for_the_reference_in_a_gvcf(sample):
    reference, reads, folder = sample
    out = folder / "a.g.vcf"
    settings = gpuvc.Settings(emit_ref_confidence="GVCF")
    gpuvc.call_variants(reference, reads, str(out), settings=settings, device="cpu", threads=1)
    depth = {}
    with pysam.AlignmentFile(reads) as source:
        for x in range(FIRST, LAST):
            depth[x] = source.count(CONTIG, x, x + 1)
    with pysam.VariantFile(str(out)) as records:
        blocks = [(r.start, r.stop, r.samples[0]["MIN_DP"]) for r in records if "MIN_DP" in r.format]
        records.reset()
        assert [r.start for r in records if len(r.alts) > 1] == list(SITES)
    for start, stop, least in blocks:
        inside = [depth[x] for x in range(max(start, FIRST), min(stop, LAST))]
        if inside:
            assert least >= min(inside) - 2, (start, stop)


def test_they_are_written_with_the_realigned_reads(sample):
    reference, reads, folder = sample
    out = folder / "a.bam"
    settings = gpuvc.Settings()
    gpuvc.call_variants(reference, reads, str(folder / "a.vcf"), settings=settings, bam_output=str(out), device="cpu", threads=1)
    between = {"wanted": set(), "found": set()}
    for key, path in (("wanted", reads), ("found", out)):
        with pysam.AlignmentFile(str(path)) as source:
            inside = [r for r in source.fetch(CONTIG, FIRST, LAST) if r.reference_start >= SPAN[0] and r.reference_end <= SPAN[1]]
        between[key] = {r.query_name for r in inside}
    assert len(between["wanted"]) > 10
    assert between["wanted"] <= between["found"]


def test_explain_says_so(sample):
    reference, reads, _ = sample
    look = gpuvc.look_inside(reference, reads, f"{CONTIG}:{SITES[0] + 1}", settings=gpuvc.Settings())
    assert look.is_far.sum() > 10 and not (look.is_far & look.kept).any()
