"""Safe search: a page's score by block lists, a classifier and the density of terms."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from filters import block_list, classifier, safe_search
from filters.limits import Limit, violations
from pipelines.stages.stage import (
    Block,
    LimitBlock,
    Path,
    Stage,
    Switch,
    columns_of,
    faults_of,
    limit_in_words,
    range_in_words,
)

__all__ = ["SafeSearch"]


class SafeSearchBlock(Block):
    """`terms` is a file of `weight<TAB>term` lines, `model` a classifier's file; true for the packaged one, false for
    none."""

    safe_search_score: LimitBlock | None = None
    block_lists: list[Path] = []
    terms: Switch = True
    model: Switch = True


class SafeSearch(Stage):
    """Remove pages that the safe-search score finds unsafe (paper, appendix A.1, "content filtering")."""

    name = "safe_search"
    judges = True
    version = getattr(safe_search, "VERSION", 1)
    block, default, is_required = SafeSearchBlock, SafeSearchBlock(), True
    kernels, compiled_by = ("filters.safe_search",), ("filters.warm_up:safe_search_of_texts",)
    needs_texts = "scores would have to be measured again"

    def load(self) -> None:
        safe_search.measure(pa.array(["text"], pa.large_string()), terms=self._terms(), model=self.settings.model)
        _block_list(tuple(self.settings.block_lists))

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        urls = batch.column("url") if "url" in batch.schema.names else None
        return columns_of(
            safe_search.measure(
                batch.column("text"),
                urls,
                block_list=_block_list(tuple(self.settings.block_lists)),
                terms=self._terms(),
                model=self.settings.model,
            )
        )

    def _terms(self) -> tuple[tuple[float, str], ...]:
        terms = self.settings.terms
        return () if terms is False else safe_search.read_terms(None if terms is True else terms)

    def faults(self) -> list[str]:
        faults = faults_of(self._terms)
        if isinstance(self.settings.model, str):
            faults += faults_of(lambda: classifier.load(self.settings.model))
        return faults + faults_of(lambda: block_list.files_of(self.settings.block_lists))

    def judged_columns(self) -> list[str]:
        return [] if self.settings.safe_search_score is None else ["safe_search_score"]

    def verdict(self, columns: pa.RecordBatch) -> dict[str, np.ndarray]:
        limit = self.settings.safe_search_score
        return {} if limit is None else violations(columns, {"safe_search_score": limit.limit()})

    @classmethod
    def columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        return [pa.field("safe_search_score", pa.float64()), pa.field("safe_search_evidence", pa.string())]

    def limit_in_words(self, signal: str) -> str:
        return limit_in_words(self.settings.safe_search_score)

    def limited_signals(self) -> dict[str, Limit]:
        limit = self.settings.safe_search_score
        return {"safe_search_score": Limit() if limit is None else limit.limit()}

    def settings_in_words(self) -> list[tuple[str, str]]:
        limit = self.settings.safe_search_score
        return [] if limit is None else [("safe_search.safe_search_score", range_in_words(limit))]

    @classmethod
    def is_limit(cls, names: list[str]) -> bool:
        return names[0] == "safe_search_score"


@functools.lru_cache(maxsize=8)
def _block_list(paths: tuple[str, ...]) -> safe_search.BlockList | None:
    """Read once a process, however many batches there are."""
    return safe_search.BlockList.read(list(paths)) if paths else None
