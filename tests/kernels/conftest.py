"""Fixtures of the kernels' tests."""

import pytest

from gpuvc.backends import cuda_problem
from gpuvc.backends.cpu import CpuBackend


def cuda_backend():
    """The CUDA backend: on a device, or simulated. Skips where there is neither."""
    problem = cuda_problem()
    if problem is not None:
        pytest.skip(f"{problem}; test_cuda_simulated.py runs this on the simulator")
    from gpuvc.backends.cuda import CudaBackend

    return CudaBackend()


@pytest.fixture(scope="session", params=["cpu", "cuda"])
def backend(request):
    return CpuBackend() if request.param == "cpu" else cuda_backend()


@pytest.fixture(scope="session")
def cuda_twin():
    return cuda_backend()


@pytest.fixture(params=range(3))
def seed(request):
    print(f"seed {request.param}")
    return request.param
