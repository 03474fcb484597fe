"""Filters shipped with gpuvc, on by default as FILTER values; no record is ever dropped for one.

GATK's published hard filters are not among them: on every clean set they cost more true SNVs than they remove false ones
(docs/accuracy.md).
"""

import math

import numpy as np

from gpuvc.genotyping.priors import repeats_at

LOW_QUAL = 10.0  # phred; appears only where --standard-min-confidence-threshold-for-calling is set lower
IMBALANCE, NEAR_IMBALANCE = 30.0, 6.0  # phred, see `hidden_copies`
NEAR_BP = 150  # a read's length: calls made by the same reads

ONE_STRAND, LOW_RANK = 15.0, -2.33  # phred, see `one_strand`; and the 1 % of rank sums that are lowest by chance
OTHER_STRAND_ERROR = 0.01  # of a base, where errors belong to the other strand
SLIPPED = 15.0  # phred, see `slippage`
MAX_SLIPPAGE = 0.2  # of the reads of a repeat
MIN_SLIPPING_COPIES = 5

FILTERS = {
    "LowQual": f"QUAL below {LOW_QUAL:g}; with --concordance hc, below --standard-min-confidence-threshold-for-calling",
    "AlleleBalance": f"Heterozygous, but its depths are 10^{IMBALANCE / 10:g} times likelier from three or four copies than from two, or "
    f"10^{NEAR_IMBALANCE / 10:g} times within {NEAR_BP} bp of such a call: reads of a hidden duplication, or systematic errors",
    "StrandBias": f"Heterozygous, but 10^{ONE_STRAND / 10:g} times likelier errors of one strand than an allele, and with base qualities "
    f"lower than the reference's (BaseQRankSum at most {LOW_RANK:g})",
    "Stutter": f"Heterozygous for units of a tandem repeat of {MIN_SLIPPING_COPIES} or more, but its depths are 10^{SLIPPED / 10:g} times "
    f"likelier from slippage, in up to {MAX_SLIPPAGE:.0%} of reads, than from two alleles",
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
        if is_het(sample)
    ]
    excess = np.zeros(len(calls))
    if hets:
        at, ref_depth, alt_depth = np.array(hets).T
        np.maximum.at(excess, at, hidden_copies(ref_depth, alt_depth))
    return excess


def one_strand(ref_forward, ref_reverse, alt_forward, alt_reverse):
    """Phred by which errors on one strand, in any share of its reads, explain a heterozygote's reads better than two alleles.

    k alternate reads of n on the strand have the chance 1 / ((n + 1) C(n, k)) when all shares are alike beforehand; on the other strand
    each is an error of its own.
    """
    n_reads = ref_forward + ref_reverse + alt_forward + alt_reverse
    fits = [
        -math.log10((n + 1) * math.comb(n, k)) + others * math.log10(OTHER_STRAND_ERROR)
        for n, k, others in ((ref_forward + alt_forward, alt_forward, alt_reverse), (ref_reverse + alt_reverse, alt_reverse, alt_forward))
    ]
    return 10 * (max(fits) + n_reads * math.log10(2))


_RATES = MAX_SLIPPAGE * (np.arange(64) + 0.5) / 64
_LOG_SLIPPED, _LOG_HELD = np.log10(_RATES), np.log10(1 - _RATES)


def slippage(ref_depth, alt_depth):
    """Phred by which slippage in an unknown share of the reads, up to MAX_SLIPPAGE, explains the depths better than two alleles."""
    fits = _LOG_SLIPPED * alt_depth + _LOG_HELD * ref_depth
    best = float(fits.max())
    return 10 * (best + math.log10(np.mean(10 ** (fits - best))) + (ref_depth + alt_depth) * math.log10(2))


def strands_of(call):
    """Reads for the reference, forward and reverse, and for alternates, of the heterozygous samples together; None where unknown."""
    strands = [sample.strand_depths for sample in call.samples if is_het(sample) and sample.strand_depths]
    return tuple(sum(column) for column in zip(*strands, strict=True)) if strands else None


def _is_one_strand(call):
    if (call.info.get("BaseQRankSum") or 0.0) > LOW_RANK:
        return False
    strands = strands_of(call)
    return strands is not None and one_strand(*strands) >= ONE_STRAND


def _slipped(calls, codes, codes_start):
    """Indices of the calls that look like slippage in every heterozygous sample."""
    suspects = [
        (i, call.pos + 1 - codes_start, {abs(len(call.alts[max(sample.genotype) - 1]) - len(call.ref)) for sample in hets})
        for i, call in enumerate(calls)
        if (hets := [sample for sample in call.samples if is_het(sample)])
        and all(_is_indel(call, sample) for sample in hets)
        and all(slippage(sample.allele_depths[0], sample.allele_depths[max(sample.genotype)]) >= SLIPPED for sample in hets)
    ]
    period, copies = repeats_at(np.array([at for _, at, _ in suspects], np.int64), codes)
    return {
        i
        for (i, _, lengths), unit, n in zip(suspects, period.tolist(), copies.tolist(), strict=True)
        if n >= MIN_SLIPPING_COPIES and all(length % unit == 0 for length in lengths)
    }


def is_het(sample):
    return len(sample.genotype) == 2 and min(sample.genotype) == 0 < max(sample.genotype)


def _is_indel(call, sample):
    alt = call.alts[max(sample.genotype) - 1]
    return len(alt) != len(call.ref) and alt[0] not in "*<"


def low_qual_of(settings):
    """Phred below which LowQual marks a call of the haplotype engine."""
    return settings.standard_min_confidence if settings.concordance == "hc" else LOW_QUAL


def confidence_of(call):
    """Phred that LowQual judges by: QUAL, or the confidence of a call whose QUAL comes from posteriors."""
    return call.qual if call.confidence is None else call.confidence


def apply_filters(calls, codes, codes_start, low_qual=LOW_QUAL):
    """Set `filters` of the calls of one contig, which are sorted by position. Calls up to NEAR_BP away decide with.

    codes : uint8[n]
        Reference from `codes_start` on, around the calls.
    low_qual : float
        Phred: LowQual marks calls with a lower `confidence_of`.
    """
    excess = imbalance(calls)
    slipped = _slipped(calls, codes, codes_start)
    pos = np.array([call.pos for call in calls], np.int64)
    far = pos[excess >= IMBALANCE]
    n_near = np.searchsorted(far, pos + NEAR_BP, side="right") - np.searchsorted(far, pos - NEAR_BP, side="left")
    fails = (excess >= IMBALANCE) | ((excess >= NEAR_IMBALANCE) & (n_near > 0))
    for i, (call, imbalanced) in enumerate(zip(calls, fails.tolist(), strict=True)):
        names = []
        if confidence_of(call) < low_qual:
            names.append("LowQual")
        if imbalanced:
            names.append("AlleleBalance")
        if _is_one_strand(call):
            names.append("StrandBias")
        if i in slipped:
            names.append("Stutter")
        call.filters = tuple(names)
