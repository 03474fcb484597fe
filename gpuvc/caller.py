"""One shard through every stage, in order."""

import numpy as np

from gpuvc.genotyping.calls import call_loci
from gpuvc.genotyping.genotypes import copy_costs, most_alleles
from gpuvc.intervals import Interval
from gpuvc.likelihoods.score import score_reads
from gpuvc.pileup.candidates import find_candidates
from gpuvc.pileup.overlaps import finalise_quals
from gpuvc.pileup.pileup import pile_up
from gpuvc.pileup.read_filters import MAX_READ_SPAN, choose_reads

CONTEXT_BP = 768
"""A call depends on reads within this distance of it, plus the rest of those reads: 150 bp to calls that decide on its filters, from each
40 bp to neighbouring candidates beyond a repeat, an indel's way to its leftmost place (at most 200 bp), 100 bp of soft clips, 50 bp of
indel."""


def fetch_reads(shard, alignments, clock):
    """ReadBatch of all reads that calling `shard` needs."""
    contig_length = alignments.contigs.lengths[shard.contig_id]
    near = shard.span.padded(CONTEXT_BP, contig_length)
    with clock.stage("decode"):
        # All reads that start where any read near the shard starts: the downsampler judges them together.
        return alignments.fetch(Interval(near.contig_id, max(0, near.start - MAX_READ_SPAN), near.end))


def call_shard(shard, reads, contigs, reference, settings, backend, clock):
    """Call variants in one shard.

    Parameters
    ----------
    shard : Shard
    reads : ReadBatch
        From `fetch_reads`; base qualities are changed.
    contigs : Contigs
        Of the alignments.
    reference : Reference
    settings : Settings
    backend : Backend
    clock : Clock
        Gets seconds by stage, and counts.

    Returns
    -------
    list[Call]
        Those whose first base lies in one of the shard's targets, in genome order. They do not depend on where the shard begins or ends.
    """
    if reads.n_reads == 0:
        return []
    contig, contig_length = contigs.names[shard.contig_id], contigs.lengths[shard.contig_id]
    span = shard.span
    near = span.padded(CONTEXT_BP, contig_length)
    with clock.stage("filter"):
        use, refused, n_bases = choose_reads(reads, contig_length, settings, span.start, span.end)
        use = use[reads.ref_end[use] > near.start]
        finalise_quals(reads, use, settings.correct_overlapping_quality)
    with clock.stage("pileup"):
        window = near.padded(CONTEXT_BP, contig_length)
        codes = reference.window(contig, window.start, window.end)
        pileup, events = pile_up(reads, use, near, codes, window.start, settings.min_base_quality, backend)
        ploidy = settings.sample_ploidy
        max_alternates = most_alleles(ploidy, 1 + settings.max_alternate_alleles) - 1
        candidates = find_candidates(pileup, codes, window.start, ploidy, copy_costs(ploidy), max_alternates)
    with clock.stage("likelihoods"):
        likelihoods = score_reads(reads, use, candidates, events, codes, window.start, settings, backend)
    with clock.stage("genotyping"):
        calls = call_loci(candidates, likelihoods, reads, codes, window.start, shard.contig_id, settings, backend)
    for name, n in refused.items():
        clock.add(f"reads.{name}", n)
    clock.add("bases", n_bases)
    clock.add("loci.candidates", int(((candidates.locus_pos >= span.start) & (candidates.locus_pos < span.end)).sum()))
    return _inside(calls, shard)


def _inside(calls, shard):
    """The calls whose first base lies in a target of the shard."""
    if not calls:
        return calls
    pos = np.array([call.pos for call in calls])
    target = np.searchsorted(shard.targets[:, 0], pos, side="right") - 1
    inside = (target >= 0) & (pos < shard.targets[np.maximum(target, 0), 1])
    return [call for call, keep in zip(calls, inside.tolist()) if keep]
