"""Options of `gpuvc pileup`."""

from gpuvc.options.call import CALL_OPTIONS
from gpuvc.options.kinds import FILES, PLACES, READS, Command, Flag, Option, Text

PILEUP_OPTIONS = (
    *(option for option in CALL_OPTIONS if option.to in ("reference", "alignments", "sample_name")),
    Option(FILES, ("--output", "-O"), "output", Text("TABLE"), ".tsv, .arrow, .feather, or - for TSV on standard output (default: -)"),
    Option(PLACES, ("--intervals", "-L"), "interval", Text("REGION"), "one region: chr, chr:5-90 (default: everything)"),
    *(option for option in CALL_OPTIONS if option.group == READS and option.to != "genotyping_mapping_quality"),
    Option(READS, ("--raw",), "settled", Flag(False), "base qualities as they stand in the file, whatever mates and adaptors say of them"),
    *(option for option in CALL_OPTIONS if option.to in ("device", "verbosity", "quiet")),
)

PILEUP = Command(
    "pileup",
    "gpuvc pileup -R ref.fa -I sample.bam [-L region] [options]",
    "counts per position, as TSV or Arrow",
    "Counts per position of the reads that calling would use: bases by strand, quality sums, indels, clips, mapping quality.",
    PILEUP_OPTIONS,
    """\
output file:
  the table           --output (columns: contig, pos (1-based), ref, the counts, indels as +SEQUENCE or -LENGTH : forward , reverse)""",
)
