"""Gzip members decompressed in one call, where all of a member is held: libdeflate needs three quarters of the time of
a stream of zlib-ng's, and knows nothing of streams."""

from __future__ import annotations

import re

try:
    import deflate
except ImportError:
    deflate = None  # type: ignore[assignment]

__all__ = ["first_member"]

_MAGIC = re.compile(rb"\x1f\x8b\x08")
"""`re` looks through compressed bytes for it in half the time of `bytes.find`."""
_LEAST = 18
"""Bytes of the shortest header and trailer."""


def first_member(data: bytes, longest: int, *, is_all: bool) -> tuple[bytearray, int] | None:
    """Return the content of the gzip member that the data begins with, and how many bytes the member has.

    Args:
        data: what is held of a file from the start of a member on.
        longest: bytes of content that are taken.
        is_all: whether the file ends with the data.

    Returns:
        None unless a sound member of 1 to `longest` bytes of content ends just before the first place that looks like
        the start of another, or at the end of the file: what is wrong, if anything is, a stream finds out.
    """
    if deflate is None:
        return None
    following = _MAGIC.search(data, _LEAST)
    if following is None and (not is_all or len(data) < _LEAST):
        return None
    end = len(data) if following is None else following.start()
    checksum, size = int.from_bytes(data[end - 8 : end - 4], "little"), int.from_bytes(data[end - 4 : end], "little")
    if not 0 < size <= longest:
        return None
    try:
        content = deflate.gzip_decompress(memoryview(data)[:end], size)
    except deflate.DeflateError:
        return None
    # libdeflate does not look at what follows a member. Another may, of as many bytes, whose header is damaged.
    return (content, end) if len(content) == size and deflate.crc32(content) == checksum else None
