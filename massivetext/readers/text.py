"""Books and other texts, a file a document: plain text, Markdown or EPUB. Project Gutenberg's header and licence go."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import IO

from massivetext.documents import Record
from massivetext.readers import compression, encodings, epub
from massivetext.readers.compression import DamagedError
from massivetext.readers.fields import MAX_TEXT, encoding_option
from massivetext.readers.kinds import HEAD, kind_of, skipped
from massivetext.readers.reader import Reader

__all__ = ["READER", "read", "read_text", "without_gutenberg"]

_START = re.compile(
    r"^[ \t]*\*\*\*[ \t]*START OF (?:THE|THIS) PROJECT GUTENBERG E(?:BOOK|TEXT)[^\n]*"
    r"(?:\n(?![ \t]*\n)[^\n]*?\*\*\*[ \t]*$)?"
    r"|^[^\n]*\*END[* ]*THE SMALL PRINT![^\n]*$",
    re.MULTILINE | re.IGNORECASE,
)
_END = re.compile(
    r"^[ \t]*\*\*\*[ \t]*END OF (?:THE|THIS) PROJECT GUTENBERG E(?:BOOK|TEXT)"
    r"|^[ \t]*(?:\*\*\*[ \t]*)?End of (?:The |This )?Project Gutenberg(?:'s|’s)? ?[^\n]*$",
    re.MULTILINE | re.IGNORECASE,
)
_FIELD = re.compile(r"^(Title|Author|Language|Release date):(.+)$", re.MULTILINE | re.IGNORECASE)
_HEADER = 40_000
"""Characters at either end in which Gutenberg's header and licence are looked for."""


def read(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """The one record of the file, at offset 0. An empty file is an empty text; a file that is no text is
    `skipped.content`; what there is of a damaged file is a text marked `damage`, and a failed row follows it."""
    named = encoding_option(options)
    stream.seek(0)
    if epub.is_epub(stream):
        yield from epub.read(stream, source=source, counts=counts)
        return
    damage: DamagedError | None = None
    pieces: list[bytes] = []
    try:
        data = read_text(compression.blocks(stream, source=source, counts=counts), pieces=pieces)
    except DamagedError as fault:
        data, damage = b"".join(pieces), fault
        if not data or damage.reason == "bomb":
            yield Record(0, outcome="failed", reason=f"failed.{damage.reason}")
            raise
    if data is None:
        yield Record(0, outcome="failed", reason="failed.too_large")
        return
    if kind := kind_of(data[:HEAD], named):
        yield skipped(kind)
    else:
        text, n_replaced = encodings.decode_any(data, named)
        text, metadata = without_gutenberg(text)
        if damage:
            metadata["damage"] = damage.reason
        yield Record(0, text, n_replaced=n_replaced, metadata=metadata)
    if damage:
        yield Record(1, outcome="failed", reason=f"failed.{damage.reason}")
        raise damage


def read_text(
    content: Iterator[compression.Block], limit: int = MAX_TEXT, pieces: list[bytes] | None = None
) -> bytes | None:
    """All bytes of a stream, or None if they are more than the limit. pieces: gains what is read, also before a
    fault."""
    pieces = [] if pieces is None else pieces
    size = 0
    for block in content:
        size += len(block.data or b"")
        if size > limit:
            return None
        pieces.append(bytes(block.data or b""))
    return b"".join(pieces)


def without_gutenberg(text: str) -> tuple[str, dict[str, str]]:
    """A text without Project Gutenberg's header and licence, and what the header says of title and author."""
    begin, end = 0, len(text)
    metadata: dict[str, str] = {}
    starts = list(_START.finditer(text[:_HEADER]))
    if starts:
        begin = starts[-1].end()
        for name, value in _FIELD.findall(text[: starts[0].start()]):
            metadata.setdefault(name.lower().replace(" ", "_"), value.strip())
    # Only a text that is known to be Gutenberg's by its header, or by the formal mark, is cut at its end.
    tail = max(begin, len(text) - _HEADER)
    found = _END.search(text, tail)
    if found and (starts or "***" in found[0]):
        end = found.start()
    if begin == 0 and end == len(text):
        return text, metadata
    return text[begin:end].strip("\n") + "\n", metadata


READER = Reader(
    name="text",
    read=read,
    record="the file: plain text, Markdown or EPUB",
    offset="0",
    extensions=(".txt", ".text", ".md", ".markdown", ".epub", ".rst"),
    options={"encoding": "the encoding of all files, such as cp1252; without it each file's own is found out"},
)
