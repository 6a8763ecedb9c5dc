"""The rows of one shard, a row group at a time, and how rows of bytes are joined to the bytes of a file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.errors import SourceError
from massivetext.parquet import READ_ERRORS, DigestStream, open_parquet

__all__ = ["contents", "digested", "joined", "one_array", "row_groups", "summary", "texts_of"]


def row_groups(path: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Tables of a shard's row groups that have rows, in order. Raises SourceError for one that cannot be read."""
    group = 0
    try:
        with storage.open_input(path) as stream:
            file = open_parquet(stream)
            names = [name for name in file.schema_arrow.names if columns is None or name in columns]
            for group in range(file.metadata.num_row_groups):
                if file.metadata.row_group(group).num_rows:
                    yield file.read_row_group(group, columns=names, use_threads=False)
    except READ_ERRORS as error:
        raise SourceError(
            f"{path}: row group {group} cannot be read: {error}; `massivetext verify` names what is damaged"
        ) from error


def texts_of(table: pa.Table, column: str = "text", default: str = "") -> pa.LargeStringArray:
    """A column as one array without nulls, which become empty texts; of the default alone where there is no column."""
    if column not in table.column_names:
        return pa.array([default] * table.num_rows, pa.large_string())
    return pc.fill_null(one_array(table.column(column)).cast(pa.large_string()), "")


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """All chunks of a column as one array."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def joined(*columns: pa.Array | bytes) -> pa.LargeBinaryArray:
    """Of each row the bytes of all columns, one after the other; bytes stand in each row."""
    kind = pa.large_binary()
    cast = [pa.scalar(column, kind) if isinstance(column, bytes) else column.cast(kind) for column in columns]
    return pc.binary_join_element_wise(*cast, pa.scalar(b"", kind))


@contextlib.contextmanager
def digested(path: str) -> Iterator[DigestStream]:
    """A file that is whole or absent, with its size and digest."""
    with storage.open_output(path) as stream:
        yield DigestStream(stream)


def contents(array: pa.LargeBinaryArray) -> memoryview:
    """All bytes of an array's rows, without a copy."""
    import numpy as np

    offsets = np.frombuffer(array.buffers()[1], np.int64, len(array) + 1, array.offset * 8)
    return memoryview(array.buffers()[2] or b"")[int(offsets[0]) : int(offsets[-1])]


def summary(stream: DigestStream, rows: int) -> dict[str, Any]:
    return {"rows": rows, "bytes": stream.n_bytes, "blake2b": stream.hexdigest()}
