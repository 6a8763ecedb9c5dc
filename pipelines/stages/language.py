"""English only, or whatever languages a recipe keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from filters import language
from filters.limits import Limit
from massivetext.suggestions import did_you_mean
from pipelines.stages.stage import Block, Path, Share, Stage, columns_of, faults_of

__all__ = ["Language", "unknown_languages"]


def unknown_languages(key: str, codes: Iterable[str]) -> list[str]:
    """Return a fault for each language that the packaged model does not know. key: of the recipe, for the message."""
    return [
        f"{key}.{code}: the packaged model knows no such language; expected a code such as en, de or zh"
        + did_you_mean(code.lower(), language.CODES)
        for code in codes
        if code not in language.CODES
    ]


class LanguageBlock(Block):
    """`keep`: least score of each language that is kept. `model`: a fastText file of one's own."""

    keep: dict[str, Share]
    model: Path | None = None


class Language(Stage):
    """Keep documents of some languages, by fastText lid.176 on a sample of the text (spec: language)."""

    name = "language"
    judges = True
    version = getattr(language, "VERSION", 1)
    block, default, is_required = LanguageBlock, LanguageBlock(keep={"en": 0.65}), True
    kernels, compiled_by = ("filters.language",), ("filters.warm_up:language_of_texts",)
    needs_texts = "languages would have to be told again"

    def load(self) -> None:
        language.measure(pa.array(["text"], pa.large_string()), model=self.settings.model)

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        return columns_of(language.measure(batch.column("text"), model=self.settings.model))

    def faults(self) -> list[str]:
        if not self.settings.model:
            return unknown_languages("language.keep", self.settings.keep)
        return faults_of(lambda: language.load(self.settings.model))

    def judged_columns(self) -> list[str]:
        return ["language", "language_score"]

    def verdict(self, columns: pa.RecordBatch) -> dict[str, np.ndarray]:
        broken = language.broken(columns, self.settings.keep)
        return {reason.partition(".")[2]: mask for reason, mask in broken.items()}

    @classmethod
    def columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        return [
            pa.field("language", pa.string()),
            pa.field("language_score", pa.float64()),
            pa.field("languages", language.LANGUAGES),
        ]

    def for_language(self, language: str | None) -> Language:
        least = self.settings.keep.get(language or "")
        if least is None:
            return self
        return type(self)(self.settings.model_copy(update={"keep": {language: least}}), self.context)

    def limit_in_words(self, signal: str) -> str:
        return ", ".join(f"{name} from {least:g}" for name, least in self.settings.keep.items()) or "none"

    def limited_signals(self) -> dict[str, Limit]:
        # With several languages kept each has its own least score: one line would be wrong for the others.
        least = list(self.settings.keep.values())
        return {"language_score": Limit(least[0]) if len(least) == 1 else Limit()}

    def limits_by_language(self) -> dict[str, dict[str, Limit]]:
        return {"language_score": {code: Limit(least) for code, least in self.settings.keep.items()}}

    def settings_in_words(self) -> list[tuple[str, str]]:
        kept = ", ".join(f"{code} >= {share:g}" for code, share in sorted(self.settings.keep.items()))
        return [("language.keep", kept)]

    @classmethod
    def value_in_words(cls, row: Mapping[str, Any], signal: str) -> Any:
        return f"{row['language']} {row['language_score']}"

    @classmethod
    def is_limit(cls, names: list[str]) -> bool:
        return names[0] == "keep"
