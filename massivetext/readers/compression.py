"""Compressed streams, known by their first bytes and not by their names: gzip, zstd, bzip2, xz, lz4, or none.

Output is made in pieces of bounded size, whatever the input promises. A file may be several members (gzip members, zstd
frames, ...) one after another; padding and garbage after a member are skipped and counted.
"""

from __future__ import annotations

import bz2
import contextlib
import io
import lzma
import re
from collections import deque
from collections.abc import Iterator, MutableMapping
from typing import IO, Any, NamedTuple

from massivetext.errors import SourceError
from massivetext.readers.decoders import PIECE, ZSTD_FEED, decode, inflater
from massivetext.readers.whole_members import first_member

__all__ = [
    "BOMB_BYTES",
    "BOMB_RATIO",
    "Block",
    "DamagedError",
    "Plain",
    "blocks",
    "detect",
    "magic",
    "pieces",
    "resumed",
    "zip_member",
]

BOMB_BYTES = 1 << 30
BOMB_RATIO = 250
"""A stream that has given more than BOMB_BYTES and more than BOMB_RATIO times its input is a decompression bomb."""

_READ = 1 << 16
_WHOLE = 1 << 17
"""Bytes of input in which the end of a gzip member is looked for, to decompress it in one call."""
_MEMORY = 1 << 28

_MEMBER = {
    "gzip": re.compile(rb"\x1f\x8b\x08[\x00-\x1f]"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "lz4": re.compile(rb"\x04\x22\x4d\x18|[\x50-\x5f]\x2a\x4d\x18"),
}
_LONGEST_MAGIC = 10
_BEGINNINGS = {
    "gzip": (b"\x1f\x8b\x08\x00",),
    "zstd": (b"\x28\xb5\x2f\xfd",),
    "bzip2": (b"BZh91AY&SY", b"BZh9\x17rE8P\x90"),
    "xz": (b"\xfd7zXZ\x00",),
    "lz4": (b"\x04\x22\x4d\x18",),
}
"""Bytes that a cut member is completed with, to see whether it would be one. Text may begin as skippable frames do."""
_LEAST = {"gzip": 2, "zstd": 2, "bzip2": 4, "xz": 2, "lz4": 2}
"""Bytes by which a file is known that ends within the magic bytes; fewer may be text, such as `BZh`."""
_FIRST_LINE = 1 << 12
_RECORD = re.compile(
    rb"\s*(?:WARC/\d|[a-z][a-z0-9+.-]*:\S[^\n]{0,3000} \S{8,20} [^\n]{0,100}\w/\S[^\n]{0,100} \d{1,18}\r?\n)",
    re.IGNORECASE,
)
"""How a record of a web archive begins, WARC or ARC."""
_NEXT = {kind: re.compile(magic.pattern + rb"|WARC/\d\.\d{1,2}\r?\n") for kind, magic in _MEMBER.items()}
"""The next member, or records that were appended without compressing them."""
_DICTIONARY = b"\x5d\x2a\x4d\x18"
"""The skippable frame that carries the dictionary of a .warc.zst (IIPC, "Use of Zstandard in WARC 1.0")."""


class DamagedError(SourceError):
    """A stream that cannot be read to its end. `reason`: truncated, corrupt, unreadable or bomb."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[DamagedError], tuple[str, str]]:
        return type(self), (self.reason, str(self))


class Block(NamedTuple):
    """Bytes of a stream. start: where they lie (plain) or their member starts (compressed) in the file as stored.
    data is None where bytes are missing: what comes next does not follow on what came before. It is a bytearray where
    that spares a copy. is_plain: the bytes are as stored. reason: why bytes are missing."""

    start: int
    data: bytes | bytearray | None
    is_plain: bool = False
    reason: str = "corrupt"


def detect(head: bytes) -> str | None:
    """The compression of a file that starts with these bytes: at least ten, or all of a shorter file, which may end
    within the magic bytes."""
    for kind, magic in _MEMBER.items():
        if magic.match(head) or (len(head) >= _LEAST[kind] and _is_cut(head, kind)):
            return kind
    return None


def _is_cut(data: bytes, kind: str) -> bool:
    """Whether these bytes are the first ones of a member of this compression, and too few to tell what follows."""
    return any(data[:1] == one[:1] and _MEMBER[kind].match(data + one[len(data) :]) for one in _BEGINNINGS[kind])


def blocks(
    stream: IO[bytes],
    *,
    source: str,
    recover: bool = False,
    counts: MutableMapping[str, int] | None = None,
    start: int = 0,
) -> Iterator[Block]:
    """The decompressed content of a file, in blocks of at most 1 MiB (zstd: 128 MiB).

    Args:
        stream: the file as stored.
        source: its name, for messages.
        recover: a member that is corrupt, or a bomb, is a gap (a Block without data), and reading goes on at the next.
        counts: gains `garbage_bytes`, and with `recover` `corrupt_members` and `bombs`.
        start: the byte to begin at, where a member or plain content begins.

    Raises:
        DamagedError: after all that can be read.
    """
    stream.seek(start)
    kind = detect(stream.read(_LONGEST_MAGIC))
    stream.seek(start)
    if kind is None:
        position = start
        while data := _input(stream, source):
            yield Block(position, data, is_plain=True)
            position += len(data)
        return
    yield from _Members(stream, kind, source, recover, {} if counts is None else counts, start).blocks()


def zip_member(stream: IO[bytes], kind: str, source: str) -> Iterator[bytes | bytearray]:
    """The content of a zip file's member in pieces.

    Args:
        stream: its compressed bytes.
        kind: `deflate` or `bzip2`.
        source: its name, for messages.

    Raises:
        DamagedError: after all that can be read.
    """
    stream.seek(0)
    members = _Members(stream, kind, source, False, {})
    try:
        yield from members._member()
    except DamagedError as damage:
        if damage.reason == "truncated":  # the zip file is not: it has all bytes that its list names
            damage = DamagedError("corrupt", f"{source}: corrupt {kind} data: it has no end")
        raise (members.fault or damage) from None


def magic(kind: str) -> re.Pattern[bytes]:
    """The pattern of the bytes that a member of this compression starts with."""
    return _MEMBER[kind]


def resumed(
    stream: IO[bytes],
    *,
    source: str,
    recover: bool = False,
    counts: MutableMapping[str, int] | None = None,
    start: int,
    content: int | None = None,
) -> Iterator[Block]:
    """The decompressed content from a member in the middle of a file on: what `blocks` of the whole file gives from
    there on, fault for fault, if nothing is wrong with the file before it.

    Args:
        stream: the file as stored, which is compressed.
        source: its name, for messages.
        recover: as in `blocks`.
        counts: as in `blocks`.
        start: the byte at which a member starts.
        content: decompressed bytes before it, which count for the limit of a bomb; None if they are not known, and only
            what follows counts.

    Raises:
        DamagedError: after all that can be read.
    """
    counts = {} if counts is None else counts
    if start == 0:
        yield from blocks(stream, source=source, recover=recover, counts=counts)
        return
    stream.seek(0)
    kind = detect(stream.read(_LONGEST_MAGIC)) or "gzip"
    dictionary = None
    if kind == "zstd":
        stream.seek(0)
        beginning = _Members(stream, kind, source, recover, {})
        if beginning._find_member() and beginning.pending[:4] == _DICTIONARY:
            beginning._skippable()
            dictionary = beginning.dictionary
    stream.seek(start)
    members = _Members(stream, kind, source, recover, counts, start)
    # What follows a fault depends on where blocks of input end: at the same bytes as in a read of the whole file.
    members.n_read = _READ - start % _READ
    members.is_resumed, members.dictionary = True, dictionary
    if content is not None:
        members.origin, members.given = 0, content
    yield from members.blocks()


def _input(stream: IO[bytes], source: str, n: int = _READ) -> bytes:
    try:
        return stream.read(n)
    except OSError as error:
        raise DamagedError("unreadable", f"{source}: cannot be read to its end: {error.strerror or error}") from error


class _Members:
    """Decodes member after member. `pending` is input not yet decoded, and starts at `position` of the file; `ahead`:
    blocks of input after it, read to find a member's end. is_whole: of the last corrupt member everything was given,
    and only its checksum is wrong. fault: of the input, raised once all before it is decoded."""

    def __init__(
        self,
        stream: IO[bytes],
        kind: str,
        source: str,
        recover: bool,
        counts: MutableMapping[str, int],
        position: int = 0,
    ) -> None:
        self.stream, self.kind, self.source, self.recover, self.counts = stream, kind, source, recover, counts
        self.pending, self.position, self.given = b"", position, 0
        self.origin = position
        self.n_read = _READ
        self.ahead: deque[bytes] = deque()
        self.is_resumed = False
        self.dictionary: Any = None
        self.is_whole = False
        self.fault: DamagedError | None = None

    def blocks(self) -> Iterator[Block]:
        try:
            yield from self._blocks()
        except DamagedError as damage:
            if self.fault is None or damage.reason != "truncated":
                raise
        if self.fault is not None:
            raise self.fault

    def _blocks(self) -> Iterator[Block]:
        while True:
            if self.recover and (self._fill(_FIRST_LINE) or self.pending) and _RECORD.match(self.pending):
                yield from self._rest()
                return
            if not self._find_member():
                return
            if self.recover and self.pending.startswith(b"WARC/"):
                continue
            start = self.position
            try:
                for data in self._member():
                    self.given += len(data)
                    if self.given > BOMB_BYTES and self.given > BOMB_RATIO * (self.position - self.origin + _READ):
                        raise DamagedError(
                            "bomb",
                            f"{self.source}: decompression bomb: {self.given} bytes out of {self.position}; beyond "
                            f"{BOMB_BYTES} bytes at most {BOMB_RATIO} times the input is read",
                        )
                    if data:
                        yield Block(start, data)
            except DamagedError as damage:
                if damage.reason not in ("corrupt", "bomb") or not self.recover:
                    raise
                is_bomb = damage.reason == "bomb"
                key = "bombs" if is_bomb else "corrupt_members"
                self.counts[key] = self.counts.get(key, 0) + 1
                if is_bomb or not self.is_whole:
                    yield Block(start, None, reason=damage.reason)
                if is_bomb:  # what follows it is measured by itself
                    self.given, self.origin = 0, self.position
                self._drop(1)

    def _rest(self) -> Iterator[Block]:
        """Records that someone appended without compressing them."""
        while self.pending or self._fill(1):
            yield Block(self.position, self.pending, is_plain=True)
            self._drop(len(self.pending))

    def _fill(self, n: int) -> bool:
        """At least n bytes pending, if the file has them."""
        while len(self.pending) < n:
            data = self.ahead.popleft() if self.ahead else self._read()
            if not data:
                return False
            self.pending += data
        return True

    def _read(self) -> bytes:
        if self.fault is not None:
            return b""
        try:
            data = _input(self.stream, self.source, self.n_read)
        except DamagedError as fault:
            self.fault, data = fault, b""
        self.n_read = _READ
        return data

    def _drop(self, n: int) -> None:
        n = min(n, len(self.pending))
        self.pending = self.pending[n:]
        self.position += n

    def _find_member(self) -> bool:
        """Go to the next member; what stands between members is counted unless it is zero padding."""
        skipped = 0
        while self._fill(_LONGEST_MAGIC) or self.pending:
            found = (_NEXT if self.recover else _MEMBER)[self.kind].search(self.pending)
            if not found and self.pending and _is_cut(self.pending, self.kind):
                raise DamagedError("truncated", f"{self.source}: truncated: its last {self.kind} member has no end")
            garbage = found.start() if found else max(len(self.pending) - _LONGEST_MAGIC + 1, 1)
            skipped += garbage - self.pending[:garbage].count(0)
            self._drop(garbage)
            if found:
                break
        if skipped:
            self.counts["garbage_bytes"] = self.counts.get("garbage_bytes", 0) + skipped
        return bool(self.pending)

    def _member(self) -> Iterator[bytes | bytearray]:
        if self.kind == "zstd" and self.pending[1:4] == _DICTIONARY[1:]:
            self._skippable()
            return
        if self.kind == "gzip" and (whole := self._whole_member()) is not None:
            content, size = whole
            yield content
            self._drop(size)
            return
        decoder = self._decoder()
        start, given = self.position, 0
        while self.pending or self._fill(1):
            chunk = self.pending[: ZSTD_FEED if self.kind == "zstd" else _READ]
            try:
                for data in decode(decoder, chunk):
                    given += len(data)
                    yield data
            except Exception as error:  # each library has errors of its own, and lz4 raises RuntimeError
                try:
                    rescued = self._before_fault(start, given, len(chunk))
                except DamagedError:  # a member of a container that cannot be read again
                    rescued = b""
                yield from (rescued[at : at + PIECE] for at in range(0, len(rescued), PIECE))
                self.is_whole = "incorrect data check" in str(error) or "incorrect length check" in str(error)
                raise DamagedError(
                    "corrupt", f"{self.source}: corrupt {self.kind} data near byte {self.position}: {error}"
                ) from error
            if decoder.eof:
                self._drop(len(chunk) - len(decoder.unused_data or b""))
                return
            self._drop(len(chunk))
        raise DamagedError("truncated", f"{self.source}: truncated: its last {self.kind} member has no end")

    def _whole_member(self) -> tuple[bytearray, int] | None:
        """The content of a gzip member and its length, if it is small and sound. What was read to find that out and is
        not of the member stays in blocks: what is found after a fault depends on where they end."""
        held, is_all = b"".join((self.pending, *self.ahead)), False
        while (whole := first_member(held, PIECE, is_all=is_all)) is None:
            if is_all or len(held) >= _WHOLE:
                return None
            data = self._read()
            is_all = not data
            if data:
                self.ahead.append(data)
                held += data
        self._fill(whole[1])
        return whole

    def _before_fault(self, start: int, given: int, n: int) -> bytes:
        """Return what the member gives between what it has given and the fault in the next n bytes of input.

        A decoder that fails keeps what it made of the same bytes. So the member is decoded once more from its start,
        and the last n bytes are fed in ever smaller pieces (where decoders can be copied: zlib) or byte by byte.
        """
        decoder = self._decoder()
        position = self.stream.tell()
        self.stream.seek(start)
        remaining = self.position - start
        size = ZSTD_FEED if self.kind == "zstd" else _READ
        while remaining:
            chunk = self.stream.read(min(remaining, size))
            remaining -= len(chunk)
            given -= sum(map(len, decode(decoder, chunk)))
        self.stream.seek(position)
        rescued: list[bytes] = []
        rest = self.pending[:n]
        if self.kind not in ("gzip", "deflate"):
            with contextlib.suppress(Exception):  # the fault
                for at in range(len(rest)):
                    rescued.extend(decode(decoder, rest[at : at + 1]))
            return b"".join(rescued)[given:]
        size = n // 2
        while rest and size:
            before = decoder.copy()
            try:
                rescued += decode(decoder, rest[:size])
                rest = rest[size:]
            except Exception:  # the fault, here or earlier
                decoder, size = before, size // 2
        return b"".join(rescued)[given:]

    def _decoder(self) -> Any:
        if self.kind in ("gzip", "deflate"):
            return inflater(31 if self.kind == "gzip" else -15)
        if self.kind == "bzip2":
            return bz2.BZ2Decompressor()
        if self.kind == "xz":
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
        if self.kind == "lz4":
            import lz4.frame

            return lz4.frame.LZ4FrameDecompressor()
        import zstandard

        return zstandard.ZstdDecompressor(self.dictionary, max_window_size=_MEMORY).decompressobj()

    def _skippable(self) -> None:
        """Pass a skippable frame; the first may hold the dictionary of all frames."""
        import zstandard

        self._fill(8)
        is_dictionary = self.pending[:4] == _DICTIONARY and self.position == self.origin and not self.is_resumed
        left = int.from_bytes(self.pending[4:8], "little")
        self._drop(8)
        if is_dictionary and left <= _MEMORY:
            self._fill(left)
            content = self.pending[:left]
            try:
                if _MEMBER["zstd"].match(content):
                    with zstandard.ZstdDecompressor(max_window_size=_MEMORY).stream_reader(content) as reader:
                        content = reader.read(_MEMORY)
                self.dictionary = zstandard.ZstdCompressionDict(content)
            except zstandard.ZstdError as error:
                raise DamagedError(
                    "unreadable", f"{self.source}: its zstd dictionary cannot be read: {error}"
                ) from error
        while left and (self.pending or self._fill(1)):
            n = min(left, len(self.pending))
            self._drop(n)
            left -= n
        if left:
            raise DamagedError("truncated", f"{self.source}: truncated: a zstd skippable frame has no end")


def pieces(content: Iterator[Block], head: int = 1024) -> Iterator[bytes]:
    """The data of blocks; the first piece has at least `head` bytes if there are so many. What a damaged stream gives
    before its fault is given before its error is raised."""
    first = b""
    try:
        for block in content:
            first += block.data or b""
            if len(first) >= head:
                break
    except DamagedError:
        if first:
            yield first
        raise
    if first:
        yield first
    for block in content:
        if block.data:
            yield bytes(block.data)


class Plain(io.RawIOBase):
    """The decompressed content of a file as a readable stream, for libraries that want one. Raises what `blocks`
    raises."""

    def __init__(self, stream: IO[bytes], *, source: str, counts: MutableMapping[str, int] | None = None) -> None:
        super().__init__()
        self._blocks = blocks(stream, source=source, counts=counts)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block.data or b"")
        n = min(len(buffer), len(self._rest))
        buffer[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n
