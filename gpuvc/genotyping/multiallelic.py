"""The model of `bcftools mpileup | bcftools call -m` for SNVs: bases of a locus → likelihoods → alleles → calls.

    likelihoods  MAQ's error model: on one strand, the n-th base that shows an allele counts less than the one before (section 9.3)
    alleles      the reference, then those seen by the sum of their weights, then one that was not seen (`<*>`)
    call         the set of up to three alleles that explains the likelihoods best, at the prior of one SNV an allele (section 9.5)

Sums and products are rounded to float32 where bcftools keeps them so: PL are the same integers.
"""

from functools import cache
from math import lgamma, log

import numpy as np

from gpuvc.batches import PILEUP_FIELDS, Call, SampleCall
from gpuvc.genotyping.dependence import FLOOR, REPEATED_ERROR
from gpuvc.kernels.codes import BASES, N
from gpuvc.kernels.jit import inner_kernel, kernel
from gpuvc.pileup.mpileup import CODES, MAX_BASES, MAX_QUAL, STRANDS, bases_at, weigh_bases
from gpuvc.pileup.pileup import count_bases

MOST_PL, MOST_GQ = 255, 127
PHRED = 4.343  # 10 / ln 10, as bcftools has it
PHRED_OF_GQ = 4.34294
MAX_ALLELES, MAX_GENOTYPES = 4, 10
_QUAL_SUM_A, _READS, _DELETED = (PILEUP_FIELDS.index(name) for name in ("A_qual_sum", "reads", "deleted_forward"))


# ------------------------------------------------------------------------------------------------------------------- likelihoods


@cache
def error_tables():
    """What each base adds to the likelihoods of genotypes without it.

    Returns
    -------
    shares : float64[256]
        Of a base's cost that counts, by how many showed the allele on the strand before it.
    costs : float64[MAX_QUAL + 1, 256, 256]
        Phred by weight, bases of the locus n, and bases with the allele before it k < n: P(more than k errors) / P(k errors or more).
    splits : float64[256, 256]
        Log probability that of n bases of a heterozygote k show one allele.
    """
    shares = np.append(1.0, REPEATED_ERROR ** np.arange(1, MAX_BASES + 1) * (1 - FLOOR) + FLOOR)
    log_factorial = np.array([lgamma(n + 1) for n in range(MAX_BASES + 1)])
    n = np.arange(MAX_BASES + 1)
    choose = log_factorial[:, None] - log_factorial - log_factorial[np.maximum(n[:, None] - n, 0)]
    choose[n[:, None] < n] = 0.0
    error = 10.0 ** (-np.arange(1, MAX_QUAL + 1)[:, None] / 10)
    is_error, is_right = np.log(error), np.log(1 - error)
    costs = np.zeros((MAX_QUAL + 1, MAX_BASES + 1, MAX_BASES + 1))
    tail = is_error * n  # log P(k errors or more), for all n above k; at first k = n
    for k in range(MAX_BASES - 1, -1, -1):
        of = n[k + 1 :]
        more = tail[:, k + 1 :]
        sum_ = more + np.log1p(np.exp(choose[k + 1 :, k] + k * is_error + (of - k) * is_right - more))
        costs[1:, k + 1 :, k] = -10 / log(10) * (more - sum_)
        tail[:, k + 1 :] = sum_
    return shares, costs, choose - log(2) * n[:, None]


@kernel
def base_likelihoods(slots, bases, shares, costs, splits, tally, cost, count, phred):
    """Phred of each genotype of each locus, not yet relative to the best.

    Parameters
    ----------
    slots : int64[L + 1]; bases : uint16[...]
        From `bases_at`.
    shares, costs, splits
        From `error_tables`.
    tally : int64[MAX_QUAL + 1, STRANDS * CODES], zeros; cost : float64[CODES]; count : int64[CODES]
        Scratch.
    phred : float32[L, CODES, CODES]
        Written; symmetric.
    """
    n_kinds = STRANDS * CODES
    for locus in range(slots.size - 1):
        n = slots[locus + 1] - slots[locus]
        low, high = costs.shape[0] - 1, 0
        for i in range(slots[locus], slots[locus + 1]):
            weight = np.int64(bases[i]) // n_kinds
            tally[weight, np.int64(bases[i]) % n_kinds] += 1
            low, high = min(low, weight), max(high, weight)
        cost[:] = 0.0
        count[:] = 0
        # Of each kind, as many as came before.
        before = tally[0]
        for weight in range(high, low - 1, -1):
            for kind in range(n_kinds - 1, -1, -1):
                code = kind % CODES
                for _ in range(tally[weight, kind]):
                    cost[code] += shares[before[kind]] * costs[weight, n, count[code]]
                    count[code] += 1
                    before[kind] += 1
                tally[weight, kind] = 0
        before[:] = 0
        for j in range(CODES):
            for k in range(j, CODES):
                errors, n_errors = np.float32(0.0), 0
                for i in range(CODES):
                    if i != j and i != k:
                        errors = np.float32(errors + cost[i])
                        n_errors += count[i]
                if j == k:
                    value = errors
                elif n_errors:
                    value = np.float32(-PHRED * splits[count[j] + count[k], count[k]] + errors)
                else:
                    value = np.float32(-PHRED * splits[count[j] + count[k], count[k]])
                phred[locus, j, k] = phred[locus, k, j] = max(value, np.float32(0.0))


@kernel
def order_alleles(ref, weight_sums, phred, alleles, n_alleles, shares, pls):
    """Which alleles a locus has, in the order of their weights, with their shares of all, and its PL.

    Parameters
    ----------
    ref : uint8[L]
        Codes, not N.
    weight_sums : int32[L, 4]
        Of the bases A, C, G, T.
    phred : float32[L, CODES, CODES]
        From `base_likelihoods`.
    alleles : int8[L, MAX_ALLELES], n_alleles : int8[L]
        Written: codes, the reference first, last the unseen one, if any base was not seen.
    shares : float32[L, MAX_ALLELES]
        Written; 0 for the unseen allele.
    pls : int32[L, MAX_GENOTYPES]
        Written, in VCF order.
    """
    for locus in range(ref.size):
        total = np.float32(0.0)
        for code in range(4):
            total = np.float32(total + np.float32(weight_sums[locus, code]))
        alleles[locus, 0] = ref[locus]
        shares[locus, :] = 0.0
        shares[locus, 0] = np.float32(np.float32(weight_sums[locus, ref[locus]]) / total)
        n = 1
        left = 0b1111 & ~(1 << np.int64(ref[locus]))
        while left:
            best = -1
            for code in range(4):
                if left >> code & 1 and (best < 0 or weight_sums[locus, code] >= weight_sums[locus, best]):
                    best = code
            left &= ~(1 << best)
            alleles[locus, n] = best
            shares[locus, n] = np.float32(np.float32(weight_sums[locus, best]) / total)
            n += 1
            if weight_sums[locus, best] == 0:
                break
        n_alleles[locus] = n
        total = np.float32(0.0)
        for a in range(n):
            total = np.float32(total + shares[locus, a])
        for a in range(n):
            shares[locus, a] = np.float32(shares[locus, a] / total)
        least = np.float32(np.inf)
        for i in range(n):
            for j in range(i + 1):
                least = min(least, phred[locus, alleles[locus, j], alleles[locus, i]])
        g = 0
        for i in range(n):
            for j in range(i + 1):
                above = np.float32(phred[locus, alleles[locus, j], alleles[locus, i]] - least)
                pls[locus, g] = min(MOST_PL, np.int64(np.float64(above) + 0.499))
                g += 1


# ------------------------------------------------------------------------------------------------------------------- calls


@inner_kernel
def _log_sum(a, b):
    return np.log(1.0 + np.exp(min(a, b) - max(a, b))) + max(a, b)


@inner_kernel
def _genotype_at(a, b):
    """Index in VCF order of the genotype of alleles a >= b."""
    return a * (a + 1) // 2 + b


@inner_kernel
def _log_likelihood(chosen, shares, likelihoods, n_alleles, ploidy, log_prior):
    """Log of what the alleles of the set `chosen` (bits) say to the likelihoods, at the prior of each alternate in it."""
    total = np.float32(0.0)
    n = 0
    for a in range(n_alleles - 1, -1, -1):
        if chosen >> a & 1:
            total = np.float32(total + shares[a])
            n += 1
    value = 0.0
    for a in range(n_alleles):
        if not chosen >> a & 1:
            continue
        of_a = 1.0 if n == 1 else np.float64(np.float32(shares[a] / total))
        value += (of_a if ploidy == 1 else of_a * of_a) * likelihoods[_genotype_at(a, a)]
        if ploidy == 2:
            for b in range(a):
                if chosen >> b & 1:
                    value += 2 * of_a * np.float64(np.float32(shares[b] / total)) * likelihoods[_genotype_at(a, b)]
    return np.log(value) + log_prior * (n - (chosen & 1))


@kernel
def judge_alleles(pls, shares, n_alleles, ploidy, log_prior, likelihoods, chosen, qual, genotype, gq):
    """Which alleles are there, and the genotype.

    Parameters
    ----------
    pls : int32[L, MAX_GENOTYPES]; shares : float32[L, MAX_ALLELES]; n_alleles : int8[L]
        From `order_alleles`.
    ploidy : int
        1 or 2.
    log_prior : float
        Natural log of the chance of an SNV.
    likelihoods : float64[MAX_GENOTYPES]
        Scratch.
    chosen : int8[L]
        Written: bit a is set when allele a is in the best set.
    qual : float32[L]
        Written: phred of the reference alone.
    genotype : int8[L, 2], gq : int16[L]
        Written: alleles, ascending; of ploidy 1 the first counts.
    """
    for locus in range(n_alleles.size):
        n = np.int64(n_alleles[locus])
        n_genotypes = n * (n + 1) // 2
        total = 0.0
        for g in range(n_genotypes):
            likelihoods[g] = 10.0 ** (-pls[locus, g] / 10.0)
            total += likelihoods[g]
        for g in range(n_genotypes):
            likelihoods[g] /= total
        best, at_best, of_ref, of_all = 0, -np.inf, 0.0, -np.inf
        # By size, as ties go to the first.
        for size in range(1, 4):
            for alleles in range(1, 1 << n):
                bits, is_seen = 0, True
                for a in range(n):
                    if alleles >> a & 1:
                        bits += 1
                        is_seen = is_seen and shares[locus, a] > 0
                if bits != size or (size > 1 and not is_seen):
                    continue
                value = _log_likelihood(alleles, shares[locus], likelihoods, n, ploidy, log_prior)
                if alleles == 1:
                    of_ref = value
                else:
                    of_all = value if of_all == -np.inf else _log_sum(value, of_all)
                if value > at_best:
                    best, at_best = alleles, value
        chosen[locus] = best
        qual[locus] = 0.0 if of_all == -np.inf else -PHRED * (of_ref - _log_sum(of_all, of_ref))
        at_best, highest, total = 0.0, np.float32(0.0), 0.0
        genotype[locus, :] = 0
        for is_het in range(ploidy):
            for a in range(n):
                for b in range(a if is_het else 1):
                    if not best >> a & 1 or (is_het and not best >> b & 1):
                        continue
                    if is_het:
                        value = 2 * likelihoods[_genotype_at(a, b)] * shares[locus, a] * shares[locus, b]
                    else:
                        value = likelihoods[_genotype_at(a, a)] * shares[locus, a] * (shares[locus, a] if ploidy == 2 else 1.0)
                    if value > at_best:
                        at_best = value
                        genotype[locus, 0], genotype[locus, 1] = b if is_het else a, a
                    highest = max(highest, np.float32(value))
                    total += np.float32(value)
        wrong = 1.0 - highest / total if total > 0 else 1.0
        gq[locus] = MOST_GQ if wrong <= 0.0 else np.int64(min(float(MOST_GQ), -PHRED_OF_GQ * np.log(wrong)))


def call_snvs(reads, use, window, reference, settings, backend, clock):
    """SNVs of a window, in genome order.

    Parameters
    ----------
    reads : ReadBatch
        With names; `base_quals` becomes weights.
    use : int32[n_used]
        In file order: all that cover the window or start right behind it, and all others that start where one of these does.
    window : Interval
    reference : uint8[n_positions]
        Codes of the window.

    Returns
    -------
    list[Call]
    """
    ploidy = settings.sample_ploidy
    with clock.stage("pileup"):
        weigh_bases(reads, use, settings.correct_overlapping_quality, settings.min_base_quality)
        counts = count_bases(reads, use, window, 1, backend)
        by_base = counts[:8].reshape(4, 2, -1).sum(axis=1)
        is_other = by_base.any(axis=0, where=np.arange(4)[:, None] != reference)
        loci = np.flatnonzero(is_other & (reference != N))
        ref, by_base, counts = reference[loci], by_base[:, loci].T, counts[:, loci]
        locus_of = np.full(len(window), -1, np.int32)
        locus_of[loci] = np.arange(len(loci))
        n_bases = counts[:10].sum(axis=0)
        slots, bases = bases_at(reads, use, window.start, locus_of, n_bases)
        clock.add("loci.candidates", len(loci))
    n = len(loci)
    alleles, n_alleles = np.empty((n, MAX_ALLELES), np.int8), np.empty(n, np.int8)
    shares, pls = np.empty((n, MAX_ALLELES), np.float32), np.empty((n, MAX_GENOTYPES), np.int32)
    with clock.stage("likelihoods"):
        phred = np.empty((n, CODES, CODES), np.float32)
        tally = np.zeros((MAX_QUAL + 1, STRANDS * CODES), np.int64)
        base_likelihoods(slots, bases, *error_tables(), tally, np.empty(CODES), np.empty(CODES, np.int64), phred)
        weight_sums = np.ascontiguousarray(counts[_QUAL_SUM_A : _QUAL_SUM_A + 4].T)
        order_alleles(ref, weight_sums, phred, alleles, n_alleles, shares, pls)
    chosen, qual = np.empty(n, np.int8), np.empty(n, np.float32)
    genotype, gq = np.empty((n, 2), np.int8), np.empty(n, np.int16)
    with clock.stage("genotyping"):
        judge_alleles(
            pls, shares, n_alleles, ploidy, log(settings.heterozygosity), np.empty(MAX_GENOTYPES), chosen, qual, genotype, gq
        )  # fmt: skip
        depth = counts[_READS] - counts[_DELETED] - counts[_DELETED + 1]
        calls = []
        for i in np.flatnonzero(genotype.any(axis=1) & (qual >= settings.standard_min_confidence)).tolist():
            kept = [0, *(a for a in range(1, int(n_alleles[i])) if chosen[i] >> a & 1)]
            codes = alleles[i, kept].tolist()
            called = tuple(kept.index(a) for a in genotype[i, :ploidy].tolist())
            pairs = [(a, b) for a in kept for b in kept if b <= a and (ploidy == 2 or a == b)]
            ac = tuple(called.count(a) for a in range(1, len(kept)))
            info = {"AC": ac, "AF": tuple(c / ploidy for c in ac), "AN": ploidy, "DP": int(depth[i])}
            sample = SampleCall(
                called, tuple(by_base[i, codes].tolist()), int(n_bases[i]), int(gq[i]),
                tuple(int(pls[i, a * (a + 1) // 2 + b]) for a, b in pairs),
            )  # fmt: skip
            text = [BASES[code] for code in codes]
            pos = window.start + int(loci[i])
            calls.append(Call(window.contig_id, pos, text[0], tuple(text[1:]), float(qual[i]), (), info, (sample,)))
    return calls
