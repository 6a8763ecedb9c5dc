"""The final ledger of a part: its measures, and what the stages after the per-document pass made of it.

Verdicts follow the order of stages: a document that deduplication keeps may still be removed for a test set.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.contamination import verdict, with_decider
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.parquet import ParquetOutput
from pipelines.contamination import RARE, PartTests, duplicates_of, is_tested
from pipelines.execution import Marker
from pipelines.folder import Folder
from pipelines.recipe import Recipe

__all__ = ["SettlePart"]


@dataclass(frozen=True)
class SettlePart:
    """The task for one part: work/ledger and work/duplicates in, ledger out. `stages`: those of the later stages that
    have run."""

    folder: Folder
    recipe: Recipe
    subset: str
    name: str
    stages: tuple[str, ...]
    fingerprint: str
    weight: int = 1

    @property
    def marker(self) -> str:
        return self.folder.marker("settle", self.subset, self.name)

    def __call__(self) -> None:
        source = pq.ParquetFile(storage.open_input(self.folder.part("work/ledger", self.subset, self.name)))
        duplicates = self._duplicates()
        counts: dict[str, list[int]] = {}
        tests = None
        if "contamination" in self.stages and is_tested(self.recipe, self.subset):
            tests = PartTests(self.folder, self.recipe, self.subset, self.name, source.metadata.num_rows)
        outputs = {}
        with ExitStack() as stack:
            schemas = {"ledger": source.schema_arrow}
            if tests is not None and tests.block.remove == "span":
                schemas["pieces"] = DOCUMENT_SCHEMA
            for kind, schema in schemas.items():
                path = self.folder.part(kind, self.subset, self.name)
                outputs[kind] = stack.enter_context(ParquetOutput(path, schema))
            pieces = outputs.get("pieces")
            first_row = 0
            for batch in source.iter_batches(1 << 14):
                if tests is not None:
                    batch = tests.with_rare(batch, first_row)
                first_row += batch.num_rows
                settled = self._settle(batch, duplicates, tests)
                if tests is not None and pieces is not None:
                    settled = _cut(settled, tests, pieces)
                _count(settled, counts)
                outputs["ledger"].write(pa.Table.from_batches([settled]))
        summaries = {f"{kind}/{self.subset}/{self.name}.parquet": output.summary for kind, output in outputs.items()}
        Marker(self.fingerprint, self.folder.outputs(summaries), counts).write(self.marker)

    def _duplicates(self) -> dict[str, tuple[str, str, float | None]]:
        """id -> (reason, partner, J) of the part's duplicates."""
        if "deduplication" not in self.stages:
            return {}
        rows = duplicates_of(self.folder, self.recipe, self.subset, self.name)
        return {row["id"]: (row["reason"], row["partner_id"], row["partner_jaccard"]) for row in rows}

    def _settle(
        self, batch: pa.RecordBatch, duplicates: dict[str, tuple[str, str, float | None]], tests: PartTests | None
    ) -> pa.RecordBatch:
        outcomes: list[str] = batch.column("outcome").to_pylist()
        reasons: list[list[str]] = batch.column("reasons").to_pylist()
        partners: list[str | None] = [None] * len(outcomes)
        jaccards: list[float | None] = [None] * len(outcomes)
        if duplicates:
            for i, name in enumerate(batch.column("id").to_pylist()):
                if name in duplicates:
                    reason, partners[i], jaccards[i] = duplicates[name]
                    outcomes[i] = "duplicate"
                    reasons[i].append(reason)
        if tests is not None:
            block = tests.block
            broken = verdict(
                batch,
                contamination=block.contamination,
                jaccard=block.jaccard,
                containment=block.containment,
                limits=block.limits,
                rare=block.max_documents is not None,
            )
            batch = with_decider(batch, broken)
            if block.max_documents is not None:
                batch = _with_rare_decider(batch, broken, tests)
            broken["contamination.title"] = batch.column("test_title").is_valid().to_numpy(zero_copy_only=False)
            for reason, mask in broken.items():
                for i in np.flatnonzero(mask).tolist():
                    reasons[i].append(reason)
                    if outcomes[i] == "kept" and block.remove != "mark":
                        outcomes[i] = "contaminated"
        marked = [bool(found) and outcome != "kept" for outcome, found in zip(outcomes, reasons)]
        return _with(
            batch,
            outcome=outcomes,
            reason=[found[0] if mark else None for found, mark in zip(reasons, marked)],
            reasons=reasons,
            partner_id=partners,
            partner_jaccard=jaccards,
        )


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


def _cut(batch: pa.RecordBatch, tests: PartTests, pieces: ParquetOutput) -> pa.RecordBatch:
    """Write the pieces of a batch's contaminated documents, and their number to the ledger."""
    counts: list[int | None] = [None] * batch.num_rows
    chosen = np.flatnonzero(pc.equal(batch.column("outcome"), "contaminated").to_numpy(zero_copy_only=False))
    columns = ["id", "reasons", "contamination_alignment_span", "contamination_passage_span"]
    rows = batch.select(columns).take(pa.array(chosen)).to_pylist()
    for i, n in zip(chosen.tolist(), tests.cut(rows, pieces)):
        counts[i] = n
    return _with(batch, pieces=counts)


def _with(batch: pa.RecordBatch, **columns: list[Any]) -> pa.RecordBatch:
    for name, values in columns.items():
        at = batch.schema.get_field_index(name)
        field = batch.schema.field(at)
        batch = batch.set_column(at, field, pa.array(values, field.type))
    return batch


def _count(batch: pa.RecordBatch, counts: dict[str, list[int]]) -> None:
    """Documents, bytes and tokens of each outcome and reason, `kept` or `rejected quality.word_count`."""
    columns = (batch.column(name).to_pylist() for name in ("outcome", "reason", "n_bytes", "n_tokens"))
    for outcome, reason, n_bytes, n_tokens in zip(*columns):
        held = counts.setdefault(outcome if reason is None else f"{outcome} {reason}", [0, 0, 0])
        held[0] += 1
        held[1] += n_bytes or 0
        held[2] += n_tokens or 0
