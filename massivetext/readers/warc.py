"""Web archives: WARC 0.17 to 1.1, WET and ARC, plain or compressed. Responses and resources are pages, conversions
text.

Records are found by their lengths, and where a length is missing or wrong, or a compressed member is corrupt, by the
next record's first line. fastwarc and warcio stop there, or skip in silence; a corpus needs every record, and a row for
each that is lost. See docs/readers.md for how the three compare.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import IO, NamedTuple

from massivetext.documents import Record
from massivetext.errors import LimitError, SourceError
from massivetext.readers import compression, http
from massivetext.readers.compression import DamagedError
from massivetext.readers.fields import MAX_PAGE
from massivetext.readers.reader import Reader
from massivetext.text import clean, decode

__all__ = ["READER", "WET", "read"]

_HEADER = 1 << 20
_LINE = 1 << 16
_BODY = MAX_PAGE + _HEADER
_BLANK = b"\r\n \t\0"
_FIRST = re.compile(rb"WARC/\d", re.IGNORECASE)
_NEXT = re.compile(rb"\n\r?\n(?=WARC/\d{1,3}\.\d{1,3}\r?\n)")
_ARC = re.compile(rb"[a-z][a-z0-9+.-]{0,20}:[^\n]{1,4000} \d{12,17} [^\n]{1,200} \d{1,18}[ \t]*\r?\n", re.IGNORECASE)
_NEXT_ARC = re.compile(rb"\n(?=" + _ARC.pattern + rb")", re.IGNORECASE)
_LOOK_BACK = 1 << 13
"""Bytes that are searched again with each block: longer than what either looks for."""
_RESUME = re.compile(rb"(?<=\n)(?=WARC/\d{1,3}\.\d{1,3}[ \t]{0,9}\r?\n)", re.IGNORECASE)
_UNLISTED = frozenset(("warcinfo", "request", "metadata", "continuation"))
_LONGEST = 128
"""Bytes looked at to see whether a record begins here."""
WAITING_BYTES = 64 << 20
"""Bytes of records that wait for the continuation of one before them."""
_GZIP = b"\x1f\x8b\x08"


def read(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """One record a response, resource, conversion or revisit; the others are counted as `warc.<type>`.

    offset: the byte of the file at which the record, or its compressed member, starts; further records of one member
    count on by one. Reasons: `skipped.http_status`, `skipped.content_type`, `skipped.revisit`, `failed.too_large`,
    `failed.truncated`, `failed.corrupt`, `failed.bomb`. Raises DamagedError for a file that is cut short or has corrupt
    members, after all else, and SourceError for one that is no archive.
    """
    segments = _Segments(counts)
    for offset, entry, damage in _entries(stream, source, counts):
        yield from segments.add(offset, entry, damage)
    yield from segments.rest()
    if segments.error is not None:
        raise segments.error


def _entries(
    stream: IO[bytes], source: str, counts: MutableMapping[str, int]
) -> Iterator[tuple[int, _Entry | SourceError | None, str | None]]:
    """(offset, entry, damage) of each record; the entry is None for one that cannot be read, and damage says why. What
    is wrong with the file comes last, as an error in place of an entry."""
    archive = _Archive(stream, source, counts)
    offset, n_entries = -1, 0
    while True:
        is_at_end = archive.skip_blank()
        offset = max(offset + 1, archive.offset())
        if is_at_end:
            if archive.gap is None:
                break
            offset = max(offset, archive.gap)
            yield offset, None, archive.gap_reason
            archive.resume()
            continue
        n_corrupt = counts.get("corrupt_members", 0)
        entry = archive.entry()
        if entry is None:
            archive.skip_garbage()
            continue
        n_entries += 1
        damage = None
        if entry.is_cut:
            if archive.gap is None and archive.fault is None:
                message = f"{source}: truncated: ends inside the record at byte {offset}"
                archive.fault = DamagedError("truncated", message)
            damage = archive.fault.reason if archive.fault else archive.gap_reason
            if entry.body is None:
                yield offset, entry._replace(is_lost=True), damage
                if archive.fault:
                    yield offset, archive.fault, None
                    return
                archive.resume()
                continue
        elif counts.get("corrupt_members", 0) > n_corrupt and archive.gap is None:
            damage = "corrupt"  # by the checksum of its member
        yield offset, entry, damage
    if archive.fault is not None:
        yield offset, None, archive.fault.reason
        yield offset, archive.fault, None
    elif not n_entries and counts.get("garbage_bytes"):
        yield (
            offset,
            SourceError(f"{source}: no record in it; expected a WARC, WET or ARC file, plain or compressed"),
            None,
        )
    elif counts.get("corrupt_members"):
        error = DamagedError("corrupt", f"{source}: {counts['corrupt_members']} compressed members are corrupt")
        yield offset, error, None


class _Entry(NamedTuple):
    """One record of an archive.

    body is None if it is longer than any page may be; is_cut: the file ends inside it; is_lost: nothing of it is there.
    identified: the type that a crawler told by the bytes. segment: its number, if it is one of several; origin: the id
    of the first segment, whose own id `name` is; is_last: it says how long all segments are together.
    """

    kind: str
    url: str | None
    date: str | None
    content_type: str | None
    body: bytes | None
    is_cut: bool = False
    is_lost: bool = False
    identified: str | None = None
    segment: int = 0
    name: str = ""
    origin: str = ""
    is_last: bool = False


class _Segments:
    """Puts records together that an archive holds in segments, and keeps the order of the file.

    The first segment waits for its continuations, and what follows it waits too, up to WAITING_BYTES; a record of which
    a segment is missing is given as far as it goes, marked `damage: segmented`.
    """

    def __init__(self, counts: MutableMapping[str, int]) -> None:
        self.counts = counts
        self.error: SourceError | None = None
        self.waiting: deque[tuple[int, _Entry | None, str | None]] = deque()
        self.open: dict[str, tuple[int, list[bytes], int]] = {}
        self.n_bytes = 0

    def add(self, offset: int, entry: _Entry | SourceError | None, damage: str | None) -> Iterator[Record]:
        """Take what an archive gives next. Gives the records that need not wait."""
        if isinstance(entry, SourceError):
            self.error = entry
            return
        if entry is not None and entry.kind == "continuation" and entry.origin in self.open:
            yield from self._continue(entry)
            return
        if entry is not None and entry.segment == 1 and entry.name and not entry.is_last and entry.body is not None:
            self.open[entry.name] = (1, [entry.body], len(entry.body))
        elif not self.waiting:
            yield from self._record(offset, entry, damage)
            return
        self.waiting.append((offset, entry, damage))
        self.n_bytes += len(entry.body or b"") if entry is not None else 0
        while self.n_bytes > WAITING_BYTES and self.waiting:
            yield from self._first()

    def _continue(self, entry: _Entry) -> Iterator[Record]:
        number, bodies, size = self.open[entry.origin]
        self.counts["warc.continuation"] = self.counts.get("warc.continuation", 0) + 1
        if entry.segment == number + 1 and entry.body is not None and size + len(entry.body) <= _BODY:
            bodies.append(entry.body)
            self.open[entry.origin] = (entry.segment, bodies, size + len(entry.body))
            self.n_bytes += len(entry.body)
            if not entry.is_last:
                return
            self._close(entry.origin, is_whole=True)
        else:
            self._close(entry.origin, is_whole=False)
        while self.waiting and not self._is_open(self.waiting[0][1]):
            yield from self._first()

    def _is_open(self, entry: _Entry | None) -> bool:
        return entry is not None and entry.segment == 1 and entry.name in self.open

    def _close(self, name: str, *, is_whole: bool) -> None:
        """Put the segments that there are in the place of the first."""
        _, bodies, _ = self.open.pop(name)
        for i, (offset, entry, damage) in enumerate(self.waiting):
            if entry is not None and entry.name == name and entry.segment == 1:
                whole = entry._replace(body=b"".join(bodies), segment=0)
                self.waiting[i] = (offset, whole, damage or (None if is_whole else "segmented"))

    def _first(self) -> Iterator[Record]:
        """Give the first of what waits, whether it is whole or not."""
        if self._is_open(entry := self.waiting[0][1]):
            self._close(entry.name if entry is not None else "", is_whole=False)
        offset, entry, damage = self.waiting.popleft()
        self.n_bytes -= len(entry.body or b"") if entry is not None else 0
        yield from self._record(offset, entry, damage)

    def rest(self) -> Iterator[Record]:
        while self.waiting:
            yield from self._first()

    def _record(self, offset: int, entry: _Entry | None, damage: str | None) -> Iterator[Record]:
        if entry is None or entry.is_lost:
            url, date = (entry.url, entry.date) if entry is not None else (None, None)
            yield Record(offset, url=url, timestamp=date, outcome="failed", reason=f"failed.{damage}")
            return
        record = _record(offset, entry, self.counts)
        if record is not None:
            yield record if damage is None else replace(record, metadata={"damage": damage})


class _Archive:
    """Decompressed content with a cursor. A gap ends it as the end of the file does, until `resume`."""

    def __init__(self, stream: IO[bytes], source: str, counts: MutableMapping[str, int]) -> None:
        stream.seek(0)
        self.stream, self.source = stream, source
        self.is_plain = compression.detect(stream.read(16)) is None
        self.blocks = compression.blocks(stream, source=source, recover=True, counts=counts)
        self.counts = counts
        self.gap_reason = "corrupt"
        self.plain_from: int | None = 0 if self.is_plain else None
        self.data, self.at, self.origin = b"", 0, 0
        self.members: deque[tuple[int, int]] = deque()
        self.gap: int | None = None
        self.fault: DamagedError | None = None
        self.is_arc: bool | None = None
        self.is_after_record = False

    # -- content ---------------------------------------------------------------------------------------------------

    def more(self) -> bool:
        """Read one more block, if the content goes on."""
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
        self.origin += self.at
        self.data, self.at = self.data[self.at :] + block.data, 0
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

    def peek(self, n: int) -> bytes:
        while len(self.data) - self.at < n and self.more():
            pass
        return self.data[self.at : self.at + n]

    def skip_blank(self) -> bool:
        """Skip blank lines and padding. Returns whether the content ends here."""
        while True:
            rest = self.peek(1)
            if not rest:
                return True
            block = self.data[self.at :]
            self.at += len(block) - len(block.lstrip(_BLANK))
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
        taken = self.data[self.at : self.at + n]
        self.at += len(taken)
        return taken

    def body(self, n: int) -> tuple[bytes | None, bool]:
        """(the next n bytes, or None if they are too many to hold, and whether there are as many).

        A compressed member that begins with a record ends the body before it, whatever its length says.
        """
        held: list[bytes] | None = []
        left = n
        while left:
            if self.at == len(self.data) and not self.more():
                break
            boundary = self._boundary()
            if not boundary:
                self._count("wrong_length")
                return None if held is None else b"".join(held).rstrip(b"\r\n"), True
            piece = self.take(min(left, boundary))
            left -= len(piece)
            if n - left > _BODY:
                held = None
            elif held is not None:
                held.append(piece)
        return None if held is None else b"".join(held), not left

    def _boundary(self) -> int:
        """Bytes from the cursor to the next member that begins with a record, or to the end of what is held."""
        held = len(self.data) - self.at
        if not self.is_plain:
            for begin, _ in self.members:
                at = begin - self.origin
                if self.at <= at < len(self.data) and self._is_record(at):
                    return at - self.at
        return held

    def _is_record(self, at: int) -> bool:
        return (_ARC if self.is_arc else _FIRST).match(self.data, at) is not None

    def push_back(self, data: bytes) -> None:
        """Put bytes back that were just taken."""
        if data and self.at >= len(data) and self.data.endswith(data, 0, self.at):
            self.at -= len(data)
        elif data:
            self.origin += self.at - len(data)
            self.data, self.at = data + self.data[self.at :], 0

    # -- records ---------------------------------------------------------------------------------------------------

    def entry(self) -> _Entry | None:
        """The record that begins here, or None if none does."""
        head = self.peek(_LONGEST)
        if head.startswith(_GZIP) and self._switch():
            head = self.peek(_LONGEST)
        if self.origin == self.at == 0 and head.startswith(codecs.BOM_UTF8):
            self.at += len(codecs.BOM_UTF8)
            head = self.peek(_LONGEST)
        if _FIRST.match(head):
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
            found = _RESUME.search(self.data, self.at + 1)
            if self.is_arc is None and (arc := _NEXT_ARC.search(self.data, self.at)):
                found = arc if found is None or arc.end() < found.end() else found
            end = found.end() if found else max(self.at, len(self.data) - _LOOK_BACK)
            self._garbage(end - self.at)
            if found:
                return
            if not self.more():
                self._garbage(len(self.data) - self.at)
                return

    def _garbage(self, n: int) -> None:
        self._count("garbage_bytes", n)
        self.at += n

    def _count(self, name: str, n: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + n

    def _warc(self) -> _Entry:
        self.is_arc = False
        headers: dict[str, str] = {}
        name, size = "", 0
        while True:
            line = self.line()
            if line is None:
                self.at = len(self.data)
                return self._entry(headers, None, is_cut=True)
            size += len(line)
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not text.strip() or size > _HEADER:
                break
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

    def _fitting_body(self, length: int) -> tuple[bytes | None, bool]:
        """A body of the length that its record names, or if that does not lead to another record, of the one that does;
        and whether the content goes so far."""
        body, is_whole = self.body(length)
        if body is not None and (not is_whole or not self._is_aligned()):
            # The length is too great if another record begins inside, too small if the record's end does not follow.
            inside = (_NEXT_ARC if self.is_arc else _NEXT).search(body + self.peek(_LOOK_BACK))
            if inside and inside.start() < len(body):
                self._count("wrong_length")
                self.push_back(body[inside.end() :])
                self.at += max(0, inside.end() - len(body))
                return body[: inside.start()].rstrip(b"\r\n"), True
            ends = (b"\r\n", b"\n") if self.is_arc else (b"\r\n\r\n", b"\n\n")
            if is_whole and not self.peek(4).startswith(ends):
                self._count("wrong_length")
                more = self._open_body()
                body = body + more if more is not None else None
        return body, is_whole

    def _is_aligned(self) -> bool:
        rest = self.peek(_LOOK_BACK if self.is_arc else _LONGEST).lstrip(_BLANK)
        return not rest or (_ARC if self.is_arc else _FIRST).match(rest) is not None

    def _open_body(self) -> bytes | None:
        """The body of a record without length: up to the next record, the end of its member, or the end."""
        held = bytearray()
        while True:
            if (self.at == len(self.data) and not self.more()) or not (boundary := self._boundary()):
                break
            searched = max(0, len(held) - _LOOK_BACK)
            held += self.take(boundary)
            found = (_NEXT_ARC if self.is_arc else _NEXT).search(held, searched)
            if found:
                self.push_back(bytes(held[found.end() :]))
                del held[found.start() :]
                break
            if len(held) > _BODY:
                self.push_back(bytes(held[-64:]))
                self.skip_garbage()
                return None
        return bytes(held).rstrip(b"\r\n")

    def _entry(self, headers: Mapping[str, str], body: bytes | None, *, is_cut: bool = False) -> _Entry:
        kind = headers.get("warc-type", "").lower()
        content_type = headers.get("content-type")
        if not kind:
            kind = "response" if "msgtype=request" not in (content_type or "") else "request"
        url = _word(headers.get("warc-target-uri"))
        if url and url.startswith("<") and url.endswith(">"):
            url = url[1:-1]
        segment = headers.get("warc-segment-number", "")
        return _Entry(
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

    def _arc(self) -> _Entry | None:
        line = self.line()
        if line is None:
            if self.is_arc is None:
                return None
            url = self.take(len(self.data) - self.at).split(b" ")[0]
            return _Entry("response", _word(decode(url)[0]), None, None, None, is_cut=True)
        fields = _arc_fields(line)
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
        return _Entry(record_kind, _word(decode(url)[0]), stamp, kind.decode("latin-1"), body, not is_whole)


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


def _record(offset: int, entry: _Entry, counts: MutableMapping[str, int]) -> Record | None:
    """The record of a whole entry; None for one that is counted only."""
    kind = entry.kind
    if kind not in ("response", "resource", "conversion", "revisit"):
        key = f"warc.{kind if kind in _UNLISTED else 'other'}"
        counts[key] = counts.get(key, 0) + 1
        return None
    url, date = entry.url, entry.date

    def without(reason: str) -> Record:
        return Record(offset, url=url, timestamp=date, outcome=reason.partition(".")[0], reason=reason)

    if kind == "revisit":
        return without("skipped.revisit")
    if entry.body is None:
        return without("failed.too_large")
    payload, content_type = entry.body, entry.content_type
    if kind == "conversion" and http.main_type(content_type) in ("text/plain", ""):
        text, n_replaced = decode(payload)
        return Record(offset, text, None, url, date, n_replaced=n_replaced)
    if kind == "response":
        try:
            response = http.parse(payload, limit=MAX_PAGE)
        except LimitError:
            return without("failed.too_large")
        if response.status is not None:
            if not 200 <= response.status < 300:
                return without("skipped.http_status")
            content_type = response.content_type
        elif http.main_type(content_type) == "application/http":
            content_type = None
        payload = response.payload
    if not http.is_html(content_type, payload, entry.identified):
        return without("skipped.content_type")
    if len(payload) > MAX_PAGE:
        return without("failed.too_large")
    return Record(offset, None, payload, url, date, content_type and clean(content_type))


READER = Reader(
    name="warc",
    read=read,
    record="a response, resource, conversion or revisit",
    offset="byte of the file where it, or its compressed member, starts",
    extensions=(".warc", ".arc"),
    signature=lambda head: _FIRST.match(head) is not None or head.startswith(b"filedesc:"),
)
WET = replace(READER, name="wet", extensions=(".wet", ".warc.wet"))
