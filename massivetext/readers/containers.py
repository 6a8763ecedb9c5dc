"""Zip and tar files of data: each member that is a file of the format is read in its turn, nothing unpacked to disk.

Offsets of a member follow those of the members before it: the format's own offset in the member, plus the sizes of the
members before it. Members that are no data are left out and counted as `members_left_out`: names that begin with `.`,
`_` or `__MACOSX`, and, where some names end as the format's files do, all others (a README beside the data).
"""

from __future__ import annotations

import copy
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, MutableMapping
from tarfile import InvalidHeaderError, ReadError, TruncatedHeaderError  # type: ignore[attr-defined]
from typing import IO, Any, NamedTuple, TypeVar, cast

from massivetext import globs
from massivetext.readers import compression
from massivetext.readers.compression import BOMB_BYTES, BOMB_RATIO, DamagedError
from massivetext.readers.decoders import crc32

__all__ = ["ERRORS", "Member", "TarHeader", "is_container", "is_named", "is_tar", "is_zip", "members", "zip_reason"]

ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError, KeyError)
"""What zipfile raises for archives that are broken, encrypted or of a kind that it cannot read."""

T = TypeVar("T")
_FIRST = 1 << 16

_COMPRESSED = re.compile(r"\.(?:gz|gzip|bz2|xz|zst|zstd|lz4)\Z", re.IGNORECASE)


class Member(NamedTuple):
    """One file to read. name: empty for a file that is no container. base: what is added to offsets in it. reason: why
    it cannot be read, if so; stream is then empty."""

    stream: IO[bytes]
    name: str = ""
    base: int = 0
    reason: str | None = None

    def range(self, start: int, stop: int) -> tuple[int, int]:
        """The range of a file that is read, or all of a member: ranges are those of the container."""
        return (0, 1 << 62) if self.name else (start, stop)


def is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK00PK\x03\x04"))


def zip_reason(error: Exception) -> str:
    """Why zipfile cannot open a file that begins as a zip file does: without its end, the list of members is gone."""
    return "truncated" if "not a zip file" in str(error) else "corrupt"


def is_tar(head: bytes) -> bool:
    """Whether 512 bytes, decompressed, are a tar header: by its checksum, or by `ustar` in its place."""
    if len(head) < 512 or not head[:512].strip(b"\0"):
        return False
    try:
        tarfile.TarInfo.frombuf(head[:512], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return head[257:262] == b"ustar"
    return True


def is_container(stream: IO[bytes]) -> bool:
    """Whether a file is a zip file, or a tar file that is not compressed: what has no lines to split it at."""
    stream.seek(0)
    head = stream.read(512)
    return is_zip(head) or is_tar(head)


def members(
    stream: IO[bytes], *, source: str, extensions: tuple[str, ...], counts: MutableMapping[str, int]
) -> Iterator[Member]:
    """The file itself, or the members of a zip or tar file, in its order.

    Args:
        stream: the file as stored, seekable.
        source: its name, for messages.
        extensions: how names of the format's files end, in lower case, before an ending such as `.gz`.
        counts: gains `members_left_out`.

    Raises:
        DamagedError: for a container that cannot be read to its end, after the members before the damage and one that
            stands for what is lost. A member whose own content is damaged raises it when it is read, and the next ones
            follow.
    """
    stream.seek(0)
    head = stream.read(512)
    if is_zip(head):
        inner, is_stream = _zip_members(stream, source, extensions, counts), False
    elif is_tar(_decompressed_head(stream, head, source)):
        inner, is_stream = _tar_members(stream, source, extensions, counts), True
    else:
        stream.seek(0)
        yield Member(stream)
        return
    after, content = 0, None
    try:
        for member, size in inner:
            content = member.stream
            yield member
            after = member.base + size + 1
    except DamagedError as fault:
        # A tar file ends in the member that its damage is in, and the reader of that member has made a row.
        if not (is_stream and isinstance(content, _Content) and content.fault is not None):
            yield Member(io.BytesIO(), "", after, f"failed.{fault.reason}")
        raise


def _decompressed_head(stream: IO[bytes], head: bytes, source: str) -> bytes:
    if compression.detect(head) is None:
        return head
    first = b""
    try:
        for block in compression.blocks(stream, source=source):
            first += block.data or b""
            if len(first) >= 512:
                break
    except DamagedError:
        pass  # reading the content says so
    return first


def _chosen(names: list[str], extensions: tuple[str, ...]) -> set[str]:
    """The names that are data."""
    visible = [name for name in names if not globs.is_hidden(name.replace("\\", "/").removeprefix("./"))]
    of_format = [name for name in visible if is_named(name, extensions)]
    return set(of_format or visible)


def is_named(name: str, extensions: tuple[str, ...]) -> bool:
    """Whether a file's name ends in one of these, before an ending of compression."""
    return _COMPRESSED.sub("", name).lower().endswith(extensions)


def _zip_members(
    stream: IO[bytes], source: str, extensions: tuple[str, ...], counts: MutableMapping[str, int]
) -> Iterator[tuple[Member, int]]:
    packed = stream.seek(0, io.SEEK_END)
    try:
        archive = zipfile.ZipFile(stream)
    except ERRORS as error:
        reason = zip_reason(error)
        raise DamagedError(reason, f"{source}: {reason}: a zip file that cannot be read: {error}") from error
    with archive:
        infos = [info for info in archive.infolist() if not info.filename.endswith("/")]  # it may be empty
        chosen = _chosen([info.filename for info in infos], extensions)
        base, unpacked = 0, 0
        for info in infos:
            if info.filename not in chosen:
                counts["members_left_out"] = counts.get("members_left_out", 0) + 1
                continue
            unpacked += info.file_size
            if unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * packed:
                raise DamagedError("bomb", f"{source}: decompression bomb: {unpacked} bytes out of {packed}")
            if info.flag_bits & 1:
                yield Member(io.BytesIO(), info.filename, base, "failed.encrypted"), info.file_size
            else:
                where = f"{source}: member {info.filename!r}"
                with _opened(archive, info, where) as content:
                    yield Member(cast("IO[bytes]", content), info.filename, base), info.file_size
            base += info.file_size + 1


def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> _Content:
    """A member's content. zipfile gives nothing of a piece in which decoding fails, nor of the last one if the checksum
    is wrong: so what is stored is decoded here, and the checksum is tested after all is read."""
    stored = copy.copy(info)
    stored.CRC = None  # type: ignore[assignment]  # zipfile then tests none
    kind = {zipfile.ZIP_DEFLATED: "deflate", zipfile.ZIP_BZIP2: "bzip2"}.get(info.compress_type)
    if kind is not None:
        stored.compress_type, stored.file_size = zipfile.ZIP_STORED, info.compress_size
    try:
        file = archive.open(stored)
    except ERRORS as error:
        content = _Content(io.BytesIO(), where, info.file_size)
        content.fault = DamagedError("corrupt", f"{where}: cannot be read: {error}")
        return content
    return _Content(_Unpacked(file, kind, where) if kind else file, where, info.file_size, info.CRC)


def _tar_members(
    stream: IO[bytes], source: str, extensions: tuple[str, ...], counts: MutableMapping[str, int]
) -> Iterator[tuple[Member, int]]:
    names = [info.name for info, _ in _tar_infos(stream, source, is_quiet=True) if info.isfile()]
    chosen = _chosen(names, extensions)
    base = 0
    for info, archive in _tar_infos(stream, source, is_quiet=False):
        if not info.isfile():
            continue
        if info.name not in chosen:
            counts["members_left_out"] = counts.get("members_left_out", 0) + 1
            continue
        span = _Span(archive.fileobj, info.offset_data, info.size)
        file = archive.extractfile(info) if info.issparse() else cast("IO[bytes]", span)
        if file is not None:
            with _Content(file, f"{source}: member {info.name!r}", info.size) as content:
                yield Member(cast("IO[bytes]", content), info.name, base), info.size
        base += info.size + 1


def _tar_infos(stream: IO[bytes], source: str, *, is_quiet: bool) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """Headers of a tar file's members, each before its content is read. is_quiet: damage ends them without an error."""
    plain = _Quiet(stream, source)
    fault: DamagedError | None = None
    try:
        archive = tarfile.open(  # noqa: SIM115  reads a stream that is not its own
            fileobj=cast("IO[bytes]", plain),
            mode="r|",
            tarinfo=TarHeader,
            encoding="utf-8",
            errors="surrogateescape",
        )
        while (info := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every member's header for ever
            yield info, archive
    except DamagedError:
        raise
    except (tarfile.TarError, ValueError, OverflowError, MemoryError, EOFError, OSError) as error:
        is_cut = any(word in str(error) for word in ("unexpected end", "truncated", "empty"))
        reason = "truncated" if is_cut else "corrupt"
        fault = DamagedError(reason, f"{source}: a tar file that cannot be read to its end: {error}")
    fault = plain.fault or fault
    if fault and not is_quiet:
        raise fault


class TarHeader(tarfile.TarInfo):
    """The header of a tar file's member. A damaged one is an error; tarfile takes it for the end of the file, unless it
    is the first."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> TarHeader:
        try:
            return super().fromtarfile(tarfile)
        except (InvalidHeaderError, TruncatedHeaderError) as error:
            raise ReadError(f"{error} at byte {tarfile.offset}") from error


class _Quiet(io.RawIOBase):
    """The decompressed content of a file up to its fault, which `fault` then holds: tarfile would lose what it has read
    of a member when its input raises."""

    def __init__(self, stream: IO[bytes], source: str) -> None:
        super().__init__()
        self.fault: DamagedError | None = None
        self._plain = compression.Plain(stream, source=source)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.fault:
            return 0
        try:
            return self._plain.readinto(buffer)
        except DamagedError as fault:
            self.fault = fault
            return 0


class _Span:
    """The content of a tar member as far as it goes; tarfile's own reader gives nothing of a piece that is cut."""

    def __init__(self, stream: Any, begin: int, size: int) -> None:
        self._stream, self._begin, self._left = stream, begin, size
        self._is_there = False

    def read(self, n: int) -> bytes:
        if not self._is_there:
            self._stream.seek(self._begin)
            self._is_there = True
        data = self._stream.read(min(n, self._left))
        self._left -= len(data)
        return data

    def seek(self, offset: int) -> int:
        raise tarfile.StreamError(f"a member of a tar file cannot be read again from byte {offset}")


class _Unpacked:
    """The content of a compressed member of a zip file, up to a fault in it."""

    def __init__(self, stored: IO[bytes], kind: str, where: str) -> None:
        self._stored, self._kind, self._where = stored, kind, where
        self._restart()

    def _restart(self) -> None:
        self._pieces = compression.zip_member(self._stored, self._kind, self._where)
        self._piece = memoryview(b"")
        self._at = 0

    def read(self, n: int) -> bytes:
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._piece = memoryview(piece)
        data = bytes(self._piece[:n])
        self._piece = self._piece[n:]
        self._at += len(data)
        return data

    def seek(self, offset: int) -> int:
        if offset < self._at:
            self._restart()
        while self._at < offset and self.read(offset - self._at):
            pass
        return self._at


class _Content(io.RawIOBase):
    """The content of a member, whose errors are all DamagedErrors. It can go back as far as its first 64 KiB are read,
    or anywhere if the container can. It is not buffered: what stands before a fault would be lost in a buffer.

    size: bytes that it should have; checksum: their CRC-32, for a zip file, which is whole if its list of members is
    there: what is wrong in a member is corrupt, not truncated. fault: what ended the content before its
    end, which each further reading at that place raises again.
    """

    def __init__(self, file: Any, where: str, size: int, checksum: int | None = None) -> None:
        super().__init__()
        self._file, self._where, self._size, self._checksum = file, where, size, checksum
        self._first = b""
        self._at = self._taken = self._summed = self._sum = 0
        self.fault: DamagedError | None = None
        self._fault_at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        offset += (0, self._at, self._size)[whence]
        if offset != self._at and max(offset, self._taken) > len(self._first):
            self._guarded(lambda: self._file.seek(offset))
            self._taken = offset
        self._at = offset
        return offset

    def readinto(self, buffer: Any) -> int:
        if self._at < self._taken:
            data = self._first[self._at : min(self._taken, self._at + len(buffer))]
        else:
            data = self._next(len(buffer))
            if self._taken == len(self._first) < _FIRST:
                self._first += data
            self._taken += len(data)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _next(self, n: int) -> bytes:
        """At most n bytes that are not held; none at the end of what is whole."""
        if self.fault is not None and self._at >= self._fault_at:
            raise self.fault
        try:
            data = self._guarded(lambda: self._file.read(max(0, min(n, _FIRST, self._size - self._at))))
            if self._at <= self._summed < self._at + len(data):
                self._sum = crc32(memoryview(data)[self._summed - self._at :], self._sum)
                self._summed = self._at + len(data)
            if not data and self._at < self._size:
                reason = "truncated" if self._checksum is None else "corrupt"
                why = f"it ends after {self._at} of {self._size} bytes"
                raise DamagedError(reason, f"{self._where}: {reason}: {why}")
            if not data and self._summed == self._size and self._checksum not in (None, self._sum):
                raise DamagedError("corrupt", f"{self._where}: corrupt: its checksum is another one")
        except DamagedError as fault:
            self.fault, self._fault_at = fault, self._at
            raise
        return data

    def _guarded(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except tarfile.TarError as error:
            raise DamagedError("truncated", f"{self._where}: truncated: {error}") from error
        except ERRORS as error:
            raise DamagedError("corrupt", f"{self._where}: cannot be read to its end: {error}") from error
