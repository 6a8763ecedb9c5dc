"""Where a large compressed file is split: at the starts of gzip members, zstd frames and the like.

A compressed stream can be read from the start of a member on. But whether bytes that look like a member are one is
known only by decoding what is before them, for a member may hold another gzip file, stored as it is. So a file is
scanned once. The scan of a stretch in its middle assumes that the first bytes which look like a member, and decode as
one, are one; `join` checks that the stretch before it ends exactly there, and asks for a new scan where it does not:

    bytes      |   stretch 0     |    stretch 1    |    stretch 2     |
    members    [   )[    )[         )[   )[    )[     )[    )[       )
    first      ^                     ^                 ^
    after                            ^                 ^               (end)

The records of the ranges are those of the whole file, row for row. Therefore nothing is cut behind the first fault of a
file (garbage, a corrupt or truncated member, records appended without compression, what may be a bomb): the range that
begins before it is read to the end, as the whole file would be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, NamedTuple

from massivetext.readers import compression
from massivetext.readers.compression import BOMB_BYTES, BOMB_RATIO, DamagedError
from massivetext.readers.reader import MemberRange, Members, Ranges

__all__ = ["END", "Again", "Cut", "Stretch", "join", "ranges_between", "scan"]

END = 1 << 62
"""Where the member after the last one would start."""

_MARGIN = 1 << 16
"""Content that must follow a cut, after a line end, before anything that is wrong: more than any reader looks ahead."""
_TAIL = 64
_HEAD = 1 << 13
_PIECE = 1 << 10
_LEAST = 128
"""Content that the first block of a member must have for a cut: what readers look at to see if a record begins."""
_LONGEST = 2
"""A member of more ranges than these ends the scan: a file that is one member need not be decoded to its end."""
_AHEAD = 3 << 16
"""Decoding has read at most as much of a file beyond what it has decoded, to find a member's end."""
_CANDIDATES = 1000
"""Places that look like members and are tried. A file with more false ones is scanned from its beginning."""
_SLACK = 1 << 16
"""Bytes of input that the limit of a bomb allows beyond what was decoded."""


class Cut(NamedTuple):
    """A member at which a range may begin. content: decompressed bytes before it, counted from the first member of its
    stretch, or from the start of the file once joined. is_line_start: whether they end in a line end."""

    start: int
    content: int
    is_line_start: bool


class Stretch(NamedTuple):
    """What a scan knows of the members that start in one range of bytes.

    first: where the first one starts; None if none was recognized. after: where the first member behind the range
    starts. n_content: decompressed bytes of its members. cut: where a range may begin. top: the greatest offset that a
    record in it may have. excess: the most that the content up to a member's end exceeds BOMB_RATIO times the input up
    to its start. is_clean: whether nothing is wrong with its members, and readers can begin anew among them.
    """

    first: int | None
    after: int = END
    n_content: int = 0
    cut: Cut | None = None
    top: int = -1
    excess: int = 0
    is_clean: bool = True


class Again(NamedTuple):
    """Scan again from the stretch of this number on, whose first member starts at `first`."""

    number: int
    first: int


def scan(
    stream: IO[bytes], members: Members, *, source: str, ranges: Ranges, first: int | None = None
) -> list[Stretch]:
    """Return what is in some consecutive ranges of a compressed file.

    Args:
        stream: the file as stored.
        members: how the format's records lie in members.
        source: the file's name, for messages.
        ranges: [start, stop) of bytes, each beginning where the one before it ends.
        first: where the first member in them starts; None if that is to be found out.
    """
    stream.seek(0)
    kind = compression.detect(stream.read(16))
    unknown = [Stretch(None, is_clean=False)] * len(ranges)
    how = None if kind is None else _how(stream, members, source)
    if kind is None or how is None:
        return unknown
    if first is not None or ranges[0][0] == 0:
        return _Walk(how, ranges, first or 0).go(stream, source) or unknown
    for tried, candidate in enumerate(_candidates(stream, kind, ranges[0][0], ranges[-1][1])):
        if tried == _CANDIDATES:
            break
        position = stream.tell()
        if stretches := _Walk(how, ranges, candidate).go(stream, source):
            return stretches
        stream.seek(position)
    return [Stretch(None)] * len(ranges)


def join(stretches: Sequence[Stretch], ranges: Ranges) -> list[Cut] | Again:
    """Return the cuts of a whole file, or what is to be scanned again first.

    Args:
        stretches: of all of the file, by `scan`.
        ranges: the ranges of bytes that they are of.
    """
    cuts: list[Cut] = []
    expected, content, top = stretches[0].first, 0, -1
    for number, ((_, stop), stretch) in enumerate(zip(ranges, stretches)):
        if expected is None:
            break
        if expected >= stop:
            continue
        if stretch.first is None and not stretch.is_clean:
            break
        if stretch.first != expected:
            return Again(number, expected)
        limit = BOMB_RATIO * (expected + _SLACK)
        may_be_bomb = content + stretch.n_content > BOMB_BYTES and content + stretch.excess > limit
        if not stretch.is_clean or may_be_bomb or top >= expected:
            break
        if stretch.cut is not None and number:
            cuts.append(stretch.cut._replace(content=content + stretch.cut.content))
        expected, content, top = stretch.after, content + stretch.n_content, stretch.top
    return cuts


def ranges_between(cuts: Sequence[Cut], size: int) -> list[MemberRange]:
    """Return the ranges of a file of this size that its cuts separate, in order; one range where there is no cut."""
    begins = [Cut(0, 0, True), *cuts]
    ends = [*cuts, Cut(size, END, True)]
    return [
        MemberRange(begin.start, end.start, begin.content, end.content, begin.is_line_start)
        for begin, end in zip(begins, ends)
    ]


def _how(stream: IO[bytes], members: Members, source: str) -> Members | None:
    """How a file is split, by the first 8 KiB of its content, and by as much of it as readers tell its encoding by."""
    first = piece = b""
    try:
        for block in compression.blocks(stream, source=source):
            first += block.data or b""
            piece = piece if len(piece) >= _PIECE else first
            if len(first) >= _HEAD:
                break
    except DamagedError:
        pass  # the walk says so
    how = members.of(first[:_HEAD])
    return how if how is members.of(piece[:_HEAD]) else None


def _candidates(stream: IO[bytes], kind: str, start: int, stop: int) -> Iterator[int]:
    """Where something that looks like a member starts in [start, stop)."""
    magic = compression.magic(kind)
    position, data = start, b""
    stream.seek(start)
    while position < stop:
        more = stream.read(1 << 20)
        data += more
        searched = 0
        while (match := magic.search(data, searched)) and position + match.start() < stop:
            if more and match.start() > len(data) - 16:
                break
            yield position + match.start()
            searched = match.start() + 1
        if not more:
            return
        kept = max(searched, len(data) - 16)
        position, data = position + kept, data[kept:]


@dataclass
class _Walk:
    """Goes through the members from `begin` on, and notes what is in each range."""

    members: Members
    ranges: Ranges
    begin: int
    done: list[Stretch] = field(default_factory=list)
    first: int | None = None
    member: int = -1
    n_content: int = 0
    n_lines: int = 0
    top: int = -1
    excess: int = 0
    tail: bytes = b""
    cut: Cut | None = None
    cut_lines: int = -1
    is_sure: bool = False

    def go(self, stream: IO[bytes], source: str) -> list[Stretch] | None:
        """Return a Stretch for each range; None if something is wrong with the first member already, or it starts
        behind all ranges."""
        counts: Counter[str] = Counter()
        is_clean = True
        longest = _LONGEST * max(end - begin for begin, end in self.ranges) + _AHEAD
        blocks = compression.resumed(
            stream, source=source, recover=self.members.recover, counts=counts, start=self.begin
        )
        is_first = True
        try:
            for block in blocks:
                data = bytes(block.data or b"")
                if block.data is None or block.is_plain or counts or self._is_forbidden(data):
                    is_clean = False
                    break
                if block.start != self.member:
                    is_first = self.member < 0
                    if not self._next_member(block.start, data):
                        return self.done or None
                elif stream.tell() - self.member > longest:
                    is_clean = False
                    break
                self._take(data)
        except DamagedError:
            is_clean = False
        is_clean = is_clean and not counts
        if not is_clean and is_first:
            return None
        self._end_member()
        self._end_stretch(END, is_clean=is_clean)
        missing = len(self.ranges) - len(self.done)
        return self.done + [Stretch(None, is_clean=is_clean)] * missing

    def _is_forbidden(self, data: bytes) -> bool:
        """Whether the content has something that ties records of different members together."""
        if self.members.forbidden is None:
            return False
        hint, pattern = self.members.forbidden
        content = (self.tail + data).lower()
        return hint in content and pattern.search(content) is not None

    def _next_member(self, start: int, data: bytes) -> bool:
        """A member begins. Returns whether it belongs to one of the ranges."""
        self._end_member()
        while start >= self.ranges[len(self.done)][1]:
            self._end_stretch(start, is_clean=True)
            if len(self.done) == len(self.ranges):
                return False
        if self.first is None:
            self.first = start
        self.member = start
        # Of the first member of a walk it is not known what is before it.
        is_fit = bool(self.tail) and len(data) >= _LEAST and start > self.top
        if self.cut is None and is_fit and self.members.begins(self.tail, data):
            self.cut = Cut(start, self.n_content, self.tail.endswith(b"\n"))
            self.cut_lines = -1
        return True

    def _take(self, data: bytes) -> None:
        before = self.n_content
        self.n_content += len(data)
        self.n_lines += data.count(b"\n")
        self.tail = (self.tail + data[-_TAIL:])[-_TAIL:]
        if self.cut is not None and not self.is_sure:
            if self.cut_lines < 0 and (end := data.find(b"\n")) >= 0:
                self.cut_lines = before + end
            self.is_sure = 0 <= self.cut_lines <= self.n_content - _MARGIN

    def _end_member(self) -> None:
        if self.member < 0 or self.first is None:
            return
        if self.members.by_member:
            # Records of one member count on from its start by one; each has a line end.
            self.top = max(self.top + 1, self.member) + self.n_lines
        self.excess = max(self.excess, self.n_content - BOMB_RATIO * (self.member - self.first))
        self.n_lines = 0

    def _end_stretch(self, after: int, *, is_clean: bool) -> None:
        cut = self.cut if self.is_sure else None
        self.done.append(Stretch(self.first, after, self.n_content, cut, self.top, self.excess, is_clean))
        self.first, self.cut, self.is_sure = None, None, False
        self.n_content, self.top, self.excess = 0, -1, 0
