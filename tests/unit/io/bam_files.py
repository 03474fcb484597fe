"""Small alignment files for tests, from text and from bytes."""

import random
import re
import struct
import zlib
from array import array

import pysam

EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
HEADER = {
    "HD": {"VN": "1.6", "SO": "coordinate"},
    "SQ": [{"SN": "chr1", "LN": 100_000}, {"SN": "chr2", "LN": 50_000}],
    "RG": [{"ID": "lane1", "SM": "ann"}, {"ID": "lane2", "SM": "ann"}],
}


def record(pos, name="r", contig_id=0, cigar="20M", sequence=None, has_quals=True, flag=0, tags=(("RG", "lane1"),), header=None):
    """A pysam record; `sequence` defaults to as many As as the CIGAR reads. Qualities ascend from 2."""
    read = pysam.AlignedSegment(pysam.AlignmentHeader.from_dict(header or HEADER))
    read.query_name, read.flag, read.reference_id, read.reference_start = name, flag, contig_id, pos
    read.mapping_quality = 0 if read.is_unmapped else 60
    read.cigarstring = cigar
    read.query_sequence = "A" * (read.infer_query_length() or 0) if sequence is None else sequence
    if has_quals:
        read.query_qualities = array("B", [2 + k % 40 for k in range(len(read.query_sequence or ""))])
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


def block(data, level=1):
    """One BGZF block."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    head = bytes.fromhex("1f8b08040000000000ff0600424302") + b"\0" + struct.pack("<H", len(body) + 25)
    return head + body + struct.pack("<II", zlib.crc32(data), len(data))


def write_blocks(path, data, block_bytes=60_000, level=1):
    """`data` as BGZF in blocks of `block_bytes`, wherever records begin; returns the path as text."""
    with open(path, "wb") as file:
        for start in range(0, len(data), block_bytes):
            file.write(block(data[start : start + block_bytes], level))
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


def mixed_records(n, seed):
    """Sorted reads of every shape: spliced, clipped, with indels, unmapped beside their mates, without bases or qualities, unplaced."""
    rng = random.Random(seed)
    cigars = ["100M", "10S90M", "40M2D60M", "40M3I57M", "20M5000N80M", "5H50M", "30=1X69=", "100M10S", "3I97M", "20M2P80M"]
    records = []
    for contig_id, length in enumerate((100_000, 50_000)):
        for k, pos in enumerate(sorted(rng.randrange(length - 6000) for _ in range(n))):
            cigar = rng.choice(cigars)
            n_bases = sum(int(size) for size, kind in re.findall(r"(\d+)([A-Z=])", cigar) if kind in "MIS=X")
            shape = rng.random()
            sequence = "".join(rng.choices("ACGTNRYKM", [20, 20, 20, 20, 2, 1, 1, 1, 1], k=n_bases))
            tags = [("NM", rng.randrange(9)), ("XA", "x" * rng.randrange(20)), ("XB", array("h", range(rng.randrange(5)))), ("XF", 0.5)]
            tags += rng.choice([[("RG", "lane1")], [("RG", "lane2")], [("RG", "not in the header")], []])
            flag = rng.choice([0, 16, 99, 147, 1024, 2048])
            if shape < 0.05:
                cigar, flag = None, 4
            elif shape < 0.1:
                sequence = ""
            records.append(record(pos, f"read{contig_id}.{k}", contig_id, cigar, sequence, shape > 0.2, flag, tags))
    return records + [record(-1, f"unplaced{k}", -1, None, "ACGTN", True, 4) for k in range(n // 10)]
