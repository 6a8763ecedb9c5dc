"""Code in tables: Parquet or JSON lines with `content, path, repo_name, license`. Licences are metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import IO

from massivetext import storage
from massivetext.documents import Record
from massivetext.readers import jsonl, parquet
from massivetext.readers.fields import CODE
from massivetext.readers.reader import MemberRange, Members, Reader

__all__ = ["READER", "read", "read_members", "split"]


def read(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """One record a file of code; metadata path, repo_name, license where there are any."""
    stream.seek(0)
    table = parquet if stream.read(4) == parquet.MAGIC else jsonl
    yield from table.read(stream, start=start, stop=stop, source=source, options=options, counts=counts, defaults=CODE)


def read_members(
    stream: IO[bytes],
    *,
    members: MemberRange,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """The records of `read` whose lines start in a range of the members of compressed JSON lines."""
    yield from jsonl.read_members(stream, members=members, source=source, options=options, counts=counts, defaults=CODE)


def split(path: str, size: int, target_bytes: int) -> list[tuple[int, int]]:
    """Ranges of row groups of a Parquet file, or of lines of JSON."""
    with storage.open_input(path) as stream:
        is_table = stream.read(4) == parquet.MAGIC
    return (parquet if is_table else jsonl).split(path, size, target_bytes)


READER = Reader(
    name="code",
    read=read,
    record="a row of Parquet or JSON lines",
    offset="as of its table",
    splits="row groups or bytes",
    extensions=(".jsonl", ".json", ".parquet"),
    fields=CODE,
    split=split,
    members=Members(read_members, jsonl.fits),
)
