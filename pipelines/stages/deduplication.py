"""Exact and near-duplicates (spec: duplicates)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import Field, model_validator

from massivetext.dedup import plan
from massivetext.text.hashing import HASH_VERSION
from pipelines.stages.stage import Block, Path, Stage

__all__ = ["Deduplication"]

Threshold = Annotated[float, Field(gt=0, lt=1)]


class DeduplicationBlock(Block):
    threshold: Threshold = 0.8
    recall: Threshold = 0.99
    keep: Literal["random", "longest", "newest", "first"] = "random"
    across: list[str] = []
    against: list[Path] = []
    newest_capture: bool = False
    only_against: bool = False

    @model_validator(mode="after")
    def _possible(self) -> DeduplicationBlock:
        if self.only_against and not self.against:
            raise ValueError("only_against is set, but against names no index to compare with")
        return self


class Deduplication(Stage):
    """Remove copies and near-duplicates. The pass over the text leaves the evidence; the rest needs all documents."""

    name, is_later = "deduplication", True
    block, default = DeduplicationBlock, DeduplicationBlock()
    kernels, compiled_by = ("massivetext.dedup.digests",), ("massivetext.warm_up:duplicates_of_texts",)
    needs_texts = "duplicates are found from the texts, after the per-document rules"

    @classmethod
    def columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        return [pa.field("partner_id", pa.string()), pa.field("partner_jaccard", pa.float64())]

    def limit_in_words(self, signal: str) -> str:
        return f"J {self.settings.threshold:g} or less with any kept"

    def settings_in_words(self) -> list[tuple[str, str]]:
        block = self.settings
        return [
            (
                "deduplication",
                f"removed: equal text, or J > {block.threshold:g} of 13-grams; kept of these: {block.keep}",
            )
        ]

    @classmethod
    def value_in_words(cls, row: Mapping[str, Any], signal: str) -> Any:
        jaccard = row["partner_jaccard"]
        return f"of {row['partner_id']}" + ("" if jaccard is None else f", J {jaccard:.6f}")

    def fingerprint(self) -> Any:
        """Of the evidence, which is all that the pass over the text makes of it."""
        banding = plan(self.settings.threshold, self.settings.recall)
        return [self.version, banding.bands, banding.rows, HASH_VERSION]
