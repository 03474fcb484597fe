"""The read-threading graph of one region for one k (specification, section 3.2).

A text holds the reference span and after it the region's reads; a k-mer is a place in the text. Every read is walked through the
graph base by base, in an order that matters, so what is counted here is what a plain reading of the specification counts.

Edge columns beside those of graph.py: SAMPLE_COUNT counts the sample under way; PRUNING_COUNT is the smallest of the largest
counts that single samples gave, which stand in `top_counts`.
"""

import numpy as np

from gpuvc.assembly.graph import (
    COUNT,
    FIRST_IN,
    FIRST_OUT,
    IN_DEGREE,
    LENGTH,
    N_EDGES,
    NEXT_OUT,
    PLACE,
    PRUNING_COUNT,
    REMOVED,
    SAMPLE_COUNT,
    SOURCE,
    TARGET,
    add_vertex,
    append_edge,
    clear_graph,
    has_room,
)
from gpuvc.kernels.codes import N
from gpuvc.kernels.jit import inner_kernel

# Columns of `kmers`, int64[n, 9]: where the k-mer stands, the vertex that others merge into (-1: none yet), the last sequence that
# had it, whether some sequence has it twice; by base, the row of the k-mer that it is followed by with that base (-1: not known).
KMER_PLACE, KMER_VERTEX, KMER_SEQUENCE, KMER_REPEATS, KMER_NEXT = range(5)
KMER_COLUMNS = KMER_NEXT + 5
# Columns of `runs`, int64[n, 4]: row of `reads`, first and one past last place of usable bases; in row i of the last, the run whose turn
# is the i-th.
RUN_READ, RUN_START, RUN_STOP, RUN_TURN = range(4)
# Columns of `reads`, int64[n, 3]: place of the first base (the next row's ends it), sample; by sample, its turn.
READ_START, READ_SAMPLE, SAMPLE_TURN = range(3)
# Entries of `tally`, int64[3]: distinct k-mers, those that some sequence has twice, the number that marks slots in use.
N_KMERS, N_REPEATS, STAMP = range(3)

MIX = np.uint64(0x9E3779B97F4A7C15)
EXACT_K = 27  # 5 ** 27 < 2 ** 64: up to here equal keys mean equal k-mers


@inner_kernel
def find_runs(text, quals, reads, n_reads, min_base_quality, min_length, runs):
    """Runs of bases of at least the quality, none of them N, of at least `min_length`, by read → their number."""
    n_runs = 0
    for r in range(n_reads):
        start = reads[r, READ_START]
        stop = reads[r + 1, READ_START]
        for p in range(start, stop + 1):
            if p == stop or quals[p] < min_base_quality or text[p] >= N:
                if p - start >= min_length:
                    runs[n_runs, RUN_READ] = r
                    runs[n_runs, RUN_START] = start
                    runs[n_runs, RUN_STOP] = p
                    n_runs += 1
                start = p + 1
    return n_runs


@inner_kernel
def order_runs(runs, n_runs, k, reads):
    """Give turns to the runs of at least k bases, by samples in the order of their first such run → their number."""
    for i in range(n_runs):
        reads[reads[runs[i, RUN_READ], READ_SAMPLE], SAMPLE_TURN] = -1
    n_samples = 0
    n_turns = 0
    for i in range(n_runs):
        sample = reads[runs[i, RUN_READ], READ_SAMPLE]
        if runs[i, RUN_STOP] - runs[i, RUN_START] < k:
            continue
        if reads[sample, SAMPLE_TURN] < 0:
            reads[sample, SAMPLE_TURN] = n_samples
            n_samples += 1
        runs[n_turns, RUN_TURN] = i
        n_turns += 1
    if n_samples < 2:
        return n_turns
    n_turns = 0
    for turn in range(n_samples):
        for i in range(n_runs):
            sample = reads[runs[i, RUN_READ], READ_SAMPLE]
            if runs[i, RUN_STOP] - runs[i, RUN_START] >= k and reads[sample, SAMPLE_TURN] == turn:
                runs[n_turns, RUN_TURN] = i
                n_turns += 1
    return n_turns


@inner_kernel
def key_of_kmer(place, k, text):
    """The k-mer as a number to base 5, modulo 2 ** 64."""
    key = np.uint64(0)
    for t in range(k):
        key = key * np.uint64(5) + np.uint64(text[place + t])
    return key


@inner_kernel
def enter_kmer(key, place, k, text, keys, slots, kmers, tally):
    """Row of a k-mer in `kmers`, a new one if it was not there. A slot whose upper half is not the stamp is free."""
    stamp = tally[STAMP]
    mask = slots.size - 1
    slot = np.int64((key * MIX) >> np.uint64(40)) & mask
    while slots[slot] >> 32 == stamp:
        if keys[slot] == key:
            row = slots[slot] & 0x7FFFFFFF
            if k <= EXACT_K:
                return row
            other = kmers[row, KMER_PLACE]
            t = 0
            while t < k and text[other + t] == text[place + t]:
                t += 1
            if t == k:
                return row
        slot = (slot + 1) & mask
    row = tally[N_KMERS]
    tally[N_KMERS] = row + 1
    keys[slot] = key
    slots[slot] = stamp << 32 | row
    kmers[row, KMER_PLACE] = place
    kmers[row, KMER_VERTEX] = -1
    kmers[row, KMER_SEQUENCE] = -1
    kmers[row, KMER_REPEATS] = 0
    for base in range(5):
        kmers[row, KMER_NEXT + base] = -1
    return row


@inner_kernel
def count_kmers(sequence, start, stop, k, text, keys, slots, kmers, kmer_at, tally):
    """Enter the k-mers of one sequence, text[start:stop]; those it has twice are marked → False if the table is too small.

    kmer_at : int64, gets the row of each place's k-mer.
    """
    if 2 * (tally[N_KMERS] + stop - start) > slots.size or tally[N_KMERS] + stop - start > kmers.shape[0]:
        return False
    row = np.int64(-1)
    for place in range(start, stop - k + 1):
        base = text[place + k - 1]
        # A k-mer and the base after it say which k-mer follows: most steps have been made before and need no hash.
        following = kmers[row, KMER_NEXT + base] if row >= 0 else np.int64(-1)
        if following < 0:
            following = enter_kmer(key_of_kmer(place, k, text), place, k, text, keys, slots, kmers, tally)
            if row >= 0:
                kmers[row, KMER_NEXT + base] = following
        row = following
        kmer_at[place] = row
        if kmers[row, KMER_SEQUENCE] == sequence and kmers[row, KMER_REPEATS] == 0:
            kmers[row, KMER_REPEATS] = 1
            tally[N_REPEATS] += 1
        kmers[row, KMER_SEQUENCE] = sequence
    return True


@inner_kernel
def count_read_kmers(runs, n_turns, k, reads, text, keys, slots, kmers, kmer_at, tally):
    """Enter the k-mers of every read, from its first base (not that of the run) to the end of its last run → False as `count_kmers`.

    The runs of a read share its number: what repeats up to the end of an earlier run repeats up to the end of the last.
    """
    for i in range(n_turns):
        run = runs[i, RUN_TURN]
        read = runs[run, RUN_READ]
        if i + 1 == n_turns or runs[runs[i + 1, RUN_TURN], RUN_READ] != read:
            start, stop = reads[read, READ_START], runs[run, RUN_STOP]
            if not count_kmers(read + 1, start, stop, k, text, keys, slots, kmers, kmer_at, tally):
                return False
    return True


@inner_kernel
def vertex_of_kmer(place, k, kmers, kmer_at, vertices, sizes):
    """A new vertex; the first one made for a k-mer that no sequence has twice is the one that others merge into."""
    v = add_vertex(vertices, sizes, place, k)
    row = kmer_at[place]
    if kmers[row, KMER_REPEATS] == 0 and kmers[row, KMER_VERTEX] < 0:
        kmers[row, KMER_VERTEX] = v
    return v


@inner_kernel
def thread_reference(length, k, kmers, kmer_at, vertices, edges, sizes, top_counts):
    """The reference's own path: vertex v is its k-mer at offset v, edge v leaves it."""
    clear_graph(sizes)
    n = length - k + 1
    if not has_room(vertices, edges, sizes, n, n):
        return
    for offset in range(n):
        v = vertex_of_kmer(offset, k, kmers, kmer_at, vertices, sizes)
        if v > 0:
            note_new_edge(append_edge(vertices, edges, sizes, v - 1, v, 1, 1), top_counts)
    end_sample(edges, sizes, top_counts)


@inner_kernel
def note_new_edge(e, top_counts):
    """An edge begins its list of counts with the one it was made with."""
    top_counts[e, 0] = 1
    for t in range(1, top_counts.shape[1]):
        top_counts[e, t] = -1


@inner_kernel
def end_sample(edges, sizes, top_counts):
    """Put the counts of the sample under way among the largest of each edge; the smallest that stays is what pruning looks at."""
    n = top_counts.shape[1]
    for e in range(sizes[N_EDGES]):
        count = edges[e, SAMPLE_COUNT]
        edges[e, SAMPLE_COUNT] = 0
        lowest = 0
        for t in range(1, n):
            if top_counts[e, t] < top_counts[e, lowest]:
                lowest = t
        if count > top_counts[e, lowest]:
            top_counts[e, lowest] = count
        smallest = 2**62
        for t in range(n):
            if 0 <= top_counts[e, t] < smallest:
                smallest = top_counts[e, t]
        edges[e, PRUNING_COUNT] = smallest


@inner_kernel
def thread_reads(runs, n_turns, reads, k, text, kmers, kmer_at, vertices, edges, sizes, top_counts):
    """Walk all runs through the graph, sample after sample."""
    for i in range(n_turns):
        run = runs[i, RUN_TURN]
        start, stop = runs[run, RUN_START], runs[run, RUN_STOP]
        if not has_room(vertices, edges, sizes, stop - start, stop - start):
            return
        thread_run(start, stop, k, text, kmers, kmer_at, vertices, edges, sizes, top_counts)
        sample = reads[runs[run, RUN_READ], READ_SAMPLE]
        if i + 1 == n_turns or reads[runs[runs[i + 1, RUN_TURN], RUN_READ], READ_SAMPLE] != sample:
            end_sample(edges, sizes, top_counts)


@inner_kernel
def thread_run(start, stop, k, text, kmers, kmer_at, vertices, edges, sizes, top_counts):
    """Walk one run of usable bases through the graph, adding what it lacks."""
    p = start
    while p < stop - k and kmers[kmer_at[p], KMER_REPEATS] != 0:
        p += 1
    if p >= stop - k:
        return
    v = kmers[kmer_at[p], KMER_VERTEX]
    if v < 0:
        v = vertex_of_kmer(p, k, kmers, kmer_at, vertices, sizes)
    credit_backwards(v, p, k, text, vertices, edges)
    ref_source_kmer = kmer_at[0]
    for q in range(p + k, stop):
        base = text[q]
        e = vertices[v, FIRST_OUT]
        while e >= 0 and text[vertices[edges[e, TARGET], PLACE] + k - 1] != base:
            e = edges[e, NEXT_OUT]
        if e >= 0:
            edges[e, COUNT] += 1
            edges[e, SAMPLE_COUNT] += 1
            v = edges[e, TARGET]
            continue
        row = kmer_at[q - k + 1]
        target = kmers[row, KMER_VERTEX]
        if target < 0 or row == ref_source_kmer:
            target = vertex_of_kmer(q - k + 1, k, kmers, kmer_at, vertices, sizes)
        note_new_edge(append_edge(vertices, edges, sizes, v, target, 0, 1), top_counts)
        v = target


@inner_kernel
def credit_backwards(v, place, k, text, vertices, edges):
    """A run that starts inside known sequence supports what lies before it: as far as there is one way back that spells its k-mer."""
    for t in range(k - 2, -1, -1):
        if vertices[v, IN_DEGREE] != 1:
            return
        e = vertices[v, FIRST_IN]
        v = edges[e, SOURCE]
        if text[vertices[v, PLACE] + k - 1] != text[place + t]:
            return
        edges[e, COUNT] += 1
        edges[e, SAMPLE_COUNT] += 1


@inner_kernel
def is_too_simple(kmers, tally, vertices):
    """Whether k-mers that repeat are more than a quarter of those that are unique and still have their vertex."""
    n_unique = 0
    for row in range(tally[N_KMERS]):
        if kmers[row, KMER_VERTEX] >= 0 and vertices[kmers[row, KMER_VERTEX], LENGTH] != REMOVED:
            n_unique += 1
    return 4 * tally[N_REPEATS] > n_unique
