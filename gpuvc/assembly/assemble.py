"""Local assembly: the reads of each region → the haplotypes they can be read from (specification, section 3).

Every k-mer size gives a graph, every graph its best paths; the haplotypes of all graphs that succeed are pooled.
"""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np

from gpuvc.assembly import smith_waterman
from gpuvc.assembly.dangling import join_branches
from gpuvc.assembly.debruijn import (
    KMER_COLUMNS,
    N_KMERS,
    N_REPEATS,
    READ_START,
    REPEATED,
    STAMP,
    count_kmers,
    count_read_kmers,
    is_too_simple,
    load_region,
    order_runs,
    thread_reads,
    thread_reference,
)
from gpuvc.assembly.direct import CROWD, MESSY, chain_reads, make_direct_workspace, spell_chain
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
from gpuvc.assembly.pruning import prune
from gpuvc.assembly.sequence_graph import clean_up, convert
from gpuvc.kernels.jit import inner_kernel, kernel

KMER_STEP = 10  # when every given size is rejected, larger ones are tried
MAX_LARGER_KMERS = 6
DEEP = 20  # mean depth from which on one graph is enough if not GATK's haplotypes are asked for

# What became of a k-mer size in a region.
NOT_TRIED, ASSEMBLED, REFERENCE_TOO_SHORT, REFERENCE_REPEATS, CYCLE, TOO_SIMPLE, REFERENCE_LOST = range(7)
OUTCOMES = ("not tried", "assembled", "reference too short", "reference repeats a k-mer", "cycle", "too many repeats", "reference lost")

# Entries of `options`, int64.
(
    MIN_BASE_QUALITY, MIN_PRUNING, ADAPTIVE_PRUNING, MAX_HAPLOTYPES, ALLOW_REPEATS, MIN_BRANCH_LENGTH, PAST_FORKS, MATCHING_BASES,
    LEGACY_CYCLES, DIRECT, SHORTEST_KMER, LONGEST_KMER, N_COPIES, N_OPTIONS,
) = range(14)  # fmt: skip

# Why `assemble_regions` came back.
FINISHED, WORKSPACE_FULL, OUTPUT_FULL = range(3)

Workspace = namedtuple(
    "Workspace",
    "text kmer_at reads runs stretches passed joints slots kmers tally tables sizes top_counts lists chains floats letters rows back cigar "
    "spelled paths direct recent",
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
        The first size tried whose graph has it; 0 for the reference, and where the reads gave it without a graph.
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
    n = max(4096, max_haplotypes) << doublings
    n_text += 1024 << doublings
    longest_path = 2 * longest_ref + (1024 << doublings)
    rows, back = (
        smith_waterman.make_workspace(longest_path, longest_path) if doublings else smith_waterman.make_workspace(512, longest_path)
    )
    return Workspace(
        text=np.empty(n_text, np.uint8),
        kmer_at=np.empty(n_text, np.int32),
        reads=np.empty((max(n_reads, n_samples) + 1, 4), np.int64),
        runs=np.empty((n_text // shortest_kmer + 1, 4), np.int64),
        stretches=np.empty((n_text // shortest_kmer + 1, 3), np.int64),
        passed=np.empty(longest_ref + 1, np.int64),
        joints=np.empty(longest_ref + 1, np.int64),
        slots=np.zeros((4 * n, 2), np.int64),
        kmers=np.empty((2 * n, KMER_COLUMNS), np.int32),
        tally=np.zeros(4, np.int64),
        tables=np.empty((4, n, 8), np.int32),
        sizes=np.zeros((2, 5), np.int64),
        top_counts=np.empty((n, n_pruning_samples), np.int64),
        lists=np.empty((3, n), np.int64),
        chains=np.empty((n, 6), np.int64),
        floats=np.empty((3, n)),
        letters=np.empty((2, longest_path), np.uint8),
        rows=rows,
        back=back,
        cigar=np.empty(2 * longest_path + 3, np.uint32),
        spelled=np.empty(16 * n, np.uint8),
        paths=np.empty((n, 4), np.int64),
        direct=make_direct_workspace(longest_ref),
        recent=np.empty(CROWD + 1, np.int64),
    )


@inner_kernel
def enter_kmers(k, ref_length, n_turns, allow_repeats, w):
    """Fill the table of k-mers → ASSEMBLED, REFERENCE_REPEATS, or NOT_TRIED if it is too small."""
    tally = w.tally
    if k <= tally[REPEATED] and not allow_repeats:
        return REFERENCE_REPEATS
    tally[N_KMERS] = tally[N_REPEATS] = 0
    tally[STAMP] += 1
    if not count_kmers(0, 0, ref_length, 0, 0, k, 0, w.text, w.stretches, w.slots, w.kmers, w.kmer_at, tally, not allow_repeats):
        return NOT_TRIED
    if tally[N_REPEATS] > 0 and not allow_repeats:
        return REFERENCE_REPEATS
    n_ref = ref_length - k + 1
    done = count_read_kmers(w.runs, n_turns, k, n_ref, w.reads, w.text, w.stretches, w.slots, w.kmers, w.kmer_at, tally)
    return ASSEMBLED if done else NOT_TRIED


@inner_kernel
def build_graph(k, ref_length, n_runs, options, allow_repeats, allow_simple, w):
    """The k-mer graph of the region in the workspace, pruned and joined → what became of it (ASSEMBLED: it stands)."""
    if ref_length < k:
        return REFERENCE_TOO_SHORT
    text, kmers, tally, vertices, edges, sizes = w.text, w.kmers, w.tally, w.tables[0], w.tables[1], w.sizes[0]
    n_turns = order_runs(w.runs, n_runs, k, w.reads)
    outcome = enter_kmers(k, ref_length, n_turns, allow_repeats, w)
    if outcome != ASSEMBLED:
        return outcome
    thread_reference(ref_length, k, kmers, w.kmer_at, vertices, edges, sizes, w.top_counts)
    if sizes[OVERFLOW]:
        return NOT_TRIED
    thread_reads(
        w.runs, n_turns, w.reads, k, ref_length - k + 1, text, w.stretches, kmers, w.kmer_at, vertices, edges, sizes, w.top_counts,
        w.passed, w.joints,
    )  # fmt: skip
    if sizes[OVERFLOW]:
        return NOT_TRIED
    adaptive = options[ADAPTIVE_PRUNING] != 0
    for step in range(2):
        if step == options[LEGACY_CYCLES]:
            prune(text, vertices, edges, sizes, w.chains, w.floats, w.lists, options[MIN_PRUNING], adaptive)
        else:
            if has_cycle(vertices, edges, sizes, w.lists[0], w.lists[1]):
                return CYCLE
            if not allow_simple and is_too_simple(kmers, tally, vertices):
                return TOO_SIMPLE
    join_branches(
        k, 0 if adaptive else options[MIN_PRUNING], options[MIN_BRANCH_LENGTH], options[PAST_FORKS] != 0, options[MATCHING_BASES],
        text, vertices, edges, sizes, w.lists, w.letters, w.rows, w.back, w.cigar,
    )  # fmt: skip
    if sizes[OVERFLOW]:
        return NOT_TRIED
    if options[PAST_FORKS] and has_cycle(vertices, edges, sizes, w.lists[0], w.lists[1]):
        return CYCLE
    return ASSEMBLED


@inner_kernel
def find_paths(k, max_haplotypes, table, w):
    """Best paths of the graph in the workspace → (what became of it, their number); their rows of `paths` stand in `lists`."""
    vertices, edges, sizes = w.tables[0], w.tables[1], w.sizes[0]
    source, sink = find_ref_source(vertices, edges, sizes), find_ref_sink(vertices, edges, sizes)
    if source < 0 or sink < 0:
        return REFERENCE_LOST, 0
    work, marks, found = w.lists[0], w.lists[1], w.lists[2]
    keep_paths_between(vertices, edges, sizes, source, sink, work, marks)
    pieces, joints, n_pieces = w.tables[2], w.tables[3], w.sizes[1]
    convert(k, w.text, vertices, edges, sizes, pieces, joints, n_pieces, w.spelled, marks, work)
    if n_pieces[OVERFLOW]:
        return NOT_TRIED, 0
    source, sink = clean_up(pieces, joints, n_pieces, w.spelled, work, marks)
    if n_pieces[OVERFLOW]:
        return NOT_TRIED, 0
    if source < 0 or sink < 0:
        return REFERENCE_LOST, 0
    n = find_best_paths(
        source, sink, max_haplotypes, pieces, joints, n_pieces, w.spelled, table, work, marks, w.paths, w.floats[0], w.letters, found
    )
    return NOT_TRIED if n_pieces[OVERFLOW] else ASSEMBLED, n


@inner_kernel
def hash_bases(bases):
    """64-bit hash of a sequence of codes; no term waits for another."""
    key = np.uint64(0)
    for t in range(np.uint64(bases.size)):
        weight = t + np.uint64(1)
        key += (np.uint64(bases[t]) + np.uint64(1)) * weight * weight
    return key


@inner_kernel
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
    for t in range(bases.size):
        out_bases[start + t] = bases[t]
    out_offsets[n + 1] = start + bases.size
    out_score[n] = score
    out_is_ref[n] = is_ref
    out_kmer_size[n] = k
    out_hash[n] = key
    return n + 1


@inner_kernel
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


@inner_kernel
def put_haplotypes(
    n_paths, found, k, first_of_region, n, paths, scores, pieces, spelled, letters,
    out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash,
):  # fmt: skip
    """Append the paths found → the new number of haplotypes, -1 if the output has no room for them."""
    n_bases = 0
    for i in range(n_paths):
        n_bases += paths[found[i], PATH_BASES]
    if n + n_paths > out_score.size or out_offsets[n] + n_bases > out_bases.size:
        return -1
    for i in range(n_paths):
        length = spell_path(found[i], paths, pieces, spelled, letters)
        n = put_haplotype(
            letters[:length], scores[found[i]], False, k, first_of_region, n,
            out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash,
        )  # fmt: skip
    return n


@inner_kernel
def put_chains(
    n_chains, n_events, ref, first_of_region, n, direct, letters,
    out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash,
):  # fmt: skip
    """Append the haplotypes that were read off directly → the new number of haplotypes, -1 if the output has no room for them."""
    if n + n_chains > out_score.size or out_offsets[n] + n_chains * letters.size > out_bases.size:
        return -1
    for q in range(n_chains):
        if direct.chains[0, q] != 0:
            length = spell_chain(direct.chains[0, q], ref, n_events, direct, letters)
            n = put_haplotype(
                letters[:length], direct.scores[0, q], False, 0, first_of_region, n,
                out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash,
            )  # fmt: skip
    return n


@kernel
def assemble_regions(
    first_region, padded_start, padded_end, codes, codes_start, region_slots, sample, pos, cigar, cigar_offsets, bases, base_quals,
    base_offsets, kmer_sizes, options, table, w, out_slots, out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash,
    tried, outcomes,
):  # fmt: skip
    """Assemble the regions from `first_region` on → (first region that is not done, FINISHED, WORKSPACE_FULL or OUTPUT_FULL)."""
    n_given = kmer_sizes.size
    for g in range(first_region, padded_start.size):
        start, end = padded_start[g] - codes_start, padded_end[g] - codes_start
        ref = codes[start:end]
        first = out_slots[g]
        if first == out_score.size or out_offsets[first] + ref.size > out_bases.size:
            return g, OUTPUT_FULL
        n = put_haplotype(ref, np.nan, True, 0, first, first, out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash)
        if options[DIRECT] != 0:
            n_chains, n_events = chain_reads(
                ref, padded_start[g], region_slots[g], region_slots[g + 1], pos, cigar, cigar_offsets, bases, base_quals, base_offsets,
                options[MIN_BASE_QUALITY], options[MIN_PRUNING], options[N_COPIES], w.recent, w.direct,
            )  # fmt: skip
            if n_chains != MESSY:
                n = put_chains(
                    n_chains, n_events, ref, first, n, w.direct, w.letters[0],
                    out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash,
                )  # fmt: skip
                if n < 0:
                    return g, OUTPUT_FULL
                out_slots[g + 1] = n
                continue
        n_reads, n_runs = load_region(
            ref, padded_start[g], region_slots[g], region_slots[g + 1], sample, pos, cigar, cigar_offsets, bases, base_quals,
            base_offsets, options[MIN_BASE_QUALITY], options[SHORTEST_KMER], w.text, w.reads, w.runs, w.stretches,
        )  # fmt: skip
        # Where reads are many, the largest k alone finds what is there; where they are few, they may share no more than short k-mers.
        one_is_enough = options[DIRECT] != 0 and w.reads[n_reads, READ_START] >= (1 + DEEP) * ref.size
        found_any = False
        w.tally[REPEATED] = 0
        for attempt in range(tried.shape[1]):
            is_given = attempt < n_given
            is_last = attempt == tried.shape[1] - 1
            tried[g, attempt] = 0
            outcomes[g, attempt] = NOT_TRIED
            if found_any and (one_is_enough or not is_given):
                continue
            if is_given:
                k = kmer_sizes[n_given - 1 - attempt if one_is_enough else attempt]
            else:
                k = options[LONGEST_KMER] + KMER_STEP * (attempt - n_given + 1)
            allow_repeats = options[ALLOW_REPEATS] != 0 if is_given else is_last
            w.sizes[0, OVERFLOW] = w.sizes[1, OVERFLOW] = 0
            w.sizes[0, N_BASES] = w.reads[n_reads, READ_START]
            outcome = build_graph(k, ref.size, n_runs, options, allow_repeats, is_last, w)
            n_paths = 0
            if outcome == ASSEMBLED and not is_bare(w.tables[0], w.tables[1], w.sizes[0]):
                outcome, n_paths = find_paths(k, options[MAX_HAPLOTYPES], table, w)
            if outcome == NOT_TRIED:
                return g, WORKSPACE_FULL
            n = put_haplotypes(
                n_paths, w.lists[2], k, first, n, w.paths, w.floats[0], w.tables[2], w.spelled, w.letters[0],
                out_bases, out_offsets, out_score, out_is_ref, out_kmer_size, out_hash,
            )  # fmt: skip
            if n < 0:
                return g, OUTPUT_FULL
            tried[g, attempt] = k
            outcomes[g, attempt] = outcome
            found_any = found_any or outcome == ASSEMBLED or outcome == REFERENCE_TOO_SHORT or outcome == REFERENCE_LOST
        out_slots[g + 1] = n
    return padded_start.size, FINISHED


def _options_of(settings, n_samples):
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
    options[SHORTEST_KMER], options[LONGEST_KMER] = min(settings.kmer_sizes), max(settings.kmer_sizes)
    options[N_COPIES] = n_samples * settings.sample_ploidy
    # Adaptive pruning decides by likelihood what counts as an error: only the graphs know it.
    options[DIRECT] = settings.concordance == "none" and not settings.adaptive_pruning
    return options


def assemble(regions, region_reads, codes, codes_start, settings, n_samples=1):
    """Haplotypes of every region, by graphs → RawHaplotypes.

    Parameters
    ----------
    regions : RegionBatch
    region_reads : RegionReads
        Of the same regions; soft clips that are left do not take part.
    codes : uint8[n]
        Reference bases from `codes_start` (0-based) on; they hold every padded region.
    settings : Settings
    n_samples : int
        Whose reads these are, each of settings.sample_ploidy chromosome copies.
    """
    n_regions = regions.n_regions
    kmer_sizes = np.array(settings.kmer_sizes, np.int64)
    options = _options_of(settings, n_samples)
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
            region_reads.pos,
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
