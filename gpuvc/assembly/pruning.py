"""Removal of chains that too few reads support: by a fixed count, or by their odds against error (specification, section 3.3)."""

import math

import numpy as np

from gpuvc.assembly.graph import (
    COUNT,
    FIRST_IN,
    FIRST_OUT,
    IN_DEGREE,
    IS_REF,
    LENGTH,
    N_VERTICES,
    NEXT_IN,
    NEXT_OUT,
    OUT_DEGREE,
    PLACE,
    PRUNING_COUNT,
    REMOVED,
    SOURCE,
    TARGET,
    is_ref_source,
    remove_edge,
    remove_vertex,
)
from gpuvc.kernels.codes import BASES
from gpuvc.kernels.jit import inner_kernel

INITIAL_ERROR_RATE = 0.001
LOG_ODDS_THRESHOLD = math.log(10)
SEED_LOG_ODDS_THRESHOLD = 4 * math.log(10)
MAX_UNPRUNED_VARIANTS = 100
BYTE_RANK = np.array([sorted(BASES).index(base) for base in BASES], np.uint8)  # the order of letters, where N stands before T

# Columns of `chains`, int64[n, 6]: first and last edge, number of edges, whether it touches the reference, whether it is kept,
# largest edge count.
CHAIN_FIRST, CHAIN_LAST, CHAIN_EDGES, CHAIN_REF, CHAIN_GOOD, CHAIN_HEAVIEST = range(6)


@inner_kernel
def next_in_chain(vertices, edges, e, start):
    """The edge that goes on from `e` in the chain that leaves vertex `start`; -1 where the chain ends."""
    v = edges[e, TARGET]
    if vertices[v, OUT_DEGREE] != 1 or vertices[v, IN_DEGREE] > 1 or v == start:
        return -1
    return vertices[v, FIRST_OUT]


@inner_kernel
def find_chains(vertices, edges, sizes, queue, seen, chains):
    """All chains, from the graph's sources on → their number. queue, seen : int64[>= vertices]; chains : int64[>= edges, 6]."""
    n_queued = 0
    for v in range(sizes[N_VERTICES]):
        seen[v] = vertices[v, LENGTH] != REMOVED and vertices[v, IN_DEGREE] == 0
        if seen[v]:
            queue[n_queued] = v
            n_queued += 1
    n_chains = 0
    i = 0
    while i < n_queued:
        start = queue[i]
        i += 1
        first = vertices[start, FIRST_OUT]
        while first >= 0:
            e = first
            last = first
            n_edges = 0
            is_ref = 0
            heaviest = 0
            while e >= 0:
                last = e
                n_edges += 1
                is_ref |= edges[e, IS_REF]
                heaviest = max(heaviest, edges[e, COUNT])
                e = next_in_chain(vertices, edges, e, start)
            chains[n_chains, CHAIN_FIRST] = first
            chains[n_chains, CHAIN_LAST] = last
            chains[n_chains, CHAIN_EDGES] = n_edges
            chains[n_chains, CHAIN_REF] = is_ref
            chains[n_chains, CHAIN_GOOD] = 0
            chains[n_chains, CHAIN_HEAVIEST] = heaviest
            n_chains += 1
            end = edges[last, TARGET]
            if seen[end] == 0:
                seen[end] = 1
                queue[n_queued] = end
                n_queued += 1
            first = edges[first, NEXT_OUT]
    return n_chains


@inner_kernel
def prune_by_count(vertices, edges, sizes, chains, n_chains, min_pruning, doomed):
    """Remove the chains off the reference all of whose edges count less than `min_pruning`. doomed : int64[>= edges]."""
    n_doomed = 0
    for c in range(n_chains):
        if chains[c, CHAIN_REF]:
            continue
        start = edges[chains[c, CHAIN_FIRST], SOURCE]
        first_of_chain = n_doomed
        e = chains[c, CHAIN_FIRST]
        while e >= 0 and edges[e, PRUNING_COUNT] < min_pruning:
            doomed[n_doomed] = e
            n_doomed += 1
            e = next_in_chain(vertices, edges, e, start)
        if e >= 0:
            n_doomed = first_of_chain
    remove_doomed(vertices, edges, sizes, doomed, n_doomed)


@inner_kernel
def remove_doomed(vertices, edges, sizes, doomed, n_doomed):
    """Remove edges, and the vertices that stand alone thereafter."""
    for i in range(n_doomed):
        remove_edge(vertices, edges, doomed[i])
    for v in range(sizes[N_VERTICES]):
        alone = vertices[v, LENGTH] != REMOVED and vertices[v, IN_DEGREE] == 0 and vertices[v, OUT_DEGREE] == 0
        if alone and not is_ref_source(vertices, edges, sizes, v):
            remove_vertex(vertices, edges, sizes, v)


@inner_kernel
def digamma(x):
    """Derivative of ln gamma, x > 0: recurrence up to 10, then the asymptotic series (error below 1e-13)."""
    value = 0.0
    while x < 10.0:
        value -= 1.0 / x
        x += 1.0
    f = 1.0 / (x * x)
    return value + math.log(x) - 0.5 / x - f * (1 / 12 - f * (1 / 120 - f * (1 / 252 - f * (1 / 240 - f * (1 / 132)))))


@inner_kernel
def log_odds_of_variant(n_ref, n_alt, error_rate):
    """Natural log odds that n_alt of n_ref + n_alt reads are a variant and not errors; the entropy is GATK's rational stand-in."""
    qual = min(max(math.floor(-10.0 * math.log10(error_rate) + 0.5), 1.0), 93.0)
    error = 10.0 ** (-0.1 * qual)
    n = n_ref + n_alt
    f = math.exp(digamma(n_ref + 1.0) - digamma(n_alt + 1.0))
    z = (1.0 - error) / (1.0 - error + error * f)
    w = z * (1.0 - z)
    entropy = w * (11.0 + 33.0 * w) / (2.0 + 20.0 * w)
    log_choose = math.lgamma(n + 1.0) - math.lgamma(n_alt + 1.0) - math.lgamma(n_ref + 1.0)
    return -math.log(n + 1.0) - log_choose + n_alt * (z * (math.log(1.0 - error) - math.log(error)) + entropy)


@inner_kernel
def rate_chains(vertices, edges, chains, n_chains, error_rate, odds):
    """Log odds of each chain at its first and last vertex; 0 at the graph's ends. odds : float64[2, >= chains], written."""
    for c in range(n_chains):
        first, last = chains[c, CHAIN_FIRST], chains[c, CHAIN_LAST]
        others = -edges[first, COUNT]
        e = vertices[edges[first, SOURCE], FIRST_OUT]
        while e >= 0:
            others += edges[e, COUNT]
            e = edges[e, NEXT_OUT]
        odds[0, c] = 0.0
        if vertices[edges[first, SOURCE], IN_DEGREE] > 0:
            odds[0, c] = log_odds_of_variant(others, edges[first, COUNT], error_rate)
        others = -edges[last, COUNT]
        e = vertices[edges[last, TARGET], FIRST_IN]
        while e >= 0:
            others += edges[e, COUNT]
            e = edges[e, NEXT_IN]
        odds[1, c] = 0.0
        if vertices[edges[last, TARGET], OUT_DEGREE] > 0:
            odds[1, c] = log_odds_of_variant(others, edges[last, COUNT], error_rate)


@inner_kernel
def compare_starts(text, vertices, edges, a, b):
    """Below, at or above 0 as the first k-mer of edge a's chain stands before, at or after b's in the order of letters."""
    u, v = edges[a, SOURCE], edges[b, SOURCE]
    for t in range(vertices[u, LENGTH]):
        x, y = BYTE_RANK[text[vertices[u, PLACE] + t]], BYTE_RANK[text[vertices[v, PLACE] + t]]
        if x != y:
            return np.int64(x) - np.int64(y)
    return np.int64(0)


@inner_kernel
def compare_chains(text, vertices, edges, a, b):
    """Below, at or above 0 as chain a (by its first edge) spells less than, as or more than chain b."""
    order = compare_starts(text, vertices, edges, a, b)
    if order != 0:
        return order
    start_a, start_b = edges[a, SOURCE], edges[b, SOURCE]
    while a >= 0 and b >= 0:
        u, v = edges[a, TARGET], edges[b, TARGET]
        x = BYTE_RANK[text[vertices[u, PLACE] + vertices[u, LENGTH] - 1]]
        y = BYTE_RANK[text[vertices[v, PLACE] + vertices[v, LENGTH] - 1]]
        if x != y:
            return np.int64(x) - np.int64(y)
        a = next_in_chain(vertices, edges, a, start_a)
        b = next_in_chain(vertices, edges, b, start_b)
    return np.int64(a >= 0) - np.int64(b >= 0)


@inner_kernel
def is_heavier(text, vertices, edges, chains, c, other):
    """Whether the growth starts from chain c rather than from `other`."""
    if chains[c, CHAIN_HEAVIEST] != chains[other, CHAIN_HEAVIEST]:
        return chains[c, CHAIN_HEAVIEST] > chains[other, CHAIN_HEAVIEST]
    if chains[c, CHAIN_EDGES] != chains[other, CHAIN_EDGES]:
        return chains[c, CHAIN_EDGES] > chains[other, CHAIN_EDGES]
    return compare_starts(text, vertices, edges, chains[c, CHAIN_FIRST], chains[other, CHAIN_FIRST]) > 0


@inner_kernel
def queue_accepted(v, edges, chains, n_chains, odds, priority):
    """Queue the chains that vertex v accepts, each with its odds there."""
    for c in range(n_chains):
        first, last = chains[c, CHAIN_FIRST], chains[c, CHAIN_LAST]
        if edges[first, SOURCE] == v and (odds[0, c] >= LOG_ODDS_THRESHOLD or edges[first, IS_REF]):
            priority[c] = max(priority[c], odds[0, c])
        if edges[last, TARGET] == v and (odds[1, c] >= LOG_ODDS_THRESHOLD or edges[first, IS_REF]):
            priority[c] = max(priority[c], odds[1, c])


@inner_kernel
def mark_good_chains(text, vertices, edges, sizes, chains, n_chains, odds, priority, touched, seen):
    """Grow the kept part of the graph from its best chains. priority : float64[>= chains]; touched, seen : int64[>= vertices]."""
    for v in range(sizes[N_VERTICES]):
        touched[v] = 0
        seen[v] = 0
    heaviest = 0
    for c in range(n_chains):
        chains[c, CHAIN_GOOD] = 0
        priority[c] = -np.inf
        if min(odds[0, c], odds[1, c]) >= SEED_LOG_ODDS_THRESHOLD:
            touched[edges[chains[c, CHAIN_FIRST], SOURCE]] += 1
            touched[edges[chains[c, CHAIN_LAST], TARGET]] += 1
        if is_heavier(text, vertices, edges, chains, c, heaviest):
            heaviest = c
    for v in range(sizes[N_VERTICES]):
        if touched[v] > 2:
            seen[v] = 1
            queue_accepted(v, edges, chains, n_chains, odds, priority)
    priority[heaviest] = np.inf
    n_extra = 0
    while n_extra <= MAX_UNPRUNED_VARIANTS:
        best = -1
        for c in range(n_chains):
            if chains[c, CHAIN_GOOD] or priority[c] == -np.inf or (best >= 0 and priority[c] < priority[best]):
                continue
            first, first_of_best = chains[c, CHAIN_FIRST], chains[best, CHAIN_FIRST]
            if best < 0 or priority[c] > priority[best] or compare_chains(text, vertices, edges, first, first_of_best) < 0:
                best = c
        if best < 0:
            return
        start, end = edges[chains[best, CHAIN_FIRST], SOURCE], edges[chains[best, CHAIN_LAST], TARGET]
        for c in range(n_chains):
            if chains[c, CHAIN_GOOD] and edges[chains[c, CHAIN_FIRST], SOURCE] == start:
                n_extra += 1
                break
        chains[best, CHAIN_GOOD] = 1
        if seen[start] == 0:
            seen[start] = 1
            queue_accepted(start, edges, chains, n_chains, odds, priority)
        if seen[end] == 0:
            seen[end] = 1
            queue_accepted(end, edges, chains, n_chains, odds, priority)


@inner_kernel
def prune_by_odds(text, vertices, edges, sizes, chains, n_chains, odds, priority, touched, seen, doomed):
    """Keep the chains that are likelier variants than errors, at the error rate that a first pass finds."""
    if n_chains == 0:
        return
    rate_chains(vertices, edges, chains, n_chains, INITIAL_ERROR_RATE, odds)
    mark_good_chains(text, vertices, edges, sizes, chains, n_chains, odds, priority, touched, seen)
    errors = 0
    total = 0
    for c in range(n_chains):
        start = edges[chains[c, CHAIN_FIRST], SOURCE]
        if chains[c, CHAIN_GOOD] == 0:
            errors += edges[chains[c, CHAIN_LAST], COUNT]
        e = chains[c, CHAIN_FIRST]
        while e >= 0:
            total += edges[e, COUNT]
            e = next_in_chain(vertices, edges, e, start)
    # Without a bad chain the quality is at its upper bound.
    error_rate = max(errors / total, 1e-10)
    rate_chains(vertices, edges, chains, n_chains, error_rate, odds)
    mark_good_chains(text, vertices, edges, sizes, chains, n_chains, odds, priority, touched, seen)
    n_doomed = 0
    for c in range(n_chains):
        start = edges[chains[c, CHAIN_FIRST], SOURCE]
        if chains[c, CHAIN_GOOD] or chains[c, CHAIN_REF]:
            continue
        e = chains[c, CHAIN_FIRST]
        while e >= 0:
            doomed[n_doomed] = e
            n_doomed += 1
            e = next_in_chain(vertices, edges, e, start)
    remove_doomed(vertices, edges, sizes, doomed, n_doomed)


@inner_kernel
def prune(text, vertices, edges, sizes, chains, odds, lists, min_pruning, adaptive):
    """Remove the chains that too few reads support.

    chains : int64[>= edges, 6], odds : float64[3, >= edges], lists : int64[3, >= edges]; overwritten.
    """
    n_chains = find_chains(vertices, edges, sizes, lists[0], lists[1], chains)
    if adaptive:
        prune_by_odds(text, vertices, edges, sizes, chains, n_chains, odds, odds[2], lists[0], lists[1], lists[2])
    else:
        prune_by_count(vertices, edges, sizes, chains, n_chains, min_pruning, lists[2])
