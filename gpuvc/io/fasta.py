"""The reference as base codes."""

import os
import threading
from pathlib import Path

import numpy as np
import pysam

from gpuvc.errors import InputError
from gpuvc.intervals import Contigs
from gpuvc.kernels.codes import CODE_OF_ASCII, N


def open_reference(path):
    """The FASTA (plain or bgzipped) at `path`, which needs its .fai, and bgzipped its .gzi."""
    path = os.fspath(path)
    if not Path(path).exists():
        raise InputError(f"reference {path} does not exist. Name an indexed FASTA with -R.")
    if Path(path).is_dir():
        raise InputError(f"reference {path} is a folder, expected a FASTA file.")
    for suffix in (".fai", *((".gzi",) if path.endswith((".gz", ".bgz")) else ())):
        if not Path(path + suffix).exists():
            raise InputError(f"reference {path} has no index {path}{suffix}. Create it: samtools faidx {path}")
    return Reference(path)


class Reference:
    """Windows of a FASTA as codes; `window` may be called from any thread."""

    def __init__(self, path):
        self.path = path
        self._local = threading.local()
        names, lengths = [], []
        try:
            for line in Path(path + ".fai").read_text().splitlines():
                name, length = line.split("\t")[:2]
                names.append(name)
                lengths.append(int(length))
        except (OSError, ValueError) as error:
            raise InputError(f"index {path}.fai cannot be read ({error}). Make it again: samtools faidx {path}") from error
        self.contigs = Contigs(tuple(names), tuple(lengths))
        self._file()

    def _file(self):
        """This thread's handle."""
        file = getattr(self._local, "file", None)
        if file is None:
            try:
                file = self._local.file = pysam.FastaFile(self.path)
            except (OSError, ValueError) as error:
                raise self._unreadable("it", error) from error
        return file

    def _unreadable(self, what, error):
        return InputError(
            f"reference {self.path}: {what} cannot be read ({error}). Index it again, or copy it again: samtools faidx {self.path}"
        )

    def window(self, name, start, end):
        """uint8[end - start]: a contig's bases as codes 0..4 = A C G T N.

        Lower case counts as upper; every other letter, and what lies beyond the contig's ends, is N.
        """
        codes = np.full(max(0, end - start), N, np.uint8)
        length = self.contigs.lengths[self.contigs.index[name]]
        first, last = max(0, start), min(end, length)
        if first >= last:
            return codes
        try:
            letters = self._file().fetch(name, first, last).encode()
        except (OSError, ValueError) as error:
            raise self._unreadable(f"{name}:{first + 1}-{last}", error) from error
        if len(letters) != last - first:
            raise InputError(
                f"{name}:{first + 1}-{last} of reference {self.path}: found {len(letters)} bases, expected {last - first}. "
                f"The file does not fit its index: samtools faidx {self.path}"
            )
        codes[first - start : last - start] = CODE_OF_ASCII[np.frombuffer(letters, np.uint8)]
        return codes
