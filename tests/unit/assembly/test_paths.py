"""Logarithms of counts: correctly rounded on every machine, for they decide between equal paths."""

from decimal import Context

import numpy as np

from gpuvc.assembly.paths import LOG10_TABLE_SIZE, log10_table


def test_every_logarithm_is_rounded_correctly():
    exact = Context(prec=40)
    counts = range(1, LOG10_TABLE_SIZE, 7)
    expected = [float(exact.log10(exact.create_decimal(count))) for count in counts]
    assert log10_table()[1::7].tolist() == expected


def test_the_logarithm_of_nothing_is_below_all():
    assert log10_table()[0] == -np.inf
    assert np.all(np.diff(log10_table()[1:]) > 0)
