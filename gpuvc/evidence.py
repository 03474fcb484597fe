"""What every stage of a run made of one place, as arrays: for notebooks, and for `gpuvc explain`.

    look = gpuvc.look_inside("ref.fa", "sample.bam", "chr20:10,117")
    look.reads, look.activity, look.regions, look.haplotypes, look.likelihoods, look.loci, look.calls

`gpuvc.caller` calls the place as in any run, and its stages hand over what they made: there is no second pipeline.
"""

import os
from dataclasses import dataclass, fields

import numpy as np

from gpuvc import caller
from gpuvc.assembly.assemble import NOT_TRIED, OUTCOMES
from gpuvc.backends import choose_backend
from gpuvc.batches import Call, HaplotypeBatch, ReadBatch, RegionBatch, RegionReads
from gpuvc.errors import UsageError
from gpuvc.genotyping.haplotype_calls import allele_texts
from gpuvc.genotyping.reference_confidence import check_confidence
from gpuvc.intervals import Interval, Shard
from gpuvc.io.alignments import open_alignments
from gpuvc.io.bed import check_contigs, missing_contig, parse_region, resolve_intervals
from gpuvc.io.columns import take_reads
from gpuvc.io.dragstr import read_dragstr
from gpuvc.io.fasta import open_reference
from gpuvc.io.given import read_given
from gpuvc.pileup.read_filters import ALL_FILTERS, DOWNSAMPLED, refusals
from gpuvc.pileup.regions import smooth, smoothing_weights
from gpuvc.settings import Settings, check_concordance
from gpuvc.timing import Clock

BEFORE_BP, BEHIND_BP = 300, 60
"""Around the place all calls are as in a whole run: a deletion that reaches it begins so far before."""


@dataclass(slots=True)
class Activity:
    """How likely each position differs from the reference.

    start : int
        Position of the first entry, 0-based.
    raw : float64[n]
        Each locus's own: the probability of a variant, times as often as soft clips make it count.
    smoothed : float64[n]
        What is compared with `threshold`; above it a position is active.
    """

    start: int
    raw: np.ndarray
    smoothed: np.ndarray
    threshold: float


@dataclass(slots=True)
class Locus:
    """One locus of the region: its alleles, and what the reads say of them; A alleles, P reads, n_samples samples.

    pos : int
        First base of the alleles, 0-based.
    alleles : tuple[str, ...]
        As VCF writes them over one reference allele, which comes first; `*` is a deletion from before.
    row : int64[P]
        Rows of `Evidence.region_reads`. reverse : bool[P]. mapq : uint8[P]. sample : int16[P].
    log10 : float64[P, A]
        Likelihood of the read given the allele: the best of its haplotypes'.
    counted : float64[P, A] or None
        Log10 below the read's best allele as genotyping counts it (own model: limited by mapping quality). None with concordance "hc".
    weight : float64[P] or None
        How much an error counts in this read: less where the same one repeats on one strand. None likewise.
    phred_likelihoods : int32[n_samples, n_genotypes]
        PL over all A alleles, in VCF order.
    is_kept : bool[A]
        False for alternates beyond max_alternate_alleles; the three that follow are NaN for them.
    prior : float64[A]
        Weight of the allele beforehand, in chromosome copies.
    copies : float64[A]
        Expected, over all samples.
    absent_log10 : float64[A]
        Probability that no sample has the allele.
    qual : float
        Phred of the probability that there is no variant; what QUAL will be if the locus is called.
    """

    pos: int
    alleles: tuple[str, ...]
    row: np.ndarray
    reverse: np.ndarray
    mapq: np.ndarray
    sample: np.ndarray
    log10: np.ndarray
    counted: np.ndarray | None
    weight: np.ndarray | None
    phred_likelihoods: np.ndarray
    is_kept: np.ndarray
    prior: np.ndarray
    copies: np.ndarray
    absent_log10: np.ndarray
    qual: float


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


class _Recorder:
    """Keeps what the stages hand over: everything that is not of a batch, and of the batches the one whose region holds `pos`."""

    def __init__(self, pos):
        self.pos = pos
        self.regions = []
        self.stages = {}
        self.weights = []
        self.region = None  # row in its batch
        self._is_wanted = False

    def __call__(self, stage, **columns):
        if stage == "assembly":
            regions = columns["regions"]
            self.regions.append(regions)
            at = int(np.searchsorted(regions.start, self.pos, side="right")) - 1
            self._is_wanted = at >= 0 and self.pos < regions.end[at]
            if self._is_wanted:
                self.region = at
        if stage not in ("activity", "calls") and not self._is_wanted:
            return
        if stage == "weights":
            self.weights.append(columns)
        else:
            self.stages[stage] = columns


def look_inside(
    reference,
    alignments,
    place,
    *,
    settings=Settings(),  # noqa: B008 - frozen
    intervals=(),
    exclude_intervals=(),
    interval_padding=0,
    interval_exclusion_padding=0,
    interval_set_rule="UNION",
    sample_name=None,
    alleles=None,
    force_call_filtered_alleles=False,
    ploidy_regions=None,
    dragstr_params_path=None,
    dragstr_het_hom_ratio=2,
    dragstr_pair_hmm_scores=True,
    dragstr_priors=True,
    device="auto",
):
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
    sample_name, alleles, force_call_filtered_alleles, ploidy_regions, dragstr_params_path, ..., dragstr_priors
        As `gpuvc.call_variants` takes them.
    device : "auto", "cpu" or "cuda"

    Returns
    -------
    Evidence

    Raises
    ------
    InputError, UsageError, DeviceError
    """
    check_concordance(settings)
    if settings.engine != "haplotype":
        raise UsageError(f"engine: found {settings.engine}, expected haplotype, whose stages can be looked into. Use --engine haplotype.")
    dragstr = read_dragstr(dragstr_params_path, settings, dragstr_het_hom_ratio, dragstr_pair_hmm_scores, dragstr_priors)
    paths = [alignments] if isinstance(alignments, str | os.PathLike) else list(alignments)
    shown = ", ".join(map(str, paths))
    genome = open_reference(reference)
    backend, _ = choose_backend(device)
    extras = caller.extra_columns(settings)
    with open_alignments(paths, reference=reference, sample_name=sample_name, extras=extras) as source:
        contigs = source.contigs
        if settings.emit_ref_confidence != "NONE":
            check_confidence(settings, source.samples_to_call(), ploidy_regions)
        check_contigs(contigs, genome.contigs, shown, reference)
        at = parse_region(place, contigs, where="place")
        if len(at) != 1:
            raise UsageError(f"place: found {place}, expected one position, such as {contigs.names[at.contig_id]}:{at.start + 1}.")
        name, length = contigs.names[at.contig_id], contigs.lengths[at.contig_id]
        if name not in genome.contigs.index:
            raise UsageError(missing_contig(name, genome.contigs, shown, reference))
        targets = resolve_intervals(
            intervals, exclude_intervals, contigs=contigs, padding=interval_padding, exclude_padding=interval_exclusion_padding,
            set_rule=interval_set_rule,
        )[at.contig_id]  # fmt: skip
        around = np.array([[max(0, at.start - BEFORE_BP), min(length, at.start + BEHIND_BP)]])
        shard = Shard(0, at.contig_id, around, targets if len(targets) else None)
        reads = caller.fetch_reads(shard, source, settings, Clock())
        given = read_given(alleles, ploidy_regions, contigs, force_call_filtered_alleles, dragstr)
        recorder = _Recorder(at.start)
        caller.call_shard(shard, reads, source, genome, settings, backend, Clock(), recorder, given)
        samples, sample = source.samples_to_call(), source.sample_column(reads)
    window = Interval(at.contig_id, int(around[0, 0]), int(around[0, 1])).padded(BEFORE_BP, length)
    codes = genome.window(name, window.start, window.end)
    regions = _joined(at.contig_id, recorder.regions)
    shown_span = at.padded(BEHIND_BP, length)
    if recorder.region is not None:
        which = int(np.searchsorted(regions.start, at.start, side="right")) - 1
        shown_span = Interval(at.contig_id, int(regions.padded_start[which]), int(regions.padded_end[which]))
    end = np.maximum(reads.ref_end, reads.pos + 1)
    near = np.flatnonzero((reads.pos < shown_span.end) & (end > shown_span.start))
    is_target = bool(((targets[:, 0] <= at.start) & (at.start < targets[:, 1])).any())
    evidence = Evidence(
        contig=name, contig_id=at.contig_id, pos=at.start, samples=samples, is_target=is_target, reference=codes,
        reference_start=window.start, reads=take_reads(reads, near), covers=(reads.pos[near] <= at.start) & (end[near] > at.start),
        sample=sample[near], refused_by=_reasons(reads, near, length, settings, recorder), regions=regions,
        calls=recorder.stages["calls"]["calls"], activity=_activity(recorder.stages["activity"], settings),
        ploidy=settings.sample_ploidy,
    )  # fmt: skip
    if recorder.region is not None:
        evidence.region = which
        _add_region(evidence, recorder)
        for rows in (evidence.assembled_reads, evidence.region_reads):
            rows.read = np.searchsorted(near, rows.read).astype(np.int32)
    return evidence


def _reasons(reads, rows, contig_length, settings, recorder):
    """Why each of the reads at `rows` does not count; "" for one that does."""
    failures = refusals(reads, contig_length, settings)[rows].tolist()
    used = np.zeros(reads.n_reads, bool)
    used[recorder.stages["activity"]["use"]] = True
    first = [ALL_FILTERS[(bits & -bits).bit_length() - 1] if bits else "" for bits in failures]
    return [name or ("" if is_used else DOWNSAMPLED) for name, is_used in zip(first, used[rows].tolist())]


def _joined(contig_id, batches):
    columns = ("start", "end", "padded_start", "padded_end")
    return RegionBatch(contig_id, *(np.concatenate([np.empty(0, np.int32), *(getattr(b, c) for b in batches)]) for c in columns))


def _activity(seen, settings):
    smoothed = np.empty_like(seen["raw"])
    smooth(seen["raw"], smoothing_weights(), smoothed)
    return Activity(seen["start"], seen["raw"], smoothed, settings.active_probability_threshold)


def _add_region(evidence, recorder):
    """What the stages made of the region that holds the place."""
    g, stages = recorder.region, recorder.stages
    assembly, scored = stages["assembly"], stages["likelihoods"]
    evidence.ploidy = assembly["ploidy"]
    raw = assembly["raw"]
    evidence.tried = [
        (k, OUTCOMES[outcome]) for k, outcome in zip(raw.tried_kmer_size[g].tolist(), raw.outcome[g].tolist()) if outcome != NOT_TRIED
    ]
    evidence.assembled_reads = one_region(assembly["reads"], g)
    evidence.assembled = one_region(assembly["aligned"], g)
    evidence.haplotypes = one_region(scored["haplotypes"], g)
    evidence.region_reads = one_region(scored["reads"], g)
    first, last = scored["reads"].region_slots[g : g + 2].tolist()
    first_haplotype = int(scored["haplotypes"].region_slots[g])
    evidence.is_side = scored["is_side"][first:last]
    evidence.kept, evidence.is_far = scored["likelihoods"].kept[first:last], scored["likelihoods"].is_far[first:last]
    a, b = scored["likelihoods"].matrix_offsets[g : g + 2].tolist()
    evidence.likelihoods = scored["likelihoods"].log10[a:b].reshape(last - first, -1 if a < b else 0)
    best = stages["loci"]["realigned"].haplotype[first:last]
    evidence.best_haplotype = np.where(best < 0, -1, best - first_haplotype).astype(np.int32)
    loci = stages["loci"]["loci"]
    evidence.loci = [_locus(k, first, recorder) for k in np.flatnonzero(loci.region == g).tolist()]


def _locus(k, first_row, recorder):
    """Locus k of the LocusBatch."""
    stages = recorder.stages
    loci, judged, haplotypes, seen = stages["loci"]["loci"], stages["genotypes"], stages["likelihoods"]["haplotypes"], stages["activity"]
    a, b = loci.allele_slots[k : k + 2].tolist()
    p, q = loci.pair_slots[k : k + 2].tolist()
    n_alleles, n_pairs = b - a, q - p
    mine = judged["locus_of"] == k
    is_kept = np.zeros(n_alleles, bool)
    is_kept[judged["row"][mine] - a] = True

    def of_alleles(values):
        column = np.full(n_alleles, np.nan)
        column[is_kept] = values[mine]
        return column

    counted, weight = None, None
    if recorder.weights:
        counted, weight = np.full((n_pairs, n_alleles), np.nan), np.full(n_pairs, np.nan)
    for own in recorder.weights:
        chosen = np.flatnonzero((own["pairs"] >= p) & (own["pairs"] < q))
        rows = own["pairs"][chosen] - p
        weight[rows] = own["weights"][chosen] / 256
        counted[rows] = -own["penalties"][own["slots"][chosen][:, None] + np.arange(n_alleles)] / 1000
    n_samples = loci.depth.shape[1]
    return Locus(
        pos=int(loci.pos[k]), alleles=tuple(allele_texts(loci, k, haplotypes, seen["codes"], seen["codes_start"])),
        row=loci.pair_row[p:q].astype(np.int64) - first_row, reverse=loci.pair_reverse[p:q], mapq=loci.pair_mapq[p:q],
        sample=loci.pair_sample[p:q],
        log10=loci.log10[loci.log10_slots[k] : loci.log10_slots[k + 1]].reshape(n_pairs, n_alleles), counted=counted, weight=weight,
        phred_likelihoods=judged["pls"][judged["slots"][k] : judged["slots"][k + 1]].reshape(n_samples, -1), is_kept=is_kept,
        prior=of_alleles(judged["priors"]), copies=of_alleles(judged["copies"]), absent_log10=of_alleles(judged["absent"]),
        qual=float(judged["qual"][k]),
    )  # fmt: skip


_FLAT_OF = {  # offsets → the columns that they address
    "base_offsets": ("bases", "base_quals"),
    "cigar_offsets": ("cigar",),
    "event_alt_offsets": ("event_alt",),
    "haplotype_event_offsets": ("haplotype_events",),
}


def one_region(batch, g):
    """Region g of a RegionReads or HaplotypeBatch, as a batch of one region."""
    names = [field.name for field in fields(batch)]
    slots = {name: getattr(batch, name)[g : g + 2].tolist() for name in names if name.endswith("_slots")}
    columns = {}
    for name in names:
        values = getattr(batch, name)
        first, last = slots["event_slots" if name.startswith("event_") else "region_slots"]
        if name in slots:
            columns[name] = np.array([0, slots[name][1] - slots[name][0]], np.int64)
        elif name in _FLAT_OF:
            columns[name] = values[first : last + 1] - values[first]
            for flat in _FLAT_OF[name]:
                if hasattr(batch, flat):
                    columns[flat] = getattr(batch, flat)[values[first] : values[last]]
        elif name not in columns and not any(name in flats for flats in _FLAT_OF.values()):
            of_region = isinstance(batch, HaplotypeBatch) and name in ("start", "end", "variant_start", "variant_end")
            columns[name] = values[g : g + 1] if of_region else values[first:last]
    if "haplotype_events" in columns:
        columns["haplotype_events"] = columns["haplotype_events"] - np.int32(slots["event_slots"][0])
    return type(batch)(**columns)
