"""Limits of time and memory for a document inside a transform, on engines whose processes nobody watches.

A child process does what a document can make slow (massivetext/guarded.py). One that is over a limit costs the document
that it was at, with the reason that the local engine would give. A child that dies three times without such evidence
costs no document: the error goes to the engine, which tries again, and ends the run with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from massivetext import isolation
from massivetext.batches import BATCH_SCHEMA, map_documents, with_columns
from massivetext.guarded import ChildDiedError, Guarded
from pipelines.stages import Stage
from pipelines.tasks import PartTask

__all__ = ["apply_guarded", "limits_of", "read_guarded"]

DEATHS = 3
"""Deaths of a child that are no evidence about a document, after which the caller gets the error."""

Limits = tuple[float, int]
"""CPU seconds and bytes that one step may take for one document."""


def limits_of(recipe: Any) -> Limits:
    """Return the limits that a recipe sets, or the defaults."""
    block = recipe.isolation
    return (isolation.SECONDS, isolation.MEMORY) if block is None else (block.seconds, block.memory)


class _Evidence:
    """What the deaths of a child say: whom to leave out, or that nobody knows."""

    def __init__(self) -> None:
        self.suspects = isolation.Suspects(DEATHS)
        self.deaths = 0

    def blame_of(self, died: ChildDiedError) -> isolation.Blame | None:
        """Return what is to be left out from now on, or None to try once more. Raises `died` after DEATHS of those."""
        if died.blame is not None and self.suspects.is_guilty("", died.blame, died.is_certain):
            self.deaths = 0
            return died.blame
        self.deaths += 1
        if self.deaths >= DEATHS:
            raise died
        return None


def read_guarded(
    guarded: Guarded, read: Callable[[PartTask], Iterator[pa.RecordBatch]], task: PartTask
) -> Iterator[pa.RecordBatch]:
    """Return the batches of a part, read in a child process. Those before a document that ends it are read again, and
    not returned again: they depend on the input alone."""
    evidence, n_returned = _Evidence(), 0
    while True:
        try:
            for number, batch in enumerate(guarded.call(read, task)):
                if number == n_returned:
                    n_returned += 1
                    yield batch
            return
        except ChildDiedError as died:
            blame = evidence.blame_of(died)
        if blame is not None:
            task = task.without(blame)


def apply_guarded(
    guarded: Guarded,
    function: Callable[[pa.RecordBatch, Sequence[Stage]], pa.RecordBatch],
    stages: Sequence[Stage],
    batch: pa.RecordBatch,
    step: str,
    limits: Limits,
) -> pa.RecordBatch:
    """Return a batch after some stages, applied in a child process.

    Args:
        guarded: the child.
        function: applies stages to a batch.
        stages: are loaded in the child.
        batch: of documents of one subset.
        step: how reasons call what is done.
        limits: of one document.
    """
    evidence = _Evidence()
    blamed: tuple[isolation.Blame, ...] = ()
    while True:
        try:
            (result,) = guarded.call(_apply, function, stages, batch, step, limits, blamed)
            return result
        except ChildDiedError as died:
            blame = evidence.blame_of(died)
        if blame is not None:
            blamed = (*blamed, blame)
            if blame.scope == isolation.DOCUMENT:
                batch = _without(batch, blame)


def _apply(
    function: Callable[[pa.RecordBatch, Sequence[Stage]], pa.RecordBatch],
    stages: Sequence[Stage],
    batch: pa.RecordBatch,
    step: str,
    limits: Limits,
    blamed: Sequence[isolation.Blame],
) -> Iterator[pa.RecordBatch]:
    """In the child: `map_documents` within limits. Models are loaded before, which is no document's time."""
    for stage in stages:
        stage.load()
    with isolation.limited(*limits, blamed):
        yield map_documents(lambda rows: function(rows, stages), batch, step=step)


_KEPT = {*BATCH_SCHEMA.names} - {"page", "text", "outcome", "reason"}


def _without(batch: pa.RecordBatch, blame: isolation.Blame) -> pa.RecordBatch:
    """The batch with the document to blame failed, as if it had been left out when its part was read: it has no text,
    and nothing that was measured of it."""
    sources = batch.column("source").to_pylist() if "source" in batch.schema.names else [""] * batch.num_rows
    offsets = batch.column("offset").to_pylist() if "offset" in batch.schema.names else [0] * batch.num_rows
    is_blamed = [
        offset == blame.key and isolation.file_number(source or "") == blame.file
        for source, offset in zip(sources, offsets)
    ]
    kept_rows = pa.array([None if blamed else row for row, blamed in enumerate(is_blamed)], pa.int64())
    columns = {name: batch.column(name).take(kept_rows) for name in batch.schema.names if name not in _KEPT}
    for name, value in (("outcome", "failed"), ("reason", blame.reason)):
        others = columns[name].to_pylist() if name in columns else [None] * batch.num_rows
        columns[name] = pa.array([value if blamed else old for old, blamed in zip(others, is_blamed)], pa.string())
    return with_columns(batch, columns)
