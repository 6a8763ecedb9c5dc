"""The per-document pass: part in; curated, rejected and ledger rows and the evidence for later stages out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pyarrow as pa

from massivetext import dedup, extraction, isolation, readers
from massivetext.contamination.rare import EVIDENCE_SCHEMA
from massivetext.documents import DOCUMENT_SCHEMA, Record, document_id
from massivetext.errors import LimitError, RecordError, SourceError, TimeLimitError
from massivetext.parquet import ParquetOutput
from massivetext.removed import held_removed
from pipelines.execution import Marker
from pipelines.folder import Folder
from pipelines.measures import Measures
from pipelines.parts import Part
from pipelines.recipe import Isolation, Recipe

__all__ = ["CuratePart"]

BATCH_BYTES = 8 << 20
BATCH_RECORDS = 2048
"""A batch is closed by whichever comes first; both depend on the input alone, so batches are the same in every run."""


@dataclass(frozen=True)
class CuratePart:
    """The task for one part. Picklable; writes its marker last."""

    folder: Folder
    recipe: Recipe
    part: Part
    fingerprint: str
    blamed: tuple[isolation.Blame, ...] = ()

    def without(self, blame: isolation.Blame) -> CuratePart:
        """The same part, with one more document left out for what it did to its process."""
        return replace(self, blamed=(*self.blamed, blame))

    @property
    def marker(self) -> str:
        return self.folder.marker("curate", self.part.subset, self.part.name)

    @property
    def weight(self) -> int:
        return self.part.n_bytes

    def __call__(self) -> None:
        limits = self.recipe.isolation or Isolation()
        with isolation.limited(limits.seconds, limits.memory, self.blamed):
            self.curate(self._records)

    def give_up(self, message: str) -> None:
        """Settle a part that no worker could read: one row that says so."""
        reason = "failed.part"
        self.curate(lambda counts: iter([Record(self.part.start, outcome="failed", reason=reason)]), (message,))

    def prepare(self) -> Measures:
        """The measures of the part's subset; models, indexes and kernels are loaded here, once a process."""
        _compile(self.recipe.block(self.part.subset, "extraction").engine)
        return _measures(self.recipe.model_dump_json(), self.part.subset, self.folder.root)

    def curate(self, records: object, failures: tuple[str, ...] = ()) -> None:
        part, recipe = self.part, self.recipe
        measures = self.prepare()
        block = recipe.block(part.subset, "deduplication")
        banding = dedup.plan(block.threshold, block.recall)
        counts: Counter[str] = Counter()
        schemas = {"curated": DOCUMENT_SCHEMA, "work/ledger": measures.schema}
        if recipe.rejected != "none":
            schemas["rejected"] = DOCUMENT_SCHEMA
        if recipe.goes_through(part.subset, "deduplication"):
            schemas["work/evidence"] = dedup.evidence_schema(banding)
        if measures.testsets is not None:
            schemas["work/contamination"] = EVIDENCE_SCHEMA
        with ExitStack() as stack:
            outputs = {
                kind: stack.enter_context(ParquetOutput(self.folder.part(kind, part.subset, part.name), schema))
                for kind, schema in schemas.items()
            }
            try:
                for batch in _batches(self._read(records(counts))):  # type: ignore[operator]
                    self._write(batch, measures, banding, outputs, counts)
            except SourceError as error:
                # What was read before the fault stays; the fault is the part's, and the run's to report.
                failures = (*failures, str(error))
                if not counts["records"]:
                    failed = Record(part.start, outcome="failed", reason="failed.unreadable")
                    self._write([failed], measures, banding, outputs, counts)
        summaries = {f"{kind}/{part.subset}/{part.name}.parquet": output.summary for kind, output in outputs.items()}
        Marker(self.fingerprint, self.folder.outputs(summaries), dict(counts), failures).write(self.marker)

    def _records(self, counts: Counter[str]) -> Iterator[Record]:
        part = self.part
        return readers.read_part(
            part.path, part.format, start=part.start, stop=part.stop, options=part.fields, counts=counts
        )

    def _read(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records, without the text of those that are known to end the process that works on them. Where reading
        itself does, it stops there."""
        part, n, offset = self.part, 0, self.part.start - 1
        removed = held_removed(self.folder.root)
        while True:
            reason = isolation.reading_ends(n)
            if reason is not None:
                yield Record(offset + 1, outcome="failed", reason=reason)
                raise SourceError(
                    f"{part.path}: {reason}: nothing is read after record {n}; the next run tries it again"
                )
            isolation.begin("reading", n, part.n_bytes, isolation.READING)
            record = next(records, None)
            if record is None:
                return
            n, offset = n + 1, record.offset
            reason = isolation.failure(record.offset)
            if reason is not None:
                record = replace(record, text=None, page=None, outcome="failed", reason=reason)
            if removed:
                reason = removed.reason(document_id(part.subset, part.source, record.offset), record.url)
                if reason is not None:
                    record = replace(record, text=None, page=None, outcome="rejected", reason=reason)
            yield record

    def _write(
        self,
        records: list[Record],
        measures: Measures,
        banding: dedup.Banding,
        outputs: dict[str, ParquetOutput],
        counts: Counter[str],
    ) -> None:
        part, recipe = self.part, self.recipe
        measured = measures.measure([self._extract(record) for record in records])
        isolation.end()
        ids = [document_id(part.subset, part.source, record.offset) for record in records]
        outputs["work/ledger"].write(measured.ledger(ids, part.subset, part.source))
        first_row = counts["records"]
        counts["records"] += len(records)
        counts["undecodable"] += sum(record.n_replaced for record in records)
        kept = measured.outcome_is("kept")
        rows = measured.documents(ids, part.subset, part.source)
        outputs["curated"].write(rows.filter(pa.array(kept)))
        if "rejected" in outputs:
            rejected = measured.outcome_is("rejected") & measured.texts.is_valid().to_numpy(zero_copy_only=False)
            if not isinstance(recipe.rejected, str):
                rejected &= _sample(ids, recipe.seed, recipe.rejected)
            outputs["rejected"].write(rows.filter(pa.array(rejected)))
        if "work/evidence" in outputs:
            outputs["work/evidence"].write(measured.evidence(np.flatnonzero(kept), ids, part.source, banding))

        if "work/contamination" in outputs:
            outputs["work/contamination"].write(measured.shingles(kept, first_row))

    def _extract(self, record: Record) -> Record:
        """The record with its page turned to text; a page that cannot be is a failed record, and no one else's harm."""
        if record.page is None or record.outcome is not None:
            return record
        block = self.recipe.block(self.part.subset, "extraction")
        isolation.begin("extraction", record.offset, len(record.page))
        try:
            text = extraction.extract(
                record.page, engine=block.engine, url=record.url, content_type=record.content_type, fast=block.fast
            )
        except RecordError as error:
            return replace(record, page=None, outcome="failed", reason=f"failed.{error.reason}")
        except TimeLimitError:
            return replace(record, page=None, outcome="failed", reason="failed.timeout in extraction")
        except LimitError:
            return replace(record, page=None, outcome="failed", reason="failed.limit in extraction")
        except Exception as error:  # an engine's own fault with one page
            return replace(record, page=None, outcome="failed", reason=f"failed.{type(error).__name__} in extraction")
        return replace(record, page=None, text=text)


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Records in lists of at most BATCH_RECORDS and about BATCH_BYTES of content. What a reader raises is passed on
    after the records that came before it."""
    batch: list[Record] = []
    size = 0
    fault: SourceError | None = None
    while True:
        try:
            record = next(records)
        except StopIteration:
            break
        except SourceError as error:
            fault = error
            break
        batch.append(record)
        size += len(record.page or b"") + len(record.text or "")
        if size >= BATCH_BYTES or len(batch) >= BATCH_RECORDS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
    if fault is not None:
        raise fault


def _sample(ids: list[str], seed: int, share: float) -> np.ndarray:
    """bool[n]: the seeded sample, by id, so that it does not depend on which part a document is in."""
    limit = int(share * 2**32)
    return np.array([(int(name[:8], 16) ^ (seed & 0xFFFFFFFF)) < limit for name in ids], dtype=bool)


@lru_cache(maxsize=8)
def _measures(recipe: str, subset: str, folder: str) -> Measures:
    """Models and indexes are loaded once a process, not once a part."""
    return Measures(Recipe.model_validate_json(recipe), subset, Folder(folder))


@lru_cache
def _compile(engine: str) -> None:
    """Kernels of an engine are compiled here, for that is no page's time."""
    if engine in extraction.ENGINES:
        extraction.extract(b"<p>A page.</p>", engine=engine)
