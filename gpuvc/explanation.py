"""Why a variant was called at a place or not: the evidence of each stage, summed up for a reader, and the stage that decided.

    reads → alleles that they show → activity, region → haplotypes → likelihoods → genotypes → filters → verdict

Figures come from the run's own stages (`gpuvc.evidence`); nothing is computed a second way.
"""

import math
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from gpuvc.assembly.assemble import ASSEMBLED, OUTCOMES
from gpuvc.backends import choose_backend
from gpuvc.errors import UsageError
from gpuvc.evidence import look_inside
from gpuvc.genotyping.filters import (
    IMBALANCE,
    LOW_RANK,
    NEAR_BP,
    NEAR_IMBALANCE,
    ONE_STRAND,
    SLIPPED,
    confidence_of,
    imbalance,
    is_het,
    low_qual_of,
    one_strand,
    slippage,
    strands_of,
)
from gpuvc.genotyping.genotypes import genotype_table
from gpuvc.genotyping.site_annotations import informative_allele
from gpuvc.intervals import Interval
from gpuvc.io.columns import take_reads
from gpuvc.io.fasta import open_reference
from gpuvc.kernels.codes import BASES, FLAG_REVERSE
from gpuvc.likelihoods.marginalize import read_offset
from gpuvc.likelihoods.realign import INFORMATIVE_LOG10
from gpuvc.output.picture import FLANK_BP, draw, lay_out
from gpuvc.output.vcf import normal_forms
from gpuvc.pileup.pileup import pile_up
from gpuvc.settings import Settings

MOST_ROWS, MOST_DIFFERING = 36, 24  # reads in the picture, and those of them that are not as the reference, while there are others
NEAR_EVENT_BP = 20  # another event so near may be the same difference, aligned otherwise
_PLACE = re.compile(r"(?P<contig>\{.+\}|.+):(?P<pos>\d[\d,]*)(?:[:-](?P<ref>[ACGTN]+)[:>-](?P<alt>[ACGTN]+))?", re.ASCII | re.IGNORECASE)


def explain(
    reference: str | os.PathLike[str],
    alignments: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    place: str,
    *,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    **look: Any,
) -> dict[str, Any]:
    """Why a variant was or was not called at a place.

    Parameters
    ----------
    reference, alignments, settings, **look
        As `gpuvc.look_inside` takes them.
    place : str
        "chr20:10,117" (1-based), or one allele there: "chr20:10117:C:T", "chr20:10117-C-T". Indels are moved to their leftmost place, and
        a deletion over the place is explained where it begins.

    Returns
    -------
    dict
        Plain values, ready for JSON; positions are 1-based. docs/explain.md says what each entry is.

    Raises
    ------
    InputError, UsageError, DeviceError
    """
    match = _PLACE.fullmatch(place.strip())
    if not match:
        raise UsageError(f"place: found {place!r}, expected contig:position or contig:position:REF:ALT, such as chr20:10117:C:T.")
    contig, pos1 = match["contig"], int(match["pos"].replace(",", ""))
    asked = None
    if match["ref"]:
        genome = open_reference(reference)
        asked = _asked_allele(contig.strip("{}"), pos1 - 1, match["ref"].upper(), match["alt"].upper(), genome, place)
        pos1 = asked[0] + 1
    evidence = look_inside(reference, alignments, f"{contig}:{pos1}", settings=settings, **look)
    case = _Case(evidence, settings, asked, open_reference(reference))
    if case.allele and case.allele[0] != evidence.pos:
        # A deletion from before: it was decided where it begins.
        evidence = look_inside(reference, alignments, f"{contig}:{case.allele[0] + 1}", settings=settings, **look)
        case = _Case(evidence, settings, case.allele, case.genome, is_asked=False)
    return case.explanation()


def _asked_allele(contig, pos, ref, alt, genome, place):
    """The allele asked for, (pos, ref, alt) at its leftmost place; a place outside the reference is left to others to refuse."""
    length = genome.contigs.lengths[genome.contigs.index[contig]] if contig in genome.contigs.index else 0
    if not 0 <= pos < length:
        return pos, ref, alt
    there = _letters(genome.window(contig, pos, pos + len(ref)))
    if there != ref:
        raise UsageError(f"REF in {place}: found {ref}, expected {there}, the reference at {contig}:{pos + 1}. Positions are 1-based.")
    if ref == alt:
        raise UsageError(f"ALT in {place}: found the reference itself, expected another allele.")
    forms = normal_forms(contig, pos, ref, alt, genome)
    if len(forms) > 1:
        first = f"{contig}:{forms[0][1] + 1}:{forms[0][2]}:{forms[0][3]}"
        raise UsageError(f"alleles in {place}: found {len(forms)} substitutions, expected one. Ask after each by itself: {first}.")
    return forms[0][1:]


def _letters(codes):
    return "".join(BASES[code] for code in codes)


def _spelled(key):
    pos, ref, alt = key
    return f"{pos + 1:,} {ref}>{alt}"


class _Case:
    """One place and the allele in question. Alleles are (pos, ref, alt), 0-based, left-aligned and trimmed."""

    def __init__(self, evidence, settings, asked, genome, is_asked=True):
        self.evidence, self.settings, self.genome = evidence, settings, genome
        self.backend, _ = choose_backend("cpu")
        self.is_used = np.array([reason == "" for reason in evidence.refused_by], bool) & evidence.covers
        self.shown = self._alleles_of(evidence.reads, np.flatnonzero(self.is_used))
        self.refused = self._alleles_of(evidence.reads, np.flatnonzero(evidence.covers & ~self.is_used))
        self.clipped, self.as_assembled = {}, None
        if evidence.region is not None:
            self.as_assembled = as_reads(evidence.assembled_reads, evidence.reads)
            self.clipped = self._alleles_of(self.as_assembled, np.arange(self.as_assembled.n_reads))
        self.assembled = self._events(evidence.assembled)
        self.trimmed = self._events(evidence.haplotypes)
        self.called = [(call, key) for call in evidence.calls for key in self._keys_of_call(call)]
        self.is_asked = is_asked and asked is not None
        self.allele = asked or self._most_likely_meant()

    # ------------------------------------------------------------------------------------------------------------ alleles

    def _alleles_of(self, reads, use):
        """allele → (forward, reverse) reads; of indels those anchored at the place, and deletions that span it."""
        e = self.evidence
        counts, _ = self._pile(reads, use)
        at = e.pos - e.reference_start
        ref = BASES[e.reference[at]]
        found = {}
        for base in BASES[:4]:
            n = tuple(int(counts.field(f"{base}_{strand}")[0]) for strand in ("forward", "reverse"))
            if any(n):
                found[e.pos, ref, base] = n
        table = counts.indels
        for k in range(len(table)):
            pos, length = int(table.pos[k]), int(table.length[k])
            if pos == e.pos or pos < e.pos <= pos - length:
                found[self._indel(table, k)] = int(table.forward[k]), int(table.reverse[k])
        return found

    def _pile(self, reads, use):
        e = self.evidence
        return pile_up(
            reads, use.astype(np.int32), Interval(e.contig_id, e.pos, e.pos + 1), e.reference, e.reference_start,
            self.settings.min_base_quality, self.backend,
        )  # fmt: skip

    def _indel(self, table, k):
        """The allele in row k of an IndelTable."""
        e, pos, length = self.evidence, int(table.pos[k]), int(table.length[k])
        first = pos - e.reference_start
        anchor = _letters(e.reference[first : first + 1])
        if length < 0:
            return pos, _letters(e.reference[first : first + 1 - length]), anchor
        return pos, anchor, anchor + _letters(table.inserted[table.inserted_offsets[k] : table.inserted_offsets[k + 1]])

    def _carriers(self):
        """Rows of `reads` whose reads show the allele as assembly saw them."""
        reads, (pos, ref, alt) = self.as_assembled, self.allele
        if len(ref) != len(alt):
            counts, events = self._pile(reads, np.arange(reads.n_reads))
            rows = [k for k in range(len(counts.indels)) if self._indel(counts.indels, k) == self.allele]
            rows = np.unique(events.read[np.isin(events.allele, rows)])
        else:
            rows = []
            for r in range(reads.n_reads):
                offset, is_deleted = read_offset(reads.cigar[reads.cigar_offsets[r] : reads.cigar_offsets[r + 1]], reads.pos[r], pos)
                base = reads.base_offsets[r] + offset
                is_sure = offset >= 0 and not is_deleted and reads.base_quals[base] >= self.settings.min_base_quality
                if is_sure and BASES[reads.bases[base]] == alt:
                    rows.append(r)
        return self.evidence.assembled_reads.read[rows]

    def _normal(self, pos, ref, alt):
        if alt.strip("ACGTN") or ref == alt:  # `*` and symbolic alleles have no other form
            return [(pos, ref, alt)]
        return [form[1:] for form in normal_forms(self.evidence.contig, pos, ref, alt, self.genome)]

    def _events(self, haplotypes):
        """list per haplotype of lists of alleles; empty without haplotypes."""
        if haplotypes is None:
            return []
        e, h = self.evidence, haplotypes
        keys = []
        for k, (pos, length) in enumerate(zip(h.event_pos.tolist(), h.event_ref_length.tolist())):
            ref = _letters(self.genome.window(e.contig, pos, pos + length))
            keys.append(self._normal(pos, ref, _letters(h.event_alt[h.event_alt_offsets[k] : h.event_alt_offsets[k + 1]])))
        bounds = h.haplotype_event_offsets.tolist()
        return [[key for k in h.haplotype_events[a:b].tolist() for key in keys[k]] for a, b in pairwise(bounds)]

    def _keys_of_call(self, call):
        return [key for alt in call.alts for key in self._normal(call.pos, call.ref, alt) if alt[0] not in "*<"]

    def _most_likely_meant(self):
        """The allele called at the place; else one called over it; else the one that most reads show, or a haplotype has. Or None."""
        x = self.evidence.pos
        over = [key for _, key in self.called if key[0] <= x < key[0] + len(key[1])]
        for keys in ([key for key in over if key[0] == x], over):
            if keys:
                return keys[0]
        for shown in (self.shown, dict.fromkeys((key for h in self.trimmed for key in h if key[0] == x), (1, 0)), self.refused):
            others = {key: sum(n) for key, n in shown.items() if key[1] != key[2]}
            if others:
                return max(others, key=lambda key: (others[key], key[0] == x))
        return None

    # ------------------------------------------------------------------------------------------------------------ parts

    def explanation(self):
        from gpuvc import __version__

        e = self.evidence
        return {
            "gpuvc": __version__,
            "place": {"contig": e.contig, "pos": e.pos + 1, "reference": BASES[e.reference[e.pos - e.reference_start]]},
            "allele": _allele_entry(self.allele),
            "asked_for_allele": self.is_asked,
            "samples": list(e.samples),
            "reads": self._reads(),
            "alleles": self._alleles(),
            "activity": self._activity(),
            "region": self._region(),
            "assembly": self._assembly(),
            "haplotypes": self._haplotypes(),
            "likelihoods": self._likelihoods(),
            "genotyping": self._genotyping(),
            "calls": [self._call(call) for call in self._calls_near()],
            "picture": self._picture(),
            "verdict": self._verdict(),
        }

    def _reads(self):
        e = self.evidence
        left_out = {}
        for reason, covers in zip(e.refused_by, e.covers.tolist()):
            if covers and reason:
                left_out[reason] = left_out.get(reason, 0) + 1
        return {"over": int(e.covers.sum()), "counted": int(self.is_used.sum()), "left_out": left_out}

    def _alleles(self):
        """One entry per allele that reads show at the place, the reference first."""
        ref = BASES[self.evidence.reference[self.evidence.pos - self.evidence.reference_start]]
        own = (self.evidence.pos, ref, ref)
        keys = [own, *sorted({*self.shown, *self.refused, *self.clipped, *filter(None, [self.allele])} - {own})]
        return [
            {
                **_allele_entry(key),
                "forward": self.shown.get(key, (0, 0))[0],
                "reverse": self.shown.get(key, (0, 0))[1],
                "in_reads_left_out": sum(self.refused.get(key, (0, 0))),
                "in_assembled_reads": sum(self.clipped.get(key, (0, 0))) if self.evidence.region is not None else None,
            }
            for key in keys
        ]

    def _activity(self):
        activity = self.evidence.activity
        at = self.evidence.pos - activity.start
        return {
            "at_place": float(activity.smoothed[at]),
            "own": float(activity.raw[at]),
            "threshold": activity.threshold,
        }

    def _region(self):
        e = self.evidence
        if e.region is None:
            return None
        bounds = {name: int(getattr(e.regions, name)[e.region]) for name in ("start", "end", "padded_start", "padded_end")}
        return {name: bound + name.endswith("start") for name, bound in bounds.items()}

    def _assembly(self):
        e = self.evidence
        if e.region is None:
            return None
        return {
            "reads": e.assembled_reads.n_rows,
            "straight_from_reads": not e.tried,
            "kmers": [{"k": k, "outcome": outcome} for k, outcome in e.tried],
            "haplotypes": e.assembled.n_haplotypes,
        }

    def _haplotypes(self):
        """One entry per haplotype that reads were scored against."""
        e = self.evidence
        if e.region is None:
            return None
        best = e.best_haplotype[e.kept]
        is_clear = np.zeros(len(best), bool)
        if e.haplotypes.n_haplotypes > 1:
            two = np.sort(e.likelihoods[e.kept], axis=1)[:, -2:]
            is_clear = two[:, 1] - two[:, 0] >= INFORMATIVE_LOG10
        return [
            {
                "number": h + 1,
                "is_reference": bool(e.haplotypes.is_ref[h]),
                "score": _number(e.haplotypes.score[h]),
                "events": [_allele_entry(key) for key in self.trimmed[h]],
                "has_allele": self.allele in self.trimmed[h],
                "reads": int((best == h).sum()),
                "reads_sure": int((best[is_clear] == h).sum()),
            }
            for h in range(e.haplotypes.n_haplotypes)
        ]

    def _locus(self):
        """(Locus, index of the allele among its alleles), or None where genotyping does not have the allele."""
        for locus in self.evidence.loci or ():
            for a, alt in enumerate(locus.alleles):
                if a and self.allele in self._normal(locus.pos, locus.alleles[0], alt):
                    return locus, a
        return None

    def _likelihoods(self):
        """One entry per allele of the locus: the reads that prefer it to every other, and by how much."""
        found = self._locus()
        if not found:
            return None
        locus, _ = found
        which = np.array([informative_allele(row) for row in locus.log10], np.int64)
        top = np.sort(locus.log10, axis=1)
        margin = top[:, -1] - top[:, -2] if len(top) else np.empty(0)
        entries = []
        for a, text in enumerate(locus.alleles):
            rows = np.flatnonzero(which == a)
            counted = np.sort(locus.counted[rows], axis=1) if locus.counted is not None else None
            entries.append(
                {
                    "allele": text,
                    "forward": int((~locus.reverse[rows]).sum()),
                    "reverse": int(locus.reverse[rows].sum()),
                    "margin_log10": float(margin[rows].sum()),
                    "counted_log10": None if counted is None else float((counted[:, -1] - counted[:, -2]).sum()),
                    "error_weight": None if counted is None else float(locus.weight[rows].sum()),
                    "mean_mapq": float(locus.mapq[rows].mean()) if len(rows) else None,
                }
            )
        return {
            "pos": locus.pos + 1,
            "reads": len(which),
            "undecided": int((which < 0).sum()),
            "alleles": entries,
        }

    def _genotyping(self):
        found = self._locus()
        if not found:
            return None
        locus, a = found
        table = genotype_table(self.evidence.ploidy, len(locus.alleles)).tolist()
        names = ["/".join(str(allele) for allele, n in enumerate(row) for _ in range(n)) for row in table]
        return {
            "alleles": list(locus.alleles),
            "phred_likelihoods": [dict(zip(names, pls)) for pls in locus.phred_likelihoods.tolist()],
            "prior": _number(locus.prior[a] / locus.prior[0]),
            "is_kept": bool(locus.is_kept[a]),
            "allele_phred": _number(0.0 - 10 * locus.absent_log10[a]),
            "qual": _number(locus.qual),
            "threshold": self.settings.standard_min_confidence,
        }

    def _calls_near(self):
        """The calls near enough to have a say in the place's filters."""
        return [call for call in self.evidence.calls if abs(call.pos - self.evidence.pos) <= NEAR_BP]

    def _call(self, call):
        return {
            "pos": call.pos + 1, "ref": call.ref, "alts": list(call.alts), "qual": _number(call.qual),
            "filter": list(call.filters) or ["PASS"],
            "samples": [
                {
                    "genotype": "/".join("." if a < 0 else str(a) for a in s.genotype), "depths": _list(s.allele_depths),
                    "quality": s.genotype_quality, "phred_likelihoods": _list(s.phred_likelihoods),
                }
                for s in call.samples
            ],
            "info": {key: _list(value) if isinstance(value, tuple) else _number(value) for key, value in call.info.items()},
            "imbalance_phred": float(imbalance([call])[0]),
        }  # fmt: skip

    # ------------------------------------------------------------------------------------------------------------ picture

    def _picture(self):
        e = self.evidence
        start = max(0, e.pos - FLANK_BP)
        end = min(self.genome.contigs.lengths[self.genome.contigs.index[e.contig]], e.pos + FLANK_BP + 1)
        rows = []
        if e.region is not None:
            h, drawn = e.haplotypes, []
            for k in range(h.n_haplotypes):
                cigar = h.cigar[h.cigar_offsets[k] : h.cigar_offsets[k + 1]]
                bases = h.bases[h.base_offsets[k] : h.base_offsets[k + 1]]
                laid = lay_out(h.start[0], cigar, bases, e.reference, e.reference_start, start, end)
                n_reads = int((e.best_haplotype == k).sum())
                alike = next((row for row in drawn if row[1] == laid), None)
                if alike:
                    alike[0].append(k + 1)
                    alike[2] += n_reads
                else:
                    drawn.append([[k + 1], laid, n_reads])
            for numbers, laid, n_reads in drawn:
                others = f", {len(numbers)} haplotypes alike here" if len(numbers) > 1 else ""
                rows.append((f"haplotype {numbers[0]}", laid, f"{n_reads} reads{others}"))
        notes = {}
        if self.trimmed:
            reasons = np.where(e.is_side, "depth only", np.where(e.is_far, "near no variant", "fits no haplotype")).tolist()
            for r, number, reason in zip(e.region_reads.read.tolist(), e.best_haplotype.tolist(), reasons, strict=True):
                notes[r] = f"haplotype {number + 1}" if number >= 0 else reason
        reads, laid_out = e.reads, {}
        for r in np.flatnonzero(e.covers).tolist():
            cigar = reads.cigar[reads.cigar_offsets[r] : reads.cigar_offsets[r + 1]]
            bases = reads.bases[reads.base_offsets[r] : reads.base_offsets[r + 1]]
            reverse = bool(reads.flag[r] & FLAG_REVERSE)
            laid_out[r] = lay_out(reads.pos[r], cigar, bases, e.reference, e.reference_start, start, end, reverse)

        def rank(r):
            cells, insertions = laid_out[r]
            differs = cells[e.pos - start] not in ".," or e.pos in insertions or cells[min(e.pos + 1, end - 1) - start] == "*"
            return not self.is_used[r], not differs

        ranked = sorted(laid_out, key=rank)
        n_differ = sum(rank(r) == (False, False) for r in ranked)
        if n_differ > MOST_DIFFERING:  # leave room for those that do not
            ranked = ranked[:MOST_DIFFERING] + ranked[n_differ:] + ranked[MOST_DIFFERING:n_differ]
        chosen = sorted(ranked[:MOST_ROWS], key=lambda r: (not self.is_used[r], r))
        for r in chosen:
            name = f"{e.samples[e.sample[r]]}  " if len(e.samples) > 1 and e.sample[r] >= 0 else ""
            rows.append(("", laid_out[r], f"{name}mapq {reads.mapq[r]}  {e.refused_by[r] or notes.get(r, '')}".rstrip()))
        lines = draw(e.pos, start, end, e.reference, e.reference_start, rows)
        return [*lines, f"({len(chosen)} of {len(laid_out)} reads)"] if len(chosen) < len(laid_out) else lines

    # ------------------------------------------------------------------------------------------------------------ verdict

    def _verdict(self):
        outcome, stage, why = self._decided()
        n_refused = sum(self.refused.get(self.allele, (0, 0)))
        if outcome == "not called" and stage not in ("intervals", "reads") and n_refused:
            why += f"; {_reads_show(n_refused)} it, too, but {'does' if n_refused == 1 else 'do'} not count"
        others = [_spelled(key) for _, key in self.called if self.allele and key[0] == self.allele[0] and key != self.allele]
        if outcome == "not called" and others:
            why += f"; called there: {', '.join(others)}"
        return {"outcome": outcome, "stage": stage, "text": f"{outcome}: {why}"}

    def _decided(self):
        """(outcome, stage, why) by the first stage at which the allele was lost, or the last if it was not."""
        e, key = self.evidence, self.allele
        if not e.is_target:
            return "not called", "intervals", "the place lies outside the intervals asked for"
        for call, called in self.called:
            if called == key:
                return self._decided_of(call)
        n_over, n_used = int(e.covers.sum()), int(self.is_used.sum())
        if not n_over:
            return "not called", "reads", "no read lies over the place"
        if not n_used:
            reasons = ", ".join(f"{name} {n}" for name, n in self._reads()["left_out"].items())
            return "not called", "reads", f"none of {n_over} {'read' if n_over == 1 else 'reads'} over the place counts ({reasons})"
        is_assembled, is_trimmed = (any(key in events for events in batch) for batch in (self.assembled, self.trimmed))
        n_shown, n_refused = sum(self.shown.get(key, (0, 0))), sum(self.refused.get(key, (0, 0)))
        if not (is_assembled or is_trimmed) and (key is None or (not n_shown and not self.clipped.get(key))):
            others = f"; {n_refused} that do not count would" if n_refused else ""
            counted = "1 read that counts" if n_used == 1 else f"{n_used} reads that count"
            return "not called", "reads", f"none of {counted} shows {'it' if key else 'a variant'}{others}"
        if e.region is None:
            activity = self._activity()
            value = activity["at_place"]
            why = f"no region was active: the activity {value:.3g} is not above {activity['threshold']:g}"
            why += f"; {n_shown} of {n_used} reads show it"
            own = "" if activity["own"] else "; by base qualities and the prior the reads fit the reference best"
            return "not called", "activity", why + own
        if is_trimmed:
            return self._decided_by_genotyping()
        if is_assembled:
            return "not called", "trimming", "an assembled haplotype has it, but none that lies over the whole of the region's variants"
        if not self.clipped.get(key):
            return "not called", "clipping", f"the {n_shown} reads with it lose it when adaptors, bad tails and clips are cut off"
        return "not called", "assembly", f"assembly found no haplotype with it, {self._how_assembled()}"

    def _how_assembled(self):
        e = self.evidence
        n = sum(self.clipped[self.allele])
        least = self.settings.min_pruning
        parts = [f"which {_reads_show(n)}" + (f", and --min-pruning asks for {least}" if n < least else "")]
        if e.tried and not any(outcome == OUTCOMES[ASSEMBLED] for _, outcome in e.tried):
            parts.append("no graph stood: " + ", ".join(f"k {k} {outcome}" for k, outcome in e.tried))
        if not self.trimmed:
            return "; ".join([*parts, "no other difference was found in the region either"])
        carriers = self._carriers()
        rows = np.isin(e.region_reads.read, carriers)
        best = e.best_haplotype[rows]
        called = {key for _, key in self.called}
        fits = Counter()
        for h in best[best >= 0].tolist():
            near = [key for key in self.trimmed[h] if abs(key[0] - self.allele[0]) <= NEAR_EVENT_BP]
            near = ", ".join(_spelled(key) + (" (called)" if key in called else "") for key in near)
            fits["the reference" if e.haplotypes.is_ref[h] else f"a haplotype with {near or 'nothing near'}"] += 1
        parts += [f"{n} of these fit {what} best" for what, n in fits.most_common()]
        n_side, n_far = int(e.is_side[rows].sum()), int(e.is_far[rows].sum())
        n_unfit = int((best < 0).sum()) - n_side - n_far
        if n_far:
            parts.append(f"{n_far} of these lie near no variant of a haplotype, and fit all alike")
        if n_unfit:
            parts.append(f"{n_unfit} of these fit no haplotype and have no say")
        if n_side:
            parts.append(f"{n_side} of these count as depth only, for their mates or mapping quality")
        if len(best) < len(carriers):
            parts.append(f"{len(carriers) - len(best)} of these say nothing over {e.haplotypes.start[0] + 1:,}-{e.haplotypes.end[0]:,}")
        return "; ".join(parts)

    def _decided_by_genotyping(self):
        found = self._locus()
        if not found:
            locus = next((locus for locus in self.evidence.loci if locus.pos == self.allele[0]), None)
            others = f": the locus has {', '.join(locus.alleles)}" if locus else ", no locus begins there"
            return "not called", "genotyping", f"the allele was left out of the locus{others}"
        locus, a = found
        threshold = self.settings.standard_min_confidence
        genotyping = self._genotyping()
        if not locus.is_kept[a]:
            most = self.settings.max_alternate_alleles
            return "not called", "genotyping", f"{len(locus.alleles) - 1} alternates at the locus, and the best {most} are kept"
        best = [min(pls, key=pls.get) for pls in genotyping["phred_likelihoods"]]
        best = f"genotype {', '.join(best)} of {','.join(locus.alleles)} fits the reads best"
        if locus.qual < threshold:
            return "not called", "genotyping", f"QUAL {locus.qual:.1f} is below {threshold:g}; {best}{self._how_carriers_fit()}"
        if genotyping["allele_phred"] < threshold:
            return "not called", "genotyping", f"the allele's own {genotyping['allele_phred']:.1f} phred are below {threshold:g}; {best}"
        return "not called", "genotyping", f"another allele of the locus was put out; {best}"

    def _how_carriers_fit(self):
        """Where the reads that show the allele went, when not all of them fit a haplotype with it."""
        e = self.evidence
        carriers = self._carriers()
        best = e.best_haplotype[np.isin(e.region_reads.read, carriers)]
        has_allele = np.array([self.allele in events for events in self.trimmed], bool)
        n_with = int(has_allele[best[best >= 0]].sum())
        if n_with == len(carriers):
            return ""
        return f"; of {len(carriers)} reads that show it, {n_with} fit a haplotype with it, {int((best >= 0).sum()) - n_with} one without"

    def _decided_of(self, call):
        samples = ", ".join("/".join("." if a < 0 else str(a) for a in s.genotype) for s in call.samples)
        record = f"{call.pos + 1:,} {call.ref}>{','.join(call.alts)} {samples}, QUAL {call.qual:.1f}"
        if not any(self.allele in self._normal(call.pos, call.ref, call.alts[a - 1]) for s in call.samples for a in s.genotype if a > 0):
            return "not called", "genotyping", f"a record has it, but no genotype does; {record}"
        if not call.filters:
            return "called", "filters", f"{record}, PASS"
        return "filtered", "filters", "; ".join(f"{name} ({self._figures(name, call)})" for name in call.filters) + f"; {record}"

    def _figures(self, name, call):
        """By what figures a filter marks the call."""
        if name == "LowQual":
            judged_by = "QUAL" if call.confidence is None else "confidence, by likelihoods alone,"
            return f"{judged_by} {confidence_of(call):.1f} is below {low_qual_of(self.settings):g}"
        depths = " ".join(",".join(map(str, s.allele_depths)) for s in call.samples if s.allele_depths)
        if name == "StrandBias":
            strands = strands_of(call)
            return (
                f"reference {strands[0]}+ {strands[1]}-, alternate {strands[2]}+ {strands[3]}-: errors of one strand "
                f"{one_strand(*strands):.1f} phred likelier than two alleles, from {ONE_STRAND:g}; "
                f"BaseQRankSum {call.info['BaseQRankSum']:.2f}, up to {LOW_RANK:g}"
            )
        if name == "Stutter":
            least = min(slippage(s.allele_depths[0], s.allele_depths[max(s.genotype)]) for s in call.samples if is_het(s))
            return f"depths {depths}: slippage of the repeat {least:.1f} phred likelier than two alleles, from {SLIPPED:g}"
        own = float(imbalance([call])[0])
        figures = f"depths {depths} fit three or four copies {own:.1f} phred better than two"
        if own >= IMBALANCE:
            return f"{figures}, from {IMBALANCE:g}"
        excess = imbalance(self.evidence.calls)
        near = [c.pos + 1 for c, x in zip(self.evidence.calls, excess.tolist()) if x >= IMBALANCE and abs(c.pos - call.pos) <= NEAR_BP]
        return f"{figures}, from {NEAR_IMBALANCE:g} near a call from {IMBALANCE:g}, here at {', '.join(f'{pos1:,}' for pos1 in near)}"


def _reads_show(n):
    return "1 read shows" if n == 1 else f"{n} reads show"


def as_reads(rows, reads):
    """ReadBatch of the rows of a RegionReads, as the region sees them."""
    whole = take_reads(reads, rows.read)
    return replace(
        whole, pos=rows.pos.astype(np.int32), ref_end=rows.end.astype(np.int32), cigar=rows.cigar, cigar_offsets=rows.cigar_offsets,
        bases=rows.bases, base_quals=rows.base_quals, base_offsets=rows.base_offsets,
    )  # fmt: skip


def _allele_entry(key):
    return {"pos": key[0] + 1, "ref": key[1], "alt": key[2]} if key else None


def _number(value):
    """The number, or None for what JSON has no number for: None, NaN and infinity."""
    return None if value is None or not math.isfinite(value) else value if isinstance(value, int) else float(value)


def _list(values):
    return None if values is None else [_number(value) for value in values]
