"""The table of `gpuvc pileup`: counts per position as TSV or Arrow."""

from contextlib import suppress

import numpy as np

from gpuvc.batches import PILEUP_FIELDS, Pileup
from gpuvc.errors import UsageError
from gpuvc.kernels.codes import ASCII_OF_CODE, BASES
from gpuvc.output.files import PartialFile, StandardOutput

COLUMNS = ("contig", "pos", "ref", *PILEUP_FIELDS, "indels")
_ROWS = 1 << 14  # positions turned into text at a time


def open_table(output):
    """A table to add windows to, and to commit: .tsv, .arrow or .feather by the suffix, "-" is TSV on standard output.

    Raises
    ------
    UsageError
        Unknown suffix, or an Arrow file asked for without pyarrow.
    OutputError
        The place cannot be written.
    """
    if output == "-":
        return _Tsv(StandardOutput())
    if output.endswith(".tsv"):
        return _Tsv(PartialFile(output))
    if output.endswith((".arrow", ".feather")):
        return _Arrow(PartialFile(output))
    raise UsageError(f"output {output}: found an unknown suffix, expected .tsv, .arrow, .feather or - (standard output).")


def indel_texts(pileup: Pileup) -> dict[int, str]:
    """Row → its indels as text: +SEQUENCE or -LENGTH, a colon, reads of the forward and of the reverse strand; joined by semicolons."""
    indels = pileup.indels
    texts: dict[int, list[str]] = {}
    letters = ASCII_OF_CODE[indels.inserted].tobytes().decode()
    columns = (indels.pos - pileup.start, indels.length, indels.inserted_offsets[:-1], indels.forward, indels.reverse)
    for row, length, offset, forward, reverse in zip(*(column.tolist() for column in columns)):
        allele = "+" + letters[offset : offset + length] if length > 0 else str(length)
        texts.setdefault(row, []).append(f"{allele}:{forward},{reverse}")
    return {row: ";".join(alleles) for row, alleles in texts.items() if 0 <= row < pileup.n_positions}


def tsv_rows(contig: str, pileup: Pileup, codes: np.ndarray) -> bytes:
    """Lines of the table, without the header. `codes` : uint8[n_positions], the reference."""
    indels = indel_texts(pileup)
    pieces = []
    for first in range(0, pileup.n_positions, _ROWS):
        last = min(first + _ROWS, pileup.n_positions)
        numbers = np.vstack([np.arange(first, last) + pileup.start + 1, pileup.counts[:, first:last]]).T
        here = {row - first: text.encode() for row, text in indels.items() if first <= row < last}
        pieces.append(_lines(contig.encode(), numbers, ASCII_OF_CODE[codes[first:last]], here))
    return b"".join(pieces)


def _lines(contig, numbers, letters, indels):
    """Lines of contig, numbers[:, 0], letter, numbers[:, 1:], indels (row → bytes, a dot for the others); numbers : int64[n_rows, n].

    Every line is laid out in a matrix of equal cells; zero bytes, which no line holds, stand where a cell is wider than its text.
    """
    n_rows = len(numbers)
    width = len(str(int(numbers.max(initial=0))))
    quotients = numbers[:, :, None] // 10 ** np.arange(width - 1, -1, -1)
    cells = np.full((*numbers.shape, width + 1), ord("\t"), np.uint8)
    cells[:, :, :width] = quotients % 10 + ord("0")
    cells[:, :, : width - 1][quotients[:, :, :-1] == 0] = 0  # leading zeros; the last digit stays

    def constant(text):
        return np.broadcast_to(np.frombuffer(text, np.uint8), (n_rows, len(text)))

    layout = (constant(contig + b"\t"), cells[:, 0], letters[:, None], constant(b"\t"), cells[:, 1:].reshape(n_rows, -1), constant(b".\n"))
    matrix = np.hstack(layout)
    text = matrix[matrix != 0].tobytes()
    ends = np.cumsum(np.count_nonzero(matrix, axis=1))
    pieces, done = [], 0
    for row in sorted(indels):
        dot = int(ends[row]) - 2
        pieces += [text[done:dot], indels[row]]
        done = dot + 1
    return b"".join([*pieces, text[done:]])


class _Tsv:
    """Header and lines into `sink`."""

    def __init__(self, sink):
        self._sink = sink
        sink.write(("#" + "\t".join(COLUMNS) + "\n").encode())

    def add(self, contig, pileup, codes):
        self._sink.write(tsv_rows(contig, pileup, codes))

    def commit(self):
        self._sink.commit()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._sink.abort()


class _Arrow:
    """An Arrow IPC file (Feather), one record batch a window."""

    def __init__(self, file):
        try:
            import pyarrow as pa
        except ImportError as error:
            file.abort()
            raise UsageError(
                f"output {file.shown}: found no pyarrow, expected it for Arrow files. pip install pyarrow, or write .tsv"
            ) from error
        self._pa = pa
        self._file = file
        counts = [(name, pa.int32()) for name in PILEUP_FIELDS]
        columns = [("contig", pa.string()), ("pos", pa.int32()), ("ref", pa.string()), *counts, ("indels", pa.string())]
        self._schema = pa.schema(columns)
        self._sink = pa.OSFile(str(file.temporary), "wb")
        self._writer = pa.ipc.new_file(self._sink, self._schema)

    def add(self, contig, pileup, codes):
        indels = indel_texts(pileup)
        n = pileup.n_positions
        columns = [
            np.full(n, contig, object),
            np.arange(pileup.start + 1, pileup.start + n + 1, dtype=np.int32),
            np.array(list(BASES), object)[codes],
            *pileup.counts,
            [indels.get(row) for row in range(n)],
        ]
        arrays = [self._pa.array(column, field.type) for column, field in zip(columns, self._schema)]
        self._guarded(self._writer.write_batch, self._pa.record_batch(arrays, self._schema))

    def commit(self):
        self._guarded(self._writer.close)
        self._guarded(self._sink.close)
        self._file.commit()

    def _guarded(self, function, *arguments):
        try:
            function(*arguments)
        except OSError as error:
            raise self._file.refused(error) from error

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        with suppress(OSError):  # what a full disk refuses to take no longer matters
            self._sink.close()
        self._file.abort()
