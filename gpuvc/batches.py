"""What travels between the stages: columns, never one object per read."""

from dataclasses import dataclass
from typing import NamedTuple

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
    name : bytes[R] or None
        Read names, a NumPy array of fixed width, where they were asked for (`open_alignments`, extras) or there is no read.
    extended_mapq : int16[R] or None
        The tag XQ that DRAGEN's aligner writes, -1 for none, likewise.
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
    name: np.ndarray | None = None
    extended_mapq: np.ndarray | None = None

    @property
    def n_reads(self):
        return len(self.pos)

    @property
    def nbytes(self):
        """Bytes held by all columns."""
        columns = (getattr(self, name) for name in self.__slots__)
        return sum(column.nbytes for column in columns if column is not None)


@dataclass(slots=True)
class SampleCall:
    """What a record says of one sample.

    genotype : tuple[int, ...]
        Allele indices, one per chromosome copy, ascending unless phased; -1 for no call.
    allele_depths : tuple[int, ...] or None
        Reads that support each allele, reference first (AD). depth : int or None, reads informative or not (DP).
    genotype_quality : int or None
        Phred (GQ), at most 99. phred_likelihoods : tuple[int, ...] or None, in VCF order (PL).
    phase : tuple[str, str, int] or None
        PGT, PID, and PS (1-based, as it is written): which genotypes lie on one physical haplotype. A genotype with it is phased.
    strand_depths : tuple[int, ...] or None
        Reads for the reference, forward and reverse, and for any alternate (SB).
    posteriors, priors : tuple[float, ...] or None
        Phred of the genotypes in VCF order, the best posterior at 0 (GP, PG), where genotypes are assigned by them.
    """

    genotype: tuple[int, ...]
    allele_depths: tuple[int, ...] | None
    depth: int | None
    genotype_quality: int | None
    phred_likelihoods: tuple[int, ...] | None
    phase: tuple[str, str, int] | None = None
    strand_depths: tuple[int, ...] | None = None
    posteriors: tuple[float, ...] | None = None
    priors: tuple[float, ...] | None = None


@dataclass(slots=True)
class Call:
    """One VCF record before it is text.

    pos : int
        0-based position of the first base of `ref`.
    filters : tuple[str, ...]
        Empty means PASS.
    info : dict[str, int | float | tuple | None]
        By VCF key, in the order of the output; None or absent keys are not written. Tuples have one entry per alternate allele.
    samples : tuple[SampleCall, ...]
        In the order of the header.
    confidence : float or None
        Phred by which the record was chosen, where that is not QUAL.
    """

    contig_id: int
    pos: int
    ref: str
    alts: tuple[str, ...]
    qual: float
    filters: tuple[str, ...]
    info: dict
    samples: tuple[SampleCall, ...]
    confidence: float | None = None


@dataclass(slots=True)
class ReferenceBlocks:
    """Runs of positions without a record, in genome order; B blocks.

    start, end : int32[B]
        0-based, half-open.
    ref : uint8[B]
        Code of the first base.
    band : int32[B]
        Least genotype quality of the positions that may share the block.
    phred_likelihoods : int32[B, ploidy + 1]
        The least of any position, of 0 .. ploidy copies of anything but the reference.
    min_depth, depth : int32[B]
        Least and median.
    other_depth : int32[B] or None
        Reads that do not show the reference, where every block is one position.
    first_depths, last_depths : int64[...]
        Positions by depth of the first and the last block, which may go on in a neighbouring shard.
    """

    contig_id: int
    start: np.ndarray
    end: np.ndarray
    ref: np.ndarray
    band: np.ndarray
    phred_likelihoods: np.ndarray
    min_depth: np.ndarray
    depth: np.ndarray
    other_depth: np.ndarray | None
    first_depths: np.ndarray
    last_depths: np.ndarray

    @property
    def n_blocks(self):
        return len(self.start)


class ShardCalls(NamedTuple):
    """What is called in a shard, in genome order.

    calls : list[Call]
        Those whose first base lies in one of the shard's targets.
    blocks : ReferenceBlocks or None
        Of the targets, between and behind the calls; None where reference confidence is not asked for.
    """

    calls: list
    blocks: "ReferenceBlocks | None"


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


@dataclass(slots=True)
class RegionBatch:
    """Active regions of one contig, in genome order; G regions.

    start, end : int32[G]
        Calls are made for loci inside (0-based, half-open).
    padded_start, padded_end : int32[G]
        What is assembled: the region and the padding around it, within the contig.
    """

    contig_id: int
    start: np.ndarray
    end: np.ndarray
    padded_start: np.ndarray
    padded_end: np.ndarray

    @property
    def n_regions(self):
        return len(self.start)


@dataclass(slots=True)
class RegionReads:
    """The reads of each region as this region sees them: clipped, qualities corrected; N rows, a read in several regions has several.

    region_slots : int64[G + 1]
        Region g holds rows region_slots[g] to region_slots[g + 1], in the order of the specification's section 1.4.
    read : int32[N]
        Row in the ReadBatch, for all that clipping leaves as it is (flag, mapq, name, mate).
    sample : int16[N]
    pos, end : int32[N]
        First reference base of the clipped alignment, and one past its last.
    cigar : uint32[sum of operations]
        As in ReadBatch, with the hard clips that clipping made. cigar_offsets : int64[N + 1].
    bases, base_quals : uint8[sum of lengths]
        What is left of the read. base_offsets : int64[N + 1].
    """

    region_slots: np.ndarray
    read: np.ndarray
    sample: np.ndarray
    pos: np.ndarray
    end: np.ndarray
    cigar: np.ndarray
    cigar_offsets: np.ndarray
    bases: np.ndarray
    base_quals: np.ndarray
    base_offsets: np.ndarray

    @property
    def n_rows(self):
        return len(self.read)


@dataclass(slots=True)
class HaplotypeBatch:
    """The haplotypes of each region over one span of the reference each; G regions, H haplotypes, E events.

    start, end : int32[G]
        The reference span that every haplotype of the region replaces. The padded span after assembly, less once trimmed to the events.
    variant_start, variant_end : int32[G]
        The loci that are called; empty (start == end) in a region without variation, which then has no haplotypes.
    region_slots : int64[G + 1]
        Haplotypes of region g.
    bases : uint8[sum of lengths]; base_offsets : int64[H + 1]
        Codes.
    cigar : uint32[sum of operations]; cigar_offsets : int64[H + 1]
        Against the reference from the region's `start` to its `end`: M, I and D only.
    is_ref : bool[H]
        The reference's own sequence: exactly one a region.
    score : float64[H]
        Log10 probability of its path in the graph; NaN for the reference.
    event_slots : int64[G + 1]
        Distinct events of region g, sorted by position, then length of the reference allele, then bases of the alternate.
    event_pos : int32[E]
        First base of the reference allele, 0-based; for an indel the base before it.
    event_ref_length : int32[E]
    event_alt : uint8[sum of lengths]; event_alt_offsets : int64[E + 1]
    haplotype_events : int32[sum]; haplotype_event_offsets : int64[H + 1]
        Rows of the event table that each haplotype carries, by position.
    """

    start: np.ndarray
    end: np.ndarray
    variant_start: np.ndarray
    variant_end: np.ndarray
    region_slots: np.ndarray
    bases: np.ndarray
    base_offsets: np.ndarray
    cigar: np.ndarray
    cigar_offsets: np.ndarray
    is_ref: np.ndarray
    score: np.ndarray
    event_slots: np.ndarray
    event_pos: np.ndarray
    event_ref_length: np.ndarray
    event_alt: np.ndarray
    event_alt_offsets: np.ndarray
    haplotype_events: np.ndarray
    haplotype_event_offsets: np.ndarray

    @property
    def n_haplotypes(self):
        return len(self.is_ref)


@dataclass(slots=True)
class LikelihoodBatch:
    """How well each haplotype of a region explains each of its reads.

    log10 : float64[sum over regions of reads x haplotypes]
        Region g: matrix_offsets[g] to matrix_offsets[g + 1], one row a read (the region's rows of RegionReads), one column a haplotype.
    matrix_offsets : int64[G + 1]
    kept : bool[N]
        By row of RegionReads: False for reads that no haplotype explains, and for those that were not scored, whose log10 is NaN: because
        they do not take part in genotyping, or are near no event.
    is_far : bool[N]
        Reads that take part, but lie near no event, so that all haplotypes explain them alike (gpuvc's own model).
    """

    log10: np.ndarray
    matrix_offsets: np.ndarray
    kept: np.ndarray
    is_far: np.ndarray
