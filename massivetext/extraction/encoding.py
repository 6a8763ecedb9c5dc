"""Which character encoding a page is in: byte order mark, HTTP header, meta tag, the bytes themselves, in the order of
browsers (WHATWG HTML, "determining the character encoding"; labels by the WHATWG Encoding Standard).

Browsers believe a declaration whatever the bytes are. Here a page that is declared as UTF-8 and is not, but for a few
slips, is detected instead: a browser shows such a page damaged.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

__all__ = ["as_utf8", "declared_encoding", "decode_page", "is_binary", "page_encoding"]

META_BYTES = 4096
"""A meta tag counts within this many bytes. (Browsers look at 1,024; real pages put scripts before it.)"""

DETECTION_BYTES = 1 << 17
"""Detection reads this much, half from either end."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
# What the Encoding Standard means by these labels are supersets that Python keeps under other names.
_SUPERSETS = {"gbk": "gb18030", "gb2312": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs"}
_META = re.compile(rb"<meta[\s/][^>]{0,1000}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.\-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"\s{0,100}<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.\-]{2,40})[\"']")
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]{2,40})", re.IGNORECASE)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r\x1b"))
_ASCII = bytes(range(128))


def declared_encoding(page: bytes, content_type: str | None = None) -> str | None:
    """Python's name of the encoding that the byte order mark, the Content-Type header or the page's meta tag declares,
    whichever comes first and is known; None if nothing does. UTF-7 is not known to the Encoding Standard."""
    if name := _marked(page):
        return name
    if content_type and (found := _CHARSET.search(content_type)) and (name := _python_name(found[1])):
        return name
    head = page[:META_BYTES]
    if b"<!--" in head:
        head = _COMMENT.sub(b"", head)
    for label in (_META.search(head), _XML.match(head)):
        known = _python_name(str(label[1], "ascii")) if label else None
        if known:
            # A tag that could be read as ASCII cannot be in UTF-16, whatever it says.
            return "utf-8" if known.startswith("utf-16") else known
    return None


def page_encoding(page: bytes, content_type: str | None = None) -> str:
    """Python's name of the encoding to decode `page` with: the declared one, if any, except that UTF-8, declared or
    assumed, must fit the bytes; else the detected one."""
    declared = declared_encoding(page, content_type)
    if declared not in (None, "utf-8"):
        return str(declared)
    if wide := _unmarked_utf16(page):
        return wide
    if _marked(page) or _is_nearly_utf8(page):
        return "utf-8"
    return _python_name(detect_encoding(page, max_len=DETECTION_BYTES) or "utf-8") or "utf-8"


def decode_page(page: bytes, content_type: str | None = None) -> str:
    """The page as text; bytes that cannot be decoded become U+FFFD, and a byte order mark is dropped."""
    return page.decode(page_encoding(page, content_type), "replace").removeprefix("\ufeff")


def is_binary(page: bytes) -> bool:
    """Whether `page` cannot be text: more than one in 50 of its first 4,096 bytes is a control byte that no text has,
    and it is not UTF-16."""
    head = page[:META_BYTES]
    if len(head) - len(head.translate(None, _CONTROLS)) <= len(head) // 50:
        return False
    return not (_marked(page) or "").startswith("utf-16") and _unmarked_utf16(page) is None


def _python_name(label: str) -> str | None:
    """Python's codec for a label of the Encoding Standard, or None for one that it does not know."""
    name = map_encoding_to_html5(label, fallback_utf8=False)
    if name is None:
        return None
    try:
        return codecs.lookup(_SUPERSETS.get(name, name)).name
    except LookupError:
        return None


def _marked(page: bytes) -> str | None:
    return next((name for mark, name in _MARKS if page.startswith(mark)), None)


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


def as_utf8(page: bytes, content_type: str | None = None) -> Iterator[bytes]:
    """Give the page in UTF-8: first as it came, if nothing speaks against that being UTF-8, then decoded.

    Most pages are UTF-8, whether they say so or not, and only text that is kept must be: the caller takes the second
    version if what it keeps of the first cannot be decoded.
    """
    if declared_encoding(page, content_type) in (None, "utf-8") and b"\0" not in page[:META_BYTES]:
        yield page
    yield decode_page(page, content_type).encode("utf-8", "replace")
