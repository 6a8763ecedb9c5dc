"""The kept documents of curated parts, joined with the ledger: what a mixture is planned from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.errors import OutputError
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
        table = file.read(columns=["id"] * (ledger is not None) + ["n_bytes", "n_tokens"])
    buckets = None
    if ledger is None:
        chosen = np.arange(table.num_rows)
        if column is not None:
            buckets = np.zeros(table.num_rows, np.int64)
    else:
        chosen, buckets = _kept(table.column("id"), curated, ledger, column)
    ends = np.cumsum(rows, dtype=np.int64)
    group = np.searchsorted(ends, chosen, side="right")
    return _Look(
        curated,
        group.astype(np.int32),
        (chosen - (ends - rows)[group]).astype(np.int32),
        table.column("n_tokens").to_numpy()[chosen].astype(np.int32),
        table.column("n_bytes").to_numpy()[chosen],
        buckets,
    )


def _kept(ids: pa.ChunkedArray, curated: str, ledger: str, column: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Rows of a curated file that its ledger has as kept, and their buckets where a column has them."""
    with storage.open_input(ledger) as stream:
        rows = read_parquet(stream, columns=["id", "outcome", *([column] if column else [])])
    at = pc.index_in(ids, value_set=rows.column("id"))
    if at.null_count:
        raise OutputError(f"{curated}: has {at.null_count} documents that {ledger} does not know")
    at = at.combine_chunks()
    chosen = np.flatnonzero(pc.equal(rows.column("outcome"), "kept").take(at).to_numpy())
    if column is None:
        return chosen, None
    return chosen, pc.fill_null(rows.column(column).take(at), 0).to_numpy()[chosen]
