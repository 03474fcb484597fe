"""Where haplotypes were assembled, as a track for IGV (--assembly-region-out).

#track graphType=line
Chromosome  Start  End  Feature     AssemblyRegions
chr20       4921   4922 end-marker  0.00000
chr20       4921   5071 size=150    1.00000             -1 where nothing was: pieces of the longest size a region may have
"""

import numpy as np

from gpuvc.output.files import PartialFile

_HEADER = "#track graphType=line\nChromosome\tStart\tEnd\tFeature\tAssemblyRegions\n"


def owned(regions, shard):
    """bool[G]: the regions that belong to the shard. Of all shards of a plan, one has a region that touches a target; none has another.

    A region belongs where it starts, or where the first target begins that it reaches.
    """
    intervals, targets = shard.intervals, shard.targets
    first = np.searchsorted(intervals[:, 1], regions.start, side="right")
    reaches = first < len(intervals)
    place = np.maximum(regions.start, intervals[np.where(reaches, first, 0), 0])
    target = np.searchsorted(targets[:, 1], place, side="right")
    inside = target < len(targets)
    inside &= targets[np.where(inside, target, 0), 0] <= place
    return reaches & inside & (place < regions.end)


class RegionTrack:
    """The file; one of the outputs that `gpuvc.api` shows the stages of each shard to.

    Parameters
    ----------
    path : str
    contigs : Contigs
    targets : list of int64[n, 2]
        By contig.
    settings : Settings

    Raises
    ------
    OutputError
        The place cannot be written.
    """

    def __init__(self, path, contigs, targets, settings):
        self._contigs = contigs
        self._longest = settings.max_assembly_region_size
        # Targets still to be filled up, the last one first, each as contig, next position, end.
        self._left = [(k, start, end) for k, rows in enumerate(targets) for start, end in rows.tolist()][::-1]
        self._file = PartialFile(path)
        self._file.write(_HEADER.encode())

    def watch(self, shard):
        """What collects the shard's regions; called in the shard's thread."""
        return _Regions(shard)

    def add(self, shard, regions):
        """Write the shard's regions and what lies before them. Shards come in genome order."""
        for start, end in regions:
            self._fill_to(shard.contig_id, start)
            self._write(shard.contig_id, start, end, 1)
            self._skip_to(shard.contig_id, end)

    def _fill_to(self, contig_id, place):
        """Write the pieces between regions up to a place."""
        while self._left and self._left[-1][:2] < (contig_id, place):
            on, start, end = self._left.pop()
            stop = min(end, place) if on == contig_id else end
            for at in range(start, stop, self._longest):
                self._write(on, at, min(at + self._longest, stop), -1)
            if stop < end:
                self._left.append((on, stop, end))

    def _skip_to(self, contig_id, place):
        while self._left and self._left[-1][:2] < (contig_id, place):
            on, _, end = self._left.pop()
            if place < end:
                self._left.append((on, place, end))

    def _write(self, contig_id, start, end, value):
        name = self._contigs.names[contig_id]
        text = f"{name}\t{start}\t{start + 1}\tend-marker\t0.00000\n{name}\t{start}\t{end}\tsize={end - start}\t{value:.5f}\n"
        self._file.write(text.encode())

    def finish(self):
        """Make the file whole, under its temporary name."""
        self._fill_to(len(self._contigs), 0)
        self._file.finish()

    def publish(self):
        """Give the finished file its name."""
        self._file.publish()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._file.abort()


class _Regions:
    """The active regions of one shard."""

    def __init__(self, shard):
        self._shard = shard
        self._regions = []

    def see(self, stage, **columns):
        """For `gpuvc.caller.call_shard`."""
        if stage == "assembly":
            regions = columns["regions"]
            own = owned(regions, self._shard)
            self._regions += zip(regions.start[own].tolist(), regions.end[own].tolist())

    def result(self):
        """[(start, end)] in order."""
        return self._regions
