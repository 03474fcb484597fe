"""The pileup kernels against their oracle, entry for entry."""

import re

import numpy as np
import pytest

from reference.oracles import pileup as oracle
from tests.kernels.inputs import CIGAR, KINDS, Case, collect_indels_case, filled, offsets_of, pile_up_case


@pytest.mark.parametrize("kind", KINDS)
def test_counts(backend, kind, seed):
    case = pile_up_case(seed, kind)
    np.testing.assert_array_equal(case.run(backend.pile_up)[0], case.run(oracle.pile_up)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_indels(backend, kind, seed):
    case = collect_indels_case(seed, kind)
    for name, found, expected in zip(
        ("anchor", "length", "read_offset", "shift", "digest"), case.run(backend.collect_indels), case.run(oracle.collect_indels)
    ):
        np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize(
    "reference, pos, cigar, read, anchor, shift",
    [
        ("ACGTACGTAC", 105, "3M2D1M", "CGTA", 107, 0),  # ends with the window
        ("ACGTACGTA", 105, "3M2D1M", "CGTA", -1, None),  # and one base beyond it
        ("ACGTACGTAC", 97, "4M2D2M", "ACAATA", 100, 0),  # its anchor is the window's first base
        ("ACGTACGTAC", 97, "3M2D2M", "ACAGT", -1, None),  # and the one before that
        ("AAAAAACG", 100, "4M1D2M", "AAAAAC", 100, 3),  # moved as far as the window goes
        ("AAAAAACG", 100, "4M2I2M", "AAAAAAAA", 100, 3),
        ("ACGNNNNACG", 102, "3M1D2M", "GNNNA", 104, 0),  # nobody knows what an N equals
        ("ACGNNNNACG", 102, "3M1I2M", "GNNNNN", 104, 0),
        ("ACGTACGTAC", 102, "3M1I", "GTAC", -1, None),  # between aligned bases only
        ("ACGTACGTAC", 102, "3M1N1D2M", "GTATA", -1, None),
    ],
)
def test_indels_at_limits(backend, reference, pos, cigar, read, anchor, shift):
    words = np.array([int(size) << 4 | CIGAR[letter] for size, letter in re.findall(r"(\d+)(\D)", cigar)], np.uint32)
    codes, window = (np.array(["ACGTN".index(letter) for letter in text], np.uint8) for text in (read, reference))
    columns = np.array([pos], np.int32), words, offsets_of([len(words)]), codes, offsets_of([len(codes)])
    outputs = filled(1, np.int32), filled(1, np.int32), filled(1, np.int64), filled(1, np.int32), filled(1, np.int64)
    case = Case((np.zeros(1, np.int32), *columns, window, 100, offsets_of([1]), *outputs), 5)
    for collect in (backend.collect_indels, oracle.collect_indels):
        found = case.run(collect)
        assert found[0][0] == anchor
        if anchor >= 0:
            assert found[3][0] == shift


def test_inputs_hold_what_they_should():
    """Shifted events and refused ones, or the test above would prove little."""
    results = [collect_indels_case(s, "random").run(oracle.collect_indels) for s in range(3)]
    anchor, length, _, shift, _ = (np.concatenate(column) for column in zip(*results))
    is_event = anchor >= 0
    assert (is_event & (length > 0) & (shift > 3)).sum() > 20
    assert (is_event & (length < 0) & (shift > 3)).sum() > 20
    assert (~is_event).sum() > 20
