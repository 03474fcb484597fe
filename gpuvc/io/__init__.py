"""Files in, columns out: BAM, CRAM and FASTA readers."""
