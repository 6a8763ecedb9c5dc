"""Spans of 50 words that stand more than once in a collection of texts (Lee et al., arXiv 2107.06499).

A *window* is SPAN consecutive written words, as shingles have them: case, punctuation and white space do not count.
Nearly all windows stand once. To find the others without sorting all of them, each window names an *anchor* in it: of
its 25 runs of GRAM words the one with the smallest hash. Equal windows name equal anchors, so a window whose anchor's
hash stands once in the collection stands once itself.

    words    . . . . . . . . . . . . . . . . . . . . .
    window     [- - - - - - - - - - - -]                 names the anchor
    anchor           [= = = = = = =]                     and so do its neighbours, as long as it is in them
    window         [- - - - - - - - - - - -]

1. `anchors` gives one anchor in about 13 words, each with the windows that name it: a range.
2. Anchors whose hash stands at least twice are kept (by sorting, or by an exchange of hashes).
3. `windows` gives the windows of these, each with two hashes of 64 bits: its own and its anchor's.
4. Windows of which both hashes stand at least twice are repeated; `covered_words` counts the words that lie in them.

The second list grows with what is repeated, not with the text.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from massivetext.contamination.words import Words
from massivetext.contamination.words import words as words_of
from massivetext.kernels import njit
from massivetext.text import Texts
from massivetext.text.hashing import BASE, fmix

__all__ = [
    "GRAM",
    "SPAN",
    "SPANS_VERSION",
    "Anchors",
    "Windows",
    "anchors",
    "covered_words",
    "duplicate_span_fraction",
    "stands_twice",
    "windows",
]

SPANS_VERSION = 1
"""Of the definition of what is measured."""

SPAN = 50
"""Words of a window."""
GRAM = 26
"""Words of an anchor: a window has SPAN - GRAM + 1 = 25 places for it, and anchors are about 2 / 26 of the words."""

_PLACES = SPAN - GRAM + 1


class Anchors(NamedTuple):
    """The anchors of some texts, in order.

    hashes: uint64[n]. first, last: int64[n], the first and the last window that names each, by the place of its first
    word among the words of all texts.
    """

    hashes: np.ndarray
    first: np.ndarray
    last: np.ndarray

    def take(self, mask: np.ndarray) -> Anchors:
        """Return those for which the mask holds."""
        return Anchors(self.hashes[mask], self.first[mask], self.last[mask])


class Windows(NamedTuple):
    """Windows in order. start: int64[n], the place of the first word. hashes, anchor_hashes: uint64[n]."""

    start: np.ndarray
    hashes: np.ndarray
    anchor_hashes: np.ndarray


@njit(cache=True, nogil=True)
def _power(n):
    """BASE to the n-th power, modulo 2^64."""
    product = np.uint64(1)
    for _ in range(n):
        product *= BASE
    return product


@njit(cache=True, nogil=True)
def _grams(words, out):
    """The hash of each run of GRAM words. Returns how many there are."""
    n = len(words) - GRAM + 1
    leaving = _power(GRAM)
    g = np.uint64(0)
    for i in range(len(words)):
        g = g * BASE + words[i]
        if i >= GRAM:
            g -= words[i - GRAM] * leaving
        if i >= GRAM - 1:
            out[i - GRAM + 1] = fmix(g)
    return n


@njit(cache=True, nogil=True)
def _anchors(words, bounds, hashes, first, last):
    """Fill in the anchors of all texts. Returns how many there are."""
    size = 0
    longest = 0
    for t in range(len(bounds) - 1):
        longest = max(longest, bounds[t + 1] - bounds[t])
    grams = np.empty(max(longest, 1), np.uint64)
    for t in range(len(bounds) - 1):
        start, n = bounds[t], bounds[t + 1] - bounds[t]
        if n < SPAN:
            continue
        _grams(words[start : start + n], grams)
        at = -1
        for window in range(n - SPAN + 1):
            before = at
            if at < window:
                # The smallest hash has left the window: look for the next one, the leftmost of equal ones.
                at = window
                for place in range(window + 1, window + _PLACES):
                    if grams[place] < grams[at]:
                        at = place
            elif grams[window + _PLACES - 1] < grams[at]:
                at = window + _PLACES - 1
            if at != before:
                hashes[size] = grams[at]
                first[size] = start + window
                size += 1
            last[size - 1] = start + window
    return size


def anchors(words: Words) -> Anchors:
    """Return the anchors of texts; one of fewer than SPAN words has none."""
    n_windows = int(np.maximum(np.diff(words.bounds) - SPAN + 1, 0).sum())
    # As many anchors as windows is rare, and memory that is not touched costs nothing.
    arrays = np.empty(n_windows, np.uint64), np.empty(n_windows, np.int64), np.empty(n_windows, np.int64)
    size = _anchors(words.hashes, words.bounds, *arrays)
    return Anchors(*(array[:size].copy() for array in arrays))


@njit(cache=True, nogil=True)
def _windows(words, hashes, first, last, start_out, hash_out, anchor_out):
    leaving = _power(SPAN)
    size = 0
    for k in range(len(first)):
        g = np.uint64(0)
        for i in range(first[k], first[k] + SPAN):
            g = g * BASE + words[i]
        for window in range(first[k], last[k] + 1):
            if window > first[k]:
                g = g * BASE + words[window + SPAN - 1] - words[window - 1] * leaving
            start_out[size] = window
            hash_out[size] = fmix(g)
            anchor_out[size] = hashes[k]
            size += 1
    return size


def windows(words: Words, chosen: Anchors) -> Windows:
    """Return the windows that name some anchors of the words."""
    n = int((chosen.last - chosen.first + 1).sum())
    arrays = np.empty(n, np.int64), np.empty(n, np.uint64), np.empty(n, np.uint64)
    _windows(words.hashes, *chosen, *arrays)
    return Windows(*arrays)


@njit(cache=True, nogil=True)
def _covered(bounds, starts, out):
    """Count the words of each text in windows that start at some places, rising, each word once."""
    text = 0
    end = np.int64(0)
    for k in range(len(starts)):
        while bounds[text + 1] <= starts[k]:
            text += 1
        first = max(starts[k], end)
        end = starts[k] + SPAN
        out[text] += end - first


def covered_words(bounds: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return int64[n]: how many words of each text lie in at least one window.

    Args:
        bounds: int64[n + 1], where the words of each text start, as `Words` has them.
        starts: int64[m], places of windows, rising; a window lies in one text.
    """
    counts = np.zeros(len(bounds) - 1, np.int64)
    _covered(bounds, starts, counts)
    return counts


def duplicate_span_fraction(texts: Texts) -> np.ndarray:
    """Return float64[n]: the share of each text's written words that lie in a span of SPAN words which stands at least
    twice in all texts together, in one text or in two; every occurrence counts. 0 for a text without words.

    Memory: 8 bytes a word, about 2 more for anchors, and 32 for each word of what may be repeated.

    Example:
        >>> import pyarrow as pa
        >>> licence = " ".join(f"w{i}" for i in range(50))
        >>> duplicate_span_fraction(pa.array([f"{licence} a b", licence, "c d"])).round(4).tolist()
        [0.9615, 1.0, 0.0]
    """
    words = words_of(texts)
    every = anchors(words)
    chosen = every.take(stands_twice(every.hashes))
    spans = windows(words, chosen)
    starts = spans.start[stands_twice(spans.hashes, spans.anchor_hashes)]
    return covered_words(words.bounds, starts) / np.maximum(np.diff(words.bounds), 1)


def stands_twice(*keys: np.ndarray) -> np.ndarray:
    """Return bool[n]: whether each row of some columns of equal length stands at least twice."""
    n = len(keys[0])
    if n == 0:
        return np.zeros(0, bool)
    order = np.lexsort(keys[::-1])
    equal = np.ones(n - 1, bool)
    for column in keys:
        ranked = column[order]
        equal &= ranked[1:] == ranked[:-1]
    mask = np.empty(n, bool)
    mask[order] = np.concatenate([[False], equal]) | np.concatenate([equal, [False]])
    return mask
