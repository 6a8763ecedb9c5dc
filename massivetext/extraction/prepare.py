"""A page as the parser reads it. Rare constructs, which the parser only notices, are rewritten as common ones first."""

from __future__ import annotations

import re

from massivetext.extraction.html import Tree, parse
from massivetext.extraction.mathematics import rewrite_formulas
from massivetext.extraction.state import HAS_MATH, HAS_PLAIN

__all__ = ["is_xhtml", "read"]

_PLAINTEXT = re.compile(rb"<plaintext\b[^>]*>", re.IGNORECASE)
_XMP = re.compile(rb"<xmp(?:\s[^>]*)?>(.*?)(?:</xmp[^>]*>|\Z)", re.IGNORECASE | re.DOTALL)
_XHTML = re.compile(r"\s*(?:application/xhtml\+xml|application/xml|text/xml)\b", re.IGNORECASE)


def is_xhtml(content_type: str | None) -> bool:
    """Whether a Content-Type is one whose pages are parsed as XML, where `<script/>` is an empty element."""
    return content_type is not None and _XHTML.match(content_type) is not None


def read(page: bytes, *, xhtml: bool = False) -> tuple[bytes, Tree]:
    """Return (the page's bytes that the tree's positions refer to, the tree).

    Formulas become `<tex>` elements, the text of `<xmp>` and after `<plaintext>` becomes `<pre>`; a page without them
    is returned as it is.
    """
    tree = parse(page, xhtml=xhtml)
    rewritten = page
    if tree.flags & HAS_PLAIN:
        rewritten = _rewrite_plain(rewritten)
    if tree.flags & HAS_MATH:
        rewritten = rewrite_formulas(rewritten)
    if rewritten == page:  # an image may look like a formula and have none
        return page, tree
    return rewritten, parse(rewritten, xhtml=xhtml)


def _escaped(text: bytes) -> bytes:
    return text.replace(b"&", b"&amp;").replace(b"<", b"&lt;")


def _rewrite_plain(page: bytes) -> bytes:
    tail = b""
    if match := _PLAINTEXT.search(page):
        tail = b"<pre>" + _escaped(page[match.end() :])
        page = page[: match.start()]
    return _XMP.sub(lambda found: b"<pre>" + _escaped(found[1]) + b"</pre>", page) + tail
