"""Options of `gpuvc compare`."""

from gpuvc.options.call import CALL_OPTIONS
from gpuvc.options.evaluate import ALL_RECORDS, MATCHING, PLOIDY, REFERENCE
from gpuvc.options.kinds import FILES, Command, Number, Option, Text

COMPARE_OPTIONS = (
    REFERENCE,
    Option(FILES, ("--bed", "--evaluation-regions", "-e"), "bed", Text("BED"), "variants count that touch these regions"),
    Option(FILES, ("--output-prefix", "-O"), "output_prefix", Text("PREFIX"), "write PREFIX.json and PREFIX.tsv"),
    Option(MATCHING, ("--sample",), "sample", Text("NAME"), "of several in a file: NAME, or NAME_IN_A,NAME_IN_B"),
    ALL_RECORDS,
    Option(MATCHING, ("--min-qual",), "min_qual", Number(metavar="PHRED"), "records with less QUAL do not count (default: 0)"),
    PLOIDY,
    *(option for option in CALL_OPTIONS if option.to == "verbosity"),
)

COMPARE = Command(
    "compare",
    "gpuvc compare A.vcf.gz B.vcf.gz -R ref.fa [options]",
    "two call sets: what differs and why",
    """\
Two call sets of one sample: how many variants agree, as the same records or as the same haplotypes written otherwise, and why the others
do not: another genotype, filtered or below --min-qual in the other, other alleles at the place, no variant genotype, or nothing there.""",
    COMPARE_OPTIONS,
    """\
output files:
  PREFIX.json         --output-prefix: the counts and every difference
  PREFIX.tsv          one difference a line, with what the other set has there""",
)
