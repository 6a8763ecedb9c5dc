"""Character classes, lower-casing and NFC of Unicode 14.0, frozen in a table file that ships with the package.

The interpreter's own tables change with its version; a stored value must not. Code points that were assigned after
Unicode 14.0 count as unassigned. `python -m massivetext.text.unicode FILE` makes the file; it needs Python 3.11.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np

__all__ = ["ALNUM", "ALPHA", "DELETED", "NFC_MAYBE", "SPACE", "UNICODE_VERSION", "Tables", "tables"]

UNICODE_VERSION = "14.0.0"
N_CODE_POINTS = 0x110000

SPACE = 1
"""`str.isspace`."""
ALPHA = 2
"""`str.isalpha`."""
ALNUM = 4
"""`str.isalnum`."""
DELETED = 8
"""General category P* or S*: deleted before shingling."""
NFC_MAYBE = 16
"""A text with such a code point may not be in NFC: it has a combining class, can combine with one before it, or
changes under NFC by itself."""

HANGUL_FIRST, HANGUL_COUNT = 0xAC00, 11172


class Tables(NamedTuple):
    """Arrays that kernels take as arguments.

    flags: uint8[0x110000], the classes above. lower: int32[0x110000], the first code point of `chr(c).lower()`; only
    U+0130 has a second, U+0307. ccc: uint8[0x110000], canonical combining class. decomposition: int32[0x110000], index
    into `parts` (length first, then the full canonical decomposition), 0 where there is none. pairs: uint64[n], sorted
    (first << 32 | second) of primary composites; composites: int32[n], what each pair composes to.
    """

    flags: np.ndarray
    lower: np.ndarray
    ccc: np.ndarray
    decomposition: np.ndarray
    parts: np.ndarray
    pairs: np.ndarray
    composites: np.ndarray


@lru_cache(maxsize=1)
def tables() -> Tables:
    """The tables, read once a process."""
    with resources.files("massivetext").joinpath("data/unicode-14.npz").open("rb") as stream:
        data = np.load(stream, allow_pickle=False)
        lower = np.arange(N_CODE_POINTS, dtype=np.int32)
        lower[data["lower_from"]] = data["lower_to"]
        decomposition = np.zeros(N_CODE_POINTS, dtype=np.int32)
        decomposition[data["decomposed"]] = data["decomposed_at"]
        ccc = np.zeros(N_CODE_POINTS, dtype=np.uint8)
        ccc[data["ccc_of"]] = data["ccc"]
        return Tables(data["flags"], lower, ccc, decomposition, data["parts"], data["pairs"], data["composites"])


def make(path: str) -> None:
    """Write the table file from the interpreter's own Unicode data, which must be of the frozen version."""
    if unicodedata.unidata_version != UNICODE_VERSION:
        raise SystemExit(f"needs Unicode {UNICODE_VERSION} (Python 3.11), this is {unicodedata.unidata_version}")
    flags = np.zeros(N_CODE_POINTS, dtype=np.uint8)
    lower_from, lower_to, decomposed, decomposed_at, ccc_of, ccc = [], [], [], [], [], []
    parts = [0]
    pairs: dict[int, int] = {}
    combines_back = set()
    for point in range(N_CODE_POINTS):
        char = chr(point)
        lower = char.lower()
        if len(lower) > 1 and point != 0x130:
            raise SystemExit(f"U+{point:04X} lower-cases to {len(lower)} code points; only U+0130 was expected to")
        if ord(lower[0]) != point:
            lower_from.append(point)
            lower_to.append(ord(lower[0]))
        if unicodedata.combining(char):
            ccc_of.append(point)
            ccc.append(unicodedata.combining(char))
        if HANGUL_FIRST <= point < HANGUL_FIRST + HANGUL_COUNT or 0xD800 <= point < 0xE000:
            continue
        full = unicodedata.normalize("NFD", char)
        if full != char:
            decomposed.append(point)
            decomposed_at.append(len(parts))
            parts += [len(full), *map(ord, full)]
        mapping = unicodedata.decomposition(char)
        if mapping and "<" not in mapping and len(mapping.split()) == 2 and unicodedata.normalize("NFC", char) == char:
            first, second = (int(part, 16) for part in mapping.split())
            pairs[first << 32 | second] = point
            combines_back.add(second)
    combines_back |= {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}
    for point in range(N_CODE_POINTS):
        char = chr(point)
        category = unicodedata.category(char)
        maybe = unicodedata.combining(char) > 0 or point in combines_back
        if not 0xD800 <= point < 0xE000:
            maybe |= unicodedata.normalize("NFC", char) != char
        flags[point] = (
            SPACE * char.isspace()
            | ALPHA * char.isalpha()
            | ALNUM * char.isalnum()
            | DELETED * (category[0] in "PS")
            | NFC_MAYBE * maybe
        )
    keys = sorted(pairs)
    np.savez_compressed(
        path,
        flags=flags,
        lower_from=np.array(lower_from, np.int32),
        lower_to=np.array(lower_to, np.int32),
        decomposed=np.array(decomposed, np.int32),
        decomposed_at=np.array(decomposed_at, np.int32),
        parts=np.array(parts, np.int32),
        ccc_of=np.array(ccc_of, np.int32),
        ccc=np.array(ccc, np.uint8),
        pairs=np.array(keys, np.uint64),
        composites=np.array([pairs[key] for key in keys], np.int32),
    )


if __name__ == "__main__":
    make(sys.argv[1])
