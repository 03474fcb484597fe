"""gpuvc for programs: call variants, read columns, pile up; and the parts of a run.

    plan_shards → call_shard (each on its own, in any order) → merge_shards
"""

import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from gpuvc import caller
from gpuvc.backends import choose_backend
from gpuvc.batches import Call, Pileup, ReadBatch, ShardCalls
from gpuvc.errors import InputError, UsageError
from gpuvc.genotyping.reference_confidence import check_confidence
from gpuvc.intervals import Interval, Shard
from gpuvc.io.alignments import AlignmentSource, open_alignments
from gpuvc.io.bed import check_contigs, check_targets, missing_contig, parse_region, resolve_intervals
from gpuvc.io.dragstr import read_dragstr
from gpuvc.io.fasta import open_reference
from gpuvc.io.given import read_given
from gpuvc.io.htslib_file import index_names
from gpuvc.io.whole_records import WholeRecords
from gpuvc.output.files import PartialFile, check_places
from gpuvc.output.realigned_bam import RealignedBam
from gpuvc.output.region_track import RegionTrack
from gpuvc.output.report import report_files, report_paths, run_report, variant_type
from gpuvc.output.statistics import Statistics
from gpuvc.output.vcf import VariantWriter, format_call, vcf_header
from gpuvc.pileup.overlaps import finalise_quals
from gpuvc.pileup.pileup import pile_up
from gpuvc.pileup.read_filters import MAX_READ_SPAN, active_filters, choose_reads
from gpuvc.runners import in_order
from gpuvc.settings import Settings, check_concordance
from gpuvc.timing import Clock

log = logging.getLogger(__name__)

# Arrays of up to 32 MB are reused by the allocator without page faults: a fifth of the CPU time at twice these sizes.
SHARD_BYTES = 4 << 20  # compressed input a shard: some 50,000 reads, 20 MB of columns
MAX_SHARD_BP = 160_000  # bounds the counts per position: 17 MB
MAX_GAP_BP = 32_768  # between targets of one shard; reading on costs less than a fresh start up to about two windows of the index


@dataclass
class RunSummary:
    """What a run did; str() tells it in one line. `report` holds all of it, `calls` the records when no output file was named."""

    n_records: int
    n_reads: int
    seconds: float
    report: dict = field(repr=False)
    calls: list[Call] | None = field(default=None, repr=False)

    def __str__(self):
        compile_s = self.report["seconds"]["compile"]
        compiling = f", most of them to compile kernels, once on this machine ({compile_s:.0f} s)" if compile_s > self.seconds / 2 else ""
        return f"{self.n_records:,} records from {self.n_reads:,} reads in {self.seconds:.1f} s{compiling}"

    def _repr_html_(self):
        from gpuvc.output.page import as_html

        return as_html(self.report, ", ".join(self.report["inputs"]["samples"]))


def plan_shards(targets: Sequence[np.ndarray], alignments: AlignmentSource, shard_bytes: int | None = None) -> list[Shard]:
    """Cut the targets into shards of about equal compressed size.

    Parameters
    ----------
    targets : list of int64[n, 2]
        One per contig, as `gpuvc.io.bed.resolve_intervals` gives them.
    alignments : AlignmentSource
        Its index tells where the bytes are; without one, shards are MAX_SHARD_BP long.
    shard_bytes : int, optional
        Compressed bytes a shard, default SHARD_BYTES. Calls do not depend on it.

    Returns
    -------
    list[Shard]
        In genome order.
    """
    shard_bytes = shard_bytes or SHARD_BYTES
    shards: list[Shard] = []
    for contig_id, rows in enumerate(targets):
        if not len(rows):
            continue
        cuts = _cuts(alignments.byte_starts(contig_id), int(rows[0, 0]), int(rows[-1, 1]), shard_bytes)
        for piece in _pieces(rows, cuts):
            shards.append(Shard(len(shards), contig_id, piece, rows))
    return shards


def _cuts(byte_starts, start, end, shard_bytes):
    """Positions in (start, end), ascending, where a new shard begins because of its bytes or its length."""
    cuts = [start]
    positions, offsets = byte_starts if byte_starts is not None else ((), ())
    if len(positions) > 1:
        # Equal shares of bytes between known points of the index; finer than the index is not known, so positions are interpolated.
        marks = np.arange(offsets[0] + shard_bytes, offsets[-1], shard_bytes)
        cuts += [p for p in np.interp(marks, offsets, positions).astype(np.int64).tolist() if start < p < end]
    whole = []
    for low, high in zip(cuts, [*cuts[1:], end]):
        whole += range(low, high, MAX_SHARD_BP)
    return np.array(whole[1:], np.int64)


def _pieces(rows, cuts):
    """The rows split at the cuts and at wide gaps: lists of targets, one per shard."""
    starts = np.concatenate([rows[:, 0], cuts])
    starts = np.unique(starts)
    row = np.searchsorted(rows[:, 0], starts, side="right") - 1
    inside = starts < rows[row, 1]
    starts, row = starts[inside], row[inside]
    ends = np.minimum(rows[row, 1], np.append(starts[1:], np.iinfo(np.int64).max))
    parts = np.column_stack([starts, ends])
    is_new = np.zeros(len(parts), bool)
    if len(parts) > 1:
        is_new[1:] |= parts[1:, 0] - parts[:-1, 1] > MAX_GAP_BP
        is_new[1:] |= np.searchsorted(cuts, parts[1:, 0], side="right") > np.searchsorted(cuts, parts[:-1, 0], side="right")
    return np.split(parts, np.flatnonzero(is_new))


def call_shard(shard, alignments, reference, settings, backend, clock, reads=None, **more):
    """ShardCalls of one shard; see `gpuvc.caller.call_shard`, also for `more`. `reads` may be given when they were fetched before."""
    if reads is None:
        reads = caller.fetch_reads(shard, alignments, settings, clock)
    name = alignments.contigs.names[shard.contig_id]
    if name not in reference.contigs.index:
        if not reads.n_reads:
            return ShardCalls([], None)
        raise InputError(missing_contig(name, reference.contigs, "the alignments", reference.path))
    return caller.call_shard(shard, reads, alignments, reference, settings, backend, clock, **more)


def merge_shards(results, contigs, writer, settings):
    """Write the calls of all shards, which come in genome order as (shard, ShardCalls), and count them.

    Returns
    -------
    by_type, by_filter : Counter
    """
    by_type, by_filter = Counter(), Counter()
    gvcf = None
    if settings.emit_ref_confidence != "NONE":
        from gpuvc.output.gvcf import GvcfLines

        gvcf = GvcfLines(contigs.names, settings)
    for shard, (calls, blocks) in results:
        name = contigs.names[shard.contig_id]
        writer.write(gvcf.of_shard(calls, blocks) if gvcf else "".join(format_call(call, name) for call in calls))
        by_type.update(variant_type(call.ref, call.alts) for call in calls)
        by_filter.update(";".join(call.filters) or "PASS" for call in calls)
    if gvcf:
        writer.write(gvcf.rest())
    return by_type, by_filter


class _Kept:
    """Stands in for a writer when the calls themselves are wanted."""

    def __init__(self):
        self.calls = []

    def write(self, text):
        """Nothing: the calls are kept as they pass."""

    def commit(self):
        """Nothing to make whole."""


def call_variants(
    reference: str | os.PathLike[str],
    alignments: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
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
    bam_output: str | None = None,
    bam_writer_type: str = "CALLED_HAPLOTYPES",
    create_bam_index: bool = True,
    assembly_region_out: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    shard_bytes: int | None = None,
    report: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    truth: str | os.PathLike[str] | None = None,
    truth_regions: str | os.PathLike[str] | None = None,
    version_header: bool = True,
    command_line: str | None = None,
    create_index: bool = True,
    progress: Callable[[int, int, str, int], object] | None = None,
) -> RunSummary:
    """Call germline SNVs and indels; of several samples together with the haplotype engine.

    Parameters
    ----------
    reference : str
        Indexed FASTA.
    alignments : str or sequence of str
        BAM or CRAM files, "-" for a BAM on standard input.
    output : str, optional
        .vcf, .vcf.gz, .bcf, or "-" for standard output; whole or not there at all. None: the calls are in the summary.
    settings : Settings
        What can change calls.
    intervals, exclude_intervals, interval_padding, interval_exclusion_padding, interval_set_rule
        As `gpuvc.io.bed.resolve_intervals` takes them.
    sample_name : str, optional
        Calls this sample alone. The pileup engine needs it when the alignments hold several.
    alleles : str, optional
        VCF or BCF (compressed: with its index) whose alleles are called whatever the reads show, wherever there are reads.
    force_call_filtered_alleles : bool
        Those of its filtered records, too.
    ploidy_regions : str, optional
        BED or interval_list with ploidies as names, as `gpuvc.io.bed.read_ploidies` takes it.
    dragstr_params_path : str, optional
        How the sample errs and varies in tandem repeats, as GATK's CalibrateDragstrModel writes it; for concordance "hc".
    dragstr_het_hom_ratio, dragstr_pair_hmm_scores, dragstr_priors
        As `gpuvc.io.dragstr.read_dragstr` takes them.
    bam_output : str, optional
        .bam for reads as they were realigned, and haplotypes; see `gpuvc.output.realigned_bam`. bam_writer_type : which of them.
    create_bam_index : bool
        Write its index, too.
    assembly_region_out : str, optional
        Where to write the regions that were assembled, as a track for IGV.
    device : "auto", "cpu" or "cuda"
    threads : int, optional
        Default: every core this process may use. Never changes calls.
    shard_bytes : int, optional
        Compressed bytes of input per unit of work. Never changes calls.
    report : str or sequence of str, optional
        Where to write the report of the run: .html for a page, _mqc.json for MultiQC, .json for everything; see docs/report.md.
    truth, truth_regions : str, optional
        VCF of the true variants and BED of where it is complete: the report then holds what `gpuvc.evaluate` says of the calls.
    version_header : bool
        False leaves out the header lines that name the run, so that two runs compare byte for byte.
    command_line : str, optional
        For the header and the report.
    create_index : bool
    progress : callable, optional
        Called as progress(done_bytes, total_bytes, contig, pos1) after every shard.

    Returns
    -------
    RunSummary

    Raises
    ------
    InputError, UsageError, DeviceError, OutputError
        UsageError, too, where an output would replace an input, such an index, or another output.
    """
    started_at = datetime.now(UTC)
    reference = os.fspath(reference)
    paths = [alignments] if isinstance(alignments, str | os.PathLike) else list(alignments)
    threads = threads or len(os.sched_getaffinity(0))
    check_concordance(settings)
    active_filters(settings)  # an unknown name is an error before any work
    reports = [report] if isinstance(report, str | os.PathLike) else report or ()
    if truth is not None and not (reports and output is not None and os.fspath(output) != "-"):
        raise UsageError("option --truth: found it without a file of calls and a report, expected --output FILE and --report FILE with it.")
    if truth_regions is not None and truth is None:
        raise UsageError("option --truth-regions: found it alone, expected --truth VCF, which it is about.")
    for value, option in (
        (alleles, "--alleles"), (ploidy_regions, "--ploidy-regions"), (dragstr_params_path, "--dragstr-params-path"),
        (bam_output, "--bam-output"), (assembly_region_out, "--assembly-region-out"),
    ):  # fmt: skip
        if value and settings.engine != "haplotype":
            raise UsageError(f"option {option}: found it with --engine {settings.engine}, expected --engine haplotype.")
    beside_alignments = (
        ("--alleles", alleles), ("--ploidy-regions", ploidy_regions), ("--dragstr-params-path", dragstr_params_path), ("--truth", truth),
        ("--truth-regions", truth_regions),
    )  # fmt: skip
    check_places(
        _places_read(paths, reference, beside_alignments, intervals, exclude_intervals),
        output=output, report=report_paths(reports), bam_output=bam_output, assembly_region_out=assembly_region_out,
    )  # fmt: skip
    files_of_report = report_files(reports)
    dragstr = read_dragstr(dragstr_params_path, settings, dragstr_het_hom_ratio, dragstr_pair_hmm_scores, dragstr_priors)
    compile_timer = _CompileTimer()
    with ExitStack() as stack:
        stack.enter_context(compile_timer)
        genome = open_reference(reference)
        source = stack.enter_context(
            open_alignments(
                paths, reference=reference, sample_name=sample_name, threads=threads,
                extras=caller.extra_columns(settings, bool(bam_output)),
            )
        )  # fmt: skip
        contigs = source.contigs
        samples = source.samples_to_call() if settings.engine == "haplotype" else (source.sample,)
        if settings.emit_ref_confidence != "NONE":
            check_confidence(settings, samples, ploidy_regions)
        shown = ", ".join(map(str, paths))
        missing = check_contigs(contigs, genome.contigs, shown, reference)
        targets = resolve_intervals(
            intervals, exclude_intervals, contigs=contigs, padding=interval_padding, exclude_padding=interval_exclusion_padding,
            set_rule=interval_set_rule,
        )  # fmt: skip
        for path in source.paths_without_index:
            if intervals:
                raise InputError(f"{path} has no index, and intervals were asked for. Create one: samtools index {path}")
            log.warning("%s has no index: it is read from start to end. Create one: samtools index %s", path, path)
        if intervals:
            check_targets(targets, missing, contigs, genome.contigs, shown, reference)
        if truth is not None:  # what is wrong with it is said before the work, not behind it
            _check_truth(truth, truth_regions, samples, genome)
        given = read_given(alleles, ploidy_regions, contigs, force_call_filtered_alleles, dragstr)
        backend, reason = choose_backend(device)
        header = vcf_header(
            contigs, samples, reference_path=reference, settings=settings, dragstr=dragstr, command_line=command_line,
            version=version_header,
        )  # fmt: skip
        opened = [(stack.enter_context(PartialFile(path)), as_bytes) for path, as_bytes in files_of_report]
        writer = stack.enter_context(VariantWriter(output, header, create_index=create_index)) if output is not None else _Kept()
        beside = []
        if bam_output:
            if source.is_sequential:
                raise UsageError(
                    f"option --bam-output: found {shown} without index, expected files that names can be looked up in. "
                    "Index them: samtools index FILE"
                )
            bam = RealignedBam(
                bam_output, bam_writer_type, source, WholeRecords(paths, reference), with_version=version_header,
                create_index=create_bam_index,
            )  # fmt: skip
            beside.append(stack.enter_context(bam))
        if assembly_region_out:
            beside.append(stack.enter_context(RegionTrack(assembly_region_out, contigs, targets, settings)))
        statistics = Statistics(contigs, targets, samples, source.sample_column) if reports else None
        shards = plan_shards(targets, source, shard_bytes)
        clock = Clock()

        def work(shard, reads):
            watchers = [other.watch(shard) for other in beside]
            counter = statistics.watch(shard) if statistics else None
            count = counter.count_reads if counter else None
            calls = call_shard(shard, source, genome, settings, backend, clock, reads, given=given, see=_seen_by(watchers), count=count)
            if counter:
                with clock.stage("statistics"):
                    counter.finish(calls.calls, genome)
            return calls, [watcher.result() for watcher in watchers], counter

        results = in_order(
            shards,
            lambda shard: caller.fetch_reads(shard, source, settings, clock),
            work,
            threads=threads,
            prepare_in_turn=source.is_sequential,
        )
        results = _watched(_written_beside(results, beside, statistics), shards, source, writer, progress)
        by_type, by_filter = merge_shards(results, contigs, writer, settings)
        with clock.stage("finish"):
            for other in beside:
                other.finish()
            writer.commit()
            for other in beside:
                other.publish()
        n_used = clock.counts.pop("reads.passed", 0)
        refused = {name.removeprefix("reads."): n for name, n in list(clock.counts.items()) if name.startswith("reads.")}
        for name in refused:
            del clock.counts[f"reads.{name}"]
        summary = run_report(
            command_line=command_line, settings=settings, reference=reference, alignments={str(p): _size(p) for p in paths}, output=output,
            samples=samples, device=f"{backend.name} ({backend.device})", device_reason=reason, threads=threads, started_at=started_at,
            reads_seen=n_used + sum(refused.values()), reads_used=n_used, reads_filtered=refused, bases=clock.counts.pop("bases", 0),
            targets_bp=sum(shard.n_bases for shard in shards), candidate_loci=clock.counts.pop("loci.candidates", 0),
            regions=clock.counts.pop("regions", 0),
            records_by_type=by_type, records_by_filter=by_filter, clock=clock, compile_s=compile_timer.seconds,
            statistics=statistics and statistics.as_dict(),
            evaluation=truth and _against_truth(truth, output, reference, truth_regions, settings),
        )  # fmt: skip
        if not n_used and refused:
            worst = max(refused, key=lambda name: refused[name])
            log.warning("none of %d reads was used: %s left out most of them (%d).", sum(refused.values()), worst, refused[worst])
        for file, as_bytes in opened:
            file.write(as_bytes(summary))
        for file, _ in opened:
            file.commit()
    return RunSummary(
        n_records=summary["records"]["total"], n_reads=n_used, seconds=summary["seconds"]["wall"], report=summary,
        calls=writer.calls if isinstance(writer, _Kept) else None,
    )  # fmt: skip


def _places_read(paths, reference, beside, intervals, exclude_intervals):
    """[(option, path)] of the inputs and where their indexes may stand, for `check_places`. beside : likewise, paths may be None."""
    read = [("--reference", reference), *(("--input", path) for path in paths)]
    read += [(option, path) for option, path in beside if path]
    indexes = [("index of --input", name) for path in map(os.fspath, paths) for name in index_names(path, path.endswith(".cram"))]
    indexes += [("index of --reference", f"{reference}.{kind}") for kind in ("fai", "gzi")]
    variants = [(option, path) for option, path in beside if path and option in ("--alleles", "--truth")]
    indexes += [(f"index of {option}", f"{path}.{kind}") for option, path in variants for kind in ("tbi", "csi")]
    # Last, so that a file that is both is called what it was given as; intervals may be regions, of which no file has the name.
    where = [*(("--intervals", text) for text in intervals), *(("--exclude-intervals", text) for text in exclude_intervals)]
    return [*indexes, *where, *read]


def _seen_by(watchers):
    """What shows each stage to all of the watchers; None without any."""
    if not watchers:
        return None

    def see(stage, **columns):
        for watcher in watchers:
            watcher.see(stage, **columns)

    return see


def _written_beside(results, beside, statistics):
    """Pass on the calls of each shard; write what the other outputs took from it, and add what was counted."""
    for shard, (calls, taken, counted) in results:
        for other, rows in zip(beside, taken, strict=True):
            other.add(shard, rows)
        if statistics:
            statistics.add(counted)
        yield shard, calls


def _watched(results, shards, source, writer, progress):
    """Pass the results on; keep the calls where they are wanted, tell how far the run is."""
    total_bp = sum(shard.n_bases for shard in shards)
    done_bp = 0
    for shard, called in results:
        if isinstance(writer, _Kept):
            writer.calls += called.calls
        yield shard, called
        done_bp += shard.n_bases
        if progress:
            done_bytes = source.total_bytes * done_bp // max(1, total_bp)
            progress(done_bytes, source.total_bytes, source.contigs.names[shard.contig_id], shard.span.end)


def _check_truth(truth, truth_regions, samples, genome):
    from gpuvc.evaluation.variants import read_header

    if len(samples) > 1:
        raise UsageError(f"option --truth: found {len(samples)} samples to call, expected one. See --sample-name.")
    read_header(truth, "truth")
    if truth_regions is not None:
        resolve_intervals([os.fspath(truth_regions)], contigs=genome.contigs)


def _against_truth(truth, output, reference, truth_regions, settings):
    from gpuvc.evaluation.evaluate import evaluate

    return evaluate(truth, output, reference, truth_regions, ploidy=settings.sample_ploidy).as_dict()


def _size(path):
    path = Path(path)
    return path.stat().st_size if path.is_file() else None


class _CompileTimer:
    """Seconds spent compiling kernels while in force (any thread, nested compilations once); 0 when all came from the cache."""

    def __enter__(self):
        from numba.core import event

        self._listener = event.TimingListener()
        self._event = event
        event.register("numba:compile", self._listener)
        return self

    def __exit__(self, *exception):
        self._event.unregister("numba:compile", self._listener)

    @property
    def seconds(self):
        return self._listener.duration if self._listener.done else 0.0


def read_columns(
    alignments: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    interval: str | None = None,
    *,
    reference: str | os.PathLike[str] | None = None,
    sample_name: str | None = None,
) -> ReadBatch:
    """Reads as columns.

    Parameters
    ----------
    alignments : str or sequence of str
    interval : str, optional
        A region such as "chr20:1,000-2,000" (1-based, closed); None for the whole of the input.
    reference : str, optional
        FASTA, for CRAM that needs one.

    Returns
    -------
    ReadBatch
    """
    from gpuvc.io.columns import join_batches

    paths = [alignments] if isinstance(alignments, str | os.PathLike) else list(alignments)
    with open_alignments(paths, reference=reference, sample_name=sample_name) as source:
        if interval is None:
            return join_batches([_copy(batch) for batch in source.batches()])
        return source.fetch(parse_region(interval, source.contigs, where="interval"))


def _copy(batch):
    """The batch in arrays of its own: `batches` hands the same memory out again."""
    columns = (getattr(batch, name) for name in batch.__slots__)
    return type(batch)(*(None if column is None else column.copy() for column in columns))


def pileup(
    reference: str | os.PathLike[str],
    alignments: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    interval: str,
    *,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    device: str = "auto",
    sample_name: str | None = None,
    settled: bool = True,
) -> Pileup:
    """Counts per position over a region, of the reads that calling would use.

    Parameters
    ----------
    reference : str
    alignments : str or sequence of str
    interval : str
        "chr20:1,000-2,000" (1-based, closed) or a contig's name.
    settled : bool
        Mate overlaps and adaptors have lowered base qualities, as calling sees them. False takes qualities as they stand in the file:
        without a limit of reads per start these are the counts of `samtools mpileup -B -A -x -d 0`.

    Returns
    -------
    Pileup
    """
    reference = os.fspath(reference)
    paths = [alignments] if isinstance(alignments, str | os.PathLike) else list(alignments)
    backend, _ = choose_backend(device)
    genome = open_reference(reference)
    with open_alignments(paths, reference=reference, sample_name=sample_name) as source:
        check_contigs(source.contigs, genome.contigs, ", ".join(map(str, paths)), reference)
        window = parse_region(interval, source.contigs, where="interval")
        name = source.contigs.names[window.contig_id]
        if name not in genome.contigs.index:
            raise UsageError(missing_contig(name, genome.contigs, ", ".join(map(str, paths)), reference))
        return count_window(window, source, genome, settings, backend, settled)


def count_window(window: Interval, source: AlignmentSource, genome, settings: Settings, backend, settled=True) -> Pileup:
    """Pileup of an interval of open alignments; see `pileup`."""
    name, length = source.contigs.names[window.contig_id], source.contigs.lengths[window.contig_id]
    near = window.padded(caller.CONTEXT_BP, length)
    # Beyond the window's end, too: indels of reads there may have their leftmost place inside.
    reads = source.fetch(Interval(window.contig_id, max(0, window.start - MAX_READ_SPAN), near.end))
    use, _, _ = choose_reads(reads, length, settings, window.start, window.end)
    if settled:
        finalise_quals(reads, use, settings.correct_overlapping_quality)
    codes = genome.window(name, near.start, near.end)
    counts, _ = pile_up(reads, use, window, codes, near.start, settings.min_base_quality, backend)
    counts.indels = counts.indels.between(window.start, window.end)
    return counts
