"""One region of a sample: what every stage makes of it, computed when first asked for, and once."""

from __future__ import annotations

import os
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from gpuvc.api import count_window
from gpuvc.batches import Pileup, ReadBatch
from gpuvc.intervals import Interval
from gpuvc.io.columns import take_reads
from gpuvc.kernels.codes import ASCII_OF_CODE
from gpuvc.notebook import stages
from gpuvc.notebook.calls import Calls
from gpuvc.notebook.tables import Table
from gpuvc.recording import ActiveRegion, Inputs, Record

if TYPE_CHECKING:
    from gpuvc.notebook.pile_figure import Picture

_FAR_BP = 1000  # of reference around a region: beyond the padding of its active regions and any event of theirs


class Region:
    """A stretch of a contig. Made by `Sample.region`; docs/api.md lists the columns of each table.

    contig : str
    start, end : int
        0-based, half-open.
    samples : tuple of str

    The calls are those of `gpuvc call -L` with this region. Tables of active regions are of those that overlap it. What was computed is
    held in memory, about 0.3 GB a Mb at 30x: for calls of more than a few Mb there is `Sample.call`.
    """

    def __init__(self, inputs: Inputs, interval: Interval) -> None:
        self._inputs, self._interval = inputs, interval
        self.contig, _ = inputs.contig(interval)
        self.start, self.end = interval.start, interval.end
        self.samples = inputs.samples

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def name(self) -> str:
        """As a region string: 1-based, closed."""
        return f"{self.contig}:{self.start + 1:,}-{self.end:,}"

    # ------------------------------------------------------------------------------------------------------------ reads

    @cached_property
    def _fetched(self) -> ReadBatch:
        return self._inputs.fetch(self._interval)

    @cached_property
    def _rows(self) -> np.ndarray:
        """Rows of all reads fetched that overlap the region."""
        reads = self._fetched
        return np.flatnonzero((reads.pos < self.end) & (np.maximum(reads.ref_end, reads.pos + 1) > self.start))

    @cached_property
    def read_batch(self) -> ReadBatch:
        """The reads as the stages take them: `gpuvc.batches.ReadBatch`, of the rows of `reads`."""
        return take_reads(self._fetched, self._rows)

    @cached_property
    def reads(self) -> Table:
        """The records of the file that overlap the region, in its order; those that do not count, too."""
        sample = self._inputs.source.sample_column(self.read_batch)
        refused_by = self._inputs.refused_by(self._fetched, self._rows, self._interval)
        return stages.reads_table(self.read_batch, self._inputs.samples, sample, refused_by)

    @cached_property
    def reference(self) -> str:
        """The reference's bases: A, C, G, T, N."""
        return ASCII_OF_CODE[self._codes()].tobytes().decode()

    def _codes(self, around_bp: int = 0) -> np.ndarray:
        return self._inputs.genome.window(self.contig, self.start - around_bp, self.end + around_bp)

    # ------------------------------------------------------------------------------------------------------------ pileup

    @cached_property
    def pileup_counts(self) -> Pileup:
        """The pileup as `gpuvc.pileup` gives it."""
        inputs = self._inputs
        return count_window(self._interval, inputs.source, inputs.genome, inputs.settings, inputs.backend)

    @cached_property
    def pileup(self) -> Table:
        """Counts per position of the reads that calling uses, as `gpuvc pileup` writes them."""
        return stages.pileup_table(self.pileup_counts, self._codes())

    # ------------------------------------------------------------------------------------------------------------ calling

    @cached_property
    def _record(self) -> Record:
        return self._inputs.record(self._interval, self._fetched)

    @property
    def threshold(self) -> float:
        """Probability above which a position is active."""
        return self._inputs.settings.active_probability_threshold

    @cached_property
    def activity(self) -> Table:
        """How likely each position differs from the reference, before and after smoothing."""
        return stages.activity_table(self._record.recorder.activity(self._inputs.settings), self.start, self.end)

    @cached_property
    def _active_regions(self) -> list[ActiveRegion]:
        recorder = self._record.recorder
        regions = recorder.regions(self._interval.contig_id)
        return [recorder.region(g) for g in np.flatnonzero((regions.start < self.end) & (regions.end > self.start)).tolist()]

    def active_region(self, which: int) -> ActiveRegion:
        """Row `which` of `active_regions` with all that its stages made, as arrays: haplotypes, reads × haplotypes, loci."""
        return self._active_regions[which]

    @cached_property
    def active_regions(self) -> Table:
        """What was assembled."""
        return stages.active_regions_table(self._active_regions)

    @cached_property
    def haplotypes(self) -> Table:
        """The haplotypes that reads were scored against."""
        return stages.haplotypes_table(self._active_regions, self._codes(_FAR_BP), self.start - _FAR_BP)

    @cached_property
    def region_reads(self) -> Table:
        """The reads of each active region, and the haplotype each was aligned to."""
        return stages.region_reads_table(self._active_regions, self._fetched, self._rows)

    @cached_property
    def likelihoods(self) -> Table:
        """Log10 likelihood of each read given each haplotype; as a matrix: `active_region(g).likelihoods`."""
        return stages.likelihoods_table(self._active_regions)

    @cached_property
    def loci(self) -> Table:
        """The loci that were genotyped, called or not."""
        return stages.loci_table(self._active_regions)

    @cached_property
    def calls(self) -> Calls:
        """The calls that begin in the region."""
        inputs = self._inputs
        calls = self._record.calls if inputs.settings.engine == "haplotype" else inputs.call(self._interval)
        return Calls(calls, inputs)

    # ------------------------------------------------------------------------------------------------------------ pictures

    def plot(self, *, max_rows: int = 70, refused: bool = False, truth: str | os.PathLike[str] | None = None) -> Picture:
        """Picture of the pile: calls, activity, depth, reference, reads by haplotype, haplotypes; an overview beyond 450 bp.

        Parameters
        ----------
        max_rows : int
            Rows of reads; a deeper pile is thinned out, and says how many reads are not shown.
        refused : bool
            Show the reads that do not count, too.
        truth : str, optional
            Indexed VCF whose records are marked beside the calls.

        Returns
        -------
        Picture
            Shows itself in a notebook; `.save("x.png")` or .svg; `.figure` is Matplotlib's.

        Raises
        ------
        UsageError
            Matplotlib is missing, or the engine is the pileup engine, which has no haplotypes.
        """
        from gpuvc.notebook.pile_figure import pile_figure

        return pile_figure(self, max_rows=max_rows, refused=refused, truth=truth)

    def __repr__(self) -> str:
        return f"<gpuvc.Region {self.name} of {', '.join(self._inputs.samples)}>"

    def _repr_html_(self) -> str:
        computed = [name for name in (*stages.SCHEMAS, "calls") if name in self.__dict__]
        rows = "".join(f"<tr><td><code>.{name}</code></td><td>{len(self.__dict__[name]):,}</td></tr>" for name in computed)
        waiting = ", ".join(f"<code>.{name}</code>" for name in (*stages.SCHEMAS, "calls") if name not in computed)
        return (
            f"<div><b>{escape(self.name)}</b> ({len(self):,} bp) of {escape(', '.join(self._inputs.samples))}"
            + (f"<table><thead><tr><th>computed</th><th>rows</th></tr></thead><tbody>{rows}</tbody></table>" if rows else "")
            + (f"<p><small>computed when asked for: {waiting}</small></p>" if waiting else "")
            + "</div>"
        )
