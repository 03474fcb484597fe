"""A place as text: the reference, the haplotypes and the reads, one under the other, as `samtools tview` draws them.

. ,     equal to the reference, forward and reverse strand     A a     another base     *     deleted, or not inserted
"""

from gpuvc.kernels.codes import (
    ALIGNS,
    BASES,
    CIGAR_I,
    CONSUMES_READ,
    CONSUMES_REFERENCE,
    N,
)

FLANK_BP = 20
MOST_INSERTED = 24  # bases of one insertion that are shown


def lay_out(pos, cigar, bases, reference, reference_start, start, end, reverse=False):
    """One alignment over reference positions start to end → (cells, insertions).

    Parameters
    ----------
    pos : int
        First aligned base. cigar : uint32[...]; bases : uint8[...], codes, soft clips included.
    reference : uint8[n]
        Codes from reference_start on.

    Returns
    -------
    cells : list[str]
        One letter a position; a blank where the alignment does not reach.
    insertions : dict[int, str]
        Position before it → inserted bases, where the alignment covers that position.
    """
    cells, insertions = [" "] * (end - start), {}
    same = "," if reverse else "."
    letters = BASES.lower() if reverse else BASES
    at, place = int(pos), 0
    for operation, length in ((int(c) & 15, int(c) >> 4) for c in cigar):
        if 1 << operation & CONSUMES_REFERENCE:
            for p in range(max(at, start), min(at + length, end)):
                if 1 << operation & ALIGNS:
                    base = bases[place + p - at] if place + p - at < len(bases) else N  # of a record without SEQ, or with too little
                    cells[p - start] = same if base == reference[p - reference_start] else letters[base]
                else:
                    cells[p - start] = "*"
            at += length
        elif operation == CIGAR_I and start < at <= end:
            insertions[at - 1] = "".join(letters[base] for base in bases[place : place + length])
        if 1 << operation & CONSUMES_READ:
            place += length
    return cells, insertions


def draw(pos, start, end, reference, reference_start, rows):
    """list[str]: position, reference and rows, each behind its label.

    Parameters
    ----------
    pos : int
        What the mark on top points to, 0-based.
    rows : list of (label, (cells, insertions), note)
        From `lay_out` over start to end.
    """
    widths = {}
    for _, (_, insertions), _ in rows:
        for p, inserted in insertions.items():
            widths[p] = min(MOST_INSERTED, max(widths.get(p, 0), len(inserted)))
    letters = [BASES[code] for code in reference[start - reference_start : end - reference_start]]
    named = [("reference", (letters, {}), ""), *rows]
    indent = max(len(label) for label, _, _ in named) + 2
    column = indent + sum(1 + widths.get(p, 0) for p in range(start, pos))
    number = f"{pos + 1:,}"
    lines = [" " * max(0, column + 1 - len(number)) + number, " " * column + "v"]
    for label, (cells, insertions), note in named:
        text = label.ljust(indent)
        for p, cell in zip(range(start, end), cells, strict=True):
            text += cell
            if p in widths:
                reaches = cell != " " and (p + 1 == end or cells[p + 1 - start] != " ")
                text += insertions.get(p, "")[: widths[p]].ljust(widths[p], "*" if reaches else " ")
        lines.append(f"{text}  {note}".rstrip())
    return lines
