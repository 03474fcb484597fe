"""Every column of every BAM and CRAM at hand equals what pysam reads: the whole file, and random regions."""

import hashlib
import random
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pysam
import pytest

from gpuvc.intervals import Interval
from gpuvc.io.alignments import open_alignments
from gpuvc.io.columns import PER_READ, join_batches, take_reads
from gpuvc.io.records import hash_name
from reference.oracles.columns import columns_of

REPOSITORY = Path(__file__).resolve().parents[2]
BUNDLED = REPOSITORY / "gpuvc" / "data"
DATA = REPOSITORY.parent / "shared" / "data"
ALL_FILES = sorted(path for folder in (BUNDLED, DATA) for path in folder.rglob("*") if path.suffix in (".bam", ".cram"))
FILES = list({hashlib.sha256(path.read_bytes()).digest(): path for path in ALL_FILES}.values())  # the bundled set is a copy
N_REGIONS = 200
COMPARED = [name for name in (*PER_READ, "cigar", "cigar_offsets", "bases", "base_quals", "base_offsets") if name != "name_hash"]


def reference_of(path):
    """The FASTA beside a CRAM."""
    return str(next(path.parent.glob("*.fa"))) if path.suffix == ".cram" else None


def assert_same_columns(found, expected, where):
    for name in COMPARED:
        assert np.array_equal(getattr(found, name), getattr(expected, name)), f"{name} of {where}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_columns_equal_pysam(path):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    with (
        open_alignments([str(path)], reference=reference_of(path)) as source,
        pysam.AlignmentFile(str(path), reference_filename=reference_of(path)) as file,
    ):
        assert source.contigs.names == file.references and source.contigs.lengths == file.lengths
        whole, names = columns_of(file.fetch(until_eof=True), [group.id for group in source.read_groups])
        for threads in (1, 2):
            found = join_batches([join_batches([batch]) for batch in source.batches(threads)])
            assert_same_columns(found, whole, f"all of {path.name} with {threads} threads")
        hash_of = dict(zip(names, found.name_hash.tolist()))
        assert [hash_of[name] for name in names] == found.name_hash.tolist(), "one name, two hashes"
        assert len(set(hash_of.values())) == len(hash_of), "two names, one hash"
        assert all(hash_name(name) == hash_of[name] for name in rng.sample(sorted(hash_of), min(200, len(hash_of))))

        # pysam says which reads overlap a region; their rows in the whole file are found by what tells records apart.
        # (A few stand in the file twice over: the second one overlaps where the first one does.)
        rows = defaultdict(list)
        for row, key in enumerate(zip(names, *(getattr(whole, name).tolist() for name in ("flag", "contig_id", "pos", "ref_end")))):
            rows[key].append(row)
        placed = np.flatnonzero(whole.contig_id >= 0)
        for _ in range(N_REGIONS):
            read = rng.choice(placed)
            length = source.contigs.lengths[whole.contig_id[read]]
            start = min(max(0, int(whole.pos[read]) + rng.randint(-300, 300)), length - 1)
            interval = Interval(int(whole.contig_id[read]), start, min(length, start + int(10 ** rng.uniform(0, 3.5))))
            overlapping = file.fetch(source.contigs.names[interval.contig_id], interval.start, interval.end)
            keys = [(r.query_name, r.flag, r.reference_id, r.reference_start, r.reference_end or r.reference_start) for r in overlapping]
            seen = Counter()
            expected = []
            for key in keys:
                expected.append(rows[key][seen[key]])
                seen[key] += 1
            found = source.fetch(interval)
            assert_same_columns(found, take_reads(whole, np.array(expected, np.int64)), f"{interval} of {path.name}")
            assert all(getattr(found, name).flags.writeable and getattr(found, name).flags.owndata for name in COMPARED)


def test_data_sets_are_there():
    if not DATA.exists():
        pytest.skip(f"the larger data sets are not at {DATA}: only the bundled one is compared")
    assert len(FILES) >= 13
