"""Code points from UTF-8 bytes and back, in kernels."""

from __future__ import annotations

import numpy as np

from massivetext.kernels import njit

__all__ = ["decode_point", "decode_valid", "encode_point"]


@njit(cache=True, nogil=True)
def decode_point(data, i, end):
    """(code point, bytes) at data[i], never reading at or past `end`; a byte that starts nothing valid is U+FFFD.

    Bytes that would spell a point longer than need be are no point: counts of words from leading bytes rely on it.
    """
    b = np.int64(data[i])
    if b < 0x80:
        return b, 1
    if b >= 0xF0:
        if b < 0xF5 and i + 3 < end:
            point = (b & 7) << 18 | (data[i + 1] & 63) << 12 | (data[i + 2] & 63) << 6 | (data[i + 3] & 63)
            if 0x10000 <= point < 0x110000:
                return point, 4
    elif b >= 0xE0:
        if i + 2 < end:
            point = (b & 15) << 12 | (data[i + 1] & 63) << 6 | (data[i + 2] & 63)
            if point >= 0x800:
                return point, 3
    elif b >= 0xC2 and i + 1 < end:
        return (b & 31) << 6 | (data[i + 1] & 63), 2
    return np.int64(0xFFFD), 1


@njit(cache=True, nogil=True)
def decode_valid(data, i):
    """(code point, bytes) of valid UTF-8 at data[i]; a byte that begins no character is taken for itself."""
    b = np.int64(data[i])
    if b < 0xC0:
        return b, 1
    if b < 0xE0:
        return (b & 31) << 6 | np.int64(data[i + 1] & 63), 2
    if b < 0xF0:
        return (b & 15) << 12 | np.int64(data[i + 1] & 63) << 6 | np.int64(data[i + 2] & 63), 3
    low = np.int64(data[i + 2] & 63) << 6 | np.int64(data[i + 3] & 63)
    return min((b & 7) << 18 | np.int64(data[i + 1] & 63) << 12 | low, 0x10FFFF), 4


@njit(cache=True, nogil=True)
def encode_point(point, out, n):
    """Write a code point to out[n] and behind; return where it ends."""
    if point < 0x80:
        out[n] = point
        return n + 1
    if point < 0x800:
        out[n] = 0xC0 | point >> 6
        out[n + 1] = 0x80 | point & 63
        return n + 2
    if point < 0x10000:
        out[n] = 0xE0 | point >> 12
        out[n + 1] = 0x80 | point >> 6 & 63
        out[n + 2] = 0x80 | point & 63
        return n + 3
    out[n] = 0xF0 | point >> 18
    out[n + 1] = 0x80 | point >> 12 & 63
    out[n + 2] = 0x80 | point >> 6 & 63
    out[n + 3] = 0x80 | point & 63
    return n + 4
