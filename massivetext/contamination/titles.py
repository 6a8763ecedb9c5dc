"""Wikipedia pages that are in a test set, by title (paper, appendix A.1: validation and test of WikiText-103)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, product, zip_longest

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.contamination.items import headings
from massivetext.contamination.wikitext import UNKNOWN, joined_by_signs, untokenised
from massivetext.errors import RecipeError
from massivetext.text import Texts, decode
from massivetext.text.normal import normalise
from massivetext.text.unicode import ALONE, DELETED, MARK, SPACE, tables

__all__ = ["Titles", "normalised_title"]

_CLOSE = frozenset(",.;:!?%")
"""Signs that stand at the word before them and have a space after them."""

_MOST_DOUBTS = 6
"""A title with more doubtful spaces than this is compared with all of them and with none."""


def normalised_title(title: str) -> str:
    """Return the written words of a title by the rules for shingles, underscores as spaces, joined by one space."""
    t = tables()
    kept: list[str] = []
    alone = False
    for char in normalise(title.replace("_", " "), t):
        point = ord(char)
        flags = t.flags[point]
        if flags & DELETED:
            continue
        if flags & SPACE:
            kept.append(" ")
            alone = False
            continue
        if (not flags & MARK) if alone else flags & ALONE:
            kept.append(" ")
            alone = bool(flags & ALONE)
        kept.append("i\u0307" if point == 0x130 else chr(t.lower[point]))
    return " ".join(filter(None, "".join(kept).split(" ")))


def _doubtful_pieces(title: str) -> list[str]:
    """The normalised pieces of a tokenised title, between which it does not tell whether there was a space.

    `What ( ever )` may be `What (ever)` or `What(ever)`, `R & B` may be `R&B`, and `<unk> 's` is `Edson's`.
    """
    pieces: list[list[str]] = [[]]
    after_sign = False
    for token in joined_by_signs(title).split():
        is_sign = not any(map(str.isalnum, token)) and token not in _CLOSE
        if is_sign or after_sign or (token[0] in "'’" and len(token) > 1):
            pieces.append([])
        pieces[-1].append(token)
        after_sign = is_sign
    normal = (normalised_title(untokenised(" ".join(piece))) for piece in pieces)
    return [piece for piece in normal if piece]


def _spellings(title: str) -> Iterator[str]:
    """The normalised spellings of a title: as it stands, with its tokenisation undone, and with or without each space
    that the tokenisation does not tell."""
    yield normalised_title(title.replace(UNKNOWN, "").replace("<unk>", UNKNOWN))
    yield normalised_title(untokenised(title))
    pieces = _doubtful_pieces(title)
    n_spaces = max(0, len(pieces) - 1)
    every = product(("", " "), repeat=n_spaces)
    for spaces in every if n_spaces <= _MOST_DOUBTS else ([""] * n_spaces, [" "] * n_spaces):
        yield "".join(chain.from_iterable(zip_longest(pieces, spaces, fillvalue="")))


class Titles:
    """Titles of pages to remove. In one that is taken from a WikiText file, `<unk>` stands for any word or part of one.

    plain: by the normalised spellings of a title without `<unk>`, the title as given. unusable: titles without a word
    of their own, such as `<unk> <unk>`; they would match every title of so many words, and match none instead.
    """

    def __init__(self, titles: Iterable[str]) -> None:
        self.plain: dict[str, str] = {}
        self.unusable: list[str] = []
        patterns: dict[str, str] = {}
        usable: dict[str, list[str]] = {}
        for title in titles:
            spellings = list(_spellings(title))
            if spellings[0].replace(UNKNOWN, "").strip():
                usable[title] = spellings
            else:
                self.unusable.append(title)
        # What a title says comes before what another might have been.
        for title, normal in sorted(
            ((title, normal) for title, spellings in usable.items() for normal in spellings),
            key=lambda pair: pair[1] not in usable[pair[0]][:2],
        ):
            if UNKNOWN in normal:
                patterns.setdefault(r"\S+".join(map(re.escape, normal.split(UNKNOWN))), title)
            else:
                self.plain.setdefault(normal, title)
        self._n_titles = len(usable)
        self._patterns = list(patterns.values())
        self._pattern = re.compile("|".join(f"({pattern})" for pattern in patterns) or r"(?!)")

    @classmethod
    def read(cls, path: str) -> Titles:
        """From WikiText files (their first-level headings), or from a list, one title a line."""
        paths = storage.find(path)
        if not paths:
            raise RecipeError(f"titles: no file at {path!r}")
        titles: list[str] = []
        for file in paths:
            titles += headings(file) or decode(storage.read_bytes(file))[0].split("\n")
        return cls(title for title in titles if title.strip())

    def __len__(self) -> int:
        return self._n_titles

    def of(self, title: str) -> str | None:
        """The title of the test set that this one is, as it stands there, or None."""
        normal = normalised_title(title)
        if normal in self.plain:
            return self.plain[normal]
        found = self._pattern.fullmatch(normal)
        return None if found is None else self._patterns[int(found.lastindex or 1) - 1]

    def measure(self, titles: Texts | Sequence[str | None]) -> pa.Array:
        """string[n]: for each page's title, that of the test set that it is; null if none, or if the page has none."""
        values = titles.to_pylist() if isinstance(titles, pa.Array | pa.ChunkedArray) else titles
        return pa.array([None if title is None else self.of(title) for title in values], pa.string())

    def removed(self, titles: Texts | Sequence[str | None]) -> np.ndarray:
        """bool[n]: True where the page is in the test set. The reason is `contamination.title`."""
        return self.measure(titles).is_valid().to_numpy(zero_copy_only=False)
