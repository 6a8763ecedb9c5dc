"""Parquet: rows of the columns that a recipe names, streamed; a split is a range of row groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from itertools import accumulate
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.documents import Record
from massivetext.errors import SourceError
from massivetext.parquet import open_wide_indices
from massivetext.readers.columns import Columns
from massivetext.readers.compression import DamagedError
from massivetext.readers.fields import DOCUMENT, Fields
from massivetext.readers.reader import Reader

__all__ = ["MAGIC", "READER", "read", "row_group_ranges", "split"]

MAGIC = b"PAR1"
BATCH_ROWS = 64


def row_group_ranges(stream: IO[bytes], source: str, target_bytes: int) -> list[tuple[int, int]]:
    """Ranges of row groups of about `target_bytes` each, decompressed. Raises SourceError if it is no Parquet file."""
    metadata = _open(stream, source).metadata
    ranges, first, size = [], 0, 0
    for number in range(metadata.num_row_groups):
        # Not the columns' own sizes: pyarrow 25 ends the process when it meets damaged metadata of a column there.
        size += max(0, metadata.row_group(number).total_byte_size)
        if size >= target_bytes:
            ranges.append((first, number + 1))
            first, size = number + 1, 0
    if first < metadata.num_row_groups or not ranges:
        ranges.append((first, metadata.num_row_groups))
    return ranges


def split(path: str, size: int, target_bytes: int) -> list[tuple[int, int]]:
    """Ranges of row groups of a file, whatever its size."""
    with storage.open_input(path) as stream:
        return row_group_ranges(stream, path, target_bytes)


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
    schema = file.schema_arrow
    columns = Columns(schema, Fields(options, defaults), source, counts)
    damage = None
    n_rows = [max(0, file.metadata.row_group(number).num_rows) for number in range(file.metadata.num_row_groups)]
    firsts = list(accumulate(n_rows, initial=0))
    names = columns.leaves(schema)
    for number in range(start, min(stop, len(n_rows))):
        row, end = firsts[number], firsts[number + 1]
        try:
            for batch in file.iter_batches(BATCH_ROWS, row_groups=[number], columns=names, use_threads=False):
                if row + batch.num_rows > end:
                    raise pa.ArrowInvalid(f"more than the {n_rows[number]} rows that its metadata names")
                for values in columns.rows(batch, schema):
                    yield columns.fields.record(row, values)
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
        file = open_wide_indices(stream, buffer_size=1 << 20, pre_buffer=False)
        file.schema_arrow.names  # noqa: B018  raises for names that are no text
        return file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{source}: not a Parquet file that can be read: {error}") from error


READER = Reader(
    name="parquet",
    read=read,
    record="a row",
    offset="its number in the file",
    splits="row groups",
    extensions=(".parquet", ".pq"),
    signature=lambda head: head.startswith(MAGIC),
    fields=DOCUMENT,
    split=split,
)
