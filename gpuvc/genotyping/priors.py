"""How likely each candidate allele is before the reads are seen."""

import numpy as np

from gpuvc.kernels.codes import N
from gpuvc.kernels.jit import kernel

# Phred of the chance that a human is heterozygous for an indel in a repeat, by its period (1..8) and copies (1..20): the published
# default parameters of DRAGEN-GATK's model of tandem repeats (specification, section 8.4).
REPEAT_INDEL_PHRED = np.array((
    (39, 39, 37, 35, 32, 26, 20, 16, 12, 10, 8, 7, 7, 6, 6, 5, 5, 4, 4, 4),
    (30, 30, 29, 22, 17, 14, 11, 8, 6, 5, 4, 4, 3, 3, 3, 3, 3, 3, 2, 2),
    (27, 27, 25, 18, 14, 12, 9, 7, 5, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2),
    (27, 27, 18, 9, 9, 9, 9, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2),
    (29, 29, 18, 8, 8, 8, 4, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2),
    (25, 25, 10, 10, 10, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3),
    (21, 21, 11, 11, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5),
    (18, 18, 10, 6, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4),
), np.float64)  # fmt: skip


@kernel
def _repeats(positions, reference, period_out, copies_out):
    """Period (1..8) and copies of the tandem repeat that holds each index of the reference; of several the one with most copies."""
    n = reference.size
    for k in range(positions.size):
        p = positions[k]
        best_period, best_copies = 1, 1
        if 0 <= p < n and reference[p] < N:
            for period in range(1, 9):
                # Base i "repeats" when it equals the one a period on; a run of n such bases is a tract of n + period, which holds p
                # when p or the base a period before it is in the run.
                for i in (p, p - period):
                    if i < 0 or i + period >= n or reference[i] != reference[i + period]:
                        continue
                    low, high = i, i
                    while low > 0 and reference[low - 1] == reference[low - 1 + period]:
                        low -= 1
                    while high + 1 + period < n and reference[high + 1] == reference[high + 1 + period]:
                        high += 1
                    copies = (high - low + 1 + period) // period
                    if copies > best_copies:
                        best_period, best_copies = period, copies
        period_out[k] = best_period
        copies_out[k] = best_copies


def repeats_at(positions, reference):
    """(int64[n], int64[n]): period, 1 to 8, and copies of the tandem repeat at each index (int64[n]) of the reference, uint8[any]."""
    period, copies = np.empty(len(positions), np.int64), np.empty(len(positions), np.int64)
    _repeats(positions, reference, period, copies)
    return period, copies


def allele_rates(candidates, reference, reference_start, settings):
    """float64[A]: chance that a diploid sample is heterozygous for each candidate allele.

    SNVs: `heterozygosity`. Indels: `indel_heterozygosity`, or where an indel adds or removes whole units of a tandem repeat, the rate of
    such repeats where that is higher.

    Source: HaplotypeCaller's heterozygosities (specification, section 5.2); the rates by repeat are DRAGEN-GATK's (8.4).
    """
    indels = np.flatnonzero(candidates.indel >= 0)
    rates = np.full(len(candidates.pos), settings.heterozygosity)
    rates[indels] = indel_rates(candidates.pos[indels], candidates.length[indels], reference, reference_start, settings)
    return rates


def indel_rates(pos, length, reference, reference_start, settings):
    """float64[n]: the same of indels anchored at `pos` that insert (length above 0) or delete bases."""
    period, copies = repeats_at(pos.astype(np.int64) + 1 - reference_start, reference)
    whole_units = np.abs(length) % period == 0
    repeat_rate = 10.0 ** (-REPEAT_INDEL_PHRED[period - 1, np.minimum(copies, 20) - 1] / 10)
    return np.where(whole_units, np.maximum(settings.indel_heterozygosity, repeat_rate), settings.indel_heterozygosity)
