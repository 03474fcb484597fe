"""The events of haplotypes, as their CIGARs tell them."""

import numpy as np
import pytest
from builders import codes
from golden_haplotypes import FULL, SUBSET, by_mnp_distance, cases_of, event_of, events_of, raw_batch

from gpuvc.assembly.events import find_events
from gpuvc.assembly.haplotypes import align_haplotypes, with_events
from gpuvc.settings import Settings

REFERENCE = "GATTACAGGC"


def check(cases):
    for mnp_distance, some in by_mnp_distance(cases):
        regions, raw, reference, shifts = raw_batch(some)
        found = align_haplotypes(regions, raw, reference, 0, Settings(max_mnp_distance=mnp_distance))
        h = 0
        for case, shift in zip(some, shifts):
            for haplotype in case["haplotypes"]:
                assert events_of(found, h, reference, shift) == haplotype[3], (case["region"], haplotype[1])
                h += 1


def test_the_golden_events():
    check(cases_of(SUBSET))


@pytest.mark.parametrize("name", ["cases", "w50", "w7", "trio", "sim", "exome", "tiny", "lambda", "mito", "forced"])
def test_all_golden_events(name):
    if not FULL.exists():
        pytest.skip("shared/golden is not beside this checkout")
    check(cases_of(FULL / f"{name}.jsonl.gz"))


def batch_of(*haplotypes, reference=REFERENCE, start=2, mnp=0):
    """HaplotypeBatch of one region over reference[start:], of (bases, [(letter, length), ..])."""
    bases = [codes(text) for text, _ in haplotypes]
    operations = [[length << 4 | "MID".index(letter) for letter, length in path] for _, path in haplotypes]
    bounds = [np.array([x], np.int32) for x in (start, len(reference), start, len(reference))]
    return with_events(
        codes(reference), 0, *bounds, np.array([0, len(bases)], np.int64), np.concatenate(bases),
        np.cumsum([0, *map(len, bases)], dtype=np.int64), np.concatenate(operations).astype(np.uint32),
        np.cumsum([0, *map(len, operations)], dtype=np.int64), np.zeros(len(bases), bool), np.zeros(len(bases)), mnp,
    )  # fmt: skip


def events(bases, *path, **others):
    """The events of one haplotype: 0-based position, alleles."""
    found = batch_of((bases, path), **others)
    reference = codes(others.get("reference", REFERENCE))
    return [event_of(found, e, reference, 1) for e in range(len(found.event_pos))]


@pytest.mark.parametrize(
    ("bases", "path", "expected"),
    [
        ("TTACAGGC", [("M", 8)], []),
        ("TTGCAGGC", [("M", 8)], ["4:A>G"]),
        ("TTAGCAGGC", [("M", 3), ("I", 1), ("M", 5)], ["4:A>AG"]),
        ("TTAAGGC", [("M", 3), ("D", 1), ("M", 4)], ["4:AC>A"]),
        ("TTGCTCAGGC", [("M", 3), ("I", 2), ("M", 5)], ["4:A>GCT"]),  # SNP and insertion
        ("TTTAGGC", [("M", 3), ("D", 1), ("M", 4)], ["4:AC>T"]),  # SNP and deletion
        ("TTAGTAGGC", [("M", 3), ("I", 2), ("D", 1), ("M", 4)], ["4:AC>AGT"]),  # insertion and deletion
        ("TTAGCAGGC", [("M", 3), ("I", 2), ("D", 1), ("M", 4)], ["4:A>AG"]),  # freed of the shared C
        ("GTTACAGGC", [("I", 1), ("M", 8)], []),  # an insertion at an end is not complete
        ("TTACAGGCA", [("M", 8), ("I", 1)], []),
        ("TACAGGC", [("D", 1), ("M", 7)], ["1:AT>A"]),  # a deletion may be first or last
        ("TTACAGG", [("M", 7), ("D", 1)], ["8:GC>G"]),
        ("TTNCAGGC", [("M", 8)], []),
        ("TTANCAGGC", [("M", 3), ("I", 1), ("M", 5)], []),
        ("CTGCTGGC", [("M", 8)], ["2:T>C", "4:A>G", "6:A>T"]),
    ],
)
def test_events_of_one_haplotype(bases, path, expected):
    assert events(bases, *path) == expected


def test_unknown_reference_bases_make_no_event():
    assert events("TTGCAGGC", ("M", 8), reference="GATTNCAGGC") == []
    assert events("TTNAGGC", ("M", 3), ("D", 1), ("M", 4), reference="GATTNCAGGC") == []
    assert events("TTNGCAGGC", ("M", 3), ("I", 1), ("M", 5), reference="GATTNCAGGC") == []


def test_a_deletion_at_the_start_of_the_contig_has_no_anchor():
    assert events("ATTACAGGC", ("D", 1), ("M", 9), start=0) == []


@pytest.mark.parametrize(
    ("distance", "expected"),
    [(0, ["2:T>C", "3:T>C", "5:C>T"]), (1, ["2:TT>CC", "5:C>T"]), (2, ["2:TTAC>CCAT"])],
)
def test_mnps(distance, expected):
    assert events("CCATAGGC", ("M", 8), mnp=distance) == expected


def test_events_of_a_region_are_distinct_and_sorted():
    found = batch_of(
        ("TTGCAGGT", [("M", 8)]), ("TTAAGGC", [("M", 3), ("D", 1), ("M", 4)]), ("TTCCAGGC", [("M", 8)]), ("TTGCAGGC", [("M", 8)]),
        ("TTAGCAGGC", [("M", 3), ("I", 1), ("M", 5)]),
    )  # fmt: skip
    assert [event_of(found, e, codes(REFERENCE), 1) for e in range(5)] == ["4:A>AG", "4:A>C", "4:A>G", "4:AC>A", "9:C>T"]
    assert found.haplotype_events.tolist() == [2, 4, 3, 1, 2, 0]
    assert found.haplotype_event_offsets.tolist() == [0, 2, 3, 4, 5, 6]
    assert found.event_slots.tolist() == [0, 5]


def test_no_regions():
    nothing, no_offsets = np.zeros(0, np.uint8), np.zeros(1, np.int64)
    columns = find_events(codes("ACGT"), 0, np.zeros(0, np.int32), no_offsets, nothing, no_offsets, np.zeros(0, np.uint32), no_offsets, 0)
    assert [len(column) for column in columns] == [1, 0, 0, 0, 1, 0, 1]
