"""The pair hidden Markov model in plain float64: what the kernel `pair_hmm` is held against.

States M, I (read only), D (haplotype only); row i is a read base, column j a haplotype base. Transitions are those of the base that is
entered. A read may begin and end anywhere along the haplotype, and ends in M or I.

    M[i][j] = prior (M[i-1][j-1] mm + (I[i-1][j-1] + D[i-1][j-1]) (1 - c))
    I[i][j] = M[i-1][j] mi + I[i-1][j] c          D[i][j] = M[i][j-1] md + D[i][j-1] c
"""

import math

import numpy as np

START = 2.0**1020
N = 4


def pair_hmm(
    read_slots, read_offsets, read_bases, base_quals, insertion_quals, deletion_quals, haplotype_slots, haplotype_offsets,
    haplotype_bases, gap_continuation, row_offsets, log10,
):  # fmt: skip
    """Write the log10 likelihood of each read given each haplotype of its region."""
    for region in range(len(read_slots) - 1):
        for read in range(read_slots[region], read_slots[region + 1]):
            row = slice(read_offsets[read], read_offsets[read + 1])
            continuations = np.broadcast_to(gap_continuation, read_bases.shape)
            columns = [c[row].tolist() for c in (read_bases, base_quals, insertion_quals, deletion_quals, continuations)]
            for h in range(haplotype_slots[region], haplotype_slots[region + 1]):
                haplotype = haplotype_bases[haplotype_offsets[h] : haplotype_offsets[h + 1]].tolist()
                log10[row_offsets[read] + h - haplotype_slots[region]] = log10_likelihood(*columns, haplotype)


def log10_likelihood(read, base_quals, insertion_quals, deletion_quals, gap_continuations, haplotype):
    """Of one read given one haplotype, both lists of codes; qualities in phred."""
    match = insertion = [0.0] * (len(haplotype) + 1)
    for match, insertion, _ in rows(read, base_quals, insertion_quals, deletion_quals, gap_continuations, haplotype):  # noqa: B007
        pass
    total = math.fsum(match[j] + insertion[j] for j in range(1, len(haplotype) + 1))
    return math.log10(total) - math.log10(START) if total > 0 else -math.inf


def rows(read, base_quals, insertion_quals, deletion_quals, gap_continuations, haplotype):
    """Row after row of the matrices M, I and D, one for each base of the read; entry j is behind j bases of the haplotype."""
    columns = range(1, len(haplotype) + 1)
    match, insertion = ([0.0] * (len(haplotype) + 1) for _ in range(2))
    deletion = [START / len(haplotype)] * (len(haplotype) + 1)
    for base, quality, opens_insertion, opens_deletion, goes_on in zip(
        read, base_quals, insertion_quals, deletion_quals, gap_continuations, strict=True
    ):
        q, mi, md, c = error(quality), error(opens_insertion), error(opens_deletion), error(goes_on)
        mm = 1 - (mi + md)
        next_match, next_insertion, next_deletion = ([0.0] * (len(haplotype) + 1) for _ in range(3))
        for j in columns:
            prior = 1 - q if base == haplotype[j - 1] or N in (base, haplotype[j - 1]) else q / 3
            next_match[j] = prior * (match[j - 1] * mm + (insertion[j - 1] + deletion[j - 1]) * (1 - c))
            next_insertion[j] = match[j] * mi + insertion[j] * c
            next_deletion[j] = next_match[j - 1] * md + next_deletion[j - 1] * c
        match, insertion, deletion = next_match, next_insertion, next_deletion
        yield match, insertion, deletion


def error(quality):
    """The probability that a phred quality stands for."""
    return 10 ** (-quality / 10)
