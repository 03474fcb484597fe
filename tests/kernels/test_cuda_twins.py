"""CPU and CUDA twins, bit for bit."""

import numpy as np
import pytest

from gpuvc.backends.cpu import CpuBackend
from tests.kernels import inputs

CASES = {
    "pile_up": inputs.pile_up_case,
    "collect_indels": inputs.collect_indels_case,
    "observe": inputs.observe_case,
    "score_segments": inputs.score_segments_case,
    "genotype_likelihoods": inputs.genotype_likelihoods_case,
}


def assert_twins(case, operation, cuda_twin):
    for i, (here, there) in enumerate(zip(case.run(getattr(CpuBackend, operation)), case.run(getattr(cuda_twin, operation)))):
        assert here.dtype == there.dtype
        np.testing.assert_array_equal(here, there, err_msg=f"{operation}, output {i}")


@pytest.mark.parametrize("kind", inputs.KINDS)
@pytest.mark.parametrize("operation", CASES)
def test_same_bits(operation, kind, cuda_twin):
    assert_twins(CASES[operation](10, kind), operation, cuda_twin)
