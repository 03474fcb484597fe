"""Forced alleles are put into the best haplotypes of a region."""

import re
from itertools import pairwise

import numpy as np
import pytest
from builders import codes, random_sequence
from golden_haplotypes import FULL, REPOSITORY, bases_of, cases_of, cigar_of, events_of, raw_batch, raw_haplotypes

from gpuvc.assembly.haplotypes import align_haplotypes
from gpuvc.assembly.injection import best_haplotypes, inject_alleles, place_on_haplotype, split_records
from gpuvc.assembly.trimming import trim_haplotypes
from gpuvc.batches import RegionBatch
from gpuvc.settings import Settings

SITES = REPOSITORY.parent / "shared" / "data" / "sim-hg001" / "1000G.phase3.sites.b37.chr20.1000001-2000000.vcf.gz"
SEQUENCE = random_sequence(400, seed=22)
SETTINGS = Settings()


def text_rows(haplotypes):
    return [[bases_of(haplotypes, h), cigar_of(haplotypes, h)] for h in range(haplotypes.n_haplotypes)]


def test_all_golden_forced_alleles():
    if not (FULL.exists() and SITES.exists()):
        pytest.skip("shared/golden or shared/data is not beside this checkout")
    import pysam

    with pysam.VariantFile(str(SITES)) as sites:
        records = [(record.pos - 1, record.ref, record.alts) for record in sites if record.pos < 1_030_000]
    for case in cases_of(FULL / "forced.jsonl.gz"):
        regions, raw, reference, (shift,) = raw_batch([case])
        forced = split_records([(pos + shift, ref, alts) for pos, ref, alts in records])
        aligned = align_haplotypes(regions, raw, reference, 0, SETTINGS)
        trimmed = trim_haplotypes(regions, aligned, reference, 0, SETTINGS, forced)
        assert text_rows(trimmed) == case["trimmed_haplotypes"], case["region"]
        expected = case.get("with_forced", case["trimmed_haplotypes"])
        assert text_rows(inject_alleles(regions, trimmed, forced, reference, 0, SETTINGS)) == expected, case["region"]


def alleles_of(table):
    alts = ["".join("ACGTN"[code] for code in table.alt[a:b]) for a, b in pairwise(table.alt_offsets.tolist())]
    return list(zip(table.pos.tolist(), table.ref_length.tolist(), alts, table.is_symbolic.tolist()))


class TestSplitRecords:
    """Reference: GATTACACACAGT."""

    @pytest.mark.parametrize(
        "record, expected",
        [
            ((1, "A", ["C", "*", "A", "G"]), [(1, 1, "C", False), (1, 1, "G", False)]),
            ((4, "ACAC", ["ACTC"]), [(6, 1, "T", False)]),
            ((4, "ACA", ["TCT"]), [(4, 1, "T", False), (6, 1, "T", False)]),
            ((8, "ACA", ["A"]), [(3, 3, "T", False)]),  # moves left through the repeat
            ((10, "A", ["ACA"]), [(3, 1, "TAC", False)]),
            ((3, "TA", ["GG"]), [(3, 1, "G", False), (4, 1, "G", False)]),
            ((1, "A", ["<DEL>"]), [(1, 1, "", True)]),
        ],
    )
    def test_alleles_are_the_events_of_haplotypes(self, record, expected):
        assert alleles_of(split_records([record], codes("GATTACACACAGT"))) == expected

    def test_substitutions_within_the_distance_of_an_mnp_are_one(self):
        reference = codes("GATTACACACAGT")
        assert alleles_of(split_records([(4, "ACA", ["TCT"])], reference, 0, 2)) == [(4, 3, "TCT", False)]
        assert alleles_of(split_records([(4, "ACA", ["TCT"])], reference, 0, 1)) == [(4, 1, "T", False), (6, 1, "T", False)]

    def test_as_gatk_only_last_bases_go(self):
        records = [(8, "ACA", ["A"]), (4, "ACAC", ["ACTC"]), (4, "ACA", ["TCT"]), (4, "A", ["C", "T"])]
        expected = [(4, 3, "ACT", False), (4, 3, "TCT", False), (4, 1, "C", False), (4, 1, "T", False), (8, 3, "A", False)]
        assert alleles_of(split_records(records, as_gatk=True)) == expected


def other(at):
    return "ACGT"["ACGT".index(SEQUENCE[at]) - 1]


def snp(at):
    return SEQUENCE[:at] + other(at) + SEQUENCE[at + 1 :]


def inject(records, *haplotypes, scores=(), region=(150, 250)):
    """What becomes of one region over SEQUENCE."""
    regions = RegionBatch(0, *np.array([(*region, 0, 400)], np.int32).T.copy())
    raw = raw_haplotypes([SEQUENCE, *haplotypes], [True] + [False] * len(haplotypes))
    raw.score[1:] = scores
    forced, reference = split_records(records), codes(SEQUENCE)
    trimmed = trim_haplotypes(regions, align_haplotypes(regions, raw, reference, 0, SETTINGS), reference, 0, SETTINGS, forced)
    return trimmed, inject_alleles(regions, trimmed, forced, reference, 0, SETTINGS)


def test_an_allele_goes_into_every_base_that_it_does_not_touch():
    before, after = inject([(210, SEQUENCE[210], [other(210)])], snp(200), snp(210)[:211] + other(211) + SEQUENCE[212:], scores=(-1, -2))
    reference = codes(SEQUENCE)
    assert after.n_haplotypes == before.n_haplotypes  # the allele is an event of the second haplotype already
    before, after = inject([(205, SEQUENCE[205], [other(205)])], snp(200), scores=(-1,))
    rows = range(before.n_haplotypes, after.n_haplotypes)
    assert {tuple(events_of(after, h, reference, 0)) for h in rows} == {
        (f"206:{SEQUENCE[205]}>{other(205)}",), (f"201:{SEQUENCE[200]}>{other(200)}", f"206:{SEQUENCE[205]}>{other(205)}"),
    }  # fmt: skip
    assert np.isnan(after.score[rows]).all() and not after.is_ref[rows].any()


def test_symbolic_alleles_and_those_before_the_region_are_not_put_in():
    before, after = inject([(205, SEQUENCE[205], ["<DEL>"]), (140, SEQUENCE[140], [other(140)])], snp(200), scores=(-1,))
    assert after is before


def test_an_allele_that_overlaps_an_event_stays_out_of_that_haplotype():
    before, after = inject([(198, SEQUENCE[198:203], [SEQUENCE[198]])], snp(200), scores=(-1,))
    assert after.n_haplotypes == before.n_haplotypes + 1  # the reference only


def test_five_bases_at_most():
    some = [snp(at) for at in range(190, 200)]
    before, after = inject([(220, SEQUENCE[220], [other(220)])], *some, scores=[-float(k) for k in range(10)])
    assert after.n_haplotypes == before.n_haplotypes + 5


def test_the_reference_then_the_best_scores_are_bases():
    best = np.empty(5, np.int64)
    is_ref = np.array([False, False, False, True, False, False, False, False])
    score = np.array([-3.0, -1.0, -1.0, np.nan, -0.5, -9.0, -2.0, -8.0])
    assert best_haplotypes(0, 8, is_ref, score, best) == 5
    assert best.tolist() == [3, 4, 1, 2, 6]
    assert best_haplotypes(2, 4, is_ref, score, best) == 2
    assert best[:2].tolist() == [3, 2]


@pytest.mark.parametrize(
    ("path", "offset", "ref_length", "alt_length", "expected"),
    [
        ("10M", 4, 1, 1, (4, 1, 0)),
        ("10M", 8, 1, 1, (8, 1, 0)),
        ("10M", 9, 1, 1, (-1, 0, 0)),  # nothing follows
        ("10M", 7, 3, 1, (-1, 0, 0)),
        ("3M2D7M", 3, 1, 1, (-1, 0, 0)),  # inside a deletion
        ("3M2D7M", 5, 1, 1, (3, 1, 0)),
        ("3M2I5M", 4, 1, 1, (6, 1, 0)),
        ("10M", -1, 3, 1, (0, 2, 1)),  # a deletion of the haplotype's first bases
        ("10M", -1, 1, 3, (-1, 0, 0)),
        ("10M", 12, 1, 1, (-1, 0, 0)),
    ],
)
def test_the_place_of_an_allele(path, offset, ref_length, alt_length, expected):
    operations = [(int(length), letter) for length, letter in re.findall(r"(\d+)(\w)", path)]
    cigar = np.array([length << 4 | "MID".index(letter) for length, letter in operations], np.uint32)
    assert place_on_haplotype(cigar, 10, offset, ref_length, alt_length) == expected


def test_records_are_split_and_minimal():
    table = split_records([(10, "CAA", ["CA", "C", "CAAA", "TAA"]), (5, "G", ["*", "<DEL>", "T"]), (3, "ACGT", ["ACTT"]), (5, "G", ["T"])])
    alts = [table.alt[first:end].tolist() for first, end in zip(table.alt_offsets, table.alt_offsets[1:])]
    rows = list(zip(table.pos.tolist(), table.ref_length.tolist(), alts, table.is_symbolic.tolist()))
    assert rows == [
        (5, 1, [], True), (5, 1, [3], False), (10, 2, [1], False), (10, 3, [1], False), (10, 1, [1, 0], False), (10, 1, [3], False),
    ]  # fmt: skip
