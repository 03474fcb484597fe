"""CRAM files and remote URLs, through htslib into the same decoder as BAM.

pysam's `view` holds the interpreter's lock and is not safe in threads, so it runs in processes of its own: as many as there are threads
that fetch at the same time, each kept for the next region.
"""

import contextlib
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import zlib
from pathlib import Path

import numpy as np
import pysam

from gpuvc.errors import InputError, UsageError
from gpuvc.io import problems
from gpuvc.io.columns import join_batches
from gpuvc.io.stream import BamStream, ForwardReads

URL = re.compile(r"(https?|ftp|s3|gs|s3\+https?|gs\+https?)://")
_PIPE_BYTES = 1 << 20
_CRAM_ENDS = (  # of versions 3 and 2.1
    bytes.fromhex("0f000000ffffffff0fe0454f4600000000010005bdd94f0001000606010001000100ee63014b"),
    bytes.fromhex("0b000000ffffffff0fe0454f46000000000100000606010001000100"),
)


class ViewWorker:
    """One `view_worker.py` process. One thread at a time."""

    def __init__(self, path):
        self._path = path
        status, status_write = os.pipe()
        self._status = os.fdopen(status, "rb")
        self._messages = tempfile.TemporaryFile()
        self._folder = tempfile.TemporaryDirectory(prefix="gpuvc-view-")  # htslib puts the indexes it downloads where it runs
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).absolute().with_name("view_worker.py")), str(status_write)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            pass_fds=(status_write,),
            pipesize=_PIPE_BYTES,
            cwd=self._folder.name,
            # Reference sequences are downloaded only where the user has set that up; pysam's own temporary files go with the folder.
            env={"REF_PATH": os.devnull, **os.environ, "TMPDIR": self._folder.name},
        )
        os.close(status_write)

    def batches(self, arguments, first_group=0, recycle=False, extras=()):
        """The batches of `samtools view` with `arguments`. Raises InputError with htslib's message where it fails."""
        with self._answer(arguments) as stream:
            yield from stream.batches(1, first_group, recycle, extras)

    def header(self, arguments):
        """The header of `samtools view` with `arguments`, which are to end in no records."""
        with self._answer(arguments) as stream:
            for _ in stream.batches():
                pass
            return stream.header

    @contextlib.contextmanager
    def _answer(self, arguments):
        """The BamStream of one request, which is read to its end inside."""
        try:
            self._process.stdin.write(json.dumps(["-u", "--no-PG", "-o", "-", *arguments]).encode() + b"\n")
            self._process.stdin.flush()
            yield BamStream(self._process.stdout.fileno(), self._path, ends_at_eof_block=True)
        except (InputError, BrokenPipeError) as error:
            if self._has_failed():  # then the stream is cut short, and the process knows why
                raise InputError(self._message()) from error
            raise
        if self._status.readline() != b"ok\n":
            self._process.wait()
            raise InputError(self._message())

    def _has_failed(self):
        """True when the process has ended; it ends only by an error. Its output closes a moment before."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        return self._process.returncode is not None

    def _message(self):
        """What htslib wrote, as one sentence."""
        self._messages.seek(0)
        lines = self._messages.read().decode("utf-8", "replace").splitlines()
        said = dict.fromkeys(re.sub(r"^\[[EW]::\w+\] |^samtools view: ", "", line).strip(" .") for line in lines if line.strip())
        reason = "; ".join(list(said)[:4]) or f"it ended with status {self._process.returncode}"
        hint = f"samtools quickcheck {self._path}"
        if re.search(r"ref|md5|fasta", reason, re.IGNORECASE):
            hint = "Give the reference it was made with: -R ref.fa"
        return f"{self._path} cannot be read by htslib: {reason}. {hint}"

    def close(self):
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._status, self._messages):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self._folder.cleanup()


class HtslibFile:
    """A CRAM, or a BAM or CRAM at a URL, behind the interface of `IndexedBam`."""

    def __init__(self, path, *, reference=None, threads=1, first_group=0, extras=()):
        self.path = path
        self._threads = threads
        self._first_group = first_group
        self._extras = extras
        self._idle = []
        self._busy = []
        self._lock = threading.Lock()
        self._forward = None
        is_remote = is_url(path)
        if is_remote and not pysam.config.HAVE_LIBCURL:
            raise UsageError(f"input {path}: found a URL, expected a file, as this pysam is built without libcurl. Download it first.")
        is_cram = (_remote_start(path) if is_remote else Path(path).open("rb").read(4)) == b"CRAM"
        self._arguments = []
        if is_cram:
            self._arguments += ["--input-fmt-option", "decode_md=0"]
            if reference is not None:
                self._arguments += ["-T", str(Path(reference).absolute())]
        self._location = path if is_remote else str(Path(path).absolute())
        self.total_bytes = 0 if is_remote else Path(path).stat().st_size
        self.index_path = next((name for name in index_names(path, is_cram) if _exists(name)), None)
        self.is_sequential = self.index_path is None
        with self._worker() as worker:
            self.header = worker.header([*self._arguments, "-H", self._location])

    def close(self):
        """End the processes, also those whose answers were not read to their end."""
        with self._lock:
            workers, self._idle = [*self._idle, *self._busy], []
        for worker in workers:
            worker.close()

    def byte_starts(self, contig_id):
        """Starts and container offsets of the contig's slices; None without a local .crai."""
        if self.index_path is None or not self.index_path.endswith(".crai") or is_url(self.index_path):
            return None
        slices = _read_crai(self.index_path, self.path)
        slices = slices[slices[:, 0] == contig_id]
        slices = slices[np.lexsort((slices[:, 3], slices[:, 1]))]
        return np.maximum(slices[:, 1] - 1, 0), np.maximum.accumulate(slices[:, 3])

    def fetch(self, interval):
        """The records that overlap `interval`, as a ReadBatch of exactly their size."""
        if self.is_sequential:
            with self._lock:
                if self._forward is None:
                    self._forward = ForwardReads(self._view([], recycle=False, threads=self._threads), self.path, self.header)
            return self._forward.fetch(interval)
        region = f"{{{self.header.contigs.names[interval.contig_id]}}}:{interval.start + 1}-{interval.end}"
        batches = list(self._view([region], recycle=False))
        return batches[0] if len(batches) == 1 else join_batches(batches)

    def batches(self, threads=1):
        """All records in order of the file; each batch stands in recycled arrays and is valid until the next is asked for."""
        return self._view([], recycle=True, threads=threads)

    def _view(self, regions, recycle, threads=1):
        """Batches of `samtools view` over the file or a region, by an idle process or a new one."""
        arguments = [*self._arguments, *(["-@", str(threads - 1)] if threads > 1 else []), self._location, *regions]
        with self._worker() as worker:
            yield from worker.batches(arguments, self._first_group, recycle, () if recycle else self._extras)

    @contextlib.contextmanager
    def _worker(self):
        """An idle process, or a new one; kept for the next request unless this one fails or is left half read."""
        with self._lock:
            worker = self._idle.pop() if self._idle else ViewWorker(self.path)
            self._busy.append(worker)
        try:
            yield worker
        except BaseException:
            worker.close()
            raise
        else:
            with self._lock:
                self._idle.append(worker)
        finally:
            with self._lock:
                self._busy.remove(worker)


def is_url(path):
    """True for what htslib opens over a network."""
    return URL.match(path) is not None


def check_cram_end(fd, path):
    """Raise InputError unless the file ends in CRAM's empty end-of-file container."""
    size = os.fstat(fd).st_size
    end = os.pread(fd, 64, max(0, size - 64))
    if not end.endswith(_CRAM_ENDS):
        raise problems.truncated(path, "its last bytes are not CRAM's end-of-file container")


def index_names(path, is_cram):
    """Where the index of a CRAM, or of a remote BAM, may stand."""
    suffixes = (".crai",) if is_cram else (".bai", ".csi")
    stem = re.sub(r"\.(cram|bam)$", "", path)
    return tuple(name + suffix for suffix in suffixes for name in (path, stem))


def _exists(path):
    if not is_url(path):
        return Path(path).exists()
    try:
        return bool(_remote_start(path))
    except InputError:
        return False


def _remote_start(url):
    """The first four bytes of a remote file."""
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.HFile(url, "r") as file:
            return file.read(4)
    except OSError as error:
        raise InputError(f"{url} cannot be opened: {error}. Check the address, and what gives access to it.") from error
    finally:
        pysam.set_verbosity(verbosity)


def _read_crai(path, alignments_path):
    """int64[n_slices, 6]: contig, start (1-based), span, container offset, slice offset, slice bytes."""
    try:
        data = Path(path).read_bytes()
        text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        rows = [[int(field) for field in line.split(b"\t")] for line in text.splitlines()]
        return np.array(rows, np.int64).reshape(-1, 6)
    except (OSError, EOFError, ValueError, OverflowError, zlib.error) as error:
        raise InputError(f"index {path} cannot be read ({error}). Make it again: samtools index {alignments_path}") from error
