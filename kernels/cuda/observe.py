"""What each read shows at each locus, on a CUDA device. Twin of `cpu/observe.py`, whose arithmetic it runs.

One thread a pair of a locus and a read. Neighbouring pairs are reads that follow each other in the file, so their columns share
lines of the cache; neighbouring threads write to neighbouring places.
"""

from numba import cuda, int32, int64, uint8, uint32

from ..cpu.observe import observe_pair
from .launch import cuda_kernel, device_function, grid_of

_observe_pair = device_function(observe_pair)


@cuda_kernel(
    int32[::1], int32[::1], int32[::1], int32[::1], int32[::1], int64,
    int32[::1], uint32[::1], int64[::1], uint8[::1], uint8[::1], int64[::1],
    uint8[::1], uint8[::1], int32[::1], int64[::1], int32[::1], int32[::1],
)  # fmt: skip
def _observe(
    pair_locus, pair_read, locus_pos, segment_start, segment_end, clip_reach, pos, cigar, cigar_offsets, bases, base_quals, base_offsets,
    code, quality, end_distance, segment_first, segment_length, segment_ref,
):  # fmt: skip
    for k in range(cuda.grid(1), pair_locus.size, cuda.gridsize(1)):
        _observe_pair(
            k, pair_locus, pair_read, locus_pos, segment_start, segment_end, clip_reach, pos, cigar, cigar_offsets, bases, base_quals,
            base_offsets, code, quality, end_distance, segment_first, segment_length, segment_ref,
        )  # fmt: skip


def observe(*arguments):
    """Launch: see `gpuvc.kernels.cpu.observe.observe_pair`; arrays lie on the device."""
    n_pairs = arguments[0].size
    if n_pairs:
        _observe[grid_of(n_pairs)](*arguments)
