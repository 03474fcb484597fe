"""The PairHMM against its oracle and golden numbers, and its bits against themselves: however the work is laid out, wherever it runs."""

import hashlib
import math
import os
import subprocess
import sys
from itertools import pairwise, takewhile

import numpy as np
import pytest

from gpuvc.backends.cpu import CpuBackend
from gpuvc.kernels.codes import CODE_OF_ASCII
from gpuvc.kernels.cpu import pairhmm
from gpuvc.kernels.cpu.simd import COLUMNS, LANES
from gpuvc.kernels.cuda import pairhmm as cuda_pairhmm
from gpuvc.kernels.cuda.emulate import EmulatedDevice, emulator_problem
from reference.oracles import pairhmm as oracle
from tests.conftest import REPOSITORY
from tests.kernels import hmm_inputs
from tests.kernels.hmm_inputs import batch, golden_cases, likelihoods, random_batch

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
# Measured: 7e-6 in float32 on random reads with an indel quality of 5 at many bases (5e-7 on real reads), 1e-13 where float64 was taken.
FLOAT32_TOLERANCE, FLOAT64_TOLERANCE = 2e-5, 1e-11


def bits(values):
    return values.view(np.uint32 if values.dtype == np.float32 else np.uint64)


def assert_same_sums(found, expected):
    """Bit for bit; sums that overflowed may differ, since they are computed again."""
    for here, there in zip(found, expected):
        overflowed = ~np.isfinite(here) & ~np.isfinite(there)
        np.testing.assert_array_equal(bits(here)[~overflowed], bits(there)[~overflowed])


@pytest.mark.parametrize("case", golden_cases(), ids=lambda case: case["name"])
def test_golden_numbers(case):
    def letters(text):
        return CODE_OF_ASCII[np.frombuffer(text.encode(), np.uint8)]

    read = (letters(case["read"]), *(np.array(case[name], np.uint8) for name in ("base_quals", "ins_quals", "del_quals")))
    reads, haplotypes = batch([([read], [letters(case["haplotype"])])])
    continuation = case["gcp"][0] if len(set(case["gcp"])) == 1 else np.array(case["gcp"], np.uint8)
    (found,) = likelihoods(CpuBackend.pair_hmm, reads, haplotypes, continuation)
    (exact,) = likelihoods(oracle.pair_hmm, reads, haplotypes, continuation)
    assert exact == pytest.approx(case["log10_likelihood"], rel=1e-9)
    assert found == pytest.approx(case["log10_likelihood"], abs=FLOAT32_TOLERANCE if found > -60 else 1e-9)


def test_against_the_oracle(seed):
    reads, haplotypes = random_batch(np.random.default_rng(seed), 14)
    assert hmm_inputs.has_n(reads, haplotypes)
    found, expected = likelihoods(CpuBackend.pair_hmm, reads, haplotypes), likelihoods(oracle.pair_hmm, reads, haplotypes)
    surely_redone = expected < -90  # where float32 ends depends on the read's qualities: about -64, and further down for poor ones
    assert (expected > -60).sum() > 100 and surely_redone.sum() > 10
    np.testing.assert_allclose(found, expected, rtol=0, atol=FLOAT32_TOLERANCE)
    np.testing.assert_allclose(found[surely_redone], expected[surely_redone], rtol=FLOAT64_TOLERANCE)


def test_other_gap_continuation():
    reads, haplotypes = random_batch(np.random.default_rng(3), 3)
    found, expected = (likelihoods(operation, reads, haplotypes, 5) for operation in (CpuBackend.pair_hmm, oracle.pair_hmm))
    np.testing.assert_allclose(found, expected, rtol=0, atol=FLOAT32_TOLERANCE)


class TestGapContinuationByBase:
    """Each base its own: as in the oracle, and where all have the same, as with one for all."""

    @staticmethod
    def batch_with_gaps(seed, n_regions=14, **more):
        rng = np.random.default_rng(seed)
        reads, haplotypes = random_batch(rng, n_regions, **more)
        return reads, haplotypes, rng.integers(1, 16, len(reads[2])).astype(np.uint8)

    def test_against_the_oracle(self, seed):
        batch = self.batch_with_gaps(seed, read_bp=(1, 200))
        found, expected = likelihoods(CpuBackend.pair_hmm, *batch), likelihoods(oracle.pair_hmm, *batch)
        surely_redone = expected < -90
        assert (expected > -60).sum() > 100 and surely_redone.sum() > 10
        np.testing.assert_allclose(found, expected, rtol=0, atol=FLOAT32_TOLERANCE)
        np.testing.assert_allclose(found[surely_redone], expected[surely_redone], rtol=FLOAT64_TOLERANCE)

    def test_the_same_for_all(self, seed):
        reads, haplotypes, gaps = self.batch_with_gaps(seed)
        found = likelihoods(CpuBackend.pair_hmm, reads, haplotypes, np.full_like(gaps, 7))
        np.testing.assert_array_equal(bits(found), bits(likelihoods(CpuBackend.pair_hmm, reads, haplotypes, 7)))

    @DTYPES
    def test_shared_prefixes_change_no_bit(self, dtype, seed):
        batch = self.batch_with_gaps(seed, 20)
        shared, apart = (pairhmm.cpu_sums(dtype, *batch, share)[0] for share in (True, False))
        assert_same_sums([shared], [apart])

    @DTYPES
    def test_same_bits_as_the_cuda_source(self, dtype, device, seed):
        batch = self.batch_with_gaps(seed, read_bp=(1, 540))
        here, there = pairhmm.cpu_sums(dtype, *batch), cuda_pairhmm.device_sums(device, dtype, *batch)
        assert len(here[0]) > 300 and np.diff(batch[0][1]).max() > cuda_pairhmm.MAX_TILED_READ
        assert_same_sums([here[0], here[2]], [there[0], there[2]])

    def test_refuses_gaps_that_never_end(self):
        reads, haplotypes, gaps = self.batch_with_gaps(0)
        gaps[3] = 0
        with pytest.raises(ValueError, match="gaps that end"):
            likelihoods(CpuBackend.pair_hmm, reads, haplotypes, gaps)


@DTYPES
def test_shared_prefixes_change_no_bit(dtype, seed):
    reads, haplotypes = random_batch(np.random.default_rng(seed), 20)
    order, shared = np.empty(len(haplotypes[1]) - 1, np.int64), np.empty(len(haplotypes[1]) - 1, np.int64)
    pairhmm.order_haplotypes(*haplotypes, order, shared)
    assert (shared > 3 * COLUMNS).sum() > 20
    shared, apart = (pairhmm.cpu_sums(dtype, reads, haplotypes, 10, share)[0] for share in (True, False))
    assert_same_sums([shared], [apart])


def test_few_saved_prefixes_change_no_bit(monkeypatch):
    reads, haplotypes = random_batch(np.random.default_rng(4), 20)
    expected = likelihoods(CpuBackend.pair_hmm, reads, haplotypes)
    for most in (1, 0):
        monkeypatch.setattr(pairhmm, "SAVED_STATES", most)
        np.testing.assert_array_equal(bits(likelihoods(CpuBackend.pair_hmm, reads, haplotypes)), bits(expected))


def test_order_haplotypes(seed):
    _, haplotypes = random_batch(np.random.default_rng(seed), 20)
    slots, offsets, bases = haplotypes
    texts = [bases[a:b].tobytes() for a, b in pairwise(offsets)]
    order, shared = np.empty(len(texts), np.int64), np.empty(len(texts), np.int64)
    pairhmm.order_haplotypes(*haplotypes, order, shared)
    for first, end in pairwise(slots):
        assert order[first:end].tolist() == sorted(range(first, end), key=lambda i: texts[i])
        assert shared[first] == 0
        for i in range(first + 1, end):
            same = takewhile(lambda pair: pair[0] == pair[1], zip(texts[order[i - 1]], texts[order[i]]))
            assert shared[i] == len(list(same))


def test_each_pair_for_itself(seed):
    """A likelihood does not depend on the reads and haplotypes beside it."""
    rng = np.random.default_rng(seed)
    regions = [hmm_inputs.random_region(rng, (1, 90)) for _ in range(6)]
    together = likelihoods(CpuBackend.pair_hmm, *batch(regions))
    apart = likelihoods(
        CpuBackend.pair_hmm, *batch([([read], [haplotype]) for reads, haplotypes in regions for read in reads for haplotype in haplotypes])
    )
    assert len(apart) == len(together) > 100
    np.testing.assert_array_equal(bits(together), bits(apart))


def test_edges():
    assert len(likelihoods(CpuBackend.pair_hmm, *batch([]))) == 0
    rng = np.random.default_rng(0)
    reads, haplotypes = hmm_inputs.random_region(rng, (1, 40))
    while not reads:
        reads, haplotypes = hmm_inputs.random_region(rng, (1, 40))
    alone = likelihoods(CpuBackend.pair_hmm, *batch([(reads, haplotypes)]))
    beside_empty = likelihoods(CpuBackend.pair_hmm, *batch([([], haplotypes), (reads, haplotypes), (reads, []), ([], [])]))
    np.testing.assert_array_equal(bits(alone), bits(beside_empty))
    one = np.zeros(1, np.uint8)
    quality = np.full(1, 30, np.uint8)
    (single,) = likelihoods(CpuBackend.pair_hmm, *batch([([(one, quality, quality, quality)], [one])]))
    assert single == pytest.approx(math.log10(0.9 * 0.999), abs=1e-6)


def test_long_reads_and_haplotypes():
    rng = np.random.default_rng(5)
    haplotype = rng.integers(0, 4, 1500).astype(np.uint8)
    read = (haplotype[100:1300], *(np.full(1200, quality, np.uint8) for quality in (25, 45, 45)))
    reads, haplotypes = batch([([read], [haplotype, np.roll(haplotype, 700)])])
    found, expected = (likelihoods(operation, reads, haplotypes) for operation in (CpuBackend.pair_hmm, oracle.pair_hmm))
    np.testing.assert_allclose(found, expected, rtol=0, atol=FLOAT32_TOLERANCE)


@pytest.mark.parametrize("quality", [4, 5, 7, 10])
@pytest.mark.parametrize("length", [30, 100, 300])
def test_gap_openings_that_cost_little(quality, length):
    """The scaling of rows gains so much here that float32, and the smallest numbers that stand for 0, do not do."""
    haplotype = np.resize(np.array([0, 1, 2, 3, 1], np.uint8), 400)
    read = (haplotype[:length], np.full(length, 40, np.uint8), np.full(length, quality, np.uint8), np.full(length, quality, np.uint8))
    reads, haplotypes = batch([([read], [haplotype, haplotype[::-1].copy()])])
    found, expected = (likelihoods(operation, reads, haplotypes) for operation in (CpuBackend.pair_hmm, oracle.pair_hmm))
    np.testing.assert_allclose(found, expected, rtol=0, atol=FLOAT32_TOLERANCE)


def test_refuses_gap_openings_that_cost_too_little():
    with pytest.raises(ValueError, match=r"gap openings cost too little throughout: its scale is 2\^1147, above 2\^800"):
        likelihoods(
            CpuBackend.pair_hmm,
            *batch([([(np.zeros(500, np.uint8), *(np.full(500, q, np.uint8) for q in (40, 4, 4)))], [np.zeros(500, np.uint8)])]),
        )


@pytest.mark.parametrize("column, value", [(1, 0), (2, 3), (3, 3), (1, 128), (2, 200)])
def test_refuses_qualities_out_of_range(column, value):
    reads, haplotypes = batch([([tuple(np.full(3, q, np.uint8) for q in (1, 30, 45, 45))], [np.zeros(5, np.uint8)])])
    reads[2 + column][1] = value
    with pytest.raises(ValueError, match="base qualities of 1 to 127 and gap openings from 4"):
        likelihoods(CpuBackend.pair_hmm, reads, haplotypes)


def test_refuses_reads_without_bases():
    reads, haplotypes = batch([([(np.zeros(0, np.uint8),) * 4, (np.full(2, 30, np.uint8),) * 4], [np.zeros(5, np.uint8)])])
    with pytest.raises(ValueError, match="reads with bases"):
        likelihoods(CpuBackend.pair_hmm, reads, haplotypes)


def test_log10_by_four_operations():
    rng = np.random.default_rng(0)
    values = np.concatenate((2.0 ** rng.uniform(-1000, 1000, 500), rng.uniform(0.5, 2, 500), [1.0, 2.0**-1022, 10.0]))
    found = np.array([pairhmm.log10_of(value) for value in values])
    np.testing.assert_allclose(found, np.log10(values), rtol=3e-15, atol=3e-16)
    assert pairhmm.log10_of(1.0) == 0.0


def test_error_probabilities_are_correctly_rounded():
    assert pairhmm.ERROR_PROBABILITY[[0, 10, 20, 30]].tolist() == [1.0, 0.1, 0.01, 0.001]
    np.testing.assert_allclose(pairhmm.ERROR_PROBABILITY, 10.0 ** (-np.arange(128) / 10), rtol=4e-15)


@pytest.fixture(scope="module")
def device():
    problem = emulator_problem()
    if problem is not None:
        pytest.skip(problem)
    return EmulatedDevice()


@DTYPES
def test_same_bits_as_the_cuda_source(dtype, device, seed):
    """Sums of the CPU and of `pairhmm.cu`, run by an emulator, with all that the host multiplies them with."""
    reads, haplotypes = random_batch(np.random.default_rng(seed), 30, read_bp=(1, 300))
    here, there = pairhmm.cpu_sums(dtype, reads, haplotypes, 10), cuda_pairhmm.device_sums(device, dtype, reads, haplotypes, 10)
    assert len(here[0]) > 800
    assert_same_sums([here[0], here[2]], [there[0], there[2]])
    np.testing.assert_array_equal(here[1], there[1])
    np.testing.assert_array_equal(here[3], there[3])
    np.testing.assert_array_equal(here[4], there[4])


@DTYPES
def test_same_bits_in_every_tile(dtype, device, monkeypatch):
    """Short reads in large tiles, full tiles, and reads that fit none."""
    rng = np.random.default_rng(6)
    sizes = [lanes * rows for lanes, rows in cuda_pairhmm.TILES[dtype]]
    assert sizes == sorted(sizes) and sizes[-1] == cuda_pairhmm.MAX_TILED_READ
    haplotypes = [rng.integers(0, 4, length).astype(np.uint8) for length in (30, 61, 300)]
    for shape, size in zip(cuda_pairhmm.TILES[dtype], sizes):
        monkeypatch.setattr(cuda_pairhmm, "TILES", {dtype: (shape,)})
        monkeypatch.setattr(cuda_pairhmm, "MAX_TILED_READ", size)
        reads = [hmm_inputs._random_read(rng, haplotypes, length) for length in (1, 2, shape[1], shape[1] + 1, size - 1, size, size + 1)]
        one = batch([(reads, haplotypes)])
        assert_same_sums([pairhmm.cpu_sums(dtype, *one, 10)[0]], [cuda_pairhmm.device_sums(device, dtype, *one, 10)[0]])


def test_same_likelihoods_as_the_cuda_source(device):
    reads, haplotypes = random_batch(np.random.default_rng(7), 20, read_bp=(1, 300))

    def operation(*arguments):
        cuda_pairhmm.pair_hmm(device, arguments[:6], arguments[6:9], *arguments[9:])

    here, there = likelihoods(CpuBackend.pair_hmm, reads, haplotypes), likelihoods(operation, reads, haplotypes)
    assert (here < -64).sum() > 10
    np.testing.assert_array_equal(bits(here), bits(there))


DIGEST = """
import hashlib
import numpy as np
from gpuvc.kernels.cpu import pairhmm, simd
from tests.kernels.hmm_inputs import likelihoods, random_batch

reads, haplotypes = random_batch(np.random.default_rng(8), 4, read_bp=(1, 60))
print(hashlib.sha256(likelihoods(pairhmm.pair_hmm, reads, haplotypes).tobytes()).hexdigest(), simd.has_fma(), simd.COLUMNS)
"""
X86_64 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="names processors of x86-64")


@X86_64
@pytest.mark.parametrize(
    "cpu, features, has_fma",
    [("haswell", "+avx,+avx2,+fma,+sse4.2", True), ("generic", "", False)],
    ids=["AVX2", "without fused multiply-add"],
)
def test_same_bits_on_other_processors(cpu, features, has_fma):
    reads, haplotypes = random_batch(np.random.default_rng(8), 4, read_bp=(1, 60))
    here = hashlib.sha256(likelihoods(CpuBackend.pair_hmm, reads, haplotypes).tobytes()).hexdigest()
    environment = {**os.environ, "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run([sys.executable, "-c", DIGEST], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [here, str(has_fma), "4"]


def test_lanes_are_used_whatever_their_number():
    """What the tests of bits vary would all be one case with a single lane or column."""
    assert LANES > 1 and COLUMNS > 1
