"""Pileup → candidate alleles, grouped into loci.

A candidate is an allele that a genotype could hold, judged from counts alone and generously; what it really is, the likelihoods say.
Which alleles are candidates depends on the counts at their own position, so it is the same however the genome is cut into shards.
"""

from dataclasses import dataclass

import numpy as np

from gpuvc.batches import IndelTable
from gpuvc.kernels.codes import N
from gpuvc.kernels.cpu.pileup import QUAL_ROW, READS_ROW
from gpuvc.kernels.jit import inner_kernel, kernel
from gpuvc.settings import MAX_INDEL_BP

MIN_READS = 2  # that show an SNV; an indel may be seen by one read and hidden by the mapper in the others
MIN_SNV_EVIDENCE = 1000
"""Hundredths of a phred by which some genotype with the allele must beat the one without, in the estimate from sums of qualities."""
MIN_INDEL_SHARE = 0.2
"""Of one chromosome copy's share of the reads, before realignment brings in reads whose mapper hid the indel (clips, mismatches)."""
NEAR_INDEL_BP = 20
"""An SNV this near to a candidate indel is judged by haplotypes, since the mapper may have made it out of the indel."""


@dataclass(slots=True)
class Candidates:
    """Candidate alleles sorted by position, SNVs before indels; A alleles in L loci. A locus holds the alleles of one kind at one position.

    pos : int32[A]
        Of the SNV, or of the base before the indel.
    length : int32[A]
        0 for an SNV, above 0 inserted, below 0 deleted bases.
    base : uint8[A]
        The SNV's base; N for indels.
    indel : int32[A]
        Row of the IndelTable; -1 for SNVs.
    last : int32[A]
        Last reference position the allele can be moved to (right end of its repeat), `pos` for an SNV.
    locus_slots : int64[L + 1]
        Which alleles belong to a locus.
    locus_pos, locus_end : int32[L]
        First reference base of the locus, and one past the last one any of its alleles replaces.
    locus_last : int32[L]
        Largest `last` of its alleles.
    is_indel, by_haplotypes : bool[L]
        Kind, and whether reads are to be scored against haplotypes there.
    """

    pos: np.ndarray
    length: np.ndarray
    base: np.ndarray
    indel: np.ndarray
    last: np.ndarray
    locus_slots: np.ndarray
    locus_pos: np.ndarray
    locus_end: np.ndarray
    locus_last: np.ndarray
    is_indel: np.ndarray
    by_haplotypes: np.ndarray
    indels: IndelTable

    @property
    def n_loci(self):
        return len(self.locus_pos)


@inner_kernel
def snv_evidence(reads, others, qual, others_qual, copy_cost):
    """Hundredths of a phred by which some genotype with a base explains the reads better than the best one without.

    reads, others : reads with the base, and with others; qual, others_qual : phred, sums of their base qualities. copy_cost :
    int32[ploidy + 1], from `gpuvc.genotyping.genotypes.copy_costs`.
    """
    ploidy = copy_cost.size - 1
    evidence = np.int64(-1) << 40
    for copies in range(1, ploidy + 1):
        against = others * copy_cost[ploidy - copies] if copies < ploidy else 100 * others_qual
        evidence = max(evidence, 100 * qual - reads * copy_cost[copies] - against)
    return evidence


@kernel
def _snv_candidates(counts, reference, copy_cost, position, code, support):
    """Write column, base code and reads of SNV candidates. Returns how many; the outputs hold 3 per column at most."""
    n = 0
    for p in range(counts.shape[1]):
        ref = reference[p]
        if ref == N:
            continue
        others = counts[READS_ROW, p] - counts[2 * ref, p] - counts[2 * ref + 1, p]
        if others < MIN_READS:
            continue
        depth = 0
        for b in range(4):
            depth += counts[2 * b, p] + counts[2 * b + 1, p]
        for b in range(4):
            reads = counts[2 * b, p] + counts[2 * b + 1, p]
            if b == ref or reads < MIN_READS:
                continue
            others_qual = 0
            for other in range(4):
                if other != b:
                    others_qual += np.int64(counts[QUAL_ROW + other, p])
            if snv_evidence(reads, depth - reads, np.int64(counts[QUAL_ROW + b, p]), others_qual, copy_cost) >= MIN_SNV_EVIDENCE:
                position[n] = p
                code[n] = b
                support[n] = reads
                n += 1
    return n


@kernel
def _last_positions(pos, length, inserted, inserted_offsets, reference, reference_start, last):
    """last[k]: the reference base before allele k when it is moved as far right as its sequence allows."""
    for k in range(pos.size):
        first = pos[k] - reference_start + 1
        size = abs(length[k])
        moved = 0
        if length[k] < 0:
            while first + size + moved < reference.size and reference[first + moved] == reference[first + size + moved] < N:
                moved += 1
        else:
            while first + moved < reference.size and reference[first + moved] == inserted[inserted_offsets[k] + moved % size]:
                moved += 1
        last[k] = pos[k] + moved


def _best_of_each(pos, support, most):
    """Indices, ascending, of the `most` rows at each position that most reads show; ties go to the first."""
    order = np.lexsort((np.arange(len(pos)), -support, pos))
    ordered = pos[order]
    rank = np.arange(len(pos)) - np.searchsorted(ordered, ordered, side="left")
    return np.sort(order[rank < most])


def find_candidates(pileup, reference, reference_start, ploidy, copy_cost, max_alternates):
    """Candidate alleles of a pileup.

    Parameters
    ----------
    pileup : Pileup
    reference : uint8[n]
        Codes from `reference_start` on; covers the pileup's window.
    copy_cost : int32[ploidy + 1]
        From `gpuvc.genotyping.genotypes.copy_costs`.
    max_alternates : int
        Alleles kept of one kind at one position: those that most reads show.
    """
    offset = pileup.start - reference_start
    window = reference[offset : offset + pileup.n_positions]
    position = np.empty(3 * pileup.n_positions, np.int32)
    code = np.empty(3 * pileup.n_positions, np.uint8)
    reads = np.empty(3 * pileup.n_positions, np.int32)
    n_snvs = _snv_candidates(pileup.counts, window, copy_cost, position, code, reads)
    snvs = _best_of_each(position[:n_snvs], reads[:n_snvs], max_alternates)
    snv_pos, snv_base, n_snvs = position[snvs] + np.int32(pileup.start), code[snvs], len(snvs)

    table = pileup.indels
    column = table.pos - pileup.start
    inside = (column >= 0) & (column < pileup.n_positions) & (np.abs(table.length) <= MAX_INDEL_BP)
    support = table.forward + table.reverse
    depth = pileup.counts[READS_ROW, np.where(inside, column, 0)]
    is_candidate = inside & (support * ploidy >= MIN_INDEL_SHARE * depth)
    rows = np.flatnonzero(is_candidate)
    rows = rows[_best_of_each(table.pos[rows], support[rows], max_alternates)]
    last = np.empty(len(table), np.int32)
    _last_positions(table.pos, table.length, table.inserted, table.inserted_offsets, reference, reference_start, last)

    pos = np.concatenate([snv_pos, table.pos[rows]])
    kind = np.repeat(np.array([0, 1], np.int8), [n_snvs, len(rows)])
    order = np.lexsort((np.arange(len(pos)), kind, pos))
    pos, kind = pos[order], kind[order]
    length = np.concatenate([np.zeros(n_snvs, np.int32), table.length[rows]])[order]
    indel = np.concatenate([np.full(n_snvs, -1, np.int32), rows.astype(np.int32)])[order]
    base = np.concatenate([snv_base, np.full(len(rows), N, np.uint8)])[order]
    last = np.concatenate([snv_pos, last[rows]])[order].astype(np.int32)

    is_first = np.ones(len(pos), bool)
    is_first[1:] = (pos[1:] != pos[:-1]) | (kind[1:] != kind[:-1])
    starts = np.flatnonzero(is_first)
    locus_pos = pos[starts]
    is_indel = kind[starts] == 1
    if len(starts):
        locus_end = np.maximum.reduceat(pos + 1 - np.minimum(length, 0), starts).astype(np.int32)
        locus_last = np.maximum.reduceat(last, starts)
    else:
        locus_end = locus_last = np.empty(0, np.int32)
    # Right ends of the indel loci, made monotone so that one search finds whether any reaches an SNV.
    by_haplotypes = is_indel.copy()
    if is_indel.any():
        begin = locus_pos[is_indel] - NEAR_INDEL_BP
        reach = np.maximum(locus_last, locus_end)[is_indel] + NEAR_INDEL_BP
        before = np.searchsorted(begin, locus_pos, side="right")
        furthest = np.concatenate([[-1], np.maximum.accumulate(reach)])
        by_haplotypes |= furthest[before] >= locus_pos
    return Candidates(
        pos=pos, length=length, base=base, indel=indel, last=last, locus_slots=np.append(starts, len(pos)).astype(np.int64),
        locus_pos=locus_pos, locus_end=locus_end, locus_last=locus_last, is_indel=is_indel, by_haplotypes=by_haplotypes, indels=table,
    )  # fmt: skip
