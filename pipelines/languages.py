"""Limits of a recipe's quality rules for other languages, measured as the recipe measures them, in reference texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from filters import language
from filters.examples import files_of, rows_of
from filters.language_limits import SIGNALS, language_limits, transferred
from massivetext.batches import as_floats
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
    word_counts = _measured(english_stage, texts, codes, groups["en"])["word_count"]
    english = _signals(english_stage, texts, codes, groups["en"], word_counts, least or PIECE)
    derived, counts = {}, {"en": len(groups["en"])}
    for code, rows in groups.items():
        if code in ("en", "und") or (languages is not None and code not in languages):
            continue
        word_counts = _measured(stage, texts, codes, rows)["word_count"]
        size = transferred(least or PIECE, english["word_count"], word_counts) or PIECE
        own = language_limits(limits, english, _signals(stage, texts, codes, rows, word_counts, size))
        counts[code] = len(rows)
        if own:
            derived[code] = own
    return derived, counts


def _texts(files: Sequence[str], text: str, field: str | None, least_score: float) -> tuple[pa.Array, np.ndarray]:
    """Return the reference texts and the codes of their languages, without texts of an uncertain language."""
    rows = [row for path in files_of(files) for row in rows_of(path) if isinstance(row.get(text), str)]
    texts = pa.array([row[text] for row in rows], pa.large_string())
    if field is not None:
        return texts, np.array([str(row.get(field)) for row in rows], dtype=object)
    measured = language.measure(texts)
    sure = measured.column("language_score").to_numpy() >= least_score
    codes = np.array(measured.column("language").to_pylist(), dtype=object)
    return texts.filter(pa.array(sure)), codes[sure]


def _signals(
    stage: Quality, texts: pa.Array, codes: np.ndarray, rows: np.ndarray, word_counts: np.ndarray, words: float
) -> dict[str, np.ndarray]:
    """Return the signals of reference texts: the word counts of whole texts, the other signals of pieces of them.

    A long text has other values than the shortest one that is kept: it contains nearly every stop word.

    Args:
        stage: measures the signals.
        texts, codes: of all languages.
        rows: of the texts to use.
        word_counts: of each of these, float64[rows].
        words: of a piece, about.
    """
    pieces, codes_of_pieces = [], []
    for row, count in zip(rows.tolist(), word_counts.tolist()):
        text = texts[row].as_py()
        size = max(1, round(len(text) * words / max(count, words)))
        cut = [text[at : at + size] for at in range(0, len(text) - size + 1, size)]
        pieces += cut
        codes_of_pieces += [codes[row]] * len(cut)
    every_piece = np.arange(len(pieces))
    measured = _measured(stage, pa.array(pieces, pa.large_string()), np.array(codes_of_pieces, object), every_piece)
    return {**measured, "word_count": word_counts}


def _measured(stage: Quality, texts: pa.Array, codes: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
    batch = pa.RecordBatch.from_pydict(
        {"text": texts.take(pa.array(rows)), "language": pa.array(codes[rows].tolist(), pa.string())}
    )
    measured = stage.measure(batch)
    return {name: as_floats(measured[name]) for name in SIGNALS}
