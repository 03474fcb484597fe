"""Regions of GATK, golden/gatk/genotyping/regions.jsonl.gz as the batches the stages hand on."""

import gzip
import json
import re

import numpy as np

from gpuvc.batches import HaplotypeBatch, LikelihoodBatch, RegionReads
from gpuvc.kernels.codes import CODE_OF_ASCII

OPERATIONS = "MIDNSHP=X"


def load(path):
    """All lines of a .jsonl.gz."""
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def codes(text):
    return CODE_OF_ASCII[np.frombuffer(text.encode(), np.uint8)]


def packed(cigar):
    return [int(n) << 4 | OPERATIONS.index(op) for n, op in re.findall(r"(\d+)(.)", cigar)]


def text(cigar):
    return "".join(f"{int(op) >> 4}{OPERATIONS[int(op) & 15]}" for op in cigar)


def joined(parts, dtype):
    """(all parts in one array, int64 offsets)."""
    flat = [np.asarray(part, dtype) for part in parts]
    return np.concatenate([*flat, np.empty(0, dtype)]), np.concatenate(([0], np.cumsum([len(p) for p in flat], dtype=np.int64)))


def span(text):
    """(contig, start, end) of contig:first-last, 0-based and half-open."""
    contig, first, last = re.fullmatch(r"(.+):(\d+)-(\d+)", text).groups()
    return contig, int(first) - 1, int(last)


def haplotype_events(haplotype, reference, start):
    """Events of one haplotype by position: {pos: (ref, alt)}, specification 3.9, without MNPs."""
    events, r, h, bases = {}, 0, 0, haplotype["bases"]
    found = []
    for op in packed(haplotype["cigar"]):
        length, op = op >> 4, OPERATIONS[op & 15]
        if op == "M":
            found += [(r + i, reference[r + i], bases[h + i]) for i in range(length) if reference[r + i] != bases[h + i]]
            r, h = r + length, h + length
        elif op == "I":
            if h > 0 and h + length < len(bases):
                found.append((r - 1, reference[r - 1], reference[r - 1] + bases[h : h + length]))
            h += length
        else:
            found.append((r - 1, reference[r - 1 : r + length], reference[r - 1]))
            r += length
    for pos, ref, alt in found:
        if pos in events:
            old_ref, old_alt = events[pos]
            if len(old_ref) == 1 == len(old_alt):
                # a substitution, then the indel anchored on it
                events[pos] = (ref, old_alt + alt[1:])
            else:
                events[pos] = (old_ref if len(old_ref) > 1 else ref, old_alt if len(old_alt) > 1 else alt)
        else:
            events[pos] = (ref, alt)
    return {start + pos: pair for pos, pair in sorted(events.items())}


def haplotype_batch(regions, events=haplotype_events):
    """HaplotypeBatch of these regions."""
    haplotypes = [h for region in regions for h in region["haplotypes"]]
    spans = [span(region["padded_span"]) for region in regions]
    variant = [span(region["variant_span"]) for region in regions]
    slots = np.concatenate(([0], np.cumsum([len(r["haplotypes"]) for r in regions], dtype=np.int64)))
    bases, base_offsets = joined([codes(h["bases"]) for h in haplotypes], np.uint8)
    cigar, cigar_offsets = joined([packed(h["cigar"]) for h in haplotypes], np.uint32)
    table, event_slots, carried = [], [0], []
    for region, (_, start, _) in zip(regions, spans, strict=True):
        reference = next(h["bases"] for h in region["haplotypes"] if h["ref"])
        of = [events(h, reference, h["start"] - 1) for h in region["haplotypes"]]
        distinct = sorted({(pos, len(ref), alt) for e in of for pos, (ref, alt) in e.items()})
        first = len(table)
        carried += [[first + distinct.index((pos, len(ref), alt)) for pos, (ref, alt) in e.items()] for e in of]
        table += distinct
        event_slots.append(len(table))
        assert all(h["start"] - 1 == start for h in region["haplotypes"])
    alts, alt_offsets = joined([codes(alt) for _, _, alt in table], np.uint8)
    rows, row_offsets = joined(carried, np.int32)
    return HaplotypeBatch(
        start=np.array([s[1] for s in spans], np.int32), end=np.array([s[2] for s in spans], np.int32),
        variant_start=np.array([s[1] for s in variant], np.int32), variant_end=np.array([s[2] for s in variant], np.int32),
        region_slots=slots, bases=bases, base_offsets=base_offsets, cigar=cigar, cigar_offsets=cigar_offsets,
        is_ref=np.array([h["ref"] for h in haplotypes]), score=np.full(len(haplotypes), np.nan),
        event_slots=np.array(event_slots, np.int64),
        event_pos=np.array([e[0] for e in table], np.int32), event_ref_length=np.array([e[1] for e in table], np.int32), event_alt=alts,
        event_alt_offsets=alt_offsets, haplotype_events=rows, haplotype_event_offsets=row_offsets,
    )  # fmt: skip


def clips(cigar):
    """The clips of a realigned CIGAR around as many M as read bases: what the read may have had before."""
    operations = re.findall(r"(\d+)([A-Z=])", cigar)
    first = [f"{n}{op}" for n, op in operations[:1] if op == "H"]
    last = [f"{n}{op}" for n, op in operations[-1:] if op == "H"]
    return "".join(first), "".join(last)


def region_reads(regions):
    """(RegionReads, LikelihoodBatch, rows as the dictionaries they were made of); side-list rows come last in each region."""
    rows, samples, slots, matrices, kept = [], [], [0], [], []
    for region in regions:
        n = len(region["haplotypes"])
        for s, sample in enumerate(region["samples"]):
            for read in sample["reads"]:
                rows.append(read)
                samples.append(s)
                kept.append(read["kept"])
                matrices.append(read["capped"] if read["kept"] else [np.nan] * n)
        for read in region["side_list"]:
            rows.append(read)
            samples.append(0)
            kept.append(False)
            matrices.append([np.nan] * n)
        slots.append(len(rows))
    old = []
    for read in rows:
        left, right = clips(read.get("cigar", ""))
        old.append(packed(f"{left}{len(read.get('bases', 'A'))}M{right}"))
    cigar, cigar_offsets = joined(old, np.uint32)
    bases, base_offsets = joined([codes(read.get("bases", "A")) for read in rows], np.uint8)
    quals, _ = joined([read.get("base_quals", [0] * len(read.get("bases", "A"))) for read in rows], np.uint8)
    pos = np.array([read.get("start", 1) - 1 for read in rows], np.int32)
    end = np.array([read.get("end", p + len(read.get("bases", "A"))) for read, p in zip(rows, pos.tolist(), strict=True)], np.int32)
    log10, _ = joined(matrices, np.float64)
    sizes = [(b - a) * len(r["haplotypes"]) for a, b, r in zip(slots, slots[1:], regions, strict=False)]
    return (
        RegionReads(
            np.array(slots, np.int64), np.arange(len(rows), dtype=np.int32), np.array(samples, np.int16), pos, end, cigar, cigar_offsets,
            bases, quals, base_offsets,
        ),
        LikelihoodBatch(log10, np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))), np.array(kept), np.zeros(len(kept), bool)),
        rows,
    )  # fmt: skip
