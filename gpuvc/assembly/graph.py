"""Directed graphs in two tables, in the order in which vertices and edges were made; the two graphs of assembly share them.

Rows are appended and marked when removed, so a vertex's number is its place in the order of creation, which decides ties everywhere.
`sizes` counts the rows in use. No two edges join the same pair of vertices.
"""

from gpuvc.kernels.jit import inner_kernel

# Columns of `vertices`, int32[n, 8]. A vertex spells LENGTH bases of a text from PLACE on; LENGTH is REMOVED once it is gone.
FIRST_OUT, LAST_OUT, FIRST_IN, LAST_IN, OUT_DEGREE, IN_DEGREE, PLACE, LENGTH = range(8)
# Columns of `edges`, int32[n, 8]. SOURCE is REMOVED once it is gone; NEXT_* chain the edges of a vertex by age, -1 ends them.
# PRUNING_COUNT and SAMPLE_COUNT: see debruijn.py.
SOURCE, TARGET, NEXT_OUT, NEXT_IN, COUNT, SAMPLE_COUNT, PRUNING_COUNT, IS_REF = range(8)
REMOVED = -1
# Entries of `sizes`, int64[5]: rows of either table, vertices that are left, bytes of the text in use, whether a table was too small.
N_VERTICES, N_EDGES, N_LIVE, N_BASES, OVERFLOW = range(5)


@inner_kernel
def clear_graph(sizes):
    """Start an empty graph; its text stays."""
    sizes[N_VERTICES] = 0
    sizes[N_EDGES] = 0
    sizes[N_LIVE] = 0


@inner_kernel
def has_room(vertices, edges, sizes, n_vertices, n_edges):
    """Whether so many vertices and edges can still be appended; notes it in `sizes` if not."""
    if sizes[N_VERTICES] + n_vertices > vertices.shape[0] or sizes[N_EDGES] + n_edges > edges.shape[0]:
        sizes[OVERFLOW] = 1
        return False
    return True


@inner_kernel
def add_vertex(vertices, sizes, place, length):
    """Append a vertex without edges → its number. The caller has asked for room."""
    v = sizes[N_VERTICES]
    sizes[N_VERTICES] = v + 1
    sizes[N_LIVE] += 1
    vertices[v, FIRST_OUT] = -1
    vertices[v, LAST_OUT] = -1
    vertices[v, FIRST_IN] = -1
    vertices[v, LAST_IN] = -1
    vertices[v, OUT_DEGREE] = 0
    vertices[v, IN_DEGREE] = 0
    vertices[v, PLACE] = place
    vertices[v, LENGTH] = length
    return v


@inner_kernel
def append_edge(vertices, edges, sizes, source, target, is_ref, count):
    """Append an edge between two vertices that are known not to be joined → its number. The caller has asked for room."""
    e = sizes[N_EDGES]
    sizes[N_EDGES] = e + 1
    edges[e, SOURCE] = source
    edges[e, TARGET] = target
    edges[e, NEXT_OUT] = -1
    edges[e, NEXT_IN] = -1
    edges[e, COUNT] = count
    edges[e, SAMPLE_COUNT] = count
    edges[e, PRUNING_COUNT] = count
    edges[e, IS_REF] = is_ref
    if vertices[source, LAST_OUT] < 0:
        vertices[source, FIRST_OUT] = e
    else:
        edges[vertices[source, LAST_OUT], NEXT_OUT] = e
    vertices[source, LAST_OUT] = e
    vertices[source, OUT_DEGREE] += 1
    if vertices[target, LAST_IN] < 0:
        vertices[target, FIRST_IN] = e
    else:
        edges[vertices[target, LAST_IN], NEXT_IN] = e
    vertices[target, LAST_IN] = e
    vertices[target, IN_DEGREE] += 1
    return e


@inner_kernel
def find_edge(vertices, edges, source, target):
    """Number of the edge from `source` to `target`; -1 if there is none."""
    e = vertices[source, FIRST_OUT]
    while e >= 0 and edges[e, TARGET] != target:
        e = edges[e, NEXT_OUT]
    return e


@inner_kernel
def add_edge(vertices, edges, sizes, source, target, is_ref, count):
    """Append an edge unless the two are joined already: then nothing happens, and the count is lost."""
    if find_edge(vertices, edges, source, target) < 0:
        append_edge(vertices, edges, sizes, source, target, is_ref, count)


@inner_kernel
def remove_edge(vertices, edges, e):
    """Take an edge out of both its chains."""
    source, target = edges[e, SOURCE], edges[e, TARGET]
    before = -1
    x = vertices[source, FIRST_OUT]
    while x != e:
        before = x
        x = edges[x, NEXT_OUT]
    if before < 0:
        vertices[source, FIRST_OUT] = edges[e, NEXT_OUT]
    else:
        edges[before, NEXT_OUT] = edges[e, NEXT_OUT]
    if vertices[source, LAST_OUT] == e:
        vertices[source, LAST_OUT] = before
    vertices[source, OUT_DEGREE] -= 1
    before = -1
    x = vertices[target, FIRST_IN]
    while x != e:
        before = x
        x = edges[x, NEXT_IN]
    if before < 0:
        vertices[target, FIRST_IN] = edges[e, NEXT_IN]
    else:
        edges[before, NEXT_IN] = edges[e, NEXT_IN]
    if vertices[target, LAST_IN] == e:
        vertices[target, LAST_IN] = before
    vertices[target, IN_DEGREE] -= 1
    edges[e, SOURCE] = REMOVED


@inner_kernel
def remove_vertex(vertices, edges, sizes, v):
    """Take out a vertex and its edges."""
    while vertices[v, FIRST_OUT] >= 0:
        remove_edge(vertices, edges, vertices[v, FIRST_OUT])
    while vertices[v, FIRST_IN] >= 0:
        remove_edge(vertices, edges, vertices[v, FIRST_IN])
    vertices[v, LENGTH] = REMOVED
    sizes[N_LIVE] -= 1


@inner_kernel
def has_ref_out(vertices, edges, v):
    """Whether an edge of the reference leaves `v`."""
    e = vertices[v, FIRST_OUT]
    while e >= 0 and edges[e, IS_REF] == 0:
        e = edges[e, NEXT_OUT]
    return e >= 0


@inner_kernel
def has_ref_in(vertices, edges, v):
    """Whether an edge of the reference enters `v`."""
    e = vertices[v, FIRST_IN]
    while e >= 0 and edges[e, IS_REF] == 0:
        e = edges[e, NEXT_IN]
    return e >= 0


@inner_kernel
def is_on_reference(vertices, edges, sizes, v):
    """Whether `v` touches an edge of the reference (or is all there is)."""
    return has_ref_out(vertices, edges, v) or has_ref_in(vertices, edges, v) or sizes[N_LIVE] == 1


@inner_kernel
def is_ref_source(vertices, edges, sizes, v):
    """Whether the reference begins at `v`."""
    return not has_ref_in(vertices, edges, v) and (has_ref_out(vertices, edges, v) or sizes[N_LIVE] == 1)


@inner_kernel
def is_ref_sink(vertices, edges, sizes, v):
    """Whether the reference ends at `v`."""
    return not has_ref_out(vertices, edges, v) and (has_ref_in(vertices, edges, v) or sizes[N_LIVE] == 1)


@inner_kernel
def find_ref_source(vertices, edges, sizes):
    """The first vertex where the reference begins; -1 if it was lost."""
    for v in range(sizes[N_VERTICES]):
        if vertices[v, LENGTH] != REMOVED and is_ref_source(vertices, edges, sizes, v):
            return v
    return -1


@inner_kernel
def find_ref_sink(vertices, edges, sizes):
    """The first vertex where the reference ends; -1 if it was lost."""
    for v in range(sizes[N_VERTICES]):
        if vertices[v, LENGTH] != REMOVED and is_ref_sink(vertices, edges, sizes, v):
            return v
    return -1


@inner_kernel
def has_cycle(vertices, edges, sizes, queue, degrees):
    """Whether some path returns to where it was. queue, degrees : int64[>= vertices], overwritten."""
    n = 0
    for v in range(sizes[N_VERTICES]):
        if vertices[v, LENGTH] == REMOVED:
            continue
        degrees[v] = vertices[v, IN_DEGREE]
        if degrees[v] == 0:
            queue[n] = v
            n += 1
    i = 0
    while i < n:
        e = vertices[queue[i], FIRST_OUT]
        i += 1
        while e >= 0:
            target = edges[e, TARGET]
            degrees[target] -= 1
            if degrees[target] == 0:
                queue[n] = target
                n += 1
            e = edges[e, NEXT_OUT]
    return n < sizes[N_LIVE]


@inner_kernel
def keep_paths_between(vertices, edges, sizes, source, sink, queue, marks):
    """Remove every vertex that lies on no path from `source` to `sink`. queue, marks : int64[>= vertices], overwritten."""
    for v in range(sizes[N_VERTICES]):
        marks[v] = 0
    marks[source] = 1
    queue[0] = source
    n, i = 1, 0
    while i < n:
        e = vertices[queue[i], FIRST_OUT]
        i += 1
        while e >= 0:
            v = edges[e, TARGET]
            if marks[v] == 0:
                marks[v] = 1
                queue[n] = v
                n += 1
            e = edges[e, NEXT_OUT]
    marks[sink] |= 2
    queue[0] = sink
    n, i = 1, 0
    while i < n:
        e = vertices[queue[i], FIRST_IN]
        i += 1
        while e >= 0:
            v = edges[e, SOURCE]
            if marks[v] & 2 == 0:
                marks[v] |= 2
                queue[n] = v
                n += 1
            e = edges[e, NEXT_IN]
    for v in range(sizes[N_VERTICES]):
        if vertices[v, LENGTH] != REMOVED and marks[v] != 3:
            remove_vertex(vertices, edges, sizes, v)
