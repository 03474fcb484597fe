"""What a report counts: equal to what the file and the VCF say, however the run was cut."""

import json

import numpy as np
import pysam
import pytest

from gpuvc import Settings, call_variants
from gpuvc.output.statistics import MOST_INDEL_BP, QUAL_EDGES
from tests.builders import haplotype, random_sequence, reads_of, write_bam, write_fasta

REGION = ["chr20:4,000-24,000", "chr20:30,000-34,000", "chr20:104,000-110,000"]


def counted(demo_data, tmp_path, *, intervals=REGION, name="a", **options):
    """The statistics of a run on the bundled reads, as they come back from the report, and the VCF."""
    report, vcf = tmp_path / f"{name}.json", tmp_path / f"{name}.vcf"
    call_variants(demo_data.reference, demo_data.bam, str(vcf), report=str(report), intervals=intervals, device="cpu", **options)
    return json.loads(report.read_text())["statistics"], vcf


@pytest.fixture(scope="module")
def run(demo_data, tmp_path_factory):
    return counted(demo_data, tmp_path_factory.mktemp("statistics"))


@pytest.mark.parametrize(
    "options",
    [{"threads": 1}, {"threads": 2, "shard_bytes": 60_000}, {"settings": Settings(emit_ref_confidence="GVCF"), "shard_bytes": 99_000}],
)
def test_the_same_numbers_however_it_was_cut(demo_data, tmp_path, run, options):
    found, _ = counted(demo_data, tmp_path, **options)
    if "settings" in options:  # a GVCF has records of its own: of reads alone it says the same
        found, run = ([s["samples"][0]["depth"], s["bins"]] for s in (found, run[0]))
        assert found == run
    else:
        assert found == run[0]


def test_depth_is_that_of_the_reads_that_count(demo_data, run):
    depth = np.zeros(120_000, int)
    with pysam.AlignmentFile(demo_data.bam) as reads:
        for read in reads:
            if read.mapping_quality >= 20 and not read.flag & 0x704:
                depth[read.reference_start : read.reference_end] += 1
    targets = [(3_999, 24_000), (29_999, 34_000), (103_999, 110_000)]
    inside = np.concatenate([depth[a:b] for a, b in targets])
    found = run[0]["samples"][0]["depth"]
    assert run[0]["positions"] == len(inside)
    assert found["counts"] == np.bincount(inside).tolist()
    assert found["mean"] == pytest.approx(inside.mean(), abs=1e-4) and found["median"] == np.sort(inside)[(len(inside) - 1) // 2]
    assert found["at_least"]["20"] == pytest.approx((inside >= 20).mean(), abs=1e-4)
    assert sum(run[0]["bins"]["positions"]) == len(inside)
    weighted = sum(n * (mean or 0) for n, mean in zip(run[0]["bins"]["positions"], found["by_bin"]))
    assert weighted == pytest.approx(inside.sum(), rel=1e-4)


def test_records_are_those_of_the_vcf(run):
    statistics, path = run
    sample = statistics["samples"][0]
    substitutions, lengths, genotypes, qual = {}, {}, [0, 0, 0], {"passed": [], "filtered": []}
    with pysam.VariantFile(str(path)) as records:
        for record in records:
            passes = record.filter.keys() == ["PASS"]
            qual["passed" if passes else "filtered"].append(record.qual)
            carried = {allele for allele in record.samples[0]["GT"] if allele}
            if not passes:
                continue
            genotypes[1 if 0 in record.samples[0]["GT"] else 2 if len(carried) > 1 else 0] += 1
            for alt in (record.alleles[allele] for allele in carried if record.alleles[allele] != "*"):
                if len(alt) == len(record.ref):
                    for a, b in zip(record.ref, alt):
                        substitutions[f"{a}>{b}"] = substitutions.get(f"{a}>{b}", 0) + (a != b)
                else:
                    change = max(-MOST_INDEL_BP, min(MOST_INDEL_BP, len(alt) - len(record.ref)))
                    lengths[str(change)] = lengths.get(str(change), 0) + 1
    assert sum(genotypes) > 40 and lengths
    assert {name: n for name, n in sample["substitutions"].items() if n} == {name: n for name, n in substitutions.items() if n}
    assert sample["indel_lengths"] == lengths
    assert list(sample["genotypes"].values()) == genotypes
    for kind, values in qual.items():
        # A value on the border of two bins would be told apart by its rounding; there is none here.
        assert (
            statistics["qual"][kind]
            == np.bincount(np.searchsorted(QUAL_EDGES, values, side="right"), minlength=len(QUAL_EDGES) + 1).tolist()
        )
    transitions = sum(sample["substitutions"][name] for name in ("A>G", "C>T", "G>A", "T>C"))
    assert sample["ti_tv"] == pytest.approx(transitions / (sum(sample["substitutions"].values()) - transitions), abs=1e-4)


def test_samples_are_counted_apart(tmp_path):
    sequence = random_sequence(2_000, 3)
    reference = write_fasta(tmp_path / "r.fa", {"c": sequence})
    paths = []
    for name, step in (("one", 4), ("two", 12)):
        paths.append(write_bam(tmp_path / f"{name}.bam", reads_of(haplotype(sequence), step=step), {"c": sequence}, sample=name))
    report = tmp_path / "r.json"
    call_variants(reference, paths, str(tmp_path / "r.vcf"), report=str(report), device="cpu")
    one, two = json.loads(report.read_text())["statistics"]["samples"]
    assert (one["name"], two["name"]) == ("one", "two")
    assert one["depth"]["mean"] == pytest.approx(3 * two["depth"]["mean"], rel=0.05)
