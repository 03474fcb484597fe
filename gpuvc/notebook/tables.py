"""Columns with names, types and units, as NumPy arrays, for pandas and for Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpuvc.optional import optional

if TYPE_CHECKING:
    import pandas
    import pyarrow

SHOWN_ROWS = 8  # in a notebook
SHOWN_LETTERS = 44  # of one value


class Column(NamedTuple):
    """What a column of a `Table` holds.

    dtype : str
        A NumPy type; "string"; "list[...]" of either.
    unit : str
        Such as "bp" or "phred"; "" for none.
    """

    name: str
    dtype: str
    unit: str
    meaning: str


class Ragged:
    """A column of lists: row i is values[offsets[i]:offsets[i + 1]], as text where the column is of strings.

    values : NumPy array
        Of strings: uint8, ASCII.
    offsets : int64[n_rows + 1]
    """

    def __init__(self, values: np.ndarray, offsets: np.ndarray, is_text: bool = False) -> None:
        self.values, self.offsets, self.is_text = values, offsets, is_text

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Any:
        row = range(len(self))[row]
        part = self.values[self.offsets[row] : self.offsets[row + 1]]
        return part.tobytes().decode() if self.is_text else part

    def __iter__(self) -> Iterator[Any]:
        return (self[row] for row in range(len(self)))

    def __repr__(self) -> str:
        return f"<Ragged of {len(self):,} {'texts' if self.is_text else 'lists'}, {len(self.values):,} values>"


class Table:
    """Rows of one stage; `table.start` or `table["start"]` is a column.

    schema : tuple of Column
        Name, type, unit and meaning of each.

    Numbers are NumPy arrays of the type that the schema names; strings are an array of `str`, long ones (sequences, CIGARs) and lists a
    `Ragged`. Nothing is copied; do not write into columns.
    """

    def __init__(self, schema: Sequence[Column], columns: Mapping[str, Any]) -> None:
        self.schema = tuple(schema)
        self._columns = {column.name: columns[column.name] for column in self.schema}

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __getattr__(self, name: str) -> Any:
        columns = self.__dict__.get("_columns", {})
        if name not in columns:
            raise AttributeError(f"table has no column {name!r}, but {', '.join(columns)}")
        return columns[name]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._columns})

    def to_numpy(self) -> dict[str, Any]:
        """Name → column, as they are."""
        return dict(self._columns)

    def to_arrow(self) -> pyarrow.Table:
        """pyarrow.Table of the same columns; numbers, sequences and lists share their memory. The fields' metadata has unit and meaning.

        Raises UsageError without pyarrow.
        """
        pa = optional("pyarrow", "Arrow tables")
        arrays = [_arrow(pa, self._columns[column.name], column.dtype) for column in self.schema]
        fields = [
            pa.field(column.name, array.type, metadata={"unit": column.unit, "meaning": column.meaning})
            for column, array in zip(self.schema, arrays, strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    def to_pandas(self) -> pandas.DataFrame:
        """pandas.DataFrame of the same columns. Raises UsageError without pandas and pyarrow."""
        optional("pandas", "data frames")
        return self.to_arrow().to_pandas()

    def __repr__(self) -> str:
        return f"<Table of {len(self):,} rows: {', '.join(self._columns)}>"

    def _repr_html_(self) -> str:
        shown = min(len(self), SHOWN_ROWS)
        heads = [(column.name, column.unit or column.dtype, column.meaning) for column in self.schema]
        rows = [[_text(self._columns[column.name][row]) for column in self.schema] for row in range(shown)]
        note = f"{len(self):,} row{'' if len(self) == 1 else 's'}"
        if shown < len(self):
            note = f"the first {shown} of {note}"
        return html_table(heads, rows, note)


def html_table(heads: Sequence[tuple[str, str, str]], rows: Sequence[Sequence[str]], note: str) -> str:
    """HTML of a table: heads are (name, small print below it, tooltip)."""
    small = 'style="font-weight:normal;opacity:.6"'
    head = "".join(f'<th title="{escape(tip)}">{escape(name)}<br><small {small}>{escape(below)}</small></th>' for name, below, tip in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(value)}</td>" for value in row) + "</tr>" for row in rows)
    return f"<div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><small>{escape(note)}</small></div>"


def _text(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    text = ",".join(map(str, value)) if isinstance(value, tuple | list | np.ndarray) else str(value)
    return text if len(text) <= SHOWN_LETTERS else text[: SHOWN_LETTERS - 1] + "…"


def _arrow(pa: Any, values: Any, dtype: str) -> Any:
    """Arrow array of a column."""
    if isinstance(values, Ragged):
        if values.is_text:
            offsets, letters = (pa.py_buffer(np.ascontiguousarray(part)) for part in (values.offsets, values.values))
            return pa.LargeStringArray.from_buffers(len(values), offsets, letters)
        return pa.LargeListArray.from_arrays(values.offsets, values.values)
    if dtype == "list[string]":
        return pa.array(list(values), pa.list_(pa.string()))
    return pa.array(values, pa.string()) if dtype == "string" else pa.array(values)


def texts(values: Sequence[Any]) -> np.ndarray:
    """An array of Python objects, one a row; sequences among them stay whole."""
    column = np.empty(len(values), object)
    for row, value in enumerate(values):
        column[row] = value
    return column
