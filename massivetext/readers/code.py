"""Code in tables: Parquet or JSON lines with `content, path, repo_name, license`. Licences are metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import IO

from massivetext.documents import Record
from massivetext.readers import jsonl, parquet
from massivetext.readers.fields import CODE

__all__ = ["read"]


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
