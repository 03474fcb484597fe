"""Filters shipped with gpuvc, on by default as FILTER values; no record is ever dropped for one.

GATK's published hard filters are not among them: on every clean set they cost more true SNVs than they remove false ones
(docs/accuracy.md).
"""

import numpy as np

LOW_QUAL = 10.0  # phred; appears only where --standard-min-confidence-threshold-for-calling is set lower
IMBALANCE, NEAR_IMBALANCE = 30.0, 6.0  # phred, see `hidden_copies`
NEAR_BP = 150  # a read's length: calls made by the same reads

FILTERS = {
    "LowQual": f"QUAL below {LOW_QUAL:g}; with --concordance hc, below --standard-min-confidence-threshold-for-calling",
    "AlleleBalance": f"Heterozygous, but its depths are 10^{IMBALANCE / 10:g} times likelier from three or four copies than from two, or "
    f"10^{NEAR_IMBALANCE / 10:g} times within {NEAR_BP} bp of such a call: reads of a hidden duplication, or systematic errors",
}

# Shares of alternate reads that two copies cannot give and three or four can.
_SHARES = np.array([1 / 3, 1 / 4, 2 / 3, 3 / 4])
_LOG_ALT, _LOG_REF = 10 * np.log10(_SHARES / 0.5), 10 * np.log10((1 - _SHARES) / 0.5)


def hidden_copies(ref_depth, alt_depth):
    """float64[n]: phred by which the depths of heterozygous calls fit three or four copies better than two, at least 0.

    Parameters
    ----------
    ref_depth, alt_depth : int[n]
        Informative reads (AD).
    """
    fits = np.multiply.outer(ref_depth, _LOG_REF) + np.multiply.outer(alt_depth, _LOG_ALT)
    return np.maximum(fits.max(axis=-1, initial=0.0), 0.0)


def imbalance(calls):
    """float64[n]: `hidden_copies` of each call; of several samples, the one that looks most like a duplication counts."""
    hets = [
        (i, sample.allele_depths[0], sample.allele_depths[max(sample.genotype)])
        for i, call in enumerate(calls)
        for sample in call.samples
        if len(sample.genotype) == 2 and min(sample.genotype) == 0 < max(sample.genotype)
    ]
    excess = np.zeros(len(calls))
    if hets:
        at, ref_depth, alt_depth = np.array(hets).T
        np.maximum.at(excess, at, hidden_copies(ref_depth, alt_depth))
    return excess


def apply_filters(calls, low_qual=LOW_QUAL):
    """Set `filters` of the calls of one contig, which are sorted by position. Calls up to NEAR_BP away decide with.

    low_qual : float
        Phred: LowQual marks calls with a lower QUAL.
    """
    excess = imbalance(calls)
    pos = np.array([call.pos for call in calls], np.int64)
    far = pos[excess >= IMBALANCE]
    n_near = np.searchsorted(far, pos + NEAR_BP, side="right") - np.searchsorted(far, pos - NEAR_BP, side="left")
    fails = (excess >= IMBALANCE) | ((excess >= NEAR_IMBALANCE) & (n_near > 0))
    for call, imbalanced in zip(calls, fails.tolist()):
        names = []
        if call.qual < low_qual:
            names.append("LowQual")
        if imbalanced:
            names.append("AlleleBalance")
        call.filters = tuple(names)
