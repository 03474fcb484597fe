"""Every parameter of a run in one frozen record, with default, unit and source."""

from dataclasses import asdict, dataclass, fields

from gpuvc.errors import UsageError

GATK_DEFAULTS = {
    "standard_min_confidence": 30.0,
    "base_quality_score_threshold": 18,
    "pcr_indel_model": "CONSERVATIVE",
    "genotyping_mapping_quality": 20,
    "expected_mismatch_rate": 0.02,
    "dynamic_read_disqualification": False,
}
BCFTOOLS_DEFAULTS = {
    "standard_min_confidence": 0.0,
    "min_mapping_quality": 0,
    "min_base_quality": 1,
    "max_reads_per_alignment_start": 0,
    "heterozygosity": 1.1e-3,
}
PEER_DEFAULTS = {"hc": GATK_DEFAULTS, "bcftools": BCFTOOLS_DEFAULTS}
"""By concordance: fields that have that program's default, unless they are given."""
OWN_DEFAULTS = {
    "min_mapping_quality": 20,
    "min_base_quality": 10,
    "max_reads_per_alignment_start": 50,
    "heterozygosity": 1e-3,
    "standard_min_confidence": 10.0,
    "base_quality_score_threshold": 6,
    "pcr_indel_model": "REPEATS",
    "expected_mismatch_rate": 0.03,
    "dynamic_read_disqualification": True,
}

DRAGEN_MODE = {
    "apply_bqd": True,
    "apply_frd": True,
    "transform_dragen_mapping_quality": True,
    "soft_clip_low_quality_ends": True,
    "genotyping_mapping_quality": 1,
    "min_mapping_quality": 1,
    "read_overlap_margin": 1,
    "cap_base_qualities_to_mapq": False,
    "dynamic_read_disqualification": True,
    "expected_mismatch_rate": 0.03,
    "genotype_assignment_method": "USE_POSTERIOR_PROBABILITIES",
    "indel_padding": 150,
    "standard_min_confidence": 3.0,
    "use_posteriors_for_qual": True,
}
"""What GATK's --dragen-mode sets."""

WRITER_TYPES = ("CALLED_HAPLOTYPES", "ALL_POSSIBLE_HAPLOTYPES", "NO_HAPLOTYPES", "CALLED_HAPLOTYPES_NO_READS")
"""What --bam-output may hold (--bam-writer-type)."""

MAX_PLOIDY = 100
MAX_INDEL_BP = 50  # longest insertion or deletion the pileup engine calls


@dataclass(frozen=True)
class Settings:
    """Parameters that can change calls; they travel as one value and enter the VCF header.

    "GATK" names the option of HaplotypeCaller that means the same; its default is ours unless the comment says why not. Fields that are
    None here have the default of OWN_DEFAULTS, or of the concordance's in PEER_DEFAULTS.
    """

    engine: str = "haplotype"
    sample_ploidy: int = 2  # GATK --sample-ploidy
    min_mapping_quality: int = None  # type: ignore[assignment]  # phred; GATK --minimum-mapping-quality
    min_base_quality: int = None  # type: ignore[assignment]  # phred; GATK --min-base-quality-score
    # GATK --max-reads-per-alignment-start; 0: no limit
    max_reads_per_alignment_start: int = None  # type: ignore[assignment]
    correct_overlapping_quality: bool = True  # GATK --do-not-correct-overlapping-quality turns it off
    use_soft_clipped_bases: bool = True  # GATK --dont-use-soft-clipped-bases turns it off
    disabled_read_filters: tuple[str, ...] = ()  # GATK --disable-read-filter
    extra_read_filters: tuple[str, ...] = ()  # GATK --read-filter
    # phred; GATK --standard-min-confidence-threshold-for-calling, 30 there. QUAL is the error probability of the record under the model;
    # at 10 it is likelier right than wrong by far, and low depth gains what 30 throws away (docs/accuracy.md).
    standard_min_confidence: float = None  # type: ignore[assignment]
    heterozygosity: float = None  # type: ignore[assignment]  # GATK --heterozygosity
    indel_heterozygosity: float = 1.25e-4  # GATK --indel-heterozygosity
    max_alternate_alleles: int = 6  # GATK --max-alternate-alleles
    kmer_sizes: tuple[int, ...] = (10, 25)  # bases; GATK --kmer-size
    min_pruning: int = 2  # reads; GATK --min-pruning
    num_pruning_samples: int = 1  # GATK --num-pruning-samples
    adaptive_pruning: bool = False  # GATK --adaptive-pruning
    max_haplotypes_per_graph: int = 128  # GATK --max-num-haplotypes-in-population
    allow_non_unique_kmers_in_ref: bool = False  # GATK --allow-non-unique-kmers-in-ref
    min_dangling_branch_length: int = 4  # vertices; GATK --min-dangling-branch-length
    recover_all_dangling_branches: bool = False  # GATK --recover-all-dangling-branches
    matching_bases_in_dangling_end: int = -1  # -1: by alignment; GATK --num-matching-bases-in-dangling-end-to-recover
    legacy_graph_cycle_detection: bool = False  # GATK --enable-legacy-graph-cycle-detection
    cap_base_qualities_to_mapq: bool = True  # GATK --disable-cap-base-qualities-to-map-quality turns it off
    # phred; GATK --base-quality-score-threshold: below it a base says nothing. A base of quality 15 is right 30 times in 31, and at low
    # depth it is needed.
    base_quality_score_threshold: int = None  # type: ignore[assignment]
    # GATK --pcr-indel-model: NONE, HOSTILE, AGGRESSIVE or CONSERVATIVE. REPEATS: by period and copies of the repeat, DRAGEN-GATK's
    # published costs.
    pcr_indel_model: str = None  # type: ignore[assignment]
    # phred; GATK --phred-scaled-global-read-mismapping-rate: how far a read can prefer one haplotype to another. Negative: no limit.
    phred_scaled_global_read_mismapping_rate: int = 45
    expected_mismatch_rate: float | None = None  # per base; GATK --expected-mismatch-rate-for-read-disqualification
    dynamic_read_disqualification: bool | None = None  # GATK --enable-dynamic-read-disqualification-for-genotyping
    max_mnp_distance: int = 0  # mismatches up to so many bases apart are one MNP, 0: none; GATK --max-mnp-distance
    # What a region keeps on both sides of its events, bases; GATK --padding-around-snps, -indels, -strs (there, and the repeat's length).
    snp_padding: int = 20
    indel_padding: int = 75
    str_padding: int = 75
    heterozygosity_stdev: float = 0.01  # GATK --heterozygosity-stdev
    # GATK --emit-ref-confidence: NONE, GVCF or BP_RESOLUTION; other than NONE makes standard_min_confidence 0.
    emit_ref_confidence: str = "NONE"
    gvcf_gq_bands: tuple[int, ...] = ()  # exclusive upper bounds; GATK --gvcf-gq-bands, its default when empty
    floor_blocks: bool = False  # GATK --floor-blocks
    # "none": ours. "hc": what HaplotypeCaller does, where that is known to be worse or an accident. "bcftools": SNVs as
    # `bcftools mpileup -B | bcftools call -m` has them, with the pileup engine.
    concordance: str = "none"
    active_probability_threshold: float = 0.002  # GATK --active-probability-threshold
    min_assembly_region_size: int = 50  # bp; GATK --min-assembly-region-size
    max_assembly_region_size: int = 300  # bp; GATK --max-assembly-region-size
    assembly_region_padding: int = 100  # bp; GATK --assembly-region-padding
    max_prob_propagation_distance: int = 50  # bp; GATK --max-prob-propagation-distance
    soft_clip_low_quality_ends: bool = False  # GATK --soft-clip-low-quality-ends
    override_fragment_softclip_check: bool = False  # GATK --override-fragment-softclip-check
    # phred; GATK --mapping-quality-threshold-for-genotyping, 20 there: reads below it are assembled, but not genotyped. None here:
    # min_mapping_quality.
    genotyping_mapping_quality: int = None  # type: ignore[assignment]
    physical_phasing: bool = True  # GATK --do-not-run-physical-phasing turns it off, and with concordance "hc" all but a GVCF
    spanning_allele: bool = True  # `*`; GATK --disable-spanning-event-genotyping turns it off
    read_overlap_margin: int = 2  # bases; GATK --allele-informative-reads-overlap-margin
    transform_dragen_mapping_quality: bool = False  # GATK --transform-dragen-mapping-quality
    # USE_PLS_TO_ASSIGN or USE_POSTERIOR_PROBABILITIES; GATK --genotype-assignment-method
    genotype_assignment_method: str = "USE_PLS_TO_ASSIGN"
    use_posteriors_for_qual: bool = False  # GATK --use-posteriors-to-calculate-qual
    apply_bqd: bool = False  # GATK --apply-bqd
    apply_frd: bool = False  # GATK --apply-frd

    def __post_init__(self):
        for name, value in (OWN_DEFAULTS | PEER_DEFAULTS.get(self.concordance, {})).items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if self.genotyping_mapping_quality is None:
            object.__setattr__(self, "genotyping_mapping_quality", self.min_mapping_quality)
        if self.emit_ref_confidence != "NONE":
            object.__setattr__(self, "standard_min_confidence", 0.0)

    def as_dict(self):
        """The record as plain values, for reports and journals."""
        return asdict(self)


_HEARD_BY_BCFTOOLS = {
    "engine", "concordance", "sample_ploidy", "min_mapping_quality", "genotyping_mapping_quality", "min_base_quality",
    "max_reads_per_alignment_start", "correct_overlapping_quality", "disabled_read_filters", "extra_read_filters",
    "standard_min_confidence", "heterozygosity",
}  # fmt: skip


def check_concordance(settings, options={}):  # noqa: B006 - never changed
    """Raise UsageError where concordance needs another engine, or bcftools' model has no such part as the settings ask for.

    options : dict
        Names of options by field, for the message.
    """
    engine = {"hc": "haplotype", "bcftools": "pileup"}.get(settings.concordance, settings.engine)
    if settings.engine != engine:
        raise UsageError(f"option --concordance: found {settings.concordance} with --engine {settings.engine}, expected --engine {engine}.")
    if settings.concordance != "bcftools":
        return
    if settings.sample_ploidy > 2:
        raise UsageError(f"option --sample-ploidy: found {settings.sample_ploidy} with --concordance bcftools, expected 1 or 2.")
    default = Settings(engine=engine, concordance=settings.concordance)
    for name in (field.name for field in fields(Settings) if field.name not in _HEARD_BY_BCFTOOLS):
        value, expected = getattr(settings, name), getattr(default, name)
        if value != expected:
            option = options.get(name, name)
            raise UsageError(f"option {option}: found {value} with --concordance bcftools, expected {expected}: it knows nothing else.")
