"""Which character encoding a page is in: byte order mark, HTTP header, meta tag, the bytes themselves, in the order of
browsers (WHATWG HTML, "determining the character encoding"; labels and tables by the WHATWG Encoding Standard).

Browsers believe a declaration whatever the bytes are. Here the bytes must fit it, for a browser shows such pages
damaged: bytes that are UTF-8 throughout are read as UTF-8, and a page that is declared as UTF-8 and is not, but for a
few slips, is read by its other declaration or detected.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from massivetext.extraction.charsets import MULTI_BYTE, decode, python_name
from massivetext.extraction.detection import DETECTION_BYTES, detect

__all__ = ["as_utf8", "declared_encoding", "decode_page", "is_binary", "page_encoding"]

META_BYTES = 4096
"""A meta tag counts within this many bytes. (Browsers look at 1,024; real pages put scripts before it.)"""

MAX_MISFIT = 0.1
"""A declared encoding of several bytes a character fits if at most this share of its characters cannot be read."""

CERTAIN_UTF8 = 6
"""Bytes that are valid UTF-8 with this many characters of several bytes are no text in another such encoding."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_META = re.compile(rb"<meta(?=[\s/])([^>\"']*(?:(?:\"[^\"]*\"|'[^']*')[^>\"']*)*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"([^\s=/>\"']+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+)))?")
_XML = re.compile(rb"\s{0,100}<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.\-]{2,40})[\"']")
_COMMENT = re.compile(rb"<!--[^-]*(?:-(?!->)[^-]*)*(?:-->)?")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]{2,40})", re.IGNORECASE)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r\x1b"))
_ASCII = bytes(range(128))
_INNER = bytes(range(0x80, 0xC0))


def declared_encoding(page: bytes, content_type: str | None = None) -> str | None:
    """Return Python's name of the encoding that the byte order mark, the Content-Type header or the page's meta tag
    declares, whichever comes first and is known; None if nothing does. UTF-7 is not known to the Encoding Standard."""
    return next(_declarations(page, content_type), None)


def page_encoding(page: bytes, content_type: str | None = None) -> str:
    """Return the name, Python's where it has one, of the encoding to decode `page` with: the first declared one that
    fits the bytes, else the detected one."""
    if mark := _marked(page):
        return mark
    declared = list(_declarations(page, content_type))
    if wide := _unmarked_utf16(page):
        return wide
    first = declared[0] if declared else None
    if first in ("utf-16-le", "utf-16-be") and b"\0" in page[:META_BYTES]:
        return str(first)  # its tags have zeros
    if page.isascii():
        return first if first not in (None, "utf-8") and not first.startswith("utf-16") else detect(page)
    characters = _utf8_characters(page)
    if characters and (first not in MULTI_BYTE or characters >= CERTAIN_UTF8 or not _fits(page, str(first))):
        return "utf-8"
    for name in declared:
        if name == "utf-8":
            if _is_nearly_utf8(page):
                return name
        elif _fits(page, name):
            return name
    if first in (None, "utf-8") and _is_nearly_utf8(page):
        return "utf-8"
    return detect(page)


def decode_page(page: bytes, content_type: str | None = None) -> str:
    """Return the page as text; bytes that cannot be decoded become U+FFFD, and a byte order mark is dropped."""
    return decode(page, page_encoding(page, content_type)).removeprefix("\ufeff")


def as_utf8(page: bytes, content_type: str | None = None) -> Iterator[bytes]:
    """Give the page in UTF-8: first as it came, if nothing speaks against that being UTF-8, then decoded.

    Most pages are UTF-8, whether they say so or not, and only text that is kept must be: the caller takes the second
    version if what it keeps of the first cannot be decoded.
    """
    is_lazy = declared_encoding(page, content_type) in (None, "utf-8")
    if is_lazy and b"\0" not in page[:META_BYTES] and b"\x1b" not in page:
        yield page
    yield decode_page(page, content_type).encode("utf-8", "replace")


def is_binary(page: bytes, content_type: str | None = None) -> bool:
    """Whether `page` cannot be text: more than one in 50 of its first 4,096 bytes is a control byte that no text has,
    and it is not UTF-16, by a mark, its zeros or the Content-Type header."""
    head = page[:META_BYTES]
    if len(head) - len(head.translate(None, _CONTROLS)) <= len(head) // 50:
        return False
    if (_marked(page) or _header(content_type) or "").startswith("utf-16"):
        return _is_no_utf16(page, content_type)
    return _unmarked_utf16(page) is None


def _is_no_utf16(page: bytes, content_type: str | None) -> bool:
    """Whether bytes that are declared as UTF-16 are none: as text, they too would have controls."""
    name = _marked(page) or _header(content_type) or "utf-16-le"
    text = page[:META_BYTES].decode(name, "replace")
    bad = sum((character < " " and character not in "\t\n\f\r") or character == "\ufffd" for character in text)
    return bad > max(1, len(text) // 50)


def _declarations(page: bytes, content_type: str | None) -> Iterator[str]:
    """The declared encodings that are known, the strongest first."""
    if name := _marked(page):
        yield name
    if name := _header(content_type):
        yield name
    head = page[:META_BYTES]
    if b"<!--" in head:
        head = _COMMENT.sub(b"", head)
    label = _meta_label(head)
    if label is None and (xml := _XML.match(head)):
        label = str(xml[1], "ascii")
    known = python_name(label) if label else None
    if known:
        # A tag that could be read as ASCII cannot be in UTF-16, whatever it says.
        yield "utf-8" if known.startswith("utf-16") else known


def _header(content_type: str | None) -> str | None:
    match = _CHARSET.search(content_type) if content_type else None
    return python_name(match[1]) if match else None


def _meta_tags(head: bytes) -> Iterator[re.Match[bytes]]:
    """The matches of _META; the pattern by itself would be tried at each byte, to find its beginning in either case."""
    lower = head.lower()
    at = lower.find(b"<meta")
    while at >= 0:
        tag = _META.match(head, at)
        if tag:
            yield tag
        at = lower.find(b"<meta", tag.end() if tag else at + 1)


def _meta_label(head: bytes) -> str | None:
    """The first known label of a `<meta charset>`, or of a `<meta http-equiv=content-type>`."""
    for tag in _meta_tags(head):
        if b"charset" not in tag[1].lower():
            continue  # neither form is without this word, and most tags are
        attributes: dict[bytes, bytes] = {}
        for name, double, single, bare in _ATTRIBUTE.findall(tag[1]):
            attributes.setdefault(name.lower(), double or single or bare)
        label = str(attributes.get(b"charset", b""), "ascii", "replace").strip()
        if not label and attributes.get(b"http-equiv", b"").strip().lower() == b"content-type":
            match = _CHARSET.search(str(attributes.get(b"content", b""), "ascii", "replace"))
            label = match[1] if match else ""
        if label and python_name(label):
            return label
    return None


def _marked(page: bytes) -> str | None:
    return next((name for mark, name in _MARKS if page.startswith(mark)), None)


def _utf8_characters(page: bytes) -> int:
    """How many characters of several bytes the page has, 0 if it is not UTF-8 throughout."""
    try:
        page.decode()
    except UnicodeDecodeError as error:
        # A download that was cut may end within a character.
        if error.start < len(page) - 3 or error.reason != "unexpected end of data":
            return 0
    return len(page.translate(None, _ASCII + _INNER))


def _fits(page: bytes, name: str) -> bool:
    """Whether the bytes can be in an encoding."""
    if name.startswith("utf-16"):
        return False  # without a mark or zeros
    if name not in MULTI_BYTE:
        return name not in ("iso2022_jp", "hz", "iso2022_kr")  # these have no high bytes
    sample = page[:DETECTION_BYTES]
    bad = decode(sample, name).count("\ufffd") - sample.count("\ufffd".encode())
    return 2 * bad <= MAX_MISFIT * len(sample.translate(None, _ASCII)) + 2


def _is_nearly_utf8(page: bytes) -> bool:
    """Whether at most a tenth of the characters that are not ASCII fail to be UTF-8: a cut character, a foreign name
    pasted in."""
    try:
        page.decode()
    except UnicodeDecodeError:
        text = page.translate(None, _ASCII).decode("utf-8", "replace")
        bad = text.count("\ufffd") - page.count("\ufffd".encode())
        return bad * 10 <= len(text) - bad
    return True


def _unmarked_utf16(page: bytes) -> str | None:
    """UTF-16 of mostly Latin markup has a zero in every second byte."""
    head = page[:META_BYTES]
    if b"\0" in head:
        for name, high, low in (("utf-16-le", head[1::2], head[0::2]), ("utf-16-be", head[0::2], head[1::2])):
            if high.count(0) > 0.4 * len(high) and low.count(0) <= 0.02 * len(low):
                return name
    return None
