"""Files that appear under their name only when whole, and BGZF compression."""

import os
import secrets
import signal
import struct
import sys
import threading
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path

import deflate

from gpuvc.errors import OutputError, UsageError

BGZF_EOF = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_BGZF_BLOCK = 0xFF00  # bytes of input per block, as htslib cuts them: even stored uncompressed a block stays below 64 KiB
_LEVEL = 6


def check_places(inputs, *, output=None, report=(), bam_output=None, assembly_region_out=None):
    """Raise UsageError where an output, or an index beside it, would take the place of another output or of an input.

    inputs : list of (what, path)
        Such as ("--reference", "ref.fa"). The outputs: paths, of reports several; None and "-" take no place.
    """
    taken = {os.path.realpath(path): what for what, path in inputs if os.fspath(path) != "-"}
    for option, path in (
        ("--output", output), *(("--report", path) for path in report), ("--bam-output", bam_output),
        ("--assembly-region-out", assembly_region_out),
    ):  # fmt: skip
        if path is None or os.fspath(path) == "-":
            continue
        place = os.path.realpath(path)
        # Indexes of what stood there before are removed whether or not one is written.
        stems = {"--output": (place,), "--bam-output": (place, place.removesuffix(".bam"))}.get(option, ())
        kinds = ("tbi", "csi") if option == "--output" else ("bai", "csi")
        indexes = [f"{stem}.{kind}" for stem in stems for kind in kinds]
        for own, words in ((place, "which is"), *((index, f"whose index {index} is") for index in indexes)):
            if own in taken:
                raise UsageError(f"option {option}: found {path}, {words} the {taken[own]} as well, expected another file.")
        taken |= {place: option} | dict.fromkeys(indexes, f"index of {option}")


@contextmanager
def undisturbed():
    """Hold back Ctrl-C and SIGTERM until the block is done: files that belong together get their names together.

    Only the main thread is sent signals; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held = []
    before = {number: signal.signal(number, lambda number, _: held.append(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if held:
            signal.raise_signal(held[0])


class PartialFile:
    """A file written under a temporary name in its own folder; `commit` gives it its name, `abort` removes it.

    Links are followed: the file that the link names is replaced. Leaving the `with` block without `commit` aborts.

    Raises
    ------
    OutputError
        The place cannot be written: seen when opened, or later when a disk fills up.
    """

    def __init__(self, path):
        self.shown = str(path)
        self.path = Path(os.path.realpath(path))
        suffixes = "".join(self.path.suffixes[-2:])
        stem = self.path.name.removesuffix(suffixes)
        self.temporary = self.path.with_name(f".{stem}.{os.getpid()}-{secrets.token_hex(4)}.partial{suffixes}")
        self._file = None
        if self.path.is_dir():
            raise OutputError(f"output {self.shown}: found a folder of that name, expected a file name. Name a file in it.")
        if self.path.exists() and not self.path.is_file():
            raise OutputError(f"output {self.shown}: found a device or pipe of that name, expected a file name. Use - for standard output.")
        if not self.path.parent.is_dir():
            raise OutputError(
                f"output {self.shown}: found no folder {self.path.parent}, expected one. Create it: mkdir -p {self.path.parent}"
            )
        try:
            self._file = open(self.temporary, "xb")
        except OSError as error:
            raise self.refused(error) from error

    def refused(self, error):
        """The OutputError for an OSError met on the way."""
        return OutputError(
            f"output {self.shown}: found it cannot be written ({error.strerror or error}), expected a writable folder with room. "
            "Free space, or choose another place."
        )

    def write(self, data):
        try:
            self._file.write(data)
        except OSError as error:
            raise self.refused(error) from error

    def finish(self):
        """Close the file with every byte on the disk; it keeps its temporary name."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise self.refused(error) from error

    def publish(self):
        """Give a finished file its name, in one step."""
        try:
            self.temporary.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise self.refused(error) from error

    def commit(self):
        self.finish()
        self.publish()

    def abort(self):
        """Remove the temporary file; harmless after `commit`."""
        if self._file is not None and not self._file.closed:
            with suppress(OSError):  # what a full disk refuses to take no longer matters
                self._file.close()
        self.temporary.unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.abort()


def sync(path):
    """Every byte of the file on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class StandardOutput:
    """Standard output in the shape of PartialFile: what is written cannot be taken back."""

    def write(self, data):
        self._guarded(sys.stdout.buffer.write, data)

    def commit(self):
        self._guarded(sys.stdout.buffer.flush)

    def abort(self):
        """Nothing to remove."""

    @staticmethod
    def _guarded(function, *arguments):
        try:
            function(*arguments)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError.of_standard_output(error) from error


class BgzfStream:
    """BGZF over anything with `write`: blocks depend on the bytes alone, not on how they were handed over."""

    def __init__(self, sink):
        self._sink = sink
        self._pending = bytearray()

    def write(self, data):
        self._pending += data
        whole = len(self._pending) // _BGZF_BLOCK * _BGZF_BLOCK
        for start in range(0, whole, _BGZF_BLOCK):
            self._write_block(bytes(self._pending[start : start + _BGZF_BLOCK]))
        del self._pending[:whole]

    def close(self):
        """Write what is pending and the EOF marker; the sink stays open."""
        if self._pending:
            self._write_block(bytes(self._pending))
            self._pending.clear()
        self._sink.write(BGZF_EOF)

    def _write_block(self, data):
        packed = deflate.deflate_compress(data, _LEVEL)
        header = struct.pack("<4BI2BH2BHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(packed) + 25)
        self._sink.write(header + packed + struct.pack("<2I", zlib.crc32(data), len(data)))
