"""True and false positives and what is missed, as precision, recall and F1 with confidence intervals, and along a score."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

_Z95 = 1.959963984540054  # two-sided 95 % of the normal distribution
_MOST_POINTS = 400  # of a curve; more cannot be seen, and fill files


@dataclass(frozen=True)
class Scores:
    """Counts as vcfeval has them: tp and fn in the truth, fp in the calls; tp_calls: the calls that agree."""

    tp: int
    fp: int
    fn: int
    tp_calls: int

    @property
    def precision(self):
        """tp / (tp + fp); None without any."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def recall(self):
        return _share(self.tp, self.tp + self.fn)

    @property
    def f1(self):
        """Harmonic mean of precision and recall."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def precision_interval(self):
        return wilson(self.tp, self.tp + self.fp)

    @property
    def recall_interval(self):
        return wilson(self.tp, self.tp + self.fn)

    @property
    def f1_interval(self):
        """By way of tp / (tp + fp + fn), which is a share, and of which F1 is a growing function."""
        bounds = wilson(self.tp, self.tp + self.fp + self.fn)
        return bounds and tuple(2 * j / (1 + j) for j in bounds)

    def as_dict(self):
        """Counts, ratios and the ends of their intervals as plain values; None where there is nothing to divide by."""
        found = {"tp": self.tp, "fp": self.fp, "fn": self.fn, "tp_calls": self.tp_calls}
        for name in ("precision", "recall", "f1"):
            bounds = getattr(self, f"{name}_interval")
            found[name] = _rounded(getattr(self, name))
            found[f"{name}_interval"] = bounds and [_rounded(bound) for bound in bounds]
        return found


def wilson(n, of):
    """(low, high): 95 % confidence interval of the share n / of; None where `of` is 0.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212. It holds for small numbers and for shares near 0 and 1.
    """
    if not of:
        return None
    share, z2 = n / of, _Z95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z95 / (1 + z2 / of) * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def curve(score, weight, is_false, n_truth):
    """[{score, tp, fp, precision, recall}]: what the calls with at least each score make, best first.

    Parameters
    ----------
    score : float64[n]
        Calls without one (not a number) come last, at score None.
    weight : float64[n]
        Variants of the truth that a call stands for. is_false : bool[n].
    n_truth : int
        All variants of the truth.
    """
    if not len(score):
        return []
    ordered = np.where(np.isnan(score), -np.inf, score)
    order = np.argsort(-ordered, kind="stable")
    tp, fp = np.cumsum(weight[order]), np.cumsum(is_false[order])
    last = np.flatnonzero(np.append(np.diff(ordered[order]) != 0, True))  # the last call of each score
    if len(last) > _MOST_POINTS:
        last = last[np.unique(np.linspace(0, len(last) - 1, _MOST_POINTS).round().astype(int))]
    return [
        {
            "score": None if np.isinf(ordered[order[i]]) else float(ordered[order[i]]),
            "tp": round(float(tp[i]), 3),
            "fp": int(fp[i]),
            "precision": _rounded(_share(float(tp[i]), float(tp[i]) + int(fp[i]))),
            "recall": _rounded(_share(float(tp[i]), n_truth)),
        }
        for i in last.tolist()
    ]


def _share(n, of):
    return n / of if of else None


def _rounded(value):
    return None if value is None else round(value, 6)
