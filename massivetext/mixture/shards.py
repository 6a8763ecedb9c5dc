"""The writing of one shard, which is a task of its own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.errors import OutputError
from massivetext.mixture.allotment import ShardRows
from massivetext.mixture.schema import MIXTURE_SCHEMA
from massivetext.parquet import ParquetOutput, open_parquet

__all__ = ["COMPRESSION_LEVEL", "ROW_GROUP_BYTES", "write_shard"]

ROW_GROUP_BYTES = 8 << 20
"""Of text in a row group, if more than one document is in it."""

COMPRESSION_LEVEL = 2
"""Of zstd. Measured on whole shards: level 1 is 15 % faster and makes 11 % more bytes, level 3 the reverse."""


def write_shard(path: str, rows: ShardRows, *, row_group_bytes: int = ROW_GROUP_BYTES) -> dict[str, object]:
    """Write one shard, of MIXTURE_SCHEMA, in the order given.

    Memory: the shard's rows, a row group of a source file, and one of its own.

    Returns rows, bytes and digest of the file, and `tokens`: by subset.

    Raises SourceError for a source that is not there, OutputError for one that is not as it was planned from.
    """
    by_source = np.lexsort((np.arange(len(rows)), rows.row_group, rows.path))
    same = (np.diff(rows.path[by_source]) == 0) & (np.diff(rows.row_group[by_source]) == 0)
    pieces = np.split(by_source, np.flatnonzero(~same) + 1) if len(rows) else []
    tables: list[pa.Table] = []
    sizes = np.zeros(len(rows), np.int64)
    tokens: dict[str, int] = {}
    for places in pieces:
        table = _read(rows, places)
        tables.append(table)
        sizes[places] = table.column("n_bytes").to_numpy()
        for row in table.group_by("subset").aggregate([("n_tokens", "sum")]).to_pylist():
            tokens[row["subset"]] = tokens.get(row["subset"], 0) + row["n_tokens_sum"]
    with ParquetOutput(path, MIXTURE_SCHEMA, compression_level=COMPRESSION_LEVEL) as output:
        first = 0
        for last in _cuts(sizes, row_group_bytes):
            held, order = [], []
            for places, table in zip(pieces, tables):
                # The rows of a source stand in the shard's order, so those of a row group are a slice.
                low, high = np.searchsorted(places, [first, last])
                if low < high:
                    held.append(table.slice(low, high - low))
                    order.append(places[low:high])
            group = pa.concat_tables(held).take(pa.array(np.argsort(np.concatenate(order))))
            epoch = pa.nulls(last - first) if rows.epoch is None else pa.array(rows.epoch[first:last])
            output.write_row_group(group.append_column("epoch", epoch.cast(pa.int32())).cast(MIXTURE_SCHEMA))
            first = last
    return {**output.summary, "tokens": dict(sorted(tokens.items()))}


def _read(rows: ShardRows, places: np.ndarray) -> pa.Table:
    """The rows at these places of a shard, which come from one row group, in the shard's order."""
    path, group = rows.paths[rows.path[places[0]]], int(rows.row_group[places[0]])
    with storage.open_input(path) as stream:
        try:
            table = open_parquet(stream).read_row_group(group, use_threads=False)
            return table.take(pa.array(rows.row[places])).cast(DOCUMENT_SCHEMA)
        except (pa.ArrowException, IndexError, OSError) as error:
            raise OutputError(
                f"{path}: row group {group} is not as the mixture was planned from it: {error}; run again"
            ) from error


def _cuts(sizes: np.ndarray, most: int) -> list[int]:
    """Where row groups end: each as many rows as have at most so many bytes, but at least one."""
    ends = np.cumsum(sizes)
    cuts: list[int] = []
    first = 0
    while first < len(sizes):
        before = int(ends[first - 1]) if first else 0
        first = max(first + 1, int(np.searchsorted(ends, before + most, side="right")))
        cuts.append(first)
    return cuts
