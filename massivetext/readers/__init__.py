"""Readers: from a file of a source to records, streaming, one format a module.

A *part* is what one task reads: a file, or a range of one that depends on bytes only. `find` gives the paths of a
source, `split` the ranges of a path, `read` or `read_part` the records of a range.

For all formats but `repositories` a path is a file. For `repositories` it is one repository, or one archive of them: a
folder is found as a path of its own, and has no stream (`read_part` passes None).

What is wrong with one record is that record's outcome. A file that breaks off gives every record before the break,
then a record `failed.truncated` (or corrupt, bomb, unreadable) that stands for what is lost, and then raises
SourceError: the ledger and the run both say so.
"""

from __future__ import annotations

import hashlib
import importlib
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from typing import IO

from massivetext import storage
from massivetext.documents import Record

__all__ = ["FORMATS", "find", "read", "read_part", "size", "split"]

FORMATS = ("warc", "wet", "jsonl", "parquet", "text", "lines", "mediawiki", "code", "repositories")
"""Each is a module here with `read`; wet is read as warc is. A user's own reader is named `package.module:function`:
its paths are files, and are not split."""

_MODULES = {"wet": "warc"}
_BY_LINES = ("jsonl", "lines", "code")
TARGET_BYTES = 64 << 20


def find(pattern: str, format: str) -> list[str]:
    """Paths of a source, sorted: files, or for `repositories` folders and archives, each a repository or several."""
    if format == "repositories":
        from massivetext.readers import repositories

        return repositories.find(pattern)
    return storage.find(pattern)


def size(path: str, format: str) -> int:
    """Bytes that reading the path will read."""
    if format == "repositories":
        from massivetext.readers import repositories

        return repositories.size(path)
    return storage.size(path)


def stamp(path: str, format: str) -> int:
    """A number that changes when the path is written anew: the time of its last change, for a folder of
    `repositories` one of those of all files in it."""
    if format == "repositories":
        from massivetext.readers import repositories

        if repositories.is_folder(path):
            times = [(name, storage.modified(name)) for name in storage.list_files(path)]
            digest = hashlib.blake2b(repr(times).encode("ascii", "backslashreplace"), digest_size=8)
            return int.from_bytes(digest.digest(), "big")
    return storage.modified(path)


def split(path: str, format: str, *, size: int, target_bytes: int = TARGET_BYTES) -> list[tuple[int, int]]:
    """Ranges [start, stop) of a path that can be read apart, in order: bytes, or row groups of Parquet.

    What cannot be split (compressed files, archives, books) is the one range (0, size). Raises SourceError for a
    Parquet file that cannot be opened.
    """
    if format not in ("parquet", *_BY_LINES):
        return [(0, size)]
    if size <= target_bytes and format in _BY_LINES and format != "code":
        return [(0, size)]
    from massivetext.readers import lines, parquet

    with storage.open_input(path) as stream:
        if format == "parquet" or (format == "code" and stream.read(4) == parquet.MAGIC):
            return parquet.row_group_ranges(stream, path, target_bytes)
        if size <= target_bytes or not lines.is_divisible(stream):
            return [(0, size)]
    pieces = -(-size // target_bytes)
    return [(size * i // pieces, size * (i + 1) // pieces) for i in range(pieces)]


def read(
    stream: IO[bytes] | None,
    format: str,
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str] | None = None,
    counts: MutableMapping[str, int] | None = None,
) -> Iterator[Record]:
    """The records of a range of a path.

    stream: the file as stored, seekable; None for a folder of `repositories`. source: the path, for messages, and for
    a folder the place to read. options: field names (keys text, page, url, timestamp, content_type, and any other to be
    kept as metadata). counts: gains what is counted and not listed, such as `warc.request`, `blank`, `garbage_bytes`.

    Raises SourceError for a file that cannot be read, or not to its end.
    """
    own, _, name = format.partition(":")
    module = importlib.import_module(own if name else f"massivetext.readers.{_MODULES.get(format, format)}")
    yield from getattr(module, name or "read")(
        stream,
        start=start,
        stop=stop,
        source=source,
        options=options or {},
        counts=Counter() if counts is None else counts,
    )


def read_part(
    path: str,
    format: str,
    *,
    start: int,
    stop: int,
    options: Mapping[str, str] | None = None,
    counts: MutableMapping[str, int] | None = None,
) -> Iterator[Record]:
    """`read` of a path that is opened and closed here."""
    if format == "repositories":
        from massivetext.readers import repositories

        if repositories.is_folder(path):
            yield from read(None, format, start=start, stop=stop, source=path, options=options, counts=counts)
            return
    with storage.open_input(path) as stream:
        yield from read(stream, format, start=start, stop=stop, source=path, options=options, counts=counts)
