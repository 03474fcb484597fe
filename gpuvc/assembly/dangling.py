"""Branches that end, or begin, off the reference are aligned to the path beside them and joined to it (specification, section 3.4)."""

import numpy as np

from gpuvc.assembly.graph import (
    COUNT,
    FIRST_IN,
    FIRST_OUT,
    IN_DEGREE,
    IS_REF,
    LENGTH,
    N_BASES,
    N_VERTICES,
    NEXT_IN,
    NEXT_OUT,
    OUT_DEGREE,
    OVERFLOW,
    PLACE,
    PRUNING_COUNT,
    REMOVED,
    SOURCE,
    TARGET,
    add_edge,
    add_vertex,
    append_edge,
    has_ref_in,
    has_room,
    is_on_reference,
    is_ref_sink,
    is_ref_source,
    remove_edge,
)
from gpuvc.assembly.smith_waterman import DANGLING_WEIGHTS, LEADING_INDEL, MAX_LENGTH, align
from gpuvc.kernels.codes import CIGAR_D, CIGAR_I, CIGAR_M
from gpuvc.kernels.jit import inner_kernel

MAX_OPERATIONS = 3
MATCH, MISMATCH, GAP_OPEN, GAP_EXTEND = DANGLING_WEIGHTS


@inner_kernel
def heaviest_in(vertices, edges, v):
    """The edge into `v` with the largest count, the oldest of equal ones; -1 if there is none."""
    best = e = vertices[v, FIRST_IN]
    while e >= 0:
        if edges[e, COUNT] > edges[best, COUNT]:
            best = e
        e = edges[e, NEXT_IN]
    return best


@inner_kernel
def heaviest_out(vertices, edges, v):
    """The edge out of `v` with the largest count, the oldest of equal ones; -1 if there is none."""
    best = e = vertices[v, FIRST_OUT]
    while e >= 0:
        if edges[e, COUNT] > edges[best, COUNT]:
            best = e
        e = edges[e, NEXT_OUT]
    return best


@inner_kernel
def path_of_tail(v, min_pruning, past_forks, vertices, edges, sizes, path):
    """Vertices from a tail's end up to where it leaves another path → their number, 0 if it leaves none. path : int64, written."""
    n = 0
    for _ in range(sizes[N_VERTICES]):
        if past_forks:
            done = has_ref_in(vertices, edges, v) or vertices[v, IN_DEGREE] == 0
        else:
            done = vertices[v, IN_DEGREE] != 1 or vertices[v, OUT_DEGREE] >= 2
        if done:
            if vertices[v, OUT_DEGREE] < 2 or (past_forks and not has_ref_in(vertices, edges, v)):
                return 0
            path[n] = v
            return n + 1
        e = heaviest_in(vertices, edges, v)
        if edges[e, PRUNING_COUNT] < min_pruning:
            n = 0
        else:
            path[n] = v
            n += 1
        v = edges[e, SOURCE]
    return 0  # it runs in a circle


@inner_kernel
def path_of_head(v, min_pruning, past_forks, vertices, edges, sizes, path):
    """Vertices from a head's start down to the reference → their number, 0 if it never meets it. path : int64, written."""
    n = 0
    for _ in range(sizes[N_VERTICES]):
        if is_on_reference(vertices, edges, sizes, v):
            path[n] = v
            return n + 1
        if vertices[v, OUT_DEGREE] == 0 or (vertices[v, OUT_DEGREE] > 1 and not past_forks):
            return 0
        e = heaviest_out(vertices, edges, v)
        if edges[e, PRUNING_COUNT] < min_pruning:
            n = 0
        else:
            path[n] = v
            n += 1
        v = edges[e, TARGET]
    return 0


@inner_kernel
def main_path_down(v, branch, vertices, edges, sizes, path):
    """The path beside a tail: the reference where it goes on, else the only way other than edge `branch` → its number of vertices."""
    n = 0
    while n < sizes[N_VERTICES]:
        path[n] = v
        n += 1
        e = vertices[v, FIRST_OUT]
        chosen = -1
        ways = 0
        while e >= 0:
            if edges[e, IS_REF]:
                chosen = e
                ways = 1
                break
            if e != branch:
                chosen = e
                ways += 1
            e = edges[e, NEXT_OUT]
        if ways != 1:
            return n
        v = edges[chosen, TARGET]
    return 0  # it runs in a circle


@inner_kernel
def main_path_up(v, vertices, edges, sizes, path):
    """The reference above a head's joint: each time the oldest edge whose source is on it → its number of vertices."""
    n = 0
    while n < sizes[N_VERTICES]:
        path[n] = v
        n += 1
        e = vertices[v, FIRST_IN]
        while e >= 0 and not is_on_reference(vertices, edges, sizes, edges[e, SOURCE]):
            e = edges[e, NEXT_IN]
        if e < 0:
            return n
        v = edges[e, SOURCE]
    return 0


@inner_kernel
def spell_path(path, n, whole_sources, text, vertices, sizes, k, letters):
    """Last base of each vertex; with `whole_sources` a vertex without in-edges gives its whole k-mer, reversed → number of bases."""
    length = 0
    for i in range(n):
        v = path[i]
        if length + k > letters.size:
            sizes[OVERFLOW] = 1
            return 0
        last = vertices[v, PLACE] + k - 1
        letters[length] = text[last]
        length += 1
        if whole_sources and vertices[v, IN_DEGREE] == 0:
            for t in range(1, k):
                letters[length] = text[last - t]
                length += 1
    return length


@inner_kernel
def turn_round(path, n):
    """Reverse the first n entries."""
    for i in range(n // 2):
        path[i], path[n - 1 - i] = path[n - 1 - i], path[i]


@inner_kernel
def align_branch(main, branch, sizes, rows, back, cigar):
    """CIGAR of a branch against the path beside it without a trailing deletion → number of operations, 0 if it cannot be had."""
    n, m = main.size, branch.size
    if n == 0 or m == 0 or n > MAX_LENGTH or m > MAX_LENGTH:
        return 0
    if n >= m:
        # No gap can win against at most one mismatch: it costs 110, the mismatch 75. Ties go to the larger row, which only a gap reaches.
        n_mismatches = 0
        for t in range(m):
            n_mismatches += main[t] != branch[t]
        if n_mismatches <= 1:
            cigar[0] = np.uint32(m << 4 | CIGAR_M)
            return 1
    if m >= rows.shape[1] or (n + 1) * (m + 1) > back.size or 2 * min(n, m) + 3 > cigar.size:
        sizes[OVERFLOW] = 1
        return 0
    _, n_operations = align(main, branch, MATCH, MISMATCH, GAP_OPEN, GAP_EXTEND, LEADING_INDEL, rows, back, cigar)
    if n_operations > 0 and cigar[n_operations - 1] & np.uint32(15) == CIGAR_D:
        n_operations -= 1
    return n_operations


@inner_kernel
def cigar_lengths(cigar, n_operations):
    """Bases of (reference, read) that the operations take."""
    n_ref = 0
    n_read = 0
    for i in range(n_operations):
        length = np.int64(cigar[i] >> np.uint32(4))
        operation = np.int64(cigar[i] & np.uint32(15))
        if operation != CIGAR_I:
            n_ref += length
        if operation != CIGAR_D:
            n_read += length
    return n_ref, n_read


@inner_kernel
def join_tails(
    k, min_pruning, min_branch_length, past_forks, matching_bases, text, vertices, edges, sizes, lists, letters, rows, back, cigar
):  # fmt: skip
    """Join every tail that aligns well enough. lists : int64[2, >= vertices], letters : uint8[2, n]; overwritten."""
    branch, main, branch_letters, main_letters = lists[0], lists[1], letters[0], letters[1]
    n_vertices = sizes[N_VERTICES]
    for end in range(n_vertices):
        if vertices[end, LENGTH] == REMOVED or vertices[end, OUT_DEGREE] != 0 or is_ref_sink(vertices, edges, sizes, end):
            continue
        n = path_of_tail(end, min_pruning, past_forks, vertices, edges, sizes, branch)
        if n < max(1, min_branch_length) + 1 or is_ref_source(vertices, edges, sizes, branch[n - 1]):
            continue
        turn_round(branch, n)
        e = vertices[branch[0], FIRST_OUT]
        while edges[e, TARGET] != branch[1]:
            e = edges[e, NEXT_OUT]
        n_main = main_path_down(branch[0], e, vertices, edges, sizes, main)
        n_branch_letters = spell_path(branch, n, False, text, vertices, sizes, k, branch_letters)
        n_main_letters = spell_path(main, n_main, False, text, vertices, sizes, k, main_letters)
        n_operations = align_branch(main_letters[:n_main_letters], branch_letters[:n_branch_letters], sizes, rows, back, cigar)
        if sizes[OVERFLOW]:
            return
        if n_operations < 1 or n_operations > MAX_OPERATIONS or cigar[n_operations - 1] & np.uint32(15) != CIGAR_M:
            continue
        n_ref, n_read = cigar_lengths(cigar, n_operations)
        last_match = np.int64(cigar[n_operations - 1] >> np.uint32(4))
        suffix = 0
        while suffix < last_match and main_letters[n_ref - 1 - suffix] == branch_letters[n_read - 1 - suffix]:
            suffix += 1
        if suffix < (1 if matching_bases < 0 else matching_bases):
            continue
        target = n_ref - suffix
        if cigar[0] & np.uint32(15) == CIGAR_D and np.int64(cigar[0] >> np.uint32(4)) + suffix == n_ref:
            target += 1
        if target == 0 or target >= n_main:
            continue
        if not has_room(vertices, edges, sizes, 0, 1):
            return
        add_edge(vertices, edges, sizes, branch[max(n_read - suffix - 1, 0)], main[target], 0, 1)


@inner_kernel
def join_heads(
    k, min_pruning, min_branch_length, past_forks, matching_bases, text, vertices, edges, sizes, lists, letters, rows, back, cigar
):  # fmt: skip
    """Join every head that aligns well enough; arrays as in `join_tails`. A lengthened branch writes new k-mers behind the text."""
    branch, main, branch_letters, main_letters = lists[0], lists[1], letters[0], letters[1]
    n_vertices = sizes[N_VERTICES]
    for start in range(n_vertices):
        if vertices[start, LENGTH] == REMOVED or vertices[start, IN_DEGREE] != 0 or is_ref_source(vertices, edges, sizes, start):
            continue
        n = path_of_head(start, min_pruning, past_forks, vertices, edges, sizes, branch)
        if n < min_branch_length + 1 or n == 0 or is_ref_sink(vertices, edges, sizes, branch[n - 1]):
            continue
        turn_round(branch, n)
        n_main = main_path_up(branch[0], vertices, edges, sizes, main)
        n_branch_letters = spell_path(branch, n, True, text, vertices, sizes, k, branch_letters)
        n_main_letters = spell_path(main, n_main, True, text, vertices, sizes, k, main_letters)
        n_operations = align_branch(main_letters[:n_main_letters], branch_letters[:n_branch_letters], sizes, rows, back, cigar)
        if sizes[OVERFLOW]:
            return
        if n_operations < 1 or n_operations > MAX_OPERATIONS or cigar[0] & np.uint32(15) != CIGAR_M:
            continue
        n_ref, n_read = cigar_lengths(cigar, n_operations)
        if matching_bases < 0:
            i = last_tolerated_mismatch(main_letters, branch_letters, np.int64(cigar[0] >> np.uint32(4)), k)
            j = i
        else:
            matches = matches_at_end(main_letters, branch_letters, n_ref, n_branch_letters, cigar[n_operations - 1])
            if matches < matching_bases:
                continue
            i = n_ref - 1 - matches
            j = n_branch_letters - 1 - matches
        if i <= 0 or j <= 0 or i >= n_main - 1:
            continue
        if j >= n:
            m = j - n + 2
            beside = n - 1 + m + n_ref - n_read
            if beside >= n_main:
                continue
            n = lengthen_branch(main[beside], branch, n, m, k, text, vertices, edges, sizes)
            if sizes[OVERFLOW]:
                return
        if not has_room(vertices, edges, sizes, 0, 1):
            return
        add_edge(vertices, edges, sizes, main[i + 1], branch[j], 0, 1)


@inner_kernel
def last_tolerated_mismatch(main, branch, length, k):
    """Index of the last mismatch in the first `length` letters; -1 if there is none, or more than one and than one in k."""
    n_mismatches = 0
    last = -1
    for t in range(length):
        if main[t] != branch[t]:
            n_mismatches += 1
            last = t
    if n_mismatches > max(1, length // k):
        return -1
    return last


@inner_kernel
def matches_at_end(main, branch, n_main, n_branch, last_operation):
    """Equal letters from the ends backwards, at most over the last operation, which has to be a match."""
    matches = 0
    if last_operation & np.uint32(15) == CIGAR_M:
        length = np.int64(last_operation >> np.uint32(4))
        while matches < length and main[n_main - 1 - matches] == branch[n_branch - 1 - matches]:
            matches += 1
    return matches


@inner_kernel
def lengthen_branch(beside, branch, n, m, k, text, vertices, edges, sizes):
    """Put the first m bases of vertex `beside` before the head's k-mer: m vertices replace the head → the branch's new length."""
    if not has_room(vertices, edges, sizes, m, m):
        return n
    place = sizes[N_BASES]
    if place + m + k > text.size:
        sizes[OVERFLOW] = 1
        return n
    sizes[N_BASES] = place + m + k
    head = branch[n - 1]
    for t in range(m):
        text[place + t] = text[vertices[beside, PLACE] + t]
    for t in range(k):
        text[place + m + t] = text[vertices[head, PLACE] + t]
    e = heaviest_out(vertices, edges, head)
    below = edges[e, TARGET]
    count = edges[e, COUNT]
    remove_edge(vertices, edges, e)
    n -= 1
    for t in range(m, 0, -1):
        v = add_vertex(vertices, sizes, place + t, k)
        # To pruning, an edge made here counts 1, whatever it carries.
        made = append_edge(vertices, edges, sizes, v, below, 0, count)
        edges[made, PRUNING_COUNT] = 1
        branch[n] = v
        n += 1
        below = v
    return n


@inner_kernel
def join_branches(
    k, min_pruning, min_branch_length, past_forks, matching_bases, text, vertices, edges, sizes, lists, letters, rows, back, cigar
):
    """All tails, then the heads there are by then."""
    join_tails(
        k, min_pruning, min_branch_length, past_forks, matching_bases, text, vertices, edges, sizes, lists, letters, rows, back, cigar
    )
    if sizes[OVERFLOW] == 0:
        join_heads(
            k, min_pruning, min_branch_length, past_forks, matching_bases, text, vertices, edges, sizes, lists, letters, rows, back, cigar
        )
