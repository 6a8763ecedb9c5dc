"""Stop words by language: how many different ones of a language's list occur in a text.

Lists are those of the package `stopwordsiso` (MIT), or a user's own. A word of a list counts if it is one written word
by the rules for shingles: lower case, NFC, punctuation deleted, each code point of a script without spaces a word by
itself. So of Chinese and Japanese the single characters count. A language with fewer than LEAST such words, such as
Thai, has no list.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext.contamination.words import words as words_of
from massivetext.errors import DependencyError
from massivetext.text import Texts

__all__ = ["LEAST", "VERSION", "count", "known_languages", "listed", "package_version", "with_languages"]

VERSION = 1
LEAST = 8
"""Words that a list needs, as many as the paper has of English."""


@functools.lru_cache(maxsize=1)
def known_languages() -> tuple[str, ...]:
    """Return the languages other than English with a list of at least LEAST words that can count, by code."""
    return tuple(code for code in sorted(_package().langs()) if code != "en" and len(_hashes(listed(code))) >= LEAST)


def package_version() -> str:
    """Return the version of the package of lists, which shapes what is counted."""
    _package()
    return metadata.version("stopwordsiso")


@functools.lru_cache(maxsize=128)
def listed(language: str) -> tuple[str, ...]:
    """Return the package's stop words of a language, in order; none for a language that it does not have."""
    package = _package()
    return tuple(sorted(package.stopwords(language))) if package.has_lang(language) else ()


def _package() -> Any:
    """Return the module of lists. Raises DependencyError where it is not installed."""
    try:
        import stopwordsiso
    except ImportError as error:
        raise DependencyError("quality.stop_words: iso needs stopwordsiso; pip install 'stopwordsiso>=0.7'") from error
    return stopwordsiso


@functools.lru_cache(maxsize=128)
def _hashes(words: tuple[str, ...]) -> np.ndarray:
    """uint64, distinct and sorted: the words of a list that are one written word each."""
    cut = words_of(pa.array(words, pa.large_string()))
    sizes = np.diff(cut.bounds)
    return np.unique(cut.hashes[cut.bounds[:-1][sizes == 1]])


def count(texts: Texts, words: Sequence[str]) -> np.ndarray:
    """Return how many different words of a list occur in each text, int64[n]. A null counts as empty."""
    known = _hashes(tuple(words))
    cut = words_of(texts)
    n_texts = len(cut.bounds) - 1
    if len(known) == 0:
        return np.zeros(n_texts, np.int64)
    places = np.minimum(np.searchsorted(known, cut.hashes), len(known) - 1)
    rows = np.repeat(np.arange(n_texts), np.diff(cut.bounds))
    is_listed = known[places] == cut.hashes
    pairs = np.unique(rows[is_listed] * len(known) + places[is_listed])
    return np.bincount(pairs // len(known), minlength=n_texts).astype(np.int64)


def with_languages(
    english: pa.Array, texts: Texts, languages: pa.Array, lists: Mapping[str, Sequence[str]], *, others: bool
) -> pa.Array:
    """Return `stop_word_count` with the counts of each document's own language.

    Args:
        english: int64[n]: the paper's count of English stop words.
        texts: of the documents.
        languages: codes; null where there is none.
        lists: stop words by language.
        others: whether a language without a list, but for English and `und`, has null instead of the paper's count.

    Returns:
        int64[n], null where the language has no list and `others` is set.
    """
    codes = np.array(["" if code is None else code for code in languages.to_pylist()], dtype=object)
    counts = english.to_numpy(zero_copy_only=False).astype(np.float64)
    for code in sorted(set(codes.tolist()) & set(lists)):
        rows = np.flatnonzero(codes == code)
        counts[rows] = count(texts.take(pa.array(rows)), lists[code])
    if others:
        counts[~np.isin(codes, [*lists, "en", "und", ""])] = np.nan
    return pa.array(counts, from_pandas=True).cast(pa.int64())
