"""Alleles and ploidies that the user gives, read from their files."""

import numpy as np
import pysam
import pytest

from gpuvc.errors import InputError
from gpuvc.intervals import Contigs, Interval
from gpuvc.io.fasta import open_reference
from gpuvc.io.given import Given, GivenAlleles, GivenRecord

SEQUENCE = "GATTACACACAGTNacgtACGTACGT"
CONTIGS = Contigs(("one", "two"), (len(SEQUENCE), 100))
HEADER = """##fileformat=VCFv4.2
##contig=<ID=one,length=26>
##FILTER=<ID=bad,Description="bad">
##INFO=<ID=END,Number=1,Type=Integer,Description="end">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""
ROWS = [
    "one\t2\t.\tA\tC,t\t.\t.\t.",
    "one\t5\t.\tACA\tA\t.\tPASS\t.",
    "one\t9\t.\tA\tG\t.\tbad\t.",
    "one\t11\t.\tA\t<DEL>\t.\t.\tEND=14",
    "one\t15\t.\tACGT\tA\t.\t.\t.",
]


@pytest.fixture
def reference(tmp_path):
    path = tmp_path / "ref.fa"
    path.write_text(f">one\n{SEQUENCE}\n>two\n{'A' * 100}\n")
    pysam.faidx(str(path))
    return open_reference(path)


@pytest.fixture
def write(tmp_path):
    def write(rows=ROWS, header=HEADER, name="alleles.vcf", index=True):
        path = tmp_path / name
        plain = tmp_path / "plain.vcf"
        plain.write_text(header + "".join(row + "\n" for row in rows))
        if name.endswith(".vcf"):
            plain.rename(path)
            return str(path)
        pysam.tabix_compress(str(plain), str(path), force=True)
        if index:
            pysam.tabix_index(str(path), preset="vcf", force=True)
        return str(path)

    return write


WITHOUT_CONTIGS = HEADER.replace("##contig=<ID=one,length=26>\n", "")


@pytest.mark.parametrize("header", [HEADER, WITHOUT_CONTIGS], ids=["contigs", "no contigs"])
@pytest.mark.parametrize("name", ["alleles.vcf", "alleles.vcf.gz"])
def test_records_that_overlap_an_interval(write, reference, name, header):
    path = write(name=name, header=header)
    near = [
        GivenRecord(4, 7, "ACA", ("A",)), GivenRecord(10, 14, "A", ("<DEL>",)), GivenRecord(14, 18, "ACGT", ("A",)),
    ]  # fmt: skip
    assert GivenAlleles(path, CONTIGS).near(Interval(0, 6, 15), reference) == near
    with_filtered = [near[0], GivenRecord(8, 9, "A", ("G",)), *near[1:]]
    assert GivenAlleles(path, CONTIGS, with_filtered=True).near(Interval(0, 6, 15), reference) == with_filtered
    assert GivenAlleles(path, CONTIGS).near(Interval(0, 0, 2), reference) == [GivenRecord(1, 2, "A", ("C", "T"))]
    assert GivenAlleles(path, CONTIGS).near(Interval(1, 0, 100), reference) == []


def test_ref_has_to_fit_the_reference(write, reference):
    alleles = GivenAlleles(write(["one\t5\t.\tACC\tA\t.\t.\t."]), CONTIGS)
    with pytest.raises(InputError, match=r"REF of one:5 in .*: found ACC, expected ACA as in the reference"):
        alleles.near(Interval(0, 0, 26), reference)


@pytest.mark.parametrize(
    "file, words",
    [
        ({"name": "alleles.vcf.gz", "index": False}, "found no index, expected one beside the file. Create it: bcftools index"),
        ({"header": HEADER.replace("26", "27")}, "found 27 bp, expected 26 bp as in the alignments"),
        ({"header": HEADER.replace("ID=one", "ID=chrone"), "rows": ["chrone\t2\t.\tA\tC\t.\t.\t."]}, "expected chrone as in"),
        ({"rows": [*ROWS, "one\tx\t.\tA\tC\t.\t.\t."]}, "cannot be read"),
        ({"header": "not a VCF\n"}, "unreadable"),
    ],
)
def test_files_that_do_not_fit(write, file, words):
    with pytest.raises(InputError, match=words):
        GivenAlleles(write(**file), CONTIGS)


def test_a_file_that_is_not_there(tmp_path):
    for path in (tmp_path, tmp_path / "none.vcf"):
        with pytest.raises(InputError, match=r"expected the VCF or BCF file named by --alleles"):
            GivenAlleles(path, CONTIGS)


def test_of_several_ploidies_the_highest_counts():
    given = Given(ploidies=[np.array([[2, 6, 1], [4, 9, 3], [20, 25, 4]]), np.zeros((0, 3), np.int64)])
    assert given.ploidy_near(Interval(0, 0, 10)).tolist() == [0, 0, 1, 1, 3, 3, 3, 3, 3, 0]
    assert given.ploidy_near(Interval(0, 5, 7)).tolist() == [3, 3]
    assert given.ploidy_near(Interval(1, 5, 7)).tolist() == [0, 0]
    assert Given().ploidy_near(Interval(0, 5, 7)) is None
