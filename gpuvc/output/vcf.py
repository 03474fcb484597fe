"""VCF: the header, one line per call, and the file that appears whole with its index or not at all."""

import math
import re
from pathlib import Path
from typing import NamedTuple

from gpuvc.batches import Call, SampleCall
from gpuvc.errors import OutputError, UsageError
from gpuvc.intervals import Contigs
from gpuvc.output.files import BgzfStream, PartialFile, StandardOutput, sync, undisturbed
from gpuvc.settings import Settings

SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
_TABIX_LONGEST = 2**29 - 1  # bp; a longer contig needs a CSI index


def _allele_fraction(value):
    """As GATK writes AF: fewer digits from 1, exponents below 0.01; NaN where no allele is called."""
    if value != value:
        return "NaN"
    return f"{value:.2f}" if value >= 1 or value == 0 else f"{value:.3f}" if value >= 0.01 else f"{value:.3e}"


class _Field(NamedTuple):
    number: str
    type: str
    description: str
    text: object = str  # value → what stands in the file


INFO = {
    "AC": _Field("A", "Integer", "Copies of each alternate allele in the called genotypes"),
    "AF": _Field("A", "Float", "AC / AN", _allele_fraction),
    "AN": _Field("1", "Integer", "Alleles in the called genotypes"),
    "BaseQRankSum": _Field("1", "Float", "Rank-sum Z of base qualities, alternate against reference reads", "{:.3f}".format),
    "DP": _Field("1", "Integer", "Reads that passed the filters and cover the site"),
    "ExcessHet": _Field("1", "Float", "Phred of the exact test for more heterozygotes than Hardy and Weinberg expect", "{:.4f}".format),
    "FS": _Field("1", "Float", "Phred of Fisher's exact test for strand bias", "{:.3f}".format),
    "InbreedingCoeff": _Field("1", "Float", "1 - observed / expected heterozygotes, of ten samples or more", "{:.4f}".format),
    "MLEAC": _Field("A", "Integer", "Copies of each alternate allele that are likeliest, given all samples"),
    "MLEAF": _Field("A", "Float", "MLEAC / AN, at most 1", _allele_fraction),
    "MQ": _Field("1", "Float", "Root mean square of the mapping qualities", "{:.2f}".format),
    "MQRankSum": _Field("1", "Float", "Rank-sum Z of mapping qualities, alternate against reference reads", "{:.3f}".format),
    "QD": _Field("1", "Float", "QUAL / depth of the samples with the variant", "{:.2f}".format),
    "ReadPosRankSum": _Field("1", "Float", "Rank-sum Z of the distance to the read's end, alternate against reference", "{:.3f}".format),
    "SOR": _Field("1", "Float", "Symmetric odds ratio of the strands", "{:.3f}".format),
}
FORMAT = {
    "GT": _Field("1", "String", "Genotype"),
    "AD": _Field("R", "Integer", "Reads that support each allele, reference first"),
    "DP": _Field("1", "Integer", "Reads that passed the filters and cover the site"),
    "GQ": _Field("1", "Integer", "Genotype quality: phred of the genotype being wrong, at most 99"),
    "PGT": _Field("1", "String", "Haplotypes of the phased genotype, where phase is known; relative to the others of one PID"),
    "PID": _Field("1", "String", "Name of the phased group: position and alleles of its first record"),
    "PL": _Field("G", "Integer", "Phred likelihoods of the genotypes, the best at 0"),
    "PS": _Field("1", "Integer", "Position of the first record of the phased group"),
}
# In a GVCF, too.
GVCF_INFO = {
    "END": _Field("1", "Integer", "Last position of a block without variants"),
    "RAW_MQandDP": _Field("2", "Integer", "Sum of the squared mapping qualities, and reads, of which the joint call makes MQ"),
}
GVCF_FORMAT = {
    "MIN_DP": _Field("1", "Integer", "Least depth in the block"),
    "SB": _Field("4", "Integer", "Reads for the reference, forward and reverse, and for any alternate"),
}
# Where genotypes are assigned by posteriors.
POSTERIORS = {
    "GP": _Field("G", "Float", "Phred posteriors of the genotypes, the best at 0"),
    "PG": _Field("G", "Float", "Phred priors of the genotypes"),
}
# Where DRAGstr is the prior of indels.
DRAGSTR_INFO = {
    "DRAGstrInfo": _Field("2", "Integer", "Period and copies of the tandem repeat behind the first base of an indel"),
    "DRAGstrParams": _Field("3", "Float", "Phred of a gap opened there, continued, of an indel (GOP, GCP, API)", "{:.1f}".format),
}
_TEXT_OF = {key: field.text for key, field in (INFO | GVCF_INFO | DRAGSTR_INFO).items()}


def vcf_header(
    contigs: Contigs, samples: tuple[str, ...], *, reference_path, settings: Settings, dragstr=None, command_line=None, version=True
) -> str:
    """The header, down to the line of column names; `dragstr`: the Dragstr that was used, if any.

    `version=False` leaves out every line that names the run, the version or a path, so that outputs of two runs compare byte for byte.
    """
    from gpuvc.genotyping.filters import FILTERS

    lines = ["##fileformat=VCFv4.2", '##FILTER=<ID=PASS,Description="All filters passed">']
    lines += [f'##FILTER=<ID={name},Description="{text}">' for name, text in FILTERS.items()]
    formats, infos = FORMAT, INFO
    if settings.concordance == "bcftools":
        from gpuvc.genotyping.multiallelic import MOST_GQ

        formats = FORMAT | {"GQ": _Field("1", "Integer", f"Genotype quality: phred of the genotype being wrong, at most {MOST_GQ}")}
    if settings.emit_ref_confidence != "NONE":
        from gpuvc.output.gvcf import header_lines

        formats, infos = FORMAT | GVCF_FORMAT, INFO | GVCF_INFO
        lines += header_lines(settings)
    if settings.genotype_assignment_method == "USE_POSTERIOR_PROBABILITIES":
        formats = formats | POSTERIORS
    if dragstr is not None:
        infos = infos | DRAGSTR_INFO
    for kind, fields in (("FORMAT", formats), ("INFO", infos)):
        for name, field in fields.items():
            lines.append(f'##{kind}=<ID={name},Number={field.number},Type={field.type},Description="{field.description}">')
    lines += [f"##contig=<ID={name},length={length}>" for name, length in zip(contigs.names, contigs.lengths)]
    lines.append("##source=gpuvc")
    lines.append("##gpuvcSettings=" + " ".join(f"{name}={_plain(value)}" for name, value in settings.as_dict().items()))
    if dragstr is not None:
        lines.append(f"##gpuvcDragstr=het_hom_ratio={dragstr.het_hom_ratio} scores_gaps={dragstr.scores_gaps} is_prior={dragstr.is_prior}")
    if version:
        from gpuvc import __version__

        lines.append(f"##gpuvcVersion={__version__}")
        if command_line:
            shown = command_line.encode("utf-8", "backslashreplace").decode()  # names of files need not be UTF-8, a VCF must
            lines.append(f"##gpuvcCommand={' '.join(shown.split())}")
        is_url = "://" in str(reference_path)
        lines.append(f"##reference={reference_path if is_url else Path(reference_path).absolute().as_uri()}")
    lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t" + "\t".join(samples))
    return "\n".join(lines) + "\n"


def _plain(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def format_call(call: Call, contig_name: str) -> str:
    """One VCF line. Missing values are dots; INFO keys whose value is None are left out."""
    info = ";".join(f"{key}={_info_text(_TEXT_OF[key], value)}" for key, value in call.info.items() if value is not None)
    is_phased = any(sample.phase for sample in call.samples)
    with_posteriors = any(sample.posteriors for sample in call.samples)
    keys = _keys(is_phased, with_posteriors)
    samples = "\t".join(_sample_text(sample, is_phased, with_posteriors) for sample in call.samples)
    if call.alts and call.alts[-1] == "<NON_REF>":
        keys, samples = _with_strands(keys, samples, call.samples[0].strand_depths)
    return (
        f"{contig_name}\t{call.pos + 1}\t.\t{call.ref}\t{','.join(call.alts) or '.'}\t{_qual_text(call.qual)}\t"
        f"{';'.join(call.filters) or 'PASS'}\t{info or '.'}\t{keys}\t{samples}\n"
    )


def _with_strands(keys, sample, strands):
    """FORMAT and the one sample of a GVCF record: with SB where it is known, without the keys of depth where they are not."""
    if strands is not None:
        return f"{keys}:SB", f"{sample}:{_list_text(strands)}"
    known = [(key, value) for key, value in zip(keys.split(":"), sample.split(":"), strict=True) if key not in ("AD", "DP")]
    return ":".join(key for key, _ in known), ":".join(value for _, value in known)


def _keys(is_phased, with_posteriors):
    """FORMAT of a record; the keys after GT ascend."""
    posterior, prior = ("GP:", "PG:") if with_posteriors else ("", "")
    phase, place = ("PGT:PID:", ":PS") if is_phased else ("", "")
    return f"GT:AD:DP:{posterior}GQ:{prior}{phase}PL{place}"


def _sample_text(sample: SampleCall, is_phased, with_posteriors):
    """One sample's column, as `_keys` names its parts."""
    genotype = ("|" if sample.phase else "/").join("." if allele < 0 else str(allele) for allele in sample.genotype)
    depth = "." if sample.depth is None else sample.depth
    quality = "." if sample.genotype_quality is None else sample.genotype_quality
    pl = _list_text(sample.phred_likelihoods)
    if is_phased:
        pgt, pid, ps = sample.phase or (".", ".", ".")
        pl = f"{pgt}:{pid}:{pl}:{ps}"
    if with_posteriors:
        quality, pl = f"{_phred_text(sample.posteriors)}:{quality}", f"{_phred_text(sample.priors)}:{pl}"
    return f"{genotype}:{_list_text(sample.allele_depths)}:{depth}:{quality}:{pl}"


def _info_text(text, value):
    return ",".join(map(text, value)) if isinstance(value, tuple) else text(value)


def _list_text(values):
    return ",".join(map(str, values or ())) or "."


def _phred_text(values):
    return ",".join(f"{value:.2f}".rstrip("0").rstrip(".") for value in values or ()) or "."


def _qual_text(qual):
    if qual is None:
        return "."
    return "Infinity" if math.isinf(qual) else f"{qual:.2f}".removesuffix(".00")


class VariantWriter:
    """VCF lines into `path`; the suffix decides the format (.vcf, .vcf.gz, .vcf.bgz, .bcf), "-" is text on standard output.

    The file is written under a temporary name in its folder. `commit` makes it whole (EOF marker, index, every byte on the disk) and
    then renames it, the index last, so that an index is never older than its data. Without `commit`, nothing remains.

    Raises
    ------
    UsageError
        Unknown suffix.
    OutputError
        The place cannot be written; when opened where that can be known, so before any work.
    BrokenPipeError
        Nobody reads standard output any more.
    """

    def __init__(self, path, header_text: str, *, create_index: bool = True):
        self.path = str(path)
        self._suffix = None if self.path == "-" else next((s for s in SUFFIXES if self.path.endswith(s)), None)
        if self.path != "-" and self._suffix is None:
            raise UsageError(f"output {self.path}: found an unknown suffix, expected {', '.join(SUFFIXES)} or - (standard output).")
        self._index_kind = None
        if create_index and self._suffix not in (None, ".vcf"):
            longest = max(map(int, re.findall(r"^##contig=<.*length=(\d+)", header_text, re.MULTILINE)), default=0)
            self._index_kind = "csi" if self._suffix == ".bcf" or longest > _TABIX_LONGEST else "tbi"
        self._file = StandardOutput() if self._suffix is None else PartialFile(self.path)
        self._temporaries: list[Path] = []
        self._text = self._file if self._suffix in (None, ".vcf") else BgzfStream(self._file)
        try:
            self.write(header_text)
        except BaseException:
            self.abort()
            raise

    def write(self, lines):
        """Append whole lines (text, or bytes of it)."""
        self._text.write(lines.encode() if isinstance(lines, str) else lines)

    def commit(self):
        """Give the whole file, and then its index, their names."""
        if self._text is not self._file:
            self._text.close()
        if self._suffix is None:
            self._file.commit()
            return
        self._file.finish()
        data = self._file.temporary
        if self._suffix == ".bcf":
            data = self._temporary(data.with_name(data.name + ".converted"))
            self._bcftools("view", "--no-version", "-Ob", "-o", str(data), str(self._file.temporary))
        if self._index_kind:
            index = self._temporary(data.with_name(data.name + "." + self._index_kind))
            self._bcftools("index", "--csi" if self._index_kind == "csi" else "--tbi", "-f", "-o", str(index), str(data))
        try:
            for path in self._temporaries:
                sync(path)
            if data is not self._file.temporary:
                data.replace(self._file.temporary)
            with undisturbed():
                # An index of what stood here before must not be read with the new data.
                for kind in ("tbi", "csi"):
                    Path(f"{self._file.path}.{kind}").unlink(missing_ok=True)
                self._file.publish()
                if self._index_kind:
                    index.replace(f"{self._file.path}.{self._index_kind}")
        except OSError as error:
            raise self._file.refused(error) from error

    def abort(self):
        """Remove all that was not committed."""
        self._file.abort()
        for path in self._temporaries:
            path.unlink(missing_ok=True)

    def _temporary(self, path):
        self._temporaries.append(path)
        return path

    def _bcftools(self, command, *arguments):
        import pysam.bcftools

        try:
            getattr(pysam.bcftools, command)(*arguments, catch_stdout=False)
        except pysam.SamtoolsError as error:
            message = " ".join(str(error).split())
            raise OutputError(
                f"output {self.path}: found bcftools {command} failing ({message}), expected a folder with room. "
                "Free space, or choose another place."
            ) from error

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.abort()


def normal_forms(contig, pos, ref, alt, genome):
    """[(contig, pos, ref, alt)] of a VCF allele, 0-based, left-aligned and trimmed; base by base where lengths are equal."""
    while ref[-1] == alt[-1] and (len(ref) > 1 or len(alt) > 1):
        ref, alt = ref[:-1], alt[:-1]
        if not ref or not alt:
            pos -= 1
            base = "ACGTN"[genome.window(contig, pos, pos + 1)[0]]
            ref, alt = base + ref, base + alt
    while ref[0] == alt[0] and len(ref) > 1 and len(alt) > 1:
        ref, alt, pos = ref[1:], alt[1:], pos + 1
    if len(ref) == len(alt):
        return [(contig, pos + i, r, a) for i, (r, a) in enumerate(zip(ref, alt)) if r != a]
    return [(contig, pos, ref, alt)]
