"""Genotype likelihoods from allele penalties, on a CUDA device. Twin of `cpu/genotypes.py`, whose arithmetic it runs.

One thread a genotype of a locus. The genotypes of a locus are neighbours, so a warp reads the same penalties at the same time, and
the table of sums stays in the cache.
"""

from numba import cuda, int32, int64

from ..cpu.genotypes import genotype_likelihood
from .launch import cuda_kernel, device_function, grid_of

_genotype_likelihood = device_function(genotype_likelihood)


@cuda_kernel(
    int32[::1], int32[::1], int64[::1], int64[::1], int32[::1], int32[::1], int32[:, ::1], int32[::1], int32[::1], int64[::1]
)  # fmt: skip
def _genotype_likelihoods(
    task_locus, task_genotype, pair_slots, allele_slots, penalties, error_weight, allele_counts, log_sum, copy_cost, out
):  # fmt: skip
    for k in range(cuda.grid(1), task_locus.size, cuda.gridsize(1)):
        _genotype_likelihood(
            k, task_locus, task_genotype, pair_slots, allele_slots, penalties, error_weight, allele_counts, log_sum, copy_cost, out
        )  # fmt: skip


def genotype_likelihoods(*arguments):
    """Launch: see `gpuvc.kernels.cpu.genotypes.genotype_likelihood`; arrays lie on the device."""
    n_tasks = arguments[0].size
    if n_tasks:
        _genotype_likelihoods[grid_of(n_tasks)](*arguments)
