"""Codes shared by every stage and every device: bases, CIGAR operations, flag bits."""

import numpy as np

# Bases travel as 0..4 = A C G T N. Every IUPAC code other than A, C, G, T counts as N (specification, section 1.1).
A, C, G, T, N = range(5)
BASES = "ACGTN"
ASCII_OF_CODE = np.frombuffer(b"ACGTN", np.uint8)
CODE_OF_ASCII = np.full(256, N, np.uint8)
for _code, _letter in enumerate("ACGT"):
    CODE_OF_ASCII[ord(_letter)] = CODE_OF_ASCII[ord(_letter.lower())] = _code
COMPLEMENT = np.array([T, G, C, A, N], np.uint8)

# CIGAR operations as BAM stores them: the low four bits of a uint32, the length above.
CIGAR_M, CIGAR_I, CIGAR_D, CIGAR_N, CIGAR_S, CIGAR_H, CIGAR_P, CIGAR_EQ, CIGAR_X = range(9)
# Bit k of a mask is set when operation k does so.
CONSUMES_REFERENCE = 1 << CIGAR_M | 1 << CIGAR_D | 1 << CIGAR_N | 1 << CIGAR_EQ | 1 << CIGAR_X
CONSUMES_READ = 1 << CIGAR_M | 1 << CIGAR_I | 1 << CIGAR_S | 1 << CIGAR_EQ | 1 << CIGAR_X
ALIGNS = 1 << CIGAR_M | 1 << CIGAR_EQ | 1 << CIGAR_X

FLAG_PAIRED, FLAG_PROPER, FLAG_UNMAPPED, FLAG_MATE_UNMAPPED = 0x1, 0x2, 0x4, 0x8
FLAG_REVERSE, FLAG_MATE_REVERSE, FLAG_READ1, FLAG_READ2 = 0x10, 0x20, 0x40, 0x80
FLAG_SECONDARY, FLAG_QC_FAIL, FLAG_DUPLICATE, FLAG_SUPPLEMENTARY = 0x100, 0x200, 0x400, 0x800
