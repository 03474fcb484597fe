"""BAM records to columns: one pass finds and checks the records, a second one fills exactly sized arrays.

    inflated bytes --scan_records--> where each kept record starts, sums of CIGAR and read lengths
                   --fill_columns--> ReadBatch

Everything a record says about its own lengths is checked against the record's end: names, CIGARs, bases in the first pass, tags in
whichever pass walks them. So no file, however damaged, makes either of them read or write out of bounds.
"""

import numpy as np

from gpuvc.io.bgzf import SLACK_BYTES
from gpuvc.io.unaligned import copy_bytes, load_i32, load_u16, load_u64, unpack_32_bases
from gpuvc.kernels.codes import CONSUMES_REFERENCE, FLAG_UNMAPPED
from gpuvc.kernels.jit import kernel

ANY_CONTIG = -2  # `scan_records` keeps every record
MIN_RECORD_BYTES = 4 + 32 + 1
MAX_RECORD_BYTES = 1 << 28  # a longer block_size is damage, not a read

# Where a scan stands, in an int64 array; kept between calls.
N_RECORDS, N_CIGAR, N_BASES, POSITION, LAST_CONTIG, LAST_POS, N_STATE = range(7)

# What ended a scan.
NEED_MORE, PAST_REGION, UNSORTED, BAD_SIZE, BAD_NAME, BAD_LENGTHS, BAD_PLACE, BAD_CIGAR, BAD_TAGS = range(9)
PROBLEMS = {
    BAD_SIZE: ("record size", "a value out of range", "33 bytes to 256 MB"),
    BAD_NAME: ("read name", "none, or one without its NUL", "a NUL-terminated name"),
    BAD_LENGTHS: ("name, CIGAR, SEQ and QUAL lengths", "more bytes than the record has", "lengths that fit the record"),
    BAD_PLACE: ("contig or position", "a value out of range", "a contig of the header and a position from -1"),
    BAD_CIGAR: ("CIGAR", "an unknown operation, or an end beyond 2^31", "operations MIDNSHP=X"),
    BAD_TAGS: ("tags", "an unknown type, a tag that runs past the record, or an XQ that is no mapping quality", "well-formed tags"),
}

_RG, _CG, _XQ = 0x4752, 0x4743, 0x5158  # "RG", "CG", "XQ" as little-endian numbers


@kernel(inline="always")
def _hash_bytes(address, n_bytes):
    """64-bit hash of bytes, eight at a time by multiply and shift; loads up to seven bytes past the end and ignores them."""
    multiplier = np.uint64(0xFF51AFD7ED558CCD)
    h = np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(n_bytes)
    i = np.int64(0)
    while i + 8 <= n_bytes:
        h = (h ^ load_u64(address + i)) * multiplier
        h ^= h >> np.uint64(32)
        i += 8
    if i < n_bytes:
        h = (h ^ (load_u64(address + i) & ((np.uint64(1) << np.uint64(8 * (n_bytes - i))) - np.uint64(1)))) * multiplier
        h ^= h >> np.uint64(32)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(29))


@kernel
def hash_array(data, n_bytes):
    """`_hash_bytes` of data[:n_bytes], a uint8 array with eight bytes to spare."""
    return _hash_bytes(np.int64(data.ctypes.data), n_bytes)


def hash_name(name):
    """The hash under which a read name (or read group id) travels in columns."""
    data = np.zeros(len(name.encode()) + SLACK_BYTES, np.uint8)
    data[: len(name.encode())] = np.frombuffer(name.encode(), np.uint8)
    return np.uint64(hash_array(data, np.int64(len(name.encode()))))


@kernel
def _find_tag(p, end, wanted):
    """Address of the type byte of tag `wanted` between addresses p and end; 0 if it is not there, -1 if the tags before it are damaged."""
    ones = np.uint64(0x0101010101010101)
    tops = np.uint64(0x8080808080808080)
    while p + 3 <= end:
        word = np.int64(load_i32(p))
        kind = (word >> 16) & 0xFF
        if (word & 0xFFFF) == wanted:
            return p + 2
        p += 3
        if kind == 90 or kind == 72:  # Z H
            while p < end:
                x = load_u64(p)
                zeros = (x - ones) & ~x & tops
                if zeros != np.uint64(0):
                    while (zeros & np.uint64(0xFF)) == np.uint64(0):
                        zeros >>= np.uint64(8)
                        p += 1
                    break
                p += 8
            p += 1
        elif kind == 65 or kind == 99 or kind == 67:  # A c C
            p += 1
        elif kind == 115 or kind == 83:  # s S
            p += 2
        elif kind == 105 or kind == 73 or kind == 102:  # i I f
            p += 4
        elif kind == 100:  # d
            p += 8
        elif kind == 66:  # B
            if p + 5 > end:
                return np.int64(-1)
            element = np.int64(load_i32(p)) & 0xFF
            n = np.int64(load_i32(p + 1))
            if n < 0:
                return np.int64(-1)
            if element == 99 or element == 67:
                p += 5 + n
            elif element == 115 or element == 83:
                p += 5 + 2 * n
            elif element == 105 or element == 73 or element == 102:
                p += 5 + 4 * n
            else:
                return np.int64(-1)
        else:
            return np.int64(-1)
    return np.int64(0) if p == end else np.int64(-1)


@kernel
def _long_cigar(cigar, n_cigar, read_bases, tags, end):
    """Address of the type byte of the CG tag that holds the true CIGAR; 0 for a record whose CIGAR is its own, -1 for damaged tags.

    A CIGAR of more than 65,535 operations stands in CG:B,I, and kSmN in its place, with k the read's length.
    """
    if n_cigar != 2:
        return np.int64(0)
    first = np.int64(load_i32(cigar)) & 0xFFFFFFFF
    second = np.int64(load_i32(cigar + 4)) & 0xFFFFFFFF
    if first != (read_bases << 4 | 4) or (second & 15) != 3:
        return np.int64(0)
    tag = _find_tag(tags, end, _CG)
    if tag <= 0:
        return tag
    if tag + 6 > end:
        return np.int64(-1)
    n = np.int64(load_i32(tag + 2))
    if (np.int64(load_i32(tag)) & 0xFFFF) != 0x4942 or n < 2:  # "BI"
        return np.int64(-1) if _find_tag(tag - 2, end, 0) < 0 else np.int64(0)  # one of no type at all is damage
    return tag if tag + 6 + 4 * n <= end else np.int64(-1)


@kernel
def scan_records(
    inflated, stop, n_contigs, region_contig, region_start, region_end, state, record_starts, cigar_offsets, base_offsets, ref_ends
):
    """Find and check the records of inflated[state[POSITION]:stop] that overlap a region, in file order.

    region_contig : int
        ANY_CONTIG keeps every record. A record overlaps as in `samtools view`: unmapped, or without reference span, it covers one base.
    state : int64[N_STATE]
        Where the scan stands; advanced past every whole record.
    record_starts, ref_ends : int64[capacity]
        Written: where a kept record's block_size stands, and where its alignment ends on the reference.
    cigar_offsets, base_offsets : int64[capacity + 1]
        Written: running sums. The capacity must hold stop / MIN_RECORD_BYTES more records.

    Returns what ended it: NEED_MORE at the last whole record before `stop`, PAST_REGION when no later record can overlap, else the problem
    of the record at state[POSITION].
    """
    base = np.int64(inflated.ctypes.data)
    n, n_cigar_sum, n_bases_sum, p = state[N_RECORDS], state[N_CIGAR], state[N_BASES], state[POSITION]
    last_contig, last_pos = state[LAST_CONTIG], state[LAST_POS]
    cigar_offsets[n] = n_cigar_sum
    base_offsets[n] = n_bases_sum
    ended = NEED_MORE
    while p + 4 <= stop:
        record_bytes = np.int64(load_i32(base + p))
        if record_bytes < 33 or record_bytes > MAX_RECORD_BYTES:
            ended = BAD_SIZE
            break
        if p + 4 + record_bytes > stop:
            break
        at = base + p + 4
        contig = np.int64(load_i32(at))
        pos = np.int64(load_i32(at + 4))
        n_name = np.int64(inflated[p + 12])
        lengths = load_u64(at + 12)  # n_cigar_op:16 flag:16 l_seq:32
        n_cigar = np.int64(lengths & np.uint64(0xFFFF))
        flag = np.int64((lengths >> np.uint64(16)) & np.uint64(0xFFFF))
        n_bases = np.int64(lengths >> np.uint64(32))
        if contig < -1 or contig >= n_contigs or pos < -1:
            ended = BAD_PLACE
            break
        mate_contig = np.int64(load_i32(at + 20))
        if mate_contig < -1 or mate_contig >= n_contigs or load_i32(at + 24) < -1:
            ended = BAD_PLACE
            break
        tags = 32 + n_name + 4 * n_cigar + ((n_bases + 1) >> 1) + n_bases
        if tags > record_bytes:
            ended = BAD_LENGTHS
            break
        if n_name < 1 or inflated[p + 4 + 32 + n_name - 1] != 0:
            ended = BAD_NAME
            break
        # Unplaced records (contig -1) come last.
        if contig != last_contig:
            if last_contig == -1 or (contig != -1 and contig < last_contig):
                ended = UNSORTED
                break
        elif pos < last_pos and contig >= 0:
            ended = UNSORTED
            break
        last_contig = contig
        last_pos = pos
        if region_contig >= 0:
            if contig != region_contig:
                if contig > region_contig or contig == -1:
                    ended = PAST_REGION
                    break
                p += 4 + record_bytes
                continue
            if pos >= region_end:
                ended = PAST_REGION
                break
        cigar = at + 32 + n_name
        long_cigar = _long_cigar(cigar, n_cigar, n_bases, at + tags, at + record_bytes)
        if long_cigar < 0:
            ended = BAD_TAGS
            break
        if long_cigar > 0:
            n_cigar = np.int64(load_i32(long_cigar + 2))
            cigar = long_cigar + 6
        ref_bases = np.int64(0)
        known = True
        for k in range(n_cigar):
            operation = np.int64(load_i32(cigar + 4 * k)) & 0xFFFFFFFF
            known &= (operation & 15) <= 8
            ref_bases += (operation >> 4) * ((CONSUMES_REFERENCE >> (operation & 15)) & 1)
        if not known or pos + ref_bases > 0x7FFFFFFF:
            ended = BAD_CIGAR
            break
        if flag & FLAG_UNMAPPED:
            ref_bases = np.int64(0)
        if region_contig < 0 or pos + max(ref_bases, 1) > region_start:
            record_starts[n] = p
            ref_ends[n] = pos + ref_bases
            n_cigar_sum += n_cigar
            n_bases_sum += n_bases
            n += 1
            cigar_offsets[n] = n_cigar_sum
            base_offsets[n] = n_bases_sum
        p += 4 + record_bytes
    state[N_RECORDS], state[N_CIGAR], state[N_BASES], state[POSITION] = n, n_cigar_sum, n_bases_sum, p
    state[LAST_CONTIG], state[LAST_POS] = last_contig, last_pos
    return ended


@kernel(allocates=True)
def _unpack_bases(source, to, n_bases, to_end):
    """n packed bases to codes, 32 at a time while they end before `to_end`: what they write past the read, the next read overwrites.

    Reads up to 15 bytes past the packed bases.
    """
    k = np.int64(0)
    while k < n_bases and to + k + 32 <= to_end:
        unpack_32_bases(source + (k >> 1), to + k)
        k += 32
    while k < n_bases:
        codes = np.empty(32, np.uint8)
        unpack_32_bases(source + (k >> 1), np.int64(codes.ctypes.data))
        copy_bytes(to + k, np.int64(codes.ctypes.data), min(n_bases - k, 32))
        k += 32


@kernel
def copy_names(inflated, record_starts, out):
    """Copy the read names of records, each into a row of `out`: uint8[n_reads, longest name], zeros."""
    for i in range(out.shape[0]):
        first = record_starts[i] + 4 + 32
        for k in range(np.int64(inflated[record_starts[i] + 12]) - 1):
            out[i, k] = inflated[first + k]


@kernel
def read_extended_mapq(inflated, record_starts, out):
    """Write the integer tag XQ of records, -1 for none: out is int16[n_reads].

    Returns -1, or the index of the first record whose tags are damaged, or whose XQ is no mapping quality.
    """
    base = np.int64(inflated.ctypes.data)
    for i in range(out.size):
        at = base + record_starts[i] + 4
        end = at + np.int64(load_i32(at - 4))
        word = load_u64(at + 8)
        n_bases = np.int64(load_i32(at + 16))
        tags = at + 32 + np.int64(word & np.uint64(0xFF)) + 4 * np.int64((word >> np.uint64(32)) & np.uint64(0xFFFF))
        tag = _find_tag(tags + ((n_bases + 1) >> 1) + n_bases, end, _XQ)
        out[i] = -1
        if tag == 0:
            continue
        if tag < 0:
            return i
        kind, value = np.int64(load_u16(tag)) & 0xFF, np.int64(load_i32(tag + 1))
        size = 1 if kind == 99 or kind == 67 else 2 if kind == 115 or kind == 83 else 4 if kind == 105 or kind == 73 else 0  # cC sS iI
        if size == 0 or tag + 1 + size > end:
            return i
        value &= (1 << 8 * size) - 1
        is_negative = kind >= 97 and value >> (8 * size - 1) == 1  # small letters are signed
        if value > 255 or is_negative:
            return i
        out[i] = value
    return -1


@kernel
def fill_columns(
    inflated, n_reads, record_starts, ref_ends, group_hashes, first_group,
    contig_id, pos, ref_end, mapq, flag, read_group, mate_contig_id, mate_pos, template_length, name_hash,
    cigar, cigar_offsets, bases, base_quals, base_offsets,
):  # fmt: skip
    """Fill the columns of `ReadBatch` from the records that `scan_records` found.

    group_hashes : uint64[n_read_groups]
        Hashes of the header's read group ids; read_group is the first match plus first_group, or -1.
    cigar_offsets, base_offsets : int64[n_reads + 1]
        As scanned. All other columns are written and hold n_reads, or the last offset.

    Returns -1, or the index of the first record whose tags are damaged.
    """
    base = np.int64(inflated.ctypes.data)
    bases_base = np.int64(bases.ctypes.data)
    quals_base = np.int64(base_quals.ctypes.data)
    bases_end = bases_base + base_offsets[n_reads]
    group = np.int64(0)
    for i in range(n_reads):
        at = base + record_starts[i] + 4
        end = at + np.int64(load_i32(at - 4))
        contig_id[i] = load_i32(at)
        pos[i] = load_i32(at + 4)
        ref_end[i] = ref_ends[i]
        word = load_u64(at + 8)  # l_read_name:8 mapq:8 bin:16 n_cigar_op:16 flag:16
        n_name = np.int64(word & np.uint64(0xFF))
        mapq[i] = np.uint8((word >> np.uint64(8)) & np.uint64(0xFF))
        n_stored_cigar = np.int64((word >> np.uint64(32)) & np.uint64(0xFFFF))
        flag[i] = np.uint16(word >> np.uint64(48))
        mate_contig_id[i] = load_i32(at + 20)
        mate_pos[i] = load_i32(at + 24)
        template_length[i] = load_i32(at + 28)
        name_hash[i] = _hash_bytes(at + 32, n_name - 1)
        n_bases = base_offsets[i + 1] - base_offsets[i]
        n_cigar = cigar_offsets[i + 1] - cigar_offsets[i]
        source = at + 32 + n_name
        packed = source + 4 * n_stored_cigar
        quals = packed + ((n_bases + 1) >> 1)
        if n_cigar != n_stored_cigar:
            source = _long_cigar(source, n_stored_cigar, n_bases, quals + n_bases, end) + 6
        for k in range(n_cigar):
            cigar[cigar_offsets[i] + k] = np.uint32(load_i32(source + 4 * k))
        _unpack_bases(packed, bases_base + base_offsets[i], n_bases, bases_end)
        copy_bytes(quals_base + base_offsets[i], quals, n_bases)
        if group_hashes.size == 0:
            read_group[i] = -1
            continue
        tag = _find_tag(quals + n_bases, end, _RG)
        if tag < 0:
            return i
        read_group[i] = -1
        if tag > 0 and (np.int64(load_u16(tag)) & 0xFF) == 90:
            value = tag + 1
            n_value = np.int64(0)
            while value + n_value < end and (np.int64(load_u16(value + n_value)) & 0xFF) != 0:
                n_value += 1
            if value + n_value == end:
                return i
            value_hash = _hash_bytes(value, n_value)
            if group_hashes[group] != value_hash:
                for k in range(group_hashes.size):
                    if group_hashes[k] == value_hash:
                        group = np.int64(k)
                        break
            if group_hashes[group] == value_hash:
                read_group[i] = group + first_group
    return -1
