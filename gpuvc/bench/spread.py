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


class Estimate(NamedTuple):
    """A figure from `n` repeats: their geometric mean, and where the figure of another repeat lies with 95 % probability.

    low, high : None where one repeat says nothing of the next.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate | None":
        """From the figure of each repeat; None without any, or when one is not positive: it is too small to be measured.

        The interval is the prediction interval of one more observation, mean ± t s sqrt(1 + 1/n). Another run's figure is a mean of
        several, which lies nearer; what is left is room for that run's minutes to be slower or faster than this one's as a whole.
        """
        if not values or min(values) <= 0:
            return None
        logs = [math.log(value) for value in values]
        n, mean = len(logs), math.fsum(logs) / len(logs)
        if n == 1:
            return cls(values[0], None, None, 1)
        deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in logs) / (n - 1))
        t = _T95[n - 2] if n - 2 < len(_T95) else 1.96
        reach = t * deviation * math.sqrt(1 + 1 / n)
        return cls(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach), n)

    def holds(self, other: float) -> bool:
        """Whether another run's figure is what this one led to expect."""
        return self.low is not None and self.high is not None and self.low <= other <= self.high


def ratio(numerators: dict[int, float], denominators: dict[int, float]) -> Estimate | None:
    """Of two series by repeat: pairs within a repeat, which a slow minute hits alike; repeats that one of them sat out do not count."""
    both = sorted(numerators.keys() & denominators.keys())
    if any(denominators[i] <= 0 for i in both):
        return None
    return Estimate.of([numerators[i] / denominators[i] for i in both])
