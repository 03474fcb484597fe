"""Likelihoods → calls: genotype likelihoods, QUAL, the alleles that are there, genotype, annotations, filters."""

from functools import cache
from math import sqrt

import numpy as np

from gpuvc.batches import Call, SampleCall
from gpuvc.genotyping.annotations import qual_by_depth, read_evidence, z_of
from gpuvc.genotyping.dependence import error_weights
from gpuvc.genotyping.filters import apply_filters
from gpuvc.genotyping.genotypes import copy_costs, genotype_table, judge_loci, log_sum_table
from gpuvc.genotyping.priors import allele_rates
from gpuvc.kernels.codes import ASCII_OF_CODE, BASES


def genotype_loci(candidates, likelihoods, weights, settings, backend):
    """PLs of every locus; `weights` from `error_weights`.

    Returns
    -------
    pls : int64[...]
        Phred, the best genotype of each locus 0, in VCF order.
    slots : int64[L + 1]
        Which of them belong to a locus.
    """
    ploidy = settings.sample_ploidy
    n_alleles = np.diff(candidates.locus_slots) + 1
    most = int(n_alleles.max(initial=2))
    table = genotype_table(ploidy, most)
    n_genotypes = np.array([0, *(len(genotype_table(ploidy, n)) for n in range(1, most + 1))])[n_alleles]
    slots = np.zeros(candidates.n_loci + 1, np.int64)
    np.cumsum(n_genotypes, out=slots[1:])
    task_locus = np.repeat(np.arange(candidates.n_loci, dtype=np.int32), n_genotypes)
    task_genotype = (np.arange(int(slots[-1])) - slots[task_locus]).astype(np.int32)
    out = np.empty(len(task_locus), np.int64)
    backend.genotype_likelihoods(
        task_locus, task_genotype, likelihoods.pair_slots, likelihoods.allele_slots, likelihoods.penalties, weights, table, log_sum_table(),
        copy_costs(ploidy), out,
    )  # fmt: skip
    if len(out):
        out -= np.repeat(np.minimum.reduceat(out, slots[:-1]), n_genotypes)
    return (out + 50) // 100, slots


def call_loci(candidates, likelihoods, reads, reference, reference_start, contig_id, settings, backend):
    """Calls of the loci where a variant is likelier than the confidence asked for, in genome order.

    Parameters
    ----------
    candidates : Candidates
    likelihoods : PairLikelihoods
    reads : ReadBatch
    reference : uint8[n]
        Codes from `reference_start` on.

    Returns
    -------
    list[Call]
    """
    ploidy = settings.sample_ploidy
    weights = error_weights(candidates.is_indel, likelihoods, reads, ploidy)
    pls, slots = genotype_loci(candidates, likelihoods, weights, settings, backend)
    qual, best = judge_loci(
        pls, slots, candidates.locus_slots, allele_rates(candidates, reference, reference_start, settings), ploidy
    )
    kept_loci, allele_rows, row_slots = [], [], [0]
    for locus in np.flatnonzero((qual >= settings.standard_min_confidence) & (best > 0)).tolist():
        n_alleles = int(candidates.locus_slots[locus + 1] - candidates.locus_slots[locus]) + 1
        kept_loci.append(locus)
        allele_rows += _alleles_of(ploidy, n_alleles, int(best[locus]))
        row_slots.append(len(allele_rows))
    loci, rows, row_slots = np.array(kept_loci, np.int64), np.array(allele_rows, np.int32), np.array(row_slots, np.int64)
    n = len(loci)
    depths = np.empty(len(rows), np.int32)
    fs, sor = np.empty(n), np.empty(n)
    statistics, is_p = np.empty((n, 3)), np.empty((n, 3), np.int8)
    n_reads, mapq_squares = np.empty(n, np.int32), np.empty(n)
    read_evidence(
        loci, likelihoods.pair_slots, likelihoods.allele_slots, likelihoods.penalties, rows, row_slots, likelihoods.pair_read,
        likelihoods.quality, likelihoods.end_distance, reads.mapq, reads.flag, depths, fs, sor, statistics, is_p, n_reads, mapq_squares,
    )  # fmt: skip
    text = ASCII_OF_CODE[reference].tobytes().decode()
    quals, all_pls = qual[loci].tolist(), pls.tolist()
    all_depths, all_rows, row_slots, fs, sor = depths.tolist(), rows.tolist(), row_slots.tolist(), fs.tolist(), sor.tolist()
    all_statistics, all_is_p, mapq_squares, n_reads = statistics.tolist(), is_p.tolist(), mapq_squares.tolist(), n_reads.tolist()
    calls = []
    for k, locus in enumerate(kept_loci):
        alleles = tuple(all_rows[row_slots[k] : row_slots[k + 1]])
        genotype, gq, pl = _genotype(all_pls[slots[locus] : slots[locus + 1]], ploidy, alleles)
        if genotype[-1] == 0:
            continue
        ref, alts = _allele_texts(candidates, locus, alleles, text, reference_start)
        ad = tuple(all_depths[row_slots[k] : row_slots[k + 1]])
        ac = tuple(genotype.count(a) for a in range(1, len(alleles)))
        z = [z_of(s, p) for s, p in zip(all_statistics[k], all_is_p[k])]
        info = {
            "AC": ac,
            "AF": tuple(c / ploidy for c in ac),
            "AN": ploidy,
            "BaseQRankSum": z[0],
            "DP": n_reads[k],
            "FS": fs[k],
            "MQ": sqrt(mapq_squares[k]) if mapq_squares[k] >= 0 else None,
            "MQRankSum": z[1],
            "QD": qual_by_depth(quals[k], ad),
            "ReadPosRankSum": z[2],
            "SOR": sor[k],
        }
        sample = SampleCall(genotype, ad, sum(ad), gq, pl)
        calls.append(Call(contig_id, int(candidates.locus_pos[locus]), ref, alts, quals[k], (), info, (sample,)))
    apply_filters(calls, reference, reference_start)
    return calls


@cache
def _alleles_of(ploidy, n_alleles, genotype):
    """The alleles of a genotype, and the reference."""
    return [0, *(np.flatnonzero(genotype_table(ploidy, n_alleles)[genotype][1:]) + 1).tolist()]


@cache
def _genotypes_of(ploidy, n_alleles, alleles):
    """Which genotypes of n_alleles hold only `alleles`, in VCF order; and those genotypes as tuples of indices into `alleles`."""
    table = genotype_table(ploidy, n_alleles)
    absent = np.ones(n_alleles, bool)
    absent[list(alleles)] = False
    kept = np.flatnonzero(table[:, absent].sum(axis=1) == 0).tolist()
    copies = genotype_table(ploidy, len(alleles)).tolist()
    return kept, [tuple(a for a, c in enumerate(row) for _ in range(c)) for row in copies]


def _genotype(pls, ploidy, alleles):
    """Genotype, GQ and PL of a locus reduced to `alleles` (indices, reference first)."""
    n_alleles = 2
    while len(genotype_table(ploidy, n_alleles)) < len(pls):
        n_alleles += 1
    kept, genotypes = _genotypes_of(ploidy, n_alleles, alleles)
    least = min(pls[g] for g in kept)
    pl = tuple(pls[g] - least for g in kept)
    return genotypes[pl.index(0)], min(sorted(pl)[1], 99), pl


def _allele_texts(candidates, locus, alleles, text, reference_start):
    """REF and ALT of a locus; text is the reference as letters from `reference_start` on."""
    at = int(candidates.locus_pos[locus]) - reference_start
    first = int(candidates.locus_slots[locus]) - 1
    if not candidates.is_indel[locus]:
        return text[at], tuple(BASES[candidates.base[first + a]] for a in alleles[1:])
    lengths = [int(candidates.length[first + a]) for a in alleles[1:]]
    ref = text[at : at + 1 - min(0, *lengths)]
    alts = []
    for a, length in zip(alleles[1:], lengths):
        if length < 0:
            alts.append(ref[0] + ref[1 - length :])
        else:
            row = candidates.indel[first + a]
            inserted = candidates.indels.inserted[candidates.indels.inserted_offsets[row] : candidates.indels.inserted_offsets[row + 1]]
            alts.append(ref[0] + ASCII_OF_CODE[inserted].tobytes().decode() + ref[1:])
    return ref, tuple(alts)
