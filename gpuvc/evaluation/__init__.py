"""Calls against the truth, and call sets against each other.

    variants.py   VCF → what the genotypes of one sample put in place of the reference
    matching.py   which of two sets agree: the same haplotypes, however they are written
    strata.py     what surrounds a variant: homopolymers, repeats, GC, depth
    evaluate.py   precision, recall and F1, by class and context
    compare.py    two call sets: what differs and why
    cut.py        a wrong locus as a case of the tests
    show.py       tables, files, pictures of all that
"""
