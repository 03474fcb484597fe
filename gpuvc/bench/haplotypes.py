"""Two haplotypes of real sequence from a reference and a truth set, and what of the truth went into them."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pysam

from gpuvc.errors import InputError
from gpuvc.kernels.codes import ASCII_OF_CODE, CODE_OF_ASCII

INSERTED = -1  # in place of a reference position


class TruthRecord(NamedTuple):
    """A variant of the truth; `pos` is 0-based, `alleles` the reference's first, `genotype` the allele of each haplotype."""

    pos: int
    alleles: tuple[str, ...]
    genotype: tuple[int, int]


@dataclass(frozen=True)
class Haplotype:
    """One of the two.

    bases : uint8[n]
        Codes 0..4 = A C G T N.
    ref_pos : int32[n]
        Reference position that each base is aligned to, INSERTED for none; indels stand as far left as the sequence lets them.
    """

    bases: np.ndarray
    ref_pos: np.ndarray


def read_truth(path, contig, start, end, left_out: Counter):
    """[TruthRecord] inside [start, end) of a contig, counted from `start`; what cannot be put into haplotypes is counted by reason.

    Unphased heterozygous genotypes are laid out by their position, so that half of them have the alternate on either haplotype.

    Raises InputError for a file that is no VCF with an index and a sample.
    """
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(path)) as file:
            if not len(file.header.samples):
                raise InputError(f"samples in {path}: found none, expected the genotypes of one. Use a truth set with genotypes.")
            found = [] if contig not in file.header.contigs else list(file.fetch(contig, start, end))
    except (OSError, ValueError) as error:
        raise InputError(
            f"truth in {path}: found it unreadable ({error}), expected VCF.gz or BCF with its index. Index it: bcftools index -t {path}"
        ) from error
    finally:
        pysam.set_verbosity(verbosity)
    records = []
    for record in found:
        genotype = record.samples[0]["GT"]
        if set(genotype) == {0}:
            continue
        reason = _reason_against(record, genotype, start, end)
        if reason:
            left_out[reason] += 1
            continue
        if not record.samples[0].phased and record.start % 2:
            genotype = genotype[::-1]
        records.append(TruthRecord(record.start - start, tuple(allele.upper() for allele in record.alleles or ()), genotype))
    return sorted(records)


def _reason_against(record, genotype, start, end):
    if record.start < start or record.stop > end:
        return "reaches beyond the piece"
    if record.filter.keys() not in ([], ["PASS"]):
        return "filtered"
    if len(genotype) != 2 or None in genotype:
        return "genotype is not diploid or not known"
    if any(allele.strip("ACGTacgt") for allele in record.alleles or ("-",)):
        return "alleles are not spelled in ACGT"
    return None


def build_haplotypes(reference, records, left_out: Counter):
    """Both haplotypes, and the records that are in them: all but those that overlap one before on the same haplotype.

    reference : uint8[n], codes

    Raises InputError when a record's REF is not the reference's.
    """
    edits: tuple[list, list] = ([], [])
    kept = []
    for record in records:
        letters = record.alleles[0]
        here = reference[record.pos : record.pos + len(letters)]
        if not np.array_equal(CODE_OF_ASCII[np.frombuffer(letters.encode(), np.uint8)], here):
            raise InputError(
                f"REF at position {record.pos + 1} of the truth: found {letters}, expected {ASCII_OF_CODE[here].tobytes().decode()} as in "
                "the reference. Use the reference that the truth was made for."
            )
        new = [_trimmed(record.pos, letters, record.alleles[allele]) if allele else None for allele in record.genotype]
        if any(edit and not _follows(edit, before) for edit, before in zip(new, edits)):
            left_out["overlaps another on its haplotype"] += 1
            continue
        kept.append(record)
        for edit, before in zip(new, edits):
            if edit:
                before.append(edit)
    return [_edited(reference, of_one) for of_one in edits], kept


def _trimmed(pos, ref, alt):
    """(start, end, inserted letters) of the edit, without the letters that both alleles end and begin with."""
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0]:
        ref, alt, pos = ref[1:], alt[1:], pos + 1
    return pos, pos + len(ref), alt


def _follows(edit, before):
    """Whether an edit lies behind the last one; two insertions at one place would have no order."""
    if not before:
        return True
    start, end, _ = before[-1]
    return edit[0] > end or (edit[0] == end and not start == end == edit[1])


def _edited(reference, edits):
    bases, ref_pos, at = [], [], 0
    for start, end, letters in [*edits, (len(reference), len(reference), "")]:
        bases.append(reference[at:start])
        ref_pos.append(np.arange(at, start, dtype=np.int32))
        if letters:
            bases.append(CODE_OF_ASCII[np.frombuffer(letters.encode(), np.uint8)])
            # Of a replacement, what has a reference base to stand on does so.
            aligned = np.arange(start, min(end, start + len(letters)), dtype=np.int32)
            ref_pos.append(np.concatenate([aligned, np.full(len(letters) - len(aligned), INSERTED, np.int32)]))
        at = end
    haplotype = Haplotype(np.concatenate(bases), np.concatenate(ref_pos))
    _align_left(reference, haplotype)
    return haplotype


def _align_left(reference, haplotype):
    """Move every indel left past bases that do not tell where it is, one after the other, up to the indel before."""
    bases, ref_pos = haplotype.bases, haplotype.ref_pos
    inserted = ref_pos == INSERTED
    steps = np.diff(ref_pos, prepend=-1)
    starts = np.flatnonzero((inserted & ~np.concatenate(([False], inserted[:-1]))) | (~inserted & (steps > 1) & np.roll(~inserted, 1)))
    for i in starts.tolist():
        n = 0
        while i + n < len(bases) and ref_pos[i + n] == INSERTED:
            n += 1
        if n:
            while i > 1 and bases[i - 1] == bases[i + n - 1] and ref_pos[i - 1] != INSERTED and ref_pos[i - 2] == ref_pos[i - 1] - 1:
                ref_pos[i + n - 1], ref_pos[i - 1] = ref_pos[i - 1], INSERTED
                i -= 1
        else:
            while i > 1 and bases[i - 1] == reference[ref_pos[i] - 1] and ref_pos[i - 2] == ref_pos[i - 1] - 1:
                ref_pos[i - 1] = ref_pos[i] - 1
                i -= 1
