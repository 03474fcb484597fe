"""One shard through every stage, in order: read it first. Each engine is one function.

    pileup      reads → counts per position → candidate loci → reads × short haplotypes → genotypes
    haplotype   reads → activity → regions → assembled haplotypes → reads × haplotypes (PairHMM) → genotypes
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from gpuvc.assembly.assemble import assemble
from gpuvc.assembly.finalise import finalise_reads, reclip
from gpuvc.assembly.haplotypes import align_haplotypes
from gpuvc.assembly.injection import MOST_MOVED_BP, inject_alleles, split_records
from gpuvc.assembly.lost_alleles import lost_alleles
from gpuvc.assembly.trimming import trim_haplotypes
from gpuvc.batches import RegionBatch, ShardCalls
from gpuvc.genotyping.calls import call_loci
from gpuvc.genotyping.filters import NEAR_BP, apply_filters, low_qual_of
from gpuvc.genotyping.genotypes import copy_costs, most_alleles
from gpuvc.genotyping.haplotype_calls import genotype_regions
from gpuvc.genotyping.multiallelic import call_snvs
from gpuvc.genotyping.reference_confidence import ReferenceConfidence
from gpuvc.intervals import Interval
from gpuvc.io.columns import extend_mapq, rank_names
from gpuvc.io.given import Given
from gpuvc.likelihoods.pairhmm import score_haplotypes
from gpuvc.likelihoods.realign import realign_reads
from gpuvc.likelihoods.score import score_reads
from gpuvc.pileup.activity import activity_profile
from gpuvc.pileup.candidates import find_candidates
from gpuvc.pileup.overlaps import finalise_quals
from gpuvc.pileup.pileup import pile_up
from gpuvc.pileup.read_filters import MAX_READ_SPAN, choose_reads
from gpuvc.pileup.regions import reach, split_contig, with_ploidies

CONTEXT_BP = 768
"""With the pileup engine, a call depends on reads within this distance of it, plus the rest of those reads: 150 bp to calls that decide
on its filters, from each 40 bp to neighbouring candidates beyond a repeat, an indel's way to its leftmost place (at most 200 bp), 100 bp
of soft clips, 50 bp of indel."""
EARLIER_BP = 1024
"""With the haplotype engine: how far before a target regions are called, too, because of what calls there say of calls in it: NEAR_BP for
its filters, and the deletions that a `*` stands for. Behind a target, NEAR_BP."""
EVENT_CONTEXT_BP = 500  # reference around a padded region in which repeats are counted
LOST_IN_HAPLOTYPES = 3  # what graphs lost is put into the reference and a diploid's two best haplotypes
ROWS_A_BATCH = 60_000  # reads of regions that are held at a time, each counted in every region it belongs to


def fetch_reads(shard, alignments, settings, clock):
    """ReadBatch of all reads that calling `shard` needs."""
    near = _near(shard.span, alignments.contigs.lengths[shard.contig_id], settings)
    with clock.stage("decode"):
        # All reads that start where any read near the shard starts: the downsampler judges them together.
        return alignments.fetch(Interval(near.contig_id, max(0, near.start - MAX_READ_SPAN), near.end))


def extra_columns(settings, with_reads=False):
    """Names of the extra columns that calling needs, or writing the reads, for `open_alignments`.

    GATK has reads that start together in the order of their names, gpuvc in that of the names' hashes.
    """
    with_names = with_reads or settings.concordance == "bcftools" or (settings.engine == "haplotype" and settings.concordance == "hc")
    return (*(("name",) if with_names else ()), *(("extended_mapq",) if settings.transform_dragen_mapping_quality else ()))


def _near(span, contig_length, settings):
    """The interval that calls in `span` depend on."""
    if settings.concordance == "bcftools":
        # What starts with a read that covers the span, and the first reads behind it: see `gpuvc.pileup.mpileup`.
        return Interval(span.contig_id, max(0, span.start - MAX_READ_SPAN), min(contig_length, span.end + 1))
    if settings.engine == "pileup":
        return span.padded(CONTEXT_BP, contig_length)
    before, after = reach(settings)
    after = NEAR_BP + max(after, settings.max_assembly_region_size + settings.assembly_region_padding)
    return Interval(span.contig_id, max(0, span.start - EARLIER_BP - before), min(contig_length, span.end + after))


def call_shard(shard, reads, alignments, reference, settings, backend, clock, see=None, given=Given(), count=None):  # noqa: B008 - immutable
    """Call variants in one shard.

    Parameters
    ----------
    shard : Shard
    reads : ReadBatch
        From `fetch_reads`; base qualities may be changed.
    alignments : AlignmentSource
    reference : Reference
    settings : Settings
    backend : Backend
    clock : Clock
        Gets seconds by stage, and counts.
    see : callable or None
        Called as see(stage, **columns) with what each stage of the haplotype engine made; `gpuvc.evidence` keeps it. It changes nothing.
    given : Given
        Alleles and ploidies that the user knows; for the haplotype engine.
    count : callable or None
        Called once where there are reads, as count(reads, use, codes, codes_start): which of them calling uses, and the reference around.

    Returns
    -------
    ShardCalls
        Of the shard's targets. They do not depend on where the shard begins or ends, but blocks end there.
    """
    if reads.n_reads == 0 and see is None:
        return ShardCalls([], _without_reads(shard, reads, alignments, reference, settings))
    with clock.stage("filter"):
        contig_length = alignments.contigs.lengths[shard.contig_id]
        use, refused, n_bases = choose_reads(reads, contig_length, settings, shard.span.start, shard.span.end)
        near = _near(shard.span, contig_length, settings)
        use = use[reads.ref_end[use] > near.start]
        # Now that filters and hashes have chosen:
        if settings.engine == "haplotype" and settings.concordance == "hc":
            rank_names(reads)
        if settings.transform_dragen_mapping_quality:
            extend_mapq(reads)
    for name, n in refused.items():
        clock.add(f"reads.{name}", n)
    clock.add("bases", n_bases)
    engine = settings.concordance if settings.concordance == "bcftools" else settings.engine
    return _ENGINES[engine](shard, near, reads, use, alignments, reference, settings, backend, clock, see, given, count)


def _call_from_counts(shard, near, reads, use, alignments, reference, settings, backend, clock, see, given, count):
    """The pileup engine: no assembly. It shows nothing to `see`, and takes nothing as given."""
    contigs = alignments.contigs
    span = shard.span
    with clock.stage("filter"):
        finalise_quals(reads, use, settings.correct_overlapping_quality)
    with clock.stage("pileup"):
        window = near.padded(CONTEXT_BP, contigs.lengths[shard.contig_id])
        codes = reference.window(contigs.names[shard.contig_id], window.start, window.end)
    _tell(count, reads, use, codes, window.start, clock)
    with clock.stage("pileup"):
        pileup, events = pile_up(reads, use, near, codes, window.start, settings.min_base_quality, backend)
        ploidy = settings.sample_ploidy
        max_alternates = most_alleles(ploidy, 1 + settings.max_alternate_alleles) - 1
        candidates = find_candidates(pileup, codes, window.start, ploidy, copy_costs(ploidy), max_alternates)
        clock.add("loci.candidates", int(((candidates.locus_pos >= span.start) & (candidates.locus_pos < span.end)).sum()))
    with clock.stage("likelihoods"):
        likelihoods = score_reads(reads, use, candidates, events, codes, window.start, settings, backend)
    with clock.stage("genotyping"):
        calls = call_loci(candidates, likelihoods, reads, codes, window.start, shard.contig_id, settings, backend)
    return ShardCalls(_inside(calls, shard.targets), None)


def _call_as_mpileup(shard, near, reads, use, alignments, reference, settings, backend, clock, see, given, count):
    """The pileup engine as `bcftools mpileup -B | bcftools call -m -V indels` calls; the rest as of `_call_from_counts`."""
    span = shard.span
    codes = reference.window(alignments.contigs.names[shard.contig_id], span.start, span.end)
    _tell(count, reads, use, codes, span.start, clock)
    return ShardCalls(_inside(call_snvs(reads, use, span, codes, settings, backend, clock), shard.targets), None)


def _call_from_haplotypes(shard, near, reads, use, alignments, reference, settings, backend, clock, see, given, count):
    """The haplotype engine: local assembly."""
    contigs = alignments.contigs
    contig_length = contigs.lengths[shard.contig_id]
    span = shard.span
    n_samples = len(alignments.samples_to_call())
    with clock.stage("activity"):
        window = near.padded(settings.assembly_region_padding + EVENT_CONTEXT_BP, contig_length)
        codes = reference.window(contigs.names[shard.contig_id], window.start, window.end)
        sample = alignments.sample_column(reads)
        forced, forced_spans = _forced(given, near, reference, codes, window.start, settings)
        ploidy = given.ploidy_near(near)
        profile = activity_profile(
            reads, use, sample, n_samples, near.start, near.end, codes, window.start, contig_length,
            settings.sample_ploidy if ploidy is None else np.where(ploidy > 0, ploidy, settings.sample_ploidy), settings, forced_spans,
        )  # fmt: skip
        regions, inactive = split_contig(
            profile, near.start, _with_neighbours(shard.targets, contig_length), shard.contig_id, contig_length, settings, shard.intervals
        )
        regions, ploidies = with_ploidies(regions, ploidy, near.start, contig_length, settings)
        clock.add("regions", int(((regions.start >= span.start) & (regions.start < span.end)).sum()))
    _tell(count, reads, use, codes, window.start, clock)
    if see:
        see("activity", reads=reads, use=use, sample=sample, codes=codes, codes_start=window.start, start=near.start, raw=profile)
    calls, covering = [], []
    confidence = None
    if settings.emit_ref_confidence != "NONE":
        confidence = ReferenceConfidence(reads, sample, span, codes, window.start, contig_length, settings)
    for batch, ploidy in _batches_of(regions, ploidies, reads, use):
        settings = replace(settings, sample_ploidy=ploidy)
        with clock.stage("assembly"):
            whole = finalise_reads(batch, reads, use, sample, settings)
            raw = assemble(batch, whole, codes, window.start, settings, n_samples)
            aligned = align_haplotypes(batch, raw, codes, window.start, settings)
            if settings.concordance != "hc":
                lost = lost_alleles(
                    batch, whole, raw, aligned, codes, window.start, copy_costs(n_samples * ploidy), settings.min_base_quality
                )
                aligned = inject_alleles(batch, aligned, lost, codes, window.start, settings, batch.end, LOST_IN_HAPLOTYPES)
            haplotypes = trim_haplotypes(batch, aligned, codes, window.start, settings, forced)
            if forced is not None:
                haplotypes = inject_alleles(batch, haplotypes, forced, codes, window.start, settings)
            found, is_side = reclip(whole, haplotypes.start, haplotypes.end, reads, sample, settings)
        with clock.stage("likelihoods"):
            likelihoods = score_haplotypes(found, haplotypes, reads, ~is_side, settings, backend, given.dragstr)
        if see:
            see("assembly", regions=batch, ploidy=ploidy, reads=whole, raw=raw, aligned=aligned)
            see("likelihoods", haplotypes=haplotypes, reads=found, is_side=is_side, likelihoods=likelihoods)
        with clock.stage("genotyping"):
            realigned = realign_reads(found, haplotypes, likelihoods)
            of_batch = genotype_regions(
                batch, haplotypes, found, likelihoods, realigned, is_side, reads, codes, window.start, n_samples, settings, backend, forced,
                covering, see, given.dragstr,
            )  # fmt: skip
        if confidence:
            with clock.stage("reference confidence"):
                of_batch = confidence.add_active(batch, whole, haplotypes, found, likelihoods, realigned, of_batch)
        calls += of_batch
    with clock.stage("genotyping"):
        apply_filters(calls, codes, window.start, low_qual_of(settings))
    if see:
        see("calls", calls=calls)
    if not confidence:
        return ShardCalls(_inside(calls, shard.targets), None)
    with clock.stage("reference confidence"):
        confidence.add_inactive(inactive, use)
        written = calls if shard.intervals is None else _inside(calls, shard.intervals)
        return confidence.finish(shard.targets, [call for call in written if call.pos < span.start], _inside(calls, shard.targets))


def _tell(count, *columns_and_clock):
    *columns, clock = columns_and_clock
    if count:
        with clock.stage("statistics"):
            count(*columns)


_ENGINES = {"pileup": _call_from_counts, "bcftools": _call_as_mpileup, "haplotype": _call_from_haplotypes}


def _with_neighbours(targets, contig_length):
    """The targets widened to all whose calls matter to theirs; disjoint still."""
    starts, ends = np.maximum(targets[:, 0] - EARLIER_BP, 0), np.minimum(targets[:, 1] + NEAR_BP, contig_length)
    starts[1:] = np.maximum(starts[1:], ends[:-1])
    return np.column_stack([starts, ends])[starts < ends]


def _forced(given, near, reference, codes, codes_start, settings):
    """(AlleleTable of the given alleles near, spans that are active for them: [(start, end)]); (None, ()) without any."""
    as_gatk = settings.concordance == "hc"
    # What is named behind `near` may belong in it, once it is at its leftmost place.
    window_end = codes_start + len(codes)
    found = given.records_near(near if as_gatk else replace(near, end=min(near.end + MOST_MOVED_BP, window_end)), reference)
    if not found:
        return None, ()
    records = [(record.start, record.ref, record.alts) for record in found]
    spans = [(record.start, record.end) for record in found]
    if as_gatk:
        return split_records(records, as_gatk=True), spans
    forced = split_records(records, codes, codes_start, settings.max_mnp_distance)
    spans += zip(forced.pos.tolist(), (forced.pos + forced.ref_length).tolist())
    return forced, [(start, end) for start, end in spans if start < near.end]


def _batches_of(regions, ploidies, reads, use):
    """[(run of regions, their ploidy)]: about ROWS_A_BATCH reads a run, each read counted in every region it belongs to."""
    pos = reads.pos[use]
    n_rows = np.searchsorted(pos, regions.padded_end) - np.searchsorted(pos, regions.padded_start - 200)
    cuts = np.flatnonzero((np.diff(np.cumsum(n_rows) // ROWS_A_BATCH) > 0) | (np.diff(ploidies) != 0)) + 1
    bounds = [0, *cuts.tolist(), regions.n_regions]
    columns = (regions.start, regions.end, regions.padded_start, regions.padded_end)
    return [
        (RegionBatch(regions.contig_id, *(c[a:b] for c in columns)), int(ploidies[a])) for a, b in pairwise(bounds) if a < b
    ]  # fmt: skip


def _inside(calls, targets):
    """The calls whose first base lies in a target."""
    if not calls:
        return calls
    pos = np.array([call.pos for call in calls])
    target = np.searchsorted(targets[:, 0], pos, side="right") - 1
    inside = (target >= 0) & (pos < targets[np.maximum(target, 0), 1])
    return [call for call, keep in zip(calls, inside.tolist()) if keep]


def _without_reads(shard, reads, alignments, reference, settings):
    """The ReferenceBlocks of a shard that no read is near; None when they are not asked for."""
    name = alignments.contigs.names[shard.contig_id]
    if settings.emit_ref_confidence == "NONE":
        return None
    codes = reference.window(name, shard.span.start, shard.span.end)
    nowhere = ReferenceConfidence(reads, None, shard.span, codes, shard.span.start, alignments.contigs.lengths[shard.contig_id], settings)
    return nowhere.finish(shard.targets, [], []).blocks
