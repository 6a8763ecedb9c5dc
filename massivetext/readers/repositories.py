"""Repositories of code: folders, tar files (plain or compressed) and zip files; one record a file, licence from its
repository's licence file.

A source is a folder of repositories and archives, or a pattern that matches them. A path is one repository, or one
archive: a top-level folder of an archive is a repository, and an archive with a licence file at its top is one itself.
Nothing is unpacked to disk, and nothing is followed: links, devices and members whose names lead out of the archive are
rows of the ledger, never files.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import IO, NamedTuple, cast

from massivetext import globs, storage
from massivetext.documents import Record
from massivetext.errors import SourceError
from massivetext.readers import compression, declarations, encodings, licences
from massivetext.readers.compression import BOMB_BYTES, BOMB_RATIO, DamagedError
from massivetext.readers.containers import ERRORS, TarHeader, is_tar, is_zip, zip_reason
from massivetext.readers.fields import encoding_option
from massivetext.readers.kinds import HEAD, kind_of
from massivetext.readers.reader import Reader
from massivetext.text import clean

__all__ = ["MAX_FILE", "READER", "find", "is_folder", "read", "size", "stamp"]

MAX_FILE = 64 << 20
"""Bytes of a file of code; a longer one is `failed.too_large`."""

MAX_MEMBERS = 5_000_000
_LICENCE = 1 << 16
_DECLARATION = 1 << 18
_ARCHIVE = re.compile(r"\.(?:tar|tgz|tbz2?|txz|tar\.\w+|zip|whl)\Z", re.IGNORECASE)
_IGNORED = frozenset((".git", ".hg", ".svn"))
"""Folders that hold a repository's history, not its files."""


class _Member(NamedTuple):
    """A file of a repository or archive. reason: why it cannot be read, if so."""

    path: str
    size: int
    reason: str | None
    read: Callable[[], bytes | None]


def find(pattern: str) -> list[str]:
    """Repositories and archives: those in a folder, or those that a pattern matches; sorted.

    Names that begin with `.` or `_` are left out as `storage.find` does; within a repository they are files like any.
    """
    pattern = storage.local_path(pattern).rstrip("/")
    if not globs.is_pattern(pattern) or storage.is_named(pattern):
        if not is_folder(pattern):
            return storage.find(pattern)
        prefix, rest = pattern + "/", "*"
    elif "**" in pattern:
        return storage.find(pattern)
    else:
        prefix, rest = globs.split(pattern)
    depth = rest.count("/") + 1
    matches, leads = globs.matcher(rest), globs.folder_matcher(rest)

    def repository(path: str) -> str:
        below = path[len(prefix) :] if prefix else os.path.normpath(path)
        return "/".join(below.split("/")[:depth])

    def is_needed(folder: str) -> bool:
        name = repository(folder)
        return name in ("", ".") or leads(name) is not None or matches(name) is not None

    names = map(repository, storage.list_files(prefix or ".", is_needed=is_needed))
    return sorted({prefix + name for name in names if matches(name)})


def is_folder(path: str) -> bool:
    if not storage.is_remote(path):
        return os.path.isdir(path)
    return storage.find(path) != [path]


def size(path: str) -> int:
    """Bytes of the archive, or of all files of the folder."""
    if not is_folder(path):
        return storage.size(path)
    return sum(_lstat(name)[0] for name in storage.list_files(path))


def read(
    stream: IO[bytes] | None,
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """One record a file; offset: its ordinal, by path in a folder and by place in an archive; metadata path, repo_name,
    license (SPDX ids; none if the repository has no licence file, or one that is not recognised).

    Reasons: `skipped.binary`, `skipped.link`, `skipped.device`, `failed.unsafe_path`, `failed.too_large`,
    `failed.encrypted`, `failed.corrupt`, `failed.truncated`. Files of version control are counted as `history`.
    """
    encoding = encoding_option(options)
    if stream is None:
        name = source.rstrip("/").rpartition("/")[2]
        yield from _records(lambda: _folder_members(source), source, lambda path: (name, path), counts, encoding)
        return
    stream.seek(0)
    head = stream.read(16)
    if is_zip(head):
        packed = stream.seek(0, os.SEEK_END)
        try:
            with zipfile.ZipFile(stream) as archive:
                yield from _archive_records(lambda: _zip_members(archive, packed, source), source, counts, encoding)
        except ERRORS as error:
            if isinstance(error, SourceError):
                raise
            reason = zip_reason(error)
            yield Record(0, outcome="failed", reason=f"failed.{reason}")
            raise DamagedError(reason, f"{source}: {reason}: a zip file that cannot be read: {error}") from error
    elif _is_tar(stream, source):
        yield from _archive_records(lambda: _tar_members(stream, source), source, counts, encoding)
    else:
        name = source.rpartition("/")[2]
        stream.seek(0)

        def one() -> Iterator[_Member]:
            yield _Member(name, storage.size(source), None, lambda: _limited(stream))

        yield from _records(one, source, lambda path: (name, path), counts, encoding)


def _archive_records(
    members: Callable[[], Iterator[_Member]], source: str, counts: MutableMapping[str, int], encoding: str | None
) -> Iterator[Record]:
    """An archive is read twice: its licence files may stand after the files that they are for."""
    archive = _ARCHIVE.sub("", source.rpartition("/")[2]) or "archive"
    tops = set()
    try:
        for member in members():
            is_at_top = "/" not in member.path and licences.is_licence_file(member.path)
            if is_at_top or re.fullmatch(r"LICENSES/[^/]+", member.path):
                yield from _records(members, source, lambda path: (archive, path), counts, encoding)
                return
            tops.add(member.path.partition("/")[0])
    except DamagedError:
        pass  # the second reading says so, after what can be read

    def place(path: str) -> tuple[str, str]:
        top, slash, rest = path.partition("/")
        return (top, rest) if slash else (archive, path)

    yield from _records(members, source, place, counts, encoding)


def _records(
    members: Callable[[], Iterator[_Member]],
    source: str,
    place: Callable[[str], tuple[str, str]],
    counts: MutableMapping[str, int],
    encoding: str | None,
) -> Iterator[Record]:
    """place: path in the archive -> (repository, path in it)."""
    found = _licences(members, place)
    ordinal = 0
    try:
        for member in members():
            repository, path = place(member.path)
            if not _IGNORED.isdisjoint(path.split("/")[:-1]):
                counts["history"] = counts.get("history", 0) + 1
            else:
                metadata = {"path": clean(path), "repo_name": clean(repository), **found.get(repository, {})}
                yield _record(ordinal, member, metadata, encoding)
            ordinal += 1
    except DamagedError as damage:
        yield Record(ordinal, outcome="failed", reason=f"failed.{damage.reason}")
        raise


class _Licences:
    """What is known of one repository's licences: by path, of the files nearest to its top, for each way to say it."""

    def __init__(self) -> None:
        self.depth: dict[str, int] = {}
        self.names: dict[str, dict[str, str]] = {}

    def wants(self, way: str, depth: int) -> bool:
        """Whether a file at this depth is as near to the top as those that were read."""
        return depth <= self.depth.get(way, depth)

    def add(self, way: str, depth: int, path: str, name: str) -> None:
        if depth < self.depth.get(way, depth + 1):
            self.depth[way], self.names[way] = depth, {}
        self.names[way][path] = name

    def expression(self) -> str | None:
        """All licences of licence files; else of package metadata; else of READMEs."""
        for way in ("file", "metadata", "readme"):
            if names := sorted(set(self.names.get(way, {}).values())):
                is_several = len(names) > 1
                return " AND ".join(f"({name})" if is_several and " OR " in name else name for name in names)
        return None


def _licences(
    members: Callable[[], Iterator[_Member]], place: Callable[[str], tuple[str, str]]
) -> dict[str, dict[str, str]]:
    """Repository -> {"license": ids}. The licence files nearest to a repository's top decide, all of them; a file that
    is not recognised counts as a licence that is not allowed. Where there is none, declarations do."""
    by_repository: dict[str, _Licences] = {}
    try:
        for member in members():
            repository, path = place(member.path)
            found = None if member.reason else _way(path)
            if found is None:
                continue
            way, depth = found
            known = by_repository.setdefault(repository, _Licences())
            if not known.wants(way, depth):
                continue
            try:
                data = member.read() if member.size <= (_LICENCE if way == "file" else _DECLARATION) else None
            except DamagedError:
                raise
            except (*ERRORS, SourceError):
                data = None  # a licence file that cannot be read is one that is not recognised
            name = path.rpartition("/")[2]
            text = encodings.decode_any(data or b"")[0]
            if way != "file":
                licence = declarations.declared_licence(name, text)
                if licence is not None:
                    known.add(way, depth, path, licence)
            elif not licences.is_notice(name, text):
                known.add(way, depth, path, licences.identify(text) or "NOASSERTION")
    except DamagedError:
        pass  # reading the files will say so
    return {
        repository: {"license": expression}
        for repository, known in by_repository.items()
        if (expression := known.expression()) is not None
    }


def _way(path: str) -> tuple[str, int] | None:
    """(how a file of this path names a licence, its depth): by being one, as metadata, or in a README; None if not."""
    name, depth = path.rpartition("/")[2], path.count("/")
    if licences.is_of_reuse(path):
        return "file", depth - 1
    if licences.is_licence_file(name):
        return "file", depth
    if declarations.is_metadata_file(name):
        return "metadata", depth
    return ("readme", depth) if declarations.is_readme(name) else None


def _record(ordinal: int, member: _Member, metadata: Mapping[str, str], encoding: str | None) -> Record:
    def without_text(reason: str) -> Record:
        return Record(ordinal, outcome=reason.partition(".")[0], reason=reason, metadata=metadata)

    if member.reason:
        return without_text(member.reason)
    if member.size > MAX_FILE:
        return without_text("failed.too_large")
    try:
        data = member.read()
    except DamagedError:
        raise
    except (*ERRORS, SourceError) as error:
        return without_text("failed.encrypted" if "encrypted" in str(error) else "failed.corrupt")
    if data is None:
        return without_text("failed.too_large")
    kind = kind_of(data[:HEAD])
    if (kind is not None and kind.is_binary) or encodings.is_binary(data):
        return without_text("skipped.binary")
    text, n_replaced = encodings.decode_any(data, encoding)
    return Record(ordinal, text, n_replaced=n_replaced, metadata=metadata)


def _limited(stream: IO[bytes]) -> bytes | None:
    data = stream.read(MAX_FILE + 1)
    return data if len(data) <= MAX_FILE else None


def _is_unsafe(name: str) -> bool:
    """Whether a member has no name, or one that leads out of its archive."""
    if not name or name.startswith(("/", "\\")) or name[1:2] == ":":
        return True
    return ".." in re.split(r"[/\\]", name) or "\0" in name


def _folder_members(folder: str) -> Iterator[_Member]:
    base = folder.rstrip("/") + "/"
    for name in storage.list_files(folder):
        n_bytes, reason = _lstat(name)

        def content(name: str = name) -> bytes | None:
            with storage.open_input(name) as stream:
                return _limited(stream)

        yield _Member(name[len(base) :].replace(os.sep, "/"), n_bytes, reason, content)


def _lstat(name: str) -> tuple[int, str | None]:
    if storage.is_remote(name):
        return storage.size(name), None
    try:
        found = os.lstat(name)
    except OSError:
        return 0, "failed.corrupt"
    if stat.S_ISLNK(found.st_mode):
        return 0, "skipped.link"
    return found.st_size, None if stat.S_ISREG(found.st_mode) else "skipped.device"


def _is_tar(stream: IO[bytes], source: str) -> bool:
    """Whether the file, decompressed, starts with a tar header: `ustar`, or a checksum that fits."""
    try:
        head = next(compression.pieces(compression.blocks(stream, source=source), 512), b"")[:512]
    except DamagedError:
        return _ARCHIVE.search(source) is not None
    if len(head) < 512 or not head.strip(b"\0"):
        return _ARCHIVE.search(source) is not None
    return is_tar(head)


def _tar_members(stream: IO[bytes], source: str) -> Iterator[_Member]:
    plain = compression.Plain(stream, source=source)
    try:
        archive = tarfile.open(  # noqa: SIM115  reads a stream that is not its own
            fileobj=cast("IO[bytes]", plain),
            mode="r|",
            tarinfo=TarHeader,
            encoding="utf-8",
            errors="surrogateescape",
        )
        number = 0
        while (info := archive.next()) is not None:
            number += 1
            if number > MAX_MEMBERS:
                raise DamagedError("too_large", f"{source}: more than {MAX_MEMBERS} members")
            archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every member's header for ever
            if info.isdir():
                continue
            name = info.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            reason = None
            if _is_unsafe(name):
                reason = "failed.unsafe_path"
            elif info.issym() or info.islnk():
                reason = "skipped.link"
            elif not info.isfile():
                reason = "skipped.device"

            def content(info: tarfile.TarInfo = info) -> bytes | None:
                try:
                    file = archive.extractfile(info)
                    data = b"" if file is None else file.read(MAX_FILE + 1)
                except tarfile.TarError as error:
                    raise DamagedError("truncated", f"{source}: truncated: {info.name!r}: {error}") from error
                if len(data) < min(info.size, MAX_FILE + 1):
                    raise DamagedError("truncated", f"{source}: truncated: ends inside {info.name!r}")
                return data if len(data) <= MAX_FILE else None

            yield _Member(name.removeprefix("./"), info.size, reason, content)
    except DamagedError:
        raise
    except (tarfile.TarError, ValueError, OverflowError, MemoryError, EOFError, OSError) as error:
        is_cut = "unexpected end" in str(error) or "truncated" in str(error) or "empty" in str(error)
        reason = "truncated" if is_cut else "corrupt"
        raise DamagedError(reason, f"{source}: a tar file that cannot be read to its end: {error}") from error


def _zip_members(archive: zipfile.ZipFile, packed: int, source: str) -> Iterator[_Member]:
    given = 0
    for info in archive.infolist():
        if info.filename.endswith("/"):
            continue
        mode = info.external_attr >> 16
        reason = None
        if _is_unsafe(info.filename):
            reason = "failed.unsafe_path"
        elif stat.S_ISLNK(mode):
            reason = "skipped.link"
        elif stat.S_IFMT(mode) and not stat.S_ISREG(mode):
            reason = "skipped.device"
        elif info.flag_bits & 1:
            reason = "failed.encrypted"

        def content(info: zipfile.ZipInfo = info) -> bytes | None:
            nonlocal given
            with archive.open(info) as file:
                data = file.read(MAX_FILE + 1)
            given += len(data)
            if given > BOMB_BYTES and given > BOMB_RATIO * packed:
                raise DamagedError("bomb", f"{source}: decompression bomb: {given} bytes out of {packed}")
            return data if len(data) <= MAX_FILE else None

        yield _Member(info.filename.removeprefix("./"), info.file_size, reason, content)


def stamp(path: str) -> int:
    """A number that changes when the path is written anew, for a folder when any file in it is."""
    if not is_folder(path):
        return storage.modified(path)
    times = [(name, storage.modified(name)) for name in storage.list_files(path)]
    digest = hashlib.blake2b(repr(times).encode("ascii", "backslashreplace"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


READER = Reader(
    name="repositories",
    read=read,
    record="a file of a repository",
    offset="its ordinal, by path in a folder, by place in an archive",
    extensions=(".tar", ".tgz", ".zip", ".whl"),
    options={"encoding": "the encoding of all files; without it each file's own is found out"},
    find=find,
    size=size,
    stamp=stamp,
)
