"""Penalty of each read segment against local haplotypes, on a CUDA device. Twin of `cpu/align.py`, whose arithmetic it runs.

One thread a pair of a locus and a read; its alleles are its own to write. The three rows of the band are local arrays, which the
hardware interleaves, so that a warp in step touches whole lines. Most pairs leave before they need them.
"""

from numba import cuda, int16, int32, int64, uint8

from ..cpu.align import MAX_BAND, score_pair
from .launch import cuda_kernel, device_function, grid_of

_score_pair = device_function(score_pair)
_ROW = MAX_BAND + 1


@cuda_kernel(
    int32[::1], int64[::1], int32[::1], int32[::1], int32[::1], int64[::1], uint8[::1], uint8[::1], int32[::1], int32[::1],
    int64[::1], int32[::1], int64[::1], uint8[::1], int16[::1], int16[::1], int32[::1], int32[::1], int32[::1], int32[::1], int32[::1],
)  # fmt: skip
def _score_segments(
    pair_locus, segment_first, segment_length, segment_ref, cap, allele_slots, bases, base_quals, mismatch, misfit,
    haplotype_slots, haplotype_start, haplotype_offsets, haplotype_bases, gap_open, gap_extend, cheapest_gap, shift_low, shift_high,
    haplotype_allele, penalties,
):  # fmt: skip
    match = cuda.local.array(_ROW, int32)
    insertion = cuda.local.array(_ROW, int32)
    deletion = cuda.local.array(_ROW, int32)
    for k in range(cuda.grid(1), pair_locus.size, cuda.gridsize(1)):
        _score_pair(
            k, pair_locus, segment_first, segment_length, segment_ref, cap, allele_slots, bases, base_quals, mismatch, misfit,
            haplotype_slots, haplotype_start, haplotype_offsets, haplotype_bases, gap_open, gap_extend, cheapest_gap, shift_low, shift_high,
            haplotype_allele, match, insertion, deletion, penalties,
        )  # fmt: skip


def score_segments(*arguments):
    """Launch: see `gpuvc.kernels.cpu.align.score_pair`, less its scratch; arrays lie on the device."""
    n_pairs = arguments[0].size
    if n_pairs:
        _score_segments[grid_of(n_pairs)](*arguments)
