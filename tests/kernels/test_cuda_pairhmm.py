"""The CUDA backend's PairHMM, on a device or its source emulated beside the simulator: bits, splitting, and what it says when it cannot."""

import importlib.util

import numpy as np
import pytest

from gpuvc.backends import is_simulated
from gpuvc.backends.cpu import CpuBackend
from gpuvc.errors import DeviceError
from gpuvc.kernels.cuda.emulate import emulator_problem
from gpuvc.kernels.cuda.pairhmm import PADDING, SOURCE, TILES, _pad, kernel_name
from tests.kernels.hmm_inputs import likelihoods, random_batch


@pytest.fixture
def module(cuda_twin):
    """gpuvc.backends.cuda, where it can be imported and has something to run `pairhmm.cu` on."""
    if is_simulated() and emulator_problem() is not None:
        pytest.skip(emulator_problem())
    if not is_simulated() and importlib.util.find_spec("cupy") is None:
        pytest.skip("CuPy is not installed: pip install 'gpuvc[cuda12]'")
    import gpuvc.backends.cuda

    return gpuvc.backends.cuda


def assert_twins(cuda_twin, reads, haplotypes, gaps=10):
    here, there = (likelihoods(backend.pair_hmm, reads, haplotypes, gaps) for backend in (CpuBackend, cuda_twin))
    np.testing.assert_array_equal(here.view(np.uint64), there.view(np.uint64))


def test_same_bits(cuda_twin, module, seed):
    assert_twins(cuda_twin, *random_batch(np.random.default_rng(seed), 12, read_bp=(1, 540)))


def test_empty_batches(cuda_twin, module):
    assert_twins(cuda_twin, *random_batch(np.random.default_rng(0), 0))


@pytest.fixture
def small_device(module, monkeypatch):
    """The device refuses more than `most` bytes at once; sizes of what it was asked for."""
    make, asked, limit = module._pair_hmm_device, [], []

    def make_small():
        device = make()
        upload = device.upload

        def refuse(array):
            asked.append(array.nbytes)
            if limit and array.nbytes > limit[0]:
                raise MemoryError("Out of memory allocating")
            return upload(array)

        device.upload = refuse
        return device

    monkeypatch.setattr(module, "_pair_hmm_device", make_small)
    return asked, limit


def test_splits_regions_to_fit(cuda_twin, small_device):
    asked, limit = small_device
    batch = random_batch(np.random.default_rng(2), 12)
    assert_twins(cuda_twin, *batch)
    limit.append(max(asked) // 2)
    assert_twins(cuda_twin, *batch)
    assert_twins(cuda_twin, *batch, np.random.default_rng(2).integers(1, 16, len(batch[0][2])).astype(np.uint8))
    assert any(size > limit[0] for size in asked)


def test_too_little_memory_for_one_region_is_one_clear_error(cuda_twin, small_device):
    small_device[1].append(100)
    with pytest.raises(DeviceError) as error:
        likelihoods(cuda_twin.pair_hmm, *random_batch(np.random.default_rng(2), 12))
    assert (
        f"memory of {cuda_twin.device} in pair_hmm: found too little (Out of memory allocating), expected enough for one region of"
        in str(error.value)
    )
    assert "--device cpu" in str(error.value) and "\n" not in str(error.value)


def test_nothing_to_run_it_on_is_one_clear_error(cuda_twin, module, monkeypatch):
    def no_cupy():
        raise ImportError("No module named 'cupy'")

    monkeypatch.setattr(module, "emulator_problem", lambda: "no C++ compiler")
    monkeypatch.setattr(module.pairhmm, "CupyDevice", no_cupy)
    with pytest.raises(DeviceError) as error:
        likelihoods(cuda_twin.pair_hmm, *random_batch(np.random.default_rng(2), 2))
    reason = "cannot run the PairHMM (no C++ compiler)" if is_simulated() else "needs CuPy, which does not load (No module named 'cupy')"
    assert reason in str(error.value) and "--device cpu" in str(error.value)


def test_launcher_and_source_have_the_same_tiles():
    for dtype, kind in ((np.float32, "f32, float"), (np.float64, "f64, double")):
        in_source = [tuple(map(int, part.split(")")[0].split(","))) for part in SOURCE.read_text().split(f"X({kind}, ")[1:]]
        assert tuple(in_source) == TILES[dtype]
    assert kernel_name(np.float32, (8, 16)) == "forward_f32_8_16" and kernel_name(np.float64, (16, 4)) == "forward_f64_16_4"


def test_haplotypes_are_padded():
    padded, starts = _pad(np.array([0, 3, 5]), np.array([1, 2, 3, 4, 1], np.uint8))
    assert starts.tolist() == [PADDING, 2 * PADDING + 3]
    assert padded[32:35].tolist() == [1, 2, 3] and padded[67:69].tolist() == [4, 1] and padded.sum() == 11
    assert len(padded) >= 69 + 3 + 32  # a warp goes on until its longest haplotype has passed through all lanes
