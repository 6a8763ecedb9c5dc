"""Everything that is measured of a batch of documents, and the verdict of the per-document stages, as ledger rows."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import c4, fineweb, language, licence, own, pii, quality, repetition, rules, safe_search
from massivetext import dedup, isolation, tokenizers
from massivetext.contamination import TestSets, Titles
from massivetext.contamination.match import hits_of
from massivetext.contamination.rare import EVIDENCE_SCHEMA
from massivetext.contamination.words import Words
from massivetext.contamination.words import words as words_of
from massivetext.documents import DOCUMENT_SCHEMA, Record
from pipelines.folder import Folder
from pipelines.judgement import broken_rules, judged_columns
from pipelines.ledger import EVIDENCE, JUDGEMENT, SHINGLES
from pipelines.recipe import RULE_FAMILIES, Recipe, load_function

__all__ = ["Measured", "Measures", "ledger_schema", "testset_index"]

_FAMILIES = {"c4": c4.measure, "fineweb": fineweb.measure}


def ledger_schema(recipe: Recipe) -> pa.Schema:
    """One row per record that could be a document. Families that no subset declares have no columns, but for those of
    the paper, which every ledger has."""
    fields = list(JUDGEMENT)
    declared = {stage for name in recipe.filled for stage in recipe.subsets[name].stages}
    for family, limits in RULE_FAMILIES.items():
        if family in ("quality", "repetition") or family in declared:
            for name in (field.name for field in dataclass_fields(limits)):
                kind = pa.int64() if name.endswith("_count") else pa.float64()
                fields.append(pa.field(name, kind))
    if "rules" in declared:
        fields += [pa.field(name, pa.float64()) for name in recipe.rules]
    return pa.schema([*fields, *EVIDENCE], metadata={"massivetext.schema": "ledger-1"})


def testset_index(folder: Folder) -> str:
    """Where the index of the recipe's test sets lies: written once, mapped by every worker."""
    return folder.path("work", "testsets.index")


@dataclass
class Measured:
    """A batch after measuring: its records, the text of those that have one, and full-length columns."""

    records: Sequence[Record]
    texts: pa.LargeStringArray
    columns: dict[str, pa.Array]
    schema: pa.Schema

    def outcome_is(self, outcome: str) -> np.ndarray:
        return pc.equal(self.columns["outcome"], outcome).to_numpy(zero_copy_only=False)

    def ledger(self, ids: Sequence[str], subset: str, source: str) -> pa.Table:
        return self._table(self.schema, self._provenance(ids, subset, source))

    def documents(self, ids: Sequence[str], subset: str, source: str) -> pa.Table:
        """DOCUMENT_SCHEMA; rows without text have an empty one, and are for the caller to leave out."""
        given = self._provenance(ids, subset, source)
        given["text"] = pc.fill_null(self.texts, "")
        given["metadata"] = pa.array(
            [sorted(record.metadata.items()) for record in self.records], DOCUMENT_SCHEMA.field("metadata").type
        )
        for name in ("n_bytes", "n_tokens"):
            # A batch without any text has no such column.
            given[name] = pc.fill_null(self.columns.get(name, pa.nulls(len(ids), pa.int64())), 0)
        return self._table(DOCUMENT_SCHEMA, given)

    def evidence(self, chosen: np.ndarray, ids: Sequence[str], source: str, banding: dedup.Banding) -> pa.Table:
        """The evidence of duplicates of the chosen rows, in order."""
        rows = pa.array(chosen)
        batch = dedup.evidence(
            self.texts.take(rows),
            [ids[i] for i in chosen],
            source=source,
            banding=banding,
            timestamps=[self.records[i].timestamp for i in chosen],
            urls=[self.records[i].url for i in chosen],
        )
        return pa.Table.from_batches([batch.cast(dedup.evidence_schema(banding))])

    def shingles(self, chosen: np.ndarray, first_row: int) -> pa.Table:
        """EVIDENCE_SCHEMA of the chosen rows (bool[n]), numbered from first_row."""
        listed = self.columns.get(SHINGLES.name, pa.nulls(len(chosen), SHINGLES.type))
        listed = pc.if_else(pa.array(chosen), listed, pa.scalar(None, SHINGLES.type))
        rows = pc.add(pc.list_parent_indices(listed).cast(pa.int64()), first_row)
        return pa.Table.from_arrays([rows, pc.list_flatten(listed)], schema=EVIDENCE_SCHEMA)

    def _provenance(self, ids: Sequence[str], subset: str, source: str) -> dict[str, pa.Array]:
        n = len(self.records)
        return {
            "id": pa.array(ids, pa.string()),
            "subset": pa.repeat(pa.scalar(subset, pa.string()), n),
            "source": pa.repeat(pa.scalar(source, pa.string()), n),
            "offset": pa.array([record.offset for record in self.records], pa.int64()),
            "url": pa.array([record.url for record in self.records], pa.string()),
            "timestamp": pa.array([record.timestamp for record in self.records], pa.string()),
        }

    def _table(self, schema: pa.Schema, given: dict[str, pa.Array]) -> pa.Table:
        n = len(self.records)
        arrays = []
        for field in schema:
            column = given.get(field.name, self.columns.get(field.name))
            arrays.append(pa.nulls(n, field.type) if column is None else column.cast(field.type))
        return pa.Table.from_arrays(arrays, schema=schema)


class Measures:
    """The measures of one subset, with the models and indexes that they need, loaded once a process."""

    def __init__(self, recipe: Recipe, subset: str, folder: Folder) -> None:
        self.recipe, self.subset = recipe, subset
        self.schema = ledger_schema(recipe)
        self.stages = set(recipe.subsets[subset].stages)
        self.count_tokens = tokenizers.counter(recipe.tokenizer)
        self.testsets = self.titles = self.block_list = None
        if "contamination" in self.stages and recipe.testsets:
            self.testsets = TestSets.open(testset_index(folder))
            if subset == "wikipedia":
                self.titles = [
                    (testset.name, Titles.read(testset.path if testset.titles is True else testset.titles))
                    for testset in recipe.testsets
                    if testset.titles
                ]
        block = recipe.block(subset, "safe_search")
        if block.block_lists:
            self.block_list = safe_search.BlockList.read(block.block_lists)
        self.terms = (
            () if block.terms is False else safe_search.read_terms(block.terms if block.terms is not True else None)
        )
        # A model that cannot be loaded stops the run here; later it would be a failure of every single document.
        text = pa.array(["text"], pa.large_string())
        if "language" in self.stages:
            language.measure(text, model=recipe.block(subset, "language").model)
        if "safe_search" in self.stages:
            safe_search.measure(text, terms=(), model=block.model)
        # Kernels are compiled here, for that is no document's time.
        self.own: dict[str, Any] = {}
        with contextlib.suppress(Exception):
            self._columns(text, [Record(0, text="text")])
        self.own = {name: load_function(rule.function) for name, rule in recipe.rules.items()}

    def measure(self, records: Sequence[Record]) -> Measured:
        """Measure a batch. A document that makes a measure raise is `failed`, and takes no other with it."""
        try:
            if len(records) == 1 or not isolation.is_alone():
                scope = isolation.DOCUMENT if len(records) == 1 else isolation.BATCH
                n_bytes = sum(len(record.text or "") for record in records)
                isolation.begin("measuring", records[0].offset, n_bytes, scope)
                return self._measure(records)
        except Exception as error:
            if len(records) == 1:
                record = records[0]
                failed = Record(
                    record.offset,
                    url=record.url,
                    timestamp=record.timestamp,
                    outcome="failed",
                    reason=f"failed.{type(error).__name__}",
                    metadata=record.metadata,
                )
                return self._measure([failed])
        half = len(records) // 2
        first, second = self.measure(records[:half]), self.measure(records[half:])
        columns = {}
        for field in (*self.schema, SHINGLES):
            found = [
                part.columns.get(field.name, pa.nulls(len(part.records), field.type)).cast(field.type)
                for part in (first, second)
            ]
            columns[field.name] = pa.concat_arrays(found)
        return Measured(records, pa.concat_arrays([first.texts, second.texts]), columns, self.schema)

    def _measure(self, records: Sequence[Record]) -> Measured:
        texts = pa.array(
            [record.text if record.outcome is None else None for record in records], pa.large_string()
        )  # null where the text could not be had
        if "pii" in self.stages:
            block = self.recipe.block(self.subset, "pii")
            texts = pii.replace(texts, emails=block.emails, ip_addresses=block.ip_addresses)
        has_text = texts.is_valid()
        rows = np.flatnonzero(has_text.to_numpy(zero_copy_only=False))
        found = texts.filter(has_text)
        # For each record its row among the texts, null for those without.
        place = np.full(len(records), -1, np.int64)
        place[rows] = np.arange(len(rows))
        at = pa.array(place, mask=place < 0)
        present: dict[str, pa.Array] = {}
        broken: dict[str, np.ndarray] = {}
        if len(rows):
            present, broken = self._columns(found, [records[i] for i in rows.tolist()])
        columns = {name: column.take(at) for name, column in present.items()}
        columns |= _verdict(records, rows, broken)
        return Measured(records, texts, columns, self.schema)

    def _columns(
        self, texts: pa.LargeStringArray, records: Sequence[Record]
    ) -> tuple[dict[str, pa.Array], dict[str, np.ndarray]]:
        """Signals of the texts, and by reason, in the order of verdicts, which of them break a rule."""
        recipe, subset, stages = self.recipe, self.subset, self.stages
        batches: list[pa.RecordBatch] = []
        columns: dict[str, pa.Array] = {
            "n_bytes": pc.binary_length(texts).cast(pa.int64()),
            "n_tokens": pa.array(self.count_tokens(texts), pa.int64()),
        }
        if "licence" in stages:
            names = pa.array([record.metadata.get("license") for record in records], pa.string())
            columns["licence"] = licence.measure(names).column("licence")
        if "language" in stages:
            isolation.at("language")
            batches.append(language.measure(texts, model=recipe.block(subset, "language").model))
        if "safe_search" in stages:
            isolation.at("safe_search")
            urls = pa.array([record.url for record in records], pa.string())
            model = recipe.block(subset, "safe_search").model
            measured = safe_search.measure(texts, urls, block_list=self.block_list, terms=self.terms, model=model)
            batches.append(measured)
        isolation.at("measuring")
        batches += self._families(texts)
        if "rules" in stages:
            isolation.at("rules")
            batches.append(own.measure(texts, self.own))
        if self.testsets is not None:
            isolation.at("contamination")
            words = words_of(texts)
            batches.append(self.testsets.measure(texts, words=words))
            columns[SHINGLES.name] = _shingles(self.testsets, words)
            if self.titles:
                named = [record.metadata.get("title") for record in records]
                columns["test_title"] = _title(named, self.titles)
        for batch in batches:
            columns |= {name: batch.column(name) for name in batch.schema.names}
        judged = pa.RecordBatch.from_pydict({name: columns[name] for name in judged_columns(recipe, subset)})
        return columns, broken_rules(judged, recipe, subset)

    def _families(self, texts: pa.LargeStringArray) -> list[pa.RecordBatch]:
        mode = self.recipe.count_duplicates
        found: list[pa.RecordBatch] = []
        if {"quality", "repetition"} <= self.stages:
            both = rules.measure(texts, count_duplicates=mode, num_hashes=1)
            found = [both.quality, both.repetition]
        elif "quality" in self.stages:
            found = [quality.measure(texts)]
        elif "repetition" in self.stages:
            found = [repetition.measure(texts, count_duplicates=mode)]
        return found + [measure(texts) for name, measure in _FAMILIES.items() if name in self.stages]


def _shingles(testsets: TestSets, words: Words) -> pa.Array:
    """list<uint64>[n]: the shingles of items in each text."""
    rows, shingles = hits_of(words.hashes, words.bounds, testsets.arrays)
    offsets = np.searchsorted(rows, np.arange(len(words.bounds)))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(shingles, pa.uint64()))


def _title(names: list[str | None], titles: list[tuple[str, Titles]]) -> pa.Array:
    """`set: title` of the first test set that has a page, null if none has."""
    found: list[str | None] = [None] * len(names)
    for testset, known in titles:
        for i, title in enumerate(known.measure(names).to_pylist()):
            if title is not None and found[i] is None:
                found[i] = f"{testset}: {title}"
    return pa.array(found, pa.string())


def _verdict(records: Sequence[Record], rows: np.ndarray, broken: dict[str, np.ndarray]) -> dict[str, pa.Array]:
    """outcome, reason and reasons of each record: what its reader or extraction said, else what its measures say."""
    outcomes = [record.outcome or ("kept" if record.text is not None else "failed") for record in records]
    reasons: list[list[str]] = [[] for _ in records]
    for i, record in enumerate(records):
        if outcomes[i] != "kept":
            reasons[i] = [record.reason or "failed.no_text"]
    for reason, mask in broken.items():
        for i in rows[mask]:
            reasons[i].append(reason)
            outcomes[i] = "rejected"
    return {
        "outcome": pa.array(outcomes, pa.string()),
        "reason": pa.array([found[0] if found else None for found in reasons], pa.string()),
        "reasons": pa.array(reasons, pa.list_(pa.string())),
    }
