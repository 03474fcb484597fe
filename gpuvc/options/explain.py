"""Options of `gpuvc explain`."""

from gpuvc.options.call import CALL_OPTIONS
from gpuvc.options.kinds import CALLING, CONFIDENCE, HAPLOTYPES, PLACES, READS, WORDS, Command, Flag, Option

EXPLAIN_OPTIONS = (
    *(option for option in CALL_OPTIONS if option.to in ("reference", "alignments", "sample_name")),
    Option(WORDS, ("--json",), "as_json", Flag(), "print the figures as JSON (docs/explain.md)"),
    *(option for option in CALL_OPTIONS if option.group in (PLACES, READS, CALLING, HAPLOTYPES, CONFIDENCE)),
    *(option for option in CALL_OPTIONS if option.to in ("device", "verbosity", "arguments_file")),
)

EXPLAIN = Command(
    "explain",
    "gpuvc explain chr:pos -R ref.fa -I sample.bam [options]",
    "why a variant was or was not called at a place",
    """\
Why a variant was or was not called at a place, stage by stage; the last line is the verdict. chr:pos, or one allele: chr:pos:REF:ALT.
Takes the options of gpuvc call that decide what the haplotype engine calls: give those that the calls were made with.""",
    EXPLAIN_OPTIONS,
)
