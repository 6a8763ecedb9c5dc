"""Signals of a document that depend on the other documents of its subset, measured after deduplication."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import pyarrow as pa
from pydantic import Field

from filters import host_lines
from filters.limits import Limit
from massivetext.dedup.spans import SPAN, SPANS_VERSION
from pipelines.stages.stage import Block, Stage

__all__ = ["HostLines", "Spans"]


class _Compared(Stage):
    """A stage that measures one signal after deduplication, and removes nothing by it."""

    is_later, in_pass = True, False
    signal: str

    @classmethod
    def later_columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        return [pa.field(cls.signal, pa.float64())]

    @classmethod
    def signals(cls) -> list[str]:
        return [cls.signal]

    def limited_signals(self) -> dict[str, Limit]:
        return {self.signal: Limit()}


class Spans(_Compared):
    """Measure which share of a document's words stands elsewhere in its subset, in spans of 50 words.

    It is measured after deduplication, among the documents that stay; nothing is removed by it.
    """

    name, version, signal = "spans", SPANS_VERSION, "duplicate_span_fraction"

    def settings_in_words(self) -> list[tuple[str, str]]:
        return [("duplicate_span_fraction", f"measured in spans of {SPAN} words, among all documents of the subset")]


class HostLinesBlock(Block):
    """`max_pages`: on how many pages of a host a line may stand before its characters count."""

    max_pages: Annotated[int, Field(ge=1)] = host_lines.MAX_PAGES


class HostLines(_Compared):
    """Measure which share of a page's characters is in lines that stand on many pages of its host."""

    name, version, signal = "host_lines", host_lines.VERSION, "host_line_fraction"
    block, default = HostLinesBlock, HostLinesBlock()

    def settings_in_words(self) -> list[tuple[str, str]]:
        return [(self.signal, f"measured in lines on more than {self.settings.max_pages:,} pages of a host")]
