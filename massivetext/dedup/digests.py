"""128-bit digests: of a text up to whitespace and composition, and of a set of shingles."""

from __future__ import annotations

import numpy as np
from numba import njit

from massivetext.text import Texts, buffers
from massivetext.text.normal import decode_point, nfc
from massivetext.text.scan import fmix, unicode_tables
from massivetext.text.unicode import NFC_MAYBE, SPACE

__all__ = ["digest_set", "exact_digests", "set_digests"]

_A, _B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1342543DE82EF95)
_C, _D = np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0xA0761D6478BD642F)


@njit(cache=True, nogil=True)
def _digest(text, n, out):
    """Two chains over words of 8 bytes, each word mixed on its own first, so that both depend on every bit."""
    a = _A ^ np.uint64(n)
    b = _B ^ np.uint64(n)
    i = 0
    while i < n:
        word = np.uint64(0)
        for k in range(min(8, n - i)):
            word |= np.uint64(text[i + k]) << np.uint64(8 * k)
        a = (a ^ fmix(word + _A)) * _C
        a ^= a >> np.uint64(32)
        b = (b ^ fmix(word ^ _D)) * _B
        b ^= b >> np.uint64(29)
        i += 8
    out[0] = fmix(a)
    out[1] = fmix(b ^ a)


@njit(cache=True, nogil=True)
def _exact(data, offsets, tables):
    n_texts = len(offsets) - 1
    digests = np.empty((n_texts, 2), np.uint64)
    lengths = np.empty(n_texts, np.int64)
    most = np.int64(1)
    for i in range(n_texts):
        most = max(most, offsets[i + 1] - offsets[i])
    buffer = np.empty(most + 8, np.uint8)
    flags = tables.flags
    for row in range(n_texts):
        text, start, end = data, offsets[row], offsets[row + 1]
        points = np.int64(0)
        maybe = False
        for attempt in range(2):
            n = 0
            gap = False
            i = start
            while i < end:
                byte = text[i]
                if byte < 0x80:
                    point, size = np.int64(byte), 1
                else:
                    point, size = decode_point(text, i, end)
                flag = flags[point]
                if flag & SPACE:
                    gap = n > 0
                else:
                    maybe |= (flag & NFC_MAYBE) != 0
                    if gap:
                        buffer[n] = 32
                        n += 1
                        gap = False
                    for k in range(size):
                        buffer[n + k] = text[i + k]
                    n += size
                points += attempt == 0
                i += size
            if attempt == 1 or not maybe:
                break
            text = nfc(data, start, end, tables)
            start, end = np.int64(0), np.int64(len(text))
            if end + 8 > len(buffer):
                buffer = np.empty(end + 8, np.uint8)
        _digest(buffer, n, digests[row])
        lengths[row] = points
    return digests, lengths


def exact_digests(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """(uint64[n, 2], int64[n]): the digest of `" ".join(NFC(text).split())`, and the code points of the text as is."""
    return _exact(*buffers(texts), unicode_tables())


@njit(cache=True, nogil=True)
def digest_set(hashes, start, end, out):
    """Digest of the shingles hashes[start:end] into out (uint64[2]). Their order does not matter, repeats do: texts of
    equal digest have equal sets, which is all that the digest is for."""
    a = np.uint64(end - start)
    b = a
    for j in range(start, end):
        a += fmix(hashes[j] ^ _A)
        b += fmix(hashes[j] * _B + _D)
    out[0] = fmix(a)
    out[1] = fmix(b ^ a)


@njit(cache=True, nogil=True)
def _set_digests(hashes, bounds):
    out = np.empty((len(bounds) - 1, 2), np.uint64)
    for i in range(len(bounds) - 1):
        digest_set(hashes, bounds[i], bounds[i + 1], out[i])
    return out


def set_digests(hashes: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """uint64[n, 2]: digests of n sets of uint64; set i is hashes[bounds[i]:bounds[i + 1]], in any order."""
    return _set_digests(hashes, bounds)
