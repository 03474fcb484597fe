"""What every stage of a run made of one place, as arrays: for notebooks, and for `gpuvc explain`.

    look = gpuvc.look_inside("ref.fa", "sample.bam", "chr20:10,117")
    look.reads, look.activity, look.regions, look.haplotypes, look.likelihoods, look.loci, look.calls

A whole stretch with several active regions: `gpuvc.open`.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from gpuvc.batches import Call, HaplotypeBatch, ReadBatch, RegionBatch, RegionReads
from gpuvc.errors import UsageError
from gpuvc.intervals import Interval
from gpuvc.io.bed import resolve_intervals
from gpuvc.io.columns import take_reads
from gpuvc.recording import ActiveRegion, Activity, Locus, check_engine, open_inputs
from gpuvc.settings import Settings

BEFORE_BP, BEHIND_BP = 300, 60
"""Around the place all calls are as in a whole run: a deletion that reaches it begins so far before."""


@dataclass(slots=True)
class Evidence:
    """One place through every stage of the haplotype engine; positions are 0-based, intervals half-open.

    contig : str; contig_id, pos : int
        The place.
    samples : tuple[str, ...]
    is_target : bool
        Whether it lies in the intervals asked for.
    reference : uint8[n]; reference_start : int
        Codes around the place.
    reads : ReadBatch
        All records that overlap the region's padded span, as in the file, or BEHIND_BP around the place without a region. R reads.
    covers : bool[R]
        Those over the place. sample : int16[R], rows of `samples`, -1 for none.
    refused_by : list[str], R long
        The first filter that refuses each, or the downsampler; "" for those that count.
    activity : Activity
    regions : RegionBatch
        The active regions near the place.
    ploidy : int
        Of the region; without one, that of the settings.
    region : int or None
        The one that holds the place; without it, all that follows but `calls` is None or empty.
    assembled_reads : RegionReads
        The region's reads as assembly saw them: soft clips laid out, adaptors and bad tails cut off, cut to the padded span.
    tried : list of (k, outcome)
        K-mer sizes in the order tried and what became of them; empty where the haplotypes were read off the alignments.
    assembled : HaplotypeBatch
        Before trimming, over the padded span. One region.
    haplotypes : HaplotypeBatch
        Trimmed to what the region's variants need. One region, H haplotypes.
    region_reads : RegionReads
        As the likelihoods see them, clipped to the span of `haplotypes`; N reads. Their `read` is a row of `reads`.
    is_side : bool[N]
        Reads that count for depth and mapping quality only. kept : bool[N], those that take part in genotyping.
        is_far : bool[N], those that lie near no event, and say nothing.
    likelihoods : float64[N, H]
        Log10; NaN for reads that were not scored.
    best_haplotype : int32[N]
        The haplotype a read was aligned to, -1 for none.
    loci : list[Locus]
    calls : list[Call]
        Those near the place, in order; what lies BEFORE_BP before it to BEHIND_BP behind it is as in a whole run.
    """

    contig: str
    contig_id: int
    pos: int
    samples: tuple[str, ...]
    is_target: bool
    reference: np.ndarray
    reference_start: int
    reads: ReadBatch
    covers: np.ndarray
    sample: np.ndarray
    refused_by: list[str]
    regions: RegionBatch
    calls: list[Call]
    activity: Activity
    ploidy: int
    region: int | None = None
    assembled_reads: RegionReads | None = None
    tried: list[tuple[int, str]] | None = None
    assembled: HaplotypeBatch | None = None
    haplotypes: HaplotypeBatch | None = None
    region_reads: RegionReads | None = None
    is_side: np.ndarray | None = None
    kept: np.ndarray | None = None
    is_far: np.ndarray | None = None
    likelihoods: np.ndarray | None = None
    best_haplotype: np.ndarray | None = None
    loci: list[Locus] | None = None


def look_inside(
    reference: str | os.PathLike[str],
    alignments: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    place: str,
    *,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    intervals: Sequence[str] = (),
    exclude_intervals: Sequence[str] = (),
    interval_padding: int = 0,
    interval_exclusion_padding: int = 0,
    interval_set_rule: str = "UNION",
    sample_name: str | None = None,
    alleles: str | None = None,
    force_call_filtered_alleles: bool = False,
    ploidy_regions: str | None = None,
    dragstr_params_path: str | None = None,
    dragstr_het_hom_ratio: float = 2,
    dragstr_pair_hmm_scores: bool = True,
    dragstr_priors: bool = True,
    device: str = "auto",
) -> Evidence:
    """Call one place and keep what every stage made of it.

    Parameters
    ----------
    reference : str
        Indexed FASTA.
    alignments : str or sequence of str
        Indexed BAM or CRAM files.
    place : str
        "chr20:10,117" (1-based).
    settings : Settings
        engine "haplotype": the other one assembles nothing.
    intervals, ..., interval_set_rule
        As `gpuvc.call_variants` takes them; matter where the place is outside, and with concordance "hc".
    sample_name, alleles, force_call_filtered_alleles, ploidy_regions, dragstr_params_path, ..., dragstr_priors, device
        As `gpuvc.call_variants` takes them.

    Returns
    -------
    Evidence

    Raises
    ------
    InputError, UsageError, DeviceError
    """
    check_engine(settings)
    with open_inputs(
        reference, alignments, settings=settings, sample_name=sample_name, alleles=alleles,
        force_call_filtered_alleles=force_call_filtered_alleles, ploidy_regions=ploidy_regions, dragstr_params_path=dragstr_params_path,
        dragstr_het_hom_ratio=dragstr_het_hom_ratio, dragstr_pair_hmm_scores=dragstr_pair_hmm_scores, dragstr_priors=dragstr_priors,
        device=device,
    ) as inputs:  # fmt: skip
        at = inputs.interval(place, where="place")
        name, length = inputs.contig(at)
        if len(at) != 1:
            raise UsageError(f"place: found {place}, expected one position, such as {name}:{at.start + 1}.")
        targets = resolve_intervals(
            intervals, exclude_intervals, contigs=inputs.source.contigs, padding=interval_padding,
            exclude_padding=interval_exclusion_padding, set_rule=interval_set_rule,
        )[at.contig_id]  # fmt: skip
        around = Interval(at.contig_id, max(0, at.start - BEFORE_BP), min(length, at.start + BEHIND_BP))
        record = inputs.record(around, intervals=targets if len(targets) else np.array([[0, length]]))
        window = around.padded(BEFORE_BP, length)
        codes = inputs.genome.window(name, window.start, window.end)
        regions = record.recorder.regions(at.contig_id)
        holding = np.flatnonzero((regions.start <= at.start) & (at.start < regions.end)).tolist()
        which = holding[0] if holding else None
        shown_span = at.padded(BEHIND_BP, length)
        if which is not None:
            shown_span = Interval(at.contig_id, int(regions.padded_start[which]), int(regions.padded_end[which]))
        reads = record.reads
        end = np.maximum(reads.ref_end, reads.pos + 1)
        near = np.flatnonzero((reads.pos < shown_span.end) & (end > shown_span.start))
        stages = record.recorder.stages
        evidence = Evidence(
            contig=name, contig_id=at.contig_id, pos=at.start, samples=inputs.samples,
            is_target=bool(((targets[:, 0] <= at.start) & (at.start < targets[:, 1])).any()), reference=codes,
            reference_start=window.start, reads=take_reads(reads, near), covers=(reads.pos[near] <= at.start) & (end[near] > at.start),
            sample=record.sample[near], refused_by=inputs.refused_by(reads, near, around, stages["activity"]["use"]), regions=regions,
            calls=stages["calls"]["calls"], activity=record.recorder.activity(settings), ploidy=settings.sample_ploidy,
        )  # fmt: skip
    if which is not None:
        evidence.region = which
        region = record.recorder.region(which)
        for rows in (region.assembled_reads, region.region_reads):
            rows.read = np.searchsorted(near, rows.read).astype(np.int32)
        for own in fields(Evidence):
            if own.name in _OF_REGION:
                setattr(evidence, own.name, getattr(region, own.name))
    return evidence


_OF_REGION = {own.name for own in fields(ActiveRegion)}
