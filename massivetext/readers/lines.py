"""Text with one document a line, and what every format of lines shares: finding lines, and splitting files at them.

A line belongs to the range in which its first byte stands, so the ranges of a file give each line once.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import IO, NamedTuple

from massivetext.documents import Record
from massivetext.readers import compression, containers, encodings
from massivetext.readers.compression import DamagedError
from massivetext.readers.encodings import bom
from massivetext.readers.fields import MAX_TEXT, encoding_option
from massivetext.readers.kinds import HEAD, kind_of, skipped
from massivetext.readers.reader import MemberRange, Members, Reader
from massivetext.readers.splitting import by_lines
from massivetext.text import clean, decode

__all__ = [
    "READER",
    "Line",
    "bom",
    "content",
    "failed",
    "fits_members",
    "head",
    "is_divisible",
    "lines",
    "member_lines",
    "of_lines",
    "of_members",
    "read",
    "read_members",
]

_READ = 1 << 20
_EXTENSIONS = (".txt", ".text", ".lines")


class Line(NamedTuple):
    """A line without its end. offset: bytes of the decompressed stream before it; data None: longer than the limit;
    damage: the file ends in this line before it should, for this reason, and data is what there is of the line."""

    offset: int
    data: bytes | None
    damage: str | None = None

    @property
    def is_cut(self) -> bool:
        """Whether the file ends in this line before it should."""
        return self.damage is not None


def is_divisible(stream: IO[bytes]) -> bool:
    """Whether the lines of a file can be found from its middle: neither compressed nor in a container, nor UTF-16 or
    UTF-32."""
    stream.seek(0)
    first = stream.read(HEAD)
    return compression.detect(first) is None and not _is_wide(first) and not containers.is_container(stream)


def _is_wide(first: bytes) -> bool:
    """Whether a file that begins with these bytes is UTF-16 or UTF-32 by its mark or its zeros."""
    return encodings.is_converted(encodings.of_file(first))


def head(stream: IO[bytes], source: str, n: int = HEAD) -> bytes:
    """The first bytes of a file, decompressed: n of them, if there are so many that can be read."""
    first = b""
    try:
        for block in compression.blocks(stream, source=source):
            first += block.data or b""
            if len(first) >= n:
                break
    except DamagedError:
        pass  # reading the lines says so
    return first[:n]


def read(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """One record a line; lines of whitespace alone are counted as `blank`. A line that is not UTF-8 is in the encoding
    that its file's beginning is in, or in the one that its own bytes speak for."""
    named = encoding_option(options)

    def records(member: containers.Member) -> Iterator[Record]:
        first = head(member.stream, source, 1 << 16)
        if kind := kind_of(first[:HEAD], named):
            if member.name or start == 0:
                yield skipped(kind, member.base)
            return
        encoding = encodings.of_file(first, named)
        begin, end = member.range(start, stop)
        items = lines(member.stream, start=begin, stop=end, source=source, counts=counts, encoding=encoding)
        yield from _records(items, first, encoding, member.base, counts)

    yield from of_members(records, stream, source=source, extensions=_EXTENSIONS, counts=counts)


def read_members(
    stream: IO[bytes],
    *,
    members: MemberRange,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """The records of `read` whose lines start in a range of a compressed file's members."""
    first = head(stream, source, 1 << 16)
    encoding = encodings.of_file(first, encoding_option(options))
    items = member_lines(stream, members, source=source, counts=counts, encoding=encoding)
    yield from _records(items, first, encoding, 0, counts)


def _records(
    items: Iterator[Line], first: bytes, encoding: str | None, base: int, counts: MutableMapping[str, int]
) -> Iterator[Record]:
    """The records of lines of a file that begins with `first`, in the encoding of `encodings.of_file`."""
    encoding = of_lines(encoding)
    fallback = None if encoding else _encoding_of_head(first)
    for line in items:
        if line.damage or line.data is None:
            yield failed(line, base)
        elif line.data.isspace() or not line.data:
            counts["blank"] = counts.get("blank", 0) + 1
        else:
            text, n_replaced = _decoded(line.data, encoding, fallback)
            yield Record(base + line.offset, text.rstrip("\n"), n_replaced=n_replaced)


def of_members(
    records: Callable[[containers.Member], Iterator[Record]],
    stream: IO[bytes],
    *,
    source: str,
    extensions: tuple[str, ...],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """The records of a file, or of each member of a zip or tar file in its turn, the members after a damaged one too.
    Offsets ascend.

    Args:
        records: reads one member. What it raises DamagedError for has a row, by itself or here.
        stream: the file as stored.
        source: its name, for messages.
        extensions: as `containers.members` takes them.
        counts: as `containers.members` takes them.

    Raises:
        DamagedError: of the first member that is damaged, after the last one.
    """
    damage: DamagedError | None = None
    last = -1  # of a compressed member, offsets may go beyond the base of the next one
    for member in containers.members(stream, source=source, extensions=extensions, counts=counts):
        if member.reason:
            last = max(last + 1, member.base)
            yield _lost(member, last, member.reason)
            continue
        if member.stream is stream:
            yield from records(member)
            continue
        reasons = set()
        try:
            for record in records(member):
                if record.offset <= last:
                    record = replace(record, offset=last + 1)
                last = record.offset
                yield record
                if record.outcome == "failed":
                    reasons.add(record.reason)
                elif "damage" in record.metadata:
                    reasons.add(f"failed.{record.metadata['damage']}")
        except DamagedError as fault:
            damage = damage or fault
            if f"failed.{fault.reason}" not in reasons:
                last = max(last + 1, member.base)
                yield _lost(member, last, f"failed.{fault.reason}")
    if damage is not None:
        raise damage


def _lost(member: containers.Member, offset: int, reason: str) -> Record:
    """The record of a member, or of its rest, that cannot be read."""
    name = member.name.encode("utf-8", "replace").decode()
    return Record(offset, outcome="failed", reason=reason, metadata={"member": clean(name)} if name else {})


def _encoding_of_head(first: bytes) -> str | None:
    """The encoding of a file whose beginning is not UTF-8; None if the beginning is."""
    first = first[: first.rfind(b"\n") + 1] or first
    try:
        first.decode()
    except UnicodeDecodeError:
        return encodings.of_other(first)
    return None


def _decoded(data: bytes, encoding: str | None, fallback: str | None) -> tuple[str, int]:
    if encoding or data.startswith(codecs.BOM_UTF8):
        return decode(data, "utf-8" if data.startswith(codecs.BOM_UTF8) else encoding or "utf-8")
    try:
        data.decode()
    except UnicodeDecodeError:
        return decode(data, fallback) if fallback else encodings.decode_any(data)
    return decode(data)


def failed(line: Line, base: int = 0) -> Record:
    """The record of a line that is cut or too long."""
    reason = f"failed.{line.damage}" if line.damage else "failed.too_large"
    return Record(base + line.offset, outcome="failed", reason=reason)


def of_lines(encoding: str | None) -> str | None:
    """The encoding of the lines that `lines` and `content` give of a file in this encoding."""
    return "utf-8" if encodings.is_converted(encoding) else encoding


def lines(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    counts: MutableMapping[str, int],
    encoding: str | None = None,
    limit: int = MAX_TEXT,
) -> Iterator[Line]:
    r"""The lines that start in [start, stop), without the `\n` that ends them.

    A damaged file gives all lines before the damage, a Line with `damage` for the one in it, and raises DamagedError.

    encoding: that of the file, by `encodings.of_file`. Lines of UTF-16, UTF-32 and EBCDIC are given as UTF-8, and all
        of them in the range that starts at 0: files are split by what their bytes show, without the recipe's option.
    """
    if encodings.is_converted(encoding):
        if start == 0:
            yield from _split(content(stream, source, counts, encoding), 0, None, limit)
    elif not is_divisible(stream):
        yield from _split(content(stream, source, counts), 0, None, limit)
    elif start == 0:
        yield from _split(_range(stream, 0, source), 0, stop, limit)
    else:
        # From one byte earlier: the range's first line may start right after the line end that stands there.
        later = _split(_range(stream, start - 1, source), start - 1, stop, limit)
        next(later, None)
        yield from later


def member_lines(
    stream: IO[bytes],
    members: MemberRange,
    *,
    source: str,
    counts: MutableMapping[str, int],
    encoding: str | None = None,
    limit: int = MAX_TEXT,
) -> Iterator[Line]:
    """The lines that start in a range of a compressed file's members, as `lines` of the whole file gives them; with
    `encoding` as there."""
    if encodings.is_converted(encoding):
        yield from lines(
            stream, start=members.start, stop=1 << 62, source=source, counts=counts, encoding=encoding, limit=limit
        )
        return
    blocks = compression.resumed(stream, source=source, counts=counts, start=members.start, content=members.content)
    lines_from_cut = _split(compression.pieces(blocks), members.content, members.content_stop, limit)
    if not members.is_line_start:
        # The end of a line that belongs to the range before. If it ends behind this range too, no line starts here.
        next(lines_from_cut, None)
    yield from lines_from_cut


def fits_members(first: bytes) -> bool:
    """Whether the lines of a compressed file whose content begins so can be found from the start of any member."""
    return kind_of(first) is None and not _is_wide(first) and not containers.is_tar(first[:512])


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


def content(
    stream: IO[bytes], source: str, counts: MutableMapping[str, int], encoding: str | None = None
) -> Iterator[bytes]:
    """The decompressed content of a whole file in pieces; UTF-16, UTF-32 and EBCDIC as UTF-8. encoding: that of the
    file, by `encodings.of_file`."""
    pieces = compression.pieces(compression.blocks(stream, source=source, counts=counts))
    if encoding is None or not encodings.is_converted(encoding):
        return pieces
    return encodings.converted(pieces, encoding)


def _split(pieces: Iterator[bytes], begin: int, stop: int | None, limit: int) -> Iterator[Line]:
    """Lines of a stream whose first piece stands at offset `begin`. Holds one line, up to the limit."""
    parts: list[bytes] = []
    size = 0
    try:
        for data in pieces:
            at = 0
            while (end := data.find(b"\n", at)) >= 0:
                size += end - at
                if size > limit:
                    yield Line(begin, None)
                else:
                    yield Line(begin, b"".join([*parts, data[at:end]]) if parts else data[at:end])
                begin, at, size = begin + size + 1, end + 1, 0
                parts.clear()
                if stop is not None and begin >= stop:
                    return
            size += len(data) - at
            if size <= limit:
                parts.append(data[at:])
            else:
                parts.clear()
    except DamagedError as damage:
        yield Line(begin, b"".join(parts) if size <= limit else None, damage.reason)
        raise
    if size:
        yield Line(begin, b"".join(parts) if size <= limit else None)


READER = Reader(
    name="lines",
    read=read,
    record="a line",
    offset="byte of the decompressed stream",
    splits="bytes",
    extensions=_EXTENSIONS,
    split=by_lines,
    members=Members(read_members, fits_members),
    options={"encoding": "the encoding of all files, such as cp1252"},
)
