"""Whole calls on small made-up samples: every kind of variant, and what must not be called."""

from types import SimpleNamespace

import numpy as np
import pysam
import pytest
from builders import CONTIG, Read, haplotype, random_sequence, reads_of, write_bam, write_fasta

import gpuvc
from gpuvc.kernels.codes import FLAG_DUPLICATE

REFERENCE = random_sequence(600, seed=5)
AT = 300


@pytest.fixture(params=["haplotype", "pileup"])
def engine(request):
    return request.param


pileup_engine = pytest.mark.parametrize("engine", ["pileup"])


@pytest.fixture
def call(tmp_path, engine):
    """Call reads on a reference → [(pos, ref, alts, genotype as text)], and `.calls`, the whole records of the last run."""

    def run(aligned, reference=REFERENCE, **settings):
        fasta = write_fasta(tmp_path / "ref.fa", {CONTIG: reference})
        bam = write_bam(tmp_path / "reads.bam", aligned, {CONTIG: reference})
        run.calls = gpuvc.call_variants(fasta, bam, settings=gpuvc.Settings(**{"engine": engine} | settings), device="cpu", threads=1).calls
        return [(c.pos, c.ref, ",".join(c.alts), "/".join(map(str, sorted(c.samples[0].genotype)))) for c in run.calls]

    return run


def sample(*haplotypes, reference=REFERENCE, **options):
    """Reads of a sample with these haplotypes, each a list of variants (pos, ref, alt); ~15x a haplotype."""
    return [r for variants in haplotypes for r in reads_of(haplotype(reference, *variants), **options)]


def other(base):
    return "ACGT"["ACGT".index(base) - 1]


def snv(pos, reference=REFERENCE):
    ref = reference[pos].upper()
    return pos, ref, other(ref)


def insertion(pos, bases, reference=REFERENCE):
    return pos, reference[pos], reference[pos] + bases


def deletion(pos, n, reference=REFERENCE):
    return pos, reference[pos : pos + n + 1], reference[pos]


def as_called(variant, genotype):
    return *variant, genotype


VARIANTS = {
    "SNV": snv(AT),
    "insertion of 1": insertion(AT, other(REFERENCE[AT])),
    "insertion of 12": insertion(AT, "TGCATCAGGACT"),
    "deletion of 1": deletion(AT, 1),
    "deletion of 3": deletion(AT, 3),
    "deletion of 30": deletion(AT, 30),
}
each_variant = pytest.mark.parametrize("name", VARIANTS)


class TestOneVariant:
    @staticmethod
    def leftmost(variant):
        """The variant at its leftmost place."""
        pos, ref, alt = variant
        while len(ref) != len(alt) and ref[-1] == alt[-1] and min(len(ref), len(alt)) == 1:
            pos -= 1
            ref, alt = REFERENCE[pos] + ref[:-1], REFERENCE[pos] + alt[:-1]
        return pos, ref, alt

    @each_variant
    def test_heterozygous(self, call, name):
        variant = VARIANTS[name]
        assert call(sample([variant], [])) == [as_called(self.leftmost(variant), "0/1")]
        (found,) = call.calls
        assert found.filters == () and found.qual > 100
        assert found.samples[0].genotype_quality == 99 and found.samples[0].phred_likelihoods[1] == 0
        assert all(10 <= depth <= 24 for depth in found.samples[0].allele_depths)

    @each_variant
    def test_homozygous(self, call, name):
        variant = VARIANTS[name]
        assert call(sample([variant], [variant])) == [as_called(self.leftmost(variant), "1/1")]
        (found,) = call.calls
        assert found.samples[0].allele_depths[0] == 0 and found.qual > 300 and found.info["AC"] == (2,) and found.info["AF"] == (1.0,)

    @each_variant
    def test_absent(self, call, name):
        assert call(sample([], [])) == []

    @each_variant
    @pytest.mark.parametrize("ploidy, copies", [(1, 1), (2, 1), (3, 1), (3, 2), (4, 1), (4, 3), (4, 4)])
    def test_copies_of_any_ploidy(self, call, name, ploidy, copies):
        variant = VARIANTS[name]
        haplotypes = copies * [[variant]] + (ploidy - copies) * [[]]
        genotype = "/".join((ploidy - copies) * "0" + copies * "1")
        assert call(sample(*haplotypes), sample_ploidy=ploidy) == [as_called(self.leftmost(variant), genotype)]
        (found,) = call.calls
        assert len(found.samples[0].phred_likelihoods) == ploidy + 1 and found.info["AN"] == ploidy and found.info["AC"] == (copies,)


class TestSeveralVariants:
    def test_two_snvs_at_one_place(self, call):
        ref = REFERENCE[AT]
        first, second = (base for base in "ACGT" if base not in (ref, other(ref)))
        assert call(sample([(AT, ref, first)], [(AT, ref, second)])) == [(AT, ref, f"{first},{second}", "1/2")]
        (found,) = call.calls
        assert found.info["AC"] == (1, 1) and len(found.samples[0].phred_likelihoods) == 6 and found.samples[0].allele_depths[0] == 0

    def test_two_deletions_at_one_place(self, call):
        ref = REFERENCE[AT : AT + 6]
        assert call(sample([deletion(AT, 2)], [deletion(AT, 5)])) == [(AT, ref, f"{ref[0]},{ref[0] + ref[3:]}", "1/2")]

    def test_insertion_and_deletion_at_one_place(self, call):
        """Both at their leftmost place: the deleted bases do not end as the base before them."""
        pos = next(p for p in range(AT, AT + 20) if REFERENCE[p] not in (REFERENCE[p + 3], "T"))
        ref = REFERENCE[pos : pos + 4]
        found = call(sample([insertion(pos, "CAGCAT")], [deletion(pos, 3)]))
        assert found == [(pos, ref, f"{ref[0]},{ref[0]}CAGCAT{ref[1:]}", "1/2")]

    def test_three_alleles_in_four_copies(self, call):
        ref = REFERENCE[AT]
        first, second = (base for base in "ACGT" if base not in (ref, other(ref)))
        assert call(sample([(AT, ref, first)], [(AT, ref, second)], [], []), sample_ploidy=4) == [(AT, ref, f"{first},{second}", "0/0/1/2")]

    @pytest.mark.parametrize("distance", [1, 2, 5, 12, 25])
    @pytest.mark.parametrize("together", [True, False])
    def test_snv_beside_an_indel(self, call, distance, together):
        indel, near = deletion(AT, 4), snv(AT + 4 + distance)
        haplotypes = ([indel, near], []) if together else ([indel], [near])
        assert call(sample(*haplotypes)) == [as_called(indel, "0/1"), as_called(near, "0/1")]

    def test_snv_in_front_of_an_insertion(self, call):
        near, indel = snv(AT - 3), insertion(AT, "CAGCAT")
        assert call(sample([near, indel], [indel])) == [as_called(near, "0/1"), as_called(indel, "1/1")]

    def test_snv_under_the_other_copys_deletion(self, call, engine):
        """Half of the reads have no base there: no reference base stands against the SNV. The haplotype engine says what they have."""
        indel, inside = deletion(AT, 6), snv(AT + 3)
        found = call(sample([indel], [inside]))
        assert found[0] == as_called(indel, "0/1")
        pos, ref, alt = inside
        assert found[1:] == [(pos, ref, f"*,{alt}", "1/2")] if engine == "haplotype" else found[1][:3] == inside and len(found) == 2

    def test_neighbouring_snvs_are_records_of_their_own(self, call):
        first, second = snv(AT), snv(AT + 1)
        assert call(sample([first, second], [])) == [as_called(first, "0/1"), as_called(second, "0/1")]


class TestDepth:
    @pytest.mark.parametrize("ploidy", [2, 3, 4, 6])
    def test_more_reads_are_more_evidence(self, call, ploidy):
        """One copy of several. Errors that repeat count less and less; so must not what reads say for a heterozygote."""
        quals = []
        for n in (1, 2, 4, 8):
            aligned = sample(*(n * ([[snv(AT)]] + (ploidy - 1) * [[]])))
            assert call(aligned, sample_ploidy=ploidy) == [as_called(snv(AT), "/".join((ploidy - 1) * "0" + "1"))]
            quals.append(call.calls[0].qual)
        assert sum(call.calls[0].samples[0].allele_depths) > 230
        assert quals == sorted(quals)

    def test_homozygous_at_depth(self, call):
        assert call(sample(*(16 * [[snv(AT)]]))) == [as_called(snv(AT), "1/1")]
        assert call.calls[0].samples[0].genotype_quality == 99


class TestRepeats:
    @pytest.mark.parametrize("n", [6, 9, 12])
    @pytest.mark.parametrize("change", [-2, -1, 1])
    @pytest.mark.parametrize("genotype", ["0/1", "1/1"])
    def test_length_of_a_homopolymer(self, call, n, change, genotype):
        left, right = random_sequence(300, seed=2) + "C", "G" + random_sequence(300, seed=3)
        reference = left + n * "A" + right
        pos = len(left) - 1
        variant = (pos, "C" + -min(change, 0) * "A", "C" + max(change, 0) * "A")
        haplotypes = [[variant], [variant] if genotype == "1/1" else []]
        assert call(sample(*haplotypes, reference=reference), reference) == [as_called(variant, genotype)]

    @pytest.mark.parametrize("unit, copies", [("AC", 8), ("CAG", 6), ("ATTC", 5)])
    @pytest.mark.parametrize("change", [-1, 2])
    def test_length_of_a_tandem_repeat(self, call, unit, copies, change):
        left, right = random_sequence(300, seed=2) + "T", "T" + random_sequence(300, seed=3)
        reference = left + copies * unit + right
        variant = (len(left) - 1, "T" + -min(change, 0) * unit, "T" + max(change, 0) * unit)
        assert call(sample([variant], [], reference=reference), reference) == [as_called(variant, "0/1")]

    @pileup_engine
    def test_reads_the_mapper_placed_without_the_indel_count_for_it(self, call):
        """Reads that end soon behind a deletion are mapped with mismatches, or clipped."""
        indel = deletion(AT, 5)
        columns = haplotype(REFERENCE, indel)
        aligned, n_hidden = reads_of(haplotype(REFERENCE)), 0
        for r in reads_of(columns):
            behind = r.ref_end - (AT + 6)
            if "D" in dict(r.cigar) and behind <= 8:
                n_hidden += 1
                kept = 60 - behind
                aligned.append(r.but(cigar=(("M", 60),)) if n_hidden % 2 else r.but(cigar=(("M", kept), ("S", behind))))
            else:
                aligned.append(r)
        assert n_hidden >= 2
        assert call(aligned) == [as_called(indel, "0/1")]
        unclipped = call.calls[0].samples[0].allele_depths
        call(aligned, use_soft_clipped_bases=False)
        assert call.calls[0].samples[0].allele_depths[1] < unclipped[1]


class TestWhatIsNoVariant:
    def test_bases_of_low_quality(self, call):
        columns = haplotype(REFERENCE, snv(AT))
        low = [r.but(quals=tuple(5 if r.pos + i == AT else 30 for i in range(60))) for r in reads_of(columns)]
        assert call(sample([]) + low) == []
        assert len(call(sample([], [snv(AT)]))) == 1

    @pytest.mark.parametrize("changes", [{"mapq": 5}, {"flag": FLAG_DUPLICATE}, {"flag": 0x200}, {"flag": 0x100}], ids=str)
    def test_reads_that_filters_refuse(self, call, changes):
        assert call(sample([]) + sample([snv(AT)], **changes)) == []

    def test_two_errors_among_many_reads(self, call):
        wrong = reads_of(haplotype(REFERENCE, snv(AT)), start=270, end=340, step=10)
        assert len(wrong) == 2
        assert call(sample([], [], [], [], [], []) + wrong) == []

    def test_errors_of_one_strand(self, call):
        """As many reads say more when both strands show it: what is systematic shows on one."""
        reference_reads, wrong = sample([], [], []), sample([snv(AT)])
        quals = []
        for strands in ((16, 16), (0, 16)):
            call(reference_reads + [r.but(flag=strands[n % 2]) for n, r in enumerate(wrong)])
            quals.append(call.calls[0].qual)
        assert quals[0] + 50 < quals[1]

    def test_mismatches_at_read_ends_beside_an_insertion(self, call):
        """Reads that end inside an inserted copy of what follows look like SNVs there."""
        indel = insertion(AT, "CAGCAT")
        aligned = reads_of(haplotype(REFERENCE))
        for r in reads_of(haplotype(REFERENCE, indel)):
            end = r.ref_end - AT - 1
            is_short = "I" in dict(r.cigar) and end <= 5
            aligned.append(r.but(cigar=(("M", 60),)) if is_short else r)
        assert call(aligned) == [as_called(indel, "0/1")]

    def test_reads_that_disagree_with_everything(self, call):
        """Foreign reads fit no haplotype of the indel, so they take nothing away from it."""
        indel = deletion(AT, 4)
        foreign = [Read(AT - 30, (("M", 60),), random_sequence(60, seed=40 + i), quals=30) for i in range(3)]
        assert as_called(indel, "0/1") in call(sample([indel], []) + foreign)


class TestEdgesOfTheReference:
    @pileup_engine
    def test_first_and_last_base(self, call):
        first, last = snv(0), snv(len(REFERENCE) - 1)
        assert call(sample([first, last], [first, last], step=1)[:1] * 6 + sample([first, last], step=1)[-1:] * 6) == [
            as_called(first, "1/1"), as_called(last, "1/1"),
        ]  # fmt: skip

    @pytest.mark.parametrize("pos", [2, 10, len(REFERENCE) - 12])
    def test_indels_near_the_ends(self, call, pos):
        indel = deletion(pos, 3)
        (found,) = call(sample([indel], [], step=1))
        assert found[3] == "0/1" and len(found[1]) - len(found[2]) == 3

    @pileup_engine
    def test_unknown_reference_bases(self, call):
        reference = REFERENCE[:AT] + 40 * "N" + REFERENCE[AT + 40 :]
        near = snv(AT - 20)
        aligned = reads_of(haplotype(REFERENCE, near, snv(AT + 10)))
        assert call(aligned + reads_of(haplotype(REFERENCE)), reference) == [as_called(near, "0/1")]

    def test_lower_case_reference(self, call):
        variants = [snv(AT), deletion(AT + 60, 3)]
        aligned = sample(variants, [])
        expected = call(aligned)
        assert len(expected) == 2 and call(aligned, REFERENCE.lower()) == expected
        assert call(aligned, REFERENCE[:AT].lower() + REFERENCE[AT:]) == expected

    def test_other_letters_of_the_reference_are_unknown(self, call):
        aligned = sample([snv(AT)], [])
        assert call(aligned, REFERENCE[:AT] + "R" + REFERENCE[AT + 1 :]) == []

    def test_one_read(self, call):
        assert call(sample([snv(AT)])[60:61]) == []


class TestSettings:
    def test_confidence(self, call):
        aligned = reads_of(haplotype(REFERENCE)) + reads_of(haplotype(REFERENCE, snv(AT)), step=20)
        assert call(aligned) == [as_called(snv(AT), "0/1")]
        qual = call.calls[0].qual
        assert 10 < qual < 60
        assert call(aligned, standard_min_confidence=qual + 0.1) == []
        assert call(aligned, standard_min_confidence=qual - 0.1) != []

    def test_prior_moves_quality(self, call):
        aligned = sample([snv(AT)], [])
        quals = []
        for heterozygosity in (1e-3, 1e-5):
            call(aligned, heterozygosity=heterozygosity)
            quals.append(call.calls[0].qual)
        assert 0 < quals[0] - quals[1] < 1  # what 30 reads say outweighs it

    def test_alternate_alleles(self, call):
        ref = REFERENCE[AT]
        alts = [base for base in "ACGT" if base != ref]
        aligned = sample(*([(AT, ref, base)] for n, base in zip((3, 2, 1), alts) for _ in range(n)))
        assert call(aligned, sample_ploidy=6)[0][2] == ",".join(alts)
        assert call(aligned, sample_ploidy=6, max_alternate_alleles=2)[0][2] == ",".join(alts[:2])
        assert call(aligned, sample_ploidy=6, max_alternate_alleles=1)[0][2] == alts[0]


def test_depths_and_annotations(call):
    """Four reads of either kind, counted by hand."""
    rows = [
        SimpleNamespace(alt=alt, start=start, flag=flag, mapq=mapq, qual=qual)
        for alt, start, flag, mapq, qual in [
            (0, 245, 0, 60, 30), (0, 250, 16, 60, 30), (0, 260, 0, 50, 32), (0, 265, 16, 60, 34),
            (1, 246, 0, 60, 20), (1, 252, 0, 60, 30), (1, 262, 0, 40, 31), (1, 270, 16, 60, 35),
        ]
    ]  # fmt: skip
    sides = (haplotype(REFERENCE), haplotype(REFERENCE, snv(AT)))
    aligned = [
        r.but(mapq=row.mapq, quals=row.qual)
        for row in rows
        for r in reads_of(sides[row.alt], start=row.start, end=row.start + 60, flag=row.flag)
    ]
    assert call(aligned) == [as_called(snv(AT), "0/1")]
    (found,) = call.calls
    assert found.samples[0].allele_depths == (4, 4) and found.samples[0].depth == found.info["DP"] == 8
    assert found.info["MQ"] == pytest.approx(np.sqrt((6 * 60**2 + 50**2 + 40**2) / 8))
    assert found.info["SOR"] == pytest.approx(gpuvc_sor(2, 2, 3, 1)) and found.info["FS"] == pytest.approx(-10 * np.log10(1.0))
    assert found.info["BaseQRankSum"] == pytest.approx(z_by_enumeration([20, 30, 31, 35], [30, 30, 32, 34]))
    assert found.info["MQRankSum"] == pytest.approx(z_by_enumeration([60, 60, 40, 60], [60, 60, 50, 60]))
    distances = [min(AT - row.start, row.start + 59 - AT) for row in rows]
    assert found.info["ReadPosRankSum"] == pytest.approx(z_by_enumeration(distances[4:], distances[:4]))
    assert found.info["QD"] == pytest.approx(found.qual / 8)


def gpuvc_sor(a, b, c, d):
    a, b, c, d = a + 1, b + 1, c + 1, d + 1
    return np.log(a * d / (b * c) + b * c / (a * d)) + np.log(min(a, b) / max(a, b)) - np.log(min(c, d) / max(c, d))


def z_by_enumeration(alt, ref):
    """Z of the rank sum by all ways to draw the alternate reads."""
    from itertools import combinations
    from statistics import NormalDist

    values = [*alt, *ref]

    def pairs_won(chosen):
        rest = [values[i] for i in range(len(values)) if i not in chosen]
        return sum((values[i] > other) + (values[i] == other) / 2 for i in chosen for other in rest)

    seen = pairs_won(range(len(alt)))
    ways = [pairs_won(set(chosen)) for chosen in combinations(range(len(values)), len(alt))]
    p = (sum(way < seen for way in ways) + sum(way == seen for way in ways) / 2) / len(ways)
    return NormalDist().inv_cdf(p)


def test_filters_see_calls_in_other_regions_beyond_a_cut(tmp_path):
    """A heterozygote of 22 in 60 reads is marked because of one of 15 in 60, 130 bp on, wherever the genome is cut."""
    reference = random_sequence(2000, seed=8)
    uneven, skewed = snv(900, reference), snv(1030, reference)
    plain = reads_of(haplotype(reference), length=60, step=1)
    aligned = []
    for n, read in enumerate(plain):
        bases = list(read.bases)
        for (pos, _, alt), n_alts in ((uneven, 22), (skewed, 15)):
            if read.pos <= pos < read.pos + 60 and n * 7 % 60 < n_alts:
                bases[pos - read.pos] = alt
        aligned.append(read.but(bases="".join(bases)))
    fasta = write_fasta(tmp_path / "ref.fa", {CONTIG: reference})
    bam = write_bam(tmp_path / "reads.bam", aligned, {CONTIG: reference})

    def filters(*intervals):
        settings = gpuvc.Settings(engine="haplotype")
        calls = gpuvc.call_variants(fasta, bam, settings=settings, intervals=intervals, device="cpu", threads=1).calls
        return [(call.pos, call.filters) for call in calls]

    whole = filters()
    assert whole == [(900, ("AlleleBalance",)), (1030, ("AlleleBalance",))]
    assert filters(f"{CONTIG}:1-965") + filters(f"{CONTIG}:966-2000") == whole


def test_extended_mapping_qualities_take_the_place_of_plain_ones(demo_data, run_cli, tmp_path):
    """Once the filters are through: XQ may lie below the least mapping quality."""
    paths = {"extended": tmp_path / "extended.bam", "plain": tmp_path / "plain.bam"}
    with pysam.AlignmentFile(demo_data.bam) as source:
        kept = [read for read in source.fetch("chr20", 5000, 12_000) if read.mapping_quality >= 20]
        for name, path in paths.items():
            with pysam.AlignmentFile(str(path), "wb", template=source) as file:
                for k, read in enumerate(kept):
                    if name == "extended":
                        read.set_tag("XQ", 11 * k % 61, "i")
                    else:
                        read.set_tag("XQ", None)
                        read.mapping_quality = 11 * k % 61
                    file.write(read)
            pysam.index(str(path))
    records = {}
    for name, path in paths.items():
        option = {"extended": ["--transform-dragen-mapping-quality"], "plain": ["--minimum-mapping-quality", "0"]}[name]
        command = ["call", "-R", demo_data.reference, "-I", path, "-O", tmp_path / f"{name}.vcf", "--engine", "haplotype", "--no-version"]
        done = run_cli(*command, "--concordance", "hc", "-L", "chr20:5001-12000", *option)
        assert done.code == 0, done.err
        records[name] = [line for line in (tmp_path / f"{name}.vcf").read_text().splitlines() if not line.startswith("##")]
    assert len(records["plain"]) > 10 and records["extended"] == records["plain"]
