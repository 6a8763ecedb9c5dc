"""Repetition rules of MassiveWeb (paper, appendix A.1.1, table A1): remove a document if any value is over its limit.

The paper does not say whether the first of several equal lines, paragraphs or n-grams is a duplicate. `all` counts
every occurrence, as RedPajama-V2, DCLM and TextDescriptives do; `repeats` leaves the first one out, as datatrove and
NeMo Curator do, and gives roughly half the value.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from filters.limits import Limit
from filters.quality import cuts_written
from massivetext.kernels import njit
from massivetext.text import Texts, buffers
from massivetext.text.scan import (
    BASE,
    N_CHARS,
    N_COUNTS,
    N_LINE_CHARS,
    N_LINES,
    N_PARAGRAPH_CHARS,
    N_PARAGRAPHS,
    N_WORDS,
    fmix,
    make_scratch,
    scan,
    unicode_tables,
    words_at_most,
)

__all__ = ["Limits", "measure"]


@dataclass(frozen=True)
class Limits:
    """Table A1. Line and paragraph fractions are of lines and paragraphs, or of their code points, stripped; n-gram
    fractions are of the code points in words."""

    duplicate_line_fraction: Limit = Limit(max=0.30)
    duplicate_paragraph_fraction: Limit = Limit(max=0.30)
    duplicate_line_character_fraction: Limit = Limit(max=0.20)
    duplicate_paragraph_character_fraction: Limit = Limit(max=0.20)
    top_2gram_character_fraction: Limit = Limit(max=0.20)
    top_3gram_character_fraction: Limit = Limit(max=0.18)
    top_4gram_character_fraction: Limit = Limit(max=0.16)
    duplicate_5gram_character_fraction: Limit = Limit(max=0.15)
    duplicate_6gram_character_fraction: Limit = Limit(max=0.14)
    duplicate_7gram_character_fraction: Limit = Limit(max=0.13)
    duplicate_8gram_character_fraction: Limit = Limit(max=0.12)
    duplicate_9gram_character_fraction: Limit = Limit(max=0.11)
    duplicate_10gram_character_fraction: Limit = Limit(max=0.10)


NAMES = tuple(Limits.__dataclass_fields__)

SALT = np.uint64(int.from_bytes(os.urandom(8), "little"))
"""Moves entries to other slots of a hash table in every process; no value depends on it. See text/scan.py."""


@njit(cache=True, nogil=True)
def _slots(n):
    """The power of two that keeps a table of n entries at most three quarters full."""
    size = 16
    while 3 * size < 4 * n:
        size *= 2
    return size


@njit(cache=True, nogil=True)
def make_table(n):
    """(key, count, first, slot) for up to n entries: the first three by slot, the last by position."""
    size = _slots(n)
    return np.empty(size, np.uint64), np.zeros(size, np.int32), np.empty(size, np.int32), np.empty(max(n, 1), np.int32)


@njit(cache=True, nogil=True)
def _count(hashes, n, table, salt):
    """Count n hashes in the table's first slots; slot[i] becomes the slot of hash i."""
    key, count, first, slot = table
    size = _slots(n)
    count[:size] = 0
    mask = np.uint64(size - 1)
    for i in range(n):
        h = hashes[i]
        at = np.int64(fmix(h ^ salt) & mask)
        while count[at] and key[at] != h:
            at = (at + 1) & (size - 1)
        if count[at] == 0:
            key[at] = h
            first[at] = i
        count[at] += 1
        slot[i] = at


@njit(cache=True, nogil=True)
def _duplicates(hashes, chars, n, table, salt, repeats):
    """(how many of n pieces are duplicates, code points in them)."""
    if n < 2:
        return 0, 0
    _count(hashes, n, table, salt)
    _, count, first, slot = table
    pieces = points = 0
    for i in range(n):
        if count[slot[i]] > 1 and not (repeats and first[slot[i]] == i):
            pieces += 1
            points += chars[i]
    return pieces, points


@njit(cache=True, nogil=True)
def repetition(s, counts, table, grams, places, salt, repeats, out):
    """The 13 values of one scanned document into out (float64), in the order of `Limits`.

    grams: uint64 scratch and places: int32 scratch, both of the number of words.
    """
    out[:] = 0.0
    n_words = counts[N_WORDS]
    if n_words == 0:
        return
    pieces, points = _duplicates(s.lines, s.line_chars, counts[N_LINES], table, salt, repeats)
    out[0] = pieces / counts[N_LINES]
    out[2] = points / counts[N_LINE_CHARS]
    pieces, points = _duplicates(s.paragraphs, s.paragraph_chars, counts[N_PARAGRAPHS], table, salt, repeats)
    out[1] = pieces / counts[N_PARAGRAPHS]
    out[3] = points / counts[N_PARAGRAPH_CHARS]
    _, count, first, slot = table
    words, chars = s.words, s.word_chars
    # An n-gram occurs twice only if the (n-1)-grams at both its ends do: places that had none drop out for good.
    m = n_words
    for i in range(n_words):
        places[i] = i
        grams[i] = words[i]
    for n in range(2, 11):
        k = 0
        for j in range(m):
            i = np.int64(places[j])
            if i + n > n_words:
                continue
            if n > 2 and not (j + 1 < m and places[j + 1] == i + 1):
                continue
            grams[k] = grams[j] * BASE + words[i + n - 1]
            places[k] = i
            k += 1
        m = k
        if m < 2:
            return
        _count(grams, m, table, salt)
        if n <= 4:
            best = -1
            best_count = 1
            best_chars = np.int64(0)
            for j in range(m):
                at = slot[j]
                if first[at] != j or count[at] < 2 or count[at] < best_count:
                    continue
                size = np.int64(0)
                for w in range(places[j], places[j] + n):
                    size += chars[w]
                if count[at] > best_count or size > best_chars:
                    best, best_count, best_chars = at, count[at], size
            if best < 0:
                return
        covered = np.int64(0)
        upto = np.int64(0)
        k = 0
        for j in range(m):
            at = slot[j]
            if count[at] < 2:
                continue
            i = np.int64(places[j])
            if (n > 4 or at == best) and not (repeats and first[at] == j):
                for w in range(max(i, upto), i + n):
                    covered += chars[w]
                upto = max(upto, i + n)
            grams[k] = grams[j]
            places[k] = i
            k += 1
        m = k
        out[n + 2] = covered / counts[N_CHARS]
        if m == 0:
            return


@njit(cache=True, nogil=True)
def _measure(data, offsets, t, salt, repeats, written):
    n_texts = len(offsets) - 1
    most = 1
    for i in range(n_texts):
        most = max(most, words_at_most(data, offsets[i], offsets[i + 1]))
    s = make_scratch(most)
    table = make_table(most)
    grams = np.empty(most, np.uint64)
    places = np.empty(most, np.int32)
    counts = np.zeros(N_COUNTS, np.int64)
    out = np.empty((n_texts, 13), np.float64)
    for i in range(n_texts):
        scan(data, offsets[i], offsets[i + 1], t, s, counts, written)
        repetition(s, counts, table, grams, places, salt, repeats, out[i])
    return out


def from_values(values: np.ndarray) -> pa.RecordBatch:
    """The signals from float64[n, 13]."""
    return pa.RecordBatch.from_pydict({name: values[:, k].copy() for k, name in enumerate(NAMES)})


def measure(
    texts: Texts,
    *,
    count_duplicates: Literal["all", "repeats"] = "all",
    words: Literal["spaces", "written"] = "spaces",
) -> pa.RecordBatch:
    """Measure the repetition signals of each text.

    Args:
        texts: Arrow array of strings; a null counts as empty.
        count_duplicates: Whether every occurrence of a duplicate counts ("all"), or all but the first ("repeats").
        words: What a word of an n-gram is; see `filters.quality.measure`. Lines and paragraphs do not depend on it.

    Returns:
        One row per text; float64 columns named as in `Limits`, each in [0, 1].

    Raises:
        ValueError: for another value of an option.
    """
    if count_duplicates not in ("all", "repeats"):
        raise ValueError(f"count_duplicates: {count_duplicates!r}; expected 'all' or 'repeats'")
    written = cuts_written(words)
    return from_values(_measure(*buffers(texts), unicode_tables(), SALT, count_duplicates == "repeats", written))
