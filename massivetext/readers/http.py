"""HTTP responses as archives hold them: status, headers, and the payload with its encodings undone as far as they go.

Archives hold what servers sent and what crawlers made of it: bodies that were unpacked while the header still says
gzip, chunk sizes that are wrong, responses cut short. What cannot be undone is left as it is; what was undone before a
fault is kept.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from massivetext.errors import LimitError
from massivetext.leading_comments import COMMENTS
from massivetext.readers.decoders import decode, inflater

__all__ = ["Response", "is_html", "main_type", "parse"]

_END = re.compile(rb"\r?\n[ \t]*\r?\n")
_STATUS = re.compile(rb"\s*HTTP/?\d*(?:\.\d+)?[ \t]+(\d{3})\b", re.IGNORECASE)
_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
_TYPE_END = re.compile(r"[;,\s]")
_BEFORE = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?" + COMMENTS.encode() + rb"(?:<\?xml[^>]*>\s*)?", re.S)
"""What may stand before the first tag: a byte order mark, an XML declaration, comments."""
_SNIFFED = re.compile(
    rb"<(?:!doctype\s+html|html|head|script|iframe|h[1-6]|div|font|table|a|style|title|b|body|br|p|meta|link|base|"
    rb"center|ul|ol|dl|img|form|span|section|article|main|header|nav|noscript|frameset|pre|blockquote|hr|i|em|strong)"
    rb"(?=[\s>/])",
    re.I,
)
"""First tags of a page: those of the WHATWG MIME Sniffing Standard, and others that no XML vocabulary begins with."""
_HTML = frozenset(("text/html", "application/xhtml+xml", "application/xhtml", "application/vnd.wap.xhtml+xml"))
_UNTYPED = frozenset(("", "unknown", "no-type", "unknown/unknown", "application/unknown", "content/unknown", "*/*"))
_ENCODINGS = 4
"""Content encodings one over another; pages have one, rarely two."""


class Response(NamedTuple):
    """status: None if there is no status line, and the payload is then all there is."""

    status: int | None
    content_type: str | None
    payload: bytes


def parse(message: bytes | memoryview, *, limit: int) -> Response:
    """A response with its payload decoded. Of a view no more is copied than that. Raises LimitError if the payload is
    longer than `limit` bytes."""
    status, headers, at = None, {}, 0
    while found := _STATUS.match(message, at):
        status = int(found[1])
        end = _END.search(message, at)
        head, at = (message[at : end.start()], end.end()) if end else (message[at:], len(message))
        headers = _headers(bytes(head))
        if not 100 <= status < 200:
            break
    if status is None:
        return Response(None, None, bytes(message))
    rest = bytes(message[at:])
    if "chunked" in headers.get("transfer-encoding", "").lower():
        rest = _without_chunks(rest)
    encodings = [name.strip() for name in headers.get("content-encoding", "").lower().split(",")]
    for encoding in reversed(encodings[:_ENCODINGS]):
        rest = _decoded(encoding, rest, limit)
    if rest.startswith(b"\x1f\x8b\x08") and is_html(headers.get("content-type"), b""):
        rest = _decoded("gzip", rest, limit)
    if len(rest) > limit:
        raise LimitError(f"a page of {len(rest)} bytes; at most {limit} are read")
    return Response(status, headers.get("content-type"), rest)


def main_type(content_type: str | None) -> str:
    """`text/html` of `Text/HTML; charset=utf-8`."""
    return _TYPE_END.split((content_type or "").strip().strip("\"'").lower(), 1)[0].strip("\"'")


def is_html(content_type: str | None, payload: bytes, identified: str | None = None) -> bool:
    """Whether this is a page: by its declared type, or by the one that a crawler identified, or by its first tags.

    Args:
        content_type: the Content-Type header, if there is one.
        payload: the body.
        identified: WARC-Identified-Payload-Type, which counts where no type is declared.
    """
    kind = main_type(content_type)
    if kind in _UNTYPED and identified:
        kind = main_type(identified)
    return kind in _HTML or (kind in _UNTYPED and _begins_as_page(payload))


def _begins_as_page(payload: bytes) -> bool:
    """Whether the first tag is one of HTML's, or a comment stands before text without a tag."""
    head = payload[:4096]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head[: len(head) & ~1].decode("utf-16", "replace").encode()
    rest = head[_BEFORE.match(head).end() :]  # type: ignore[union-attr]
    if rest.startswith(b"<"):
        return _SNIFFED.match(rest) is not None
    return b"<!--" in head[: len(head) - len(rest)] and rest != b""


def _headers(head: bytes) -> dict[str, str]:
    """Lower-case names; of repeated headers the first, but encodings are joined, as they apply one after another."""
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").split("\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            key, word = name.strip().lower(), value.strip()
            if key == "content-encoding" and key in headers:
                headers[key] += "," + word
            else:
                headers.setdefault(key, word)
    return headers


def _without_chunks(data: bytes) -> bytes:
    """A chunked body's content. Where a chunk's size is missing or wrong the rest is taken as it stands."""
    at, held = 0, []
    while at < len(data):
        size = _SIZE.match(data, at)
        if size is None:
            held.append(data[at:])
            break
        n = int(size[1], 16)
        if n == 0:
            break
        begin = size.end()
        held.append(data[begin : begin + n])
        at = begin + n
        if data.startswith(b"\r\n", at):
            at += 2
        elif data.startswith(b"\n", at):
            at += 1
    return b"".join(held)


def _decoded(encoding: str, data: bytes, limit: int) -> bytes:
    if encoding in ("gzip", "x-gzip", "deflate"):
        if data.startswith(b"\x1f\x8b\x08"):
            return _inflated(data, 31, limit)
        if encoding != "deflate" or _looks_plain(data):
            return data
        is_zlib = len(data) > 1 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
        return _inflated(data, 15 if is_zlib else -15, limit)
    if encoding == "zstd" and data.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard

        return _collected(zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj(), data, limit)
    if encoding == "br" and not _looks_plain(data):
        return _unbrotli(data, limit)
    return data


def _looks_plain(data: bytes) -> bool:
    return data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _inflated(data: bytes, window: int, limit: int) -> bytes:
    held = b""
    rest = data
    while rest and (window == 31 or not held):  # gzip bodies may have several members
        decoder = inflater(window)
        piece = _collected(decoder, rest, limit - len(held), whole=False)
        held += piece
        if not decoder.eof or not decoder.unused_data.startswith(b"\x1f\x8b"):
            break
        rest = decoder.unused_data
    return held or data


def _collected(decoder: Any, data: bytes, limit: int, *, whole: bool = True) -> bytes:
    """What a decoder makes of data up to a fault; the data itself if that is nothing. Raises LimitError."""
    held, size = [], 0
    try:
        for start in range(0, len(data), 1 << 16):
            for piece in decode(decoder, data[start : start + (1 << 16)]):
                size += len(piece)
                if size > limit:
                    raise LimitError(f"a page of more than {limit} bytes after decompression")
                held.append(piece)
            if decoder.eof:
                break
    except LimitError:
        raise
    except Exception:  # zlib.error, ZstdError: what came before stands
        pass
    return b"".join(held) or (data if whole else b"")


def _unbrotli(data: bytes, limit: int) -> bytes:
    import brotli

    decoder = brotli.Decompressor()
    held, size = [], 0
    try:
        piece = decoder.process(data, output_buffer_limit=1 << 20)
        while True:
            size += len(piece)
            if size > limit:
                raise LimitError(f"a page of more than {limit} bytes after decompression")
            held.append(piece)
            if decoder.is_finished() or decoder.can_accept_more_data():
                break
            piece = decoder.process(b"", output_buffer_limit=1 << 20)
    except brotli.error:
        pass
    return b"".join(held) or data
