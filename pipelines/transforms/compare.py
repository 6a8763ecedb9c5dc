"""Signals that depend on the other documents of a subset: measured after deduplication, joined with the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext.batches import Place, is_outcome, with_columns
from pipelines.recipe import Recipe
from pipelines.run_folder.folder import Folder
from pipelines.transforms.hash_tasks import HashTask, add_values, perform_phases
from pipelines.transforms.host_lines import HostLineTask
from pipelines.transforms.spans import SpanTask

__all__ = ["COMPARING", "add_compared", "compare", "outrank"]

COMPARING: tuple[type[HashTask], ...] = (HostLineTask, SpanTask)
"""The tasks of each stage that compares documents."""


def compare(
    folder: Folder,
    recipe: Recipe,
    subset: str,
    parts: Sequence[str],
    fingerprint: str,
    perform: Callable[[Sequence[Any]], None],
) -> None:
    """Measure a subset by each of these stages that it goes through, unless that is done for the same texts.

    Args:
        folder: of the run; the pass over the text and deduplication are done in it.
        recipe: what is run.
        subset: whose documents are compared.
        parts: the names of its parts.
        fingerprint: of its texts and duplicates; empty where nobody knows it, and all is done again.
        perform: runs tasks to their end; those that are done already may be left out.
    """
    for kind in COMPARING:
        if not recipe.goes_through(subset, kind.stage):
            continue
        own = f"{fingerprint} {recipe.stage(subset, kind.stage).fingerprint()}" if fingerprint else ""
        is_deduplicated = recipe.goes_through(subset, "deduplication")
        task = kind(folder.root, subset, kind.phases[0], 0, tuple(sorted(parts)), 1, is_deduplicated, own)
        if isinstance(task, HostLineTask):
            task = replace(task, max_pages=recipe.block(subset, "host_lines").max_pages)
        perform_phases(task, perform)


def add_compared(batch: pa.RecordBatch, place: Place, folder: Folder, recipe: Recipe) -> pa.RecordBatch:
    """Return the batch with the signals of documents that rules and deduplication keep, null for the others, and with
    the outcome and reasons of those that are over a limit on one of these signals."""
    if "deduplication" not in place.stages:
        return batch
    for kind in COMPARING:
        if recipe.goes_through(place.subset, kind.stage):
            batch = add_values(batch, place, folder, kind)
    if not recipe.compared_columns(place.subset):
        return batch
    return outrank(batch, recipe.broken_by_comparison(batch, place.subset))


def outrank(batch: pa.RecordBatch, broken: Mapping[str, np.ndarray]) -> pa.RecordBatch:
    """Return a batch of a ledger whose documents that are kept, and break a limit, are `outranked`.

    Args:
        batch: of a ledger.
        broken: by reason, bool[n]: who breaks it. The first reason that is True decides; all of them are listed.
    """
    kept = is_outcome(batch, "kept")
    outcomes, reasons = batch.column("outcome").to_pylist(), batch.column("reasons").to_pylist()
    for reason, mask in broken.items():
        for i in np.flatnonzero(kept & mask).tolist():
            outcomes[i] = "outranked"
            reasons[i].append(reason)
    first = [own[0] if own and outcome != "kept" else None for outcome, own in zip(outcomes, reasons)]
    values = {"outcome": outcomes, "reason": first, "reasons": reasons}
    return with_columns(batch, {name: pa.array(own, batch.schema.field(name).type) for name, own in values.items()})
