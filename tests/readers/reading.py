"""Reading bytes with a reader, for the tests."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

from massivetext import readers
from massivetext.documents import Record
from massivetext.errors import SourceError

T = TypeVar("T")


def drained(items: Iterator[T]) -> tuple[list[T], SourceError | None]:
    """All items, and the SourceError at their end or None."""
    found: list[T] = []
    try:
        for item in items:
            found.append(item)
    except SourceError as error:
        return found, error
    return found, None


def read(
    data: bytes, format: str, options: dict[str, str] | None = None, counts: Counter[str] | None = None
) -> tuple[list[Record], str | None]:
    """(records, the message of the SourceError at their end or None)."""
    stream = io.BytesIO(data)
    how = {"start": 0, "stop": len(data), "source": "file", "options": options, "counts": counts}
    found, error = drained(readers.read(stream, format, **how))  # type: ignore[arg-type]
    return found, error and str(error)


def reasons(records: list[Record]) -> dict[str, int]:
    return dict(Counter(record.reason or "document" for record in records))
