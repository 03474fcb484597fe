"""Two call sets of one sample: what differs, and why."""

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpuvc.evaluation.evaluate import TOO_COMPLEX, match_call_sets, reference_of, sample_names, touches
from gpuvc.evaluation.variants import MAX_ALLELE_LENGTH, CallSet, read_call_set
from gpuvc.io.bed import resolve_intervals
from gpuvc.io.fasta import open_reference

SAME, OTHER_RECORDS, OTHER_GENOTYPE, FILTERED, BELOW_QUAL, OTHER_ALLELES, NOT_VARIANT, ONLY, COMPLEX = (
    "the same",
    "same haplotypes, other records",
    "same alleles, other genotype",
    "filtered in the other",
    "below --min-qual in the other",
    "other alleles at the place",
    "without variant genotype in the other",
    "only here",
    TOO_COMPLEX,
)
REASONS = (SAME, OTHER_RECORDS, OTHER_GENOTYPE, FILTERED, BELOW_QUAL, OTHER_ALLELES, NOT_VARIANT, ONLY, COMPLEX)
"""In the order in which they are tried: each variant has the first that fits."""
AGREE = (SAME, OTHER_RECORDS)


@dataclass
class Comparison:
    """Two call sets. Shown as a table by notebooks.

    a, b : CallSet
        The variants that count: of records that pass, or of all, inside the regions.
    reasons : (int8[n_a], int8[n_b])
        Index into REASONS, by variant.
    beside : (list, list)
        By variant, what the other set has there, as text.
    settings : dict
        What else decided the result.
    """

    a: CallSet
    b: CallSet
    reference: str
    bed: str | None
    reasons: tuple = field(repr=False)
    beside: tuple = field(repr=False)
    settings: dict[str, Any]

    def counts(self):
        """Reason → (SNVs in A, indels in A, SNVs in B, indels in B), of the reasons that occur."""
        found = {}
        for n, reason in enumerate(REASONS):
            of_sides = list(zip((self.a, self.b), self.reasons))
            cells = [int(((r == n) & (side.is_snp == is_snp)).sum()) for side, r in of_sides for is_snp in (True, False)]
            if any(cells):
                found[reason] = tuple(cells)
        return found

    def differences(self):
        """[{in, contig, pos1, ref, alts, genotype, qual, filter, reason, other}] of every variant that does not agree, by position."""
        found = []
        for name, side, reasons, beside in zip("AB", (self.a, self.b), self.reasons, self.beside):
            for i in np.flatnonzero(~np.isin(reasons, [REASONS.index(reason) for reason in AGREE])).tolist():
                contig, pos1, _, ref, alts, qual, filters = side.fields(i)[:7]
                row = {"in": name, "contig": contig, "pos1": int(pos1), "ref": ref, "alts": alts, "genotype": side.genotype_text(i)}
                row |= {"qual": qual, "filter": filters, "reason": REASONS[reasons[i]], "other": beside[i]}
                found.append(((int(side.contig[i]), int(pos1), name), row))
        return [row for _, row in sorted(found, key=lambda item: item[0])]

    def as_dict(self) -> dict:
        """Everything as plain JSON values."""
        return {
            "a": {"path": self.a.path, "sample": self.a.sample, "left_out": dict(self.a.left_out)},
            "b": {"path": self.b.path, "sample": self.b.sample, "left_out": dict(self.b.left_out)},
            "reference": self.reference,
            "bed": self.bed,
            "settings": self.settings,
            "counts": {
                reason: {"a": {"SNV": a_snv, "indel": a_indel}, "b": {"SNV": b_snv, "indel": b_indel}}
                for reason, (a_snv, a_indel, b_snv, b_indel) in self.counts().items()
            },
            "differences": self.differences(),
        }

    def to_pandas(self):
        """A DataFrame of `differences`."""
        from gpuvc.optional import optional

        return optional("pandas", "tables").DataFrame(self.differences())

    def _repr_html_(self):
        from gpuvc.evaluation.show import comparison_as_html

        return comparison_as_html(self)


def compare(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    reference: str | os.PathLike[str] | None = None,
    bed: str | os.PathLike[str] | None = None,
    *,
    sample: str | None = None,
    all_records: bool = False,
    min_qual: float = 0.0,
    ploidy: int = 2,
) -> Comparison:
    """Compare two call sets: which variants agree whatever way they are written, and of the others why they do not.

    Parameters
    ----------
    a, b : path
        VCF or BCF, compressed or not, with or without index.
    reference : path, optional
        Indexed FASTA. Without it, the file that the header of `a` names (##reference).
    bed : path, optional
        Regions: variants count that touch one.
    sample : str, optional
        Of several in a file; NAME, or NAME_IN_A,NAME_IN_B.
    all_records : bool
        Records that a filter marks count, too.
    min_qual : float
        Records with less QUAL do not count.
    ploidy : int
        As for gpuvc.evaluate.

    Raises
    ------
    InputError, UsageError
        As gpuvc.evaluate.
    """
    reference = os.fspath(reference) if reference is not None else reference_of(a)
    genome = open_reference(reference)
    names = sample_names(sample)
    is_certain = names[0] != names[1]
    whole = [
        read_call_set(path, genome.contigs, what, sample=name, is_sample_certain=is_certain, all_records=True, ploidy=ploidy)
        for path, what, name in zip((a, b), ("calls A", "calls B"), names)
    ]
    if bed is not None:
        targets = resolve_intervals([os.fspath(bed)], contigs=genome.contigs)
        whole = [side.take(_inside(side, targets)) for side in whole]
    is_low = [side.qual < min_qual for side in whole]
    counts = [(side.passes | all_records) & ~low for side, low in zip(whole, is_low)]
    reasons, clusters = _reasons(whole, counts, is_low, genome)
    kept = [side.take(chosen) for side, chosen in zip(whole, counts)]
    beside = tuple(_beside(k, whole, reasons, clusters, counts) for k in (0, 1))
    settings = {"all_records": all_records, "min_qual": min_qual, "ploidy": ploidy}
    chosen_reasons = tuple(reasons[k][counts[k]] for k in (0, 1))
    return Comparison(kept[0], kept[1], reference, None if bed is None else os.fspath(bed), chosen_reasons, beside, settings)


def _inside(side, targets):
    inside = np.zeros(len(side), bool)
    for contig_id in np.unique(side.contig).tolist():
        rows = slice(*np.searchsorted(side.contig, [contig_id, contig_id + 1]))
        inside[rows] = touches(targets[contig_id], side.start[rows], side.end[rows])
    return inside


def _reasons(whole, counts, is_low, genome):
    """(reasons, clusters), each an array by side: index into REASONS of each variant that counts, and its stretch between cuts; else -1."""
    reasons = tuple(np.full(len(side), -1, np.int8) for side in whole)

    def settle(chosen, reason, of=(0, 1), squash_ploidy=False):
        """Match the variants chosen of both sets; those of the sides `of` that agree have their reason."""
        outcomes = match_call_sets(*(s.take(c) for s, c in zip(whole, chosen)), genome, squash_ploidy=squash_ploidy, with_strata=False)
        for k in of:
            reasons[k][np.flatnonzero(chosen[k])[outcomes[k].agrees]] = REASONS.index(reason)
        return outcomes

    outcomes = settle(counts, OTHER_RECORDS)
    for k, outcome in enumerate(outcomes):
        reasons[k][np.flatnonzero(counts[k])[~outcome.counts]] = REASONS.index(COMPLEX)
    _mark_same(whole, reasons)
    open_ones = [chosen & (r < 0) for chosen, r in zip(counts, reasons)]
    settle(open_ones, OTHER_GENOTYPE, squash_ploidy=True)
    for is_excluded, reason in (([~side.passes for side in whole], FILTERED), (is_low, BELOW_QUAL)):
        for k in (0, 1):
            # Whether the genotype is the same matters less than that the record does not count.
            chosen = [counts[s] & (reasons[s] < 0) if s == k else ~counts[s] & is_excluded[s] for s in (0, 1)]
            settle(chosen, reason, of=(k,), squash_ploidy=True)
    clusters = [np.full(len(side), -1) for side in whole]
    for k in (0, 1):
        clusters[k][counts[k]] = outcomes[k].cluster
    for k in (0, 1):
        other = whole[1 - k].take(counts[1 - k])
        unlike = set(clusters[1 - k][counts[1 - k] & (reasons[1 - k] < 0)].tolist())
        unlike |= set(clusters[1 - k][reasons[1 - k] == REASONS.index(OTHER_ALLELES)].tolist())
        for i in np.flatnonzero(counts[k] & (reasons[k] < 0)).tolist():
            contig, start, end = int(whole[k].contig[i]), int(whole[k].start[i]), int(whole[k].end[i])
            if clusters[k][i] in unlike or _overlapping(other, contig, start, end):
                reason = OTHER_ALLELES
            elif (contig, whole[k].pos1(i) - 1) in whole[1 - k].silent:
                reason = NOT_VARIANT
            else:
                reason = ONLY
            reasons[k][i] = REASONS.index(reason)
    return reasons, clusters


def _mark_same(whole, reasons):
    """Of the variants that agree, those that the other set has as the same record: place, replaced bases and genotype."""
    keys = []
    for side, found in zip(whole, reasons):
        rows = np.flatnonzero(found == REASONS.index(OTHER_RECORDS)).tolist()
        keys.append({_key(side, i): i for i in rows})
    for key in keys[0].keys() & keys[1].keys():
        for k in (0, 1):
            reasons[k][keys[k][key]] = REASONS.index(SAME)


def _key(side, i):
    return int(side.contig[i]), int(side.start[i]), int(side.end[i]), tuple(sorted(copy or b"\xff" for copy in side.copies[i]))


def _overlapping(side, contig, start, end):
    """Variants of a CallSet that share a base with [start, end), or begin where it does."""
    first, last = np.searchsorted(side.contig, [contig, contig + 1])
    near = np.arange(*np.searchsorted(side.start[first:last], [start - MAX_ALLELE_LENGTH, max(end, start + 1)])) + first
    return near[(side.end[near] > start) | (side.start[near] == start)].tolist()


def _beside(k, whole, reasons, clusters, counts):
    """By variant of side k that counts: what the other set has over it or unlike it nearby, as POS REF>ALT GT FILTER."""
    agree = [REASONS.index(reason) for reason in AGREE]
    other = whole[1 - k]
    unlike = {}
    for j in np.flatnonzero(counts[1 - k] & ~np.isin(reasons[1 - k], agree)).tolist():
        unlike.setdefault(int(clusters[1 - k][j]), []).append(j)
    found = []
    for i in np.flatnonzero(counts[k]).tolist():
        if reasons[k][i] in agree:
            found.append("")
            continue
        rows = _overlapping(other, int(whole[k].contig[i]), int(whole[k].start[i]), int(whole[k].end[i]))
        rows = sorted({*rows, *unlike.get(int(clusters[k][i]), ())})
        texts = []
        for j in rows:
            _, pos1, _, ref, alts, _, filters = other.fields(j)[:7]
            texts.append(f"{pos1} {ref}>{alts} {other.genotype_text(j)} {filters}")
        found.append("; ".join(texts))
    return found
