"""Limits of a recipe's quality rules for other languages, measured as the recipe measures them, in reference texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from filters import language as languages_of
from filters.examples import files_of, rows_of
from filters.language_limits import SIGNALS, language_limits, transferred
from massivetext.errors import RecipeError
from pipelines.recipe import Recipe
from pipelines.stages import Context
from pipelines.stages.families import Quality

__all__ = ["limits_by_language"]

PIECE = 50
"""Words of a piece, where the recipe has no least number of words."""


def limits_by_language(
    files: Sequence[str],
    recipe: Recipe,
    *,
    text: str = "text",
    field: str | None = None,
    languages: Sequence[str] | None = None,
    least_score: float = 0.65,
) -> tuple[dict[str, dict[str, dict[str, float]]], dict[str, int]]:
    """Return `by_language` of the quality rules, and how many reference texts each language has.

    Words are cut as the recipe says; stop words are those of each language, and a language without a list has no limit.

    Args:
        files: JSON lines or Parquet, with texts in English and in other languages.
        recipe: its common limits are those for English.
        text: the field of the text.
        field: that of the language's code; None: the language is identified.
        languages: only these codes; all but English if None.
        least_score: of identification, below which a text is left out.

    Raises:
        RecipeError: there are no English texts.
    """
    texts, codes = _texts(files, text, field, least_score)
    settings = recipe.common("quality").model_copy(update={"stop_words": "iso", "by_language": {}})
    stage = Quality(settings, Context())
    english_stage = Quality(recipe.common("quality"), Context())
    groups = {code: np.flatnonzero(codes == code) for code in sorted(set(codes.tolist()))}
    if "en" not in groups:
        raise RecipeError(f"{', '.join(files)}: no text is English, and limits are transferred from English")
    limits = english_stage.own_limits()
    least = limits["word_count"].min if "word_count" in limits else None
    english = _signals(english_stage, texts, codes, groups["en"], least or PIECE)
    derived, counts = {}, {"en": len(groups["en"])}
    for code, rows in groups.items():
        if code in ("en", "und") or (languages is not None and code not in languages):
            continue
        words = _measured(stage, texts, codes, rows)["word_count"]
        size = transferred(least or PIECE, english["word_count"], words) or PIECE
        own = language_limits(limits, english, _signals(stage, texts, codes, rows, size))
        counts[code] = len(rows)
        if own:
            derived[code] = own
    return derived, counts


def _texts(files: Sequence[str], text: str, field: str | None, least_score: float) -> tuple[pa.Array, np.ndarray]:
    """The reference texts and the codes of their languages; those of an uncertain language are left out."""
    rows = [row for path in files_of(files) for row in rows_of(path) if isinstance(row.get(text), str)]
    texts = pa.array([row[text] for row in rows], pa.large_string())
    if field is not None:
        return texts, np.array([str(row.get(field)) for row in rows], dtype=object)
    measured = languages_of.measure(texts)
    sure = measured.column("language_score").to_numpy() >= least_score
    codes = np.array(measured.column("language").to_pylist(), dtype=object)
    return texts.filter(pa.array(sure)), codes[sure]


def _signals(stage: Quality, texts: pa.Array, codes: np.ndarray, rows: np.ndarray, words: float) -> dict[str, Any]:
    """The signals of reference texts: the word count of whole texts, the others of pieces of about so many words, for
    a long text has other values than the shortest one that is kept (it contains nearly every stop word)."""
    whole = _measured(stage, texts, codes, rows)
    pieces, of = [], []
    for row, count in zip(rows.tolist(), whole["word_count"].tolist()):
        text = texts[row].as_py()
        size = max(1, round(len(text) * words / max(count, words)))
        cut = [text[at : at + size] for at in range(0, len(text) - size + 1, size)]
        pieces += cut
        of += [codes[row]] * len(cut)
    measured = _measured(stage, pa.array(pieces, pa.large_string()), np.array(of, object), np.arange(len(pieces)))
    return {**measured, "word_count": whole["word_count"]}


def _measured(stage: Quality, texts: pa.Array, codes: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
    batch = pa.RecordBatch.from_pydict(
        {"text": texts.take(pa.array(rows)), "language": pa.array(codes[rows].tolist(), pa.string())}
    )
    measured: dict[str, Any] = dict(stage.measure(batch))
    return {name: measured[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in SIGNALS}
