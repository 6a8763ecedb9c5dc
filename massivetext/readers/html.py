"""Pages, a file each, as a browser or a crawler saved them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import IO

from massivetext.documents import Record
from massivetext.readers import compression, http
from massivetext.readers.compression import DamagedError
from massivetext.readers.encodings import is_binary
from massivetext.readers.fields import MAX_PAGE
from massivetext.readers.kinds import HEAD, kind_of, skipped
from massivetext.readers.reader import Reader
from massivetext.text import clean, decode

__all__ = ["READER", "read"]

_EXTENSIONS = (".html", ".htm", ".xhtml", ".shtml", ".xht")
_ADDRESS = re.compile(
    rb"<!--\s*saved from url=(?:\(\d+\))?(\S{1,2000}?)\s*-->"
    rb"|<!--\s*Mirrored from (\S{1,2000}) by HTTrack",
    re.IGNORECASE,
)


def read(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """The one record of the file, at offset 0, a page. url: the address that a browser wrote into it when it saved it.

    Reasons: `skipped.content` for a file that is no text, `skipped.content_type` for text without markup whose name
    does not say that it is HTML, `failed.too_large`, and those of damaged compressed files.
    """
    pieces, size = [], 0
    damage: DamagedError | None = None
    try:
        for block in compression.blocks(stream, source=source, counts=counts):
            pieces.append(block.data or b"")
            size += len(pieces[-1])
            if size > MAX_PAGE:
                yield Record(0, outcome="failed", reason="failed.too_large")
                return
    except DamagedError as fault:
        damage = fault
    page = b"".join(pieces)
    record = _record(page, source)
    if damage is None:
        yield record
        return
    if record.page:
        yield Record(0, page=page, url=record.url, metadata={"damage": damage.reason})
    yield Record(1 if record.page else 0, outcome="failed", reason=f"failed.{damage.reason}")
    raise damage


def _record(page: bytes, source: str) -> Record:
    head = page[:HEAD]
    kind = kind_of(head)
    if kind is not None and kind.name != "HTML":
        return skipped(kind)
    name = source.lower()
    is_named = re.search(r"\.(?:x?html?|shtml|xht)(?:\.\w{2,4})?\Z", name) is not None
    if is_binary(head) or not (is_named or http.is_html(None, page)):
        return Record(0, outcome="skipped", reason="skipped.content_type")
    address = _ADDRESS.search(page[:4096])
    url = clean(decode(address[1] or b"http://" + address[2])[0]) if address else None
    is_xml = re.search(r"\.xht(?:ml)?(?:\.\w{2,4})?\Z", name) is not None
    if url and url.startswith("about:"):
        url = None
    return Record(0, page=page, url=url, content_type="application/xhtml+xml" if is_xml else None)


READER = Reader(
    name="html",
    gives_pages=True,
    read=read,
    record="the file: a page",
    offset="0",
    extensions=_EXTENSIONS,
    signature=lambda head: http.is_html(None, head),
)
