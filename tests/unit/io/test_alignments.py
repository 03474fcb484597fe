"""What a source of reads is made of: samples, several inputs, files without index, pipes."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import bam_files
import numpy as np
import pytest
from bam_files import HEADER, record

from gpuvc.errors import InputError, UsageError
from gpuvc.intervals import Interval
from gpuvc.io.alignments import _merge_streams, open_alignments
from gpuvc.io.columns import EXTRAS, PER_READ, extend_mapq, join_batches, merge_batches, rank_names, take_reads
from gpuvc.io.stream import ForwardReads

REPOSITORY = Path(__file__).resolve().parents[3]
TWO_SAMPLES = HEADER | {"RG": [{"ID": "a", "SM": "ann"}, {"ID": "b", "SM": "bob"}, {"ID": "c", "SM": "ann"}]}
ALL = Interval(0, 0, 100_000)


def whole(source, threads=1):
    return join_batches([join_batches([batch]) for batch in source.batches(threads)])


def assert_equal(found, expected):
    for name in found.__slots__:
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name


def grouped(path, groups, header):
    tags = [[("RG", group)] if group else [] for group in groups]
    return bam_files.write_bam(path, [record(10 * k, f"r{k}", tags=tags[k], header=header) for k in range(len(groups))], header)


def test_one_sample(tmp_path):
    with open_alignments([bam_files.write_bam(tmp_path / "a.bam", [record(5)])]) as source:
        assert source.sample == "ann"
        assert [(group.id, group.sample) for group in source.read_groups] == [("lane1", "ann"), ("lane2", "ann")]
        assert source.contigs.names == ("chr1", "chr2") and source.contigs.lengths == (100_000, 50_000)
        assert source.header_texts[0].startswith("@HD\tVN:1.6")


def test_several_samples_need_a_choice(tmp_path):
    path = grouped(tmp_path / "two.bam", ["a", "b", "c", None, "b", "a"], TWO_SAMPLES)
    with open_alignments([path]) as source:
        assert source.fetch(ALL).n_reads == 6
        with pytest.raises(UsageError, match=r"found ann, bob.*--sample-name"):
            _ = source.sample
        assert source.samples_to_call() == ("ann", "bob")
        assert source.sample_column(source.fetch(ALL)).tolist() == [0, 1, 0, -1, 1, 0]
    with open_alignments([path], sample_name="ann") as source:
        assert source.sample == "ann"
        assert source.fetch(ALL).read_group.tolist() == [0, 2, 0]
        assert source.n_other_samples == 3
        assert whole(source).pos.tolist() == [0, 20, 50]
        assert source.samples_to_call() == ("ann",)
        assert source.sample_column(source.fetch(ALL)).tolist() == [0, 0, 0]
    with pytest.raises(UsageError, match=r"found eve, expected one of .*ann, bob"):
        open_alignments([path], sample_name="eve")


def test_header_without_sample(tmp_path):
    path = bam_files.write_bam(tmp_path / "none.bam", [record(5, tags=[])], {"HD": HEADER["HD"], "SQ": HEADER["SQ"]})
    with open_alignments([path]) as source:
        assert source.fetch(ALL).read_group.tolist() == [-1]
        with pytest.raises(InputError, match="samtools addreplacerg"):
            _ = source.sample


def test_several_inputs_are_merged_by_position(tmp_path):
    records = bam_files.mixed_records(2000, seed=3)
    paths = [bam_files.write_bam(tmp_path / f"{k}.bam", records[k::3]) for k in range(3)]
    with open_alignments([bam_files.write_bam(tmp_path / "one.bam", records)]) as one, open_alignments(paths) as several:
        expected, found = whole(one), whole(several)
        assert found.n_reads == expected.n_reads
        assert (found.pos == expected.pos).all() and (found.contig_id == expected.contig_id).all()
        assert np.array_equal(np.sort(found.name_hash), np.sort(expected.name_hash))
        assert several.read_groups == one.read_groups * 3
        # Read groups of the second input begin behind those of the first.
        from_second = np.isin(found.name_hash, whole(open_alignments(paths[1:2])).name_hash)
        assert set(found.read_group[from_second].tolist()) == {-1, 2, 3}
        for interval in (ALL, Interval(1, 3000, 9000)):
            found, expected = several.fetch(interval), one.fetch(interval)
            assert found.pos.tolist() == expected.pos.tolist()
            order, same = np.argsort(found.name_hash), np.argsort(expected.name_hash)
            assert (found.cigar_offsets[1:] - found.cigar_offsets[:-1])[order].tolist() == np.diff(expected.cigar_offsets)[same].tolist()
        starts, offsets = several.byte_starts(0)
        assert (np.diff(starts) > 0).all() and (np.diff(offsets) >= 0).all()


def test_merged_ties_keep_the_order_of_the_inputs(tmp_path):
    paths = [bam_files.write_bam(tmp_path / f"{k}.bam", [record(7, f"in{k}.{j}", tags=()) for j in range(40)]) for k in range(2)]
    with open_alignments(paths) as forward, open_alignments(paths[::-1]) as backward:
        first, second = forward.fetch(ALL).name_hash, backward.fetch(ALL).name_hash
        assert first.tolist() == whole(forward).name_hash.tolist()
        assert first.tolist() == second.tolist()[40:] + second.tolist()[:40]


def test_merged_streams_keep_ties_in_order_across_batches(tmp_path):
    rng = np.random.default_rng(8)
    inputs = []
    for k in range(3):
        records = [record(int(pos), f"in{k}.{j}", tags=()) for j, pos in enumerate(np.sort(rng.integers(0, 12, 60)))]
        with open_alignments([bam_files.write_bam(tmp_path / f"{k}.bam", records)]) as source:
            inputs.append(whole(source))

    def in_batches(reads, n):
        return (take_reads(reads, np.arange(k, min(k + n, reads.n_reads))) for k in range(0, reads.n_reads, n))

    for sizes in ((1, 1, 1), (5, 1, 60), (60, 2, 1), (7, 60, 3)):
        merged = join_batches(list(_merge_streams([in_batches(*pair) for pair in zip(inputs, sizes)])))
        assert_equal(merged, merge_batches(inputs))


def test_inputs_with_other_contigs(tmp_path):
    header = HEADER | {"SQ": [{"SN": "1", "LN": 100_000}, {"SN": "chr2", "LN": 50_000}]}
    paths = [bam_files.write_bam(tmp_path / "a.bam", [record(5)])]
    paths.append(bam_files.write_bam(tmp_path / "b.bam", [record(5, header=header)], header))
    with pytest.raises(InputError, match=r"contigs of .*b.bam: found 1 \(100000 bp\) as number 1, expected chr1 \(100000 bp\)"):
        open_alignments(paths)


def test_file_without_index_is_read_forward(tmp_path):
    records = bam_files.mixed_records(3000, seed=11)
    indexed = bam_files.write_bam(tmp_path / "indexed.bam", records)
    path = bam_files.write_bam(tmp_path / "plain.bam", records, index=None)
    regions = [(0, 0, 1), (0, 0, 20_000), (0, 15_000, 15_010), (0, 15_005, 90_000), (1, 100, 40_000)]
    intervals = [Interval(*region) for region in regions]
    for threads in (1, 2):
        with open_alignments([path], threads=threads) as source, open_alignments([indexed]) as regions:
            assert source.paths_without_index == (path,) and regions.paths_without_index == ()
            assert source.is_sequential and not regions.is_sequential and source.byte_starts(0) is None
            for interval in intervals:
                found = source.fetch(interval)
                assert_equal(found, regions.fetch(interval))
                assert found.pos.flags.owndata and found.pos.flags.writeable
            with pytest.raises(InputError, match=r"expected ascending regions.*samtools index"):
                source.fetch(Interval(1, 99, 40_000))
            assert_equal(whole(source, threads), whole(regions))


@pytest.mark.parametrize("n_reads_per_batch", [1, 2, 7])
def test_forward_regions_over_small_batches(tmp_path, n_reads_per_batch):
    path = bam_files.write_bam(tmp_path / "a.bam", bam_files.mixed_records(60, seed=5))
    with open_alignments([path]) as source:
        reads = whole(source)
        rows = [np.arange(k, min(k + n_reads_per_batch, reads.n_reads)) for k in range(0, reads.n_reads, n_reads_per_batch)]
        forward = ForwardReads(iter([take_reads(reads, part) for part in rows]), path, source._inputs[0].header)
        for contig_id, pos in sorted(set(zip(reads.contig_id.tolist(), reads.pos.tolist())) - {(-1, -1)}):
            for start, end in ((pos, pos + 1), (pos + 1, pos + 2), (pos + 1, pos + 3000)):
                interval = Interval(contig_id, start, end)
                assert_equal(forward.fetch(interval), source.fetch(interval))


def test_file_without_index_does_not_keep_what_it_has_passed(tmp_path):
    path = shutil.copy(REPOSITORY / "gpuvc" / "data" / "NA12878.chr20.100kb.bam", tmp_path)
    n_kept = []
    with open_alignments([path]) as source:
        for start in range(0, 110_000, 2000):
            source.fetch(Interval(0, start, start + 2000))
            n_kept.append(sum(batch.n_reads for batch in source._inputs[0]._forward._kept))
    assert 0 < max(n_kept) < 20_000 and n_kept[-1] < 10_000  # of 52,035 reads


def test_old_index_is_warned_of_once(tmp_path, caplog):
    path = bam_files.write_bam(tmp_path / "a.bam", [record(5)])
    os.utime(path + ".bai", (1, 1))
    with caplog.at_level(logging.WARNING), open_alignments([path]) as source:
        source.fetch(ALL)
    assert [entry.getMessage() for entry in caplog.records if "is older than" in entry.getMessage()]
    assert len(caplog.records) == 1


def test_standard_input(tmp_path):
    path = bam_files.write_bam(tmp_path / "a.bam", bam_files.mixed_records(3000, seed=1))
    script = (
        "from gpuvc.io.alignments import open_alignments\nfrom gpuvc.intervals import Interval\n"
        "with open_alignments(['-']) as source:\n"
        "    print(source.is_sequential, source.sample, *(source.fetch(Interval(c, 100, 9000)).n_reads for c in (0, 1)))"
    )
    with open_alignments([path]) as source:
        expected = [source.fetch(Interval(c, 100, 9000)).n_reads for c in (0, 1)]
    pipe = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
    told = subprocess.run([sys.executable, "-c", script], stdin=pipe.stdout, capture_output=True, text=True, cwd=REPOSITORY)
    pipe.wait()
    assert told.stdout.split() == ["True", "ann", *map(str, expected)], told.stderr


def test_pipe_that_ends_too_early(tmp_path):
    path = bam_files.write_bam(tmp_path / "a.bam", bam_files.mixed_records(3000, seed=1), index=None)
    data = Path(path).read_bytes()
    for n, said in ((len(data) - 28, "end-of-file block"), (len(data) - 40, "inside the block"), (20, "inside the block")):
        pipe = tmp_path / f"pipe{n}"
        os.mkfifo(pipe)
        writer = subprocess.Popen(f"head -c {n} {path} > {pipe}", shell=True)
        with pytest.raises(InputError, match=said), open_alignments([str(pipe)]) as source:
            whole(source)
        writer.wait()


def test_pipe_by_name_is_read_once(tmp_path):
    path = bam_files.write_bam(tmp_path / "a.bam", bam_files.mixed_records(300, seed=1))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = subprocess.Popen(f"cat {path} > {pipe}", shell=True)
    with open_alignments([str(pipe)]) as source:
        assert whole(source).n_reads == 630
        with pytest.raises(InputError, match="is a pipe: found it read already"):
            whole(source)
    writer.wait()


def test_requests_that_make_no_sense():
    with pytest.raises(UsageError, match="expected at least one BAM or CRAM"):
        open_alignments([])
    with pytest.raises(UsageError, match="more than once"):
        open_alignments(["-", "-"])
    with pytest.raises(UsageError, match="URL of an unknown kind"):
        open_alignments(["gopher://host/x.bam"])


def test_read_names_where_asked_for(tmp_path):
    """Of an indexed file, a file read from start to end, and both merged; as pysam spells them."""
    names = ["r10", "r9", "a-much:longer/name", "r9"]
    indexed = bam_files.write_bam(tmp_path / "a.bam", [record(10 * k, name) for k, name in enumerate(names)])
    plain = bam_files.write_bam(tmp_path / "b.bam", [record(10 * k + 5, f"other{k}") for k in range(3)], index=None)
    with open_alignments([indexed]) as source:
        assert source.fetch(ALL).name is None
    for paths, expected in (
        ([indexed], names),
        ([plain], ["other0", "other1", "other2"]),
        ([indexed, plain], ["r10", "other0", "r9", "other1", "a-much:longer/name", "other2", "r9"]),
    ):
        with open_alignments(paths, extras=("name",)) as source:
            reads = source.fetch(ALL)
        assert reads.name.astype(str).tolist() == expected
        ranks = sorted(set(expected))
        rank_names(reads)
        assert reads.name_hash.tolist() == [ranks.index(name) for name in expected]


def test_extended_mapping_qualities(tmp_path):
    """Integers of any size, none, and what is none."""
    tags = [[("XQ", 7, "C")], [("RG", "lane1")], [("NM", 3), ("XQ", 250, "i")], [("XQ", 0, "s"), ("XA", "x")]]
    path = bam_files.write_bam(tmp_path / "a.bam", [record(10 * k, f"r{k}", tags=tag) for k, tag in enumerate(tags)])
    with open_alignments([path], extras=("extended_mapq",)) as source:
        reads = source.fetch(ALL)
    assert reads.name is None and reads.extended_mapq.tolist() == [7, -1, 250, 0]
    extend_mapq(reads)
    assert reads.mapq.tolist() == [7, 60, 250, 0]
    for tag in (("XQ", 256, "i"), ("XQ", -1, "c"), ("XQ", 1.5), ("XQ", "x")):
        path = bam_files.write_bam(tmp_path / "b.bam", [record(5, tags=[tag])])
        with open_alignments([path]) as source:
            assert source.fetch(ALL).extended_mapq is None
        with open_alignments([path], extras=("extended_mapq",)) as source, pytest.raises(InputError, match="XQ that is no mapping quality"):
            source.fetch(ALL)


def test_read_names_of_a_cram(demo_data):
    with open_alignments([demo_data.cram], reference=demo_data.reference, extras=("name",)) as source:
        found = source.fetch(Interval(0, 30_000, 30_500)).name
    with open_alignments([demo_data.bam], extras=("name",)) as source:
        expected = source.fetch(Interval(0, 30_000, 30_500)).name
    assert len(found) > 200 and (found == expected).all()


def test_nothing_is_missing_where_no_read_is(demo_data, tmp_path):
    """Neither in a region of a CRAM, of a stream or of several files, nor in one that is empty itself: columns asked for are there."""
    plain = tmp_path / "plain.bam"
    plain.write_bytes(Path(demo_data.bam).read_bytes())
    for paths in ([demo_data.bam], [demo_data.cram], [plain], [demo_data.bam, demo_data.cram]):
        with open_alignments(paths, reference=demo_data.reference, extras=tuple(EXTRAS)) as source:
            for interval in (Interval(0, 900_000, 900_500), Interval(0, 900_000, 900_000)):
                reads = source.fetch(interval)
                rank_names(reads)
                extend_mapq(reads)
                assert [len(getattr(reads, name)) for name in (*PER_READ, *EXTRAS)] == [0] * (len(PER_READ) + len(EXTRAS))
