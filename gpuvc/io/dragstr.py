"""DRAGEN-GATK's model of tandem repeats: what its calibration of a sample (CalibrateDragstrModel) found, as that writes it.

    # comments
        1      2      3 ...   copies of the unit
    GOP:                      what opening a gap costs, phred: a row a period (bases of the unit), from 1
    45.00  45.00  45.00 ...
    GCP:                      what continuing one costs
    API:                      how unlikely it is beforehand that a sample is heterozygous for an indel there
"""

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gpuvc.errors import InputError, UsageError

# What a table may hold. A gap costs at least as much as the PairHMM can take, of which 40 counts (its coarsest phred), and one continued
# at no cost would never end.
TABLES = {"GOP": (3.5, float("inf")), "GCP": (0.5, 127.0), "API": (0.0, float("inf"))}
_HOW_TO_MAKE_IT = "Make it with gatk CalibrateDragstrModel."


class Dragstr(NamedTuple):
    """The model of a sample, and what it is to be used for.

    gap_open, gap_continuation, indel_prior : float64[n_periods, n_copies]
        The tables GOP, GCP and API, phred. More copies than there are columns have what the last column says.
    het_hom_ratio : int
        How much likelier a heterozygous genotype is than that with two copies of the allele.
    scores_gaps, is_prior : bool
        Whether the PairHMM takes its gaps from it, and genotypes their priors.
    """

    gap_open: np.ndarray
    gap_continuation: np.ndarray
    indel_prior: np.ndarray
    het_hom_ratio: int = 2
    scores_gaps: bool = True
    is_prior: bool = True

    @property
    def n_periods(self):
        return len(self.gap_open)

    def at(self, table, period, copies):
        """The entries of a table for arrays, or numbers, of periods and copies."""
        return table[period - 1, np.minimum(copies, table.shape[1]) - 1]

    def rounded(self, period, copies):
        """GOP, GCP and API of one repeat to one digit behind the point, the halves of decimals up, as GATK writes them."""
        values = (self.at(table, period, copies) for table in self[:3])
        return tuple(float(Decimal(repr(float(value))).quantize(Decimal("0.1"), ROUND_HALF_UP)) for value in values)


def read_dragstr(path, settings, het_hom_ratio=2, scores_gaps=True, is_prior=True):
    """Dragstr from the file at `path`; None where `path` is None.

    Raises
    ------
    UsageError
        `settings` ask for another genotype model than GATK's, to which this one belongs.
    InputError
        The file is missing, or is not what CalibrateDragstrModel writes.
    """
    if path is None:
        return None
    if settings.engine != "haplotype" or settings.concordance != "hc":
        raise UsageError("option --dragstr-params-path: found it with gpuvc's own model, expected --concordance hc, to whose it belongs.")
    if het_hom_ratio < 1:
        raise UsageError(f"option --dragstr-het-hom-ratio: found {het_hom_ratio}, expected 1 or more.")
    return Dragstr(*read_tables(path), het_hom_ratio, scores_gaps, is_prior)


def read_tables(path):
    """float64[n_periods, n_copies] of each of TABLES. Raises InputError."""
    try:
        lines = [line.split() for line in Path(path).read_text(encoding="ascii").splitlines()]
    except (OSError, ValueError) as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else f"it unreadable ({error})"
        raise InputError(f"DRAGstr parameters in {path}: found {found}, expected a text of tables. {_HOW_TO_MAKE_IT}") from error
    rows = [(number, words) for number, words in enumerate(lines, 1) if words and not words[0].startswith("#")]
    if not rows:
        raise InputError(f"DRAGstr parameters in {path}: found nothing, expected tables. {_HOW_TO_MAKE_IT}")
    (number, copies), *rows = rows
    if copies != [str(n) for n in range(1, len(copies) + 1)]:
        raise InputError(
            f"numbers of copies in {path} (line {number}): found {_short(copies)}, expected 1 2 3 and so on, the heads of the columns. "
            f"{_HOW_TO_MAKE_IT}"
        )
    tables = {}
    for number, words in rows:
        if len(words) == 1 and words[0].endswith(":"):
            name = words[0][:-1]
            if name not in TABLES or name in tables:
                found = "it twice" if name in tables else _short([name])
                raise InputError(f"table in {path} (line {number}): found {found}, expected {', '.join(TABLES)}, each once.")
            tables[name] = []
        elif not tables:
            raise InputError(f"line in {path} (line {number}): found {_short(words)}, expected the name of a table, such as GOP:.")
        else:
            tables[name].append(_row(words, len(copies), name, f"row {len(tables[name]) + 1} of {name} in {path} (line {number})"))
    for name in TABLES:
        n_rows, expected = len(tables.get(name, ())), max(1, len(tables.get("GOP", ())))
        if n_rows != expected:
            raise InputError(
                f"table {name} in {path}: found {n_rows or 'no'} rows, expected {expected}, one a period"
                f"{' as in GOP' if name != 'GOP' else ''}. The file may be cut short. {_HOW_TO_MAKE_IT}"
            )
    return tuple(np.array(tables[name]) for name in TABLES)


def _row(words, n_columns, name, where):
    """The values of one row. Raises InputError."""
    if len(words) != n_columns:
        raise InputError(f"{where}: found {len(words)} columns, expected {n_columns}, one a number of copies. {_HOW_TO_MAKE_IT}")
    least, most = TABLES[name]
    values = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            raise InputError(f"{where}: found {_short([word])}, expected a number. {_HOW_TO_MAKE_IT}") from None
        if not (least <= value <= most and value < float("inf")):
            expected = f"a finite number from {least:g}" + (f" to {most:g}" if most < float("inf") else " up")
            raise InputError(f"{where}: found {_short([word])}, expected {expected} (phred). {_HOW_TO_MAKE_IT}")
        values.append(value)
    return values


def _short(words):
    text = " ".join(words)
    return text if len(text) <= 40 else f"{text[:40]}..."
