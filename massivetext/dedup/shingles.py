"""Shingles: the set of 13-grams of a text's written words, as 64-bit hashes (paper, appendix A.1).

A text of 1 to 12 words has one shingle, all of it; a text without words has none. Hash definition and version:
massivetext/text/hashing.py.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from massivetext.kernels import njit
from massivetext.sorting import sort
from massivetext.text import Texts, buffers
from massivetext.text.hashing import BASE, fmix
from massivetext.text.words import normal_words, unicode_tables, words_at_most

__all__ = ["SHINGLE_WORDS", "shingles"]

SHINGLE_WORDS = 13


@njit(cache=True, nogil=True)
def hash_shingles(words, n, out):
    """Shingle hashes of n normalised words into out, in order, with repeats. Returns how many: n - 12, or 1, or 0."""
    if n == 0:
        return 0
    width = min(n, SHINGLE_WORDS)
    power = np.uint64(1)
    for _ in range(width):
        power *= BASE
    g = np.uint64(0)
    for i in range(width):
        g = g * BASE + words[i]
    out[0] = fmix(g)
    for i in range(width, n):
        g = g * BASE + words[i] - words[i - width] * power
        out[i - width + 1] = fmix(g)
    return n - width + 1


@njit(cache=True, nogil=True)
def distinct(values):
    """Sorted distinct values, in place; returns how many."""
    sort(values, len(values))
    n = 0
    for i in range(len(values)):
        if n == 0 or values[i] != values[n - 1]:
            values[n] = values[i]
            n += 1
    return n


@njit(cache=True, nogil=True)
def _shingles(data, offsets, t):
    n_texts = len(offsets) - 1
    bounds = np.zeros(n_texts + 1, np.int64)
    most = 1
    total = 0
    for i in range(n_texts):
        n = words_at_most(data, offsets[i], offsets[i + 1])
        most = max(most, n)
        total += n
    out = np.empty(total, np.uint64)
    words = np.empty(most + 1, np.uint64)
    size = 0
    for i in range(n_texts):
        n = normal_words(data, offsets[i], offsets[i + 1], t, words)
        m = hash_shingles(words, n, out[size:])
        size += distinct(out[size : size + m])
        bounds[i + 1] = size
    return out[:size], bounds


def shingles(texts: Texts) -> pa.ListArray:
    """list<uint64>[n]: the distinct shingle hashes of each text, ascending."""
    values, bounds = _shingles(*buffers(texts), unicode_tables())
    if bounds[-1] > np.iinfo(np.int32).max:
        raise ValueError(f"{bounds[-1]} shingles in one call; a list array holds 2**31 - 1: pass fewer texts at a time")
    return pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), pa.array(values.copy()))
