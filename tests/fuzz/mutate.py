"""Mutations: pure functions of bytes and of numbers that a key alone decides, so a failure is reproducible by its number."""

import gzip
import hashlib
import struct

from tests.unit.io import bam_files

INT32 = (0, 1, -1, -2, 2, 255, 256, 65535, 65536, 1 << 20, 1 << 28, (1 << 31) - 1, -(1 << 31))
INT64 = (0, 1, -1, 1 << 16, 1 << 31, 1 << 47, (1 << 48) - 1, 1 << 62, (1 << 63) - 1, -(1 << 63))
BYTES = (0, 1, 2, 0x0A, 0x20, 0x7F, 0x80, 0xFE, 0xFF)
FIELDS = (
    "", " ", ".", "*", "-", "0", "1", "-1", "+5", "00100", "1e3", "2.5", "0x10", "1_000", "1,000", "\u0661\u0662", "\uff11\uff12", "\u00b2",
    "99999", "2147483647", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808", "9" * 60, "9" * 5000, "NaN", "inf",
    "chr1", "chr2", "1", "chr3", "CHR1", "chr1 ", "\u00e9\u6f22", "\x00", "\x1b[31m", "\ufeffchr1", "A" * 70_000,
    "#", "%s{}", "\r", "\udcff",
)  # fmt: skip


class Draws:
    """Numbers that follow from a key: hashed, not drawn, so that none depends on those taken elsewhere."""

    def __init__(self, *key):
        self._key = "/".join(map(str, key)).encode()
        self._n = 0

    def below(self, n):
        """A whole number in [0, n)."""
        self._n += 1
        digest = hashlib.blake2b(self._key + b"#%d" % self._n, digest_size=8).digest()
        return int.from_bytes(digest, "little") % n

    def pick(self, choices):
        return choices[self.below(len(choices))]

    def one_in(self, n):
        return self.below(n) == 0


def put(data, at, layout, value):
    """`data` with a number at `at`, wrapped to its width."""
    size = struct.calcsize(layout)
    if at + size > len(data):
        return data
    return data[:at] + (value % (1 << 8 * size)).to_bytes(size, "little") + data[at + size :]


def _range(data, draws):
    start = draws.below(len(data) + 1)
    return start, min(len(data), start + 1 + draws.below(draws.pick((2, 16, 300, len(data) + 1))))


def _flip(data, draws):
    at = draws.below(len(data))
    return data[:at] + bytes([data[at] ^ 1 << draws.below(8)]) + data[at + 1 :]


def _set(data, draws):
    at = draws.below(len(data))
    return data[:at] + bytes([draws.pick((*BYTES, draws.below(256)))]) + data[at + 1 :]


def _set_int32(data, draws):
    return put(data, draws.below(len(data)), "<i", draws.pick(INT32))


def _set_int64(data, draws):
    return put(data, draws.below(len(data)), "<q", draws.pick(INT64))


def _cut(data, draws):
    return data[: draws.below(len(data))]


def _drop(data, draws):
    start, end = _range(data, draws)
    return data[:start] + data[end:]


def _repeat(data, draws):
    start, end = _range(data, draws)
    return data[:end] + data[start:end] * (1 + draws.below(3)) + data[end:]


def _swap(data, draws):
    a, b, c, d = sorted((*_range(data, draws), *_range(data, draws)))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _insert(data, draws):
    at = draws.below(len(data) + 1)
    return data[:at] + bytes([draws.pick(BYTES)]) * draws.pick((1, 2, 4, 100)) + data[at:]


def _fill(data, draws):
    start, end = _range(data, draws)
    return data[:start] + bytes([draws.pick(BYTES)]) * (end - start) + data[end:]


_ANYWHERE = (_flip, _flip, _set, _set, _set_int32, _set_int64, _cut, _drop, _repeat, _swap, _insert, _fill)


def mutate_bytes(data, draws):
    """One change of `data`, whatever it is."""
    return draws.pick(_ANYWHERE)(data, draws) if data else b"\0"


# ------------------------------------------------------------------------------------------------------------------- text


def _one_field(line, draws):
    separator = "\t" if "\t" in line else ":" if ":" in line else " "
    fields = line.split(separator)
    fields[draws.below(len(fields))] = draws.pick(FIELDS)
    return separator.join(fields)


def _near_number(line, draws):
    """A number of the line a little, or much, higher or lower."""
    fields = line.split("\t")
    numbers = [k for k, field in enumerate(fields) if field.isascii() and field.isdigit()]
    if numbers:
        k = draws.pick(numbers)
        fields[k] = str(int(fields[k]) + draws.pick((-1, 1, -2, 7, 100, -100, 900, 3000, -100_000)))
    return "\t".join(fields)


def _swap_fields(line, draws):
    fields = line.split("\t")
    a, b = draws.below(len(fields)), draws.below(len(fields))
    fields[a], fields[b] = fields[b], fields[a]
    return "\t".join(fields)


_ON_LINES = (
    _one_field, _one_field, _one_field, _near_number, _near_number, _near_number, _swap_fields,
    lambda line, draws: line.replace("\t", draws.pick((" ", "  ", "\t\t", ",", ""))),
    lambda line, draws: line + draws.pick(("\r", "\t", " ", "\tx", "\0", "\x0b", "\x0c", "\x85", "\u2028", "\tA" * 300, "x" * 200_000)),
    lambda line, draws: draws.pick((" ", "\t", "#", "@", "\ufeff", "\0", "track ")) + line,
    lambda line, draws: line[: draws.below(len(line) + 1)],
    lambda line, draws: line.swapcase(),
)  # fmt: skip


def mutate_text(data, draws):
    """One change of the lines of a text."""
    text = data.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    at = draws.below(len(lines))
    kind = draws.below(12)
    if kind < 7:
        lines[at] = draws.pick(_ON_LINES)(lines[at], draws)
    elif kind == 7:
        del lines[at]
    elif kind == 8:
        lines.insert(draws.below(len(lines) + 1), lines[at])
    elif kind == 9:
        other = draws.below(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == 10:
        breaks = text.replace("\n", "\r\n"), text.replace("\n", "\r"), text.rstrip("\n"), "\n\n" + text, text + "\n \n\t\n"
        return draws.pick(breaks).encode("utf-8", "surrogateescape")
    else:
        return mutate_bytes(data, draws)
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def compress(data, draws):
    """The data gzipped or bgzipped, sometimes damaged."""
    if draws.one_in(2):
        packed = gzip.compress(data, 1, mtime=0)
    else:
        packed = bam_files.block(data[:60_000]) + bam_files.EOF_BLOCK
    return packed if draws.below(3) else mutate_bytes(packed, draws)


def several(mutation, data, draws):
    """One change, or a few."""
    for _ in range(draws.pick((1, 1, 1, 2, 4))):
        data = mutation(data, draws)
    return data
