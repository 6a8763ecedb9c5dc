"""Whether the style attribute of an element hides it."""

from __future__ import annotations

import numpy as np

from massivetext.extraction.markup import is_space
from massivetext.extraction.tags import FNV, FNV_PRIME, hash_word
from massivetext.kernels import njit

__all__ = ["read_word", "style_hides"]


def _hash(name: str) -> np.uint64:
    return np.uint64(hash_word(name))


_DISPLAY, _VISIBILITY, _CONTENT_VISIBILITY = map(_hash, ("display", "visibility", "content-visibility"))
_NONE, _HIDDEN_VALUE, _COLLAPSE = map(_hash, ("none", "hidden", "collapse"))
_OFFSETS = tuple(map(_hash, ("left", "right", "top", "bottom", "margin-left", "margin-top", "text-indent", "inset")))
_TEXT_INDENT, _CLIP, _CLIP_PATH, _FONT_SIZE = map(_hash, ("text-indent", "clip", "clip-path", "font-size"))
_PREFIXED_CLIP_PATH, _IMPORTANT = map(_hash, ("-webkit-clip-path", "important"))
_WIDTHS = tuple(map(_hash, ("width", "max-width")))
_HEIGHTS = tuple(map(_hash, ("height", "max-height", "line-height")))
_OVERFLOWS = tuple(map(_hash, ("overflow", "overflow-x", "overflow-y")))
_FAR = 900
"""An offset of this many pixels or more, to any side, is off the screen."""
_FAR_PER_CENT = 1000
"""The same of the width around it. Slides that a reader moves into view are a few hundred per cent away."""
_OF_DISPLAY, _OF_VISIBILITY, _OF_SIZE = 1, 2, 4


@njit(cache=True, nogil=True, counts=False)
def read_word(page, i, end):
    """(hash of the lower-cased run of letters and dashes at i, position after it)."""
    h = FNV
    while i < end:
        c = page[i]
        if c >= 65 and c <= 90:
            c += np.uint8(32)
        if not ((c >= 97 and c <= 122) or c == 45):
            break
        h = (h ^ np.uint64(c)) * FNV_PRIME
        i += 1
    return h, i


@njit(cache=True, nogil=True, counts=False)
def _number(page, i, end):
    """(the number at i, without its fraction, whether there is one, whether it is over 0, position after it)."""
    negative = i < end and page[i] == 45
    if negative:
        i += 1
    value = 0
    is_number = False
    positive = False
    while i < end and page[i] >= 48 and page[i] <= 57:
        value = min(1 << 30, value * 10 + np.int64(page[i]) - 48)
        is_number = True
        i += 1
    positive = value > 0
    if i < end and page[i] == 46:
        i += 1
        while i < end and page[i] >= 48 and page[i] <= 57:
            positive = positive or page[i] != 48
            is_number = True
            i += 1
    return (-value if negative else value), is_number, positive, i


@njit(cache=True, nogil=True, counts=False)
def _is_far(page, start, end, name):
    """Whether a length puts an element, or its text, off the screen."""
    value, is_number, _, i = _number(page, start, end)
    if not is_number or i >= end:
        return False
    unit = page[i] | 32
    if page[i] == 37:  # per cent
        return value <= -_FAR_PER_CENT or (name == _TEXT_INDENT and (value >= 100 or value <= -100))
    if unit == 112 or unit == 59:  # px, pt
        return value <= -_FAR or value >= 9 * _FAR
    return value <= -50 or value >= 500  # em, rem, vw


@njit(cache=True, nogil=True, counts=False)
def _clips_all(page, start, end, name):
    """Whether `clip: rect(...)` or `clip-path: inset(...)` leaves at most a pixel."""
    i = start
    first = page[i] | 32 if i < end else 0
    while i < end and page[i] != 40:
        i += 1
    i += 1
    largest = 0
    smallest = 1 << 30
    numbers = 0
    while i < end and page[i] != 41:
        value, is_number, _, j = _number(page, i, end)
        if is_number:
            numbers += 1
            largest = max(largest, value)
            smallest = min(smallest, value)
        i = max(j, i + 1)
    if numbers == 0:
        return False
    if name == _CLIP:
        return first == 114 and largest <= 1  # rect
    if first == 105:  # inset
        return smallest >= 50
    return (first == 99 or first == 112) and largest == 0  # circle, polygon


@njit(cache=True, nogil=True, counts=False)
def _after_comment(page, i, end):
    """Return where the comment at i ends, or i if there is none. One that is never closed ends with the style."""
    if i + 1 >= end or page[i] != 47 or page[i + 1] != 42:
        return i
    i += 2
    while i + 1 < end and not (page[i] == 42 and page[i + 1] == 47):
        i += 1
    return min(i + 2, end)


@njit(cache=True, nogil=True, counts=False)
def _after_blanks(page, i, end):
    """Return the position of the next byte that is no space and in no comment."""
    while i < end:
        following = i + 1 if is_space(page[i]) else _after_comment(page, i, end)
        if following == i:
            break
        i = following
    return i


@njit(cache=True, nogil=True, counts=False)
def _read_value(page, i, end):
    """(where the value at i ends, whether it is important). `/*` in an address, as in `url(//a/*.png)`, is no
    comment."""
    depth = 0
    important = False
    while i < end and page[i] != 59:
        c = page[i]
        following = i + 1
        if c == 40:
            depth += 1
        elif c == 41:
            depth -= 1
        elif c == 33:
            word, _ = read_word(page, _after_blanks(page, i + 1, end), end)
            important = word == _IMPORTANT
        elif c == 47 and depth == 0:
            following = max(following, _after_comment(page, i, end))
        i = following
    return i, important


@njit(cache=True, nogil=True, counts=False)
def _property(name):
    """The bit of a property of which an important declaration counts, whatever follows it; 0 for all others."""
    if name == _DISPLAY:
        return _OF_DISPLAY
    if name in (_VISIBILITY, _CONTENT_VISIBILITY):
        return _OF_VISIBILITY
    return _OF_SIZE if name == _FONT_SIZE else 0


@njit(cache=True, nogil=True, counts=False)
def style_hides(page, start, end):
    """Whether a style attribute hides its element. The later of two declarations of a property counts, unless the
    earlier one is important and the later is not."""
    display = visibility = away = small = False
    narrow = low = overflow = False
    settled = 0
    i = start
    while i < end:
        i = _after_blanks(page, i, end)
        name, i = read_word(page, i, end)
        while i < end and page[i] != 58 and page[i] != 59:
            i = max(i + 1, _after_comment(page, i, end))
        if i >= end or page[i] == 59:
            i += 1
            continue
        begin = _after_blanks(page, i + 1, end)
        i, important = _read_value(page, begin, end)
        if settled & _property(name) and not important:
            continue
        if important:
            settled |= _property(name)
        value, _ = read_word(page, begin, i)
        if name == _DISPLAY:
            display = value == _NONE
        elif name in (_VISIBILITY, _CONTENT_VISIBILITY):
            visibility = value in (_HIDDEN_VALUE, _COLLAPSE)
        elif name in (_CLIP, _CLIP_PATH, _PREFIXED_CLIP_PATH):
            away = away or _clips_all(page, begin, i, name)
        elif name == _FONT_SIZE:
            _, is_number, positive, _ = _number(page, begin, i)
            small = is_number and not positive
        else:
            for other in _OFFSETS:
                if name == other:
                    away = away or _is_far(page, begin, i, name)
            for other in _WIDTHS:
                if name == other:
                    narrow = _is_a_pixel(page, begin, i)
            for other in _HEIGHTS:
                if name == other:
                    low = low or _is_a_pixel(page, begin, i)
            for other in _OVERFLOWS:
                if name == other:
                    overflow = value in (_HIDDEN_VALUE, _CLIP)
    return display or visibility or away or small or (overflow and low) or (narrow and low)


@njit(cache=True, nogil=True, counts=False)
def _is_a_pixel(page, start, end):
    value, is_number, _, i = _number(page, start, end)
    return is_number and value >= 0 and (value == 0 or (value == 1 and i < end and page[i] | 32 == 112))
