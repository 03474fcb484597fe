"""One source of reads, whatever the files: BAM, CRAM, several of them, a stream, a URL."""

import logging
import os
from pathlib import Path

from gpuvc.errors import InputError, UsageError
from gpuvc.io.bam import IndexedBam, read_header
from gpuvc.io.index import find_index, index_names, read_index

log = logging.getLogger(__name__)


def open_alignments(paths, *, reference=None, sample_name=None, threads=1):
    """The reads of one sample in the files at `paths`, as an `AlignmentSource`."""
    inputs = [_open_one(os.fspath(path)) for path in paths]
    return AlignmentSource(inputs, sample_name)


def _open_one(path):
    fd = open_file(path)
    size = os.fstat(fd).st_size
    header = read_header(lambda n, offset: os.pread(fd, n, offset), path, size)
    index_path = find_index(path)
    if index_path is None:
        raise InputError(f"{path} has no index (looked for {', '.join(index_names(path))}). Create one: samtools index {path}")
    if Path(index_path).stat().st_mtime < os.fstat(fd).st_mtime:
        log.warning("%s is older than %s: if the reads changed since, make it again: samtools index %s", index_path, path, path)
    return IndexedBam(path, fd, header, read_index(index_path, path, len(header.contigs)))


def open_file(path):
    """A descriptor of the file at `path`, open for reading."""
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.") from error


class AlignmentSource:
    """Reads of one sample as columns. A context manager; `fetch` may be called from any number of threads."""

    def __init__(self, inputs, sample_name=None):
        self._inputs = inputs
        self._sample_name = sample_name
        self.contigs = inputs[0].header.contigs
        self.header_text = inputs[0].header.text
        self.read_groups = tuple(group for source in inputs for group in source.header.read_groups)
        self.is_sequential = any(source.is_sequential for source in inputs)
        self.total_bytes = sum(source.total_bytes for source in inputs)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Close all files."""
        for source in self._inputs:
            source.close()

    @property
    def sample(self):
        """Name of the one sample whose reads these are."""
        samples = sorted({group.sample for group in self.read_groups if group.sample})
        if self._sample_name is not None:
            return self._sample_name
        if not samples:
            raise InputError("no sample name in the header")
        if len(samples) > 1:
            raise UsageError("several samples")
        return samples[0]

    def fetch(self, interval):
        """All records that overlap `interval`, in order of their positions."""
        return self._inputs[0].fetch(interval)

    def batches(self, threads=1):
        """All records of the file."""
        return self._inputs[0].batches(threads)

    def byte_starts(self, contig_id):
        """Positions on a contig and the file offsets where the reads from there on begin."""
        return self._inputs[0].byte_starts(contig_id)
