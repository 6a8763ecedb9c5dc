"""Where in a text a rule measured what it did: stretches of the text, by rule, for one document at a time.

The definitions are those of the rules' kernels, spelt out over Python strings: a page shows one document, so clarity
comes before speed. The tests compare the marked characters with the values that the kernels measure.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

__all__ = ["LONGEST", "Options", "Piece", "Span", "is_markable", "pieces", "spans"]

LONGEST = 2_000_000
"""Characters of a text up to which rules are marked in it."""

Span = tuple[int, int]
"""First character, and one past the last."""

_BULLETS = "•‣⁃◦●○■□▪▫▶►◀·"
_DASHES = "-*+–"
_STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
_WORD = re.compile(r"\S+")
_ELLIPSIS = re.compile(r"\.\.\.|…")
_GRAM = re.compile(r"(duplicate|top)_(\d+)gram_character_fraction")
_LINE_ENDS = ("Po", "Pf", "Pe")
"""Unicode categories of the punctuation that FineWeb takes for the end of a sentence."""

_SHORT_LINE = 30
"""Characters of a line that FineWeb calls short: one has fewer."""


@dataclass(frozen=True)
class Options:
    """What the recipe says about how a document is measured.

    Attributes:
        repeats: Whether the first of equal lines or n-grams is left out (`count_duplicates: repeats`).
        written: The stages whose words are written words: one for each character of scripts without spaces.
        stop_words: The words that `stop_word_count` looks for; those of the paper if empty.
        unsafe_terms: Regular expressions of the terms that safe search counts.
        replacements: What stands in the text in place of addresses that were taken out.
        least, most: The limits of `mean_word_length`, None where there are none.
    """

    repeats: bool = False
    written: frozenset[str] = frozenset()
    stop_words: frozenset[str] = frozenset()
    unsafe_terms: tuple[str, ...] = ()
    replacements: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class Piece:
    """A stretch of a text and the rules that mark it, in the order in which they were asked for."""

    text: str
    rules: tuple[str, ...]


def spans(rule: str, text: str, row: Mapping[str, Any], options: Options) -> list[Span]:
    """Return the stretches of a text that a rule counts.

    Args:
        rule: `<stage>.<signal>`; what is not known here has no stretches.
        text: The text as the run keeps it.
        row: The document's row of the ledger, for the test items' own spans.
        options: How the document was measured.

    Returns:
        Stretches in the order of the text, which do not overlap.
    """
    stage, _, signal = rule.partition(".")
    if len(text) > LONGEST:
        return []
    if stage == "contamination":
        return _test_spans(signal, text, row)
    if stage == "safe_search":
        return _merged(span for term in options.unsafe_terms for span in _found(term, text, re.ASCII))
    if stage == "pii":
        return _merged(span for word in options.replacements for span in _found(re.escape(word), text))
    written = stage in options.written
    gram = _GRAM.fullmatch(signal)
    if gram is not None:
        covered = _duplicate_grams if gram[1] == "duplicate" else _top_gram
        words = _words(text, written)
        return _runs(words, covered([text[start:end] for start, end in words], int(gram[2]), options.repeats))
    if signal in _WORD_MARKERS:
        return _WORD_MARKERS[signal](text, _words(text, written), options)
    marker = _MARKERS.get(signal)
    return [] if marker is None else marker(text, options)


def is_markable(rule: str) -> bool:
    """Return whether a rule has stretches of a text to mark."""
    stage, _, signal = rule.partition(".")
    is_known = signal in _MARKERS or signal in _WORD_MARKERS or _GRAM.fullmatch(signal) is not None
    return is_known or stage in ("contamination", "safe_search", "pii")


def pieces(text: str, marked: Mapping[str, Sequence[Span]]) -> Iterator[Piece]:
    """Cut a text where stretches begin and end.

    Args:
        text: The text.
        marked: Stretches by rule; those of one rule do not overlap, those of several may.

    Yields:
        All of the text in order, each piece with the rules whose stretches cover it.
    """
    edges = sorted({0, len(text), *(edge for spans_of in marked.values() for span in spans_of for edge in span)})
    positions = dict.fromkeys(marked, 0)
    for start, end in pairwise(edges):
        rules = []
        for rule, spans_of in marked.items():
            at = positions[rule]
            while at < len(spans_of) and spans_of[at][1] <= start:
                at += 1
            positions[rule] = at
            if at < len(spans_of) and spans_of[at][0] <= start:
                rules.append(rule)
        yield Piece(text[start:end], tuple(rules))


# ---- Words and n-grams. ----


def _words(text: str, written: bool) -> list[Span]:
    """Return the words of a text: runs of what is not white space, or written words."""
    words = [match.span() for match in _WORD.finditer(text)]
    if not written:
        return words
    from massivetext.text.unicode import unspaced_points

    unspaced = unspaced_points()
    return [span for word in words for span in _written(text, *word, unspaced)]


def _written(text: str, start: int, end: int, unspaced: set[int]) -> Iterator[Span]:
    """Yield the written words of a word: each unspaced character with the marks after it, and the runs between."""
    at = first = start
    while at < end:
        if ord(text[at]) not in unspaced:
            at += 1
            continue
        if first < at:
            yield first, at
        first, at = at, at + 1
        while at < end and unicodedata.category(text[at])[0] == "M" and ord(text[at]) not in unspaced:
            at += 1
        yield first, at
        first = at
    if first < end:
        yield first, end


def _duplicate_grams(words: Sequence[str], n: int, repeats: bool) -> set[int]:
    """Return the numbers of the words that an n-gram which occurs at least twice covers."""
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    counts = Counter(grams)
    covered: set[int] = set()
    seen: set[tuple[str, ...]] = set()
    for i, gram in enumerate(grams):
        if counts[gram] > 1 and not (repeats and gram not in seen):
            covered.update(range(i, i + n))
        seen.add(gram)
    return covered


def _top_gram(words: Sequence[str], n: int, repeats: bool) -> set[int]:
    """Return the numbers of the words that the most frequent n-gram covers, if it occurs at least twice."""
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    counts = Counter(grams)
    if not counts or max(counts.values()) < 2:
        return set()
    # Ties: the n-gram with more characters, then the one that occurs first, which `max` returns.
    top = max(counts, key=lambda gram: (counts[gram], sum(map(len, gram))))
    places = [i for i, gram in enumerate(grams) if gram == top]
    return {at for i in places[1 if repeats else 0 :] for at in range(i, i + n)}


def _runs(words: Sequence[Span], covered: set[int]) -> list[Span]:
    """Return one stretch for each run of neighbouring covered words."""
    runs: list[Span] = []
    previous = -2
    for at in sorted(covered):
        start, end = words[at]
        if at == previous + 1:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
        previous = at
    return runs


# ---- Lines and paragraphs. ----


def _lines(text: str) -> list[Span]:
    """Return the lines of a text, stripped; empty ones are none."""
    return list(_split(text, "\n"))


def _paragraphs(text: str) -> list[Span]:
    return list(_split(text, r"\n\s*\n"))


def _split(text: str, separator: str) -> Iterator[Span]:
    start = 0
    for first, last in [*(match.span() for match in re.finditer(separator, text)), (len(text), len(text))]:
        piece = text[start:first]
        stripped = piece.strip()
        if stripped:
            begin = start + len(piece) - len(piece.lstrip())
            yield begin, begin + len(stripped)
        start = last


def _duplicates(text: str, parts: Sequence[Span], options: Options) -> list[Span]:
    """Return the parts whose text occurs at least twice."""
    counts = Counter(text[start:end] for start, end in parts)
    seen: set[str] = set()
    repeated = []
    for start, end in parts:
        part = text[start:end]
        if counts[part] > 1 and not (options.repeats and part not in seen):
            repeated.append((start, end))
        seen.add(part)
    return repeated


def _duplicate_lines(text: str, options: Options) -> list[Span]:
    return _duplicates(text, _lines(text), options)


def _duplicate_paragraphs(text: str, options: Options) -> list[Span]:
    return _duplicates(text, _paragraphs(text), options)


def _bullet_lines(text: str, options: Options) -> list[Span]:
    return [(start, end) for start, end in _lines(text) if _is_bullet(text[start:end])]


def _is_bullet(line: str) -> bool:
    """Return whether a stripped line begins with a bullet; a dash needs white space after it."""
    return line[0] in _BULLETS or (line[0] in _DASHES and len(line) > 1 and line[1].isspace())


def _ellipsis_lines(text: str, options: Options) -> list[Span]:
    return [(start, end) for start, end in _lines(text) if text[start:end].endswith(("...", "…"))]


def _open_lines(text: str, options: Options) -> list[Span]:
    """Return the lines that do not end in punctuation: what `punctuation_line_fraction` misses."""
    return [(start, end) for start, end in _lines(text) if unicodedata.category(text[end - 1]) not in _LINE_ENDS]


def _short_lines(text: str, options: Options) -> list[Span]:
    return [(start, end) for start, end in _lines(text) if end - start < _SHORT_LINE]


def _repeated_lines(text: str, options: Options) -> list[Span]:
    return _duplicates(text, _lines(text), Options(repeats=True))


def _curly_brackets(text: str, options: Options) -> list[Span]:
    return _found("[{}]", text)


def _lorem_ipsum(text: str, options: Options) -> list[Span]:
    return _found("lorem ipsum", text, re.IGNORECASE)


# ---- Words and characters. ----


def _hashes(text: str, options: Options) -> list[Span]:
    return _found("#+", text)


def _ellipses(text: str, options: Options) -> list[Span]:
    return [match.span() for match in _ELLIPSIS.finditer(text)]


def _words_without_letters(text: str, words: Sequence[Span], options: Options) -> list[Span]:
    return [(start, end) for start, end in words if not any(character.isalpha() for character in text[start:end])]


def _stop_words(text: str, words: Sequence[Span], options: Options) -> list[Span]:
    listed = options.stop_words or _STOP_WORDS
    marked = []
    for start, end in words:
        while start < end and not text[start].isalnum():
            start += 1
        while start < end and not text[end - 1].isalnum():
            end -= 1
        if "".join(character.lower() for character in text[start:end]) in listed:
            marked.append((start, end))
    return marked


def _long_or_short_words(text: str, words: Sequence[Span], options: Options) -> list[Span]:
    """Return the words that are longer or shorter by themselves than their mean may be."""
    least, most = options.least, options.most
    return [
        (start, end)
        for start, end in words
        if (most is not None and end - start > most) or (least is not None and end - start < least)
    ]


def _found(pattern: str, text: str, flags: int = 0) -> list[Span]:
    return [match.span() for match in re.finditer(pattern, text, flags) if match.end() > match.start()]


def _test_spans(signal: str, text: str, row: Mapping[str, Any]) -> list[Span]:
    """Return the stretches that the ledger names for a measure of test items: `start:end,start:end`."""
    signal = signal.removeprefix("contamination_")
    column = "test_span" if signal in ("jaccard", "containment") else f"contamination_{signal}_span"
    stretches = []
    for part in (row.get(column) or "").split(","):
        start, _, end = part.partition(":")
        if start.isdecimal() and end.isdecimal() and int(start) < int(end) <= len(text):
            stretches.append((int(start), int(end)))
    return _merged(stretches)


def _merged(stretches: Iterator[Span] | Sequence[Span]) -> list[Span]:
    """Return stretches in order, those that overlap as one."""
    merged: list[Span] = []
    for start, end in sorted(stretches):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


_MARKERS: dict[str, Callable[[str, Options], list[Span]]] = {
    "duplicate_line_fraction": _duplicate_lines,
    "duplicate_line_character_fraction": _duplicate_lines,
    "duplicate_paragraph_fraction": _duplicate_paragraphs,
    "duplicate_paragraph_character_fraction": _duplicate_paragraphs,
    "bullet_line_fraction": _bullet_lines,
    "ellipsis_line_fraction": _ellipsis_lines,
    "hash_ratio": _hashes,
    "ellipsis_ratio": _ellipses,
    "punctuation_line_fraction": _open_lines,
    "short_line_fraction": _short_lines,
    "repeated_line_character_fraction": _repeated_lines,
    "curly_bracket_count": _curly_brackets,
    "lorem_ipsum_count": _lorem_ipsum,
}

_WORD_MARKERS: dict[str, Callable[[str, Sequence[Span], Options], list[Span]]] = {
    "alphabetic_word_fraction": _words_without_letters,
    "stop_word_count": _stop_words,
    "mean_word_length": _long_or_short_words,
}
