"""Safe search: a page's score in 0-1 with its evidence (paper, appendix A.1: "content filtering").

Three parts: block lists that the user supplies (1 for a page on one), fastText classifiers, and the density of listed
terms, weighted. No single word decides: by terms a page needs at least LEAST_HITS hits, and what they count for grows
with hits a word. Nor do terms decide alone where a classifier judges: most of them have an everyday sense (tits, cocks
and bitches are animals), so they raise the score of a page only as far as the classifier doubts it. Words for people
and for what they are do not stand in the packaged list, and the classifier does not see them.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import classifier
from filters.block_list import BlockList
from massivetext import storage
from massivetext.errors import RecipeError, SourceError
from massivetext.kernels import njit
from massivetext.text import Texts, buffers, decode

__all__ = ["VERSION", "BlockList", "combined", "doubt", "measure", "read_terms"]

VERSION = 2
"""Of the definition of the score. In version 1 it was the greatest of the three parts."""

LEAST_HITS = 3
LEAST_PROBABILITY = 0.1
"""Categories below it do not stand in the evidence."""
HALF_DENSITY = 0.01
"""Weighted hits a word at which the score by terms is a half."""
WEIGHT = 0.6
"""The weight of the first opinion in the geometric mean of both."""
CATEGORY = 0.8
"""The weight of the likeliest category within the second opinion."""
SUREST = 1e-4
"""The least doubt of either opinion where there are two: where one is sure of a text, the other still ranks it."""
SCALE = 1.5
"""The power of the score of the packaged pair: it moves no page past another, and sets which of them lie above .5."""


def doubt(probabilities: Mapping[str, float], second: Mapping[str, float] | None = None) -> float:
    """Return how unsafe the classifiers hold a text to be, 0 to 1; 0 for a text without words.

    One classifier answers 1 less the probability of ordinary text. The second opinion leans on its likeliest category:
    what looks unlike ordinary text but like no category either (a rare subject, a list of words) gets little there.
    Both make a weighted geometric mean, so that one that is sure of a harmless text pulls the score down.
    """
    if not probabilities:
        return 0.0
    first = max(0.0, 1.0 - probabilities[classifier.SAFE])
    if not second:
        return first
    likeliest = max((value for label, value in second.items() if label != classifier.SAFE), default=0.0)
    other = max(SUREST, 1.0 - second[classifier.SAFE]) ** (1.0 - CATEGORY) * min(1.0, likeliest) ** CATEGORY
    return float(max(SUREST, first) ** WEIGHT * other ** (1.0 - WEIGHT))


def combined(doubts: np.ndarray, by_terms: np.ndarray) -> np.ndarray:
    """Return the score of pages from the classifiers' doubt and the score by terms, each float64[n] in [0, 1].

    Terms close a part of the distance to 1 that grows with the root of the doubt.
    """
    return doubts + by_terms * (1.0 - doubts) * np.sqrt(doubts)


@functools.lru_cache(maxsize=4)
def read_terms(path: str | None = None) -> tuple[tuple[float, str], ...]:
    """(weight, pattern) of each line of a file `weight<TAB>term|term...`; the packaged list for None."""
    try:
        packaged = resources.files("filters").joinpath("data/terms.tsv")
        data = packaged.read_bytes() if path is None else storage.read_bytes(path)
    except SourceError as error:
        expected = "expected a file of weight<TAB>term, true for the packaged one, false for none"
        raise RecipeError(f"safe_search.terms: {error}; {expected}") from error
    found = []
    for number, line in enumerate(decode(data)[0].split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        weight, _, terms = line.partition("\t")
        try:
            re.compile(terms)
            found.append((float(weight), rf"(?i)\b(?:{terms})\b"))
        except (ValueError, re.error) as error:
            raise RecipeError(f"safe_search.terms: {path}, line {number}: {error}; expected weight<TAB>term") from error
    return tuple(found)


@njit(cache=True, nogil=True)
def _count_words(data, offsets):
    """How many runs without space, tab, line feed, form feed and carriage return each text has."""
    counts = np.zeros(len(offsets) - 1, np.int64)
    for i in range(len(counts)):
        is_open = False
        for j in range(offsets[i], offsets[i + 1]):
            byte = data[j]
            is_space = byte == 32 or byte == 9 or byte == 10 or byte == 12 or byte == 13
            counts[i] += not is_space and not is_open
            is_open = not is_space
    return counts


def _count_terms(column: pa.Array, terms: tuple[tuple[float, str], ...]) -> tuple[np.ndarray, np.ndarray]:
    """(float64[n], the weighted hits of each text; int64[n], its hits). Few texts have any term, so that one search for
    all patterns together finds the texts to count in."""
    weighted, hits = np.zeros(len(column)), np.zeros(len(column), np.int64)
    if not terms:
        return weighted, hits
    try:
        has_term = pc.match_substring_regex(column, "|".join(f"(?:{pattern})" for _, pattern in terms))
        rows = np.flatnonzero(has_term.to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:  # together they are too large for RE2, or one of them is not for RE2: counting says which
        rows = np.arange(len(column))
    if len(rows):
        texts = column.take(pa.array(rows))
        for weight, pattern in terms:
            count = pc.count_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
            hits[rows] += count
            weighted[rows] += weight * count
    return weighted, hits


def measure(
    texts: Texts,
    urls: Any = None,
    *,
    block_list: BlockList | None = None,
    terms: tuple[tuple[float, str], ...] | None = None,
    model: str | Path | bool = True,
) -> pa.RecordBatch:
    """safe_search_score: float64 in [0, 1], 1 for a URL on a block list. safe_search_evidence: string, JSON, null where
    there is none. `terms`: as `read_terms` gives them, the packaged ones for None, () for none. `model`: a classifier's
    path, True for the packaged two, False for none. The evidence shows the first one's categories."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    column = pc.fill_null(column.cast(pa.large_string()), "")
    weighted, hits = _count_terms(column, read_terms() if terms is None else terms)
    words = np.maximum(1, _count_words(*buffers(column)))
    density = np.where(hits >= LEAST_HITS, weighted / words, 0.0)
    score = density / (density + HALF_DENSITY)
    listed = block_list.match_all(urls) if block_list is not None and urls is not None else [None] * len(column)
    judged: list[dict[str, float]] = [{}] * len(column)
    if model:
        seen = classifier.see(column)
        seconds: list[dict[str, float]] = [{}] * len(column)
        if model is True:
            judged, seconds = classifier.measure_both(seen)
        else:
            judged = classifier.measure(seen, model=model)
        score = combined(np.array([doubt(*both) for both in zip(judged, seconds)], np.float64), score)
        if model is True:
            score = score**SCALE
    score = np.round(score, 6)
    evidence: list[str | None] = []
    for i, entry in enumerate(listed):
        found: dict[str, Any] = {}
        if judged[i]:
            clear = {k: round(v, 3) for k, v in judged[i].items() if k != classifier.SAFE and v >= LEAST_PROBABILITY}
            if clear:
                found["classifier"] = clear
        if hits[i]:
            found["term_hits"] = int(hits[i])
            found["term_density"] = round(float(weighted[i] / words[i]), 6)
        if entry is not None:
            found["blocked"] = entry
            score[i] = 1.0
        evidence.append(json.dumps(found, sort_keys=True, ensure_ascii=False) if found else None)
    return pa.RecordBatch.from_arrays(
        [pa.array(score), pa.array(evidence, pa.string())], names=["safe_search_score", "safe_search_evidence"]
    )
