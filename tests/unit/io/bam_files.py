"""Small alignment files for tests, from text and from bytes."""

import struct
import zlib

import pysam

EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
HEADER = {
    "HD": {"VN": "1.6", "SO": "coordinate"},
    "SQ": [{"SN": "chr1", "LN": 100_000}, {"SN": "chr2", "LN": 50_000}],
    "RG": [{"ID": "lane1", "SM": "ann"}, {"ID": "lane2", "SM": "ann"}],
}


def record(pos, name="r", contig_id=0, cigar="20M", sequence=None, quals=None, flag=0, mapq=60, tags=(("RG", "lane1"),), header=None):
    """A pysam record; `sequence` defaults to as many As as the CIGAR reads, `quals` to 30 each, None for none stored."""
    read = pysam.AlignedSegment(pysam.AlignmentHeader.from_dict(header or HEADER))
    read.query_name, read.flag, read.reference_id, read.reference_start, read.mapping_quality = name, flag, contig_id, pos, mapq
    read.cigarstring = cigar
    n_bases = read.infer_query_length() or 0 if sequence is None else len(sequence)
    read.query_sequence = "A" * n_bases if sequence is None else sequence
    if quals != "none":
        read.query_qualities = pysam.qualitystring_to_array("?" * n_bases) if quals is None else quals
    read.set_tags(list(tags))
    return read


def write_bam(path, records, header=None, index="bai"):
    """A BAM of pysam records, with its index; returns the path as text."""
    with pysam.AlignmentFile(str(path), "wb", header=pysam.AlignmentHeader.from_dict(header or HEADER)) as file:
        for read in records:
            file.write(read)
    if index == "bai":
        pysam.index(str(path))
    elif index == "csi":
        pysam.index("-c", str(path))
    return str(path)


def inflated(path):
    """All inflated bytes of a BGZF file."""
    with pysam.BGZFile(str(path)) as file:
        return file.read()


def block(data):
    """One BGZF block."""
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    head = bytes.fromhex("1f8b08040000000000ff0600424302") + b"\0" + struct.pack("<H", len(body) + 25)
    return head + body + struct.pack("<II", zlib.crc32(data), len(data))


def write_blocks(path, data, block_bytes=60_000):
    """`data` as BGZF in blocks of `block_bytes`, wherever records begin; returns the path as text."""
    with open(path, "wb") as file:
        for start in range(0, len(data), block_bytes):
            file.write(block(data[start : start + block_bytes]))
        file.write(EOF_BLOCK)
    return str(path)


def record_offsets(data):
    """Where each record's block_size stands in the inflated bytes of a BAM."""
    (n_text,) = struct.unpack_from("<i", data, 4)
    (n_contigs,) = struct.unpack_from("<i", data, 8 + n_text)
    at = 12 + n_text
    for _ in range(n_contigs):
        at += 8 + struct.unpack_from("<i", data, at)[0]
    offsets = []
    while at < len(data):
        offsets.append(at)
        at += 4 + struct.unpack_from("<i", data, at)[0]
    return offsets
