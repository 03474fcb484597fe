"""The CPU: Numba kernels, one thread a call; calls may run in many threads at once, since the kernels hold no lock."""

from gpuvc.kernels.cpu.align import score_segments
from gpuvc.kernels.cpu.genotypes import genotype_likelihoods
from gpuvc.kernels.cpu.observe import observe
from gpuvc.kernels.cpu.pairhmm import pair_hmm
from gpuvc.kernels.cpu.pileup import collect_indels, pile_up


class CpuBackend:
    name = "cpu"
    device = "CPU"

    pile_up = staticmethod(pile_up)
    collect_indels = staticmethod(collect_indels)
    observe = staticmethod(observe)
    score_segments = staticmethod(score_segments)
    genotype_likelihoods = staticmethod(genotype_likelihoods)
    pair_hmm = staticmethod(pair_hmm)
