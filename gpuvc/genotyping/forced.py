"""Which alleles of the loci were given to be called whatever the reads show."""

import numpy as np

from gpuvc.kernels.codes import ASCII_OF_CODE


def forced_alleles(loci, regions, haplotypes, given, texts_of, as_gatk):
    """bool[A]: alleles of `loci` (rows of `allele_event`) that are put out in any case.

    Parameters
    ----------
    loci : LocusBatch; regions : RegionBatch; haplotypes : HaplotypeBatch
        Of the same regions.
    given : AlleleTable
        Those from the region's start to its padded end count for a region.
    texts_of : callable
        Locus → texts of its alleles, the reference's first.
    as_gatk : bool
        GATK does not compare positions: an allele is forced when any given one of its region changes the length by as much and the
        shorter of the two alternates begins the longer.
    """
    forced = np.zeros(len(loci.allele_event), np.bool_)
    first = np.searchsorted(given.pos, regions.start)
    last = np.searchsorted(given.pos, regions.padded_end)
    slots = loci.allele_slots.tolist()
    for locus in np.flatnonzero((first < last)[loci.region]).tolist():
        region = loci.region[locus]
        rows = [row for row in range(first[region], last[region]) if not given.is_symbolic[row]]
        if as_gatk:
            ref, *alts = texts_of(locus)
            known = [(len(alt) - int(given.ref_length[row]), alt) for row in rows for alt in [_text(given, row)]]
            forced[slots[locus] + 1 : slots[locus + 1]] = [
                any(change == len(alt) - len(ref) and (alt.startswith(own) or own.startswith(alt)) for change, own in known) for alt in alts
            ]
            continue
        known = {(int(given.pos[row]), int(given.ref_length[row]), _text(given, row)) for row in rows}
        for allele in range(slots[locus] + 1, slots[locus + 1]):
            event = loci.allele_event[allele]
            if event >= 0:
                alt = haplotypes.event_alt[haplotypes.event_alt_offsets[event] : haplotypes.event_alt_offsets[event + 1]]
                own = int(haplotypes.event_pos[event]), int(haplotypes.event_ref_length[event]), ASCII_OF_CODE[alt].tobytes().decode()
                forced[allele] = own in known
    return forced


def _text(given, row):
    """The alternate's bases."""
    return ASCII_OF_CODE[given.alt[given.alt_offsets[row] : given.alt_offsets[row + 1]]].tobytes().decode()
