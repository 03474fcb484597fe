"""The text formats read a second time, line by line and by their documentation alone: what gpuvc's readers are held against."""

import gzip
import io
import re
import zlib

from tests.fuzz.seeds import LENGTHS


class Refused(Exception):
    """What the text holds is no such file."""


def _number(text):
    if not re.fullmatch("[0-9]+", text):
        raise Refused(f"{text[:40]!r} is no number")
    return int(text) if len(text) < 4000 else 10**4000


def lines_of(data, breaks="\r\n|\r|\n"):
    """The lines of a text that may be compressed."""
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read()
        except (OSError, EOFError, zlib.error) as error:
            raise Refused(str(error)) from error
    text = data.decode("utf-8", "surrogateescape")
    return [line for line in re.split(breaks, text) if line.strip()]


def _closed(contig, start, end):
    """A 1-based closed interval as (contig, start, end), 0-based half-open."""
    if contig not in LENGTHS or not 1 <= start <= end <= LENGTHS[contig]:
        raise Refused(f"{contig[:40]!r}:{start}-{end}")
    return contig, start - 1, end


def bed(data):
    """[(contig, start, end)] of a BED file."""
    found = []
    for line in lines_of(data):
        fields = line.split()
        if line[0] == "#" or fields[0] in ("track", "browser"):
            continue
        if len(fields) < 3:
            raise Refused("too few columns")
        found.append(_closed(fields[0], _number(fields[1]) + 1, _number(fields[2])))
    return found


def interval_list(data):
    """[(contig, start, end)] of a Picard interval_list."""
    found, has_header = [], False
    for line in lines_of(data):
        fields = line.split("\t")
        if line[0] == "@":
            if fields[0] == "@SQ" and len(fields) > 1:
                has_header = True
                tags = {field[:2]: field[3:] for field in fields[1:] if field[2:3] == ":"}
                if tags.get("SN") in LENGTHS and tags.get("LN", str(LENGTHS[tags["SN"]])) != str(LENGTHS[tags["SN"]]):
                    raise Refused("another length")
        elif line[0] != "#":
            if not has_header or len(fields) < 3 or (len(fields) > 3 and fields[3] not in ("+", "-", ".")):
                raise Refused("header or strand")
            found.append(_closed(fields[0], _number(fields[1]), _number(fields[2])))
    return found


_REGION = r"(?:\{(?P<closed>[^}]*)\}|(?P<open>[^{].*?))(?::(?P<start>[0-9][0-9,]*)(?:-(?P<end>[0-9][0-9,]*)|(?P<plus>\+))?)?"


def region_list(data):
    """[(contig, start, end)] of region strings, one a line."""
    found = []
    for line in lines_of(data):
        line = line.strip()
        if line[0] == "#":
            continue
        match = re.fullmatch(_REGION, line, re.DOTALL)
        if not match:
            raise Refused(f"region {line[:40]!r}")
        contig = match["open"] or match["closed"] or ""
        if contig not in LENGTHS:
            raise Refused(f"contig {contig[:40]!r}")
        start = _number((match["start"] or "1").replace(",", ""))
        whole = match["start"] is None or match["plus"]
        found.append(_closed(contig, start, LENGTHS[contig] if whole else _number((match["end"] or str(start)).replace(",", ""))))
    return found


def vcf_intervals(data):
    """[(contig, start, end)] of a VCF's records: POS to the end of REF, or to INFO/END."""
    found = []
    for line in lines_of(data):
        if line[0] == "#":
            match = re.match(r"##contig=<(.*)>?", line)
            tags = dict(re.findall(r"(?:^|,)(ID|length)=([^,>]*)", match[1])) if match else {}
            length = tags.get("length", "")
            if tags.get("ID") in LENGTHS and re.fullmatch("[0-9]+", length) and length != str(LENGTHS[tags["ID"]]):
                raise Refused("another length")
            continue
        fields = line.split("\t")
        if len(fields) < 8:
            raise Refused("too few columns")
        pos = _number(fields[1])
        ends = [part[4:] for part in fields[7].split(";") if re.fullmatch("END=[0-9]+", part)]
        found.append(_closed(fields[0], pos, _number(ends[0]) if ends else pos + len(fields[3]) - 1))
    return found


def merged(intervals):
    """{contig: [[start, end]]}, sorted; what overlaps or touches is one."""
    found = {contig: [] for contig in LENGTHS}
    for contig, start, end in sorted(intervals):
        rows = found[contig]
        if rows and start <= rows[-1][1]:
            rows[-1][1] = max(rows[-1][1], end)
        else:
            rows.append([start, end])
    return found


def fasta(data):
    """{name: sequence} of a FASTA; the first of several of one name."""
    found, name = {}, None
    for line in data.decode("latin-1").split("\n"):
        if line.startswith(">"):
            words = line[1:].split()
            name = words[0] if words and not line[1:2].isspace() else ""
            name = None if name in found else name
            if name is not None:
                found[name] = []
        elif name is not None:
            found[name].append("".join(letter for letter in line if "!" <= letter <= "~"))
    return {name: "".join(parts) for name, parts in found.items()}


def vcf_alleles(data):
    """{contig: [(start, ref, alts)]} of the records without a filter, by position."""
    found = {contig: [] for contig in LENGTHS}
    for line in lines_of(data, "\r?\n"):
        if line[0] == "#":
            continue
        fields = line.split("\t")
        if len(fields) < 8:
            raise Refused("too few columns")
        pos = _number(fields[1])
        if set(fields[6].split(";")) <= {"PASS", "."} and fields[0] in found:
            alts = tuple(alt.upper() for alt in fields[4].split(",") if alt != ".")
            found[fields[0]].append((pos - 1, fields[3].upper(), alts))
    return {contig: sorted(records, key=lambda record: record[0]) for contig, records in found.items()}
