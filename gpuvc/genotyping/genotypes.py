"""Allele penalties → genotype likelihoods, QUAL, genotype and its quality."""

from functools import cache
from itertools import combinations_with_replacement
from math import lgamma, log

import numpy as np

from gpuvc.kernels.jit import inner_kernel, kernel

MAX_GENOTYPES = 1024  # GATK --max-genotype-count
REFERENCE_PSEUDOCOUNT = 10.0
"""heterozygosity / heterozygosity-stdev^2 at GATK's defaults (0.001 / 0.01^2); alternates weigh this times their heterozygosity."""
EM_TOLERANCE = 0.1  # of an allele count, between two rounds


@cache
def log_sum_table():
    """int32[n]: round(1000 log10(1 + 10^(-d / 1000))) for d = 0, 1, ... until it is 0 (10 log10 of a sum, in hundredths of a phred)."""
    steps = np.arange(4000)
    table = np.floor(1000 * np.log10(1 + 10.0 ** (-steps / 1000)) + 0.5).astype(np.int32)
    return table[: int(np.flatnonzero(table)[-1]) + 1]


@cache
def copy_costs(ploidy):
    """int32[ploidy + 1]: round(-1000 log10(copies / ploidy)), hundredths of a phred; entry 0 stands for "never" and is not used."""
    copies = np.arange(1, ploidy + 1)
    return np.concatenate([[0], np.floor(-1000 * np.log10(copies / ploidy) + 0.5)]).astype(np.int32)


@cache
def genotype_table(ploidy, n_alleles):
    """int32[n_genotypes, n_alleles]: copies of each allele, genotypes in VCF order (colexicographic)."""
    genotypes = sorted(combinations_with_replacement(range(n_alleles), ploidy), key=lambda g: g[::-1])
    return np.array([[g.count(a) for a in range(n_alleles)] for g in genotypes], np.int32)


def most_alleles(ploidy, limit):
    """Largest number of alleles, at most `limit`, with no more than MAX_GENOTYPES genotypes."""
    n, genotypes = 2, ploidy + 1
    while n < limit and (genotypes := genotypes * (n + ploidy) // n) <= MAX_GENOTYPES:
        n += 1
    return n


@cache
def log10_multinomials(ploidy, n_alleles):
    """float64[n_genotypes]: log10 of in how many orders each genotype's alleles can stand."""
    table = genotype_table(ploidy, n_alleles)
    return np.array([(lgamma(ploidy + 1) - sum(lgamma(c + 1) for c in row)) / log(10) for row in table])


@inner_kernel(allocates=True)
def genotype_posteriors(pls, table, log10_orders, frequencies, posterior):
    """Write log10 P(genotype | reads) of one sample, its alleles drawn at these frequencies.

    Parameters
    ----------
    pls : int32 or int64[n_genotypes]
        Phred, in VCF order.
    table, log10_orders
        From `genotype_table`, `log10_multinomials`.
    frequencies : float64[n_alleles]
    posterior : float64[n_genotypes]
        Written.
    """
    log_frequencies = np.log10(frequencies)
    n_genotypes, n_alleles = table.shape
    top = -np.inf
    for g in range(n_genotypes):
        value = log10_orders[g] - pls[g] / 10.0
        for a in range(n_alleles):
            value += table[g, a] * log_frequencies[a]
        posterior[g] = value
        top = max(top, value)
    total = 0.0
    for g in range(n_genotypes):
        total += 10.0 ** (posterior[g] - top)
    total = top + np.log10(total)
    for g in range(n_genotypes):
        posterior[g] -= total


@kernel(allocates=True)
def allele_frequencies(pls, table, log10_orders, pseudocounts, posterior, effective_counts):
    """log10 P(no variant) of one sample at one locus, from HaplotypeCaller's allele-frequency model.

    Parameters
    ----------
    pls : int64[n_genotypes]
        Phred, least 0, in VCF order.
    table, log10_orders
        From `genotype_table`, `log10_multinomials`.
    pseudocounts : float64[n_alleles]
        Prior weight of each allele.
    posterior : float64[n_genotypes]; effective_counts : float64[n_alleles]
        Written: log10 posteriors of the genotypes, and expected copies of each allele.

    Source: specification, section 5.2; equal to it in the golden cases.
    """
    n_genotypes, n_alleles = table.shape
    frequencies = np.full(n_alleles, 1.0 / n_alleles)
    previous = np.zeros(n_alleles)
    change = 2 * EM_TOLERANCE
    while change > EM_TOLERANCE:
        genotype_posteriors(pls, table, log10_orders, frequencies, posterior)
        effective_counts[:] = 0.0
        for g in range(n_genotypes):
            share = 10.0 ** posterior[g]
            for a in range(n_alleles):
                effective_counts[a] += table[g, a] * share
        change = 0.0
        for a in range(n_alleles):
            change = max(change, abs(effective_counts[a] - previous[a]))
        previous[:] = effective_counts
        frequencies[:] = (pseudocounts + effective_counts) / (pseudocounts + effective_counts).sum()
    genotype_posteriors(pls, table, log10_orders, frequencies, posterior)
    return min(0.0, posterior[0])


@kernel(allocates=True)
def _judge(loci, pls, slots, locus_slots, rates, table, log10_orders, qual, best):
    n_genotypes, n_alleles = table.shape
    pseudocounts, counts, posterior = np.empty(n_alleles), np.empty(n_alleles), np.empty(n_genotypes)
    pseudocounts[0] = REFERENCE_PSEUDOCOUNT
    for k in range(loci.size):
        locus = loci[k]
        here = pls[slots[locus] : slots[locus + 1]]
        for a in range(1, n_alleles):
            pseudocounts[a] = REFERENCE_PSEUDOCOUNT * rates[locus_slots[locus] + a - 1]
        qual[locus] = -10.0 * allele_frequencies(here, table, log10_orders, pseudocounts, posterior, counts) + 0.0
        top, which = -np.inf, 0
        for g in range(n_genotypes):
            value = -here[g] / 10.0
            for a in range(1, n_alleles):
                if table[g, a] > 0:
                    value += np.log10(rates[locus_slots[locus] + a - 1])
            if value > top:
                top, which = value, g
        best[locus] = which


def judge_loci(pls, slots, locus_slots, rates, ploidy):
    """QUAL and likeliest genotype of all loci.

    Parameters
    ----------
    pls : int64[...]; slots : int64[L + 1]
        Of each locus.
    locus_slots : int64[L + 1]
        Candidate alleles of each locus. rates : float64[A]: chance of each to be in a sample.

    Returns
    -------
    qual : float64[L]
        Phred of P(no variant), see `allele_frequencies`.
    best : int32[L]
        Genotype that is likeliest when each distinct allele in it is as rare as `rates` says, so that a second alternate allele needs
        more than a read or two.
    """
    qual, best = np.empty(len(slots) - 1), np.empty(len(slots) - 1, np.int32)
    n_alleles = np.diff(locus_slots) + 1
    for n in np.unique(n_alleles).tolist():
        loci = np.flatnonzero(n_alleles == n)
        _judge(loci, pls, slots, locus_slots, rates, genotype_table(ploidy, n), log10_multinomials(ploidy, n), qual, best)
    return qual, best
