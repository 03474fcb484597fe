"""Odds of a chain against error, as the golden numbers have them."""

import json
import math

import pytest
from builders import callable_kernel
from golden_haplotypes import REPOSITORY

from gpuvc.assembly.pruning import log_odds_of_variant

# Computed apart from any product code; copied from the specification's golden numbers.
CASES = json.loads((REPOSITORY / "tests" / "golden" / "pruning.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['nalt']} of {case['nref'] + case['nalt']} at {case['error']}")
def test_log_odds_but_for_the_entropy(case):
    """The golden numbers have the entropy itself, GATK a ratio of polynomials near it, and its graphs are held to GATK's."""
    n_ref, n_alt, error = case["nref"], case["nalt"], case["error"]
    f = math.exp(sum(1 / k for k in range(1, n_ref + 1)) - sum(1 / k for k in range(1, n_alt + 1)))
    z = (1 - error) / (1 - error + error * f)
    entropy = -z * math.log(z) - (1 - z) * math.log(1 - z)
    w = z * (1 - z)
    found = callable_kernel(log_odds_of_variant)(n_ref, n_alt, error)
    assert found + n_alt * (entropy - w * (11 + 33 * w) / (2 + 20 * w)) == pytest.approx(case["log_odds"], rel=1e-9, abs=1e-9)
    assert found == pytest.approx(case["log_odds"], abs=0.02 * n_alt)
