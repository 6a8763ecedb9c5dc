"""Text with one document a line, and what every format of lines shares: finding lines, and splitting files at them.

A line belongs to the range in which its first byte stands, so the ranges of a file give each line once.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, MutableMapping
from typing import IO, NamedTuple

from massivetext.documents import Record
from massivetext.readers import compression
from massivetext.readers.compression import DamagedError
from massivetext.readers.fields import MAX_TEXT
from massivetext.text import decode

__all__ = ["Line", "bom", "is_divisible", "lines", "read"]

_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_READ = 1 << 20


class Line(NamedTuple):
    """A line without its end. offset: bytes of the decompressed stream before it; data None: longer than the limit;
    is_cut: the file ends in it before it should."""

    offset: int
    data: bytes | None
    is_cut: bool = False


def bom(head: bytes) -> tuple[bytes, str]:
    """The byte order mark that bytes start with and the encoding it stands for; (b"", "utf-8") if there is none."""
    for mark, encoding in _BOMS.items():
        if head.startswith(mark):
            return mark, encoding
    return b"", "utf-8"


def is_divisible(stream: IO[bytes]) -> bool:
    """Whether the lines of a file can be found from its middle: neither compressed nor UTF-16 or UTF-32."""
    stream.seek(0)
    head = stream.read(16)
    return compression.detect(head) is None and bom(head)[1] == "utf-8"


def read(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """One record a line; lines of whitespace alone are counted as `blank`."""
    for line in lines(stream, start=start, stop=stop, source=source, counts=counts):
        if line.is_cut or line.data is None:
            yield failed(line)
        elif line.data.isspace() or not line.data:
            counts["blank"] = counts.get("blank", 0) + 1
        else:
            text, n_replaced = decode(line.data)
            yield Record(line.offset, text.rstrip("\n"), n_replaced=n_replaced)


def failed(line: Line) -> Record:
    """The record of a line that is cut or too long."""
    return Record(line.offset, outcome="failed", reason="failed.truncated" if line.is_cut else "failed.too_large")


def lines(
    stream: IO[bytes], *, start: int, stop: int, source: str, counts: MutableMapping[str, int], limit: int = MAX_TEXT
) -> Iterator[Line]:
    r"""The lines that start in [start, stop), without the `\n` that ends them; UTF-16 and UTF-32 (by BOM) as UTF-8.

    A damaged file gives all lines before the damage, a Line with `is_cut` for the one in it, and raises DamagedError.
    """
    if not is_divisible(stream):
        yield from _split(_whole(stream, source, counts), 0, None, limit)
    elif start == 0:
        yield from _split(_range(stream, 0, source), 0, stop, limit)
    else:
        # From one byte earlier: the range's first line may start right after the line end that stands there.
        found = _split(_range(stream, start - 1, source), start - 1, stop, limit)
        next(found, None)
        yield from found


def _range(stream: IO[bytes], start: int, source: str) -> Iterator[bytes]:
    stream.seek(start)
    while True:
        try:
            data = stream.read(_READ)
        except OSError as error:
            raise DamagedError("unreadable", f"{source}: {error.strerror or error}") from error
        if not data:
            return
        yield data


def _whole(stream: IO[bytes], source: str, counts: MutableMapping[str, int]) -> Iterator[bytes]:
    decoder = None
    content = compression.blocks(stream, source=source, counts=counts)
    for number, data in enumerate(compression.pieces(content)):
        if number == 0:
            mark, encoding = bom(data)
            decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("replace")
            data = data[len(mark) :] if decoder else data
        yield decoder.decode(data).encode("utf-8", "replace") if decoder else data
    if decoder:
        yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _split(pieces: Iterator[bytes], begin: int, stop: int | None, limit: int) -> Iterator[Line]:
    """Lines of a stream whose first piece stands at offset `begin`. Holds one line, up to the limit."""
    held: list[bytes] = []
    size = 0
    try:
        for data in pieces:
            at = 0
            while (end := data.find(b"\n", at)) >= 0:
                size += end - at
                if size > limit:
                    yield Line(begin, None)
                else:
                    yield Line(begin, b"".join([*held, data[at:end]]) if held else data[at:end])
                begin, at, size = begin + size + 1, end + 1, 0
                held.clear()
                if stop is not None and begin >= stop:
                    return
            size += len(data) - at
            if size <= limit:
                held.append(data[at:])
            else:
                held.clear()
    except DamagedError:
        yield Line(begin, None, is_cut=True)
        raise
    if size:
        yield Line(begin, b"".join(held) if size <= limit else None)
