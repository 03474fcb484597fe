"""The data set that `gpuvc bench` makes: its reads are those of its haplotypes, and its truth is theirs."""

import shutil
from collections import Counter

import numpy as np
import pysam
import pytest

from gpuvc.bench.data import MARGIN_BP, bench_data, choose_pieces
from gpuvc.bench.haplotypes import INSERTED, TruthRecord, build_haplotypes, read_truth
from gpuvc.bench.placed import MOST_OPERATIONS, place
from gpuvc.bench.profile import learn_profile
from gpuvc.bench.simulate import READ_BP, draw_pairs, mixed, read_pairs
from gpuvc.errors import InputError, UsageError
from gpuvc.io.fasta import open_reference
from gpuvc.kernels.codes import ASCII_OF_CODE, CODE_OF_ASCII
from tests.conftest import REPOSITORY

MB, DEPTH = 0.1, 20
TRUTH = REPOSITORY / "reference/data/truth.vcf.gz"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return bench_data(tmp_path_factory.mktemp("bench"), MB, depth=DEPTH, seed=3)


@pytest.fixture(scope="module")
def profile():
    return learn_profile()


@pytest.fixture(scope="module")
def made(demo_data, profile):
    """Reference, haplotypes, pairs and reads of 100 kb."""
    reference = open_reference(demo_data.reference).window("chr20", 0, 100_000)
    haplotypes, _ = build_haplotypes(reference, read_truth(TRUTH, "chr20", 0, 100_000, Counter()), Counter())
    key = mixed(7, 0)
    pairs = draw_pairs(haplotypes, DEPTH, profile, key)
    return reference, haplotypes, pairs, read_pairs(pairs, haplotypes, reference, profile, key)


def codes(letters):
    return CODE_OF_ASCII[np.frombuffer(letters.encode(), np.uint8)]


def letters(array):
    return ASCII_OF_CODE[array].tobytes().decode()


class TestHaplotypes:
    def test_carry_their_alleles_with_indels_at_the_left(self):
        reference = codes("ACGTTTTGCAACGT")
        records = [TruthRecord(5, ("TTG", "TG"), (1, 0)), TruthRecord(9, ("A", "AAC", "T"), (2, 1))]
        haplotypes, kept = build_haplotypes(reference, records, Counter())
        assert kept == records
        assert [letters(haplotype.bases) for haplotype in haplotypes] == ["ACGTTTGCTACGT", "ACGTTTTGCAACACGT"]
        assert haplotypes[0].ref_pos.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
        assert haplotypes[1].ref_pos.tolist() == [*range(10), INSERTED, INSERTED, *range(10, 14)]

    def test_leave_out_what_overlaps_and_say_so(self):
        left_out = Counter()
        records = [TruthRecord(2, ("GTT", "G"), (1, 1)), TruthRecord(3, ("T", "A"), (0, 1))]
        haplotypes, kept = build_haplotypes(codes("ACGTTACG"), records, left_out)
        assert kept == records[:1] and left_out == {"overlaps another on its haplotype": 1}
        assert letters(haplotypes[1].bases) == "ACGACG"

    def test_refuse_the_truth_of_another_reference(self):
        with pytest.raises(InputError, match="REF at position 3 of the truth: found T, expected G"):
            build_haplotypes(codes("ACGT"), [TruthRecord(2, ("T", "A"), (1, 1))], Counter())

    def test_are_spelled_by_the_truth_that_is_written(self, data):
        """The whole way round: records of the VCF put into the FASTA give the haplotypes again."""
        contig = data.about["pieces"][0]["name"]
        reference = open_reference(str(data.reference)).window(contig, 0, data.n_bases)
        left_out = Counter()
        records = read_truth(data.truth, contig, 0, data.n_bases, left_out)
        again, kept = build_haplotypes(reference, records, left_out)
        first, _ = build_haplotypes(reference, read_truth(TRUTH, "chr20", 0, data.n_bases, Counter()), Counter())
        assert not left_out and len(kept) == data.about["truth_records"] > 100
        assert all(np.array_equal(a.bases, b.bases) for a, b in zip(again, first))


class TestPlacing:
    REFERENCE = codes("GATTACAGCTTGCAACGGTCATCCGTAGGACTCAAGTCCTGACGATTGCAAGTC" * 2)

    def place(self, ref_pos, bases=None):
        ref_pos = np.array(ref_pos, np.int32)
        bases = self.REFERENCE[ref_pos] if bases is None else bases
        cigar = np.zeros(MOST_OPERATIONS, np.uint32)
        pos, end, n, n_different = place(bases, ref_pos, self.REFERENCE, cigar)
        return pos, end, "".join(f"{c >> 4}{'MIDNSHP=X'[c & 15]}" for c in cigar[:n].tolist()), n_different

    def test_an_indel_in_the_middle_stays(self):
        assert self.place([*range(5, 40), *range(42, 80)]) == (5, 80, "35M2D38M", 2)
        bases = np.insert(self.REFERENCE[5:80], 35, codes("GA"))
        assert self.place([*range(5, 40), -1, -1, *range(40, 80)], bases) == (5, 80, "35M2I40M", 2)

    @pytest.mark.parametrize("mirrored", [False, True])
    def test_one_near_an_end_is_clipped_or_mismatched(self, mirrored):
        ref_pos = [*range(5, 70), *range(73, 76)]
        if mirrored:
            ref_pos = [*range(7, 10), *range(13, 80)]
        pos, end, cigar, _ = self.place(ref_pos)
        assert "D" not in cigar and cigar.count("M") == 1
        assert 5 <= pos <= 13 and 70 <= end <= 80

    def test_many_mismatches_at_an_end_are_clipped(self):
        bases = self.REFERENCE[10:90].copy()
        bases[[-8, -6, -4, -3, -1]] = (bases[[-8, -6, -4, -3, -1]] + 1) % 4
        assert self.place(range(10, 90), bases) == (10, 82, "72M8S", 0)

    def test_an_insertion_beside_a_deletion_is_one_gap(self):
        bases = np.insert(np.delete(self.REFERENCE[5:80], [35, 36]), 35, codes("A"))
        assert self.place([*range(5, 40), -1, *range(42, 80)], bases)[2] == "36M1D38M"


class TestReads:
    def test_equal_their_haplotype_but_for_errors(self, made, profile):
        _, haplotypes, pairs, reads = made
        n_checked = 0
        for i in range(0, len(pairs.start), 7):
            source = haplotypes[pairs.haplotype[i]].bases
            for row, first in ((2 * i, pairs.start[i]), (2 * i + 1, pairs.start[i] + pairs.length[i] - READ_BP)):
                if not reads.n_indels[row]:
                    assert (reads.bases[row] != source[first : first + READ_BP]).sum() == reads.n_misread[row]
                    n_checked += 1
        assert n_checked > 0.98 * 2 * len(range(0, len(pairs.start), 7))

    def test_err_as_often_as_real_reads_of_their_qualities(self, made, profile):
        *_, reads = made
        expected = profile.error_rate[reads.quals].sum()
        assert reads.n_misread.sum() == pytest.approx(expected, rel=0.05)
        assert 1e-5 < reads.n_indels.sum() / reads.bases.size < 1e-4
        assert 0.001 < expected / reads.quals.size < 0.01

    def test_cover_both_haplotypes_as_often_as_asked(self, made):
        _, haplotypes, pairs, reads = made
        single = ~pairs.is_duplicate
        assert READ_BP * 2 * single.sum() / len(haplotypes[0].bases) == pytest.approx(DEPTH, rel=0.01)
        assert pairs.haplotype[single].mean() == pytest.approx(0.5, abs=0.02)
        thirds = np.bincount(pairs.start[single] * 3 // 100_000, minlength=3)[:3]
        assert thirds.min() > 0.9 * thirds.max()
        assert reads.template_length[::2].mean() > 2 * READ_BP

    def test_the_bam_holds_them_in_order(self, data):
        """As htslib sees it: sorted, mates that know each other, NM and CIGAR that fit the bases."""
        with pysam.FastaFile(str(data.reference)) as fasta, pysam.AlignmentFile(str(data.reads)) as bam:
            sequence = fasta.fetch(fasta.references[0])
            last, mates = 0, {}
            for n, read in enumerate(bam):
                assert read.reference_start >= last and read.is_proper_pair and read.get_tag("RG") == "bench"
                last = read.reference_start
                assert read.infer_query_length() == len(read.query_sequence) == len(read.query_qualities) == READ_BP
                mate = mates.pop(read.query_name, None)
                if mate is None:
                    mates[read.query_name] = read
                else:
                    assert (mate.next_reference_start, mate.template_length) == (read.reference_start, -read.template_length)
                    assert (mate.is_read1, mate.is_reverse) == (not read.is_read1, not read.is_reverse)
                if n % 50 == 0:
                    aligned = read.get_aligned_pairs(matches_only=True)
                    differ = sum(read.query_sequence[i] != sequence[pos] for i, pos in aligned)
                    gaps = sum(length for operation, length in read.cigartuples if operation in (1, 2))
                    assert read.get_tag("NM") == differ + gaps
            assert n + 1 == data.about["reads"] and not mates
            assert bam.header.to_dict()["RG"][0]["SM"] == "BENCH"

    def test_show_the_truth(self, data):
        """At each SNV with enough reads, the share of the alternate is that of its genotype."""
        contig = data.about["pieces"][0]["name"]
        with pysam.VariantFile(str(data.truth)) as truth, pysam.AlignmentFile(str(data.reads)) as bam:
            shares = {1: [], 2: []}
            for record in truth.fetch(contig, MARGIN_BP, data.n_bases - MARGIN_BP):
                if len(record.ref) == 1 and record.alts == ("A",):
                    counts = np.array(bam.count_coverage(contig, record.start, record.stop))[:, 0]
                    shares[sum(record.samples[0]["GT"])].append(counts[0] / counts.sum())
        assert len(shares[1]) > 10 < len(shares[2])
        assert np.mean(shares[1]) == pytest.approx(0.5, abs=0.06) and min(shares[2]) > 0.9


class TestDataSet:
    def test_is_the_same_to_the_byte_from_the_same_seed_only(self, data, tmp_path):
        again = bench_data(tmp_path, MB, depth=DEPTH, seed=3)
        assert again.about == data.about
        assert again.reads.read_bytes() == data.reads.read_bytes()
        other = bench_data(tmp_path, MB, depth=DEPTH, seed=4)
        assert other.about["sha256"]["reads.bam"] != data.about["sha256"]["reads.bam"]
        assert other.about["sha256"]["truth.vcf.gz"] == data.about["sha256"]["truth.vcf.gz"]

    def test_is_made_once_and_again_when_damaged(self, data, tmp_path):
        shutil.copytree(data.folder.parents[1], tmp_path / "copy")
        said = []
        kept = bench_data(tmp_path / "copy", MB, depth=DEPTH, seed=3, say=said.append)
        assert said == [f"data: {kept.folder}, made before"]
        with open(kept.reads, "r+b") as file:
            file.truncate(1000)
        bench_data(tmp_path / "copy", MB, depth=DEPTH, seed=3, say=said.append)
        assert "making" in said[1] and kept.reads.read_bytes() == data.reads.read_bytes()

    def test_repeats_the_slice_with_other_reads_when_it_is_short(self, demo_data):
        pieces = choose_pieces(open_reference(demo_data.reference), 2_500_000)
        assert [(p.name, p.start, p.end, p.copy) for p in pieces] == [
            ("chr20", 0, 1_100_000, 0), ("chr20_2", 0, 1_100_000, 1), ("chr20_3", 0, 300_000, 2),
        ]  # fmt: skip

    def test_leaves_gaps_of_a_reference_out(self, tmp_path, demo_data):
        with pysam.FastaFile(demo_data.reference) as fasta:
            sequence = fasta.fetch("chr20", 0, 60_000)
        path = tmp_path / "gaps.fa"
        path.write_text(f">a\n{'N' * 999}{sequence[:30_000]}{'N' * 60}{sequence[30_000:]}\n>b\n{'N' * 500}\n")
        pysam.faidx(str(path))
        pieces = choose_pieces(open_reference(str(path)), 55_000)
        assert [(p.contig, p.start, p.end) for p in pieces] == [("a", 999, 30_999), ("a", 31_059, 56_059)]

    def test_refuses_a_truth_of_other_contigs(self, tmp_path, demo_data):
        path = tmp_path / "other.fa"
        with pysam.FastaFile(demo_data.reference) as fasta:
            path.write_text(f">20\n{fasta.fetch('chr20', 0, 30_000)}\n")
        pysam.faidx(str(path))
        with pytest.raises(InputError, match="found no variant of 20 that haplotypes can carry"):
            bench_data(tmp_path, 0.03, reference=path, truth=TRUTH)

    def test_takes_a_given_reference_and_truth(self, tmp_path, demo_data, data):
        same = bench_data(tmp_path, MB, reference=demo_data.reference, truth=TRUTH, depth=DEPTH, seed=3)
        assert same.about["sha256"] == data.about["sha256"]

    def test_needs_both_or_neither_source(self, tmp_path, demo_data):
        with pytest.raises(UsageError, match="option --reference: found it without --truth"):
            bench_data(tmp_path, MB, reference=demo_data.reference)
