"""What can be wrong with an alignment file, each as one sentence and what to do about it."""

from gpuvc.errors import InputError


def truncated(path, detail):
    """The file ends too early."""
    return InputError(f"{path} is truncated: {detail}. Copy it again from its source, or write it again.")


def unreadable(path, error):
    """The system refuses to read on: a failing disk, a lost network drive, a stream that is closed."""
    return InputError(
        f"{path} cannot be read to its end: found {error.strerror or error}, expected data. Check the disk, network drive or pipe it is on."
    )


def unsorted(path, place):
    """A read stands behind `place` that belongs before it."""
    return InputError(
        f"order of the reads in {path}: found one that belongs before {place} behind it, expected ascending positions. "
        f"Sort it: samtools sort -o sorted.bam {path}"
    )


def index_misfit(path, detail):
    """The index points at places that are no starts of blocks or reads."""
    return InputError(
        f"{path} and its index do not fit: {detail}. "
        f"The file is truncated or damaged, or the index belongs to another: samtools quickcheck {path} && samtools index {path}"
    )


def place_in_words(header, contig_id, pos):
    """`contig:position` (1-based) for messages."""
    if 0 <= contig_id < len(header.contigs) and pos >= 0:
        return f"{header.contigs.names[contig_id]}:{pos + 1}"
    return "the first read" if contig_id >= 0 else "the reads without position"
