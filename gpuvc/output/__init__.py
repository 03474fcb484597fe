"""From calls to files: VCF and its index, the run report, tables of counts. Each appears under its name whole or not at all."""
