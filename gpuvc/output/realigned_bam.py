"""Reads as they were realigned, and haplotypes, as a BAM (--bam-output).

A read stands there once for each region it took part in: clipped to it, with the base qualities that were used and the alignment to its
best haplotype, brought to the reference. Tags beside its own (an aligner's of these names make way):

    HC  the haplotype, where one explains the read better than all others; haplotypes are read group ArtificialHaplotypeRG
    AR  what the haplotypes span    CR  the loci that were called    XA  alleles that the read supports, as contig:position=allele
"""

import copy
from contextlib import suppress
from pathlib import Path

import numpy as np
import pysam

from gpuvc.errors import OutputError, UsageError
from gpuvc.kernels.codes import ASCII_OF_CODE, FLAG_REVERSE
from gpuvc.likelihoods.realign import INFORMATIVE_LOG10
from gpuvc.output.files import PartialFile, sync
from gpuvc.output.region_track import owned
from gpuvc.settings import WRITER_TYPES

HAPLOTYPE_GROUP, HAPLOTYPE_SAMPLE, HAPLOTYPE_MAPQ = "ArtificialHaplotypeRG", "HC", 60
_BAI_LONGEST = 2**29 - 1  # bp; a longer contig needs a CSI index


def bam_header(source, writer_type, with_version):
    """(pysam.AlignmentHeader, new id of each read group): contigs of the first input, read groups and programs of all.

    Read groups of different inputs may share an id; all but the first get a number behind it.
    """
    from gpuvc import __version__

    texts = source.header_texts
    lines = ["@HD\tVN:1.6\tSO:coordinate"]
    lines += [f"@SQ\tSN:{name}\tLN:{length}" for name, length in zip(source.contigs.names, source.contigs.lengths)]
    ids, group_lines = [], {}
    for text in texts:
        for line in text.splitlines():
            fields = line.split("\t")
            name = next((field[3:] for field in fields if field.startswith("ID:")), None)
            if fields[0] != "@RG" or name is None:
                continue
            others, number, own = "\t".join(field for field in fields if not field.startswith("ID:")), 0, name
            while group_lines.get(own, others) != others:
                number += 1
                own = f"{name}.{number}"
            group_lines[own] = others
            ids.append(own)
    lines += [f"@RG\tID:{name}{others.removeprefix('@RG')}" for name, others in group_lines.items()]
    if writer_type != "NO_HAPLOTYPES":
        lines.append(f"@RG\tID:{HAPLOTYPE_GROUP}\tSM:{HAPLOTYPE_SAMPLE}")
    programs = {line.split("\t")[1]: line for text in texts for line in text.splitlines() if line.startswith("@PG\tID:")}
    own = next(name for name in ("gpuvc", *(f"gpuvc.{k}" for k in range(1, len(programs) + 2))) if f"ID:{name}" not in programs)
    lines += [*programs.values(), f"@PG\tID:{own}\tPN:gpuvc" + (f"\tVN:{__version__}" if with_version else "")]
    return pysam.AlignmentHeader.from_text("\n".join(lines) + "\n"), ids


class RealignedBam:
    """The file; one of the outputs that `gpuvc.api` shows the stages of each shard to.

    Parameters
    ----------
    path : str
        Ends in .bam.
    writer_type : one of WRITER_TYPES
    source : AlignmentSource
    whole_records : WholeRecords
        Of the same files.
    with_version : bool
        Name the version in the header.
    create_index : bool

    Raises
    ------
    UsageError
        Another suffix or type.
    OutputError
        The place cannot be written; when opened where that can be known, so before any work.
    """

    def __init__(self, path, writer_type, source, whole_records, *, with_version=True, create_index=True):
        if not str(path).endswith(".bam"):
            raise UsageError(f"option --bam-output: found {path}, expected a name that ends in .bam.")
        if writer_type not in WRITER_TYPES:
            raise UsageError(f"option --bam-writer-type: found {writer_type}, expected {' or '.join(WRITER_TYPES)}.")
        self._type = writer_type
        self._contigs = source.contigs
        self._whole_records = whole_records
        self._create_index = create_index
        self._header, self._groups = bam_header(source, writer_type, with_version)
        self._pending = []  # (key, record): those that a region to come may still stand before
        self._contig_id = 0
        self._n_haplotypes = 0
        self._index = None
        self._partial = PartialFile(path)
        self._file = pysam.AlignmentFile(str(self._partial.temporary), "wb", header=self._header)

    def watch(self, shard):
        """What collects the shard's records; called in the shard's thread."""
        return _Records(shard, self._type, self._contigs.names[shard.contig_id], self._header, self._groups, self._whole_records)

    def add(self, shard, regions):
        """Write records of the shards before; regions come in genome order.

        regions : list of (start, haplotypes, reads)
            pysam.AlignedSegments by region, none of which lies before `start`; haplotypes have no names yet.
        """
        for start, haplotypes, reads in regions:
            self._write_until(shard.contig_id, start)
            for k, record in enumerate(haplotypes):
                self._n_haplotypes += 1
                record.query_name = f"{HAPLOTYPE_SAMPLE}_{self._n_haplotypes}_{k}"
            self._pending += [(_place(record), record) for record in (*haplotypes, *reads)]

    def _write_until(self, contig_id, start):
        """Write what no later record can stand before."""
        self._pending.sort(key=lambda entry: entry[0])
        n = len(self._pending)
        if contig_id == self._contig_id:
            n = next((k for k, (place, _) in enumerate(self._pending) if place[0] >= start), n)
        self._contig_id = contig_id
        try:
            for _, record in self._pending[:n]:
                self._file.write(record)
        except OSError as error:
            raise self._partial.refused(error) from error
        del self._pending[:n]

    def finish(self):
        """Make the file whole, and its index, under temporary names."""
        self._write_until(-1, 0)
        try:
            self._file.close()
        except OSError as error:
            raise self._partial.refused(error) from error
        self._partial.finish()
        if self._create_index:
            kind = "csi" if max(self._contigs.lengths, default=0) > _BAI_LONGEST else "bai"
            self._index = self._partial.temporary.with_suffix(f".{kind}")
            try:
                pysam.index("-c" if kind == "csi" else "-b", "-o", str(self._index), str(self._partial.temporary))
                sync(self._index)
            except (pysam.SamtoolsError, OSError) as error:
                message = " ".join(str(error).split())
                raise OutputError(
                    f"output {self._partial.shown}: found samtools index failing ({message}), expected a folder with room. "
                    "Free space, or choose another place."
                ) from error

    def publish(self):
        """Give the finished file its name, and then the index: reads.bam, reads.bai."""
        path = self._partial.path
        try:
            # An index of what stood here before must not be read with the new data.
            for name in (f"{path}.bai", f"{path}.csi", path.with_suffix(".bai"), path.with_suffix(".csi")):
                Path(name).unlink(missing_ok=True)
            self._partial.publish()
            if self._index:
                self._index.replace(path.with_suffix(self._index.suffix))
        except OSError as error:
            raise self._partial.refused(error) from error

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        with suppress(OSError):  # what a full disk refuses to take no longer matters
            self._file.close()
        self._partial.abort()
        if self._index:
            self._index.unlink(missing_ok=True)


def _place(record):
    """What records are sorted by."""
    return (
        record.reference_start, record.is_reverse, record.query_name, record.flag, record.mapping_quality, record.next_reference_id,
        record.next_reference_start, record.template_length,
    )  # fmt: skip


class _Records:
    """The records of one shard."""

    def __init__(self, shard, writer_type, contig, header, groups, whole_records):
        self._shard, self._type, self._contig = shard, writer_type, contig
        self._header, self._groups, self._whole_records = header, groups, whole_records
        self._seen = {}
        self._regions = []  # (padded start, padded end, haplotypes, reads as drafts)

    def see(self, stage, **columns):
        """For `gpuvc.caller.call_shard`."""
        if stage == "activity":
            self._all_reads = columns["reads"]
        elif stage in ("assembly", "likelihoods", "loci", "records"):
            self._seen |= columns
        if stage == "records":
            self._collect(**self._seen)

    def _collect(self, regions, haplotypes, reads, is_side, likelihoods, realigned, loci, records, **_):
        """Take what is to be written of a batch of regions."""
        called = np.zeros(haplotypes.n_haplotypes, np.bool_)
        supported = {}
        for locus, out in zip(records.locus.tolist(), records.out, strict=True):
            first = haplotypes.region_slots[loci.region[locus]]
            own = loci.haplotype_allele[loci.haplotype_slots[locus] : loci.haplotype_slots[locus + 1]]
            called[first : first + len(own)] |= np.isin(own, out)
            for row, allele in _supported_alleles(loci, locus, out):
                supported.setdefault(row, []).append(f"{self._contig}:{loci.pos[locus] + 1}={allele}")
        only_called = self._type.startswith("CALLED")
        n_called = np.concatenate(([0], np.cumsum(called)))
        n_reads = np.concatenate(([0], np.cumsum(~is_side)))
        wanted = owned(regions, self._shard) & (np.diff(haplotypes.region_slots) > 0) & (np.diff(n_reads[reads.region_slots]) > 0)
        if only_called:
            wanted &= np.diff(n_called[haplotypes.region_slots]) > 0
        for g in np.flatnonzero(wanted).tolist():
            chosen = np.arange(haplotypes.region_slots[g], haplotypes.region_slots[g + 1])
            rows = np.arange(reads.region_slots[g], reads.region_slots[g + 1])
            informative = _is_informative(likelihoods.log10[slice(*likelihoods.matrix_offsets[g : g + 2])].reshape(len(rows), len(chosen)))
            informative &= likelihoods.kept[rows]
            kept = likelihoods.kept[rows] | likelihoods.is_far[rows]
            if only_called:
                chosen = chosen[called[chosen]]
            spans = {
                "AR": f"{self._contig}:{haplotypes.start[g] + 1}-{haplotypes.end[g]}",
                "CR": f"{self._contig}:{haplotypes.variant_start[g] + 1}-{haplotypes.variant_end[g]}",
            }
            drafts = []
            if self._type != "CALLED_HAPLOTYPES_NO_READS":
                for row, is_best in zip(rows[kept].tolist(), informative[kept].tolist()):
                    bases = reads.bases[slice(*reads.base_offsets[row : row + 2])]
                    quals = reads.base_quals[slice(*reads.base_offsets[row : row + 2])]
                    cigar = realigned.cigar[slice(*realigned.cigar_offsets[row : row + 2])]
                    best = _hash(haplotypes, realigned.haplotype[row]) if is_best else None
                    tags = dict(spans, HC=best, XA=", ".join(supported.get(row, ())) or None)
                    drafts.append((int(reads.read[row]), int(realigned.pos[row]), cigar, bases, quals, tags))
            written = [] if self._type == "NO_HAPLOTYPES" else [self._haplotype(haplotypes, h, spans["CR"]) for h in chosen.tolist()]
            self._regions.append((int(regions.padded_start[g]), int(regions.padded_end[g]), written, drafts))

    def _haplotype(self, haplotypes, h, callable_span):
        """The record of a haplotype, without a name."""
        record = pysam.AlignedSegment(self._header)
        region = int(np.searchsorted(haplotypes.region_slots, h, side="right")) - 1
        bases = haplotypes.bases[slice(*haplotypes.base_offsets[h : h + 2])]
        cigar = haplotypes.cigar[slice(*haplotypes.cigar_offsets[h : h + 2])]
        record.flag, record.mapping_quality, record.reference_id = FLAG_REVERSE, HAPLOTYPE_MAPQ, self._shard.contig_id
        _align(record, int(haplotypes.start[region]), cigar, bases, np.full(len(bases), ord("!"), np.uint8))
        record.set_tags([("HC", _hash(haplotypes, h), "i"), ("RG", HAPLOTYPE_GROUP, "Z"), ("CR", callable_span, "Z")])
        return record

    def result(self):
        """What `RealignedBam.add` takes: the reads looked up in the files."""
        spans = []
        for start, end, _, drafts in self._regions:
            if drafts and spans and start <= spans[-1][1]:
                spans[-1] = spans[-1][0], max(end, spans[-1][1])
            elif drafts:
                spans.append((start, end))
        rows = sorted({draft[0] for *_, drafts in self._regions for draft in drafts})
        whole = self._whole_records.find(self._contig, spans, self._all_reads, rows) if rows else {}
        return [(start, written, [self._read(whole, *draft) for draft in drafts]) for start, _, written, drafts in self._regions]

    def _read(self, whole, row, pos, cigar, bases, quals, tags):
        """The record of a realigned read."""
        record = copy.copy(whole[row])
        _align(record, pos, cigar, bases, quals)
        record.mapping_quality = int(self._all_reads.mapq[row])  # XQ, where it took the place of the file's
        group = self._all_reads.read_group[row]
        if group >= 0:
            record.set_tag("RG", self._groups[group], "Z")
        for name, value in tags.items():
            record.set_tag(name, value, "i" if name == "HC" else "Z")
        return record


def _align(record, pos, cigar, bases, quals):
    record.query_sequence = ASCII_OF_CODE[bases].tobytes().decode()
    record.query_qualities = quals.tolist()
    record.reference_start = pos
    record.cigartuples = list(zip((cigar & 15).tolist(), (cigar >> 4).tolist()))


def _supported_alleles(loci, locus, out):
    """[(row, allele)]: reads that clearly prefer an allele of the record to its others, and its number in the record."""
    n_alleles = loci.allele_slots[locus + 1] - loci.allele_slots[locus]
    log10 = loci.log10[loci.log10_slots[locus] : loci.log10_slots[locus + 1]].reshape(-1, n_alleles)[:, out]
    rows = loci.pair_row[loci.pair_slots[locus] : loci.pair_slots[locus + 1]]
    sure = _is_informative(log10)
    return list(zip(rows[sure].tolist(), log10.argmax(axis=1)[sure].tolist()))


def _is_informative(log10):
    """bool[n]: rows whose best value stands out."""
    if log10.shape[1] < 2:
        return np.ones(len(log10), np.bool_)
    second, best = np.partition(log10, -2, axis=1)[:, -2:].T
    return best - second > INFORMATIVE_LOG10


def _hash(haplotypes, h):
    """int: 31-polynomial hash of a haplotype's letters, the number by which GATK knows it."""
    letters = ASCII_OF_CODE[haplotypes.bases[slice(*haplotypes.base_offsets[h : h + 2])]].astype(np.uint32)
    powers = np.cumprod(np.concatenate(([1], np.full(len(letters), 31))).astype(np.uint32), dtype=np.uint32)[::-1]
    return int((np.append(np.uint32(1), letters) * powers).sum(dtype=np.uint32).astype(np.int32))
