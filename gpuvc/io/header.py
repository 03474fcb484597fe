"""The header of an alignment file: its text, contigs and read groups."""

import re
import struct
from dataclasses import dataclass
from functools import cached_property

from gpuvc.errors import InputError
from gpuvc.intervals import Contigs


@dataclass(frozen=True, slots=True)
class ReadGroup:
    """One @RG line; `sample` is None without SM."""

    id: str
    sample: str | None


@dataclass(frozen=True)
class Header:
    """`n_bytes` is the header's length in inflated BAM bytes (0 where it did not come from BAM)."""

    text: str
    contigs: Contigs
    n_bytes: int = 0

    @cached_property
    def read_groups(self):
        """The @RG lines in order."""
        groups = []
        for line in self.text.splitlines():
            if line.startswith("@RG\t"):
                fields = dict(field.split(":", 1) for field in line.split("\t")[1:] if ":" in field)
                if "ID" in fields:
                    groups.append(ReadGroup(fields["ID"], fields.get("SM") or None))
        return tuple(groups)

    @cached_property
    def sort_order(self):
        """SO of the @HD line, or None."""
        first = self.text.split("\n", 1)[0]
        if not first.startswith("@HD\t"):
            return None
        return next((field[3:] for field in first.split("\t") if field.startswith("SO:")), None)


def parse_bam_header(data, path):
    """The header at the start of `data` (inflated bytes of a BAM), or None where `data` ends before it does."""

    def wrong(what, value, expectation):
        return InputError(f"{what} in {path}: found {value}, expected {expectation}. Is it a BAM file? samtools quickcheck {path}")

    if len(data) < 4:
        return None
    if data[:4] != b"BAM\1":
        raise wrong("first bytes of the inflated data", repr(bytes(data[:4])), "BAM\\1")
    try:
        (n_text,) = struct.unpack_from("<i", data, 4)
        if n_text < 0:
            raise wrong("header length", n_text, "0 or more")
        (n_contigs,) = struct.unpack_from("<i", data, 8 + n_text)
        if n_contigs < 0:
            raise wrong("number of contigs", n_contigs, "0 or more")
        names, lengths, at = [], [], 12 + n_text
        for _ in range(n_contigs):
            (n_name,) = struct.unpack_from("<i", data, at)
            if not 1 < n_name <= 1 << 16:
                raise wrong("length of a contig's name", n_name, "2 to 65536, with its NUL")
            name, length = struct.unpack_from(f"<{n_name}si", data, at + 4)
            if name[-1] or length < 0:
                raise wrong("contig", f"{name[:40]!r} of {length} bp", "a NUL-terminated name and a length")
            names.append(name[:-1].decode("utf-8", "replace"))
            lengths.append(length)
            at += 8 + n_name
    except struct.error:
        return None
    text = bytes(data[8 : 8 + n_text]).rstrip(b"\0").decode("utf-8", "replace")
    for line in text.removesuffix("\n").split("\n") if text else ():
        if not re.match("@(CO|[A-Za-z]{2}(\t|$))", line):  # a read group that is not recognised would take its reads along
            raise wrong("line of the header", repr(line if len(line) <= 40 else f"{line[:40]}..."), "@, two letters and a tab")
    return Header(text, Contigs(tuple(names), tuple(lengths)), at)
