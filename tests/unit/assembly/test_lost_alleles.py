"""Alleles that reads show and graphs lose."""

import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from golden_assembly import codes_of, region_of_reads

from gpuvc.assembly.assemble import assemble
from gpuvc.assembly.haplotypes import align_haplotypes
from gpuvc.assembly.injection import inject_alleles
from gpuvc.assembly.lost_alleles import lost_alleles
from gpuvc.genotyping.genotypes import copy_costs
from gpuvc.settings import Settings

REF = "".join(random.Random(5).choices("ACGT", k=200))
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}
SETTINGS = Settings(engine="haplotype")


def with_snvs(*sites, ref=REF):
    return "".join(OTHER[base] if t in sites else base for t, base in enumerate(ref))


def stages(reads, ref=REF, settings=SETTINGS, forget=True, n_samples=1):
    """(regions, raw, aligned, lost alleles, codes); forget: of the haplotypes only the reference's is left."""
    regions, region_reads = region_of_reads(reads, ref)
    codes = codes_of(ref)
    raw = assemble(regions, region_reads, codes, 1000, settings)
    if forget:
        n = int(raw.base_offsets[1])
        raw = replace(
            raw, region_slots=np.array([0, 1]), bases=raw.bases[:n], base_offsets=raw.base_offsets[:2], score=raw.score[:1],
            is_ref=raw.is_ref[:1], kmer_size=raw.kmer_size[:1], tried_kmer_size=np.full_like(raw.tried_kmer_size, 25),
        )  # fmt: skip
    aligned = align_haplotypes(regions, raw, codes, 1000, settings)
    return regions, raw, aligned, lost_alleles(regions, region_reads, raw, aligned, codes, 1000, copy_costs(2 * n_samples), 10), codes


def lost(reads, **how):
    table = stages(reads, **how)[3]
    alts = ["".join("ACGTN"[code] for code in table.alt[a:b]) for a, b in pairwise(table.alt_offsets.tolist())]
    return [(int(x) - 1000, int(n), alt) for x, n, alt in zip(table.pos, table.ref_length, alts, strict=True)]


def snv(site):
    return (site, 1, OTHER[REF[site]])


def test_an_allele_whose_reads_differ_beside_it_is_lost_by_graphs_and_found_here():
    """One of the two reads has an error three bases on: no k-mer over both is seen twice. A close pair of SNVs makes the region messy."""
    reads = [with_snvs(117, 125)] * 8 + [with_snvs(100, 117, 125), with_snvs(100, 103, 117, 125)]
    _, raw, aligned, table, _ = stages(reads, forget=False)
    assert raw.tried_kmer_size[0, 0] > 0
    assert 1100 not in aligned.event_pos.tolist() and {1117, 1125} <= set(aligned.event_pos.tolist())
    assert table.pos.tolist() == [1100]


def test_injected_it_lies_on_haplotypes_of_its_region():
    reads = [with_snvs(117, 125)] * 8 + [with_snvs(100, 117, 125), with_snvs(100, 103, 117, 125)]
    regions, _, aligned, table, codes = stages(reads, forget=False)
    injected = inject_alleles(regions, aligned, table, codes, 1000, SETTINGS, regions.end)
    assert injected.n_haplotypes > aligned.n_haplotypes
    assert set(injected.event_pos.tolist()) == set(aligned.event_pos.tolist()) | {1100}
    assert inject_alleles(regions, aligned, table, codes, 1000, SETTINGS, np.array([1100], np.int32)).n_haplotypes == aligned.n_haplotypes


def test_what_came_straight_from_the_reads_is_not_searched():
    reads = [REF] * 5 + [with_snvs(100)] * 6
    regions, region_reads = region_of_reads(reads, REF)
    raw = assemble(regions, region_reads, codes_of(REF), 1000, SETTINGS)
    only_ref = replace(raw, region_slots=np.array([0, 1]), base_offsets=raw.base_offsets[:2])
    aligned = align_haplotypes(regions, only_ref, codes_of(REF), 1000, SETTINGS)
    assert raw.tried_kmer_size[0, 0] == 0
    assert len(lost_alleles(regions, region_reads, raw, aligned, codes_of(REF), 1000, copy_costs(2), 10)) == 0


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        ([REF] * 6 + [with_snvs(100)] * 2, [snv(100)]),
        ([REF] * 6 + [with_snvs(100)], []),
        ([REF] * 40 + [with_snvs(100)] * 2, []),  # no genotype explains 2 of 42
        ([REF] * 2 + [(with_snvs(100), "200M", 0, 9)] * 12, []),  # below the least base quality
        ([REF] * 6 + [(with_snvs(100), "200M", 0, 12)] * 2, []),  # 24 phred against a heterozygote's 24 and the confidence of 10
        ([REF] * 2 + [(with_snvs(100), "200M", 0, 12)] * 6, [snv(100)]),
        ([with_snvs(49, 50, 149, 150)] * 3, [snv(50), snv(149)]),  # the padding belongs to neighbours
        ([(with_snvs(100, 120)[90:131], "41M", 90, 30)] * 2, [snv(100), snv(120)]),
        ([(with_snvs(100, 120)[91:130], "39M", 91, 30)] * 2, []),  # at read ends alone
        ([(with_snvs(100, 120)[91:130], "39M", 91, 30), with_snvs(100)], [snv(100)]),
    ],
)
def test_snvs(reads, expected):
    assert lost(reads) == expected


REPEAT = REF[:100] + "GATATATATC" + REF[110:]


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        ([(REPEAT[:103] + REPEAT[105:], "103M2D95M", 0, 30), (REPEAT[:107] + REPEAT[109:], "107M2D91M", 0, 30)], [(100, 3, "G")]),
        ([(REPEAT[:101] + "AT" + REPEAT[101:], cigar, 0, 30) for cigar in ("101M2I99M", "104M2I96M")], [(100, 1, "GAT")]),
        ([(REPEAT[:103] + REPEAT[105:], "103M2D95M", 0, 30)], []),
        ([(REPEAT[:103] + REPEAT[105:], "103M2D95M", 0, 9)] * 2, []),
    ],
)
def test_indels_wherever_the_aligner_put_them(reads, expected):
    assert lost([REPEAT] * 4 + reads, ref=REPEAT) == expected


def test_one_carrier_among_many_samples():
    """15 of 300 reads are no allele of one sample, and one of ten."""
    reads = [(REF[60:140], "80M", 60, 30)] * 285 + [(with_snvs(100)[60:140], "80M", 60, 30)] * 15
    assert lost(reads) == [] and lost(reads, n_samples=10) == [snv(100)]


def test_an_indel_of_a_small_share_is_an_error():
    reads = [(REF[:100] + REF[103:], "100M3D97M", 0, 30)] * 2
    assert lost([REF] * 8 + reads) != []
    assert lost([REF] * 40 + reads) == []


def test_many_in_one_region_are_one_misplaced_read_pile():
    three, four = with_snvs(80, 100, 120), with_snvs(70, 90, 110, 130)
    assert lost([REF] * 6 + [three] * 3) == [snv(80), snv(100), snv(120)]
    assert lost([REF] * 6 + [four] * 3) == []


@pytest.mark.parametrize(("distance", "is_found"), [(5, False), (19, False), (20, True)])
def test_mismatches_beside_a_haplotypes_indel_are_its_reads(distance, is_found):
    """A close pair of SNVs far off makes the region messy; two reads show an SNV behind the deletion and differ from each other."""
    deleted = REF[:60] + REF[64:]
    site = 64 + distance
    indels = [(deleted, "60M4D136M", 0, 30)] * 6
    snvs = [(with_snvs(site, 140, 145), "200M", 0, 30), (with_snvs(site, site + 3, 140, 145), "200M", 0, 30)]
    _, raw, aligned, table, _ = stages([with_snvs(140, 145)] * 6 + indels + snvs, forget=False)
    assert raw.tried_kmer_size[0, 0] > 0
    lengths = np.diff(aligned.event_alt_offsets) - aligned.event_ref_length
    assert -4 in lengths.tolist() and 1000 + site not in aligned.event_pos.tolist()
    assert (1000 + site in table.pos.tolist()) == is_found


def test_what_a_haplotype_has_is_not_lost():
    assert lost([REF] * 4 + [with_snvs(100, 109)] * 4, forget=False) == []
