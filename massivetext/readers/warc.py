"""Web archives: WARC 0.17 to 1.1, WET and ARC, plain or compressed. Responses and resources are pages, conversions
text.

Records are found by their lengths, and where a length is missing or wrong, or a compressed member is corrupt, by the
next record's first line. fastwarc and warcio stop there, or skip in silence; a corpus needs every record, and a row for
each that is lost. See docs/readers.md for how the three compare.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import IO

from massivetext.documents import Record
from massivetext.errors import LimitError, SourceError
from massivetext.readers import http
from massivetext.readers.archive_entries import MAX_BODY, WARC_START, Archive, Entry, begins_arc_record
from massivetext.readers.compression import DamagedError
from massivetext.readers.fields import MAX_PAGE
from massivetext.readers.reader import MemberRange, Members, Reader
from massivetext.text import clean, decode

__all__ = ["READER", "WET", "read", "read_members"]

_UNLISTED = frozenset(("warcinfo", "request", "metadata", "continuation"))
WAITING_BYTES = 64 << 20
"""Bytes of records that wait for the continuation of one before them."""


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
    yield from _read(Archive(stream, source, counts), source, counts, None)


def read_members(
    stream: IO[bytes],
    *,
    members: MemberRange,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """Read the records of `read` that start in a range of a compressed archive's members."""
    archive = Archive(stream, source, counts, members.start, members.content)
    yield from _read(archive, source, counts, members.stop)


def _read(archive: Archive, source: str, counts: MutableMapping[str, int], stop: int | None) -> Iterator[Record]:
    segments = _Segments(counts)
    for offset, entry, damage in _entries(archive, source, counts, stop):
        yield from segments.add(offset, entry, damage)
    yield from segments.rest()
    if segments.error is not None:
        raise segments.error


def _entries(
    archive: Archive, source: str, counts: MutableMapping[str, int], stop: int | None
) -> Iterator[tuple[int, Entry | SourceError | None, str | None]]:
    """(offset, entry, damage) of each record before the byte `stop`; the entry is None for one that cannot be read, and
    damage says why. What is wrong with the file comes last, as an error in place of an entry."""
    offset, n_entries = -1, 0
    while True:
        is_at_end = archive.skip_blank()
        if stop is not None and not is_at_end and archive.offset() >= stop:
            return
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


class _Segments:
    """Puts records together that an archive holds in segments, and keeps the order of the file.

    The first segment waits for its continuations, and what follows it waits too, up to WAITING_BYTES; a record of which
    a segment is missing is given as far as it goes, marked `damage: segmented`.
    """

    def __init__(self, counts: MutableMapping[str, int]) -> None:
        self.counts = counts
        self.error: SourceError | None = None
        self.waiting: deque[tuple[int, Entry | None, str | None]] = deque()
        self.open: dict[str, tuple[int, list[bytes], int]] = {}
        self.n_bytes = 0

    def add(self, offset: int, entry: Entry | SourceError | None, damage: str | None) -> Iterator[Record]:
        """Take what an archive gives next. Gives the records that need not wait."""
        if isinstance(entry, SourceError):
            self.error = entry
            return
        if entry is not None and entry.kind == "continuation" and entry.origin in self.open:
            yield from self._continue(entry)
            return
        is_first = entry is not None and entry.segment == 1 and entry.name != "" and not entry.is_last
        if entry is not None and entry.body is not None and (is_first or self.waiting):
            body = bytes(entry.body)  # a view would keep all that was read with it
            entry = entry._replace(body=body)
            if is_first:
                self.open[entry.name] = (1, [body], len(body))
        elif not self.waiting:
            yield from self._record(offset, entry, damage)
            return
        self.waiting.append((offset, entry, damage))
        self.n_bytes += len(entry.body or b"") if entry is not None else 0
        while self.n_bytes > WAITING_BYTES and self.waiting:
            yield from self._first()

    def _continue(self, entry: Entry) -> Iterator[Record]:
        number, bodies, size = self.open[entry.origin]
        self.counts["warc.continuation"] = self.counts.get("warc.continuation", 0) + 1
        if entry.segment == number + 1 and entry.body is not None and size + len(entry.body) <= MAX_BODY:
            bodies.append(bytes(entry.body))
            self.open[entry.origin] = (entry.segment, bodies, size + len(entry.body))
            self.n_bytes += len(entry.body)
            if not entry.is_last:
                return
            self._close(entry.origin, is_whole=True)
        else:
            self._close(entry.origin, is_whole=False)
        while self.waiting and not self._is_open(self.waiting[0][1]):
            yield from self._first()

    def _is_open(self, entry: Entry | None) -> bool:
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

    def _record(self, offset: int, entry: Entry | None, damage: str | None) -> Iterator[Record]:
        if entry is None or entry.is_lost:
            url, date = (entry.url, entry.date) if entry is not None else (None, None)
            yield Record(offset, url=url, timestamp=date, outcome="failed", reason=f"failed.{damage}")
            return
        record = _record(offset, entry, self.counts)
        if record is not None:
            yield record if damage is None else replace(record, metadata={"damage": damage})


def _record(offset: int, entry: Entry, counts: MutableMapping[str, int]) -> Record | None:
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
    content_type = entry.content_type
    if kind == "conversion" and http.main_type(content_type) in ("text/plain", ""):
        text, n_replaced = decode(bytes(entry.body))
        return Record(offset, text, None, url, date, n_replaced=n_replaced)
    if kind == "response":
        try:
            response = http.parse(entry.body, limit=MAX_PAGE)
        except LimitError:
            return without("failed.too_large")
        if response.status is not None:
            if not 200 <= response.status < 300:
                return without("skipped.http_status")
            content_type = response.content_type
        elif http.main_type(content_type) == "application/http":
            content_type = None
        payload = response.payload
    else:
        payload = bytes(entry.body)
    if not http.is_html(content_type, payload, entry.identified):
        return without("skipped.content_type")
    if len(payload) > MAX_PAGE:
        return without("failed.too_large")
    return Record(offset, None, payload, url, date, content_type and clean(content_type))


_START = re.compile(rb"WARC/\d{1,3}\.\d{1,3}\r?\n")
_SEGMENT = (b"warc-segment-", re.compile(rb"\nwarc-segment-(?:number|origin-id|total-length)[ \t]*:"))
_WARC_IN_ARC = (b"warc/", re.compile(rb"(?:\A|\n)warc/\d"))


def _is_warc(first: bytes) -> bool:
    """Whether an archive begins so whose members are WARC records."""
    return _START.match(first) is not None


def _begins_record(before: bytes, data: bytes) -> bool:
    """Whether a member that begins so begins a record, and the headers of the record before it have ended."""
    return before.endswith((b"\n\r\n", b"\n\n")) and _START.match(data) is not None


def _begins_arc_record(before: bytes, data: bytes) -> bool:
    """Whether a member that begins so begins a record, and the line before it has ended."""
    return before.endswith(b"\n") and begins_arc_record(data)


READER = Reader(
    name="warc",
    gives_pages=True,
    read=read,
    record="a response, resource, conversion or revisit",
    offset="byte of the file where it, or its compressed member, starts",
    extensions=(".warc", ".arc"),
    members=Members(
        read_members,
        _is_warc,
        _begins_record,
        _SEGMENT,
        recover=True,
        by_member=True,
        otherwise=Members(
            read_members, begins_arc_record, _begins_arc_record, _WARC_IN_ARC, recover=True, by_member=True
        ),
    ),
    signature=lambda head: WARC_START.match(head) is not None or head.startswith(b"filedesc:"),
)
WET = replace(READER, name="wet", extensions=(".wet", ".warc.wet"))
