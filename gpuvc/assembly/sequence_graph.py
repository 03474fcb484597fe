"""The graph of k-mers rewritten with a piece of sequence per vertex, and simplified (specification, section 3.5).

Simplifying keeps the paths but re-weights edges, so the scores of haplotypes depend on the order of the steps; it is kept exactly.
A vertex spells `LENGTH` bases of `spelled` from `PLACE` on. Parts of a vertex share its bases; joined vertices are copied.
"""

import numpy as np

from gpuvc.assembly.graph import (
    COUNT,
    FIRST_IN,
    FIRST_OUT,
    IN_DEGREE,
    IS_REF,
    LAST_IN,
    LAST_OUT,
    LENGTH,
    N_BASES,
    N_EDGES,
    N_LIVE,
    N_VERTICES,
    NEXT_IN,
    NEXT_OUT,
    OUT_DEGREE,
    OVERFLOW,
    PLACE,
    REMOVED,
    SOURCE,
    TARGET,
    add_edge,
    add_vertex,
    append_edge,
    clear_graph,
    find_edge,
    find_ref_sink,
    find_ref_source,
    has_room,
    is_on_reference,
    is_ref_source,
    keep_paths_between,
    remove_edge,
    remove_vertex,
)
from gpuvc.kernels.jit import inner_kernel

MAX_ROUNDS = 100
FIRST_COMPARED_ROUND = 7  # counted from 0


@inner_kernel
def convert(k, text, kmer_vertices, kmer_edges, kmer_sizes, vertices, edges, sizes, spelled, numbers, starts):
    """Each k-mer becomes its last base, a source keeps all of it; every linear chain is zipped at once, as `zip_chains` would do it.

    numbers, starts : int64[>= k-mer vertices], overwritten.
    """
    clear_graph(sizes)
    sizes[N_BASES] = 0
    n_chains = find_chains(kmer_vertices, kmer_edges, kmer_sizes, numbers, starts)
    if not has_room(vertices, edges, sizes, kmer_sizes[N_LIVE], kmer_sizes[N_EDGES]):
        return
    for v in range(kmer_sizes[N_VERTICES]):
        if kmer_vertices[v, LENGTH] != REMOVED and numbers[v] == -1:
            place = sizes[N_BASES]
            spell_kmer(v, k, text, kmer_vertices, sizes, spelled)
            numbers[v] = add_vertex(vertices, sizes, place, sizes[N_BASES] - place)
            if sizes[OVERFLOW]:
                return
    n_single = sizes[N_VERTICES]
    for chain in range(n_chains):
        place = sizes[N_BASES]
        v = starts[chain]
        while True:
            spell_kmer(v, k, text, kmer_vertices, sizes, spelled)
            numbers[v] = n_single + chain
            following = kmer_edges[kmer_vertices[v, FIRST_OUT], TARGET] if kmer_vertices[v, OUT_DEGREE] == 1 else v
            if numbers[following] != -2 - chain or sizes[OVERFLOW]:
                break
            v = following
        add_vertex(vertices, sizes, place, sizes[N_BASES] - place)
        if sizes[OVERFLOW]:
            return
    for e in range(kmer_sizes[N_EDGES]):
        if kmer_edges[e, SOURCE] == REMOVED:
            continue
        source, target = numbers[kmer_edges[e, SOURCE]], numbers[kmer_edges[e, TARGET]]
        if source != target or target < n_single or starts[target - n_single] == kmer_edges[e, TARGET]:
            append_edge(vertices, edges, sizes, source, target, kmer_edges[e, IS_REF], kmer_edges[e, COUNT])
    # To zip a chain makes its edges anew, and age decides the order of edges.
    for v in range(n_single, sizes[N_VERTICES]):
        if not has_room(vertices, edges, sizes, 0, vertices[v, OUT_DEGREE] + vertices[v, IN_DEGREE]):
            return
        for _ in range(vertices[v, OUT_DEGREE]):
            renew_edge(vertices[v, FIRST_OUT], vertices, edges, sizes)
        for _ in range(vertices[v, IN_DEGREE]):
            renew_edge(vertices[v, FIRST_IN], vertices, edges, sizes)


@inner_kernel
def find_chains(vertices, edges, sizes, numbers, starts):
    """Note the linear chains of two vertices and more → their number.

    starts : gets the first vertex of each. numbers : -2 less the number of its chain for each vertex of one, -1 for the others.
    """
    for v in range(sizes[N_VERTICES]):
        numbers[v] = -1
    n_chains = 0
    for first in range(sizes[N_VERTICES]):
        if not starts_chain(vertices, edges, first):
            continue
        last = first
        on_reference = is_on_reference(vertices, edges, sizes, first)
        while vertices[last, OUT_DEGREE] == 1:
            target = edges[vertices[last, FIRST_OUT], TARGET]
            if vertices[target, IN_DEGREE] != 1 or target == last or is_on_reference(vertices, edges, sizes, target) != on_reference:
                break
            last = target
            numbers[last] = -2 - n_chains
        if last != first:
            numbers[first] = -2 - n_chains
            starts[n_chains] = first
            n_chains += 1
    return n_chains


@inner_kernel
def spell_kmer(v, k, text, vertices, sizes, spelled):
    """Put what a k-mer's vertex adds to its predecessor behind the text in use, all of it for a source."""
    length = k if vertices[v, IN_DEGREE] == 0 else 1
    place, first = sizes[N_BASES], vertices[v, PLACE] + k - length
    if place + length > spelled.size:
        sizes[OVERFLOW] = 1
        return
    for t in range(length):
        spelled[place + t] = text[first + t]
    sizes[N_BASES] = place + length


@inner_kernel
def renew_edge(e, vertices, edges, sizes):
    """Make an edge the youngest. The caller has asked for room."""
    append_edge(vertices, edges, sizes, edges[e, SOURCE], edges[e, TARGET], edges[e, IS_REF], edges[e, COUNT])
    remove_edge(vertices, edges, e)


@inner_kernel
def starts_chain(vertices, edges, v):
    """Whether a linear chain can begin at `v`: one way out, and not in the middle of one itself."""
    if vertices[v, LENGTH] == REMOVED or vertices[v, OUT_DEGREE] != 1:
        return False
    return vertices[v, IN_DEGREE] != 1 or vertices[edges[vertices[v, FIRST_IN], SOURCE], OUT_DEGREE] > 1


@inner_kernel
def zip_chains(vertices, edges, sizes, spelled, starts):
    """Turn every linear chain into one vertex → whether there was one. starts : int64[>= vertices], overwritten."""
    n_starts = 0
    for v in range(sizes[N_VERTICES]):
        if starts_chain(vertices, edges, v):
            starts[n_starts] = v
            n_starts += 1
    worked = False
    for i in range(n_starts):
        first = starts[i]
        last = first
        length = vertices[first, LENGTH]
        on_reference = is_on_reference(vertices, edges, sizes, first)
        while vertices[last, OUT_DEGREE] == 1:
            target = edges[vertices[last, FIRST_OUT], TARGET]
            if vertices[target, IN_DEGREE] != 1 or target == last:
                break
            if is_on_reference(vertices, edges, sizes, target) != on_reference:
                break
            last = target
            length += vertices[last, LENGTH]
        if last != first:
            zip_chain(first, last, length, vertices, edges, sizes, spelled)
            if sizes[OVERFLOW]:
                return worked
            worked = True
    return worked


@inner_kernel
def close_gaps(vertices, edges, sizes, vertex_rows, edge_rows):
    """Drop the rows of what was removed; the others keep their order. vertex_rows, edge_rows : int64[>= rows], overwritten."""
    n_vertices = n_edges = 0
    for v in range(sizes[N_VERTICES]):
        if vertices[v, LENGTH] != REMOVED:
            vertex_rows[v] = n_vertices
            for column in range(8):
                vertices[n_vertices, column] = vertices[v, column]
            n_vertices += 1
    for e in range(sizes[N_EDGES]):
        if edges[e, SOURCE] != REMOVED:
            edge_rows[e] = n_edges
            for column in range(8):
                edges[n_edges, column] = edges[e, column]
            n_edges += 1
    sizes[N_VERTICES], sizes[N_EDGES] = n_vertices, n_edges
    for v in range(n_vertices):
        for column in (FIRST_OUT, LAST_OUT, FIRST_IN, LAST_IN):
            if vertices[v, column] >= 0:
                vertices[v, column] = edge_rows[vertices[v, column]]
    for e in range(n_edges):
        for column in (SOURCE, TARGET):
            edges[e, column] = vertex_rows[edges[e, column]]
        for column in (NEXT_OUT, NEXT_IN):
            if edges[e, column] >= 0:
                edges[e, column] = edge_rows[edges[e, column]]


@inner_kernel
def zip_chain(first, last, length, vertices, edges, sizes, spelled):
    """Turn the chain from `first` to `last`, `length` bases, into one new vertex."""
    place = sizes[N_BASES]
    if place + length > spelled.size:
        sizes[OVERFLOW] = 1
    if not has_room(vertices, edges, sizes, 1, vertices[last, OUT_DEGREE] + vertices[first, IN_DEGREE]) or sizes[OVERFLOW]:
        return
    v = first
    while True:
        append_bases(v, vertices, sizes, spelled)
        if v == last:
            break
        v = edges[vertices[v, FIRST_OUT], TARGET]
    new = add_vertex(vertices, sizes, place, length)
    copy_out_edges(last, new, vertices, edges, sizes)
    copy_in_edges(first, new, vertices, edges, sizes)
    v = first
    while v != last:
        following = edges[vertices[v, FIRST_OUT], TARGET]
        remove_vertex(vertices, edges, sizes, v)
        v = following
    remove_vertex(vertices, edges, sizes, last)


@inner_kernel
def append_bases(v, vertices, sizes, spelled):
    """Copy what `v` spells behind the text in use. The caller has asked for room."""
    place, end = vertices[v, PLACE], sizes[N_BASES]
    for t in range(vertices[v, LENGTH]):
        spelled[end + t] = spelled[place + t]
    sizes[N_BASES] = end + vertices[v, LENGTH]


@inner_kernel
def copy_out_edges(old, new, vertices, edges, sizes):
    """Give `new` edges like those out of `old`."""
    e = vertices[old, FIRST_OUT]
    while e >= 0:
        add_edge(vertices, edges, sizes, new, edges[e, TARGET], edges[e, IS_REF], edges[e, COUNT])
        e = edges[e, NEXT_OUT]


@inner_kernel
def copy_in_edges(old, new, vertices, edges, sizes):
    """Give `new` edges like those into `old`."""
    e = vertices[old, FIRST_IN]
    while e >= 0:
        add_edge(vertices, edges, sizes, edges[e, SOURCE], new, edges[e, IS_REF], edges[e, COUNT])
        e = edges[e, NEXT_IN]


@inner_kernel
def common_prefix(v, other, length, vertices, spelled):
    """Length of the common prefix of two vertices, at most `length`."""
    p, q = vertices[v, PLACE], vertices[other, PLACE]
    n = 0
    while n < length and spelled[p + n] == spelled[q + n]:
        n += 1
    return n


@inner_kernel
def common_suffix(v, other, length, vertices, spelled):
    """Length of the common suffix of two vertices, at most `length`."""
    p, q = vertices[v, PLACE] + vertices[v, LENGTH] - 1, vertices[other, PLACE] + vertices[other, LENGTH] - 1
    n = 0
    while n < length and spelled[p - n] == spelled[q - n]:
        n += 1
    return n


@inner_kernel
def diamond_bottom(top, vertices, edges):
    """The vertex where all ways out of `top` meet again after one vertex each; -1 if they do not."""
    if vertices[top, OUT_DEGREE] < 2:
        return -1
    bottom = -1
    e = vertices[top, FIRST_OUT]
    while e >= 0:
        middle = edges[e, TARGET]
        if vertices[middle, IN_DEGREE] != 1 or vertices[middle, OUT_DEGREE] != 1:
            return -1
        below = edges[vertices[middle, FIRST_OUT], TARGET]
        if bottom >= 0 and below != bottom:
            return -1
        bottom = below
        e = edges[e, NEXT_OUT]
    return bottom if vertices[bottom, IN_DEGREE] == vertices[top, OUT_DEGREE] else -1


@inner_kernel
def merge_diamond(top, vertices, edges, sizes, spelled):
    """Take what the middles below `top` share at their starts and ends into vertices of their own → whether they share any."""
    bottom = diamond_bottom(top, vertices, edges)
    if bottom < 0:
        return False
    first = edges[vertices[top, FIRST_OUT], TARGET]
    prefix = shortest = vertices[first, LENGTH]
    e = edges[vertices[top, FIRST_OUT], NEXT_OUT]
    while e >= 0:
        middle = edges[e, TARGET]
        shortest = min(shortest, vertices[middle, LENGTH])
        prefix = common_prefix(first, middle, min(prefix, shortest), vertices, spelled)
        e = edges[e, NEXT_OUT]
    suffix = shortest - prefix
    e = edges[vertices[top, FIRST_OUT], NEXT_OUT]
    while e >= 0:
        suffix = common_suffix(first, edges[e, TARGET], suffix, vertices, spelled)
        e = edges[e, NEXT_OUT]
    if prefix + suffix == 0:
        return False
    n_middles = vertices[top, OUT_DEGREE]
    if not has_room(vertices, edges, sizes, n_middles + 2, 2 * n_middles + 3):
        return False
    split_middles(top, bottom, prefix, suffix, vertices, edges, sizes)
    return True


@inner_kernel
def split_middles(top, bottom, prefix, suffix, vertices, edges, sizes):
    """Rewrite a diamond: top → prefix → what is left of each middle → suffix → bottom."""
    n_middles = vertices[top, OUT_DEGREE]
    # What is left of the middles, in the order of the old edges; their numbers follow each other.
    first_rest = sizes[N_VERTICES]
    any_in_ref = 0
    any_out_ref = 0
    first_old_in = vertices[top, FIRST_OUT]
    e = first_old_in
    while e >= 0:
        middle = edges[e, TARGET]
        left = vertices[middle, LENGTH] - prefix - suffix
        out = vertices[middle, FIRST_OUT]
        if left > 0:
            add_vertex(vertices, sizes, vertices[middle, PLACE] + prefix, left)
            any_in_ref |= edges[e, IS_REF]
            any_out_ref |= edges[out, IS_REF]
        else:
            any_in_ref |= edges[e, IS_REF] | edges[out, IS_REF]
            any_out_ref |= edges[e, IS_REF] | edges[out, IS_REF]
        e = edges[e, NEXT_OUT]
    above, below = top, bottom
    middle = edges[first_old_in, TARGET]
    if prefix > 0:
        above = add_vertex(vertices, sizes, vertices[middle, PLACE], prefix)
    if suffix > 0:
        below = add_vertex(vertices, sizes, vertices[middle, PLACE] + vertices[middle, LENGTH] - suffix, suffix)
    if prefix > 0:
        append_edge(vertices, edges, sizes, top, above, any_in_ref, 1)
    if suffix > 0:
        append_edge(vertices, edges, sizes, below, bottom, any_out_ref, 1)
    # Edges into the rests, then out of them; new edges lie behind the old in the chain of `top`.
    rest = first_rest
    e = first_old_in
    for _ in range(n_middles):
        middle = edges[e, TARGET]
        out = vertices[middle, FIRST_OUT]
        if vertices[middle, LENGTH] - prefix - suffix > 0:
            append_edge(vertices, edges, sizes, above, rest, edges[e, IS_REF], edges[e, COUNT])
            rest += 1
        else:
            is_ref = edges[e, IS_REF] | edges[out, IS_REF]
            direct = find_edge(vertices, edges, above, below)
            if direct < 0:
                append_edge(vertices, edges, sizes, above, below, is_ref, edges[e, COUNT] + edges[out, COUNT])
            else:
                edges[direct, COUNT] += edges[e, COUNT] + edges[out, COUNT]
                edges[direct, IS_REF] |= is_ref
        e = edges[e, NEXT_OUT]
    rest = first_rest
    e = first_old_in
    for _ in range(n_middles):
        middle = edges[e, TARGET]
        following = edges[e, NEXT_OUT]
        if vertices[middle, LENGTH] - prefix - suffix > 0:
            out = vertices[middle, FIRST_OUT]
            append_edge(vertices, edges, sizes, rest, below, edges[out, IS_REF], edges[out, COUNT])
            rest += 1
        remove_vertex(vertices, edges, sizes, middle)
        e = following


@inner_kernel
def shared_suffix(v, vertices, edges, sizes, spelled):
    """Bases that all predecessors of `v` end in and that can be split off; 0 if none or not allowed."""
    if vertices[v, IN_DEGREE] < 2:
        return 0
    first = edges[vertices[v, FIRST_IN], SOURCE]
    suffix = vertices[first, LENGTH]
    e = vertices[v, FIRST_IN]
    while e >= 0:
        u = edges[e, SOURCE]
        if u == v or vertices[u, OUT_DEGREE] != 1 or find_edge(vertices, edges, v, u) >= 0:
            return 0
        suffix = common_suffix(first, u, min(suffix, vertices[u, LENGTH]), vertices, spelled)
        e = edges[e, NEXT_IN]
    all_equal = True
    e = vertices[v, FIRST_IN]
    while e >= 0:
        u = edges[e, SOURCE]
        if vertices[u, LENGTH] == suffix and is_ref_source(vertices, edges, sizes, u):
            return 0
        all_equal = all_equal and vertices[u, LENGTH] == suffix
        e = edges[e, NEXT_IN]
    return 0 if all_equal else suffix


@inner_kernel
def split_suffix(v, vertices, edges, sizes, spelled):
    """Give each predecessor of `v` its own copy of the bases they all end in, as a vertex → whether they end in any."""
    suffix = shared_suffix(v, vertices, edges, sizes, spelled)
    if suffix == 0:
        return False
    n_in = np.int64(0)
    e = vertices[v, FIRST_IN]
    while e >= 0:
        n_in += 2 + vertices[edges[e, SOURCE], IN_DEGREE]
        e = edges[e, NEXT_IN]
    if not has_room(vertices, edges, sizes, 2 * vertices[v, IN_DEGREE], n_in):
        return False
    e = vertices[v, FIRST_IN]
    for _ in range(vertices[v, IN_DEGREE]):
        u = edges[e, SOURCE]
        following = edges[e, NEXT_IN]
        place, length = vertices[u, PLACE], vertices[u, LENGTH]
        own = add_vertex(vertices, sizes, place + length - suffix, suffix)
        entry = own
        if length > suffix:
            entry = add_vertex(vertices, sizes, place, length - suffix)
            append_edge(vertices, edges, sizes, entry, own, edges[e, IS_REF], 1)
        append_edge(vertices, edges, sizes, own, v, edges[e, IS_REF], edges[e, COUNT])
        copy_in_edges(u, entry, vertices, edges, sizes)
        remove_vertex(vertices, edges, sizes, u)
        e = following
    return True


@inner_kernel
def can_merge_predecessors(v, vertices, edges, spelled):
    """Whether all predecessors of `v` spell the same, lead only to it and are led to."""
    e = vertices[v, FIRST_IN]
    if e < 0:
        return False
    first = edges[e, SOURCE]
    length = vertices[first, LENGTH]
    while e >= 0:
        u = edges[e, SOURCE]
        if vertices[u, OUT_DEGREE] != 1 or vertices[u, IN_DEGREE] == 0 or u == v or vertices[u, LENGTH] != length:
            return False
        if common_suffix(first, u, length, vertices, spelled) != length:
            return False
        e = edges[e, NEXT_IN]
    return True


@inner_kernel
def merge_predecessors(v, vertices, edges, sizes, spelled):
    """Join `v` with its predecessors into one vertex if they all spell the same → whether it was done."""
    if not can_merge_predecessors(v, vertices, edges, spelled):
        return False
    first = edges[vertices[v, FIRST_IN], SOURCE]
    place = sizes[N_BASES]
    length = vertices[first, LENGTH] + vertices[v, LENGTH]
    n_edges = vertices[v, OUT_DEGREE]
    e = vertices[v, FIRST_IN]
    while e >= 0:
        n_edges += vertices[edges[e, SOURCE], IN_DEGREE]
        e = edges[e, NEXT_IN]
    if place + length > spelled.size:
        sizes[OVERFLOW] = 1
    if not has_room(vertices, edges, sizes, 1, n_edges) or sizes[OVERFLOW]:
        return False
    append_bases(first, vertices, sizes, spelled)
    append_bases(v, vertices, sizes, spelled)
    new = add_vertex(vertices, sizes, place, length)
    e = vertices[v, FIRST_IN]
    while e >= 0:
        copy_in_edges(edges[e, SOURCE], new, vertices, edges, sizes)
        e = edges[e, NEXT_IN]
    copy_out_edges(v, new, vertices, edges, sizes)
    while vertices[v, FIRST_IN] >= 0:
        remove_vertex(vertices, edges, sizes, edges[vertices[v, FIRST_IN], SOURCE])
    remove_vertex(vertices, edges, sizes, v)
    return True


@inner_kernel
def merge_all_diamonds(vertices, edges, sizes, spelled):
    """Step 1 until it finds nothing → whether it found anything."""
    worked = False
    v = 0
    while v < sizes[N_VERTICES] and sizes[OVERFLOW] == 0:
        if vertices[v, LENGTH] != REMOVED and merge_diamond(v, vertices, edges, sizes, spelled):
            worked = True
            v = 0
        else:
            v += 1
    return worked


@inner_kernel
def split_all_suffixes(vertices, edges, sizes, spelled, tried):
    """Step 3 until it finds nothing, each vertex once → whether it found anything. tried : int64[>= vertices], overwritten."""
    worked = False
    v = n_cleared = 0
    while v < sizes[N_VERTICES] and sizes[OVERFLOW] == 0:
        if v == n_cleared:
            tried[v] = 0
            n_cleared += 1
        split = False
        if vertices[v, LENGTH] != REMOVED and tried[v] == 0:
            tried[v] = 1
            split = split_suffix(v, vertices, edges, sizes, spelled)
        worked = worked or split
        v = 0 if split else v + 1
    return worked


@inner_kernel
def merge_all_predecessors(vertices, edges, sizes, spelled):
    """Step 4 until it finds nothing → whether it found anything."""
    worked = False
    v = 0
    while v < sizes[N_VERTICES] and sizes[OVERFLOW] == 0:
        if vertices[v, LENGTH] != REMOVED and merge_predecessors(v, vertices, edges, sizes, spelled):
            worked = True
            v = 0
        else:
            v += 1
    return worked


@inner_kernel(allocates=True)
def look_of_graph(vertices, edges, sizes, spelled):
    """Hashes of what the vertices spell, and of what joined pairs spell: two uint64 arrays."""
    multiplier = np.uint64(0x9E3779B97F4A7C15)
    of_vertex = np.zeros(sizes[N_VERTICES], np.uint64)
    vertex_hashes = np.empty(sizes[N_VERTICES], np.uint64)
    n = 0
    for v in range(sizes[N_VERTICES]):
        if vertices[v, LENGTH] == REMOVED:
            continue
        key = np.uint64(vertices[v, LENGTH])
        for t in range(vertices[v, LENGTH]):
            key = (key ^ np.uint64(spelled[vertices[v, PLACE] + t])) * multiplier
            key ^= key >> np.uint64(29)
        of_vertex[v] = key
        vertex_hashes[n] = key
        n += 1
    edge_hashes = np.empty(sizes[N_EDGES], np.uint64)
    m = 0
    for e in range(sizes[N_EDGES]):
        if edges[e, SOURCE] != REMOVED:
            key = of_vertex[edges[e, SOURCE]] * multiplier
            edge_hashes[m] = (key ^ (key >> np.uint64(31))) + of_vertex[edges[e, TARGET]]
            m += 1
    return vertex_hashes[:n], edge_hashes[:m]


@inner_kernel
def holds_all(one, other):
    """Whether every value of `other` is in `one`."""
    for x in other:
        i = 0
        while i < one.size and one[i] != x:
            i += 1
        if i == one.size:
            return False
    return True


@inner_kernel
def holds_same(one, other):
    """Whether two arrays of equal length hold the same values, however often."""
    return one.size == other.size and holds_all(one, other) and holds_all(other, one)


@inner_kernel(allocates=True)
def simplify(vertices, edges, sizes, spelled, work, marks):
    """Zip, then merge and split until nothing changes. work, marks : int64[>= vertices and edges], overwritten."""
    zip_chains(vertices, edges, sizes, spelled, work)
    close_gaps(vertices, edges, sizes, work, marks)
    looks_before, edges_before = np.empty(0, np.uint64), np.empty(0, np.uint64)
    for i in range(MAX_ROUNDS):
        worked = merge_all_diamonds(vertices, edges, sizes, spelled)
        worked = split_all_suffixes(vertices, edges, sizes, spelled, work) or worked
        worked = merge_all_predecessors(vertices, edges, sizes, spelled) or worked
        worked = zip_chains(vertices, edges, sizes, spelled, work) or worked
        if not worked or sizes[OVERFLOW]:
            return
        if i >= FIRST_COMPARED_ROUND - 1:
            looks, joined = look_of_graph(vertices, edges, sizes, spelled)
            if i >= FIRST_COMPARED_ROUND and holds_same(looks, looks_before) and holds_same(joined, edges_before):
                return
            looks_before, edges_before = looks, joined


@inner_kernel
def clean_up(vertices, edges, sizes, spelled, work, marks):
    """Simplify, keep what joins the ends of the reference, simplify again → (its source, its sink); -1 for one that got lost."""
    simplify(vertices, edges, sizes, spelled, work, marks)
    source, sink = find_ref_source(vertices, edges, sizes), find_ref_sink(vertices, edges, sizes)
    if source < 0 or sink < 0 or sizes[OVERFLOW]:
        return source, sink
    keep_paths_between(vertices, edges, sizes, source, sink, work, marks)
    simplify(vertices, edges, sizes, spelled, work, marks)
    return find_ref_source(vertices, edges, sizes), find_ref_sink(vertices, edges, sizes)
