"""Counts per position as `samtools mpileup` tells them: what gpuvc's pileup is held against. Shares no code with it.

mpileup runs twice: without indels and read ends, so that a column's text holds one letter a read; and with them, for the indels.
"""

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from gpuvc.batches import PILEUP_FIELDS

# Everything but where soft clips end, which mpileup does not show. A base below the quality asked for is for mpileup no read at all, and it
# judges a deletion by the base behind it; so with a quality asked for, only bases and their qualities can be compared.
FIELDS = tuple(name for name in PILEUP_FIELDS if not name.startswith("clips"))
BASE_FIELDS = FIELDS[:15]
MAX_SHIFT_BP = 200  # an indel is moved left no further
CHUNK_BYTES = 64 << 20

_ROW = {name: row for row, name in enumerate(PILEUP_FIELDS)}
_ROW_OF_LETTER = np.full(256, -1, np.int64)
for _letter in map(chr, range(65, 91)):
    for _strand, _text in (("forward", _letter), ("reverse", _letter.lower())):
        _ROW_OF_LETTER[ord(_text)] = _ROW[f"{_letter if _letter in 'ACGT' else 'N'}_{_strand}"]
_ROW_OF_LETTER[ord("*")], _ROW_OF_LETTER[ord("#")] = _ROW["deleted_forward"], _ROW["deleted_reverse"]
_WITHOUT_INDELS = ("--no-output-ins", "--no-output-ins", "--no-output-del", "--no-output-del", "--no-output-ends")


def mpileup_counts(path, reference, contig, sequence, *, min_mapping_quality, min_base_quality, excluded_flags, start=0, end=None):
    """Counts over contig:start-end (0-based, half-open).

    Parameters
    ----------
    path, reference : Path
        Indexed BAM or CRAM, and FASTA.
    sequence : str
        The whole contig, upper case.
    excluded_flags : str
        As `--ff` takes them.

    Returns
    -------
    counts : int32[n_fields, n_positions]
        Rows as PILEUP_FIELDS; those not in FIELDS stay 0.
    indels : dict
        (pos, length, inserted bases) → [reads forward, reads reverse], left-aligned, those between two aligned bases of a read.
    """
    end = len(sequence) if end is None else end
    reach = min(end + MAX_SHIFT_BP, len(sequence))  # what is moved left from behind the end may come to lie before it
    options = [
        "-B", "-A", "-x", "-d", "0", "-s", "--reverse-del", "-q", min_mapping_quality, "-Q", min_base_quality, "--ff", excluded_flags,
        "-f", reference, "-r", f"{contig}:{start + 1}-{reach}",
    ]  # fmt: skip
    counts = np.zeros((len(PILEUP_FIELDS), reach - start), np.int32)
    letters = np.frombuffer(sequence[start:reach].encode(), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "mpileup.txt"
        _mpileup([*options, *_WITHOUT_INDELS, "-o", text, path])
        for chunk in _chunks(text):
            _add_columns(chunk, start, letters, counts)
        _mpileup([*options, "-o", text, path])
        raw = _add_indels(text, start, counts)
    indels = {}
    for (pos, length, inserted, strand), n in raw.items():
        indels.setdefault(_left_aligned(pos, length, inserted, sequence), [0, 0])[strand] += n
    return counts[:, : end - start], {key: n for key, n in indels.items() if start <= key[0] < end}


def indels_of(pileup):
    """The same dictionary from a `Pileup`."""
    table = pileup.indels
    return {
        (int(table.pos[k]), int(table.length[k]), "".join("ACGTN"[code] for code in table.inserted[a:b])): [
            int(table.forward[k]), int(table.reverse[k]),
        ]
        for k, (a, b) in enumerate(zip(table.inserted_offsets[:-1], table.inserted_offsets[1:]))
    }  # fmt: skip


def _mpileup(arguments):
    arguments = [str(argument) for argument in arguments]
    if shutil.which("samtools"):
        subprocess.run(["samtools", "mpileup", *arguments], check=True, capture_output=True)
    else:
        import pysam.samtools

        pysam.samtools.mpileup(*arguments, catch_stdout=False)


def _chunks(path):
    """The file as uint8 arrays of whole lines."""
    with open(path, "rb") as file:
        rest = b""
        while data := file.read(CHUNK_BYTES):
            whole, newline, rest = (rest + data).rpartition(b"\n")
            yield np.frombuffer(whole + newline, np.uint8)


def _add_columns(text, start, reference, counts):
    """Add the lines of `text` (contig, position, reference, depth, bases, qualities, mapping qualities) to `counts`."""
    tabs = np.flatnonzero(text == ord("\t")).reshape(-1, 6)
    depth_is_0 = (tabs[:, 3] - tabs[:, 2] == 2) & (text[tabs[:, 2] + 1] == ord("0"))  # an asterisk stands for nothing then
    tabs = tabs[~depth_is_0]
    if not len(tabs):
        return
    pos = _numbers(text, tabs[:, 0] + 1, tabs[:, 1]) - 1
    depth = tabs[:, 4] - tabs[:, 3] - 1
    if not (depth == tabs[:, 5] - tabs[:, 4] - 1).all():
        raise ValueError("mpileup: found columns with more bases than qualities, expected one of each per read")
    line = np.repeat(np.arange(len(tabs)), depth)
    read = np.arange(len(line)) - np.repeat(np.cumsum(depth) - depth, depth)
    letters, quals, mapqs = (text[(tabs[:, k] + 1)[line] + read] for k in (3, 4, 5))
    row = _ROW_OF_LETTER[letters]
    for strand, sign in enumerate(".,"):  # the reference's base
        is_same = letters == ord(sign)
        row[is_same] = _ROW_OF_LETTER[reference[(pos - start)[line[is_same]]]] + strand
    if (row < 0).any():
        raise ValueError(f"mpileup: found the letter {chr(letters[row < 0][0])!r}, expected bases and deletions")
    first, n_columns = pos[0], pos[-1] - pos[0] + 1
    column = (pos - first)[line]

    def add(rows, values, n_rows):
        sums = np.bincount(rows * n_columns + column, values, n_rows * n_columns)
        return sums.reshape(n_rows, n_columns).astype(np.int32)

    here = counts[:, first - start : first - start + n_columns]
    bases = add(row, None, 17)
    here[:10] += bases[:10]
    here[15:17] += bases[15:]
    here[10:15] += add(np.where(row < 10, row // 2, 5), quals - 33.0, 6)[:5]
    here[_ROW["reads"]] += add(0, None, 1)[0]
    here[_ROW["mapq_sum"]] += add(0, mapqs - 33.0, 1)[0]
    here[_ROW["mapq0_reads"]] += add(0, (mapqs == 33).astype(float), 1)[0]


def _numbers(text, first, end):
    """The decimal numbers that stand at text[first:end]."""
    values = np.zeros(len(first), np.int64)
    for place in range(int((end - first).max())):
        inside = first + place < end
        values[inside] = 10 * values[inside] + text[first[inside] + place] - ord("0")
    return values


def _add_indels(path, start, counts):
    """Count insertions and deletions in `counts`; returns (pos, length, inserted bases, strand) → reads, as the alignments have them."""
    found = Counter()
    with open(path, "rb") as lines:
        for line in lines:
            _, pos1, _, _, column, _ = line.split(b"\t", 5)
            if b"+" not in column and b"-" not in column:
                continue
            text = re.sub(r"\^.", "", column.decode())  # a read's start and its mapping quality, which may look like anything
            pos = int(pos1) - 1
            for mark in re.finditer(r"([+-])(\d+)", text):
                sign, size = mark[1], int(mark[2])
                bases = text[mark.end() : mark.end() + size]
                strand = int(bases.islower())
                kind = "insertions" if sign == "+" else "deletions"
                counts[_ROW[f"{kind}_{'reverse' if strand else 'forward'}"], pos - start] += 1
                if text[mark.end() + size : mark.end() + size + 1] != "$":  # else nothing of the read is aligned behind it
                    inserted = re.sub("[^ACGT]", "N", bases.upper()) if sign == "+" else ""
                    found[pos, size if sign == "+" else -size, inserted, strand] += 1
    return found


def _left_aligned(pos, length, inserted, sequence):
    """(pos, length, inserted) moved left while the sequence stays the same."""
    moved = 0
    while pos > 0 and moved < MAX_SHIFT_BP:
        last = inserted[-1] if length > 0 else sequence[pos - length]
        if sequence[pos] != last or last not in "ACGT":
            break
        inserted = inserted[-1:] + inserted[:-1]
        pos -= 1
        moved += 1
    return pos, length, inserted
