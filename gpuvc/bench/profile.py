"""What real reads look like, learned from those that come with gpuvc: qualities along a pair, how often each is wrong, distances of mates.

A made-up pair takes the base qualities and mapping qualities of a real pair, so that they fall along the read and hang together within
it, and between mates, as they do in life.
"""

from dataclasses import dataclass

import numpy as np

from gpuvc.demo import DATA
from gpuvc.io.alignments import open_alignments
from gpuvc.io.fasta import open_reference
from gpuvc.kernels.codes import CIGAR_M, COMPLEMENT, FLAG_DUPLICATE, FLAG_PAIRED, FLAG_PROPER, FLAG_REVERSE

# Deletions or insertions of one base a run of equal bases, by its length: in the bundled reads outside the truth's variants up to 11
# (2 million runs of one base, 162 of eleven), and on along the same line.
INDEL_RATE_BY_RUN = np.array(
    [0, 2e-6, 2e-5, 5e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 4e-3, 7e-3, 1e-2, 1.5e-2, 2e-2, 3e-2, 4e-2, 5e-2, 6e-2, 7e-2, 8e-2]
)
DELETED_SHARE = 0.6  # of these
_MISCALLED_NEAR_BP = 3  # around a variant of the truth, mismatches are no errors


@dataclass(frozen=True)
class Profile:
    """n pairs of real reads of `cycles` bases, and what is known of their errors.

    quals : uint8[2, n, cycles]
        Phred of the forward and of the reverse mate, in the order in which they were sequenced.
    mapqs : uint8[2, n]
    insert_bp : int32[n]
        Length of the fragment.
    error_rate : float64[64]
        Share of wrong bases by quality.
    wrong_base : float64[4, 4]
        What a wrong base reads, by what it is; rows sum to 1.
    duplicates : float
        Share of pairs marked as duplicates of others.
    """

    quals: np.ndarray
    mapqs: np.ndarray
    insert_bp: np.ndarray
    error_rate: np.ndarray
    wrong_base: np.ndarray
    duplicates: float


def learn_profile():
    """The Profile of the bundled reads (NA12878, HiSeq 2000, 2x101)."""
    with open_alignments([str(DATA / "NA12878.chr20.100kb.bam")]) as source:
        reads = next(iter(source.batches()))
        contig = source.contigs.names[0]
    lengths = np.diff(reads.base_offsets)
    cycles = int(np.median(lengths))
    is_good = (lengths == cycles) & (reads.flag & (FLAG_PAIRED | FLAG_PROPER) == FLAG_PAIRED | FLAG_PROPER)
    is_duplicate = reads.flag & FLAG_DUPLICATE != 0
    is_reverse = reads.flag & FLAG_REVERSE != 0
    forward, reverse = _mates(reads, is_good & ~is_duplicate, is_reverse)
    quals = reads.base_quals[reads.base_offsets[:-1, None][is_good] + np.arange(cycles)]
    row = np.cumsum(is_good) - 1
    error_rate, wrong_base = _errors(reads, contig, is_good & ~is_duplicate, is_reverse, cycles)
    return Profile(
        quals=np.stack([quals[row[forward]], quals[row[reverse]][:, ::-1]]),
        mapqs=np.stack([reads.mapq[forward], reads.mapq[reverse]]),
        insert_bp=np.abs(reads.template_length[forward]).astype(np.int32),
        error_rate=error_rate,
        wrong_base=wrong_base,
        duplicates=float(is_duplicate[is_good].mean()),
    )


def _mates(reads, use, is_reverse):
    """Rows of the forward and the reverse reads of pairs of which both are in `use`, in the order of the file."""
    rows = np.flatnonzero(use)
    rows = rows[np.argsort(reads.name_hash[rows], kind="stable")]
    same = reads.name_hash[rows[:-1]] == reads.name_hash[rows[1:]]
    first, second = rows[:-1][same], rows[1:][same]
    opposite = is_reverse[first] != is_reverse[second]
    first, second = first[opposite], second[opposite]
    forward = np.where(is_reverse[first], second, first)
    order = np.argsort(forward, kind="stable")
    return forward[order], np.where(is_reverse[first], first, second)[order]


def _errors(reads, contig, use, is_reverse, cycles):
    """Error rate by quality, and the base read by the true one, of reads that lie on the reference from end to end."""
    plain = reads.cigar[reads.cigar_offsets[:-1].clip(max=len(reads.cigar) - 1)] == (cycles << 4 | CIGAR_M)
    rows = np.flatnonzero(use & plain & (np.diff(reads.cigar_offsets) == 1) & (reads.mapq >= 50))
    columns = np.arange(cycles)
    end = int(reads.ref_end[rows].max())
    reference = open_reference(str(DATA / "chr20.fa")).window(contig, 0, end)
    is_known = np.ones(end, bool)
    for pos in _variant_positions(end):
        is_known[max(0, pos - _MISCALLED_NEAR_BP) : pos + _MISCALLED_NEAR_BP + 1] = False
    places = reads.pos[rows, None] + columns
    bases = reads.bases[reads.base_offsets[rows, None] + columns]
    quals = reads.base_quals[reads.base_offsets[rows, None] + columns]
    true = reference[places]
    counts = is_known[places] & (true < 4) & (bases < 4)
    # Places where many reads differ are variants that the truth lacks.
    differ = np.bincount(places[counts & (bases != true)], minlength=end) > 0.1 * np.bincount(places[counts], minlength=end)
    counts &= ~differ[places]
    is_wrong = counts & (bases != true)
    n, n_wrong = (np.bincount(quals[chosen], minlength=64)[:64] for chosen in (counts, is_wrong))
    error_rate = (n_wrong + 1e-3) / (n + 1)  # a quality that is not met stays at next to nothing
    flipped = np.broadcast_to(is_reverse[rows, None], bases.shape)[is_wrong]
    read, truth = bases[is_wrong], true[is_wrong]
    read, truth = (np.where(flipped, COMPLEMENT[codes], codes) for codes in (read, truth))
    wrong_base = np.bincount(truth * 4 + read, minlength=16).reshape(4, 4).astype(float)
    return error_rate, wrong_base / wrong_base.sum(axis=1, keepdims=True)


def _variant_positions(end):
    import pysam

    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(DATA / "truth.vcf.gz")) as file:
            return [pos for record in file.fetch("chr20", 0, end) for pos in range(record.start, record.stop + 1)]
    finally:
        pysam.set_verbosity(verbosity)
