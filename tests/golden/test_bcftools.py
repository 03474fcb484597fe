"""Whole calls with --concordance bcftools against the VCFs of bcftools 1.16: every record, and what stands in it."""

import shutil
from pathlib import Path

import pysam
import pytest

import gpuvc
from benchmarks.datasets import BUNDLED, REPOSITORY

HERE = Path(__file__).parent
DATA = REPOSITORY.parent / "shared" / "data"
BUNDLED_READS = BUNDLED / "chr20.fa", BUNDLED / "NA12878.chr20.100kb.bam"
MADE_UP = HERE / "bcftools.made_up.fa", HERE / "bcftools.made_up.bam"
# Name → bcftools' VCF, reference, alignments, options, records.
SETS = {
    "50x": ("wgs50x", *BUNDLED_READS, "", 222),
    "50x, options": (  # mpileup -A -x -q 20 -Q 13
        "wgs50x.options", *BUNDLED_READS, "--disable-read-filter NotOrphanReadFilter --do-not-correct-overlapping-quality "
        "--minimum-mapping-quality 20 -mbq 13", 223),
    "made up": ("made_up", *MADE_UP, "", 107),
    "made up, ploidy 1": ("made_up.p1", *MADE_UP, "--sample-ploidy 1", 74),
    "7x": ("wgs7x", DATA / "chr20-10M" / "hg19.chr20.9995001-11095000.fa", DATA / "chr20-10M" / "NA12878.wgs7x.bam", "", 355),
    "exome": (
        "exome", DATA / "exome-chr20-6M" / "GRCh38.chr20.5969355-6169354.fa", DATA / "exome-chr20-6M" / "NA12878.exome.bam", "", 27),
}  # fmt: skip


def records(path):
    """{(contig, pos1, ref, alts): (QUAL, FORMAT of the sample and DP, AC and AN)} of a VCF."""
    found = {}
    with pysam.VariantFile(str(path)) as file:
        for record in file:
            (sample,) = record.samples.values()
            shown = {key: sample[key] for key in ("GT", "PL", "AD", "DP", "GQ")}
            of_site = {key: record.info[key] for key in ("DP", "AC", "AN")}
            found[record.contig, record.pos, record.ref, record.alts] = record.qual, shown, of_site
    return found


@pytest.mark.parametrize("name", SETS)
def test_records_are_those_of_bcftools(run_cli, tmp_path, name):
    expected, reference, alignments, options, n_records = SETS[name]
    if not alignments.exists():
        pytest.skip(f"{alignments} is not there")
    if reference == MADE_UP[0]:
        reference = Path(shutil.copy(reference, tmp_path))
        pysam.faidx(str(reference))
    out = tmp_path / "out.vcf"
    command = ["call", "-R", reference, "-I", alignments, "-O", out, "--engine", "pileup", "--concordance", "bcftools", "--device", "cpu"]
    done = run_cli(*command, *options.split())
    assert done.code == 0, done.err
    ours, theirs = records(out), records(HERE / f"bcftools.{expected}.vcf.gz")
    assert len(theirs) == n_records
    assert list(ours) == list(theirs)
    wrong = {place: (ours[place], theirs[place]) for place in ours if ours[place][1:] != theirs[place][1:]}
    assert not wrong, f"{len(wrong)} of {n_records}: {dict(list(wrong.items())[:4])}"
    # Written with two digits behind the point there, with six digits here.
    assert [qual for qual, *_ in ours.values()] == pytest.approx([qual for qual, *_ in theirs.values()], abs=0.0056, rel=1e-5)


def test_each_position_on_its_own(tmp_path):
    """What a base weighs depends on mates, neighbours and reads that start or end beside it: of a shard of one position all are there."""
    reference, alignments = (str(shutil.copy(path, tmp_path)) for path in MADE_UP)
    pysam.faidx(reference)
    pysam.index(alignments)
    settings = gpuvc.Settings(engine="pileup", concordance="bcftools")

    def call(*intervals):
        return gpuvc.call_variants(reference, alignments, intervals=intervals, settings=settings, device="cpu", threads=1).calls

    together = call()
    assert len(together) == 107
    assert [call(f"c1:{alone.pos + 1}-{alone.pos + 1}") for alone in together] == [[alone] for alone in together]
