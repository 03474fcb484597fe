"""Which kind of file the first bytes belong to."""

from gpuvc.errors import InputError

_OTHERS = (
    (b"@HD\t", "SAM text", "Convert and index it: samtools sort -o sorted.bam {path} && samtools index sorted.bam"),
    (b"@SQ\t", "SAM text", "Convert and index it: samtools sort -o sorted.bam {path} && samtools index sorted.bam"),
    (b"##fileformat=VCF", "a VCF", "Give the alignments the variants came from."),
    (b">", "a FASTA", "Give aligned reads; the reference goes with -R."),
    (b"@", "a FASTQ", "Align the reads first, for example with bwa mem, and sort them."),
    (b"BAM\1", "BAM data outside BGZF blocks", "Compress it: bgzip -c {path} > sorted.bam"),
)


def kind_of(start, path):
    """The kind, bam or cram, by the first bytes of a file; InputError that says what else it is."""
    if start[:4] == b"CRAM":
        return "cram"
    if start[:4] == b"\x1f\x8b\x08\x04":
        return "bam"
    if not start:
        raise InputError(f"{path} is empty: found 0 bytes, expected a BAM or CRAM file. Copy or write it again.")
    kind, mend = next(((kind, mend) for magic, kind, mend in _OTHERS if start.startswith(magic)), ("something else", "Give a BAM or CRAM."))
    if start[:2] == b"\x1f\x8b":
        kind, mend = "plain gzip data", "Give a BAM or CRAM; a gzipped SAM is converted by: samtools sort -o sorted.bam {path}"
    raise InputError(f"format of {path}: found {kind}, expected BAM or CRAM. {mend.format(path=path)}")
