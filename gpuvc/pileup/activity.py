"""How likely each locus differs from the reference, seen from the alignments as they stand (specification, sections 2.1 to 2.4).

    reads --count--> loci where the reference may not be the best genotype   (vectorised: nearly every locus ends here)
          --sum----> log10 likelihoods of 0 .. ploidy alternate copies there
          --------> probability, and how often soft clips count it           the raw profile

Sums are integers, so they depend neither on the order of the reads nor on where a shard begins.
"""

import math
from dataclasses import dataclass

import numpy as np

from gpuvc.kernels.codes import (
    ALIGNS,
    CIGAR_D,
    CIGAR_I,
    CIGAR_S,
    CONSUMES_READ,
    CONSUMES_REFERENCE,
    FLAG_MATE_REVERSE,
    FLAG_MATE_UNMAPPED,
    FLAG_PAIRED,
    FLAG_REVERSE,
    FLAG_UNMAPPED,
    N,
)
from gpuvc.kernels.jit import inner_kernel, kernel

DELETION_QUAL = 30
"""Phred: quality of a deleted base (GATK --reference-model-deletion-quality)."""
CLIP_BASE_QUAL = 28
"""Phred: a soft-clipped base above it is a good one."""
CLIPPED_BASES = 6.0
"""A locus next to soft clips that hold more good bases than this, on average, counts more than once."""
SMOOTHING_BP = 50
"""Half width of the smoothing kernel; with the propagation distance it limits how often a locus counts, too."""
EM_QUAL = 4.0
"""Phred: with several samples a locus below it is inactive."""
FIXED_POINT = 2.0**40
"""Likelihoods are summed in units of 1 / FIXED_POINT: an error of 5e-13 a base, room for 400,000 bases of a locus."""
MAX_QUAL = 127
"""Phred: higher ones count as this."""
# Up to so many samples that each think the reference most likely, the expectation maximisation of section 5.2 stops at an expected number
# of alternate copies below 0.1 (1 + n / 5), which is too few for EM_QUAL. Beyond, it may stop early and every covered locus is looked at.
SCREENED_SAMPLES = 30
BLOCK_SUMS = 1 << 22  # sums held at once
POW10 = 10.0 ** (-np.arange(3300) / 10)  # of a PL; beyond, nothing is left in float64


@dataclass(slots=True)
class ActiveLoci:
    """The loci of a window where the reads fit a variant better than the reference, ascending; K loci.

    pos : int32[K]
    probability : float64[K]
        Of a variant, above 0; before anything is made of soft clips.
    clipped_bases : float64[K]
        Mean number of good soft-clipped bases in the reads whose clip touches the locus; 0 without such reads.
    """

    pos: np.ndarray
    probability: np.ndarray
    clipped_bases: np.ndarray


@inner_kernel
def mate_is_mapped(flag, mate_contig_id, mate_pos):
    """A paired read's mate has a place: flag 0x8 alone does not tell (specification, section 1.1)."""
    return (flag & FLAG_PAIRED) != 0 and not flag & FLAG_MATE_UNMAPPED and mate_contig_id >= 0 and mate_pos >= 0


@inner_kernel
def fragment_is_defined(start, end, flag, mate_contig_id, mate_pos, template_length):
    """The alignment and its mate's tell where the fragment ends (W of section 1.3); `start`, `end` as the read is now."""
    reverse = (flag & FLAG_REVERSE) != 0
    if template_length == 0 or flag & FLAG_UNMAPPED or not mate_is_mapped(flag, mate_contig_id, mate_pos):
        return False
    if reverse == ((flag & FLAG_MATE_REVERSE) != 0):
        return False
    return end > mate_pos + 1 if reverse else start <= mate_pos + template_length


@inner_kernel
def span_without_adaptor(start, end, flag, mate_contig_id, mate_pos, template_length):
    """The reference span in which a read's bases count: up to the fragment's end, where that is tested (TLEN <= 100)."""
    if template_length <= 100 and fragment_is_defined(start, end, flag, mate_contig_id, mate_pos, template_length):
        if flag & FLAG_REVERSE:
            return max(start, np.int64(mate_pos)), end
        return start, min(end, start + abs(np.int64(template_length)))
    return start, end


@inner_kernel
def _neighbours(cigar, first, last, c):
    """What touches the aligned block c → (clip before, clip after, indel before, indel after): deletions across operations off the
    reference, insertions and soft clips directly."""
    before = cigar[c - 1] & 15 if c > first else 5
    after = cigar[c + 1] & 15 if c + 1 < last else 5
    indel_before, indel_after = before == CIGAR_I, after == CIGAR_I
    d = c - 1
    while d >= first and not (1 << (cigar[d] & 15)) & CONSUMES_REFERENCE:
        d -= 1
    if d >= first and (cigar[d] & 15) == CIGAR_D:
        indel_before = True
    d = c + 1
    while d < last and not (1 << (cigar[d] & 15)) & CONSUMES_REFERENCE:
        d += 1
    if d < last and (cigar[d] & 15) == CIGAR_D:
        indel_after = True
    return before == CIGAR_S, after == CIGAR_S, indel_before, indel_after


@inner_kernel
def _count_run(base_quals, bases, codes, min_qual, depth, alternate, highest):
    """One aligned block, in a form that vectorises → the highest quality so far."""
    for i in range(base_quals.size):
        counts = base_quals[i] > min_qual
        depth[i] += np.int32(counts)
        alternate[i] += np.int32(counts & (bases[i] != codes[i]))
        highest = max(highest, base_quals[i])
    return highest


@kernel
def _count(
    use, sample, wanted, pos, ref_end, flag, mate_contig_id, mate_pos, template_length, cigar, cigar_offsets, bases, base_quals,
    base_offsets, codes, codes_start, start, end, min_qual, depth, alternate,
):  # fmt: skip
    """Add one sample's elements to depth and alternate, int32[end - start] → highest base quality.

    An aligned block's first or last base beside an indel or a clip counts as an alternate once more than it is one: more loci than
    necessary are looked at, never fewer.
    """
    highest = np.uint8(DELETION_QUAL)
    for read in use:
        if sample[read] != wanted or pos[read] >= end or ref_end[read] <= start:
            continue
        low, high = span_without_adaptor(
            np.int64(pos[read]), np.int64(ref_end[read]), flag[read], mate_contig_id[read], mate_pos[read], template_length[read]
        )
        low, high = max(low, start), min(high, end)
        at, base = np.int64(pos[read]), base_offsets[read]
        first, last = cigar_offsets[read], cigar_offsets[read + 1]
        for c in range(first, last):
            operation, length = cigar[c] & 15, np.int64(cigar[c] >> 4)
            block_start, block_end = max(at, low), min(at + length, high)
            if block_start < block_end and (1 << operation) & ALIGNS:
                b = base + block_start - at
                n = block_end - block_start
                highest = _count_run(
                    base_quals[b : b + n], bases[b : b + n], codes[block_start - codes_start : block_end - codes_start], min_qual,
                    depth[block_start - start : block_end - start], alternate[block_start - start : block_end - start], highest,
                )  # fmt: skip
                if last - first > 1:
                    clip_before, clip_after, indel_before, indel_after = _neighbours(cigar, first, last, c)
                    if (clip_before or indel_before) and block_start == at:
                        alternate[at - start] += 1
                    if (clip_after or indel_after) and block_end == at + length:
                        alternate[block_end - 1 - start] += 1
            elif block_start < block_end and operation == CIGAR_D:
                for p in range(block_start - start, block_end - start):
                    depth[p] += 1
                    alternate[p] += 1
            if (1 << operation) & CONSUMES_REFERENCE:
                at += length
            if (1 << operation) & CONSUMES_READ:
                base += length
    return highest


@kernel
def _mark_candidates(depth, alternate, worth, marked):
    """Mark loci where alternates may outweigh the rest: one of them outweighs at most `worth` elements that show the reference."""
    for p in range(depth.size):
        marked[p] |= alternate[p] * worth > depth[p] - alternate[p]


@inner_kernel
def _good_clipped_bases(cigar, first, last, base, base_quals):
    """Soft-clipped bases of a read, both ends, above CLIP_BASE_QUAL."""
    n = 0
    for c in range(first, last):
        operation, length = cigar[c] & 15, np.int64(cigar[c] >> 4)
        if operation == CIGAR_S:
            for b in range(base, base + length):
                n += base_quals[b] > CLIP_BASE_QUAL
        if (1 << operation) & CONSUMES_READ:
            base += length
    return n


@inner_kernel
def _add_block(
    loci, j, at, length, low, high, row, base, bases, base_quals, codes, codes_start, min_qual, edges, clipped, table, sums, present,
    clip_sum, clip_count,
):  # fmt: skip
    """Add the elements that an aligned block has at loci[j:] → the first locus behind the block."""
    clip_before, clip_after, indel_before, indel_after = edges
    while j < loci.size and loci[j] < at + length:
        p = np.int64(loci[j])
        if p >= low and p < high:
            present[j, row] = True
            b = base + p - at
            qual = np.int64(base_quals[b])
            if qual > min_qual:
                is_first, is_last = p == at, p == at + length - 1
                clip = (is_first and clip_before) or (is_last and clip_after)
                near = (is_first and indel_before) or (is_last and indel_after)
                differs = np.int64(clip or near or bases[b] != codes[p - codes_start])
                qual = min(qual, MAX_QUAL)
                for k in range(table.shape[2]):
                    sums[j, row, k] += table[differs, qual, k]
                if clip:
                    clip_sum[j] += clipped
                    clip_count[j] += 1
        j += 1
    return j


@inner_kernel
def _add_deletion(loci, j, at, length, low, high, row, table, sums, present):
    """Add the elements of a deletion at loci[j:] → the first locus behind it."""
    while j < loci.size and loci[j] < at + length:
        if loci[j] >= low and loci[j] < high:
            present[j, row] = True
            for k in range(table.shape[2]):
                sums[j, row, k] += table[1, DELETION_QUAL, k]
        j += 1
    return j


@kernel
def _add_likelihoods(
    use, sample, pos, ref_end, flag, mate_contig_id, mate_pos, template_length, cigar, cigar_offsets, bases, base_quals, base_offsets,
    codes, codes_start, loci, min_qual, table, sums, present, clip_sum, clip_count,
):  # fmt: skip
    """Sum over the elements of `loci`, by sample; the arguments after table, all zero at first, are written.

    sums : int64[K, n_samples, ploidy + 1], present : bool[K, n_samples], clip_sum, clip_count : int64[K]
    """
    next_locus = np.int64(0)
    for read in use:
        row = sample[read]
        while next_locus < loci.size and loci[next_locus] < pos[read]:
            next_locus += 1
        if next_locus == loci.size:
            break
        if loci[next_locus] >= ref_end[read] or row < 0:
            continue
        low, high = span_without_adaptor(
            np.int64(pos[read]), np.int64(ref_end[read]), flag[read], mate_contig_id[read], mate_pos[read], template_length[read]
        )
        first, last = cigar_offsets[read], cigar_offsets[read + 1]
        clipped = np.int64(0)
        if last - first > 1:
            clipped = _good_clipped_bases(cigar, first, last, base_offsets[read], base_quals)
        at, base, j = np.int64(pos[read]), base_offsets[read], next_locus
        for c in range(first, last):
            operation, length = cigar[c] & 15, np.int64(cigar[c] >> 4)
            if (1 << operation) & ALIGNS:
                j = _add_block(
                    loci, j, at, length, low, high, row, base, bases, base_quals, codes, codes_start, min_qual,
                    _neighbours(cigar, first, last, c), clipped, table, sums, present, clip_sum, clip_count,
                )  # fmt: skip
            elif operation == CIGAR_D:
                j = _add_deletion(loci, j, at, length, low, high, row, table, sums, present)
            if (1 << operation) & CONSUMES_REFERENCE:
                at += length
            if (1 << operation) & CONSUMES_READ:
                base += length


@inner_kernel
def _one_sample(pls, priors, pow10):
    """Probability of a variant from the PLs of 0 .. ploidy alternate copies, under a Dirichlet prior; 0 where the reference is best."""
    best, best_weighted, total, top = 0, 0, 0.0, 0.0
    for k in range(pls.size):
        weight = priors[k] * pow10[pls[k]] if pls[k] < pow10.size else 0.0
        total += weight
        if pls[k] < pls[best]:
            best = k
        if weight > top:
            top, best_weighted = weight, k
    if best == 0 or best_weighted == 0:
        return 0.0
    return 1.0 - (priors[0] * pow10[pls[0]] if pls[0] < pow10.size else 0.0) / total


@inner_kernel
def _several_samples(pls, rows, n_rows, log_combinations, ref_prior, alt_prior, most_absent):
    """Probability of a variant by expectation maximisation over the samples in `rows` (section 5.2); 0 where P(none) > most_absent."""
    ploidy = pls.shape[1] - 1
    per_phred = math.log(10.0) / 10.0
    log_f0 = log_f1 = math.log(0.5)
    n0_before = n1_before = 0.0
    while True:
        n0 = n1 = log_absent = 0.0
        for i in range(n_rows):
            top = -math.inf
            for k in range(ploidy + 1):
                top = max(top, log_combinations[k] - pls[rows[i], k] * per_phred + k * log_f1 + (ploidy - k) * log_f0)
            total = copies = 0.0
            for k in range(ploidy + 1):
                weight = math.exp(log_combinations[k] - pls[rows[i], k] * per_phred + k * log_f1 + (ploidy - k) * log_f0 - top)
                total += weight
                copies += k * weight
            n1 += copies / total
            n0 += ploidy - copies / total
            log_absent += log_combinations[0] - pls[rows[i], 0] * per_phred + ploidy * log_f0 - top - math.log(total)
        if math.isinf(n0_before):
            break
        all_copies = ref_prior + n0 + alt_prior + n1
        log_f0, log_f1 = math.log((ref_prior + n0) / all_copies), math.log((alt_prior + n1) / all_copies)
        settled = max(abs(n0 - n0_before), abs(n1 - n1_before)) <= 0.1
        # Once more with the final frequencies, for log_absent.
        n0_before, n1_before = (math.inf if settled else n0), n1
    absent = math.exp(log_absent)
    return 1.0 - absent if absent <= most_absent else 0.0


@kernel(allocates=True)
def _probabilities(sums, present, priors, pow10, log_combinations, ref_prior, alt_prior, most_absent, out):
    """Fill out, float64[K], from the sums of `_add_likelihoods`."""
    n_loci, n_samples, n_genotypes = sums.shape
    pls = np.empty((n_samples, n_genotypes), np.int64)
    rows = np.empty(n_samples, np.int64)
    for j in range(n_loci):
        n_rows = np.int64(0)
        for s in range(n_samples):
            if present[j, s]:
                rows[n_rows] = s
                n_rows += 1
                best = sums[j, s, 0]
                for k in range(1, n_genotypes):
                    best = max(best, sums[j, s, k])
                for k in range(n_genotypes):
                    pls[s, k] = np.int64(math.floor(min(10.0 * ((best - sums[j, s, k]) / FIXED_POINT), 2147483647.0) + 0.5))
        if n_rows == 0:
            out[j] = 0.0
        elif n_rows == 1:
            out[j] = _one_sample(pls[rows[0]], priors, pow10)
        else:
            out[j] = _several_samples(pls, rows, n_rows, log_combinations, ref_prior, alt_prior, most_absent)


def element_table(ploidy):
    """int64[2, MAX_QUAL + 1, ploidy + 1]: what an element adds to log10 P(reads | k alternate copies), in fixed point.

    First axis: it shows the reference, it does not. Source: specification, section 2.2.
    """
    error = 10 ** (-np.arange(MAX_QUAL + 1) / 10)
    error[0] = 10**-0.05  # quality 0 counts nowhere
    right, wrong = 1 - error, error / 3
    k = np.arange(ploidy + 1)
    shows_reference = (right[:, None] * (ploidy - k) + wrong[:, None] * k) / ploidy
    shows_another = (wrong[:, None] * (ploidy - k) + right[:, None] * k) / ploidy
    return np.round(np.log10(np.stack([shows_reference, shows_another])) * FIXED_POINT).astype(np.int64)


def _worth_of_an_alternate(table, min_qual, highest):
    """How many elements that show the reference, of the lowest quality that counts, it takes at least to outweigh one that does not, of
    the highest quality there is; infinite where low quality turns evidence round."""
    reference, another = table[0, min_qual + 1 : highest + 1].astype(float), table[1, min_qual + 1 : highest + 1].astype(float)
    if not len(reference):
        return math.inf
    gain = (another[:, 1:] - another[:, :1]).max(axis=0)
    loss = (reference[:, :1] - reference[:, 1:]).min(axis=0)
    return math.inf if (loss <= 0).any() else float((gain / loss).max()) * (1 + 1e-6)


def _log_prior_constants(ploidy, settings):
    """(priors float64[ploidy + 1] relative to the largest, natural logs of C(ploidy, k)) of sections 2.3 and 5.2."""
    k = range(ploidy + 1)
    combinations = np.array([math.lgamma(ploidy + 1) - math.lgamma(i + 1) - math.lgamma(ploidy - i + 1) for i in k])
    ref_prior = settings.heterozygosity / settings.heterozygosity_stdev**2
    alt_prior = settings.heterozygosity * ref_prior
    priors = combinations + np.array([math.lgamma(i + alt_prior) + math.lgamma(ploidy - i + ref_prior) for i in k])
    return np.exp(priors - priors.max()), combinations


def _candidates(use, sample, n_samples, columns, codes, codes_start, start, end, table, settings):
    """int32: positions of the loci where not every sample is sure to fit the reference best."""
    if n_samples > 1 and (n_samples > SCREENED_SAMPLES or settings.standard_min_confidence < EM_QUAL):
        return np.arange(start, end, dtype=np.int32)
    marked = np.zeros(end - start, np.bool_)
    for row in range(n_samples):
        depth, alternate = np.zeros(end - start, np.int32), np.zeros(end - start, np.int32)
        highest = _count(
            use, sample, row, *columns, codes, codes_start, start, end, np.uint8(settings.min_base_quality), depth, alternate
        )  # fmt: skip
        worth = _worth_of_an_alternate(table, settings.min_base_quality, min(int(highest), MAX_QUAL))
        if math.isinf(worth):
            return np.arange(start, end, dtype=np.int32)
        _mark_candidates(depth, alternate, worth, marked)
    return (np.flatnonzero(marked) + start).astype(np.int32)


def find_active_loci(reads, use, sample, n_samples, start, end, codes, codes_start, ploidy, settings):
    """ActiveLoci from `start` to `end`.

    Parameters
    ----------
    reads : ReadBatch
        On one contig, sorted; base qualities as in the file.
    use : int32[n_used]
        Rows of the reads that pass, ascending.
    sample : int16[R]
        Sample of each read, 0 to n_samples - 1; -1 for none, which counts nowhere.
    codes, codes_start : uint8[], int
        Reference bases from `codes_start` on, at least `start` to `end`.
    ploidy : int
        Of every sample; loci are judged as diploid at least.

    Source: specification, sections 2.1 to 2.4. A reference base other than A, C, G, T makes a locus inactive, unless
    settings.concordance is "hc": there every A, C, G or T differs from it.
    """
    ploidy = max(2, ploidy)
    table = element_table(ploidy)
    columns = (
        reads.pos, reads.ref_end, reads.flag, reads.mate_contig_id, reads.mate_pos, reads.template_length, reads.cigar,
        reads.cigar_offsets, reads.bases, reads.base_quals, reads.base_offsets,
    )  # fmt: skip
    priors, log_combinations = _log_prior_constants(ploidy, settings)
    ref_prior = settings.heterozygosity / settings.heterozygosity_stdev**2
    most_absent = 10 ** (-min(EM_QUAL, settings.standard_min_confidence) / 10)
    candidates = _candidates(use, sample, n_samples, columns, codes, codes_start, start, end, table, settings)
    if settings.concordance != "hc":
        candidates = candidates[codes[candidates - codes_start] < N]
    found = []
    block = max(1, BLOCK_SUMS // (n_samples * (ploidy + 1)))
    for first in range(0, len(candidates), block):
        loci = candidates[first : first + block]
        sums = np.zeros((len(loci), n_samples, ploidy + 1), np.int64)
        present = np.zeros((len(loci), n_samples), np.bool_)
        clip_sum, clip_count = np.zeros(len(loci), np.int64), np.zeros(len(loci), np.int64)
        _add_likelihoods(
            use, sample, *columns, codes, codes_start, loci, settings.min_base_quality, table, sums, present, clip_sum, clip_count
        )  # fmt: skip
        probability = np.empty(len(loci))
        _probabilities(
            sums, present, priors, POW10, log_combinations, ref_prior, ref_prior * settings.indel_heterozygosity, most_absent, probability
        )  # fmt: skip
        active = probability > 0
        found.append((loci[active], probability[active], (clip_sum / np.maximum(clip_count, 1))[active]))
    if not found:
        return ActiveLoci(np.empty(0, np.int32), np.empty(0), np.empty(0))
    return ActiveLoci(*(np.concatenate(parts) for parts in zip(*found)))


def raw_profile(loci, start, end, contig_length, settings, forced=None):
    """float64[end - start]: what each locus adds to the smoothed profile, before smoothing.

    A locus whose soft clips hold many good bases counts 2 n + 1 times, n being their mean number, as far as that stays on the contig
    (specification, section 2.4: what the band-pass profile does, rather than what it means to).

    forced : int[n, 2] or None
        Reference spans (0-based, half-open) of alleles that are called whatever the reads say: probability 1, once.
    """
    raw = np.zeros(end - start)
    reach = np.minimum(loci.clipped_bases.astype(np.int64), settings.max_prob_propagation_distance + SMOOTHING_BP)
    reach[loci.clipped_bases <= CLIPPED_BASES] = 0
    copies = np.minimum(contig_length - 1, loci.pos + reach) - np.maximum(0, loci.pos - reach) + 1
    raw[loci.pos - start] = loci.probability * copies
    if forced is not None:
        for first, last in np.clip(np.asarray(forced) - start, 0, end - start).tolist():
            raw[first:last] = 1.0
    return raw


def activity_profile(reads, use, sample, n_samples, start, end, codes, codes_start, contig_length, ploidy, settings, forced=None):
    """float64[end - start]: the raw profile from `start` to `end`; see `find_active_loci` and `raw_profile`.

    ploidy : int, or int[end - start] where it differs from locus to locus.
    """
    ploidy = np.maximum(ploidy, 2)
    profile = np.zeros(end - start)
    for copies in np.unique(ploidy).tolist():
        loci = find_active_loci(reads, use, sample, n_samples, start, end, codes, codes_start, copies, settings)
        here = np.broadcast_to(ploidy == copies, end - start)
        profile[here] = raw_profile(loci, start, end, contig_length, settings, forced)[here]
    return profile
