"""A small genome and reads on it, whole or spoilt."""

import random
import shutil

import pysam

CONTIGS = {"chrA": 6000, "chrB": 3000}
READ_LENGTH = 100


def write_fasta(path, sequences):
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in sequences.items()))
    pysam.faidx(str(path))
    return path


def write_reads(path, sequences, *, order="coordinate", contigs=None, samples=("S1",), index=True, mode="wb", step=5, **options):
    """Error-free reads every `step` bp of each contig in `sequences`; `order` "shuffled" is disorder under a header that denies it."""
    contigs = contigs or {name: len(sequence) for name, sequence in sequences.items()}
    header = {
        "HD": {"VN": "1.6", "SO": "coordinate" if order == "shuffled" else order},
        "SQ": [{"SN": name, "LN": length} for name, length in contigs.items()],
        "RG": [{"ID": sample, "SM": sample} for sample in samples],
    }
    reads = []
    with pysam.AlignmentFile(str(path), mode, header=header, **options) as sink:
        for name, sequence in sequences.items():
            for n, start in enumerate(range(0, len(sequence) - READ_LENGTH, step)):
                read = pysam.AlignedSegment(sink.header)
                read.query_name = f"{name}.{start}"
                read.reference_name, read.reference_start, read.mapping_quality = name, start, 60
                read.flag = 16 * (n % 2)
                read.cigarstring = f"{READ_LENGTH}M"
                read.query_sequence = sequence[start : start + READ_LENGTH]
                read.query_qualities = pysam.qualitystring_to_array("F" * READ_LENGTH)
                read.set_tag("RG", samples[n % len(samples)])
                reads.append(read)
        if order != "coordinate":
            random.Random(1).shuffle(reads)
        for read in reads:
            sink.write(read)
    if index and order == "coordinate":
        pysam.index(str(path))
    return path


def copy_with_index(source, target, change):
    """`source` with its bytes changed, beside its old index."""
    target.write_bytes(change(source.read_bytes()))
    shutil.copy(f"{source}.bai", f"{target}.bai")
    return target
