"""The final ledger of a part: its measures, and what the stages after the pass over the text made of them.

Verdicts follow the order of stages: a document that deduplication keeps may still be removed for a test set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.batches import Place, at_place, empty_batch, filled, place_of, with_columns
from massivetext.contamination import verdict, with_decider
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.parquet import open_parquet
from pipelines.recipe import Recipe, ledger_schema
from pipelines.run_folder.folder import Folder
from pipelines.tasks import task_begins
from pipelines.transforms.base import Counters, PlainDoFn
from pipelines.transforms.compare import add_compared
from pipelines.transforms.part_tests import RARE, PartTests, duplicates_of
from pipelines.transforms.shares import judge_shares
from pipelines.transforms.write_parts import WriteParts

__all__ = ["LedgerTask", "WriteLedger", "judge_test_items", "mark_duplicates"]

ROWS = 1 << 14
"""Rows of a batch."""


@dataclass(frozen=True)
class LedgerTask:
    """The final ledger of one part. stages: those after the pass over the text that have run."""

    folder: Folder
    subset: str
    name: str
    stages: tuple[str, ...] = ("deduplication", "contamination")
    fingerprint: str = ""
    weight: int = 1

    @property
    def marker(self) -> str:
        return self.folder.marker("settle", self.subset, self.name)


class WriteLedger(beam.PTransform):  # type: ignore[misc]
    """From ledger tasks to the markers of final ledgers: measures, joined with duplicates, compared with each other by
    scores, and judged by test sets."""

    def __init__(self, folder: Folder | str, recipe: Recipe) -> None:
        super().__init__()
        self.folder = Folder(folder) if isinstance(folder, str) else folder
        self.recipe = recipe

    def expand(self, tasks: beam.PCollection[LedgerTask]) -> beam.PCollection[str]:
        layout = LedgerLayout(self.folder, self.recipe)
        return (
            tasks
            | "ReadMeasures" >> beam.ParDo(_ReadMeasures()).with_output_types(pa.RecordBatch)
            | "MarkDuplicates" >> beam.ParDo(_Join("MarkDuplicates", mark_duplicates, self.folder, self.recipe))
            | "AddCompared" >> beam.ParDo(_Join("AddCompared", add_compared, self.folder, self.recipe))
            | "JudgeShares" >> beam.ParDo(_Join("JudgeShares", judge_shares, self.folder, self.recipe))
            | "JudgeTestItems" >> beam.ParDo(_Join("JudgeTestItems", judge_test_items, self.folder, self.recipe))
            | WriteParts(self.folder, self.recipe, layout)
        )


class _ReadMeasures(PlainDoFn):
    def setup(self) -> None:
        self.counters = Counters("ReadMeasures")

    def process(self, task: LedgerTask) -> Iterator[pa.RecordBatch]:
        task_begins(task.marker)
        place = Place(task.subset, "", task.name, fingerprint=task.fingerprint, stages=task.stages)
        with storage.open_input(task.folder.part("work/ledger", task.subset, task.name)) as stream:
            for batch in open_parquet(stream).iter_batches(ROWS):
                self.counters.add(documents_out=batch.num_rows, bytes=batch.nbytes)
                yield at_place(batch, place)
                place = place.next(batch.num_rows)
        yield empty_batch(replace(place, is_last=True))


class _Join(PlainDoFn):
    """Applies a function of a batch, its place, the run's folder and its recipe."""

    def __init__(self, name: str, function: Any, folder: Folder, recipe: Recipe) -> None:
        self.name, self.function, self.folder, self.recipe = name, function, folder, recipe

    def setup(self) -> None:
        self.counters = Counters(self.name)

    def process(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        place = place_of(batch)
        if place is not None and batch.num_rows:
            self.counters.add(documents_in=batch.num_rows)
            batch = self.function(batch, place, self.folder, self.recipe)
        yield batch


def mark_duplicates(batch: pa.RecordBatch, place: Place, folder: Folder, recipe: Recipe) -> pa.RecordBatch:
    """Return the batch with the outcome, reason and partner of documents that deduplication removed."""
    if "deduplication" not in place.stages:
        return batch
    duplicates = _duplicates(_Part(folder, recipe, place))
    if not duplicates:
        return batch
    outcomes, reasons = batch.column("outcome").to_pylist(), batch.column("reasons").to_pylist()
    partners: list[str | None] = [None] * len(outcomes)
    jaccards: list[float | None] = [None] * len(outcomes)
    for i, name in enumerate(batch.column("id").to_pylist()):
        if name in duplicates:
            reason, partners[i], jaccards[i] = duplicates[name]
            outcomes[i] = "duplicate"
            reasons[i].append(reason)
    return _judged(batch, outcomes, reasons, partner_id=partners, partner_jaccard=jaccards)


def judge_test_items(batch: pa.RecordBatch, place: Place, folder: Folder, recipe: Recipe) -> pa.RecordBatch:
    """Return the batch with the outcome and reasons of documents in which test items stand."""
    if "contamination" not in place.stages or not recipe.is_tested(place.subset):
        return batch
    tests = _tests(_Part(folder, recipe, place))
    batch = tests.with_rare(batch, place.first_row)
    block = tests.block
    broken = verdict(
        batch,
        contamination=block.contamination,
        jaccard=block.jaccard,
        containment=block.containment,
        limits=block.further_limits,
        rare=block.max_documents is not None,
    )
    batch = with_decider(batch, broken)
    if block.max_documents is not None:
        batch = _with_rare_decider(batch, broken, tests)
        for signal in ("alignment", "passage", "reformatted"):
            if (mask := broken.get(f"contamination.{signal}")) is not None:
                mask &= ~tests.of_frequent_items(batch, signal)
    broken["contamination.title"] = batch.column("test_title").is_valid().to_numpy(zero_copy_only=False)
    outcomes, reasons = batch.column("outcome").to_pylist(), batch.column("reasons").to_pylist()
    for reason, mask in broken.items():
        for i in np.flatnonzero(mask).tolist():
            reasons[i].append(reason)
            if outcomes[i] == "kept" and block.remove != "mark":
                outcomes[i] = "contaminated"
    return _judged(batch, outcomes, reasons)


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of a run, as a key: what is loaded for a part is loaded once for all of its batches."""

    folder: Folder
    recipe: Recipe
    place: Place

    def _key(self) -> tuple[str, ...]:
        place = self.place
        return self.folder.root, place.subset, place.part, place.fingerprint, *place.stages

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Part) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


@lru_cache(maxsize=2)
def _duplicates(part: _Part) -> dict[str, tuple[str, str, float | None]]:
    """id -> (reason, partner, J) of the part's duplicates."""
    rows = duplicates_of(part.folder, part.recipe, part.place.subset, part.place.part)
    return {row["id"]: (row["reason"], row["partner_id"], row["partner_jaccard"]) for row in rows}


@lru_cache(maxsize=2)
def _tests(part: _Part) -> PartTests:
    place = part.place
    with storage.open_input(part.folder.part("work/ledger", place.subset, place.part)) as stream:
        n_rows = open_parquet(stream).metadata.num_rows
    return PartTests(part.folder, part.recipe, place.subset, place.part, n_rows)


@dataclass(frozen=True)
class LedgerLayout:
    """The final ledger, and the pieces of documents that test items were cut out of."""

    folder: Folder
    recipe: Recipe
    stage = "settle"

    def schemas(self, subset: str) -> dict[str, pa.Schema]:
        schemas = {"ledger": ledger_schema(self.recipe)}
        if self._cuts(subset):
            schemas["pieces"] = DOCUMENT_SCHEMA
        return schemas

    def _cuts(self, subset: str) -> bool:
        return self.recipe.is_tested(subset) and self.recipe.block(subset, "contamination").remove == "span"

    def tables(self, batch: pa.RecordBatch, place: Place) -> dict[str, pa.Table]:
        tables = {}
        if self._cuts(place.subset):
            if "contamination" in place.stages:
                batch, tables["pieces"] = _cut(batch, _tests(_Part(self.folder, self.recipe, place)))
            else:
                tables["pieces"] = DOCUMENT_SCHEMA.empty_table()
        return {**tables, "ledger": filled(batch, ledger_schema(self.recipe))}

    def count(self, batch: pa.RecordBatch, counts: dict[str, Any]) -> None:
        """Documents, bytes and tokens of each outcome and reason, `kept` or `rejected quality.word_count`."""
        columns = (batch.column(name).to_pylist() for name in ("outcome", "reason", "n_bytes", "n_tokens"))
        for outcome, reason, n_bytes, n_tokens in zip(*columns):
            sums = counts.setdefault(outcome if reason is None else f"{outcome} {reason}", [0, 0, 0])
            sums[0] += 1
            sums[1] += n_bytes or 0
            sums[2] += n_tokens or 0


def _cut(batch: pa.RecordBatch, tests: PartTests) -> tuple[pa.RecordBatch, pa.Table]:
    """The batch with the number of pieces of each contaminated document, and those pieces."""
    counts: list[int | None] = [None] * batch.num_rows
    chosen = np.flatnonzero(pc.equal(batch.column("outcome"), "contaminated").to_numpy(zero_copy_only=False))
    spans = (f"contamination_{signal}_span" for signal in ("alignment", "passage", "reformatted"))
    columns = ["id", "reasons", *spans]
    pieces, numbers = tests.cut(batch.select(columns).take(pa.array(chosen)).to_pylist())
    for i, n in zip(chosen.tolist(), numbers):
        counts[i] = n
    return _with(batch, pieces=counts), pieces


def _with_rare_decider(batch: pa.RecordBatch, broken: dict[str, np.ndarray], tests: PartTests) -> pa.RecordBatch:
    """test_set, test_item and test_span of the item of the rare containment where that decided, and not J."""
    chosen = broken.get("contamination.containment", np.zeros(batch.num_rows, bool)).copy()
    if "contamination.jaccard" in broken:
        chosen &= ~broken["contamination.jaccard"]
    columns = {name: batch.column(name).to_pylist() for name in ("test_set", "test_item", "test_span")}
    rows, at = [], []
    for i in np.flatnonzero(chosen).tolist():
        row = {name: batch.column(name)[i].as_py() for name in ("id", f"{RARE}_set", f"{RARE}_item")}
        if (row[f"{RARE}_set"], row[f"{RARE}_item"]) != (columns["test_set"][i], columns["test_item"][i]):
            rows.append(row)
            at.append(i)
    for i, row, span in zip(at, rows, tests.matched(rows)):
        columns["test_set"][i], columns["test_item"][i] = row[f"{RARE}_set"], row[f"{RARE}_item"]
        columns["test_span"][i] = span
    return _with(batch, **columns)


def _judged(
    batch: pa.RecordBatch, outcomes: list[str], reasons: list[list[str]], **columns: list[Any]
) -> pa.RecordBatch:
    """The batch with outcomes, reasons, and of those that are not kept the first reason."""
    first = [own[0] if own and outcome != "kept" else None for outcome, own in zip(outcomes, reasons)]
    return _with(batch, outcome=outcomes, reason=first, reasons=reasons, **columns)


def _with(batch: pa.RecordBatch, **columns: list[Any]) -> pa.RecordBatch:
    arrays = {name: pa.array(values, batch.schema.field(name).type) for name, values in columns.items()}
    return with_columns(batch, arrays)
