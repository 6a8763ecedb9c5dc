"""Web archives made by hand, for the tests."""

from __future__ import annotations

import gzip


def page(number: int) -> bytes:
    return f"<html><body><p>page number {number} {'x' * (number % 50)}</p></body></html>".encode()


def http(body: bytes, *, headers: bytes = b"", status: bytes = b"200 OK", kind: bytes = b"text/html") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\nContent-Type: " + kind + b"\r\n" + headers + b"\r\n" + body


def record(
    body: bytes,
    number: int = 0,
    *,
    version: bytes = b"WARC/1.0",
    kind: bytes = b"response",
    content_type: bytes = b"application/http; msgtype=response",
    uri: bytes | None = None,
    length: object = "right",
    end: bytes = b"\r\n\r\n",
    newline: bytes = b"\r\n",
) -> bytes:
    """A WARC record. length: "right", None for no Content-Length, or whatever stands there instead."""
    lines = [
        version,
        b"WARC-Type: " + kind,
        b"WARC-Date: 2020-01-01T00:00:00Z",
        b"WARC-Target-URI: " + (b"http://example.org/%d" % number if uri is None else uri),
        b"Content-Type: " + content_type,
    ]
    if length is not None:
        lines.append(b"Content-Length: " + str(len(body) if length == "right" else length).encode())
    return newline.join(lines) + newline + newline + body + end


def records(n: int = 10, **how: object) -> list[bytes]:
    return [record(http(page(i)), i, **how) for i in range(n)]  # type: ignore[arg-type]


def members(parts: list[bytes]) -> bytes:
    """A gzip member a record, as web archives are."""
    return b"".join(gzip.compress(part) for part in parts)


def arc(n: int = 10, *, uri: bytes = b"http://example.org/") -> list[bytes]:
    """ARC version 1."""
    header = b"1 0 InternetArchive\nURL IP-address Archive-date Content-type Archive-length\n"
    parts = [b"filedesc://x.arc 0.0.0.0 20080101000000 text/plain %d\n" % len(header) + header + b"\n"]
    for i in range(n):
        body = http(page(i))
        parts.append(uri + b"%d 1.2.3.4 20080102030405 text/html %d\n" % (i, len(body)) + body + b"\n")
    return parts


def chunked(body: bytes, size: int = 10) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
