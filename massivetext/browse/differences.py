"""Two texts side by side: what both have, and what only one of them has, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

__all__ = ["MOST_WORDS", "Pair", "compare"]

MOST_WORDS = 4_000
"""Words of either text, between what both begin and end with, up to which single words are compared. Beyond that the
texts are compared by lines, and beyond as many lines not at all."""

_TOKEN = re.compile(r"\s+|\S+")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True)
class Pair:
    """A stretch of each text; equal ones are the same in both."""

    first: str
    second: str
    is_equal: bool


def compare(first: str, second: str) -> list[Pair]:
    """Return two texts cut into stretches that are equal and stretches that differ.

    Joined, the `first` parts of the result are the first text, and the `second` parts the second one.
    """
    return list(_joined(_compared(_TOKEN.findall(first), _TOKEN.findall(second), by_words=True)))


def _compared(first: Sequence[str], second: Sequence[str], *, by_words: bool) -> Iterator[Pair]:
    """Yield the stretches of two lists of tokens: equal ends first, then what is between."""
    shorter = min(len(first), len(second))
    head = next((i for i in range(shorter) if first[i] != second[i]), shorter)
    tail = next((i for i in range(shorter - head) if first[-1 - i] != second[-1 - i]), shorter - head)
    yield Pair("".join(first[:head]), "".join(second[:head]), True)
    yield from _middle(first[head : len(first) - tail], second[head : len(second) - tail], by_words)
    yield Pair("".join(first[len(first) - tail :]), "".join(second[len(second) - tail :]), True)


def _middle(first: Sequence[str], second: Sequence[str], by_words: bool) -> Iterator[Pair]:
    if not first or not second:
        yield Pair("".join(first), "".join(second), False)
    elif max(len(first), len(second)) <= 2 * MOST_WORDS:  # white space between words is a token too
        matcher = SequenceMatcher(None, first, second, autojunk=len(first) > 1000)
        for tag, a, b, c, d in matcher.get_opcodes():
            yield Pair("".join(first[a:b]), "".join(second[c:d]), tag == "equal")
    elif by_words:
        lines = _LINE.findall("".join(first)), _LINE.findall("".join(second))
        yield from _compared(*lines, by_words=False)
    else:
        yield Pair("".join(first), "".join(second), False)


def _joined(pairs: Iterator[Pair]) -> Iterator[Pair]:
    """Yield pairs with neighbours of the same kind joined, and empty ones left out."""
    last: Pair | None = None
    for pair in pairs:
        if not pair.first and not pair.second:
            continue
        if last is not None and last.is_equal == pair.is_equal:
            last = Pair(last.first + pair.first, last.second + pair.second, pair.is_equal)
            continue
        if last is not None:
            yield last
        last = pair
    if last is not None:
        yield last
