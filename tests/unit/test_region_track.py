"""The track of assembled regions: what stands between them, interval by interval."""

from types import SimpleNamespace

import numpy as np
import pytest

from gpuvc.intervals import Contigs
from gpuvc.output.region_track import RegionTrack
from gpuvc.settings import Settings

CONTIGS = Contigs(("one", "two", "three"), (1000, 500, 700))


@pytest.fixture
def track(tmp_path):
    """Write a track → [(contig, start, end, whether assembled)]."""

    def write(targets, *shards):
        path = tmp_path / "regions.igv"
        with RegionTrack(path, CONTIGS, [np.array(rows, np.int64).reshape(-1, 2) for rows in targets], Settings()) as out:
            for contig_id, regions in shards:
                out.add(SimpleNamespace(contig_id=contig_id), regions)
            out.finish()
            assert not path.exists()
            out.publish()
        lines = path.read_text().splitlines()
        assert lines[:2] == ["#track graphType=line", "Chromosome\tStart\tEnd\tFeature\tAssemblyRegions"]
        rows = [line.split("\t") for line in lines[2:]]
        for marker, row in zip(rows[::2], rows[1::2], strict=True):
            assert marker == [*row[:2], str(int(row[1]) + 1), "end-marker", "0.00000"]
            assert row[3] == f"size={int(row[2]) - int(row[1])}"
        return [(row[0], int(row[1]), int(row[2]), row[4] == "1.00000") for row in rows[1::2]]

    return write


def test_between_regions_stand_pieces_of_the_longest_size(track):
    shards = (0, [(350, 400)]), (0, []), (2, [(0, 300), (300, 310)])
    assert track([[(0, 1000)], [], [(0, 700)]], *shards) == [
        ("one", 0, 300, False), ("one", 300, 350, False), ("one", 350, 400, True), ("one", 400, 700, False), ("one", 700, 1000, False),
        ("three", 0, 300, True), ("three", 300, 310, True), ("three", 310, 610, False), ("three", 610, 700, False),
    ]  # fmt: skip


def test_each_interval_begins_anew(track):
    """A region may reach beyond one, and into the next."""
    shards = (0, [(90, 120), (190, 260)]), (1, [(480, 500)])
    assert track([[(100, 200), (250, 300), (400, 450)], [(0, 500)], []], *shards) == [
        ("one", 90, 120, True), ("one", 120, 190, False), ("one", 190, 260, True), ("one", 260, 300, False), ("one", 400, 450, False),
        ("two", 0, 300, False), ("two", 300, 480, False), ("two", 480, 500, True),
    ]  # fmt: skip


def test_without_any_region(track):
    assert track([[], [(10, 20)], []]) == [("two", 10, 20, False)]
