"""Sets of shingles at full speed, for texts of which nothing else is asked; hashes as in massivetext.dedup.shingles.

The scan that serves all rules also finds lines, paragraphs and counts. Here it is word hashes alone, and sets are put
in order by their leading bits, as hashes are uniform.
"""

from __future__ import annotations

import numpy as np

from massivetext.dedup.digests import digest_set
from massivetext.dedup.shingles import hash_shingles
from massivetext.dedup.signatures import permutations, sign
from massivetext.kernels import njit
from massivetext.text import Texts, buffers
from massivetext.text.normal import decode_point, nfc
from massivetext.text.scan import fmix, unicode_tables, words_at_most
from massivetext.text.unicode import DELETED, NFC_MAYBE, SPACE

__all__ = ["shingle_sets", "signed_sets"]

# Of the word hash, as massivetext.text.scan defines it.
_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def _words(data, start, end, t, out):
    """(words, whether NFC may change the text): hashes of the normalised words of data[start:end] into out."""
    flags, lower = t.flags, t.lower
    maybe = False
    n = 0
    points = 0
    h = _OFFSET
    i = start
    while i < end:
        b = data[i]
        if b < 0x80:
            flag = flags[b]
            if flag & SPACE:
                out[n] = fmix(h)
                n += points > 0
                points = 0
                h = _OFFSET
            elif not flag & DELETED:
                h = (h ^ np.uint64(lower[b])) * _PRIME
                points += 1
            i += 1
            continue
        point, size = decode_point(data, i, end)
        i += size
        flag = flags[point]
        if flag & SPACE:
            out[n] = fmix(h)
            n += points > 0
            points = 0
            h = _OFFSET
            continue
        maybe |= (flag & NFC_MAYBE) != 0
        if flag & DELETED:
            continue
        points += 1
        if point == 0x130:  # the one code point whose lower case is two
            h = ((h ^ np.uint64(0x69)) * _PRIME ^ np.uint64(0x307)) * _PRIME
        else:
            h = (h ^ np.uint64(lower[point])) * _PRIME
    if points:
        out[n] = fmix(h)
        n += 1
    return n, maybe


@njit(cache=True, nogil=True)
def _normal_words(data, start, end, t, out):
    n, maybe = _words(data, start, end, t, out)
    if maybe:
        text = nfc(data, start, end, t)
        n, _ = _words(text, 0, len(text), t, out)
    return n


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
        out[:n].sort()
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
        n = hash_shingles(words, _normal_words(data, offsets[i], offsets[i + 1], t, words), hashes)
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
        n = hash_shingles(words, _normal_words(data, offsets[i], offsets[i + 1], t, words), hashes)
        sign(hashes, n, mixed, a, b, signed[i])
        digest_set(hashes, 0, n, digests[i])
        sizes[i] = n
    return signed, digests, sizes


def signed_sets(texts: Texts, num_hashes: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(uint32[n, num_hashes], uint64[n, 2], int64[n]): signatures, digests of the shingles, and their numbers with
    repeats."""
    return _sign(*buffers(texts), unicode_tables(), *permutations(num_hashes, seed))
