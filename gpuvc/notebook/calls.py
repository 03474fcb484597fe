"""The calls of a region or of a run, to be looked at, put in a table, or written."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpuvc.batches import Call
from gpuvc.errors import UsageError
from gpuvc.io.variants import read_vcf
from gpuvc.notebook.tables import html_table
from gpuvc.optional import optional
from gpuvc.output.files import PartialFile
from gpuvc.output.report import variant_type
from gpuvc.output.vcf import SUFFIXES, VariantWriter, format_call, vcf_header

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from gpuvc.api import RunSummary
    from gpuvc.recording import Inputs

SHOWN_CALLS = 12
_TABLES = (".parquet", ".arrow", ".feather")


class Calls(Sequence[Call]):
    """Calls in genome order, as `gpuvc call` writes them: a sequence of `Call`.

    samples : tuple of str
        In the order of each call's `samples`.
    run : RunSummary or None
        What the run did, where it was one (`Sample.call`).
    """

    def __init__(self, calls: list[Call], inputs: Inputs, run: RunSummary | None = None) -> None:
        self._calls, self._inputs, self.run = calls, inputs, run
        self.samples = inputs.samples
        self._contigs = inputs.source.contigs

    def __len__(self) -> int:
        return len(self._calls)

    def __getitem__(self, which: Any) -> Any:
        return Calls(self._calls[which], self._inputs) if isinstance(which, slice) else self._calls[which]

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Calls) and self._calls == other._calls

    __hash__ = None  # type: ignore[assignment]

    @property
    def by_type(self) -> dict[str, int]:
        """SNV, MNV, insertion, deletion, mixed → how many calls."""
        return dict(Counter(variant_type(call.ref, call.alts) for call in self._calls))

    @property
    def by_filter(self) -> dict[str, int]:
        """PASS, or filters joined by semicolons → how many calls."""
        return dict(Counter(";".join(call.filters) or "PASS" for call in self._calls))

    def passing(self) -> Calls:
        """Those that no filter marks."""
        return Calls([call for call in self._calls if not call.filters], self._inputs)

    def to_arrow(self) -> pyarrow.Table:
        """The table that `gpuvc.read_vcf` makes of the calls once they are written. Raises UsageError without pyarrow."""
        optional("pyarrow", "Arrow tables")
        with tempfile.TemporaryDirectory(prefix="gpuvc-") as folder:
            path = Path(folder) / "calls.vcf"
            path.write_text(self._header(False) + "".join(self._lines()))
            return read_vcf(path)

    def to_pandas(self) -> pandas.DataFrame:
        """The same as a pandas.DataFrame. Raises UsageError without pandas and pyarrow."""
        optional("pandas", "data frames")
        return self.to_arrow().to_pandas()

    def write(self, path: str | os.PathLike[str], *, create_index: bool = True, version_header: bool = True) -> None:
        """Write .vcf, .vcf.gz, .vcf.bgz or .bcf, with its index, or the table as .parquet, .arrow or .feather; whole or not at all.

        Parameters
        ----------
        version_header : bool
            False leaves out the header lines that name the run.

        Raises
        ------
        UsageError
            Another suffix; no pyarrow for a table.
        OutputError
            The place cannot be written.
        """
        path = os.fspath(path)
        if path.endswith(_TABLES):
            self._write_table(path)
            return
        if path != "-" and not path.endswith(SUFFIXES):
            raise UsageError(f"output {path}: found an unknown suffix, expected {', '.join((*SUFFIXES, *_TABLES))}.")
        with VariantWriter(path, self._header(version_header), create_index=create_index) as writer:
            writer.write("".join(self._lines()))
            writer.commit()

    def _write_table(self, path):
        table = self.to_arrow()
        with PartialFile(path) as file:
            try:
                if path.endswith(".parquet"):
                    optional("pyarrow.parquet", "Parquet files").write_table(table, str(file.temporary))
                else:
                    optional("pyarrow.feather", "Arrow files").write_feather(table, str(file.temporary), compression="uncompressed")
            except OSError as error:
                raise file.refused(error) from error
            file.commit()

    def _header(self, version):
        inputs = self._inputs
        return vcf_header(
            self._contigs, self.samples, reference_path=inputs.genome.path, settings=inputs.settings, dragstr=inputs.given.dragstr,
            version=version,
        )  # fmt: skip

    def _lines(self):
        return (format_call(call, self._contigs.names[call.contig_id]) for call in self._calls)

    def __repr__(self) -> str:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(self.by_type.items()))
        return f"<gpuvc.Calls: {len(self):,} of {', '.join(self.samples)}{f' ({kinds})' if kinds else ''}>"

    def _repr_html_(self) -> str:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(self.by_type.items(), key=lambda item: -item[1]))
        marked = ", ".join(f"{n:,} {name}" for name, n in sorted(self.by_filter.items(), key=lambda item: -item[1]))
        line = f"<p><b>{len(self):,} call{'' if len(self) == 1 else 's'}</b> of {escape(', '.join(self.samples))}"
        line += f" — {escape(kinds)} — {escape(marked)}</p>" if self._calls else "</p>"
        heads = [("contig", "", ""), ("pos", "1-based", ""), ("ref", "", ""), ("alt", "", ""), ("QUAL", "phred", ""), ("filter", "", "")]
        heads += [(sample, "GT · AD · GQ", "genotype, reads by allele, genotype quality") for sample in self.samples]
        rows = [
            [
                self._contigs.names[call.contig_id], f"{call.pos + 1:,}", _short(call.ref), ",".join(map(_short, call.alts)),
                f"{call.qual:.1f}", ";".join(call.filters) or "PASS", *(_sample_text(sample) for sample in call.samples),
            ]
            for call in self._calls[:SHOWN_CALLS]
        ]  # fmt: skip
        note = "" if len(self) <= SHOWN_CALLS else f"the first {SHOWN_CALLS} of {len(self):,}"
        return line + html_table(heads, rows, note)


def _short(allele):
    return allele if len(allele) <= 16 else f"{allele[:8]}…{len(allele)}"


def _sample_text(sample):
    genotype = ("|" if sample.phase else "/").join("." if allele < 0 else str(allele) for allele in sample.genotype)
    depths = ",".join(map(str, sample.allele_depths or ())) or "."
    return f"{genotype} · {depths} · {'.' if sample.genotype_quality is None else sample.genotype_quality}"
