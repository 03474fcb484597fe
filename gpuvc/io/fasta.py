"""The reference as base codes."""

import logging
import os
import threading
from pathlib import Path

import numpy as np
import pysam

from gpuvc.errors import InputError
from gpuvc.intervals import Contigs
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


class Reference:
    """Windows of an indexed FASTA as codes; `window` may be called from any thread.

    contigs : Contigs
        As in the .fai.
    """

    def __init__(self, path):
        self.path = path
        self.contigs = _read_fai(path)
        self._local = threading.local()
        self._file()

    def _file(self):
        """This thread's handle."""
        file = getattr(self._local, "file", None)
        if file is None:
            verbosity = pysam.set_verbosity(0)
            try:
                file = self._local.file = pysam.FastaFile(self.path)
            except (OSError, ValueError) as error:
                raise InputError(f"reference {self.path} cannot be opened ({error}). Index it again: samtools faidx {self.path}") from error
            finally:
                pysam.set_verbosity(verbosity)
        return file

    def window(self, name, start, end):
        """uint8[end - start]: a contig's bases as codes 0..4 = A C G T N.

        Lower case counts as upper; every other letter, and what lies beyond the contig's ends, is N.
        """
        if name not in self.contigs.index:
            raise InputError(f"reference {self.path} has no contig {name}. Use the reference the reads were aligned to.")
        codes = np.full(max(0, end - start), N, np.uint8)
        first, last = max(0, start), min(end, self.contigs.lengths[self.contigs.index[name]])
        if first >= last:
            return codes
        try:
            letters = self._file().fetch(name, first, last).encode()
        except (OSError, ValueError) as error:
            letters, reason = b"", f": {error}"
        else:
            reason = ""
        if len(letters) != last - first or b">" in letters:
            raise InputError(
                f"{name}:{first + 1}-{last} of reference {self.path}: found {len(letters)} bases{reason}, expected {last - first}. "
                f"The file is damaged or does not fit its index: samtools faidx {self.path}"
            )
        codes[first - start : last - start] = CODE_OF_ASCII[np.frombuffer(letters, np.uint8)]
        return codes


def _read_fai(path):
    """Names and lengths of the contigs in the .fai."""
    try:
        rows = [line.split("\t") for line in Path(f"{path}.fai").read_text().splitlines()]
        contigs = Contigs(tuple(row[0] for row in rows), tuple(int(row[1]) for row in rows))
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"index {path}.fai cannot be read ({error}). Make it again: samtools faidx {path}") from error
    if not rows:
        raise InputError(f"index {path}.fai names no contig, expected at least one. Make it again: samtools faidx {path}")
    return contigs
