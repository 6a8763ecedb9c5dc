"""Candidates: documents that share a band, as components.

Bands go by hash range, each once a group; each bucket gives a star of edges, which only says who must be decided
together. A union-find of 4 bytes a document (8 from 2^32 documents on) joins the stars. packing.py puts components into
batches.
"""

from __future__ import annotations

import numpy as np

from massivetext import storage
from massivetext.dedup.collapse import (
    ORDER,
    POLICY_COLUMNS,
    excluded,
    fill_order,
    partition_of,
    read_evidence,
    words,
)
from massivetext.dedup.grouping import alone, connect, find_roots, star_edges, stars
from massivetext.dedup.runs import read_run, run_keys, write_run
from massivetext.dedup.scope import Scope

__all__ = ["BAND", "BYTES_A_MEMBER", "MEMBER", "bands", "components", "edges", "roots"]

BAND = np.dtype([("key", "<u8"), ("document", "<u4")])
EDGE = np.dtype(("<u4", 2))
MEMBER = np.dtype([*ORDER, ("root", "<u4"), ("n_shingles", "<u4")])

BYTES_A_MEMBER = 4 * MEMBER.itemsize
"""Memory that packing takes a candidate of its partition."""

CHUNK = 1 << 20


def band_bytes(scope: Scope) -> int:
    """Memory that a document's bands take in their partition: records, keys, and a table half empty."""
    return 64 * scope.options.banding.bands


def bands(scope: Scope, group: int) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """(partitions, records, counts): the bands of the documents that stand for themselves, each once; who shares one
    within the group is known here already."""
    out = excluded(scope, group, "newest", "copies")
    n_bands = scope.options.banding.bands
    dtype = scope.records(BAND)
    of_parts = [np.zeros(0, dtype)]
    distinct = 0
    for part in scope.group_parts(group):
        for start, table in read_evidence(part, ["bands", "n_shingles"]):
            first = start - scope.group_starts[group]
            rows = np.flatnonzero(~out[first : first + table.num_rows] & (table.column("n_shingles").to_numpy() > 0))
            records = np.empty(len(rows) * n_bands, dtype)
            records["key"] = words(table.column("bands"), n_bands)[rows].ravel()
            records["document"] = np.repeat((start + rows).astype(scope.number), n_bands)
            of_parts.append(records)
            distinct += len(rows)
    records = np.concatenate(of_parts)
    del of_parts
    own, is_first = stars(np.ascontiguousarray(records["key"]), np.ascontiguousarray(records["document"]))
    write_run(scope.path("edges", f"group-{group:05d}.run"), np.zeros(len(own), np.uint64), own)
    records = records[is_first]
    counts = {"distinct": distinct, "edges": len(own)}
    return partition_of(records["key"], scope.partitions(band_bytes(scope))), records, counts


def edges(scope: Scope, partition: int, records: np.ndarray) -> dict[str, int]:
    """Stars of the buckets of one range of hashes."""
    star = star_edges(np.ascontiguousarray(records["key"]), np.ascontiguousarray(records["document"]))
    write_run(scope.path("edges", f"{partition:05d}.run"), np.zeros(len(star), np.uint64), star)
    return {"edges": len(star)}


def roots(scope: Scope, _: int) -> dict[str, int]:
    """Components of all documents at once, in 4 or 8 bytes a document; then by group of documents."""
    parent = np.full(scope.n_documents, alone(scope.number), scope.number)
    for path in scope.runs("edges"):
        n = int(run_keys(path)[1].sum())
        for start in range(0, n, CHUNK):
            connect(parent, read_run(path, scope.records(EDGE), start, start + CHUNK))
    find_roots(parent)
    counts = {"candidates": 0, "components": 0}
    starts = scope.group_starts
    for group in range(len(scope.groups)):
        first, last = int(starts[group]), int(starts[group + 1])
        own = parent[first:last]
        with storage.open_output(_roots_path(scope, group)) as stream:
            stream.write(own.astype(scope.number).tobytes())
        counts["candidates"] += int(np.count_nonzero(own != alone(scope.number)))
        counts["components"] += int(np.count_nonzero(own == np.arange(first, last)))
    return counts


def _roots_path(scope: Scope, group: int) -> str:
    return scope.path("roots", f"{group:05d}.{scope.number.str[1:]}")


def components(scope: Scope, group: int) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """(partitions, records, counts): every candidate, by component."""
    root = np.frombuffer(storage.read_bytes(_roots_path(scope, group)), scope.number)
    dtype = scope.records(MEMBER)
    of_parts = [np.zeros(0, dtype)]
    columns = ["id", "n_shingles", *POLICY_COLUMNS[scope.options.keep]]
    for part in scope.group_parts(group):
        for start, table in read_evidence(part, columns):
            first = start - scope.group_starts[group]
            own = root[first : first + table.num_rows]
            records = np.zeros(table.num_rows, dtype)
            fill_order(records, part, start, table, scope.options)
            records["root"], records["n_shingles"] = own, table.column("n_shingles").to_numpy()
            of_parts.append(records[own != alone(scope.number)])
    records = np.concatenate(of_parts)
    return partition_of(_mixed(records["root"]), scope.partitions(BYTES_A_MEMBER)), records, {}


def _mixed(numbers: np.ndarray) -> np.ndarray:
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    return mixed * np.uint64(0xD1342543DE82EF95)
