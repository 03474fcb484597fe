"""A small reference, and VCFs on it from a few lines."""

import pytest

from tests.builders import random_sequence, write_fasta

#                      0         1         2
#                      0123456789012345678901
SEQUENCE = "GATTACAGATCACACACTTGGAACCGT" + random_sequence(300, 7)


@pytest.fixture
def reference(tmp_path):
    return write_fasta(tmp_path / "ref.fa", {"c": SEQUENCE})


@pytest.fixture
def vcf(tmp_path):
    """Write a VCF: name, then "POS REF ALT GT [FILTER [QUAL]]" a line, or whole lines with tabs → path."""

    def write(name, *records, samples=("s",), contig="c", header=()):
        lines = ["##fileformat=VCFv4.2", *header]
        lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]))
        for record in records:
            if "\t" not in record:
                pos, ref, alt, gt, *rest = record.split()
                filters, qual = [*rest, *["PASS", "50"][len(rest) :]]
                record = "\t".join([contig, pos, ".", ref, alt, qual, filters, ".", "GT", *[gt] * len(samples)])
            lines.append(record)
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write
