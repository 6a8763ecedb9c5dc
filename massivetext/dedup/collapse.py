"""Documents that are equal, found by hash: captures of one URL, and equal sets of shingles, which stand as one.

Documents with equal sets have equal neighbours, so the best-ranked one can stand for all from here on: two hundred
thousand copies of a cookie page never reach a bucket. If it is removed later, so are its copies, in favour of the same
kept document (see results.py).

A group's own copies of one exact text are set aside before anything is exchanged, so that no text, however common, puts
more records into a partition than there are groups.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.dedup.near import random_ranks
from massivetext.dedup.runs import read_key, read_run, write_run
from massivetext.dedup.scope import Options, Part, Scope
from massivetext.errors import OutputError
from massivetext.parquet import open_parquet

__all__ = [
    "ORDER",
    "best_first",
    "captures",
    "collapse",
    "digests",
    "excluded",
    "local_copies",
    "newest",
    "read_evidence",
]

ORDER = [("document", "<u4"), ("level", "<u4"), ("policy", "<u8"), ("id", "<u8", 2)]
"""What documents are ranked by, but for the random rank, which follows from the id. `policy` smallest first."""

DIGEST = np.dtype([*ORDER, ("key", "<u8", 2), ("exact", "<u8", 2)])
COPY = np.dtype([("best", "<u4"), ("document", "<u4"), ("is_exact", "<u4"), ("best_id", "<u8", 2)])
LOCAL = np.dtype([("document", "<u4"), ("best", "<u4")])
CAPTURE = np.dtype([("document", "<u4"), ("best_id", "<u8", 2)])

BYTES_A_DOCUMENT = 4 * DIGEST.itemsize
"""Memory that collapsing takes a document of its partition: records, their sorted copy, keys and order."""


def read_evidence(part: Part, columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
    """A part's evidence in pieces of row groups, each with the number of its first document."""
    with storage.open_input(part.evidence) as stream:
        file = open_parquet(stream)
        if file.metadata.num_rows != part.rows:
            raise OutputError(f"{part.evidence}: has {file.metadata.num_rows} rows, expected {part.rows}; start again")
        start = part.start
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns, use_threads=False)
            yield start, table
            start += table.num_rows


def words(column: pa.ChunkedArray, per_row: int = 2) -> np.ndarray:
    """uint64[n, per_row] of a binary column without nulls, little-endian."""
    chunks = []
    for chunk in column.chunks:
        buffer = chunk.buffers()[-1]
        data = np.frombuffer(buffer, "<u8") if buffer is not None else np.zeros(0, "<u8")
        first = chunk.offset * per_row
        if pa.types.is_binary(chunk.type) and len(chunk):
            offsets = np.frombuffer(chunk.buffers()[1], np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
            if offsets[-1] - offsets[0] != 8 * per_row * len(chunk):
                raise OutputError("evidence: bands of another number; curate again")
            first = int(offsets[0]) // 8
        chunks.append(data[first : first + len(chunk) * per_row].reshape(-1, per_row))
    return np.concatenate(chunks) if chunks else np.zeros((0, per_row), "<u8")


POLICY_COLUMNS = {"random": [], "longest": ["length"], "newest": ["timestamp"], "first": []}


def fill_order(records: np.ndarray, part: Part, start: int, table: pa.Table, options: Options) -> None:
    """Fill the fields of ORDER for the rows of a piece of evidence."""
    records["document"] = start + np.arange(table.num_rows)
    records["level"] = 0 if part.fixed else part.level + 1
    records["id"] = words(table.column("id"))
    if options.keep == "longest":
        records["policy"] = np.uint64(1 << 63) - table.column("length").to_numpy().astype(np.uint64)
    elif options.keep == "newest":
        records["policy"] = _newest_first(table.column("timestamp"))
    elif options.keep == "first":
        records["policy"] = records["document"]
    else:
        records["policy"] = 0


def _newest_first(stamps: pa.ChunkedArray) -> np.ndarray:
    least = np.iinfo(np.int64).min
    values = stamps.fill_null(least).to_numpy()
    # Modulo 2^64: latest is 0, earliest 2^64 - 2, none 2^64 - 1.
    return np.where(values == least, ~np.uint64(0), np.uint64(np.iinfo(np.int64).max) - values.astype(np.uint64))


def best_first(records: np.ndarray, seed: int, *groups: np.ndarray) -> np.ndarray:
    """The order of records by `groups` (first one first), and within a group best-ranked first."""
    # The rank is of the id's text, which is the hexadecimal form of the 16 bytes.
    text = records["id"].astype("<u8").tobytes().hex().encode()
    ranks = random_ranks((text[i : i + 32] for i in range(0, len(text), 32)), seed)
    names = records["id"].astype("<u8").view(">u8").astype(np.uint64).reshape(-1, 2)
    by_rank = (records["document"], names[:, 1], names[:, 0], ranks[:, 1], ranks[:, 0])
    return np.lexsort((*by_rank, records["policy"], records["level"], *reversed(groups)))


def partition_of(keys: np.ndarray, partitions: int) -> np.ndarray:
    """The range of hashes that each key (uint64[n]) lies in, of equally many."""
    return ((keys >> np.uint64(32)) * np.uint64(partitions)) >> np.uint64(32)


def _repeated(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of uint64[n, k] whose key occurs more than once, sorted by key, and the number of each one's key."""
    if not len(keys):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.argsort(keys[:, 0], kind="stable")
    first = keys[order, 0]
    equal = first[1:] == first[:-1]
    chosen = order[np.r_[False, equal] | np.r_[equal, False]]
    chosen = chosen[np.lexsort(keys[chosen].T[::-1])]
    chosen_keys = keys[chosen]
    new = np.r_[True, np.any(chosen_keys[1:] != chosen_keys[:-1], axis=1)] if len(chosen_keys) else np.zeros(0, bool)
    number = np.cumsum(new) - 1
    many = np.bincount(number, minlength=1)[number] > 1 if len(chosen_keys) else new
    return chosen[many], number[many]


def captures(scope: Scope, group: int) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """(partitions, records, counts): documents with a URL, by hash of the canonical one."""
    partitions = scope.partitions(BYTES_A_DOCUMENT)
    dtype = scope.records(DIGEST)
    of_parts = [np.zeros(0, dtype)]
    for part in scope.parts[slice(*scope.groups[group])]:
        for start, table in read_evidence(part, ["id", "capture", "timestamp"]):
            rows = np.flatnonzero(~table.column("capture").is_null().to_numpy())
            records = np.zeros(table.num_rows, dtype)
            fill_order(records, part, start, table, Options(keep="newest"))
            records = records[rows]
            records["key"] = words(table.column("capture").drop_null())
            of_parts.append(records)
    records = np.concatenate(of_parts)
    return partition_of(records["key"][:, 0], partitions), records, {}


def newest(scope: Scope, partition: int, records: np.ndarray) -> dict[str, int]:
    """Of the captures of each URL, all but the newest. A preferred one, as an index's is, goes before newer ones."""
    chosen, number = _repeated(records["key"])
    records = records[chosen]
    order = best_first(records, scope.options.seed, number)
    records, number = records[order], number[order]
    first = np.searchsorted(number, number)
    gone = np.flatnonzero((first != np.arange(len(records))) & (records["level"] > 0))
    out = np.empty(len(gone), scope.records(CAPTURE))
    out["document"], out["best_id"] = records["document"][gone], records["id"][first[gone]]
    write_run(scope.path("newest", f"{partition:05d}.run"), scope.group_of(out["document"]), out)
    return {"older_captures": len(gone)}


def excluded(scope: Scope, group: int, *phases: str) -> np.ndarray:
    """bool[documents of the group]: those that the phases took out."""
    start, stop = scope.group_starts[group : group + 2]
    out = np.zeros(stop - start, bool)
    for phase, dtype in (("newest", CAPTURE), ("copies", COPY)):
        if phase in phases:
            out[read_key(scope.runs(phase), group, scope.records(dtype))["document"].astype(np.int64) - start] = True
    if "copies" in phases:
        out[local_copies(scope, group)["document"].astype(np.int64) - start] = True
    return out


def local_copies(scope: Scope, group: int) -> np.ndarray:
    """Documents of a group whose exact text a better-ranked one of the group has, each with the best-ranked one."""
    if not scope.n_documents:
        return np.zeros(0, scope.records(LOCAL))
    return read_run(scope.path("local", f"{group:05d}.run"), scope.records(LOCAL))


def _set_local_aside(scope: Scope, group: int, records: np.ndarray) -> np.ndarray:
    """The records but for the group's own copies, which are written for local_copies."""
    chosen, number = _repeated(np.concatenate([records["key"], records["exact"]], axis=1))
    order = best_first(records[chosen], scope.options.seed, number)
    chosen, number = chosen[order], number[order]
    first = np.searchsorted(number, number)
    gone = np.flatnonzero(first != np.arange(len(chosen)))
    out = np.empty(len(gone), scope.records(LOCAL))
    out["document"], out["best"] = records["document"][chosen[gone]], records["document"][chosen[first[gone]]]
    out = out[np.argsort(out["document"])]
    write_run(scope.path("local", f"{group:05d}.run"), np.zeros(len(out), np.uint64), out)
    left = np.ones(len(records), bool)
    left[chosen[gone]] = False
    return records[left]


def digests(scope: Scope, group: int) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """(partitions, records, counts): every document, by the digest of its shingles."""
    out = excluded(scope, group, "newest")
    counts = {"documents": 0, "indexed": 0, "copies": 0}
    dtype = scope.records(DIGEST)
    of_parts = [np.zeros(0, dtype)]
    columns = ["id", "exact", "shingles", *POLICY_COLUMNS[scope.options.keep]]
    for part in scope.group_parts(group):
        for start, table in read_evidence(part, columns):
            records = np.zeros(table.num_rows, dtype)
            fill_order(records, part, start, table, scope.options)
            records["key"], records["exact"] = words(table.column("shingles")), words(table.column("exact"))
            first = start - scope.group_starts[group]
            of_parts.append(records[~out[first : first + len(records)]])
            counts["indexed" if part.fixed else "documents"] += len(records)
    records = np.concatenate(of_parts)
    n = len(records)
    records = _set_local_aside(scope, group, records)
    counts["copies"] = n - len(records)
    partitions = partition_of(records["key"][:, 0], scope.partitions(BYTES_A_DOCUMENT))
    return partitions, records, counts


def collapse(scope: Scope, partition: int, records: np.ndarray) -> dict[str, int]:
    """Of each set of shingles, all documents but the best-ranked: to whom it may concern, by copy and by best."""
    chosen, number = _repeated(records["key"])
    records = records[chosen]
    order = best_first(records, scope.options.seed, number)
    records, number = records[order], number[order]
    first = np.searchsorted(number, number)
    # Documents that an index keeps are kept; of several with one set the best stands for all.
    gone = np.flatnonzero(first != np.arange(len(records)))
    out = np.empty(len(gone), scope.records(COPY))
    best = first[gone]
    out["best"], out["document"] = records["document"][best], records["document"][gone]
    out["best_id"] = records["id"][best]
    out["is_exact"] = np.all(records["exact"][gone] == records["exact"][best], axis=1)
    write_run(scope.path("copies", f"{partition:05d}.run"), scope.group_of(out["document"]), out)
    write_run(scope.path("bests", f"{partition:05d}.run"), scope.group_of(out["best"]), out)
    return {"copies": len(gone)}
