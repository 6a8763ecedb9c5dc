"""MediaWiki XML dumps: one record a page, streamed. Redirects and pages of other namespaces are skipped, with a reason.

The stream is cut at `<page>` and `</page>`, which cannot stand inside a page's text, and each page is parsed alone: one
that is not well-formed is one failed record, and there is no document type that could declare entities.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, MutableMapping
from html import unescape
from typing import IO
from urllib.parse import quote
from xml.parsers import expat

from massivetext import isolation
from massivetext.documents import Record
from massivetext.errors import SourceError
from massivetext.readers import compression
from massivetext.readers.compression import DamagedError
from massivetext.readers.fields import MAX_PAGE
from massivetext.readers.lines import bom
from massivetext.text import clean

__all__ = ["read"]

_HEADER = 1 << 20
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)["']""")
_BASE = re.compile(r"<base>\s*([^<\s]+)\s*</base>")
_NAMESPACE = re.compile(r'<namespace key="(-?\d+)"[^>]*>([^<]+)</namespace>')
_REDIRECT = re.compile(r"\s{0,99}#[^\W\d_]{1,40}\s{0,99}:?\s{0,99}\[\[", re.UNICODE)
_KEPT = ("title", "ns", "id", "redirect", "timestamp", "text", "model")


def read(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """One record a page; offset: its ordinal in the dump; metadata title and page_id; url from the dump's site.

    Of a page with several revisions the last one counts. Reasons: `skipped.redirect`, `skipped.namespace`,
    `skipped.not_wikitext`, `failed.xml`, `failed.no_text`, `failed.too_large`, `failed.truncated`, and `failed.X in
    wikitext` for a page whose markup cannot be turned into text. Raises SourceError if there is no page at all.
    """
    site = _Site("")
    ordinal = 0
    pages = _pages(_utf8(compression.blocks(stream, source=source, counts=counts)))
    try:
        for kind, data in pages:
            if kind == "header":
                site = _Site(clean(data.decode("utf-8", "replace")))
                continue
            if kind == "too_large":
                yield Record(ordinal, outcome="failed", reason="failed.too_large")
            elif kind == "cut":
                raise DamagedError("truncated", f"{source}: truncated: ends inside page {ordinal}")
            else:
                yield _record(ordinal, data, site)
            ordinal += 1
    except DamagedError as damage:
        yield Record(ordinal, outcome="failed", reason=f"failed.{damage.reason}")
        raise
    if ordinal == 0:
        raise SourceError(f"{source}: no <page> in it; expected a MediaWiki XML dump")


class _Site:
    """What the dump says of its wiki: where pages lie, and the names of its namespaces."""

    def __init__(self, header: str) -> None:
        base = _BASE.search(header)
        self.prefix = base[1].rpartition("/")[0] + "/" if base and base[1].startswith(("http://", "https://")) else None
        self.namespaces = {unescape(name).strip(): key for key, name in _NAMESPACE.findall(header) if key != "0"}
        self.names_by_key: dict[str, list[str]] = {}
        for name, key in self.namespaces.items():
            self.names_by_key.setdefault(key, []).append(name)

    def url(self, title: str) -> str | None:
        return self.prefix and self.prefix + quote(title.replace(" ", "_"), safe="/:@!$&'()*,;=~")

    def namespace(self, title: str) -> str:
        """For dumps older than the <ns> element."""
        return self.namespaces.get(title.partition(":")[0], "0") if ":" in title else "0"


def _utf8(content: Iterator[compression.Block]) -> Iterator[bytes]:
    """The stream in UTF-8, by its byte order mark, its first characters or its XML declaration."""
    decoder = None
    for number, data in enumerate(compression.pieces(content)):
        if number == 0:
            mark, encoding = bom(data)
            data = data[len(mark) :]
            declared = _DECLARED.match(data)
            if not mark and data[:4:2] == b"<" + data[2:3] and data[1:2] == b"\0":
                encoding = "utf-16-le"
            elif not mark and data[:2] == b"\0<":
                encoding = "utf-16-be"
            elif not mark and declared:
                try:
                    encoding = codecs.lookup(declared[1].decode()).name
                except LookupError:
                    encoding = "utf-8"
            decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("replace")
        yield decoder.decode(data).encode("utf-8", "replace") if decoder else data


def _pages(content: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    """("header", bytes before the first page), then ("page", ...), ("too_large", b"") and ("cut", b"") in order."""
    held = bytearray()
    inside, searched, is_first, is_dropped = False, 0, True, False
    for data in content:
        held += data
        while True:
            mark = b"</page>" if inside else b"<page>"
            found = held.find(mark, searched)
            if found < 0:
                searched = max(0, len(held) - len(mark))
                if inside and len(held) > MAX_PAGE:
                    is_dropped = True
                if is_dropped or (not inside and len(held) > _HEADER):
                    if not inside and is_first:
                        yield "header", bytes(held[:_HEADER])
                        is_first = False
                    del held[:searched]
                    searched = 0
                break
            if inside:
                end = found + len(mark)
                yield ("too_large", b"") if is_dropped or end > MAX_PAGE else ("page", bytes(held[:end]))
                del held[:end]
                is_dropped = False
            else:
                if is_first:
                    yield "header", bytes(held[:found])
                    is_first = False
                del held[:found]
            inside, searched = not inside, 0
    if inside:
        yield "cut", b""


def _record(ordinal: int, data: bytes, site: _Site) -> Record:
    n_replaced = 0
    try:
        page = _parse(data)
    except UnicodeDecodeError:
        return Record(ordinal, outcome="failed", reason="failed.xml")
    except expat.ExpatError:
        repaired = data.decode("utf-8", "replace")
        n_replaced = repaired.count("\ufffd") - data.count("\ufffd".encode())
        try:
            page = _parse(_FORBIDDEN.sub("", repaired).encode())
        except expat.ExpatError:
            return Record(ordinal, outcome="failed", reason="failed.xml")
    title = clean(page.get("title", "").strip())
    markup = page.get("text")
    metadata = {"title": title, "page_id": clean(page.get("id", "").strip())}
    url, timestamp = site.url(title), clean(page.get("timestamp", "")) or None

    def without_text(reason: str) -> Record:
        outcome = reason.partition(".")[0]
        return Record(ordinal, None, None, url, timestamp, None, outcome, reason, n_replaced, metadata)

    if page.get("ns", site.namespace(title)).strip() != "0":
        return without_text("skipped.namespace")
    if "redirect" in page or (markup is not None and _REDIRECT.match(markup)):
        return without_text("skipped.redirect")
    if page.get("model", "wikitext") != "wikitext":
        return without_text("skipped.not_wikitext")
    if markup is None:
        return without_text("failed.no_text")

    reason = isolation.failure(ordinal)
    if reason is not None:
        return without_text(reason)
    from massivetext.extraction import wikitext

    isolation.begin("wikitext", ordinal, len(markup))
    try:
        namespaces = wikitext.Namespaces.of(site.names_by_key) if site.names_by_key else None
        text = clean(wikitext.to_text(markup, namespaces=namespaces))
    except RecursionError:
        return without_text("failed.depth in wikitext")
    except Exception as error:  # a fault of this program with one page, which costs no other page
        return without_text(f"failed.{type(error).__name__} in wikitext")
    return Record(ordinal, text, None, url, timestamp, n_replaced=n_replaced, metadata=metadata)


_FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML has no place for."""


def _parse(data: bytes) -> dict[str, str]:
    """The first title, ns, id and redirect of a page, and the last timestamp, text and model."""
    page: dict[str, str] = {}
    path: list[str] = []
    parts: list[str] | None = None

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal parts
        path.append(name)
        parent = path[-2] if len(path) > 1 else ""
        is_wanted = name in _KEPT and (
            (parent == "page" and name in ("title", "ns", "id", "redirect"))
            or (parent == "revision" and name in ("timestamp", "text", "model"))
        )
        parts = [] if is_wanted else None
        if name == "revision":
            page.pop("text", None)

    def text(value: str) -> None:
        if parts is not None:
            parts.append(value)

    def end(name: str) -> None:
        nonlocal parts
        path.pop()
        if parts is not None:
            page[name] = "".join(parts)
        parts = None

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler, parser.CharacterDataHandler, parser.EndElementHandler = start, text, end
    parser.Parse(data, True)
    return page
