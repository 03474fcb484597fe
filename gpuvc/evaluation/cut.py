"""A wrong locus as a case of the tests: its reads, its reference, and what the truth says, in a folder of its own.

FOLDER/20_316844/
  reads.bam, reads.bam.bai    the reads that lie within the cut
  ref.fa, ref.fa.fai          the cut of the contig, under the contig's name
  expected.yaml               what the truth says there and what was called instead, in positions of the cut
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pysam

from gpuvc.errors import InputError, OutputError, UsageError
from gpuvc.evaluation.evaluate import Evaluation
from gpuvc.io.fasta import open_reference
from gpuvc.kernels.codes import BASES

FLANK_BP = 500  # to either side: assembly looks 100 bp around a region, and reads reach further
_ONE_LOCUS_BP = 50  # wrong variants nearer than this are one locus
_LINE_BP = 80


def cut_wrong_loci(evaluation: Evaluation, alignments: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], folder) -> list[str]:
    """Cut each wrong locus of an evaluation into a folder within `folder`; returns their names.

    Parameters
    ----------
    alignments : path or sequence of path
        The reads that the calls were made of, with indexes.

    Raises
    ------
    InputError
        A file of reads cannot be read, or has no index.
    OutputError
        A folder is there already, or cannot be written.
    """
    paths = [alignments] if isinstance(alignments, str | os.PathLike) else list(alignments)
    genome = open_reference(evaluation.reference)
    folder = Path(folder)
    loci = wrong_loci(evaluation)
    for contig_id, start, _ in loci:
        if (folder / _name(genome, contig_id, start)).exists():
            raise OutputError(
                f"case {folder / _name(genome, contig_id, start)}: found it there already, expected a new name. Name another folder."
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for locus in loci:
            _cut(evaluation, paths, genome, locus, folder)
    except OSError as error:
        raise OutputError(f"folder {folder}: found it cannot be written ({error.strerror or error}), expected room for cases.") from error
    return [_name(genome, contig_id, start) for contig_id, start, _ in loci]


def check_cut(folder, alignments):
    """Raise UsageError where a cut was asked for without reads."""
    if folder is not None and not alignments:
        raise UsageError(f"option --cut: found {folder} without reads, expected those that were called. Name them with -I.")


def wrong_loci(evaluation):
    """[(contig_id, start, end)], 0-based, half-open: where variants are wrong, near ones joined."""
    spans = sorted(
        (int(v.contig[i]), int(v.start[i]), max(int(v.end[i]), int(v.start[i]) + 1))
        for outcome in (evaluation.truth, evaluation.calls)
        for v in (outcome.variants,)
        for i in np.flatnonzero(outcome.is_wrong).tolist()
    )
    loci: list[tuple[int, int, int]] = []
    for contig_id, start, end in spans:
        if loci and loci[-1][0] == contig_id and start - loci[-1][2] < _ONE_LOCUS_BP:
            loci[-1] = contig_id, loci[-1][1], max(loci[-1][2], end)
        else:
            loci.append((contig_id, start, end))
    return loci


def _name(genome, contig_id, start):
    return f"{re.sub(r'[^A-Za-z0-9.-]', '-', genome.contigs.names[contig_id])}_{start + 1}"


def _cut(evaluation, paths, genome, locus, folder):
    contig_id, start, end = locus
    name, length = genome.contigs.names[contig_id], genome.contigs.lengths[contig_id]
    first, last = max(0, start - FLANK_BP), min(length, end + FLANK_BP)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    try:
        sequence = "".join(BASES[code] for code in genome.window(name, first, last).tolist())
        lines = [sequence[i : i + _LINE_BP] for i in range(0, len(sequence), _LINE_BP)]
        (unfinished / "ref.fa").write_text(f">{name}\n" + "\n".join(lines) + "\n")
        pysam.faidx(str(unfinished / "ref.fa"))
        _cut_reads(paths, evaluation.reference, name, first, last, unfinished / "reads.bam")
        (unfinished / "expected.yaml").write_text(_expected(evaluation, paths, name, locus, first, last))
        unfinished.chmod(0o755)
        unfinished.rename(folder / _name(genome, contig_id, start))
    except BaseException:
        shutil.rmtree(unfinished)
        raise


def _cut_reads(paths, reference, name, first, last, target):
    """The mapped reads within [first, last) of a contig, moved to where the cut begins, sorted and indexed."""
    reads, groups = [], []
    for path in paths:
        try:
            with pysam.AlignmentFile(os.fspath(path), reference_filename=reference) as source:
                if not source.has_index():
                    raise InputError(f"reads in {path}: found no index, expected one. Create it: samtools index {path}")
                header = source.header.to_dict()
                groups += [group for group in header.get("RG", []) if group not in groups]
                reads += [
                    read.to_dict()
                    for read in source.fetch(name, first, last)
                    if not read.is_unmapped and read.reference_start >= first and read.reference_end <= last
                ]
        except (OSError, ValueError) as error:
            raise InputError(f"reads in {path}: found them unreadable ({error}), expected an indexed BAM or CRAM.") from error
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": name, "LN": last - first}], "RG": groups}
    cut_header = pysam.AlignmentHeader.from_dict(header)
    with pysam.AlignmentFile(str(target), "wb", header=cut_header) as file:
        for fields in sorted(reads, key=lambda fields: int(fields["ref_pos"])):
            if fields["next_ref_name"] in ("=", name):  # a mate outside lies at the cut's border
                mate = min(max(int(fields["next_ref_pos"]) - first, 1), last - first)
                fields |= {"next_ref_name": "=", "next_ref_pos": str(mate)}
            else:
                fields |= {"next_ref_name": "*", "next_ref_pos": "0"}
            fields["ref_pos"] = str(int(fields["ref_pos"]) - first)
            fields["tags"] = [tag for tag in fields["tags"] if not tag.startswith(("SA:", "XA:"))]
            file.write(pysam.AlignedSegment.from_dict(fields, cut_header))
    pysam.index(str(target))


def _expected(evaluation, paths, name, locus, first, last):
    """The text of expected.yaml."""
    contig_id, start, end = locus

    def variants(outcome):
        """(shown at the locus, lines of all within the cut)."""
        v = outcome.variants
        rows = np.flatnonzero((v.contig == contig_id) & (v.start >= first) & (v.end <= last)).tolist()
        shown, lines = [], []
        for i in rows:
            _, pos1, _, ref, alts = v.fields(i)[:5]
            genotype = v.genotype_text(i)
            if v.start[i] < end and max(v.end[i], v.start[i] + 1) > start:
                shown.append(f"{ref}>{alts} {genotype} at {pos1}")
            entry = {"pos": int(pos1) - first, "ref": ref, "alt": alts, "gt": genotype}
            lines.append("  - {" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in entry.items()) + "}")
        return ", ".join(shown) or "nothing", lines

    true, in_truth = variants(evaluation.truth)
    called, in_calls = variants(evaluation.calls)
    reads = ", ".join(Path(path).name for path in paths)
    reference, truth, calls = (
        Path(path).name for path in (evaluation.reference, *(s.variants.path for s in (evaluation.truth, evaluation.calls)))
    )
    return "\n".join([
        f"# {name}:{first + 1}-{last} of {reference}; reads of {reads}, truth of {truth}, calls of {calls}",
        f"hard: {json.dumps(f'On {name} the truth has {true}; called was {called}.')}",
        "# 1-based positions of ref.fa; the locus, both ends included",
        f"locus: {{contig: {json.dumps(name)}, start: {start - first + 1}, end: {end - first}}}",
        "truth:" if in_truth else "truth: []",
        *in_truth,
        "called:" if in_calls else "called: []",
        *in_calls,
        "",
    ])  # fmt: skip
