"""Columns of made-up reads as BAM records."""

import numpy as np
import pysam

from gpuvc.bench.simulate import Reads
from gpuvc.kernels.jit import kernel
from gpuvc.output.files import BgzfStream, PartialFile

GROUP, SAMPLE = "bench", "BENCH"
_FIXED = 36  # bytes of a record before its name, its size included
_TAGS = b"RGZ" + GROUP.encode() + b"\0NMC"  # and a byte for NM
_NAME = "p000.000000000"  # piece and pair
_BAM_BASE = np.array([1, 2, 4, 8, 15], np.uint8)  # of the codes A C G T N


class BamWriter:
    """A sorted BAM with its index, written piece by piece in the order of the contigs; whole or not at all. A context manager."""

    def __init__(self, path, names, lengths):
        lines = ["@HD\tVN:1.6\tSO:coordinate", *(f"@SQ\tSN:{name}\tLN:{length}" for name, length in zip(names, lengths))]
        lines.append(f"@RG\tID:{GROUP}\tSM:{SAMPLE}\tPL:ILLUMINA\tLB:{GROUP}")
        text = ("\n".join(lines) + "\n").encode()
        contigs = b"".join(_int32(len(n) + 1) + n.encode() + b"\0" + _int32(length) for n, length in zip(names, lengths))
        self._partial = PartialFile(path)
        self._stream = BgzfStream(self._partial)
        self._stream.write(b"BAM\1" + _int32(len(text)) + text + _int32(len(names)) + contigs)

    def write(self, contig_id, reads: Reads):
        """Add all reads of one contig."""
        order = np.argsort(reads.pos, kind="stable")
        sizes = _FIXED + len(_NAME) + 1 + 4 * reads.n_cigar + (reads.bases.shape[1] + 1) // 2 + reads.bases.shape[1] + len(_TAGS) + 1
        starts = np.concatenate(([0], np.cumsum(sizes[order].astype(np.int64))))
        out = np.zeros(starts[-1], np.uint8)
        name, tags = (np.frombuffer(text, np.uint8) for text in (_NAME.encode(), _TAGS))
        _fill(
            out, starts, order, contig_id, name, tags, _BAM_BASE, reads.pos, reads.ref_end, reads.flag, reads.mapq, reads.template_length,
            reads.cigar, reads.n_cigar, reads.bases, reads.quals, reads.n_different,
        )  # fmt: skip
        for start in range(0, len(out), 1 << 24):
            self._stream.write(out[start : start + (1 << 24)].tobytes())

    def commit(self):
        self._stream.close()
        self._partial.commit()
        pysam.index(str(self._partial.path))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._partial.abort()


def _int32(value):
    return int(value).to_bytes(4, "little")


@kernel
def _put(out, at, value, n_bytes):
    """Write an integer, little end first; returns where it ends."""
    for k in range(n_bytes):
        out[at + k] = (value >> (8 * k)) & 255
    return at + n_bytes


@kernel
def _bin(start, end):
    """Of the index: the specification's reg2bin."""
    end -= 1
    for shift, first in ((14, 4681), (17, 585), (20, 73), (23, 9), (26, 1)):
        if start >> shift == end >> shift:
            return first + (start >> shift)
    return 0


@kernel
def _fill(
    out, starts, order, contig_id, name, tags, bam_base, pos, ref_end, flag, mapq, template_length, cigar, n_cigar, bases, quals,
    n_different,
):  # fmt: skip
    n_bases = bases.shape[1]
    for k in range(len(order)):
        row = order[k]
        mate = row ^ 1
        at = _put(out, starts[k], np.int64(starts[k + 1] - starts[k] - 4), 4)
        at = _put(out, at, np.int64(contig_id), 4)
        at = _put(out, at, np.int64(pos[row]), 4)
        at = _put(out, at, np.int64(len(name) + 1), 1)
        at = _put(out, at, np.int64(mapq[row]), 1)
        at = _put(out, at, np.int64(_bin(pos[row], ref_end[row])), 2)
        at = _put(out, at, np.int64(n_cigar[row]), 2)
        at = _put(out, at, np.int64(flag[row]), 2)
        at = _put(out, at, np.int64(n_bases), 4)
        at = _put(out, at, np.int64(contig_id), 4)
        at = _put(out, at, np.int64(pos[mate]), 4)
        at = _put(out, at, np.int64(template_length[row]), 4)
        for i in range(len(name)):
            out[at + i] = name[i]
        _digits(out, at + 4, contig_id)
        _digits(out, at + len(name), row >> 1)
        at += len(name) + 1
        for i in range(n_cigar[row]):
            at = _put(out, at, np.int64(cigar[row, i]), 4)
        for i in range(0, n_bases, 2):
            low = bam_base[bases[row, i + 1]] if i + 1 < n_bases else 0
            out[at] = bam_base[bases[row, i]] << 4 | low
            at += 1
        for i in range(n_bases):
            out[at + i] = quals[row, i]
        at += n_bases
        for i in range(len(tags)):
            out[at + i] = tags[i]
        out[at + len(tags)] = min(n_different[row], 255)


@kernel
def _digits(out, end, number):
    """Write a number so that its last digit stands before `end`."""
    while number > 0:
        end -= 1
        out[end] = 48 + number % 10
        number //= 10
