"""The written words of a text as hashes, by the rules for shingles: NFC, lower case, P*, S* and Cf deleted, then cut.

A written word is what stands between whitespace, except that each code point of a script without spaces (Han, Thai and
others) is one by itself, with the combining marks that follow it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from massivetext.kernels import njit
from massivetext.text.hashing import OFFSET, PRIME, fmix
from massivetext.text.normal import nfc
from massivetext.text.unicode import (
    ALONE,
    BYTE_DELETED,
    BYTE_LONGER,
    BYTE_SPACE,
    DELETED,
    MARK,
    NFC_MAYBE,
    SPACE,
    Tables,
    tables,
)
from massivetext.text.utf8 import decode_point

__all__ = ["add_point", "normal_words", "raw_words", "unicode_tables", "words_at_most"]


@lru_cache(maxsize=1)
def unicode_tables() -> Tables:
    return tables()


@njit(cache=True, nogil=True)
def words_at_most(data, start, end):
    """Return a number that is not less than the words, or the written words, of data[start:end].

    Each whitespace character can end a word. Each code point of a script without spaces can end a word and be one; it
    starts with a byte of 0xE0 or more, or with 0xCB (two marks of Bopomofo).
    """
    n = np.int64(1)
    for i in range(start, end):
        b = data[i]
        n += (b <= 32) | (b == 0xC2)
        n += np.int64(2) * ((b >= 0xE0) | (b == 0xCB))
    return min(n, (end - start + 1) // 2 + 1)


@njit(cache=True, nogil=True)
def add_point(h, point, lower):
    """The hash of a word, not finished, after one more code point in lower case."""
    if point == 0x130:  # the one code point whose lower case is two
        return ((h ^ np.uint64(0x69)) * PRIME ^ np.uint64(0x307)) * PRIME
    return (h ^ np.uint64(lower[point])) * PRIME


@njit(cache=True, nogil=True)
def raw_words(data, start, end, t, out):
    """Write the hashes of the written words of data[start:end], which is taken to be in NFC, to `out`.

    Returns (words, whether the text may not be in NFC). `out` needs room for one word more than there are.
    """
    flags, lower, classes = t.flags, t.lower, t.byte_classes
    n = np.int64(0)
    maybe = 0
    open_, alone = False, False  # whether a word has begun, and whether it is one of a script without spaces
    h = OFFSET
    # Unsigned, since numba looks at the sign of an index at every access.
    i, one, stop = np.uint64(start), np.uint64(1), np.uint64(end)
    while i < stop:
        c = classes[data[i]]
        if c < BYTE_SPACE:
            if alone:
                out[n] = fmix(h)
                n += 1
                h = OFFSET
                alone = False
            open_ = True
            while c < BYTE_SPACE:
                h = (h ^ np.uint64(c)) * PRIME
                i += one
                if i >= stop:
                    break
                c = classes[data[i]]
            if i >= stop:
                break
        if c == BYTE_LONGER:
            point, size = decode_point(data, np.int64(i), np.int64(stop))
            i += np.uint64(size)
            f = flags[point]
            maybe |= f & NFC_MAYBE
            if f & DELETED:
                continue
            if not f & SPACE:
                cuts = not f & MARK if alone else f & ALONE != 0
                if cuts:
                    out[n] = fmix(h)
                    n += open_
                    h = OFFSET
                    alone = f & ALONE != 0
                open_ = True
                h = add_point(h, point, lower)
                continue
        else:
            i += one
            if c == BYTE_DELETED:
                continue
        out[n] = fmix(h)
        n += open_
        h = OFFSET
        open_ = alone = False
    if open_:
        out[n] = fmix(h)
        n += 1
    return n, maybe != 0


@njit(cache=True, nogil=True)
def normal_words(data, start, end, t, out):
    """Write the hashes of the written words of data[start:end] to `out`; return how many there are."""
    n, maybe = raw_words(data, start, end, t, out)
    if maybe:
        text = nfc(data, start, end, t)
        n, _ = raw_words(text, 0, len(text), t, out)
    return n
