"""What the safe-search classifier sees of texts, made from the bytes of a column: `classifier.words` as a kernel.

The kernel decodes a piece, lower-cases it, takes addresses and entities out, finds the words, drops those for people,
and adds the marks of listed terms. Its tables are those of this Python's own `str.lower` and `re`. A piece with a code
point whose lower case depends on its neighbours, or beyond the tables, is left to the function in Python.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from massivetext.kernels import njit
from massivetext.sorting import first_at_least
from massivetext.text import Texts, buffers
from massivetext.text.hashing import OFFSET, PRIME, fmix
from massivetext.text.utf8 import decode_valid, encode_point

__all__ = ["Seen", "Terms", "make_terms", "see"]

LIMIT = 0x20000
"""Code points that the tables have: the Basic and the Supplementary Multilingual Plane."""
_BEFORE_FIRST, _SIGMA = 0x130, 0x3A3
"""Code points whose lower case is no single one, or another one at the end of a word."""
_WORD, _SPACE, _LEFT = np.uint8(1), np.uint8(2), np.uint8(4)
"""Kinds of a code point: `\\w`, `\\s`, one that is left to Python."""
_IDENTITY, _SINGLE, _FIRST = np.uint8(1), np.uint8(2), np.uint8(4)
"""Kinds of a word: one for people, one with a mark, the first one of a longer term."""

_FILTER_BITS = 16
_SHIFT = np.uint64(64 - _FILTER_BITS)


class Seen(NamedTuple):
    """What the classifier sees: words of pieces that have any.

    Attributes:
        texts: large_string[pieces], words joined by spaces.
        owners: int64[pieces], the row of the column that each piece is of, ascending.
        sizes: int64[pieces], words of each.
        rows: Of the column.
    """

    texts: pa.Array
    owners: np.ndarray
    sizes: np.ndarray
    rows: int


class Terms(NamedTuple):
    """Words and terms that are looked for, by the hashes of their code points.

    Attributes:
        kinds: uint8[2 ** 16], by the highest bits of a hash what a word with such a hash may be.
        identities: uint64, ascending.
        single, longer: uint64, ascending, of words and of terms of two or three words.
        single_marks, longer_marks: int64, the mark of each.
        marks: uint8, the bytes of all marks, each with a space before it.
        ends: int64[marks + 1], where each mark ends.
    """

    kinds: np.ndarray
    identities: np.ndarray
    single: np.ndarray
    single_marks: np.ndarray
    longer: np.ndarray
    longer_marks: np.ndarray
    marks: np.ndarray
    ends: np.ndarray


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """The lower case, int32, and the kinds, uint8, of the first LIMIT code points, as this Python has them."""
    text = "".join(map(chr, range(LIMIT)))
    kinds = np.zeros(LIMIT, np.uint8)
    for pattern, kind in ((r"\w+", _WORD), (r"\s+", _SPACE)):
        for match in re.finditer(pattern, text):
            kinds[match.start() : match.end()] |= kind
    kinds[[_BEFORE_FIRST, _SIGMA]] |= _LEFT
    plain = text.replace(chr(_BEFORE_FIRST), "i").replace(chr(_SIGMA), "s")
    lower = np.frombuffer(plain.lower().encode("utf-32-le", "surrogatepass"), np.int32).copy()
    lower[0x2019] = ord("'")
    return lower, kinds


def make_terms(identities: Iterable[str], single: Mapping[str, str], longer: Mapping[str, Mapping[str, str]]) -> Terms:
    """Return the tables of words for people, of single words with a mark, and of longer terms by their first word."""
    names = sorted({*single.values(), *(mark for rest in longer.values() for mark in rest.values())})
    number = {name: i for i, name in enumerate(names)}
    kinds = np.zeros(1 << _FILTER_BITS, np.uint8)

    def note(words: Iterable[str], kind: np.uint8) -> np.ndarray:
        hashes = np.array([_hash_of(word) for word in words], np.uint64)
        np.bitwise_or.at(kinds, (hashes >> _SHIFT).astype(np.int64), kind)
        return hashes

    def ascending(hashes: np.ndarray, marks: list[int]) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(hashes)
        return hashes[order], np.array(marks, np.int64)[order]

    people = np.sort(note(identities, _IDENTITY))
    of_words = ascending(note(single, _SINGLE), [number[mark] for mark in single.values()])
    note(longer, _FIRST)
    pairs = [([first, *rest.split(" ")], mark) for first, all_ in longer.items() for rest, mark in all_.items()]
    hashes = []
    for words, _ in pairs:
        joined = np.uint64(0)
        for word in words:
            joined = np.uint64(_joined(joined, _hash_of(word)))
        hashes.append(joined)
    of_terms = ascending(np.array(hashes, np.uint64), [number[mark] for _, mark in pairs])
    encoded = [f" {name}".encode() for name in names]
    ends = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    return Terms(kinds, people, *of_words, *of_terms, np.frombuffer(b"".join(encoded) or b" ", np.uint8), ends)


def _hash_of(word: str) -> np.uint64:
    points = np.frombuffer(word.encode("utf-32-le"), np.int32)
    return np.uint64(_hash(points, np.int64(0), np.int64(len(points))))


def see(
    texts: Texts, terms: Terms, fallback: Callable[[str], str], *, piece: int, pieces: int, longest: int, repeated: int
) -> Seen:
    """Return what the classifier sees of a column.

    Args:
        texts: A column of text; nulls count as empty.
        terms: As `make_terms` gives them.
        fallback: What it sees of a piece, for pieces that the kernel leaves.
        piece: Code points of a piece.
        pieces: How many a text has at most; of a longer one they lie at equal distances.
        longest: Code points of the longest word; longer ones are left out.
        repeated: How often the mark of a term is added.
    """
    data, offsets = buffers(texts)
    places, owners = _places(data, offsets, np.int64(piece), np.int64(pieces))
    n = len(owners)
    ends, sizes = np.zeros(n + 1, np.int64), np.zeros(n, np.int64)
    # A word of one code point is followed by another one two places on, and may have a mark.
    most = 4 * piece + (piece // 2 + 1) * (1 + repeated * int(np.diff(terms.ends).max(initial=1)))
    output = np.empty(int(offsets[-1] - offsets[0]) + most, np.uint8)
    done = 0
    while done < n:
        done = _see(data, places, *_tables(), terms, longest, repeated, most, output, ends, sizes, np.int64(done))
        if done < n:
            output = np.concatenate([output, np.empty(len(output) + most, np.uint8)])
    numbers = np.flatnonzero(sizes > 0)
    bounds = np.concatenate([[0], ends[1:][numbers]]).astype(np.int64)
    content = pa.py_buffer(output[: bounds[-1]])
    seen = pa.Array.from_buffers(pa.large_string(), len(numbers), [None, pa.py_buffer(bounds), content])
    unseen = np.flatnonzero(sizes < 0)
    if len(unseen):
        words = [fallback(data[start:end].tobytes().decode()) for start, end in places[unseen]]
        sizes[unseen] = [text.count(" ") + 1 if text else 0 for text in words]
        numbers = np.concatenate([numbers, unseen[sizes[unseen] > 0]])
        seen = pa.concat_arrays([seen, pa.array([text for text in words if text], pa.large_string())])
        order = np.argsort(numbers)
        numbers, seen = numbers[order], seen.take(pa.array(order))
    return Seen(seen, owners[numbers], sizes[numbers], len(offsets) - 1)


@njit(cache=True, nogil=True, counts=False)
def _points(data, start, end):
    """How many code points there are in data[start:end]."""
    n = np.int64(0)
    for i in range(start, end):
        n += data[i] & 0xC0 != 0x80
    return n


@njit(cache=True, nogil=True)
def _places(data, offsets, piece, pieces):
    """Return where the pieces of texts lie, int64[n, 2] from and to which byte, and of which text each is."""
    n = np.int64(0)
    lengths = np.empty(len(offsets) - 1, np.int64)
    for i in range(len(lengths)):
        lengths[i] = _points(data, offsets[i], offsets[i + 1])
        n += min((lengths[i] + piece - 1) // piece, pieces)
    places, owners = np.empty((n, 2), np.int64), np.empty(n, np.int64)
    k = np.int64(0)
    for i in range(len(lengths)):
        count = min((lengths[i] + piece - 1) // piece, pieces)
        is_long = lengths[i] > piece * pieces
        step = (lengths[i] - piece) / max(pieces - 1, 1)
        at, point = offsets[i], np.int64(0)
        for j in range(count):
            first = np.int64(j * step) if is_long else j * piece
            last = min(first + piece, lengths[i])
            at = _skip(data, at, first - point)
            places[k, 0] = at
            at = _skip(data, at, last - first)
            places[k, 1] = at
            point = last
            owners[k] = i
            k += 1
    return places, owners


@njit(cache=True, nogil=True, counts=False)
def _skip(data, at, count):
    """Return where the code point begins that is `count` ones after the one at `at`."""
    while count > 0:
        byte = data[at]
        at += 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        count -= 1
    return at


@njit(cache=True, nogil=True, counts=False)
def _hash(points, start, end):
    h = OFFSET
    for i in range(start, end):
        h = (h ^ np.uint64(points[i])) * PRIME
    return fmix(h)


@njit(cache=True, nogil=True, counts=False)
def _joined(term, word):
    """The hash of a term that goes on with a word."""
    return (term ^ word) * PRIME + np.uint64(1)


@njit(cache=True, nogil=True, counts=False)
def _find(hashes, h):
    """Where a hash stands in ascending ones; -1 where it does not."""
    place = first_at_least(hashes, h)
    return place if place < len(hashes) and hashes[place] == h else np.int64(-1)


@njit(cache=True, nogil=True, counts=False)
def _lower(data, start, end, lower, kinds, points):
    """Write the lower-case code points of a piece; return how many there are, -1 for a piece that is left."""
    n, i = np.int64(0), start
    while i < end:
        point, width = decode_valid(data, i)
        i += width
        if point >= LIMIT or kinds[point] & _LEFT:
            return np.int64(-1)
        points[n] = lower[point]
        n += 1
    return n


@njit(cache=True, nogil=True, counts=False)
def _kind(kinds, point):
    # What is lower-cased from a code point of the tables may lie beyond them in no version of Unicode so far.
    return kinds[point] if point < LIMIT else np.uint8(0)


@njit(cache=True, nogil=True, counts=False)
def _follows(points, i, n, a, b, c, d):
    """Whether four code points stand at i."""
    return i + 4 <= n and points[i] == a and points[i + 1] == b and points[i + 2] == c and points[i + 3] == d


@njit(cache=True, nogil=True, counts=False)
def _noise_end(points, i, n, kinds):
    """Where the address, name, entity or `rt` ends that begins at i; i if none does."""
    c = points[i]
    after = i
    if c == 104 and _follows(points, i, n, 104, 116, 116, 112):  # http
        j = i + 4 + (i + 4 < n and points[i + 4] == 115)
        after = j + 3 if j + 3 <= n and points[j] == 58 and points[j + 1] == 47 and points[j + 2] == 47 else i
    elif c == 119 and _follows(points, i, n, 119, 119, 119, 46):  # www.
        after = i + 4
    if after > i:
        j = after
        while j < n and not _kind(kinds, points[j]) & _SPACE:
            j += 1
        return j if j > after else i
    if c == 64 or c == 38:  # @name &entity;
        j = i + 1
        while j < n and _kind(kinds, points[j]) & _WORD:
            j += 1
        if j == i + 1:
            return i
        if c == 64:
            return j
        return j + 1 if j < n and points[j] == 59 else i
    if c == 114 and i + 1 < n and points[i + 1] == 116:  # rt
        begins = i == 0 or not _kind(kinds, points[i - 1]) & _WORD
        ends = i + 2 == n or not _kind(kinds, points[i + 2]) & _WORD
        return i + 2 if begins and ends else i
    return i


@njit(cache=True, nogil=True, counts=False)
def _without_noise(points, n, kinds, plain):
    """Write the code points with a space for each address, name, entity and `rt`; return how many there are."""
    i, m = np.int64(0), np.int64(0)
    while i < n:
        c = points[i]
        end = i
        if c == 104 or c == 119 or c == 64 or c == 38 or c == 114:
            end = _noise_end(points, i, n, kinds)
        if end > i:
            plain[m] = 32
            i = end
        else:
            plain[m] = c
            i += 1
        m += 1
    return m


@njit(cache=True, nogil=True, counts=False)
def _is_letter(kinds, point):
    return point != 95 and _kind(kinds, point) & _WORD != 0


@njit(cache=True, nogil=True, counts=False)
def _word_end(plain, i, n, kinds):
    """Where the word ends that begins at i: letters and digits, groups of which ' * @ or $ may join."""
    while True:
        while i < n and _is_letter(kinds, plain[i]):
            i += 1
        c = plain[i] if i < n else np.int32(0)
        joins = c == 39 or c == 42 or c == 64 or c == 36
        if not joins or i + 1 >= n or not _is_letter(kinds, plain[i + 1]):
            return i
        i += 1


@njit(cache=True, nogil=True, counts=False)
def _mark_of(hashes, i, n, terms):
    """The mark of the term that begins with word i; -1 where none does. The shorter of two longer ones counts."""
    h = hashes[i]
    kind = terms.kinds[np.int64(h >> _SHIFT)]
    mark = np.int64(-1)
    if kind & _SINGLE:
        place = _find(terms.single, h)
        if place >= 0:
            mark = terms.single_marks[place]
    if kind & _FIRST:
        for more in (2, 1):
            joined = _joined(np.uint64(0), h)
            for k in range(i + 1, min(i + 1 + more, n)):
                joined = _joined(joined, hashes[k])
            place = _find(terms.longer, joined)
            if place >= 0 and i + 1 < n:
                mark = terms.longer_marks[place]
    return mark


@njit(cache=True, nogil=True)
def _see(data, places, lower, kinds, terms, longest, repeated, most, output, ends, sizes, done):
    """Write the words of pieces from `done` on, while there is room for `most` bytes; return the first one not done.

    ends: where the words of each piece end in `output`, after a 0. sizes: how many there are, -1 where it is left.
    """
    longest_piece = np.int64(0)
    for i in range(len(places)):
        longest_piece = max(longest_piece, places[i, 1] - places[i, 0])
    points, plain = np.empty(longest_piece, np.int32), np.empty(longest_piece, np.int32)
    hashes = np.empty(longest_piece // 2 + 1, np.uint64)
    at = ends[done]
    for piece in range(done, len(places)):
        if at + most > len(output):
            return np.int64(piece)
        sizes[piece] = -1
        ends[piece + 1] = at
        n = _lower(data, places[piece, 0], places[piece, 1], lower, kinds, points)
        if n < 0:
            continue
        n = _without_noise(points, n, kinds, plain)
        count, i = np.int64(0), np.int64(0)
        while i < n:
            if not _is_letter(kinds, plain[i]):
                i += 1
                continue
            end = _word_end(plain, i, n, kinds)
            h = _hash(plain, i, end)
            is_person = terms.kinds[np.int64(h >> _SHIFT)] & _IDENTITY and _find(terms.identities, h) >= 0
            if end - i <= longest and not is_person:
                if count:
                    output[at] = 32
                    at += 1
                for k in range(i, end):
                    at = encode_point(plain[k], output, at)
                hashes[count] = h
                count += 1
            i = end
        size = count
        for k in range(count):
            mark = _mark_of(hashes, k, count, terms)
            if mark >= 0:
                size += repeated
                for _ in range(repeated):
                    for j in range(terms.ends[mark], terms.ends[mark + 1]):
                        output[at] = terms.marks[j]
                        at += 1
        ends[piece + 1] = at
        sizes[piece] = size
    return np.int64(len(places))
