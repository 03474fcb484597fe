"""A stretch of a contig called as in any run, and what every stage made of it, as arrays.

    inputs = open_inputs("ref.fa", "sample.bam")
    record = inputs.record(interval)        # reads → activity → active regions → haplotypes, likelihoods, loci → calls

`gpuvc.caller` makes the calls, and its stages hand over what they made: there is no second pipeline.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from gpuvc import caller
from gpuvc.assembly.assemble import NOT_TRIED, OUTCOMES
from gpuvc.backends import choose_backend
from gpuvc.batches import Call, HaplotypeBatch, ReadBatch, RegionBatch, RegionReads
from gpuvc.errors import InputError, UsageError
from gpuvc.genotyping.haplotype_calls import allele_texts
from gpuvc.genotyping.reference_confidence import check_confidence
from gpuvc.intervals import Interval, Shard
from gpuvc.io.alignments import AlignmentSource, open_alignments
from gpuvc.io.bed import check_contigs, missing_contig, parse_region
from gpuvc.io.dragstr import read_dragstr
from gpuvc.io.fasta import Reference, open_reference
from gpuvc.io.given import Given, read_given
from gpuvc.pileup.read_filters import ALL_FILTERS, DOWNSAMPLED, choose_reads, refusals
from gpuvc.pileup.regions import smooth, smoothing_weights
from gpuvc.settings import Settings, check_concordance
from gpuvc.timing import Clock


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
class ActiveRegion:
    """One active region through assembly, likelihoods and genotyping; positions are 0-based, intervals half-open.

    start, end : int
        Calls are made for loci inside. padded_start, padded_end : int, what is assembled.
    ploidy : int
    assembled_reads : RegionReads
        The region's reads as assembly saw them: soft clips laid out, adaptors and bad tails cut off, cut to the padded span.
    tried : list of (k, outcome)
        K-mer sizes in the order tried and what became of them; empty where the haplotypes were read off the alignments.
    assembled : HaplotypeBatch
        Before trimming, over the padded span. One region.
    haplotypes : HaplotypeBatch
        Trimmed to what the region's variants need. One region, H haplotypes; none where nothing varies.
    region_reads : RegionReads
        As the likelihoods see them, clipped to the span of `haplotypes`; N reads. Their `read` is a row of the run's reads.
    is_side : bool[N]
        Reads that count for depth and mapping quality only. kept : bool[N], those that take part in genotyping.
        is_far : bool[N], those that lie near no event, and say nothing.
    likelihoods : float64[N, H]
        Log10; NaN for reads that were not scored.
    best_haplotype : int32[N]
        The haplotype a read was aligned to, -1 for none.
    loci : list[Locus]
    """

    start: int
    end: int
    padded_start: int
    padded_end: int
    ploidy: int
    assembled_reads: RegionReads
    tried: list[tuple[int, str]]
    assembled: HaplotypeBatch
    haplotypes: HaplotypeBatch
    region_reads: RegionReads
    is_side: np.ndarray
    kept: np.ndarray
    is_far: np.ndarray
    likelihoods: np.ndarray
    best_haplotype: np.ndarray
    loci: list[Locus]


class Recorder:
    """Keeps what the stages hand over; for `see` of `gpuvc.caller.call_shard`.

    stages : dict
        "activity" and "calls" → their columns.
    batches : list of dict
        For each batch of regions, the other stages → their columns; "weights" → a list of columns.
    """

    def __init__(self) -> None:
        self.stages: dict = {}
        self.batches: list[dict] = []

    def __call__(self, stage, **columns):
        if stage in ("activity", "calls"):
            self.stages[stage] = columns
        elif stage == "assembly":
            self.batches.append({stage: columns, "weights": []})
        elif stage == "weights":
            self.batches[-1][stage].append(columns)
        else:
            self.batches[-1][stage] = columns

    def regions(self, contig_id) -> RegionBatch:
        """The active regions of all batches, in genome order."""
        batches = [stages["assembly"]["regions"] for stages in self.batches]
        columns = ("start", "end", "padded_start", "padded_end")
        return RegionBatch(contig_id, *(np.concatenate([np.empty(0, np.int32), *(getattr(b, c) for b in batches)]) for c in columns))

    def region(self, which) -> ActiveRegion:
        """Active region `which` of `regions`, through its stages."""
        for stages in self.batches:
            n_regions = stages["assembly"]["regions"].n_regions
            if which < n_regions:
                return _active_region(stages, which, self.stages["activity"])
            which -= n_regions
        raise IndexError(which)

    def activity(self, settings) -> Activity:
        """The profile of all positions that were looked at."""
        seen = self.stages["activity"]
        smoothed = np.empty_like(seen["raw"])
        smooth(seen["raw"], smoothing_weights(), smoothed)
        return Activity(seen["start"], seen["raw"], smoothed, settings.active_probability_threshold)


def _active_region(stages, g, seen):
    """Region g of a batch; `seen`: columns of the stage "activity"."""
    assembly, scored = stages["assembly"], stages["likelihoods"]
    regions, raw = assembly["regions"], assembly["raw"]
    first, last = scored["reads"].region_slots[g : g + 2].tolist()
    first_haplotype = int(scored["haplotypes"].region_slots[g])
    a, b = scored["likelihoods"].matrix_offsets[g : g + 2].tolist()
    best = stages["loci"]["realigned"].haplotype[first:last]
    loci = stages["loci"]["loci"]
    tried = zip(raw.tried_kmer_size[g].tolist(), raw.outcome[g].tolist())
    return ActiveRegion(
        start=int(regions.start[g]), end=int(regions.end[g]), padded_start=int(regions.padded_start[g]),
        padded_end=int(regions.padded_end[g]), ploidy=assembly["ploidy"],
        tried=[(k, OUTCOMES[outcome]) for k, outcome in tried if outcome != NOT_TRIED],
        assembled_reads=one_region(assembly["reads"], g), assembled=one_region(assembly["aligned"], g),
        haplotypes=one_region(scored["haplotypes"], g), region_reads=one_region(scored["reads"], g),
        is_side=scored["is_side"][first:last], kept=scored["likelihoods"].kept[first:last],
        is_far=scored["likelihoods"].is_far[first:last],
        likelihoods=scored["likelihoods"].log10[a:b].reshape(last - first, -1 if a < b else 0),
        best_haplotype=np.where(best < 0, -1, best - first_haplotype).astype(np.int32),
        loci=[_locus(k, first, stages, seen) for k in np.flatnonzero(loci.region == g).tolist()],
    )  # fmt: skip


def _locus(k, first_row, stages, seen):
    """Locus k of the LocusBatch of one batch of regions; `seen`: columns of the stage "activity"."""
    loci, judged, haplotypes = stages["loci"]["loci"], stages["genotypes"], stages["likelihoods"]["haplotypes"]
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
    if stages["weights"]:
        counted, weight = np.full((n_pairs, n_alleles), np.nan), np.full(n_pairs, np.nan)
    for own in stages["weights"]:
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


@dataclass(slots=True)
class Record:
    """One stretch of a contig, called.

    interval : Interval
    reads : ReadBatch
        All that the calls depend on, as in the file; R reads. sample : int16[R], rows of `Inputs.samples`, -1 for none.
    calls : list[Call]
        Those that begin in the interval, as `gpuvc call` writes them.
    recorder : Recorder
        What the stages made. Regions and calls near the interval are among it, because calls inside depend on them.
    """

    interval: Interval
    reads: ReadBatch
    sample: np.ndarray
    calls: list[Call]
    recorder: Recorder


@dataclass
class Inputs:
    """What a run reads, open: a context manager. Made by `open_inputs`.

    shown : str
        The paths of the alignments, for messages.
    """

    source: AlignmentSource
    genome: Reference
    settings: Settings
    given: Given
    samples: tuple[str, ...]
    device: str
    shown: str

    @cached_property
    def _backend(self):
        return choose_backend(self.device)

    @property
    def backend(self):
        """The hardware that runs the kernels, chosen when first needed."""
        return self._backend[0]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.source.close()

    def interval(self, text, where="region") -> Interval:
        """The interval that a region string names, on a contig that the reference has. Raises UsageError."""
        interval = parse_region(text, self.source.contigs, where=where)
        name = self.source.contigs.names[interval.contig_id]
        if name not in self.genome.contigs.index:
            raise UsageError(missing_contig(name, self.genome.contigs, self.shown, self.genome.path))
        return interval

    def contig(self, interval) -> tuple[str, int]:
        """Name and length of the contig that the interval lies on."""
        return self.source.contigs.names[interval.contig_id], self.source.contigs.lengths[interval.contig_id]

    def fetch(self, interval) -> ReadBatch:
        """All reads that calls in `interval` depend on."""
        return caller.fetch_reads(_shard(interval), self.source, self.settings, Clock())

    def refused_by(self, reads, rows, interval, use=None) -> list[str]:
        """The first filter that refuses each of the reads at `rows`, or the downsampler; "" for those that count.

        use : int32[...], optional
            The reads that count, where they were chosen before.
        """
        length = self.contig(interval)[1]
        if use is None:
            use = choose_reads(reads, length, self.settings, interval.start, interval.end)[0]
        failures = refusals(reads, length, self.settings)[rows].tolist()
        used = np.zeros(reads.n_reads, bool)
        used[use] = True
        first = [ALL_FILTERS[(bits & -bits).bit_length() - 1] if bits else "" for bits in failures]
        return [name or ("" if is_used else DOWNSAMPLED) for name, is_used in zip(first, used[rows].tolist())]

    def record(self, interval, reads=None, intervals=None) -> Record:
        """Call the interval and keep what every stage made of it.

        reads : ReadBatch, optional
            From `fetch`.
        intervals : int64[n, 2], optional
            What a whole run is asked for on the contig, where that is more than `interval`; matters with concordance "hc".

        Raises
        ------
        UsageError
            The engine is not "haplotype": the other one assembles nothing.
        """
        check_engine(self.settings)
        shard = _shard(interval, intervals)
        reads = self.fetch(interval) if reads is None else reads
        recorder = Recorder()
        # With concordance "hc" and XQ, calling puts other columns in the place of some; the caller's batch keeps its own.
        called = caller.call_shard(
            shard, replace(reads), self.source, self.genome, self.settings, self.backend, Clock(), recorder, self.given
        )  # fmt: skip
        return Record(interval, reads, self.source.sample_column(reads), called.calls, recorder)

    def call(self, interval) -> list[Call]:
        """The calls that begin in the interval, with either engine."""
        return caller.call_shard(
            _shard(interval), self.fetch(interval), self.source, self.genome, self.settings, self.backend, Clock(), given=self.given
        ).calls  # fmt: skip


def _shard(interval, intervals=None):
    targets = np.array([[interval.start, interval.end]], np.int64)
    return Shard(0, interval.contig_id, targets, targets if intervals is None else intervals)


def check_engine(settings) -> None:
    """Raise UsageError where the engine has no stages to be looked into."""
    if settings.engine != "haplotype":
        raise UsageError(f"engine: found {settings.engine}, expected haplotype, whose stages can be looked into. Use --engine haplotype.")


def open_inputs(
    reference: str | os.PathLike[str],
    alignments: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    settings: Settings,
    sample_name: str | None = None,
    alleles: str | None = None,
    force_call_filtered_alleles: bool = False,
    ploidy_regions: str | None = None,
    dragstr_params_path: str | None = None,
    dragstr_het_hom_ratio: float = 2,
    dragstr_pair_hmm_scores: bool = True,
    dragstr_priors: bool = True,
    device: str = "auto",
    with_names: bool = False,
) -> Inputs:
    """Open what a run reads, region by region; arguments as `gpuvc.call_variants` takes them.

    with_names : bool
        Reads have their names.

    Raises
    ------
    InputError
        A file is missing, damaged, without index, or does not fit the others.
    UsageError
        Settings or arguments contradict each other.
    """
    check_concordance(settings)
    dragstr = read_dragstr(dragstr_params_path, settings, dragstr_het_hom_ratio, dragstr_pair_hmm_scores, dragstr_priors)
    paths = [alignments] if isinstance(alignments, str | os.PathLike) else list(alignments)
    shown = ", ".join(map(str, paths))
    reference = os.fspath(reference)
    genome = open_reference(reference)
    source = open_alignments(paths, reference=reference, sample_name=sample_name, extras=caller.extra_columns(settings, with_names))
    try:
        if source.is_sequential:
            path = next(iter(source.paths_without_index), shown)
            raise InputError(f"{path} has no index, and regions are asked for. Create one: samtools index {path}")
        samples = source.samples_to_call() if settings.engine == "haplotype" else (source.sample,)
        if settings.emit_ref_confidence != "NONE":
            check_confidence(settings, samples, ploidy_regions)
        check_contigs(source.contigs, genome.contigs, shown, reference)
        given = read_given(alleles, ploidy_regions, source.contigs, force_call_filtered_alleles, dragstr)
    except BaseException:
        source.close()
        raise
    return Inputs(source, genome, settings, given, samples, device, shown)
