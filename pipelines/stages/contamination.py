"""Test sets: what of them stands in a document (spec: test sets)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import BeforeValidator, Field

from filters.limits import Limit
from massivetext import storage
from massivetext.batches import metadata_values
from massivetext.contamination import TestSets, Titles
from massivetext.contamination.match import hits_of
from massivetext.contamination.words import Words
from massivetext.contamination.words import words as words_of
from massivetext.looking.data_card import inline_code
from massivetext.text.hashing import HASH_VERSION
from pipelines.stages.stage import Block, Share, Stage, canonical, columns_of

__all__ = ["SHINGLES", "Contamination", "testset_index"]

SHINGLES = pa.field("contamination_shingles", pa.list_(pa.uint64()))
"""The shingles of items that stand in a document: no column of a ledger, but evidence over all parts."""


class ContaminationBlock(Block):
    """`remove: span` cuts the matches out and keeps the pieces; `max_documents` leaves shingles out of containment that
    stand in more training documents; `limits` are values of further signals from which a document is removed, null for
    none."""

    contamination: Literal["jaccard", "containment", "both"] = "both"
    jaccard: Share = 0.8
    containment: Share = 0.8
    remove: Literal["document", "span", "mark"] = "document"
    max_documents: Annotated[int, Field(ge=1)] | None = None
    limits: Annotated[
        dict[
            Literal["contamination_alignment", "contamination_passage", "contamination_reformatted", "test_items_hit"],
            Share | None,
        ],
        BeforeValidator(lambda limits: {} if limits is None else limits),
    ] = {}

    @property
    def further_limits(self) -> dict[str, float]:
        """By signal, the value from which it removes. None has one with `contamination: jaccard`, the paper's rule."""
        if self.contamination == "jaccard":
            return {}
        return {name: limit for name, limit in self.limits.items() if limit is not None}


class Contamination(Stage):
    """Find test items in documents, and remove the documents once all parts have been read."""

    name, is_later, version = "contamination", True, 4
    block, default = ContaminationBlock, ContaminationBlock()
    needs_texts = "test-set filtering comes after the per-document rules, from what the texts were compared with"

    @property
    def testsets(self) -> list[Any]:
        return list(self.context.option("testsets", ()))

    def load(self) -> None:
        if self.testsets:
            self._index()

    def _index(self) -> TestSets:
        """Of a run what it has prepared; elsewhere read from the sets' own files."""
        if self.context.folder:
            return _testsets(testset_index(self.context.folder))
        return _read_testsets(json.dumps([one.model_dump() for one in self.testsets], sort_keys=True))

    @property
    def _takes_titles(self) -> bool:
        """Whether titles are removed from the subset where a test set names no subsets (`titles_in`)."""
        return bool(self.context.option("titles", {}).get(self.context.subset))

    def _titles(self) -> list[tuple[str, Titles]]:
        return [
            (one.name, _titles(one.path if one.titles is True else one.titles))
            for one in self.testsets
            if one.titles and (self.context.subset in one.titles_in if one.titles_in else self._takes_titles)
        ]

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        if not self.testsets:
            return {}
        texts = batch.column("text")
        words = words_of(texts)
        columns = columns_of(self._index().measure(texts, words=words))
        columns[SHINGLES.name] = _shingles(self._index(), words)
        titles = self._titles()
        if titles:
            columns["test_title"] = _title(metadata_values(batch, "title"), titles)
        return columns

    @classmethod
    def columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        return _COLUMNS

    def limit_in_words(self, signal: str) -> str:
        block = self.settings
        if signal == "jaccard":
            return f"{block.jaccard:g} or less" if block.contamination != "containment" else "no limit"
        if signal == "containment":
            return f"below {block.containment:g}" if block.contamination != "jaccard" else "no limit"
        limit = block.further_limits.get(f"contamination_{signal}")
        return "no limit" if limit is None else f"below {limit:g}"

    def limited_signals(self) -> dict[str, Limit]:
        block = self.settings
        containment = "contamination_containment" + ("" if block.max_documents is None else "_rare")
        is_judged = {name: block.contamination in (name, "both") for name in ("jaccard", "containment")}
        return {
            "contamination_jaccard": Limit(max=block.jaccard) if is_judged["jaccard"] else Limit(),
            containment: Limit(below=block.containment) if is_judged["containment"] else Limit(),
        }

    def settings_in_words(self) -> list[tuple[str, str]]:
        block = self.settings
        if not self.testsets:
            return []
        measures = ("jaccard", "containment") if block.contamination == "both" else (block.contamination,)
        limits = {"jaccard": f"J <= {block.jaccard:g}", "containment": f"containment < {block.containment:g}"}
        names = ", ".join(inline_code(testset.name) for testset in self.testsets)
        kept = " and ".join(limits[measure] for measure in measures)
        return [("contamination", f"{kept} with every item of {names}; else removed: {block.remove}")]

    @classmethod
    def value_in_words(cls, row: Mapping[str, Any], signal: str) -> Any:
        if signal == "title":
            return row["test_title"]
        rare = row.get("contamination_containment_rare") if signal == "containment" else None
        return row[f"contamination_{signal}"] if rare is None else rare

    def fingerprint(self) -> Any:
        """Of what is measured; the block's limits are applied later."""
        return [self.version, HASH_VERSION, canonical(self.testsets), self._takes_titles] if self.testsets else None


def testset_index(folder: str) -> str:
    """Return where the index of the recipe's test sets lies: written once, mapped by every worker."""
    return storage.join(folder, "work", "testsets.index")


@functools.lru_cache(maxsize=4)
def _testsets(path: str) -> TestSets:
    return TestSets.open(path)


@functools.lru_cache(maxsize=4)
def _read_testsets(testsets: str) -> TestSets:
    return TestSets.read(json.loads(testsets))


@functools.lru_cache(maxsize=16)
def _titles(path: str) -> Titles:
    return Titles.read(path)


def _shingles(testsets: TestSets, words: Words) -> pa.Array:
    """list<uint64>[n]: the shingles of items in each text."""
    rows, shingles = hits_of(words.hashes, words.bounds, testsets.arrays)
    offsets = np.searchsorted(rows, np.arange(len(words.bounds)))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(shingles, pa.uint64()))


def _title(names: list[str | None], titles: list[tuple[str, Titles]]) -> pa.Array:
    """`set: title` of the first test set that has a page, null if none has."""
    matches: list[str | None] = [None] * len(names)
    for testset, known in titles:
        for i, title in enumerate(known.measure(names).to_pylist()):
            if title is not None and matches[i] is None:
                matches[i] = f"{testset}: {title}"
    return pa.array(matches, pa.string())


_COLUMNS = [
    pa.field("contamination_jaccard", pa.float64()),
    pa.field("contamination_containment", pa.float64()),
    pa.field("test_set", pa.string()),
    pa.field("test_item", pa.int64()),
    pa.field("test_items_hit", pa.int64()),
    pa.field("test_span", pa.string()),
    pa.field("contamination_jaccard_set", pa.string()),
    pa.field("contamination_jaccard_item", pa.int64()),
    pa.field("contamination_alignment", pa.float64()),
    pa.field("contamination_alignment_set", pa.string()),
    pa.field("contamination_alignment_item", pa.int64()),
    pa.field("contamination_alignment_span", pa.string()),
    pa.field("contamination_passage", pa.float64()),
    pa.field("contamination_passage_set", pa.string()),
    pa.field("contamination_passage_item", pa.int64()),
    pa.field("contamination_passage_span", pa.string()),
    pa.field("contamination_reformatted", pa.float64()),
    pa.field("contamination_reformatted_set", pa.string()),
    pa.field("contamination_reformatted_item", pa.int64()),
    pa.field("contamination_reformatted_span", pa.string()),
    pa.field("contamination_containment_rare", pa.float64()),
    pa.field("contamination_containment_rare_set", pa.string()),
    pa.field("contamination_containment_rare_item", pa.int64()),
    pa.field("test_title", pa.string()),
    pa.field("pieces", pa.int64()),
]
