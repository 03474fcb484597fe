"""Likelihoods of haplotypes → calls: alleles, genotypes, QUAL, annotations, phase."""

import math
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gpuvc.backends.base import Backend
from gpuvc.batches import Call, SampleCall
from gpuvc.genotyping.allele_frequency import by_allele_count, genotype_pls, genotype_slots, judge_alleles, pseudocounts_of, subset_pls
from gpuvc.genotyping.annotations import z_of
from gpuvc.genotyping.dragen import genotype_log10_priors, least_log10, locus_repeats, no_variant_phred, posterior_call
from gpuvc.genotyping.forced import forced_alleles
from gpuvc.genotyping.genotypes import MAX_GENOTYPES, genotype_table, most_alleles
from gpuvc.genotyping.phasing import phase_calls
from gpuvc.genotyping.site_annotations import annotate_records, excess_het, inbreeding_coefficient, qual_by_depth
from gpuvc.genotyping.weighted import prior_counts, weighted_pls
from gpuvc.kernels.codes import ASCII_OF_CODE
from gpuvc.likelihoods.marginalize import NON_REF, REFERENCE, SPANNING, marginalize

MOST_ALLELES = 50  # htsjdk has no genotype likelihoods beyond
COVERING_BP = 1000
"""A record's genotype depends on earlier ones only through deletions that reach it; none is as long as this."""
MOST_ROUNDED = 1e-6
"""A probability below it, computed as the rest of one near 1, has lost digits to rounding."""
_INFO_FOR_JOINT_CALLS = ("BaseQRankSum", "DP", "DRAGstrInfo", "DRAGstrParams", "ExcessHet", "MLEAC", "MLEAF", "MQRankSum", "ReadPosRankSum")
"""What a GVCF says of a record; all else is made of it once the samples are joined."""
_TEXT_OF = {SPANNING: "*", NON_REF: "<NON_REF>"}


class OwnModel(NamedTuple):
    """What gpuvc's own genotype model needs (`gpuvc.genotyping.weighted`); codes : uint8[n], reference from codes_start on."""

    codes: np.ndarray
    codes_start: int
    backend: Backend


def genotype_regions(
    regions, haplotypes, region_reads, likelihoods, realigned, side_reads, reads, codes, codes_start, n_samples, settings, backend,
    forced=None, covering=None, see=None, dragstr=None,
):  # fmt: skip
    """Call the variants of a batch of regions.

    Parameters
    ----------
    regions : RegionBatch; haplotypes : HaplotypeBatch; region_reads : RegionReads
    likelihoods : LikelihoodBatch; realigned : RealignedReads
        Of the same regions; haplotypes trimmed and with events, reads clipped to their span.
    side_reads : bool[N]
        Rows that count for depth and mapping quality only.
    reads : ReadBatch
    codes : uint8[n]
        Reference from `codes_start` on; holds all loci.
    n_samples : int
    settings : Settings
    forced : AlleleTable or None
        Alleles that are put out whether there or not, wherever there are reads.
    covering : list of (start, end) or None
        Spans deleted by earlier records of this contig, as the calls before this batch left it; `*` needs one. Those of the calls made
        here are added. Spans that end more than COVERING_BP before the batch do not matter.
    see : callable or None
        As in `gpuvc.caller.call_shard`.
    dragstr : Dragstr or None
        Where priors come from, with GATK's model.

    Returns
    -------
    list[Call]
        In genome order.
    """
    as_gatk = settings.concordance == "hc"
    ploidy = settings.sample_ploidy
    with_non_ref = settings.emit_ref_confidence != "NONE"
    with_models = settings.apply_bqd or settings.apply_frd
    loci = marginalize(
        region_reads, haplotypes, likelihoods, realigned, side_reads, reads, n_samples, most_alleles(ploidy, MAX_GENOTYPES),
        with_non_ref, settings.read_overlap_margin, with_models, settings.spanning_allele,
    )  # fmt: skip
    repeats = None
    if dragstr is not None and dragstr.is_prior:
        repeats = locus_repeats(loci, regions, haplotypes, codes, codes_start, dragstr)
    least = None
    if with_models:
        disqualified = ~(likelihoods.kept | side_reads)
        least = least_log10(
            loci, haplotypes, region_reads, realigned, disqualified, reads, codes, codes_start, n_samples, settings, repeats
        )  # fmt: skip
    if see:
        see("loci", realigned=realigned, loci=loci)

    def alleles_of(locus):
        return allele_texts(loci, locus, haplotypes, codes, codes_start)

    is_forced = np.zeros(len(loci.allele_event), np.bool_)
    if forced is not None:
        n_before = np.concatenate(([0], np.cumsum(~side_reads)))[region_reads.region_slots]
        is_forced = forced_alleles(loci, regions, haplotypes, forced, alleles_of, as_gatk)
        is_forced &= np.repeat(np.diff(n_before)[loci.region] > 0, np.diff(loci.allele_slots))
    records = call_loci(
        loci, settings.standard_min_confidence, n_samples, settings, is_forced,
        [] if covering is None else covering, None if as_gatk else OwnModel(codes, codes_start, backend), with_non_ref, see, least,
    )  # fmt: skip
    if see:
        see("records", records=records)
    calls = records.calls(loci, regions.contig_id, alleles_of, settings, dragstr, repeats)
    if not settings.physical_phasing or ploidy != 2 or (as_gatk and not with_non_ref):
        return calls
    return _phase(calls, records, loci, haplotypes, as_gatk)


def allele_texts(loci, locus, haplotypes, codes, codes_start):
    """The locus's alleles as VCF writes them, over the whole reference allele."""
    first = int(loci.pos[locus]) - codes_start
    length = int(loci.ref_length[locus])
    ref = ASCII_OF_CODE[codes[first : first + length]].tobytes().decode()
    texts = [ref]
    for event in loci.allele_event[loci.allele_slots[locus] + 1 : loci.allele_slots[locus + 1]].tolist():
        if event < 0:
            texts.append(_TEXT_OF[event])
            continue
        start, end = haplotypes.event_alt_offsets[event : event + 2]
        alt = ASCII_OF_CODE[haplotypes.event_alt[start:end]].tobytes().decode()
        texts.append(alt + ref[haplotypes.event_ref_length[event] :])
    return texts


def call_loci(loci, min_confidence, n_samples, settings, forced, covering, model=None, with_non_ref=False, see=None, least=None):
    """Which loci are called, with which alleles.

    Parameters
    ----------
    loci : LocusBatch
    min_confidence : float
        Phred: least QUAL, and how sure each alternate must be.
    forced : bool[A]; covering : list
        As in `genotype_regions`; covering grows.
    model : OwnModel or None
        None: GATK's.
    with_non_ref : bool
        GVCF: every allele is put out, and every locus.
    see : callable or None
        As in `gpuvc.caller.call_shard`.
    least : float64[n_samples * A] or None
        From `gpuvc.genotyping.dragen.least_log10`, for GATK's model.

    Returns
    -------
    Records
    """
    ploidy = settings.sample_ploidy
    pls, slots = weighted_pls(loci, ploidy, n_samples, model.backend, see) if model else genotype_pls(loci, ploidy, n_samples, least)
    kept, kept_slots = _few_alleles(loci, pls, slots, n_samples, settings.max_alternate_alleles, ploidy)
    few_pls, few_slots = pls, slots
    if len(kept) < len(loci.allele_event):
        few_pls, few_slots = _subsets(pls, slots, kept, kept_slots, n_samples, ploidy)
    row = kept + np.repeat(loci.allele_slots[:-1], np.diff(kept_slots))
    event = loci.allele_event[row]
    locus_of = np.repeat(np.arange(loci.n_loci), np.diff(kept_slots))
    if model:
        priors = prior_counts(loci, row, locus_of, model.codes, model.codes_start, settings)
    else:
        priors = pseudocounts_of(loci.allele_length[row], loci.ref_length[locus_of], event == REFERENCE, settings)
    absent, counts, reference = judge_alleles(few_pls, few_slots, kept_slots, priors, event == SPANNING, ploidy, n_samples)
    with np.errstate(invalid="ignore"):
        plausible = (event != REFERENCE) & (absent + 1e-10 < -min_confidence / 10)
    wanted = plausible | forced[row] | with_non_ref
    qual = np.minimum(-10 * reference + 0.0, np.finfo(np.float64).max)
    if see:
        see("genotypes", pls=pls, slots=slots, row=row, locus_of=locus_of, priors=priors, absent=absent, copies=counts, qual=qual)
    candidate = np.zeros(loci.n_loci, np.bool_)
    candidate[locus_of[forced[row]]] = True
    candidate[locus_of[plausible]] |= qual[locus_of[plausible]] >= min_confidence
    candidate |= with_non_ref
    candidate &= np.diff(loci.allele_slots) <= MOST_ALLELES

    chosen, out, quals, mle, variant = [], [], [], [], []
    for locus in np.flatnonzero(candidate).tolist():
        a, b = kept_slots[locus : locus + 2].tolist()
        x, ref_length = int(loci.pos[locus]), int(loci.ref_length[locus])
        covered = any(start < x < end for start, end in covering)
        real = [k for k in range(a + 1, b) if covered or event[k] != SPANNING]
        put_out = [k for k in real if wanted[k]]
        is_variant = any(plausible[k] for k in real)
        is_block = with_non_ref and len(put_out) == 1 and event[put_out[0]] == NON_REF
        is_sure = is_variant and qual[locus] >= min_confidence
        if not (is_sure or is_block or any(forced[row[k]] for k in real)):
            continue
        if not put_out or (len(put_out) == 1 and event[put_out[0]] == SPANNING):
            continue
        lengths = [int(loci.allele_length[row[k]]) for k in put_out]
        covering += [(x, x + ref_length - n + 1) for n in lengths if n < ref_length]
        chosen.append(locus)
        out.append([0, *(int(kept[k]) for k in put_out)])
        if is_variant or with_non_ref:
            quals.append(float(qual[locus]))
        else:
            copies = None if model is None else sum(float(counts[k]) for k in real if event[k] != SPANNING)
            quals.append(_phred_of_rest(float(reference[locus]), copies))
        mle.append([math.floor(counts[k] + 0.5) for k in put_out])
        variant.append(is_variant or with_non_ref)
    _forget(covering, int(loci.pos[-1]) if loci.n_loci else 0)
    return Records(loci, chosen, out, quals, mle, variant, pls, slots, n_samples, ploidy, with_non_ref)


def _forget(covering, x):
    """Drop the spans that no later locus can lie in."""
    covering[:] = [span for span in covering if span[1] > x - COVERING_BP]


def _phred_of_rest(log10_p, copies):
    """Phred of 1 - 10^log10_p, which is the probability of a variant.

    Where rounding leaves little of it, that is the expected number of alternate `copies`; None: infinity in the end, as in GATK.
    """
    rest = -math.expm1(log10_p * math.log(10))
    if copies is not None and rest < MOST_ROUNDED:
        rest = copies
    return -10 * math.log10(rest) + 0.0 if rest > 0 else math.inf


def _few_alleles(loci, pls, slots, n_samples, max_alternates, ploidy):
    """The best max_alternates alternates of each locus, and the reference → (int32[...] indices among its alleles, int64[L + 1])."""
    n_alleles = np.diff(loci.allele_slots)
    kept = np.arange(len(loci.allele_event), dtype=np.int32) - np.repeat(loci.allele_slots[:-1], n_alleles).astype(np.int32)
    is_kept = np.ones(len(kept), np.bool_)
    has_non_ref = np.zeros(loci.n_loci, np.int64)
    has_non_ref[np.repeat(np.arange(loci.n_loci), n_alleles)[loci.allele_event == NON_REF]] = 1
    for locus in np.flatnonzero(n_alleles - 1 - has_non_ref > max_alternates).tolist():
        n = int(n_alleles[locus])
        table = genotype_table(ploidy, n)
        scores = np.zeros(n, np.int64)
        for own in pls[slots[locus] : slots[locus + 1]].reshape(n_samples, len(table)).astype(np.int64):
            best = int(own.argmin())
            scores[table[best] > 0] += own[0] - own[best]
        ranked = sorted(range(1, n - int(has_non_ref[locus])), key=lambda a: -scores[a])
        is_kept[loci.allele_slots[locus] + np.array(ranked[max_alternates:], np.int64)] = False
    sizes = np.zeros(loci.n_loci + 1, np.int64)
    np.add.at(sizes[1:], np.repeat(np.arange(loci.n_loci), n_alleles), is_kept)
    return kept[is_kept], np.cumsum(sizes)


def _subsets(pls, slots, kept, kept_slots, n_samples, ploidy):
    """PLs of the kept alleles only, and where each locus's begin."""
    new_slots = genotype_slots(ploidy, kept_slots, n_samples)
    new = np.empty(int(new_slots[-1]), np.int32)
    for chosen, table in by_allele_count(kept_slots, ploidy):
        subset_pls(chosen, pls, slots, kept, kept_slots, n_samples, table, new, new_slots)
    return new, new_slots


@cache
def _genotypes(ploidy, n_alleles):
    """Genotypes in VCF order, each as ascending allele indices."""
    return [tuple(a for a, copies in enumerate(row) for _ in range(copies)) for row in genotype_table(ploidy, n_alleles).tolist()]


class Records:
    """The called loci, their alleles and what the reads say of them.

    locus : int64[n]
        Index into the LocusBatch. out : list of lists: alleles of each record among those of its locus, reference first.
    """

    def __init__(self, loci, locus, out, quals, mle, variant, pls, slots, n_samples, ploidy, with_non_ref):
        n = len(locus)
        self.locus, self.out, self._quals, self._mle = np.array(locus, np.int64), out, quals, mle
        self._variant = variant  # False: QUAL says how sure it is that there is none
        self._n_samples, self._ploidy, self._with_non_ref = n_samples, ploidy, with_non_ref
        sizes = np.array([len(alleles) for alleles in out], np.int64)
        out_slots = np.concatenate(([0], np.cumsum(sizes)))
        out_alleles = np.array([a for alleles in out for a in alleles], np.int32)
        own_pls, own_slots = _gathered(pls, slots, self.locus)
        self._pls, self._pl_slots = _subsets(own_pls, own_slots, out_alleles, out_slots, n_samples, ploidy)
        self._depth_slots = n_samples * out_slots
        self._depths = np.empty(int(self._depth_slots[-1]), np.int32)
        self._strand_depths = np.empty((n, n_samples, 4), np.int32)
        self._fs, self._sor = np.empty(n), np.empty(n)
        self._statistics, self._is_p = np.empty((n, 3)), np.empty((n, 3), np.int8)
        annotate_records(
            self.locus, out_slots, out_alleles, with_non_ref, loci.allele_slots, loci.pair_slots, loci.pair_sample, loci.pair_reverse,
            loci.pair_mapq, loci.pair_base_qual, loci.pair_end_distance, loci.log10_slots, loci.log10, n_samples, self._depth_slots,
            self._depths, self._strand_depths, self._fs, self._sor, self._statistics, self._is_p,
        )  # fmt: skip

    def calls(self, loci, contig_id, alleles_of, settings, dragstr=None, repeats=None):
        """list[Call]; alleles_of(locus) gives the texts of a locus's alleles. `repeats`: LocusRepeats, where `dragstr` is the prior."""
        n_alleles = np.diff(loci.allele_slots)
        calls = []
        for k, (locus, out) in enumerate(zip(self.locus.tolist(), self.out, strict=True)):
            texts = alleles_of(locus)
            texts = [texts[a] for a in out]
            if len(out) != n_alleles[locus]:
                texts = trim_suffix(texts)
            samples = self._samples(k, len(out), self._priors(loci, k, settings, dragstr, repeats))
            qual, confidence = self._quals[k], None
            if settings.use_posteriors_for_qual:
                qual, confidence = self._qual_of_posteriors(samples, k, loci), qual
            n_reads = loci.depth[locus].tolist()
            info = self._info(k, samples, n_reads, qual)
            if repeats is not None and not math.isnan(repeats.indel_phred[locus]) and _has_indel(texts):
                period, copies = int(repeats.period[locus]), int(repeats.copies[locus])
                info |= {"DRAGstrInfo": (period, copies), "DRAGstrParams": dragstr.rounded(period, copies)}
            n_known = int(loci.mapq_reads[locus])
            if self._with_non_ref:
                info = {key: value for key, value in info.items() if key in _INFO_FOR_JOINT_CALLS}
                info["RAW_MQandDP"] = (int(loci.mapq_squares[locus]), n_known)
            else:
                info["MQ"] = math.sqrt(loci.mapq_squares[locus] / n_known) if n_known else None
            alts = tuple(texts[1:])
            calls.append(Call(contig_id, int(loci.pos[locus]), texts[0], alts, qual, (), _in_order(info), samples, confidence))
        return calls

    def _priors(self, loci, k, settings, dragstr, repeats):
        """float64[n_genotypes] of record k, log10; None where genotypes are assigned by their likelihoods."""
        if settings.genotype_assignment_method != "USE_POSTERIOR_PROBABILITIES":
            return None
        row = loci.allele_slots[self.locus[k]] + np.array(self.out[k])
        event = loci.allele_event[row]
        table = genotype_table(self._ploidy, len(row))
        kinds = (loci.allele_length[row], event == REFERENCE, event == NON_REF)
        if repeats is None:
            return genotype_log10_priors(*kinds, table, settings)
        return genotype_log10_priors(*kinds, table, settings, dragstr, float(repeats.indel_phred[self.locus[k]]))

    def _qual_of_posteriors(self, samples, k, loci):
        event = loci.allele_event[loci.allele_slots[self.locus[k]] + np.array(self.out[k])].tolist()
        table = genotype_table(self._ploidy, len(event))
        spanning = event.index(SPANNING) if SPANNING in event else None
        phred = no_variant_phred([sample.posteriors for sample in samples], table, spanning)
        return phred if self._variant[k] else _phred_of_rest(-0.1 * phred, None)

    def _samples(self, k, n_alleles, log10_priors=None):
        genotypes = _genotypes(self._ploidy, n_alleles)
        pls = self._pls[self._pl_slots[k] : self._pl_slots[k + 1]].tolist()
        depths = self._depths[self._depth_slots[k] : self._depth_slots[k + 1]].tolist()
        samples = []
        for s in range(self._n_samples):
            own, reads = pls[s * len(genotypes) : (s + 1) * len(genotypes)], depths[s * n_alleles : (s + 1) * n_alleles]
            strands = tuple(self._strand_depths[k, s].tolist())
            if log10_priors is not None:
                best, quality, posteriors, priors = posterior_call(own, log10_priors)
                samples.append(SampleCall(
                    genotypes[best], tuple(reads), sum(reads), quality, tuple(own), strand_depths=strands, posteriors=posteriors,
                    priors=priors,
                ))  # fmt: skip
                continue
            best = own.index(0)
            quality = min(own[:best] + own[best + 1 :])
            genotype = genotypes[best]
            if best == 0 and quality < 1:
                samples.append(SampleCall((-1,) * self._ploidy, None, None, quality, tuple(own)))
                continue
            if self._with_non_ref and genotype[-1] == n_alleles - 1:
                genotype, own = (0,) * self._ploidy, [0] * len(own)
            samples.append(SampleCall(genotype, tuple(reads), sum(reads), min(quality, 99), tuple(own), strand_depths=strands))
        return tuple(samples)

    def _info(self, k, samples, n_reads, qual):
        copies = [a for sample in samples for a in sample.genotype if a >= 0]
        n_alts = len(self._mle[k])
        counts = tuple(copies.count(a) for a in range(1, n_alts + 1))
        called = len(copies)
        return {
            "AC": counts if called else None,
            "AF": tuple(c / called for c in counts) if called else None,
            "AN": called or None,
            "BaseQRankSum": z_of(self._statistics[k, 0], self._is_p[k, 0]),
            "DP": sum(n_reads),
            "ExcessHet": excess_het(samples, n_alts + 1),
            "FS": float(self._fs[k]),
            "InbreedingCoeff": inbreeding_coefficient(samples, n_alts + 1),
            "MLEAC": tuple(self._mle[k]),
            "MLEAF": tuple(min(1.0, c / called) if called else math.nan for c in self._mle[k]),
            "MQRankSum": z_of(self._statistics[k, 1], self._is_p[k, 1]),
            "QD": qual_by_depth(qual, [s.allele_depths for s in samples], n_reads, [s.genotype for s in samples]),
            "ReadPosRankSum": z_of(self._statistics[k, 2], self._is_p[k, 2]),
            "SOR": float(self._sor[k]),
        }


def _has_indel(texts):
    """Whether an alternate that is written out (neither `*` nor symbolic) is not as long as the reference allele."""
    return any(text[0] not in "*<" and len(text) != len(texts[0]) for text in texts[1:])


def _in_order(info):
    return dict(sorted(info.items()))


def _gathered(pls, slots, loci):
    """The PLs of some loci, one after the other."""
    lengths = slots[loci + 1] - slots[loci]
    new = np.concatenate(([0], np.cumsum(lengths)))
    return pls[np.arange(int(new[-1])) + np.repeat(slots[loci] - new[:-1], lengths)], new


def trim_suffix(texts):
    """Alleles without the bases that all of them end with; `*` and symbolic alleles stand aside, every other keeps a base."""
    plain = [text for text in texts if text[0] not in "*<"]
    shortest = min(len(text) for text in plain)
    n = 0
    while n + 1 < shortest and len({text[-1 - n] for text in plain}) == 1:
        n += 1
    return [text[: len(text) - n] if text[0] not in "*<" else text for text in texts] if n else texts


def _phase(calls, records, loci, haplotypes, as_gatk):
    """The calls, phased region by region; GATK gives a phase to alleles that nobody carries, too."""
    region = loci.region[records.locus]
    cuts = [0, *(np.flatnonzero(np.diff(region)) + 1).tolist(), len(calls)]
    phased = []
    for first, last in pairwise(cuts):
        group = calls[first:last]
        if last - first > 1:
            carriers, own_alts = _carriers(range(first, last), records, loci, haplotypes)
            is_carried = [as_gatk or any(max(sample.genotype) > 0 for sample in call.samples) for call in group]
            group = phase_calls(group, [mask if carried else 0 for mask, carried in zip(carriers, is_carried)], own_alts)
        phased += group
    return phased


def _carriers(chosen, records, loci, haplotypes):
    """(which called haplotypes carry each record's own alternate, as bits; index of that alternate) of the records of one region."""
    region = int(loci.region[records.locus[chosen[0]]])
    first, last = haplotypes.region_slots[region : region + 2].tolist()
    bits_of, called = {}, 0
    offsets = haplotypes.haplotype_event_offsets[first : last + 1].tolist()
    for h, (a, b) in enumerate(pairwise(offsets)):
        for event in haplotypes.haplotype_events[a:b].tolist():
            bits_of[event] = bits_of.get(event, 0) | 1 << h
    events, own_alts = [], []
    for k in chosen:
        locus, out = int(records.locus[k]), records.out[k]
        slot = int(loci.haplotype_slots[locus])
        for h, allele in enumerate(loci.haplotype_allele[slot : slot + last - first].tolist()):
            if allele in out:
                called |= 1 << h
        of = [(n, int(loci.allele_event[loci.allele_slots[locus] + a])) for n, a in enumerate(out)]
        own = [(n, event) for n, event in of if event >= 0]
        own_alts.append(own[0][0] if len(own) == 1 else 0)
        events.append(own[0][1] if len(own) == 1 else None)
    return [bits_of[event] & called if event is not None else 0 for event in events], own_alts
