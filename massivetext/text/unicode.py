"""Character classes, lower-casing and NFC of Unicode 14.0, frozen in a table file that ships with the package.

The interpreter's own tables change with its version; a stored value must not. Code points that were assigned after
Unicode 14.0 count as unassigned. `python -m massivetext.text.unicode FILE` writes the file; it needs Python 3.11.
The version of what the file holds is part of HASH_VERSION (massivetext/text/hashing.py).
"""

from __future__ import annotations

import sys
import unicodedata
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np

__all__ = [
    "ALNUM",
    "ALONE",
    "ALPHA",
    "BYTE_DELETED",
    "BYTE_LONGER",
    "BYTE_SPACE",
    "DELETED",
    "MARK",
    "NFC_MAYBE",
    "SPACE",
    "UNICODE_VERSION",
    "Tables",
    "tables",
]

UNICODE_VERSION = "14.0.0"
N_CODE_POINTS = 0x110000

SPACE = 1
"""`str.isspace`."""
ALPHA = 2
"""`str.isalpha`."""
ALNUM = 4
"""`str.isalnum`."""
DELETED = 8
"""General category P*, S* or Cf: deleted before shingling."""
NFC_MAYBE = 16
"""A text with such a code point may not be in NFC: it has a combining class, can combine with one before it, or
changes under NFC by itself."""
ALONE = 32
"""A code point of a script that is written without spaces: a written word by itself."""
MARK = 64
"""General category M*: a combining mark, which belongs to the written word before it."""

BYTE_SPACE, BYTE_DELETED, BYTE_LONGER = 0x80, 0x81, 0x82
"""Classes of bytes that are not a character of a word: whitespace, deleted, a byte of a longer character."""

TABLES_VERSION = 2
"""Version 2 deletes Cf and knows scripts without spaces and combining marks."""

# Code points by the Script property of Unicode 14.0 (Scripts-14.0.0.txt), first and last of each range.
UNSPACED_SCRIPTS = {
    "Han": "2E80-2E99 2E9B-2EF3 2F00-2FD5 3005 3007 3021-3029 3038-303B 3400-4DBF 4E00-9FFF F900-FA6D FA70-FAD9 "
    "16FE2-16FE3 16FF0-16FF1 20000-2A6DF 2A700-2B738 2B740-2B81D 2B820-2CEA1 2CEB0-2EBE0 2F800-2FA1D 30000-3134A",
    "Hiragana": "3041-3096 309D-309F 1B001-1B11F 1B150-1B152 1F200",
    "Katakana": "30A1-30FA 30FD-30FF 31F0-31FF 32D0-32FE 3300-3357 FF66-FF6F FF71-FF9D 1AFF0-1AFF3 1AFF5-1AFFB "
    "1AFFD-1AFFE 1B000 1B120-1B122 1B164-1B167",
    # The prolonged sound mark, its half-width form, and the half-width voiced sound marks have the script Common.
    "Katakana marks": "30FC FF70 FF9E-FF9F",
    "Bopomofo": "2EA-2EB 3105-312F 31A0-31BF",
    "Thai": "E01-E3A E40-E5B",
    "Lao": "E81-E82 E84 E86-E8A E8C-EA3 EA5 EA7-EBD EC0-EC4 EC6 EC8-ECD ED0-ED9 EDC-EDF",
    "Khmer": "1780-17DD 17E0-17E9 17F0-17F9 19E0-19FF",
    "Myanmar": "1000-109F A9E0-A9FE AA60-AA7F",
    "Tibetan": "F00-F47 F49-F6C F71-F97 F99-FBC FBE-FCC FCE-FD4 FD9-FDA",
    "Tai Tham": "1A20-1A5E 1A60-1A7C 1A7F-1A89 1A90-1A99 1AA0-1AAD",
    "New Tai Lue": "1980-19AB 19B0-19C9 19D0-19DA 19DE-19DF",
    "Yi": "A000-A48C A490-A4C6",
}

HANGUL_FIRST, HANGUL_COUNT = 0xAC00, 11172


def unspaced_points() -> set[int]:
    """Return the code points of the scripts that are written without spaces."""
    points: set[int] = set()
    for ranges in UNSPACED_SCRIPTS.values():
        for bounds in ranges.split():
            first, _, last = bounds.partition("-")
            points |= set(range(int(first, 16), int(last or first, 16) + 1))
    return points


class Tables(NamedTuple):
    """Arrays that kernels take as arguments.

    flags: uint8[0x110000], the classes above. lower: int32[0x110000], the first code point of `chr(c).lower()`; only
    U+0130 has a second, U+0307. ccc: uint8[0x110000], canonical combining class. decomposition: int32[0x110000], index
    into `parts` (length first, then the full canonical decomposition), 0 where there is none. pairs: uint64[n], sorted
    (first << 32 | second) of primary composites; composites: int32[n], what each pair composes to. byte_classes:
    uint8[256], the lower-cased character of an ASCII byte that words hold, else one of the classes BYTE_*.
    """

    flags: np.ndarray
    lower: np.ndarray
    ccc: np.ndarray
    decomposition: np.ndarray
    parts: np.ndarray
    pairs: np.ndarray
    composites: np.ndarray
    byte_classes: np.ndarray


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
        flags = data["flags"]
        return Tables(
            flags,
            lower,
            ccc,
            decomposition,
            data["parts"],
            data["pairs"],
            data["composites"],
            _byte_classes(flags, lower),
        )


def _byte_classes(flags: np.ndarray, lower: np.ndarray) -> np.ndarray:
    classes = np.full(256, BYTE_LONGER, np.uint8)
    classes[:128] = lower[:128]
    classes[:128][(flags[:128] & DELETED) != 0] = BYTE_DELETED
    classes[:128][(flags[:128] & SPACE) != 0] = BYTE_SPACE
    return classes


def make(path: str) -> None:
    """Write the table file from the interpreter's own Unicode data, which must be of the frozen version."""
    if unicodedata.unidata_version != UNICODE_VERSION:
        raise SystemExit(f"needs Unicode {UNICODE_VERSION} (Python 3.11), this is {unicodedata.unidata_version}")
    flags = np.zeros(N_CODE_POINTS, dtype=np.uint8)
    unspaced = unspaced_points()
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
            | DELETED * (category[0] in "PS" or category == "Cf")
            | NFC_MAYBE * maybe
            | ALONE * (point in unspaced)
            | MARK * (category[0] == "M")
        )
    keys = sorted(pairs)
    np.savez_compressed(
        path,
        version=np.array([TABLES_VERSION]),
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
