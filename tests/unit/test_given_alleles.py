"""Alleles and ploidies that the user gives, in whole calls of a small made-up sample."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from builders import CONTIG, codes, haplotype, random_sequence, reads_of, write_bam, write_fasta

import gpuvc
from gpuvc.caller import _forced
from gpuvc.intervals import Interval
from gpuvc.output.vcf import format_call

REFERENCE = random_sequence(900, seed=31)
HET, ABSENT, UNREAD = 300, 340, 870  # a SNV that is there, one that is not, one where there are no reads


def other(pos):
    return "ACGT"["ACGT".index(REFERENCE[pos]) - 1]


@pytest.fixture
def call(tmp_path):
    """Call the sample → [(pos, ref, alts, genotype as text, filters)]."""
    fasta = write_fasta(tmp_path / "ref.fa", {CONTIG: REFERENCE})
    sample = [r for variants in ((), [(HET, REFERENCE[HET], other(HET))]) for r in reads_of(haplotype(REFERENCE, *variants), end=800)]
    bam = write_bam(tmp_path / "reads.bam", sample, {CONTIG: REFERENCE})

    def run(records=(), ploidies="", engine="haplotype", **settings):
        options = {}
        if records:
            options["alleles"] = tmp_path / "alleles.vcf"
            rows = "".join(f"{CONTIG}\t{pos + 1}\t.\t{ref}\t{alts}\t.\t.\t.\n" for pos, ref, alts in records)
            header = f"##fileformat=VCFv4.2\n##contig=<ID={CONTIG}>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
            options["alleles"].write_text(header + rows)
        if ploidies:
            options["ploidy_regions"] = str(tmp_path / "ploidies.bed")
            (tmp_path / "ploidies.bed").write_text(ploidies)
        settings = gpuvc.Settings(engine=engine, **settings)
        run.calls = gpuvc.call_variants(fasta, bam, settings=settings, device="cpu", threads=1, **options).calls
        return [(c.pos, c.ref, ",".join(c.alts), "/".join(map(str, c.samples[0].genotype))) for c in run.calls]

    return run


FOUND = (HET, REFERENCE[HET], other(HET), "0/1")


@pytest.mark.parametrize("concordance", ["none", "hc"])
class TestForced:
    def test_what_is_not_there_is_called_homozygous_reference(self, call, concordance):
        absent = ABSENT, REFERENCE[ABSENT], other(ABSENT)
        assert call([absent], concordance=concordance) == [FOUND, (*absent, "0/0")]

    def test_what_is_there_stays_as_it_is(self, call, concordance):
        assert call([FOUND[:3]], concordance=concordance) == call(concordance=concordance) == [FOUND]

    def test_nothing_is_called_where_no_read_is(self, call, concordance):
        assert call([(UNREAD, REFERENCE[UNREAD], other(UNREAD))], concordance=concordance) == [FOUND]

    def test_indels_and_several_alternates(self, call, concordance):
        given = [
            (100, REFERENCE[100:105], REFERENCE[100]),
            (500, REFERENCE[500], f"{REFERENCE[500]}{other(501)}GT,{other(500)}"),
        ]
        calls = call(given, concordance=concordance)
        assert [c[3] for c in calls] == ["0/0", "0/1", "0/0"]
        assert (calls[0][0], *calls[2][:2]) == (100, 500, REFERENCE[500])
        assert sorted(map(len, calls[2][2].split(","))) == [1, 4]


def test_an_indel_named_behind_a_shard_is_the_one_at_its_leftmost_place():
    """Whether a shard ends before the place that the file names or behind it, the allele at the repeat's left end is given."""
    reference = "A" * 50 + "G" + "CA" * 90 + "GT" * 30
    named = SimpleNamespace(start=228, end=231, ref=reference[228:231], alts=(reference[228],))
    given = SimpleNamespace(records_near=lambda near, _: [named] if near.start < named.end and named.start < near.end else [])
    for end in (100, 290):
        forced, spans = _forced(given, Interval(0, 0, end), None, codes(reference), 0, gpuvc.Settings())
        assert forced.pos.tolist() == [50] and forced.ref_length.tolist() == [3]
        assert (50, 53) in spans and all(start < end for start, _ in spans)
    assert _forced(given, Interval(0, 0, 100), None, codes(reference), 0, gpuvc.Settings(concordance="hc")) == (None, ())


def test_qual_is_how_sure_the_absence_is(call):
    """PL and the prior of a SNV; GATK's is lost to rounding where it is above 156, and written as infinite."""
    absent = ABSENT, REFERENCE[ABSENT], other(ABSENT)
    call([absent])
    sample = call.calls[1].samples[0]
    assert sample.phred_likelihoods[1] + 20 < call.calls[1].qual < sample.phred_likelihoods[1] + 40
    assert "\tInfinity\t" in format_call(replace(call.calls[1], qual=float("inf")), CONTIG)


def test_what_nobody_carries_has_no_phase(call):
    """Haplotypes made for two absent alleles stand opposite each other, but nobody has them."""
    call([(pos, REFERENCE[pos], other(pos)) for pos in (600, 610)])
    assert [c.pos for c in call.calls] == [HET, 600, 610]
    assert [c.samples[0].phase for c in call.calls] == [None] * 3


def test_a_deletion_named_at_its_right_end_is_called_at_its_left(call):
    """Of equal deletions, haplotypes show the leftmost."""
    start = next(p for p in range(400, 700) if REFERENCE[p - 1] != REFERENCE[p] == REFERENCE[p + 1])
    calls = call([(start, REFERENCE[start : start + 2], REFERENCE[start])])
    assert calls == [FOUND, (start - 1, REFERENCE[start - 1 : start + 1], REFERENCE[start - 1], "0/0")]


def test_substitutions_side_by_side_are_called_one_by_one(call):
    ref = REFERENCE[600:602]
    calls = call([(600, ref, other(600) + other(601))])
    assert calls == [FOUND, (600, ref[0], other(600), "0/0"), (601, ref[1], other(601), "0/0")]
    assert call([(600, ref, other(600) + other(601))], max_mnp_distance=1)[1:] == [(600, ref, other(600) + other(601), "0/0")]


def test_ploidy_of_a_place(call):
    assert call(ploidies=f"{CONTIG}\t{HET - 5}\t{HET + 5}\t3\n")[0][3] == "0/0/1"
    assert call(ploidies=f"{CONTIG}\t{HET + 1}\t{HET + 5}\t3\n")[0][3] == "0/1"
    assert call(ploidies=f"{CONTIG}\t{HET + 1}\t{HET + 5}\t3\n", concordance="hc")[0][3] == "0/0/1"


@pytest.mark.parametrize("options", [{"ploidies": f"{CONTIG}\t0\t5\t1\n"}, {"records": [FOUND[:3]]}])
def test_the_pileup_engine_takes_nothing_as_given(call, options):
    with pytest.raises(gpuvc.UsageError, match=r"found it with --engine pileup, expected --engine haplotype"):
        call(engine="pileup", **options)
