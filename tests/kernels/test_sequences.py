"""Thirty-two bases at once, against the same base by base: at every offset and length, also where an array ends or is shorter than that."""

import numpy as np
import pytest
from builders import callable_kernel

from gpuvc.kernels.cpu import sequences
from gpuvc.kernels.cpu.sequences import WIDTH

SEED = 3
unequal_mask = callable_kernel(sequences.unequal_mask)
below_mask = callable_kernel(sequences.below_mask)
same_until = callable_kernel(sequences.same_until)
copy_bases = callable_kernel(sequences.copy_bases)


def codes(n, seed):
    return np.random.default_rng(SEED + seed).integers(0, 3, n).astype(np.uint8)


def mask_of(truths):
    return sum(1 << t for t in np.flatnonzero(truths))


@pytest.mark.parametrize(("n", "m"), [(80, 75), (33, 90), (WIDTH, WIDTH), (20, 26), (1, 1)])
def test_masks_are_those_of_single_bases(n, m):
    one, other = codes(n, 0), codes(m, 1)
    random = np.random.default_rng(SEED)
    for _ in range(300):
        size = int(random.integers(0, min(WIDTH, n, m) + 1))
        one_at, other_at = (int(random.integers(0, length - size + 1)) for length in (n, m))
        part, other_part = one[one_at : one_at + size], other[other_at : other_at + size]
        assert unequal_mask(one, one_at, other, other_at, size) == mask_of(part != other_part)
        assert below_mask(one, one_at, np.uint8(2), size) == mask_of(part < 2)


def test_below_compares_without_a_sign():
    values = np.array([0, 127, 128, 200, 255] * 8, np.uint8)
    assert below_mask(values, 0, np.uint8(200), WIDTH) == mask_of(values[:WIDTH] < 200)


@pytest.mark.parametrize("n", [1, 31, 32, 33, 64, 100])
def test_same_until_finds_the_first_difference(n):
    one = codes(n, 2)
    assert same_until(one, 0, one, 0, 0, n) == n
    for site in range(n):
        other = one.copy()
        other[site] = 3
        assert same_until(one, 0, other, 0, 0, n) == site
        assert same_until(one, 0, other, 0, site, n) == site
        assert same_until(one, 0, other, 0, site + 1, n) == n
        assert same_until(one, 0, other, 0, 0, site) == site


def test_same_until_compares_at_different_places():
    text = np.concatenate((codes(40, 3), codes(50, 4), codes(40, 3), [np.uint8(3)]))
    assert same_until(text, 0, text, 90, 0, 41) == 40
    assert same_until(text, 7, text, 97, 0, 34) == 33


@pytest.mark.parametrize(("source_at", "target_at", "length"), [(0, 0, 50), (3, 10, 40), (5, 59, 1), (9, 9, 0)])
def test_copy_bases_writes_its_stretch_and_no_more(source_at, target_at, length):
    source, target = codes(50, 5), np.full(60, 9, np.uint8)
    copy_bases(source, source_at, target, target_at, length)
    expected = np.full(60, 9, np.uint8)
    expected[target_at : target_at + length] = source[source_at : source_at + length]
    assert target.tolist() == expected.tolist()
