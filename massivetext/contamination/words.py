"""The normalised words of texts as hashes (definition: massivetext/text/scan.py) and nothing else."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from massivetext.contamination.wikitext import UNKNOWN
from massivetext.kernels import njit
from massivetext.text import Texts, buffers
from massivetext.text.normal import decode_point, nfc
from massivetext.text.scan import N_COUNTS as _N_COUNTS
from massivetext.text.scan import fmix, make_scratch, normalised_words, scan, unicode_tables, words_at_most
from massivetext.text.unicode import DELETED, NFC_MAYBE, SPACE

__all__ = ["Words", "located_words", "words"]

_OFFSET = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_ASCII_SPACE, _ASCII_DELETED, _LONGER = 0x80, 0x81, 0x82
_UNKNOWN = ord(UNKNOWN)


class Words(NamedTuple):
    """hashes: uint64[m], the normalised words of all texts, one text after another; bounds: int64[n + 1], where each
    text's words start. A pass that has them already may hand them to `TestSets.measure`."""

    hashes: np.ndarray
    bounds: np.ndarray


@njit(cache=True, nogil=True)
def _hash_words(data, start, end, t, classes, out):
    """Hashes of the words of data[start:end] into out; returns how many, or -1 - how many if NFC may be needed."""
    flags, lower = t.flags, t.lower
    text = data[start:end]
    n = 0
    maybe = 0
    h = _OFFSET
    # Unsigned, since numba looks at the sign of an index at every access.
    i, one, stop = np.uint64(0), np.uint64(1), np.uint64(len(text))
    while i < stop:
        c = classes[text[i]]
        if c < 0x80:
            h = (h ^ np.uint64(c)) * _PRIME
            i += one
            while i < stop:
                c = classes[text[i]]
                if c >= 0x80:
                    break
                h = (h ^ np.uint64(c)) * _PRIME
                i += one
            if i >= stop:
                break
        if c == _ASCII_SPACE:
            if h != _OFFSET:
                out[n] = fmix(h)
                n += 1
                h = _OFFSET
            i += one
        elif c == _ASCII_DELETED:
            i += one
        else:
            point, size = decode_point(text, np.int64(i), np.int64(stop))
            i += np.uint64(size)
            f = flags[point]
            maybe |= f & NFC_MAYBE
            if f & SPACE:
                if h != _OFFSET:
                    out[n] = fmix(h)
                    n += 1
                    h = _OFFSET
            elif not f & DELETED:
                if point != 0x130:
                    h = (h ^ np.uint64(lower[point])) * _PRIME
                else:
                    h = ((h ^ np.uint64(0x69)) * _PRIME ^ np.uint64(0x307)) * _PRIME
    if h != _OFFSET:
        out[n] = fmix(h)
        n += 1
    return -1 - n if maybe else n


@njit(cache=True, nogil=True)
def _words(data, offsets, t, classes):
    n_texts = len(offsets) - 1
    bounds = np.zeros(n_texts + 1, np.int64)
    # No text of m bytes has more than (m + 1) / 2 words; memory that is not written is not taken.
    out = np.empty((len(data) + n_texts) // 2 + 1, np.uint64)
    size = 0
    for i in range(n_texts):
        n = _hash_words(data, offsets[i], offsets[i + 1], t, classes, out[size:])
        if n < 0:
            composed = nfc(data, offsets[i], offsets[i + 1], t)
            n = _hash_words(composed, 0, len(composed), t, classes, out[size:])
            n = -1 - n if n < 0 else n
        size += n
        bounds[i + 1] = size
    return out[:size], bounds


@njit(cache=True, nogil=True)
def _located(data, t):
    """Hashes of one text's words, whether each holds UNKNOWN, and the code points where each starts and ends."""
    s = make_scratch(words_at_most(data, 0, len(data)))
    counts = np.zeros(_N_COUNTS, np.int64)
    scan(data, 0, len(data), t, s, counts)
    n = normalised_words(data, 0, len(data), t, s, counts)
    unknown = np.zeros(n, np.bool_)
    starts = np.empty(n, np.int64)
    ends = np.empty(n, np.int64)
    i = points = 0
    for k in range(n):
        word = s.normal_word[k]
        while i < s.word_start[word]:
            points += data[i] & 0xC0 != 0x80
            i += 1
        starts[k] = points
        while i < s.word_end[word]:
            unknown[k] |= data[i] == _UNKNOWN
            points += data[i] & 0xC0 != 0x80
            i += 1
        ends[k] = points
    return s.normal[:n].copy(), unknown, starts, ends


def _byte_classes(flags: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """uint8[256]: the lower-cased character of an ASCII byte, or a value that is no ASCII: for whitespace, for what is
    deleted, for bytes of longer characters."""
    classes = np.full(256, _LONGER, np.uint8)
    classes[:128] = lower[:128]
    classes[:128][(flags[:128] & DELETED) != 0] = _ASCII_DELETED
    classes[:128][(flags[:128] & SPACE) != 0] = _ASCII_SPACE
    return classes


def words(texts: Texts) -> Words:
    """The normalised words of each text. The list of a null or empty text is empty."""
    t = unicode_tables()
    return Words(*_words(*buffers(texts), t, _byte_classes(t.flags, t.lower)))


def located_words(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(hashes: uint64[n], unknown: bool[n], starts: int64[n], ends: int64[n]) of one text's normalised words: whether
    each holds UNKNOWN, and the characters of the text between which it stands."""
    return _located(np.frombuffer(text.encode(), np.uint8), unicode_tables())
