"""The seam between stages and hardware: one object with the operations that have kernels.

Host arrays in, host arrays out, large batches. The arguments of each operation are those of the kernel of the same name in
`gpuvc.kernels.cpu`, less its scratch; its docstring is the contract.
"""

from typing import Protocol


class Backend(Protocol):
    """What a device offers. `name` is "cpu" or "cuda", for logs and reports; `device` names the hardware."""

    name: str
    device: str

    def pile_up(self, *arguments) -> None: ...
    def collect_indels(self, *arguments) -> None: ...
    def observe(self, *arguments) -> None: ...
    def score_segments(self, *arguments) -> None: ...
    def genotype_likelihoods(self, *arguments) -> None: ...
    def pair_hmm(self, *arguments) -> None: ...
