"""Penalties of segments under alleles against the oracle.

Equal to the best of the whole matrix wherever that lies in the band; equal to the best in the band wherever reads and haplotypes lie.
"""

from functools import partial

import numpy as np
import pytest

from reference.oracles import align as oracle
from tests.kernels.inputs import KINDS, score_segments_case, wild_segments_case

BAND_PAD = 8


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_the_whole_matrix(backend, kind, seed):
    case = score_segments_case(seed, kind)
    np.testing.assert_array_equal(case.run(backend.score_segments)[0], case.run(oracle.score_segments)[0])


def test_equal_within_the_band_for_senseless_input(backend, seed):
    case = wild_segments_case(seed)
    np.testing.assert_array_equal(case.run(backend.score_segments)[0], case.run(partial(oracle.score_segments, band_pad=BAND_PAD))[0])


def test_inputs_hold_what_they_should():
    """Reads that tell alleles apart, some by less than the cap; and none, for want of a fit."""
    case = score_segments_case(0, "ragged")
    cap, allele_slots, (penalties,) = case.arguments[4], case.arguments[5], case.run(oracle.score_segments)
    assert ((penalties > 0) & (penalties < np.repeat(cap, np.diff(allele_slots)))).sum() > 10
    case = wild_segments_case(0)
    cap, allele_slots = case.arguments[4:6]
    (penalties,) = case.run(partial(oracle.score_segments, band_pad=BAND_PAD))
    largest = np.maximum.reduceat(penalties, allele_slots[:-1])
    assert (largest == 0).sum() > 10 and ((penalties > 0) & (penalties < np.repeat(cap, np.diff(allele_slots)))).sum() > 5
