"""Likelihoods → calls: genotype likelihoods, QUAL, the alleles that are there, genotype, annotations, filters."""

from math import sqrt

import numpy as np

from gpuvc.batches import Call
from gpuvc.genotyping.annotations import fisher_strand, qual_by_depth, read_evidence, strand_odds_ratio, z_of
from gpuvc.genotyping.dependence import error_weights
from gpuvc.genotyping.filters import apply_filters
from gpuvc.genotyping.genotypes import copy_costs, genotype_table, judge_loci, log_sum_table
from gpuvc.genotyping.priors import allele_rates
from gpuvc.kernels.codes import BASES


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
    likelihoods : LikelihoodBatch
    reads : ReadBatch
    reference : uint8[n]
        Codes from `reference_start` on.

    Returns
    -------
    list[Call]
    """
    ploidy = settings.sample_ploidy
    pls, slots = genotype_loci(candidates, likelihoods, error_weights(candidates.is_indel, likelihoods, reads), settings, backend)
    qual, best = judge_loci(
        pls, slots, candidates.locus_slots, allele_rates(candidates, reference, reference_start, settings), ploidy
    )
    kept_loci, allele_rows, row_slots = [], [], [0]
    for locus in np.flatnonzero((qual >= settings.standard_min_confidence) & (best > 0)).tolist():
        n_alleles = int(candidates.locus_slots[locus + 1] - candidates.locus_slots[locus]) + 1
        present = np.flatnonzero(genotype_table(ploidy, n_alleles)[best[locus]][1:]) + 1
        kept_loci.append(locus)
        allele_rows += [0, *present.tolist()]
        row_slots.append(len(allele_rows))
    loci, rows, row_slots = np.array(kept_loci, np.int64), np.array(allele_rows, np.int32), np.array(row_slots, np.int64)
    n = len(loci)
    depths = np.empty(len(rows), np.int32)
    strands = np.empty((n, 4), np.int32)
    statistics, is_p = np.empty((n, 3)), np.empty((n, 3), np.int8)
    n_reads, mapq_squares = np.empty(n, np.int32), np.empty(n)
    read_evidence(
        loci, likelihoods.pair_slots, likelihoods.allele_slots, likelihoods.penalties, rows, row_slots, likelihoods.pair_read,
        likelihoods.quality, likelihoods.end_distance, reads.mapq, reads.flag, depths, strands, statistics, is_p, n_reads, mapq_squares,
    )  # fmt: skip
    calls = []
    for k, locus in enumerate(kept_loci):
        alleles = rows[row_slots[k] : row_slots[k + 1]]
        call = _call(candidates, locus, alleles, pls[slots[locus] : slots[locus + 1]], ploidy, reference, reference_start)
        if call is None:
            continue
        pos, ref, alts, genotype, gq, pl = call
        ad = tuple(depths[row_slots[k] : row_slots[k + 1]].tolist())
        strand = strands[k].tolist()
        an = len(genotype)
        ac = tuple(genotype.count(a) for a in range(1, len(alts) + 1))
        z = [z_of(s, p) for s, p in zip(statistics[k].tolist(), is_p[k].tolist())]
        record_qual = float(qual[locus])
        info = {
            "AC": ac,
            "AF": tuple(c / an for c in ac),
            "AN": an,
            "BaseQRankSum": z[0],
            "DP": int(n_reads[k]),
            "FS": fisher_strand(*strand),
            "MQ": sqrt(mapq_squares[k]) if mapq_squares[k] >= 0 else None,
            "MQRankSum": z[1],
            "QD": qual_by_depth(record_qual, ad),
            "ReadPosRankSum": z[2],
            "SOR": strand_odds_ratio(*strand),
        }
        calls.append(Call(contig_id, pos, ref, alts, record_qual, (), info, genotype, ad, sum(ad), gq, pl))
    apply_filters(calls)
    return calls


def _call(candidates, locus, alleles, pls, ploidy, reference, reference_start):
    """Alleles as text, genotype, GQ and PL of a locus reduced to `alleles`; None when the best genotype is then hom-ref."""
    n_all = int(candidates.locus_slots[locus + 1] - candidates.locus_slots[locus]) + 1
    table = genotype_table(ploidy, n_all)
    absent = np.ones(n_all, bool)
    absent[alleles] = False
    kept = np.flatnonzero(table[:, absent].sum(axis=1) == 0)
    pl = pls[kept]
    pl = pl - pl.min()
    best = int(np.argmin(pl))
    if best == 0:
        return None
    copies = genotype_table(ploidy, len(alleles))[best]
    genotype = tuple(a for a, c in enumerate(copies.tolist()) for _ in range(c))
    gq = int(np.partition(pl, 1)[1])
    pos = int(candidates.locus_pos[locus])
    at = pos - reference_start
    first = int(candidates.locus_slots[locus])
    rows = [first + int(a) - 1 for a in alleles[1:]]
    if not candidates.is_indel[locus]:
        return pos, BASES[reference[at]], tuple(BASES[candidates.base[r]] for r in rows), genotype, min(gq, 99), tuple(pl.tolist())
    longest = max(0, -min(int(candidates.length[r]) for r in rows))
    ref = _text(reference[at : at + 1 + longest])
    alts = []
    for r in rows:
        length = int(candidates.length[r])
        if length < 0:
            alts.append(ref[0] + ref[1 - length :])
        else:
            row = candidates.indel[r]
            inserted = candidates.indels.inserted[candidates.indels.inserted_offsets[row] : candidates.indels.inserted_offsets[row + 1]]
            alts.append(ref[0] + _text(inserted) + ref[1:])
    return pos, ref, tuple(alts), genotype, min(gq, 99), tuple(pl.tolist())


def _text(codes):
    return "".join(BASES[c] for c in codes)
