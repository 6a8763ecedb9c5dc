"""Parquet files of anyone's making, read by names of columns that differ."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
import pyarrow as pa

from massivetext.arrow_values import distinct_names, python_values
from massivetext.errors import SourceError
from massivetext.parquet import READ_ERRORS, open_wide_indices, wide_indices

__all__ = ["DistinctColumns", "column_of_each_leaf", "distinct_schema", "rows_of"]


class DistinctColumns:
    """A Parquet file that is read by the names of its `distinct_schema`. names: those, in the file's order.

    Opening raises SourceError for a file that is not Parquet, reading for a row group that is damaged.
    """

    def __init__(self, stream: IO[bytes], path: str) -> None:
        try:
            self._file = open_wide_indices(stream)
            self._stored_names = self._file.schema_arrow.names
        except READ_ERRORS as error:
            raise SourceError(f"{path}: is no Parquet file that can be read: {error}") from error
        self._path = path
        self._places: dict[str, list[int]] = {}
        for at, name in enumerate(self._stored_names):
            self._places.setdefault(name, []).append(at)
        self.names = distinct_names(self._stored_names)
        self.n_groups = self._file.num_row_groups

    def read(self, group: int, names: Sequence[str]) -> pa.Table:
        """Return columns of a row group."""
        with self._readable(group):
            table = self._file.read_row_group(group, columns=self._stored(names))
        return self._renamed(table).select(list(names))

    def batches(self, group: int, names: Sequence[str], n_rows: int) -> Iterator[pa.RecordBatch]:
        """Yield columns of a row group, at most `n_rows` rows at a time."""
        columns = self._stored(names)
        with self._readable(group):
            for batch in self._file.iter_batches(n_rows, row_groups=[group], columns=columns, use_threads=False):
                yield self._renamed(batch).select(list(names))

    def close(self) -> None:
        self._file.close()

    @contextlib.contextmanager
    def _readable(self, group: int) -> Iterator[None]:
        try:
            yield
        except READ_ERRORS as error:
            raise SourceError(f"{self._path}: row group {group} cannot be read: {error}") from error

    def _stored(self, names: Sequence[str]) -> list[str]:
        return list({self._stored_names[self.names.index(name)]: None for name in names})

    def _renamed(self, table: Any) -> Any:
        """Return a table or batch with the names that differ. pyarrow returns all columns of a name that it is asked
        for, in the order of the file, and `a.b` with `a`."""
        places = {name: iter(places) for name, places in self._places.items()}
        return table.rename_columns([self.names[next(places[name])] for name in table.schema.names])


def distinct_schema(stored: pa.Schema) -> pa.Schema:
    """Return the schema of a file as `DistinctColumns` reads it, without metadata."""
    names = distinct_names(stored.names)
    return pa.schema([field.with_name(name) for name, field in zip(names, wide_indices(stored))])


def column_of_each_leaf(schema: pa.Schema) -> list[str]:
    """Return the name of the column to which each of the columns of Parquet belongs, in which structs are flat."""
    return [field.name for field in schema for _ in range(_n_leaves(field.type))]


def _n_leaves(kind: pa.DataType) -> int:
    kind = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    return sum(_n_leaves(kind.field(at).type) for at in range(kind.num_fields)) if kind.num_fields else 1


def rows_of(batch: pa.RecordBatch, rows: np.ndarray) -> list[dict[str, Any]]:
    """Return rows of a batch, with U+FFFD in text that is not UTF-8 and all else as `python_values` has it."""
    columns = {name: _chosen(batch.column(name), rows) for name in batch.schema.names}
    return [{name: values[at] for name, values in columns.items()} for at in range(len(rows))]


def _chosen(column: pa.Array, rows: np.ndarray) -> list[Any]:
    try:
        return python_values(column.take(pa.array(rows)), _replaced)
    except pa.ArrowNotImplementedError:  # strings that are views cannot be taken
        return [python_values(column.slice(row, 1), _replaced)[0] for row in rows.tolist()]


def _replaced(data: bytes) -> str:
    return data.decode("utf-8", "replace")
