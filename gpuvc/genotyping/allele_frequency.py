"""Likelihoods of alleles → genotype likelihoods, QUAL, and which alleles are there, exactly (the pileup engine has its own, in integers).

All loci of one number of alleles are done in one call, whatever their region; several samples share the allele frequencies.
"""

import numpy as np

from gpuvc.genotyping.genotypes import EM_TOLERANCE, genotype_posteriors, genotype_table, log10_multinomials
from gpuvc.kernels.jit import inner_kernel, kernel

MAX_PHRED = 2**31 - 1


def n_genotypes(ploidy, n_alleles):
    """Number of genotypes, elementwise: C(ploidy + n_alleles - 1, ploidy)."""
    count = np.ones(np.shape(n_alleles), np.int64)
    for k in range(1, ploidy + 1):
        count = count * (np.asarray(n_alleles, np.int64) + k - 1) // k
    return count


def genotype_slots(ploidy, allele_slots, n_samples):
    """int64[L + 1]: where each locus's genotypes begin, samples one after the other."""
    return np.concatenate(([0], np.cumsum(n_samples * n_genotypes(ploidy, np.diff(allele_slots)))))


def by_allele_count(allele_slots, ploidy):
    """(loci of one number of alleles, their genotype table), group by group."""
    n_alleles = np.diff(allele_slots)
    for n in np.unique(n_alleles).tolist():
        yield np.flatnonzero(n_alleles == n), genotype_table(ploidy, n)


def genotype_pls(loci, ploidy, n_samples, least=None):
    """PLs of all loci.

    Parameters
    ----------
    loci : LocusBatch
    least : float64[n_samples * A] or None
        Log10 likelihood that each homozygous genotype has at least (`gpuvc.genotyping.dragen`).

    Returns
    -------
    pls : int32[...]; slots : int64[L + 1]
        Locus by locus, sample by sample, genotypes in VCF order; least 0.
    """
    slots = genotype_slots(ploidy, loci.allele_slots, n_samples)
    pls = np.empty(int(slots[-1]), np.int32)
    if least is None:
        least = np.full(n_samples * len(loci.allele_event), -np.inf)
    for chosen, table in by_allele_count(loci.allele_slots, ploidy):
        likelihoods = np.empty((n_samples, len(table)))
        sum_likelihoods(
            chosen, loci.pair_slots, loci.pair_sample, loci.log10_slots, loci.log10, table, genotype_alleles(table), loci.allele_slots,
            least, likelihoods, slots, pls,
        )  # fmt: skip
    return pls, slots


def genotype_alleles(table):
    """int32[n_genotypes, 3]: number of distinct alleles, the first and the last of them."""
    carried = table > 0
    n_alleles = table.shape[1]
    return np.stack([carried.sum(axis=1), carried.argmax(axis=1), n_alleles - 1 - carried[:, ::-1].argmax(axis=1)], axis=1).astype(np.int32)


@kernel(allocates=True)
def sum_likelihoods(
    chosen, pair_slots, pair_sample, log10_slots, log10, table, alleles, allele_slots, least, likelihoods, slots, pls
):  # fmt: skip
    """Write the PLs of the chosen loci, which have all the same number of alleles.

    GL(g) = sum over reads of log10( sum over alleles of copies 10^L[allele] ) - n_reads log10(ploidy)

    least
        As in `genotype_pls`.
    likelihoods : float64[n_samples, n_genotypes]
        Overwritten.
    """
    n_genotypes, n_alleles = table.shape
    ploidy = 0
    for a in range(n_alleles):
        ploidy += table[0, a]
    log_ploidy = np.log10(float(ploidy))
    linear = np.empty(n_alleles)
    for c in range(chosen.size):
        locus = chosen[c]
        likelihoods[:] = 0.0
        for k in range(pair_slots[locus + 1] - pair_slots[locus]):
            slot = log10_slots[locus] + k * n_alleles
            sample = pair_sample[pair_slots[locus] + k]
            top = -np.inf
            for a in range(n_alleles):
                top = max(top, log10[slot + a])
            for a in range(n_alleles):
                linear[a] = 10.0 ** (log10[slot + a] - top)
            for g in range(n_genotypes):
                if alleles[g, 0] == 1:
                    likelihoods[sample, g] += log10[slot + alleles[g, 1]]
                    continue
                total = 0.0
                for a in range(alleles[g, 1], alleles[g, 2] + 1):
                    total += table[g, a] * linear[a]
                if total > 1e-290:
                    likelihoods[sample, g] += top + np.log10(total) - log_ploidy
                else:
                    likelihoods[sample, g] += _log_mixture(log10[slot : slot + n_alleles], table[g]) - log_ploidy
        for sample in range(likelihoods.shape[0]):
            for g in range(n_genotypes):
                if alleles[g, 0] == 1:
                    bound = least[likelihoods.shape[0] * allele_slots[locus] + sample * n_alleles + alleles[g, 1]]
                    likelihoods[sample, g] = max(likelihoods[sample, g], bound)
            top = likelihoods[sample].max()
            for g in range(n_genotypes):
                value = np.floor(-10.0 * (likelihoods[sample, g] - top) + 0.5)
                pls[slots[locus] + sample * n_genotypes + g] = MAX_PHRED if not value < MAX_PHRED else np.int32(value)


@inner_kernel
def _log_mixture(log10, copies):
    """log10 of the sum of copies 10^log10, where all are too small to be added as they are."""
    top = -np.inf
    for a in range(log10.size):
        if copies[a] > 0:
            top = max(top, log10[a])
    if top == -np.inf:
        return top
    total = 0.0
    for a in range(log10.size):
        if copies[a] > 0:
            total += copies[a] * 10.0 ** (log10[a] - top)
    return top + np.log10(total)


@kernel
def subset_pls(chosen, pls, slots, kept, kept_slots, n_samples, table, out, out_slots):
    """Write the PLs of the genotypes that are made of kept alleles only, least 0.

    Parameters
    ----------
    chosen : int64[n]
        Entries of kept_slots, out_slots; all keep the same number of alleles.
    pls, slots
        Of all alleles, addressed as kept_slots.
    kept : int32[...]; kept_slots : int64[n + 1]
        Ascending indices of alleles.
    table : int32[n_genotypes, n_kept]
        From `genotype_table`.
    """
    n_genotypes, n_kept = table.shape
    for c in range(chosen.size):
        locus = chosen[c]
        before = (slots[locus + 1] - slots[locus]) // n_samples
        for sample in range(n_samples):
            first, least = out_slots[locus] + sample * n_genotypes, np.int64(MAX_PHRED)
            for g in range(n_genotypes):
                # Rank among the multisets: sum over the copies, ascending, of C(allele + k, k + 1).
                rank, k = np.int64(0), 0
                for a in range(n_kept):
                    for _ in range(table[g, a]):
                        term, allele = np.int64(1), np.int64(kept[kept_slots[locus] + a])
                        for i in range(1, k + 2):
                            term = term * (allele + i - 1) // i
                        rank += term
                        k += 1
                value = pls[slots[locus] + sample * before + rank]
                out[first + g] = value
                least = min(least, np.int64(value))
            for g in range(n_genotypes):
                out[first + g] -= least


@kernel(allocates=True)
def estimate_frequencies(
    chosen, pls, slots, allele_slots, pseudocounts, n_samples, spanning, table, log10_orders, log10_absent, counts, log10_reference
):
    """Allele frequencies of each locus by expectation maximisation, and how sure it is that alleles are there.

    Parameters
    ----------
    chosen : int64[n]
        Loci, all with table.shape[1] alleles.
    pls : int32[...]; slots : int64[L + 1]
    allele_slots : int64[L + 1]
    pseudocounts : float64[A]
        Prior weight of each allele.
    spanning : bool[A]
        Alleles that are no variant of this locus (`*`).
    log10_absent : float64[A]; counts : float64[A]
        Written: P(no sample has the allele), and expected copies.
    log10_reference : float64[L]
        Written: P(no sample has a variant).

    Source: specification, section 5.2.
    """
    n_genotypes, n_alleles = table.shape
    posterior, previous, now = np.empty((n_samples, n_genotypes)), np.empty(n_alleles), np.empty(n_alleles)
    for c in range(chosen.size):
        locus = chosen[c]
        first, slot = allele_slots[locus], slots[locus]
        frequencies = np.full(n_alleles, 1.0 / n_alleles)
        previous[:] = 0.0
        change = 2 * EM_TOLERANCE
        while change > EM_TOLERANCE:
            now[:] = 0.0
            for sample in range(n_samples):
                own = pls[slot + sample * n_genotypes : slot + (sample + 1) * n_genotypes]
                genotype_posteriors(own, table, log10_orders, frequencies, posterior[sample])
                for g in range(n_genotypes):
                    share = 10.0 ** posterior[sample, g]
                    for a in range(n_alleles):
                        now[a] += table[g, a] * share
            change, total = 0.0, 0.0
            for a in range(n_alleles):
                change = max(change, abs(now[a] - previous[a]))
                total += pseudocounts[first + a] + now[a]
            for a in range(n_alleles):
                previous[a] = now[a]
                frequencies[a] = (pseudocounts[first + a] + now[a]) / total
        with_spanning = False
        for a in range(n_alleles):
            counts[first + a] = now[a]
            log10_absent[first + a] = 0.0
            with_spanning = with_spanning or spanning[first + a]
        log10_reference[locus] = 0.0
        for sample in range(n_samples):
            own = pls[slot + sample * n_genotypes : slot + (sample + 1) * n_genotypes]
            genotype_posteriors(own, table, log10_orders, frequencies, posterior[sample])
            log10_reference[locus] += _log10_without(posterior[sample], table, spanning[first : first + n_alleles], -1)
            for a in range(n_alleles):
                log10_absent[first + a] += _log10_without(posterior[sample], table, spanning[first : first + n_alleles], a)
        if n_alleles == 2 and not with_spanning:
            log10_absent[first + 1] = log10_reference[locus]


@inner_kernel
def _log10_without(posterior, table, spanning, allele):
    """log10 of the mass of genotypes without this allele, 0 at most; for -1: of the reference and spanning alleles only."""
    top = -np.inf
    for g in range(table.shape[0]):
        if _is_without(table[g], spanning, allele):
            top = max(top, posterior[g])
    if top == -np.inf:
        return top
    total = 0.0
    for g in range(table.shape[0]):
        if _is_without(table[g], spanning, allele):
            total += 10.0 ** (posterior[g] - top)
    return min(0.0, top + np.log10(total))


@inner_kernel
def _is_without(copies, spanning, allele):
    if allele >= 0:
        return copies[allele] == 0
    for a in range(1, copies.size):  # noqa: SIM110
        if copies[a] > 0 and not spanning[a]:
            return False
    return True


def judge_alleles(pls, slots, allele_slots, pseudocounts, spanning, ploidy, n_samples):
    """`estimate_frequencies` of all loci → (log10_absent float64[A], counts float64[A], log10_reference float64[L])."""
    absent, counts, reference = np.empty(len(spanning)), np.empty(len(spanning)), np.empty(len(slots) - 1)
    for chosen, table in by_allele_count(allele_slots, ploidy):
        orders = log10_multinomials(ploidy, table.shape[1])
        estimate_frequencies(chosen, pls, slots, allele_slots, pseudocounts, n_samples, spanning, table, orders, absent, counts, reference)
    return absent, counts, reference


def pseudocounts_of(allele_length, ref_length, is_reference, settings):
    """float64[A]: prior weight of alleles, by whether they are the reference, as long as it, or of another length."""
    scale = settings.heterozygosity / settings.heterozygosity_stdev**2
    alternate = np.where(allele_length == ref_length, settings.heterozygosity, settings.indel_heterozygosity)
    return scale * np.where(is_reference, 1.0, alternate)
