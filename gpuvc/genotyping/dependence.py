"""Base errors at one place on one strand are not independent: how much each read counts against genotypes that call it an error.

What repeats there is the chemistry: a motif that misleads the sequencer does so on one strand in read after read. Length errors have their
model in the gap penalties of the repeat they fall in, so at indels every read counts in full.

However many reads agree, each still counts something: a heterozygote pays for every read which of its copies it came from, and were a read
more that calls for it cheaper as an error, depth would speak against it.
"""

import numpy as np

from gpuvc.genotyping.genotypes import copy_costs
from gpuvc.kernels.codes import FLAG_REVERSE
from gpuvc.kernels.jit import kernel

REPEATED_ERROR, FLOOR = 0.83, 0.03
"""The n-th read (from 0, best first) with the same allele on the same strand counts REPEATED_ERROR^n (1 - FLOOR) + FLOOR: the error model
of MAQ and samtools (specification, section 9.3: depcorr 0.17, eta 0.03)."""
WEIGHTS = np.floor(256 * (REPEATED_ERROR ** np.arange(64) * (1 - FLOOR) + FLOOR) + 0.5).astype(np.int32)


def least_error_cost(ploidy):
    """Hundredths of a phred that a read costs at least as an error, or all it costs if that is less.

    Half as much again as a read of one copy and its share of the other copies' reads cost under the heterozygote: however deep, an allele
    counts as an error only below two thirds of the share of reads that one copy would give it.
    """
    if ploidy == 1:
        return 0
    costs = copy_costs(ploidy)
    return 3 * int(costs[1] + (ploidy - 1) * costs[ploidy - 1]) // 2


@kernel(allocates=True)
def _error_weights(is_indel, pair_slots, is_reverse, allele_slots, penalties, table, least_cost, weights):
    for locus in range(pair_slots.size - 1):
        first, last = pair_slots[locus], pair_slots[locus + 1]
        if is_indel[locus]:
            weights[first:last] = 256
            continue
        n = last - first
        key = np.empty(n, np.int64)
        group, firmness = np.empty(n, np.int64), np.empty(n, np.int64)
        for i in range(n):
            pair = first + i
            best, second, which = 1 << 30, 1 << 30, 0
            for a in range(allele_slots[pair], allele_slots[pair + 1]):
                if penalties[a] < best:
                    second = best
                    best, which = penalties[a], a - allele_slots[pair]
                elif penalties[a] < second:
                    second = penalties[a]
            firmness[i] = second - best
            group[i] = 2 * which + (1 if is_reverse[pair] else 0)
            # By group, then the firmest read first, then the order of the file.
            key[i] = (group[i] << 44) + ((np.int64(1 << 20) - firmness[i]) << 22) + i
        key.sort()
        rank, before = 0, -1
        for i in range(n):
            at = key[i] & ((1 << 22) - 1)
            if group[at] != before:
                rank, before = 0, group[at]
            least = min(256, 256 * least_cost // max(1, firmness[at]))
            weights[first + at] = max(least, table[min(rank, table.size - 1)])
            rank += 1


def error_weights(is_indel, likelihoods, reads, ploidy):
    """`weigh_errors` of the pileup engine's likelihoods.

    Parameters
    ----------
    is_indel : bool[L]
    likelihoods : PairLikelihoods
    reads : ReadBatch
    """
    is_reverse = reads.flag[likelihoods.pair_read] & FLAG_REVERSE != 0
    return weigh_errors(is_indel, likelihoods.pair_slots, is_reverse, likelihoods.allele_slots, likelihoods.penalties, ploidy)


def weigh_errors(is_indel, pair_slots, is_reverse, allele_slots, penalties, ploidy):
    """int32[P]: in 1/256, for `gpuvc.kernels.cpu.genotypes.genotype_likelihood`.

    Parameters
    ----------
    is_indel : bool[L]
    pair_slots : int64[L + 1]
        Pairs of a locus and a read, by locus. is_reverse : bool[P], of the read.
    allele_slots : int64[P + 1]; penalties : int32[...]
        Hundredths of a phred by pair and allele.
    """
    weights = np.empty(len(is_reverse), np.int32)
    _error_weights(is_indel, pair_slots, is_reverse, allele_slots, penalties, WEIGHTS, least_error_cost(ploidy), weights)
    return weights
