"""How likely each read is given each haplotype, on a CUDA device. Twin of `cpu/pairhmm.py`; the kernels are in `pairhmm.cu`.

Pairs are sorted by tile (the number of lanes and rows that their read needs) and by the haplotype's length, so that the groups of a warp
end together, and each tile is one launch over all regions. Not run on a device yet: the tests run the source on the CPU (`emulate.py`)
and compile it.
"""

from functools import cache
from pathlib import Path

import numpy as np

from ..cpu.pairhmm import ERROR_PROBABILITY, START_LOG2, cpu_sums, row_starts, score_pairs, take_reads_and_gaps

SOURCE = Path(__file__).parent / "pairhmm.cu"
# (lanes, rows a lane), by the bases they hold; as in pairhmm.cu.
TILES = {
    np.float32: ((4, 8), (4, 16), (4, 20), (4, 28), (8, 16), (8, 20), (8, 24), (8, 28), (8, 32), (16, 20), (32, 16)),
    np.float64: ((16, 4), (16, 8), (16, 12), (32, 8), (32, 16)),
}
MAX_TILED_READ = 512
WARP = 32
PREPARE_THREADS = 128
GAPS_BY_BASE = ("-DGAPS_BY_BASE",)  # for the compiler, when gap continuation differs by base: it costs a register a row
PADDING = 32  # bases before each haplotype: a lane begins up to 31 columns early


def kernel_name(dtype, tile):
    return "forward_{}_{}_{}".format("f32" if dtype is np.float32 else "f64", *tile)


@cache
def _module(options):
    import cupy

    return cupy.RawModule(code=SOURCE.read_text(), backend="nvrtc", options=("--std=c++17", *options))


class CupyDevice:
    """The current device by way of CuPy.

    Raises ImportError without CuPy; operations raise MemoryError when the device is short of memory.
    """

    def __init__(self):
        import cupy

        self._cupy = cupy

    def upload(self, array):
        return self._allocate(lambda: self._cupy.asarray(np.ascontiguousarray(array)))

    def empty(self, shape, dtype):
        return self._allocate(lambda: self._cupy.empty(shape, dtype))

    def _allocate(self, make):
        try:
            return make()
        except self._cupy.cuda.memory.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error

    def download(self, array):
        return self._cupy.asnumpy(array)

    def launch(self, name, options, n_blocks, n_threads, *arguments):
        _module(options).get_function(name)((n_blocks,), (n_threads,), arguments)


def device_sums(device, dtype, reads, haplotypes, gap_continuation):
    """As `cpu_sums`, by a device; reads of more than MAX_TILED_READ bases are left to `cpu_sums`, whose bits are the same."""
    lengths = np.diff(reads[1])
    sum_offsets = row_starts(reads[0], haplotypes[0])
    sums = np.empty(sum_offsets[-1], dtype)
    scales = np.empty(len(lengths)), np.empty(len(lengths), np.int64), np.empty(len(lengths), np.int64)
    for chosen, sums_of in (
        (np.flatnonzero(lengths <= MAX_TILED_READ), lambda *arguments: _tiled_sums(device, *arguments)),
        (np.flatnonzero(lengths > MAX_TILED_READ), cpu_sums),
    ):
        if chosen.size:
            some_reads, some_gaps = take_reads_and_gaps(reads, gap_continuation, chosen)
            some, some_offsets, *some_scales = sums_of(dtype, some_reads, haplotypes, some_gaps)
            for scale, some_scale in zip(scales, some_scales, strict=True):
                scale[chosen] = some_scale
            places = np.arange(len(some)) + np.repeat(sum_offsets[chosen] - some_offsets[:-1], np.diff(some_offsets))
            sums[places] = some
    return sums, sum_offsets, *scales


def _tiled_sums(device, dtype, reads, haplotypes, gap_continuation):
    read_slots, read_offsets, *columns = reads
    haplotype_slots, haplotype_offsets, haplotype_bases = haplotypes
    n_reads, lengths = len(read_offsets) - 1, np.diff(read_offsets)
    columns = [device.upload(column) for column in columns]
    offsets = device.upload(read_offsets.astype(np.int32))
    coefficients = device.empty((int(read_offsets[-1]), 4), dtype)
    start, last_e = device.empty(n_reads, dtype), device.empty(n_reads, dtype)
    scales = [device.empty(n_reads, kind) for kind in (np.float64, np.int64, np.int64)]  # product, exponent, lowered
    gap_continuation = np.atleast_1d(np.asarray(gap_continuation, np.uint8))
    is_by_base = len(gap_continuation) > 1
    options = GAPS_BY_BASE if is_by_base else ()
    device.launch(
        f"prepare_{'f32' if dtype is np.float32 else 'f64'}", options, -(-n_reads // PREPARE_THREADS), PREPARE_THREADS,
        np.int32(n_reads), offsets, *columns, device.upload(ERROR_PROBABILITY), device.upload(gap_continuation), np.int32(is_by_base),
        coefficients, start, last_e, *scales,
    )  # fmt: skip

    haplotype_lengths = np.diff(haplotype_offsets)
    padded, starts = _pad(haplotype_offsets, haplotype_bases)
    padded, starts, on_device_lengths = (device.upload(column) for column in (padded, starts, haplotype_lengths.astype(np.int32)))
    sum_offsets = row_starts(read_slots, haplotype_slots)
    pairs = _pairs(read_slots, haplotype_slots, sum_offsets)
    sizes = np.array([lanes * rows for lanes, rows in TILES[dtype]])
    tile = np.searchsorted(sizes, lengths)[pairs[:, 0]]
    order = np.lexsort((haplotype_lengths[pairs[:, 1]], tile))
    bounds = np.searchsorted(tile[order], np.arange(len(sizes) + 1))
    sums, extend = np.empty(len(pairs), dtype), ERROR_PROBABILITY[gap_continuation].astype(dtype)
    extend = device.upload(extend) if is_by_base else extend[0]
    for shape, first, end in zip(TILES[dtype], bounds, bounds[1:]):
        if first < end:
            chosen = order[first:end]
            some = device.empty(len(chosen), dtype)
            device.launch(
                kernel_name(dtype, shape), options, -(-len(chosen) * shape[0] // WARP), WARP, device.upload(pairs[chosen]),
                np.int32(len(chosen)), offsets, columns[0], coefficients, start, last_e, starts, on_device_lengths, padded,
                dtype(2.0 ** START_LOG2[dtype]), extend, some,
            )  # fmt: skip
            sums[chosen] = device.download(some)
    return sums, sum_offsets, *map(device.download, scales)


def _pairs(read_slots, haplotype_slots, sum_offsets):
    """int32[n_pairs, 2]: read and haplotype of each sum."""
    region = np.repeat(np.arange(len(read_slots) - 1), np.diff(read_slots))
    widths = np.diff(sum_offsets)
    read = np.repeat(np.arange(len(widths)), widths)
    haplotype = np.arange(sum_offsets[-1]) + np.repeat(haplotype_slots[region] - sum_offsets[:-1], widths)
    return np.stack((read, haplotype), axis=1).astype(np.int32)


def _pad(haplotype_offsets, haplotype_bases):
    """The haplotypes with room between them for lanes that begin early and end late (uint8), and where each begins (int32)."""
    lengths = np.diff(haplotype_offsets)
    starts = haplotype_offsets[:-1] + PADDING * np.arange(1, len(lengths) + 1)
    padded = np.zeros(int(haplotype_offsets[-1]) + PADDING * len(lengths) + int(lengths.max(initial=0)) + 64, np.uint8)
    padded[np.arange(len(haplotype_bases)) + np.repeat(starts - haplotype_offsets[:-1], lengths)] = haplotype_bases
    return padded, starts.astype(np.int32)


def pair_hmm(device, reads, haplotypes, gap_continuation, row_offsets, log10):
    """Write log10 likelihoods: see `gpuvc.kernels.cpu.pairhmm.pair_hmm`, whose arguments `reads` and `haplotypes` hold; host arrays.

    Raises MemoryError when the device has too little memory.
    """

    def sums_in(dtype, *arguments):
        return device_sums(device, dtype, *arguments)

    score_pairs(sums_in, reads, haplotypes, gap_continuation, row_offsets, log10)
