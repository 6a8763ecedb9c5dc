"""Scores of documents by fastText models, and the words that a score rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from filters.linear import DECIMALS
from massivetext import fasttext
from massivetext.errors import RecipeError
from massivetext.text import Texts

__all__ = ["PACKAGED", "load_fasttext", "measure", "weightiest_words"]

PACKAGED = ("quality_score",)
"""Scores whose models ship with the package, as filters/data/NAME.json."""
MOST_WORDS = 400
"""Different words that `weightiest_words` tries: the most frequent ones of a text."""


def load_fasttext(path: str, values: Mapping[str, float]) -> fasttext.Model:
    """Return a fastText model that has the labels of `values`.

    Raises:
        RecipeError: there is no such file, it is no fastText classifier, or it lacks a label.
    """
    try:
        model = fasttext.load(path)
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file; expected a fastText model (.bin, .ftz)") from None
    except (ValueError, OSError) as error:
        raise RecipeError(f"{path}: not a fastText model ({error})") from error
    unknown = [label for label in values if label not in model.labels]
    if unknown:
        shown = ", ".join(repr(label) for label in model.labels[:12])
        raise RecipeError(f"{path}: has no label {unknown[0]!r}; its labels are {shown}")
    return model


def measure(texts: Texts, model: fasttext.Model, values: Mapping[str, float]) -> np.ndarray:
    """Return the expectation over a model's labels for each text: the sum of probability times value.

    A text is used as it is: what fastText takes for white space, line ends too, separates words. Case, punctuation and
    length are not changed.

    Args:
        texts: a column of text; nulls count as empty.
        model: a fastText classifier.
        values: of labels; any other label has 0. `{"hq": 1}` gives the probability of a label.

    Returns:
        float64[texts], rounded to 6 decimals; NaN for a text in which the model knows no word.
    """
    worth = np.array([float(values.get(label, 0.0)) for label in model.labels])
    ids, scores = fasttext.predict(texts, model, len(model.labels))
    # A label that fastText leaves out has a probability of about 0; a probability may be 1.00001.
    weights = np.where(ids >= 0, np.minimum(scores.astype(np.float64), 1.0), 0.0)
    expectation = np.zeros(len(ids))
    for place in range(ids.shape[1]):
        expectation += weights[:, place] * worth[np.maximum(ids[:, place], 0)]
    return np.where((ids >= 0).any(axis=1), np.round(expectation, DECIMALS), np.nan)


def weightiest_words(text: str, score: Callable[[pa.Array], np.ndarray], *, most: int = 5) -> list[tuple[str, float]]:
    """Return the words of a text whose removal changes its score most, with how much of the score each accounts for.

    Args:
        text: of the document.
        score: from a column of texts to float64[n].
        most: words to return.
    """
    words = text.split()
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    tried = sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS]
    without = [" ".join(other for other in words if other != word) for word in tried]
    values = score(pa.array([" ".join(words), *without], pa.large_string()))
    changes = [(word, float(values[0] - value)) for word, value in zip(tried, values[1:]) if value == value]
    return sorted((one for one in changes if one[1]), key=lambda one: (-abs(one[1]), one[0]))[:most]
