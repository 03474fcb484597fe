"""Every option of `gpuvc call` and `gpuvc pileup`, in tables: honoured, accepted without effect on calls, refused by name.

GATK's long and short names come first, Parabricks' names are aliases. An option that is in none of the tables is unknown.
Nothing is ever ignored in silence: what cannot change calls is accepted with a note, what could is refused.

The reader is ours because argparse is not strict in GATK's style of options: it takes a mistyped -IP for -I with the value P, refuses
values that begin with a dash (--java-options -Xmx8g), and lets a repeated option replace the first without a word.

    python -m gpuvc.options > docs/options.md
"""

import difflib
import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from gpuvc.errors import InputError, UsageError
from gpuvc.settings import DRAGEN_MODE, MAX_PLOIDY, PEER_DEFAULTS, WRITER_TYPES, Settings, check_concordance

EXIT_CODES = (
    (0, "done: the output is whole"),
    (1, "an input is missing, malformed, or does not fit the others"),
    (2, "the request is wrong: an unknown or unsupported option, an impossible value"),
    (3, "no usable device, or too little memory on it"),
    (4, "the output cannot be written"),
    (70, "a fault in gpuvc, with a traceback"),
    (130, "interrupted (Ctrl-C)"),
    (137, "out of memory"),
    (141, "the reader of standard output went away"),
    (143, "terminated"),
)

# ------------------------------------------------------------------------------------------------------------------- kinds of value


class Text(NamedTuple):
    """Any text."""

    metavar: str = "TEXT"

    def read(self, text):
        return text


class Integer(NamedTuple):
    """A whole number in [least, most]."""

    least: int = 0
    most: int = 2**31 - 1
    metavar: str = "N"

    def read(self, text):
        if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()) or not self.least <= int(text) <= self.most:
            raise ValueError(f"a whole number from {self.least}" + (f" to {self.most}" if self.most < 2**31 - 1 else " up"))
        return int(text)


class Number(NamedTuple):
    """A number in [least, most)."""

    least: float = 0.0
    most: float = float("inf")
    metavar: str = "X"

    def read(self, text):
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not self.least <= value < self.most:
            raise ValueError(f"a number from {self.least:g}" + (f" to below {self.most:g}" if self.most < float("inf") else " up"))
        return value


class Choice(NamedTuple):
    """One of a few words; capitals do not matter."""

    words: tuple

    @property
    def metavar(self):
        return "{" + ",".join(self.words) + "}"

    def read(self, text):
        for word in self.words:
            if word.lower() == text.lower():
                return word
        raise ValueError(" or ".join(self.words))


class Switch(NamedTuple):
    """--option, --option true or --option false; `inverted` when true of the option is false of the parameter."""

    inverted: bool = False
    metavar: str = "[true|false]"

    def read(self, text):
        if text.lower() not in ("true", "false"):
            raise ValueError("true or false")
        return (text.lower() == "true") != self.inverted


class Flag(NamedTuple):
    """--option, and no value; `value` is what the parameter becomes."""

    value: object = True
    metavar: str = ""


# ------------------------------------------------------------------------------------------------------------------- honoured options


@dataclass(frozen=True)
class Option:
    """`to`: the field of Settings or the argument of `gpuvc.call_variants` that it sets."""

    group: str
    names: tuple[str, ...]  # GATK's long name first, then its short ones, then aliases
    to: str
    kind: Any
    help: str
    repeatable: bool = False
    required: bool = False

    @property
    def name(self):
        return self.names[0]

    @property
    def default(self):
        """Of the field of Settings that it sets, in the option's own words; None when it sets another argument, or a list."""
        default = getattr(Settings(), self.to, ())
        if default == () or self.repeatable or isinstance(self.kind, Flag):
            return None
        return self._in_words(default)

    @property
    def default_shown(self):
        """`default`, and what it is with a --concordance where that differs; None as there."""
        shown = self.default
        for peer, defaults in PEER_DEFAULTS.items():
            if self.to in defaults and self._in_words(defaults[self.to]) != self.default:
                shown += f"; {self._in_words(defaults[self.to])} with --concordance {peer}"
        return shown

    def _in_words(self, value):
        return str(value != self.kind.inverted).lower() if isinstance(self.kind, Switch) else str(value)


OF_ASSEMBLY = ("bam_output", "bam_writer_type", "create_bam_index", "assembly_region_out")
"""Arguments of `gpuvc.call_variants` that ask for files of the haplotype engine."""
NEEDS = {
    "gvcf_gq_bands": ("emit_ref_confidence", None),
    "floor_blocks": ("emit_ref_confidence", False),
    "bam_writer_type": ("bam_output", "CALLED_HAPLOTYPES"),
    "create_bam_index": ("bam_output", True),
    "force_call_filtered_alleles": ("alleles", False),
    "dragstr_het_hom_ratio": ("dragstr_params_path", 2),
    "dragstr_pair_hmm_scores": ("dragstr_params_path", True),
    "dragstr_priors": ("dragstr_params_path", True),
}
"""Parameters that change nothing without another, to that other and their own default."""
AS_GATK_ONLY = ("apply_bqd", "apply_frd", "genotype_assignment_method", "use_posteriors_for_qual")
"""Fields of Settings that belong to GATK's genotype model; gpuvc's own has no such part."""
FILES, PLACES, READS, CALLING, HAPLOTYPES, CONFIDENCE, MACHINE, WORDS = (
    "input and output",
    "where to call",
    "reads and bases",
    "calling",
    "the haplotype engine",
    "where nothing varies",
    "machine",
    "words",
)

CALL_OPTIONS = (
    Option(
        FILES,
        ("--reference", "-R", "--ref"),
        "reference",
        Text("FASTA"),
        "the genome that the reads were aligned to, with its .fai index",
        required=True,
    ),
    Option(
        FILES,
        ("--input", "-I", "--in-bam"),
        "alignments",
        Text("BAM"),
        "sorted BAM or CRAM, - for standard input, or a .list of paths, one a line; may be given several times",
        repeatable=True,
        required=True,
    ),
    Option(
        FILES,
        ("--output", "-O", "--out-variants"),
        "output",
        Text("VCF"),
        "ends in .vcf, .vcf.gz, .vcf.bgz or .bcf; - is text on standard output",
        required=True,
    ),
    Option(FILES, ("--report",), "report", Text("JSON"), "write a report of the run: reads by filter, records, seconds, memory"),
    Option(
        FILES,
        ("--bam-output", "-bamout", "--htvc-bam-output"),
        "bam_output",
        Text("BAM"),
        "write reads as the haplotype engine realigned them, and the haplotypes as reads of the group ArtificialHaplotypeRG",
    ),
    Option(
        FILES,
        ("--bam-writer-type",),
        "bam_writer_type",
        Choice(WRITER_TYPES),
        "what --bam-output holds: regions with calls and the haplotypes called, or all that were assembled (default: CALLED_HAPLOTYPES)",
    ),
    Option(
        FILES,
        ("--create-output-bam-index", "-OBI"),
        "create_bam_index",
        Switch(),
        "index what --bam-output writes: .bai, or .csi for contigs over 512 Mb (default: true)",
    ),
    Option(
        FILES,
        ("--assembly-region-out",),
        "assembly_region_out",
        Text("IGV"),
        "write the regions that the haplotype engine assembled as a track for IGV",
    ),
    Option(
        FILES,
        ("--create-output-variant-index", "-OVI"),
        "create_index",
        Switch(),
        "index a compressed output: .tbi, or .csi for BCF and contigs over 512 Mb (default: true)",
    ),
    Option(
        FILES,
        ("--add-output-vcf-command-line",),
        "add_command_line",
        Switch(),
        "name the command in the header (default: true)",
    ),
    Option(
        FILES,
        ("--no-version",),
        "version_header",
        Flag(False),
        "leave version, command and paths out of the header, so that outputs compare byte for byte",
    ),
    Option(
        FILES,
        ("--sample-name", "-ALIAS", "-sn"),
        "sample_name",
        Text("NAME"),
        "call this sample of several (read groups' SM); default: all, together",
    ),
    Option(
        PLACES,
        ("--intervals", "-L", "--interval", "--interval-file"),
        "intervals",
        Text("WHERE"),
        "chr, chr:5, chr:5-90 or chr:5+ (1-based), or a file: .bed .interval_list .vcf .bcf .list; may be given several times",
        repeatable=True,
    ),
    Option(
        PLACES, ("--exclude-intervals", "-XL"), "exclude_intervals", Text("WHERE"), "do not call there; as --intervals", repeatable=True
    ),
    Option(
        PLACES,
        ("--interval-padding", "-ip"),
        "interval_padding",
        Integer(metavar="BP"),
        "widen each interval on either side (default: 0)",
    ),
    Option(
        PLACES,
        ("--interval-exclusion-padding", "-ixp"),
        "interval_exclusion_padding",
        Integer(metavar="BP"),
        "widen each excluded interval on either side (default: 0)",
    ),
    Option(
        PLACES,
        ("--interval-set-rule", "-isr"),
        "interval_set_rule",
        Choice(("UNION", "INTERSECTION")),
        "how several --intervals combine (default: UNION)",
    ),
    Option(
        READS,
        ("--minimum-mapping-quality",),
        "min_mapping_quality",
        Integer(0, 255, "PHRED"),
        "leave out reads below it",
    ),
    Option(
        READS,
        ("--mapping-quality-threshold-for-genotyping",),
        "genotyping_mapping_quality",
        Integer(0, 255, "PHRED"),
        "assemble reads below it, but do not genotype with them; --minimum-mapping-quality unless given, with --concordance hc 20",
    ),
    Option(
        READS,
        ("--min-base-quality-score", "-mbq"),
        "min_base_quality",
        Integer(0, 93, "PHRED"),
        "leave out bases below it",
    ),
    Option(
        READS,
        ("--max-reads-per-alignment-start",),
        "max_reads_per_alignment_start",
        Integer(),
        "keep so many of the reads that start at one position, chosen by a hash; 0 keeps all",
    ),
    Option(
        READS,
        ("--dont-use-soft-clipped-bases",),
        "use_soft_clipped_bases",
        Switch(inverted=True),
        "take no evidence from soft-clipped bases",
    ),
    Option(
        READS,
        ("--do-not-correct-overlapping-quality",),
        "correct_overlapping_quality",
        Switch(inverted=True),
        "count bases that both mates of a fragment cover twice",
    ),
    Option(READS, ("--read-filter", "-RF"), "extra_read_filters", Text("NAME"), "apply this read filter as well", repeatable=True),
    Option(
        READS, ("--disable-read-filter", "-DF"), "disabled_read_filters", Text("NAME"), "do not apply this read filter", repeatable=True
    ),
    Option(
        CALLING,
        ("--engine",),
        "engine",
        Choice(("haplotype", "pileup")),
        "how variants are found: haplotype = local assembly, pileup = from counts, twice as fast (human genome, 50x)",
    ),
    Option(CALLING, ("--sample-ploidy", "-ploidy", "--ploidy"), "sample_ploidy", Integer(1, MAX_PLOIDY), "copies of each chromosome"),
    Option(
        CALLING,
        ("--standard-min-confidence-threshold-for-calling", "-stand-call-conf"),
        "standard_min_confidence",
        Number(metavar="PHRED"),
        "write no record with QUAL below it",
    ),
    Option(
        CALLING,
        ("--max-alternate-alleles",),
        "max_alternate_alleles",
        Integer(1, 100),
        "alternate alleles in one record, the best kept",
    ),
    Option(
        CALLING,
        ("--heterozygosity",),
        "heterozygosity",
        Number(1e-12, 1.0),
        "expected SNV heterozygosity per base, the prior",
    ),
    Option(
        CALLING,
        ("--heterozygosity-stdev",),
        "heterozygosity_stdev",
        Number(1e-6, 1.0),
        "how much heterozygosity varies along the genome (the haplotype engine)",
    ),
    Option(
        CALLING,
        ("--indel-heterozygosity",),
        "indel_heterozygosity",
        Number(1e-12, 1.0),
        "expected indel heterozygosity per base, the prior",
    ),
    Option(
        CALLING,
        ("--concordance",),
        "concordance",
        Choice(("none", "hc", "bcftools")),
        "hc: as GATK HaplotypeCaller, where gpuvc would do better, too; bcftools (--engine pileup): as mpileup -B | call -m, SNVs alone",
    ),
    Option(
        HAPLOTYPES,
        ("--active-probability-threshold",),
        "active_probability_threshold",
        Number(0.0, 1.0),
        "a locus is active, and its surroundings assembled, above it",
    ),
    Option(
        HAPLOTYPES, ("--min-assembly-region-size",), "min_assembly_region_size", Integer(1, 10_000, "BP"), "cut long regions no shorter"
    ),
    Option(HAPLOTYPES, ("--max-assembly-region-size",), "max_assembly_region_size", Integer(1, 10_000, "BP"), "cut regions no longer"),
    Option(
        HAPLOTYPES, ("--assembly-region-padding",), "assembly_region_padding", Integer(0, 1000, "BP"), "assemble so much around a region"
    ),
    Option(
        HAPLOTYPES,
        ("--max-prob-propagation-distance",),
        "max_prob_propagation_distance",
        Integer(0, 1000, "BP"),
        "how far soft clips carry a locus's activity",
    ),
    Option(
        HAPLOTYPES,
        ("--soft-clip-low-quality-ends",),
        "soft_clip_low_quality_ends",
        Switch(),
        "keep the low-quality tails of reads as soft clips",
    ),
    Option(
        HAPLOTYPES,
        ("--override-fragment-softclip-check",),
        "override_fragment_softclip_check",
        Switch(),
        "use soft-clipped bases of fragments whose ends are not known, too",
    ),
    Option(
        HAPLOTYPES, ("--kmer-size",), "kmer_sizes", Integer(3, 200, "K"), "build graphs of these k-mers (GATK: 10, 25)", repeatable=True
    ),
    Option(
        HAPLOTYPES,
        ("--allow-non-unique-kmers-in-ref",),
        "allow_non_unique_kmers_in_ref",
        Switch(),
        "take a graph whose reference repeats a k-mer",
    ),
    Option(HAPLOTYPES, ("--min-pruning",), "min_pruning", Integer(0, 1000, "READS"), "drop paths of the graph that fewer reads support"),
    Option(
        HAPLOTYPES, ("--num-pruning-samples",), "num_pruning_samples", Integer(1, 1000), "samples in which a path must reach --min-pruning"
    ),
    Option(
        HAPLOTYPES, ("--adaptive-pruning",), "adaptive_pruning", Switch(), "prune by likelihood ratio instead of a fixed number of reads"
    ),
    Option(
        HAPLOTYPES,
        ("--max-num-haplotypes-in-population",),
        "max_haplotypes_per_graph",
        Integer(2, 10_000),
        "haplotypes kept of each graph, the best",
    ),
    Option(
        HAPLOTYPES,
        ("--min-dangling-branch-length",),
        "min_dangling_branch_length",
        Integer(1, 1000, "VERTICES"),
        "shorter loose ends of the graph are not joined to the reference",
    ),
    Option(
        HAPLOTYPES,
        ("--recover-all-dangling-branches",),
        "recover_all_dangling_branches",
        Switch(),
        "join loose ends that fork, too",
    ),
    Option(
        HAPLOTYPES,
        ("--num-matching-bases-in-dangling-end-to-recover",),
        "matching_bases_in_dangling_end",
        Integer(-1, 1000, "BASES"),
        "bases of a loose end that must equal the reference; -1: decide by alignment",
    ),
    Option(
        HAPLOTYPES,
        ("--enable-legacy-graph-cycle-detection",),
        "legacy_graph_cycle_detection",
        Switch(),
        "look for cycles before the graph is pruned",
    ),
    Option(
        HAPLOTYPES,
        ("--base-quality-score-threshold",),
        "base_quality_score_threshold",
        Integer(6, 93, "PHRED"),
        "a base below it says nothing about a haplotype",
    ),
    Option(
        HAPLOTYPES,
        ("--disable-cap-base-qualities-to-map-quality",),
        "cap_base_qualities_to_mapq",
        Switch(inverted=True),
        "let a base be surer than the place of its read",
    ),
    Option(
        HAPLOTYPES,
        ("--pcr-indel-model",),
        "pcr_indel_model",
        Choice(("REPEATS", "NONE", "HOSTILE", "AGGRESSIVE", "CONSERVATIVE")),
        "how likely the polymerase slips in repeats",
    ),
    Option(
        HAPLOTYPES,
        ("--phred-scaled-global-read-mismapping-rate", "-global-mapq"),
        "phred_scaled_global_read_mismapping_rate",
        Integer(-1, 1000, "PHRED"),
        "a read prefers no haplotype to another by more; negative: no limit",
    ),
    Option(
        HAPLOTYPES,
        ("--expected-mismatch-rate-for-read-disqualification",),
        "expected_mismatch_rate",
        Number(0.0, 1.0),
        "mismatches a base of a read that still fits its best haplotype",
    ),
    Option(
        HAPLOTYPES,
        ("--enable-dynamic-read-disqualification-for-genotyping",),
        "dynamic_read_disqualification",
        Switch(),
        "leave reads out by what their base qualities lead to expect, not by a fixed number of mismatches",
    ),
    Option(
        HAPLOTYPES,
        ("--max-mnp-distance", "-mnp-dist"),
        "max_mnp_distance",
        Integer(0, 100, "BP"),
        "write SNVs of one haplotype that are no further apart as one record",
    ),
    Option(
        HAPLOTYPES,
        ("--allele-informative-reads-overlap-margin",),
        "read_overlap_margin",
        Integer(0, 100, "BP"),
        "a read counts at a locus when it comes so near",
    ),
    Option(
        HAPLOTYPES,
        ("--disable-spanning-event-genotyping",),
        "spanning_allele",
        Switch(inverted=True),
        "write no allele *: where a deletion from before lies on a chromosome, take that for the reference",
    ),
    Option(
        HAPLOTYPES,
        ("--do-not-run-physical-phasing",),
        "physical_phasing",
        Switch(inverted=True),
        "do not say which genotypes lie on one haplotype. With --concordance hc only a GVCF says it, as in GATK",
    ),
    Option(
        HAPLOTYPES,
        ("--dragen-mode",),
        "dragen_mode",
        Switch(),
        "set fourteen options as DRAGEN 3.4.12 has them, unless they are given. Needs --concordance hc (default: false)",
    ),
    Option(
        HAPLOTYPES,
        ("--transform-dragen-mapping-quality",),
        "transform_dragen_mapping_quality",
        Switch(),
        "take the mapping quality of reads that pass the filters from the tag XQ of DRAGEN's aligner, where they have it",
    ),
    Option(
        HAPLOTYPES,
        ("--genotype-assignment-method", "-gam"),
        "genotype_assignment_method",
        Choice(("USE_PLS_TO_ASSIGN", "USE_POSTERIOR_PROBABILITIES")),
        "take the likeliest genotype by PL, or by PL and prior (writes GP and PG, needs --concordance hc)",
    ),
    Option(
        HAPLOTYPES,
        ("--use-posteriors-to-calculate-qual", "-gp-qual"),
        "use_posteriors_for_qual",
        Switch(),
        "QUAL from GP, too. Needs USE_POSTERIOR_PROBABILITIES",
    ),
    Option(
        HAPLOTYPES,
        ("--apply-bqd",),
        "apply_bqd",
        Switch(),
        "DRAGEN-GATK's base-quality dropout: late bases of one strand may be errors together. Needs --concordance hc",
    ),
    Option(
        HAPLOTYPES,
        ("--apply-frd",),
        "apply_frd",
        Switch(),
        "DRAGEN-GATK's foreign reads: badly placed reads may come from elsewhere together. Needs --concordance hc",
    ),
    Option(
        HAPLOTYPES,
        ("--dragstr-params-path",),
        "dragstr_params_path",
        Text("TABLES"),
        "gaps and indels in repeats by GATK's CalibrateDragstrModel, in place of --pcr-indel-model. Needs --concordance hc",
    ),
    Option(
        HAPLOTYPES,
        ("--dragstr-het-hom-ratio",),
        "dragstr_het_hom_ratio",
        Integer(1),
        "how much likelier than two copies of an allele one is beforehand, where posteriors assign the genotype (default: 2)",
    ),
    Option(
        HAPLOTYPES,
        ("--dont-use-dragstr-pair-hmm-scores",),
        "dragstr_pair_hmm_scores",
        Switch(inverted=True),
        "take the costs of gaps from --pcr-indel-model all the same",
    ),
    Option(
        HAPLOTYPES,
        ("--dont-use-dragstr-priors",),
        "dragstr_priors",
        Switch(inverted=True),
        "take the priors of genotypes from --heterozygosity and --indel-heterozygosity all the same",
    ),
    Option(HAPLOTYPES, ("--padding-around-snps",), "snp_padding", Integer(0, 1000, "BP"), "score haplotypes over so much around SNVs"),
    Option(HAPLOTYPES, ("--padding-around-indels",), "indel_padding", Integer(0, 1000, "BP"), "and around indels"),
    Option(HAPLOTYPES, ("--padding-around-strs",), "str_padding", Integer(0, 1000, "BP"), "and around indels of a repeat, beyond it"),
    Option(
        HAPLOTYPES,
        ("--alleles", "--htvc-alleles"),
        "alleles",
        Text("VCF"),
        "call the alleles of this VCF or BCF whatever the reads show, wherever there are reads; compressed, it needs its index",
    ),
    Option(
        HAPLOTYPES,
        ("--force-call-filtered-alleles", "-genotype-filtered-alleles"),
        "force_call_filtered_alleles",
        Switch(),
        "call the alleles of its filtered records, too (default: false)",
    ),
    Option(
        HAPLOTYPES,
        ("--ploidy-regions",),
        "ploidy_regions",
        Text("BED"),
        "ploidies of parts of the genome, in the name column of a .bed or .interval_list; elsewhere --sample-ploidy holds",
    ),
    Option(
        CONFIDENCE,
        ("--emit-ref-confidence", "-ERC"),
        "emit_ref_confidence",
        Choice(("NONE", "GVCF", "BP_RESOLUTION")),
        "say of one sample's every base how sure it is that nothing varies, or of blocks (GVCF); any QUAL is called then",
    ),
    Option(CONFIDENCE, ("--gvcf",), "emit_ref_confidence", Flag("GVCF"), "the same as --emit-ref-confidence GVCF"),
    Option(
        CONFIDENCE,
        ("--gvcf-gq-bands", "-GQB"),
        "gvcf_gq_bands",
        Integer(1, 100, "GQ"),
        "a new block begins at this quality (default: 1 to 60, 70, 80, 90, 99)",
        repeatable=True,
    ),
    Option(CONFIDENCE, ("--floor-blocks",), "floor_blocks", Switch(), "give a block the least quality of its band, and no likelihoods"),
    Option(
        MACHINE,
        ("--device",),
        "device",
        Choice(("auto", "cpu", "cuda")),
        "auto takes a usable GPU and says so; cuda insists on one (default: auto). Calls are the same on all",
    ),
    Option(MACHINE, ("--threads",), "threads", Integer(1, 1024), "CPU threads (default: one per core this process may use)"),
    Option(
        MACHINE, ("--shard-bytes",), "shard_bytes", Integer(1, metavar="BYTES"), "compressed input per unit of work; never changes calls"
    ),
    Option(
        WORDS,
        ("--verbosity", "-verbosity"),
        "verbosity",
        Choice(("DEBUG", "INFO", "WARNING", "ERROR")),
        "what is said on standard error (default: INFO)",
    ),
    Option(WORDS, ("--QUIET",), "quiet", Switch(), "no progress, no summary"),
    Option(
        WORDS,
        ("--arguments_file",),  # replaced by its words before options are read
        "arguments_file",
        Text("FILE"),
        "read further options from it, quoted as in a shell",
    ),
)

PILEUP_OPTIONS = (
    *(option for option in CALL_OPTIONS if option.to in ("reference", "alignments", "sample_name")),
    Option(FILES, ("--output", "-O"), "output", Text("TABLE"), ".tsv, .arrow, .feather, or - for TSV on standard output (default: -)"),
    Option(PLACES, ("--intervals", "-L"), "interval", Text("REGION"), "one region: chr, chr:5-90 (default: everything)"),
    *(option for option in CALL_OPTIONS if option.group == READS and option.to != "genotyping_mapping_quality"),
    Option(READS, ("--raw",), "settled", Flag(False), "base qualities as they stand in the file, whatever mates and adaptors say of them"),
    *(option for option in CALL_OPTIONS if option.to in ("device", "verbosity", "quiet")),
)

EXPLAIN_OPTIONS = (
    *(option for option in CALL_OPTIONS if option.to in ("reference", "alignments", "sample_name")),
    Option(WORDS, ("--json",), "as_json", Flag(), "print the figures as JSON (docs/explain.md)"),
    *(option for option in CALL_OPTIONS if option.group in (PLACES, READS, CALLING, HAPLOTYPES, CONFIDENCE)),
    *(option for option in CALL_OPTIONS if option.to in ("device", "verbosity", "arguments_file")),
)

DEMO_OPTIONS = (
    Option(FILES, ("--output-dir",), "output_dir", Text("FOLDER"), "made if it is not there (default: demo-output)"),
    *(option for option in CALL_OPTIONS if option.to in ("device", "threads")),
)

# ------------------------------------------------------------------------------------------------------------------- other options


class Noted(NamedTuple):
    """Accepted, with a note: it cannot change calls. `to`: the parameter that it sets all the same, if no option of ours does."""

    names: tuple
    takes: Any
    note: str
    to: str | None = None


class Refused(NamedTuple):
    """Refused by name, unless the value asked for (`does`, lower case) is what is done anyway."""

    names: tuple
    instead: str
    takes: Any = Text()
    does: tuple = ()


_ONE_MACHINE = "gpuvc takes the cores and the GPU that it may use"
_WRAPPER = "it steers Parabricks' container"
_JAVA = "there is no Java in gpuvc"

NOTED = (
    Noted(("--java-options",), Text(), _JAVA),
    Noted(("--use-jdk-deflater", "-jdk-deflater"), Switch(), _JAVA),
    Noted(("--use-jdk-inflater", "-jdk-inflater"), Switch(), _JAVA),
    Noted(("--gatk-config-file",), Text(), _JAVA),
    Noted(("--showHidden", "-showHidden"), Switch(), "no option is hidden"),
    Noted(("--tmp-dir",), Text(), "the only temporary file lies in the output's folder"),
    Noted(("--native-pair-hmm-threads", "--num-htvc-threads"), Integer(1, 1024), "it is taken as --threads", "threads"),
    Noted(("--pair-hmm-implementation", "-pairHMM"), Text(), "gpuvc has its own kernels"),
    Noted(("--smith-waterman",), Text(), "gpuvc has its own kernels"),
    Noted(
        ("--interval-merging-rule", "-imr"),
        Choice(("ALL", "OVERLAPPING_ONLY")),
        "where one interval ends and another begins, regions and blocks go on, as GATK's do",
    ),
    Noted(("--seconds-between-progress-updates",), Text(), "progress is shown on terminals"),
    Noted(("--disable-bam-index-caching", "-DBIC"), Switch(), "the index is read once"),
    Noted(("--cloud-prefetch-buffer", "-CPB"), Text(), "gpuvc reads ahead by itself"),
    Noted(("--cloud-index-prefetch-buffer", "-CIPB"), Text(), "gpuvc reads ahead by itself"),
    Noted(("--gcs-max-retries", "-gcs-retries"), Text(), "gpuvc reads no cloud store"),
    Noted(("--num-gpus",), Integer(), _ONE_MACHINE),
    Noted(("--gpu-num-per-partition",), Text(), _ONE_MACHINE),
    Noted(("--run-partition",), Flag(), _ONE_MACHINE),
    Noted(("--num-streams-per-gpu",), Text(), _ONE_MACHINE),
    Noted(("--num-cpu-threads-per-stream",), Text(), _ONE_MACHINE),
    Noted(("--htvc-low-memory",), Flag(), "gpuvc fits its batches to the memory there is"),
    Noted(("--low-memory",), Flag(), "gpuvc fits its batches to the memory there is"),
    Noted(("--memory-limit",), Text(), "gpuvc fits its batches to the memory there is"),
    Noted(("--logfile",), Text(), "words go to standard error: redirect it with 2> FILE"),
    Noted(("--verbose",), Flag(), "see --verbosity"),
    Noted(("--keep-tmp",), Flag(), _WRAPPER),
    Noted(("--x3",), Flag(), _WRAPPER),
    Noted(("--preserve-file-symlinks",), Flag(), _WRAPPER),
    Noted(("--no-seccomp-override",), Flag(), _WRAPPER),
    Noted(("--monitor-usage",), Flag(), "see --report"),
)

_GVCF = "gpuvc writes variants, or with --emit-ref-confidence every position"
_ASSEMBLY = "the assembly has no such setting so far"
_ANNOTATIONS = "the annotations that `gpuvc call` writes are fixed; drop some with bcftools annotate -x"
_PLOIDY = "name the regions and their ploidies in a file: --ploidy-regions"
_DRAGEN = "of DRAGEN's model gpuvc has what --dragen-mode sets, and DRAGstr"
_BQSR = "recalibrate the reads first: gatk ApplyBQSR"
_TUNING = "gpuvc has no such step"
_DEEPVARIANT = "it belongs to DeepVariant's network, which gpuvc does not have"
# GATK's classes of the annotations that are written anyway.
_WRITTEN = (
    "basequalityranksumtest",
    "chromosomecounts",
    "coverage",
    "depthperallelebysample",
    "fisherstrand",
    "mappingqualityranksumtest",
    "qualbydepth",
    "readposranksumtest",
    "rmsmappingquality",
    "strandoddsratio",
)


def _refused(names, instead, takes=Text(), does=()):  # noqa: B008 - a constant
    return Refused(tuple(names.split()), instead, takes, tuple(does))


REFUSED = (
    _refused("--output-mode", f"{_GVCF}. Use --output-mode EMIT_VARIANTS_ONLY, or leave it out", does=["emit_variants_only"]),
    _refused("--sample-sex", _PLOIDY),
    _refused("--range-male", _PLOIDY),
    _refused("--range-female", _PLOIDY),
    _refused("--use-GRCh37-regions", _PLOIDY, Flag()),
    _refused("--haploid-contigs", _PLOIDY),
    _refused("--par-regions-bed", _PLOIDY),
    _refused("--proposed-variants", "use --alleles"),
    _refused("--dbsnp -D", "add IDs after the call: bcftools annotate -a dbsnp.vcf.gz -c ID"),
    _refused("--comparison -comp", "mark overlaps after the call: bcftools annotate -a other.vcf.gz -m"),
    _refused("--annotation -A", _ANNOTATIONS, does=_WRITTEN),
    _refused("--annotation-group -G", _ANNOTATIONS),
    _refused("--annotations-to-exclude -AX", _ANNOTATIONS),
    _refused("--enable-all-annotations", _ANNOTATIONS, Switch(), ["false"]),
    _refused("--disable-tool-default-annotations", _ANNOTATIONS, Switch(), ["false"]),
    _refused("--max-genotype-count", "alleles of a locus are bounded by 1024 genotypes. See --max-alternate-alleles", does=["1024"]),
    _refused("--num-reference-samples-if-no-call", "there is no such model of populations"),
    _refused("--population-callset -population", "there is no such model of populations"),
    _refused("--pedigree -ped", "there is no such model of populations"),
    _refused("--founder-id", "there is no such model of populations"),
    _refused("--contamination-fraction-to-filter -contamination", _TUNING, does=["0", "0.0"]),
    _refused("--contamination-fraction-per-sample-file -contamination-file", _TUNING),
    _refused("--dragen-378-concordance-mode", _DRAGEN, Switch(), ["false"]),
    _refused("--pileup-detection", _DRAGEN, Switch(), ["false"]),
    _refused("--flow-mode", _TUNING, does=["none"]),
    _refused("--force-active", _ASSEMBLY, Switch(), ["false"]),
    _refused("--dont-increase-kmer-sizes-for-cycles", _ASSEMBLY, Switch(), ["false"]),
    _refused("--adaptive-pruning-initial-error-rate", _ASSEMBLY),
    _refused("--pruning-lod-threshold", _ASSEMBLY),
    _refused("--pruning-seeding-lod-threshold", _ASSEMBLY),
    _refused("--max-unpruned-variants", _ASSEMBLY),
    _refused("--linked-de-bruijn-graph", _ASSEMBLY, Switch(), ["false"]),
    _refused("--error-correct-reads", _ASSEMBLY, Switch(), ["false"]),
    _refused("--pair-hmm-gap-continuation-penalty", _ASSEMBLY),
    _refused("--pair-hmm-results-file", _ASSEMBLY),
    _refused("--native-pair-hmm-use-double-precision", _ASSEMBLY, Switch(), ["false"]),
    _refused("--debug-assembly-region-state", _ASSEMBLY, Switch(), ["false"]),
    _refused("--debug-assembly -debug", _ASSEMBLY, Switch(), ["false"]),
    _refused("--graph-output -graph", _ASSEMBLY),
    _refused("--alm-path", _ASSEMBLY),
    _refused("--alm-interval", _ASSEMBLY),
    _refused("--create-output-bam-md5 -OBM", "use md5sum", Switch(), ["false"]),
    _refused("--disable-tool-default-read-filters", "switch filters off one by one with --disable-read-filter", Switch(), ["false"]),
    _refused("--read-index", "the index lies beside its BAM: sample.bam.bai"),
    _refused("--read-validation-stringency -VS", "malformed reads are errors, or filtered and counted", does=["silent"]),
    _refused("--lenient -LE", "malformed input is an error", Switch(), ["false"]),
    _refused("--sequence-dictionary", "contigs come from the header of the reads"),
    _refused("--disable-sequence-dictionary-validation", "contigs are always checked", Switch(), ["false"]),
    _refused("--bqsr-recal-file --in-recal-file", _BQSR),
    _refused("--static-quantized-quals", _BQSR),
    _refused("--create-output-variant-md5 -OVM", "use md5sum", Switch(), ["false"]),
    _refused("--sites-only-vcf-output", "pipe the call: gpuvc call ... -O - | bcftools view -G", Switch(), ["false"]),
    _refused("--gcs-project-for-requester-pays", "gpuvc reads no cloud store"),
    _refused("--haplotypecaller-options", "give GATK's options as they are, without the quotation marks"),
    _refused("--no-alt-contigs", "leave contigs out with --exclude-intervals", Flag()),
    _refused("--filter-reads-too-long", "see --read-filter", Flag()),
    _refused("--rna", "gpuvc calls DNA", Flag()),
    _refused("--with-petagene-dir", "gpuvc reads BAM and CRAM"),
    _refused("--mode", _DEEPVARIANT, does=["shortread"]),
    _refused("--use-wes-model", _DEEPVARIANT, Flag()),
    _refused("--pb-model-file", _DEEPVARIANT),
    _refused("--enable-small-model", _DEEPVARIANT, Flag()),
    _refused("--alt-aligned-pileup", _DEEPVARIANT, does=["none"]),
)
# DeepVariant's channels and thresholds come in families.
REFUSED_FAMILIES = (("--channel-", _DEEPVARIANT), ("--vsc-", _DEEPVARIANT))


# ------------------------------------------------------------------------------------------------------------------- reading


class Request(NamedTuple):
    """What a command line asks for: parameter → value, notes for the user, and the files that stood for arguments."""

    values: dict
    notes: list
    files: list


def read_options(arguments, table, *, command, others=(), word=None) -> Request:
    """The options of one command; parameters that were not given are absent from `values`.

    table
        The command's options. `others`: its NOTED and REFUSED.
    word
        The parameter that takes the one word which stands alone; None where none may.

    Raises
    ------
    UsageError
        An option is unknown, unsupported, repeated, lacks its value or is missing; a value is impossible; a word stands alone.
    InputError
        An --arguments_file cannot be read.
    """
    known = {name: option for option in (*table, *others) for name in option.names}
    values: dict[str, Any] = {}
    implied: dict[str, Any] = {}
    given: dict[str, str] = {}
    notes = []
    files: list[str] = []
    rest = _with_argument_files(arguments, files)[::-1]  # a stack, the next token last
    while rest:
        token = rest.pop()
        name, equals, text = token.partition("=")
        option = known.get(name)
        if option is None and word and word not in values and not token.startswith("-"):
            values[word] = token
            continue
        if option is None:
            raise UsageError(_unknown(name, known, command))
        kind = option.kind if isinstance(option, Option) else option.takes
        text = _take_value(name, kind, text if equals else None, rest, known)
        if isinstance(option, Refused):
            if text is None or text.lower() not in option.does:
                raise UsageError(f"{_spelled(name, option)} is not supported yet: {option.instead}.")
            continue
        value = kind.value if isinstance(kind, Flag) else _read_value(name, kind, text)
        if isinstance(option, Noted):
            notes.append(f"{name}: {option.note}; calls do not depend on it.")
            if option.to:
                implied[option.to] = value
        elif option.repeatable:
            values.setdefault(option.to, []).append(value)
        elif option.to in values:
            raise UsageError(f"option {name}: found it twice (first as {given[option.to]}), expected it once.")
        else:
            given[option.to], values[option.to] = name, value
    for option in table:
        if option.required and option.to not in values:
            raise UsageError(f"option {'/'.join(option.names[:2])}: found none, expected {option.help}. See gpuvc {command} --help.")
    if values.get("emit_ref_confidence", "NONE") != "NONE" and values.get("standard_min_confidence"):
        notes.append(f"{given['standard_min_confidence']}: with --emit-ref-confidence it is 0, as in GATK.")
    names = {option.to: option.name for option in reversed(table)}
    for to, (needed, default) in NEEDS.items():
        is_needed_there = values.get(needed, "NONE") != "NONE"  # a file, or a mode
        if values.get(to, default) != default and not is_needed_there:
            notes.append(f"{names[to]}: it changes nothing without {names[needed]}.")
    if values.get("dragstr_params_path") and values.get("dragstr_pair_hmm_scores", True) and "pcr_indel_model" in values:
        notes.append(f"{given['pcr_indel_model']}: --dragstr-params-path says what gaps cost instead, as in GATK.")
    return Request(implied | values, notes, files)


def settings_and_rest(values: dict) -> tuple[Settings, dict]:
    """The values that are fields of Settings as a Settings, and the others."""
    names = {field.name for field in fields(Settings)}
    ours: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name in names}
    rest = {name: value for name, value in values.items() if name not in names}
    if rest.pop("dragen_mode", False):
        for name, expected in (("engine", "haplotype"), ("concordance", "hc")):
            if ours.get(name, getattr(Settings(), name)) != expected:
                raise UsageError(f"option --dragen-mode: found it without --{name} {expected}, expected it with that.")
        if ours.get("min_mapping_quality", 1) != 1:
            raise UsageError(
                f"option --minimum-mapping-quality: found {ours['min_mapping_quality']} with --dragen-mode, expected 1, on which the mode "
                "insists. See --mapping-quality-threshold-for-genotyping."
            )
        ours = DRAGEN_MODE | ours
    settings = Settings(**ours)
    check_concordance(settings, {option.to: option.name for option in reversed(CALL_OPTIONS)})
    if settings.engine != "haplotype":
        for option in CALL_OPTIONS:
            default = NEEDS.get(option.to, (None, None))[1]
            changed = rest.get(option.to, default) != default or getattr(settings, option.to, None) != getattr(Settings(), option.to, None)
            if (option.group == HAPLOTYPES or option.to in OF_ASSEMBLY) and changed:
                raise UsageError(f"option {option.name}: found it with --engine {settings.engine}, expected --engine haplotype.")
    if settings.min_assembly_region_size > settings.max_assembly_region_size:
        raise UsageError(
            f"option --min-assembly-region-size: found {settings.min_assembly_region_size}, expected at most "
            f"--max-assembly-region-size ({settings.max_assembly_region_size})."
        )
    if list(settings.gvcf_gq_bands) != sorted(set(settings.gvcf_gq_bands)):
        bands = ", ".join(map(str, settings.gvcf_gq_bands))
        raise UsageError(f"option --gvcf-gq-bands: found {bands}, expected each above the one before.")
    threshold = settings.genotyping_mapping_quality
    if settings.engine != "haplotype" and threshold > settings.min_mapping_quality:
        raise UsageError(
            f"option --mapping-quality-threshold-for-genotyping: found {threshold}, expected at most --minimum-mapping-quality "
            f"({settings.min_mapping_quality}). Use --minimum-mapping-quality {threshold}."
        )
    for option in CALL_OPTIONS:
        if option.to in AS_GATK_ONLY and settings.concordance != "hc" and getattr(settings, option.to) != getattr(Settings(), option.to):
            raise UsageError(f"option {option.name}: found it with gpuvc's own model, expected --concordance hc, to whose it belongs.")
    if settings.use_posteriors_for_qual and settings.genotype_assignment_method != "USE_POSTERIOR_PROBABILITIES":
        raise UsageError(
            f"option --use-posteriors-to-calculate-qual: found it with --genotype-assignment-method {settings.genotype_assignment_method}, "
            "expected USE_POSTERIOR_PROBABILITIES."
        )
    return settings, rest


def _with_argument_files(arguments, files, depth=0):
    """The arguments, each --arguments_file replaced by the words in the file, whose path is added to `files`."""
    words = []
    rest = list(arguments)[::-1]
    while rest:
        word = rest.pop()
        if word.partition("=")[0] != "--arguments_file":
            words.append(word)
            continue
        path = word.partition("=")[2] or (rest.pop() if rest else "")
        if depth == 8:
            raise UsageError(f"option --arguments_file {path}: found files that name each other, expected an end.")
        try:
            text = Path(path).read_text().replace("\\\n", " ")  # shlex would keep the line break that a shell drops
            words += _with_argument_files(shlex.split(text, comments=True), files, depth + 1)
            files.append(path)
        except (OSError, ValueError) as error:
            raise InputError(
                f"arguments in {path or 'no file'}: found it unreadable ({error}), expected words, quoted as in a shell."
            ) from error
    return words


def _take_value(name, kind, text, rest, known):
    """The text that belongs to option `name`: what stood after =, or the next word; None for a flag."""
    if isinstance(kind, Flag):
        if text is not None:
            raise UsageError(f"option {name}: found the value {text!r}, expected none.")
        return None
    if isinstance(kind, Switch):
        if text is None:
            return rest.pop() if rest and rest[-1].lower() in ("true", "false") else "true"
        return text
    if text is None and rest and rest[-1].partition("=")[0] not in known:
        text = rest.pop()
    if not text:
        raise UsageError(f"option {name}: found no value, expected {kind.metavar}.")
    return text


def _read_value(name, kind, text):
    try:
        return kind.read(text)
    except ValueError as error:
        raise UsageError(f"option {name}: found {text!r}, expected {error}.") from None


def _spelled(name, option):
    return name if name == option.names[0] else f"{name} ({option.names[0]})"


def _unknown(name, known, command):
    if not name.startswith("-") or name == "-":
        return f"argument {name!r}: found it after no option, expected --option value. See gpuvc {command} --help."
    for family, instead in REFUSED_FAMILIES:
        if name.startswith(family):
            return f"{name} is not supported yet: {instead}."
    return f"option {name}: found no such option.{did_you_mean(name, known)} See gpuvc {command} --help."


def did_you_mean(word, known):
    """A sentence with the nearest known words, or nothing. Dashes, underscores and capitals do not count."""
    plain = {}
    for other in known:
        plain.setdefault(other.strip("-").lower(), other)
    close = difflib.get_close_matches(word.strip("-").lower().replace("_", "-"), plain, n=3, cutoff=0.7)
    return f" Did you mean {' or '.join(plain[match] for match in close)}?" if close else ""


# ------------------------------------------------------------------------------------------------------------------- showing


def help_text(usage, about, table, after="") -> str:
    """What --help prints: options by group, names in front, the explanation below."""
    lines = [f"usage: {usage}", "", about]
    for group in dict.fromkeys(option.group for option in table):
        lines += ["", f"{group}:"]
        for option in table:
            if option.group == group:
                default = f" (default: {option.default_shown})" if option.default is not None else ""
                lines.append(f"  {', '.join(option.names)} {option.kind.metavar}".rstrip())
                lines.append(f"      {option.help}{default}")
    return "\n".join([*lines, *(["", after] if after else [])]) + "\n"


def exit_codes_text() -> str:
    return "\n".join(["exit codes:", *(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES)])


def markdown() -> str:
    """docs/options.md."""
    lines = [
        "# Options of `gpuvc call`",
        "",
        "Made by `python -m gpuvc.options > docs/options.md`; edit `gpuvc/options.py` instead.",
        "",
        "GATK HaplotypeCaller's long and short names come first, Parabricks' names are aliases. `--option=value` works too, and a switch",
        "takes `true` or `false`. `--arguments_file FILE` reads further options from a file. Nothing is ignored in silence: an option is",
        "honoured, accepted with a note when it cannot change calls, or refused by name with exit code 2.",
        "",
        "## Honoured",
        "",
    ]
    for group in dict.fromkeys(option.group for option in CALL_OPTIONS):
        lines += [f"### {group.capitalize()}", "", "| option | value | default | meaning |", "|---|---|---|---|"]
        for option in CALL_OPTIONS:
            if option.group == group:
                value = f"`{option.kind.metavar}`" if option.kind.metavar else ""
                lines.append(_row(_code(option.names), value, option.default_shown or "", option.help))
        lines.append("")
    lines += ["## Accepted with a note", "", "They cannot change calls.", "", "| option | note |", "|---|---|"]
    lines += [_row(_code(option.names), option.note) for option in NOTED]
    lines += [
        "",
        "## Refused",
        "",
        "Unless the value is one that asks for what is done anyway.",
        "",
        "| option | value that is accepted | why, or what instead |",
        "|---|---|---|",
    ]
    lines += [_row(_code(option.names), _code(option.does), option.instead) for option in REFUSED]
    lines += [_row(_code([family + "..."]), "", instead) for family, instead in REFUSED_FAMILIES]
    lines += ["", "## Exit codes", "", "| code | meaning |", "|---|---|", *(_row(str(code), meaning) for code, meaning in EXIT_CODES)]
    return "\n".join(lines) + "\n"


def _code(words):
    return " ".join(f"`{word}`" for word in words)


def _row(*cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(markdown(), end="")
