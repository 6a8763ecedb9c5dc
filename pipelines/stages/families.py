"""The rule families: stages whose block in a recipe is `signal: {min, max}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast

import pyarrow as pa
from pydantic import Field

from filters import c4, fineweb, quality, repetition, stop_words
from massivetext.batches import with_columns, with_measures
from pipelines.stages.rule_family import RuleFamily, family_block
from pipelines.stages.stage import Block, columns_of

__all__ = ["C4", "FineWeb", "Quality", "Repetition"]


Words = Literal["spaces", "written"]
"""How text is cut into words: at spaces, or with each code point of a script without spaces as a word of its own."""

StopWords = Literal["english", "iso"] | dict[str, list[str]]
"""Whose stop words count: the paper's eight for every text, or of each language its own (docs/language.md)."""

QualityBlock = family_block(
    "QualityBlock", __name__, quality.Limits, words=(Words, "spaces"), stop_words=(StopWords, "english")
)
RepetitionBlock = family_block("RepetitionBlock", __name__, repetition.Limits, words=(Words, "spaces"))


class LinesBlock(Block):
    """Which lines are removed before anything is measured (`filters.c4.LineRules`)."""

    terminal_punctuation: bool = True
    min_words: Annotated[int, Field(ge=0)] = 5
    max_word_length: Annotated[int, Field(ge=0)] = 1000
    javascript: bool = True
    policy: bool = True
    citations: bool = True


C4Block = family_block("C4Block", __name__, c4.Limits, lines=(LinesBlock | Literal[False], False))
FineWebBlock = family_block("FineWebBlock", __name__, fineweb.Limits)


class Quality(RuleFamily):
    """Gopher's quality rules (paper, appendix A.1.1)."""

    name, limits, always_in_ledger, is_required = "quality", quality.Limits, True, True
    block = QualityBlock
    kernels, compiled_by = ("filters.one_pass",), ("filters.warm_up:rules_of_texts",)

    @property
    def words(self) -> Words:
        return cast(Words, self.settings.words)

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        return self.with_stop_words(batch, columns_of(quality.measure(batch.column("text"), words=self.words)))

    def _lists(self) -> dict[str, Sequence[str]]:
        chosen = self.settings.stop_words
        if chosen == "iso":
            return {code: stop_words.listed(code) for code in stop_words.known_languages()}
        return {} if chosen == "english" else dict(chosen)

    def with_stop_words(self, batch: pa.RecordBatch, columns: Mapping[str, pa.Array]) -> Mapping[str, pa.Array]:
        """Return the quality columns of a batch with the stop words of each document's language."""
        chosen = self.settings.stop_words
        if chosen == "english" or "language" not in batch.schema.names:
            return columns
        counts = stop_words.with_languages(
            columns["stop_word_count"],
            batch.column("text"),
            batch.column("language"),
            self._lists(),
            others=chosen == "iso",
        )
        return {**columns, "stop_word_count": counts}

    def keys_for_language(self) -> list[str]:
        return super().keys_for_language() + ([] if self.settings.stop_words == "english" else ["stop_words"])

    def fingerprint(self) -> Any:
        if self.settings.stop_words == "english":
            return super().fingerprint()
        version = stop_words.package_version() if self.settings.stop_words == "iso" else None
        return [super().fingerprint(), stop_words.VERSION, version]


class Repetition(RuleFamily):
    """Gopher's repetition rules (paper, table A1)."""

    name, limits, always_in_ledger, is_required = "repetition", repetition.Limits, True, True
    block = RepetitionBlock
    kernels, compiled_by = ("filters.one_pass",), ("filters.warm_up:rules_of_texts",)

    @property
    def words(self) -> Words:
        return cast(Words, self.settings.words)

    def measure_options(self) -> dict[str, Any]:
        """Return the options of `filters.repetition.measure`."""
        return {"count_duplicates": self.context.option("count_duplicates", "all"), "words": self.words}

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        return columns_of(repetition.measure(batch.column("text"), **self.measure_options()))

    def fingerprint(self) -> Any:
        return [super().fingerprint(), self.measure_options()]


class C4(RuleFamily):
    """What C4 removes a page for, and with `lines`, which of its lines.

    Lines are removed before the other stages measure the text. The page's signals are then counted in the remaining
    lines, as the published code does.
    """

    name, limits, rewrites_text = "c4", c4.Limits, True
    version = c4.LINES_VERSION
    block = C4Block

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        lines = self.settings.lines
        if not lines:
            return super().apply(batch)
        cleaned = c4.remove_lines(batch.column("text"), c4.LineRules(**lines.model_dump()))
        counts = {f"c4_{name}": column for name, column in columns_of(cleaned.counts).items()}
        columns = with_measures(batch, lambda _: columns_of(cleaned.page) | counts)
        return with_columns(columns, {"text": cleaned.texts})

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        return columns_of(c4.measure(batch.column("text")))

    @classmethod
    def columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        return [*super().columns(options), *(pa.field(f"c4_{name}", pa.int64()) for name in c4.LINE_COUNTS)]


class FineWeb(RuleFamily):
    """FineWeb's own rules (arXiv 2406.17557)."""

    name, limits = "fineweb", fineweb.Limits
    block = FineWebBlock

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        return columns_of(fineweb.measure(batch.column("text")))
