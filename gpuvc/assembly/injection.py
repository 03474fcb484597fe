"""Alleles that the assembly did not find, put into its haplotypes (specification, section 3.11)."""

from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

import numpy as np

from gpuvc.assembly.events import compare_bases, has_event, with_room
from gpuvc.assembly.haplotypes import align_batch, make_alignment_workspace, with_events
from gpuvc.assembly.smith_waterman import INDEL
from gpuvc.kernels.codes import CIGAR_D, CIGAR_I, CODE_OF_ASCII
from gpuvc.kernels.cpu.sequences import copy_bases
from gpuvc.kernels.jit import inner_kernel, kernel

BASE_HAPLOTYPES = 5  # an allele is put into the reference and the best others, so many in all
MOST_MOVED_BP = 300  # left, of a given indel


@dataclass(slots=True)
class AlleleTable:
    """Alternate alleles of one contig, one each, sorted by position, at one position as given; K alleles.

    pos, ref_length : int32[K]
        First base of the reference allele, 0-based, and its length.
    alt : uint8[sum of lengths]; alt_offsets : int64[K + 1]
        Codes; nothing for a symbolic allele.
    is_symbolic : bool[K]
    """

    pos: np.ndarray
    ref_length: np.ndarray
    alt: np.ndarray
    alt_offsets: np.ndarray
    is_symbolic: np.ndarray

    def __len__(self):
        return len(self.pos)


def no_alleles():
    """An empty table."""
    return AlleleTable(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(1, np.int64), np.zeros(0, bool))


def split_records(records, codes=None, codes_start=0, max_mnp_distance=0, as_gatk=False):
    """The AlleleTable of records of one contig.

    Parameters
    ----------
    records : iterable of (pos, ref, alts)
        0-based position, text and texts. `*` and alleles equal to the reference are left out. Equal alleles stand once.
    codes, codes_start : uint8[n], int
        Reference by which indels move to their leftmost place, as far as it goes; None leaves them where they are.
    max_mnp_distance : int
        Substitutions further apart are alleles of their own, as the haplotypes' events will be.
    as_gatk : bool
        Alleles are freed of the bases that they share with the reference's at the end only, and stay otherwise as they are.
    """
    alleles = {}
    for pos, ref, alts in records:
        for alt in alts:
            if alt == "*" or alt == ref:
                continue
            if "<" in alt or "[" in alt or "]" in alt:
                alleles[pos, len(ref), "", True] = None
                continue
            shared = 0
            while shared < min(len(ref), len(alt)) - 1 and ref[-1 - shared] == alt[-1 - shared]:
                shared += 1
            own = pos, ref[: len(ref) - shared], alt[: len(alt) - shared]
            for start, own_ref, own_alt in [own] if as_gatk else _as_events(*own, codes, codes_start, max_mnp_distance):
                alleles[start, len(own_ref), own_alt, False] = None
    alleles = sorted(alleles, key=itemgetter(0))
    alts = [allele[2] for allele in alleles]
    return AlleleTable(
        pos=np.array([allele[0] for allele in alleles], np.int32), ref_length=np.array([allele[1] for allele in alleles], np.int32),
        alt=CODE_OF_ASCII[np.frombuffer("".join(alts).encode(), np.uint8)],
        alt_offsets=np.concatenate(([0], np.cumsum([len(alt) for alt in alts], dtype=np.int64))).astype(np.int64),
        is_symbolic=np.array([allele[3] for allele in alleles], bool),
    )  # fmt: skip


def _as_events(pos, ref, alt, codes, codes_start, max_mnp_distance):
    """(pos, ref, alt) of the events that a haplotype with this allele would show; texts, without common last bases."""
    for _ in range(MOST_MOVED_BP if codes is not None else 0):
        if ref[-1] != alt[-1] or pos <= codes_start:
            break
        if min(len(ref), len(alt)) == 1:
            pos -= 1
            before = "ACGTN"[codes[pos - codes_start]]
            ref, alt = before + ref, before + alt
        ref, alt = ref[:-1], alt[:-1]
    if len(ref) == len(alt):
        differs = [k for k in range(len(ref)) if ref[k] != alt[k]]
        cuts = [0, *(k for k in range(1, len(differs)) if differs[k] - differs[k - 1] > max_mnp_distance), len(differs)]
        blocks = [(differs[a], differs[b - 1] + 1) for a, b in pairwise(cuts)]
        return [(pos + a, ref[a:b], alt[a:b]) for a, b in blocks]
    leading = 0
    while leading < min(len(ref), len(alt)) - 1 and ref[leading] == alt[leading]:
        leading += 1
    return [(pos + leading, ref[leading:], alt[leading:])]


def inject_alleles(regions, haplotypes, forced, codes, codes_start, settings, end=None, n_base=BASE_HAPLOTYPES):
    """The haplotypes, and behind those of each region copies of its best ones with a forced allele each → HaplotypeBatch.

    Parameters
    ----------
    regions : RegionBatch
    haplotypes : HaplotypeBatch
        Trimmed, with `forced` among the alleles that decided the spans.
    forced : AlleleTable
        Those from the region's start on take part, unless an event of its haplotypes says the same; symbolic ones do not.
    codes, codes_start, settings
        As for `trim_haplotypes`.
    end : int32[n_regions] or None
        Alleles from there on do not take part; None: from the end of the region's haplotypes on.
    n_base : int
        Haplotypes of a region that an allele is put into.

    An allele goes into the reference and the haplotypes with the best scores, where none of their events overlaps it. What becomes
    equal to another haplotype is not kept. The score of a haplotype made here is NaN: no path of a graph led to it.
    """
    slots, bases, base_offsets = insert_alleles(
        regions.start, haplotypes.end if end is None else end, haplotypes.start, haplotypes.region_slots, haplotypes.bases,
        haplotypes.base_offsets, haplotypes.cigar, haplotypes.cigar_offsets, haplotypes.is_ref, haplotypes.score, haplotypes.event_slots,
        haplotypes.event_pos, haplotypes.event_ref_length, haplotypes.event_alt, haplotypes.event_alt_offsets,
        haplotypes.haplotype_events, haplotypes.haplotype_event_offsets, forced.pos, forced.ref_length, forced.alt, forced.alt_offsets,
        forced.is_symbolic, n_base,
    )  # fmt: skip
    if slots[-1] == 0:
        return haplotypes
    is_ref = np.zeros(slots[-1], bool)
    cigar, cigar_offsets, aligned = align_batch(
        codes, codes_start, haplotypes.start, haplotypes.end, slots, bases, base_offsets, is_ref, INDEL,
        *make_alignment_workspace(haplotypes.end - haplotypes.start, base_offsets),
    )  # fmt: skip
    columns = join_haplotypes(
        haplotypes.region_slots, haplotypes.bases, haplotypes.base_offsets, haplotypes.cigar, haplotypes.cigar_offsets, haplotypes.is_ref,
        haplotypes.score, slots, bases, base_offsets, cigar, cigar_offsets, aligned,
    )  # fmt: skip
    return with_events(
        codes, codes_start, haplotypes.start, haplotypes.end, haplotypes.variant_start, haplotypes.variant_end, *columns,
        settings.max_mnp_distance,
    )  # fmt: skip


@kernel(allocates=True)
def join_haplotypes(
    slots, bases, base_offsets, cigar, cigar_offsets, is_ref, score, new_slots, new_bases, new_base_offsets, new_cigar, new_cigar_offsets,
    is_used,
):  # fmt: skip
    """Haplotypes, and behind those of each region its new ones that are used → the columns from region_slots to score, joined."""
    most = is_ref.size + is_used.size
    out_bases, out_base_offsets = np.empty(bases.size + new_bases.size, np.uint8), np.zeros(most + 1, np.int64)
    out_cigar, out_cigar_offsets = np.empty(cigar.size + new_cigar.size, np.uint32), np.zeros(most + 1, np.int64)
    out_is_ref, out_score = np.zeros(most, np.bool_), np.full(most, np.nan)
    out_slots = np.zeros(slots.size, np.int64)
    n = 0
    for g in range(slots.size - 1):
        for h in range(slots[g], slots[g + 1]):
            append_row(h, bases, base_offsets, n, out_bases, out_base_offsets)
            append_row(h, cigar, cigar_offsets, n, out_cigar, out_cigar_offsets)
            out_is_ref[n], out_score[n] = is_ref[h], score[h]
            n += 1
        for h in range(new_slots[g], new_slots[g + 1]):
            if is_used[h]:
                append_row(h, new_bases, new_base_offsets, n, out_bases, out_base_offsets)
                append_row(h, new_cigar, new_cigar_offsets, n, out_cigar, out_cigar_offsets)
                n += 1
        out_slots[g + 1] = n
    return (
        out_slots, out_bases[: out_base_offsets[n]], out_base_offsets[: n + 1], out_cigar[: out_cigar_offsets[n]],
        out_cigar_offsets[: n + 1], out_is_ref[:n], out_score[:n],
    )  # fmt: skip


@inner_kernel
def append_row(row, values, offsets, n, out, out_offsets):
    """Copy a row of one table of stretches behind the n rows of another."""
    length = offsets[row + 1] - offsets[row]
    copy_bases(values, offsets[row], out, out_offsets[n], length)
    out_offsets[n + 1] = out_offsets[n] + length


@kernel(allocates=True)
def insert_alleles(
    first_pos, end_pos, start, region_slots, bases, base_offsets, cigar, cigar_offsets, is_ref, score, event_slots, event_pos,
    event_ref_length, event_alt, event_alt_offsets, haplotype_events, haplotype_event_offsets, pos, ref_length, alt, alt_offsets,
    is_symbolic, n_base,
):  # fmt: skip
    """Haplotypes with one allele more each, in the order of the alleles → (region_slots int64[n_regions + 1], bases, base_offsets)."""
    n_regions = start.size
    new_slots = np.zeros(n_regions + 1, np.int64)
    new_bases, new_offsets = np.empty(1024, np.uint8), np.zeros(65, np.int64)
    best = np.empty(n_base, np.int64)
    n = 0
    for g in range(n_regions):
        first = np.searchsorted(pos, first_pos[g])
        last = np.searchsorted(pos, end_pos[g])
        n_best = best_haplotypes(region_slots[g], region_slots[g + 1], is_ref, score, best) if first < last else 0
        for a in range(first, last):
            own = alt[alt_offsets[a] : alt_offsets[a + 1]]
            if is_symbolic[a] or has_event(
                pos[a], ref_length[a], own, event_slots[g], event_slots[g + 1], event_pos, event_ref_length, event_alt, event_alt_offsets
            ):
                continue
            for h in best[:n_best]:
                overlaps = False
                for row in range(haplotype_event_offsets[h], haplotype_event_offsets[h + 1]):
                    e = haplotype_events[row]
                    overlaps |= event_pos[e] < pos[a] + ref_length[a] and pos[a] < event_pos[e] + event_ref_length[e]
                if overlaps:
                    continue
                haplotype = bases[base_offsets[h] : base_offsets[h + 1]]
                at, dropped, skipped = place_on_haplotype(
                    cigar[cigar_offsets[h] : cigar_offsets[h + 1]], haplotype.size, pos[a] - start[g], ref_length[a], own.size
                )
                if at < 0:
                    continue
                length = haplotype.size - dropped + own.size - skipped
                new_bases, new_offsets = with_room(new_bases, new_offsets[n], length), with_room(new_offsets, n + 1, 1)
                made = new_bases[new_offsets[n] : new_offsets[n] + length]
                made[:at] = haplotype[:at]
                made[at : at + own.size - skipped] = own[skipped:]
                made[at + own.size - skipped :] = haplotype[at + dropped :]
                same = False
                for other in range(region_slots[g], region_slots[g + 1]):
                    same |= compare_bases(bases[base_offsets[other] : base_offsets[other + 1]], made) == 0
                for other in range(new_slots[g], n):
                    same |= compare_bases(new_bases[new_offsets[other] : new_offsets[other + 1]], made) == 0
                if not same:
                    new_offsets[n + 1] = new_offsets[n] + length
                    n += 1
        new_slots[g + 1] = n
    return new_slots, new_bases[: new_offsets[n]].copy(), new_offsets[: n + 1].copy()


@kernel
def best_haplotypes(first, end, is_ref, score, best):
    """Write the reference and then the haplotypes of highest score, of equal ones the first → their number."""
    n = 0
    for h in range(first, end):
        place = n
        while place > 0 and not is_ref[best[place - 1]] and (is_ref[h] or score[h] > score[best[place - 1]]):
            place -= 1
        if place < best.size:
            n = min(n + 1, best.size)
            for t in range(n - 1, place, -1):
                best[t] = best[t - 1]
            best[place] = h
    return n


@kernel
def place_on_haplotype(cigar, size, ref_offset, ref_length, alt_length):
    """Where an allele goes on a haplotype → (first base replaced, bases replaced, bases of the allele left out); -1 first: nowhere.

    ref_offset: of the allele's first base, from the haplotype's first reference base on. It must not lie inside a deletion, and bases
    must follow. A deletion anchored on the base before the haplotype takes its first bases.
    """
    if ref_offset == -1 and ref_length > 1 and alt_length == 1 and ref_length - 1 < size:
        return 0, ref_length - 1, 1
    ref_at = at = 0
    for k in range(cigar.size):
        operation, length = np.int64(cigar[k]) & 15, np.int64(cigar[k]) >> 4
        if operation == CIGAR_I:
            at += length
            continue
        if ref_at <= ref_offset < ref_at + length:
            if operation == CIGAR_D or at + ref_offset - ref_at + ref_length >= size:
                return -1, 0, 0
            return at + ref_offset - ref_at, ref_length, 0
        ref_at += length
        if operation != CIGAR_D:
            at += length
    return -1, 0, 0
