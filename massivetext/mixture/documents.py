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

__all__ = ["Documents", "kept_documents"]


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
    units: list[tuple[int, int]] = []
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("unit", "row", "tokens")}
    n_bytes = 0
    for number, (group, row, tokens, own_bytes) in enumerate(_documents_of(parts)):
        groups, unit = np.unique(group, return_inverse=True)
        columns["unit"].append((unit + len(units)).astype(np.int32))
        columns["row"].append(row)
        columns["tokens"].append(tokens)
        n_bytes += own_bytes
        units += [(number, int(one)) for one in groups]
    found = {name: np.concatenate([*values, np.zeros(0, np.int32)]) for name, values in columns.items()}
    place = np.array(units, np.int32).reshape(-1, 2)
    return Documents(tuple(path for path, _ in parts), place[:, 0], place[:, 1], **found, n_bytes=n_bytes)


AT_ONCE = 256
"""Parts that are read ahead from an object store, before their columns are joined to those of `Documents`."""


def _documents_of(parts: Sequence[tuple[str, str | None]]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    """Yield the result of `_kept_of` for each part, in order. From an object store many are read at once."""
    remote = bool(parts) and storage.is_remote(parts[0][0])
    for start in range(0, len(parts), AT_ONCE):
        yield from storage.each(lambda part: _kept_of(*part), parts[start : start + AT_ONCE], remote=remote)


def _kept_of(curated: str, ledger: str | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return row group, row in it and tokens of each kept document of a file (int32), and the bytes of all texts."""
    with storage.open_input(curated) as stream:
        file = open_parquet(stream)
        rows = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        table = file.read(columns=["id"] * (ledger is not None) + ["n_bytes", "n_tokens"])
    chosen = np.arange(table.num_rows) if ledger is None else _kept(table.column("id"), curated, ledger)
    ends = np.cumsum(rows, dtype=np.int64)
    group = np.searchsorted(ends, chosen, side="right")
    return (
        group.astype(np.int32),
        (chosen - (ends - rows)[group]).astype(np.int32),
        table.column("n_tokens").to_numpy()[chosen].astype(np.int32),
        int(table.column("n_bytes").to_numpy()[chosen].sum()),
    )


def _kept(ids: pa.ChunkedArray, curated: str, ledger: str) -> np.ndarray:
    """Rows of a curated file that its ledger has as kept."""
    with storage.open_input(ledger) as stream:
        rows = read_parquet(stream, columns=["id", "outcome"])
    at = pc.index_in(ids, value_set=rows.column("id"))
    if at.null_count:
        raise OutputError(f"{curated}: has {at.null_count} documents that {ledger} does not know")
    return np.flatnonzero(pc.equal(rows.column("outcome"), "kept").take(at.combine_chunks()).to_numpy())
