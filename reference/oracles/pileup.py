"""Pileup one base at a time: what the kernels `pile_up` and `collect_indels` are held against."""

from gpuvc.batches import PILEUP_FIELDS

OPERATIONS = "MIDNSHP=X"
UNKNOWN = 4  # the code of N


def operations_of(cigar, offsets, read):
    """[(letter, length)] of one read."""
    return [(OPERATIONS[word & 15], word >> 4) for word in cigar[offsets[read] : offsets[read + 1]].tolist()]


def pile_up(use, pos, flag, mapq, cigar, cigar_offsets, bases, base_quals, base_offsets, window_start, min_base_quality, counts):
    """Add the reads `use` to `counts`, whose columns begin at reference position `window_start`."""

    def add(field, position, value=1):
        if 0 <= position - window_start < counts.shape[1]:
            counts[PILEUP_FIELDS.index(field), position - window_start] += value

    for read in use.tolist():
        strand = "reverse" if flag[read] & 0x10 else "forward"
        position, base = int(pos[read]), int(base_offsets[read])
        letters = ""  # of the operations seen so far
        for letter, length in operations_of(cigar, cigar_offsets, read):
            if letter == "S":
                add(*(("clips_left", position) if letters in ("", "H") else ("clips_right", position - 1)))
            if letter in "ID" and letters[-1:] in tuple("M=XDN"):  # after a base that the read covers, as samtools mpileup counts
                add(f"{'insertions' if letter == 'I' else 'deletions'}_{strand}", position - 1)
            for _ in range(length):
                if letter in "M=XD":
                    add("reads", position)
                    add("mapq_sum", position, int(mapq[read]))
                    add("mapq0_reads", position, int(mapq[read] == 0))
                if letter == "D":
                    add(f"deleted_{strand}", position)
                if letter in "M=X" and base_quals[base] >= min_base_quality:
                    add(f"{'ACGTN'[bases[base]]}_{strand}", position)
                    add(f"{'ACGTN'[bases[base]]}_qual_sum", position, int(base_quals[base]))
                position += letter in "M=XDN"
                base += letter in "M=XIS"
            letters += letter


def collect_indels(
    use, pos, cigar, cigar_offsets, bases, base_offsets, reference, reference_start, slots, anchor, length, read_offset, shift, digest
):  # fmt: skip
    """Write each insertion and deletion between aligned bases at its leftmost place; anchor -1 for the others."""
    window = tuple(reference.tolist())
    for u, read in enumerate(use.tolist()):
        at, base, event = int(pos[read]) - reference_start, int(base_offsets[read]), int(slots[u])
        operations = operations_of(cigar, cigar_offsets, read)
        for i, (letter, size) in enumerate(operations):
            if letter in "ID":
                anchor[event] = -1
                around = [operations[j][0] for j in (i - 1, i + 1) if 0 <= j < len(operations)]
                is_inside = at > 0 and at + size <= len(window)
                if is_inside and len(around) == 2 and set(around) <= set("M=X"):
                    inserted = tuple(bases[base : base + size].tolist()) if letter == "I" else ()
                    # An insertion puts bases into the reference, a deletion puts the reference's into the read.
                    longer = window[:at] + inserted + window[at:]
                    shorter = window if letter == "I" else window[:at] + window[at + size :]
                    place = leftmost(longer, shorter, at, size)
                    anchor[event] = place - 1 + reference_start
                    length[event] = size if letter == "I" else -size
                    read_offset[event] = base
                    shift[event] = at - place
                    digest[event] = digest_of(longer[place : place + size]) if letter == "I" else 0
                event += 1
            at += size * (letter in "M=XDN")
            base += size * (letter in "M=XIS")


def leftmost(longer, shorter, at, size, most=200):
    """How far left the `size` bases at `at`, which only `longer` has, can be taken instead; not beyond an N, and not more than `most`."""
    place = at
    while place > 1 and at - place < most and longer[place - 1] != UNKNOWN and longer[: place - 1] + longer[place - 1 + size :] == shorter:
        place -= 1
    return place


def digest_of(codes):
    """A number that tells inserted sequences apart: their bases as digits 1 to 5 of base 2^20 - 3, modulo 2^42 - 11."""
    value = 0
    for code in codes:
        value = (value * 1048573 + code + 1) % 4398046511093
    return value
