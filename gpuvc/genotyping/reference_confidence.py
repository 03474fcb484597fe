"""How sure the reads are that nothing differs from the reference where no variant is called (GVCF; specification, section 6.1).

    region without a call            finalised reads, over the padded region
    region with calls   left flank   finalised reads, clipped to the flank and its padding
                        variant span the reads that genotyping used, realigned to their haplotypes
                        right flank  as on the left
                            |
        sums per position: likelihoods of 0 .. ploidy copies of anything else, depths, reads that show no indel
                            |
        PL, GQ, DP per position --> runs of equal quality

Sums are integers and every position belongs to one region, so they depend neither on the order of the reads nor on where a shard begins.
Between active regions a read is settled once, not once a region: of a read without indels a region's clipping takes away no more than what
lies behind the padding, and that can be left out when it is looked at.
"""

import numpy as np

from gpuvc.assembly.finalise import MIN_READ_BASES, finalise_reads, reclip, stands_aside, take_rows
from gpuvc.batches import RegionBatch
from gpuvc.errors import UsageError
from gpuvc.genotyping.reference_blocks import make_blocks
from gpuvc.kernels.codes import (
    ALIGNS,
    CIGAR_D,
    CIGAR_H,
    CIGAR_I,
    CIGAR_S,
    CONSUMES_READ,
    CONSUMES_REFERENCE,
    N,
)
from gpuvc.kernels.jit import inner_kernel, kernel
from gpuvc.pileup.activity import DELETION_QUAL, FIXED_POINT, MAX_QUAL, element_table, span_without_adaptor

MIN_BASE_QUAL = 6
"""Phred: bases up to it say nothing."""
INDEL_SIZE = 10
"""Bases: how large an indel must not hide in a read for the read to speak against indels (GATK --indel-size-to-eliminate-in-ref-model)."""
MOST_INFORMATIVE = 40  # reads; more make a site no surer to be without indel
INDEL_ERROR_LOG10 = -4.5  # that a read hides an indel all the same
FAR_BP = 300  # a read that far from the shard's targets has no mate that matters there

_GAP, _SKIPPED = np.uint8(5), np.uint8(6)  # in the place of a base: deleted, spliced out
_PLAIN, _BEFORE_INDEL, _NO_BASE = np.uint8(0), np.uint8(1), np.uint8(2)
WIDTH = 4  # sums that are added at once
OTHER = 1 << 32  # in the sum of depths: one element that does not show the reference


def check_confidence(settings, samples, ploidy_regions):
    """Raise UsageError where reference confidence cannot be had."""
    option = "option --emit-ref-confidence: found"
    if settings.engine != "haplotype":
        raise UsageError(f"{option} it with --engine {settings.engine}, expected --engine haplotype.")
    if ploidy_regions:
        raise UsageError(f"{option} it with --ploidy-regions, expected one ploidy. Call each ploidy's part with --intervals.")
    if len(samples) != 1:
        raise UsageError(
            f"{option} {len(samples)} samples ({', '.join(samples)}), expected one. Choose it with --sample-name, and join the GVCFs."
        )


# ------------------------------------------------------------------------------------------------------------------- one read


@inner_kernel
def expand(cigar, bases, base_quals, laid_bases, laid_quals, marks):
    """Lay a read out over the reference, soft clips included, and write marks → (clipped bases before, behind, length laid out).

    Deleted positions are _GAP, of quality DELETION_QUAL; inserted bases are left out. Marks: _BEFORE_INDEL where an indel follows.
    """
    at = np.int64(0)
    offset = np.int64(0)
    lead, tail = np.int64(0), np.int64(0)
    for c in range(cigar.size):
        operation, length = np.int64(cigar[c]) & 15, np.int64(cigar[c]) >> 4
        if ALIGNS >> operation & 1 or operation == CIGAR_S:
            if operation == CIGAR_S and at == 0:
                lead = length
            elif operation == CIGAR_S:
                tail = length
            for i in range(length):
                laid_bases[at + i] = bases[offset + i]
                laid_quals[at + i] = base_quals[offset + i]
                marks[at + i] = _PLAIN
            at += length
        elif CONSUMES_REFERENCE >> operation & 1:
            is_deletion = operation == CIGAR_D
            for i in range(length):
                laid_bases[at + i] = _GAP if is_deletion else _SKIPPED
                laid_quals[at + i] = DELETION_QUAL if is_deletion else 0
                marks[at + i] = _NO_BASE
            if is_deletion and at > 0 and marks[at - 1] == _PLAIN:
                marks[at - 1] = _BEFORE_INDEL
            at += length
        elif operation == CIGAR_I and at > 0 and marks[at - 1] == _PLAIN:
            marks[at - 1] = _BEFORE_INDEL
        if CONSUMES_READ >> operation & 1:
            offset += length
    return lead, tail, at


@inner_kernel
def leave_out_clips(lead, tail, n, laid_bases, laid_quals):
    """Take the soft clips out of a laid-out read, whose length stays: as GATK looks for indels in reads that have one themselves."""
    for i in range(n):
        is_inside = i + lead < n - tail
        laid_bases[i] = laid_bases[i + lead] if is_inside else N
        laid_quals[i] = laid_quals[i + lead] if is_inside else 0


@inner_kernel
def _cost(base, other, qual):
    """The quality where two bases that are known are unequal: N, a gap and the reference's N fit everything."""
    return np.int32(qual) * np.int32((base != other) & (base < N) & (other < N))


@kernel
def uninformative(bases, base_quals, n, ref, first, last, most, total, base_costs, is_hidden):
    """Where an indel of up to `most` bases would explain the rest of a read as well as none.

    Parameters
    ----------
    bases, base_quals : uint8[>= n]
        A read laid out over the reference, of n bases; it is looked at from offset `first` to `last`, which is at most n - 1.
    ref : uint8[m], m > last
        Reference from the read's first base on.
    total : int
        Costs of the mismatches from first to last, or more.
    base_costs : int32[> last]; is_hidden : bool[> last]
        Written from the result + 1 to last: whether an indel may begin there. Costs are scratch.

    Returns
    -------
    int
        The offset up to which none would, first - 1 if there is no such.

    The cost of an offset is the sum of the qualities of the mismatches from it on. An insertion of s bases there pairs the read from s
    bases on with the reference, a deletion the reference. Source: specification, section 6.1.
    """
    # Going back from the end a cost only grows: once it is above what the whole read costs, nothing is hidden further left.
    lowest = last
    for s in range(1, most + 1):
        cost, y = np.int32(0), min(last, n - 1 - s)
        while y >= first:
            cost += _cost(bases[y + s], ref[y], base_quals[y + s])
            if cost > total:
                break
            y -= 1
        lowest = min(lowest, y)
        cost, y = np.int32(0), min(last, ref.size - 1 - s)
        while y >= first:
            cost += _cost(bases[y], ref[y + s], base_quals[y])
            if cost > total:
                break
            y -= 1
        lowest = min(lowest, y)
    lowest = max(lowest, first - 1)
    cost = np.int32(0)
    for y in range(last, lowest, -1):
        cost += _cost(bases[y], ref[y], base_quals[y])
        base_costs[y] = cost
        is_hidden[y] = False
    for s in range(1, most + 1):
        inserted, deleted = np.int32(0), np.int32(0)
        for y in range(last, lowest, -1):
            if y + s < n:
                inserted += _cost(bases[y + s], ref[y], base_quals[y + s])
            if y + s < ref.size:
                deleted += _cost(bases[y], ref[y + s], base_quals[y])
            is_hidden[y] |= min(inserted, deleted) <= base_costs[y]
    return lowest


@kernel(allocates=True)
def find_repeats(codes, unlike, hidden_from):
    """Compare the reference to itself, INDEL_SIZE times.

    unlike : uint16[n + 1, INDEL_SIZE]
        Written: how many bases before the position differ from the one s before them, modulo 2^16, for s from 1 on.
    hidden_from : int32[n + 1]
        Written: of a read that equals the reference and ends there, the first position where an indel might begin.
    """
    last_unlike = np.full(INDEL_SIZE, -1, np.int64)
    for s in range(INDEL_SIZE):
        unlike[0, s] = 0
    hidden_from[0] = 0
    for x in range(codes.size):
        least = x
        for s in range(INDEL_SIZE):
            before = x - 1 - s
            differs = before >= 0 and codes[x] != codes[before]
            if differs:
                last_unlike[s] = before
            unlike[x + 1, s] = unlike[x, s] + np.uint16(differs)
            least = min(least, last_unlike[s])
        hidden_from[x + 1] = least + 1


@inner_kernel
def _compare(bases, base_quals, ref):
    """(cost of the mismatches, the last of them or -1, least quality, whether all bases of both are known)."""
    total, latest, least, highest = np.int32(0), np.int32(-1), np.int32(255), np.int32(0)
    for y in range(bases.size):
        base, other, qual = np.int32(bases[y]), np.int32(ref[y]), np.int32(base_quals[y])
        total = np.int32(total + qual * np.int32((base != other) & (base < N) & (other < N)))
        latest = max(latest, np.int32(y) if base != other else np.int32(-1))
        least = min(least, qual)
        highest = max(highest, max(base, other))
    return total, latest, least, highest < N


@inner_kernel
def _is_clear(unlike, first, end, total, least):
    """Whether between two positions each shift of the reference costs more than `total` at qualities of at least `least`."""
    for s in range(INDEL_SIZE):
        if first + s + 1 > end or np.int64(np.uint16(unlike[end, s] - unlike[first + s + 1, s])) * least <= total:
            return False
    return True


@inner_kernel
def _add_elements(bases, base_quals, ref, table, sums):
    for block in range(table.shape[1]):
        for i in range(bases.size):
            which = 2 * np.int64(base_quals[i]) + (bases[i] != ref[i])
            # All loads before all stores, so that four sums are one vector.
            a, b, c, d = table[which, block, 0], table[which, block, 1], table[which, block, 2], table[which, block, 3]
            sums[i, block, 0] += a
            sums[i, block, 1] += b
            sums[i, block, 2] += c
            sums[i, block, 3] += d


@inner_kernel
def add_read(
    laid_bases, laid_quals, marks, is_plain, n, n_stored, e0, low, high, likelihoods_low, likelihoods_high, ref, ref_start, codes_start,
    unlike, hidden_from, table, base_costs, is_hidden, start, sums, informative,
):  # fmt: skip
    """Add what a read says of the positions low to high.

    Parameters
    ----------
    laid_bases, laid_quals, marks
        From `expand`; without marks where is_plain. n : length laid out. n_stored : bases of the read.
    e0 : int
        Position of the first of them.
    likelihoods_low, likelihoods_high : int
        Positions between which bases count; indels are looked for from low to high.
    ref : uint8[m]; ref_start : int
        Reference of the region, which bounds what is compared.
    codes_start : int
        Position of the first row of unlike, hidden_from, see `find_repeats`.
    table : int64[512, n_blocks, WIDTH]
        What an element adds, see `quality_table`.
    start : int
        Position of the first row of sums, int64[any, n_blocks, WIDTH]. informative : int32[any], differences between positions.
    """
    first, last = max(low, likelihoods_low), min(high, likelihoods_high)
    _add_elements(
        laid_bases[first - e0 : last - e0], laid_quals[first - e0 : last - e0], ref[first - ref_start :], table, sums[first - start :]
    )

    top = min(e0 + n, ref_start + ref.size) - 1
    furthest = min(min(high - 1, e0 + n_stored - INDEL_SIZE), ref_start + ref.size - INDEL_SIZE)
    if furthest < low:
        return
    first, end = low - e0, top + 1 - e0
    total, latest, least, is_known = _compare(laid_bases[first:end], laid_quals[first:end], ref[low - ref_start :])
    begin = max(e0, ref_start)  # the reference's window may begin behind the read
    end = top + 1 - codes_start
    is_simple = is_known and least > 0 and top == e0 + n - 1
    if is_simple and (total == 0 or _is_clear(unlike, low + latest + 1 - codes_start, end, total, least)):
        # Behind its last mismatch the read is the reference, and that alone tells.
        lowest = min(max(low, hidden_from[end] + codes_start), top + 1) - 1
        for x in range(lowest + 1, furthest + 1):
            is_hidden[x - begin] = True
    else:
        shift = begin - e0
        lowest = begin + uninformative(
            laid_bases[shift:], laid_quals[shift:], n - shift, ref[begin - ref_start :], low - begin, top - begin, INDEL_SIZE, total,
            base_costs, is_hidden,
        )  # fmt: skip
    if is_plain:
        if lowest >= low:
            informative[low - start] += 1
            informative[min(lowest, furthest) + 1 - start] -= 1
    else:
        for x in range(low, min(lowest, furthest) + 1):
            if marks[x - e0] == _PLAIN:
                informative[x - start] += 1
                informative[x + 1 - start] -= 1
    for x in range(lowest + 1, furthest + 1):
        if not is_hidden[x - begin] and (is_plain or marks[x - e0] == _PLAIN):
            informative[x - start] += 1
            informative[x + 1 - start] -= 1


@inner_kernel
def _is_one_block(cigar):
    """Whether a CIGAR has one aligned block and hard clips only."""
    n = 0
    for c in range(cigar.size):
        operation = np.int64(cigar[c]) & 15
        if operation == CIGAR_H:
            continue
        if not ALIGNS >> operation & 1:
            return False
        n += 1
    return n == 1


@inner_kernel
def _has_indel(cigar):
    for c in range(cigar.size):
        operation = np.int64(cigar[c]) & 15
        if operation == CIGAR_I or operation == CIGAR_D:
            return True
    return False


@kernel
def find_plain(cigar, cigar_offsets, plain):
    """Write which rows have one aligned block: bool[N]. Clipping at a region's end only takes bases from them."""
    for row in range(plain.size):
        plain[row] = _is_one_block(cigar[cigar_offsets[row] : cigar_offsets[row + 1]])


# ------------------------------------------------------------------------------------------------------------------- all reads


@kernel(allocates=True)
def add_rows(
    segment_rows, segment_start, segment_end, window_start, window_end, heard, read, pos, end, cigar, cigar_offsets, bases,
    base_quals, base_offsets, read_pos, read_end, flag, mate_contig_id, mate_pos, template_length, only_aligned, as_gatk, codes,
    codes_start, unlike, hidden_from, table, start, sums, informative,
):  # fmt: skip
    """Add what rows of a RegionReads say of segments.

    Parameters
    ----------
    segment_rows : int64[S, 2]
        Segment s hears the rows from segment_rows[s, 0] to segment_rows[s, 1].
    segment_start, segment_end, window_start, window_end : int32[S]
        Positions that are counted, and the reference that reads are compared to; a read without indels counts up to its end only.
    heard : bool[N]
        Rows that count.
    read ... base_offsets
        As in RegionReads, or realigned.
    read_pos ... template_length
        Of the ReadBatch: by `read`.
    only_aligned : bool
        Bases that were soft-clipped in the file do not count.
    as_gatk : bool
        See `leave_out_clips`.
    """
    longest = np.int64(0)
    for row in range(pos.size):
        if heard[row]:
            longest = max(longest, np.int64(end[row]) - pos[row] + base_offsets[row + 1] - base_offsets[row])
    laid_bases, laid_quals, marks = np.empty(longest, np.uint8), np.empty(longest, np.uint8), np.empty(longest, np.uint8)
    base_costs, is_hidden = np.empty(longest, np.int32), np.empty(longest, np.bool_)
    for s in range(segment_start.size):
        ref_start = np.int64(window_start[s])
        ref = codes[ref_start - codes_start : window_end[s] - codes_start]
        for row in range(segment_rows[s, 0], segment_rows[s, 1]):
            if not heard[row] or pos[row] >= segment_end[s] or end[row] <= segment_start[s]:
                continue
            r = read[row]
            row_pos, row_end = np.int64(pos[row]), np.int64(end[row])
            low, high = span_without_adaptor(row_pos, row_end, flag[r], mate_contig_id[r], mate_pos[r], template_length[r])
            low, high = max(low, np.int64(segment_start[s])), min(high, np.int64(segment_end[s]))
            if low >= high:
                continue
            likelihoods_low, likelihoods_high = low, high
            if only_aligned:
                likelihoods_low, likelihoods_high = max(low, np.int64(read_pos[r])), min(high, np.int64(read_end[r]))
            own_bases = bases[base_offsets[row] : base_offsets[row + 1]]
            own_quals = base_quals[base_offsets[row] : base_offsets[row + 1]]
            operations = cigar[cigar_offsets[row] : cigar_offsets[row + 1]]
            if _is_one_block(operations):
                n = min(row_end, np.int64(window_end[s])) - row_pos
                add_read(
                    own_bases, own_quals, marks, True, n, n, row_pos, low, high, likelihoods_low, likelihoods_high, ref, ref_start,
                    codes_start, unlike, hidden_from, table, base_costs, is_hidden, start, sums, informative,
                )  # fmt: skip
            else:
                lead, tail, n = expand(operations, own_bases, own_quals, laid_bases, laid_quals, marks)
                n_stored = np.int64(own_bases.size)
                if as_gatk and lead + tail > 0 and _has_indel(operations):
                    # Likelihoods first, with too few bases to look for indels; then indels alone.
                    add_read(
                        laid_bases, laid_quals, marks, False, n, np.int64(0), row_pos - lead, low, high, likelihoods_low, likelihoods_high,
                        ref, ref_start, codes_start, unlike, hidden_from, table, base_costs, is_hidden, start, sums, informative,
                    )  # fmt: skip
                    leave_out_clips(lead, tail, n, laid_bases, laid_quals)
                    likelihoods_low, likelihoods_high = low, low
                add_read(
                    laid_bases, laid_quals, marks, False, n, n_stored, row_pos - lead, low, high, likelihoods_low, likelihoods_high, ref,
                    ref_start, codes_start, unlike, hidden_from, table, base_costs, is_hidden, start, sums, informative,
                )  # fmt: skip


@kernel
def find_rows(pos, segment_start, segment_end, longest, segment_rows):
    """Write which rows, sorted by pos, can reach into each segment (disjoint, ascending)."""
    first = last = np.int64(0)
    for s in range(segment_start.size):
        while first < pos.size and pos[first] <= segment_start[s] - longest:
            first += 1
        last = max(last, first)
        while last < pos.size and pos[last] < segment_end[s]:
            last += 1
        segment_rows[s, 0], segment_rows[s, 1] = first, last


@kernel
def regions_matter(use, cigar, cigar_offsets, name_hash, most_clipped, slots, group, matters):
    """Write for each used read whether what a region makes of it may hang on where the region ends: bool[n_used].

    So it is with indels, soft clips of more than most_clipped bases, and with more than one mate; and what holds for a read holds for
    those of its name.

    slots : int64[a power of two >= 2 n_used], group : int64[n_used, 2]
        Scratch: a hash table of names, their number of reads and whether any matters.
    """
    mask = np.uint64(slots.size - 1)
    for i in range(slots.size):
        slots[i] = -1
    for i in range(use.size):
        name = name_hash[use[i]]
        slot = (name ^ (name >> np.uint64(29))) & mask
        while slots[slot] >= 0 and name_hash[use[slots[slot]]] != name:
            slot = (slot + np.uint64(1)) & mask
        if slots[slot] < 0:
            slots[slot] = i
            group[i, 0] = group[i, 1] = 0
        leader = slots[slot]
        group[leader, 0] += 1
        if group[leader, 0] > 2:
            group[leader, 1] = 1
        for c in range(cigar_offsets[use[i]], cigar_offsets[use[i] + 1]):
            operation, length = np.int64(cigar[c]) & 15, np.int64(cigar[c]) >> 4
            is_clip = operation == CIGAR_H or (operation == CIGAR_S and length <= most_clipped)
            if not is_clip and not ALIGNS >> operation & 1:
                group[leader, 1] = 1
        matters[i] = leader != i
        if leader != i:
            group[i, 0] = leader
    for i in range(use.size):
        leader = group[i, 0] if matters[i] else i
        matters[i] = group[leader, 1] > 0


# ------------------------------------------------------------------------------------------------------------------- positions


def quality_table(ploidy):
    """int64[512, n_blocks, WIDTH]: what an element adds to the sums of its position; row 2 q for one of quality q that shows the reference,
    2 q + 1 for one that does not.

    Log10 likelihoods of 0 .. ploidy copies, see `element_table`, then the depth (1, or OTHER), in blocks of WIDTH.
    """
    by_element = element_table(ploidy)
    table = np.zeros((2 * 256, -(-(ploidy + 2) // WIDTH) * WIDTH), np.int64)
    quals = np.arange(MIN_BASE_QUAL + 1, 256)
    for other in (0, 1):
        table[2 * quals + other, : ploidy + 1] = by_element[other, np.minimum(quals, MAX_QUAL)]
        table[2 * quals + other, ploidy + 1] = OTHER if other else 1
    return table.reshape(len(table), -1, WIDTH)


def indel_model(ploidy):
    """Of 0 to MOST_INFORMATIVE reads that show no indel: (PLs int32[n, ploidy + 1], log10 by which no copy beats the next, float64[n]).

    Source: specification, section 6.1.
    """
    n, k = np.arange(MOST_INFORMATIVE + 1)[:, None], np.arange(ploidy + 1)
    none, hidden = np.log10(1 - 10**INDEL_ERROR_LOG10), INDEL_ERROR_LOG10
    per_read = np.log10(10**none * (ploidy - k) + 10**hidden * k) - np.log10(ploidy)
    per_read[0] = none
    log10 = n * per_read
    return np.floor(10 * (log10[:, :1] - log10) + 0.5).astype(np.int32), log10[:, 0] - log10[:, 1:].max(axis=1)


@kernel
def judge_positions(sums, n_genotypes, informative, indel_pls, indel_margin, pls, quality, depth, other_depth):
    """Write PL (int32[n, n_genotypes]), GQ (int32[n], not limited) and depths (int32[n]) from sums (int64[n, >= n_genotypes + 1])."""
    n_informative = np.int64(0)
    for x in range(depth.size):
        n_informative += informative[x]
        other_depth[x] = sums[x, n_genotypes] // OTHER
        depth[x] = sums[x, n_genotypes] % OTHER + other_depth[x]
        best = np.int64(-(1 << 62))
        for k in range(1, n_genotypes):
            best = max(best, sums[x, k])
        margin = max(0.0, (sums[x, 0] - best) / FIXED_POINT)
        n = min(n_informative, MOST_INFORMATIVE)
        least = np.int64(1 << 31)
        by_indel = indel_margin[n] < margin
        for k in range(n_genotypes):
            value = np.int64(indel_pls[n, k])
            if not by_indel:
                loss = 10.0 * (max(np.int64(0), sums[x, 0] - sums[x, k]) / FIXED_POINT)
                value = np.int64(np.floor(min(loss, 2147483646.0) + 0.5))
            pls[x, k] = value
            if k > 0:
                least = min(least, value)
        quality[x] = least


# ------------------------------------------------------------------------------------------------------------------- a shard


class ReferenceConfidence:
    """Gathers what the reads of a shard say of its positions; `finish` makes calls and blocks of it in the end.

    Parameters
    ----------
    reads : ReadBatch
    sample : int16[R]
        0 for the sample's reads, -1 for others.
    span : Interval
        All targets of the shard lie inside.
    codes, codes_start : uint8[], int
        Reference around it.
    contig_length : int
    settings : Settings
    """

    def __init__(self, reads, sample, span, codes, codes_start, contig_length, settings):
        self._reads, self._sample, self._span, self._settings = reads, sample, span, settings
        self._codes, self._codes_start, self._contig_length = codes, codes_start, contig_length
        ploidy = settings.sample_ploidy
        self._table = quality_table(ploidy)
        self._repeats = np.empty((len(codes) + 1, INDEL_SIZE), np.uint16), np.empty(len(codes) + 1, np.int32)
        find_repeats(codes, *self._repeats)
        n = len(span)
        self._sums = np.zeros((n, *self._table.shape[1:]), np.int64)
        self._informative = np.zeros(n + 1, np.int32)

    def add_active(self, regions, found, haplotypes, clipped, likelihoods, realigned, calls):
        """Take in a batch of active regions → the calls that stand.

        Parameters
        ----------
        regions : RegionBatch
        found : RegionReads
            Finalised.
        haplotypes : HaplotypeBatch; clipped : RegionReads; likelihoods : LikelihoodBatch; realigned : RealignedReads
            Trimmed.
        calls : list[Call]
            Of these regions. Where none in a region has a called genotype, none stands, and the region is one without variation.
        """
        called = np.zeros(regions.n_regions, np.bool_)
        region = np.searchsorted(regions.start, [call.pos for call in calls], side="right") - 1
        called[region[[max(call.samples[0].genotype) >= 0 for call in calls]]] = True
        first, last = haplotypes.variant_start, haplotypes.variant_end
        whole_end = np.where(called, regions.start, regions.end)
        heard = self._hears(found)
        self._add(found, heard, regions.start, whole_end, regions.padded_start, regions.padded_end)
        rows = (clipped.region_slots, clipped.read, realigned.pos, realigned.end, realigned.cigar, realigned.cigar_offsets)
        self._add_columns(
            *rows, clipped.bases, clipped.base_quals, clipped.base_offsets, likelihoods.kept | likelihoods.is_far, first,
            np.where(called, last, first), haplotypes.start, haplotypes.end,
        )  # fmt: skip
        padding = self._settings.assembly_region_padding
        plain = np.zeros(found.n_rows, np.bool_)
        if padding >= MIN_READ_BASES:
            find_plain(found.cigar, found.cigar_offsets, plain)
        others = take_rows(found, ~plain)
        for start, end in ((regions.start, first), (last, regions.end)):
            end = np.where(called, end, start)
            low = np.where(start < end, np.maximum(start - padding, regions.padded_start), start)
            high = np.where(start < end, np.minimum(end + padding, regions.padded_end), start)
            self._add(found, heard & plain, start, end, low, high)
            rows, aside = reclip(others, low.astype(np.int32), high.astype(np.int32), self._reads, self._sample, self._settings)
            self._add(rows, ~aside, start, end, low, high)
        return [call for call, stands in zip(calls, called[region].tolist(), strict=True) if stands]

    def add_inactive(self, regions, use):
        """Take in the inactive regions, a RegionBatch; use : int32[n_used], rows of the reads that pass."""
        padding, reads = self._settings.assembly_region_padding, self._reads
        near = use[(reads.ref_end[use] > self._span.start - FAR_BP) & (reads.pos[use] < self._span.end + FAR_BP)]
        near = near[self._sample[near] >= 0]
        matters = np.ones(len(near), np.bool_)
        if padding >= MIN_READ_BASES and not self._settings.soft_clip_low_quality_ends:
            size = 1 << max(4, (2 * len(near)).bit_length())
            regions_matter(
                near, reads.cigar, reads.cigar_offsets, reads.name_hash, padding, np.empty(size, np.int64),
                np.empty((len(near), 2), np.int64), matters,
            )  # fmt: skip
        found = finalise_reads(regions, reads, near[matters], self._sample, self._settings)
        self._add(found, self._hears(found), regions.start, regions.end, regions.padded_start, regions.padded_end)

        everywhere = RegionBatch(self._span.contig_id, *(np.array([x], np.int32) for x in (0, self._contig_length) * 2))
        found = finalise_reads(everywhere, reads, near[~matters], self._sample, self._settings)
        segment_rows = np.empty((regions.n_regions, 2), np.int64)
        find_rows(found.pos, regions.start, regions.end, int((found.end - found.pos).max(initial=0)), segment_rows)
        self._add_columns(
            segment_rows, *_columns(found), self._hears(found), regions.start, regions.end, regions.padded_start, regions.padded_end
        )

    def finish(self, targets, earlier, calls):
        """ShardCalls: the calls that are records, and the blocks around them.

        Parameters
        ----------
        targets : int64[n_targets, 2]
        earlier : list[Call]
            That are written before the targets and may reach them.
        calls : list[Call]
            That begin in a target.
        """
        n, n_genotypes = len(self._span), self._settings.sample_ploidy + 1
        pls = np.empty((n, n_genotypes), np.int32)
        quality, depth, other_depth = (np.empty(n, np.int32) for _ in range(3))
        judge_positions(
            self._sums.reshape(n, -1), n_genotypes, self._informative, *indel_model(self._settings.sample_ploidy), pls, quality, depth,
            other_depth,
        )  # fmt: skip
        codes = self._codes[self._span.start - self._codes_start : self._span.end - self._codes_start]
        return make_blocks(self._span, codes, targets, earlier, calls, pls, quality, depth, other_depth, self._settings)

    def _hears(self, rows):
        return ~stands_aside(rows, self._reads, self._settings) & (np.diff(rows.base_offsets) >= MIN_READ_BASES)

    def _add(self, rows, heard, start, end, window_start, window_end):
        self._add_columns(rows.region_slots, *_columns(rows), heard, start, end, window_start, window_end)

    def _add_columns(self, slots, *columns):
        """slots: of segments (int64[S + 1]), or int64[S, 2]; then the columns of the rows, `heard`, segments and windows."""
        *rows, heard, start, end, window_start, window_end = columns
        segment_rows = slots if slots.ndim == 2 else np.column_stack([slots[:-1], slots[1:]])
        start, end = (np.clip(x, self._span.start, self._span.end).astype(np.int32) for x in (start, end))
        chosen = start < end
        reads = self._reads
        add_rows(
            np.ascontiguousarray(segment_rows[chosen]), start[chosen], end[chosen], window_start[chosen].astype(np.int32),
            window_end[chosen].astype(np.int32), heard, *rows, reads.pos, reads.ref_end, reads.flag, reads.mate_contig_id, reads.mate_pos,
            reads.template_length, self._settings.override_fragment_softclip_check,
            self._settings.concordance == "hc", self._codes, self._codes_start, *self._repeats,
            self._table, self._span.start, self._sums, self._informative,
        )  # fmt: skip


def _columns(rows):
    """The columns of a RegionReads that `add_rows` takes."""
    return rows.read, rows.pos, rows.end, rows.cigar, rows.cigar_offsets, rows.bases, rows.base_quals, rows.base_offsets
