"""Kept documents by row groups: what a mixture is planned from without a list of all documents in one place.

A task goes through some parts and leaves two files: `NAME.npz` with a row of each row group that has kept documents,
and `NAME.rows` with the place and the tokens of each document (two int32), row group by row group. The plan reads the
first kind; the second is read one row group at a time, by who needs its documents.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from massivetext import storage
from massivetext.errors import OutputError
from massivetext.mixture.documents import Documents

__all__ = ["COLUMNS", "RowsFiles", "Units", "forget_rows", "read_units", "units_in_memory", "write_units"]

COLUMNS = {
    "bucket": np.int32,
    "part": np.int32,
    "row_group": np.int32,
    "documents": np.int32,
    "tokens": np.int64,
    "n_bytes": np.int64,
    "least": np.int32,
    "start": np.int64,
}
"""Of the rows of a `.npz`. part: number among the files of the task; n_bytes: of the texts of the task's bucket, in the
bucket's first row; least: fewest tokens of a document that has any, 0 if none has; start: documents before the row
group's in `.rows`."""

Read = Callable[[int], "tuple[np.ndarray, np.ndarray]"]


@dataclass(frozen=True, eq=False)
class Units:
    """Row groups with kept documents of one subset, or of one of its buckets, in the order of parts.

    Attributes:
        paths: the files of documents.
        part: int32 of each row group: index into paths.
        row_group: int32, its number in the file.
        documents: int32, how many of its documents are kept.
        tokens: int64, theirs.
        n_bytes: of all texts together.
        least: fewest tokens of a document that has any; 0 if none has.
        read: from the index of a row group to the rows and tokens (int32) of its kept documents.
    """

    paths: tuple[str, ...]
    part: np.ndarray
    row_group: np.ndarray
    documents: np.ndarray
    tokens: np.ndarray
    n_bytes: int
    least: int
    read: Read

    def __len__(self) -> int:
        return int(self.documents.sum(dtype=np.int64))

    @property
    def n_tokens(self) -> int:
        return int(self.tokens.sum(dtype=np.int64))


def units_in_memory(documents: Documents) -> Units:
    """Return documents that are in memory as units."""
    n = len(documents.part)
    bounds = np.searchsorted(documents.unit, np.arange(n + 1))

    def read(unit: int) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(bounds[unit], bounds[unit + 1])
        return documents.row[rows], documents.tokens[rows]

    positive = documents.tokens[documents.tokens > 0]
    return Units(
        documents.paths,
        documents.part,
        documents.row_group,
        np.diff(bounds).astype(np.int32),
        np.bincount(documents.unit, documents.tokens, n).astype(np.int64),
        documents.n_bytes,
        int(positive.min()) if len(positive) else 0,
        read,
    )


def write_units(path: str, buckets: Sequence[Documents]) -> dict[str, dict[str, Any]]:
    """Write the documents of some parts, a sequence for each bucket, as `<path>.npz` and `<path>.rows`.

    Returns:
        Bytes and digest of both files, by their endings.
    """
    columns: dict[str, list[np.ndarray]] = {name: [] for name in COLUMNS}
    rows: list[np.ndarray] = []
    start = 0
    for bucket, documents in enumerate(buckets):
        units = units_in_memory(documents)
        n = len(units.documents)
        least = np.full(n, np.iinfo(np.int32).max, np.int32)
        positive = documents.tokens > 0
        np.minimum.at(least, documents.unit[positive], documents.tokens[positive])
        n_bytes = np.zeros(n, np.int64)
        n_bytes[:1] = documents.n_bytes
        values = {
            "bucket": np.full(n, bucket),
            "part": documents.part,
            "row_group": documents.row_group,
            "documents": units.documents,
            "tokens": units.tokens,
            "n_bytes": n_bytes,
            "least": np.where(least == np.iinfo(np.int32).max, 0, least),
            "start": start + np.cumsum(units.documents, dtype=np.int64) - units.documents,
        }
        for name, kind in COLUMNS.items():
            columns[name].append(values[name].astype(kind))
        rows.append(np.stack([documents.row, documents.tokens], axis=1).astype("<i4"))
        start += len(documents)
    stream = io.BytesIO()
    np.savez(stream, **{name: np.concatenate(own) for name, own in columns.items()})  # type: ignore[arg-type]
    contents = {"npz": stream.getvalue(), "rows": np.concatenate(rows).tobytes()}
    forget_rows()
    for ending, content in contents.items():
        storage.write_bytes(f"{path}.{ending}", content)
    return {ending: _summary(content) for ending, content in contents.items()}


def _summary(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "blake2b": hashlib.blake2b(content, digest_size=32).hexdigest()}


def read_units(tasks: Sequence[tuple[str, Sequence[str]]], n_buckets: int) -> list[Units]:
    """Return the units of each bucket.

    Args:
        tasks: of each task the path that `write_units` was given, and the files of documents of its parts.
        n_buckets: from 0 on.
    """
    remote = bool(tasks) and storage.is_remote(tasks[0][0])
    tables = storage.each(lambda task: _table(f"{task[0]}.npz"), tasks, remote=remote)
    paths: list[str] = []
    for table, (_, own) in zip(tables, tasks):
        table["part"] += len(paths)
        paths += own
    number = np.repeat(np.arange(len(tables)), [len(table["part"]) for table in tables])
    joined = {
        name: np.concatenate([*(table[name] for table in tables), np.zeros(0, kind)]) for name, kind in COLUMNS.items()
    }
    names = [path for path, _ in tasks]
    return [_of_bucket(joined, joined["bucket"] == bucket, paths, names, number) for bucket in range(n_buckets)]


def _table(path: str) -> dict[str, np.ndarray]:
    try:
        with storage.open_input(path) as stream, np.load(stream, allow_pickle=False) as data:
            return {name: data[name] for name in COLUMNS}
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise OutputError(f"{path}: is damaged: {error}; remove it and run again") from error


def _of_bucket(
    table: dict[str, np.ndarray], rows: np.ndarray, paths: Sequence[str], names: Sequence[str], task: np.ndarray
) -> Units:
    own = {name: column[rows] for name, column in table.items()}
    positive = own["least"][own["least"] > 0]
    return Units(
        tuple(paths),
        own["part"],
        own["row_group"],
        own["documents"],
        own["tokens"],
        int(own["n_bytes"].sum()),
        int(positive.min()) if len(positive) else 0,
        RowsFiles(tuple(names), task[rows].astype(np.int32), own["start"], own["documents"]),
    )


@dataclass(frozen=True, eq=False)
class RowsFiles:
    """Reads the rows and tokens of a row group's kept documents from `<names[file]>.rows`.

    file: int32 of each row group. start: int64, documents before its own in the file. documents: int32, its own.
    """

    names: tuple[str, ...]
    file: np.ndarray
    start: np.ndarray
    documents: np.ndarray

    def __call__(self, unit: int) -> tuple[np.ndarray, np.ndarray]:
        path, n = f"{self.names[self.file[unit]]}.rows", int(self.documents[unit])
        table = _rows_of(path, int(self.start[unit]), n)
        return table[:, 0], table[:, 1]


@lru_cache(maxsize=64)
def _rows_of(path: str, start: int, n: int) -> np.ndarray:
    with storage.open_input(path) as stream:
        stream.seek(8 * start)
        content = stream.read(8 * n)
    if len(content) != 8 * n:
        raise OutputError(f"{path}: is shorter than it was; run again")
    return np.frombuffer(content, "<i4").reshape(-1, 2)


def forget_rows() -> None:
    """Let go of rows that this process has read: their files are about to be written anew."""
    _rows_of.cache_clear()
