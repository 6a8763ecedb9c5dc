"""Which documents stand in which shard, and the writing of one shard, which is a task of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.mixture.documents import Documents
from massivetext.mixture.plan import Plan
from massivetext.parquet import ParquetOutput

__all__ = ["ShardRows", "allot", "write_shard"]

ROW_GROUP_BYTES = 8 << 20


@dataclass(frozen=True)
class ShardRows:
    """The rows of one shard, before they are put in order: from which file, row group and row each comes."""

    paths: tuple[str, ...]
    path: np.ndarray
    row_group: np.ndarray
    row: np.ndarray

    def __len__(self) -> int:
        return len(self.path)


def generator(*key: object) -> np.random.Generator:
    """Random numbers that are a function of the key alone."""
    digest = hashlib.blake2b("\0".join(map(str, key)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest, "<u8")))


def _epoch(documents: Documents, seed: int, subset: str, epoch: int) -> np.ndarray:
    """Documents in the order of one epoch: row groups permuted, then the documents of each, so that a run of the order
    comes from few row groups."""
    random = generator("epoch", seed, subset, epoch)
    order = np.lexsort((documents.row, documents.row_group, documents.part))
    part, group = documents.part[order], documents.row_group[order]
    starts: np.ndarray = (
        np.flatnonzero(np.r_[True, (part[1:] != part[:-1]) | (group[1:] != group[:-1])]) if len(order) else order
    )
    pieces = np.split(order, starts[1:]) if len(order) else order
    shuffled = [pieces[i] for i in random.permutation(len(pieces))]
    return np.concatenate([random.permutation(piece) for piece in shuffled]) if shuffled else order


def allot(plan: Plan, documents: Mapping[str, Documents], *, seed: int, shard_bytes: int) -> list[ShardRows]:
    """The rows of each shard. A subset is taken in whole epochs, each in a new order, then in part up to the tokens
    wanted, to the nearest document; its documents are dealt to the shards in that order, by tokens, evenly."""
    taken: dict[str, np.ndarray] = {}
    n_bytes = 0
    for share in plan.shares:
        held = documents[share.subset]
        whole = int(share.epochs + 1e-9)
        pieces = [_epoch(held, seed, share.subset, epoch) for epoch in range(whole)]
        rest = share.wanted - whole * share.available
        if rest >= 0.5:
            order = _epoch(held, seed, share.subset, whole)
            ends = np.cumsum(held.tokens[order])
            # The document at the edge goes in if more than half of it is wanted.
            pieces.append(order[ends - held.tokens[order] / 2 <= rest])
        taken[share.subset] = np.concatenate(pieces) if pieces else np.zeros(0, np.int64)
        n_bytes += int(held.size[taken[share.subset]].sum())
    n_shards = max(1, -(-n_bytes // shard_bytes))
    paths = tuple(path for share in plan.shares for path in documents[share.subset].paths)
    columns: list[list[np.ndarray]] = [[] for _ in range(n_shards)]
    first = 0
    for share in plan.shares:
        held, order = documents[share.subset], taken[share.subset]
        middle = np.cumsum(held.tokens[order]) - held.tokens[order] / 2
        total = max(1, int(held.tokens[order].sum()))
        shard = np.minimum((middle * n_shards / total).astype(np.int64), n_shards - 1)
        for number in range(n_shards):
            chosen = order[shard == number]
            rows = np.stack([held.part[chosen] + first, held.row_group[chosen], held.row[chosen]])
            columns[number].append(rows)
        first += len(held.paths)
    found = []
    for number, blocks in enumerate(columns):
        rows = np.concatenate(blocks, axis=1)
        rows = rows[:, generator("shard", seed, number).permutation(rows.shape[1])]
        found.append(ShardRows(paths, rows[0], rows[1], rows[2]))
    return found


def write_shard(path: str, rows: ShardRows) -> dict[str, object]:
    """Write one shard, in the order given. Holds the shard's text, and one row group of a source file, in memory.

    Returns rows, bytes and digest of the file, and `tokens`: by subset.
    """
    tables: list[pa.Table] = []
    position = np.full(len(rows), -1, np.int64)
    held = 0
    order = np.lexsort((rows.row, rows.row_group, rows.path))
    keys = rows.path[order] * (1 << 32) + rows.row_group[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(order) else np.zeros(0, np.int64)
    for first, last in zip(starts, [*starts[1:], len(order)]):
        chosen = order[first:last]
        with storage.open_input(rows.paths[rows.path[chosen[0]]]) as stream:
            table = pq.ParquetFile(stream).read_row_group(int(rows.row_group[chosen[0]]))
        tables.append(table.take(pa.array(rows.row[chosen])))
        position[chosen] = np.arange(held, held + len(chosen))
        held += len(chosen)
    tokens: dict[str, int] = {}
    with ParquetOutput(path, DOCUMENT_SCHEMA, row_group_bytes=ROW_GROUP_BYTES) as output:
        if tables:
            whole = pa.concat_tables(tables)
            step = max(1, min(1024, int(ROW_GROUP_BYTES * len(rows) / max(1, whole.nbytes))))
            for start in range(0, len(rows), step):
                output.write(whole.take(pa.array(position[start : start + step])).cast(DOCUMENT_SCHEMA))
            counts = whole.group_by("subset").aggregate([("n_tokens", "sum")]).to_pylist()
            tokens = {row["subset"]: row["n_tokens_sum"] for row in counts}
    return {**output.summary, "tokens": dict(sorted(tokens.items()))}
