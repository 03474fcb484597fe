"""Reads as `bcftools mpileup -B` weighs them: overlapping mates, the weight of each base, and the bases of a locus.

    base qualities → of a pair's bases over one position one counts → weights in their place → counts (`count_bases`), bases at loci

bcftools 1.16 with its defaults otherwise, but without its limit of 250 reads. What it does follows its order of work: it takes a pair's
bases apart when the second mate comes, and has by then written the position before unless no other read starts with that mate.
"""

import numpy as np

from gpuvc.kernels.codes import (
    ALIGNS,
    CONSUMES_READ,
    CONSUMES_REFERENCE,
    FLAG_MATE_UNMAPPED,
    FLAG_PAIRED,
    FLAG_PROPER,
    FLAG_REVERSE,
)
from gpuvc.kernels.jit import inner_kernel, kernel
from gpuvc.pileup.read_filters import read_hash

MAX_BASES = 255  # of a locus, that its likelihoods take
MAX_QUAL, MIN_QUAL = 60, 4  # phred: what a base weighs
UNKNOWN_MAPQ, MAPQ_OF_UNKNOWN = 255, 20
QUAL_STEP = 30  # phred: a base is at most so much better than its neighbours
MAX_AGREED_QUAL, DISAGREED_SHARE = 200, 0.8
STRANDS, CODES = 2, 5


# ------------------------------------------------------------------------------------------------------------------- mates


@inner_kernel
def _next_aligned(at, c, end, position, base, cigar):
    """From operation c, which begins at `position` and read base `base`, on to the first base aligned at reference position `at` or later.

    Returns (c, position, base, where it is aligned, which base it is); -1 for both where there is none before operation `end`.
    """
    while c < end:
        operation, length = cigar[c] & 15, np.int64(cigar[c] >> 4)
        if (1 << operation) & ALIGNS and position + length > at:
            where = max(at, position)
            return c, position, base, where, base + where - position
        if (1 << operation) & CONSUMES_READ:
            base += length
        if (1 << operation) & CONSUMES_REFERENCE:
            position += length
        c += 1
    return c, position, base, np.int64(-1), np.int64(-1)


@inner_kernel
def _earlier_counts(name):
    """Whether of two equal bases the earlier read's counts, as the name says: uint8[width], zeros behind it. htslib's hash of a text."""
    mask = np.int64(0xFFFFFFFF)
    h = np.int64(0)
    for i in range(name.size):
        if name[i] == 0:
            break
        h = (31 * h + np.int64(name[i])) & mask
    h = (h + (~(h << 15) & mask)) & mask
    h ^= h >> 10
    h = (h + (h << 3)) & mask
    h ^= h >> 6
    h = (h + (~(h << 11) & mask)) & mask
    h ^= h >> 16
    return (h & 1) == 1


@inner_kernel
def _split_pair(a, b, earlier_counts, pos, cigar, cigar_offsets, bases, base_quals, base_offsets):
    """Give each position that both reads align a base to, to one of them; b starts where a does or later.

    Behind a deletion of b's alone, bcftools passes over the first position.
    """
    at = np.int64(pos[b])
    ca, cb = cigar_offsets[a], cigar_offsets[b]
    end_a, end_b = cigar_offsets[a + 1], cigar_offsets[b + 1]
    pa, pb = np.int64(pos[a]), np.int64(pos[b])
    ba, bb = base_offsets[a], base_offsets[b]
    while True:
        ca, pa, ba, where_a, i = _next_aligned(at, ca, end_a, pa, ba, cigar)
        if where_a < 0:
            return
        at = max(at, where_a)
        cb, pb, bb, where_b, j = _next_aligned(at, cb, end_b, pb, bb, cigar)
        if where_b < 0:
            return
        at = max(at, where_b) + 1
        if where_a != where_b:
            continue
        qual_a, qual_b = np.int64(base_quals[i]), np.int64(base_quals[j])
        if bases[i] == bases[j]:
            both = min(qual_a + qual_b, MAX_AGREED_QUAL)
            base_quals[i] = both if earlier_counts else 0
            base_quals[j] = 0 if earlier_counts else both
        elif qual_a > qual_b or (qual_a == qual_b and earlier_counts):
            base_quals[i] = np.int64(DISAGREED_SHARE * qual_a)
            base_quals[j] = 0
        else:
            base_quals[i] = 0
            base_quals[j] = np.int64(DISAGREED_SHARE * qual_b)


@inner_kernel
def _may_overlap(read, pos, ref_end, flag, contig_id, mate_contig_id, mate_pos, template_length, base_offsets):
    if flag[read] & FLAG_MATE_UNMAPPED or not flag[read] & FLAG_PROPER:
        return False
    if mate_contig_id[read] >= 0 and mate_contig_id[read] != contig_id[read]:
        return False
    length = base_offsets[read + 1] - base_offsets[read]
    return abs(np.int64(template_length[read])) < 2 * length or mate_pos[read] < ref_end[read]


@kernel
def _split_pairs(
    use, name, name_hash, contig_id, pos, ref_end, flag, mate_contig_id, mate_pos, template_length, cigar, cigar_offsets, bases, base_quals,
    base_offsets, waiting, name_end, old_base, old_qual,
):  # fmt: skip
    """`_split_pair` each read and the one of its name that waits for it.

    waiting : int32[power of two, twice the reads at least]
        A hash table, -1 throughout: the last used read u of each name while it waits, -2 - u once its mate has come.
    name_end : int32, as long
        Where the first of a name's reads ends. bcftools forgets who waits when one of its name is left behind: of three reads of one
        name (one of them supplementary) it depends on others in between which two meet.
    old_base : int64[n_used], old_qual : uint8[n_used]
        Written: the base whose right neighbour was different when it was weighed, -1 for none, and that neighbour's quality.
    """
    mask = np.uint64(waiting.size - 1)
    for u in range(use.size):
        old_base[u] = -1
    for u in range(use.size):
        read = use[u]
        slot = (name_hash[read] ^ (name_hash[read] >> np.uint64(29))) & mask
        while waiting[slot] != -1:
            v = waiting[slot]
            if name_hash[use[v if v >= 0 else -2 - v]] == name_hash[read]:
                break
            slot = (slot + np.uint64(1)) & mask
        v = waiting[slot]
        written = np.int64(pos[use[max(0, u - 1)]])  # positions before it are
        is_left_behind = v != -1 and name_end[slot] < written
        name_end[slot] = ref_end[read] if v == -1 or is_left_behind else min(name_end[slot], ref_end[read])
        if not _may_overlap(read, pos, ref_end, flag, contig_id, mate_contig_id, mate_pos, template_length, base_offsets):
            if v < 0 or is_left_behind:
                waiting[slot] = -2 - u
            continue
        if v < 0 or is_left_behind:
            comes_later = mate_pos[read] >= pos[read] or ((flag[read] & FLAG_PAIRED) != 0 and mate_pos[read] == -1)
            waiting[slot] = u if comes_later else -2 - u
            continue
        waiting[slot] = -2 - u
        a = use[v]
        if u > 0 and pos[use[u - 1]] == pos[read]:
            start = np.int64(pos[read])
            _, _, _, where, base = _next_aligned(
                start - 1, cigar_offsets[a], cigar_offsets[a + 1], np.int64(pos[a]), base_offsets[a], cigar
            )  # fmt: skip
            if where == start - 1 and base + 1 < base_offsets[a + 1]:
                old_base[v], old_qual[v] = base, base_quals[base + 1]
        _split_pair(a, read, _earlier_counts(name[a]), pos, cigar, cigar_offsets, bases, base_quals, base_offsets)


@kernel
def _weigh(use, mapq, base_quals, base_offsets, old_base, old_qual, min_base_quality):
    for u in range(use.size):
        read = use[u]
        most = min(MAX_QUAL, MAPQ_OF_UNKNOWN if mapq[read] == UNKNOWN_MAPQ else np.int64(mapq[read]))
        first, end = base_offsets[read], base_offsets[read + 1]
        before = np.int64(255)
        for i in range(first, end):
            qual = np.int64(base_quals[i])
            behind = np.int64(255)
            if i == old_base[u]:
                behind = np.int64(old_qual[u])
            elif i + 1 < end:
                behind = np.int64(base_quals[i + 1])
            weight = min(qual, min(before, behind) + QUAL_STEP)
            base_quals[i] = max(MIN_QUAL, min(weight, most)) if weight >= min_base_quality else 0
            before = qual


def weigh_bases(reads, use, correct_overlaps, min_base_quality):
    """Put what each base weighs in the place of its quality: 0 for those that do not count, else MIN_QUAL to MAX_QUAL.

    Parameters
    ----------
    reads : ReadBatch
        With names. `base_quals` is changed.
    use : int32[n_used]
        Reads that count, in file order; all that start at one position, or none.
    correct_overlaps : bool
        False counts both mates of a pair.
    min_base_quality : int
        Phred: bases below it do not count, once their neighbours have bounded them.
    """
    old_base, old_qual = np.full(len(use), -1, np.int64), np.zeros(len(use), np.uint8)
    if correct_overlaps and len(use):
        waiting = np.full(1 << (2 * len(use) - 1).bit_length(), -1, np.int32)
        name = np.ascontiguousarray(reads.name).view(np.uint8).reshape(reads.n_reads, -1)
        _split_pairs(
            use, name, reads.name_hash, reads.contig_id, reads.pos, reads.ref_end, reads.flag, reads.mate_contig_id, reads.mate_pos,
            reads.template_length, reads.cigar, reads.cigar_offsets, reads.bases, reads.base_quals, reads.base_offsets, waiting,
            np.empty_like(waiting), old_base, old_qual,
        )  # fmt: skip
    _weigh(use, reads.mapq, reads.base_quals, reads.base_offsets, old_base, old_qual, min_base_quality)


# ------------------------------------------------------------------------------------------------------------------- loci


@kernel
def _hash_reads(use, name_hash, flag, hashes):
    for u in range(use.size):
        hashes[u] = read_hash(name_hash[use[u]], flag[use[u]])


@kernel
def _collect(use, pos, flag, cigar, cigar_offsets, bases, weights, base_offsets, start, locus_of, slots, filled, out):
    for u in range(use.size):
        read = use[u]
        reverse = 1 if flag[read] & FLAG_REVERSE else 0
        at, base = pos[read] - start, base_offsets[read]
        for c in range(cigar_offsets[read], cigar_offsets[read + 1]):
            operation, length = cigar[c] & 15, np.int64(cigar[c] >> 4)
            if (1 << operation) & ALIGNS:
                for i in range(max(0, -at), min(length, locus_of.size - at)):
                    locus = locus_of[at + i]
                    if locus >= 0 and weights[base + i] > 0:
                        slot = slots[locus] + filled[locus]
                        if slot < slots[locus + 1]:
                            out[slot] = (weights[base + i] * STRANDS + reverse) * CODES + bases[base + i]
                            filled[locus] += 1
            if (1 << operation) & CONSUMES_READ:
                base += length
            if (1 << operation) & CONSUMES_REFERENCE:
                at += length


def bases_at(reads, use, start, locus_of, n_bases):
    """The bases of each locus, MAX_BASES at most: of more, those of the reads with the smallest hashes of name and flag.

    bcftools draws which; hashes choose alike wherever the reads are looked at from.

    Parameters
    ----------
    reads : ReadBatch
        `base_quals` from `weigh_bases`.
    use : int32[n_used]
    start : int
        Position of the first entry of `locus_of`.
    locus_of : int32[n_positions]
        The locus at each position, -1 for none.
    n_bases : int[L]
        Bases of each locus that count.

    Returns
    -------
    slots : int64[L + 1]
        Which bases belong to a locus.
    bases : uint16[...]
        (weight * STRANDS + strand) * CODES + code; strand 1 is the reverse.
    """
    slots = np.zeros(len(n_bases) + 1, np.int64)
    np.cumsum(np.minimum(n_bases, MAX_BASES), out=slots[1:])
    out = np.empty(int(slots[-1]), np.uint16)
    if np.max(n_bases, initial=0) > MAX_BASES:
        hashes = np.empty(len(use), np.uint64)
        _hash_reads(use, reads.name_hash, reads.flag, hashes)
        use = use[np.argsort(hashes, kind="stable")]
    _collect(
        use, reads.pos, reads.flag, reads.cigar, reads.cigar_offsets, reads.bases, reads.base_quals, reads.base_offsets, start, locus_of,
        slots, np.zeros(len(n_bases), np.int32), out,
    )  # fmt: skip
    return slots, out
