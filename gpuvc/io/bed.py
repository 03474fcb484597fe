"""Where to call: region strings, BED, Picard interval_list and VCF become sorted, disjoint intervals per contig.

    what is read          positions           suffix
    region string         1-based, closed     chr1, chr1:5, chr1:5-90, chr1:5+, HLA-A*01:01:5-90
    BED                   0-based, half-open  .bed
    Picard interval_list  1-based, closed     .interval_list .picard
    VCF, BCF              POS to POS + length of REF - 1, or to INFO/END     .vcf .bcf
    list of regions       one region string a line                           .list .intervals

Every text format may be compressed (gzip or bgzip), and then its suffix may carry a further .gz or .bgz.
"""

import gzip
import io
import re
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from gpuvc.errors import InputError, UsageError
from gpuvc.intervals import Contigs, Interval
from gpuvc.settings import MAX_PLOIDY

SET_RULES = ("UNION", "INTERSECTION")

_POSITIONS = re.compile(r"(\d[\d,]{,23})(?:-(\d[\d,]{,23})|(\+))?", re.ASCII)
_INFO_END = re.compile(r"(?:^|;)END=(\d{1,18})(?:;|$)", re.ASCII)
_VCF_CONTIG = re.compile(r"##contig=<(?:.*,)?ID=([^,>]+)(?:.*,length=(\d+))?", re.ASCII)
_SHOWN = 40  # characters of a malformed line that a message repeats


def resolve_intervals(
    include: Sequence[str],
    exclude: Sequence[str] = (),
    *,
    contigs: Contigs,
    padding: int = 0,
    exclude_padding: int = 0,
    set_rule: str = "UNION",
) -> list[np.ndarray]:
    """The positions to call, one int64[n, 2] per contig: sorted, apart from each other, 0-based, half-open.

    Intervals that overlap or touch are one. GATK may keep touching ones apart (--interval-merging-rule OVERLAPPING_ONLY), but its
    HaplotypeCaller goes on from one into the next.

    Parameters
    ----------
    include, exclude
        Region strings and file names. No `include` means all contigs whole.
    contigs
        Of the alignments' header; names and bounds are checked against it.
    padding, exclude_padding
        Widen each interval by so many bp on either side (kept on its contig), before they are joined.
    set_rule
        UNION or INTERSECTION of the sources in `include`; exclusions are always joined.

    Raises
    ------
    UsageError
        A region string or a rule is wrong, or no position is left.
    InputError
        A file is missing, malformed, empty, or names a contig or position that the alignments do not have; with file and line.
    """
    if set_rule not in SET_RULES:
        raise UsageError(f"rule in --interval-set-rule: found {set_rule!r}, expected {' or '.join(SET_RULES)}.")
    for bp, option in ((padding, "--interval-padding"), (exclude_padding, "--interval-exclusion-padding")):
        if bp < 0:
            raise UsageError(f"padding in {option}: found {bp}, expected 0 or more bp.")

    if include:
        sources = [_read_source(source, "-L", contigs, padding) for source in include]
        targets = _join(sources) if set_rule == "UNION" else _intersect_all(sources)
        if not any(map(len, targets)):
            raise UsageError(
                f"intervals in -L: found no position common to {', '.join(include)}, expected at least one. "
                "Join them with --interval-set-rule UNION."
            )
    else:
        targets = [np.array([[0, length]] if length else [], np.int64).reshape(-1, 2) for length in contigs.lengths]
    if exclude:
        holes = _join([_read_source(source, "-XL", contigs, exclude_padding) for source in exclude])
        targets = [_subtract(wanted, unwanted, length) for wanted, unwanted, length in zip(targets, holes, contigs.lengths)]
        if not any(map(len, targets)):
            raise UsageError("intervals in -XL: found every position excluded, expected some left to call. Exclude less.")
    return targets


def parse_region(text: str, contigs: Contigs, *, where: str = "-L", error: type = UsageError) -> Interval:
    """The interval that a region string names.

    The contig is the longest reading: names may hold colons (HLA-A*01:01:01:01). Where both readings exist, braces decide:
    {chr1}:5-90 or {chr1:5-90}.

    Raises
    ------
    error
        Unknown contig, malformed or impossible positions, or two readings; `where` says in which place.
    """
    text = text.strip()
    if text.startswith("{"):
        name, closed, positions = text[1:].partition("}")
        if not closed or (positions and not positions.startswith(":")):
            raise error(f"region in {where}: found {_short(text)}, expected {{contig}} or {{contig}}:start-end.")
        positions = positions[1:]
    else:
        name, _, positions = text.rpartition(":")
        if text in contigs.index:
            if name in contigs.index and _POSITIONS.fullmatch(positions):
                raise error(
                    f"region in {where}: found {text!r}, which names both a contig and a part of contig {name}, expected one meaning. "
                    f"Write {{{text}}} or {{{name}}}:{positions}."
                )
            name, positions = text, ""
        elif name not in contigs.index and not _POSITIONS.fullmatch(positions):
            name, positions = text, ""  # neither reading fits: the whole string is the name that is not there
    contig_id = contigs.index.get(name)
    if contig_id is None:
        raise error(_unknown_contig(name, contigs, where))
    length = contigs.lengths[contig_id]
    if not length:
        raise error(f"region in {where}: found {_short(text)}, a contig of 0 bp, expected one with bases.")
    if not positions and (name == text or not text.endswith(":")):
        return Interval(contig_id, 0, length)
    match = _POSITIONS.fullmatch(positions)
    if not match:
        raise error(f"positions in {where}: found {_short(text)}, expected {name}:start-end, {name}:position or {name}:start+ (1-based).")
    start, end, to_the_end = match.groups()
    start = int(start.replace(",", ""))
    end = length if to_the_end else int((end or str(start)).replace(",", ""))
    if not 1 <= start <= end <= length:
        raise error(f"positions in {where}: found {_short(text)}, expected 1 <= start <= end <= {length}, the length of {name}.")
    return Interval(contig_id, start - 1, end)


def check_contigs(alignments: Contigs, reference: Contigs, alignments_name: str, reference_name: str) -> list[str]:
    """Names of the alignments' contigs that the reference lacks; harmless unless intervals ask for them or reads lie on them.

    Raises
    ------
    InputError
        The alignments have no contigs, share none with the reference, or a shared one has another length there.
    """
    if not len(alignments):
        raise InputError(f"header of {alignments_name}: found no contigs (@SQ lines), expected aligned reads. Align them first.")
    for contigs, name in ((alignments, alignments_name), (reference, reference_name)):
        if len(contigs.index) < len(contigs):
            twice = next(contig for k, contig in enumerate(contigs.names) if contigs.index[contig] != k)
            raise InputError(f"contigs of {name}: found {twice} more than once, expected names that differ. Rename or drop one of them.")
    missing = []
    for name, length in zip(alignments.names, alignments.lengths):
        contig_id = reference.index.get(name)
        if contig_id is None:
            missing.append(name)
        elif reference.lengths[contig_id] != length:
            raise InputError(
                f"contig {name} in {reference_name}: found {reference.lengths[contig_id]} bp, "
                f"expected {length} bp as in {alignments_name}. Use the reference that the reads were aligned to."
            )
    if len(missing) == len(alignments):
        first = next((name for name in missing if _other_name(name, reference)), missing[0])
        raise InputError(missing_contig(first, reference, alignments_name, reference_name))
    return missing


def check_targets(
    targets: list[np.ndarray], missing: Sequence[str], alignments: Contigs, reference: Contigs, alignments_name, reference_name
):
    """Raise InputError if `targets`, which the user asked for, touch a contig that the reference lacks (`missing` of `check_contigs`)."""
    for name in missing:
        if len(targets[alignments.index[name]]):
            raise InputError(missing_contig(name, reference, alignments_name, reference_name))


def missing_contig(name: str, reference: Contigs, alignments_name: str, reference_name: str) -> str:
    """The message for contig `name` of the alignments that the reference lacks; names the remedy if it is there under another name."""
    other = _other_name(name, reference)
    if other == "chr" + name:
        remedy = f"Its names begin with chr: use the reference that the reads were aligned to, or rename: sed 's/^>chr/>/' {reference_name}"
    elif other and name == "chr" + other:
        remedy = f"Its names lack chr: use the reference that the reads were aligned to, or rename: sed 's/^>/>chr/' {reference_name}"
    else:
        remedy = "Use the reference that the reads were aligned to"
    found = _list_names(reference, other)
    return f"contigs in {reference_name}: found {found}, expected {name[:_SHOWN]} as in {alignments_name}. {remedy}."


# ---------------------------------------------------------------------------------------------------------------- sets of intervals


def _read_source(source: str, option: str, contigs: Contigs, padding: int) -> list[np.ndarray]:
    """One source, padded and merged: int64[n, 2] per contig."""
    rows = _rows_of(source, option, contigs)
    contig_ids, starts, ends = np.array(rows, np.int64).T
    lengths = np.array(contigs.lengths, np.int64)
    starts = np.maximum(starts - padding, 0)
    ends = np.minimum(ends + padding, lengths[contig_ids])
    order = np.lexsort((ends, starts, contig_ids))
    bounds = np.searchsorted(contig_ids[order], np.arange(len(contigs) + 1))
    intervals = np.stack([starts, ends], axis=1)[order]
    return [_merge(intervals[a:b]) for a, b in pairwise(bounds)]


def _merge(intervals: np.ndarray) -> np.ndarray:
    """Intervals apart from each other from sorted ones."""
    if len(intervals) < 2:
        return intervals
    reach = np.maximum.accumulate(intervals[:, 1])
    first = np.flatnonzero(np.concatenate([[True], intervals[1:, 0] > reach[:-1]]))
    last = np.append(first[1:], len(intervals)) - 1
    return np.stack([intervals[first, 0], reach[last]], axis=1)


def _join(sources: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Union, contig by contig."""
    joined = []
    for parts in zip(*sources):
        intervals = np.concatenate(parts)
        joined.append(_merge(intervals[np.lexsort((intervals[:, 1], intervals[:, 0]))]))
    return joined


def _intersect_all(sources: list[list[np.ndarray]]) -> list[np.ndarray]:
    targets = sources[0]
    for source in sources[1:]:
        targets = [_intersect(a, b) for a, b in zip(targets, source)]
    return targets


def _intersect(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Positions in both of two sorted, disjoint sets; borders of either stay borders."""
    first = np.searchsorted(b[:, 1], a[:, 0], side="right")  # the first of b that ends past a's start
    last = np.searchsorted(b[:, 0], a[:, 1], side="left")  # one past the last of b that starts before a's end
    n = last - first
    in_a = np.repeat(np.arange(len(a)), n)
    in_b = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + np.repeat(first, n)
    return np.stack([np.maximum(a[in_a, 0], b[in_b, 0]), np.minimum(a[in_a, 1], b[in_b, 1])], axis=1)


def _subtract(a: np.ndarray, b: np.ndarray, length: int) -> np.ndarray:
    """Positions in `a` and not in `b`, on a contig of `length` bp."""
    rest = np.stack([np.append(0, b[:, 1]), np.append(b[:, 0], length)], axis=1)
    return _intersect(a, rest[rest[:, 0] < rest[:, 1]])


# ---------------------------------------------------------------------------------------------------------------- sources


def _rows_of(source: str, option: str, contigs: Contigs) -> list[tuple[int, int, int]]:
    """(contig_id, start, end) of every interval in a region string or a file; never empty."""
    if source in contigs.index or source.rpartition(":")[0] in contigs.index:
        return [_row(parse_region(source, contigs, where=option))]
    stem = re.sub(r"\.b?gz$", "", source.lower())
    reader = next((reader for suffix, reader in _READERS.items() if stem.endswith(suffix)), None)
    if reader is None:
        if Path(source).exists():
            raise UsageError(f"file in {option}: found {source}, expected a name that ends in {' '.join(_READERS)} (or that and .gz).")
        return [_row(parse_region(source, contigs, where=option))]
    if not Path(source).is_file():
        found = "a folder" if Path(source).is_dir() else "no such file"
        raise InputError(f"intervals in {source}: found {found}, expected the file named by {option}.")
    try:
        rows = reader(source, contigs)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"intervals in {source}: found it unreadable ({error}), expected a whole file.") from error
    if not rows:
        raise InputError(f"intervals in {source}: found none, expected at least one.")
    return rows


def _row(interval: Interval) -> tuple[int, int, int]:
    return interval.contig_id, interval.start, interval.end


def _lines(path: str):
    """(place, line) of each line that is not blank; compressed files are recognised by their first bytes."""
    with open(path, "rb") as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        binary = gzip.open(raw) if compressed else raw
        for number, line in enumerate(io.TextIOWrapper(binary, "utf-8", errors="surrogateescape"), 1):
            line = line.rstrip("\n")
            if line.strip():
                yield f"{path}:{number}", line


def _read_bed(path, contigs):
    return [row for row, _, _ in _bed_features(path, contigs)]


def _bed_features(path, contigs):
    """((contig_id, start, end), name or None, place) of each line of a BED file."""
    for where, line in _lines(path):
        fields = line.split(None, 4)
        if line.startswith("#") or fields[0] in ("track", "browser"):
            continue
        if len(fields) < 3 or not (_is_number(fields[1]) and _is_number(fields[2])):
            raise InputError(f"line in {where}: found {_short(line)}, expected contig, start and end of a BED file.")
        start, end = int(fields[1]), int(fields[2])
        contig_id, length = _contig(fields[0], contigs, where)
        if not start < end <= length:
            raise InputError(
                f"interval in {where}: found {start} to {end}, expected start < end <= {length}, the length of {fields[0]} "
                "(BED is 0-based, half-open)."
            )
        yield (contig_id, start, end), fields[3] if len(fields) > 3 else None, where


def _read_interval_list(path, contigs):
    return [row for row, _, _ in _interval_list_features(path, contigs)]


def _interval_list_features(path, contigs):
    """((contig_id, start, end), name or None, place) of each line of a Picard interval_list."""
    has_header = False
    for where, line in _lines(path):
        if line.startswith("@"):
            if line.startswith("@SQ\t"):
                has_header = True
                tags = dict(field.split(":", 1) for field in line.split("\t")[1:] if ":" in field)
                check_length(tags.get("SN"), tags.get("LN"), contigs, where)
            continue
        if line.startswith("#"):
            continue
        # Without its header nothing tells 1-based intervals from a BED file of another name.
        if not has_header:
            raise InputError(f"header in {where}: found none, expected the @SQ lines of a Picard interval_list. Name BED files .bed.")
        fields = line.split("\t")
        strand = fields[3] if len(fields) > 3 else "+"
        if len(fields) < 3 or not (_is_number(fields[1]) and _is_number(fields[2])) or strand not in ("+", "-", "."):
            raise InputError(f"line in {where}: found {_short(line)}, expected contig, start, end, strand and name, separated by tabs.")
        start, end = int(fields[1]), int(fields[2])
        contig_id, length = _contig(fields[0], contigs, where)
        if not 1 <= start <= end <= length:
            raise InputError(
                f"interval in {where}: found {start} to {end}, expected 1 <= start <= end <= {length}, the length of {fields[0]} "
                "(interval_list is 1-based, closed)."
            )
        yield (contig_id, start - 1, end), fields[4] if len(fields) > 4 else None, where


def _read_vcf(path, contigs):
    rows = []
    for where, line in _lines(path):
        if line.startswith("#"):
            match = _VCF_CONTIG.match(line)
            if match:
                check_length(*match.groups(), contigs, where)
            continue
        fields = line.split("\t", 8)
        if len(fields) < 8 or not _is_number(fields[1]):
            raise InputError(f"line in {where}: found {_short(line)}, expected the eight columns of a VCF record.")
        end = _INFO_END.search(fields[7])
        start = int(fields[1]) - 1
        rows.append(_variant_row(fields[0], start, int(end.group(1)) if end else start + len(fields[3]), contigs, where))
    return rows


def _read_bcf(path, contigs):
    import pysam

    try:
        with pysam.VariantFile(path) as variants:
            for name, record in variants.header.contigs.items():
                check_length(name, record.length or None, contigs, path)
            return [_variant_row(v.chrom, v.start, v.stop, contigs, f"{path} (record {n})") for n, v in enumerate(variants, 1)]
    except (ValueError, AssertionError) as error:  # the latter is pysam's for a header whose contigs have no consecutive numbers
        raise InputError(f"intervals in {path}: found no BCF ({error}), expected one.") from error


def _variant_row(name, start, end, contigs, where):
    contig_id, length = _contig(name, contigs, where)
    if not 0 <= start < end <= length:
        raise InputError(f"record in {where}: found {start + 1} to {end}, expected 1 <= start <= end <= {length}, the length of {name}.")
    return contig_id, start, end


def _read_list(path, contigs):
    return [
        _row(parse_region(line, contigs, where=where, error=InputError))
        for where, line in _lines(path)
        if not line.lstrip().startswith("#")
    ]


_READERS = {
    ".bed": _read_bed,
    ".interval_list": _read_interval_list,
    ".picard": _read_interval_list,
    ".vcf": _read_vcf,
    ".bcf": _read_bcf,
    ".list": _read_list,
    ".intervals": _read_list,
}


# ---------------------------------------------------------------------------------------------------------------- ploidies

_PLOIDY_FEATURES = {".bed": _bed_features, ".interval_list": _interval_list_features, ".picard": _interval_list_features}


def read_ploidies(path: str, contigs: Contigs) -> list[np.ndarray]:
    """Parts of the genome with a ploidy of their own, one int64[n, 3] per contig: start, end (0-based, half-open), ploidy; by start.

    Parameters
    ----------
    path
        BED with the ploidy as name (column 4), or a Picard interval_list likewise (column 5).

    Raises
    ------
    InputError
        The file is missing, malformed, names a contig or position that the alignments do not have, or something else than a ploidy.
    """
    stem = re.sub(r"\.b?gz$", "", path.lower())
    features = next((reader for suffix, reader in _PLOIDY_FEATURES.items() if stem.endswith(suffix)), None)
    if features is None:
        raise UsageError(f"file in --ploidy-regions: found {path}, expected a name that ends in {' '.join(_PLOIDY_FEATURES)}.")
    by_contig: list[list] = [[] for _ in contigs.names]
    try:
        for (contig_id, start, end), name, where in features(path, contigs):
            name = (name or "").strip()
            if not _is_number(name) or not 1 <= int(name) <= MAX_PLOIDY:
                found = _short(name) if name else "none"
                raise InputError(f"ploidy in {where}: found {found}, expected a number from 1 to {MAX_PLOIDY} as the interval's name.")
            by_contig[contig_id].append((start, end, int(name)))
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"ploidies in {path}: found it unreadable ({error}), expected the file named by --ploidy-regions.") from error
    return [np.array(sorted(rows), np.int64).reshape(-1, 3) for rows in by_contig]


# ---------------------------------------------------------------------------------------------------------------- names and lengths


def _is_number(text):
    return text.isascii() and text.isdigit() and len(text) <= 18  # no genome is longer, and Python's int has its limit


def _short(text):
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _contig(name, contigs, where):
    """contig_id and length."""
    contig_id = contigs.index.get(name)
    if contig_id is None:
        raise InputError(_unknown_contig(name, contigs, where))
    return contig_id, contigs.lengths[contig_id]


def check_length(name, length, contigs, where):
    """Raise InputError where a header gives a contig of the alignments another length (a number or digits; None: unstated)."""
    contig_id = contigs.index.get(name)
    if contig_id is not None and length is not None and str(length) != str(contigs.lengths[contig_id]):
        raise InputError(
            f"contig {name} in {where}: found {length} bp, expected {contigs.lengths[contig_id]} bp as in the alignments. "
            "The file was made for another reference."
        )


def _other_name(name, contigs):
    """The name under which `contigs` may hold contig `name`: with or without chr, M as MT; None if it does not."""
    bare = name.removeprefix("chr")
    candidates = [bare, "chr" + bare, *{"M": ["MT"], "MT": ["M", "chrM"]}.get(bare, [])]
    return next((c for c in candidates if c != name and c in contigs.index), None)


def _list_names(contigs, first=None):
    """A few names for a message, `first` among them."""
    names = sorted(contigs.names, key=lambda name: name != first)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..." for name in names[:3]) or "none") + more


def _unknown_contig(name, contigs, where):
    other = _other_name(name, contigs)
    if other:
        return (
            f"contig in {where}: found {_short(name)}, expected a contig of the alignments, which call it {other!r}. "
            f"Write {other} for {name}."
        )
    return f"contig in {where}: found {_short(name)}, expected a contig of the alignments ({_list_names(contigs)})."
