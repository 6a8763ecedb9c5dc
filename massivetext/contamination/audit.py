"""Test sets against a finished mixture: which items stand in it, and the test set without those."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from massivetext import storage
from massivetext.contamination.findings import Findings
from massivetext.contamination.items import TestSet, read_items
from massivetext.contamination.testsets import TestSets
from massivetext.errors import OutputError, SourceError
from massivetext.parquet import open_parquet
from massivetext.scratch import scratch_folder
from massivetext.worker_processes import spawn_pool

__all__ = ["audit_shards", "clean_items", "shards_of"]

_BATCH_BYTES = 32 << 20


def shards_of(directory: str, mixture: str | None = None) -> list[str]:
    """The shards of a mixture below DIR, in order. Raises OutputError if there is none, or several and no name."""
    found: dict[str, list[str]] = {}
    root = storage.join(directory, "mixture")
    for path in storage.list_files(root):
        name, _, file = path[len(root) :].lstrip("/").rpartition("/")
        if file.startswith("shard-") and file.endswith(".parquet"):
            found.setdefault(name, []).append(path)
    if mixture is None and len(found) > 1:
        raise OutputError(f"{root}: holds several mixtures ({', '.join(sorted(found))}); name one with --mixture")
    name = mixture if mixture is not None else next(iter(found), "")
    if name not in found:
        raise OutputError(f"{storage.join(root, name)}: no shards there; `massivetext run` makes them")
    return found[name]


def audit_shards(
    testsets: TestSets, shards: Sequence[str], *, threshold: float = 0.8, workers: int = 1
) -> tuple[Findings, int]:
    """Findings over all rows of the shards, and how many rows. The same for any number of workers, which share one
    copy of the index."""
    total = Findings(testsets, threshold=threshold)
    n_rows = 0
    with scratch_folder("audit") as folder:
        if workers == 1:
            results = map(partial(_one_shard, testsets, threshold), shards)
            for state, n in results:
                total.merge(state)
                n_rows += n
        else:
            path = os.path.join(folder, "testsets")
            testsets.save(path)
            shared = TestSets.open(path)
            with spawn_pool(workers) as pool:
                for state, n in pool.map(partial(_one_shard, shared, threshold), shards):
                    total.merge(state)
                    n_rows += n
    return total, n_rows


def _one_shard(testsets: TestSets, threshold: float, path: str) -> tuple[dict[str, Any], int]:
    findings = Findings(testsets, threshold=threshold)
    n = 0
    with storage.open_input(path) as stream:
        try:
            file = open_parquet(stream)
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(4096, row_groups=[group], columns=["id", "text"]):
                    for part in _by_bytes(batch):
                        findings.add(part.column("id"), part.column("text"))
                    n += batch.num_rows
        except pa.ArrowInvalid as error:
            raise SourceError(f"{path}: not a shard of a mixture: {error}") from error
    return findings.state(), n


def _by_bytes(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """Slices of about 32 MiB of text, at least one row each."""
    if batch.num_rows < 2 or batch.nbytes <= _BATCH_BYTES:
        return [batch]
    half = batch.num_rows // 2
    return _by_bytes(batch.slice(0, half)) + _by_bytes(batch.slice(half))


def clean_items(testset: TestSet, findings: Findings, path: str) -> int:
    """Write the items of the first set of the findings that were not found, as they stand in their files; returns how
    many. Items that are not searched for are kept."""
    n = 0
    with storage.open_output(path) as stream:
        for number, item in enumerate(read_items(testset)):
            if not findings.hit[number]:
                n += 1
                stream.write(item.raw.encode())
                if not item.raw.endswith("\n"):
                    stream.write(b"\n")
    return n
