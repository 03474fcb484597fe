"""What the user knows beforehand: alleles that are to be called whatever the reads show, the ploidy of parts of the genome, repeats."""

import os
import threading
from bisect import bisect_left
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam

from gpuvc.errors import InputError
from gpuvc.io.bed import check_length, missing_contig, read_ploidies
from gpuvc.io.dragstr import Dragstr
from gpuvc.io.index import check_variant_index
from gpuvc.kernels.codes import CODE_OF_ASCII


class GivenRecord(NamedTuple):
    """A variant as its file has it; `start`, `end`: 0-based, half-open, up to END where alleles are symbolic."""

    start: int
    end: int
    ref: str
    alts: tuple[str, ...]


class Given(NamedTuple):
    """What a run is given besides reads and reference.

    alleles : GivenAlleles or None
    ploidies : list of int64[n, 3] or None
        By contig: start, end and ploidy of parts of it, as `gpuvc.io.bed.read_ploidies` reads them.
    dragstr : Dragstr or None
        How the sample errs and varies in tandem repeats.
    """

    alleles: "GivenAlleles | None" = None
    ploidies: list | None = None
    dragstr: Dragstr | None = None

    def records_near(self, interval, reference):
        """The given records that overlap `interval`, by position. Raises InputError for one whose REF is not the reference's."""
        return self.alleles.near(interval, reference) if self.alleles else []

    def ploidy_near(self, interval):
        """int64[len(interval)]: the ploidy given for each locus, the highest of several; 0 where none is. None where none is at all."""
        if self.ploidies is None:
            return None
        ploidy = np.zeros(len(interval), np.int64)
        rows = self.ploidies[interval.contig_id]
        for start, end, copies in rows[(rows[:, 0] < interval.end) & (rows[:, 1] > interval.start)].tolist():
            part = ploidy[max(0, start - interval.start) : end - interval.start]
            np.maximum(part, copies, out=part)
        return ploidy


def read_given(alleles, ploidy_regions, contigs, with_filtered=False, dragstr=None):
    """Given: what the files hold, of those that are named, and `dragstr`; `with_filtered` as for GivenAlleles. Raises InputError."""
    return Given(
        GivenAlleles(alleles, contigs, with_filtered) if alleles else None,
        read_ploidies(ploidy_regions, contigs) if ploidy_regions else None,
        dragstr,
    )


class GivenAlleles:
    """The variants of a VCF or BCF; `near` may be called from any thread.

    Parameters
    ----------
    path : str
        Compressed and indexed, or plain text, which is read at once.
    contigs : Contigs
        Of the alignments.
    with_filtered : bool
        False leaves out records with another FILTER than PASS or a dot.

    Raises
    ------
    InputError
        The file is missing, unreadable, without index, or made for another reference.
    """

    def __init__(self, path, contigs, with_filtered=False):
        self.path = os.fspath(path)
        self._contigs = contigs
        self._with_filtered = with_filtered
        self._local = threading.local()
        if not Path(self.path).is_file():
            found = "a folder" if Path(self.path).is_dir() else "no such file"
            raise InputError(f"alleles in {self.path}: found {found}, expected the VCF or BCF file named by --alleles.")
        check_variant_index(self.path)
        file = self._file()
        try:
            lengths = {name: contig.length for name, contig in file.header.contigs.items()}
        except (AssertionError, ValueError) as error:  # pysam's, for contigs without consecutive numbers, or with names that are no text
            raise InputError(f"contigs in {self.path}: found them unreadable ({error}), expected ##contig lines of a VCF.") from error
        names = list(lengths)
        for name in names:
            check_length(name, lengths[name], contigs, self.path)
        self._by_contig = None
        if file.compression == "NONE":
            self._by_contig = {}
            for name, record in self._records(file):
                self._by_contig.setdefault(name, []).append(record)
            names += self._by_contig
            for records in self._by_contig.values():
                records.sort(key=attrgetter("start"))
            self._longest = {name: max(r.end - r.start for r in records) for name, records in self._by_contig.items()}
        elif file.index is None:
            raise InputError(
                f"alleles in {self.path}: found no index, expected one beside the file. Create it: bcftools index {self.path} "
                "(where gzip compressed it: gunzip and bgzip it first)"
            )
        if names and not any(name in contigs.index for name in names):
            raise InputError(missing_contig(names[0], contigs, self.path, "the alignments"))

    def _file(self):
        """This thread's handle."""
        file = getattr(self._local, "file", None)
        if file is None:
            verbosity = pysam.set_verbosity(0)
            try:
                file = self._local.file = pysam.VariantFile(self.path)
            except NotImplementedError as error:
                raise InputError(
                    f"compression of {self.path}: found gzip, expected bgzip. Change it: gunzip {self.path}, then bgzip and bcftools index"
                ) from error
            except (OSError, ValueError) as error:
                raise InputError(f"alleles in {self.path}: found it unreadable ({error}), expected a VCF or BCF file.") from error
            finally:
                pysam.set_verbosity(verbosity)
        return file

    def _records(self, found):
        """(contig, GivenRecord) of the records in `found` that count."""
        try:
            for record in found:
                contig_id = self._contigs.index.get(record.contig)
                length = record.pos if contig_id is None else self._contigs.lengths[contig_id]
                if not 0 < record.pos <= length or not record.ref.isalpha():  # also what htslib makes of columns that are empty
                    raise InputError(
                        f"record of {record.contig} in {self.path}: found POS {record.pos} and REF {record.ref}, expected a position from "
                        f"1 to {length} and bases. Show it: bcftools view {self.path}"
                    )
                if self._with_filtered or set(record.filter.keys()) <= {"PASS"}:
                    alts = tuple(alt.upper() for alt in record.alts or ())
                    yield record.contig, GivenRecord(record.start, record.stop, record.ref.upper(), alts)
        except (OSError, ValueError) as error:
            with suppress(OSError):  # of a damaged file closing fails, too; left to the collector, pysam would say so on standard error
                self._local.file.close()
            raise InputError(
                f"records in {self.path}: found one that cannot be read ({error}), expected VCF. Show it: bcftools view {self.path}"
            ) from error

    def near(self, interval, reference):
        """The records that overlap `interval`, by position, each checked against the reference."""
        name = self._contigs.names[interval.contig_id]
        if self._by_contig is not None:
            records = self._by_contig.get(name, [])
            first = bisect_left(records, interval.start - self._longest.get(name, 0), key=attrgetter("start"))
            last = bisect_left(records, interval.end, key=attrgetter("start"))
            records = [record for record in records[first:last] if record.end > interval.start]
        elif name in self._file().header.contigs:  # among them those of the index: htslib adds what the header lacks
            records = [record for _, record in self._records(self._file().fetch(name, interval.start, interval.end))]
        else:
            records = []
        records.sort(key=attrgetter("start"))
        if records:
            start, end = records[0].start, max(record.start + len(record.ref) for record in records)
            codes = reference.window(name, start, end)
            for record in records:
                own = CODE_OF_ASCII[np.frombuffer(record.ref.encode(), np.uint8)]
                if not np.array_equal(own, codes[record.start - start : record.start - start + len(own)]):
                    expected = "".join("ACGTN"[code] for code in codes[record.start - start : record.start - start + len(own)].tolist())
                    raise InputError(
                        f"REF of {name}:{record.start + 1} in {self.path}: found {record.ref}, expected {expected} as in the reference. "
                        f"Mend such records: bcftools norm -c x -f {reference.path} {self.path}"
                    )
        return records
