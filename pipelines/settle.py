"""The final ledger of a part: its measures, and what the stages after the per-document pass made of it.

Verdicts follow the order of stages: a document that deduplication keeps may still be removed for a test set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.contamination import verdict, with_decider
from massivetext.parquet import ParquetOutput
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
        with ParquetOutput(self.folder.part("ledger", self.subset, self.name), source.schema_arrow) as output:
            for batch in source.iter_batches(1 << 14):
                settled = self._settle(batch, duplicates)
                _count(settled, counts)
                output.write(pa.Table.from_batches([settled]))
        summaries = {f"ledger/{self.subset}/{self.name}.parquet": output.summary}
        Marker(self.fingerprint, self.folder.outputs(summaries), counts).write(self.marker)

    def _duplicates(self) -> dict[str, tuple[str, str, float | None]]:
        """id -> (reason, partner, J) of the part's duplicates."""
        path = self.folder.part("work/duplicates", self.subset, self.name)
        went = "deduplication" in self.stages and self.recipe.goes_through(self.subset, "deduplication")
        if not went or not storage.exists(path):
            return {}
        rows = pq.read_table(storage.open_input(path)).to_pylist()
        return {row["id"]: (row["reason"], row["partner_id"], row["partner_jaccard"]) for row in rows}

    def _settle(self, batch: pa.RecordBatch, duplicates: dict[str, tuple[str, str, float | None]]) -> pa.RecordBatch:
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
        if "contamination" in self.stages and self.recipe.goes_through(self.subset, "contamination"):
            block = self.recipe.block(self.subset, "contamination")
            broken = verdict(
                batch,
                contamination=block.contamination,
                jaccard=block.jaccard,
                containment=block.containment,
                limits=block.limits,
            )
            batch = with_decider(batch, broken)
            broken["contamination.title"] = batch.column("test_title").is_valid().to_numpy(zero_copy_only=False)
            for reason, mask in broken.items():
                for i in np.flatnonzero(mask).tolist():
                    reasons[i].append(reason)
                    if outcomes[i] == "kept" and block.remove == "document":
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
