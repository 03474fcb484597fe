"""What a region's reads are assembled to, in made-up regions small enough to say what must come out."""

import random
from dataclasses import replace

import numpy as np
import pytest
from builders import codes
from golden_assembly import bases_of, pack_cigar

from gpuvc.assembly.assemble import ASSEMBLED, CYCLE, NOT_TRIED, REFERENCE_REPEATS, REFERENCE_TOO_SHORT, TOO_SIMPLE, assemble
from gpuvc.batches import RegionBatch, RegionReads
from gpuvc.settings import Settings

SEED = 20
REF = "".join(random.Random(SEED).choices("ACGT", k=200))
SNV = REF[:100] + {"A": "C", "C": "G", "G": "T", "T": "A"}[REF[100]] + REF[101:]
SETTINGS = Settings(concordance="hc")  # every region by graphs


def assembled(regions, settings=SETTINGS, pos=None):
    """RawHaplotypes of (reference, reads) regions laid end to end; a read is bases, or (bases, quals, CIGAR, sample).

    pos : where the reads are aligned, one for each; they begin with their region without it.
    """
    reads, slots, starts = [], [0], [1000]
    for ref, of_region in regions:
        reads += [read if isinstance(read, tuple) else (read, [30] * len(read), f"{len(read)}M", 0) for read in of_region]
        slots.append(len(reads))
        starts.append(starts[-1] + len(ref))
    cigars = [pack_cigar(read[2]) for read in reads]
    starts = np.array(starts, np.int32)
    n = len(reads)
    pos = np.repeat(starts[:-1], np.diff(slots)) if pos is None else np.array(pos, np.int32)
    batch = RegionBatch(0, starts[:-1] + 50, starts[1:] - 50, starts[:-1], starts[1:])
    region_reads = RegionReads(
        region_slots=np.array(slots, np.int64), read=np.arange(n, dtype=np.int32), sample=np.array([read[3] for read in reads], np.int16),
        pos=pos, end=np.zeros(n, np.int32), cigar=np.array([op for cigar in cigars for op in cigar], np.uint32),
        cigar_offsets=np.cumsum([0] + [len(cigar) for cigar in cigars], dtype=np.int64), bases=codes("".join(read[0] for read in reads)),
        base_quals=np.array([q for read in reads for q in read[1]], np.uint8),
        base_offsets=np.cumsum([0] + [len(read[0]) for read in reads], dtype=np.int64),
    )  # fmt: skip
    return assemble(batch, region_reads, codes("".join(ref for ref, _ in regions)), 1000, settings)


def haplotypes(raw, g=0):
    """{bases: score} of region g."""
    rows = range(raw.region_slots[g], raw.region_slots[g + 1])
    return {bases_of(raw.bases[raw.base_offsets[h] : raw.base_offsets[h + 1]]): raw.score[h] for h in rows}


def test_a_region_without_reads_has_the_reference_alone():
    raw = assembled([(REF, [])])
    assert list(haplotypes(raw)) == [REF]
    assert raw.is_ref.tolist() == [True]
    assert np.isnan(raw.score[0])
    assert raw.outcome[0].tolist() == [ASSEMBLED] * 2 + [NOT_TRIED] * 6


def test_a_het_variant_scores_its_share_of_the_reads():
    found = haplotypes(assembled([(REF, [REF] * 5 + [SNV] * 6)]))
    assert found.keys() == {REF, SNV}
    assert found[SNV] == pytest.approx(np.log10(6 / 12), abs=1e-15)  # the reference counts as a read


def test_what_one_read_shows_is_pruned():
    assert list(haplotypes(assembled([(REF, [REF] * 5 + [SNV])]))) == [REF]
    assert SNV in haplotypes(assembled([(REF, [REF] * 5 + [SNV])], replace(SETTINGS, min_pruning=1)))


def test_two_samples_with_a_read_each_do_not_add_up_in_pruning():
    reads = [(SNV, [30] * 200, "200M", sample) for sample in (0, 1)]
    assert list(haplotypes(assembled([(REF, reads)]))) == [REF]
    assert SNV in haplotypes(assembled([(REF, [reads[0], reads[0]])]))


@pytest.mark.parametrize("qual", [9, 10])
def test_bases_below_the_quality_take_no_part(qual):
    quals = [30] * 200
    quals[100] = qual
    found = haplotypes(assembled([(REF, [(SNV, quals, "200M", 0)] * 4)]))
    assert (SNV in found) == (qual == 10)


def test_soft_clips_take_no_part():
    clipped = [(SNV, [30] * 200, "90M110S", 0), (SNV, [30] * 200, "5H120S80M", 0)]
    assert list(haplotypes(assembled([(REF, clipped * 3)]))) == [REF]


def test_a_tail_that_reads_leave_unfinished_is_joined():
    found = haplotypes(assembled([(REF, [SNV[:106]] * 4)]))
    assert SNV in found


def test_a_head_that_reads_begin_in_is_joined():
    assert SNV in haplotypes(assembled([(REF, [SNV[95:]] * 4)]))


def test_a_reference_shorter_than_k_ends_the_ladder():
    raw = assembled([(REF[:20], [])])
    assert raw.outcome[0].tolist() == [ASSEMBLED, REFERENCE_TOO_SHORT] + [NOT_TRIED] * 6


def test_a_repeated_reference_climbs_the_ladder():
    repeat = REF[:30]
    raw = assembled([(REF + repeat + "ACGT" + REF[30:60], []), (REF, [])])
    assert raw.tried_kmer_size[0].tolist() == [10, 25, 35, 0, 0, 0, 0, 0]
    assert raw.outcome[0].tolist() == [REFERENCE_REPEATS, REFERENCE_REPEATS, ASSEMBLED] + [NOT_TRIED] * 5
    assert raw.outcome[1].tolist() == [ASSEMBLED, ASSEMBLED] + [NOT_TRIED] * 6  # what the last region repeats is forgotten


def test_a_cycle_rejects_a_size():
    back = REF[120:160] + REF[40:80]  # leads back for k up to 40; longer k-mers of it are not the reference's
    raw = assembled([(REF, [back] * 4)])
    assert raw.tried_kmer_size[0].tolist() == [10, 25, 35, 45, 0, 0, 0, 0]
    assert raw.outcome[0].tolist() == [CYCLE, CYCLE, CYCLE, ASSEMBLED] + [NOT_TRIED] * 4


def test_a_read_full_of_repeats_rejects_a_size():
    raw = assembled([(REF, [REF[:100] + REF[40:160]] * 2)])
    assert raw.outcome[0, :2].tolist() == [TOO_SIMPLE, ASSEMBLED]


def test_a_graph_larger_than_the_first_workspace_comes_out_whole():
    noise = random.Random(SEED)
    reads = ["".join(noise.choices("ACGT", k=150)) for _ in range(200)]
    assert haplotypes(assembled([(REF, [*reads, SNV, SNV])])).keys() == {REF, SNV}


def test_more_haplotypes_than_the_first_output_holds():
    sites = list(range(30, 180, 30))
    variants = []
    for subset in range(2 ** len(sites)):
        bases = list(REF)
        for i, site in enumerate(sites):
            if subset >> i & 1:
                bases[site] = SNV[100] if bases[site] != SNV[100] else REF[100]
        variants.append("".join(bases))
    raw = assembled([(REF, variants * 2)] * 40)
    for g in range(40):
        assert haplotypes(raw, g).keys() == set(variants)


def test_regions_do_not_depend_on_their_neighbours():
    regions = [(REF, [SNV] * 3), (SNV, [REF] * 3), (REF[:20], []), (REF, [SNV[:112]] * 4), (REF, [REF] * 9 + [SNV] * 4)]
    together = assembled(regions)
    for g, region in enumerate(regions):
        alone = assembled([region])
        assert str(haplotypes(together, g)) == str(haplotypes(alone))
        assert together.outcome[g].tolist() == alone.outcome[0].tolist()


def noisy_reads(rng, ref, n):
    """(reads, where each is aligned): pieces of the reference and of a haplotype with an SNV and a deletion, with errors and repeats."""
    reads, pos = [], []
    for _ in range(n):
        start = rng.randrange(0, len(ref) - 40)
        length = rng.randrange(30, 120)
        bases, cigar = ref[start : start + length], ""
        if rng.random() < 0.5 and start + 20 < 100 < start + length - 20:
            at = 100 - start
            bases, cigar = bases[: at - 3] + "G" + bases[at - 2 : at] + bases[at + 4 :], f"{at}M4D{len(bases) - at - 4}M"
        if rng.random() < 0.1:
            bases, cigar = bases + bases[-30:], ""
        quals = [rng.choice((2, 30, 30, 30, 30, 30, 30, 30, 30, 30)) for _ in bases]
        if rng.random() < 0.5:
            quals = [30] * len(bases)
        bases = "".join(rng.choice("ACGTN") if rng.random() < 0.02 else base for base in bases)
        reads.append((bases, quals, cigar or f"{len(bases)}M", rng.randrange(2)))
        pos.append(1000 + start)
    return reads, pos


@pytest.mark.parametrize("allow_repeats", [False, True])
def test_graphs_do_not_depend_on_where_reads_are_aligned(allow_repeats):
    """Bases known to be the reference's are not looked up and walked one by one; what comes out is the same."""
    rng = random.Random(SEED)
    settings = replace(SETTINGS, allow_non_unique_kmers_in_ref=allow_repeats, min_pruning=1, kmer_sizes=(7, 10, 25))
    n_haplotypes = 0
    for i in range(40):
        ref = "".join(rng.choices("ACGT", k=200))
        if i % 3 == 0:
            ref = ref[:150] + ref[60 : 60 + i] + ref[150:]
        reads, pos = noisy_reads(rng, ref, 30)
        known = assembled([(ref, reads)], settings, pos)
        unknown = assembled([(ref, reads)], settings, [10**6] * len(reads))
        assert str(haplotypes(known)) == str(haplotypes(unknown)), i
        assert known.outcome.tolist() == unknown.outcome.tolist(), i
        n_haplotypes += known.n_haplotypes
    assert n_haplotypes > 200
