"""Genotype likelihoods as the formula says, in float64: what the kernel `genotype_likelihoods` is held against.

    -1000 log10 P(reads | genotype) = sum over reads of w · -1000 log10 P(read | genotype)
    P(read | genotype) = sum over its alleles a of copies(a) / ploidy · 10^(-penalty(a) / 1000)

w is error_weight / 256 where the read disfavours all alleles of the genotype (by more than 2 phred), else 1.
"""

from math import log10


def genotype_likelihoods(
    task_locus, task_genotype, pair_slots, allele_slots, penalties, error_weight, allele_counts, log_sum, copy_cost, out
):  # fmt: skip
    """Write the penalty of each task's genotype, in hundredths of a phred. `log_sum` and `copy_cost` are the kernel's tables, not used."""
    for k, (locus, genotype) in enumerate(zip(task_locus.tolist(), task_genotype.tolist())):
        copies = {a: int(n) for a, n in enumerate(allele_counts[genotype]) if n > 0}
        total = 0.0
        for pair in range(int(pair_slots[locus]), int(pair_slots[locus + 1])):
            penalty = {a: int(penalties[allele_slots[pair] + a]) for a in copies}
            likelihood = sum(n / sum(copies.values()) * 10.0 ** (-penalty[a] / 1000) for a, n in copies.items())
            weight = error_weight[pair] / 256 if min(penalty.values()) > 200 else 1.0
            total += weight * -1000 * log10(likelihood)
        out[k] = total
