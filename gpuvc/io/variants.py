"""VCF and BCF as Arrow: one row a record, columns typed by the header."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pysam

from gpuvc.errors import InputError, UsageError
from gpuvc.optional import optional

if TYPE_CHECKING:
    import pyarrow

ROWS_A_BATCH = 1 << 16
"""Records that are held as Python values at a time."""


def read_vcf(path: str | os.PathLike[str], region: str | None = None) -> pyarrow.Table:
    """The records of a VCF or BCF as a pyarrow.Table; `.to_pandas()` makes a data frame of it.

    Parameters
    ----------
    path : str
        .vcf, .vcf.gz or .bcf.
    region : str, optional
        Such as "chr20:1-500000" (1-based, closed): the records that overlap it; needs the file's index.

    Returns
    -------
    pyarrow.Table
        contig, pos1 (1-based, as in the file), id, ref, alts (list), qual, filter; INFO_KEY for each INFO key of the header, and SAMPLE_KEY
        for each FORMAT key and sample. Integer is int32, Float float32, Flag bool, all else string; a list where the header's Number is not
        1 or 0. GT is text, such as 0/1. What a record lacks is null.

    Raises
    ------
    InputError
        The file is missing, unreadable, or a record does not fit the header.
    UsageError
        No pyarrow; a region of a file without index, or one that it does not have.
    """
    pa = optional("pyarrow", "Arrow tables")
    path = os.fspath(path)
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(path) as file:
            schema = _schema(pa, file.header)
            batches = _batches(pa, schema, _records(file, region, path))
            return pa.Table.from_batches(batches, schema)
    except UsageError:
        raise
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"variants in {path}: found it unreadable ({reason}), expected a VCF or BCF file. Show it: bcftools view {path}"
        ) from error
    finally:
        pysam.set_verbosity(verbosity)


def _records(file, region, path):
    if region is None:
        return file
    if file.index is None:
        raise UsageError(f"region of {path}: found {region} and a file without index, expected one. Create it: bcftools index {path}")
    try:
        return file.fetch(region=region.replace(",", ""))
    except ValueError as error:
        raise UsageError(f"region of {path}: found {region} ({error}), expected one such as chr20:1-500000 of a contig there.") from error


_TYPES = {"Integer": "int32", "Float": "float32", "Flag": "bool_"}


def _type(pa, metadata):
    """Arrow type of an INFO or FORMAT key."""
    if metadata.name == "GT":
        return pa.string()
    if metadata.type == "Flag":
        return pa.bool_()
    one = getattr(pa, _TYPES.get(metadata.type, "string"))()
    return one if metadata.number == 1 else pa.list_(one)


def _schema(pa, header):
    """Fields of the table; their metadata is the header's description."""
    fixed = [
        ("contig", pa.string(), "contig"), ("pos1", pa.int32(), "position, 1-based"), ("id", pa.string(), "ID; null for none"),
        ("ref", pa.string(), "reference allele"), ("alts", pa.list_(pa.string()), "alternate alleles"),
        ("qual", pa.float32(), "QUAL, phred"),
        ("filter", pa.string(), "PASS, or the filters that mark the record, by semicolons; null for none applied"),
    ]  # fmt: skip
    fields = [pa.field(name, kind, metadata={"meaning": meaning}) for name, kind, meaning in fixed]
    for key, of_info in header.info.items():
        fields.append(pa.field(f"INFO_{key}", _type(pa, of_info), metadata={"meaning": of_info.description}))
    for sample in header.samples:
        for key, of_format in header.formats.items():
            fields.append(pa.field(f"{sample}_{key}", _type(pa, of_format), metadata={"meaning": of_format.description}))
    return pa.schema(fields)


def _batches(pa, schema, records):
    rows = []
    for record in records:
        rows.append(_row(record))
        if len(rows) == ROWS_A_BATCH:
            yield _batch(pa, schema, rows)
            rows = []
    if rows:
        yield _batch(pa, schema, rows)


def _batch(pa, schema, rows):
    columns = zip(*rows, strict=True)
    return pa.record_batch([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def _row(record) -> list[Any]:
    """Values of one record, in the order of the schema."""
    filters = record.filter.keys()
    row = [record.contig, record.pos, record.id, record.ref, list(record.alts or ()), record.qual, ";".join(filters) or None]
    header = record.header
    present = dict(record.info)
    row += [_value(present.get(key), of_info) for key, of_info in header.info.items()]
    for sample in record.samples.values():
        values = dict(sample)
        for key, of_format in header.formats.items():
            row.append(_genotype(sample) if key == "GT" and "GT" in values else _value(values.get(key), of_format))
    return row


def _value(value, metadata):
    if metadata.type == "Flag":
        return bool(value)
    if value is None or value == (None,):
        return None
    if metadata.number == 1:
        return ",".join(map(str, value)) if isinstance(value, tuple) else value
    return list(value) if isinstance(value, tuple) else [value]


def _genotype(sample):
    alleles = sample.allele_indices
    if not alleles:
        return None
    return ("|" if sample.phased else "/").join("." if allele is None else str(allele) for allele in alleles)
