"""Alleles that the assembly did not find, put into its haplotypes (specification, section 3.11)."""

from dataclasses import dataclass

import numpy as np

from gpuvc.kernels.codes import CODE_OF_ASCII


@dataclass(slots=True)
class AlleleTable:
    """Alternate alleles of one contig, one each, minimal, sorted by position; K alleles.

    pos, ref_length : int32[K]
        First base of the reference allele, 0-based, and its length.
    alt : uint8[sum of lengths]; alt_offsets : int64[K + 1]
        Codes; nothing for a symbolic allele.
    is_symbolic : bool[K]
    """

    pos: np.ndarray
    ref_length: np.ndarray
    alt: np.ndarray
    alt_offsets: np.ndarray
    is_symbolic: np.ndarray

    def __len__(self):
        return len(self.pos)


def no_alleles():
    """An empty table."""
    return AlleleTable(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(1, np.int64), np.zeros(0, bool))


def split_records(records):
    """The AlleleTable of records (pos, ref, alts) of one contig: 0-based position, text and texts.

    Multi-allelic records are split, and each allele freed of the bases it shares with the reference's at the end, then at the start, as
    long as both keep one. `*` and alleles equal to the reference are left out. Equal alleles stand once.
    """
    alleles = set()
    for pos, ref, alts in records:
        for alt in alts:
            if alt == "*" or alt == ref:
                continue
            if "<" in alt or "[" in alt or "]" in alt:
                alleles.add((pos, len(ref), "", True))
                continue
            shared = 0
            while shared < min(len(ref), len(alt)) - 1 and ref[-1 - shared] == alt[-1 - shared]:
                shared += 1
            own_ref, own_alt = ref[: len(ref) - shared], alt[: len(alt) - shared]
            leading = 0
            while leading < min(len(own_ref), len(own_alt)) - 1 and own_ref[leading] == own_alt[leading]:
                leading += 1
            alleles.add((pos + leading, len(own_ref) - leading, own_alt[leading:], False))
    alleles = sorted(alleles)
    alts = [allele[2] for allele in alleles]
    return AlleleTable(
        pos=np.array([allele[0] for allele in alleles], np.int32), ref_length=np.array([allele[1] for allele in alleles], np.int32),
        alt=CODE_OF_ASCII[np.frombuffer("".join(alts).encode(), np.uint8)],
        alt_offsets=np.concatenate(([0], np.cumsum([len(alt) for alt in alts], dtype=np.int64))).astype(np.int64),
        is_symbolic=np.array([allele[3] for allele in alleles], bool),
    )  # fmt: skip
