"""What DRAGEN-GATK adds to GATK's model: base-quality dropout and foreign reads, which raise homozygous genotypes, and posteriors.

    reads of a locus --order by cycle--> dropout: late bases of one strand are errors  --+
                     --by mapping quality--> foreign: badly placed reads lie elsewhere  --+--> least log10 likelihood of each a/a
    repeat at a locus --DRAGstr--> how likely an indel is there beforehand

Source: specification, sections 8.2, 8.3, 8.4 and 8.5.
"""

import math
from typing import NamedTuple

import numpy as np

from gpuvc.kernels.codes import CIGAR_H, FLAG_REVERSE
from gpuvc.kernels.jit import inner_kernel, kernel
from gpuvc.likelihoods.marginalize import REFERENCE, SPANNING, read_offset, soft_bounds

SNV_PRIOR_PHRED = 34.77  # of a foreign allele that is not the reference, or an indel about whose repeat something is known
REPEAT_CONTEXT_BP = 500  # reference on both sides of a padded region in which repeats are counted
QUAL_WEIGHT = 2.5  # what the mean base quality of the errors counts in the score
PHRED_PER_REPEAT = 5.0  # and what each base before the locus that equals the error takes off it
MAX_REPEATS = 4
TOLERANCE_LOG10 = 1e-7  # thresholds and the values of reads are sums taken in one order
NO_BASE = 255  # in the place of an allele's first base: `*`, <NON_REF>
MISPLACED_PHRED = np.interp(np.arange(256), (0, 30, 60, 100, 200, 256), (0, 30, 40, 45, 50, 50))
"""float64[256]: by mapping quality, how unlikely DRAGEN-GATK holds it that the read lies elsewhere."""


class LocusRepeats(NamedTuple):
    """The tandem repeat behind the first base of each locus, and what DRAGstr says of it; L loci.

    period, copies : int64[L]
        Of those that begin there the one with most copies, and then its copies before the locus, too.
    indel_phred : float64[L]
        How unlikely it is that a sample is heterozygous for an indel; NaN in regions that have none, where nobody looks.
    """

    period: np.ndarray
    copies: np.ndarray
    indel_phred: np.ndarray


def locus_repeats(loci, regions, haplotypes, codes, codes_start, dragstr):
    """LocusRepeats of a LocusBatch by a Dragstr; RegionBatch and HaplotypeBatch of its regions, `codes` uint8[n] from `codes_start` on."""
    low = np.maximum(regions.padded_start.astype(np.int64) - REPEAT_CONTEXT_BP - codes_start, 0)
    high = np.minimum(regions.padded_end.astype(np.int64) + REPEAT_CONTEXT_BP - codes_start, len(codes))
    period, copies = np.empty(loci.n_loci, np.int64), np.empty(loci.n_loci, np.int64)
    at = loci.pos.astype(np.int64) + 1 - codes_start
    repeats_from(at, low[loci.region], high[loci.region], codes, dragstr.n_periods, period, copies)
    is_indel = np.diff(haplotypes.event_alt_offsets) != haplotypes.event_ref_length
    n_indels = np.diff(np.concatenate(([0], np.cumsum(is_indel)))[haplotypes.event_slots])
    indel_phred = np.where(n_indels[loci.region] > 0, dragstr.at(dragstr.indel_prior, period, copies), np.nan)
    return LocusRepeats(period, copies, indel_phred)


@kernel
def repeats_from(at, low, high, codes, max_period, period_out, copies_out):
    """Write `period` and `copies` of LocusRepeats.

    Parameters
    ----------
    at, low, high : int64[L]
        Indices into codes: where the repeat begins, and between which it is counted. An `at` that is not below `high` has no repeat.
    codes : uint8[n]
    max_period : int
    """
    for k in range(at.size):
        period_out[k], copies_out[k] = 1, 1
        for period in range(1, max_period + 1):
            i = at[k]
            while i + period < high[k] and codes[i] == codes[i + period]:
                i += 1
            copies = 1 + (i - at[k]) // period
            if copies > copies_out[k]:
                period_out[k], copies_out[k] = period, copies
        i, period = at[k] - 1, period_out[k]
        while i >= low[k] and i + period < high[k] and codes[i] == codes[i + period]:
            i -= 1
        copies_out[k] += (at[k] - 1 - i) // period


def least_log10(loci, haplotypes, region_reads, realigned, disqualified, reads, codes, codes_start, n_samples, settings, repeats=None):
    """Log10 likelihoods that homozygous genotypes have at least; -inf for no such bound.

    Parameters
    ----------
    loci : LocusBatch; haplotypes : HaplotypeBatch; region_reads : RegionReads; realigned : RealignedReads
        Of the same regions.
    disqualified : bool[N]
        Rows that no haplotype explains; overwritten. As in GATK, such a row counts at a locus when it reaches it and all earlier ones of
        its region.
    reads : ReadBatch
    codes : uint8[n]
        Reference from `codes_start` on.
    settings : Settings
        apply_bqd, apply_frd, read_overlap_margin.
    repeats : LocusRepeats or None

    Returns
    -------
    float64[n_samples * A]
        Locus by locus, sample by sample, allele by allele.
    """
    event = loci.allele_event
    locus_of = np.repeat(np.arange(loci.n_loci), np.diff(loci.allele_slots))
    first_base = np.full(len(event), NO_BASE, np.uint8)
    first_base[event == REFERENCE] = codes[loci.pos[locus_of[event == REFERENCE]] - codes_start]
    first_base[event >= 0] = haplotypes.event_alt[haplotypes.event_alt_offsets[event[event >= 0]]]
    is_single = loci.allele_length == loci.ref_length[locus_of]
    is_single[(event < 0) & (event != REFERENCE) & (event != SPANNING)] = False
    is_indel = loci.allele_length != loci.ref_length[locus_of]
    foreign_phred = np.full(len(event), SNV_PRIOR_PHRED)
    if repeats is not None:
        is_known = is_indel & ~np.isnan(repeats.indel_phred[locus_of])
        foreign_phred[is_known] = repeats.indel_phred[locus_of[is_known]]
    foreign_phred[event == REFERENCE] = 0.0
    out = np.full(n_samples * len(event), -np.inf)
    raise_homozygous(
        loci.region, loci.pos, loci.ref_length, loci.allele_slots, first_base, is_single, foreign_phred, loci.pair_slots, loci.pair_row,
        loci.pair_sample, loci.log10_slots, loci.log10, region_reads.region_slots, disqualified, region_reads.sample,
        reads.flag[region_reads.read] & FLAG_REVERSE != 0, MISPLACED_PHRED[reads.mapq[region_reads.read]], realigned.pos,
        *soft_bounds(realigned), realigned.cigar, realigned.cigar_offsets, region_reads.base_quals, region_reads.base_offsets, codes,
        codes_start, settings.read_overlap_margin, n_samples, settings.apply_bqd, settings.apply_frd, out,
    )  # fmt: skip
    return out


@kernel(allocates=True)
def raise_homozygous(
    region, pos, ref_length, allele_slots, first_base, is_single, foreign_phred, pair_slots, pair_row, pair_sample, log10_slots, log10,
    region_slots, disqualified, sample, reverse, misplaced, read_pos, soft_pos, soft_end, cigar, cigar_offsets, base_quals, base_offsets,
    codes, codes_start, margin, n_samples, with_dropout, with_foreign, out,
):  # fmt: skip
    """Write `least_log10`.

    disqualified
        Overwritten: the rows that reach every locus of their region.
    first_base, is_single : uint8[A], bool[A]
        Code or NO_BASE; whether the allele is as long as the reference's.
    foreign_phred : float64[A]
        How unlikely it is that a foreign read has the allele.
    misplaced : float64[N]
        Phred, by row. All other columns as in LocusBatch, RegionReads, RealignedReads.
    """
    for locus in range(pos.size):
        first, n_alleles = allele_slots[locus], allele_slots[locus + 1] - allele_slots[locus]
        low, high = pos[locus] - margin, pos[locus] + ref_length[locus] + margin
        x = max(np.int64(pos[locus]), margin)
        rows_from, rows_to = region_slots[region[locus]], region_slots[region[locus] + 1]
        n_pairs = pair_slots[locus + 1] - pair_slots[locus]
        for s in range(n_samples):
            # The sample's reads there: those that are genotyped, with their place in log10, then the disqualified, with -1.
            rows, slot = np.empty(n_pairs + rows_to - rows_from, np.int64), np.empty(n_pairs + rows_to - rows_from, np.int64)
            n = 0
            for k in range(n_pairs):
                if pair_sample[pair_slots[locus] + k] == s:
                    rows[n], slot[n] = pair_row[pair_slots[locus] + k], log10_slots[locus] + k * n_alleles
                    n += 1
            for row in range(rows_from, rows_to):
                disqualified[row] &= sample[row] != s or (soft_pos[row] < high and soft_end[row] > low)
                if disqualified[row] and sample[row] == s:
                    rows[n], slot[n] = row, -1
                    n += 1
            rows, slot = rows[:n], slot[:n]
            bounds = out[n_samples * first + s * n_alleles : n_samples * first + (s + 1) * n_alleles]
            if n == 0:
                continue
            if with_dropout:
                quals, order = np.empty(n, np.int64), np.empty(n, np.int64)
                for i in range(n):
                    row = rows[i]
                    quals[i], order[i] = _cycle(
                        cigar[cigar_offsets[row] : cigar_offsets[row + 1]], read_pos[row], x, reverse[row],
                        base_quals[base_offsets[row] : base_offsets[row + 1]],
                    )  # fmt: skip
                order = np.argsort(-256 * order + np.maximum(quals, 0), kind="mergesort")
                for a in range(n_alleles):
                    for e in range(n_alleles):
                        if a != e and is_single[first + a] and is_single[first + e]:
                            phred = 0.0
                            for strand in range(2):
                                repeats = _repeats_of(codes, pos[locus] - codes_start, first_base[first + e], -1 if strand == 0 else 1)
                                phred += _dropout_of_strand(
                                    order, rows, slot, reverse, strand == 1, quals, log10, a, e, PHRED_PER_REPEAT * repeats
                                )
                            bounds[a] = max(bounds[a], -0.1 * phred)
            if with_foreign:
                for f in range(n_alleles):
                    critical = -0.1 * misplaced[rows] - 0.1 * foreign_phred[first + f]
                    for a in range(n_alleles):
                        if a != f:
                            bounds[a] = max(bounds[a], _foreign_of_locus(rows, slot, reverse, critical, log10, a, f))


@inner_kernel
def _cycle(cigar, pos, x, is_reverse, quals):
    """(quality of the read's base at reference position x, -1 for none; how late in the read it was sequenced)."""
    offset, _ = read_offset(cigar, pos, x)
    before, behind = np.int64(cigar[0]), np.int64(cigar[-1])
    late = offset + (before >> 4 if before & 15 == CIGAR_H else 0)
    if is_reverse:
        late = quals.size - offset + (behind >> 4 if behind & 15 == CIGAR_H else 0)
    return (np.int64(quals[offset]) if offset >= 0 else np.int64(-1)), np.int64(late)


@inner_kernel
def _repeats_of(codes, at, base, step):
    """How many bases of the reference before (step -1) or behind (1) an index are this one, MAX_REPEATS at most."""
    n = 0
    while n < MAX_REPEATS and 0 <= at + (n + 1) * step < codes.size and codes[at + (n + 1) * step] == base:
        n += 1
    return n


@inner_kernel(allocates=True)
def _dropout_of_strand(order, rows, slot, reverse, on_reverse, quals, log10, a, e, discount):
    """`dropout_phred` of the reads of one strand at a locus."""
    genotype, error, own_quals = np.zeros(order.size), np.zeros(order.size), np.empty(order.size, np.int64)
    n = 0
    for i in order:
        if reverse[rows[i]] == on_reverse:
            if slot[i] >= 0:
                genotype[n], error[n] = log10[slot[i] + a], log10[slot[i] + e]
            own_quals[n] = quals[i]
            n += 1
    return dropout_phred(genotype[:n], error[:n], own_quals[:n], discount)


@kernel
def dropout_phred(genotype, error, base_quals, discount):
    """Phred score of a homozygous genotype when the first reads of one strand, as many as it takes, may be errors.

    Parameters
    ----------
    genotype, error : float64[n_reads]
        Log10 likelihoods under the genotype's allele and under the error's; latest in the sequencing first. Both 0: has no say.
    base_quals : int64[n_reads]
        At the locus; -1 for none.
    discount : float
        Phred; taken off the weight of the errors' mean base quality.
    """
    rest = 0.0
    for i in range(genotype.size):
        rest -= 10.0 * genotype[i]
    total, best, quals, n_quals = rest, rest, 0.0, 0
    as_errors, as_genotype = 0.0, 0.0
    for i in range(genotype.size):
        if genotype[i] != 0.0 or error[i] != 0.0:
            as_errors -= 10.0 * _log10_mix(0.5, error[i], genotype[i])
            as_genotype -= 10.0 * genotype[i]
        if base_quals[i] >= 0:
            quals += base_quals[i]
            n_quals += 1
        weight = max(0.0, QUAL_WEIGHT * quals / max(n_quals, 1) - discount)
        best = min(best, weight + as_errors + total - as_genotype)
    return best


@inner_kernel
def _log10_mix(share, one, other):
    """log10(share 10^one + (1 - share) 10^other)."""
    top = max(one, other)
    if top == -np.inf:
        return top
    return top + np.log10(share * 10.0 ** (one - top) + (1.0 - share) * 10.0 ** (other - top))


@inner_kernel(allocates=True)
def _foreign_of_locus(rows, slot, reverse, critical, log10, a, f):
    """The best `foreign_log10` of forward, reverse and all reads of a locus."""
    thresholds = np.unique(critical)
    n = 0
    for i in range(rows.size):
        n += slot[i] >= 0
    genotype, foreign, values, on_reverse = np.empty(n), np.empty(n), np.empty(n), np.empty(n, np.bool_)
    n = 0
    for i in range(rows.size):
        if slot[i] >= 0:
            genotype[n], foreign[n] = log10[slot[i] + a], log10[slot[i] + f]
            values[n], on_reverse[n] = critical[i], reverse[rows[i]]
            n += 1
    best = foreign_log10(genotype, foreign, values, np.ones(n, np.bool_), thresholds)
    for strand in (False, True):
        best = max(best, foreign_log10(genotype, foreign, values, on_reverse == strand, thresholds))
    return best


@kernel
def foreign_log10(genotype, foreign, critical, is_chosen, thresholds):
    """Log10 likelihood of a homozygous genotype when reads that are placed badly enough may come from elsewhere.

    Parameters
    ----------
    genotype, foreign : float64[n_reads]
        Log10 likelihoods under the genotype's allele and under the foreign one.
    critical : float64[n_reads]
        Log10 P(the read is foreign); those at or above a threshold may be, which costs the threshold once.
    is_chosen : bool[n_reads]
        Reads of the strand that foreign ones come from.
    thresholds : float64[n_thresholds]
    """
    best = -np.inf
    for threshold in thresholds:
        share, n = 0.0, 0
        for i in range(genotype.size):
            if is_chosen[i]:
                n += 1
                if critical[i] + TOLERANCE_LOG10 > threshold:
                    share += 1.0 / (1.0 + 10.0 ** (genotype[i] - foreign[i]))
        share = min(0.5, share / n) if n else 0.0
        total = threshold
        for i in range(genotype.size):
            if is_chosen[i] and critical[i] + TOLERANCE_LOG10 > threshold:
                total += _log10_mix(share, foreign[i], genotype[i])
            elif is_chosen[i]:
                total += np.log10(1.0 - share) + genotype[i]
            else:
                total += genotype[i]
        best = max(best, total)
    return best


def genotype_log10_priors(lengths, is_reference, is_symbolic, table, settings, dragstr=None, indel_phred=math.nan):
    """float64[n_genotypes]: how likely genotypes are beforehand, for --genotype-assignment-method USE_POSTERIOR_PROBABILITIES.

    Parameters
    ----------
    lengths : int32[n_alleles]
        Bases; the reference's first. is_reference, is_symbolic : bool[n_alleles].
    table : int32[n_genotypes, n_alleles]
        From `genotype_table`.
    dragstr : Dragstr or None
        With it two copies of an allele are likelier than by chance, and indels as likely as `indel_phred` says, if that is not NaN.

    An alternate allele costs `het` once and `hom` for two copies, log10: a third for each of the bases an SNV can have. Source:
    specification, section 8.5.
    """
    snv, indel = math.log10(settings.heterozygosity), math.log10(settings.indel_heterozygosity)
    other = max(snv, indel) if dragstr is None else min(snv, indel)
    if not math.isnan(indel_phred):
        indel = -0.1 * indel_phred
        other = max(snv, indel)
    het = np.where(is_symbolic, other, np.where(lengths == lengths[0], snv, indel))
    hom = 2 * het if dragstr is None else het - math.log10(dragstr.het_hom_ratio)
    bases = np.where(~is_symbolic & (lengths == lengths[0]), math.log10(3), 0.0)
    het, hom = het - bases, hom - bases
    costs = np.where(table > 0, het + (table - 1) * (hom - het), 0.0)
    costs[:, is_reference] = 0.0
    return costs.sum(axis=1)


def posterior_call(pls, log10_priors):
    """(index of the likeliest genotype, GQ, GP, PG) of a sample; GP and PG in phred as they are written, the best GP at 0."""
    log10 = log10_priors - 0.1 * np.array(pls)
    log10 -= log10.max()
    best = int(log10.argmax())
    others = float((10.0 ** np.delete(log10, best)).sum())
    quality = -10 * math.log10(min(1.0, others)) if others > 0 else math.inf
    return best, math.floor(min(quality, 99.0) + 0.5), _as_written(-10 * log10), _as_written(-10 * log10_priors)


def _as_written(phred):
    return tuple(float(f"{value:.2f}") + 0.0 for value in phred.tolist())


def no_variant_phred(posteriors, table, spanning):
    """Phred that no sample has a variant, of their GPs; `spanning`: index of `*`, or None. Genotypes of it and the reference are none."""
    without = table[:, 0] if spanning is None else table[:, 0] + table[:, spanning]
    chosen = np.flatnonzero(without == table[0, 0])
    return sum(max(0.0, -10 * math.log10(sum(10 ** (-own[g] / 10) for g in chosen.tolist()))) for own in posteriors)
