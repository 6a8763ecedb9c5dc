"""The pass over texts behind the rules of quality and repetition, which also signs their shingles.

A text is decoded and split into words once, whatever is measured of it.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from massivetext.dedup.minhash import permutations, sign
from massivetext.dedup.shingles import hash_shingles, most_words
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
    normalised_words,
    scan,
    unicode_tables,
)

__all__ = ["Passed", "pass_over"]

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
def _make_table(n):
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
def _repetition(s, counts, table, grams, places, salt, repeats, out):
    """The 13 values of one scanned document into out (float64), in the order of `filters.repetition.Limits`.

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


class Passed(NamedTuple):
    """What is measured of n texts.

    counts: int64[n, N_COUNTS], of a scan. repetition: float64[n, 13], in the order of `filters.repetition.Limits`.
    signatures: uint32[n, num_hashes]. n_shingles: int64[n], shingles with repeats.
    """

    counts: np.ndarray
    repetition: np.ndarray
    signatures: np.ndarray
    n_shingles: np.ndarray


@njit(cache=True, nogil=True)
def _pass_over(data, offsets, t, salt, repeats, written, repetition, a, b):
    n_texts = len(offsets) - 1
    most = most_words(data, offsets)
    s = make_scratch(most)
    table = _make_table(most)
    grams = np.empty(most, np.uint64)
    places = np.empty(most, np.int32)
    mixed = np.empty(most, np.uint32)
    counts = np.zeros((n_texts, N_COUNTS), np.int64)
    values = np.empty((n_texts, 13), np.float64)
    signed = np.empty((n_texts, len(a)), np.uint32)
    n_shingles = np.zeros(n_texts, np.int64)
    for i in range(n_texts):
        scan(data, offsets[i], offsets[i + 1], t, s, counts[i], written)
        if repetition:
            _repetition(s, counts[i], table, grams, places, salt, repeats, values[i])
        if len(a):
            n = normalised_words(data, offsets[i], offsets[i + 1], t, s, counts[i])
            n_shingles[i] = hash_shingles(s.normal, n, grams)
            sign(grams, n_shingles[i], mixed, a, b, signed[i])
    return counts, values, signed, n_shingles


def pass_over(
    texts: Texts,
    words: str,
    *,
    repetition: bool = True,
    count_duplicates: str = "all",
    num_hashes: int = 0,
    seed: int = 1,
) -> Passed:
    """Measure texts.

    Args:
        texts: Arrow array of strings; a null counts as empty.
        words: "spaces" or "written", as in `filters.quality.measure`.
        repetition: Whether repetition is measured; else its values are undefined.
        count_duplicates: "all" or "repeats", as in `filters.repetition.measure`.
        num_hashes, seed: Of signatures, as in `massivetext.dedup.signatures`; without hashes no shingles are counted.

    Raises:
        ValueError: for another value of an option.
    """
    if count_duplicates not in ("all", "repeats"):
        raise ValueError(f"count_duplicates: {count_duplicates!r}; expected 'all' or 'repeats'")
    if words not in ("spaces", "written"):
        raise ValueError(f"words: {words!r}; expected 'spaces' or 'written'")
    repeats, written = count_duplicates == "repeats", words == "written"
    a, b = permutations(num_hashes, seed)
    return Passed(*_pass_over(*buffers(texts), unicode_tables(), SALT, repeats, written, repetition, a, b))
