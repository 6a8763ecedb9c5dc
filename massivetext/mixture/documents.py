"""The kept documents of curated parts, joined with the ledger: what a mixture is planned from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.errors import OutputError
from massivetext.ordered_rows import OrderedRows, batches
from massivetext.parquet import open_parquet, read_parquet

__all__ = ["Documents", "kept_by_bucket", "kept_documents"]


@dataclass(frozen=True)
class Documents:
    """Kept documents of one subset, in the order of parts and rows: 12 bytes of memory a document.

    paths: the curated files; part, row_group: int32, of each row group that holds some: index into paths, number in
    the file; unit: int32, of each document its row group, indexing those, rising; row: int32, its row there; tokens:
    int32; n_bytes: of all texts together.
    """

    paths: tuple[str, ...]
    part: np.ndarray
    row_group: np.ndarray
    unit: np.ndarray
    row: np.ndarray
    tokens: np.ndarray
    n_bytes: int

    def __len__(self) -> int:
        return len(self.unit)

    @property
    def n_tokens(self) -> int:
        return int(self.tokens.sum(dtype=np.int64))


def kept_documents(parts: Sequence[tuple[str, str | None]]) -> Documents:
    """parts: (file of documents, ledger file), in order. A curated document is kept iff its ledger row's outcome is;
    of a file without ledger (pieces of documents) all are.

    Raises OutputError for a curated document that the ledger does not know.
    """
    return _gathered(parts, None, 1)[0]


def kept_by_bucket(parts: Sequence[tuple[str, str | None]], column: str, n: int) -> list[Documents]:
    """Return the kept documents of each bucket, from 0 to n - 1.

    Args:
        parts: As `kept_documents` takes them. Pieces of documents have no score, and are of bucket 0.
        column: Of the ledger: the bucket of each document; null for 0.
        n: Number of buckets.

    Raises:
        OutputError: A curated document that the ledger does not know, or a bucket that there is not.
    """
    return _gathered(parts, column, n)


def _gathered(parts: Sequence[tuple[str, str | None]], column: str | None, n: int) -> list[Documents]:
    """The kept documents of n buckets, in one reading of the files."""
    units: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    columns: list[dict[str, list[np.ndarray]]] = [{name: [] for name in ("unit", "row", "tokens")} for _ in range(n)]
    n_bytes = [0] * n
    for number, look in enumerate(_looks(parts, column)):
        for bucket in range(n):
            group, row, tokens, own_bytes = look.of(bucket, n)
            groups, unit = np.unique(group, return_inverse=True)
            columns[bucket]["unit"].append((unit + len(units[bucket])).astype(np.int32))
            columns[bucket]["row"].append(row)
            columns[bucket]["tokens"].append(tokens)
            n_bytes[bucket] += own_bytes
            units[bucket] += [(number, int(one)) for one in groups]
    paths = tuple(path for path, _ in parts)
    documents = []
    for bucket in range(n):
        joined = {name: np.concatenate([*own, np.zeros(0, np.int32)]) for name, own in columns[bucket].items()}
        place = np.array(units[bucket], np.int32).reshape(-1, 2)
        documents.append(Documents(paths, place[:, 0], place[:, 1], **joined, n_bytes=n_bytes[bucket]))
    return documents


@dataclass(frozen=True)
class _Look:
    """The kept documents of one file: group, row, tokens: int32[n]; n_bytes: int64[n]; bucket: int64[n] or None, where
    all are of one."""

    path: str
    group: np.ndarray
    row: np.ndarray
    tokens: np.ndarray
    n_bytes: np.ndarray
    bucket: np.ndarray | None

    def of(self, bucket: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """Return row group, row and tokens of the documents of one bucket of n, and the bytes of them all."""
        if self.bucket is None:
            return self.group, self.row, self.tokens, int(self.n_bytes.sum())
        if len(self.bucket) and self.bucket.max() >= n:
            raise OutputError(f"{self.path}: has a document of bucket {self.bucket.max()}, of {n} from 0 on")
        rows = self.bucket == bucket
        return self.group[rows], self.row[rows], self.tokens[rows], int(self.n_bytes[rows].sum())


AT_ONCE = 256
"""Parts that are read ahead from an object store, before their columns are joined to those of `Documents`."""


def _looks(parts: Sequence[tuple[str, str | None]], column: str | None) -> Iterator[_Look]:
    """The kept documents of each file, in order; on a store many are read at once."""
    remote = bool(parts) and storage.is_remote(parts[0][0])
    for start in range(0, len(parts), AT_ONCE):
        yield from storage.each(lambda part: _kept_of(*part, column), parts[start : start + AT_ONCE], remote=remote)


def _kept_of(curated: str, ledger: str | None, column: str | None) -> _Look:
    """The kept documents of a file."""
    with storage.open_input(curated) as stream:
        file = open_parquet(stream)
        rows = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        columns = ["id"] * (ledger is not None) + ["n_bytes", "n_tokens"]
        chosen = _every(file, columns, column) if ledger is None else _in_order(file, columns, ledger, column)
    if chosen is None:
        chosen = _by_id(curated, columns, str(ledger), column)
    ends = np.cumsum(rows, dtype=np.int64)
    group = np.searchsorted(ends, chosen.row, side="right")
    within = (chosen.row - (ends - rows)[group]).astype(np.int32)
    return _Look(curated, group.astype(np.int32), within, chosen.tokens, chosen.n_bytes, chosen.bucket)


class _Chosen(NamedTuple):
    """Kept documents of a file. row: int64, in the file; tokens: int32; n_bytes: int64; bucket: int64, or None."""

    row: np.ndarray
    tokens: np.ndarray
    n_bytes: np.ndarray
    bucket: np.ndarray | None


def _chosen(first: int, table: pa.Table, is_kept: np.ndarray, bucket: np.ndarray | None) -> _Chosen:
    """The kept ones of some rows, of which the first has this number in its file."""
    return _Chosen(
        first + np.flatnonzero(is_kept),
        table.column("n_tokens").to_numpy()[is_kept].astype(np.int32),
        table.column("n_bytes").to_numpy()[is_kept].astype(np.int64),
        None if bucket is None else bucket[is_kept],
    )


def _every(file: pq.ParquetFile, columns: Sequence[str], column: str | None) -> _Chosen:
    """All documents of a file, of bucket 0."""
    pieces: list[_Chosen] = []
    first = 0
    for batch in batches(file, columns):
        n = batch.num_rows
        bucket = np.zeros(n, np.int64) if column else None
        pieces.append(_chosen(first, pa.Table.from_batches([batch]), np.ones(n, bool), bucket))
        first += n
    return _joined(pieces, column)


def _in_order(file: pq.ParquetFile, columns: Sequence[str], ledger: str, column: str | None) -> _Chosen | None:
    """The kept documents of a file, read a batch at a time beside its ledger; None if their orders differ."""
    pieces: list[_Chosen] = []
    documents = OrderedRows(file, columns)
    with storage.open_input(ledger) as stream:
        for batch in batches(open_parquet(stream), ["id", "outcome", *([column] if column else [])]):
            first = documents.n_taken
            rows, places = documents.take(batch.column("id"))
            if rows:
                is_kept = pc.equal(batch.column("outcome"), "kept").to_numpy(zero_copy_only=False)[places]
                bucket = _buckets(batch.column(column))[places] if column else None
                pieces.append(_chosen(first, pa.Table.from_batches(rows), is_kept, bucket))
    return _joined(pieces, column) if documents.is_done() else None


def _joined(pieces: Sequence[_Chosen], column: str | None) -> _Chosen:
    """One after the other."""
    none = np.zeros(0, np.int64)
    pieces = [_Chosen(none, none.astype(np.int32), none, none if column else None), *pieces]
    row, tokens, n_bytes, bucket = zip(*pieces)
    return _Chosen(
        np.concatenate(row), np.concatenate(tokens), np.concatenate(n_bytes), np.concatenate(bucket) if column else None
    )


def _by_id(curated: str, columns: Sequence[str], ledger: str, column: str | None) -> _Chosen:
    """The kept documents of a file that is not in its ledger's order, by the ids of all of both."""
    with storage.open_input(curated) as stream:
        table = read_parquet(stream, columns=list(columns))
    with storage.open_input(ledger) as stream:
        rows = read_parquet(stream, columns=["id", "outcome", *([column] if column else [])])
    at = pc.index_in(table.column("id"), value_set=rows.column("id"))
    if at.null_count:
        raise OutputError(f"{curated}: has {at.null_count} documents that {ledger} does not know")
    at = at.combine_chunks()
    is_kept = pc.equal(rows.column("outcome"), "kept").take(at).to_numpy()
    return _chosen(0, table, is_kept, _buckets(rows.column(column).take(at)) if column else None)


def _buckets(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """The bucket of each document: 0 for one that has none."""
    return np.asarray(pc.fill_null(values, 0)).astype(np.int64)
