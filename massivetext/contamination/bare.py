"""The bare words of texts: what stands between whitespace and symbols, so that another format of a text has the same.

A bare word is a maximal run of characters that are neither whitespace nor of category P* or S*, in NFC and lower case,
with characters of category Cf deleted. Each code point of a script written without spaces, with the combining marks
that follow it, is one by itself. Escapes are read as what they stand for: after one backslash or several `n`, `r` and
`t` are whitespace, `uXXXX` and `xXX` the code point; `&#NN;` and `&#xNN;` are the code point, `&name;` is a symbol.

So code that was formatted again, LaTeX with other spaces, a hyphen that became a space, and a prompt inside a JSON
string or a notebook have the words of the original.
"""

from __future__ import annotations

import numpy as np

from massivetext.contamination.words import Located, Words, lengthened
from massivetext.kernels import njit
from massivetext.text import Texts, buffers
from massivetext.text.hashing import OFFSET, PRIME, fmix
from massivetext.text.normal import nfc
from massivetext.text.unicode import ALONE, ALPHA, BYTE_LONGER, BYTE_SPACE, DELETED, MARK, NFC_MAYBE, SPACE
from massivetext.text.utf8 import decode_point
from massivetext.text.words import add_point, unicode_tables

__all__ = ["BARE_VERSION", "bare_words", "located_bare_words"]

BARE_VERSION = 1

_BACKSLASH, _AMPERSAND, _NUMBER, _SEMICOLON = 92, 38, 35, 59
_A, _N, _R, _T, _U, _X = 97, 110, 114, 116, 117, 120
_MOST_ENTITY = 8
"""Characters of a name or number between `&` and `;`."""


@njit(cache=True, nogil=True)
def _digit(b):
    """The value of a hexadecimal digit, or -1."""
    if 48 <= b <= 57:
        return np.int64(b) - 48
    b |= 32
    return np.int64(b) - 87 if 97 <= b <= 102 else np.int64(-1)


@njit(cache=True, nogil=True)
def _hex(data, i, end, n):
    """The number that n hexadecimal digits at data[i] write, or -1."""
    if i + n > end:
        return np.int64(-1)
    value = np.int64(0)
    for k in range(i, i + n):
        digit = _digit(data[k])
        if digit < 0:
            return np.int64(-1)
        value = value << 4 | digit
    return value


@njit(cache=True, nogil=True)
def _past_backslashes(data, i, end):
    while i < end and data[i] == _BACKSLASH:
        i += 1
    return i


@njit(cache=True, nogil=True)
def _escape(data, i, end):
    """(code point, byte after it) of the escape that begins with a backslash at data[i]; a space for whitespace and for
    backslashes that escape nothing."""
    j = _past_backslashes(data, i, end)
    kind = data[j] if j < end else 0
    if kind in (_N, _R, _T):
        return np.int64(32), j + 1
    if kind == _X:
        point = _hex(data, j + 1, end, 2)
        if point >= 0:
            return point, j + 3
    if kind == _U:
        point = _hex(data, j + 1, end, 4)
        if 0xD800 <= point < 0xDC00:
            low = _past_backslashes(data, j + 5, end)
            second = _hex(data, low + 1, end, 4) if low > j + 5 and low < end and data[low] == _U else np.int64(-1)
            if 0xDC00 <= second < 0xE000:
                return 0x10000 + ((point & 0x3FF) << 10 | (second & 0x3FF)), low + 5
            return np.int64(32), j + 5
        if point >= 0:
            return point, j + 5
    return np.int64(32), j


@njit(cache=True, nogil=True)
def _entity(data, i, end):
    """(code point, byte after it) of the entity that begins with `&` at data[i]; a space for one with a name, and for
    a `&` that begins none."""
    j = i + 1
    while (
        j < end and j - i <= _MOST_ENTITY and (data[j] == _NUMBER or 48 <= data[j] <= 57 or 97 <= data[j] | 32 <= 122)
    ):
        j += 1
    if j >= end or data[j] != _SEMICOLON or j == i + 1:
        return np.int64(32), i + 1
    if data[i + 1] != _NUMBER:
        return np.int64(32), j + 1
    point = np.int64(0)
    if data[i + 2] | 32 == _X:
        point = _hex(data, i + 3, end, j - i - 3) if j > i + 3 else np.int64(-1)
    else:
        for k in range(i + 2, j):
            point = point * 10 + np.int64(data[k]) - 48 if 48 <= data[k] <= 57 and point >= 0 else np.int64(-1)
    return (point if 0 <= point < 0x110000 else np.int64(32)), j + 1


@njit(cache=True, nogil=True)
def _is_format(point):
    """Whether a code point that is deleted is of category Cf, and so separates nothing."""
    return (
        point == 0xAD
        or 0x600 <= point <= 0x605
        or point == 0x61C
        or point == 0x6DD
        or point == 0x70F
        or 0x890 <= point <= 0x891
        or point == 0x8E2
        or point == 0x180E
        or 0x200B <= point <= 0x200F
        or 0x202A <= point <= 0x202E
        or (0x2060 <= point <= 0x206F and point != 0x2065)
        or point == 0xFEFF
        or 0xFFF9 <= point <= 0xFFFB
        or point == 0x110BD
        or point == 0x110CD
        or 0x13430 <= point <= 0x13438
        or 0x1BCA0 <= point <= 0x1BCA3
        or 0x1D173 <= point <= 0x1D17A
        or point == 0xE0001
        or 0xE0020 <= point <= 0xE007F
    )


@njit(cache=True, nogil=True)
def _bare(data, t, out, starts, ends, tells):
    """Write the bare words of a text that is taken to be in NFC: hashes, characters between which each stands, and
    whether each has two letters or is of a script without spaces. Returns (how many, whether NFC may change the text).
    """
    flags, lower, classes = t.flags, t.lower, t.byte_classes
    n = np.int64(0)
    maybe = np.uint8(0)
    open_, alone = False, False
    h = OFFSET
    letters = np.int64(0)
    behind = np.int64(0)  # bytes so far that begin no character
    # Unsigned, since numba looks at the sign of an index at every access.
    i, one, end = np.uint64(0), np.uint64(1), np.uint64(len(data))
    while i < end:
        c = classes[data[i]]
        if c < BYTE_SPACE:
            if open_ and alone:
                out[n], tells[n] = fmix(h), True
                n += 1
                open_ = False
            if not open_:
                open_, alone = True, False
                h = OFFSET
                letters = 0
                starts[n] = np.int64(i) - behind
            while c < BYTE_SPACE:
                h = (h ^ np.uint64(c)) * PRIME
                letters += c >= _A
                i += one
                if i >= end:
                    break
                c = classes[data[i]]
            ends[n] = np.int64(i) - behind
            if i >= end:
                break
        at = np.int64(i)
        b = data[i]
        if c == BYTE_LONGER:
            point, size = decode_point(data, at, np.int64(end))
            after = at + size
            f = flags[point]
            maybe |= f & NFC_MAYBE
        elif b == _BACKSLASH:
            point, after = _escape(data, at, np.int64(end))
            f = flags[point]
        elif b == _AMPERSAND:
            point, after = _entity(data, at, np.int64(end))
            f = flags[point]
        else:
            point, after, f = np.int64(32), at + 1, np.uint8(SPACE)
        i = np.uint64(after)
        if f & DELETED and _is_format(point):
            behind += after - at - 1 if c == BYTE_LONGER else 0
            continue
        cuts = f & (SPACE | DELETED) != 0
        if open_ and (cuts or (not f & MARK if alone else f & ALONE != 0)):
            out[n], tells[n] = fmix(h), alone or letters >= 2
            n += 1
            open_ = False
        if not cuts:
            if not open_:
                open_, alone = True, f & ALONE != 0
                h = OFFSET
                letters = 0
                starts[n] = at - behind
            h = add_point(h, point, lower)
            letters += f & ALPHA != 0
        behind += after - at - 1 if c == BYTE_LONGER else 0
        if not cuts:
            ends[n] = after - behind
    if open_:
        out[n], tells[n] = fmix(h), alone or letters >= 2
        n += 1
    return n, maybe != 0


@njit(cache=True, nogil=True)
def _words(data, offsets, t, composes):
    """The bare words of all texts, in NFC if `composes`, else of the texts as they are.

    Returns (hashes, bounds) as in Words, and of the last text: starts, ends and telling as in Located, and whether NFC
    may change it.
    """
    n_texts = len(offsets) - 1
    bounds = np.zeros(n_texts + 1, np.int64)
    longest = np.int64(0)
    for i in range(n_texts):
        longest = max(longest, offsets[i + 1] - offsets[i])
    # No text of m bytes has more than (m + 1) / 2 words; memory that is not written is not taken.
    out = np.empty((len(data) + n_texts) // 2 + 2, np.uint64)
    most = longest // 2 + 2
    starts, ends, tells = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.bool_)
    size = n = np.int64(0)
    maybe = False
    for i in range(n_texts):
        text = data[offsets[i] : offsets[i + 1]]
        n, maybe = _bare(text, t, out[size:], starts, ends, tells)
        if maybe and composes:
            text = nfc(text, 0, len(text), t)
            most = len(text) // 2 + 2
            if most > len(starts):
                starts, ends, tells = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.bool_)
            if size + most > len(out):
                out = lengthened(out, len(out) + len(text))
            n, _ = _bare(text, t, out[size:], starts, ends, tells)
        size += n
        bounds[i + 1] = size
    return out[:size], bounds, starts[:n], ends[:n], tells[:n], maybe


def bare_words(texts: Texts) -> Words:
    """The bare words of each text as hashes. The list of a null or empty text is empty."""
    return Words(*_words(*buffers(texts), unicode_tables(), True)[:2])


def located_bare_words(text: str) -> Located:
    """Return the bare words of one text, and where they stand in it; `unknown` is False for all of them.

    Where NFC changes the text, word k of the NFC text takes the place of word k of the text before NFC, and the whole
    text where that has no word: of U+2ADC, a symbol, NFC makes a symbol and a mark.
    """
    tables = unicode_tables()
    data = np.frombuffer(text.encode(), np.uint8)
    located, maybe = _located(data, tables)
    if not maybe:
        return located
    composed, _ = _located(nfc(data, 0, len(data), tables), tables)
    if not len(located.hashes):
        n = len(composed.hashes)
        return composed._replace(starts=np.zeros(n, np.int64), ends=np.full(n, len(text), np.int64))
    at = np.minimum(np.arange(len(composed.hashes)), len(located.hashes) - 1)
    return composed._replace(starts=located.starts[at], ends=located.ends[at])


def _located(data: np.ndarray, tables: object) -> tuple[Located, bool]:
    """(The bare words of a text as it is, and where they stand; whether NFC may change the text)."""
    hashes, _, starts, ends, tells, maybe = _words(data, np.array([0, len(data)]), tables, False)
    return Located(hashes, np.zeros(len(hashes), np.bool_), starts, ends, tells), maybe
