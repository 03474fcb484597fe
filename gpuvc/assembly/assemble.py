"""Local assembly: the reads of each region → the haplotypes they can be read from (specification, section 3).

Every k-mer size gives a graph, every graph its best paths; the haplotypes of all graphs that succeed are pooled.
"""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np

from gpuvc.assembly.dangling import join_heads, join_tails
from gpuvc.assembly.debruijn import (
    N_REPEATS,
    count_kmers,
    count_read_kmers,
    find_runs,
    is_too_simple,
    order_runs,
    thread_reads,
    thread_reference,
)
from gpuvc.assembly.graph import (
    FIRST_OUT,
    IS_REF,
    LENGTH,
    N_BASES,
    N_LIVE,
    N_VERTICES,
    OUT_DEGREE,
    OVERFLOW,
    REMOVED,
    TARGET,
    find_ref_sink,
    find_ref_source,
    has_cycle,
    keep_paths_between,
)
from gpuvc.assembly.paths import PATH_BASES, find_best_paths, log10_table, spell_path
from gpuvc.assembly.pruning import find_chains, prune_by_count, prune_by_odds
from gpuvc.assembly.sequence_graph import clean_up, convert
from gpuvc.kernels.codes import CIGAR_S, CONSUMES_READ
from gpuvc.kernels.jit import kernel

KMER_STEP = 10  # when every given size is rejected, larger ones are tried
MAX_LARGER_KMERS = 6

# What became of a k-mer size in a region.
NOT_TRIED, ASSEMBLED, REFERENCE_TOO_SHORT, REFERENCE_REPEATS, CYCLE, TOO_SIMPLE, REFERENCE_LOST = range(7)
OUTCOMES = ("not tried", "assembled", "reference too short", "reference repeats a k-mer", "cycle", "too many repeats", "reference lost")

# Entries of `options`, int64.
(
    MIN_BASE_QUALITY, MIN_PRUNING, ADAPTIVE_PRUNING, MAX_HAPLOTYPES, ALLOW_REPEATS, MIN_BRANCH_LENGTH, PAST_FORKS, MATCHING_BASES,
    LEGACY_CYCLES, N_OPTIONS,
) = range(10)  # fmt: skip

# Why `assemble_regions` came back.
FINISHED, WORKSPACE_FULL, OUTPUT_FULL = range(3)

Workspace = namedtuple(
    "Workspace",
    "text quals kmer_at read_offsets samples ranks runs order keys slots kmers tally vertices edges top_counts sizes work marks chains odds "
    "priority doomed branch main letters rows back cigar piece_vertices piece_edges piece_sizes spelled paths scores heap found path_letters stamp",
)


@dataclass(slots=True)
class RawHaplotypes:
    """Haplotypes as assembled, before they are aligned; G regions, H haplotypes, A attempts.

    region_slots : int64[G + 1]
        Region g holds haplotypes region_slots[g] to region_slots[g + 1]: the reference, then by k-mer size and falling score.
    bases : uint8[sum of lengths]; base_offsets : int64[H + 1]
        Codes. No two of a region are equal.
    score : float64[H]
        Log10 probability of its path in the graph; NaN for the reference.
    is_ref : bool[H]
    kmer_size : int16[H]
        The smallest size whose graph has it; 0 for the reference.
    tried_kmer_size : int16[G, A]; outcome : int8[G, A]
        Sizes in the order in which they were tried and what became of them, an index of OUTCOMES; 0 past the last.
    """

    region_slots: np.ndarray
    bases: np.ndarray
    base_offsets: np.ndarray
    score: np.ndarray
    is_ref: np.ndarray
    kmer_size: np.ndarray
    tried_kmer_size: np.ndarray
    outcome: np.ndarray

    @property
    def n_haplotypes(self):
        return len(self.score)


def make_workspace(n_text, n_reads, n_samples, shortest_kmer, longest_ref, n_pruning_samples, max_haplotypes, doublings=0):
    """Scratch memory of `assemble_regions` for regions of up to n_text bases, reference and reads, in n_reads reads.

    What depends on how a graph turns out begins small and is doubled so often.
    """
    n = 4096 << doublings
    n_text += 1024 << doublings
    longest_path = 2 * longest_ref + (1024 << doublings)
    int32 = np.int32
    return Workspace(
        text=np.empty(n_text, np.uint8),
        quals=np.empty(n_text, np.uint8),
        kmer_at=np.empty(n_text, int32),
        read_offsets=np.empty(n_reads + 1, np.int64),
        samples=np.empty(n_reads + 1, np.int16),
        ranks=np.empty(n_samples + 1, int32),
        runs=np.empty((n_text // shortest_kmer + n_reads + 1, 3), int32),
        order=np.empty(n_text // shortest_kmer + n_reads + 1, int32),
        keys=np.zeros(4 * n, np.uint64),
        slots=np.zeros(4 * n, np.int64),
        kmers=np.empty((2 * n, 4), int32),
        tally=np.zeros(2, np.int64),
        vertices=np.empty((n, 8), int32),
        edges=np.empty((n, 8), int32),
        top_counts=np.empty((n, n_pruning_samples), int32),
        sizes=np.zeros(5, np.int64),
        work=np.empty(n, int32),
        marks=np.empty(n, int32),
        chains=np.empty((n, 6), int32),
        odds=np.empty((n, 2)),
        priority=np.empty(n),
        doomed=np.empty(n, int32),
        branch=np.empty(n, int32),
        main=np.empty(n, int32),
        letters=np.empty((2, longest_path), np.uint8),
        rows=np.empty((6, longest_path + 1), int32),
        back=np.empty(1 << 18 << 2 * doublings, np.int16),
        cigar=np.empty(2 * longest_path + 3, np.uint32),
        piece_vertices=np.empty((n, 8), int32),
        piece_edges=np.empty((n, 8), int32),
        piece_sizes=np.zeros(5, np.int64),
        spelled=np.empty(16 * n, np.uint8),
        paths=np.empty((4 * n, 3), int32),
        scores=np.empty(4 * n),
        heap=np.empty(4 * n, int32),
        found=np.empty(max_haplotypes, int32),
        path_letters=np.empty((2, longest_path), np.uint8),
        stamp=np.zeros(1, np.int64),
    )


@kernel
def load_region(codes, g, region_slots, sample, cigar, cigar_offsets, bases, base_quals, base_offsets, w):
    """Lay out a region's text: the reference, then the reads without their soft clips → their number."""
    w.text[: codes.size] = codes
    end = codes.size
    n = 0
    for row in range(region_slots[g], region_slots[g + 1]):
        w.read_offsets[n] = end
        w.samples[n] = sample[row]
        n += 1
        read = base_offsets[row]
        for c in range(cigar_offsets[row], cigar_offsets[row + 1]):
            operation = np.int64(cigar[c] & np.uint32(15))
            length = np.int64(cigar[c] >> np.uint32(4))
            if CONSUMES_READ >> operation & 1 == 0:
                continue
            if operation != CIGAR_S:
                for t in range(length):
                    w.text[end + t] = bases[read + t]
                    w.quals[end + t] = base_quals[read + t]
                end += length
            read += length
    w.read_offsets[n] = end
    return n


@kernel
def enter_kmers(k, ref_length, n_ordered, allow_repeats, w):
    """Fill the table of k-mers, as large as it takes to be at most half full → ASSEMBLED, REFERENCE_REPEATS or NOT_TRIED."""
    n_slots = 2048
    while n_slots <= w.slots.size:
        keys, slots = w.keys[:n_slots], w.slots[:n_slots]
        w.stamp[0] += 1
        w.tally[:] = 0
        stamp = w.stamp[0]
        if count_kmers(np.int64(0), np.int64(0), ref_length, k, w.text, keys, slots, stamp, w.kmers, w.kmer_at, w.tally):
            if w.tally[N_REPEATS] > 0 and not allow_repeats:
                return REFERENCE_REPEATS
            if count_read_kmers(w.runs, w.order, n_ordered, k, w.read_offsets, w.text, keys, slots, stamp, w.kmers, w.kmer_at, w.tally):
                return ASSEMBLED
        n_slots *= 2
    w.sizes[OVERFLOW] = 1
    return NOT_TRIED


@kernel
def prune(options, w):
    """Remove the chains that too few reads support."""
    n_chains = find_chains(w.vertices, w.edges, w.sizes, w.work, w.marks, w.chains)
    if options[ADAPTIVE_PRUNING]:
        prune_by_odds(w.text, w.vertices, w.edges, w.sizes, w.chains, n_chains, w.odds, w.priority, w.work, w.marks, w.doomed)
    else:
        prune_by_count(w.vertices, w.edges, w.sizes, w.chains, n_chains, options[MIN_PRUNING], w.doomed)


@kernel
def join_branches(k, options, w):
    """Join what begins or ends off the reference to the path beside it."""
    least = np.int64(0) if options[ADAPTIVE_PRUNING] else options[MIN_PRUNING]
    length, past_forks, matching = options[MIN_BRANCH_LENGTH], options[PAST_FORKS], options[MATCHING_BASES]
    branch_letters, main_letters = w.letters[0], w.letters[1]
    join_tails(
        k,
        least,
        length,
        past_forks,
        matching,
        w.text,
        w.vertices,
        w.edges,
        w.sizes,
        w.branch,
        w.main,
        branch_letters,
        main_letters,
        w.rows,
        w.back,
        w.cigar,
    )
    join_heads(
        k,
        least,
        length,
        past_forks,
        matching,
        w.text,
        w.vertices,
        w.edges,
        w.sizes,
        w.branch,
        w.main,
        branch_letters,
        main_letters,
        w.rows,
        w.back,
        w.cigar,
    )


@kernel
def build_graph(k, ref_length, n_runs, options, allow_repeats, allow_simple, w):
    """The k-mer graph of the region in the workspace, pruned and joined → what became of it (ASSEMBLED: it stands)."""
    if ref_length < k:
        return REFERENCE_TOO_SHORT
    n_ordered = order_runs(w.runs, n_runs, k, w.samples, w.ranks, w.order)
    outcome = enter_kmers(k, ref_length, n_ordered, allow_repeats, w)
    if outcome != ASSEMBLED:
        return outcome
    thread_reference(ref_length, k, w.kmers, w.kmer_at, w.vertices, w.edges, w.sizes, w.top_counts)
    if w.sizes[OVERFLOW]:
        return NOT_TRIED
    thread_reads(w.runs, w.order, n_ordered, w.samples, k, w.text, w.kmers, w.kmer_at, w.vertices, w.edges, w.sizes, w.top_counts)
    if w.sizes[OVERFLOW]:
        return NOT_TRIED
    if not options[LEGACY_CYCLES]:
        prune(options, w)
    if has_cycle(w.vertices, w.edges, w.sizes, w.work, w.marks):
        return CYCLE
    if not allow_simple and is_too_simple(w.kmers, w.tally, w.vertices):
        return TOO_SIMPLE
    if options[LEGACY_CYCLES]:
        prune(options, w)
    join_branches(k, options, w)
    if w.sizes[OVERFLOW]:
        return NOT_TRIED
    if options[PAST_FORKS] and has_cycle(w.vertices, w.edges, w.sizes, w.work, w.marks):
        return CYCLE
    return ASSEMBLED


@kernel
def find_paths(k, options, table, w):
    """Best paths of the graph in the workspace → (what became of it, their number); the paths' rows stand in `found`."""
    source, sink = find_ref_source(w.vertices, w.edges, w.sizes), find_ref_sink(w.vertices, w.edges, w.sizes)
    if source < 0 or sink < 0:
        return REFERENCE_LOST, 0
    keep_paths_between(w.vertices, w.edges, w.sizes, source, sink, w.work, w.marks)
    w.piece_sizes[OVERFLOW] = 0
    convert(k, w.text, w.vertices, w.edges, w.sizes, w.piece_vertices, w.piece_edges, w.piece_sizes, w.spelled, w.marks)
    if w.piece_sizes[OVERFLOW]:
        return NOT_TRIED, 0
    source, sink = clean_up(w.piece_vertices, w.piece_edges, w.piece_sizes, w.spelled, w.work, w.marks)
    if w.piece_sizes[OVERFLOW]:
        return NOT_TRIED, 0
    if source < 0 or sink < 0:
        return REFERENCE_LOST, 0
    n = find_best_paths(
        source, sink, options[MAX_HAPLOTYPES], w.piece_vertices, w.piece_edges, w.piece_sizes, w.spelled, table, w.work, w.marks,
        w.paths, w.scores, w.heap, w.path_letters, w.found,
    )  # fmt: skip
    if w.piece_sizes[OVERFLOW]:
        return NOT_TRIED, 0
    return ASSEMBLED, n


@kernel
def hash_bases(bases):
    """64-bit hash of a sequence of codes."""
    key = np.uint64(bases.size)
    for t in range(bases.size):
        key = (key ^ np.uint64(bases[t])) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    return key


@kernel
def put_haplotype(bases, score, is_ref, k, first_of_region, n, out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash):
    """Append a haplotype that the region does not have yet → the new number of haplotypes. The caller has asked for room."""
    key = hash_bases(bases)
    for h in range(first_of_region, n):
        if out_hash[h] == key and out_offsets[h + 1] - out_offsets[h] == bases.size:
            start = out_offsets[h]
            t = 0
            while t < bases.size and out_bases[start + t] == bases[t]:
                t += 1
            if t == bases.size:
                return n
    start = out_offsets[n]
    out_bases[start : start + bases.size] = bases
    out_offsets[n + 1] = start + bases.size
    out_score[n] = score
    out_is_ref[n] = is_ref
    out_kmer_size[n] = k
    out_hash[n] = key
    return n + 1


@kernel
def is_bare(vertices, edges, sizes):
    """Whether only the reference's own path is left, forks and joints without vertices of their own included."""
    n_edges = 0
    for v in range(sizes[N_VERTICES]):
        if vertices[v, LENGTH] != REMOVED:
            n_edges += vertices[v, OUT_DEGREE]
    e = vertices[0, FIRST_OUT]
    n = 1
    while e >= 0 and edges[e, IS_REF]:
        n += 1
        e = vertices[edges[e, TARGET], FIRST_OUT]
    return n == sizes[N_LIVE] and n == n_edges + 1


@kernel
def assemble_kmer(k, ref_length, text_end, n_runs, options, allow_repeats, allow_simple, table, w):
    """One graph and its best paths → (what became of it, number of paths); NOT_TRIED if the workspace is too small."""
    w.sizes[OVERFLOW] = 0
    w.sizes[N_BASES] = text_end
    outcome = build_graph(k, ref_length, n_runs, options, allow_repeats, allow_simple, w)
    if outcome != ASSEMBLED or is_bare(w.vertices, w.edges, w.sizes):
        return outcome, 0
    return find_paths(k, options, table, w)


@kernel
def put_haplotypes(n_paths, k, first_of_region, n, w, out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash):
    """Append the paths found → the new number of haplotypes, -1 if the output has no room for them."""
    n_bases = np.int64(0)
    for i in range(n_paths):
        n_bases += w.paths[w.found[i], PATH_BASES]
    if n + n_paths > out_score.size or out_offsets[n] + n_bases > out_bases.size:
        return -1
    for i in range(n_paths):
        letters = w.path_letters[0]
        length = spell_path(w.found[i], w.paths, w.piece_vertices, w.spelled, letters)
        n = put_haplotype(
            letters[:length], w.scores[w.found[i]], False, k, first_of_region, n,
            out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash,
        )  # fmt: skip
    return n


@kernel
def assemble_regions(
    first_region, padded_start, padded_end, codes, codes_start, region_slots, sample, cigar, cigar_offsets, bases, base_quals, base_offsets,
    kmer_sizes, options, table, w, out_slots, out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash, tried, outcomes,
):  # fmt: skip
    """Assemble the regions from `first_region` on → (first region that is not done, FINISHED, WORKSPACE_FULL or OUTPUT_FULL)."""
    for g in range(first_region, padded_start.size):
        start, end = padded_start[g] - codes_start, padded_end[g] - codes_start
        ref = codes[start:end]
        n_reads = load_region(ref, g, region_slots, sample, cigar, cigar_offsets, bases, base_quals, base_offsets, w)
        n_runs = find_runs(w.text, w.quals, w.read_offsets, 0, n_reads, options[MIN_BASE_QUALITY], kmer_sizes.min(), w.runs)
        first = out_slots[g]
        if first == out_score.size or out_offsets[first] + ref.size > out_bases.size:
            return g, OUTPUT_FULL
        n = put_haplotype(ref, np.nan, True, 0, first, first, out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash)
        found_any = False
        for attempt in range(tried.shape[1]):
            is_given = attempt < kmer_sizes.size
            is_last = attempt == tried.shape[1] - 1
            tried[g, attempt] = 0
            outcomes[g, attempt] = NOT_TRIED
            if found_any and not is_given:
                continue
            k = kmer_sizes[attempt] if is_given else kmer_sizes.max() + KMER_STEP * (attempt - kmer_sizes.size + 1)
            allow_repeats = options[ALLOW_REPEATS] != 0 if is_given else is_last
            outcome, n_paths = assemble_kmer(k, ref.size, w.read_offsets[n_reads], n_runs, options, allow_repeats, is_last, table, w)
            if outcome == NOT_TRIED:
                return g, WORKSPACE_FULL
            n = put_haplotypes(n_paths, k, first, n, w, out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash)
            if n < 0:
                return g, OUTPUT_FULL
            tried[g, attempt] = k
            outcomes[g, attempt] = outcome
            found_any = found_any or outcome == ASSEMBLED or outcome == REFERENCE_TOO_SHORT or outcome == REFERENCE_LOST
        out_slots[g + 1] = n
    return padded_start.size, FINISHED


def _options_of(settings):
    """The settings of assembly as the kernels take them."""
    options = np.zeros(N_OPTIONS, np.int64)
    options[MIN_BASE_QUALITY] = settings.min_base_quality
    options[MIN_PRUNING] = settings.min_pruning
    options[ADAPTIVE_PRUNING] = settings.adaptive_pruning
    options[MAX_HAPLOTYPES] = settings.max_haplotypes_per_graph
    options[ALLOW_REPEATS] = settings.allow_non_unique_kmers_in_ref
    options[MIN_BRANCH_LENGTH] = settings.min_dangling_branch_length
    options[PAST_FORKS] = settings.recover_all_dangling_branches
    options[MATCHING_BASES] = settings.matching_bases_in_dangling_end
    options[LEGACY_CYCLES] = settings.legacy_graph_cycle_detection
    return options


def assemble(regions, region_reads, codes, codes_start, settings):
    """Haplotypes of every region, by graphs → RawHaplotypes.

    Parameters
    ----------
    regions : RegionBatch
    region_reads : RegionReads
        Of the same regions; soft clips that are left do not take part.
    codes : uint8[n]
        Reference bases from `codes_start` (0-based) on; they hold every padded region.
    settings : Settings
    """
    n_regions = regions.n_regions
    kmer_sizes = np.array(settings.kmer_sizes, np.int64)
    options = _options_of(settings)
    n_reads = np.diff(region_reads.region_slots)
    lengths = (regions.padded_end - regions.padded_start).astype(np.int64)
    n_text = lengths + np.diff(region_reads.base_offsets[region_reads.region_slots])
    size = dict(
        n_text=int(n_text.max(initial=0)), n_reads=int(n_reads.max(initial=0)), n_samples=int(region_reads.sample.max(initial=0)) + 1,
        shortest_kmer=int(kmer_sizes.min()), longest_ref=int(lengths.max(initial=0)), n_pruning_samples=settings.num_pruning_samples,
        max_haplotypes=settings.max_haplotypes_per_graph,
    )  # fmt: skip
    doublings = 0
    workspace = make_workspace(**size)
    room, bases_room = 8 * n_regions + 256, 8 * int(lengths.sum()) + 65536
    slots, offsets, bases = np.zeros(n_regions + 1, np.int64), np.zeros(room + 1, np.int64), np.empty(bases_room, np.uint8)
    score, is_ref, kmer_size, hashes = np.empty(room), np.empty(room, np.bool_), np.empty(room, np.int16), np.empty(room, np.uint64)
    tried = np.zeros((n_regions, kmer_sizes.size + MAX_LARGER_KMERS), np.int16)
    outcome = np.zeros(tried.shape, np.int8)
    region, why = 0, OUTPUT_FULL
    while True:
        region, why = assemble_regions(
            region, regions.padded_start, regions.padded_end, codes, codes_start, region_reads.region_slots, region_reads.sample,
            region_reads.cigar, region_reads.cigar_offsets, region_reads.bases, region_reads.base_quals, region_reads.base_offsets,
            kmer_sizes, options, log10_table(), workspace, slots, bases, offsets, score, is_ref, kmer_size, hashes, tried, outcome,
        )  # fmt: skip
        if why == FINISHED:
            break
        if why == WORKSPACE_FULL:
            doublings += 1
            workspace = make_workspace(**size, doublings=doublings)
        else:
            room, bases_room = 2 * room, 2 * bases_room
            offsets, bases = np.resize(offsets, room + 1), np.resize(bases, bases_room)
            score, is_ref, kmer_size, hashes = (np.resize(column, room) for column in (score, is_ref, kmer_size, hashes))
    n = slots[-1]
    return RawHaplotypes(
        region_slots=slots, bases=bases[: offsets[n]], base_offsets=offsets[: n + 1], score=score[:n], is_ref=is_ref[:n],
        kmer_size=kmer_size[:n], tried_kmer_size=tried, outcome=outcome,
    )  # fmt: skip
