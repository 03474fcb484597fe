"""Alleles of a locus, and which haplotype has which."""

import numpy as np
import pytest

from gpuvc.likelihoods.marginalize import REFERENCE, SPANNING, find_loci

DELETION, COMPLEX = 0, 1  # 10: five bases become one; 14: one base becomes three others


@pytest.mark.parametrize(
    "with_spanning, alleles, of_haplotypes",
    [(True, [REFERENCE, SPANNING, COMPLEX], [0, 1, 1, 2]), (False, [REFERENCE, COMPLEX], [0, 0, 0, 1])],
)
def test_a_deletion_from_before_hides_what_begins_under_it(with_spanning, alleles, of_haplotypes):
    """As GATK's createAlleleMapper has it: without `*` such a haplotype counts as reference, whatever else it has there."""
    haplotypes = [[], [DELETION], [DELETION, COMPLEX], [COMPLEX]]
    events = np.array([event for own in haplotypes for event in own], np.int32)
    offsets = np.cumsum([0, *map(len, haplotypes)])
    region, pos, ref_length = (np.empty(2, np.int32) for _ in range(3))
    allele_slots, haplotype_slots = np.zeros(3, np.int64), np.zeros(3, np.int64)
    allele_event, allele_length, haplotype_allele = np.empty(8, np.int32), np.empty(8, np.int32), np.empty(8, np.int16)
    n_loci = find_loci(
        np.array([0], np.int32), np.array([50], np.int32), np.array([0, 4], np.int64), np.zeros(4), np.array([0, 2], np.int64),
        np.array([10, 14], np.int32), np.array([5, 1], np.int32), np.array([1, 3], np.int32), np.array([True, False]), events, offsets,
        50, False, with_spanning, region, pos, ref_length, allele_slots, allele_event, allele_length, haplotype_slots, haplotype_allele,
    )  # fmt: skip
    assert n_loci == 2 and pos.tolist() == [10, 14]
    assert allele_event[allele_slots[1] : allele_slots[2]].tolist() == alleles
    assert haplotype_allele[haplotype_slots[1] : haplotype_slots[2]].tolist() == of_haplotypes
