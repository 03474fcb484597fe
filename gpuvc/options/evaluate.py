"""Options of `gpuvc evaluate`."""

from gpuvc.options.call import CALL_OPTIONS
from gpuvc.options.kinds import FILES, Choice, Command, Flag, Integer, Option, Text
from gpuvc.settings import MAX_PLOIDY

MATCHING = "what counts"

REFERENCE = Option(
    FILES,
    ("--reference", "-R", "--ref"),
    "reference",
    Text("FASTA"),
    "the genome that the calls were made with, with its .fai index (default: the file that their header names)",
)
ALL_RECORDS = Option(MATCHING, ("--all-records",), "all_records", Flag(), "records that a filter marks count, too")
PLOIDY = Option(
    MATCHING,
    ("--sample-ploidy", "-ploidy", "--ploidy"),
    "ploidy",
    Integer(1, MAX_PLOIDY),
    "alleles of a genotype; one of a single allele counts for all copies, other numbers are left out and counted (default: 2)",
)

EVALUATE_OPTIONS = (
    Option(FILES, ("--truth", "--baseline", "-b"), "truth", Text("VCF"), "the true variants, VCF or BCF; needs no index", required=True),
    Option(FILES, ("--calls", "-c"), "calls", Text("VCF"), "the calls, VCF or BCF; the word that stands alone means the same"),
    REFERENCE,
    Option(
        FILES,
        ("--bed", "--evaluation-regions", "-e"),
        "bed",
        Text("BED"),
        "where the truth is known: variants count that touch these regions; pairs that agree across a border agree",
    ),
    Option(
        FILES,
        ("--input", "-I"),
        "alignments",
        Text("BAM"),
        "the reads, for the context of depth and for --cut (default: depth is DP of the calls)",
        repeatable=True,
    ),
    Option(FILES, ("--output-prefix", "-O"), "output_prefix", Text("PREFIX"), "write PREFIX.json and the other files named below"),
    Option(FILES, ("--plot-format",), "plot_format", Choice(("png", "svg")), "of the picture (default: png)"),
    Option(
        FILES,
        ("--cut",),
        "cut",
        Text("FOLDER"),
        "cut each wrong locus into FOLDER/NAME: reads, reference and what the truth says, as the tests of gpuvc take them (needs -I)",
    ),
    Option(MATCHING, ("--sample",), "sample", Text("NAME"), "of several in a file: NAME, or TRUTH_NAME,CALLS_NAME"),
    ALL_RECORDS,
    Option(MATCHING, ("--squash-ploidy",), "squash_ploidy", Flag(), "an allele found is enough, whatever the genotype"),
    PLOIDY,
    Option(
        MATCHING,
        ("--score-field", "--vcf-score-field", "-f"),
        "score_field",
        Text("FIELD"),
        "the curves run along it: QUAL, INFO.NAME, FORMAT.NAME, or a FORMAT field such as GQ (default: QUAL)",
    ),
    *(option for option in CALL_OPTIONS if option.to == "verbosity"),
)

EVALUATE = Command(
    "evaluate",
    "gpuvc evaluate --truth TRUTH.vcf.gz --bed CONFIDENT.bed -R ref.fa CALLS.vcf.gz [options]",
    "precision, recall and F1 of calls against the truth",
    """\
Compare calls with the truth, genotypes included, whatever way variants are written: the counts of rtg vcfeval. SNVs are records whose
alleles are all one base long; every other record counts with the indels. By context, too: homopolymer, tandem repeat, GC, depth.""",
    EVALUATE_OPTIONS,
    """\
output files:
  PREFIX.json, PREFIX.tsv                 --output-prefix: every figure; the rows of the tables
  PREFIX.png or .svg                      precision and recall along the score, F1 by context
  PREFIX.tp.vcf.gz, PREFIX.fp.vcf.gz      records of the calls that are true, and that are false
  PREFIX.tp-baseline.vcf.gz, .fn.vcf.gz   records of the truth that were found, and that were missed
  FOLDER/NAME/                            --cut: reads.bam, ref.fa, their indexes, expected.yaml""",
)
