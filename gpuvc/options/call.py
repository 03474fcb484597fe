"""Options of `gpuvc call`, and how they become Settings."""

from dataclasses import fields
from typing import Any

from gpuvc.errors import UsageError
from gpuvc.options.kinds import (
    CALLING,
    CONFIDENCE,
    FILES,
    HAPLOTYPES,
    MACHINE,
    PLACES,
    READS,
    WORDS,
    Choice,
    Command,
    Flag,
    Integer,
    Number,
    Option,
    Switch,
    Text,
)
from gpuvc.settings import DRAGEN_MODE, MAX_PLOIDY, WRITER_TYPES, Settings, check_concordance

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
    Option(
        FILES,
        ("--report",),
        "report",
        Text("FILE"),
        "write a report of the run: .html is a page, _mqc.json for MultiQC, .json everything; may be given several times",
        repeatable=True,
    ),
    Option(FILES, ("--truth",), "truth", Text("VCF"), "true variants: the report compares the calls with them, as gpuvc evaluate does"),
    Option(FILES, ("--truth-regions",), "truth_regions", Text("BED"), "where --truth is complete (default: everywhere)"),
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

CALL = Command(
    "call",
    "gpuvc call -R ref.fa -I sample.bam -O sample.vcf.gz [options]",
    "BAM or CRAM and FASTA in, VCF out",
    "Call germline SNVs and indels in aligned reads, samples together. GATK HaplotypeCaller's option names, Parabricks' as aliases.",
    CALL_OPTIONS,
    """\
output files:
  the VCF             --output
  its index           VCF.tbi or VCF.csi, unless --create-output-variant-index false
  reports of the run  --report; with FILE_mqc.json also FILE.reads_mqc.json
  realigned reads     --bam-output, and their index: FILE.bai for FILE.bam
  assembled regions   --assembly-region-out
Each appears under its name when it is whole, or not at all.""",
)


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
