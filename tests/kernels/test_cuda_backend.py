"""What the CUDA backend does around the kernels: it splits work, refuses, takes turns, and describes the devices."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from gpuvc import backends
from gpuvc.backends.cpu import CpuBackend
from gpuvc.errors import DeviceError
from tests.kernels.inputs import PATTERN, Case
from tests.kernels.test_cuda_twins import CASES, assert_twins

OUT_OF_MEMORY = "[CUresult.CUDA_ERROR_OUT_OF_MEMORY] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY"


@pytest.fixture
def module(cuda_twin):
    """gpuvc.backends.cuda, where it can be imported."""
    import gpuvc.backends.cuda

    return gpuvc.backends.cuda


@pytest.fixture
def parts(module, monkeypatch):
    """Bytes of each part that was run."""
    run_part, sizes = module._run_part, []

    def run_and_note(launch, inputs, outputs):
        run_part(launch, inputs, outputs)
        sizes.append(sum(value.nbytes for value in (*inputs, *outputs) if isinstance(value, np.ndarray)))

    monkeypatch.setattr(module, "_run_part", run_and_note)
    return sizes


@pytest.mark.parametrize("operation", CASES)
def test_splits_to_fit_the_free_memory(operation, cuda_twin, module, parts, monkeypatch):
    case = CASES[operation](20, "random")
    assert_twins(case, operation, cuda_twin)
    (whole,) = parts
    parts.clear()
    monkeypatch.setattr(module, "_free_bytes", lambda: 0.95 * whole / module.FREE_SHARE)
    assert_twins(case, operation, cuda_twin)
    assert 2 <= len(parts) <= 4 and max(parts) <= 0.95 * whole


def test_makes_no_crumbs_when_what_all_items_share_is_too_large(cuda_twin, module, parts, monkeypatch):
    monkeypatch.setattr(module, "_free_bytes", lambda: 0)
    monkeypatch.setattr(module, "MAX_PLANNED_PARTS", 8)
    case = CASES["genotype_likelihoods"](20, "largest")
    assert_twins(case, "genotype_likelihoods", cuda_twin)
    assert 8 <= len(parts) <= 16


@pytest.mark.parametrize("operation", CASES)
def test_splits_down_to_single_items_when_allocations_are_refused(operation, cuda_twin, module, parts, monkeypatch):
    run_part = module._run_part

    def refuse(launch, inputs, outputs):
        if len(inputs[0]) > 1:
            raise RuntimeError(OUT_OF_MEMORY)
        run_part(launch, inputs, outputs)

    monkeypatch.setattr(module, "_run_part", refuse)
    case = CASES[operation](21, "random")
    assert_twins(case, operation, cuda_twin)
    assert len(parts) == len(case.arguments[0])


def test_too_little_memory_for_one_item_is_one_clear_error(cuda_twin, module, monkeypatch):
    def refuse(launch, inputs, outputs):
        raise RuntimeError(OUT_OF_MEMORY)

    monkeypatch.setattr(module, "_run_part", refuse)
    monkeypatch.setattr(module, "_free_bytes", lambda: 12_345)
    with pytest.raises(DeviceError) as error:
        CASES["observe"](22, "random").run(cuda_twin.observe)
    assert f"memory of {cuda_twin.device} in observe: found 12345 bytes free, expected " in str(error.value)
    assert "--device cpu" in str(error.value) and "\n" not in str(error.value)


def test_any_other_failure_is_passed_on(cuda_twin, module, monkeypatch):
    def fail(launch, inputs, outputs):
        raise RuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS")

    monkeypatch.setattr(module, "_run_part", fail)
    with pytest.raises(RuntimeError, match="ILLEGAL_ADDRESS"):
        CASES["observe"](22, "random").run(cuda_twin.observe)


def test_refuses_types_the_kernels_are_not_compiled_for(cuda_twin):
    case = CASES["genotype_likelihoods"](23, "random")
    wide = Case((case.arguments[0].astype(np.int64), *case.arguments[1:]), 1)
    with pytest.raises(TypeError, match="genotype_likelihoods: argument 0 is int64"):
        wide.run(cuda_twin.genotype_likelihoods)
    strided = Case((*case.arguments[:-1], np.full(2 * len(case.arguments[0]), PATTERN, np.int64)[::2]), 1)
    with pytest.raises(TypeError, match="argument 9"):
        cuda_twin.genotype_likelihoods(*strided.arguments)


def test_calls_from_many_threads_take_turns(cuda_twin, module, monkeypatch):
    run_part, inside, most = module._run_part, [], []

    def watch(launch, inputs, outputs):
        inside.append(launch)
        most.append(len(inside))
        run_part(launch, inputs, outputs)
        inside.pop()

    monkeypatch.setattr(module, "_run_part", watch)
    case = CASES["observe"](24, "random")
    expected, found = case.run(CpuBackend.observe), [None] * 4

    def work(i):
        found[i] = case.run(cuda_twin.observe)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 4
    for outputs in found:
        for here, there in zip(outputs, expected):
            np.testing.assert_array_equal(here, there)


class Card:
    """Stands in for a device of numba.cuda; entering it makes it the current one."""

    current = None

    def __init__(self, name, compute_capability):
        self.name, self.compute_capability = name, compute_capability

    def __enter__(self):
        Card.current = self

    def __exit__(self, *_):
        Card.current = None


def fake_cuda(*cards):
    return SimpleNamespace(
        gpus=cards,
        runtime=SimpleNamespace(get_version=lambda: (12, 9)),
        get_current_device=lambda: Card.current,
        current_context=lambda: SimpleNamespace(get_memory_info=lambda: (3 << 30, 4 << 30)),
    )


def test_describes_each_device(module, monkeypatch):
    monkeypatch.setattr(module, "cuda", fake_cuda(Card("Large Card", (9, 0)), Card(b"Old Card", (6, 1))))
    monkeypatch.setattr(module, "driver", SimpleNamespace(get_version=lambda: (13, 0)))
    assert module.describe_cuda_devices() == [
        "CUDA driver 13.0, CUDA runtime 12.9",
        "Large Card, compute capability 9.0, 4.0 GiB, 3.0 GiB free",
        "Old Card, compute capability 6.1, 4.0 GiB, 3.0 GiB free; compute capability 6.1 is too old, expected 7.5 or later",
    ]


@pytest.mark.parametrize(
    "capability, problem", [((7, 5), None), ((7, 0), "Some Card: compute capability 7.0 is too old, expected 7.5 or later")]
)
def test_a_device_that_is_too_old_is_not_chosen(module, monkeypatch, capability, problem):
    monkeypatch.setattr(backends, "is_simulated", lambda: False)
    monkeypatch.setattr(backends, "_driver_problem", lambda: None)
    monkeypatch.setattr(module, "is_simulated", lambda: False)
    monkeypatch.setattr(module, "cuda", fake_cuda())
    monkeypatch.setattr(Card, "current", Card("Some Card", capability))
    assert backends.cuda_problem() == problem
    backend, reason = backends.choose_backend("auto")
    assert backend.device == ("CPU" if problem else "Some Card") and (problem is None or problem in reason)
    if problem:
        with pytest.raises(DeviceError, match=problem):
            backends.choose_backend("cuda")
