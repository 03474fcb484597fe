"""What each read shows at each locus, one base at a time: what the kernel `observe` is held against."""

from reference.oracles.pileup import operations_of

DELETED, ABSENT = 5, 6


def observe(
    pair_locus, pair_read, locus_pos, segment_start, segment_end, clip_reach, pos, cigar, cigar_offsets, bases, base_quals, base_offsets,
    code, quality, end_distance, segment_first, segment_length, segment_ref,
):  # fmt: skip
    """Write the base, its quality and its distance from the read's ends; and the run of read bases that lie near the locus."""
    for k, (locus, read) in enumerate(zip(pair_locus.tolist(), pair_read.tolist())):
        x, begin, end = int(locus_pos[locus]), int(segment_start[locus]), int(segment_end[locus])
        origin, read_length = int(base_offsets[read]), int(base_offsets[read + 1] - base_offsets[read])
        placed = places_of(int(pos[read]), operations_of(cigar, cigar_offsets, read), clip_reach)

        shown = [base for base, how, place in placed if how in "MD" and place == x]
        by_deletion = any(how == "D" and place == x for _, how, place in placed)
        at_base = shown[0] if shown else -1
        code[k] = DELETED if by_deletion else bases[origin + at_base] if shown else ABSENT
        quality[k] = base_quals[origin + at_base] if at_base >= 0 else 0
        end_distance[k] = min(at_base, read_length - 1 - at_base) if at_base >= 0 else -1

        near = [(base, place) for base, how, place in placed if how in "MLR" and begin <= place < end]
        last = max((base for base, _ in near), default=-1)
        if near:
            # What follows the first base: insertions between two positions of the span.
            last = max([last] + [base for base, how, place in placed if base > near[0][0] and how == "I" and begin < place < end])
        segment_first[k] = origin + (near[0][0] if near else 0)
        segment_length[k] = last - near[0][0] + 1 if near else 0
        segment_ref[k] = near[0][1] if near else 0


def places_of(position, operations, clip_reach):
    """[(base, how, place)] along a read; how: M aligned, I inserted before the place, L and R clipped left and right (within reach of
    the aligned part), D no base but a gap, with the base before it (-1 at the read's start)."""
    placed, base = [], 0
    for letter, size in operations:
        for i in range(size):
            if letter in "M=X":
                placed.append((base + i, "M", position + i))
            elif letter == "I":
                placed.append((base + i, "I", position))
            elif letter in "DN":
                placed.append((base - 1, "D", position + i))
            elif letter == "S" and base == 0 and size - i <= clip_reach:
                placed.append((i, "L", position - size + i))
            elif letter == "S" and base > 0 and i < clip_reach:
                placed.append((base + i, "R", position + i))
        position += size * (letter in "M=XDN")
        base += size * (letter in "M=XIS")
    return placed
