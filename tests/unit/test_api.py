"""The Python API: counts as arrays, reads as columns, calls without a file."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from builders import CONTIG, read, write_bam, write_fasta

import gpuvc
from gpuvc.batches import PILEUP_FIELDS
from gpuvc.io.columns import PER_READ

REGION = "chr20:20,000-26,000"


class TestPileup:
    def test_is_a_function_whatever_was_imported(self, demo_data):
        """gpuvc/pileup is a package, too: importing it must not take the function's place."""
        code = "\n".join([
            "import sys, gpuvc, gpuvc.pileup.read_filters",
            "for _ in range(2):",
            "    assert gpuvc.pileup(sys.argv[1], sys.argv[2], 'chr20:20000-20009', device='cpu').counts.shape[1] == 10",
            "from gpuvc.pileup.pileup import pile_up",
        ])  # fmt: skip
        subprocess.run([sys.executable, "-c", code, demo_data.reference, demo_data.bam], check=True)

    def test_windows_join_to_the_whole(self, demo_data):
        def counts(interval):
            return gpuvc.pileup(demo_data.reference, demo_data.bam, interval, device="cpu")

        expected = counts(REGION)
        bounds = [20_000, 20_001, 20_777, 23_000, 26_001]
        parts = [counts(f"chr20:{start}-{end - 1}") for start, end in pairwise(bounds)]
        assert np.array_equal(np.hstack([part.counts for part in parts]), expected.counts)
        for name in ("pos", "length", "inserted", "forward", "reverse"):
            assert np.array_equal(np.concatenate([getattr(part.indels, name) for part in parts]), getattr(expected.indels, name)), name
        assert len(expected.indels) == 20
        assert all(part.indels.inserted_offsets[0] == 0 and part.indels.inserted_offsets[-1] == len(part.indels.inserted) for part in parts)

    def test_indels_of_reads_behind_the_window_count_at_their_leftmost_place(self, tmp_path):
        reference = "ACGTTGCA" + 30 * "A" + "CGTTGCAACG"
        late = read(reference, 20 * " " + "..........-.......")
        fasta = write_fasta(tmp_path / "ref.fa", {CONTIG: reference})
        bam = write_bam(tmp_path / "reads.bam", [late], {CONTIG: reference})
        for window, found in ((f"{CONTIG}:1-10", [6]), (f"{CONTIG}:8-38", []), (CONTIG, [6])):
            assert gpuvc.pileup(fasta, bam, window, device="cpu").indels.pos.tolist() == found, window

    def test_unsettled_counts_bases_twice_where_mates_overlap(self, demo_data):
        settled, raw = (gpuvc.pileup(demo_data.reference, demo_data.bam, REGION, device="cpu", settled=s) for s in (True, False))
        bases = slice(0, 10)
        assert (raw.counts[bases] >= settled.counts[bases]).all() and raw.counts[bases].sum() > settled.counts[bases].sum()
        assert raw.field("A_qual_sum").sum() > settled.field("A_qual_sum").sum()
        # Who covers a position has nothing to do with qualities.
        assert np.array_equal(raw.counts[15:], settled.counts[15:])

    def test_raw_on_the_command_line(self, run_cli, demo_data):
        arguments = ["pileup", "-R", demo_data.reference, "-I", demo_data.bam, "-L", "chr20:20000-20400", "--device", "cpu"]
        expected = gpuvc.pileup(demo_data.reference, demo_data.bam, "chr20:20000-20400", device="cpu", settled=False)
        rows = [line.split("\t") for line in run_cli(*arguments, "--raw").out.splitlines()[1:]]
        assert np.array_equal(np.array([row[3:-1] for row in rows], np.int32).T, expected.counts)
        assert run_cli(*arguments).out.splitlines()[1:] != ["\t".join(row) for row in rows]

    def test_settings_choose_reads(self, demo_data):
        def n_reads(**settings):
            counts = gpuvc.pileup(demo_data.reference, demo_data.bam, REGION, device="cpu", settings=gpuvc.Settings(**settings))
            return int(counts.field("reads").sum())

        all_reads = n_reads(min_mapping_quality=0)
        assert n_reads(min_mapping_quality=0, disabled_read_filters=("NotDuplicateReadFilter",)) > all_reads
        assert n_reads(min_mapping_quality=60) < n_reads() <= all_reads
        assert 0 < n_reads(max_reads_per_alignment_start=1) < all_reads / 1.2


class TestReadColumns:
    def test_region_is_part_of_the_whole(self, demo_data):
        everything = gpuvc.read_columns(demo_data.bam)
        part = gpuvc.read_columns(demo_data.bam, "chr20:30,001-30,100")
        overlaps = (everything.pos < 30_100) & (np.maximum(everything.ref_end, everything.pos + 1) > 30_000)
        for name in PER_READ:
            assert np.array_equal(getattr(part, name), getattr(everything, name)[overlaps]), name
        assert everything.n_reads == 52_035 and 0 < part.n_reads < 200

    def test_cram_needs_its_reference(self, demo_data):
        bam, cram = gpuvc.read_columns(demo_data.bam), gpuvc.read_columns(demo_data.cram, reference=demo_data.reference)
        assert np.array_equal(bam.bases, cram.bases) and np.array_equal(bam.base_quals, cram.base_quals)


class TestCallVariants:
    def test_without_output_the_calls_are_returned(self, demo_data, tmp_path):
        options = {"intervals": [REGION], "device": "cpu"}
        summary = gpuvc.call_variants(demo_data.reference, demo_data.bam, **options)
        written = gpuvc.call_variants(demo_data.reference, [demo_data.bam], str(tmp_path / "calls.vcf"), **options)
        lines = [line.split("\t") for line in (tmp_path / "calls.vcf").read_text().splitlines() if not line.startswith("#")]
        assert written.calls is None and summary.n_records == written.n_records == len(lines) == len(summary.calls) > 5
        assert [(call.pos + 1, call.ref, ",".join(call.alts)) for call in summary.calls] == [(int(x[1]), x[3], x[4]) for x in lines]

    def test_report_counts_every_read_once(self, demo_data):
        summary = gpuvc.call_variants(demo_data.reference, demo_data.bam, device="cpu", shard_bytes=300_000, threads=2)
        reads = summary.report["reads"]
        assert reads["seen"] == 52_035 and reads["used"] == summary.n_reads
        assert reads["seen"] == reads["used"] + sum(reads["filtered"].values())
        assert summary.report["targets_bp"] == 1_100_000

    def test_progress_goes_from_nothing_to_all(self, demo_data):
        seen = []
        gpuvc.call_variants(demo_data.reference, demo_data.bam, device="cpu", progress=lambda *told: seen.append(told))
        done, totals, contigs, positions = zip(*seen)
        assert list(done) == sorted(done) and done[-1] == totals[-1] > 1e6
        assert set(contigs) == {"chr20"} and positions[-1] == 1_100_000

    def test_unknown_filter_is_refused_before_any_work(self, tmp_path):
        with pytest.raises(gpuvc.UsageError, match="read filter NoSuchFilter is not known"):
            gpuvc.call_variants("missing.fa", "missing.bam", settings=gpuvc.Settings(extra_read_filters=("NoSuchFilter",)))

    def test_fields_of_the_pileup_are_named_once(self):
        assert len(set(PILEUP_FIELDS)) == len(PILEUP_FIELDS) == 26
