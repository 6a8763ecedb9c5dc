"""Canonical composition (NFC, Unicode 14.0) of UTF-8 bytes, in a kernel: exact whatever the interpreter's tables."""

from __future__ import annotations

import numpy as np

from massivetext.kernels import njit
from massivetext.sorting import first_at_least
from massivetext.text.unicode import NFC_MAYBE, Tables
from massivetext.text.utf8 import decode_point, encode_point

__all__ = ["nfc"]

_S, _L, _V, _T, _N, _COUNT = 0xAC00, 0x1100, 0x1161, 0x11A7, 588, 11172


@njit(cache=True, nogil=True)
def _decompose(data, start, end, tables, points):
    """Full canonical decomposition into `points`; returns how many."""
    n = 0
    i = start
    while i < end:
        point, size = decode_point(data, i, end)
        i += size
        at = tables.decomposition[point]
        if at:
            for k in range(tables.parts[at]):
                points[n] = tables.parts[at + 1 + k]
                n += 1
        elif _S <= point < _S + _COUNT:
            index = point - _S
            points[n] = _L + index // _N
            points[n + 1] = _V + index % _N // 28
            n += 2
            if index % 28:
                points[n] = _T + index % 28
                n += 1
        else:
            points[n] = point
            n += 1
    return n


@njit(cache=True, nogil=True)
def _reorder(points, n, ccc):
    """Canonical order: runs of combining marks sorted by class, stably; long runs by counting, so never quadratic."""
    i = 0
    while i < n:
        if ccc[points[i]] == 0:
            i += 1
            continue
        j = i
        while j < n and ccc[points[j]]:
            j += 1
        if j - i > 16:
            run = np.empty(j - i, np.int32)
            for k in range(j - i):
                run[k] = points[i + k]
            count = np.zeros(257, np.int64)
            for k in range(len(run)):
                count[np.int64(ccc[run[k]]) + 1] += 1
            for k in range(256):
                count[k + 1] += count[k]
            for k in range(len(run)):
                c = np.int64(ccc[run[k]])
                points[i + count[c]] = run[k]
                count[c] += 1
        else:
            for k in range(i + 1, j):
                point = points[k]
                m = k
                while m > i and ccc[points[m - 1]] > ccc[point]:
                    points[m] = points[m - 1]
                    m -= 1
                points[m] = point
        i = j


@njit(cache=True, nogil=True)
def _pair(first, second, tables):
    """What two code points compose to, or -1."""
    if _L <= first < _L + 19 and _V <= second < _V + 21:
        return np.int64(_S + ((first - _L) * 21 + second - _V) * 28)
    if _S <= first < _S + _COUNT and (first - _S) % 28 == 0 and _T < second < _T + 28:
        return np.int64(first + second - _T)
    key = np.uint64(first) << np.uint64(32) | np.uint64(second)
    at = first_at_least(tables.pairs, key)
    if at < len(tables.pairs) and tables.pairs[at] == key:
        return np.int64(tables.composites[at])
    return np.int64(-1)


@njit(cache=True, nogil=True)
def _compose(points, n, tables):
    """Canonical composition in place; returns how many code points are left."""
    starter = -1
    last = 0
    out = 0
    for i in range(n):
        point = points[i]
        c = np.int64(tables.ccc[point])
        # Only what is flagged combines with a code point before it.
        if starter >= 0 and tables.flags[point] & NFC_MAYBE and (last < c or (last == 0 and out == starter + 1)):
            composite = _pair(np.int64(points[starter]), np.int64(point), tables)
            if composite >= 0:
                points[starter] = composite
                continue
        if c == 0:
            starter = out
            last = 0
        else:
            last = c
        points[out] = point
        out += 1
    return out


@njit(cache=True, nogil=True)
def nfc(data, start, end, tables):
    """uint8[m]: data[start:end] in NFC. A fresh array; time linear in its length."""
    # A code point of k bytes decomposes to at most 4 code points, and none of 1 byte decomposes.
    points = np.empty(max(1, 2 * (end - start) + 4), np.int32)
    n = _decompose(data, start, end, tables, points)
    _reorder(points, n, tables.ccc)
    n = _compose(points, n, tables)
    out = np.empty(4 * n, np.uint8)
    size = 0
    for i in range(n):
        size = encode_point(np.int64(points[i]), out, size)
    return out[:size]


def normalise(text: str, tables: Tables) -> str:
    """NFC of a Python string, for texts that are few and short."""
    data = np.frombuffer(text.encode(), np.uint8)
    return nfc(data, 0, len(data), tables).tobytes().decode()
