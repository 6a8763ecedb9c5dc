"""Signals of a document that depend on the other documents of its subset, measured after deduplication."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from filters import host_lines
from filters.limits import Limit, violations
from massivetext.dedup.spans import SPAN, SPANS_VERSION
from pipelines.stages.stage import Block, OptionalLimit, Stage, canonical, limit_in_words

__all__ = ["HostLines", "Spans"]


class _Compared(Stage):
    """A stage that measures one signal after deduplication, and removes by it only where its block has a limit."""

    is_later, in_pass = True, False
    signal: str

    @property
    def limit(self) -> Limit:
        own = getattr(self.settings, self.signal)
        return Limit() if own is None else own.limit()

    @classmethod
    def later_columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        return [pa.field(cls.signal, pa.float64())]

    @classmethod
    def signals(cls) -> list[str]:
        return [cls.signal]

    def judged_columns(self) -> list[str]:
        return [self.signal]

    def verdict(self, columns: pa.RecordBatch) -> dict[str, np.ndarray]:
        return violations(columns, self.limited_signals())

    def limited_signals(self) -> dict[str, Limit]:
        return {self.signal: self.limit}

    def limit_in_words(self, signal: str) -> str:
        return limit_in_words(self.limit)

    def settings_in_words(self) -> list[tuple[str, str]]:
        words = self.limit_in_words(self.signal)
        return [(f"{self.name}.{self.signal}", f"{words}, {self._how()}")]

    def _how(self) -> str:
        """Return how the signal is measured, for the data card."""
        raise NotImplementedError

    def fingerprint(self) -> Any:
        # The limit is applied to values that are already there.
        return [self.version, canonical(self.settings.model_copy(update={self.signal: None}))]

    @classmethod
    def is_limit(cls, names: list[str]) -> bool:
        return names in ([cls.signal, "min"], [cls.signal, "max"], [cls.signal])


class SpansBlock(Block):
    """`duplicate_span_fraction`: which share of a document's words may stand elsewhere; any, by default."""

    duplicate_span_fraction: OptionalLimit = None


class Spans(_Compared):
    """Measure which share of a document's words stands elsewhere in its subset, in spans of 50 words.

    It is measured after deduplication, among the documents that stay.
    """

    name, version, signal = "spans", SPANS_VERSION, "duplicate_span_fraction"
    block, default = SpansBlock, SpansBlock()

    def _how(self) -> str:
        return f"measured in spans of {SPAN} words, among all documents of the subset"


class HostLinesBlock(Block):
    """`max_pages`: on how many pages of a host a line may stand before its characters count; `host_line_fraction`:
    which share of a page's characters may be in such lines; any, by default."""

    max_pages: Annotated[int, Field(ge=1)] = host_lines.MAX_PAGES
    host_line_fraction: OptionalLimit = None


class HostLines(_Compared):
    """Measure which share of a page's characters is in lines that stand on many pages of its host."""

    name, version, signal = "host_lines", host_lines.VERSION, "host_line_fraction"
    block, default = HostLinesBlock, HostLinesBlock()

    def _how(self) -> str:
        return f"measured in lines on more than {self.settings.max_pages:,} pages of a host"
