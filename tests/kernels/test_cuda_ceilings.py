"""The kernels by which a device's ceilings are measured, under the simulator: what they count is what they do."""

import numpy as np


def test_copies_and_multiplies(cuda_twin):
    from numba import cuda

    from gpuvc.kernels.cuda import ceilings

    source, target = np.arange(100, dtype=np.float32), cuda.to_device(np.zeros(100, np.float32))
    ceilings._copy[2, 4](cuda.to_device(source), target)  # grids of the launchers are too large for the simulator
    assert np.array_equal(target.copy_to_host(), source)
    values = np.ones((ceilings.SUMS, 5 + 2), np.float32)
    values[0, -2] = 0.5
    on_device = cuda.to_device(values)
    ceilings._multiply_add[2, 4](on_device, 3)
    assert np.all(on_device.copy_to_host()[:, :5] == 1.875)
