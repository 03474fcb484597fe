"""Region strings and interval files against intervals worked out by hand."""

import gzip

import numpy as np
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuvc.errors import InputError, UsageError
from gpuvc.intervals import Contigs, Interval
from gpuvc.io.bed import check_contigs, check_targets, parse_region, read_ploidies, resolve_intervals
from gpuvc.options.call import CALL_OPTIONS
from gpuvc.settings import MAX_PLOIDY

CONTIGS = Contigs(("chr1", "chr2", "chrM", "HLA-A*01:01:01:01"), (1000, 500, 100, 300))


def resolve(*include, exclude=(), contigs=CONTIGS, **options):
    """Intervals as (contig name, start, end)."""
    targets = resolve_intervals(include, exclude, contigs=contigs, **options)
    assert all(t.dtype == np.int64 and t.ndim == 2 for t in targets)
    return [(name, *row) for name, rows in zip(contigs.names, targets) for row in rows.tolist()]


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
        return str(path)

    return write


class TestRegionStrings:
    @pytest.mark.parametrize(
        "text, expected",
        [
            ("chr1", (0, 0, 1000)),
            ("chr1:5", (0, 4, 5)),
            ("chr1:5-5", (0, 4, 5)),
            ("chr1:1-1,000", (0, 0, 1000)),
            ("chr2:100+", (1, 99, 500)),
            ("HLA-A*01:01:01:01", (3, 0, 300)),
            ("HLA-A*01:01:01:01:5-90", (3, 4, 90)),
            ("{HLA-A*01:01:01:01}:5", (3, 4, 5)),
            ("{chr2}", (1, 0, 500)),
        ],
    )
    def test_meaning(self, text, expected):
        assert parse_region(text, CONTIGS) == Interval(*expected)

    @pytest.mark.parametrize(
        "text, words",
        [
            ("chr1:0-5", "1 <= start"),
            ("chr1:9-5", "start <= end"),
            ("chr1:5-1001", "<= 1000"),
            ("chr1:1001+", "<= 1000"),
            ("chr1:5-", "start-end"),
            ("chr1:-5", "start-end"),
            ("chr1:a-b", "start-end"),
            ("chr1:5-6-7", "start-end"),
            ("chr1:٣", "start-end"),
            ("{chr1", "{contig}"),
            ("{chr1}5", "{contig}"),
            ("1:5-9", "call it 'chr1'"),
            ("MT", "call it 'chrM'"),
            ("chr9:5-9", "'chr9'"),
            ("HLA-B*07:02", "'HLA-B*07'"),
            ("", "''"),
        ],
    )
    def test_errors(self, text, words):
        with pytest.raises(UsageError) as error:
            parse_region(text, CONTIGS)
        assert words in str(error.value) and "found" in str(error.value) and "-L" in str(error.value)

    def test_name_that_is_also_a_region_needs_braces(self):
        contigs = Contigs(("chr1", "chr1:5-90"), (1000, 40))
        with pytest.raises(UsageError, match="both"):
            parse_region("chr1:5-90", contigs)
        assert parse_region("{chr1:5-90}", contigs) == Interval(1, 0, 40)
        assert parse_region("{chr1}:5-90", contigs) == Interval(0, 4, 90)


class TestFiles:
    def test_bed(self, write):
        text = 'browser position chr1\ntrack name="x"\n#c\n\nchr1\t0\t5\tname\t0\t+\nchr2 10 20\r\n'
        for name in ("a.bed", "a.bed.gz", "A.BED.bgz"):
            assert resolve(write(name, text)) == [("chr1", 0, 5), ("chr2", 10, 20)]

    def test_interval_list(self, write):
        text = "@HD\tVN:1.6\n@SQ\tSN:chr1\tLN:1000\n@SQ\tSN:chrUn\tLN:7\nchr1\t1\t5\t+\tx\nchr1\t1000\t1000\t-\ty\n"
        assert resolve(write("a.interval_list", text)) == [("chr1", 0, 5), ("chr1", 999, 1000)]
        assert resolve(write("a.picard", "@SQ\tSN:chr1\tLN:1000\nchr1\t7\t9\n")) == [("chr1", 6, 9)]

    def test_vcf_and_bcf(self, write, tmp_path):
        text = (
            "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=1000>\n##contig=<ID=chr2,length=500>\n"
            '##INFO=<ID=END,Number=1,Type=Integer,Description="">\n##INFO=<ID=XEND,Number=1,Type=Integer,Description="">\n'
            "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
            "chr1\t1\t.\tACG\tA\t.\t.\tXEND=77\nchr1\t100\t.\tA\t<DEL>\t.\t.\tXEND=3;END=150\nchr2\t7\t.\tA\tC\t.\t.\t.\n"
        )
        expected = [("chr1", 0, 3), ("chr1", 99, 150), ("chr2", 6, 7)]
        for name in ("a.vcf", "a.vcf.gz"):
            assert resolve(write(name, text)) == expected
        bcf = str(tmp_path / "a.bcf")
        with pysam.VariantFile(write("b.vcf", text)) as source, pysam.VariantFile(bcf, "wb", header=source.header) as sink:
            for record in source:
                sink.write(record)
        assert resolve(bcf) == expected

    def test_list_of_regions(self, write):
        assert resolve(write("a.list", "# c\nchr1:5-9\n\nHLA-A*01:01:01:01:3\n")) == [("chr1", 4, 9), ("HLA-A*01:01:01:01", 2, 3)]
        assert resolve(write("a.intervals", "chr2\n")) == [("chr2", 0, 500)]

    @pytest.mark.parametrize(
        "name, text, words",
        [
            ("a.bed", "chr1\t0\t5\nchr1\t5\n", ":2: found 'chr1\\t5'"),
            ("a.bed", "chr1\tx\t5\n", ":1: found"),
            ("a.bed", "chr1\t-1\t5\n", ":1: found"),
            ("a.bed", "chr1\t1_0\t50\n", ":1: found"),
            ("a.bed", "chr1\t5\t5\n", "start < end"),
            ("a.bed", "chr1\t5\t1001\n", "<= 1000"),
            ("a.bed", "#\n1\t5\t10\n", ":2: found '1', expected a contig of the alignments, which call it 'chr1'"),
            ("a.bed", "chr7\t5\t10\n", "'chr7'"),
            ("a.bed", "# nothing\n", "found none"),
            ("a.bed", "", "found none"),
            ("a.bed", "\x00\x01BAM\xff", ":1: found"),
            ("a.interval_list", "chr1\t1\t5\t+\tx\n", "@SQ"),
            ("a.interval_list", "@SQ\tSN:chr1\tLN:999\n", "1000 bp as in the alignments"),
            ("a.interval_list", "@SQ\tSN:chr1\tLN:1000\nchr1\t0\t5\t+\tx\n", ":2: found 0 to 5"),
            ("a.interval_list", "@SQ\tSN:chr1\tLN:1000\nchr1\t1\t1001\t+\tx\n", "<= 1000"),
            ("a.interval_list", "@SQ\tSN:chr1\tLN:1000\nchr1\t1\t10\tplus\tx\n", "strand"),
            ("a.interval_list", "@SQ\tSN:chr1\tLN:1000\nchr1 1 10\n", "tabs"),
            ("a.interval_list", "@SQ\tSN:chr1\tLN:1000\nchr1\t1\tx\n", "tabs"),
            ("a.interval_list", "@SQ\tSN:chr1\tLN:1000\nchr1\tx\t1\n", "tabs"),
            ("a.vcf", "##contig=<ID=chr2,assembly=x,length=501>\n", "500 bp as in the alignments"),
            ("a.vcf", "chr1\t5\t.\tA\tC\n", "eight columns"),
            ("a.vcf", "chr1\t0\t.\tA\tC\t.\t.\t.\n", "found 0 to 0"),
            ("a.vcf", "chr1\tx\t.\tA\tC\t.\t.\t.\n", "eight columns"),
            ("a.vcf", "chr1\t999\t.\tACG\tC\t.\t.\t.\n", "found 999 to 1001"),
            ("a.vcf", "chr1\t99\t.\tA\t<DEL>\t.\t.\tEND=90\n", "found 99 to 90"),
            ("a.list", "chr1:5-9\nchr1:9-5\n", ":2: found"),
            ("a.bcf", "not one", "BCF"),
        ],
    )
    def test_bad_lines_name_file_and_line(self, write, name, text, words):
        path = write(name, text)
        with pytest.raises(InputError) as error:
            resolve(path)
        assert path in str(error.value) and words in str(error.value) and "\n" not in str(error.value)

    def test_a_contig_named_like_a_file_is_a_contig(self):
        contigs = Contigs(("scaffolds.list", "b.bed"), (50, 60))
        assert resolve("scaffolds.list", "b.bed:5", contigs=contigs) == [("scaffolds.list", 0, 50), ("b.bed", 4, 5)]

    def test_bad_files(self, tmp_path, write):
        with pytest.raises(InputError, match="no such file"):
            resolve(str(tmp_path / "none.bed"))
        (tmp_path / "folder.bed").mkdir()
        with pytest.raises(InputError, match="a folder"):
            resolve(str(tmp_path / "folder.bed"))
        whole = gzip.compress(b"chr1\t0\t5\n" * 999)
        (tmp_path / "cut.bed.gz").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError, match="unreadable"):
            resolve(str(tmp_path / "cut.bed.gz"))
        with pytest.raises(UsageError, match=r"\.interval_list"):
            resolve(write("a.txt", "chr1\t0\t5\n"))


class TestSets:
    def test_without_intervals_every_contig_is_whole(self):
        assert resolve() == [("chr1", 0, 1000), ("chr2", 0, 500), ("chrM", 0, 100), ("HLA-A*01:01:01:01", 0, 300)]

    def test_union_sorts_and_merges(self):
        assert resolve("chr2:5", "chr1:50-60", "chr1:10-20", "chr1:15-30", "chr1:31-40") == [
            ("chr1", 9, 40),
            ("chr1", 49, 60),
            ("chr2", 4, 5),
        ]

    def test_an_interval_inside_another_does_not_shorten_it(self):
        assert resolve("chr1:1-100", "chr1:10-20", "chr1:90-110") == [("chr1", 0, 110)]

    def test_padding_stays_on_the_contig_and_comes_before_merging(self):
        assert resolve("chr1:5", "chr1:10", "chr1:999", padding=5) == [("chr1", 0, 15), ("chr1", 993, 1000)]

    def test_intersection(self):
        assert resolve("chr1:1-100", "chr1:50-200", set_rule="INTERSECTION") == [("chr1", 49, 100)]
        with pytest.raises(UsageError, match="no position common"):
            resolve("chr1:1-10", "chr1:50-200", set_rule="INTERSECTION")

    def test_exclusion(self):
        assert resolve("chr1:1-100", exclude=["chr1:1-10", "chr1:50", "chr1:100", "chr2"]) == [("chr1", 10, 49), ("chr1", 50, 99)]
        assert resolve("chr1:1-100", exclude=["chr1:50"], exclude_padding=2) == [("chr1", 0, 47), ("chr1", 52, 100)]
        assert resolve(exclude=["chr1", "chrM", "HLA-A*01:01:01:01"]) == [("chr2", 0, 500)]
        with pytest.raises(UsageError, match="every position excluded"):
            resolve("chr1:5-9", exclude=["chr1"])

    @pytest.mark.parametrize("options", [{"set_rule": "union"}, {"padding": -1}, {"exclude_padding": -1}])
    def test_bad_options(self, options):
        with pytest.raises(UsageError, match="expected"):
            resolve("chr1", **options)

    regions = st.lists(st.tuples(st.integers(0, 39), st.integers(1, 12)).map(lambda r: (r[0], min(40, sum(r)))), min_size=1, max_size=6)

    @given(regions, regions, regions, st.integers(0, 3))
    def test_as_sets_of_positions(self, a, b, c, padding):
        contigs = Contigs(("z",), (40,))

        def positions(rows, padding=0):
            return {p for start, end in rows for p in range(max(0, start - padding), min(40, end + padding))}

        def files(rows):
            return [f"z:{start + 1}-{end}" for start, end in rows]

        wanted = (positions(a, padding) | positions(b, padding)) - positions(c)
        if wanted:
            [found] = resolve_intervals(files(a) + files(b), files(c), contigs=contigs, padding=padding)
            assert positions(found.tolist()) == wanted
            assert (found[1:, 0] > found[:-1, 1]).all()
        common = set.intersection(*(positions([row]) for row in a))
        if common:
            [found] = resolve_intervals(files(a), contigs=contigs, set_rule="INTERSECTION")
            assert positions(found.tolist()) == common


class TestContigChecks:
    def test_same(self):
        assert check_contigs(CONTIGS, CONTIGS, "a.bam", "ref.fa") == []

    def test_missing_contigs_are_returned_and_refused_only_where_asked_for(self):
        reference = Contigs(("chr1",), (1000,))
        missing = check_contigs(CONTIGS, reference, "a.bam", "ref.fa")
        assert missing == ["chr2", "chrM", "HLA-A*01:01:01:01"]
        check_targets(resolve_intervals(["chr1"], contigs=CONTIGS), missing, CONTIGS, reference, "a.bam", "ref.fa")
        with pytest.raises(InputError, match=r"contigs in ref.fa: found chr1, expected chr2 as in a.bam"):
            check_targets(resolve_intervals(["chr2:5"], contigs=CONTIGS), missing, CONTIGS, reference, "a.bam", "ref.fa")

    def test_other_length(self):
        with pytest.raises(InputError, match=r"contig chr1 in ref.fa: found 999 bp, expected 1000 bp as in a.bam"):
            check_contigs(CONTIGS, Contigs(("chr1",), (999,)), "a.bam", "ref.fa")

    def test_names_with_and_without_chr(self):
        with pytest.raises(InputError, match=r"found 1, 2, expected chr1.*lack chr.*sed 's/\^>/>chr/' ref.fa"):
            check_contigs(CONTIGS, Contigs(("1", "2"), (1000, 500)), "a.bam", "ref.fa")
        with pytest.raises(InputError, match=r"found chr1.*expected 1 .*begin with chr.*sed 's/\^>chr/>/' ref.fa"):
            check_contigs(Contigs(("1",), (1000,)), CONTIGS, "a.bam", "ref.fa")

    def test_nothing_in_common(self):
        with pytest.raises(InputError, match="Use the reference that the reads were aligned to"):
            check_contigs(CONTIGS, Contigs(("q",), (5,)), "a.bam", "ref.fa")

    def test_reads_without_contigs(self):
        with pytest.raises(InputError, match="@SQ"):
            check_contigs(Contigs((), ()), CONTIGS, "a.bam", "ref.fa")


class TestPloidies:
    @pytest.mark.parametrize(
        "name, text",
        [
            ("p.bed", "chr1\t200\t300\t4\nchr1\t0\t10\t1\tmore\nchrM 0 100 1\n"),
            ("p.bed.gz", "track name=x\nchr1\t0\t10\t1\nchr1\t200\t300\t4\nchrM\t0\t100\t1\n"),
            ("p.interval_list", "@HD\tVN:1.6\n@SQ\tSN:chr1\tLN:1000\nchr1\t1\t10\t+\t1\nchr1\t201\t300\t+\t4\nchrM\t1\t100\t+\t1\n"),
        ],
    )
    def test_names_are_ploidies(self, write, name, text):
        by_contig = [rows.tolist() for rows in read_ploidies(write(name, text), CONTIGS)]
        assert by_contig == [[[0, 10, 1], [200, 300, 4]], [], [[0, 100, 1]], []]

    def test_the_limit_is_that_of_the_option(self, write):
        (kind,) = (option.kind for option in CALL_OPTIONS if option.to == "sample_ploidy")
        assert kind.most == MAX_PLOIDY
        assert read_ploidies(write("p.bed", f"chr1\t0\t10\t{MAX_PLOIDY}\n"), CONTIGS)[0].tolist() == [[0, 10, MAX_PLOIDY]]
        with pytest.raises(InputError, match=f"expected a number from 1 to {MAX_PLOIDY}"):
            read_ploidies(write("p.bed", f"chr1\t0\t10\t{MAX_PLOIDY + 1}\n"), CONTIGS)

    @pytest.mark.parametrize(
        "text, words",
        [
            ("chr1\t0\t10\n", "p.bed:1: found none, expected a number"),
            ("chr1\t0\t10\t2\nchr1\t20\t30\tX\n", "p.bed:2: found 'X'"),
            ("chr1\t0\t10\t0\n", "found '0', expected a number from 1 to 100"),
            ("chr1\t0\t10\t-1\n", "found '-1'"),
            ("chr1\t0\t1001\t1\n", "length of chr1"),
            ("chr9\t0\t10\t1\n", "contig of the alignments"),
        ],
    )
    def test_what_is_wrong(self, write, text, words):
        with pytest.raises(InputError, match=words):
            read_ploidies(write("p.bed", text), CONTIGS)

    def test_files_that_cannot_be_read(self, tmp_path):
        with pytest.raises(InputError, match="unreadable"):
            read_ploidies(str(tmp_path / "none.bed"), CONTIGS)
        with pytest.raises(UsageError, match=r"ends in \.bed"):
            read_ploidies(str(tmp_path / "ploidies.txt"), CONTIGS)
