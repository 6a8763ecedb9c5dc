"""One pass over the bytes of a document: its words, lines and paragraphs as hashes and lengths, and all counts.

Definitions of hashes, version 1. All arithmetic is modulo 2^64; fmix is the 64-bit finaliser of MurmurHash3.

    word hash          h = 0xCBF29CE484222325; h = (h ^ code point) * 0x9E3779B97F4A7C15 for each; fmix(h)
    sequence hash      g = g * 0xD1342543DE82EF95 + word hash, over the words in order, from 0
    shingle hash       fmix(g) over 13 normalised words, or over all words of a text of 1 to 12

A line or paragraph is hashed as the sequence of its words with what stands between them, so that equal hashes mean
equal text. Hashes are not secret: a page can be made to collide with itself, which changes that page's own values and
nothing else. The slots of hash tables are salted per process instead, so that no page can make a table slow.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from massivetext.kernels import njit
from massivetext.text.normal import decode_point, nfc
from massivetext.text.unicode import ALNUM, ALPHA, DELETED, NFC_MAYBE, SPACE, Tables, tables

__all__ = [
    "BASE",
    "HASH_VERSION",
    "Scratch",
    "fmix",
    "make_scratch",
    "normalised_words",
    "scan",
    "unicode_tables",
    "words_at_most",
]

HASH_VERSION = 1
_OFFSET = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x9E3779B97F4A7C15)
BASE = np.uint64(0xD1342543DE82EF95)

# Counts that a scan returns, by index.
N_WORDS, N_CHARS, N_HASHES, N_ELLIPSES, N_LINES, N_BULLETS, N_ELLIPSIS_LINES, N_ALPHA_WORDS = range(8)
STOP_WORDS, N_LINE_CHARS, N_PARAGRAPHS, N_PARAGRAPH_CHARS, N_NORMAL, MAYBE_NOT_NFC, N_COUNTS = range(8, 15)

_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_BULLETS = "•‣⁃◦●○■□▪▫▶►◀·"
_SPACED_BULLETS = "-*+–"


def _key(word: str) -> int:
    return int.from_bytes(word.encode(), "little")


_S0, _S1, _S2, _S3, _S4, _S5, _S6, _S7 = map(_key, _STOP_WORDS)
_B0, _B1, _B2, _B3, _B4, _B5, _B6, _B7, _B8, _B9, _B10, _B11, _B12, _B13 = map(ord, _BULLETS)
_EN_DASH, _ELLIPSIS = 0x2013, 0x2026


class Scratch(NamedTuple):
    """Where a scan leaves its words: arrays of one document's size, used again for the next.

    words: uint64, hash of each word; word_chars: int32, its code points; word_start, word_end: uint32, its bytes,
    counted from the start of the text (of at most 4 GiB).
    lines, paragraphs: uint64 hashes; line_chars, paragraph_chars: int64, code points, stripped.
    normal: uint64, hashes of normalised words; normal_word: int32, the word that each came from.
    """

    words: np.ndarray
    word_chars: np.ndarray
    word_start: np.ndarray
    word_end: np.ndarray
    lines: np.ndarray
    line_chars: np.ndarray
    paragraphs: np.ndarray
    paragraph_chars: np.ndarray
    normal: np.ndarray
    normal_word: np.ndarray


@lru_cache(maxsize=1)
def unicode_tables() -> Tables:
    return tables()


@njit(cache=True, nogil=True)
def fmix(h):
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@njit(cache=True, nogil=True)
def words_at_most(data, start, end):
    """No fewer than the words of data[start:end], counted from bytes that can begin or be whitespace."""
    n = 1
    for i in range(start, end):
        b = data[i]
        n += (b <= 32) | (b == 0xC2) | (b == 0xE1) | (b == 0xE2) | (b == 0xE3)
    return min(n, (end - start + 1) // 2 + 1)


@njit(cache=True, nogil=True)
def make_scratch(n):
    """Scratch for a document of at most n words."""
    return Scratch(
        np.empty(n, np.uint64),
        np.empty(n, np.int32),
        np.empty(n, np.uint32),
        np.empty(n, np.uint32),
        # As many lines as words is rare, and memory that is not touched costs nothing.
        np.empty(n, np.uint64),
        np.empty(n, np.int64),
        np.empty(n, np.uint64),
        np.empty(n, np.int64),
        np.empty(n, np.uint64),
        np.empty(n, np.int32),
    )


@njit(cache=True, nogil=True)
def _stop_word(data, first, end):
    """The bit of the stop word that data[first:end] is when lower-cased, or 0."""
    n = end - first
    if n < 2 or n > 4:
        return 0
    key = np.int64(0)
    for i in range(n):
        b = np.int64(data[first + i])
        if b >= 65 and b <= 90:
            b += 32
        key |= b << (8 * i)
    if key == _S0:
        return 1
    if key == _S1:
        return 2
    if key == _S2:
        return 4
    if key == _S3:
        return 8
    if key == _S4:
        return 16
    if key == _S5:
        return 32
    if key == _S6:
        return 64
    if key == _S7:
        return 128
    return 0


@njit(cache=True, nogil=True)
def _is_bullet(c):
    return (
        c == _B0 or c == _B1 or c == _B2 or c == _B3 or c == _B4 or c == _B5 or c == _B6
        or c == _B7 or c == _B8 or c == _B9 or c == _B10 or c == _B11 or c == _B12 or c == _B13
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _ends_in_ellipsis(data, first, end):
    n = end - first
    if n < 3:
        return False
    a, b, c = data[end - 3], data[end - 2], data[end - 1]
    return (a == 46 and b == 46 and c == 46) or (a == 0xE2 and b == 0x80 and c == 0xA6)


@njit(cache=True, nogil=True)
def scan(data, start, end, t, s, counts):
    """Scan data[start:end] into scratch `s` and `counts` (int64[N_COUNTS]).

    Normalised words are right only if counts[MAYBE_NOT_NFC] is 0: see `normalised_words`.
    """
    flags, lower = t.flags, t.lower
    counts[:] = 0
    n_words = n_chars = n_hashes = n_ellipses = n_bullets = n_ellipsis_lines = n_alpha = n_normal = 0
    n_lines = n_paragraphs = n_line_chars = n_paragraph_chars = 0
    stops = 0
    maybe = 0
    newlines = 2  # what stands before the first word begins both a line and a paragraph
    separator = np.uint64(0)
    line = paragraph = np.uint64(0)
    line_first = paragraph_first = 0  # index of the code point that they begin with
    line_start = 0  # byte
    last_end = start  # byte after the last word
    last_point = 0  # index of the code point after the last word
    spaced_bullet = False  # the line's only word so far is one of those that whitespace must follow
    first_point = np.int64(0)
    index = 0
    i = start
    while i < end:
        b = data[i]
        if b < 0x80:
            point, size = np.int64(b), 1
        else:
            point, size = decode_point(data, i, end)
        f = flags[point]
        if f & SPACE:
            newlines += point == 10
            separator = separator * np.uint64(31) + np.uint64(point)
            i += size
            index += 1
            continue
        if newlines:
            if n_words:
                s.lines[n_lines] = line
                s.line_chars[n_lines] = last_point - line_first
                n_line_chars += last_point - line_first
                n_lines += 1
                n_ellipsis_lines += _ends_in_ellipsis(data, line_start, last_end)
            line = np.uint64(0)
            line_first, line_start = index, i
            n_bullets += _is_bullet(point)
            spaced_bullet = True
            first_point = point
        else:
            line = line * BASE + fmix(separator)
            if spaced_bullet and s.word_chars[n_words - 1] == 1:
                c = first_point
                n_bullets += (c == 45) | (c == 42) | (c == 43) | (c == _EN_DASH)
            spaced_bullet = False
        if newlines >= 2:
            if n_words:
                s.paragraphs[n_paragraphs] = paragraph
                s.paragraph_chars[n_paragraphs] = last_point - paragraph_first
                n_paragraph_chars += last_point - paragraph_first
                n_paragraphs += 1
            paragraph = np.uint64(0)
            paragraph_first = index
        else:
            paragraph = paragraph * BASE + fmix(separator)
        word_start = i
        word = normal = _OFFSET
        word_points = normal_points = 0
        first_alnum = last_alnum = -1
        seen = np.uint8(0)
        dots = 0
        while True:
            word = (word ^ np.uint64(point)) * _PRIME
            word_points += 1
            seen |= f
            if not f & DELETED:
                if point != 0x130:
                    normal = (normal ^ np.uint64(lower[point])) * _PRIME
                else:
                    normal = ((normal ^ np.uint64(0x69)) * _PRIME ^ np.uint64(0x307)) * _PRIME
                normal_points += 1
                dots = 0
            elif point == 46:
                dots += 1
                n_ellipses += dots == 3
                dots -= 3 * (dots == 3)
            else:
                dots = 0
                n_hashes += point == 35
                n_ellipses += point == _ELLIPSIS
            if f & ALNUM:
                if first_alnum < 0:
                    first_alnum = i
                last_alnum = i + size
            i += size
            if i >= end:
                break
            b = data[i]
            if b < 0x80:
                point, size = np.int64(b), 1
            else:
                point, size = decode_point(data, i, end)
            f = flags[point]
            if f & SPACE:
                break
        index += word_points
        h = fmix(word)
        s.words[n_words] = h
        s.word_chars[n_words] = word_points
        s.word_start[n_words] = word_start - start
        s.word_end[n_words] = i - start
        if normal_points:
            s.normal[n_normal] = fmix(normal)
            s.normal_word[n_normal] = n_words
            n_normal += 1
        n_words += 1
        n_chars += word_points
        n_alpha += (seen & ALPHA) != 0
        maybe |= seen & NFC_MAYBE
        if last_alnum > first_alnum:
            stops |= _stop_word(data, first_alnum, last_alnum)
        line = line * BASE + h
        paragraph = paragraph * BASE + h
        last_end, last_point = i, index
        newlines = 0
        separator = np.uint64(0)
    if n_words:
        s.lines[n_lines] = line
        s.line_chars[n_lines] = last_point - line_first
        n_line_chars += last_point - line_first
        n_lines += 1
        n_ellipsis_lines += _ends_in_ellipsis(data, line_start, last_end)
        s.paragraphs[n_paragraphs] = paragraph
        s.paragraph_chars[n_paragraphs] = last_point - paragraph_first
        n_paragraph_chars += last_point - paragraph_first
        n_paragraphs += 1
    n_stops = 0
    while stops:
        n_stops += stops & 1
        stops >>= 1
    counts[N_WORDS] = n_words
    counts[N_CHARS] = n_chars
    counts[N_HASHES] = n_hashes
    counts[N_ELLIPSES] = n_ellipses
    counts[N_LINES] = n_lines
    counts[N_BULLETS] = n_bullets
    counts[N_ELLIPSIS_LINES] = n_ellipsis_lines
    counts[N_ALPHA_WORDS] = n_alpha
    counts[STOP_WORDS] = n_stops
    counts[N_LINE_CHARS] = n_line_chars
    counts[N_PARAGRAPHS] = n_paragraphs
    counts[N_PARAGRAPH_CHARS] = n_paragraph_chars
    counts[N_NORMAL] = n_normal
    counts[MAYBE_NOT_NFC] = maybe


@njit(cache=True, nogil=True)
def normalised_words(data, start, end, t, s, counts):
    """Hashes of the normalised words of data[start:end], after `scan` of the same text: NFC first where it is needed.

    Returns the number of words, left in s.normal with the words they came from in s.normal_word. NFC keeps the number
    and order of words, so the latter stays right.
    """
    if not counts[MAYBE_NOT_NFC]:
        return counts[N_NORMAL]
    composed = nfc(data, start, end, t)
    flags, lower = t.flags, t.lower
    n = 0
    n_words = 0
    in_word = False
    points = 0
    h = _OFFSET
    i = 0
    stop = len(composed)
    while i <= stop:
        if i < stop:
            point, size = decode_point(composed, i, stop)
            f = flags[point]
        else:
            point, size, f = np.int64(32), 1, np.uint8(SPACE)
        if f & SPACE:
            if in_word:
                if points:
                    s.normal[n] = fmix(h)
                    s.normal_word[n] = n_words
                    n += 1
                n_words += 1
                in_word = False
        else:
            if not in_word:
                in_word = True
                points = 0
                h = _OFFSET
            if not f & DELETED:
                if point != 0x130:
                    h = (h ^ np.uint64(lower[point])) * _PRIME
                else:
                    h = ((h ^ np.uint64(0x69)) * _PRIME ^ np.uint64(0x307)) * _PRIME
                points += 1
        i += size
    return n
