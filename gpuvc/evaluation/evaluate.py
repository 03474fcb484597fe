"""Precision, recall and F1 of a call set, by class and by what surrounds the variants."""

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gpuvc.errors import InputError, UsageError
from gpuvc.evaluation.matching import CALLS, TRUTH, match_variants, side_of
from gpuvc.evaluation.scores import Scores, curve
from gpuvc.evaluation.strata import STRATA, depth_stratum, read_depths, sequence_strata
from gpuvc.evaluation.variants import CallSet, format_value, info_value, read_call_set, read_header
from gpuvc.io.bed import resolve_intervals
from gpuvc.io.fasta import open_reference

log = logging.getLogger(__name__)

CLASSES = ("SNV", "indel")
"""A record whose alleles are all one base long is an SNV; every other is counted with the indels."""
TOO_COMPLEX = "in a region too complex to match"
OUTSIDE = "outside the regions"


@dataclass
class Outcome:
    """What became of each variant of one set; arrays run as those of `variants`.

    agrees, counts : bool[n]
        Whether the other set has it; whether it counts at all (inside the regions, and matched).
    weight : float64[n]
        Of calls: how many variants of the truth it stands for.
    cluster : int64[n]
        Variants of both sets with one number could influence each other.
    strata : int8[len(STRATA), n]
        As in strata.py.
    """

    variants: CallSet
    agrees: np.ndarray
    counts: np.ndarray
    weight: np.ndarray
    cluster: np.ndarray
    strata: np.ndarray
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def is_true(self):
        return self.agrees & self.counts

    @property
    def is_wrong(self):
        return ~self.agrees & self.counts


@dataclass
class Evaluation:
    """A call set against the truth. Shown as tables by notebooks; `plot()` draws it.

    truth, calls : Outcome
    reference, bed : str or None
    score_field : str
        What the curves run along.
    score : float64[n_calls]
    settings : dict
        What else decided the result.
    """

    truth: Outcome
    calls: Outcome
    reference: str
    bed: str | None
    score_field: str
    score: np.ndarray = field(repr=False)
    settings: dict[str, Any]

    def scores(self, kind="all", context=None, stratum=None) -> Scores:
        """Scores of a class (SNV, indel or all), in a stratum of a context, both by name, or everywhere."""
        in_truth, in_calls = (self._chosen(side, kind, context, stratum) for side in (self.truth, self.calls))
        return Scores(
            tp=int((self.truth.is_true & in_truth).sum()),
            fp=int((self.calls.is_wrong & in_calls).sum()),
            fn=int((self.truth.is_wrong & in_truth).sum()),
            tp_calls=int((self.calls.agrees & (self.calls.weight > 0) & in_calls).sum()),
        )

    def contexts(self):
        """[(context, stratum, class, Scores)] of all that hold a variant."""
        found = []
        for context, names in STRATA.items():
            for stratum in names:
                scores = {kind: self.scores(kind, context, stratum) for kind in CLASSES}
                if any(s.tp + s.fp + s.fn for s in scores.values()):
                    found += [(context, stratum, kind, s) for kind, s in scores.items()]
        return found

    def roc(self, kind="all"):
        """Points of precision and recall along the score: see scores.curve."""
        chosen = self._chosen(self.calls, kind) & (self.calls.is_wrong | (self.calls.agrees & (self.calls.weight > 0)))
        n_truth = int((self._chosen(self.truth, kind) & self.truth.counts).sum())
        return curve(self.score[chosen], self.calls.weight[chosen], self.calls.is_wrong[chosen], n_truth)

    def as_dict(self) -> dict:
        """Everything as plain JSON values."""
        kinds = ("all", *CLASSES)
        return {
            "truth": {"path": self.truth.variants.path, "sample": self.truth.variants.sample, "left_out": self.truth.left_out},
            "calls": {"path": self.calls.variants.path, "sample": self.calls.variants.sample, "left_out": self.calls.left_out},
            "reference": self.reference,
            "bed": self.bed,
            "settings": self.settings,
            "classes": {kind: self.scores(kind).as_dict() for kind in kinds},
            "contexts": [
                {"context": context, "stratum": stratum, "class": kind} | scores.as_dict()
                for context, stratum, kind, scores in self.contexts()
            ],
            "roc": {"score": self.score_field, "classes": {kind: self.roc(kind) for kind in kinds}},
        }

    def to_pandas(self):
        """A DataFrame, one row a class and stratum; everywhere is context "all"."""
        from gpuvc.evaluation.show import as_frame

        return as_frame(self)

    def plot(self):
        """A matplotlib Figure: precision and recall along the score, and by context."""
        from gpuvc.evaluation.show import figure

        return figure(self)

    def _repr_html_(self):
        from gpuvc.evaluation.show import as_html

        return as_html(self)

    def _chosen(self, side, kind, context=None, stratum=None):
        is_snv = side.variants.is_snp
        chosen = {"all": np.ones(len(is_snv), bool), "SNV": is_snv, "indel": ~is_snv}[kind]
        if context is not None:
            chosen = chosen & (side.strata[list(STRATA).index(context)] == STRATA[context].index(stratum))
        return chosen


def evaluate(
    truth: str | os.PathLike[str],
    calls: str | os.PathLike[str],
    reference: str | os.PathLike[str] | None = None,
    bed: str | os.PathLike[str] | None = None,
    *,
    alignments: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    sample: str | None = None,
    all_records: bool = False,
    squash_ploidy: bool = False,
    ploidy: int = 2,
    score_field: str = "QUAL",
) -> Evaluation:
    """Compare calls with the truth, genotypes included, whatever way variants are written; the counts are those of `rtg vcfeval`.

    Parameters
    ----------
    truth, calls : path
        VCF or BCF, compressed or not, with or without index.
    reference : path, optional
        Indexed FASTA. Without it, the file that the calls' header names (##reference).
    bed : path, optional
        Regions in which the truth is known: variants count that touch one. Pairs that agree across a border agree.
    alignments : path or sequence of path, optional
        Reads, for the depth at each variant. Without them it is DP of the calls' sample, where the calls have one.
    sample : str, optional
        Of several in a file; NAME, or TRUTH_NAME,CALLS_NAME.
    all_records : bool
        Records that a filter marks count, too.
    squash_ploidy : bool
        An allele found is enough, whatever the genotype.
    ploidy : int
        Alleles of a genotype; a genotype of one allele counts for all, those of other numbers are left out.
    score_field : str
        QUAL, INFO.NAME, FORMAT.NAME or the name of a FORMAT field.

    Raises
    ------
    InputError
        A file is missing, malformed or truncated, or does not fit the others.
    UsageError
        No reference is known, or the sample is not.
    """
    reference = os.fspath(reference) if reference is not None else reference_of(calls)
    genome = open_reference(reference)
    truth_name, calls_name = sample_names(sample)
    options: dict[str, Any] = {"all_records": all_records, "ploidy": ploidy}
    of_truth = read_call_set(truth, genome.contigs, "truth", sample=truth_name, is_sample_certain=truth_name != calls_name, **options)
    of_calls = read_call_set(calls, genome.contigs, "calls", sample=calls_name, is_sample_certain=truth_name != calls_name, **options)
    targets = resolve_intervals([os.fspath(bed)], contigs=genome.contigs) if bed is not None else None
    for variants, what in ((of_truth, "truth"), (of_calls, "calls")):
        if not len(variants):
            log.warning("%s in %s: no record is a variant of sample %s that counts.", what, variants.path, variants.sample)
    score = _scores_of(of_calls, score_field)
    in_truth, in_calls = match_call_sets(of_truth, of_calls, genome, targets, squash_ploidy=squash_ploidy)
    _add_depths(in_truth, in_calls, genome, alignments)
    settings = {"all_records": all_records, "squash_ploidy": squash_ploidy, "ploidy": ploidy}
    return Evaluation(in_truth, in_calls, reference, None if bed is None else os.fspath(bed), score_field, score, settings)


def match_call_sets(of_truth, of_calls, genome, targets=None, *, squash_ploidy=False, with_strata=True):
    """(Outcome of the truth, Outcome of the calls), depths not yet among the strata.

    targets : list of int64[n, 2] or None
        By contig, the regions in which variants count.
    with_strata : bool
        False leaves what surrounds the variants unknown.

    Raises InputError where a REF is not the reference's.
    """
    outcomes = tuple(
        Outcome(
            variants, np.zeros(len(variants), bool), np.ones(len(variants), bool), np.zeros(len(variants)),
            np.zeros(len(variants), np.int64), np.full((len(STRATA), len(variants)), -1, np.int8), dict(variants.left_out),
        )
        for variants in (of_truth, of_calls)
    )  # fmt: skip
    n_clusters, n_outside, n_complex = 0, [0, 0], [0, 0]
    for contig_id, name in enumerate(genome.contigs.names):
        rows = [slice(*np.searchsorted(side.contig, [contig_id, contig_id + 1])) for side in (of_truth, of_calls)]
        if not any(r.stop > r.start for r in rows):
            continue
        codes = genome.window(name, 0, genome.contigs.lengths[contig_id])
        bases = codes.tobytes()
        inside = []
        for variants, r in zip((of_truth, of_calls), rows):
            _check_reference_alleles(variants, r, bases, name, genome.path)
            start, end = variants.start[r], variants.end[r]
            inside.append(np.ones(len(start), bool) if targets is None else touches(targets[contig_id], start, end))
        both = side_of(of_truth, rows[TRUTH]), side_of(of_calls, rows[CALLS])
        matches = match_variants(bases, *both, inside[TRUTH], squash_ploidy=squash_ploidy)
        for side, (outcome, r) in enumerate(zip(outcomes, rows)):
            outcome.agrees[r] = matches.agrees[side]
            outcome.counts[r] = inside[side] & ~matches.skipped[side]
            outcome.cluster[r] = matches.cluster[side] + n_clusters
            if with_strata:
                outcome.strata[:3, r] = sequence_strata(codes, outcome.variants.start[r], outcome.variants.end[r])
            n_outside[side] += int((~inside[side] & ~matches.skipped[side]).sum())
            n_complex[side] += int(matches.skipped[side].sum())
        outcomes[CALLS].weight[rows[CALLS]] = matches.weight
        n_clusters += 1 + max((int(c.max()) for c in matches.cluster if len(c)), default=0)
    for side, (outcome, what) in enumerate(zip(outcomes, ("truth", "calls"))):
        outcome.left_out |= {reason: n for reason, n in ((OUTSIDE, n_outside[side]), (TOO_COMPLEX, n_complex[side])) if n}
        if n_complex[side]:
            log.warning("%s: %d variants lie in regions too complex to match, and are left out.", what, n_complex[side])
    return outcomes


def touches(intervals, start, end):
    """bool[n]: whether [start, end) shares a base with one of the sorted, disjoint intervals; an insertion must lie within one."""
    if not len(intervals):
        return np.zeros(len(start), bool)
    nearest = np.searchsorted(intervals[:, 0], end, side="left") - 1
    return (nearest >= 0) & (start < intervals[np.maximum(nearest, 0), 1])


def _check_reference_alleles(variants, rows, bases, name, path):
    """Raise InputError for a REF that differs from the reference; N on either side fits all."""
    for i, (end, ref) in enumerate(zip(variants.end[rows].tolist(), variants.refs[rows])):
        own = bases[end - len(ref) : end]
        if own != ref and any(a != b and a < 4 and b < 4 for a, b in zip(own, ref)):
            fields = variants.fields(rows.start + i)
            first = int(fields[1]) - 1
            expected = "".join("ACGTN"[code] for code in bases[first : first + len(fields[3])])
            raise InputError(
                f"REF of {name}:{fields[1]} in {variants.path}: found {fields[3][:40]}, expected {expected[:40]} as in {path}. "
                "Use the reference that the calls were made with."
            )


def reference_of(calls):
    """The path in the ##reference line of a VCF's header."""
    for line in read_header(calls, "calls"):
        if line.startswith(b"##reference="):
            named = re.sub(r"^file:(//)?(localhost(?=/))?", "", line[12:].decode("utf-8", "replace"))
            if Path(named).is_file():
                return named
            raise UsageError(f"reference of {calls}: found {named} in its header, which is not there, expected the FASTA. Name it with -R.")
    raise UsageError(f"reference of {calls}: found none in its header, expected the FASTA that the calls were made with. Name it with -R.")


def sample_names(sample):
    """(of the truth, of the calls) from NAME or TRUTH_NAME,CALLS_NAME."""
    if sample is None:
        return None, None
    names = sample.split(",")
    if len(names) > 2 or not all(names):
        raise UsageError(f"--sample: found {sample!r}, expected NAME, or TRUTH_NAME,CALLS_NAME.")
    return names[0], names[-1]


def _scores_of(calls, score_field):
    """float64[n] of the score field; not a number where a call has none."""
    if score_field == "QUAL":
        return calls.qual
    place, _, name = score_field.replace("/", ".").replace("=", ".").rpartition(".")
    if place not in ("", "INFO", "FORMAT"):
        raise UsageError(f"--score-field: found {score_field!r}, expected QUAL, INFO.NAME, FORMAT.NAME or a FORMAT field, such as GQ.")
    read = info_value if place == "INFO" else format_value
    found = np.array([read(calls, i, name) for i in range(len(calls))], np.float64)
    if len(found) and np.isnan(found).all():
        raise UsageError(f"--score-field {score_field} of {calls.path}: found it in no record, expected a field with a number in it.")
    return found


def _add_depths(in_truth, in_calls, genome, alignments):
    """Fill the stratum of depth: from the reads, else from DP of the calls; a variant of the truth takes that of the nearest call."""
    row = list(STRATA).index("depth")
    if alignments is not None:
        _depths_of_reads((in_truth, in_calls), genome, alignments, row)
        return
    calls, truth = in_calls.variants, in_truth.variants
    if not any(b"DP" in line for line in calls.header if line.startswith(b"##FORMAT=<ID=DP,")):
        return
    depth = np.array([format_value(calls, i, "DP") for i in range(len(calls))], np.float64)
    in_calls.strata[row] = depth_stratum(np.nan_to_num(depth, nan=-1))
    of_cluster = {}
    for i, cluster in enumerate(in_calls.cluster.tolist()):
        of_cluster.setdefault(cluster, []).append(i)
    for i, cluster in enumerate(in_truth.cluster.tolist()):
        beside = of_cluster.get(cluster)
        if beside:
            nearest = min(beside, key=lambda j: abs(int(calls.start[j]) - int(truth.start[i])))
            in_truth.strata[row, i] = in_calls.strata[row, nearest]


def _depths_of_reads(outcomes, genome, alignments, row):
    from gpuvc.io.alignments import open_alignments
    from gpuvc.io.bed import check_contigs

    paths = [alignments] if isinstance(alignments, str | Path) else list(alignments)
    with open_alignments(paths, reference=genome.path) as source:
        if source.is_sequential:
            raise InputError(f"reads in {paths[0]}: found no index, expected one. Create it: samtools index {paths[0]}")
        check_contigs(source.contigs, genome.contigs, str(paths[0]), genome.path)
        for outcome in outcomes:
            for contig_id, name in enumerate(genome.contigs.names):
                first, last = np.searchsorted(outcome.variants.contig, [contig_id, contig_id + 1])
                if first < last and name in source.contigs.index:
                    depths = read_depths(source, source.contigs.index[name], outcome.variants.start[first:last])
                    outcome.strata[row, first:last] = depth_stratum(depths)
