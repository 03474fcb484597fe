"""Pileup on a CUDA device: counts per position, and the indels reads carry. Twin of `cpu/pileup.py`.

`pile_up`: LANES threads a read. They walk its CIGAR together and stride over its bases, so that they load neighbouring bases and add to
neighbouring columns; reads that overlap meet in the same ones, hence integer atomics. `collect_indels`: one thread a read, with the
CPU's arithmetic.
"""

from numba import cuda, int32, int64, uint8, uint16, uint32

from ..codes import ALIGNS, CIGAR_D, CIGAR_H, CIGAR_I, CIGAR_S, CONSUMES_READ, CONSUMES_REFERENCE, FLAG_REVERSE
from ..cpu.pileup import (
    CLIP_ROW,
    DELETED_ROW,
    DELETION_ROW,
    INSERTION_ROW,
    MAPQ0_ROW,
    MAPQ_ROW,
    QUAL_ROW,
    READS_ROW,
    collect_read_indels,
    follows_reference,
)
from .launch import cuda_kernel, device_function, grid_of, grid_of_lanes

_collect_read_indels = device_function(collect_read_indels)
_follows_reference = device_function(follows_reference)


@cuda_kernel(
    int32[::1], int32[::1], uint16[::1], uint8[::1], uint32[::1], int64[::1], uint8[::1], uint8[::1], int64[::1],
    int64, int64, int32[:, ::1],
)  # fmt: skip
def _pile_up(use, pos, flag, mapq, cigar, cigar_offsets, bases, base_quals, base_offsets, window_start, min_base_quality, counts):
    n_positions = counts.shape[1]
    lane, n_lanes = cuda.threadIdx.x, cuda.blockDim.x
    first_read = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
    for u in range(first_read, use.size, cuda.gridDim.x * cuda.blockDim.y):
        read = use[u]
        reverse = 1 if flag[read] & FLAG_REVERSE else 0
        read_mapq = int32(mapq[read])
        at = int64(pos[read]) - window_start
        base = base_offsets[read]
        first, last = cigar_offsets[read], cigar_offsets[read + 1]
        for c in range(first, last):
            operation = int32(cigar[c] & 15)
            length = int64(cigar[c] >> 4)
            aligns = (1 << operation) & ALIGNS
            if aligns or operation == CIGAR_D:
                for p in range(max(0, at) + lane, min(n_positions, at + length), n_lanes):
                    cuda.atomic.add(counts, (READS_ROW, p), 1)
                    cuda.atomic.add(counts, (MAPQ_ROW, p), read_mapq)
                    if read_mapq == 0:
                        cuda.atomic.add(counts, (MAPQ0_ROW, p), 1)
                    if aligns:
                        quality = int32(base_quals[base + p - at])
                        if quality >= min_base_quality:
                            code = int32(bases[base + p - at])
                            cuda.atomic.add(counts, (2 * code + reverse, p), 1)
                            cuda.atomic.add(counts, (QUAL_ROW + code, p), quality)
                    else:
                        cuda.atomic.add(counts, (DELETED_ROW + reverse, p), 1)
            # What a read shows once, its first lane counts.
            is_indel = operation == CIGAR_D or operation == CIGAR_I
            if lane == 0 and is_indel and 0 < at <= n_positions and _follows_reference(c, first, cigar):
                cuda.atomic.add(counts, ((DELETION_ROW if operation == CIGAR_D else INSERTION_ROW) + reverse, at - 1), 1)
            if lane == 0 and operation == CIGAR_S:
                is_left = c == first or (c == first + 1 and (cigar[first] & 15) == CIGAR_H)
                if is_left and 0 <= at < n_positions:
                    cuda.atomic.add(counts, (CLIP_ROW, at), 1)
                elif not is_left and 0 < at <= n_positions:
                    cuda.atomic.add(counts, (CLIP_ROW + 1, at - 1), 1)
            if (1 << operation) & CONSUMES_READ:
                base += length
            if (1 << operation) & CONSUMES_REFERENCE:
                at += length


def pile_up(*arguments):
    """Launch: see `gpuvc.kernels.cpu.pileup.pile_up`; arrays lie on the device."""
    n_reads = arguments[0].size
    if n_reads:
        _pile_up[grid_of_lanes(n_reads)](*arguments)


@cuda_kernel(
    int32[::1], int32[::1], uint32[::1], int64[::1], uint8[::1], int64[::1], uint8[::1], int64, int64[::1],
    int32[::1], int32[::1], int64[::1], int32[::1], int64[::1],
)  # fmt: skip
def _collect_indels(
    use, pos, cigar, cigar_offsets, bases, base_offsets, reference, reference_start, slots, anchor, length, read_offset, shift, digest
):  # fmt: skip
    for u in range(cuda.grid(1), use.size, cuda.gridsize(1)):
        _collect_read_indels(
            u, use, pos, cigar, cigar_offsets, bases, base_offsets, reference, reference_start, slots,
            anchor, length, read_offset, shift, digest,
        )  # fmt: skip


def collect_indels(*arguments):
    """Launch: see `gpuvc.kernels.cpu.pileup.collect_read_indels`; arrays lie on the device."""
    n_reads = arguments[0].size
    if n_reads:
        _collect_indels[grid_of(n_reads)](*arguments)
