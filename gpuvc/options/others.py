"""Options of GATK's HaplotypeCaller and of Parabricks that `gpuvc call` does not have: accepted with a note, or refused by name."""

from gpuvc.options.kinds import Choice, Flag, Integer, Noted, Refused, Switch, Text

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
