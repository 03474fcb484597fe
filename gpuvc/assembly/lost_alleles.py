"""Alleles that the reads of a region show, and that its graphs lost: to be put into haplotypes by `gpuvc.assembly.injection`.

A graph loses an allele when the few reads that have it differ beside it, by errors or by other alleles: no path is left that enough reads
share. Where haplotypes came straight from the reads (`gpuvc.assembly.direct`), nothing is lost and nothing is looked for.
"""

import numpy as np

from gpuvc.assembly.direct import (
    DELETED,
    EDGE,
    INDEL_POS,
    INDEL_READS,
    INSERTED,
    MAX_INDELS,
    MAX_INSERTION,
    MESSY,
    aligned_part,
    find_indel,
    is_sure,
)
from gpuvc.assembly.events import has_event, with_room
from gpuvc.assembly.injection import AlleleTable
from gpuvc.kernels.codes import ALIGNS, CIGAR_D, CIGAR_I, CONSUMES_READ, CONSUMES_REFERENCE, N
from gpuvc.kernels.cpu.sequences import WIDTH, lowest_bit, unequal_mask
from gpuvc.kernels.jit import inner_kernel, kernel
from gpuvc.pileup.candidates import MIN_INDEL_SHARE, MIN_READS, MIN_SNV_EVIDENCE, NEAR_INDEL_BP, snv_evidence

MOST_LOST = 3
"""More in one region are reads that the aligner laid wrongly beside one indel or through a repeat, not alleles that a graph lost."""


def lost_alleles(regions, region_reads, raw, haplotypes, codes, codes_start, copy_cost, min_base_quality):
    """The alleles of the regions that went to graphs which enough reads show and no haplotype has → AlleleTable.

    Parameters
    ----------
    regions : RegionBatch; region_reads : RegionReads; raw : RawHaplotypes
        Of the same regions.
    haplotypes : HaplotypeBatch
        Over the padded spans, with events.
    codes, codes_start : uint8[n], int
        Reference that covers the padded spans.
    copy_cost : int32[chromosome copies of all samples + 1]
        From `gpuvc.genotyping.genotypes.copy_costs`: their reads are taken together.
    min_base_quality : int
        Phred.

    Each lies in its region (not in the padding). What is enough is what makes a candidate of the pileup engine
    (`gpuvc.pileup.candidates`), of all samples' reads together.
    """
    pos, ref_length, alt, alt_offsets = find_lost_alleles(
        raw.tried_kmer_size[:, 0] > 0, regions.start, regions.end, regions.padded_start, regions.padded_end, codes, codes_start,
        region_reads.region_slots, region_reads.pos, region_reads.cigar, region_reads.cigar_offsets, region_reads.bases,
        region_reads.base_quals, region_reads.base_offsets, haplotypes.event_slots, haplotypes.event_pos, haplotypes.event_ref_length,
        haplotypes.event_alt, haplotypes.event_alt_offsets, min_base_quality, copy_cost,
    )  # fmt: skip
    return AlleleTable(pos, ref_length, alt, alt_offsets, np.zeros(len(pos), np.bool_))


@kernel(allocates=True)
def find_lost_alleles(
    is_searched, start, end, padded_start, padded_end, codes, codes_start, region_slots, pos, cigar, cigar_offsets, bases, quals,
    base_offsets, event_slots, event_pos, event_ref_length, event_alt, event_alt_offsets, min_base_quality, copy_cost,
):  # fmt: skip
    """The columns pos to alt_offsets of an AlleleTable: the lost alleles, in genome order. is_searched : bool[n_regions]."""
    longest = 0
    for g in range(start.size):
        longest = max(longest, np.int64(padded_end[g]) - padded_start[g])
    counts, inner, depth = np.empty((longest, 4), np.int64), np.empty((longest, 4), np.int64), np.empty(longest + 1, np.int64)
    reads_of, sums = np.empty(4, np.int64), np.empty(4, np.int64)
    indels, letters = np.empty((MAX_INDELS, 5), np.int64), np.empty((MAX_INDELS + 1, MAX_INSERTION), np.uint8)
    out_pos, out_ref_length = np.empty(64, np.int32), np.empty(64, np.int32)
    out_alt, out_offsets = np.empty(256, np.uint8), np.zeros(65, np.int64)
    own = np.empty(MAX_INSERTION + 1, np.uint8)
    n = 0
    for g in range(start.size):
        if not is_searched[g]:
            continue
        ref = codes[padded_start[g] - codes_start : padded_end[g] - codes_start]
        n_indels = count_alleles(
            ref, padded_start[g], region_slots[g], region_slots[g + 1], pos, cigar, cigar_offsets, bases, quals, base_offsets,
            min_base_quality, counts, inner, depth, indels, letters,
        )  # fmt: skip
        n_before = n
        for t in range(start[g] - padded_start[g], end[g] - padded_start[g]):
            if ref[t] >= N:
                continue
            for kind in range(4 + n_indels):
                if kind < 4:
                    if counts[t, kind] < MIN_READS or inner[t, kind] == 0:
                        continue
                    own[0] = kind
                    size, ref_length = 1, 1
                else:
                    i = kind - 4
                    reads = indels[i, INDEL_READS]
                    if indels[i, INDEL_POS] != t + 1 or reads < MIN_READS or reads * (copy_cost.size - 1) < MIN_INDEL_SHARE * depth[t]:
                        continue
                    size, ref_length = 1 + indels[i, INSERTED], 1 + indels[i, DELETED]
                    own[0] = ref[t]
                    own[1:size] = letters[i, : size - 1]
                x = padded_start[g] + t
                if has_event(
                    x, ref_length, own[:size], event_slots[g], event_slots[g + 1], event_pos, event_ref_length, event_alt, event_alt_offsets
                ):
                    continue
                if kind < 4:
                    if is_beside_indel(x, event_slots[g], event_slots[g + 1], event_pos, event_ref_length, event_alt_offsets):
                        continue
                    count_bases_at(
                        x, region_slots[g], region_slots[g + 1], pos, cigar, cigar_offsets, bases, quals, base_offsets, min_base_quality,
                        reads_of, sums,
                    )  # fmt: skip
                    others, others_sum = reads_of.sum() - reads_of[kind], sums.sum() - sums[kind]
                    if snv_evidence(reads_of[kind], others, sums[kind], others_sum, copy_cost) < MIN_SNV_EVIDENCE:
                        continue
                out_pos, out_ref_length = with_room(out_pos, n, 1), with_room(out_ref_length, n, 1)
                out_alt, out_offsets = with_room(out_alt, out_offsets[n], size), with_room(out_offsets, n + 1, 1)
                out_pos[n], out_ref_length[n] = x, ref_length
                out_alt[out_offsets[n] : out_offsets[n] + size] = own[:size]
                out_offsets[n + 1] = out_offsets[n] + size
                n += 1
        if n - n_before > MOST_LOST:
            n = n_before
    return out_pos[:n].copy(), out_ref_length[:n].copy(), out_alt[: out_offsets[n]].copy(), out_offsets[: n + 1].copy()


@inner_kernel
def count_alleles(
    ref, start, first_row, last_row, pos, cigar, cigar_offsets, bases, quals, base_offsets, min_base_quality, counts, inner, depth, indels,
    letters,
):  # fmt: skip
    """Write mismatches by position and base (all, and those EDGE bases inside their read), depth, and the distinct indels.

    Returns the number of these, which are left-aligned. ref : uint8[padded span], from `start` on. counts, inner :
    int64[>= span, 4]; depth : int64[>= span + 1]; indels, letters as in `direct`. Indels that more than MAX_INDELS others precede, or at
    the ends of alignments, are not counted.
    """
    counts[: ref.size] = 0
    inner[: ref.size] = 0
    depth[: ref.size + 1] = 0
    n_indels = 0
    for row in range(first_row, last_row):
        first, last, lo, hi = aligned_part(row, cigar, cigar_offsets, base_offsets)
        place = lo
        at = np.int64(pos[row]) - start
        depth[min(max(at, 0), ref.size)] += 1
        for c in range(first, last):
            operation, length = np.int64(cigar[c]) & 15, np.int64(cigar[c]) >> 4
            if ALIGNS >> operation & 1:
                stop = min(length, ref.size - at)
                for t in range(max(0, -at), stop, WIDTH):
                    mask = unequal_mask(ref, at + t, bases, place + t, min(WIDTH, stop - t))
                    while mask:
                        q = t + lowest_bit(mask)
                        mask &= mask - 1
                        base = bases[place + q]
                        if base < N and quals[place + q] >= min_base_quality:
                            counts[at + q, base] += 1
                            inner[at + q, base] += place + q - lo >= EDGE and hi - place - q > EDGE
            elif (operation == CIGAR_I or operation == CIGAR_D) and first < c < last - 1:
                inserted = length if operation == CIGAR_I else 0
                deleted = length - inserted
                if at > 0 and at + deleted < ref.size and is_sure(place - 1, inserted + 2, bases, quals, min_base_quality):
                    i = find_indel(ref, at, deleted, inserted, place, bases, n_indels, indels, letters)
                    if i != MESSY:
                        indels[i, INDEL_READS] += 1
                        n_indels = max(n_indels, i + 1)
            if CONSUMES_REFERENCE >> operation & 1:
                at += length
            if CONSUMES_READ >> operation & 1:
                place += length
        depth[min(max(at, 0), ref.size)] -= 1
    for t in range(ref.size):
        depth[t + 1] += depth[t]
    return n_indels


@inner_kernel
def count_bases_at(
    x, first_row, last_row, pos, cigar, cigar_offsets, bases, quals, base_offsets, min_base_quality, counts, sums
):  # fmt: skip
    """Write the reads and summed qualities of each base at reference position x, int64[4] each."""
    counts[:] = 0
    sums[:] = 0
    for row in range(first_row, last_row):
        first, last, place, _ = aligned_part(row, cigar, cigar_offsets, base_offsets)
        at = np.int64(pos[row])
        c = first
        while c < last and at <= x:
            operation, length = np.int64(cigar[c]) & 15, np.int64(cigar[c]) >> 4
            if ALIGNS >> operation & 1 and x < at + length:
                base, quality = bases[place + x - at], np.int64(quals[place + x - at])
                if base < N and quality >= min_base_quality:
                    counts[base] += 1
                    sums[base] += quality
            if CONSUMES_REFERENCE >> operation & 1:
                at += length
            if CONSUMES_READ >> operation & 1:
                place += length
            c += 1


@inner_kernel
def is_beside_indel(x, first, last, event_pos, event_ref_length, event_alt_offsets):
    """Whether a haplotype has an indel within NEAR_INDEL_BP of x: reads that end soon behind it show mismatches instead."""
    for e in range(first, last):
        is_indel = event_alt_offsets[e + 1] - event_alt_offsets[e] != event_ref_length[e]
        if is_indel and event_pos[e] - NEAR_INDEL_BP <= x < event_pos[e] + event_ref_length[e] + NEAR_INDEL_BP:
            return True
    return False
