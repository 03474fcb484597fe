"""The good files that are mutated: small enough that a whole run on them takes some milliseconds."""

import gzip
import random
from array import array
from pathlib import Path

import pysam

from tests import builders
from tests.unit.io import bam_files

LENGTHS = {"chr1": 3000, "chr2": 1000}
STORED_BLOCK_BYTES = 4000

BED = b"""#a comment
track name=targets
chr1\t100\t900\tone\t0\t+
chr1\t850\t1200\ttwo
chr1\t1200\t1300

chr2\t0\t1000\tthree
"""
INTERVAL_LIST = b"""@HD\tVN:1.6
@SQ\tSN:chr1\tLN:3000
@SQ\tSN:chr2\tLN:1000
chr1\t101\t900\t+\tone
chr1\t1201\t1300\t-\ttwo
chr2\t1\t1000\t+\tthree
"""
LIST = b"""chr1:101-900
# a comment
chr1:1,201-1,300
chr2
chr1:2900+
"""
PLOIDIES = b"""chr1\t100\t900\t1
chr1\t850\t1200\t3
chr2\t0\t1000\t2
"""
DRAGSTR = b"""# made up
1 2 3 4
GOP:
45.00 44.00 42.00 40.00
45.00 45.00 41.00 39.50
GCP:
10.00 10.00 10.00 10.00
10.00 10.00 10.00 10.00
API:
40.00 35.00 30.00 25.00
40.00 40.00 30.00 25.00
"""


def _records(sequences, header):
    """pysam records of every shape on two contigs: variants, tags of each type, clips, no bases, no qualities, unmapped, a long CIGAR."""
    found = []
    for contig_id, (_, sequence) in enumerate(sequences.items()):
        for copy in (0, 1):
            variants = [(pos, sequence[pos], "ACGT"["ACGT".index(sequence[pos]) - 1]) for pos in range(150, len(sequence) - 100, 300)]
            variants += [(250, sequence[250], sequence[250] + "GATTA")]
            haplotype = builders.haplotype(sequence, *variants[copy:])
            found += builders.reads_of(haplotype, length=100, step=16, contig_id=contig_id)
    records = []
    for k, read in enumerate(sorted(found, key=lambda read: (read.contig_id, read.pos))):
        record = pysam.AlignedSegment(header)
        record.query_name, record.flag, record.reference_id, record.reference_start = f"read{k}", read.flag, read.contig_id, read.pos
        record.mapping_quality = 60
        record.cigarstring = "".join(f"{length}{letter}" for letter, length in read.cigar)
        record.query_sequence = read.bases if k % 23 else read.bases[:50] + "N" + read.bases[51:]
        record.query_qualities = array("B", [2 + (k + 7 * i) % 40 if i % 11 == 0 else 35 for i in range(len(read.bases))])
        tags = [("NM", k % 9), ("XA", "x" * (k % 20)), ("XB", array("h", range(k % 5))), ("XF", 0.5), ("XQ", 30)]
        record.set_tags([*tags[: k % 6], ("RG", "lane1")])
        if k % 31 == 5:
            record.flag, record.mapping_quality, record.cigarstring = 5, 0, None
        elif k % 31 == 6:
            record.query_sequence = None
        elif k % 31 == 7:
            record.query_qualities = None
        elif k % 31 == 8:
            record.cigarstring = f"{len(read.bases)}S{len(read.bases)}N"  # the form of one too long for its field
            record.set_tag("CG", array("I", [len(read.bases) << 4]))
        elif k % 31 == 9:
            record.cigarstring = "3H40M1I2M1D10M2P37M10S"
        elif k % 31 < 5:
            record.flag |= 1 | (64 if k % 2 else 128)
            record.next_reference_id, record.next_reference_start, record.template_length = record.reference_id, read.pos, 100
        records.append(record)
    for k in range(4):
        record = pysam.AlignedSegment(header)
        record.query_name, record.flag, record.query_sequence = f"unplaced{k}", 4, "ACGTN"
        records.append(record)
    return records


VCF_HEAD = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=3000>
##contig=<ID=chr2,length=1000>
##FILTER=<ID=weak,Description="Weak">
##INFO=<ID=END,Number=1,Type=Integer,Description="Where it ends">
##INFO=<ID=AF,Number=A,Type=Float,Description="How often">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tann
"""


def _vcf(sequences):
    lines = []
    for name, sequence in sequences.items():
        for pos in range(150, len(sequence) - 100, 150):
            ref = sequence[pos]
            alt = "ACGT"["ACGT".index(ref) - 1]
            kind = pos // 150 % 5
            if kind == 1:
                alt = ref + "GATTA"
            elif kind == 2:
                ref, alt = sequence[pos : pos + 3], sequence[pos]
            elif kind == 3:
                alt += ",*"
            filters = "weak" if pos % 900 == 0 else "PASS" if pos % 300 else "."
            info = f"END={pos + 20}" if kind == 4 and pos % 4 == 0 else "AF=0.5" if kind != 3 else "."
            lines.append(f"{name}\t{pos + 1}\t.\t{ref}\t{alt}\t50\t{filters}\t{info}\tGT\t0/1\n")
    return (VCF_HEAD + "".join(lines)).encode()


def make_seeds(folder):
    """{name: bytes} of all seeds; `folder` is where they are made."""
    folder = Path(folder)
    sequences = {name: builders.random_sequence(length, seed) for seed, (name, length) in enumerate(LENGTHS.items(), 1)}
    fasta = folder / "ref.fa"
    fasta.write_text(
        "".join(f">{name} made up\n" + "\n".join(s[i : i + 60] for i in range(0, len(s), 60)) + "\n" for name, s in sequences.items())
    )
    pysam.faidx(str(fasta))
    pysam.tabix_compress(str(fasta), str(folder / "ref.fa.gz"), force=True)
    pysam.faidx(str(folder / "ref.fa.gz"))
    header = pysam.AlignmentHeader.from_dict({
        "HD": {"VN": "1.6", "SO": "coordinate"},
        "SQ": [{"SN": name, "LN": length} for name, length in LENGTHS.items()],
        "RG": [{"ID": "lane1", "SM": "ann"}, {"ID": "lane2", "SM": "ann"}],
    })  # fmt: skip
    records = _records(sequences, header)
    bam = folder / "reads.bam"
    with pysam.AlignmentFile(str(bam), "wb", header=header) as file:
        for record in records:
            file.write(record)
    data = bam_files.inflated(bam)
    # Stored blocks, so that an index stays true when records change.
    bam_files.write_blocks(bam, data, STORED_BLOCK_BYTES, level=0)
    pysam.index(str(bam))
    pysam.index("-c", str(bam), str(bam) + ".csi")
    packed = folder / "packed.bam"
    bam_files.write_blocks(packed, data, STORED_BLOCK_BYTES)
    pysam.index(str(packed))
    # Reads far apart, of which an index has more to say.
    letters = random.Random(4)
    spread = {line["SN"]: "".join(letters.choices("ACGT", k=line["LN"])) for line in bam_files.HEADER["SQ"]}
    builders.write_fasta(folder / "spread.fa", spread)
    sparse = folder / "spread.bam"
    bam_files.write_bam(sparse, bam_files.mixed_records(150, seed=9))
    bam_files.write_blocks(sparse, bam_files.inflated(sparse), STORED_BLOCK_BYTES)
    pysam.index(str(sparse))
    pysam.index("-c", str(sparse), str(sparse) + ".csi")
    cram = folder / "reads.cram"
    options = [b"version=3.0", b"seqs_per_slice=100", b"no_ref=0"]
    with pysam.AlignmentFile(str(cram), "wc", header=header, reference_filename=str(fasta), format_options=options) as file:
        for record in records:
            if not record.has_tag("CG"):
                file.write(record)
    pysam.index(str(cram))
    vcf = folder / "given.vcf"
    vcf.write_bytes(_vcf(sequences))
    pysam.tabix_compress(str(vcf), str(folder / "given.vcf.gz"), force=True)
    pysam.tabix_index(str(folder / "given.vcf.gz"), preset="vcf", force=True)
    with pysam.VariantFile(str(vcf)) as variants, pysam.VariantFile(str(folder / "given.bcf"), "wb", header=variants.header) as out:
        for record in variants:
            out.write(record)
    pysam.tabix_index(str(folder / "given.bcf"), preset="bcf", force=True)
    seeds = {path.name: path.read_bytes() for path in folder.iterdir()}
    seeds["reads.bam inflated"] = data
    seeds["given.bcf inflated"] = gzip.decompress(seeds["given.bcf"])
    seeds["reads.cram.crai text"] = gzip.decompress(seeds["reads.cram.crai"])
    seeds |= {
        "where.bed": BED, "where.interval_list": INTERVAL_LIST, "where.list": LIST, "ploidies.bed": PLOIDIES, "tables.txt": DRAGSTR,
    }  # fmt: skip
    return seeds
