"""The read-threading graph of one region for one k (specification, section 3.2).

A text holds the reference span and after it the region's reads; a k-mer is a place in the text. Every read is walked through the
graph base by base, in an order that matters, so what is counted here is what a plain reading of the specification counts.

Most bases of most reads are the reference's where they are aligned. Over such a stretch the k-mers are known to be in the table, and the
walk is along the reference's own path as soon as it is on it: it is noted where each begins and ends, and added up once for all.

Edge columns beside those of graph.py: SAMPLE_COUNT counts the sample under way; PRUNING_COUNT is the smallest of the largest
counts that single samples gave, which stand in `top_counts`.
"""

import numpy as np

from gpuvc.assembly.direct import aligned_part
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
from gpuvc.kernels.codes import ALIGNS, CONSUMES_READ, CONSUMES_REFERENCE, N
from gpuvc.kernels.cpu.sequences import WIDTH, below_mask, copy_bases, lowest_bit, same_until
from gpuvc.kernels.jit import inner_kernel

# Columns of `kmers`, int32[n, 9]: where the k-mer stands, the vertex that others merge into (-1: none yet), the last sequence that
# had it, whether some sequence has it twice; by base, the row of the k-mer that it is followed by with that base (-1: not known).
KMER_PLACE, KMER_VERTEX, KMER_SEQUENCE, KMER_REPEATS, KMER_NEXT = range(5)
KMER_COLUMNS = KMER_NEXT + 5
# Columns of `runs`, int64[n, 4]: row of `reads`, first and one past last place of usable bases; in row i of the last, the run whose turn
# is the i-th.
RUN_READ, RUN_START, RUN_STOP, RUN_TURN = range(4)
# Columns of `reads`, int64[n, 4]: place of the first base and first stretch (the next row's end them), sample; by sample, its turn.
READ_START, READ_STRETCH, READ_SAMPLE, SAMPLE_TURN = range(4)
# Columns of `stretches`, int64[n, 3]: first and one past last place where a read is as the reference, and how far before it that stands.
STRETCH_START, STRETCH_STOP, STRETCH_SHIFT = range(3)
# Columns of `slots`, int64[2 ** n, 2]: the key; the row of `kmers`, and above it the number that says whether it is of this table.
SLOT_KEY, SLOT_ROW = range(2)
# Entries of `tally`, int64[4]: distinct k-mers, those that some sequence has twice, the number that marks slots in use, bases of a stretch
# that the reference is known to have twice.
N_KMERS, N_REPEATS, STAMP, REPEATED = range(4)

MIX = np.uint64(0x9E3779B97F4A7C15)
RADIX = np.uint64(5)
EXACT_K = 27  # 5 ** 27 < 2 ** 64: up to here equal keys mean equal k-mers


@inner_kernel
def load_region(
    ref, start, first_row, last_row, sample, pos, cigar, cigar_offsets, bases, base_quals, base_offsets, min_base_quality, min_length,
    text, reads, runs, stretches,
):  # fmt: skip
    """Lay out a region's text: the reference, then the reads without their soft clips → (number of reads, of runs).

    Runs are of bases of at least the quality, none of them N; neither they nor stretches are shorter than `min_length`.
    """
    n_ref = ref.size
    copy_bases(ref, 0, text, 0, n_ref)
    end = n_ref
    n_reads = n_runs = n_stretches = 0
    for row in range(first_row, last_row):
        first, last, lo, hi = aligned_part(row, cigar, cigar_offsets, base_offsets)
        copy_bases(bases, lo, text, end, hi - lo)
        reads[n_reads, READ_START] = end
        reads[n_reads, READ_STRETCH] = n_stretches
        reads[n_reads, READ_SAMPLE] = sample[row]
        n_runs = find_runs(text, base_quals, end, lo, hi - lo, n_reads, min_base_quality, min_length, n_runs, runs)
        n_reads += 1
        place, at = end, pos[row] - start
        for c in range(first, last):
            operation, length = np.int64(cigar[c]) & 15, np.int64(cigar[c]) >> 4
            if ALIGNS >> operation & 1:
                begin, stop = max(0, -at), min(length, n_ref - at)
                n_stretches = find_stretches(text, place, at, begin, stop, min_length, n_stretches, stretches)
            if CONSUMES_REFERENCE >> operation & 1:
                at += length
            if CONSUMES_READ >> operation & 1:
                place += length
        end += hi - lo
    reads[n_reads, READ_START] = end
    reads[n_reads, READ_STRETCH] = n_stretches
    return n_reads, n_runs


@inner_kernel
def find_runs(text, quals, place, first_qual, length, read, min_base_quality, min_length, n_runs, runs):
    """Append one read's runs of usable bases → the new number of runs."""
    threshold = np.uint8(min(max(min_base_quality, 0), 255))
    start = 0
    for t in range(0, length, WIDTH):
        size = min(WIDTH, length - t)
        mask = below_mask(quals, first_qual + t, threshold, size) | ~below_mask(text, place + t, np.uint8(N), size) & (1 << size) - 1
        while mask:
            end = t + lowest_bit(mask)
            mask &= mask - 1
            n_runs = append_run(read, place + start, place + end, min_length, n_runs, runs)
            start = end + 1
    return append_run(read, place + start, place + length, min_length, n_runs, runs)


@inner_kernel
def append_run(read, start, stop, min_length, n_runs, runs):
    """Append a run unless it is too short → the new number of runs."""
    if stop - start < min_length:
        return n_runs
    runs[n_runs, RUN_READ] = read
    runs[n_runs, RUN_START] = start
    runs[n_runs, RUN_STOP] = stop
    return n_runs + 1


@inner_kernel
def find_stretches(text, place, at, start, stop, min_length, n_stretches, stretches):
    """Append the stretches of text[place + start : place + stop] that are as text[at + start : at + stop] → the new number of stretches."""
    while start < stop:
        end = same_until(text, place, text, at, start, stop)
        if end - start >= min_length:
            stretches[n_stretches, STRETCH_START] = place + start
            stretches[n_stretches, STRETCH_STOP] = place + end
            stretches[n_stretches, STRETCH_SHIFT] = place - at
            n_stretches += 1
        start = end + 1
    return n_stretches


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
        key = key * RADIX + np.uint64(text[place + t])
    return key


@inner_kernel
def enter_kmer(key, place, k, text, slots, kmers, tally):
    """Row of a k-mer in `kmers`, a new one if it was not there. A slot whose upper half is not the stamp is free."""
    stamp = tally[STAMP]
    mask = slots.shape[0] - 1
    slot = np.int64((key * MIX) >> np.uint64(40)) & mask
    while slots[slot, SLOT_ROW] >> 32 == stamp:
        if slots[slot, SLOT_KEY] == np.int64(key):
            row = slots[slot, SLOT_ROW] & 0x7FFFFFFF
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
    slots[slot, SLOT_KEY] = np.int64(key)
    slots[slot, SLOT_ROW] = stamp << 32 | row
    kmers[row, KMER_PLACE] = place
    kmers[row, KMER_VERTEX] = -1
    kmers[row, KMER_SEQUENCE] = -1
    kmers[row, KMER_REPEATS] = 0
    for base in range(5):
        kmers[row, KMER_NEXT + base] = -1
    return row


@inner_kernel
def count_kmers(
    sequence, start, stop, first_stretch, last_stretch, k, n_ref, text, stretches, slots, kmers, kmer_at, tally, until_repeat
):  # fmt: skip
    """Enter the k-mers of one sequence, text[start:stop]; those it has twice are marked → False if the table is too small.

    until_repeat : leave the rest at the first of these, and note in `tally` how long the stretch is. n_ref : k-mers of the reference,
    which are in the table unless this is it. kmer_at : int32, gets the row of each place's k-mer, but for those in stretches: that is the
    row of the reference's.
    """
    if 2 * (tally[N_KMERS] + stop - start) > slots.shape[0] or tally[N_KMERS] + stop - start > kmers.shape[0]:
        return False
    power = np.uint64(1)
    for _ in range(k):
        power *= RADIX
    key, keyed = np.uint64(0), np.int64(-2)
    row = np.int64(-1)
    stretch = first_stretch
    place = start
    while place <= stop - k:
        while stretch < last_stretch and stretches[stretch, STRETCH_STOP] - k < place:
            stretch += 1
        if stretch < last_stretch and stretches[stretch, STRETCH_START] <= place:
            last = min(stretches[stretch, STRETCH_STOP], stop) - k
            row = kmer_at[last - stretches[stretch, STRETCH_SHIFT]]
            place = last + 1
            continue
        base = text[place + k - 1]
        # A k-mer and the base after it say which k-mer follows: most steps have been made before and need no hash.
        following = kmers[row, KMER_NEXT + base] if row >= 0 else np.int64(-1)
        if following < 0:
            if keyed == place - 1:
                key = key * RADIX + np.uint64(base) - power * np.uint64(text[place - 1])
            else:
                key = key_of_kmer(place, k, text)
            keyed = place
            following = enter_kmer(key, place, k, text, slots, kmers, tally)
            if row >= 0:
                kmers[row, KMER_NEXT + base] = following
        row = following
        kmer_at[place] = row
        if kmers[row, KMER_REPEATS] == 0 and (
            kmers[row, KMER_SEQUENCE] == sequence
            or (kmers[row, KMER_PLACE] < n_ref and is_in_stretch(kmers[row, KMER_PLACE], stop, first_stretch, last_stretch, k, stretches))
        ):
            kmers[row, KMER_REPEATS] = 1
            tally[N_REPEATS] += 1
            if until_repeat:
                tally[REPEATED] = same_until(text, kmers[row, KMER_PLACE], text, place, k, stop - place)
                return True
        kmers[row, KMER_SEQUENCE] = sequence
        place += 1
    return True


@inner_kernel
def is_in_stretch(offset, stop, first_stretch, last_stretch, k, stretches):
    """Whether the reference's k-mer at `offset` is in one of the stretches, each up to place `stop`."""
    for stretch in range(first_stretch, last_stretch):
        place = offset + stretches[stretch, STRETCH_SHIFT]
        if stretches[stretch, STRETCH_START] <= place <= min(stretches[stretch, STRETCH_STOP], stop) - k:
            return True
    return False


@inner_kernel
def count_read_kmers(runs, n_turns, k, n_ref, reads, text, stretches, slots, kmers, kmer_at, tally):
    """Enter the k-mers of every read, from its first base (not that of the run) to the end of its last run → False as `count_kmers`.

    The runs of a read share its number: what repeats up to the end of an earlier run repeats up to the end of the last.
    """
    for i in range(n_turns):
        run = runs[i, RUN_TURN]
        read = runs[run, RUN_READ]
        if i + 1 == n_turns or runs[runs[i + 1, RUN_TURN], RUN_READ] != read:
            first, last = reads[read, READ_STRETCH], reads[read + 1, READ_STRETCH]
            start, stop = reads[read, READ_START], runs[run, RUN_STOP]
            if not count_kmers(read + 1, start, stop, first, last, k, n_ref, text, stretches, slots, kmers, kmer_at, tally, False):
                return False
    return True


@inner_kernel
def vertex_of_kmer(place, row, k, kmers, vertices, sizes):
    """A new vertex; the first one made for a k-mer that no sequence has twice is the one that others merge into."""
    v = add_vertex(vertices, sizes, place, k)
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
        v = vertex_of_kmer(offset, kmer_at[offset], k, kmers, vertices, sizes)
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
def thread_reads(runs, n_turns, reads, k, n_ref, text, stretches, kmers, kmer_at, vertices, edges, sizes, top_counts, passed, joints):
    """Walk all runs through the graph, sample after sample. passed, joints : int64[> n_ref], overwritten."""
    for v in range(n_ref + 1):
        passed[v] = 0
        joints[v] = 0
    for i in range(n_turns):
        run = runs[i, RUN_TURN]
        read = runs[run, RUN_READ]
        start, stop = runs[run, RUN_START], runs[run, RUN_STOP]
        if not has_room(vertices, edges, sizes, stop - start, stop - start):
            return
        thread_run(
            start, stop, reads[read, READ_STRETCH], reads[read + 1, READ_STRETCH], k, n_ref, text, stretches, kmers, kmer_at, vertices,
            edges, sizes, top_counts, passed, joints,
        )  # fmt: skip
        sample = reads[read, READ_SAMPLE]
        if i + 1 == n_turns or reads[runs[runs[i + 1, RUN_TURN], RUN_READ], READ_SAMPLE] != sample:
            add_passed(n_ref, edges, passed)
            end_sample(edges, sizes, top_counts)


@inner_kernel
def add_passed(n_ref, edges, passed):
    """Credit the reference's edges with the walks along them, noted as +1 where one begins and -1 where it ends."""
    n = 0
    for v in range(n_ref):
        n += passed[v]
        passed[v] = 0
        if n > 0:
            edges[v, COUNT] += n
            edges[v, SAMPLE_COUNT] += n


@inner_kernel
def thread_run(
    start, stop, first_stretch, last_stretch, k, n_ref, text, stretches, kmers, kmer_at, vertices, edges, sizes, top_counts, passed,
    joints,
):  # fmt: skip
    """Walk one run of usable bases through the graph, adding what it lacks. joints : which of the reference's vertices others lead to."""
    v = np.int64(-1)
    stretch = first_stretch
    place = start
    while place <= stop - k:
        while stretch < last_stretch and stretches[stretch, STRETCH_STOP] - k < place:
            stretch += 1
        offset = np.int64(-1)  # of the reference's k-mer that this one is known to be
        if stretch < last_stretch and stretches[stretch, STRETCH_START] <= place:
            offset = place - stretches[stretch, STRETCH_SHIFT]
        row = kmer_at[offset if offset >= 0 else place]
        if v < 0:
            if place == stop - k:
                return
            if kmers[row, KMER_REPEATS] == 0:
                v = kmers[row, KMER_VERTEX]
                if v < 0:
                    v = vertex_of_kmer(place, row, k, kmers, vertices, sizes)
                credit_backwards(v, place, k, n_ref, text, vertices, edges, passed, joints)
            place += 1
            continue
        if offset > 0 and v == offset - 1:
            last = min(stretches[stretch, STRETCH_STOP], stop) - k
            passed[v] += 1
            v += last + 1 - place
            passed[v] -= 1
            place = last + 1
            continue
        base = text[place + k - 1]
        place += 1
        e = vertices[v, FIRST_OUT]
        while e >= 0 and text[vertices[edges[e, TARGET], PLACE] + k - 1] != base:
            e = edges[e, NEXT_OUT]
        if e >= 0:
            edges[e, COUNT] += 1
            edges[e, SAMPLE_COUNT] += 1
            v = edges[e, TARGET]
            continue
        target = kmers[row, KMER_VERTEX]
        if target < 0 or row == kmer_at[0]:
            target = vertex_of_kmer(place - 1, row, k, kmers, vertices, sizes)
        elif target < n_ref:
            joints[target] = 1
        note_new_edge(append_edge(vertices, edges, sizes, v, target, 0, 1), top_counts)
        v = target


@inner_kernel
def credit_backwards(v, place, k, n_ref, text, vertices, edges, passed, joints):
    """A run that starts inside known sequence supports what lies before it: as far as there is one way back that spells its k-mer."""
    if v < n_ref:
        first = v
        while first > max(0, v - k + 1) and joints[first] == 0:
            first -= 1
        passed[first] += 1
        passed[v] -= 1
        return
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
