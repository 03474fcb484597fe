"""What reads show at loci, against the oracle, entry for entry."""

import numpy as np
import pytest

from reference.oracles import observe as oracle
from tests.kernels.inputs import KINDS, observe_case

COLUMNS = ("code", "quality", "end_distance", "segment_first", "segment_length", "segment_ref")


@pytest.mark.parametrize("kind", KINDS)
def test_observations(backend, kind, seed):
    case = observe_case(seed, kind)
    for name, found, expected in zip(COLUMNS, case.run(backend.observe), case.run(oracle.observe)):
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_inputs_hold_what_they_should():
    results = [observe_case(s, "random").run(oracle.observe) for s in range(3)]
    code, _, _, _, length, _ = (np.concatenate(column) for column in zip(*results))
    assert all((code == value).sum() > 10 for value in (0, 1, 2, oracle.DELETED, oracle.ABSENT))
    assert (length == 0).sum() > 10 and (length > 10).sum() > 50
