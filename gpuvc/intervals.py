"""Contigs, intervals and shards. Positions are 0-based and half-open everywhere inside gpuvc."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """`start` to `end` (0-based, half-open) of the contig with index `contig_id` in the alignments' header."""

    contig_id: int
    start: int
    end: int

    def __len__(self):
        return self.end - self.start

    def padded(self, by, contig_length):
        """The interval widened by `by` bp on either side, kept on its contig."""
        return Interval(self.contig_id, max(0, self.start - by), min(contig_length, self.end + by))


@dataclass(frozen=True)
class Contigs:
    """Names and lengths in the order of the alignments' header."""

    names: tuple[str, ...]
    lengths: tuple[int, ...]

    @cached_property
    def index(self):
        """Contig name → contig_id."""
        return {name: i for i, name in enumerate(self.names)}

    def __len__(self):
        return len(self.names)


@dataclass(frozen=True)
class Shard:
    """One unit of work: the calls that start inside `targets`, all on one contig.

    targets : int64[n_targets, 2]
        Disjoint, sorted, 0-based half-open.
    intervals : int64[n_intervals, 2] or None
        All targets of the contig, before they were cut into shards; None for the whole contig.
    """

    index: int
    contig_id: int
    targets: np.ndarray = field(repr=False)
    intervals: np.ndarray | None = field(default=None, repr=False)

    @property
    def span(self):
        """From the first target's start to the last one's end."""
        return Interval(self.contig_id, int(self.targets[0, 0]), int(self.targets[-1, 1]))

    @property
    def n_bases(self):
        return int((self.targets[:, 1] - self.targets[:, 0]).sum())
