"""Allele penalties → genotype likelihoods, QUAL, genotype and its quality."""

from functools import cache
from itertools import combinations_with_replacement
from math import lgamma, log

import numpy as np

from gpuvc.kernels.jit import kernel

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


@kernel
def _allele_frequencies(pls, table, log10_orders, pseudocounts, log10_absent, effective_counts):
    """Specification, section 5.2, for one sample; pls int64[n_genotypes], phred.

    Writes log10 P(allele absent) per alternate allele (index 0: log10 P(no variant)) and the effective counts.
    """
    n_genotypes, n_alleles = table.shape
    frequencies = np.full(n_alleles, 1.0 / n_alleles)
    previous = np.zeros(n_alleles)
    posterior = np.empty(n_genotypes)
    while True:
        log_frequencies = np.log10(frequencies)
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
        norm = top + np.log10(total)
        effective_counts[:] = 0.0
        for g in range(n_genotypes):
            posterior[g] -= norm
            share = 10.0 ** posterior[g]
            for a in range(n_alleles):
                effective_counts[a] += table[g, a] * share
        change = 0.0
        for a in range(n_alleles):
            change = max(change, abs(effective_counts[a] - previous[a]))
            previous[a] = effective_counts[a]
        weight = 0.0
        for a in range(n_alleles):
            weight += pseudocounts[a] + effective_counts[a]
        for a in range(n_alleles):
            frequencies[a] = (pseudocounts[a] + effective_counts[a]) / weight
        if change <= EM_TOLERANCE:
            break
    # One more look with the final frequencies.
    log_frequencies = np.log10(frequencies)
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
    norm = top + np.log10(total)
    log10_absent[0] = min(0.0, posterior[0] - norm)
    for a in range(1, n_alleles):
        top = -np.inf
        for g in range(n_genotypes):
            if table[g, a] == 0:
                top = max(top, posterior[g])
        total = 0.0
        for g in range(n_genotypes):
            if table[g, a] == 0:
                total += 10.0 ** (posterior[g] - top)
        log10_absent[a] = min(0.0, top + np.log10(total) - norm)


@kernel
def _allele_frequencies_of_loci(loci, pls, slots, locus_slots, length, table, log10_orders, pseudocounts, qual, log10_absent, absent_slots):
    n_alleles = table.shape[1]
    here = np.empty(n_alleles)
    absent, counts = np.empty(n_alleles), np.empty(n_alleles)
    for k in range(loci.size):
        locus = loci[k]
        here[0] = pseudocounts[0]
        for a in range(1, n_alleles):
            here[a] = pseudocounts[1] if length[locus_slots[locus] + a - 1] == 0 else pseudocounts[2]
        _allele_frequencies(pls[slots[locus] : slots[locus + 1]], table, log10_orders, here, absent, counts)
        qual[locus] = -10.0 * absent[0] + 0.0
        for a in range(1, n_alleles):
            log10_absent[absent_slots[locus] + a - 1] = absent[a]


def pseudocounts(settings):
    """float64[3]: prior weight of the reference allele, an SNV, an indel."""
    return REFERENCE_PSEUDOCOUNT * np.array([1.0, settings.heterozygosity, settings.indel_heterozygosity])


def allele_frequencies(pls, ploidy, allele_pseudocounts):
    """QUAL and allele presence at one locus.

    Parameters
    ----------
    pls : int64[n_genotypes]
        Phred, least 0, in VCF order.
    allele_pseudocounts : float64[n_alleles]
        Prior weight of each allele.

    Returns
    -------
    qual : float
        Phred of P(no variant).
    log10_absent : float64[n_alternates]
        log10 P(allele absent).
    effective_counts : float64[n_alleles]

    Source: HaplotypeCaller's allele-frequency model (specification, section 5.2), equal to it in the golden cases.
    """
    n_alleles = len(allele_pseudocounts)
    log10_absent, effective_counts = np.empty(n_alleles), np.empty(n_alleles)
    table = genotype_table(ploidy, n_alleles)
    _allele_frequencies(
        np.asarray(pls, np.int64), table, log10_multinomials(ploidy, n_alleles), np.asarray(allele_pseudocounts, np.float64), log10_absent,
        effective_counts,
    )  # fmt: skip
    return -10.0 * log10_absent[0] + 0.0, log10_absent[1:], effective_counts


def genotype_allele_frequencies(pls, slots, locus_slots, length, ploidy, settings):
    """`allele_frequencies` of all loci.

    Parameters
    ----------
    pls : int64[...]; slots : int64[L + 1]
        Of each locus.
    locus_slots : int64[L + 1]; length : int32[A]
        Candidate alleles of each locus, and their lengths (0 = SNV).

    Returns
    -------
    qual : float64[L]
    log10_absent : float64[A]
    absent_slots : int64[L + 1]
        Where in log10_absent a locus begins (`locus_slots`).
    """
    n_loci = len(slots) - 1
    qual, log10_absent = np.empty(n_loci), np.empty(len(length))
    n_alleles = np.diff(locus_slots) + 1
    for n in np.unique(n_alleles).tolist():
        _allele_frequencies_of_loci(
            np.flatnonzero(n_alleles == n), pls, slots, locus_slots, length, genotype_table(ploidy, n), log10_multinomials(ploidy, n),
            pseudocounts(settings), qual, log10_absent, locus_slots,
        )  # fmt: skip
    return qual, log10_absent, locus_slots
