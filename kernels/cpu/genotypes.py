"""Genotype likelihoods from allele penalties, on the CPU. Twin of `cuda/genotypes.py`.

Integers throughout: hundredths of a phred, the sum of two likelihoods by a table of 10 log10(1 + 10^-d/10). Each read is rounded to
0.005 phred, so that 50 reads are off by 0.04 in the mean; the sum over reads is exact in any order.
"""

import numpy as np

from ..jit import kernel

DISFAVOURED = 200  # hundredths of a phred (0.2 in log10) below its best allele


@kernel
def genotype_likelihood(
    k, task_locus, task_genotype, pair_slots, allele_slots, penalties, error_weight, allele_counts, log_sum, copy_cost, out
):  # fmt: skip
    """Write the penalty of genotype `task_genotype[k]` at locus `task_locus[k]`: -1000 log10 of P(reads | genotype).

    Parameters
    ----------
    task_locus, task_genotype : int32[n_tasks]
        The genotype is a row of `allele_counts`.
    pair_slots : int64[n_loci + 1]
        Which pairs (reads) belong to a locus.
    allele_slots : int64[n_pairs + 1]; penalties : int32[...]
        From `score_pair`: hundredths of a phred per allele of each pair.
    error_weight : int32[n_pairs]
        In 1/256: how much the read counts against genotypes that make an error of it (all of whose alleles it disfavours).
    allele_counts : int32[n_genotypes, max alleles]
        Copies of each allele.
    log_sum : int32[n_steps]
        round(1000 log10(1 + 10^(-d / 1000))) for d = 0, 1, ..., until it is 0.
    copy_cost : int32[ploidy + 1]
        round(-1000 log10(copies / ploidy)); entry 0 is not used.
    out : int64[n_tasks]
    """
    locus, genotype = task_locus[k], task_genotype[k]
    total = np.int64(0)
    for pair in range(pair_slots[locus], pair_slots[locus + 1]):
        slot, n_alleles = allele_slots[pair], allele_slots[pair + 1] - allele_slots[pair]
        sum_so_far, least = -1, DISFAVOURED + 1
        for a in range(n_alleles):
            copies = allele_counts[genotype, a]
            if copies > 0:
                least = min(least, penalties[slot + a])
                penalty = np.int64(penalties[slot + a]) + copy_cost[copies]
                if sum_so_far < 0:
                    sum_so_far = penalty
                else:
                    low, high = min(sum_so_far, penalty), max(sum_so_far, penalty)
                    sum_so_far = low - (log_sum[high - low] if high - low < log_sum.size else 0)
                    sum_so_far = max(sum_so_far, 0)
        total += sum_so_far * (error_weight[pair] if least > DISFAVOURED else 256)
    out[k] = (total + 128) >> 8


@kernel
def genotype_likelihoods(
    task_locus, task_genotype, pair_slots, allele_slots, penalties, error_weight, allele_counts, log_sum, copy_cost, out
):  # fmt: skip
    """`genotype_likelihood` for every task."""
    for k in range(task_locus.size):
        genotype_likelihood(
            k, task_locus, task_genotype, pair_slots, allele_slots, penalties, error_weight, allele_counts, log_sum, copy_cost, out
        )  # fmt: skip
