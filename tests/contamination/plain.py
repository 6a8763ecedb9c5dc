"""Contamination by the rules, in plain Python over every pair of document and item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from tests import oracle


def _stands_in(sequence: list[str], words: list[str]) -> bool:
    return any(words[i : i + len(sequence)] == sequence for i in range(len(words) - len(sequence) + 1))


def telling(item: str) -> int:
    """How many words of an item have two letters, or are of a script without spaces."""
    return telling_words(oracle.normalised_words(item))


def telling_words(words: Sequence[str]) -> int:
    return sum(sum(c.isalpha() for c in word) >= 2 or oracle.is_unspaced(word[0]) for word in words)


def jaccard(document: str, item: str) -> Fraction:
    a, b = oracle.shingles(document), oracle.shingles(item)
    return Fraction(len(a & b), len(a | b)) if a | b else Fraction(0)


def containment(document: str, item: str) -> Fraction:
    words, sequence = oracle.normalised_words(document), oracle.normalised_words(item)
    if len(sequence) < 13:
        return Fraction(int(_stands_in(sequence, words)))
    wanted = oracle.shingles(item)
    stand = {tuple(words[i : i + 13]) for i in range(len(words) - 12)}
    return Fraction(len(wanted & stand), len(wanted))


def _best(values: Sequence[Fraction]) -> tuple[float, int | None]:
    best = max(values, default=Fraction(0))
    return float(best), values.index(best) if best else None


def measure(document: str, items: Sequence[str]) -> dict[str, object]:
    searched = [telling(item) >= 8 for item in items]
    j = [jaccard(document, item) if ok else Fraction(0) for item, ok in zip(items, searched)]
    c = [containment(document, item) if ok else Fraction(0) for item, ok in zip(items, searched)]
    values: dict[str, object] = {}
    values["contamination_jaccard"], values["contamination_jaccard_item"] = _best(j)
    values["contamination_containment"], values["test_item"] = _best(c)
    values["test_items_hit"] = sum(value > 0 for value in c)
    return values


def common(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = 0
        for k, y in enumerate(b):
            row[k + 1], before = before + 1 if x == y else max(row[k + 1], row[k]), row[k + 1]
    return row[-1]


def alignment(document: str, items: Sequence[str]) -> float:
    """The largest share of an item's words in order, around any seed that the document shares with it. For items of up
    to 64 words, of which every gram is a seed."""
    return _aligned(document, items, lambda m: [(0, m)])


def passage(document: str, items: Sequence[str]) -> float:
    """The same of passages of 32 words with 8 telling ones, every 16 words of an item and at its end; short items are
    their own."""
    return _aligned(
        document, items, lambda m: [(s, s + 32) for s in [*range(0, m - 32, 16), m - 32]] if m > 32 else [(0, m)]
    )


def _aligned(document: str, items: Sequence[str], parts: Callable[[int], list[tuple[int, int]]]) -> float:
    words = oracle.normalised_words(document)
    best = 0.0
    for item in items:
        sequence = oracle.normalised_words(item)
        m = len(sequence)
        if not 8 <= m <= 64 or telling(item) < 8:
            continue
        width = 5 if m <= 31 else 8
        for p in range(len(words) - width + 1):
            for q in range(m - width + 1):
                if words[p : p + width] == sequence[q : q + width]:
                    for start, end in parts(m):
                        if telling_words(sequence[start:end]) < 8:
                            continue
                        slack = max(2, (end - start) // 4)
                        window = words[max(0, p - q + start - slack) : max(0, p - q + end + slack)]
                        best = max(best, common(sequence[start:end], window) / (end - start))
    return best
