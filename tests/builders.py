"""Small references and reads from text, as columns and as BAM.

    reads("ACGTTGCA",
          "  ..A...",
          "    ....")

A row shows a read against the reference: a dot is the reference's base, a capital letter the read's own, `-` a deleted base. Small letters
are bases that the alignment leaves out: in the middle an insertion (it takes no column), at an end soft-clipped (they do).
"""

from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import pysam

from gpuvc.batches import ReadBatch
from gpuvc.intervals import Interval
from gpuvc.io.records import hash_name
from gpuvc.kernels.codes import CODE_OF_ASCII
from gpuvc.kernels.jit import kernel

OPERATIONS = "MIDNSHP=X"
CONTIG = "chr1"


def callable_kernel(inner):
    """A kernel for kernels, compiled so that Python can call it, too."""
    return kernel(inner.py_func, allocates=inner.targetoptions["_nrt"])


@dataclass(frozen=True)
class Read:
    """One alignment. `quals`: phred, one number for all bases or one each."""

    pos: int
    cigar: tuple  # of (letter, length)
    bases: str
    quals: int | tuple = 30
    mapq: int = 60
    flag: int = 0
    name: str = ""
    mate_pos: int = -1
    template_length: int = 0
    contig_id: int = 0
    mate_contig_id: int = -1
    read_group: int = 0

    @property
    def ref_end(self):
        return self.pos + sum(length for letter, length in self.cigar if letter in "MDN=X")

    @property
    def all_quals(self):
        return (self.quals,) * len(self.bases) if isinstance(self.quals, int) else self.quals

    def but(self, **changes):
        """The same read with some fields changed."""
        return replace(self, **changes)


def read(reference, row, **fields):
    """The Read that `row` draws on `reference`; see above."""
    text = row.strip(" ")
    at = len(row) - len(row.lstrip(" "))
    n_left = len(text) - len(text.lstrip("acgtn"))
    n_right = len(text) - len(text.rstrip("acgtn")) if n_left < len(text) else 0
    at += n_left
    pos, letters, bases = at, "S" * n_left, text[:n_left]
    for letter in text[n_left : len(text) - n_right]:
        if letter.islower():
            letters, bases = letters + "I", bases + letter
            continue
        letters += "D" if letter == "-" else "M"
        bases += {".": reference[at], "-": ""}.get(letter, letter)
        at += 1
    letters, bases = letters + "S" * n_right, bases + text[len(text) - n_right :]
    return Read(pos, tuple((letter, len(list(same))) for letter, same in groupby(letters)), bases.upper(), **fields)


def batch(aligned):
    """ReadBatch of Reads, in the order given; reads without a name are named by their place."""
    aligned = list(aligned)
    n_cigar, n_bases = [len(r.cigar) for r in aligned], [len(r.bases) for r in aligned]

    def column(name, dtype):
        return np.array([getattr(r, name) for r in aligned], dtype)

    return ReadBatch(
        contig_id=column("contig_id", np.int32), pos=column("pos", np.int32), ref_end=column("ref_end", np.int32),
        mapq=column("mapq", np.uint8), flag=column("flag", np.uint16), read_group=column("read_group", np.int16),
        mate_contig_id=column("mate_contig_id", np.int32), mate_pos=column("mate_pos", np.int32),
        template_length=column("template_length", np.int32),
        name_hash=np.array([hash_name(r.name or f"read{i}") for i, r in enumerate(aligned)], np.uint64),
        cigar=np.array([length << 4 | OPERATIONS.index(letter) for r in aligned for letter, length in r.cigar], np.uint32),
        cigar_offsets=np.cumsum([0, *n_cigar]), bases=codes("".join(r.bases for r in aligned)),
        base_quals=np.array([q for r in aligned for q in r.all_quals], np.uint8), base_offsets=np.cumsum([0, *n_bases]),
    )  # fmt: skip


def reads(reference, *rows, **fields):
    """ReadBatch of rows of text, or of Reads among them."""
    return batch(row if isinstance(row, Read) else read(reference, row, **fields) for row in rows)


def codes(text):
    """uint8 base codes of letters."""
    return CODE_OF_ASCII[np.frombuffer(text.encode(), np.uint8)].copy()


def used(read_batch):
    """int32: all reads of a batch, as stages take those that count."""
    return np.arange(read_batch.n_reads, dtype=np.int32)


def random_sequence(n, seed):
    """Bases without tandem repeats worth the name: no base three times in a row, no pair of bases three times."""
    random = np.random.default_rng(seed)
    text = ""
    while len(text) < n:
        text += "ACGT"[random.integers(4)]
        if text[-3:] == 3 * text[-1:] or (len(text) > 5 and text[-2:] == text[-4:-2] == text[-6:-4]):
            text = text[:-1]
    return text


def haplotype(reference, *variants):
    """[(reference position, base)] of the reference with variants (pos, ref, alt) in it; the position is None for inserted bases."""
    columns, at = [], 0
    for pos, ref, alt in sorted(variants):
        if pos < at or reference[pos : pos + len(ref)].upper() != ref:
            raise ValueError(f"{ref} at {pos}: the reference has {reference[pos : pos + len(ref)]}, or variants overlap")
        columns += [(p, reference[p]) for p in range(at, pos)]
        columns += [(pos + i if i < len(ref) else None, base) for i, base in enumerate(alt)]
        at = pos + len(ref)
    return columns + [(p, reference[p]) for p in range(at, len(reference))]


def reads_of(columns, *, length=60, step=4, start=0, end=None, **fields):
    """Reads of `length` bases every `step` along a haplotype, aligned as it was made, on alternate strands.

    Inserted bases at a read's end are soft-clipped, as a mapper has no choice but to.
    """
    end = len(columns) if end is None else end
    found = []
    for n, first in enumerate(range(start, end - length + 1, step)):
        part = columns[first : first + length]
        placed = [i for i, (p, _) in enumerate(part) if p is not None]
        low, high = placed[0], placed[-1] + 1
        letters, before = "S" * low, None
        for p, _ in part[low:high]:
            if p is not None and before is not None:
                letters += "D" * (p - before - 1)
            letters += "I" if p is None else "M"
            before = before if p is None else p
        letters += "S" * (length - high)
        cigar = tuple((letter, len(list(same))) for letter, same in groupby(letters))
        bases = "".join(base for _, base in part).upper()
        found.append(Read(part[low][0], cigar, bases, **({"flag": 16 * (n % 2)} | fields)))
    return found


def write_fasta(path, contigs):
    """Indexed FASTA of name → sequence; returns the path as text."""
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in contigs.items()))
    pysam.faidx(str(path))
    return str(path)


def write_bam(path, aligned, contigs, *, index=True, sample="ann"):
    """BAM of Reads of one sample, sorted; contigs: name → length or sequence. Returns the path as text."""
    lengths = {name: n if isinstance(n, int) else len(n) for name, n in contigs.items()}
    header = pysam.AlignmentHeader.from_dict({
        "HD": {"VN": "1.6", "SO": "coordinate"},
        "SQ": [{"SN": name, "LN": length} for name, length in lengths.items()],
        "RG": [{"ID": "lane1", "SM": sample}],
    })  # fmt: skip
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for i, r in sorted(enumerate(aligned), key=lambda item: (item[1].contig_id, item[1].pos)):
            record = pysam.AlignedSegment(header)
            record.query_name, record.flag, record.reference_id, record.reference_start = r.name or f"read{i}", r.flag, r.contig_id, r.pos
            record.mapping_quality = r.mapq
            record.cigarstring = "".join(f"{length}{letter}" for letter, length in r.cigar)
            record.next_reference_id, record.next_reference_start, record.template_length = r.mate_contig_id, r.mate_pos, r.template_length
            record.query_sequence = r.bases
            record.query_qualities = pysam.qualitystring_to_array("".join(chr(33 + q) for q in r.all_quals))
            record.set_tag("RG", "lane1")
            file.write(record)
    if index:
        pysam.index(str(path))
    return str(path)


def whole(sequence):
    """The interval of a contig's whole length."""
    return Interval(0, 0, len(sequence))
