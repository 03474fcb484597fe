"""The golden haplotypes as one batch of regions, and batches back as text."""

import gzip
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from builders import codes

from gpuvc.batches import RegionBatch

REPOSITORY = Path(__file__).parents[3]
SUBSET = REPOSITORY / "tests" / "golden" / "aligned_haplotypes.jsonl.gz"
FULL = REPOSITORY.parent / "shared" / "golden" / "gatk" / "haplotypes"


def cases_of(path):
    """The regions of a file, with `mnp_distance`."""
    with gzip.open(path, "rt") as lines:
        cases = [json.loads(line) for line in lines]
    for case in cases:
        case.setdefault("mnp_distance", case.get("options", {}).get("mnp_distance", 0))
    return cases


def by_mnp_distance(cases):
    """(distance, its cases) of each MNP distance."""
    return [(d, [case for case in cases if case["mnp_distance"] == d]) for d in sorted({case["mnp_distance"] for case in cases})]


def raw_batch(cases):
    """(RegionBatch, raw haplotypes, reference codes, shift of each region): the regions side by side on one made-up contig."""
    bounds, reference, shifts, bases, slots = [], [], [], [], [0]
    for case in cases:
        padded_start, padded_end = case["padded"][0] - 1, case["padded"][1]
        start, end = (int(x) for x in case["region"].rsplit(":", 1)[1].split("-"))
        context_start, context = case.get("context") or (padded_start + 1, next(h[0] for h in case["haplotypes"] if h[2] is None))
        shift = sum(map(len, reference)) - (context_start - 1)
        shifts.append(shift)
        bounds.append((start - 1 + shift, end + shift, padded_start + shift, padded_end + shift))
        reference.append(context)
        bases += [haplotype[0] for haplotype in case["haplotypes"]]
        slots.append(len(bases))
    scores = [haplotype[2] for case in cases for haplotype in case["haplotypes"]]
    raw = raw_haplotypes(bases, [score is None for score in scores], slots)
    raw.score = np.array([np.nan if score is None else score for score in scores])
    return RegionBatch(0, *np.array(bounds, np.int32).T.copy()), raw, codes("".join(reference)), shifts


def raw_haplotypes(bases, is_ref, slots=None):
    """Raw haplotypes of text; one region without `slots`."""
    return SimpleNamespace(
        region_slots=np.array(slots or [0, len(bases)], np.int64), bases=codes("".join(bases)),
        base_offsets=np.cumsum([0, *map(len, bases)], dtype=np.int64), is_ref=np.array(is_ref, bool),
        score=np.where(is_ref, np.nan, -1.0),
    )  # fmt: skip


def text_of(bases):
    return "".join("ACGTN"[code] for code in bases.tolist())


def cigar_of(haplotypes, h):
    operations = haplotypes.cigar[haplotypes.cigar_offsets[h] : haplotypes.cigar_offsets[h + 1]]
    return "".join(f"{operation >> 4}{'MIDNS'[operation & 15]}" for operation in operations.tolist())


def bases_of(haplotypes, h):
    return text_of(haplotypes.bases[haplotypes.base_offsets[h] : haplotypes.base_offsets[h + 1]])


def event_of(haplotypes, e, reference, shift=-1):
    """One event as the golden data write it, 1-based."""
    pos, length = int(haplotypes.event_pos[e]), int(haplotypes.event_ref_length[e])
    alt = text_of(haplotypes.event_alt[haplotypes.event_alt_offsets[e] : haplotypes.event_alt_offsets[e + 1]])
    return f"{pos - shift + 1}:{text_of(reference[pos : pos + length])}>{alt}"


def events_of(haplotypes, h, reference, shift):
    rows = haplotypes.haplotype_events[haplotypes.haplotype_event_offsets[h] : haplotypes.haplotype_event_offsets[h + 1]]
    return [event_of(haplotypes, e, reference, shift) for e in rows.tolist()]
