"""Regions whose haplotypes the reads give without a graph, and those that are left to the graphs."""

import random
from dataclasses import replace

import numpy as np
import pytest
from builders import codes
from golden_assembly import bases_of, region_of_reads

from gpuvc.assembly.assemble import ASSEMBLED, NOT_TRIED, assemble
from gpuvc.settings import Settings

SEED = 21
REF = "".join(random.Random(SEED).choices("ACGT", k=200))
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}
SETTINGS = Settings(concordance="none")


def with_snvs(*sites, ref=REF):
    """The reference with another base at each site."""
    return "".join(OTHER[base] if t in sites else base for t, base in enumerate(ref))


def assembled(reads, ref=REF, settings=SETTINGS, n_samples=1):
    """RawHaplotypes of one region; a read is bases, or (bases, CIGAR, first reference base, quality)."""
    regions, region_reads = region_of_reads(reads, ref)
    return assemble(regions, region_reads, codes(ref), 1000, settings, n_samples)


def haplotypes(raw):
    return [bases_of(raw.bases[raw.base_offsets[h] : raw.base_offsets[h + 1]]) for h in range(raw.n_haplotypes)]


def is_direct(raw):
    return raw.outcome[0, 0] == NOT_TRIED


def test_a_plain_snv_needs_no_graph():
    raw = assembled([REF] * 5 + [with_snvs(100)] * 6)
    assert is_direct(raw)
    assert haplotypes(raw) == [REF, with_snvs(100)]
    assert raw.score[1] == pytest.approx(np.log10(6.5 / 12), abs=1e-15)
    assert raw.kmer_size.tolist() == [0, 0]


@pytest.mark.parametrize("settings", [Settings(concordance="hc"), replace(SETTINGS, adaptive_pruning=True)])
def test_concordance_and_adaptive_pruning_take_the_graphs(settings):
    assert assembled([REF] * 5 + [with_snvs(100)] * 6, settings=settings).outcome[0, 0] == ASSEMBLED


def test_what_one_read_shows_is_an_error():
    assert haplotypes(assembled([REF] * 5 + [with_snvs(100)])) == [REF]


def test_bases_below_the_quality_take_no_part():
    assert haplotypes(assembled([REF] * 5 + [(with_snvs(100), "200M", 0, 9)] * 4)) == [REF]


def test_crowds_at_different_places_are_errors():
    raw = assembled([REF] * 4 + [with_snvs(30, 33, 36, 39), with_snvs(160, 163, 166, 169)])
    assert is_direct(raw)
    assert haplotypes(raw) == [REF]


FEW = [with_snvs(100)] * 2, [(REF[:100] + REF[103:], "100M3D97M", 0, 30)] * 2


@pytest.mark.parametrize("few", FEW, ids=["SNV", "deletion"])
def test_what_few_of_many_reads_show_is_an_error(few):
    """Of a chromosome copy's share, not of all reads: two of 60 are too few for one copy of two, and enough for one of four."""
    assert haplotypes(assembled([REF] * 58 + few)) == [REF]
    for copies in ({"settings": replace(SETTINGS, sample_ploidy=4)}, {"n_samples": 2}):
        raw = assembled([REF] * 58 + few, **copies)
        assert is_direct(raw)
        assert raw.n_haplotypes == 2


@pytest.mark.parametrize(
    ("hidden", "n"),
    [([with_snvs(30, 33, 36, 39), with_snvs(31, 34, 37, 40)], 60), ([with_snvs(100)[:110]] * 6, 70)],
    ids=["crowds", "read ends alone"],
)
def test_what_few_reads_hide_needs_no_graph(hidden, n):
    assert not is_direct(assembled([REF] * 4 + hidden))
    raw = assembled([REF] * n + hidden)
    assert is_direct(raw)
    assert haplotypes(raw) == [REF]


@pytest.mark.parametrize("site", [3, 196])
def test_a_cut_at_the_bounds_of_the_region_is_no_read_end(site):
    raw = assembled([REF] * 4 + [with_snvs(site)] * 4)
    assert is_direct(raw)
    assert haplotypes(raw) == [REF, with_snvs(site)]


def test_reads_phase_neighbours():
    raw = assembled([with_snvs(60)] * 6 + [with_snvs(120)] * 6)
    assert is_direct(raw)
    assert set(haplotypes(raw)) == {REF, with_snvs(60), with_snvs(120)}


def test_neighbours_that_no_read_joins_go_in_all_pairs():
    left, right = with_snvs(40)[:90], with_snvs(160)[110:]
    raw = assembled([(left, "90M", 0, 30)] * 4 + [(right, "90M", 110, 30)] * 4)
    assert is_direct(raw)
    assert set(haplotypes(raw)) == {REF, with_snvs(40), with_snvs(160), with_snvs(40, 160)}


def test_an_indel_is_the_same_wherever_the_aligner_put_it():
    ref = REF[:100] + "GATATATATC" + REF[110:]
    alt = ref[:101] + ref[103:]
    reads = [(alt, "101M2D97M", 0, 30), (alt, "105M2D93M", 0, 30)]
    raw = assembled([ref] * 4 + reads, ref)
    assert is_direct(raw)
    assert haplotypes(raw) == [ref, alt]


def test_an_insertion_is_turned_as_it_moves():
    ref = REF[:100] + "GATATATATC" + REF[110:]
    alt = ref[:101] + "AT" + ref[101:]
    raw = assembled([ref] * 4 + [(alt, "101M2I99M", 0, 30), (alt, "102M2I98M", 0, 30), (alt, "107M2I93M", 0, 30)], ref)
    assert is_direct(raw)
    assert haplotypes(raw) == [ref, alt]


def unclipped(alt, n_shown):
    """Reads that run into `alt` and show n_shown bases of what is not the reference, aligned without a gap."""
    return [(alt[20:stop], f"{stop - 20}M", 20, 30) for stop in (100 + n_shown, 101 + n_shown)]


@pytest.mark.parametrize(
    "reads",
    [
        [with_snvs(100, 109)] * 4,
        [(REF[:100] + REF[103:], "100M3D97M", 0, 30), (with_snvs(100)[:104], "104M", 0, 30)],
        [with_snvs(100)[:110]] * 4,
        unclipped(REF[:100] + REF[150:], 20),
        [with_snvs(30, 33, 36, 39), with_snvs(31, 34, 37, 40)],
        [with_snvs(*range(20, 190, 13))] * 4,
        [(REF[:100] + OTHER[REF[100]] + REF[100:] + "", "100M1I100M", 0, 30), with_snvs(110), with_snvs(110)],
    ],
    ids=["close SNVs", "lone indel beside a mismatch", "read ends alone", "a long deletion", "crowds", "many", "an SNV beside an indel"],
)
def test_messy_regions_are_left_to_the_graphs(reads):
    assert not is_direct(assembled([REF] * 4 + reads))


def test_n_in_the_reference_is_left_to_the_graphs():
    assert not is_direct(assembled([REF], REF[:50] + "N" + REF[51:]))


def test_a_long_deletion_that_only_read_ends_show_is_found():
    alt = REF[:90] + REF[140:]
    reads = [(alt[start : start + 80], "80M", start, 30) for start in range(0, 70, 3)]
    assert alt in haplotypes(assembled([REF] * 4 + reads))


@pytest.mark.parametrize(("n", "sizes"), [(8, [10, 25]), (24, [25, 0])])
def test_many_reads_need_one_graph(n, sizes):
    raw = assembled([REF] * n + [with_snvs(100, 105)] * n)
    assert raw.tried_kmer_size[0, :2].tolist() == sizes
    assert haplotypes(raw) == [REF, with_snvs(100, 105)]
