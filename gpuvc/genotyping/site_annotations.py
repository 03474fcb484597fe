"""Annotations of called loci from allele likelihoods: depths, strand tests, rank sums; and those over all samples' genotypes."""

import math

import numpy as np

from gpuvc.genotyping.annotations import fisher_strand, rank_sum, strand_odds_ratio
from gpuvc.kernels.jit import inner_kernel, kernel
from gpuvc.likelihoods.marginalize import median_below_best
from gpuvc.likelihoods.realign import INFORMATIVE_LOG10

MOST_QD = 35.0  # GATK draws a number around 30 instead of a higher one; a drawn number cannot be the same in every run
MIN_SAMPLES_INBREEDING = 10
EXCESS_HET_LIMIT = 1e-59
MOST_EXCESS_HET = 160.0
FEWEST_STRAND_READS = 2  # of a sample; its strands say nothing below or at it
LONGEST_DISTANCE = 1023  # bases from a read's end; further ones rank alike


@kernel
def informative_allele(log10):
    """The allele that explains a read better than any other by more than INFORMATIVE_LOG10; -1 if none does."""
    best, second, which = -np.inf, -np.inf, -1
    for a in range(log10.size):
        if log10[a] > best:
            second, best, which = best, log10[a], a
        elif log10[a] > second:
            second = log10[a]
    return which if best - second > INFORMATIVE_LOG10 else -1


@kernel(allocates=True)
def annotate_records(
    record_locus, out_slots, out_alleles, with_non_ref, allele_slots, pair_slots, pair_sample, pair_reverse, pair_mapq, pair_base_qual,
    pair_end_distance, log10_slots, log10, n_samples, depth_slots, depths, strand_depths, fs, sor, statistics, is_p,
):  # fmt: skip
    """What the informative reads say at the loci that are called.

    Parameters
    ----------
    record_locus : int64[n]
    out_slots : int64[n + 1]; out_alleles : int32[...]
        Alleles of each record among those of its locus, reference first.
    with_non_ref : bool
        The last allele of a record stands for all unknown ones; it is judged anew when others are left out.
    allele_slots ... log10
        Of the LocusBatch.
    depth_slots : int64[n + 1]; depths : int32[...]
        Written: reads by sample and allele of the record, by the likelihoods of its own alleles (AD).
    strand_depths : int32[n, n_samples, 4]
        Written, by the likelihoods of all alleles of the locus, as are the following; a read of an allele left out does not count: reads
        for the reference, forward and reverse, and for any alternate (SB).
    fs, sor : float64[n]
        Written.
    statistics : float64[n, 3]; is_p : int8[n, 3]
        Written: `rank_sum` of base quality, mapping quality, distance from the read's end.
    """
    strands = np.empty((n_samples, 4), np.int64)
    most = 0
    for k in range(record_locus.size):
        most = max(most, pair_slots[record_locus[k] + 1] - pair_slots[record_locus[k]])
    values, is_alt, n_values = np.empty((3, most), np.int32), np.empty((3, most), np.bool_), np.zeros(3, np.int64)
    for k in range(record_locus.size):
        locus = record_locus[k]
        n_alleles = allele_slots[locus + 1] - allele_slots[locus]
        out = out_alleles[out_slots[k] : out_slots[k + 1]]
        own = np.empty(out.size)
        depths[depth_slots[k] : depth_slots[k + 1]] = 0
        strands[:] = 0
        n_values[:] = 0
        for j in range(pair_slots[locus + 1] - pair_slots[locus]):
            pair, slot = pair_slots[locus] + j, log10_slots[locus] + j * n_alleles
            row = log10[slot : slot + n_alleles]
            for a in range(out.size):
                own[a] = row[out[a]]
            if with_non_ref and out.size < n_alleles:
                own[-1] = _non_ref_again(own, row)
            which = informative_allele(own)
            if which >= 0:
                depths[depth_slots[k] + pair_sample[pair] * out.size + which] += 1
            which = informative_allele(row)
            if which < 0 or not _contains(out, which):
                continue
            alt = which > 0
            strands[pair_sample[pair], 2 * alt + pair_reverse[pair]] += 1
            mapq = pair_mapq[pair]
            if mapq == 0 or mapq == 255:
                continue
            for what in range(3):
                value = np.int64(mapq)
                if what == 0:
                    value = np.int64(pair_base_qual[pair])
                elif what == 2:
                    value = min(np.int64(pair_end_distance[pair]), LONGEST_DISTANCE)
                if value >= 0:
                    values[what, n_values[what]] = value
                    is_alt[what, n_values[what]] = alt
                    n_values[what] += 1
        for what in range(3):
            statistics[k, what], is_p[k, what] = rank_sum(values[what, : n_values[what]], is_alt[what, : n_values[what]])
        tested, pooled = np.zeros(4, np.int64), np.zeros(4, np.int64)
        for sample in range(n_samples):
            for i in range(4):
                strand_depths[k, sample, i] = strands[sample, i]
            pooled += strands[sample]
            if strands[sample].sum() > FEWEST_STRAND_READS:
                tested += strands[sample]
        fs[k] = fisher_strand(tested[0], tested[1], tested[2], tested[3])
        sor[k] = strand_odds_ratio(pooled[0], pooled[1], pooled[2], pooled[3])


@inner_kernel
def _contains(values, value):
    for v in values:  # noqa: SIM110
        if v == value:
            return True
    return False


@inner_kernel(allocates=True)
def _non_ref_again(own, row):
    """`median_below_best` of the record's alleles, below the best of all that the locus has."""
    best = row[: row.size - 1].max()
    others = own[: own.size - 1]
    below = others[others < best]
    if below.size == 0:
        return best
    return median_below_best(np.append(below, best))


def qual_by_depth(qual, depths, n_reads, genotypes):
    """QD: QUAL per read of the samples that have the variant; None where there is no such read.

    Parameters
    ----------
    depths : sequence of (tuple of int or None)
        AD by sample. n_reads : sequence of int: reads by sample. genotypes : sequence of tuple.
    """
    total, of_carriers = 0, 0
    for own, n, genotype in zip(depths, n_reads, genotypes, strict=True):
        if min(genotype) < 0 or max(genotype) == 0:
            continue
        supporting = sum(own) if own else 0
        total += supporting or n
        if supporting and supporting - own[0] > 1:
            of_carriers += supporting
    depth = of_carriers or total
    return min(qual / depth, MOST_QD) if depth else None


def _genotype_shares(phred_likelihoods, n_alleles):
    """(P hom-ref, P het, P hom-alt) of a diploid sample; (0, 0, 1) where two alternates, or one twice, are likeliest among several."""
    weights = [10 ** (-value / 10) for value in phred_likelihoods]
    if n_alleles > 2:
        best = phred_likelihoods.index(min(phred_likelihoods))
        hets = [a * (a + 1) // 2 for a in range(1, n_alleles)]
        if best != 0 and best not in hets:
            return 0.0, 0.0, 1.0
        het = min(hets, key=lambda g: phred_likelihoods[g])
        allele = hets.index(het) + 1
        weights = [weights[0], weights[het], weights[het + allele]]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def excess_het(samples, n_alleles):
    """ExcessHet: phred of the chance of as many heterozygotes or more; None without a called diploid genotype.

    samples : sequence of SampleCall
    """
    called = [s for s in samples if len(s.genotype) == 2 and min(s.genotype) >= 0]
    if not called:
        return None
    if len(samples) == 1:
        return 0.0
    n_ref, n_het, n_alt = 0, 0, 0
    for sample in called:
        ref, het, alt = _genotype_shares(sample.phred_likelihoods, n_alleles)
        n_ref += math.floor(ref + 0.5)
        n_het += math.floor(het + 0.5) if het != ref else 0
        n_alt += math.floor(alt + 0.5) if alt != het else 0
    p = excess_het_p(n_het, n_ref, n_alt)
    return MOST_EXCESS_HET if p < EXCESS_HET_LIMIT else -10 * math.log10(p) + 0.0


def excess_het_p(n_het, n_ref, n_alt):
    """P(at least n_het heterozygotes), given the copies of both alleles, under Hardy-Weinberg equilibrium."""
    rare, n = 2 * min(n_ref, n_alt) + n_het, n_het + n_ref + n_alt
    logs = []
    for het in range(rare % 2, rare + 1, 2):
        twice = (rare - het) // 2
        rest = n - het - twice
        if rest >= 0:
            ways = math.lgamma(n + 1) - math.lgamma(twice + 1) - math.lgamma(het + 1) - math.lgamma(rest + 1) + het * math.log(2)
            logs.append((het, ways))
    top = max(ways for _, ways in logs)
    weights = [(het, math.exp(ways - top)) for het, ways in logs]
    return min(1.0, sum(w for het, w in weights if het >= n_het) / sum(w for _, w in weights))


def inbreeding_coefficient(samples, n_alleles):
    """InbreedingCoeff: 1 - observed / expected heterozygotes; None for fewer than MIN_SAMPLES_INBREEDING diploid samples."""
    called = [s for s in samples if len(s.genotype) == 2 and min(s.genotype) >= 0]
    if len(called) < MIN_SAMPLES_INBREEDING:
        return None
    shares = [_genotype_shares(s.phred_likelihoods, n_alleles) for s in called]
    return inbreeding_of(*(sum(s[k] for s in shares) for k in range(3)), len(called))


def inbreeding_of(n_ref, n_het, n_alt, n_samples):
    """1 - n_het / (2 p q n_samples), p the frequency of the reference; 0 where only one allele is there."""
    p = (2 * n_ref + n_het) / (2 * (n_ref + n_het + n_alt))
    expected = 2 * p * (1 - p) * n_samples
    return 1 - n_het / expected if expected > 0 else 0.0
