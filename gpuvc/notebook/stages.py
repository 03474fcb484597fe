"""Tables of what each stage made of a region; positions are 0-based, intervals half-open."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gpuvc.batches import PILEUP_FIELDS
from gpuvc.kernels.codes import ASCII_OF_CODE, BASES
from gpuvc.notebook.tables import Column, Ragged, Table, texts
from gpuvc.output.counts import indel_texts
from gpuvc.recording import ActiveRegion, Activity

READS = (
    Column("name", "string", "", "read name"),
    Column("flag", "uint16", "", "SAM flag bits"),
    Column("start", "int32", "bp", "first aligned reference base; the mate's for an unmapped read"),
    Column("end", "int32", "bp", "one past the last reference base"),
    Column("mapq", "uint8", "phred", "mapping quality"),
    Column("sample", "string", "", "sample of the read group; empty for none"),
    Column("mate_start", "int32", "bp", "first aligned base of the mate; -1 for none"),
    Column("template_length", "int32", "bp", "TLEN as the file has it"),
    Column("cigar", "string", "", "as the aligner wrote it"),
    Column("sequence", "string", "", "bases, soft clips included"),
    Column("base_quals", "list[uint8]", "phred", "of each base; 255 where none are stored"),
    Column("refused_by", "string", "", "the first filter that leaves the read out, or PositionalDownsampler; empty where it counts"),
)
_COUNTS = {
    "qual_sum": ("phred", "sum of base qualities"),
    "mapq_sum": ("phred", "sum of mapping qualities of the reads that cover the position"),
    "reads": ("reads", "reads that cover the position, deletions included"),
    "mapq0_reads": ("reads", "those of mapping quality 0"),
}
_WHAT = {
    "deleted": "reads whose deletion spans the position", "insertions": "insertions that begin right after it",
    "deletions": "deletions that begin right after it", "clips": "reads whose soft clip touches it",
}  # fmt: skip


def _count(name: str) -> Column:
    what, _, kind = name.partition("_")
    unit, meaning = _COUNTS.get(name) or _COUNTS.get(kind) or ("reads", _WHAT.get(what, f"reads that show {what}"))
    return Column(name, "int32", unit, meaning if name in _COUNTS else f"{meaning}, {what if kind == 'qual_sum' else kind}")


PILEUP = (
    Column("pos", "int32", "bp", "position"),
    Column("ref", "string", "", "reference base"),
    *map(_count, PILEUP_FIELDS),
    Column("indels", "string", "", "each indel as +SEQUENCE or -LENGTH, a colon, reads of either strand; by semicolons"),
)
ACTIVITY = (
    Column("pos", "int32", "bp", "position"),
    Column("raw", "float64", "probability", "of a variant at the locus itself, times as often as soft clips make it count"),
    Column("smoothed", "float64", "probability", "what is compared with the threshold"),
    Column("is_active", "bool", "", "whether it is above"),
)
ACTIVE_REGIONS = (
    Column("start", "int32", "bp", "calls are made from here"),
    Column("end", "int32", "bp", "up to here"),
    Column("padded_start", "int32", "bp", "what is assembled: from here"),
    Column("padded_end", "int32", "bp", "up to here"),
    Column("ploidy", "int32", "copies", "of the region"),
    Column("n_reads", "int32", "reads", "that were assembled"),
    Column("n_haplotypes", "int32", "", "that reads were scored against; 0 where nothing varies"),
    Column("n_loci", "int32", "", "that were genotyped"),
    Column("assembly", "string", "", "k-mer sizes and what became of them; or that haplotypes were read off the alignments"),
)
HAPLOTYPES = (
    Column("active_region", "int32", "", "row of active_regions"),
    Column("haplotype", "int32", "", "number within the active region"),
    Column("start", "int32", "bp", "reference span that the haplotype replaces"),
    Column("end", "int32", "bp", "its end"),
    Column("is_ref", "bool", "", "the reference's own sequence"),
    Column("score", "float64", "log10", "probability of its path in the graph; NaN for the reference, and for one that no path led to"),
    Column("n_reads", "int32", "reads", "that were aligned to it"),
    Column("events", "list[string]", "", "differences from the reference as POS:REF:ALT, 1-based as in a VCF"),
    Column("cigar", "string", "", "against the reference: M, I and D"),
    Column("sequence", "string", "", "bases"),
)
REGION_READS = (
    Column("active_region", "int32", "", "row of active_regions; a read near several has several rows"),
    Column("row", "int32", "", "number within the active region: row of its likelihood matrix"),
    Column("read", "int32", "", "row of reads; -1 for one that lies beside the region"),
    Column("name", "string", "", "read name"),
    Column("start", "int32", "bp", "first reference base, as clipped for the likelihoods"),
    Column("end", "int32", "bp", "one past the last"),
    Column("role", "string", "", "genotyped; far (near no event); depth only (mate or mapping quality); unfit (no haplotype explains it)"),
    Column("best_haplotype", "int32", "", "haplotype it was aligned to; -1 for none"),
    Column("margin", "float64", "log10", "how much better the best haplotype is than the second; NaN for fewer than two"),
)
LIKELIHOODS = (
    Column("active_region", "int32", "", "row of active_regions"),
    Column("row", "int32", "", "row of region_reads within the active region"),
    Column("haplotype", "int32", "", "number within the active region"),
    Column("log10_likelihood", "float64", "log10", "probability of the read given the haplotype; NaN where not scored"),
)
LOCI = (
    Column("active_region", "int32", "", "row of active_regions"),
    Column("pos", "int32", "bp", "first base of the alleles"),
    Column("alleles", "list[string]", "", "as a VCF writes them, reference first; * is a deletion from before"),
    Column("n_reads", "int32", "reads", "that have a say"),
    Column("qual", "float64", "phred", "probability that there is no variant: QUAL if the locus is called"),
    Column("phred_likelihoods", "list[int32]", "phred", "PL over all alleles in VCF order, sample after sample"),
)
SCHEMAS = {
    "reads": READS, "pileup": PILEUP, "activity": ACTIVITY, "active_regions": ACTIVE_REGIONS, "haplotypes": HAPLOTYPES,
    "region_reads": REGION_READS, "likelihoods": LIKELIHOODS, "loci": LOCI,
}  # fmt: skip
"""By the name of the attribute of `gpuvc.Region`."""


def reads_table(reads, samples: Sequence[str], sample: np.ndarray, refused_by: list[str]) -> Table:
    """Table of a ReadBatch with names; sample : int16[R], rows of `samples`."""
    columns = {
        "name": texts([name.decode() for name in reads.name.tolist()]), "flag": reads.flag, "start": reads.pos, "end": reads.ref_end,
        "mapq": reads.mapq, "sample": texts([*samples, ""])[sample], "mate_start": reads.mate_pos,
        "template_length": reads.template_length, "cigar": cigar_texts(reads.cigar, reads.cigar_offsets),
        "sequence": Ragged(ASCII_OF_CODE[reads.bases], reads.base_offsets, is_text=True),
        "base_quals": Ragged(reads.base_quals, reads.base_offsets), "refused_by": texts(refused_by),
    }  # fmt: skip
    return Table(READS, columns)


def pileup_table(pileup, codes: np.ndarray) -> Table:
    """Table of a Pileup; codes : uint8[n_positions], the reference."""
    indels = indel_texts(pileup)
    columns = {
        "pos": np.arange(pileup.start, pileup.start + pileup.n_positions, dtype=np.int32), "ref": texts(list(BASES))[codes],
        **dict(zip(PILEUP_FIELDS, pileup.counts)), "indels": texts([indels.get(row, "") for row in range(pileup.n_positions)]),
    }  # fmt: skip
    return Table(PILEUP, columns)


def activity_table(activity: Activity, start: int, end: int) -> Table:
    """Table of the activity from position start to end."""
    part = slice(start - activity.start, end - activity.start)
    smoothed = activity.smoothed[part]
    columns = {
        "pos": np.arange(start, end, dtype=np.int32), "raw": activity.raw[part], "smoothed": smoothed,
        "is_active": smoothed > activity.threshold,
    }  # fmt: skip
    return Table(ACTIVITY, columns)


def active_regions_table(regions: list[ActiveRegion]) -> Table:
    """One row a region."""
    numbers = {
        "start": [r.start for r in regions], "end": [r.end for r in regions], "padded_start": [r.padded_start for r in regions],
        "padded_end": [r.padded_end for r in regions], "ploidy": [r.ploidy for r in regions],
        "n_reads": [r.assembled_reads.n_rows for r in regions], "n_haplotypes": [r.haplotypes.n_haplotypes for r in regions],
        "n_loci": [len(r.loci) for r in regions],
    }  # fmt: skip
    how = [", ".join(f"k {k}: {outcome}" for k, outcome in r.tried) or "read off the alignments" for r in regions]
    return Table(ACTIVE_REGIONS, {**{name: np.array(values, np.int32) for name, values in numbers.items()}, "assembly": texts(how)})


def haplotypes_table(regions: list[ActiveRegion], reference: np.ndarray, reference_start: int) -> Table:
    """One row a haplotype; reference : uint8[n], codes from reference_start on, all regions inside."""
    batches = [region.haplotypes for region in regions]
    events = [text for batch in batches for text in _event_texts(batch, reference, reference_start)]
    sizes = [batch.n_haplotypes for batch in batches]
    n_reads = [np.bincount(r.best_haplotype[r.best_haplotype >= 0], minlength=n) for r, n in zip(regions, sizes, strict=True)]
    columns = {
        **_numbers(sizes, "active_region", "haplotype"),
        "start": np.repeat(_joined([batch.start for batch in batches], np.int32), sizes),
        "end": np.repeat(_joined([batch.end for batch in batches], np.int32), sizes),
        "is_ref": _joined([batch.is_ref for batch in batches], np.bool_), "score": _joined([batch.score for batch in batches], np.float64),
        "n_reads": _joined(n_reads, np.int32), "events": texts(events),
        "cigar": cigar_texts(_joined([batch.cigar for batch in batches], np.uint32), _offsets(batch.cigar_offsets for batch in batches)),
        "sequence": Ragged(
            ASCII_OF_CODE[_joined([batch.bases for batch in batches], np.uint8)], _offsets(batch.base_offsets for batch in batches),
            is_text=True,
        ),
    }  # fmt: skip
    return Table(HAPLOTYPES, columns)


def _event_texts(batch, reference, reference_start):
    """One list of POS:REF:ALT a haplotype."""
    names = []
    for k, (pos, length) in enumerate(zip(batch.event_pos.tolist(), batch.event_ref_length.tolist())):
        ref = ASCII_OF_CODE[reference[pos - reference_start : pos - reference_start + length]].tobytes().decode()
        alt = ASCII_OF_CODE[batch.event_alt[batch.event_alt_offsets[k] : batch.event_alt_offsets[k + 1]]].tobytes().decode()
        names.append(f"{pos + 1}:{ref}:{alt}")
    return [[names[k] for k in batch.haplotype_events[a:b].tolist()] for a, b in pairwise(batch.haplotype_event_offsets.tolist())]


def region_reads_table(regions: list[ActiveRegion], run_reads, rows_shown: np.ndarray) -> Table:
    """One row for each region that a read is near; rows_shown : int64[...], ascending, the rows of run_reads that `reads` has."""
    read = _joined([region.region_reads.read for region in regions], np.int32)
    shown = np.searchsorted(rows_shown, read)
    is_shown = (shown < len(rows_shown)) & (np.append(rows_shown, -1)[shown] == read)
    names = run_reads.name[read].tolist() if len(read) else []
    columns = {
        **_numbers([region.region_reads.n_rows for region in regions], "active_region", "row"),
        "read": np.where(is_shown, shown, -1).astype(np.int32), "name": texts([name.decode() for name in names]),
        "start": _joined([region.region_reads.pos for region in regions], np.int32),
        "end": _joined([region.region_reads.end for region in regions], np.int32),
        "role": texts([role for region in regions for role in roles(region)]),
        "best_haplotype": _joined([region.best_haplotype for region in regions], np.int32),
        "margin": _joined([_margin(region.likelihoods) for region in regions], np.float64),
    }  # fmt: skip
    return Table(REGION_READS, columns)


def roles(region: ActiveRegion) -> list[str]:
    """What each read of the region is used for; see REGION_READS."""
    names = np.select([region.kept, region.is_far, region.is_side], ["genotyped", "far", "depth only"], "unfit")
    return names.tolist()


def _margin(log10):
    if log10.shape[1] < 2:
        return np.full(len(log10), np.nan)
    second, best = np.partition(log10, -2, axis=1)[:, -2:].T
    return best - second


def likelihoods_table(regions: list[ActiveRegion]) -> Table:
    """One row a read and haplotype."""
    shapes = [region.likelihoods.shape for region in regions]
    columns = {
        "active_region": np.repeat(np.arange(len(regions), dtype=np.int32), [n * h for n, h in shapes]),
        "row": _joined([np.repeat(np.arange(n), h) for n, h in shapes], np.int32),
        "haplotype": _joined([np.tile(np.arange(h), n) for n, h in shapes], np.int32),
        "log10_likelihood": _joined([region.likelihoods.ravel() for region in regions], np.float64),
    }  # fmt: skip
    return Table(LIKELIHOODS, columns)


def loci_table(regions: list[ActiveRegion]) -> Table:
    """One row a locus."""
    loci = [locus for region in regions for locus in region.loci]
    pls = [locus.phred_likelihoods.ravel() for locus in loci]
    columns = {
        "active_region": np.repeat(np.arange(len(regions), dtype=np.int32), [len(region.loci) for region in regions]),
        "pos": np.array([locus.pos for locus in loci], np.int32), "alleles": texts([list(locus.alleles) for locus in loci]),
        "n_reads": np.array([len(locus.row) for locus in loci], np.int32), "qual": np.array([locus.qual for locus in loci], np.float64),
        "phred_likelihoods": Ragged(_joined(pls, np.int32), np.cumsum([0, *map(len, pls)])),
    }  # fmt: skip
    return Table(LOCI, columns)


def cigar_texts(cigar: np.ndarray, offsets: np.ndarray) -> Ragged:
    """CIGARs as text; cigar : uint32[...], operations as BAM stores them."""
    kinds, kind = np.unique(cigar, return_inverse=True)
    spelled = np.array([f"{k >> 4}{'MIDNSHP=X'[k & 15]}" for k in kinds.tolist()] or [""], np.bytes_)
    letters = spelled[kind].view(np.uint8).reshape(len(cigar), -1) if len(cigar) else np.empty((0, 1), np.uint8)
    ends = np.concatenate([[0], np.cumsum((letters != 0).sum(axis=1))])
    return Ragged(letters[letters != 0], ends[offsets].astype(np.int64), is_text=True)


def _numbers(sizes, outer, inner):
    """Which region each row is of, and which of its rows it is."""
    return {
        outer: np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        inner: _joined([np.arange(n) for n in sizes], np.int32),
    }


def _joined(parts, dtype):
    return np.concatenate([np.empty(0, dtype), *parts]).astype(dtype, copy=False)


def _offsets(parts):
    """Offsets of columns one behind the other."""
    return np.cumsum(np.concatenate([[0], *map(np.diff, parts)]), dtype=np.int64)
