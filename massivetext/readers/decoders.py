"""Decompressors of one stream, and what they make of their input, in pieces of bounded size."""

from __future__ import annotations

import bz2
from collections import deque
from collections.abc import Iterator
from typing import Any

try:
    from zlib_ng import zlib_ng as zlib  # the same, twice as fast
except ImportError:
    import zlib  # type: ignore[no-redef]

__all__ = ["PIECE", "ZSTD_FEED", "crc32", "decode", "inflater"]

PIECE = 1 << 20
"""Bytes of one piece of output at most; of zstd's 128 MiB."""
ZSTD_FEED = 1 << 12
"""The zstd decoder cannot be told where to stop: 4 KiB of input give at most 128 MiB."""
_ZLIB = type(zlib.decompressobj())
_BZIP2_BLOCK = 900_000 // 5 * 255
"""Bytes of a bzip2 block at most: 900,000, in which five stand for up to 255."""

crc32 = zlib.crc32


def inflater(window: int) -> Any:
    """A decompressor of zlib's. window: 31 for gzip, 15 for zlib's own header, -15 for none."""
    return zlib.decompressobj(window)


def decode(decoder: Any, data: bytes, piece: int = PIECE) -> Iterator[bytes]:
    """All that a decompressor of zlib, bz2, lzma, lz4 or zstandard makes of the input, in pieces. Nothing of a bzip2
    block is given before its checksum is tested."""
    if isinstance(decoder, bz2.BZ2Decompressor):
        yield from _tested_blocks(decoder, data)
    elif hasattr(decoder, "needs_input"):  # lzma, lz4
        yield decoder.decompress(data, max_length=piece)
        while not decoder.eof and not decoder.needs_input:
            yield decoder.decompress(b"", max_length=piece)
    elif isinstance(decoder, _ZLIB):
        yield decoder.decompress(data, piece)
        while decoder.unconsumed_tail and not decoder.eof:
            yield decoder.decompress(decoder.unconsumed_tail, piece)
    else:
        for start in range(0, len(data), ZSTD_FEED):
            yield decoder.decompress(data[start : start + ZSTD_FEED])
            if decoder.eof:
                break


def _tested_blocks(decoder: bz2.BZ2Decompressor, data: bytes) -> Iterator[bytes]:
    """What bz2 makes of the input. It tests a block's checksum in the call that gives the last bytes of the block, and
    a block with a wrong one is scrambled from its first byte on. So pieces wait until the input is used up, or as many
    bytes follow them as a block can have. A fault costs them all: who needs those of the blocks before the fault gives
    the input byte by byte."""
    waiting: deque[bytes] = deque()
    size = 0
    while not decoder.eof:
        # needs_input does not tell that all is given: after the last byte of input, output may be left.
        output = decoder.decompress(data, max_length=PIECE)
        if not output:
            break
        data = b""
        waiting.append(output)
        size += len(output)
        while size - len(waiting[0]) >= _BZIP2_BLOCK:
            size -= len(waiting[0])
            yield waiting.popleft()
    yield from waiting
