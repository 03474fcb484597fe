"""Haplotypes get the CIGARs of the whole matrix, without the matrix."""

import numpy as np
import pytest
from builders import callable_kernel, codes, random_sequence
from golden_haplotypes import FULL, SUBSET, by_mnp_distance, cases_of, cigar_of, raw_batch, raw_haplotypes

from gpuvc.assembly import haplotypes
from gpuvc.assembly.haplotypes import align_haplotypes, make_alignment_workspace
from gpuvc.assembly.smith_waterman import INDEL, SOFTCLIP
from gpuvc.batches import RegionBatch
from gpuvc.settings import Settings

best_path, best_path_by_matrix, left_align = map(
    callable_kernel, (haplotypes.best_path, haplotypes.best_path_by_matrix, haplotypes.left_align)
)

FLANK = random_sequence(60, seed=8)
OTHER_FLANK = random_sequence(60, seed=9)


def check(cases):
    for mnp_distance, some in by_mnp_distance(cases):
        regions, raw, reference, _ = raw_batch(some)
        found = align_haplotypes(regions, raw, reference, 0, Settings(max_mnp_distance=mnp_distance))
        expected = [haplotype[1] for case in some for haplotype in case["haplotypes"]]
        assert [cigar_of(found, h) for h in range(found.n_haplotypes)] == expected
        assert found.is_ref.tolist() == raw.is_ref.tolist()


def test_the_golden_cigars():
    check(cases_of(SUBSET))


@pytest.mark.parametrize("name", ["cases", "w50", "w7", "trio", "sim", "exome", "tiny", "lambda", "mito", "forced"])
def test_all_golden_cigars(name):
    if not FULL.exists():
        pytest.skip("shared/golden is not beside this checkout")
    check(cases_of(FULL / f"{name}.jsonl.gz"))


def align_to(reference, *haplotypes):
    """HaplotypeBatch of one region whose padded span is `reference`; its own sequence comes first."""
    regions = RegionBatch(0, *np.array([[0], [len(reference)], [0], [len(reference)]], np.int32))
    raw = raw_haplotypes([reference, *haplotypes], [True] + [False] * len(haplotypes))
    return align_haplotypes(regions, raw, codes(reference), 0, Settings())


def test_an_indel_goes_as_far_left_as_it_can():
    found = align_to(FLANK + "CACACACA" + OTHER_FLANK, FLANK + "CACACA" + OTHER_FLANK, FLANK + "CACACACACA" + OTHER_FLANK)
    moved = 0
    while FLANK[59 - moved] == "CA"[1 - moved % 2]:
        moved += 1
    assert [cigar_of(found, h) for h in range(3)] == ["128M", f"{60 - moved}M2D{66 + moved}M", f"{60 - moved}M2I{68 + moved}M"]


def test_a_haplotype_that_ends_elsewhere_is_left_out():
    reference = FLANK + OTHER_FLANK
    found = align_to(reference, reference + random_sequence(400, seed=3), reference[:40] + "A" + reference[41:])
    assert found.n_haplotypes == 2
    assert found.is_ref.tolist() == [True, False]
    assert found.region_slots.tolist() == [0, 2]


def test_over_less_than_30_bases_only_the_reference_stays():
    assert align_to(FLANK[:29], FLANK[:10] + "ACGT" + FLANK[14:29]).n_haplotypes == 1
    assert align_to(FLANK[:30], FLANK[:10] + "ACGT" + FLANK[14:30]).n_haplotypes == 2


def test_unknown_bases_are_aligned_by_the_matrix():
    found = align_to("N" * 30 + FLANK + "N" * 30, "N" * 30 + FLANK[:20] + FLANK[23:] + "N" * 30)
    assert cigar_of(found, 0) == "120M"
    assert sum(int(op >> 4) for op in found.cigar[found.cigar_offsets[1] :] if op & 15 != 1) == 120


def left_aligned(ref, haplotype, path):
    operations = np.array([length << 4 | "MID".index(letter) for letter, length in path], np.uint32)
    out = np.empty(20, np.uint32)
    n = left_align(codes(ref), codes(haplotype), operations, len(path), out)
    return "".join(f"{op >> 4}{'MID'[op & 15]}" for op in out[:n].tolist())


@pytest.mark.parametrize(
    ("ref", "haplotype", "path", "expected"),
    [
        ("GATTTTC", "GATTTC", [("M", 5), ("D", 1), ("M", 1)], "2M1D4M"),
        ("TTTTC", "TTTC", [("M", 3), ("D", 1), ("M", 1)], "1D4M"),  # up to the very start, and kept there
        ("GATTTC", "GATTTTC", [("M", 5), ("I", 1), ("M", 1)], "2M1I4M"),
        ("GATCC", "GAGCC", [("M", 2), ("D", 1), ("I", 1), ("M", 2)], "2M1D1I2M"),
        ("GATCC", "GATCC", [("M", 2), ("D", 2), ("I", 2), ("M", 1)], "5M"),  # the two sides are the same
        ("GACTTCC", "GAGTTCC", [("M", 2), ("I", 3), ("D", 3), ("M", 2)], "2M1D1I4M"),  # freed of TT, deletion first
        ("GTTTTC", "GTTC", [("M", 2), ("D", 1), ("M", 1), ("D", 1), ("M", 1)], "1M2D3M"),  # one meets the other
    ],
)
def test_left_alignment(ref, haplotype, path, expected):
    assert left_aligned(ref, haplotype, path) == expected


def tandem_repeats(rng, n):
    parts = []
    while sum(map(len, parts)) < n:
        parts += [np.tile(rng.integers(0, 4, rng.integers(1, 7)), rng.integers(3, 14)), rng.integers(0, 4, rng.integers(1, 12))]
    return np.concatenate(parts)[:n].astype(np.uint8)


def edited(rng, ref, n_edits, longest):
    haplotype = ref.tolist()
    for _ in range(n_edits):
        at, length = int(rng.integers(len(haplotype))), int(rng.integers(1, longest))
        kind = rng.integers(4)
        if kind < 2:
            haplotype[at] = (haplotype[at] + int(rng.integers(1, 4))) % 4
        elif kind == 2:
            del haplotype[at : at + length]
        else:
            haplotype[at:at] = ref[at : at + length].tolist() if rng.random() < 0.5 else rng.integers(0, 4, length).tolist()
        haplotype = haplotype or [0]
    return np.array(haplotype, np.uint8)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("longest", [4, 12, 60, 250])
def test_the_short_cuts_are_the_matrix_on_tandem_repeats(longest, seed):
    rng = np.random.default_rng((longest, seed))
    proved = 0
    for _ in range(150):
        length = int(rng.integers(5, 280))
        ref = tandem_repeats(rng, length) if rng.random() < 0.7 else rng.integers(0, 4, length).astype(np.uint8)
        haplotype = edited(rng, ref, int(rng.integers(1, 10)), longest)
        rows, back, band_rows, padded_ref, padded, paths = make_alignment_workspace(np.array([ref.size]), np.array([0, haplotype.size]))
        n = best_path(ref, haplotype, back, band_rows, paths[0])
        if n < 0:
            continue
        proved += 1
        for overhang in (SOFTCLIP, INDEL):
            expected = best_path_by_matrix(ref, haplotype, overhang, rows, back, padded_ref, padded, paths[1])
            assert (n, paths[0, :n].tolist()) == (expected, paths[1, :expected].tolist()), (ref.tolist(), haplotype.tolist())
    assert proved > 75


def test_several_regions_in_any_grouping():
    cases = [case for case in cases_of(SUBSET) if case["mnp_distance"] == 0][:6]
    regions, raw, reference, _ = raw_batch(cases)
    whole = align_haplotypes(regions, raw, reference, 0, Settings())
    alone = []
    for case in cases:
        regions, raw, reference, _ = raw_batch([case])
        part = align_haplotypes(regions, raw, reference, 0, Settings())
        alone += [cigar_of(part, h) for h in range(part.n_haplotypes)]
    assert [cigar_of(whole, h) for h in range(whole.n_haplotypes)] == alone
