"""Text of a page, as rows that count its characters: one row a block."""

from __future__ import annotations

import numpy as np

from massivetext.extraction.markup import is_space, starts_markup
from massivetext.extraction.state import (
    BREAKS_SEEN,
    CUT,
    IN_WORD,
    IS_BOLD,
    IS_LINK,
    LAST_SIGN,
    N_BLOCKS,
    OPEN_PRE,
    READING,
)
from massivetext.kernels import njit
from massivetext.masks import WIDTH, equal_mask, lowest_bit, range_mask

__all__ = ["N_COLUMNS", "begin_block", "end_block", "read_text"]

# Columns of Tree.blocks.
START, END, NODE, CHARS, LINK_CHARS, CJK, WORDS, SENTENCES, COMMAS, DIGITS, UPPER, LINKS, BREAKS, BOLD, ENDS, BARS = (
    range(16)
)
N_COLUMNS = 16

# What a byte is to the counts.
_OTHER, _SPACE, _DIGIT, _LOWER, _UPPER, _STOP, _COMMA, _BAR, _COLON, _KEEP, _AMP, _LT, _INNER, _WIDE, _NOTHING = range(
    15
)
_KIND = np.zeros(256, np.uint8)
_KIND[0] = _NOTHING
_KIND[9:14] = _SPACE
_KIND[32] = _SPACE
_KIND[48:58] = _DIGIT
_KIND[97:123] = _LOWER
_KIND[65:91] = _UPPER
for _characters, _kind in (
    *((".!?", _STOP), (",", _COMMA), ("|>", _BAR), (":", _COLON), ("\"')", _KEEP), ("&", _AMP), ("<", _LT)),
):
    for _character in _characters:
        _KIND[ord(_character)] = _kind
_KIND[0x80:0xC0] = _INNER
_KIND[0xC0:] = _WIDE


@njit(cache=True, nogil=True, counts=False)
def begin_block(blocks, state, start, node):
    """Begin a block at byte `start`; returns whether there is room for it."""
    row = state[N_BLOCKS]
    if row >= len(blocks):
        state[CUT] = 1
        return False
    state[READING] = 1
    state[BREAKS_SEEN] = 0
    state[LAST_SIGN] = 0
    for column in range(N_COLUMNS):
        blocks[row, column] = 0
    blocks[row, START] = start
    blocks[row, NODE] = node
    return True


@njit(cache=True, nogil=True, counts=False)
def end_block(state):
    """End the block that is being read, if one is."""
    state[N_BLOCKS] += state[READING]
    state[READING] = 0


@njit(cache=True, nogil=True, counts=False)
def _entity(page, i):
    """(bytes of the entity at i, what it is): a space, nothing, or one character."""
    n = len(page)
    j = i + 1
    while j < n and j < i + 10 and page[j] != 59 and page[j] > 32 and page[j] != 60 and page[j] != 38:
        j += 1
    if j >= n or page[j] != 59 or j == i + 1:
        return 1, _KEEP
    size = j + 1 - i
    a, b, c = page[i + 1], page[i + 2] | 32, page[i + 3]
    if size == 6 and a == 110 and b == 98:  # &nbsp;
        return size, _SPACE
    if size == 5 and a == 115 and b == 104 and c == 121:  # &shy;
        return size, _NOTHING
    if a != 35:
        return size, _KEEP
    if size == 6:
        if (page[i + 2] == 49 and c == 54 and page[i + 4] == 48) or (b == 120 and c | 32 == 97 and page[i + 4] == 48):
            return size, _SPACE  # &#160; and &#xa0;
        if page[i + 2] == 49 and c == 55 and page[i + 4] == 51:  # &#173;
            return size, _NOTHING
    if size == 7 and page[i + 2] == 56 and c == 50 and page[i + 4] == 48 and page[i + 5] == 51:  # &#8203;
        return size, _NOTHING
    return size, _KEEP


@njit(cache=True, nogil=True, counts=False)
def _wide(page, i):
    """(bytes, what it is) of the character at i, which is not ASCII: a space, nothing, a sentence's end, a comma, a
    dash or quote that changes nothing, or another character."""
    n = len(page)
    c = page[i]
    second = page[i + 1] if i + 1 < n else np.uint8(0)
    third = page[i + 2] if i + 2 < n else np.uint8(0)
    if c == 0xC2:
        if second == 0xA0:
            return 2, _SPACE
        return (2, _NOTHING) if second == 0xAD else (1, _KEEP)
    if c == 0xE2:
        if (second == 0x80 and third == 0x8B) or (second == 0x81 and third == 0xA0):  # U+200B, U+2060
            return 3, _NOTHING
        return 1, _KEEP
    if c == 0xE3 and second == 0x80:  # 。、
        return 1, _STOP if third == 0x82 else (_COMMA if third == 0x81 else _OTHER)
    if c == 0xEF:
        if second == 0xBB and third == 0xBF:
            return 3, _NOTHING
        if second == 0xBC:  # ！？，
            return 1, _STOP if third == 0x81 or third == 0x9F else (_COMMA if third == 0x8C else _OTHER)
    elif c == 0xD8:  # Arabic
        return 1, _STOP if second == 0x9F else (_COMMA if second == 0x8C else _OTHER)
    elif (c == 0xDB and second == 0x94) or (c == 0xE0 and second == 0xA5 and third == 0xA4):
        return 1, _STOP
    return 1, _OTHER


@njit(cache=True, nogil=True, counts=False)
def _ends_word(page, i):
    return i >= len(page) or page[i] <= 32 or page[i] == 60 or page[i] == 34


@njit(cache=True, nogil=True, counts=False)
def _after_letters(page, i):
    """The position after the small letters from i on, 32 at most."""
    if i + WIDTH <= len(page):
        return i + np.int64(lowest_bit(~range_mask(page, np.uint64(i), np.uint8(97), np.uint8(122))))
    while i < len(page) and page[i] >= 97 and page[i] <= 122:
        i += 1
    return i


@njit(cache=True, nogil=True, counts=False)
def _after_spaces(page, i):
    """The position after the white space from i on, 32 bytes at most."""
    if i + WIDTH <= len(page):
        at = np.uint64(i)
        spaces = equal_mask(page, at, np.uint8(32)) | range_mask(page, at, np.uint8(9), np.uint8(13))
        return i + np.int64(lowest_bit(~spaces))
    while i < len(page) and is_space(page[i]):
        i += 1
    return i


@njit(cache=True, nogil=True, counts=False)
def read_text(page, i, blocks, state, node):
    """Count the text from i to the next tag; returns the tag's position."""
    n = len(page)
    row = state[N_BLOCKS]
    pre = state[OPEN_PRE] > 0
    in_word = state[IN_WORD] != 0
    sign = state[LAST_SIGN]
    run = i  # where a block of preformatted text begins
    chars = words = sentences = commas = digits = upper = bars = cjk = 0
    end = -1
    while i < n:
        c = page[np.uint64(i)]  # signed positions are checked
        kind = _KIND[c]
        size = 1
        wide = kind == _WIDE
        if kind == _LT:
            if starts_markup(page, i):
                break
            kind = _OTHER
        elif kind == _AMP:
            size, kind = _entity(page, i)
        elif wide:
            size, kind = _wide(page, i)
        if kind == _SPACE:
            in_word = False
            if pre:
                if c == 10 and end < 0 and not state[READING]:
                    run = i + 1
            elif i + 1 < n and page[i + 1] <= 32:  # an indentation
                i = _after_spaces(page, i + size)
                continue
        elif kind != _NOTHING:
            if end < 0:
                if not state[READING]:
                    if not begin_block(blocks, state, run if pre else i, node):
                        return n
                    sign = 0
                elif state[BREAKS_SEEN]:
                    blocks[row, BREAKS] += state[BREAKS_SEEN]
                    state[BREAKS_SEEN] = 0
                    in_word = False
            words += not in_word
            in_word = True
            end = i + size
            if kind != _INNER:
                chars += 1
                if kind == _LOWER:
                    sign = 0
                    i = _after_letters(page, end)
                    chars += i - end
                    end = i
                    continue
                elif kind == _STOP:
                    sentences += wide or _ends_word(page, i + 1)
                    sign = 1
                elif kind == _COLON:
                    sign = 2
                elif kind != _KEEP:
                    digits += kind == _DIGIT
                    upper += kind == _UPPER
                    bars += kind == _BAR
                    commas += kind == _COMMA
                    sign = 0
                cjk += c >= 0xE3 and c <= 0xED
        i += size
    if end >= 0:
        counts = blocks[row]
        counts[END] = min(n, end)
        counts[CHARS] += chars
        counts[WORDS] += words
        counts[SENTENCES] += sentences
        counts[COMMAS] += commas
        counts[DIGITS] += digits
        counts[UPPER] += upper
        counts[BARS] += bars
        counts[CJK] += cjk
        counts[ENDS] = sign
        if state[IS_LINK]:
            counts[LINK_CHARS] += chars
        if state[IS_BOLD]:
            counts[BOLD] += chars
        state[LAST_SIGN] = sign
    state[IN_WORD] = in_word
    return i
