"""Which reads count: GATK's read filters by their names, and deterministic downsampling."""

import numpy as np

from gpuvc.errors import UsageError
from gpuvc.kernels.codes import (
    CIGAR_D,
    CIGAR_H,
    CIGAR_I,
    CIGAR_N,
    CIGAR_S,
    CONSUMES_READ,
    FLAG_DUPLICATE,
    FLAG_MATE_UNMAPPED,
    FLAG_PAIRED,
    FLAG_PROPER,
    FLAG_QC_FAIL,
    FLAG_SECONDARY,
    FLAG_SUPPLEMENTARY,
    FLAG_UNMAPPED,
)
from gpuvc.kernels.jit import kernel

MAX_READ_SPAN = 2000
"""Reference bases; a read that spans more is filtered, so that what a locus is called from lies within a known distance of it."""

# In the order in which a failing read is counted. HaplotypeCaller's default chain first, then what may be added by name.
DEFAULT_FILTERS = (
    "MappingQualityReadFilter",
    "MappingQualityAvailableReadFilter",
    "MappedReadFilter",
    "NotSecondaryAlignmentReadFilter",
    "NotDuplicateReadFilter",
    "PassesVendorQualityCheckReadFilter",
    "NonZeroReferenceLengthAlignmentReadFilter",
    "GoodCigarReadFilter",
    "WellformedReadFilter",
)
OPTIONAL_FILTERS = (
    "NotSupplementaryAlignmentReadFilter",
    "PairedReadFilter",
    "ProperlyPairedReadFilter",
    "MateOnSameContigOrNoMappedMateReadFilter",
    "NotOrphanReadFilter",  # bcftools': of a pair, but not of a proper one
)
# What the kernels rely on; cannot be disabled.
ALWAYS = ("ReferenceSpanReadFilter", "ReadLengthEqualsCigarLengthReadFilter")
ALL_FILTERS = (*DEFAULT_FILTERS, *OPTIONAL_FILTERS, *ALWAYS)
MPILEUP_FILTERS = (
    "MappingQualityReadFilter",
    "MappedReadFilter",
    "NotSecondaryAlignmentReadFilter",
    "NotDuplicateReadFilter",
    "PassesVendorQualityCheckReadFilter",
    "NotOrphanReadFilter",
)
"""In force with concordance "bcftools" in the place of DEFAULT_FILTERS."""
DOWNSAMPLED = "PositionalDownsampler"  # reads above the cap per alignment start, reported beside the filters


def active_filters(settings):
    """Names of the filters in force, in the order of ALL_FILTERS. Raises UsageError for an unknown name."""
    for name in (*settings.extra_read_filters, *settings.disabled_read_filters):
        if name not in ALL_FILTERS:
            raise UsageError(f"read filter {name} is not known. Known: {', '.join(ALL_FILTERS)}.")
    for name in settings.disabled_read_filters:
        if name in ALWAYS:
            raise UsageError(f"read filter {name} cannot be disabled: the kernels rely on it.")
    default = MPILEUP_FILTERS if settings.concordance == "bcftools" else DEFAULT_FILTERS
    wanted = (set(default) | set(settings.extra_read_filters) | set(ALWAYS)) - set(settings.disabled_read_filters)
    return tuple(name for name in ALL_FILTERS if name in wanted)


@kernel
def _cigar_is_good(cigar, first, last):
    """Valid as GATK's GoodCigar: clips only outside, no neighbouring indels, no deletion at an end (clips aside)."""
    inner_first, inner_last = first, last
    if inner_first < inner_last and (cigar[inner_first] & 15) == CIGAR_H:
        inner_first += 1
    if inner_first < inner_last and (cigar[inner_first] & 15) == CIGAR_S:
        inner_first += 1
    if inner_first < inner_last and (cigar[inner_last - 1] & 15) == CIGAR_H:
        inner_last -= 1
    if inner_first < inner_last and (cigar[inner_last - 1] & 15) == CIGAR_S:
        inner_last -= 1
    if inner_first == inner_last:
        return False
    before_is_indel = False
    for c in range(inner_first, inner_last):
        operation = cigar[c] & 15
        if operation == CIGAR_S or operation == CIGAR_H or operation > 8 or cigar[c] >> 4 == 0:
            return False
        is_indel = operation == CIGAR_I or operation == CIGAR_D
        if is_indel and before_is_indel:
            return False
        if operation == CIGAR_D and (c == inner_first or c == inner_last - 1):
            return False
        before_is_indel = is_indel
    return True


@kernel
def _failures(
    contig_id, pos, ref_end, mapq, flag, read_group, mate_contig_id, mate_pos, cigar, cigar_offsets, base_offsets, base_quals,
    contig_length, min_mapq, out,
):  # fmt: skip
    """Bit i of out[read] is set when ALL_FILTERS[i] refuses the read."""
    for r in range(pos.size):
        bits = 0
        f = flag[r]
        first, last = cigar_offsets[r], cigar_offsets[r + 1]
        read_length = base_offsets[r + 1] - base_offsets[r]
        if mapq[r] < min_mapq:
            bits |= 1
        if mapq[r] == 255:
            bits |= 1 << 1
        if f & FLAG_UNMAPPED or contig_id[r] < 0 or pos[r] < 0:
            bits |= 1 << 2
        if f & FLAG_SECONDARY:
            bits |= 1 << 3
        if f & FLAG_DUPLICATE:
            bits |= 1 << 4
        if f & FLAG_QC_FAIL:
            bits |= 1 << 5
        if ref_end[r] <= pos[r]:
            bits |= 1 << 6
        if not _cigar_is_good(cigar, first, last):
            bits |= 1 << 7
        cigar_length = 0
        skips = False
        for c in range(first, last):
            operation = cigar[c] & 15
            if (1 << operation) & CONSUMES_READ:
                cigar_length += np.int64(cigar[c] >> 4)
            if operation == CIGAR_N:
                skips = True
        no_quals = read_length > 0 and base_quals[base_offsets[r]] == 255
        if read_length == 0 or cigar_length != read_length or skips or no_quals or read_group[r] < 0 or ref_end[r] > contig_length:
            bits |= 1 << 8
        if f & FLAG_SUPPLEMENTARY:
            bits |= 1 << 9
        if not f & FLAG_PAIRED:
            bits |= 1 << 10
        if not f & FLAG_PROPER:
            bits |= 1 << 11
        mate_is_mapped = (f & FLAG_PAIRED) and not (f & FLAG_MATE_UNMAPPED) and mate_contig_id[r] >= 0 and mate_pos[r] >= 0
        if mate_is_mapped and mate_contig_id[r] != contig_id[r]:
            bits |= 1 << 12
        if f & FLAG_PAIRED and not f & FLAG_PROPER:
            bits |= 1 << 13
        if ref_end[r] - pos[r] > MAX_READ_SPAN:
            bits |= 1 << 14
        if cigar_length != read_length:
            bits |= 1 << 15
        out[r] = bits


@kernel
def _mix(x):
    """A well-mixed 63-bit number from a 64-bit one."""
    x = np.uint64(x)
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xFF51AFD7ED558CCD)
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xC4CEB9FE1A85EC53)
    x ^= x >> np.uint64(33)
    return x >> np.uint64(1)


@kernel
def read_hash(name_hash, flag):
    """By which reads are chosen where there are too many: uint64, of name and flag."""
    return _mix(name_hash + np.uint64(flag) * np.uint64(0x9E3779B97F4A7C15))


@kernel(allocates=True)
def _downsample(keep, pos, flag, name_hash, cap):
    """Of the kept reads that start at one position keep the `cap` with the smallest hash of name and flag. Returns how many go."""
    n_dropped = 0
    r = 0
    while r < pos.size:
        end = r
        n = 0
        while end < pos.size and pos[end] == pos[r]:
            n += keep[end]
            end += 1
        if n > cap:
            hashes = np.empty(n, np.uint64)
            reads = np.empty(n, np.int64)
            n = 0
            for i in range(r, end):
                if keep[i]:
                    hashes[n] = read_hash(name_hash[i], flag[i])
                    reads[n] = i
                    n += 1
            order = np.argsort(hashes, kind="mergesort")
            for i in range(cap, n):
                keep[reads[order[i]]] = False
            n_dropped += n - cap
        r = end
    return n_dropped


def refusals(reads, contig_length, settings):
    """int32[R]: bit i is set when the filter ALL_FILTERS[i] is in force and refuses the read. Raises UsageError for an unknown filter."""
    failures = np.zeros(reads.n_reads, np.int32)
    _failures(
        reads.contig_id, reads.pos, reads.ref_end, reads.mapq, reads.flag, reads.read_group, reads.mate_contig_id, reads.mate_pos,
        reads.cigar, reads.cigar_offsets, reads.base_offsets, reads.base_quals, contig_length, settings.min_mapping_quality, failures,
    )  # fmt: skip
    failures &= sum(1 << ALL_FILTERS.index(name) for name in active_filters(settings))
    return failures


def choose_reads(reads, contig_length, settings, count_from, count_to):
    """Indices of the reads that count, and how many the filters refused.

    Parameters
    ----------
    reads : ReadBatch
        Sorted by position, on one contig; for every start position either all reads that start there or none.
    count_from, count_to : int
        Only reads that start in this span enter the counts (0-based, half-open), so that shards count each read once.

    Returns
    -------
    use : int32[n_used]
    refused : dict[str, int]
        By the first filter that refused the read, in the order of ALL_FILTERS, then the downsampler; "passed" for the rest.
    n_bases : int
        Of the reads that passed and are counted.

    Raises UsageError for a filter name that is not known.
    Source: GATK HaplotypeCaller's default chain. The downsampler keeps as many reads per start as GATK's reservoir, chosen by hash
    instead of a draw, so the choice does not depend on what came before.
    """
    failures = refusals(reads, contig_length, settings)
    keep = failures == 0
    counted = (reads.pos >= count_from) & (reads.pos < count_to)
    refused = {}
    pending = failures[counted]
    for name in active_filters(settings):
        fails = (pending >> ALL_FILTERS.index(name)) & 1
        n = int(fails.sum())
        if n:
            refused[name] = n
            pending = pending[fails == 0]
    cap = settings.max_reads_per_alignment_start
    if cap > 0:
        before = int((keep & counted).sum())
        _downsample(keep, reads.pos, reads.flag, reads.name_hash, cap)
        dropped = before - int((keep & counted).sum())
        if dropped:
            refused[DOWNSAMPLED] = dropped
    used = keep & counted
    refused["passed"] = int(used.sum())
    n_bases = int(np.diff(reads.base_offsets)[used].sum())
    return np.flatnonzero(keep).astype(np.int32), refused, n_bases
