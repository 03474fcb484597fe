"""The best alignment of each read segment to each haplotype, by the whole matrix: what the kernel `score_segments` is held against.

The kernel looks only within a band around where the mapper put the read; with `band_pad` given, so does this.
"""

NEVER = 10**9


def score_segments(
    pair_locus, segment_first, segment_length, segment_ref, cap, allele_slots, bases, base_quals, mismatch, misfit,
    haplotype_slots, haplotype_start, haplotype_offsets, haplotype_bases, gap_open, gap_extend, cheapest_gap, shift_low, shift_high,
    haplotype_allele, penalties, band_pad=None,
):  # fmt: skip
    """Write the penalty of each segment under each allele of its locus, less that of the best one.

    band_pad: so far a read may lie from the diagonals that the haplotype's own indels lead to; None: anywhere.
    """
    for k, locus in enumerate(pair_locus.tolist()):
        slot, n_alleles = int(allele_slots[k]), int(allele_slots[k + 1] - allele_slots[k])
        segment = slice(int(segment_first[k]), int(segment_first[k] + segment_length[k]))
        read = bases[segment].tolist()
        costs = [int(mismatch[q]) for q in base_quals[segment].tolist()]
        least = [NEVER] * n_alleles
        for h in range(int(haplotype_slots[locus]), int(haplotype_slots[locus + 1])):
            columns = slice(int(haplotype_offsets[h]), int(haplotype_offsets[h + 1]))
            haplotype, opening, extending = (column[columns].tolist() for column in (haplotype_bases, gap_open, gap_extend))
            diagonals = range(-len(read), len(haplotype) + 1)
            if band_pad is not None:
                mapped = int(segment_ref[k] - haplotype_start[locus])
                diagonals = range(mapped + int(shift_low[h]) - band_pad, mapped + int(shift_high[h]) + band_pad + 1)
            penalty = best_alignment(read, costs, haplotype, opening, extending, diagonals)
            allele = int(haplotype_allele[h])
            least[allele] = min(least[allele], penalty)
        best = min(least)
        says_nothing = not read or best > misfit[len(read)]
        for a in range(n_alleles):
            penalties[slot + a] = 0 if says_nothing else min(least[a] - best, int(cap[k]))


def best_alignment(read, costs, haplotype, gap_open, gap_extend, diagonals):
    """Least penalty of the read on the haplotype, with base i of the one on base j of the other only where j - i is in `diagonals`.

    What hangs over either end of the read costs nothing. match, insertion, deletion [j]: the read up to base i ends at haplotype
    base j, with its base i on it, inserted after it, or with haplotype base j left out. A gap costs gap_open[j] where it begins,
    gap_extend[j] further on.
    """
    if not read:
        return 0
    n = len(haplotype)
    nowhere = [NEVER] * (n + 1)  # the last entry stands for j = -1, before the haplotype
    # Before the read's first base, i = -1: free at any place from which it comes to lie on a base of the haplotype.
    match, insertion, deletion = nowhere.copy(), nowhere, nowhere
    for j in range(-1, n - 1):
        match[j] = 0 if j + 1 in diagonals else NEVER
    for i, (base, cost) in enumerate(zip(read, costs)):
        new_match, new_insertion, new_deletion = nowhere.copy(), nowhere.copy(), nowhere.copy()
        for j in range(n):
            if j - i in diagonals:
                fits = base == haplotype[j] or base > 3
                new_match[j] = min(match[j - 1], insertion[j - 1], deletion[j - 1]) + (0 if fits else cost)
                new_insertion[j] = min(match[j] + gap_open[j], insertion[j] + gap_extend[j])
                new_deletion[j] = min(new_match[j - 1] + gap_open[j], new_deletion[j - 1] + gap_extend[j])
        match, insertion, deletion = new_match, new_insertion, new_deletion
    return min(match + insertion)
