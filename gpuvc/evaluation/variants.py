"""VCF or BCF → the variants of one sample: what each copy of the chromosome has in place of a stretch of the reference.

What counts as a variant is what `rtg vcfeval` takes for one: a genotype with at least one alternate allele that is a sequence. The base
that all alleles share in front is no part of it; nothing else is trimmed, so that a copy with the reference allele still claims its bases.
"""

import gzip
import logging
import re
import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from gpuvc.errors import InputError, UsageError
from gpuvc.kernels.codes import CODE_OF_ASCII
from gpuvc.output.files import BGZF_EOF

log = logging.getLogger(__name__)

MAX_ALLELE_LENGTH = 1000  # longer alleles are left out, as vcfeval does
AS_CODES = bytes(CODE_OF_ASCII.tolist())
_CONTIG_LINE = re.compile(rb"##contig=<(?:.*,)?ID=([^,>]+)(?:,.*)?,length=(\d+)")
_LETTERS = b"ACGTNacgtn"
_NO_SEQUENCE_FIRST, _NO_SEQUENCE_LAST = b"<*[]", b">*[]"  # <DEL>, *, breakends
_OVERLAPPED = ord("*")

FILTERED = "filtered"
NO_GENOTYPE = "without a variant genotype"
OTHER_PLOIDY = "of another ploidy"
TOO_LONG = f"with an allele over {MAX_ALLELE_LENGTH} bp"
OFF_REFERENCE = "on no contig of the reference"
UNREADABLE = "with an allele that is no sequence"


@dataclass
class CallSet:
    """The records of one file, and the variants among them, sorted by contig, start and end.

    header : list of bytes
        Lines, the last one begins with #CHROM. sample : str, the chosen one; column : its place among the samples.
    lines : list of bytes
        Records as the file has them, without the line end.
    left_out : Counter
        Reason → records that are no variants.
    contig, start, end, record : int64[n]
        0-based, half-open, behind the base that all alleles share; `record` is an index into `lines`.
    is_snp, passes : bool[n]
        All alleles of the record are one base long; FILTER is PASS or a dot.
    growth : int64[n]
        The most by which an allele is longer or shorter than the reference.
    copies : list of tuple
        By copy of the chromosome: bytes of base codes in place of [start, end), or None where nothing is known.
    genotypes : list of tuple of int
        Number of the allele by copy; -1 for a dot.
    refs : list of bytes
        Base codes of REF, which ends at `end`.
    qual : float64[n]
        Not a number for a dot.
    silent : dict
        (contig, POS - 1) → record, of those without a variant genotype.
    """

    path: str
    header: list
    sample: str
    column: int
    lines: list = field(repr=False)
    left_out: Counter
    contig: np.ndarray
    start: np.ndarray
    end: np.ndarray
    record: np.ndarray
    is_snp: np.ndarray
    passes: np.ndarray
    growth: np.ndarray
    copies: list = field(repr=False)
    genotypes: list = field(repr=False)
    refs: list = field(repr=False)
    qual: np.ndarray
    silent: dict = field(repr=False)

    def __len__(self):
        return len(self.start)

    def take(self, chosen):
        """The CallSet of some of its variants: bool[n]."""
        rows = np.flatnonzero(chosen)
        arrays = {name: getattr(self, name)[rows] for name in ("contig", "start", "end", "record", "is_snp", "passes", "growth", "qual")}
        lists = {name: [getattr(self, name)[i] for i in rows.tolist()] for name in ("copies", "genotypes", "refs")}
        return replace(self, **arrays, **lists)

    def pos1(self, i):
        """POS of the record of variant i."""
        return int(self.fields(i)[1])

    def genotype_text(self, i):
        """GT of variant i, as the file has it."""
        fields = self.fields(i)
        return fields[9 + self.column].split(":")[fields[8].split(":").index("GT")]

    def fields(self, i):
        """The columns of the record of variant i, as text."""
        return self.lines[self.record[i]].decode("utf-8", "replace").split("\t")


def read_call_set(path, contigs, what, *, sample=None, is_sample_certain=True, all_records=False, ploidy=2):
    """CallSet of a VCF or BCF, compressed or not; no index is needed.

    Parameters
    ----------
    contigs : Contigs
        Of the reference.
    what : str
        The role of the file in messages: truth, calls.
    sample : str, optional
        One of several. Where it is not certain to be in this file, the only one of a file serves, too.
    all_records : bool
        Records that a filter marks are variants, too.
    ploidy : int
        A genotype of one allele counts for all copies; other numbers of alleles are left out.

    Raises
    ------
    InputError
        The file is missing, unreadable, truncated or malformed, or made for another reference.
    UsageError
        It has several samples and none is named, or not the one that is.
    """
    text = _read(path, what)
    header, lines = _split(text, path, what)
    _warn_of_lengths(header, contigs, path)
    samples = header[-1].decode("utf-8", "replace").split("\t")[9:]
    if not is_sample_certain and len(samples) == 1:
        sample = None
    sample, column = _choose(samples, sample, path)
    rows, left_out, silent = _parse(lines, column, contigs, path, all_records, ploidy)
    if lines and left_out[OFF_REFERENCE] == len(lines):
        name = lines[0].partition(b"\t")[0].decode("utf-8", "replace")
        raise InputError(
            f"contigs in {path}: found {name}, expected contigs of the reference ({', '.join(contigs.names[:3])}"
            f"{', ...' if len(contigs) > 3 else ''}). Use the reference that the {what} were made with, or bcftools annotate --rename-chrs."
        )
    numbers = np.array([row[:7] for row in rows], np.int64).reshape(-1, 7)
    qual = np.array([row[7] for row in rows], np.float64)
    order = np.lexsort((numbers[:, 2], numbers[:, 1], numbers[:, 0]))
    contig, start, end, record, is_snp, passes, growth = numbers[order].T
    picked = order.tolist()
    return CallSet(
        str(path), header, sample, column, lines, left_out, contig, start, end, record, is_snp.astype(bool), passes.astype(bool), growth,
        [rows[i][8] for i in picked], [rows[i][9] for i in picked], [rows[i][10] for i in picked], qual[order], silent,
    )  # fmt: skip


def _warn_of_lengths(header, contigs, path):
    """A part of a genome keeps the header of the whole: other lengths are a hint, wrong REF bases are the proof."""
    other = []
    for line in header:
        found = _CONTIG_LINE.match(line)
        if found:
            contig_id = contigs.index.get(found[1].decode("utf-8", "replace"))
            if contig_id is not None and int(found[2]) != contigs.lengths[contig_id]:
                other.append(f"{contigs.names[contig_id]} ({int(found[2])} bp, here {contigs.lengths[contig_id]})")
    if other:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        log.warning("%s names other lengths of contigs than the reference: %s%s.", path, other[0], more)


def _read(path, what):
    """All bytes of the text; a BCF is turned into text."""
    if not Path(path).is_file():
        found = "a folder" if Path(path).is_dir() else "no such file"
        raise InputError(f"{what} in {path}: found {found}, expected a VCF or BCF file.")
    try:
        raw = Path(path).read_bytes()
        if raw[:2] != b"\x1f\x8b":
            return raw if raw[:3] != b"BCF" else _read_bcf(path, what)
        if raw[3] & 4 and raw[12:14] == b"BC" and not raw.endswith(BGZF_EOF):
            raise InputError(
                f"{what} in {path}: found no end-of-file block, expected one as bgzip writes it. The file is truncated: copy it again."
            )
        text = gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{what} in {path}: found it truncated or damaged ({error}), expected a whole file. Copy it again.") from error
    except OSError as error:
        raise InputError(f"{what} in {path}: found it unreadable ({error.strerror or error}), expected a VCF or BCF file.") from error
    return text if text[:3] != b"BCF" else _read_bcf(path, what)


def _read_bcf(path, what):
    import pysam

    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(path)) as file:
            return "".join([str(file.header), *map(str, file)]).encode()
    except (OSError, ValueError) as error:
        raise InputError(f"{what} in {path}: found it truncated or damaged ({error}), expected a whole BCF. Copy it again.") from error
    finally:
        pysam.set_verbosity(verbosity)


def _split(text, path, what):
    """(header lines, record lines)."""
    lines = text.splitlines()
    n_header = 0
    while n_header < len(lines) and lines[n_header].startswith(b"#"):
        n_header += 1
    header = lines[:n_header]
    if not header or not header[-1].startswith(b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"):
        raise InputError(f"header of {path}: found no line #CHROM POS ID REF ALT ..., expected one. Give the {what} as VCF or BCF.")
    return header, [line for line in lines[n_header:] if line]


def read_header(path, what):
    """The lines of a file's header, as bytes."""
    return _split(_read(path, what), path, what)[0]


def info_value(call_set, i, name):
    """The first number of an INFO field of variant i; not a number where it has none."""
    for entry in call_set.lines[call_set.record[i]].split(b"\t", 8)[7].split(b";"):
        key, _, value = entry.partition(b"=")
        if key == name.encode():
            return _number(value)
    return float("nan")


def format_value(call_set, i, name):
    """The first number of a FORMAT field of the sample of variant i; not a number where it has none."""
    fields = call_set.lines[call_set.record[i]].split(b"\t")
    return _number(_value(fields[8].split(b":"), fields[9 + call_set.column].split(b":"), name.encode()))


def _number(value):
    try:
        return float(value.partition(b",")[0])
    except ValueError:
        return float("nan")


def _choose(samples, wanted, path):
    if wanted is not None:
        if wanted not in samples:
            raise UsageError(f"--sample in {path}: found {wanted}, expected one of its samples: {', '.join(samples) or 'none'}.")
        return wanted, samples.index(wanted)
    if not samples:
        raise InputError(f"samples of {path}: found none, expected one with genotypes (GT). Sites alone cannot be matched.")
    if len(samples) > 1:
        shown = ", ".join(samples[:5]) + (f" and {len(samples) - 5} more" if len(samples) > 5 else "")
        raise UsageError(f"samples of {path}: found {shown}, expected one. Choose it: --sample NAME, or --sample TRUTH_NAME,CALLS_NAME")
    return samples[0], 0


def _parse(lines, column, contigs, path, all_records, ploidy):
    """Rows (contig, start, end, record, is_snp, passes, growth, qual, copies, genotype, ref), a Counter of what was left out, and
    CallSet.silent."""
    rows, left_out, silent = [], Counter(), {}
    ids = {name.encode(): i for name, i in contigs.index.items()}
    lengths = contigs.lengths
    genotypes = {}
    place = 9 + column
    for record, line in enumerate(lines):
        fields = line.split(b"\t", place + 1)
        try:
            contig, pos1, _, ref, alt, qual, filters, _, keys = fields[:9]
            sample = fields[place]
            start = int(pos1) - 1
            score = float(qual) if qual != b"." else float("nan")
        except (ValueError, IndexError):
            raise InputError(
                f"record {record + 1} of {path}: found {line[:60].decode('utf-8', 'replace')!r}, expected the columns CHROM to FORMAT "
                "and a sample, POS and QUAL as numbers. The file is damaged or truncated."
            ) from None
        contig_id = ids.get(contig)
        if contig_id is None:
            left_out[OFF_REFERENCE] += 1
            continue
        passes = filters in (b"PASS", b".")
        keys = keys.split(b":")
        values = sample.split(b":")
        if not all_records and not (passes and _sample_passes(keys, values)):
            left_out[FILTERED] += 1
            continue
        alts = alt.split(b",") if alt != b"." else []
        if len(ref) > MAX_ALLELE_LENGTH or (len(alt) > MAX_ALLELE_LENGTH and max(map(len, alts)) > MAX_ALLELE_LENGTH):
            left_out[TOO_LONG] += 1
            continue
        if not 0 <= start <= lengths[contig_id] - len(ref):
            raise InputError(
                f"POS of record {record + 1} of {path}: found {contig.decode()}:{start + 1} with REF of {len(ref)} bp, "
                f"expected it on the contig, which has {lengths[contig_id]} bp. The file was made for another reference."
            )
        gt = values[0] if keys[0] == b"GT" else _value(keys, values, b"GT")
        genotype = genotypes.get(gt)
        if genotype is None:
            genotype = genotypes[gt] = _genotype(gt, path, record)
        if max(genotype) > len(alts):
            raise InputError(
                f"GT of record {record + 1} of {path}: found {gt.decode()}, expected alleles up to {len(alts)}, as many as ALT has."
            )
        if max(genotype) < 1:
            left_out[NO_GENOTYPE] += 1
            silent[contig_id, start] = record
            continue
        if len(genotype) == 1:
            genotype = genotype * ploidy
        elif len(genotype) != ploidy:
            left_out[OTHER_PLOIDY] += 1
            continue
        # The base in front is the alleles' own unless all share it; * has none.
        first = ref[0]
        with_base = [a for a in alts if a[0] != _OVERLAPPED]
        shared = 1 if with_base and all(a[0] == first for a in with_base) else 0
        sequences = {-1: None, 0: ref[shared:]}
        is_variant = False
        for number in genotype:
            if number not in sequences:
                allele = alts[number - 1]
                if allele[0] in _NO_SEQUENCE_FIRST or allele[-1] in _NO_SEQUENCE_LAST:
                    sequences[number] = None
                else:
                    sequences[number] = allele[shared:]
                    is_variant |= sequences[number] != sequences[0]
        if not is_variant:
            left_out[NO_GENOTYPE] += 1
            continue
        if any(allele and allele.translate(None, _LETTERS) for allele in sequences.values()):
            left_out[UNREADABLE] += 1
            continue
        length = len(ref) - shared
        growth = max(abs(len(sequence) - length) for sequence in sequences.values() if sequence is not None)
        coded = {number: sequence and sequence.translate(AS_CODES) for number, sequence in sequences.items()}
        rows.append((
            contig_id, start + shared, start + len(ref), record, len(ref) == 1 and all(len(a) == 1 for a in alts), passes, growth,
            score, tuple([coded[number] for number in genotype]), genotype, ref.translate(AS_CODES),
        ))  # fmt: skip
    return rows, left_out, silent


def _value(keys, values, key):
    """The sample's value of a key; empty where it has none."""
    return values[keys.index(key)] if key in keys and keys.index(key) < len(values) else b""


def _sample_passes(keys, values):
    return b"FT" not in keys or set(_value(keys, values, b"FT").split(b";")) <= {b"PASS", b".", b""}


def _genotype(gt, path, record):
    """Allele numbers of a GT; (-1,) where there is none."""
    try:
        return tuple(-1 if allele in (b".", b"") else int(allele) for allele in gt.replace(b"|", b"/").split(b"/"))
    except ValueError:
        raise InputError(
            f"GT of record {record + 1} of {path}: found {gt.decode('utf-8', 'replace')!r}, expected allele numbers, such as 0/1."
        ) from None
