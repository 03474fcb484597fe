"""Site annotations on GATK's scales (specification, section 7), from what the reads at a locus say."""

from math import log, log10
from statistics import NormalDist

import numpy as np

from gpuvc.kernels.codes import FLAG_REVERSE
from gpuvc.kernels.jit import inner_kernel, kernel

INFORMATIVE = 200  # hundredths of a phred (0.2 in log10) between the best allele and the next
FISHER_LIMIT = 400  # reads in the strand table; a larger one is scaled down to half of it
_LOG_FACTORIALS = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, FISHER_LIMIT + 1)))])
_STANDARD_NORMAL = NormalDist()


@kernel
def strand_odds_ratio(ref_forward, ref_reverse, alt_forward, alt_reverse):
    """SOR: symmetric odds ratio of the strand table, with one read added to each cell."""
    a, b, c, d = ref_forward + 1.0, ref_reverse + 1.0, alt_forward + 1.0, alt_reverse + 1.0
    ratio = a * d / (b * c) + b * c / (a * d)
    return log(ratio) + log(min(a, b) / max(a, b)) - log(min(c, d) / max(c, d))


@inner_kernel
def _fisher_two_sided(a, b, c, d):
    """P of all tables with these margins that are no likelier than this one."""
    log_factorials = _LOG_FACTORIALS
    row1, row2, column1, n = a + b, c + d, a + c, a + b + c + d
    constant = (
        log_factorials[row1] + log_factorials[row2] + log_factorials[column1] + log_factorials[n - column1] - log_factorials[n]
    )
    seen = constant - log_factorials[a] - log_factorials[b] - log_factorials[c] - log_factorials[d]
    limit = seen * (1 - 1e-6) if seen < 0 else seen
    total = 0.0
    for x in range(max(0, column1 - row2), min(row1, column1) + 1):
        value = constant - log_factorials[x] - log_factorials[row1 - x] - log_factorials[column1 - x] - log_factorials[row2 - column1 + x]
        if value <= limit:
            total += np.exp(value)
    return min(1.0, total)


@kernel
def fisher_strand(ref_forward, ref_reverse, alt_forward, alt_reverse):
    """FS: phred of Fisher's exact test on the strand table; 0 for two reads or fewer."""
    a, b, c, d = ref_forward, ref_reverse, alt_forward, alt_reverse
    total = a + b + c + d
    if total <= 2:
        return 0.0
    if total > FISHER_LIMIT:
        scale = FISHER_LIMIT / 2 / total
        a, b, c, d = int(a * scale), int(b * scale), int(c * scale), int(d * scale)
    return -10 * log10(max(_fisher_two_sided(a, b, c, d), 1e-320)) + 0.0


@kernel(allocates=True)
def rank_sum(values, is_alt):
    """Mann-Whitney statistic of integer values 0..1023 of two groups.

    (Z, 0), or (p, 1) where Z is the normal quantile of p; (0, -1) without one of the groups.

    Exact (all orders, ties in mid-ranks) when both groups have fewer than 10 values, else the normal approximation with tie correction
    and a continuity correction, which GATK leaves out without ties.
    """
    alt_counts, counts = np.zeros(1024, np.int64), np.zeros(1024, np.int64)
    n1 = 0
    for i in range(values.size):
        counts[values[i]] += 1
        if is_alt[i]:
            alt_counts[values[i]] += 1
            n1 += 1
    n = values.size
    n2 = n - n1
    if n1 == 0 or n2 == 0:
        return 0.0, -1
    doubled_sum, before, ties = 0, 0, 0.0  # doubled: mid-ranks are halves
    for v in range(1024):
        t = counts[v]
        if t > 0:
            doubled_sum += alt_counts[v] * (2 * before + t + 1)
            before += t
            if t < n:
                ties += float(t) * t * t - t
    if n1 >= 10 or n2 >= 10:
        variance = n1 * n2 / 12.0 * ((n + 1) - ties / (n * (n - 1.0)))
        u = doubled_sum / 2.0 - n1 * (n1 + 1) / 2.0
        return (u - n1 * n2 / 2.0 + (0.5 if ties > 0 else 0.0)) / np.sqrt(variance), 0
    ways = np.zeros((n1 + 1, n * (n + 1) + 1))  # [k, s]: subsets of k values with doubled rank sum s
    ways[0, 0] = 1.0
    before = 0
    for v in range(1024):
        rank = 2 * before + counts[v] + 1
        for _ in range(counts[v]):
            for k in range(n1 - 1, -1, -1):
                for s in range(ways.shape[1] - rank):
                    ways[k + 1, s + rank] += ways[k, s]
        before += counts[v]
    below, total = 0.0, 0.0
    for s in range(ways.shape[1]):
        total += ways[n1, s]
        if s < doubled_sum:
            below += ways[n1, s]
    return (below + ways[n1, doubled_sum] / 2.0) / total, 1


def z_of(statistic, is_p):
    """Z from what `rank_sum` returns; None when a group was empty."""
    if is_p < 0:
        return None
    return (_STANDARD_NORMAL.inv_cdf(statistic) if is_p else statistic) + 0.0


def qual_by_depth(qual, allele_depths):
    """QD: QUAL per read that speaks for an allele; None without such reads.

    From 35 on GATK draws a value around 30; a drawn value cannot be the same in every run, so gpuvc writes 35 at most.
    """
    depth = sum(allele_depths)
    return min(qual / depth, 35.0) if depth else None


@kernel(allocates=True)
def read_evidence(
    loci, pair_slots, allele_slots, penalties, allele_rows, allele_row_slots, pair_read, quality, end_distance, mapq, flag, depths, fs, sor,
    statistics, is_p, n_reads, mapq_squares,
):  # fmt: skip
    """Depths, strand tables and rank sums of called loci.

    A read is informative when its best allele is better than the next by more than INFORMATIVE; it then counts for that allele.

    Parameters
    ----------
    loci : int64[n]
        The called loci. allele_row_slots : int64[n + 1], allele_rows : int32[...]: their alleles, as indices among those scored.
    pair_slots ... end_distance
        Of the PairLikelihoods; mapq, flag of the ReadBatch.
    depths : int32[...]
        Written: informative reads by allele, addressed as allele_rows (AD).
    fs, sor : float64[n]
        Written: `fisher_strand` and `strand_odds_ratio` of the informative reads.
    statistics : float64[n, 3]; is_p : int8[n, 3]
        Written: `rank_sum` of base quality, mapping quality, distance from the read end.
    n_reads : int32[n]; mapq_squares : float64[n]
        Written: reads at the locus, and the mean square of their mapping qualities.
    """
    for k in range(loci.size):
        first, last = pair_slots[loci[k]], pair_slots[loci[k] + 1]
        row, n_alleles = allele_row_slots[k], allele_row_slots[k + 1] - allele_row_slots[k]
        depths[row : row + n_alleles] = 0
        strands = np.zeros(4, np.int64)  # ref forward, ref reverse, alt forward, alt reverse
        n = last - first
        series = np.empty((3, n), np.int32)
        is_alt = np.empty(n, np.bool_)
        n_mapq, n_placed = 0, 0
        mapq_series, mapq_alt = np.empty(n, np.int32), np.empty(n, np.bool_)
        squares, n_known = 0.0, 0
        for pair in range(first, last):
            read = pair_read[pair]
            if mapq[read] != 255:
                squares += float(mapq[read]) * mapq[read]
                n_known += 1
            best, second, which = 1 << 30, 1 << 30, 0
            for a in range(n_alleles):
                penalty = penalties[allele_slots[pair] + allele_rows[row + a]]
                if penalty < best:
                    second = best
                    best, which = penalty, a
                elif penalty < second:
                    second = penalty
            if second - best <= INFORMATIVE:
                continue
            depths[row + which] += 1
            alt = which > 0
            strands[2 * alt + (1 if flag[read] & FLAG_REVERSE else 0)] += 1
            if 0 < mapq[read] < 255:
                mapq_series[n_mapq] = mapq[read]
                mapq_alt[n_mapq] = alt
                n_mapq += 1
                if end_distance[pair] >= 0:
                    series[0, n_placed] = quality[pair]
                    series[1, n_placed] = min(end_distance[pair], 1023)
                    is_alt[n_placed] = alt
                    n_placed += 1
        statistics[k, 0], is_p[k, 0] = rank_sum(series[0, :n_placed], is_alt[:n_placed])
        statistics[k, 1], is_p[k, 1] = rank_sum(mapq_series[:n_mapq], mapq_alt[:n_mapq])
        statistics[k, 2], is_p[k, 2] = rank_sum(series[1, :n_placed], is_alt[:n_placed])
        fs[k] = fisher_strand(strands[0], strands[1], strands[2], strands[3])
        sor[k] = strand_odds_ratio(strands[0], strands[1], strands[2], strands[3])
        n_reads[k] = n
        mapq_squares[k] = squares / n_known if n_known else -1.0
