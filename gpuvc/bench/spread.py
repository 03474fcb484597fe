"""What repeats say of a figure, and of what another run would find.

Times and ratios of times are positive and err by factors, so everything happens in their logarithms.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

# Student's t by degrees of freedom from 1: 95 % of values lie within it on both sides.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
    2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


_POOLED_REPEATS = 4  # degrees of freedom that what all series of a kind vary by stands for, beside a series' own


class Estimate(NamedTuple):
    """A figure from `n` repeats: their geometric mean, and where the figure of another run lies with 95 % probability.

    low, high : None where nothing was repeated.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    def holds(self, other: float) -> bool:
        """Whether another run's figure is what this one led to expect."""
        return self.low is not None and self.high is not None and self.low <= other <= self.high


def estimates(series: Sequence[Sequence[float]]) -> "list[Estimate | None]":
    """An Estimate of each series of positive figures, one figure a repeat; None where a series is empty or holds one that is not positive.

    The interval is the prediction interval of another run's figure, mean ± t s sqrt(2 + 2/n): of two means of n repeats with variance s²
    each, in runs that differ as a whole by as much as their repeats do, since the minutes of a machine are not alike.

    s² is the variance of the series moderated by that of all together: two or three repeats may lie near each other by chance.
    Source: G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 3 (2004) 3, with a fixed weight for the prior.
    """
    logs = [[math.log(value) for value in values] if values and min(values) > 0 else [] for values in series]
    means = [math.fsum(x) / len(x) if x else math.nan for x in logs]
    squares = [math.fsum((x - mean) ** 2 for x in some) for some, mean in zip(logs, means)]
    freedom = sum(len(some) - 1 for some in logs if some)
    pooled = math.fsum(squares) / freedom if freedom else None
    return [_estimate(len(some), mean, square, pooled) if some else None for some, mean, square in zip(logs, means, squares)]


def _estimate(n, mean, square, pooled):
    if pooled is None:
        return Estimate(math.exp(mean), None, None, n)
    freedom = n - 1 + _POOLED_REPEATS
    deviation = math.sqrt((square + _POOLED_REPEATS * pooled) / freedom)
    t = _T95[freedom - 1] if freedom <= len(_T95) else 1.96
    reach = t * deviation * math.sqrt(2 + 2 / n)
    return Estimate(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach), n)


def paired_ratios(numerators: dict[int, float], denominators: dict[int, float]) -> list[float]:
    """Of two series by repeat: within a repeat, which a slow minute hits alike; repeats that one of them sat out do not count.

    Empty when a denominator is not positive: it is too small to be measured.
    """
    both = sorted(numerators.keys() & denominators.keys())
    return [] if any(denominators[i] <= 0 for i in both) else [numerators[i] / denominators[i] for i in both]
