"""What the language model sees of a text: its head, middle and tail, lower-cased if it is written in capitals.

Every whitespace run (what `str.isspace` says) is one space. Of a text then over 3 * PIECE code points the first PIECE,
those of [(n - PIECE) // 2, (n - PIECE) // 2 + PIECE) and the last PIECE are taken, joined by a space. If more than half
of the sample's cased letters (categories Lu, Ll, Lt) are upper-case (Lu), the sample is lower-cased, each code point by
itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from massivetext.kernels import njit
from massivetext.text.letters import CASED, UPPER
from massivetext.text.utf8 import decode_valid

__all__ = ["MARK", "PIECE", "SAMPLE", "Buffers", "make_buffers", "sample"]

PIECE = 512
MARK = 256
"""Bytes between the places from which the middle and the end are found again."""
SAMPLE = 4 * 3 * PIECE + 8
"""Bytes of the longest sample, with a byte before it and some behind."""

_SPREAD = 0x0101010101010101
_HIGH = np.uint64(0x80 * _SPREAD)
_ONES = np.uint64(_SPREAD)
_C2, _E1, _E2, _E3 = (np.uint64(lead * _SPREAD) for lead in (0xC2, 0xE1, 0xE2, 0xE3))
_FROM_9, _FROM_14, _FROM_28, _FROM_33 = (np.uint64((0x80 - least) * _SPREAD) for least in (9, 14, 28, 33))
_ONE, _SEVEN, _EIGHT, _TOP = np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(56)


class Buffers(NamedTuple):
    """Arrays that sampling writes to, used again for the next text.

    marks: int64[longest text / MARK + 2, 3], places within a text. sample, lowered: uint8, the sample from byte 1 on.
    """

    marks: np.ndarray
    sample: np.ndarray
    lowered: np.ndarray


def make_buffers(longest: int) -> Buffers:
    """Buffers for texts of up to `longest` bytes."""
    # A code point of two bytes may become one of three when it is lower-cased.
    return Buffers(
        np.zeros((longest // MARK + 2, 3), np.int64), np.zeros(SAMPLE, np.uint8), np.zeros(2 * SAMPLE, np.uint8)
    )


@njit(cache=True, nogil=True)
def _space(data, i, end):
    """Bytes of the whitespace character at i; 0 if it is none."""
    b = data[i]
    if b < 0x80:
        return 1 if b == 32 or 9 <= b <= 13 or 28 <= b <= 31 else 0
    if b == 0xC2 and i + 1 < end:
        return 2 if data[i + 1] == 0x85 or data[i + 1] == 0xA0 else 0
    if i + 2 >= end:
        return 0
    c, d = data[i + 1], data[i + 2]
    if b == 0xE1:
        return 3 if c == 0x9A and d == 0x80 else 0
    if b == 0xE2:
        if c == 0x80:
            return 3 if 0x80 <= d <= 0x8A or d == 0xA8 or d == 0xA9 or d == 0xAF else 0
        return 3 if c == 0x81 and d == 0x9F else 0
    return 3 if b == 0xE3 and c == 0x80 and d == 0x80 else 0


@njit(cache=True, nogil=True)
def _set_bytes(word):
    """How many bytes of a word are 1, the others being 0."""
    return np.int64((word * _ONES) >> _TOP)


@njit(cache=True, nogil=True)
def _has_byte(word, byte):
    """Whether a word may have a byte: exact for one that has it, else a false alarm that costs time."""
    other = word ^ byte
    return (other - _ONES) & ~other & _HIGH != 0


@njit(cache=True, nogil=True)
def _scan(data, words, shift, start, end, marks):
    """Code points after joining whitespace runs. Row k of marks becomes (position, code points before it, whether the
    byte before it is a space), at the first character that starts at or after start + k * MARK.

    words[k] is the eight bytes from data[shift + 8 * k] on. They are read at once where none of them can lead a
    whitespace character of several bytes: a page is read once, at the speed of memory, as where its middle lies depends
    on all of it.
    """
    i, n, k = start, np.int64(0), np.int64(0)
    in_space = False
    while i < end:
        if i >= start + k * MARK:
            marks[k, 0], marks[k, 1], marks[k, 2] = i, n, in_space
            k += 1
        if (i - shift) & 7 == 0 and i >= shift and i + 8 <= end:
            word = words[(i - shift) >> 3]
            upper = word & _HIGH
            if not upper or not (
                _has_byte(word, _C2) or _has_byte(word, _E1) or _has_byte(word, _E2) or _has_byte(word, _E3)
            ):
                low = word & ~_HIGH
                control = (low + _FROM_9) & ~(low + _FROM_14)
                blank = (low + _FROM_28) & ~(low + _FROM_33)
                space = (control | blank) & _HIGH & ~upper
                before = (space << _EIGHT) | (np.uint64(0x80) if in_space else np.uint64(0))
                # 10xxxxxx continues a character.
                n += 8 - _set_bytes((space & before) >> _SEVEN) - _set_bytes((upper & ~(word << _ONE)) >> _SEVEN)
                in_space = (space >> _TOP) != 0
                i += 8
                continue
        b = data[i]
        width = _space(data, i, end) if b <= 32 or 0xC2 <= b <= 0xE3 else 0
        if width:
            n += not in_space
            in_space = True
            i += width
        else:
            # A word before may have ended within this character, and has counted it.
            n += b & 0xC0 != 0x80
            in_space = False
            i += 1 if b < 0xC0 else 2 if b < 0xE0 else 3 if b < 0xF0 else 4
    if k < len(marks):
        # The last character may have led past the place of a mark; there must be none of the text before.
        marks[k, 0], marks[k, 1], marks[k, 2] = end, n, in_space
    return n


@njit(cache=True, nogil=True)
def _copy(data, start, end, marks, low, high, out, size):
    """Write code points low to high, runs joined, behind the first `size` bytes of out; return the new size."""
    k = np.int64(0)
    while k + 1 < len(marks) and start + (k + 1) * MARK < end and marks[k + 1, 1] <= low:
        k += 1
    i, n, in_space = marks[k, 0], marks[k, 1], marks[k, 2] != 0
    while i < end and n <= high:
        b = data[i]
        width = _space(data, i, end) if b <= 32 or 0xC2 <= b <= 0xE3 else 0
        if width:
            if not in_space:
                if low <= n < high:
                    out[size] = 32
                    size += 1
                n += 1
            in_space = True
            i += width
        else:
            if b & 0xC0 != 0x80:
                n += 1
            in_space = False
            if low < n <= high:
                out[size] = b
                size += 1
            i += 1
    return size


@njit(cache=True, nogil=True)
def _is_in_capitals(text, end, cased):
    """Whether more than half of the cased letters of text[1:end] are upper-case."""
    n_cased = n_upper = np.int64(0)
    i = np.int64(1)
    while i < end:
        point, width = decode_valid(text, i)
        n_cased += cased[point] & CASED
        n_upper += (cased[point] & UPPER) // UPPER
        i += width
    return 2 * n_upper > n_cased


@njit(cache=True, nogil=True)
def _lower(text, end, lower, out):
    """Write the lower-case of text[1:end] to out[1:]; return where it ends."""
    i, size = np.int64(1), np.int64(1)
    while i < end:
        point, width = decode_valid(text, i)
        small = np.int64(lower[point])
        if small == point:
            for k in range(width):
                out[size + k] = text[i + k]
            size += width
        elif small < 0x80:
            out[size] = small
            size += 1
        elif small < 0x800:
            out[size], out[size + 1] = 0xC0 | small >> 6, 0x80 | (small & 63)
            size += 2
        elif small < 0x10000:
            out[size], out[size + 1], out[size + 2] = 0xE0 | small >> 12, 0x80 | (small >> 6 & 63), 0x80 | (small & 63)
            size += 3
        else:
            out[size], out[size + 1] = 0xF0 | small >> 18, 0x80 | (small >> 12 & 63)
            out[size + 2], out[size + 3] = 0x80 | (small >> 6 & 63), 0x80 | (small & 63)
            size += 4
        if point == 0x130:  # its lower-case is an i with U+0307
            out[size], out[size + 1] = 0xCC, 0x87
            size += 2
        i += width
    return size


@njit(cache=True, nogil=True)
def sample(data, words, shift, start, end, buffers, cased, lower):
    """Sample data[start:end] into buffers.sample, from byte 1 on.

    Returns (where the sample ends, whether it is to be lower-cased: then it stands in buffers.lowered). A text of
    whitespace alone has an empty sample.
    """
    marks, out = buffers.marks, buffers.sample
    n = _scan(data, words, shift, start, end, marks)
    if n <= 3 * PIECE:
        size = _copy(data, start, end, marks, np.int64(0), n, out, np.int64(1))
        if size == 2 and out[1] == 32:
            size = np.int64(1)
    else:
        size = _copy(data, start, end, marks, np.int64(0), np.int64(PIECE), out, np.int64(1))
        out[size] = 32
        middle = (n - PIECE) // 2
        size = _copy(data, start, end, marks, middle, middle + PIECE, out, size + 1)
        out[size] = 32
        size = _copy(data, start, end, marks, n - PIECE, n, out, size + 1)
    if _is_in_capitals(out, size, cased):
        return _lower(out, size, lower, buffers.lowered), True
    return size, False
