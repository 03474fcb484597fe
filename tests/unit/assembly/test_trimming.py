"""Regions are cut to their variants; haplotypes to the regions."""

import numpy as np
import pytest
from builders import callable_kernel, codes, random_sequence
from golden_haplotypes import FULL, SUBSET, bases_of, by_mnp_distance, cases_of, cigar_of, raw_batch, raw_haplotypes

from gpuvc.assembly import trimming
from gpuvc.assembly.haplotypes import align_haplotypes
from gpuvc.assembly.injection import split_records
from gpuvc.assembly.trimming import trim_haplotypes
from gpuvc.batches import RegionBatch
from gpuvc.settings import Settings

SEQUENCE = random_sequence(400, seed=21)


def check(cases):
    for mnp_distance, some in by_mnp_distance(cases):
        regions, raw, reference, shifts = raw_batch(some)
        settings = Settings(max_mnp_distance=mnp_distance)
        found = trim_haplotypes(regions, align_haplotypes(regions, raw, reference, 0, settings), reference, 0, settings)
        for g, (case, shift) in enumerate(zip(some, shifts)):
            slots = range(found.region_slots[g], found.region_slots[g + 1])
            if case["trimmed"] is None:
                assert (len(slots), found.start[g], found.variant_start[g]) == (0, found.end[g], found.variant_end[g])
                continue
            assert [found.start[g] - shift + 1, found.end[g] - shift] == case["trimmed"]
            assert [[bases_of(found, h), cigar_of(found, h)] for h in slots] == case["trimmed_haplotypes"]
            assert sum(found.is_ref[h] for h in slots) == 1
            assert [np.isnan(found.score[h]) for h in slots] == [found.is_ref[h] for h in slots]


def test_the_golden_spans_and_haplotypes():
    check(cases_of(SUBSET))


@pytest.mark.parametrize("name", ["cases", "w50", "w7", "trio", "sim", "exome", "tiny", "lambda", "mito"])
def test_all_golden_spans_and_haplotypes(name):
    if not FULL.exists():
        pytest.skip("shared/golden is not beside this checkout")
    check(cases_of(FULL / f"{name}.jsonl.gz"))


def changed(at, text, dropped=1):
    return SEQUENCE[:at] + text + SEQUENCE[at + dropped :]


def other(at):
    return "ACGT"["ACGT".index(SEQUENCE[at]) - 1]


def trim(*haplotypes, region=(150, 250), padded=(50, 350), forced=None, **settings):
    settings = Settings(**settings)
    regions = RegionBatch(0, *np.array([region + padded], np.int32).T.copy())
    cut = [SEQUENCE[slice(*padded)], *(h[padded[0] : len(h) - (len(SEQUENCE) - padded[1])] for h in haplotypes)]
    raw = raw_haplotypes(cut, [True] + [False] * len(haplotypes))
    reference = codes(SEQUENCE)
    return trim_haplotypes(regions, align_haplotypes(regions, raw, reference, 0, settings), reference, 0, settings, forced)


def spans_of(found):
    return tuple(int(x[0]) for x in (found.start, found.end, found.variant_start, found.variant_end))


def test_a_snp_keeps_20_bases_on_both_sides():
    found = trim(changed(200, other(200)))
    assert spans_of(found) == (180, 221, 200, 201)
    assert [bases_of(found, h)[20] for h in (0, 1)] == sorted((SEQUENCE[200], other(200)))
    assert len(found.event_pos) == 1 and found.event_pos[0] == 200


def test_an_indel_keeps_75_bases_within_what_was_assembled():
    start, end, first, last = spans_of(trim(changed(200, SEQUENCE[200] + "ACGTTGCATT")))
    assert (start, end, last - first) == (first - 75, last + 75, 1)
    start, end, *_ = spans_of(trim(changed(160, SEQUENCE[160] + "ACGTTGCATT"), padded=(100, 230)))
    assert (start, end) == (100, 230)


def test_events_beside_the_region_do_not_count():
    found = trim(changed(140, other(140)))
    assert spans_of(found) == (150, 150, 150, 150)
    assert found.n_haplotypes == 0


def test_variants_are_called_within_the_region_only():
    deletion = changed(146, SEQUENCE[146], dropped=10)
    start, _, first, last = spans_of(trim(deletion, changed(240, other(240))))
    assert (first, last) == (150, 241)
    assert start < 146 - 70


def test_equal_haplotypes_merge_into_the_reference():
    found = trim(changed(200, other(200)), changed(60, other(60)))
    assert found.n_haplotypes == 2
    assert sorted(found.is_ref.tolist()) == [False, True]


def test_a_haplotype_that_would_begin_inside_a_deletion_is_dropped():
    snp, deletion = changed(200, other(200)), changed(175, SEQUENCE[175], dropped=12)
    both = deletion[:189] + other(200) + deletion[190:]
    kept = trim(snp, both, region=(195, 250), padded=(100, 350))
    assert spans_of(kept)[:2] == (180, 221)
    assert kept.n_haplotypes == 2


def test_an_insertion_at_the_cut_is_left_out():
    snp = changed(200, other(200))
    inserted = snp[:180] + "GGGGGG" + snp[180:]
    found = trim(snp, inserted, region=(195, 250))
    assert (spans_of(found)[:2], found.n_haplotypes) == ((180, 221), 2)
    assert cigar_of(found, 1) == "41M"


def test_forced_alleles_count_as_events():
    assert spans_of(trim(forced=split_records([(200, SEQUENCE[200], [other(200)])]))) == (180, 221, 200, 201)
    assert spans_of(trim(forced=split_records([(140, SEQUENCE[140], [other(140)])]))) == (150, 150, 150, 150)
    assert spans_of(trim(forced=split_records([(200, SEQUENCE[200], ["<DEL>"])]))) == (180, 221, 200, 201)


@pytest.mark.parametrize(
    ("ref_tail", "alt_tail", "context", "expected"),
    [
        ("", "CA", "CACACAGG", 8),  # three copies, and a fourth
        ("CA", "", "CACACAGG", 6),  # the reference has three copies
        ("A", "", "ATTT", 0),  # no copy is left
        ("", "G", "CACA", 0),
        ("", "CACA", "CACAGG", 8),  # the unit is CA, not CACA
        ("", "CAC", "CACCACG", 9),
    ],
)
def test_the_repeat_that_an_indel_changes(ref_tail, alt_tail, context, expected):
    assert callable_kernel(trimming.longest_repeat)(codes(ref_tail), codes(alt_tail), codes(context)) == expected
