"""The reference as base codes."""

import logging
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gpuvc.errors import InputError
from gpuvc.intervals import Contigs
from gpuvc.io.bgzf import SLACK_BYTES, BlockTable
from gpuvc.kernels.codes import CODE_OF_ASCII, N

log = logging.getLogger(__name__)


def open_reference(path):
    """The FASTA at `path`, plain with its .fai or bgzipped with .fai and .gzi. Raises InputError."""
    path = os.fspath(path)
    if not Path(path).exists():
        raise InputError(f"reference {path} does not exist. Name an indexed FASTA with -R.")
    if Path(path).is_dir():
        raise InputError(f"reference {path} is a folder, expected a FASTA file. Name the file in it.")
    try:
        with open(path, "rb") as file:
            start = file.read(4)
    except OSError as error:
        raise InputError(f"reference {path} cannot be read: {error.strerror}. Check its permissions.") from error
    if start[:2] == b"\x1f\x8b" and start[3] != 4:
        plain = path.removesuffix(".gz")
        raise InputError(
            f"compression of reference {path}: found gzip, expected none or bgzip. "
            f"Change it: gunzip {path} && bgzip {plain} && samtools faidx {plain}.gz"
        )
    for index in (f"{path}.fai", *((f"{path}.gzi",) if start[:2] == b"\x1f\x8b" else ())):
        if not Path(index).exists():
            raise InputError(f"reference {path} has no index {index}. Create it: samtools faidx {path}")
        if Path(index).stat().st_mtime < Path(path).stat().st_mtime:
            log.warning("%s is older than %s. If the sequence has changed since, make it again: samtools faidx %s", index, path, path)
    return Reference(path)


_NO_LETTER = 255
_CODE_OF_LETTER = CODE_OF_ASCII.copy()
_CODE_OF_LETTER[[*range(33), ord(">"), *range(127, 256)]] = _NO_LETTER
_HEADER_BYTES = 1 << 16  # that a contig's header line may have


class _Row(NamedTuple):
    """What the .fai says of a contig: its bases, the offset of the first in the text, bases and bytes of a line."""

    length: int
    offset: int
    line_bases: int
    line_bytes: int

    def offset_of(self, base):
        """Where base number `base` stands in the text."""
        return self.offset + base // self.line_bases * self.line_bytes + base % self.line_bases


class Reference:
    """Windows of an indexed FASTA as codes; `window` may be called from any thread.

    The text is read where the index says, and must be laid out as it says: a line that is longer, or a contig that begins elsewhere, would
    shift every base behind it.

    contigs : Contigs
        As in the .fai.
    """

    def __init__(self, path):
        self.path = path
        self._rows = _read_fai(path)
        self.contigs = Contigs(tuple(self._rows), tuple(row.length for row in self._rows.values()))
        with open(path, "rb") as file:
            is_bgzf = file.read(2) == b"\x1f\x8b"
        self._text = _BgzfText(path) if is_bgzf else _PlainText(path)
        self._seen = set()  # contigs whose place in the text is right

    def window(self, name, start, end):
        """uint8[end - start]: a contig's bases as codes 0..4 = A C G T N.

        Lower case counts as upper; every other letter, and what lies beyond the contig's ends, is N.
        """
        if name not in self._rows:
            raise InputError(f"reference {self.path} has no contig {name}. Use the reference the reads were aligned to.")
        row = self._rows[name]
        codes = np.full(max(0, end - start), N, np.uint8)
        first, last = max(0, start), min(end, row.length)
        if first >= last:
            return codes
        if name not in self._seen:
            self._check_place(name, row)
            self._seen.add(name)
        line, last_line = first // row.line_bases, (last - 1) // row.line_bases
        text = self._read(name, row.offset_of(line * row.line_bases), row.offset_of(last - 1) + 1)
        letters, breaks = text, text[:0]
        if line < last_line:
            lines = np.zeros((last_line - line + 1, row.line_bytes), np.uint8)
            lines.reshape(-1)[: len(text)] = text
            letters, breaks = lines[:, : row.line_bases].reshape(-1), lines[:-1, row.line_bases :]
        letters = letters[first - line * row.line_bases :][: last - first]
        inside = codes[first - start : last - start]
        np.take(_CODE_OF_LETTER, letters, out=inside, mode="wrap")  # of bytes, none is past its end
        if inside.max() == _NO_LETTER or ((breaks != 10) & (breaks != 13)).any():
            raise self._misfit(f"{name}:{first + 1}-{last}", "other lines", f"lines of {row.line_bases} bases")
        return codes

    def _check_place(self, name, row):
        """Raise InputError unless the contig begins behind its header and ends before another."""
        head = self._read(name, max(0, row.offset - _HEADER_BYTES), row.offset).tobytes()
        header = head[head.rfind(b"\n", 0, -1) + 1 :]
        if not re.match(rb">" + re.escape(name.encode()) + rb"(\s.*)?\n", header, re.DOTALL):
            raise self._misfit(f"header of {name}", "another text before its bases", f">{name}")
        end = row.offset_of(row.length - 1) + 1
        behind = self._read(name, end - 1, max(end, min(self._text.size, end + 64)))[1:].tobytes()
        if behind[:1].strip() or behind.strip()[:1] not in (b"", b">"):
            raise self._misfit(f"end of {name}", "more bases", f"{row.length}")

    def _read(self, name, start, end):
        """uint8[end - start] of the text."""
        text = self._text.read(start, end) if end <= self._text.size else ()
        if len(text) != end - start:
            raise self._misfit(name, f"a text of {self._text.size} bytes", f"{end} or more")
        return text

    def _misfit(self, what, found, expected):
        return InputError(
            f"{what} in reference {self.path}: found {found}, expected {expected} as its index says. "
            f"The file is damaged or does not fit its index: samtools faidx {self.path}"
        )


class _PlainText:
    """An uncompressed file; `read(start, end)` gives uint8, fewer where it ends."""

    def __init__(self, path):
        self._path = path
        self.size = Path(path).stat().st_size

    def read(self, start, end):
        with open(self._path, "rb") as file:
            return np.frombuffer(os.pread(file.fileno(), end - start, start), np.uint8)


class _BgzfText:
    """A bgzipped file by its .gzi, likewise: offsets are those of the inflated text.

    _starts : int64[n_blocks + 1, 2]
        Where blocks begin, in the file and in the text; the last row is where both end.
    """

    def __init__(self, path):
        self._path = path
        index = f"{path}.gzi"
        try:
            data = Path(index).read_bytes()
        except OSError as error:
            raise InputError(f"index {index} cannot be read ({error}). Make it again: bgzip -r {path}") from error
        n_bytes = Path(path).stat().st_size
        numbers = np.frombuffer(data[8:], np.int64) if len(data) % 16 == 8 else None
        if numbers is None or 2 * int.from_bytes(data[:8], "little") != len(numbers):
            raise InputError(f"length of {index}: found {len(data)} bytes, expected those of its entries. Make it again: bgzip -r {path}")
        starts = np.concatenate([np.zeros((1, 2), np.int64), numbers.reshape(-1, 2)])
        if (np.diff(starts[:, 0]) <= 0).any() or (np.diff(starts[:, 1]) < 0).any() or starts[-1, 0] >= n_bytes:
            raise InputError(f"offsets in {index}: found some out of order or past the end of {path}. Make it again: bgzip -r {path}")
        # What the last one holds, only its blocks tell.
        last = self._inflated(int(starts[-1, 0]), n_bytes)
        self._starts = np.concatenate([starts, [[n_bytes, starts[-1, 1] + len(last)]]])
        self.size = int(self._starts[-1, 1])

    def read(self, start, end):
        if start >= end:
            return np.empty(0, np.uint8)
        first = int(np.searchsorted(self._starts[:, 1], start, "right")) - 1
        last = int(np.searchsorted(self._starts[:, 1], end, "left"))
        text = self._inflated(int(self._starts[first, 0]), int(self._starts[last, 0]))
        if len(text) != self._starts[last, 1] - self._starts[first, 1]:
            raise InputError(
                f"blocks of reference {self._path}: found {len(text)} bytes in them, expected "
                f"{self._starts[last, 1] - self._starts[first, 1]} as {self._path}.gzi says. Make it again: bgzip -r {self._path}"
            )
        return text[start - int(self._starts[first, 1]) :][: end - start]

    def _inflated(self, start, end):
        """The text of the blocks in bytes start to end of the file."""
        parts = []
        blocks = BlockTable()
        with open(self._path, "rb") as file:
            raw = np.frombuffer(os.pread(file.fileno(), end - start, start), np.uint8)
        at = 0
        while at < len(raw):
            blocks.list(raw, at, len(raw), self._path, start)
            if not blocks.n_blocks:
                raise InputError(
                    f"block in reference {self._path}, byte {start + at}: found one cut short, expected a whole BGZF block. "
                    f"The file is damaged: copy it again from its source."
                )
            out = np.empty(blocks.n_inflated + SLACK_BYTES, np.uint8)
            blocks.inflate(raw, out, 0, self._path, start)
            parts.append(out[: blocks.n_inflated])
            at = blocks.end
        return np.concatenate(parts) if parts else np.empty(0, np.uint8)


def _read_fai(path):
    """{name: _Row} of the .fai."""
    rows = {}
    try:
        lines = Path(f"{path}.fai").read_text().splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"index {path}.fai cannot be read ({error}). Make it again: samtools faidx {path}") from error
    for n, line in enumerate(lines, 1):
        name, *numbers = line.split("\t")
        are_numbers = len(numbers) >= 4 and all(re.fullmatch("[0-9]{1,18}", number) for number in numbers[:4])
        row = _Row(*map(int, numbers[:4])) if are_numbers else None
        if row is None or name in rows or (row.length and not 0 < row.line_bases < row.line_bytes):
            found = "it twice" if name in rows else repr(line if len(line) <= 40 else f"{line[:40]}...")
            raise InputError(
                f"contig in {path}.fai:{n}: found {found}, expected name, length, offset, bases and bytes of a line, separated by tabs. "
                f"Make it again: samtools faidx {path}"
            )
        rows[name] = row
    if not rows:
        raise InputError(f"index {path}.fai names no contig, expected at least one. Make it again: samtools faidx {path}")
    return rows
