"""What a record's bytes are, by how they begin: a web page, plain text, or no page at all."""

from __future__ import annotations

import json
import re

from massivetext.errors import RecordError
from massivetext.leading_comments import COMMENT, COMMENTS

__all__ = ["ContentError", "check_content", "is_plain_text", "without_format_characters"]

SNIFF_BYTES = 1024

MAX_JSON_BYTES = 1 << 20
"""A longer record that begins like JSON is taken for JSON without being read."""

_COMMENTS = COMMENTS.encode()
_BEGINNINGS = (
    *(b"%PDF-", b"%!PS", b"{\\rtf", b"GIF8", b"\x89PNG", b"\xff\xd8\xff", b"/* XPM", b"#define ", b"BEGIN:VC"),
    *(b"-----BEGIN ", b"#EXTM3U", b"WEBVTT", b"PK\x03\x04", b"\x1f\x8b"),
)
_PATTERNS = (
    re.compile(rb"\AP[1-6]\s+(?:#[^\n]*\n\s*)*\d+\s+\d+\s"),  # PBM, PGM, PPM
    re.compile(
        rb"\A(?:<\?xml[^>]*\?>\s*)?" + _COMMENTS + rb"(?:<!DOCTYPE svg[^>]*>\s*<svg|<svg\b[^>]*\sxmlns)",
        re.DOTALL,
    ),
    re.compile(
        rb"\A(?:<\?xml[^>]*\?>\s*)(?:<\?xml-[^>]*\?>\s*|" + COMMENT.encode() + rb")*"
        rb"<(?:[a-z]+:)?(?:rss|feed|RDF|urlset|sitemapindex|opml|kml|gpx|plist|Error|wsdl|schema|Envelope)[\s>]",
        re.DOTALL,
    ),
)
_JSON_START = re.compile(rb"\A(?:\{\s*(?:\"|\})|\[\s*(?:[\[{\"\-\d\]]|true|false|null))")
_JSON_WRAPPED = re.compile(rb"\A(?:\)\]\}',?\s*|while\s*\(1\);|for\s*\(;;\);)")
_HTML = re.compile(rb"\A" + _COMMENTS + rb"<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE | re.DOTALL)
_FORMAT = "\u00ad\u200b\u2060\ufeff"
_PLAIN = re.compile(r"\s*text/(?:plain|markdown|x-[a-z.+-]+)\b", re.IGNORECASE)


class ContentError(RecordError):
    """A record that is no web page, by its beginning. Its `reason` is `skipped.content`: it is skipped, not failed."""


def check_content(page: bytes, url: str | None = None) -> None:
    """Raise ContentError for bytes that begin as a PDF, JSON, an image or another format that is no page."""
    head = page[:SNIFF_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(_BEGINNINGS) or any(pattern.match(head) for pattern in _PATTERNS) or _is_json(page, head):
        raise ContentError("skipped.content", f"page {url or ''} is no web page: it begins with {head[:20]!r}")


def _is_json(page: bytes, head: bytes) -> bool:
    if _JSON_WRAPPED.match(head):
        return True
    if not _JSON_START.match(head):
        return False
    if len(page) > MAX_JSON_BYTES:
        return True
    try:
        json.loads(page.decode("utf-8-sig", "replace"), strict=False)
    except RecursionError:
        return True
    except ValueError:
        # A text in brackets is no JSON; JSON that was cut is.
        return head.startswith((b'{"', b'[{"', b'[["')) and b"<" not in head
    return True


def is_plain_text(page: bytes, content_type: str | None) -> bool:
    """Whether a record is text without markup: its type says so, and it does not begin as an HTML document."""
    if content_type is None or not _PLAIN.match(content_type):
        return False
    return not _HTML.match(page[:SNIFF_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip())


def without_format_characters(text: str) -> str:
    """Return the text without the format characters that show nothing (spec, section 3)."""
    if text.isascii():
        return text
    for character in _FORMAT:
        if character in text:
            text = text.replace(character, "")
    return text
