"""Compressed files of many members, and the check that ranges of them give the rows of the whole file."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from massivetext import readers
from massivetext.documents import Record
from massivetext.errors import SourceError
from massivetext.readers.members import Again, Stretch, join, ranges_between, scan
from massivetext.readers.reader import MemberRange
from massivetext.readers.splitting import by_bytes
from tests.readers.archives import arc, http, record
from tests.readers.reading import drained

Compress = Callable[[bytes], bytes]


def zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


def zstd_streamed(data: bytes) -> bytes:
    """A frame that does not say how long its content is."""
    import zstandard

    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(data) + compressor.flush()


def lz4(data: bytes) -> bytes:
    import lz4.frame

    return lz4.frame.compress(data)


def stored(data: bytes) -> bytes:
    """A gzip member whose content stands in it as it is."""
    return gzip.compress(data, 0)


COMPRESSIONS = {
    "gzip": gzip.compress,
    "zstd": zstd,
    "zstd streamed": zstd_streamed,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lz4": lz4,
    "stored": stored,
}


def words(seed: int, n: int = 300) -> str:
    chance = random.Random(seed)
    return " ".join(f"{chance.randrange(1 << 30):x}" for _ in range(n))


def page(number: int) -> bytes:
    return f"<html><body><p>page {number}</p><p>{words(number)}</p></body></html>".encode()


def pages(n: int = 400, **how: Any) -> list[bytes]:
    return [record(http(page(i)), i, **how) for i in range(n)]


def json_lines(n: int = 400) -> list[bytes]:
    return [json.dumps({"text": words(i), "url": f"http://a/{i}"}).encode() + b"\n" for i in range(n)]


def archive(parts: Sequence[bytes], compress: Compress = gzip.compress, together: int = 1) -> bytes:
    """A member for so many parts."""
    return b"".join(compress(b"".join(parts[at : at + together])) for at in range(0, len(parts), together))


def chopped(data: bytes, size: int, compress: Compress = gzip.compress) -> bytes:
    """Members of so many bytes of content, wherever they end."""
    return b"".join(compress(data[at : at + size]) for at in range(0, len(data), size))


def split(data: bytes, format: str, target: int, span: int = 2) -> tuple[list[MemberRange], bool]:
    """(the ranges of a file, whether anything had to be scanned again)."""
    how = readers.get(format).members
    assert how is not None
    ranges = by_bytes(len(data), target)
    stretches: list[Stretch] = []
    for at in range(0, len(ranges), span):
        stretches += scan(io.BytesIO(data), how, source="file", ranges=ranges[at : at + span])
    cuts, is_again = join(stretches, ranges), False
    if isinstance(cuts, Again):
        rest = scan(io.BytesIO(data), how, source="file", ranges=ranges[cuts.number :], first=cuts.first)
        cuts, is_again = join([*stretches[: cuts.number], *rest], ranges), True
    assert not isinstance(cuts, Again)
    return ranges_between(cuts, len(data)), is_again


def whole(data: bytes, format: str) -> tuple[list[Record], SourceError | None, Counter[str]]:
    counts: Counter[str] = Counter()
    records, error = drained(
        readers.read(io.BytesIO(data), format, start=0, stop=len(data), source="file", counts=counts)
    )
    return records, error, counts


def of_ranges(data: bytes, format: str, ranges: Sequence[MemberRange]) -> tuple[list[Record], list[str], Counter[str]]:
    how = readers.get(format).members
    assert how is not None
    records: list[Record] = []
    errors: list[str] = []
    counts = Counter[str]()
    if len(ranges) == 1:  # the file is not split, and read as ever
        records, whole_error, counts = whole(data, format)
        return records, [str(whole_error)] if whole_error else [], counts
    for one in ranges:
        of_range, error = drained(how.read(io.BytesIO(data), members=one, source="file", options={}, counts=counts))
        records += of_range
        errors += [str(error)] if error else []
    return records, errors, counts


def check(data: bytes, format: str, target: int = 40_000, span: int = 2) -> list[MemberRange]:
    """The ranges of a file, once their rows, errors and counts are seen to be those of the whole file."""
    ranges, _ = split(data, format, target, span)
    records, errors, counts = of_ranges(data, format, ranges)
    expected, error, expected_counts = whole(data, format)

    assert expected == records
    assert ([str(error)] if error else []) == errors
    assert expected_counts == counts
    return ranges


def arcs(n: int = 400) -> list[bytes]:
    """ARC records of pages as long as those of `pages`."""
    parts = arc(0)
    for i in range(n):
        body = http(page(i))
        parts.append(b"http://example.org/%d 1.2.3.4 20080102030405 text/html %d\n" % (i, len(body)) + body + b"\n")
    return parts


def nested(n: int = 12) -> bytes:
    """A record that holds an archive of its own, gzip members and all."""
    inner = archive([record(http(b"<html><p>inner %d</p></html>" % i), i) for i in range(n)])
    return record(http(inner, kind=b"application/octet-stream"), 7)
