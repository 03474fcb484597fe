"""One source of reads, whatever stands behind it: BAM, CRAM, several files, a pipe, a URL."""

import errno
import logging
import os
import stat
import sys
import threading
from pathlib import Path

import numpy as np

from gpuvc.errors import InputError, UsageError
from gpuvc.io.bam import IndexedBam, check_eof_block
from gpuvc.io.columns import join_batches, merge_batches, new_columns, place_of, places, take_reads
from gpuvc.io.formats import kind_of
from gpuvc.io.header import ReadGroup
from gpuvc.io.htslib_file import HtslibFile, check_cram_end, is_url
from gpuvc.io.index import find_index, read_index
from gpuvc.io.stream import BamStream, StreamedBam

__all__ = ["AlignmentSource", "ReadGroup", "open_alignments"]

log = logging.getLogger(__name__)

MAX_READ_GROUPS = 1 << 15  # the read_group column is int16


def open_alignments(paths, *, reference=None, sample_name=None, threads=1, extras=()):
    """The reads of one sample in BAM or CRAM files.

    Parameters
    ----------
    paths : sequence of str
        Files, URLs, or "-" for a BAM on standard input. Several are read as one, merged by position; their contigs must be the same.
    reference : str, optional
        FASTA for CRAM that needs one.
    sample_name : str, optional
        Keeps that sample's reads where the headers name several.
    threads : int
        Threads that inflate ahead of a file without index.
    extras : tuple of str
        Which of the columns EXTRAS `fetch` fills, too.

    Raises
    ------
    InputError
        A file is missing, unreadable, truncated, damaged, unsorted, or does not fit the others.
    UsageError
        No path; standard input twice; a URL pysam cannot open; a sample name that no header has.
    """
    paths = [os.fspath(path) for path in paths]
    if not paths:
        raise UsageError("input alignments: found none, expected at least one BAM or CRAM. Name it with -I.")
    if paths.count("-") > 1:
        raise UsageError("input -: found it more than once, expected standard input once.")
    inputs = []
    try:
        first_group = 0
        for path in paths:
            inputs.append(_open_one(path, reference, threads, first_group, extras))
            first_group += len(inputs[-1].header.read_groups)
        if first_group > MAX_READ_GROUPS:
            raise InputError(f"read groups of {', '.join(paths)}: found {first_group}, expected at most {MAX_READ_GROUPS}.")
        return AlignmentSource(inputs, sample_name)
    except BaseException:
        for source in inputs:
            source.close()
        raise


def _open_one(path, reference, threads, first_group, extras):
    """The reader for what `path` is."""
    if is_url(path):
        return HtslibFile(path, reference=reference, threads=threads, first_group=first_group, extras=extras)
    if "://" in path and not Path(path).exists():
        raise UsageError(f"input {path}: found a URL of an unknown kind, expected http, https, ftp, s3 or gs. Download it first.")
    fd = _open_file(path)
    try:
        if path == "-":
            return StreamedBam("standard input", fd, threads, first_group, extras)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return StreamedBam(path, fd, threads, first_group, extras)
        if kind_of(os.pread(fd, 64, 0), path) == "cram":
            check_cram_end(fd, path)
            source = HtslibFile(path, reference=reference, threads=threads, first_group=first_group, extras=extras)
            os.close(fd)
            if source.index_path is not None:
                _warn_of_old_index(source.index_path, path)
            return source
        check_eof_block(fd, path)
        index_path = find_index(path)
        if index_path is None:
            return StreamedBam(path, fd, threads, first_group, extras)
        header = BamStream(fd, path).header
        _warn_of_old_index(index_path, path)
        return IndexedBam(path, fd, header, read_index(index_path, path, len(header.contigs)), first_group, extras)
    except BaseException:
        os.close(fd)
        raise


def _open_file(path):
    """A descriptor for reading the file at `path`, or standard input for "-"."""
    if path == "-":
        if sys.stdin.isatty():
            raise UsageError("input -: found a terminal, expected a BAM on standard input. Pipe one: samtools view -u x.bam | gpuvc ...")
        return os.dup(sys.stdin.fileno())
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist. Check the path given with -I.") from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read: permission denied. Allow it: chmod +r {path}") from error
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise  # of the machine, not of this file
        raise InputError(f"{path} cannot be opened: {error.strerror}. Check the path given with -I.") from error
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise InputError(f"{path} is a folder, expected a BAM or CRAM file. Name the file in it.")
    return fd


def _warn_of_old_index(index_path, path):
    if Path(index_path).stat().st_mtime < Path(path).stat().st_mtime:
        log.warning("%s is older than %s. If the reads have changed since, make it again: samtools index %s", index_path, path, path)


class AlignmentSource:
    """Reads of one sample as columns; a context manager. `fetch` may be called from any number of threads.

    contigs : Contigs
    header_texts : tuple of str
        Of all inputs.
    read_groups : tuple of ReadGroup
        Of all inputs, one behind the other; the column `read_group` is an index into it.
    is_sequential : bool
        An input is a pipe or has no index: regions must be fetched in ascending order of their starts.
    paths_without_index : tuple of str
        The files and URLs among those inputs: they could have an index and have none.
    total_bytes : int
        Compressed size of all inputs; those of unknown size count 0.
    n_other_samples : int
        Records left out so far because they belong to another sample; one fetched twice counts twice.
    """

    def __init__(self, inputs, sample_name=None):
        self._inputs = inputs
        self._sample_name = sample_name
        self._lock = threading.Lock()
        self.n_other_samples = 0
        self.contigs = inputs[0].header.contigs
        self.header_texts = tuple(source.header.text for source in inputs)
        self.read_groups = tuple(group for source in inputs for group in source.header.read_groups)
        self.is_sequential = any(source.is_sequential for source in inputs)
        self.paths_without_index = tuple(
            source.path for source in inputs if source.is_sequential and (is_url(source.path) or Path(source.path).is_file())
        )
        self.total_bytes = sum(source.total_bytes for source in inputs)
        for other in inputs[1:]:
            _check_same_contigs(inputs[0], other)
        self.samples = tuple(sorted({group.sample for group in self.read_groups if group.sample}))
        if sample_name is not None and sample_name not in self.samples:
            raise UsageError(
                f"--sample-name of {self._paths}: found {sample_name}, expected one of the samples in the header: "
                f"{', '.join(self.samples) or 'none'}."
            )
        # Row k + 1 is read group k; row 0 is for reads without one.
        self._is_wanted = None
        if sample_name is not None and len(self.samples) > 1:
            self._is_wanted = np.array([False, *(group.sample == sample_name for group in self.read_groups)])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Close all files and end all processes behind them."""
        for source in self._inputs:
            source.close()

    @property
    def _paths(self):
        return ", ".join(source.path for source in self._inputs)

    def samples_to_call(self):
        """The sample chosen, or all that the headers name, sorted. Raises InputError where they name none."""
        return (self.sample,) if self._sample_name is not None or len(self.samples) < 2 else self.samples

    def sample_column(self, reads):
        """int16[R]: the row of each read's sample in `samples_to_call`, -1 for a read that belongs to none of them."""
        row = {name: k for k, name in enumerate(self.samples_to_call())}
        of_group = np.array([-1, *(row.get(group.sample, -1) for group in self.read_groups)], np.int16)
        return of_group[reads.read_group + 1]

    @property
    def sample(self):
        """The sample called. Raises InputError where the headers name none, UsageError where they name several and none was chosen."""
        if self._sample_name is not None:
            return self._sample_name
        if not self.samples:
            raise InputError(
                f"read groups of {self._paths}: found none with a sample (SM), expected one. "
                f"Add it: samtools addreplacerg -r '@RG\\tID:1\\tSM:NAME' -o named.bam {self._inputs[0].path}"
            )
        if len(self.samples) > 1:
            raise UsageError(f"samples of {self._paths}: found {', '.join(self.samples)}, expected one. Choose it with --sample-name.")
        return self.samples[0]

    def fetch(self, interval):
        """All records that overlap `interval`, by position, in arrays that are the caller's.

        As in `samtools view REGION`: unmapped reads placed at their mate's position are among them, and a record without reference span
        covers one base. Several inputs are merged; at one position the first input's records come first.
        """
        if interval.start >= interval.end:
            return new_columns(0, 0, 0)
        batches = [self._keep_sample(source.fetch(interval)) for source in self._inputs]
        return batches[0] if len(batches) == 1 else merge_batches(batches)

    def batches(self, threads=1):
        """All records by position, unplaced ones last, a few MB at a time; a batch is valid until the next is asked for."""
        if len(self._inputs) == 1:
            for batch in self._inputs[0].batches(threads):
                yield self._keep_sample(batch)
        else:
            for batch in _merge_streams([source.batches(threads) for source in self._inputs]):
                yield self._keep_sample(batch)

    def byte_starts(self, contig_id):
        """(positions, file offsets): int64, where on the contig records begin at which compressed byte of the inputs, summed; both ascend.

        None where an input has no index.
        """
        parts = [source.byte_starts(contig_id) for source in self._inputs]
        if any(part is None for part in parts):
            return None
        parts = [part for part in parts if len(part[0])]
        if len(parts) == 1:
            return parts[0]
        pos = np.unique(np.concatenate([part[0] for part in parts])) if parts else np.empty(0, np.int64)
        offsets = np.zeros(len(pos), np.int64)
        for part_pos, part_offsets in parts:
            offsets += part_offsets[np.maximum(np.searchsorted(part_pos, pos, "right") - 1, 0)]
        return pos, offsets

    def _keep_sample(self, batch):
        """The batch's reads of the chosen sample."""
        if self._is_wanted is None:
            return batch
        wanted = self._is_wanted[batch.read_group + 1]
        n_others = len(wanted) - int(wanted.sum())
        if not n_others:
            return batch
        with self._lock:
            self.n_other_samples += n_others
        return take_reads(batch, np.flatnonzero(wanted))


def _check_same_contigs(first, other):
    if first.header.contigs == other.header.contigs:
        return
    a, b = first.header.contigs, other.header.contigs
    pairs = zip(zip(a.names, a.lengths), zip(b.names, b.lengths))
    k, (mine, its) = next(((k, pair) for k, pair in enumerate(pairs) if pair[0] != pair[1]), (None, (None, None)))
    if k is None:
        found, expected = f"{len(b)} contigs", f"{len(a)} as in {first.path}"
    else:
        found, expected = f"{its[0]} ({its[1]} bp) as number {k + 1}", f"{mine[0]} ({mine[1]} bp) as in {first.path}"
    raise InputError(f"contigs of {other.path}: found {found}, expected {expected}. Use reads aligned to one reference.")


def _merge_streams(streams):
    """Batches of several sorted streams as one sorted stream."""
    held = [None] * len(streams)  # what each stream has given and the merged stream has not
    while True:
        for k, stream in enumerate(streams):
            if stream is not None and held[k] is None:
                batch = next(stream, None)
                if batch is None:
                    streams[k] = None
                else:
                    held[k] = join_batches([batch])  # a copy: the stream's own is recycled
        if all(batch is None for batch in held):
            return
        # No stream has anything left in front of the earliest last place, but one may have more at it: earlier streams go up to it,
        # those behind the stream that sets it stay short of it.
        last = [(place_of(batch, -1), k) for k, batch in enumerate(held) if batch is not None]
        limit, setter = min(last)
        ready = []
        for k, batch in enumerate(held):
            if batch is None:
                continue
            n = int(np.searchsorted(places(batch), limit, "right" if k <= setter else "left"))
            ready.append(take_reads(batch, np.arange(n)))
            held[k] = take_reads(batch, np.arange(n, batch.n_reads)) if n < batch.n_reads else None
        yield merge_batches(ready)
