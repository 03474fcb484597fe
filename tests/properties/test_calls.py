"""What holds for the pileup engine's calls of samples drawn at random: mirrored genomes, reads that do not count, the shape of a record."""

import random

import pytest
from builders import CONTIG, Read, haplotype, random_sequence, reads_of, write_bam, write_fasta
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gpuvc
from gpuvc.genotyping.genotypes import genotype_table
from gpuvc.kernels.codes import COMPLEMENT, FLAG_DUPLICATE, FLAG_QC_FAIL, FLAG_REVERSE, FLAG_SECONDARY, FLAG_UNMAPPED

LENGTH = 400
SHARED = ("BaseQRankSum", "DP", "FS", "MQ", "MQRankSum", "ReadPosRankSum", "SOR")
few = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])  # a fixture that keeps nothing


@pytest.fixture
def call(tmp_path):
    def run(reference, aligned, **options):
        fasta = write_fasta(tmp_path / "ref.fa", {CONTIG: reference})
        bam = write_bam(tmp_path / "reads.bam", aligned, {CONTIG: reference})
        return gpuvc.call_variants(fasta, bam, settings=gpuvc.Settings(engine="pileup", **options), device="cpu", threads=1).calls

    return run


def complement(text):
    return "".join("ACGTN"[COMPLEMENT["ACGTN".index(base)]] for base in text)


def mirrored(read):
    """The same read on the reverse complement of the reference."""
    return read.but(
        pos=LENGTH - read.ref_end, cigar=read.cigar[::-1], bases=complement(read.bases[::-1]), quals=read.all_quals[::-1],
        flag=read.flag ^ FLAG_REVERSE,
    )  # fmt: skip


seeds = st.integers(0, 2**32 - 1)


def sample_of(seed, kinds=("snv", "insertion", "deletion"), others="ACGT"):
    """(reference, reads): up to four haplotypes with variants at least 12 bp apart, reads with errors, qualities of all sorts.

    others: bases that errors make.
    """
    rng = random.Random(seed)
    reference = random_sequence(LENGTH, rng.randrange(1000))
    places = sorted(rng.sample(range(30, LENGTH - 60, 12), rng.randrange(6)))
    aligned = []
    for _ in range(rng.randint(1, 4)):
        variants = []
        for pos in (p for p in places if rng.random() < 0.6):
            kind, size = rng.choice(kinds), rng.randrange(1, 8)
            ref = reference[pos : pos + 1 + (size if kind == "deletion" else 0)]
            alt = {
                "snv": rng.choice("ACGT") if len(kinds) > 1 else complement(ref),
                "insertion": ref + "".join(rng.choices("ACGT", k=size)),
                "deletion": ref[0],
            }[kind]
            if ref != alt:
                variants.append((pos, ref, alt))
        for r in reads_of(haplotype(reference, *variants), length=50, step=rng.randrange(3, 9)):
            bases = "".join(rng.choice(others) if rng.random() < 0.01 else base for base in r.bases)
            quals = tuple(rng.choice((2, 9, 15, 25, 30, 37, 41)) for _ in bases)
            aligned.append(r.but(bases=bases, quals=quals, mapq=rng.choice((19, 20, 29, 60)), flag=rng.choice((0, 16))))
    return reference, aligned


@few
@given(seeds, st.integers(1, 4))
def test_a_mirrored_genome_has_mirrored_snvs(call, seed, ploidy):
    """Loci of two alleles: likelihoods of more are summed up, and rounded, in the order of their bases, which mirroring turns round."""
    reference, aligned = sample_of(seed, ("snv",), others="N")
    found = call(reference, aligned, sample_ploidy=ploidy)
    mirror = call(complement(reference[::-1]), [mirrored(r) for r in aligned], sample_ploidy=ploidy)[::-1]
    assert [(c.pos, c.ref, *c.alts) for c in found] == [(LENGTH - 1 - c.pos, complement(c.ref), *map(complement, c.alts)) for c in mirror]
    for a, b in zip(found, mirror):
        for name in ("samples", "qual", "filters"):
            assert getattr(a, name) == getattr(b, name), name
        assert [a.info[key] for key in SHARED] == [pytest.approx(b.info[key]) for key in SHARED]


@few
@given(seeds, st.sampled_from([{"mapq": 3}, *({"flag": flag} for flag in (FLAG_DUPLICATE, FLAG_QC_FAIL, FLAG_SECONDARY, FLAG_UNMAPPED))]))
def test_reads_that_filters_refuse_change_nothing(call, seed, changes):
    reference, aligned = sample_of(seed)
    others = [Read(r.pos, (("M", 50),), random_sequence(50, i), name=f"refused{i}").but(**changes) for i, r in enumerate(aligned[:40])]
    others = [r for r in others if r.ref_end <= LENGTH]
    assert call(reference, aligned + others) == call(reference, aligned)


@few
@given(seeds, st.integers(1, 4))
def test_shape_of_every_record(call, seed, ploidy):
    reference, aligned = sample_of(seed)
    found = call(reference, aligned, sample_ploidy=ploidy, standard_min_confidence=0.0)
    assert [c.pos for c in found] == sorted(c.pos for c in found)
    for c in found:
        n_alleles = 1 + len(c.alts)
        assert reference[c.pos : c.pos + len(c.ref)] == c.ref and len({c.ref, *c.alts}) == n_alleles
        # Indels have one base in front of them, and stand at their leftmost place.
        lengths = {len(c.ref), *map(len, c.alts)}
        assert lengths == {1} or ((min(lengths) == 1 or len(c.alts) > 1) and all(alt[0] == c.ref[0] for alt in c.alts))
        if len(c.alts) == 1 and lengths != {1}:
            assert c.pos == 0 or c.ref[-1] != c.alts[0][-1]
        (sample,) = c.samples
        assert len(sample.phred_likelihoods) == len(genotype_table(ploidy, n_alleles)) and min(sample.phred_likelihoods) == 0
        assert len(sample.genotype) == ploidy and list(sample.genotype) == sorted(sample.genotype)
        assert set(sample.genotype) <= set(range(n_alleles))
        assert sample.genotype_quality == min(99, sorted(sample.phred_likelihoods)[1]) and c.qual >= 0
        assert len(sample.allele_depths) == n_alleles and sum(sample.allele_depths) == sample.depth <= c.info["DP"]
        assert c.info["AC"] == tuple(sample.genotype.count(a) for a in range(1, n_alleles)) and sum(c.info["AC"]) > 0


@few
@given(seeds)
def test_names_of_reads_do_not_matter(call, seed):
    """Unless more reads start at one position than are kept."""
    reference, aligned = sample_of(seed)
    renamed = [r.but(name=f"{7 * i % 1009}.{i}") for i, r in enumerate(aligned)]
    assert call(reference, renamed, max_reads_per_alignment_start=0) == call(reference, aligned, max_reads_per_alignment_start=0)


@few
@given(seeds)
def test_what_lies_far_away_does_not_matter(call, seed):
    """The calls on a contig are those on a longer one around it."""
    reference, aligned = sample_of(seed)
    before = random_sequence(1500, 1001)
    moved = [r.but(pos=r.pos + len(before)) for r in aligned]
    found = call(before + reference + before, moved)
    expected = call(reference, aligned)
    assert [(c.pos - len(before), c.ref, c.alts, c.qual, c.samples[0].phred_likelihoods, c.samples[0].allele_depths) for c in found] == [
        (c.pos, c.ref, c.alts, c.qual, c.samples[0].phred_likelihoods, c.samples[0].allele_depths) for c in expected
    ]
