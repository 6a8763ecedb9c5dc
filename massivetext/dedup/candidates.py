"""Candidates: documents that share a band, as components, and components packed into batches that fit in memory.

Bands go by hash range; each bucket gives a star of edges, which only says who must be in one batch. A union-find of
4 bytes a document joins the stars. A component beyond the budget is cut in rank order into batches of successive
rounds: a document is decided when all better-ranked ones are, so the answer is that of one batch.
"""

from __future__ import annotations

import json

import numpy as np

from massivetext import storage
from massivetext.dedup.collapse import (
    ORDER,
    POLICY_COLUMNS,
    best_first,
    excluded,
    fill_order,
    partition_of,
    read_evidence,
    words,
)
from massivetext.dedup.grouping import ALONE, connect, find_roots, star_edges
from massivetext.dedup.runs import read_key, read_run, run_keys, write_run
from massivetext.dedup.scope import Scope

__all__ = ["ASSIGNMENT", "assignments", "bands", "batch_rounds", "components", "edges", "pack", "roots"]

BAND = np.dtype([("key", "<u8"), ("document", "<u4")])
EDGE = np.dtype(("<u4", 2))
MEMBER = np.dtype([*ORDER, ("root", "<u4"), ("n_shingles", "<u4")])
ASSIGNMENT = np.dtype([("document", "<u4"), ("root", "<u4"), ("batch", "<u8")])

SHINGLE_BYTES, DOCUMENT_BYTES = 56, 1600
"""Memory that deciding takes at most: a shingle (its hash twice, its number, table and postings), and a document (its
bands, its places in buckets)."""

BYTES_A_MEMBER = 4 * MEMBER.itemsize
CHUNK = 1 << 20


def band_bytes(scope: Scope) -> int:
    """Memory that a document's bands take in their partition: records, keys, and a table half empty."""
    return 64 * scope.options.banding.bands


def bands(scope: Scope, group: int) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """(partitions, records, counts): every band of every document that stands for itself."""
    out = excluded(scope, group, "newest", "copies")
    n_bands = scope.options.banding.bands
    found = [np.zeros(0, BAND)]
    distinct = 0
    for part in scope.group_parts(group):
        for start, table in read_evidence(part, ["bands", "n_shingles"]):
            first = start - scope.group_starts[group]
            rows = np.flatnonzero(~out[first : first + table.num_rows] & (table.column("n_shingles").to_numpy() > 0))
            records = np.empty(len(rows) * n_bands, BAND)
            records["key"] = words(table.column("bands"), n_bands)[rows].ravel()
            records["document"] = np.repeat((start + rows).astype(np.uint32), n_bands)
            found.append(records)
            distinct += len(rows)
    records = np.concatenate(found)
    return partition_of(records["key"], scope.partitions(band_bytes(scope))), records, {"distinct": distinct}


def edges(scope: Scope, partition: int, records: np.ndarray) -> dict[str, int]:
    """Stars of the buckets of one range of hashes."""
    found = star_edges(np.ascontiguousarray(records["key"]), np.ascontiguousarray(records["document"]))
    write_run(scope.path("edges", f"{partition:05d}.run"), np.zeros(len(found), np.uint64), found)
    return {"edges": len(found)}


def roots(scope: Scope, _: int) -> dict[str, int]:
    """Components of all documents at once, in 4 bytes a document; then by group of documents."""
    parent = np.full(scope.n_documents, ALONE, np.uint32)
    for path in scope.runs("edges"):
        n = int(run_keys(path)[1].sum())
        for start in range(0, n, CHUNK):
            connect(parent, read_run(path, EDGE, start, start + CHUNK))
    find_roots(parent)
    counts = {"candidates": 0, "components": 0}
    starts = scope.group_starts
    for group in range(len(scope.groups)):
        first, last = int(starts[group]), int(starts[group + 1])
        own = parent[first:last]
        with storage.open_output(scope.path("roots", f"{group:05d}.u4")) as stream:
            stream.write(own.astype("<u4").tobytes())
        counts["candidates"] += int(np.count_nonzero(own != ALONE))
        counts["components"] += int(np.count_nonzero(own == np.arange(first, last)))
    return counts


def components(scope: Scope, group: int) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """(partitions, records, counts): every candidate, by component."""
    root = np.frombuffer(storage.read_bytes(scope.path("roots", f"{group:05d}.u4")), "<u4")
    found = [np.zeros(0, MEMBER)]
    columns = ["id", "n_shingles", *POLICY_COLUMNS[scope.options.keep]]
    for part in scope.group_parts(group):
        for start, table in read_evidence(part, columns):
            first = start - scope.group_starts[group]
            own = root[first : first + table.num_rows]
            records = np.zeros(table.num_rows, MEMBER)
            fill_order(records, part, start, table, scope.options)
            records["root"], records["n_shingles"] = own, table.column("n_shingles").to_numpy()
            found.append(records[own != ALONE])
    records = np.concatenate(found)
    return partition_of(_mixed(records["root"]), scope.partitions(BYTES_A_MEMBER)), records, {}


def _mixed(numbers: np.ndarray) -> np.ndarray:
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    return mixed * np.uint64(0xD1342543DE82EF95)


def pack(scope: Scope, partition: int, records: np.ndarray) -> dict[str, int]:
    """Components into batches, each within the memory given. Notes beside the run which batches come in which round,
    and the earlier batches of the same component that each one is compared with."""
    budget = max(1, scope.options.memory)
    cost = records["n_shingles"].astype(np.int64) * SHINGLE_BYTES + DOCUMENT_BYTES
    order = np.argsort(records["root"], kind="stable")
    root = records["root"][order]
    starts = np.flatnonzero(np.r_[True, root[1:] != root[:-1]]) if len(root) else np.zeros(0, np.int64)
    costs = np.add.reduceat(cost[order], starts) if len(root) else np.zeros(0, np.int64)
    ends = np.r_[starts[1:], len(root)]
    batch = np.zeros(len(records), np.uint64)
    notes: list[dict[str, object]] = []

    def begin(round_: int = 0, earlier: list[int] | None = None) -> int:
        notes.append({"batch": partition << 32 | len(notes), "round": round_, "earlier": earlier or []})
        return partition << 32 | len(notes) - 1

    current, filled = -1, budget + 1
    largest = 0
    for start, end, size in zip(starts.tolist(), ends.tolist(), costs.tolist()):
        rows = order[start:end]
        largest = max(largest, end - start)
        if size <= budget:
            if filled + size > budget:
                current, filled = begin(), 0
            batch[rows] = current
            filled += size
            continue
        # Half for the documents to decide, half for earlier ones that they are compared with.
        ranked = rows[best_first(records[rows], scope.options.seed)]
        earlier: list[int] = []
        spent = budget
        for row, own in zip(ranked.tolist(), cost[ranked].tolist()):
            if spent + own > budget // 2:
                number = begin(len(earlier), list(earlier))
                earlier.append(number)
                spent = 0
            batch[row] = number
            spent += own
    out = np.empty(len(records), ASSIGNMENT)
    out["document"], out["root"], out["batch"] = records["document"], records["root"], batch
    order = np.argsort(out["document"])
    out = out[order]
    storage.write_bytes(scope.path("pack", f"{partition:05d}.json"), json.dumps(notes).encode())
    write_run(scope.path("pack", f"{partition:05d}.run"), scope.group_of(out["document"]), out)
    cut = sum(1 for note in notes if note["round"] == 1)
    return {"batches": len(notes), "cut_components": cut, "max_largest_component": largest}


def batch_rounds(scope: Scope) -> list[list[tuple[int, list[int]]]]:
    """For each round, its batches with the earlier ones that each is compared with."""
    rounds: list[list[tuple[int, list[int]]]] = []
    for path in storage.list_files(scope.path("pack")):
        if path.endswith(".json"):
            for note in json.loads(storage.read_bytes(path)):
                while len(rounds) <= note["round"]:
                    rounds.append([])
                rounds[note["round"]].append((note["batch"], note["earlier"]))
    return rounds


def assignments(scope: Scope, group: int) -> np.ndarray:
    """The candidates of a group with their batches, by document."""
    found = read_key(scope.runs("pack"), group, ASSIGNMENT)
    return found[np.argsort(found["document"], kind="stable")]
