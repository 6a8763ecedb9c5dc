"""Shingles: the set of 13-grams of a text's written words, as 64-bit hashes (paper, appendix A.1).

A text of 1 to 12 words has one shingle, all of it; a text without words has none. Hash definition and version:
massivetext/text/hashing.py.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from massivetext.dedup.digests import digest_set
from massivetext.dedup.minhash import permutations, sign
from massivetext.kernels import njit
from massivetext.sorting import sort
from massivetext.text import Texts, buffers
from massivetext.text.hashing import BASE, fmix
from massivetext.text.words import normal_words, unicode_tables, words_at_most

__all__ = ["SHINGLE_WORDS", "shingle_sets", "shingles", "signed_sets"]

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
def most_words(data, offsets):
    """For how many words there must be room, whichever of the texts is taken."""
    most = np.int64(1)
    for i in range(len(offsets) - 1):
        most = max(most, words_at_most(data, offsets[i], offsets[i + 1]))
    return most + 1  # a word is written before it is known to be one


@njit(cache=True, nogil=True)
def _ascend(values, n, out, count):
    """Distinct values of n hashes into out, ascending; returns how many. They are put in order by their leading bits,
    which are uniform in hashes: linear then; for values made to share those bits no worse than a sort."""
    bits = 1
    while (1 << bits) < n and bits < 16:
        bits += 1
    shift = np.uint64(64 - bits)
    count[: (1 << bits) + 1] = 0
    for j in range(n):
        count[np.int64(values[j] >> shift) + 1] += 1
    widest = 0
    for k in range(1 << bits):
        widest = max(widest, count[k + 1])
        count[k + 1] += count[k]
    for j in range(n):
        k = np.int64(values[j] >> shift)
        out[count[k]] = values[j]
        count[k] += 1
    if widest > 64:
        sort(out, n)
    else:
        for j in range(1, n):
            value = out[j]
            k = j
            while k > 0 and out[k - 1] > value:
                out[k] = out[k - 1]
                k -= 1
            out[k] = value
    m = 0
    for j in range(n):
        if m == 0 or out[j] != out[m - 1]:
            out[m] = out[j]
            m += 1
    return m


@njit(cache=True, nogil=True)
def _sets(data, offsets, t, a, b, signs):
    """(distinct shingles, bounds) of all texts, or with `signs` (signatures, digests, sizes); the others are empty."""
    n_texts = len(offsets) - 1
    n_signed = n_texts if signs else 0
    most = most_words(data, offsets)
    words = np.empty(most, np.uint64)
    hashes = np.empty(most, np.uint64)
    mixed = np.empty(most, np.uint32)
    signed = np.empty((n_signed, len(a)), np.uint32)
    digests = np.empty((n_signed, 2), np.uint64)
    sizes = np.empty(n_signed, np.int64)
    total = 0
    if not signs:
        for i in range(n_texts):
            total += words_at_most(data, offsets[i], offsets[i + 1])
    count = np.empty((1 << 16) + 1, np.int64)
    out = np.empty(total, np.uint64)
    bounds = np.zeros(n_texts - n_signed + 1, np.int64)
    size = 0
    for i in range(n_texts):
        n = hash_shingles(words, normal_words(data, offsets[i], offsets[i + 1], t, words), hashes)
        if signs:
            sign(hashes, n, mixed, a, b, signed[i])
            digest_set(hashes, 0, n, digests[i])
            sizes[i] = n
        else:
            size += _ascend(hashes, n, out[size:], count)
            bounds[i + 1] = size
    return out[:size], bounds, signed, digests, sizes


def shingle_sets(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """(uint64[m], int64[n + 1]): text i has the distinct shingles hashes[bounds[i]:bounds[i + 1]], ascending."""
    return _sets(*buffers(texts), unicode_tables(), *permutations(0, 0), False)[:2]  # type: ignore[no-any-return]


def signed_sets(texts: Texts, num_hashes: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(uint32[n, num_hashes], uint64[n, 2], int64[n]): signatures, digests of the shingles, and their numbers with
    repeats."""
    return _sets(*buffers(texts), unicode_tables(), *permutations(num_hashes, seed), True)[2:]  # type: ignore[no-any-return]


def shingles(texts: Texts) -> pa.ListArray:
    """list<uint64>[n]: the distinct shingle hashes of each text, ascending."""
    values, bounds = shingle_sets(texts)
    if bounds[-1] > np.iinfo(np.int32).max:
        raise ValueError(f"{bounds[-1]} shingles in one call; a list array holds 2**31 - 1: pass fewer texts at a time")
    return pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), pa.array(values.copy()))
