"""Parquet: rows of the columns that a recipe names, streamed; a split is a range of row groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from itertools import accumulate
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from massivetext.documents import Record
from massivetext.errors import SourceError
from massivetext.parquet import open_parquet
from massivetext.readers.compression import DamagedError
from massivetext.readers.fields import DOCUMENT, Fields

__all__ = ["MAGIC", "read", "row_group_ranges"]

MAGIC = b"PAR1"
BATCH_ROWS = 64


def row_group_ranges(stream: IO[bytes], source: str, target_bytes: int) -> list[tuple[int, int]]:
    """Ranges of row groups of about `target_bytes` each, decompressed. Raises SourceError if it is no Parquet file."""
    metadata = _open(stream, source).metadata
    ranges, first, held = [], 0, 0
    for number in range(metadata.num_row_groups):
        # Not the columns' own sizes: pyarrow 25 ends the process when it meets damaged metadata of a column there.
        held += max(0, metadata.row_group(number).total_byte_size)
        if held >= target_bytes:
            ranges.append((first, number + 1))
            first, held = number + 1, 0
    if first < metadata.num_row_groups or not ranges:
        ranges.append((first, metadata.num_row_groups))
    return ranges


def read(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
    defaults: Mapping[str, str] = DOCUMENT,
) -> Iterator[Record]:
    """One record a row; offset: its number in the file. Reasons: `failed.no_text` for a null, `failed.too_large`,
    `failed.corrupt` for the row at which a row group breaks off (the next ones are read, then DamagedError raised).

    Raises SourceError if a column is missing that the recipe names, or the text is no text.
    """
    file = _open(stream, source)
    fields = Fields(options, defaults)
    schema = file.schema_arrow
    columns = {key: name for key, name in fields.names.items() if name in schema.names}
    missing = sorted(fields.required - set(columns.values()))
    if missing:
        raise SourceError(
            f"{source}: no column {', '.join(map(repr, missing))}; its columns are {', '.join(schema.names)}; "
            f"name the right ones in the source's `fields`, such as {{{fields.body}: {schema.names[0]}}}"
        )
    kind = schema.field(columns[fields.body]).type
    if not _is_text(kind):
        raise SourceError(
            f"{source}: column {columns[fields.body]!r} is of type {kind}; expected string or binary; "
            f"name the right one in the source's `fields`, such as {{{fields.body}: ...}}"
        )
    damage = None
    n_rows = [max(0, file.metadata.row_group(number).num_rows) for number in range(file.metadata.num_row_groups)]
    firsts = list(accumulate(n_rows, initial=0))
    names = sorted(set(columns.values()))
    for number in range(start, min(stop, len(n_rows))):
        row, end = firsts[number], firsts[number + 1]
        try:
            for batch in file.iter_batches(BATCH_ROWS, row_groups=[number], columns=names, use_threads=False):
                if row + batch.num_rows > end:
                    raise pa.ArrowInvalid(f"more than the {n_rows[number]} rows that its metadata names")
                for values in _rows(batch, columns):
                    yield fields.record(row, values)
                    row += 1
        except (pa.ArrowException, OSError) as error:
            if row < end:
                yield Record(row, outcome="failed", reason="failed.corrupt")
            counts["lost_rows"] = counts.get("lost_rows", 0) + end - row
            damage = DamagedError("corrupt", f"{source}: row group {number}: {end - row} rows cannot be read: {error}")
    if damage is not None:
        raise damage


def _open(stream: IO[bytes], source: str) -> pq.ParquetFile:
    try:
        stream.seek(0)
        file = open_parquet(stream, buffer_size=1 << 20, pre_buffer=False)
        file.schema_arrow.names  # noqa: B018  raises for names that are no text
        return file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{source}: not a Parquet file that can be read: {error}") from error


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or (pa.types.is_large_binary(kind) or pa.types.is_string_view(kind) or pa.types.is_binary_view(kind))
    )


def _values(column: pa.Array) -> list[Any]:
    try:
        return column.to_pylist()
    except UnicodeDecodeError:  # in a list or a dictionary: the values that can be had
        return [_value(value) for value in column]


def _value(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        return None


def _rows(batch: pa.RecordBatch, columns: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Rows as values under their keys. Text comes as bytes, so that a column that lies about being UTF-8 does not
    cost the batch."""
    lists = {}
    for key, name in columns.items():
        column = batch.column(name)
        if _is_text(column.type):
            column = column.cast(pa.large_binary()) if not pa.types.is_dictionary(column.type) else column
        elif not pa.types.is_nested(column.type):
            column = column.cast(pa.string())
        lists[key] = _values(column)
    for i in range(batch.num_rows):
        yield {key: values[i] for key, values in lists.items()}
