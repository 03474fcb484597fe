"""Records of reads that are known by their columns: a second look into the files, for outputs that need names and tags."""

import os
import threading

import pysam

from gpuvc.errors import InputError


def _fetched(file, contig, start, end):
    """The records of a region. htslib refuses some that the read filters leave out, such as one whose CIGAR has another length than SEQ."""
    try:
        yield from file.fetch(contig, start, end)
    except (OSError, ValueError) as error:
        name = file.filename.decode()
        raise InputError(
            f"records in {name}, at {contig}:{start + 1}-{end}: found one that htslib refuses ({error}), expected well-formed ones, as "
            f"names and tags are looked up by it. Find it: samtools view {name} {contig}:{start + 1}-{end}"
        ) from error


def _name_of(record, file):
    """A record's name as bytes. pysam gives it as text only."""
    try:
        return record.query_name.encode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"name of a read in {file.filename.decode()}, near {record.reference_name}:{record.reference_start + 1}: found "
            f"{error.object!r}, expected ASCII, as names are looked up. The file is damaged: copy it again from its source."
        ) from error


class WholeRecords:
    """The records behind rows of a ReadBatch; `find` may be called from any thread.

    Parameters
    ----------
    paths : sequence of str
        Indexed BAM and CRAM files, as `open_alignments` took them.
    reference : str
        FASTA, for CRAM.
    """

    def __init__(self, paths, reference):
        self._paths = [os.fspath(path) for path in paths]
        self._reference = os.fspath(reference)
        self._local = threading.local()

    def _files(self):
        """This thread's handles."""
        if not hasattr(self._local, "files"):
            verbosity = pysam.set_verbosity(0)
            try:
                self._local.files = [pysam.AlignmentFile(path, reference_filename=self._reference) for path in self._paths]
            finally:
                pysam.set_verbosity(verbosity)
        return self._local.files

    def find(self, contig, spans, reads, rows):
        """{row: pysam.AlignedSegment} of the rows of a ReadBatch.

        Parameters
        ----------
        contig : str
        spans : list of (start, end)
            Disjoint and ascending; each of the reads overlaps one of them.
        reads : ReadBatch
            With names. rows : list of int

        A read is known by its name, flag, place, mate's place and length; records that agree in all of these stand for each other. Raises
        InputError for one that is not there any more.
        """
        rows_of = {}
        n_bases = reads.base_offsets[1:] - reads.base_offsets[:-1]
        columns = (reads.pos, reads.flag, reads.name, reads.mate_pos, reads.template_length, n_bases)
        for row, *key in zip(rows, *(column[rows].tolist() for column in columns), strict=True):
            rows_of.setdefault(tuple(key), []).append(row)
        places = {key[:2] for key in rows_of}
        found = {}
        for file in self._files():
            for start, end in spans:
                for record in _fetched(file, contig, start, end):
                    pos, flag = record.reference_start, record.flag
                    if (pos, flag) not in places:
                        continue
                    name, mate_pos = _name_of(record, file), record.next_reference_start
                    key = pos, flag, name, mate_pos, record.template_length, record.query_length
                    for row in rows_of.get(key, ()):
                        found[row] = record
        if missing := len(rows) - len(found):
            raise InputError(
                f"{', '.join(self._paths)}: found {missing} reads gone that were read before, expected files that stay as they are. "
                "Run again when nothing writes to them."
            )
        return found
