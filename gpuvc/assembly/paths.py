"""The best paths through a sequence graph, from the reference's source to its sink (specification, section 3.6)."""

from functools import lru_cache

import numpy as np

from gpuvc.assembly.graph import (
    COUNT,
    FIRST_OUT,
    LENGTH,
    N_VERTICES,
    NEXT_OUT,
    OUT_DEGREE,
    OVERFLOW,
    PLACE,
    TARGET,
    has_cycle,
    keep_paths_between,
    remove_edge,
)
from gpuvc.assembly.pruning import BYTE_RANK
from gpuvc.kernels.jit import inner_kernel

LOG10_TABLE_SIZE = 20_001
_FRACTION_BITS = 200

# Columns of `paths`, int64[n, 4]: the last vertex, the path it extends (-1: none), bases so far; a heap of paths, the best on top.
PATH_VERTEX, PATH_PARENT, PATH_BASES, HEAP = range(4)


def _fixed_log_of(n, m):
    """2 artanh(n / m) = ln((m + n) / (m - n)), in units of 2 ** -_FRACTION_BITS."""
    term = (n << _FRACTION_BITS) // m
    total, power = 0, 1
    while term:
        total += term // power
        term = term * n * n // (m * m)
        power += 2
    return 2 * total


@lru_cache(maxsize=1)
def log10_table():
    """log10 of 0 to 20,000, each rounded correctly from exact integer arithmetic; -inf for 0. Libraries differ in the last bit.

    ln p of a prime follows from its even neighbours: 2 ln p = ln(p - 1) + ln(p + 1) + ln(p p / (p p - 1)).
    """
    smallest_factor = np.zeros(LOG10_TABLE_SIZE + 1, np.int64)
    for p in range(2, int(LOG10_TABLE_SIZE**0.5) + 2):
        if smallest_factor[p] == 0:
            multiples = smallest_factor[p * p :: p]
            multiples[multiples == 0] = p
    ln = [0, 0, _fixed_log_of(1, 3)]
    factors = smallest_factor.tolist()
    for n in range(3, LOG10_TABLE_SIZE):
        p = factors[n]
        if p:
            ln.append(ln[p] + ln[n // p])
        else:
            above = ln[2] + ln[(n + 1) // 2]
            ln.append((ln[n - 1] + above + _fixed_log_of(1, 2 * n * n - 1)) // 2)
    table = np.full(LOG10_TABLE_SIZE, -np.inf)
    table[1:] = [(value << _FRACTION_BITS) // ln[10] / (1 << _FRACTION_BITS) for value in ln[1:]]
    return table


@inner_kernel
def log10_of_count(count, table):
    """log10 of a count, from the table as far as it goes."""
    return table[count] if count < table.size else np.log10(np.float64(count))


@inner_kernel
def remove_back_edges(source, vertices, edges, sizes, stack, state):
    """Cut the edges that lead back to where a walk from `source` came from. stack, state : int64[>= vertices], overwritten."""
    for v in range(sizes[N_VERTICES]):
        state[v] = -2  # not seen; -1: done; else the edge to try next, or past the last: -3
    stack[0] = source
    state[source] = vertices[source, FIRST_OUT] if vertices[source, FIRST_OUT] >= 0 else -3
    depth = 1
    while depth > 0:
        v = stack[depth - 1]
        e = state[v]
        if e == -3:
            state[v] = -1
            depth -= 1
            continue
        state[v] = edges[e, NEXT_OUT] if edges[e, NEXT_OUT] >= 0 else -3
        target = edges[e, TARGET]
        if state[target] == -2:
            state[target] = vertices[target, FIRST_OUT] if vertices[target, FIRST_OUT] >= 0 else -3
            stack[depth] = target
            depth += 1
        elif state[target] != -1:
            remove_edge(vertices, edges, e)


@inner_kernel
def spell_path(path, paths, vertices, spelled, letters):
    """Write what a path spells → its length. letters : uint8[>= PATH_BASES of the path]."""
    length = end = paths[path, PATH_BASES]
    while path >= 0:
        v = paths[path, PATH_VERTEX]
        n = vertices[v, LENGTH]
        end -= n
        for t in range(n):
            letters[end + t] = spelled[vertices[v, PLACE] + t]
        path = paths[path, PATH_PARENT]
    return length


@inner_kernel
def comes_first(a, b, paths, scores, vertices, spelled, letters):
    """Whether path a is taken before path b: better score, then larger letters, then more of them. letters : uint8[2, >= bases]."""
    if scores[a] != scores[b]:
        return scores[a] > scores[b]
    n, m = paths[a, PATH_BASES], paths[b, PATH_BASES]
    spell_path(a, paths, vertices, spelled, letters[0])
    spell_path(b, paths, vertices, spelled, letters[1])
    for t in range(min(n, m)):
        x, y = BYTE_RANK[letters[0, t]], BYTE_RANK[letters[1, t]]
        if x != y:
            return x > y
    if n != m:
        return n > m
    return a < b


@inner_kernel
def push(path, n_heap, paths, scores, vertices, spelled, letters):
    """Put a path on the heap → its new size."""
    i = n_heap
    while i > 0:
        above = (i - 1) // 2
        if not comes_first(path, paths[above, HEAP], paths, scores, vertices, spelled, letters):
            break
        paths[i, HEAP] = paths[above, HEAP]
        i = above
    paths[i, HEAP] = path
    return n_heap + 1


@inner_kernel
def pop(n_heap, paths, scores, vertices, spelled, letters):
    """Take the first path off the heap, which keeps n_heap - 1 → the path."""
    first = paths[0, HEAP]
    n = n_heap - 1
    moved = paths[n, HEAP]
    i = 0
    while 2 * i + 1 < n:
        child = 2 * i + 1
        if child + 1 < n and comes_first(paths[child + 1, HEAP], paths[child, HEAP], paths, scores, vertices, spelled, letters):
            child += 1
        if not comes_first(paths[child, HEAP], moved, paths, scores, vertices, spelled, letters):
            break
        paths[i, HEAP] = paths[child, HEAP]
        i = child
    paths[i, HEAP] = moved
    return first


@inner_kernel
def find_best_paths(source, sink, max_haplotypes, vertices, edges, sizes, spelled, table, work, marks, paths, scores, letters, found):
    """The best paths, best first → their number; `found` int64[>= max_haplotypes] gets their rows of `paths`.

    Along an edge the score gains log10 of its share of what leaves its source. Each vertex is extended at most `max_haplotypes` times.
    """
    if has_cycle(vertices, edges, sizes, work, marks):
        remove_back_edges(source, vertices, edges, sizes, work, marks)
        keep_paths_between(vertices, edges, sizes, source, sink, work, marks)
    for v in range(sizes[N_VERTICES]):
        marks[v] = 0
    paths[0, PATH_VERTEX] = source
    paths[0, PATH_PARENT] = -1
    paths[0, PATH_BASES] = vertices[source, LENGTH]
    scores[0] = 0.0
    paths[0, HEAP] = 0
    n_paths = n_heap = 1
    n_found = 0
    while n_heap > 0 and n_found < max_haplotypes:
        path = pop(n_heap, paths, scores, vertices, spelled, letters)
        n_heap -= 1
        v = paths[path, PATH_VERTEX]
        if v == sink:
            found[n_found] = path
            n_found += 1
            continue
        if marks[v] >= max_haplotypes:
            continue
        marks[v] += 1
        total = np.int64(0)
        e = vertices[v, FIRST_OUT]
        while e >= 0:
            total += edges[e, COUNT]
            e = edges[e, NEXT_OUT]
        if n_paths + vertices[v, OUT_DEGREE] > paths.shape[0]:
            sizes[OVERFLOW] = 1
            return 0
        log10_total = log10_of_count(total, table)
        e = vertices[v, FIRST_OUT]
        while e >= 0:
            target = edges[e, TARGET]
            paths[n_paths, PATH_VERTEX] = target
            paths[n_paths, PATH_PARENT] = path
            paths[n_paths, PATH_BASES] = paths[path, PATH_BASES] + vertices[target, LENGTH]
            if paths[n_paths, PATH_BASES] > letters.shape[1]:
                sizes[OVERFLOW] = 1
                return 0
            scores[n_paths] = scores[path] + (log10_of_count(edges[e, COUNT], table) - log10_total)
            n_heap = push(n_paths, n_heap, paths, scores, vertices, spelled, letters)
            n_paths += 1
            e = edges[e, NEXT_OUT]
    return n_found
