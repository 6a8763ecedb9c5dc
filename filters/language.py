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

MODEL = Path(__file__).parent.parent / "massivetext" / "data" / "lid.176.ftz"
PIECE = 512
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
def _walk(data, start, end, length, out):
    """Code points after joining whitespace runs; with length >= 0 writes the sample into out and returns its bytes."""
    low, high = (length - PIECE) // 2, (length - PIECE) // 2 + PIECE
    whole = length <= 3 * PIECE
    n, size, i, in_space = 0, 0, start, False
    while i < end:
        width = _space(data, i, end)
        if width:
            step = width
            if in_space:
                i += step
                continue
            in_space = True
        else:
            b = data[i]
            step = 1 if b < 0xC0 else 2 if b < 0xE0 else 3 if b < 0xF0 else 4
            in_space = False
        if length >= 0 and (whole or n < PIECE or low <= n < high or n >= length - PIECE):
            if not whole and (n == low or n == length - PIECE):
                out[size] = 32
                size += 1
            if width:
                out[size] = 32
                size += 1
            else:
                for k in range(i, min(i + step, end)):
                    out[size] = data[k]
                    size += 1
        n += 1
        i += step
    return n if length < 0 else size


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
    out = np.empty(3 * PIECE * 4 + 2, np.uint8)
    result = []
    for start, end in itertools.pairwise(offsets):
        length = _walk(data, start, end, -1, out)
        text = out[: _walk(data, start, end, length, out)].tobytes().decode("utf-8", "replace")
        result.append("" if text.isspace() else text)
    return result


@functools.lru_cache(maxsize=4)
def _load(path: str) -> Any:
    import fasttext

    return fasttext.load_model(path)


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
    names = columns.column("language").to_pylist()
    scores = columns.column("language_score").to_pylist()
    return {
        "language.language": np.array([name not in keep for name in names], bool),
        "language.language_score": np.array(
            [name in keep and score < keep[name] for name, score in zip(names, scores)], bool
        ),
    }
