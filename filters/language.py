"""Which language a text is in: fastText lid.176 on the head, middle and tail of the extracted text.

The sample: every whitespace run (what `str.isspace` says) is one space; of a text then over 1,536 code points the
first 512, those of [(n - 512) // 2, (n - 512) // 2 + 512) and the last 512, joined by a space.
A text of whitespace alone is `und` with score 0.
"""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext.errors import RecipeError

__all__ = ["LANGUAGES", "MODEL", "broken", "measure", "samples"]

MODEL = Path(__file__).parent.parent / "massivetext" / "data" / "lid.176.ftz"
PIECE = 512
MARK = 256
"""Bytes between the places from which the middle and the end are found again."""
TOP = 3
LANGUAGES = pa.list_(pa.struct([("language", pa.string()), ("score", pa.float64())]))


@numba.njit(cache=True, nogil=True)
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


@numba.njit(cache=True, nogil=True)
def _spread(byte):
    """A byte in all eight places of a word."""
    return np.uint64(byte) * np.uint64(0x0101010101010101)


@numba.njit(cache=True, nogil=True)
def _set_bytes(word):
    """How many bytes of a word are 1, the others being 0."""
    return np.int64((word * _spread(1)) >> np.uint64(56))


@numba.njit(cache=True, nogil=True)
def _scan(data, words, start, end, marks):
    """Code points after joining whitespace runs. Row k of marks becomes (position, code points before it, whether the
    byte before it is a space), at the first character that starts at or after start + k * MARK.

    Eight bytes at a time where none of them can lead a whitespace character of several bytes: a page is read once, at
    the speed of memory, as where its middle lies depends on all of it.
    """
    high, one = _spread(0x80), np.uint64(1)
    seven, eight, top = np.uint64(7), np.uint64(8), np.uint64(56)
    i, n, in_space, k = start, 0, False, 0
    while i < end:
        if i >= start + k * MARK:
            marks[k, 0], marks[k, 1], marks[k, 2] = i, n, in_space
            k += 1
        if i % 8 == 0 and i + 8 <= end:
            word = words[i >> 3]
            upper = word & high
            leads = False
            if upper:
                for lead in (0xC2, 0xE1, 0xE2, 0xE3):
                    other = word ^ _spread(lead)
                    # The high bit of each byte that is zero: exact for one byte, else a false alarm that costs time.
                    if (other - _spread(1)) & ~other & high:
                        leads = True
            if not leads:
                low = word & ~high
                control = (low + _spread(0x80 - 9)) & ~(low + _spread(0x80 - 14))
                blank = (low + _spread(0x80 - 28)) & ~(low + _spread(0x80 - 33))
                space = (control | blank) & high & ~upper
                before = (space << eight) | (np.uint64(0x80) if in_space else np.uint64(0))
                joined = space & before
                # 10xxxxxx continues a character.
                continued = upper & ~(word << one)
                n += 8 - _set_bytes(joined >> seven) - _set_bytes(continued >> seven)
                in_space = (space >> top) != np.uint64(0)
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


@numba.njit(cache=True, nogil=True)
def _copy(data, start, end, marks, low, high, out, size):
    """Writes code points low to high, runs joined, behind the first `size` bytes of out; returns the new size."""
    k = 0
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


@numba.njit(cache=True, nogil=True)
def _sample(data, words, start, end, marks, out):
    """Writes the sample of data[start:end] into out and returns its bytes."""
    n = _scan(data, words, start, end, marks)
    if n <= 3 * PIECE:
        return _copy(data, start, end, marks, 0, n, out, 0)
    size = _copy(data, start, end, marks, 0, PIECE, out, 0)
    out[size] = 32
    middle = (n - PIECE) // 2
    size = _copy(data, start, end, marks, middle, middle + PIECE, out, size + 1)
    out[size] = 32
    return _copy(data, start, end, marks, n - PIECE, n, out, size + 1)


def samples(texts: pa.Array | pa.ChunkedArray) -> list[str]:
    """What the model sees of each text; nulls are empty, whitespace alone too."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    texts = texts.cast(pa.large_string())
    if len(texts) == 0:
        return []
    filled = texts.fill_null("")
    _, offsets_buffer, data_buffer = filled.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[filled.offset : filled.offset + len(filled) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.zeros(0, np.uint8)
    words = data[: len(data) // 8 * 8].view(np.uint64)
    marks = np.zeros((int(np.diff(offsets).max()) // MARK + 2, 3), np.int64)
    out = np.empty(3 * PIECE * 4 + 2, np.uint8)
    result = []
    for start, end in itertools.pairwise(offsets):
        text = out[: _sample(data, words, start, end, marks, out)].tobytes().decode("utf-8", "replace")
        result.append("" if text.isspace() else text)
    return result


@functools.lru_cache(maxsize=4)
def _load(path: str) -> Any:
    import fasttext

    if not Path(path).is_file():
        raise RecipeError(
            f"language.model: no file at {path!r}; expected a fastText model (.bin or .ftz) on this machine's disk; "
            "without the key the packaged lid.176.ftz is used"
        )
    try:
        return fasttext.load_model(path)
    except (ValueError, RuntimeError, MemoryError) as error:
        raise RecipeError(f"language.model: {path}: not a fastText model ({error}); expected .bin or .ftz") from error


def measure(texts: pa.Array | pa.ChunkedArray, *, model: str | Path | None = None) -> pa.RecordBatch:
    """Columns language, language_score (0-1, 4 decimals) and languages (the top three), one row per text."""
    found = samples(texts)
    asked = [i for i, text in enumerate(found) if text]
    rows: list[list[dict[str, Any]]] = [[] for _ in found]
    if asked:
        labels, scores = _load(str(model or MODEL)).predict([found[i] for i in asked], k=TOP)
        for i, names, values in zip(asked, labels, scores):
            rows[i] = [
                {"language": name.replace("__label__", "", 1), "score": round(min(float(value), 1.0), 4)}
                for name, value in zip(names, values)
            ]
    return pa.RecordBatch.from_arrays(
        [
            pa.array([row[0]["language"] if row else "und" for row in rows], pa.string()),
            pa.array([row[0]["score"] if row else 0.0 for row in rows], pa.float64()),
            pa.array(rows, LANGUAGES),
        ],
        names=["language", "language_score", "languages"],
    )


def broken(columns: pa.RecordBatch, keep: dict[str, float]) -> dict[str, np.ndarray]:
    """Reason -> mask of rows: the top language is not kept, or its score is below that language's limit."""
    names, scores = columns.column("language"), columns.column("language_score").to_numpy(zero_copy_only=False)
    other = np.ones(len(names), bool)
    low = np.zeros(len(names), bool)
    for name, least in keep.items():
        spoken = pc.fill_null(pc.equal(names, name), False).to_numpy(zero_copy_only=False)
        other &= ~spoken
        low |= spoken & (scores < least)
    return {"language.language": other, "language.language_score": low}
