"""Copies of documents that were removed do not come back: from other files, other addresses, or a later crawl."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.batches import with_columns
from massivetext.dedup.index import index_manifest
from massivetext.errors import OutputError
from massivetext.parquet import file_digest
from massivetext.removed import COPY
from massivetext.removed_texts import FILE, RemovedTexts, read_removed_texts
from pipelines.transforms.base import Counters, PlainDoFn

__all__ = ["RefuseRemoved", "refuse_removed", "removal_mark", "removal_roots"]


def removal_roots(recipe: Any, root: str) -> list[str]:
    """Return the folders whose removals hold for a run: its own, and those whose index it is deduplicated against."""
    return [place for place in (root, *_indexed(recipe)) if storage.exists(storage.join(place, FILE))]


def removal_mark(recipe: Any) -> list[str] | None:
    """Return what tells whether removals from the folders of indexes are those that a part was read with; None where
    nothing was removed from any."""
    paths = [storage.join(place, FILE) for place in _indexed(recipe)]
    return [file_digest(path) for path in paths if storage.exists(path)] or None


def _indexed(recipe: Any) -> list[str]:
    """The folders whose index a recipe names; one that has none is for deduplication to refuse."""
    against: set[str] = set()
    for subset in recipe.filled:
        if recipe.goes_through(subset, "deduplication"):
            against |= set(recipe.block(subset, "deduplication").against)
    folders = []
    for path in sorted(against):
        with contextlib.suppress(OutputError):
            folders.append(index_manifest(path).rpartition("/")[0].rpartition("/")[0] or ".")
    return folders


def refuse_removed(batch: pa.RecordBatch, removed: RemovedTexts) -> pa.RecordBatch:
    """Return the batch with copies of removed texts `rejected` by `removed.copy`, and without their texts."""
    texts = batch.column("text")
    is_open = batch.column("outcome").is_null().to_numpy(zero_copy_only=False)
    is_copy = np.asarray(removed.copies(texts) & is_open, bool)
    if not is_copy.any():
        return batch
    columns: dict[str, pa.Array] = {}
    for name, value in (("text", None), ("page", None), ("outcome", "rejected"), ("reason", COPY)):
        if name in batch.schema.names:
            column = batch.column(name)
            values = [value if hit else own for hit, own in zip(is_copy.tolist(), column.to_pylist())]
            columns[name] = pa.array(values, column.type)
    return with_columns(batch, columns)


class RefuseRemoved(beam.PTransform):  # type: ignore[misc]
    """Refuse documents that are copies of removed ones, by the digests that some folders keep of these."""

    def __init__(self, roots: Sequence[str]) -> None:
        super().__init__()
        self.roots = list(roots)

    def expand(self, batches: beam.PCollection[pa.RecordBatch]) -> beam.PCollection[pa.RecordBatch]:
        return batches | "Refuse" >> beam.ParDo(_Refuse(self.roots)).with_output_types(pa.RecordBatch)


class _Refuse(PlainDoFn):
    def __init__(self, roots: Sequence[str]) -> None:
        self.roots = list(roots)

    def setup(self) -> None:
        self.counters = Counters("RefuseRemoved")
        self.removed = read_removed_texts(self.roots)

    def process(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        if batch.num_rows and self.removed is not None:
            batch = refuse_removed(batch, self.removed)
        self.counters.add(documents_in=batch.num_rows)
        yield batch
