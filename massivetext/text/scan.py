"""One pass over the bytes of a document: its words, lines and paragraphs as hashes and lengths, and all counts.

Hashes are those of massivetext/text/hashing.py. A line or paragraph is hashed as the sequence of its words with what
stands between them, so that equal hashes mean equal text.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from massivetext.kernels import njit
from massivetext.text.hashing import BASE, HASH_VERSION, OFFSET, PRIME, fmix
from massivetext.text.normal import nfc
from massivetext.text.unicode import ALNUM, ALONE, ALPHA, DELETED, MARK, NFC_MAYBE, SPACE
from massivetext.text.utf8 import decode_point
from massivetext.text.words import add_point, normal_words, raw_words, unicode_tables, words_at_most

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

# Counts that a scan returns, by index.
N_WORDS, N_CHARS, N_HASHES, N_ELLIPSES, N_LINES, N_BULLETS, N_ELLIPSIS_LINES, N_ALPHA_WORDS = range(8)
STOP_WORDS, N_LINE_CHARS, N_PARAGRAPHS, N_PARAGRAPH_CHARS, N_NORMAL, NOT_NORMAL, N_COUNTS = range(8, 15)

_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_BULLETS = "•‣⁃◦●○■□▪▫▶►◀·"
HASH_SIGN, DOT, NEWLINE = 35, 46, 10


def _key(word: str) -> int:
    return int.from_bytes(word.encode(), "little")


_S0, _S1, _S2, _S3, _S4, _S5, _S6, _S7 = map(_key, _STOP_WORDS)
_B0, _B1, _B2, _B3, _B4, _B5, _B6, _B7, _B8, _B9, _B10, _B11, _B12, _B13 = map(ord, _BULLETS)
_HYPHEN, _ASTERISK, _PLUS, _EN_DASH, _ELLIPSIS = 45, 42, 43, 0x2013, 0x2026


class Scratch(NamedTuple):
    """Where a scan leaves its words: arrays of one document's size, used again for the next.

    words: uint64, hash of each word; word_chars: int32, its code points; word_starts, word_ends: uint32, its bytes,
    counted from the start of the text (of at most 4 GiB); word_index: int64, the code points before it; gaps: uint64,
    hash of the whitespace before it; newlines: int32, how many newlines are in that.
    lines, paragraphs: uint64 hashes; line_chars, paragraph_chars: int64, code points, stripped.
    normal: uint64, hashes of written words by the rules for shingles.
    """

    words: np.ndarray
    word_chars: np.ndarray
    word_starts: np.ndarray
    word_ends: np.ndarray
    word_index: np.ndarray
    gaps: np.ndarray
    newlines: np.ndarray
    lines: np.ndarray
    line_chars: np.ndarray
    paragraphs: np.ndarray
    paragraph_chars: np.ndarray
    normal: np.ndarray


@njit(cache=True, nogil=True)
def make_scratch(n):
    """Return scratch for a document of at most n words (`words_at_most`)."""
    # As many lines as words is rare, and memory that is not touched costs nothing.
    return Scratch(
        np.empty(n, np.uint64),
        np.empty(n, np.int32),
        np.empty(n, np.uint32),
        np.empty(n, np.uint32),
        np.empty(n, np.int64),
        np.empty(n, np.uint64),
        np.empty(n, np.int32),
        np.empty(n, np.uint64),
        np.empty(n, np.int64),
        np.empty(n, np.uint64),
        np.empty(n, np.int64),
        np.empty(n + 1, np.uint64),
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


@njit(cache=True, nogil=True, counts=False)
def _read_words(data, start, end, t, s, counts, written):
    """Read the words of data[start:end] into scratch, each with the whitespace before it; count words and symbols."""
    flags, lower = t.flags, t.lower
    n_words = n_chars = n_alphabetic = n_normal = n_hashes = n_ellipses = 0
    stop_words = 0
    classes = 0
    newlines = 0
    separator = np.uint64(0)
    index = 0  # of the code point
    i = start
    while i < end:
        b = data[np.uint64(i)]  # the sign of an index is looked at
        if b < 0x80:
            point, size, f = np.int64(b), 1, flags[b]
        else:
            point, size = decode_point(data, i, end)
            f = flags[point]
        if f & SPACE:
            newlines += point == NEWLINE
            separator = separator * np.uint64(31) + np.uint64(point)
            i += size
            index += 1
            continue
        alone = written and (f & ALONE) != 0
        stops = SPACE | ALONE if written and not alone else SPACE
        s.gaps[n_words] = fmix(separator)
        s.newlines[n_words] = newlines
        s.word_starts[n_words] = i - start
        s.word_index[n_words] = index
        word = normal = OFFSET
        word_points = normal_points = 0
        alone_normal = np.uint8(0)  # ALONE within a written word of such a script
        first_alnum = last_alnum = -1
        seen = np.uint8(0)
        dots = 0
        while True:
            word = (word ^ np.uint64(point)) * PRIME
            word_points += 1
            seen |= f
            if not (f | alone_normal) & (DELETED | ALONE):
                normal = add_point(normal, point, lower)
                normal_points += 1
                dots = 0
            elif not f & DELETED:
                # A written word begins, but for a mark that follows one of a script without spaces.
                if not (alone_normal and f & MARK):
                    s.normal[n_normal] = fmix(normal)
                    n_normal += normal_points > 0
                    normal = OFFSET
                    alone_normal = np.uint8(f & ALONE)
                normal = add_point(normal, point, lower)
                normal_points += 1
                dots = 0
            elif point == DOT:
                dots += 1
                n_ellipses += dots == 3
                dots -= 3 * (dots == 3)
            else:
                dots = 0
                n_hashes += point == HASH_SIGN
                n_ellipses += point == _ELLIPSIS
            if f & ALNUM:
                if first_alnum < 0:
                    first_alnum = i
                last_alnum = i + size
            i += size
            if i >= end:
                break
            b = data[np.uint64(i)]
            if b < 0x80:
                point, size, f = np.int64(b), 1, flags[b]
            else:
                point, size = decode_point(data, i, end)
                f = flags[point]
            if f & stops or (alone and not f & MARK):
                break
        index += word_points
        s.words[n_words] = fmix(word)
        s.word_chars[n_words] = word_points
        s.word_ends[n_words] = i - start
        s.normal[n_normal] = fmix(normal)
        n_normal += normal_points > 0
        n_words += 1
        n_chars += word_points
        n_alphabetic += (seen & ALPHA) != 0
        classes |= seen
        if last_alnum > first_alnum:
            stop_words |= _stop_word(data, first_alnum, last_alnum)
        newlines = 0
        separator = np.uint64(0)
    counts[N_WORDS] = n_words
    counts[N_CHARS] = n_chars
    counts[N_ALPHA_WORDS] = n_alphabetic
    counts[N_HASHES] = n_hashes
    counts[N_ELLIPSES] = n_ellipses
    counts[STOP_WORDS] = _n_bits(stop_words)
    counts[N_NORMAL] = n_normal
    # Cut at written words, a word does not see what a mark behind a deleted character belongs to.
    counts[NOT_NORMAL] = classes & (NFC_MAYBE | ALONE if written else NFC_MAYBE)


@njit(cache=True, nogil=True, counts=False)
def _begins_with_bullet(data, start, end, s, k, n_words):
    """Whether the line whose first word is word k is a bullet line."""
    first = start + np.int64(s.word_starts[k])
    point, _size = decode_point(data, first, end)
    if _is_bullet(point):
        return True
    if not (point == _HYPHEN or point == _ASTERISK or point == _PLUS or point == _EN_DASH):
        return False
    # These need whitespace after them within the line; a written word of another script may follow without any.
    if s.word_chars[k] > 1 or k + 1 == n_words or s.newlines[k + 1]:
        return False
    return s.word_index[k + 1] > s.word_index[k] + 1


@njit(cache=True, nogil=True, counts=False)
def _read_lines(data, start, end, s, counts):
    """Make lines and paragraphs of the words in scratch."""
    n_words = counts[N_WORDS]
    n_lines = n_paragraphs = n_line_chars = n_paragraph_chars = n_bullets = n_ellipsis_lines = 0
    line = paragraph = np.uint64(0)
    line_word = paragraph_word = 0  # the word that each begins with
    for k in range(n_words):
        if k == 0 or s.newlines[k]:
            line = np.uint64(0)
            line_word = k
            n_bullets += _begins_with_bullet(data, start, end, s, k, n_words)
        else:
            line = line * BASE + s.gaps[k]
        if k == 0 or s.newlines[k] >= 2:
            paragraph = np.uint64(0)
            paragraph_word = k
        else:
            paragraph = paragraph * BASE + s.gaps[k]
        h = s.words[k]
        line = line * BASE + h
        paragraph = paragraph * BASE + h
        newlines = s.newlines[k + 1] if k + 1 < n_words else 2
        if newlines:
            last = s.word_index[k] + s.word_chars[k]
            s.lines[n_lines] = line
            s.line_chars[n_lines] = last - s.word_index[line_word]
            n_line_chars += s.line_chars[n_lines]
            n_lines += 1
            first_byte, last_byte = np.int64(s.word_starts[line_word]), np.int64(s.word_ends[k])
            n_ellipsis_lines += _ends_in_ellipsis(data, start + first_byte, start + last_byte)
            if newlines >= 2:
                s.paragraphs[n_paragraphs] = paragraph
                s.paragraph_chars[n_paragraphs] = last - s.word_index[paragraph_word]
                n_paragraph_chars += s.paragraph_chars[n_paragraphs]
                n_paragraphs += 1
    counts[N_LINES] = n_lines
    counts[N_LINE_CHARS] = n_line_chars
    counts[N_BULLETS] = n_bullets
    counts[N_ELLIPSIS_LINES] = n_ellipsis_lines
    counts[N_PARAGRAPHS] = n_paragraphs
    counts[N_PARAGRAPH_CHARS] = n_paragraph_chars


@njit(cache=True, nogil=True)
def _n_bits(bits):
    n = 0
    while bits:
        n += bits & 1
        bits >>= 1
    return n


@njit(cache=True, nogil=True)
def scan(data, start, end, t, s, counts, written):
    """Scan data[start:end] into scratch `s` and `counts`.

    Args:
        data: uint8 array of UTF-8.
        start, end: Bytes of the document.
        t: Unicode tables.
        s: Scratch for at least `words_at_most` words.
        counts: int64[N_COUNTS], overwritten.
        written: Whether words are written words: each code point of a script without spaces, with the combining marks
            that follow it, is a word. Otherwise words are what stands between whitespace.

    Written words as shingles have them are in s.normal only if counts[NOT_NORMAL] is 0: see `normalised_words`.
    """
    _read_words(data, start, end, t, s, counts, written)
    _read_lines(data, start, end, s, counts)


@njit(cache=True, nogil=True)
def normalised_words(data, start, end, t, s, counts):
    """Return the number of written words of data[start:end] by the rules for shingles, after `scan` of the same text.

    Their hashes are left in s.normal. Text that may not be in NFC is read again, and so is text that was cut into
    written words by the scan and holds scripts without spaces.
    """
    if counts[NOT_NORMAL] & NFC_MAYBE:
        text = nfc(data, start, end, t)
        n, _ = raw_words(text, 0, len(text), t, s.normal)
        return n
    if counts[NOT_NORMAL]:
        return normal_words(data, start, end, t, s.normal)
    return counts[N_NORMAL]
