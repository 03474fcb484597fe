"""Inputs of the kernels, made by a seeded generator: what real data shows, and what only a fuzzer thinks of.

A `Case` is the arguments of one operation of the backend. Output arrays begin as PATTERN, so that an entry which one
implementation writes and another does not is seen too.
"""

from dataclasses import dataclass

import numpy as np

from gpuvc.batches import PILEUP_FIELDS
from gpuvc.genotyping.genotypes import copy_costs, genotype_table, log_sum_table

CIGAR = {letter: code for code, letter in enumerate("MIDNSHP=X")}
PATTERN = 85
KINDS = ("random", "empty", "one", "ragged", "largest")


@dataclass(frozen=True)
class Case:
    """Arguments of an operation; `outputs`: how many of the last ones it writes."""

    arguments: tuple
    outputs: int

    def run(self, operation):
        """The outputs of `operation` on copies of the arguments."""
        arguments = [value.copy() if isinstance(value, np.ndarray) else value for value in self.arguments]
        operation(*arguments)
        return arguments[-self.outputs :]


def filled(n, dtype):
    return np.full(n, PATTERN, dtype)


def offsets_of(lengths):
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def plain_cigar(rng, length):
    """As mappers write them: clips outside, aligned blocks with gaps between."""
    clips = [int(rng.integers(0, max(1, length // 4))) if rng.random() < 0.3 else 0 for _ in range(2)]
    left = length - sum(clips)
    operations = [("S", clips[0])] if clips[0] else []
    while left > 0:
        block = min(left, int(rng.integers(1, 40)))
        operations.append((rng.choice(list("MMM=X")), block))
        left -= block
        gap = int(rng.integers(1, 12))
        kind = rng.choice(list("IDN"), p=[0.45, 0.45, 0.1])
        if left > gap + 1 and kind == "I":
            operations.append(("I", gap))
            left -= gap
        elif left > 1 and kind != "I":
            operations.append((kind, gap))
    operations += [("S", clips[1])] if clips[1] else []
    if rng.random() < 0.2:
        operations.insert(0, ("H", 3))
    if rng.random() < 0.2:
        operations.append(("H", 2))
    return operations


def wild_cigar(rng, length):
    """Any operation anywhere, as the format permits and no mapper writes; clips only outside."""
    front = int(rng.integers(1, length + 1)) if rng.random() < 0.4 else 0
    back = int(rng.integers(1, length - front + 1)) if length > front and rng.random() < 0.4 else 0
    left, middle = length - front - back, []
    while left or rng.random() < 0.3:
        kind, size = rng.choice(list("MIDNP=X")), int(rng.integers(1, 9))
        if kind in "MI=X":
            size = min(size, left)
            left -= size
        if size:
            middle.append((kind, size))
    return [("S", front)] * (front > 0) + middle + [("S", back)] * (back > 0)


def reads_of(rng, n_reads, span, max_length, wild_share=0.3):
    """Columns by name of so many reads that start in range(span)."""
    lengths = rng.integers(1, max_length + 1, n_reads)
    cigars = [(wild_cigar if rng.random() < wild_share else plain_cigar)(rng, int(length)) for length in lengths]
    words = [size << 4 | CIGAR[str(kind)] for cigar in cigars for kind, size in cigar]
    n_bases = int(lengths.sum())
    return {
        "pos": np.sort(rng.integers(0, span, n_reads)).astype(np.int32),
        "flag": rng.choice([0, 16, 99, 147, 83, 163], n_reads).astype(np.uint16),
        "mapq": rng.choice([0, 1, 20, 60, 254], n_reads).astype(np.uint8),
        "cigar": np.array(words, np.uint32),
        "cigar_offsets": offsets_of([len(cigar) for cigar in cigars]),
        "bases": rng.choice(5, n_bases, p=[0.3, 0.3, 0.2, 0.15, 0.05]).astype(np.uint8),
        "base_quals": rng.choice([0, 2, 9, 10, 25, 37, 41, 93, 255], n_bases).astype(np.uint8),
        "base_offsets": offsets_of(lengths),
    }


def reads_of_kind(rng, kind):
    """(columns, indices of the used ones, window start, window length)."""
    if kind == "empty":
        reads = reads_of(rng, 3, 100, 50)
        return reads, np.empty(0, np.int32), 20, 60
    if kind == "one":
        reads = reads_of(rng, 1, 1, 1, wild_share=0)
        return reads, np.zeros(1, np.int32), 0, 1
    if kind == "largest":
        # One long read with many operations amid short ones, all over the window and both its ends.
        reads = reads_of(rng, 12, 60, 4000)
        return reads, np.arange(12, dtype=np.int32), 30, 2500
    n_reads, max_length = (60, 120) if kind == "random" else (80, 9)
    reads = reads_of(rng, n_reads, 200, max_length)
    use = np.flatnonzero(rng.random(n_reads) < 0.8).astype(np.int32)
    return reads, use, 40, 150


def pile_up_case(seed, kind):
    rng = np.random.default_rng([seed, KINDS.index(kind), 1])
    reads, use, start, n_positions = reads_of_kind(rng, kind)
    counts = rng.integers(0, 50, (len(PILEUP_FIELDS), n_positions)).astype(np.int32)  # it adds to what is there
    columns = [reads[name] for name in ("pos", "flag", "mapq", "cigar", "cigar_offsets", "bases", "base_quals", "base_offsets")]
    return Case((use, *columns, start, 10, counts), 1)


def collect_indels_case(seed, kind):
    """On a reference of repeats, so that events have a way to go to the left; Ns in it stop them."""
    rng = np.random.default_rng([seed, KINDS.index(kind), 2])
    reads, use, start, n_positions = reads_of_kind(rng, kind)
    unit = rng.integers(0, 4, int(rng.integers(1, 4)))
    reference = np.resize(unit, n_positions + 300).astype(np.uint8)
    changed = rng.random(len(reference)) < 0.05
    reference[changed] = rng.integers(0, 5, int(changed.sum()))
    reads["bases"] = np.where(rng.random(len(reads["bases"])) < 0.9, np.resize(unit, len(reads["bases"])), reads["bases"]).astype(np.uint8)
    is_event = np.isin(reads["cigar"] & 15, (CIGAR["I"], CIGAR["D"]))
    n_events = [int(is_event[reads["cigar_offsets"][r] : reads["cigar_offsets"][r + 1]].sum()) for r in use.tolist()]
    slots = offsets_of(n_events)
    n = int(slots[-1])
    outputs = filled(n, np.int32), filled(n, np.int32), filled(n, np.int64), filled(n, np.int32), filled(n, np.int64)
    columns = [reads[name] for name in ("pos", "cigar", "cigar_offsets", "bases", "base_offsets")]
    return Case((use, *columns, reference, start, slots, *outputs), 5)


def observe_case(seed, kind):
    rng = np.random.default_rng([seed, KINDS.index(kind), 3])
    reads, use, start, n_positions = reads_of_kind(rng, kind)
    n_loci = {"empty": 2, "one": 1}.get(kind, 12)
    locus_pos = np.sort(rng.integers(start, start + n_positions, n_loci)).astype(np.int32)
    before, after = rng.integers(0, 40, (2, n_loci))
    # Most pairs meet; some reads lie elsewhere.
    n_pairs = {"empty": 0, "one": 1}.get(kind, 150)
    pair_locus = np.sort(rng.integers(0, n_loci, n_pairs)).astype(np.int32)
    pair_read = use[rng.integers(0, len(use), n_pairs)] if n_pairs else np.empty(0, np.int32)
    outputs = [filled(n_pairs, dtype) for dtype in (np.uint8, np.uint8, np.int32, np.int64, np.int32, np.int32)]
    columns = [reads[name] for name in ("pos", "cigar", "cigar_offsets", "bases", "base_quals", "base_offsets")]
    clip_reach = int(rng.choice([0, 5, 100]))
    spans = (locus_pos - before).astype(np.int32), (locus_pos + 1 + after).astype(np.int32)
    return Case((pair_locus, pair_read, locus_pos, *spans, clip_reach, *columns, *outputs), 6)


def haplotypes_of(reference, alleles):
    """(bases, shift) of the reference with each allele: None, or (position, bases deleted after it, codes inserted after it)."""
    haplotypes = []
    for allele in alleles:
        if allele is None:
            haplotypes.append((reference, 0))
        else:
            position, n_deleted, inserted = allele
            bases = np.concatenate([reference[: position + 1], inserted, reference[position + 1 + n_deleted :]])
            haplotypes.append((bases.astype(np.uint8), len(inserted) - n_deleted))
    return haplotypes


def score_segments_case(seed, kind):
    """Reads with errors, drawn from the haplotypes of their locus, mapped where they came from: the best alignment lies in the band.

    Segments are long enough to have one place only. In "ragged", a homopolymer with cheap gaps stands in the middle of each haplotype;
    in "largest", alleles are 50 bp long.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind), 4])
    n_loci = {"empty": 1, "one": 1, "largest": 2}.get(kind, 4)
    n_pairs = {"empty": 0, "one": 1, "largest": 10}.get(kind, 40)
    longest = 50 if kind == "largest" else 6
    flank = 70
    slots, starts, alleles_of_locus, haplotypes = [0], [], [], []
    columns = {name: [] for name in ("bases", "gap_open", "gap_extend", "low", "high", "allele")}
    for _ in range(n_loci):
        reference = rng.integers(0, 4, 2 * flank + longest).astype(np.uint8)
        if kind == "ragged":
            reference[flank : flank + 12] = reference[flank]
        n_alleles = int(rng.integers(1, 4))
        alleles = [None]
        for _ in range(n_alleles):
            size = int(rng.integers(1, longest + 1))
            inserted = np.full(size, reference[flank]) if kind == "ragged" else rng.integers(0, 4, size)
            alleles.append((flank - 1, size, inserted[:0]) if rng.random() < 0.5 else (flank - 1, 0, inserted))
        start = int(rng.integers(0, 10_000))
        for allele, (bases, shift) in enumerate(haplotypes_of(reference, alleles)):
            gap_open, gap_extend = np.full(len(bases), 4500, np.int16), np.full(len(bases), 1000, np.int16)
            if kind == "ragged":
                gap_open[flank - 1 : flank + 13], gap_extend[flank - 1 : flank + 13] = 1500, 700
            haplotypes.append((bases, shift))
            columns["bases"].append(bases)
            columns["gap_open"].append(gap_open)
            columns["gap_extend"].append(gap_extend)
            columns["low"].append(min(0, shift))
            columns["high"].append(max(0, shift))
            columns["allele"].append(allele)
        slots.append(len(haplotypes))
        starts.append(start)
        alleles_of_locus.append(n_alleles + 1)
    pair_locus = np.sort(rng.integers(0, n_loci, n_pairs)).astype(np.int32)
    segments, quals, segment_ref = [], [], []
    for locus in pair_locus.tolist():
        which = int(rng.integers(slots[locus], slots[locus + 1]))
        bases, shift = haplotypes[which]
        first = int(rng.integers(8, flank - 15))
        last = int(rng.integers(flank + max(0, shift) + 25, len(bases) - 4))
        segment = bases[first:last].copy()
        wrong = rng.random(len(segment)) < 0.02
        segment[wrong] = rng.integers(0, 5, int(wrong.sum()))
        if kind != "one" and rng.random() < 0.1:
            segment = segment[:0]
        segments.append(segment)
        quals.append(rng.choice([0, 12, 30, 37], len(segment)))
        segment_ref.append(starts[locus] + first)
    lengths = np.array([len(segment) for segment in segments], np.int32)
    bases = np.concatenate([*segments, np.empty(0, np.uint8)]).astype(np.uint8)
    base_quals = np.concatenate([*quals, np.empty(0)]).astype(np.uint8)
    cap = rng.choice([0, 2000, 4500], n_pairs).astype(np.int32)
    allele_slots = offsets_of(np.array(alleles_of_locus)[pair_locus])
    misfit = (4000 * np.ceil(0.03 * np.arange(int(lengths.max(initial=0)) + 1))).astype(np.int32)
    mismatch = np.where(np.arange(256) < 10, 0, 100 * np.arange(256) + 477).astype(np.int32)
    return Case(
        (
            pair_locus, offsets_of(lengths)[:-1], lengths, np.array(segment_ref, np.int32), cap, allele_slots, bases, base_quals, mismatch,
            misfit, np.array(slots, np.int64), np.array(starts, np.int32), offsets_of([len(b) for b in columns["bases"]]),
            np.concatenate(columns["bases"]), np.concatenate(columns["gap_open"]), np.concatenate(columns["gap_extend"]),
            np.array([g.min() for g in columns["gap_open"]], np.int32), np.array(columns["low"], np.int32),
            np.array(columns["high"], np.int32), np.array(columns["allele"], np.int32), filled(int(allele_slots[-1]), np.int32),
        ),
        1,
    )  # fmt: skip


def wild_segments_case(seed):
    """Reads and haplotypes of two letters, mapped anywhere, gap costs and shifts without sense: only twins can be compared on it."""
    rng = np.random.default_rng([seed, 5])
    n_loci, n_pairs = 5, 60
    slots = offsets_of(rng.integers(1, 5, n_loci))
    n_haplotypes = int(slots[-1])
    offsets = offsets_of(rng.integers(1, 120, n_haplotypes))
    haplotype_bases = rng.integers(0, 2, int(offsets[-1])).astype(np.uint8)
    gap_open = rng.choice([100, 1000, 4500], int(offsets[-1])).astype(np.int16)
    gap_extend = rng.choice([10, 1000], int(offsets[-1])).astype(np.int16)
    pair_locus = np.sort(rng.integers(0, n_loci, n_pairs)).astype(np.int32)
    n_alleles = rng.integers(1, 4, n_loci)
    allele = rng.integers(0, np.repeat(n_alleles, np.diff(slots)))
    lengths = rng.integers(0, 90, n_pairs).astype(np.int32)
    allele_slots = offsets_of(n_alleles[pair_locus])
    misfit = rng.choice([3000, 100_000], 91).astype(np.int32)
    mismatch = (37 * np.arange(256)).astype(np.int32)
    return Case(
        (
            pair_locus, offsets_of(lengths)[:-1], lengths, rng.integers(-30, 130, n_pairs).astype(np.int32),
            rng.integers(0, 6000, n_pairs).astype(np.int32), allele_slots, rng.integers(0, 3, int(lengths.sum())).astype(np.uint8),
            rng.integers(0, 60, int(lengths.sum())).astype(np.uint8), mismatch, misfit, slots, np.zeros(n_loci, np.int32), offsets,
            haplotype_bases, gap_open, gap_extend, np.minimum.reduceat(gap_open, offsets[:-1]).astype(np.int32),
            rng.integers(-50, 1, n_haplotypes).astype(np.int32), rng.integers(0, 51, n_haplotypes).astype(np.int32),
            allele.astype(np.int32), filled(int(allele_slots[-1]), np.int32),
        ),
        1,
    )  # fmt: skip


def genotype_likelihoods_case(seed, kind):
    rng = np.random.default_rng([seed, KINDS.index(kind), 6])
    ploidy = {"one": 1, "largest": 6}.get(kind, int(rng.integers(1, 5)))
    most = {"one": 2, "largest": 5}.get(kind, 4)
    table = genotype_table(ploidy, most)
    n_loci = {"empty": 0, "one": 1, "largest": 2}.get(kind, 6)
    n_alleles = rng.integers(2, most + 1, n_loci)
    depth = np.full(n_loci, 200) if kind == "largest" else rng.integers(0, 30, n_loci)
    pair_slots = offsets_of(depth)
    allele_slots = offsets_of(np.repeat(n_alleles, depth))
    penalties = rng.integers(0, 4501, int(allele_slots[-1])).astype(np.int32)
    penalties[rng.random(len(penalties)) < 0.4] = 0
    n_genotypes = np.array([len(genotype_table(ploidy, int(n))) for n in n_alleles], np.int64)
    task_locus = np.repeat(np.arange(n_loci, dtype=np.int32), n_genotypes)
    task_genotype = (np.arange(int(n_genotypes.sum())) - np.repeat(offsets_of(n_genotypes)[:-1], n_genotypes)).astype(np.int32)
    weights = rng.integers(8, 257, int(pair_slots[-1])).astype(np.int32)
    arguments = (task_locus, task_genotype, pair_slots, allele_slots, penalties, weights, table, log_sum_table(), copy_costs(ploidy))
    return Case((*arguments, filled(len(task_locus), np.int64)), 1)
