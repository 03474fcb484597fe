"""Smith-Waterman with affine gaps, cell by cell in plain Python (specification, section 3.8)."""

SOFTCLIP, INDEL, LEADING_INDEL, IGNORE = range(4)


def align(ref, query, weights, overhang):
    """(offset, CIGAR as text) of `query` on `ref`, two strings; weights = match, mismatch, gap open, gap extend."""
    match, mismatch, gap_open, gap_extend = weights
    n, m = len(ref), len(query)
    free = overhang in (SOFTCLIP, IGNORE)
    if free and query in ref:
        return ref.rindex(query), f"{m}M"

    def edge(k):
        return 0 if free or k == 0 else gap_open + (k - 1) * gap_extend

    score = [[edge(j) if i == 0 else edge(i) if j == 0 else 0 for j in range(m + 1)] for i in range(n + 1)]
    step = [[0] * (m + 1) for _ in range(n + 1)]
    down = [(float("-inf"), 0)] * (m + 1)
    for i in range(1, n + 1):
        right = (float("-inf"), 0)
        for j in range(1, m + 1):
            down[j] = longer_gap(score[i - 1][j] + gap_open, down[j], gap_extend)
            right = longer_gap(score[i][j - 1] + gap_open, right, gap_extend)
            diagonal = score[i - 1][j - 1] + (match if ref[i - 1] == query[j - 1] else mismatch)
            score[i][j] = max(diagonal, right[0], down[j][0])
            step[i][j] = 0 if diagonal == score[i][j] else -right[1] if right[0] == score[i][j] else down[j][1]

    i, j = n, m
    if overhang != INDEL:
        best = max(score[row][m] for row in range(1, n + 1))
        i = max(row for row in range(1, n + 1) if score[row][m] == best)
        for column in range(1, m + 1) if free else ():
            value = score[n][column]
            if value > best or (value == best and abs(n - column) < abs(i - j)):
                best, i, j = value, n, column

    letters = ("S" if overhang == SOFTCLIP else "M") * (m - j)
    while i > 0 and j > 0:
        gap = step[i][j]
        letters += "M" if gap == 0 else "D" * gap if gap > 0 else "I" * -gap
        i, j = (i - 1, j - 1) if gap == 0 else (i - gap, j) if gap > 0 else (i, j + gap)
    if free:
        return (i, run_lengths(letters + "S" * j)) if overhang == SOFTCLIP else (i - j, run_lengths(letters + "M" * j))
    return 0, run_lengths(letters + "D" * i + "I" * j)


def longer_gap(opened, gap, gap_extend):
    """(score, length) of a gap at its next base: the one already open, unless to open it here is better."""
    extended = gap[0] + gap_extend
    return (opened, 1) if opened > extended else (extended, gap[1] + 1)


def run_lengths(letters):
    """CIGAR text of one letter a base, last base first."""
    text, runs = letters[::-1], []
    for letter in text:
        if runs and runs[-1][1] == letter:
            runs[-1][0] += 1
        else:
            runs.append([1, letter])
    return "".join(f"{length}{letter}" for length, letter in runs)
