"""What is kept of texts that were removed: digests and hashes of shingles, by which copies of them are refused.

DIR/removed.parquet has no text. A later document is a copy of one that was removed if its text is equal up to white
space (spec section 6), or if the two share so many shingles that they are near-duplicates, J > 0.8.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.dedup.digests import exact_digests
from massivetext.dedup.shingles import shingles
from massivetext.parquet import ParquetOutput, file_digest, open_parquet, read_parquet

__all__ = ["FILE", "SCHEMA", "RemovedTexts", "note_texts", "read_removed_texts"]

FILE = "removed.parquet"
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("exact", pa.binary(16), nullable=False),
        pa.field("shingles", pa.list_(pa.uint64()), nullable=False),
    ],
    metadata={"massivetext.schema": "removed-1"},
)


@dataclass(frozen=True, eq=False)
class RemovedTexts:
    """Digests and distinct shingle hashes of removed texts, one row each, as SCHEMA has them."""

    table: pa.Table

    @cached_property
    def _exact(self) -> pa.Array:
        return self.table.column("exact").combine_chunks()

    @cached_property
    def _hashes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(all hashes, ascending; the row that each is of; number of hashes of each row)."""
        lists = self.table.column("shingles").combine_chunks()
        values = lists.flatten().to_numpy(zero_copy_only=False)
        sizes = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
        rows = np.repeat(np.arange(len(sizes)), sizes)
        order = np.argsort(values, kind="stable")
        return values[order], rows[order], sizes

    def copies(self, texts: Any) -> np.ndarray:
        """Return bool[n]: which texts are copies of one that was removed. A null is none."""
        is_copy = pc.is_in(_digests(texts), value_set=self._exact).to_numpy(zero_copy_only=False).copy()
        has_text = pc.and_(pc.is_valid(texts), pc.greater(pc.binary_length(texts), 0))
        is_text = np.asarray(pc.fill_null(has_text, False).to_numpy(zero_copy_only=False), bool)
        is_copy &= is_text
        hashes, rows, sizes = self._hashes
        lists = shingles(texts)
        values, bounds = lists.flatten().to_numpy(zero_copy_only=False), lists.offsets.to_numpy()
        first, last = np.searchsorted(hashes, values), np.searchsorted(hashes, values, side="right")
        counts = np.concatenate([[0], np.cumsum(last > first)])
        for i in np.flatnonzero(is_text & ~is_copy & (counts[bounds[1:]] > counts[bounds[:-1]])).tolist():
            own = slice(bounds[i], bounds[i + 1])
            places = [np.arange(a, b) for a, b in zip(first[own].tolist(), last[own].tolist()) if b > a]
            shared = np.bincount(rows[np.concatenate(places)], minlength=len(sizes))
            is_copy[i] = bool((9 * shared > 4 * (sizes + bounds[i + 1] - bounds[i])).any())
        return is_copy


def read_removed_texts(roots: Iterable[str]) -> RemovedTexts | None:
    """Return what some output folders keep of texts that were removed from them; None where none keeps any."""
    paths = [storage.join(root, FILE) for root in roots]
    tables = [_read(path, storage.stamp(path)) for path in paths if storage.exists(path)]
    rows = pa.concat_tables([SCHEMA.empty_table(), *tables])
    return RemovedTexts(rows) if rows.num_rows else None


@lru_cache(maxsize=8)
def _read(path: str, stamp: int) -> pa.Table:
    with storage.open_input(path) as stream:
        return read_parquet(stream).cast(SCHEMA)


def note_texts(root: str, files: Sequence[str], ids: Collection[str]) -> str | None:
    """Add digests and shingles of documents to DIR/removed.parquet, and return the digest of that file, also where they
    are in it already: a removal may have been cut short before its list stated the digest.

    Args:
        root: DIR.
        files: Paths below it of Parquet files with the columns `id` and `text`.
        ids: Of the documents; a piece counts as its document.

    Returns:
        The digest; None where no document is named, or there is no such file, because no text of them was there.
    """
    if not ids:
        return None
    path = storage.join(root, FILE)
    tables = []
    if storage.exists(path):
        with storage.open_input(path) as stream:
            tables.append(read_parquet(stream).cast(SCHEMA))
    wanted = pa.array(sorted(ids), pa.string())
    n_before = sum(len(table) for table in tables)
    for name in files:
        with storage.open_input(storage.join(root, name)) as stream:
            file = open_parquet(stream)
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, columns=["id", "text"])
                names = pc.replace_substring_regex(rows.column("id"), r"#\d+$", "")
                rows = rows.set_column(0, "id", names).filter(pc.is_in(names, value_set=wanted))
                if rows.num_rows:
                    texts = rows.column("text").combine_chunks()
                    columns = [rows.column("id"), _digests(texts), shingles(texts)]
                    tables.append(pa.table(columns, names=SCHEMA.names).cast(SCHEMA))
    merged = _distinct(pa.concat_tables([SCHEMA.empty_table(), *tables]))
    if merged.num_rows == n_before:
        return file_digest(path) if tables else None
    with ParquetOutput(path, SCHEMA) as output:
        output.write(merged)
    return str(output.summary["blake2b"])


def _distinct(table: pa.Table) -> pa.Table:
    """One row for each id and text, in the order of ids: the same whatever the files were read in."""
    keys = list(zip(table.column("id").to_pylist(), table.column("exact").to_pylist()))
    first = {key: row for row, key in reversed(list(enumerate(keys)))}
    return table.take(pa.array([first[key] for key in sorted(first)], pa.int64()))


def _digests(texts: Any) -> pa.Array:
    digests, _ = exact_digests(texts)
    data = np.ascontiguousarray(digests).astype("<u8", copy=False)
    return pa.Array.from_buffers(pa.binary(16), len(data), [None, pa.py_buffer(data)])
