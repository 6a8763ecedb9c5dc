"""128-bit digests: of a text up to whitespace and composition, and of a set of shingles."""

from __future__ import annotations

import numpy as np

from massivetext.kernels import njit
from massivetext.text import Texts, buffers
from massivetext.text.hashing import fmix
from massivetext.text.normal import nfc
from massivetext.text.unicode import NFC_MAYBE, SPACE
from massivetext.text.utf8 import decode_point
from massivetext.text.words import unicode_tables

__all__ = ["digest_set", "exact_digests", "set_digests"]

_A, _B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1342543DE82EF95)
_C, _D = np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0xA0761D6478BD642F)


@njit(cache=True, nogil=True)
def _word_at(text, i):
    """The 8 bytes from text[i] on, the lowest first. LLVM makes one load of it; a view would be compiled anew."""
    low = (
        np.uint64(text[i])
        | np.uint64(text[i + 1]) << np.uint64(8)
        | np.uint64(text[i + 2]) << np.uint64(16)
        | np.uint64(text[i + 3]) << np.uint64(24)
    )
    high = (
        np.uint64(text[i + 4])
        | np.uint64(text[i + 5]) << np.uint64(8)
        | np.uint64(text[i + 6]) << np.uint64(16)
        | np.uint64(text[i + 7]) << np.uint64(24)
    )
    return low | high << np.uint64(32)


@njit(cache=True, nogil=True)
def _digest(text, n, out):
    """Two chains over words of 8 bytes, each word mixed on its own first, so that both depend on every bit. `text` is
    uint8 with room for the zeros that fill the last word."""
    for i in range(n, n + 8):
        text[i] = 0
    a = _A ^ np.uint64(n)
    b = _B ^ np.uint64(n)
    for i in range((n + 7) // 8):
        word = _word_at(text, 8 * i)
        mixed = fmix(word + _A)
        a = (a ^ mixed) * _C
        a ^= a >> np.uint64(32)
        b = (b ^ (mixed + (word ^ _D) * _C)) * _B
        b ^= b >> np.uint64(29)
    out[0] = fmix(a)
    out[1] = fmix(b ^ a)


@njit(cache=True, nogil=True)
def _collapse(text, start, end, flags, buffer):
    """(bytes, code points, whether NFC may change the text): words with one space between them into buffer."""
    n = 0
    gap = False
    maybe = False
    points = end - start
    i = start
    while i < end:
        byte = text[i]
        if byte < 0x80:
            if flags[byte] & SPACE:
                gap = n > 0
            else:
                if gap:
                    buffer[n] = 32
                    n += 1
                    gap = False
                buffer[n] = byte
                n += 1
            i += 1
            continue
        point, size = decode_point(text, i, end)
        points -= size - 1
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
        i += size
    return n, points, maybe


@njit(cache=True, nogil=True)
def _exact(data, offsets, tables):
    n_texts = len(offsets) - 1
    digests = np.empty((n_texts, 2), np.uint64)
    lengths = np.empty(n_texts, np.int64)
    most = np.int64(1)
    for i in range(n_texts):
        most = max(most, offsets[i + 1] - offsets[i])
    buffer = np.empty((most // 8 + 2) * 8, np.uint8)
    for row in range(n_texts):
        n, points, maybe = _collapse(data, offsets[row], offsets[row + 1], tables.flags, buffer)
        if maybe:
            text = nfc(data, offsets[row], offsets[row + 1], tables)
            if len(text) + 8 > len(buffer):
                buffer = np.empty((len(text) // 8 + 2) * 8, np.uint8)
            n, _, _ = _collapse(text, 0, len(text), tables.flags, buffer)
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
