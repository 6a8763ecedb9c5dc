"""Documents that a run's owner has removed from it: the list that an output folder keeps, and files without them.

DIR/removed.json holds the list. Every later run on DIR reads it, so that what was removed does not come back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.documents import PROVENANCE
from massivetext.errors import OutputError
from massivetext.holes import Holes, read_holes
from massivetext.parquet import ParquetOutput, file_digest, open_parquet
from massivetext.sealed import unsealed, write_sealed
from massivetext.urls import removal_key

__all__ = [
    "COPY",
    "REQUEST",
    "Removed",
    "held_removed",
    "is_in",
    "marked",
    "read_removed",
    "refuse_unfinished",
    "rewrite",
]

FORMAT = "massivetext-removed-1"

REQUEST, COPY = "removed.request", "removed.copy"
"""Reasons in the ledger: named by id or address; removed earlier in favour of a document that was named."""

_PIECE = r"#\d+$"
_STATED = (*PROVENANCE.names, "outcome", "reason", "reasons")


@dataclass(frozen=True)
class Removed:
    """ids: named, or found by their address; urls: named, also for documents that come later; copies: ids of documents
    that had been removed as duplicates of those. unfinished: files below DIR that still have to be written anew.
    texts: the digest of DIR/removed.parquet, where there is one."""

    ids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @cached_property
    def all_ids(self) -> pa.Array:
        return pa.array(sorted({*self.ids, *self.copies}), pa.string())

    @cached_property
    def _by_id(self) -> dict[str, str]:
        return {**dict.fromkeys(self.copies, COPY), **dict.fromkeys(self.ids, REQUEST)}

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(map(removal_key, self.urls))

    def __bool__(self) -> bool:
        return bool(self.ids or self.urls or self.copies)

    def reason(self, document: str, url: str | None) -> str | None:
        """Why a document is not to be taken, or None if it is."""
        return REQUEST if self.names(url) else self._by_id.get(document)

    def names(self, url: str | None) -> bool:
        """Whether an address is named, or one of the same page (`massivetext.urls.removal_key`)."""
        return url is not None and bool(self._keys) and removal_key(url) in self._keys

    def rows(self, table: pa.Table | pa.RecordBatch) -> np.ndarray:
        """bool[n]: the rows of documents, or pieces of documents, that are named. Needs `id`, as text or 16 bytes."""
        ids = table.column("id")
        if not pa.types.is_string(ids.type):
            packed = pa.array([bytes.fromhex(name) for name in self.all_ids.to_pylist()], ids.type)
            return is_in(ids, packed)
        named = pc.is_in(pc.replace_substring_regex(ids, _PIECE, ""), value_set=self.all_ids)
        if self.urls and "url" in table.schema.names:
            is_named = pa.array([self.names(url) for url in table.column("url").to_pylist()], pa.bool_())
            named = pc.or_(named, is_named)
        return _as_mask(named)

    def merged(self, ids: Iterable[str], urls: Iterable[str], copies: Iterable[str]) -> Removed:
        named = {*self.ids, *ids}
        return replace(
            self,
            ids=tuple(sorted(named)),
            urls=tuple(sorted({*self.urls, *urls})),
            copies=tuple(sorted({*self.copies, *copies} - named)),
        )

    def write(self, root: str) -> None:
        write_sealed(storage.join(root, "removed.json"), {"format": FORMAT, **asdict(self)})


def read_removed(root: str) -> Removed:
    """The list of an output folder; an empty one where there is none. Raises OutputError for one that is damaged."""
    path = storage.join(root, "removed.json")
    if not storage.exists(path):
        return Removed()
    try:
        data = unsealed(storage.read_bytes(path))
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}")
        return Removed(
            **{name: tuple(data[name]) for name in ("ids", "urls", "copies", "unfinished")},
            texts=tuple(data.get("texts", ())),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{path}: is damaged, so it cannot be told which documents are to stay away: {error}; put back a copy of "
            "it, or give the ids and addresses to `massivetext remove` again after removing that file"
        ) from error


def refuse_unfinished(root: str) -> None:
    """Raise OutputError if a removal of documents from DIR was begun and not finished."""
    unfinished = read_removed(root).unfinished
    if unfinished:
        raise OutputError(
            f"{root}: a removal was begun and not finished ({len(unfinished):,} files); "
            f"give `massivetext remove {root}` first"
        )


def held_removed(root: str) -> Removed:
    """As `read_removed`, read once a process for as long as the file is not written anew."""
    return _held(root, storage.modified(storage.join(root, "removed.json")))


@lru_cache(maxsize=1)
def _held(root: str, modified: int) -> Removed:
    return read_removed(root)


def marked(table: pa.Table, removed: Removed) -> pa.Table:
    """Ledger rows with the outcome `rejected` and a reason `removed.*` for what is named, and nothing else known of it
    but where it came from."""
    mask = removed.rows(table)
    if not mask.any():
        return table
    reasons = [
        removed.reason(name, url) or REQUEST
        for name, url in zip(*(table.column(column).filter(pa.array(mask)).to_pylist() for column in ("id", "url")))
    ]
    full = np.full(table.num_rows, None, object)
    full[mask] = reasons
    given: dict[str, list[Any]] = {
        "outcome": ["rejected" if hit else None for hit in mask],
        "reason": full.tolist(),
        "reasons": [None if reason is None else [reason] for reason in full],
    }
    columns = []
    for at, field_ in enumerate(table.schema):
        column = table.column(at).combine_chunks()
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if field_.name in given:
            new = pa.array(given[field_.name], field_.type)
            column = _chosen(mask, new, column)
        elif field_.name not in _STATED:
            column = _chosen(mask, pa.nulls(table.num_rows, field_.type), column)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=table.schema)


def rewrite(path: str, removed: Removed, *, is_ledger: bool = False, rows: np.ndarray | None = None) -> dict[str, Any]:
    """Write a file anew without the documents that are named; of a ledger their rows stay, and say so. Row groups stay
    apart, and one of them is in memory at a time. The new file tells where rows stood (`massivetext.holes`), so that
    loaders resume.

    Args:
        path: The file.
        removed: The list of the output folder.
        is_ledger: Whether the file is a ledger.
        rows: Numbers of documents that go, for evidence that has `row` in place of `id`.

    Returns:
        Rows, bytes and digest of the new file, and of documents `tokens`, by subset.
    """
    tokens: dict[str, int] = {}
    with storage.open_input(path) as stream:
        file = open_parquet(stream)
        schema = file.schema_arrow
        if rows is None:
            holes = _holes(path, file, removed, is_ledger=is_ledger)
            if not is_ledger and not _is_named(file, removed):
                return _as_it_is(path, file)  # the file stays, and so does its digest
            schema = schema if holes is None else schema.with_metadata(holes.metadata(schema.metadata))
        with ParquetOutput(path, schema) as output:
            for group in range(file.metadata.num_row_groups):
                table = file.read_row_group(group)
                if is_ledger:
                    table = marked(table, removed)
                elif rows is not None:
                    table = table.filter(pa.array(~np.isin(table.column("row").to_numpy(), rows)))
                else:
                    table = table.filter(pa.array(~removed.rows(table)))
                if table.num_rows:
                    output.write_row_group(table.cast(schema))
                if "n_tokens" in schema.names and not is_ledger:
                    sums = table.group_by("subset").aggregate([("n_tokens", "sum")]).to_pylist()
                    for row in sums:
                        tokens[row["subset"]] = tokens.get(row["subset"], 0) + (row["n_tokens_sum"] or 0)
    return {**output.summary, "tokens": dict(sorted(tokens.items()))}


def _is_named(file: pq.ParquetFile, removed: Removed) -> bool:
    """Whether a file has a row of a document that is named."""
    columns = [name for name in ("id", "url") if name in file.schema_arrow.names]
    groups = range(file.metadata.num_row_groups)
    return any(bool(removed.rows(file.read_row_group(group, columns=columns)).any()) for group in groups)


def _as_it_is(path: str, file: pq.ParquetFile) -> dict[str, Any]:
    """The summary of a file that is not written anew, as `rewrite` returns it."""
    tokens: dict[str, int] = {}
    if "n_tokens" in file.schema_arrow.names:
        for group in range(file.metadata.num_row_groups):
            table = file.read_row_group(group, columns=["subset", "n_tokens"])
            for row in table.group_by("subset").aggregate([("n_tokens", "sum")]).to_pylist():
                tokens[row["subset"]] = tokens.get(row["subset"], 0) + (row["n_tokens_sum"] or 0)
    summary = {"rows": file.metadata.num_rows, "bytes": storage.size(path), "blake2b": file_digest(path)}
    return {**summary, "tokens": dict(sorted(tokens.items()))}


def _holes(path: str, file: pq.ParquetFile, removed: Removed, *, is_ledger: bool) -> Holes | None:
    """What the new file has to tell of the rows that go, now and before; None for evidence, which no loader reads."""
    names = file.schema_arrow.names
    if not pa.types.is_string(file.schema_arrow.field("id").type):
        return None
    columns = [name for name in ("id", "url", "subset", "outcome") if name in names]
    known = read_holes(file.schema_arrow.metadata)
    counts = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
    first = known.rows if known is not None else tuple(counts)
    number = {now: then for then, now in enumerate(known.groups())} if known is not None else None
    taken: list[tuple[int, int, str, str]] = []
    kept: list[str] = []
    for group in range(len(counts)):
        table = file.read_row_group(group, columns=columns)
        gone = table.filter(pa.array(removed.rows(table)))
        if not gone.num_rows:
            continue
        if is_ledger:
            kept += gone.filter(pc.equal(gone.column("outcome"), "kept")).column("id").to_pylist()
            continue
        then = group if number is None else number[group]
        rows = np.arange(first[then]) if known is None else np.flatnonzero(known.places(then) >= 0)
        of = rows[removed.rows(table)].tolist()
        subsets = gone.column("subset").to_pylist() if "subset" in names else [""] * gone.num_rows
        taken += [(then, row, name, subset) for row, name, subset in zip(of, gone.column("id").to_pylist(), subsets)]
    # Also where no row goes: bytes written anew may differ, and readers know a file by its first ones.
    return (known or Holes(file_digest(path), first)).more(taken, kept)


def _chosen(mask: np.ndarray, new: pa.Array, old: pa.Array) -> pa.Array:
    """`new` where the mask says so, by position, for types that if_else does not know."""
    at = np.arange(len(mask)) + np.where(mask, 0, len(mask))
    return pa.concat_arrays([new, old.cast(new.type)]).take(pa.array(at))


def is_in(column: Any, values: pa.Array) -> np.ndarray:
    """bool[n]: whether each value is one of `values`."""
    return _as_mask(pc.is_in(column, value_set=values))


def _as_mask(found: Any) -> np.ndarray:
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), bool)
