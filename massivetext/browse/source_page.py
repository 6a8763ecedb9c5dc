"""The page of a document before extraction, read again from its source, block by block: kept or dropped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from massivetext import readers, storage
from massivetext.documents import Record
from massivetext.errors import MassiveTextError
from massivetext.extraction.encoding import decode_page
from massivetext.looking.recipe_view import RecipeView

__all__ = ["LONGEST", "SECONDS", "Block", "blocks_of", "read_page"]

SECONDS = 5.0
"""For which a source is read in search of the record."""

LONGEST = 8 << 20
"""Bytes of a page that is shown."""

_BY_OFFSET = ("warc", "wet")
"""Formats whose offset is a byte of the file as stored, so that a record is read without those before it."""


@dataclass(frozen=True)
class Block:
    """A line of the page's text as a browser would show it, and whether it is part of the document's text."""

    text: str
    is_kept: bool


def read_page(recipe: RecipeView, row: Mapping[str, Any], seconds: float = SECONDS) -> Record | None:
    """Read the record of a row of the ledger from its source again.

    Args:
        recipe: The recipe of the run, which names the sources.
        row: The row.
        seconds: How long to search a file whose records cannot be read from any offset.

    Returns:
        The record, if it is a page; None if it is a text, or the source is no longer there, or time is up.
    """
    for source in recipe.subsets[row["subset"]].sources:
        if source.format not in readers.FORMATS:
            continue  # a reader of the user's own is code, which no page runs
        path = _path(source, row["source"])
        if path is None:
            continue
        try:
            record = _record(path, source, row["offset"], seconds)
        except (MassiveTextError, OSError):
            record = None
        if record is not None:
            return record if record.page is not None and len(record.page) <= LONGEST else None
    return None


def _path(source: Any, name: str) -> str | None:
    """Return the file of a source whose name in the ledger is this one, if it is there."""
    if not name.startswith(source.name):
        return None
    path = storage.source_prefix(source.path) + name[len(source.name) :]
    return path if path in readers.find(source.path, source.format) else None


def _record(path: str, source: Any, offset: int, seconds: float) -> Record | None:
    start, stop = 0, readers.size(path, source.format)
    if source.format in _BY_OFFSET:
        start, stop = offset, offset + 1
    deadline = time.monotonic() + seconds
    for record in readers.read_part(path, source.format, start=start, stop=stop, options=source.fields):
        if record.offset == offset:
            return record
        if record.offset > offset or time.monotonic() > deadline:
            break
    return None


def blocks_of(page: bytes, content_type: str | None, text: str) -> list[Block]:
    """Return the lines of a page's text, all of it, and which of them are part of the text that was extracted.

    Args:
        page: The bytes of the page.
        content_type: The header that came with it.
        text: What was extracted.
    """
    from resiliparse.extract.html2text import extract_plain_text

    whole = extract_plain_text(decode_page(page, content_type), main_content=False)
    return list(_blocks(whole, text))


def _blocks(whole: str, text: str) -> Iterator[Block]:
    """Yield the lines of `whole`. Words are compared, not the white space between them."""
    extracted = f" {' '.join(text.split())} "
    at = 0
    for line in whole.split("\n"):
        words = line.split()
        if words:
            # Blocks keep their order, so the search goes on where the last one ended; a repeated line is found again.
            place = extracted.find(f" {' '.join(words)} ", at)
            if place >= 0:
                at = place + len(" ".join(words)) + 1
            yield Block(line.strip(), place >= 0)
