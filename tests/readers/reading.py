"""Reading bytes with a reader, for the tests."""

from __future__ import annotations

import io
from collections import Counter

from massivetext import readers
from massivetext.documents import Record
from massivetext.errors import SourceError


def read(
    data: bytes, format: str, options: dict[str, str] | None = None, counts: Counter[str] | None = None
) -> tuple[list[Record], str | None]:
    """(records, the message of the SourceError at their end or None)."""
    found: list[Record] = []
    try:
        for record in readers.read(
            io.BytesIO(data), format, start=0, stop=len(data), source="file", options=options, counts=counts
        ):
            found.append(record)
    except SourceError as error:
        return found, str(error)
    return found, None


def reasons(records: list[Record]) -> dict[str, int]:
    return dict(Counter(record.reason or "document" for record in records))
