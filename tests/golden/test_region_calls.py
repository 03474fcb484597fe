"""Whole regions, from capped likelihoods of haplotypes to records, against GATK's."""

from pathlib import Path

import golden_genotyping as golden
import numpy as np
import pytest
from test_sites import differences

from gpuvc.backends.cpu import CpuBackend
from gpuvc.batches import ReadBatch, RegionBatch
from gpuvc.genotyping.haplotype_calls import genotype_regions
from gpuvc.kernels.codes import FLAG_REVERSE
from gpuvc.likelihoods.realign import realign_reads
from gpuvc.settings import Settings

HERE = Path(__file__)
FULL = HERE.parents[3] / "shared" / "golden" / "gatk" / "genotyping" / "regions.jsonl.gz"
SUBSET = HERE.parent / "regions.jsonl.gz"
# Of GATK's options these change records in ways that another test covers, or that are not built yet.
OTHERS = {"gvcf", "max_mnp_distance", "stand_call_conf"}


def read_batch(rows):
    """ReadBatch of which only flags and mapping qualities say anything."""
    n = len(rows)
    zeros = np.zeros(n, np.int32)
    flag = np.array([FLAG_REVERSE if row.get("reverse") else 0 for row in rows], np.uint16)
    mapq = np.array([row.get("mapq", 255) for row in rows], np.uint8)
    empty = np.empty(0, np.uint8)
    return ReadBatch(
        zeros, zeros, zeros, mapq, flag, zeros.astype(np.int16), zeros, zeros, zeros, np.zeros(n, np.uint64), empty.astype(np.uint32),
        np.zeros(n + 1, np.int64), empty, empty, np.zeros(n + 1, np.int64),
    )  # fmt: skip


def call_region(region, concordance="hc", **others):
    """The calls of one region of the file; others: fields of Settings."""
    reads, likelihoods, rows = golden.region_reads([region])
    haplotypes = golden.haplotype_batch([region])
    side = np.array(["kept" not in row for row in rows])
    start, end = haplotypes.start, haplotypes.end
    reference = next(h["bases"] for h in region["haplotypes"] if h["ref"])
    settings = Settings(
        concordance=concordance, sample_ploidy=region["options"].get("ploidy", 2),
        max_alternate_alleles=region["options"].get("max_alternate_alleles", 6), **others,
    )  # fmt: skip
    return genotype_regions(
        RegionBatch(0, start, end, start, end), haplotypes, reads, likelihoods, realign_reads(reads, haplotypes, likelihoods), side,
        read_batch(rows), golden.codes(reference), int(start[0]), len(region["samples"]), settings, CpuBackend(),
    )  # fmt: skip


@pytest.mark.parametrize(("path", "n"), [(SUBSET, 5), (FULL, 20)], ids=["subset", "all"])
def test_records_of_regions_equal_gatk(path, n):
    if not path.exists():
        pytest.skip(f"{path} is not there")
    regions = [r for r in golden.load(path) if not OTHERS & set(r["options"])]
    wrong, records = {}, 0
    for region in regions:
        found = {call.pos + 1: call for call in call_region(region)}
        wanted = {int(record.split("\t")[1]): record for record in region["records"]}
        records += len(wanted)
        if set(found) != set(wanted):
            wrong[region["region"]] = sorted(found), sorted(wanted)
        for pos in set(found) & set(wanted):
            site = {"options": region["options"], "side_reads": len(region["side_list"]), "record": wanted[pos]}
            if d := differences(site, found[pos]):
                wrong[f"{region['set']} {pos}"] = d
    assert wrong == {}
    assert records > n


def test_variants_of_one_haplotype_share_a_phase():
    """The default marks them; as GATK outside GVCF mode it does not, and the genotypes are the same but for their order."""
    region = golden.load(SUBSET)[0]
    plain, phased = call_region(region), call_region(region, "none")
    assert all(sample.phase is None for call in plain for sample in call.samples)
    marks = [call.samples[0].phase for call in phased if call.samples[0].phase]
    assert len(marks) > 1
    assert {ps for _, _, ps in marks} <= {call.pos + 1 for call in phased}
    assert {pgt for pgt, _, _ in marks} <= {"0|1", "1|0"}
    of = {call.pos: sorted(call.samples[0].genotype) for call in phased}
    assert all(of[call.pos] == sorted(call.samples[0].genotype) for call in plain)


@pytest.mark.parametrize("wanted", [{"concordance": "none"}, {"concordance": "hc", "emit_ref_confidence": "GVCF"}], ids=["own", "GVCF"])
def test_phasing_can_be_turned_off(wanted):
    region = golden.load(SUBSET)[0]
    phased, plain = (call_region(region, **wanted, physical_phasing=on) for on in (True, False))
    assert any(call.samples[0].phase for call in phased) and not any(call.samples[0].phase for call in plain)
    assert all(list(call.samples[0].genotype) == sorted(call.samples[0].genotype) for call in plain)
    assert [(c.pos, c.alts, c.qual, sorted(c.samples[0].genotype)) for c in plain] == [
        (c.pos, c.alts, c.qual, sorted(c.samples[0].genotype)) for c in phased
    ]
