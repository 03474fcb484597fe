"""Genotype likelihoods and priors of the haplotype engine's own model: what GATK's lacks, from the pileup engine.

Errors that repeat on one strand count less (`dependence`), no read says more than its mapping quality warrants, and indels that change a
tandem repeat are as likely beforehand as people differ there (`priors`).
"""

import numpy as np

from gpuvc.genotyping.allele_frequency import genotype_slots
from gpuvc.genotyping.dependence import weigh_errors
from gpuvc.genotyping.genotypes import REFERENCE_PSEUDOCOUNT, copy_costs, genotype_table, log_sum_table
from gpuvc.genotyping.priors import indel_rates
from gpuvc.likelihoods.marginalize import NON_REF, REFERENCE


def weighted_pls(loci, ploidy, n_samples, backend, see=None):
    """PLs of all loci, as `gpuvc.genotyping.allele_frequency.genotype_pls` gives them, by the kernels that both engines share.

    Parameters
    ----------
    loci : LocusBatch
    see : callable or None
        As in `gpuvc.caller.call_shard`.

    Returns
    -------
    pls : int32[...]; slots : int64[L + 1]
    """
    n_alleles = np.diff(loci.allele_slots)
    slots = genotype_slots(ploidy, loci.allele_slots, n_samples)
    table = genotype_table(ploidy, int(n_alleles.max(initial=2)))
    pls = np.empty(int(slots[-1]), np.int32)
    pair_locus = np.repeat(np.arange(loci.n_loci), np.diff(loci.pair_slots))
    n_genotypes = np.diff(slots) // n_samples
    task_locus = np.repeat(np.arange(loci.n_loci, dtype=np.int32), n_genotypes)
    task_genotype = (np.arange(len(task_locus)) - np.repeat(np.cumsum(n_genotypes) - n_genotypes, n_genotypes)).astype(np.int32)
    penalties, allele_slots = _penalties(loci, pair_locus, n_alleles)
    is_indel = np.zeros(loci.n_loci, np.bool_)
    has_length = (loci.allele_length != np.repeat(loci.ref_length, n_alleles)) & (loci.allele_event != NON_REF)
    is_indel[np.repeat(np.arange(loci.n_loci), n_alleles)[has_length]] = True
    for sample in range(n_samples):
        pairs = np.flatnonzero(loci.pair_sample == sample)
        own, own_slots = _rows(penalties, allele_slots, pairs)
        pair_slots = np.searchsorted(pair_locus[pairs], np.arange(loci.n_loci + 1))
        weights = weigh_errors(is_indel, pair_slots, loci.pair_reverse[pairs], own_slots, own, ploidy)
        if see:
            see("weights", pairs=pairs, penalties=own, slots=own_slots, weights=weights)
        out = np.empty(len(task_locus), np.int64)
        backend.genotype_likelihoods(
            task_locus, task_genotype, pair_slots, own_slots, own, weights, table, log_sum_table(), copy_costs(ploidy), out
        )
        if len(out):
            out -= np.repeat(np.minimum.reduceat(out, np.cumsum(n_genotypes) - n_genotypes), n_genotypes)
        pls[slots[task_locus] + sample * n_genotypes[task_locus] + task_genotype] = (out + 50) // 100
    return pls, slots


def _penalties(loci, pair_locus, n_alleles):
    """Hundredths of a phred below the best allele, at most what the read's mapping quality allows, by pair; and where each pair's begin."""
    sizes = n_alleles[pair_locus]
    slots = np.concatenate(([0], np.cumsum(sizes)))
    if not len(pair_locus):
        return np.empty(0, np.int32), slots
    best = np.maximum.reduceat(loci.log10, slots[:-1])
    below = np.floor(1000 * (np.repeat(best, sizes) - loci.log10) + 0.5)
    return np.minimum(below, np.repeat(100.0 * loci.pair_mapq, sizes)).astype(np.int32), slots


def _rows(values, slots, rows):
    """The chosen rows of ragged values → (values, slots)."""
    sizes = np.diff(slots)[rows]
    new = np.concatenate(([0], np.cumsum(sizes)))
    return values[np.arange(int(new[-1])) + np.repeat(slots[rows] - new[:-1], sizes)], new


def prior_counts(loci, row, locus_of, codes, codes_start, settings):
    """float64[n]: prior weight of the alleles `row` at the loci `locus_of`, the reference's REFERENCE_PSEUDOCOUNT."""
    length = (loci.allele_length[row] - loci.ref_length[locus_of]).astype(np.int64)
    rates = np.full(len(row), settings.heterozygosity)
    indels = np.flatnonzero(length)
    rates[indels] = indel_rates(loci.pos[locus_of[indels]], length[indels], codes, codes_start, settings)
    rates[loci.allele_event[row] == REFERENCE] = 1.0
    rates[loci.allele_event[row] == NON_REF] = settings.indel_heterozygosity
    return REFERENCE_PSEUDOCOUNT * rates
