"""The records of a web archive, one after the other: WARC or ARC, compressed or not, whole or damaged."""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator, Mapping, MutableMapping
from typing import IO, NamedTuple

from massivetext.readers import compression
from massivetext.readers.compression import DamagedError
from massivetext.readers.fields import MAX_PAGE
from massivetext.text import clean, decode

__all__ = ["MAX_BODY", "WARC_START", "Archive", "Entry", "begins_arc_record"]

_HEADER = 1 << 20
_LINE = 1 << 16
MAX_BODY = MAX_PAGE + _HEADER
_END = b"\r\n\r\n"
_BLANK = b"\r\n \t\0"
_BLANKS = re.compile(rb"[\r\n \t\0]*")
WARC_START = re.compile(rb"WARC/\d", re.IGNORECASE)
_NEXT = re.compile(rb"\n\r?\n(?=WARC/\d{1,3}\.\d{1,3}\r?\n)")
_ARC = re.compile(rb"[a-z][a-z0-9+.-]{0,20}:[^\n]{1,4000} \d{12,17} [^\n]{1,200} \d{1,18}[ \t]*\r?\n", re.IGNORECASE)
_NEXT_ARC = re.compile(rb"\n(?=" + _ARC.pattern + rb")", re.IGNORECASE)
_LOOK_BACK = 1 << 13
"""Bytes that are searched again with each block: longer than what either looks for."""
_RESUME = re.compile(rb"(?<=\n)(?=WARC/\d{1,3}\.\d{1,3}[ \t]{0,9}\r?\n)", re.IGNORECASE)
_LONGEST = 128
"""Bytes looked at to see whether a record begins here."""
_GZIP = b"\x1f\x8b\x08"


class Entry(NamedTuple):
    """One record of an archive.

    body is None if it is longer than any page may be, and may be a view of what was read. is_cut: the file ends inside
    it; is_lost: nothing of it is there. identified: the type that a crawler told by the bytes. segment: its number, if
    it is one of several; origin: the id of the first segment, whose own id `name` is; is_last: it says how long all
    segments are together.
    """

    kind: str
    url: str | None
    date: str | None
    content_type: str | None
    body: bytes | memoryview | None
    is_cut: bool = False
    is_lost: bool = False
    identified: str | None = None
    segment: int = 0
    name: str = ""
    origin: str = ""
    is_last: bool = False


class Archive:
    """Decompressed content with a cursor. A gap ends it as the end of the file does, until `resume`."""

    def __init__(
        self, stream: IO[bytes], source: str, counts: MutableMapping[str, int], start: int = 0, content: int = 0
    ) -> None:
        stream.seek(0)
        self.stream, self.source = stream, source
        self.is_plain = compression.detect(stream.read(16)) is None
        self.blocks = compression.resumed(
            stream, source=source, recover=True, counts=counts, start=start, content=content
        )
        self.counts = counts
        self.gap_reason = "corrupt"
        self.plain_from: int | None = 0 if self.is_plain else None
        self.data: bytes | bytearray = b""
        self.at, self.origin = 0, 0
        self.members: deque[tuple[int, int]] = deque()
        self.gap: int | None = None
        self.fault: DamagedError | None = None
        self.is_arc: bool | None = None
        self.is_after_record = False

    # -- content ---------------------------------------------------------------------------------------------------

    def more(self, *, is_blank: bool = False) -> bool:
        """Read one more block, if the content goes on. is_blank: what is left of the one before is the end of a record,
        which is dropped if another record begins the block."""
        if self.gap is not None or self.fault is not None:
            return False
        try:
            block = next(self.blocks, None)
        except DamagedError as damage:
            self.fault = damage
            return False
        if block is None:
            return False
        if block.data is None:
            self.gap, self.gap_reason = block.start, block.reason
            return False
        if block.is_plain != (self.plain_from is not None):
            self.plain_from = self.origin + len(self.data) if block.is_plain else None
        end = self.origin + len(self.data)
        if not self.members or self.members[-1][1] != block.start:
            self.members.append((end, block.start))
        if is_blank and WARC_START.match(block.data):
            self.at = len(self.data)
        self.origin += self.at
        rest = self.data[self.at :]
        self.data, self.at = rest + block.data if rest else block.data, 0
        return True

    def resume(self) -> None:
        """Go on after a gap; what was left before it belongs to no whole record."""
        self.gap = None
        self.origin += len(self.data)
        self.data, self.at = b"", 0

    def offset(self) -> int:
        """Where the cursor is in the file as stored."""
        position = self.origin + self.at
        while len(self.members) > 1 and self.members[1][0] <= position:
            self.members.popleft()
        if not self.members:
            return 0
        begin, start = self.members[0]
        return start + position - begin if self.is_plain else start

    def peek(self, n: int) -> bytes | bytearray:
        while len(self.data) - self.at < n and self.more():
            pass
        return self.data[self.at : self.at + n]

    def skip_blank(self) -> bool:
        """Skip blank lines and padding. Returns whether the content ends here."""
        while True:
            rest = self.peek(1)
            if not rest:
                return True
            self.at = _BLANKS.match(self.data, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.data):
                return False

    def line(self) -> bytes | None:
        """One line with its end, or None if the content ends first."""
        searched = 0
        while (end := self.data.find(b"\n", self.at + searched)) < 0:
            searched = len(self.data) - self.at
            if searched > _LINE:
                return self.take(searched)
            if not self.more():
                return None
        return self.take(end + 1 - self.at)

    def take(self, n: int) -> bytes:
        taken = bytes(self.data[self.at : self.at + n])
        self.at += len(taken)
        return taken

    def body(self, n: int) -> tuple[bytes | memoryview | None, bool]:
        """(the next n bytes, or None if they are too many to hold, and whether there are as many).

        A compressed member that begins with a record ends the body before it, whatever its length says.
        """
        pieces: list[memoryview] | None = []
        missing = n
        while missing:
            if self.at == len(self.data) and not self.more():
                break
            boundary = self._boundary()
            if not boundary:
                self._count("wrong_length")
                return None if pieces is None else b"".join(pieces).rstrip(b"\r\n"), True
            piece = memoryview(self.data)[self.at : self.at + min(missing, boundary)]
            self.at += len(piece)
            missing -= len(piece)
            if n - missing > MAX_BODY:
                pieces = None
            elif pieces is not None:
                pieces.append(piece)
        if pieces is None:
            return None, not missing
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), not missing

    def _boundary(self) -> int:
        """Bytes from the cursor to the next member that begins with a record, or to the end of what is held."""
        if not self.is_plain:
            for begin, _ in self.members:
                at = begin - self.origin
                if self.at <= at < len(self.data) and self._is_record(at):
                    return at - self.at
        return len(self.data) - self.at

    def _is_record(self, at: int) -> bool:
        return (_ARC if self.is_arc else WARC_START).match(self.data, at) is not None

    def push_back(self, data: bytes) -> None:
        """Put bytes back that were just taken."""
        if data and self.at >= len(data) and self.data.endswith(data, 0, self.at):
            self.at -= len(data)
        elif data:
            self.origin += self.at - len(data)
            self.data, self.at = data + self.data[self.at :], 0

    # -- records ---------------------------------------------------------------------------------------------------

    def entry(self) -> Entry | None:
        """The record that begins here, or None if none does."""
        head = self.peek(_LONGEST)
        if head.startswith(_GZIP) and self._switch():
            head = self.peek(_LONGEST)
        if self.origin == self.at == 0 and head.startswith(codecs.BOM_UTF8):
            self.at += len(codecs.BOM_UTF8)
            head = self.peek(_LONGEST)
        if WARC_START.match(head):
            return self._warc()
        return None if self.is_arc is False else self._arc()

    def _switch(self) -> bool:
        """Read on as compressed members from the cursor, at which one begins after records that are not compressed."""
        position = self.origin + self.at
        if self.plain_from is None or position < self.plain_from:
            return False
        while len(self.members) > 1 and self.members[1][0] <= position:
            self.members.popleft()
        begin, start = self.members[0]
        self.blocks = compression.blocks(
            self.stream, source=self.source, recover=True, counts=self.counts, start=start + position - begin
        )
        self.is_plain, self.plain_from = False, None
        self.origin, self.data, self.at = position, b"", 0
        self.members.clear()
        return True

    def skip_garbage(self) -> None:
        """Skip to the next place where a record may begin: in an ARC file any line, else a line `WARC/1.0`."""
        if self.is_arc:
            line = self.line()
            self.is_after_record = False
            self._count("garbage_bytes", len(self.data) - self.at if line is None else len(line))
            self.at = len(self.data) if line is None else self.at
            return
        while True:
            resume = _RESUME.search(self.data, self.at + 1)
            if self.is_arc is None and (arc := _NEXT_ARC.search(self.data, self.at)):
                resume = arc if resume is None or arc.end() < resume.end() else resume
            end = resume.end() if resume else max(self.at, len(self.data) - _LOOK_BACK)
            self._garbage(end - self.at)
            if resume:
                return
            if not self.more():
                self._garbage(len(self.data) - self.at)
                return

    def _garbage(self, n: int) -> None:
        self._count("garbage_bytes", n)
        self.at += n

    def _count(self, name: str, n: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + n

    def _warc(self) -> Entry:
        self.is_arc = False
        headers: dict[str, str] = {}
        name = ""
        for text in self._head():
            if text is None:
                return self._entry(headers, None, is_cut=True)
            if text[0] in " \t" and name:
                headers[name] += " " + text.strip()
                continue
            key, colon, value = text.partition(":")
            if colon:
                name = key.strip().lower()
                headers.setdefault(name, value.strip())
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 19):
            self._count("no_length")
            return self._entry(headers, self._open_body())
        body, is_whole = self._fitting_body(int(length))
        return self._entry(headers, body, is_cut=not is_whole)

    def _head(self) -> Iterator[str | None]:
        """The lines of a record's head, up to the first blank one: at once if its end is held, else as they come. None
        if the content ends in it."""
        # No further than a line may be long, lest each record of an archive without such ends looks through all of it.
        end = self.data.find(_END, self.at, self.at + _LINE)
        if end >= 0:
            head = self.data[self.at : end].decode("utf-8", "replace")
            lines = head.split("\r\n")
            if head.count("\n") == len(lines) - 1 and all(map(str.strip, lines)):
                self.at = end + len(_END)
                yield from lines
                return
        size = 0
        while True:
            line = self.line()
            if line is None:
                self.at = len(self.data)
                yield None
                return
            size += len(line)
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not text.strip() or size > _HEADER:
                return
            yield text

    def _fitting_body(self, length: int) -> tuple[bytes | memoryview | None, bool]:
        """A body of the length that its record names, or if that does not lead to another record, of the one that does;
        and whether the content goes so far."""
        body, is_whole = self.body(length)
        if body is not None and (not is_whole or not self._is_aligned()):
            # The length is too great if another record begins inside, too small if the record's end does not follow.
            body = bytes(body)
            inside = (_NEXT_ARC if self.is_arc else _NEXT).search(body + self.peek(_LOOK_BACK))
            if inside and inside.start() < len(body):
                self._count("wrong_length")
                self.push_back(body[inside.end() :])
                self.at += max(0, inside.end() - len(body))
                return body[: inside.start()].rstrip(b"\r\n"), True
            ends = (b"\r\n", b"\n") if self.is_arc else (_END, b"\n\n")
            if is_whole and not self.peek(4).startswith(ends):
                self._count("wrong_length")
                more = self._open_body()
                body = body + more if more is not None else None
        return body, is_whole

    def _is_aligned(self) -> bool:
        if len(self.data) - self.at == len(_END) and self.data.endswith(_END):
            self.more(is_blank=True)  # without moving the next record
        rest = self.peek(_LOOK_BACK if self.is_arc else _LONGEST).lstrip(_BLANK)
        return not rest or (_ARC if self.is_arc else WARC_START).match(rest) is not None

    def _open_body(self) -> bytes | None:
        """The body of a record without length: up to the next record, the end of its member, or the end."""
        body = bytearray()
        while True:
            if (self.at == len(self.data) and not self.more()) or not (boundary := self._boundary()):
                break
            searched = max(0, len(body) - _LOOK_BACK)
            body += self.take(boundary)
            following = (_NEXT_ARC if self.is_arc else _NEXT).search(body, searched)
            if following:
                self.push_back(bytes(body[following.end() :]))
                del body[following.start() :]
                break
            if len(body) > MAX_BODY:
                self.push_back(bytes(body[-64:]))
                self.skip_garbage()
                return None
        return bytes(body).rstrip(b"\r\n")

    def _entry(self, headers: Mapping[str, str], body: bytes | memoryview | None, *, is_cut: bool = False) -> Entry:
        kind = headers.get("warc-type", "").lower()
        content_type = headers.get("content-type")
        if not kind:
            kind = "response" if "msgtype=request" not in (content_type or "") else "request"
        url = _word(headers.get("warc-target-uri"))
        if url and url.startswith("<") and url.endswith(">"):
            url = url[1:-1]
        segment = headers.get("warc-segment-number", "")
        return Entry(
            kind,
            url,
            _word(headers.get("warc-date")),
            content_type,
            body,
            is_cut,
            identified=headers.get("warc-identified-payload-type"),
            segment=int(segment) if segment.isascii() and segment.isdigit() and len(segment) < 9 else 0,
            name=headers.get("warc-record-id", ""),
            origin=headers.get("warc-segment-origin-id", ""),
            is_last="warc-segment-total-length" in headers,
        )

    def _arc(self) -> Entry | None:
        line = self.line()
        if line is None:
            if self.is_arc is None:
                return None
            url = self.take(len(self.data) - self.at).split(b" ")[0]
            return Entry("response", _word(decode(url)[0]), None, None, None, is_cut=True)
        fields = _arc_fields(line)
        body: bytes | memoryview | None
        if fields is None and self.is_arc and self.is_after_record and line.count(b" ") > 2:
            # Where a record is to begin, a line that is damaged begins one too.
            url, date, kind = line.partition(b" ")[0], b"", b""
            body, is_whole = self._open_body(), True
        elif fields is None:
            self.push_back(line)
            return None
        else:
            url, date, kind, length = fields
            self.is_arc = True
            body, is_whole = self._fitting_body(length)
        self.is_after_record = True
        stamp: str | None = date.decode() or None
        if stamp and len(stamp) == 14:
            stamp = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}T{stamp[8:10]}:{stamp[10:12]}:{stamp[12:]}Z"
        record_kind = "warcinfo" if url.startswith(b"filedesc:") else "response"
        return Entry(record_kind, _word(decode(url)[0]), stamp, kind.decode("latin-1"), body, not is_whole)


def begins_arc_record(data: bytes) -> bool:
    """Whether the first line of an ARC record stands at the beginning of these bytes."""
    line, end, _ = data.partition(b"\n")
    return bool(end) and _ARC.match(data) is not None and _arc_fields(line) is not None


def _arc_fields(line: bytes) -> tuple[bytes, bytes, bytes, int] | None:
    """(URL, date, content type, length) of an ARC record's first line, version 1 (five fields) or 2 (ten). A URL may
    have spaces in it."""
    for n in (4, 9):
        parts = line.rstrip().rsplit(b" ", n)
        if len(parts) == n + 1 and b":" in parts[0]:
            date, length = parts[2], parts[-1]
            if 12 <= len(date) <= 17 and date.isdigit() and length.isdigit() and len(length) < 19:
                return parts[0], date, parts[3], int(length)
    return None


def _word(value: str | None) -> str | None:
    return clean(value).replace("\n", "").strip() or None if value else None
