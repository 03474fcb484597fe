"""What travels between the stages: columns, never one object per read."""

from dataclasses import dataclass

import numpy as np


@dataclass(slots=True)
class ReadBatch:
    """Aligned reads as columns, in the order of the file. R reads; flat arrays are addressed by the offsets (CSR).

    contig_id, pos, mate_contig_id, mate_pos, template_length : int32[R]
        As BAM stores them: 0-based; -1 for none.
    ref_end : int32[R]
        One past the last reference base covered (pos + sum of M, D, N, =, X); pos for a read that covers none.
    mapq : uint8[R]
    flag : uint16[R]
    read_group : int16[R]
        Index into the source's read groups; -1 without RG tag, or with one that the header lacks.
    name_hash : uint64[R]
        64-bit hash of the read name; equal names have equal hashes.
    cigar : uint32[sum of operations]
        Operation in the low 4 bits, length above. cigar_offsets : int64[R + 1].
        CIGARs of more than 65,535 operations (CG tag) stand here in full.
    bases : uint8[sum of read lengths]
        Codes 0..4 = A C G T N. base_offsets : int64[R + 1].
    base_quals : uint8[sum of read lengths]
        Phred; 255 throughout a read whose qualities are not stored.
    """

    contig_id: np.ndarray
    pos: np.ndarray
    ref_end: np.ndarray
    mapq: np.ndarray
    flag: np.ndarray
    read_group: np.ndarray
    mate_contig_id: np.ndarray
    mate_pos: np.ndarray
    template_length: np.ndarray
    name_hash: np.ndarray
    cigar: np.ndarray
    cigar_offsets: np.ndarray
    bases: np.ndarray
    base_quals: np.ndarray
    base_offsets: np.ndarray

    @property
    def n_reads(self):
        return len(self.pos)

    @property
    def nbytes(self):
        """Bytes held by all columns."""
        return sum(getattr(self, name).nbytes for name in self.__slots__)


@dataclass(slots=True)
class Call:
    """One VCF record of one sample, before it is text.

    pos : int
        0-based position of the first base of `ref`.
    filters : tuple[str, ...]
        Empty means PASS.
    info : dict[str, int | float | tuple | None]
        By VCF key, in the order of the output; None or absent keys are not written. Tuples have one entry per alternate allele.
    genotype : tuple[int, ...]
        Allele indices in ascending order, one per chromosome copy; -1 for no call.
    allele_depths : tuple[int, ...]
        Reads that support each allele, reference first (AD). depth : reads informative or not (DP).
    genotype_quality : int
        Phred (GQ), at most 99. phred_likelihoods : tuple[int, ...] in VCF order (PL).
    """

    contig_id: int
    pos: int
    ref: str
    alts: tuple[str, ...]
    qual: float
    filters: tuple[str, ...]
    info: dict
    genotype: tuple[int, ...]
    allele_depths: tuple[int, ...]
    depth: int
    genotype_quality: int
    phred_likelihoods: tuple[int, ...]


PILEUP_FIELDS = (
    *(f"{base}_{strand}" for base in "ACGTN" for strand in ("forward", "reverse")),
    *(f"{base}_qual_sum" for base in "ACGTN"),
    "deleted_forward",
    "deleted_reverse",
    "insertions_forward",
    "insertions_reverse",
    "deletions_forward",
    "deletions_reverse",
    "clips_left",
    "clips_right",
    "reads",
    "mapq_sum",
    "mapq0_reads",
)


@dataclass(slots=True)
class Pileup:
    """Counts per reference position of one window.

    contig_id, start : int
        The window begins at `start` (0-based).
    counts : int32[n_fields, n_positions]
        Rows as in PILEUP_FIELDS. Base counts and quality sums (phred) take bases of at least the base quality asked for;
        `deleted` counts reads whose deletion spans the position; `insertions` and `deletions` the events that begin right after it,
        in reads that cover it; `clips_left` and `clips_right` reads whose soft clip ends right before it or begins right after it;
        `reads` those that cover it, deletions included, and `mapq_sum`, `mapq0_reads` are over these.
    indels : IndelTable
        The insertions and deletions by length and sequence.
    """

    contig_id: int
    start: int
    counts: np.ndarray
    indels: "IndelTable"

    @property
    def n_positions(self):
        return self.counts.shape[1]

    def field(self, name):
        """int32[n_positions]: one row of `counts` by its name in PILEUP_FIELDS."""
        return self.counts[PILEUP_FIELDS.index(name)]


@dataclass(slots=True)
class IndelTable:
    """Distinct insertions and deletions, left-aligned, sorted by position, length and sequence; K alleles.

    pos : int32[K]
        0-based reference base before the event (the VCF anchor).
    length : int32[K]
        Bases inserted (above 0) or deleted (below 0).
    inserted : uint8[sum of insertions]
        Codes of the inserted bases. inserted_offsets : int64[K + 1]; deletions hold nothing.
    forward, reverse : int32[K]
        Reads of either strand that carry it.
    """

    pos: np.ndarray
    length: np.ndarray
    inserted: np.ndarray
    inserted_offsets: np.ndarray
    forward: np.ndarray
    reverse: np.ndarray

    def __len__(self):
        return len(self.pos)

    def between(self, start, end):
        """The alleles whose anchor lies at `start` to `end` (0-based, half-open), as a table of its own."""
        first, last = np.searchsorted(self.pos, (start, end)).tolist()
        offsets = self.inserted_offsets[first : last + 1]
        return IndelTable(
            pos=self.pos[first:last], length=self.length[first:last], inserted=self.inserted[offsets[0] : offsets[-1]],
            inserted_offsets=offsets - offsets[0], forward=self.forward[first:last], reverse=self.reverse[first:last],
        )  # fmt: skip
