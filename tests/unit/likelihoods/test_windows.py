"""Which windows reads are scored against: by hand, and against haplotypes spelt from their events."""

from itertools import pairwise

import numpy as np
import pytest
from hmm_cases import codes, slots

from gpuvc.backends.cpu import CpuBackend
from gpuvc.batches import HaplotypeBatch, ReadBatch, RegionReads
from gpuvc.kernels.codes import CIGAR_D, CIGAR_I, CIGAR_M
from gpuvc.likelihoods.pairhmm import score_haplotypes
from gpuvc.likelihoods.windows import REACH_BP, cut_windows, whole_haplotypes
from gpuvc.settings import Settings

START = 1000  # of every region on the reference


def spell(ref, events, first, end):
    """ref[first:end] with the events (offset, reference bases, alternate) in it."""
    text, at = "", first
    for pos, length, alt in events:
        if first <= pos < end:
            text += ref[at:pos] + alt
            at = pos + length
    return text + ref[at:end]


def cigar_of(ref, events):
    operations = []

    def put(operation, length):
        if length and operations and operations[-1] & 15 == operation:
            operations[-1] += length << 4
        elif length:
            operations.append(length << 4 | operation)

    at = 0
    for pos, length, alt in events:
        shared = min(length, len(alt))
        put(CIGAR_M, pos - at + shared)
        put(CIGAR_I, len(alt) - shared)
        put(CIGAR_D, length - shared)
        at = pos + length
    put(CIGAR_M, len(ref) - at)
    return operations


def batches(regions):
    """HaplotypeBatch of regions given as (ref, events, haplotypes as lists of indices of events)."""
    batch = HaplotypeBatch(**dict.fromkeys(HaplotypeBatch.__slots__))
    spelt = [(ref, [events[e] for e in own]) for ref, events, haplotypes in regions for own in haplotypes]
    texts = [spell(ref, own, 0, len(ref)) for ref, own in spelt]
    cigars = [cigar_of(ref, own) for ref, own in spelt]
    batch.region_slots = slots([len(haplotypes) for _, _, haplotypes in regions])
    batch.bases, batch.base_offsets = codes("".join(texts)), slots([len(text) for text in texts])
    batch.cigar, batch.cigar_offsets = np.array([op for ops in cigars for op in ops], np.uint32), slots([len(ops) for ops in cigars])
    batch.start = np.full(len(regions), START, np.int32)
    batch.end = np.array([START + len(ref) for ref, _, _ in regions], np.int32)
    flat = [event for _, events, _ in regions for event in events]
    batch.event_slots = slots([len(events) for _, events, _ in regions])
    batch.event_pos = np.array([START + event[0] for event in flat], np.int32)
    batch.event_ref_length = np.array([event[1] for event in flat], np.int32)
    return batch


def reads_of(regions):
    """RegionReads of (offset on the reference, bases, reference bases covered) by region; every base has quality 30."""
    flat = [read for reads in regions for read in reads]
    rows = RegionReads(**dict.fromkeys(RegionReads.__slots__))
    rows.region_slots, rows.read = slots([len(reads) for reads in regions]), np.zeros(len(flat), np.int32)
    rows.pos = np.array([START + read[0] for read in flat], np.int32)
    rows.end = np.array([START + read[0] + read[2] for read in flat], np.int32)
    rows.bases, rows.base_offsets = codes("".join(read[1] for read in flat)), slots([len(read[1]) for read in flat])
    rows.base_quals = np.full(len(rows.bases), 30, np.uint8)
    return rows


def texts_of(windows):
    """By group, the window of each haplotype as text."""
    text = "".join("ACGTN"[code] for code in windows.bases)
    all_windows = [text[a:b] for a, b in pairwise(windows.base_offsets.tolist())]
    groups = []
    for k, (first, end) in enumerate(pairwise(windows.haplotype_slots.tolist())):
        own = all_windows[windows.slots[k] : windows.slots[k + 1]]
        assert len(set(own)) == len(own)
        groups.append([own[w] for w in windows.window[first:end].tolist()])
    return groups


def window_of(ref, events, haplotypes, reads):
    """The windows of each read of one region; None where it is not scored."""
    rows = reads_of([reads])
    windows = cut_windows(rows, batches([(ref, events, haplotypes)]), np.ones(len(reads), bool))
    groups = texts_of(windows)
    return [groups[k] if k >= 0 else None for k in windows.group.tolist()]


REF = "ACGTTGCAAGGCTTACCGATGCATTGACCAGTCCATGAACTTGACGGATACCATTGCAGCATCAGGTACTTAGCCAGATTC"
SNV, INSERTION, DELETION = (20, 1, "T"), (45, 1, "GTT"), (60, 4, "A")
EVENTS = [SNV, INSERTION, DELETION]


def test_windows_end_at_the_events_out_of_reach():
    haplotypes = [[], [0], [1], [0, 2], [0, 1, 2]]
    first, middle, last, both, none = window_of(
        REF, EVENTS, haplotypes,
        [(0, REF[:12], 12), (32, REF[32:48], 16), (66, REF[66:], 14), (28, REF[28:52], 24), (0, REF[:10], 10)],
    )  # fmt: skip
    assert first == [REF[:45], spell(REF, EVENTS, 0, 45), REF[:45], spell(REF, EVENTS, 0, 45), spell(REF, EVENTS, 0, 45)]
    plain, inserted = REF[21:60], spell(REF, EVENTS, 21, 60)
    assert middle == [plain, plain, inserted, plain, inserted] and len(inserted) == len(plain) + 2
    plain, deleted = REF[46:], spell(REF, EVENTS, 46, len(REF))
    assert last == [plain, plain, plain, deleted, deleted] and len(deleted) == len(plain) - 3
    assert both[3] == spell(REF, [SNV, DELETION], 0, len(REF)) and none is None


def test_either_end_may_be_the_right_one():
    """A read with a deletion of 30 or an insertion of 20 has reach beyond where its alignment ends."""
    spanning, inserted = (30, REF[30:35] + REF[65:70], 40), (32, REF[32:36] + 20 * "T", 4)
    assert window_of(REF, EVENTS, [[], [0]], [spanning])[0][1] == spell(REF, [SNV], 0, len(REF))
    assert window_of(REF, [SNV], [[], [0]], [inserted])[0][1] == spell(REF, [SNV], 0, len(REF))
    assert window_of(REF, [SNV], [[], [0]], [(32, REF[32:36], 4)]) == [None]


@pytest.mark.parametrize("gap, is_seen", [(REACH_BP - 1, True), (REACH_BP, False)])
def test_reach(gap, is_seen):
    before, behind = window_of(REF, [SNV], [[], [0]], [(12 - gap, REF[12 - gap : 20 - gap], 8), (21 + gap, REF[21 + gap : 30 + gap], 9)])
    assert (before is not None) == (behind is not None) == is_seen


def test_random_regions(seed=3):
    """Groups of several regions against haplotypes spelt over the window."""
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    regions, reads = [], []
    for _ in range(40):
        ref = "".join(rng.choice(list("ACGT"), rng.integers(60, 250)))
        places = np.cumsum(rng.integers(2, 50, 8))
        events = []
        for pos in places[places < len(ref) - 20].tolist():
            kind, length = rng.integers(3), int(rng.integers(2, 12))
            events.append((pos, 1, "ACGT"["ACGT".index(ref[pos]) ^ 1]) if kind == 0 else (pos, 1, ref[pos] + length * "A"))
            if kind == 1 and not (places == pos + length).any() and not ((places > pos) & (places < pos + length)).any():
                events[-1] = (pos, length, ref[pos])
        carried = rng.random((int(rng.integers(1, 9)), len(events))) < 0.4
        regions.append((ref, events, [np.flatnonzero(own).tolist() for own in carried]))
        starts = rng.integers(0, len(ref) - 10, 12).tolist()
        reads.append([(s, ref[s : s + int(rng.integers(10, 90))]) for s in starts])
        reads[-1] = [(s, text, len(text)) for s, text in reads[-1]]
    rows, batch = reads_of(reads), batches(regions)
    is_scored = rng.random(rows.n_rows) < 0.9
    windows = cut_windows(rows, batch, is_scored)
    groups = texts_of(windows)
    n_scored = 0
    for region, (ref, events, haplotypes) in enumerate(regions):
        clusters = []
        for pos, length, _ in events:
            if clusters and pos < clusters[-1][1] + 8:
                clusters[-1][1] = max(clusters[-1][1], pos + length)
            else:
                clusters.append([pos, pos + length])
        for row in range(rows.region_slots[region], rows.region_slots[region + 1]):
            low, high = rows.pos[row] - START - REACH_BP, rows.end[row] - START + REACH_BP
            seen = [c for c in clusters if c[1] > low and c[0] < high]
            if not seen or not is_scored[row]:
                assert windows.group[row] == -1
                continue
            first = max([c[1] for c in clusters if c[1] <= low], default=0)
            end = min([c[0] for c in clusters if c[0] >= high], default=len(ref))
            assert groups[windows.group[row]] == [spell(ref, [events[e] for e in own], first, end) for own in haplotypes]
            n_scored += 1
    assert n_scored > 200


def test_scores_are_those_of_the_windows():
    """The likelihoods of haplotypes are those of their windows alone, and equal where these are; others have none."""
    haplotypes = [[], [0], [1], [0, 1, 2]]
    reads = [(12, REF[12:30], 18), (60, "A" + REF[64:80], 20), (0, REF[:6], 6)]
    rows, batch = reads_of([reads]), batches([(REF, EVENTS, haplotypes)])
    mapped = ReadBatch(**dict.fromkeys(ReadBatch.__slots__))
    mapped.mapq = np.array([60], np.uint8)
    everyone = np.ones(3, bool)
    found = score_haplotypes(rows, batch, mapped, everyone, Settings(), CpuBackend)
    matrix = found.log10.reshape(3, 4)
    assert matrix[0, 0] == matrix[0, 2] and matrix[0, 1] == matrix[0, 3] < matrix[0, 0] - 2
    assert matrix[1, 0] == matrix[1, 1] == matrix[1, 2] < matrix[1, 3]
    assert np.isnan(matrix[2]).all() and found.kept.tolist() == [True, True, False]
    # The same, with the windows for a region of its own.
    ref, alt = texts_of(cut_windows(rows, batch, np.array([True, False, False])))[0][:2]
    alone = batches([(ref, [], [[]]), (alt, [], [[]])])
    scored = score_haplotypes(reads_of([reads[:1], reads[:1]]), alone, mapped, everyone[:2], Settings(
        concordance="hc", base_quality_score_threshold=6, pcr_indel_model="REPEATS", phred_scaled_global_read_mismapping_rate=-1,
    ), CpuBackend)  # fmt: skip
    assert scored.log10.tolist() == [matrix[0, 0], matrix[0, 1]]


def test_whole_haplotypes_leave_nothing_out():
    regions = [(REF, EVENTS, [[], [0], [1]]), (REF[:30], [], []), (REF, [SNV], [[], [0]])]
    rows, batch = reads_of([[(0, REF[:12], 12), (0, REF[:12], 12)], [(0, REF[:12], 12)], [(70, REF[70:], 10)]]), batches(regions)
    windows = whole_haplotypes(rows, batch, np.array([True, False, False, True]))
    assert windows.group.tolist() == [0, -1, -1, 2]
    assert windows.window.tolist() == [0, 1, 2, 0, 1]
    assert windows.slots is batch.region_slots and windows.bases is batch.bases
