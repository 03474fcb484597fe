"""`gpuvc.open`: reads and reference opened together, to go through region by region."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from html import escape
from typing import Any

import pysam

from gpuvc.api import call_variants
from gpuvc.errors import UsageError
from gpuvc.notebook.calls import Calls
from gpuvc.notebook.progress import progress_bar
from gpuvc.notebook.region import Region
from gpuvc.recording import Inputs, open_inputs
from gpuvc.settings import Settings

SHOWN_CONTIGS = 6


def open_sample(
    alignments: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    reference: str | os.PathLike[str],
    *,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    sample_name: str | None = None,
    alleles: str | None = None,
    force_call_filtered_alleles: bool = False,
    ploidy_regions: str | None = None,
    dragstr_params_path: str | None = None,
    dragstr_het_hom_ratio: float = 2,
    dragstr_pair_hmm_scores: bool = True,
    dragstr_priors: bool = True,
    device: str = "auto",
) -> Sample:
    """Open aligned reads with their reference; nothing is computed yet.

        with gpuvc.open("sample.bam", "ref.fa") as sample:
            region = sample["chr20:10,000-11,000"]
            calls = sample.call()

    Parameters
    ----------
    alignments : str or sequence of str
        Indexed BAM or CRAM files.
    reference : str
        Indexed FASTA.
    settings : Settings
        What can change calls.
    sample_name, alleles, force_call_filtered_alleles, ploidy_regions, dragstr_params_path, ..., dragstr_priors, device
        As `gpuvc.call_variants` takes them.

    Returns
    -------
    Sample

    Raises
    ------
    InputError
        A file is missing, damaged, without index, or does not fit the others.
    UsageError
        Settings or arguments contradict each other.
    """
    given: dict[str, Any] = {
        "settings": settings, "sample_name": sample_name, "alleles": alleles, "force_call_filtered_alleles": force_call_filtered_alleles,
        "ploidy_regions": ploidy_regions, "dragstr_params_path": dragstr_params_path, "dragstr_het_hom_ratio": dragstr_het_hom_ratio,
        "dragstr_pair_hmm_scores": dragstr_pair_hmm_scores, "dragstr_priors": dragstr_priors, "device": device,
    }  # fmt: skip
    paths = [alignments] if isinstance(alignments, str | os.PathLike) else list(alignments)
    return Sample([os.fspath(path) for path in paths], os.fspath(reference), open_inputs(reference, paths, **given, with_names=True), given)


class Sample:
    """Aligned reads of a sample, or of several that are called together, with their reference. Made by `gpuvc.open`; a context manager.

    alignments : list of str; reference : str
        Paths.
    samples : tuple of str
        Names, in the order of the calls' genotypes.
    settings : Settings
    """

    def __init__(self, alignments: list[str], reference: str, inputs: Inputs, given: dict[str, Any]) -> None:
        self.alignments, self.reference = alignments, reference
        self._inputs, self._given = inputs, given
        self.samples = inputs.samples
        self.settings: Settings = inputs.settings

    def __enter__(self) -> Sample:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files. Results that regions have computed stay."""
        self._inputs.source.close()

    @property
    def contigs(self) -> dict[str, int]:
        """Name → length in bp, in the order of the alignments' header."""
        contigs = self._inputs.source.contigs
        return dict(zip(contigs.names, contigs.lengths))

    @cached_property
    def n_reads(self) -> dict[str, int] | None:
        """Contig → placed records, all files together, as the indexes tell; None where they do not."""
        counts = dict.fromkeys(self.contigs, 0)
        for path in self.alignments:
            if path.endswith(".cram") or "://" in path:
                return None
            with pysam.AlignmentFile(path) as file:
                for entry in file.get_index_statistics():
                    counts[entry.contig] += entry.total
        return counts

    def region(self, region: str) -> Region:
        """A stretch to look at.

        Parameters
        ----------
        region : str
            "chr20:10,000-11,000" (1-based, closed), "chr20:10,117", or a contig's name.

        Raises
        ------
        UsageError
            The alignments or the reference do not have it.
        """
        return Region(self._inputs, self._inputs.interval(region))

    def __getitem__(self, region: str) -> Region:
        return self.region(region)

    def call(self, intervals: str | Sequence[str] = (), *, threads: int | None = None, progress: bool | None = None, **more: Any) -> Calls:
        """Call the whole, or some intervals.

        Parameters
        ----------
        intervals : str or sequence of str
            Regions, or files of them, as `gpuvc.call_variants` takes them.
        threads : int, optional
            Default: every core this process may use. Never changes calls.
        progress : bool, optional
            Whether to draw a bar. Default: in a notebook or on a terminal.
        **more
            What else `gpuvc.call_variants` takes: report, bam_output, exclude_intervals, interval_padding, ...

        Raises
        ------
        InputError, UsageError, DeviceError, OutputError
            UsageError with settings for a GVCF, too: its blocks are written by `gpuvc.call_variants`.
        """
        if self.settings.emit_ref_confidence != "NONE":
            raise UsageError(
                f"setting emit_ref_confidence: found {self.settings.emit_ref_confidence}, expected NONE. "
                "A GVCF is written by gpuvc.call_variants(reference, alignments, output)."
            )
        wanted = [intervals] if isinstance(intervals, str) else list(intervals)
        with progress_bar(progress) as bar:
            run = call_variants(self.reference, self.alignments, intervals=wanted, threads=threads, progress=bar, **self._given, **more)
        return Calls(run.calls or [], self._inputs, run)

    def __repr__(self) -> str:
        contigs = self.contigs
        known = "" if self.n_reads is None else f", {sum(self.n_reads.values()):,} reads"
        return f"<gpuvc.Sample {', '.join(self.samples)}: {len(contigs):,} contig{'s' if len(contigs) > 1 else ''}{known}>"

    def _repr_html_(self) -> str:
        default = Settings(engine=self.settings.engine, concordance=self.settings.concordance).as_dict()
        other = {name: value for name, value in self.settings.as_dict().items() if value != default[name]}
        settings = {"engine": self.settings.engine, "concordance": self.settings.concordance, **other}
        lines = {
            "samples": ", ".join(self.samples),
            "alignments": ", ".join(os.path.basename(path) for path in self.alignments),  # noqa: PTH119 - may be a URL
            "reference": os.path.basename(self.reference),  # noqa: PTH119
            "contigs": _contigs_text(self.contigs, self.n_reads),
            "settings": ", ".join(f"{name} {value}" for name, value in settings.items()),
        }
        left = 'style="text-align:left"'
        rows = "".join(f"<tr><th {left}>{name}</th><td {left}>{escape(text)}</td></tr>" for name, text in lines.items())
        return f"<table><tbody>{rows}</tbody></table>"


def _contigs_text(contigs: dict[str, int], n_reads: dict[str, int] | None) -> str:
    """The contigs with most reads, or the first."""
    names = sorted(contigs, key=lambda name: -n_reads[name]) if n_reads else list(contigs)
    shown = [f"{name} ({contigs[name]:,} bp{f', {n_reads[name]:,} reads' if n_reads else ''})" for name in names[:SHOWN_CONTIGS]]
    return ", ".join(shown) + (f" and {len(names) - SHOWN_CONTIGS:,} more" if len(names) > SHOWN_CONTIGS else "")
