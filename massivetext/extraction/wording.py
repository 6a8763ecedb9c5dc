"""How a block's text is written, read from its bytes: short words, capitals, signs of prices and dates, repeated text.

Nothing here knows a language: running text has many short words in lower case, labels have capitals and few of them.
"""

from __future__ import annotations

import numpy as np

from massivetext.extraction.html import END, NODE, START
from massivetext.extraction.markup import find_end, is_letter, read_name, skip_declaration, skip_tag, starts_markup
from massivetext.extraction.tags import BR, FIRST_INLINE, FIRST_RAW, FNV, FNV_PRIME, IMG, heading_level, look_up
from massivetext.extraction.vocabulary import HINT_KEYS, HINT_VALUES, WHOLE
from massivetext.kernels import njit
from massivetext.slots import count_slots, find_slot

__all__ = ["N_WORDING", "WORDING", "write_copies", "write_wording"]

WORDING = (
    *("short_words", "capital_words", "upper_words", "number_words", "currency", "copyright", "at_sign", "slashes"),
    *("colons", "brackets", "quotes", "dates", "starts_lower", "starts_digit", "trails_off", "inline_tags", "images"),
    *("copies", "copy_before", "copy_after"),
)
"""Columns that `write_wording` and `write_copies` fill, by name."""

N_WORDING = len(WORDING)
SHORT, CAPITAL, ALL_UPPER, NUMBER, CURRENCY, COPYRIGHT, AT, SLASHES, COLONS, BRACKETS = range(10)
QUOTES, DATES, STARTS_LOWER, STARTS_DIGIT, TRAILS_OFF, INLINE_TAGS, IMAGES, COPIES, COPY_BEFORE, COPY_AFTER = range(
    10, 20
)

_SHORT_WORD = 3


@njit(cache=True, nogil=True, counts=False)
def _after_markup(page, i, endless):
    """(position after the markup that starts with the `<` at i, its tag's number).

    Text of a raw element (a script) is skipped with it. endless: bool[raw tags], the ones that have no end tag from
    here on, so that a page of unclosed ones is not searched to its end for each.
    """
    following = page[i + 1]
    if following == 33 or following == 63:
        return skip_declaration(page, i), 0
    closing = following == 47
    if closing and not (i + 2 < len(page) and is_letter(page[i + 2])):
        return skip_declaration(page, i), 0
    tag, _, i = read_name(page, i + 1 + closing)
    i, _ = skip_tag(page, i)
    if not closing and tag >= FIRST_RAW and tag < FIRST_INLINE and not endless[tag - FIRST_RAW]:
        stop = find_end(page, i, tag)
        if stop >= 0:
            i = stop
        else:
            endless[tag - FIRST_RAW] = True
    return i, tag


@njit(cache=True, nogil=True, counts=False)
def _count_word(row, letters, lower, upper, digits, first_upper):
    """Count a word by what it consists of."""
    if letters and lower == letters and letters <= _SHORT_WORD and digits == 0:
        row[SHORT] += 1
    if first_upper:
        row[CAPITAL] += 1
        if upper == letters and letters > 1:
            row[ALL_UPPER] += 1
    if digits:
        row[NUMBER] += 1


@njit(cache=True, nogil=True, counts=False)
def _count_sign(row, c, page, i):
    """Count a byte that is neither letter, digit nor space."""
    c1 = page[i + 1] if i + 1 < len(page) else np.uint8(0)
    c2 = page[i + 2] if i + 2 < len(page) else np.uint8(0)
    if c == 36 or (c == 0xC2 and (c1 == 0xA3 or c1 == 0xA5)) or (c == 0xE2 and c1 == 0x82 and c2 == 0xAC):
        row[CURRENCY] += 1
    elif (c == 0xC2 and c1 == 0xA9) or (c == 38 and c1 == 99 and c2 == 111):  # the sign or &copy;
        row[COPYRIGHT] += 1
    elif c == 64:
        row[AT] += 1
    elif c == 47:
        row[SLASHES] += 1
    elif c == 58:
        row[COLONS] += 1
    elif c == 40 or c == 91:
        row[BRACKETS] += 1
    elif c == 34 or (c == 0xE2 and c1 == 0x80 and c2 >= 0x98 and c2 <= 0x9F):
        row[QUOTES] += 1


@njit(cache=True, nogil=True, counts=False)
def _read_block(page, start, end, row, endless):
    """Fill one block's row with counts; return (hash of its letters and digits, how many there are, words)."""
    h = FNV
    size = words = 0
    letters = lower = upper = digits = 0
    first_upper = False
    in_word = False
    begins = 0
    dots = 0
    before = before2 = np.uint8(32)
    i = start
    while i < end:
        c = page[np.uint64(i)]  # signed positions are checked
        if c == 60 and starts_markup(page, i):
            i, tag = _after_markup(page, i, endless)
            row[INLINE_TAGS] += 1
            row[IMAGES] += tag == IMG
            if tag != BR:
                continue
            c = np.uint8(32)
            i -= 1
        is_lower = c >= 97 and c <= 122
        if is_lower and in_word:  # most bytes of a text
            run = i
            while i < end and c >= 97 and c <= 122:
                h = (h ^ np.uint64(c)) * FNV_PRIME
                before2, before = before, c
                i += 1
                c = page[np.uint64(i)] if i < end else np.uint8(32)
            if begins == 0:
                begins = 1
            size += i - run
            letters += i - run
            lower += i - run
            dots = 0
            continue
        is_upper = c >= 65 and c <= 90
        is_digit = c >= 48 and c <= 57
        if c <= 32:
            if in_word:
                _count_word(row, letters, lower, upper, digits, first_upper)
                letters = lower = upper = digits = 0
                first_upper = False
                in_word = False
        else:
            if not in_word:
                words += 1
                in_word = True
                first_upper = is_upper
            if is_lower or is_upper or is_digit or c >= 128:
                if begins == 0:
                    begins = 1 if is_lower else (2 if is_digit else 3)
                h = (h ^ np.uint64(c | 32 if is_upper else c)) * FNV_PRIME
                size += 1
            if is_lower or is_upper:
                letters += 1
                lower += is_lower
                upper += is_upper
            elif is_digit:
                digits += 1
                divides = before == 45 or before == 46 or before == 47 or before == 58
                if divides and before2 >= 48 and before2 <= 57:
                    row[DATES] += 1
            else:
                _count_sign(row, c, page, i)
            dots = dots + 1 if c == 46 else (3 if c == 0xA6 and before == 0x80 and before2 == 0xE2 else 0)
        before2, before = before, c
        i += 1
    if in_word:
        _count_word(row, letters, lower, upper, digits, first_upper)
    row[STARTS_LOWER] = begins == 1
    row[STARTS_DIGIT] = begins == 2
    row[TRAILS_OFF] = dots >= 3
    return h, size, words


@njit(cache=True, nogil=True)
def write_wording(page, blocks, out, hashes):
    """Fill WORDING's columns of out (float32[blocks, N_WORDING], zeros) but those of copies, and hashes
    (uint64[blocks]: of the block's letters and digits in lower case, 0 if it has none)."""
    endless = np.zeros(FIRST_INLINE - FIRST_RAW, np.bool_)
    for b in range(len(blocks)):
        row = out[b]
        h, size, words = _read_block(page, blocks[b, START], blocks[b, END], row, endless)
        hashes[b] = h if size else np.uint64(0)
        share = np.float32(1.0 / max(1, words))
        for k in (SHORT, CAPITAL, ALL_UPPER, NUMBER):
            row[k] *= share
        for k in (CURRENCY, COPYRIGHT, AT, SLASHES, COLONS, BRACKETS, QUOTES, DATES, INLINE_TAGS, IMAGES):
            if row[k]:
                row[k] = np.log1p(row[k])


@njit(cache=True, nogil=True)
def write_copies(hashes, out):
    """Fill the columns of copies: how often a block's text stands on the page (log), before it, after it."""
    n = len(hashes)
    slots = count_slots(2 * n)
    keys = np.zeros(slots, np.uint64)
    counts = np.zeros(slots, np.int32)
    slot_of = np.full(n, -1, np.int64)
    for b in range(n):
        key = hashes[b]
        if key == 0:
            continue
        slot = find_slot(keys, key)
        keys[slot] = key
        out[b, COPY_BEFORE] = counts[slot] > 0
        counts[slot] += 1
        slot_of[b] = slot
    seen = np.zeros(slots, np.int32)
    for b in range(n):
        slot = slot_of[b]
        if slot >= 0:
            seen[slot] += 1
            out[b, COPIES] = np.log(np.float32(counts[slot]))
            out[b, COPY_AFTER] = seen[slot] < counts[slot]


@njit(cache=True, nogil=True, counts=False)
def heading_hints(page, tag, blocks, out):
    """Fill out (int32[blocks]) with the hints of words in short headings, 0 for other blocks."""
    for b in range(len(blocks)):
        if not heading_level(tag[blocks[b, NODE]]) or blocks[b, END] - blocks[b, START] > 80:
            continue
        hints = np.int64(0)
        h = FNV
        in_tag = False
        for i in range(blocks[b, START], blocks[b, END]):
            c = page[i]
            if c == 60:
                in_tag = True
            elif c == 62:
                in_tag = False
            if c >= 65 and c <= 90:
                c += np.uint8(32)
            if in_tag or not ((c >= 97 and c <= 122) or c >= 128):
                h = FNV
                continue
            h = (h ^ np.uint64(c)) * FNV_PRIME
            hints |= look_up(HINT_KEYS, HINT_VALUES, h)
        out[b] = hints & (WHOLE - 1)
