"""What is left of a document when test items are cut out of it (GPT-3, arXiv 2005.14165, appendix C)."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["LEAST_CHARACTERS", "MARGIN", "MOST_PIECES", "pieces"]

MARGIN = 200
"""Characters cut on each side of a match."""

LEAST_CHARACTERS = 200
"""A piece of fewer characters is dropped."""

MOST_PIECES = 10
"""A document that falls into more pieces, the short ones not counted, is dropped whole."""


def pieces(
    text: str,
    spans: Iterable[tuple[int, int]],
    *,
    margin: int = MARGIN,
    least: int = LEAST_CHARACTERS,
    most: int = MOST_PIECES,
) -> list[str]:
    """The text without the spans (start, end in characters) and a margin around each, in pieces of at least `least`
    characters, without whitespace at their ends. Empty if more than `most` of them are left, or none. Without spans the
    one piece is the text as it is.

    Piece k, from 0, is the document `<id>#<k>`.
    """
    cuts = sorted((max(0, start - margin), min(len(text), end + margin)) for start, end in spans)
    if not cuts:
        return [text]
    found, at = [], 0
    for start, end in [*cuts, (len(text), len(text))]:
        if start > at:
            piece = text[at:start].strip()
            if len(piece) >= least:
                found.append(piece)
        at = max(at, end)
    return found if len(found) <= most else []
