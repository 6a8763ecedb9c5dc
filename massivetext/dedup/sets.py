"""Sets of shingles at full speed, for texts of which nothing else is asked; hashes as in massivetext.dedup.shingles.

Sets are put in order by the leading bits of their hashes, which are uniform.
"""

from __future__ import annotations

import numpy as np

from massivetext.dedup.digests import digest_set
from massivetext.dedup.shingles import hash_shingles
from massivetext.dedup.signatures import permutations, sign
from massivetext.kernels import njit
from massivetext.sorting import sort
from massivetext.text import Texts, buffers
from massivetext.text.words import normal_words, unicode_tables, words_at_most

__all__ = ["shingle_sets", "signed_sets"]


@njit(cache=True, nogil=True)
def _most(data, offsets):
    most = np.int64(1)
    for i in range(len(offsets) - 1):
        most = max(most, words_at_most(data, offsets[i], offsets[i + 1]))
    return most + 1  # a word is written before it is known to be one


@njit(cache=True, nogil=True)
def _ascend(values, n, out, count):
    """Distinct values of n hashes into out, ascending; returns how many. Linear for hashes; for values made to share
    their leading bits no worse than a sort."""
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
def _sets(data, offsets, t):
    n_texts = len(offsets) - 1
    total = 0
    for i in range(n_texts):
        total += words_at_most(data, offsets[i], offsets[i + 1])
    most = _most(data, offsets)
    words = np.empty(most, np.uint64)
    hashes = np.empty(most, np.uint64)
    count = np.empty((1 << 16) + 1, np.int64)
    out = np.empty(total, np.uint64)
    bounds = np.zeros(n_texts + 1, np.int64)
    size = 0
    for i in range(n_texts):
        n = hash_shingles(words, normal_words(data, offsets[i], offsets[i + 1], t, words), hashes)
        size += _ascend(hashes, n, out[size:], count)
        bounds[i + 1] = size
    return out[:size], bounds


def shingle_sets(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """(uint64[m], int64[n + 1]): text i has the distinct shingles hashes[bounds[i]:bounds[i + 1]], ascending."""
    return _sets(*buffers(texts), unicode_tables())


@njit(cache=True, nogil=True)
def _sign(data, offsets, t, a, b):
    n_texts = len(offsets) - 1
    most = _most(data, offsets)
    words = np.empty(most, np.uint64)
    hashes = np.empty(most, np.uint64)
    mixed = np.empty(most, np.uint32)
    signed = np.empty((n_texts, len(a)), np.uint32)
    digests = np.empty((n_texts, 2), np.uint64)
    sizes = np.empty(n_texts, np.int64)
    for i in range(n_texts):
        n = hash_shingles(words, normal_words(data, offsets[i], offsets[i + 1], t, words), hashes)
        sign(hashes, n, mixed, a, b, signed[i])
        digest_set(hashes, 0, n, digests[i])
        sizes[i] = n
    return signed, digests, sizes


def signed_sets(texts: Texts, num_hashes: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(uint32[n, num_hashes], uint64[n, 2], int64[n]): signatures, digests of the shingles, and their numbers with
    repeats."""
    return _sign(*buffers(texts), unicode_tables(), *permutations(num_hashes, seed))
