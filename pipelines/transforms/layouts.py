"""What the passes write: the files of a part, and which rows of a batch go into which."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import dedup
from massivetext.batches import Place, filled, has_text, is_outcome, place_of
from massivetext.contamination.rare import EVIDENCE_SCHEMA
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.timestamps import count_unreadable
from pipelines.recipe import Recipe, measures_schema
from pipelines.stages.contamination import SHINGLES

__all__ = ["CurateLayout"]


@dataclass(frozen=True)
class CurateLayout:
    """What the pass over the text leaves: curated and rejected texts, measures, and evidence for the later stages."""

    recipe: Recipe
    stage = "curate"

    def schemas(self, subset: str) -> dict[str, pa.Schema]:
        recipe = self.recipe
        schemas = {"curated": DOCUMENT_SCHEMA, "work/ledger": measures_schema(recipe)}
        if recipe.rejected != "none":
            schemas["rejected"] = DOCUMENT_SCHEMA
        if recipe.goes_through(subset, "deduplication"):
            schemas["work/evidence"] = dedup.evidence_schema(self._banding(subset))
        if recipe.is_tested(subset):
            schemas["work/contamination"] = EVIDENCE_SCHEMA
        return schemas

    def _banding(self, subset: str) -> dedup.Banding:
        block = self.recipe.block(subset, "deduplication")
        return dedup.plan(block.threshold, block.recall)

    def tables(self, batch: pa.RecordBatch, place: Place) -> dict[str, pa.Table]:
        schemas = self.schemas(place.subset)
        kept = is_outcome(batch, "kept")
        documents = _documents(batch)
        tables = {
            "work/ledger": filled(batch, schemas["work/ledger"]),
            "curated": documents.filter(pa.array(kept)),
        }
        if "rejected" in schemas:
            rejected = is_outcome(batch, "rejected") & has_text(batch).to_numpy(zero_copy_only=False)
            if not isinstance(self.recipe.rejected, str):
                rejected &= _sample(batch.column("id").to_pylist(), self.recipe.seed, self.recipe.rejected)
            tables["rejected"] = documents.filter(pa.array(rejected))
        if "work/evidence" in schemas:
            tables["work/evidence"] = self._evidence(batch, np.flatnonzero(kept), place)
        if "work/contamination" in schemas:
            tables["work/contamination"] = _shingles(batch, kept, place.first_row)
        return tables

    def _evidence(self, batch: pa.RecordBatch, chosen: np.ndarray, place: Place) -> pa.Table:
        """The evidence of duplicates of the chosen rows, in order."""
        banding = self._banding(place.subset)
        rows = batch.select(["text", "id", "timestamp", "url", "source"]).take(pa.array(chosen))
        evidence = dedup.evidence(
            rows.column("text"),
            rows.column("id"),
            source=rows.column("source"),
            banding=banding,
            timestamps=rows.column("timestamp"),
            urls=rows.column("url"),
        )
        return pa.Table.from_batches([evidence.cast(dedup.evidence_schema(banding))])

    def count(self, batch: pa.RecordBatch, counts: dict[str, Any]) -> None:
        """Times of kept documents that `keep: newest` cannot read. What was read is counted by the reader, outcomes by
        the final ledger."""
        place = place_of(batch)
        if place is not None and self.recipe.goes_through(place.subset, "deduplication"):
            stamps = batch.column("timestamp").filter(pa.array(is_outcome(batch, "kept")))
            n_unreadable = count_unreadable(stamps.to_pylist())
            if n_unreadable:
                counts["timestamps_unreadable"] = counts.get("timestamps_unreadable", 0) + n_unreadable


def _documents(batch: pa.RecordBatch) -> pa.Table:
    """DOCUMENT_SCHEMA; rows without text have an empty one, and are for the caller to leave out."""
    n = batch.num_rows
    given = {"text": pc.fill_null(batch.column("text"), "")}
    for name in ("n_bytes", "n_tokens"):
        column = batch.column(name) if name in batch.schema.names else pa.nulls(n, pa.int64())
        given[name] = pc.fill_null(column, 0)
    return filled(batch, DOCUMENT_SCHEMA, given)


def _shingles(batch: pa.RecordBatch, chosen: np.ndarray, first_row: int) -> pa.Table:
    """EVIDENCE_SCHEMA of the chosen rows (bool[n]), numbered from first_row."""
    if SHINGLES.name in batch.schema.names:
        listed = batch.column(SHINGLES.name)
    else:
        listed = pa.nulls(len(chosen), SHINGLES.type)
    listed = pc.if_else(pa.array(chosen), listed, pa.scalar(None, SHINGLES.type))
    rows = pc.add(pc.list_parent_indices(listed).cast(pa.int64()), first_row)
    return pa.Table.from_arrays([rows, pc.list_flatten(listed)], schema=EVIDENCE_SCHEMA)


_SAMPLE_KEY = b"massivetext rejected"


def _sample(ids: list[str], seed: int, share: float) -> np.ndarray:
    """bool[n]: the seeded sample, by id, so that it does not depend on which part a document is in."""
    limit = int(share * 2**64)
    salt = seed.to_bytes(8, "little")
    digests = (blake2b(name.encode(), digest_size=8, key=salt, person=_SAMPLE_KEY[:16]).digest() for name in ids)
    return np.array([int.from_bytes(digest, "big") < limit for digest in digests], dtype=bool)
