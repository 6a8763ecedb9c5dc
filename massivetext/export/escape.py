"""Texts as JSON strings, by a kernel over Arrow's buffers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from massivetext.kernels import njit

__all__ = ["escaped"]

_SHORT = {ord('"'): '\\"', ord("\\"): "\\\\", 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}
_REPLACED = [_SHORT.get(byte, f"\\u{byte:04x}" if byte < 32 else "") for byte in range(256)]
_WIDTHS = np.array([len(text) or 1 for text in _REPLACED], np.uint8)
_BYTES = np.zeros((256, 6), np.uint8)
for _byte, _text in enumerate(_REPLACED):
    _BYTES[_byte, : len(_text) or 1] = np.frombuffer(_text.encode() or bytes([_byte]), np.uint8)


@njit(cache=True, nogil=True)
def _measure(data, offsets, widths, ends):  # pragma: no cover
    total = 0
    ends[0] = 0
    for row in range(len(offsets) - 1):
        for at in range(offsets[row], offsets[row + 1]):
            total += widths[data[at]]
        ends[row + 1] = total


@njit(cache=True, nogil=True)
def _write(data, first, last, widths, replaced, out):  # pragma: no cover
    to = 0
    for at in range(first, last):
        byte = data[at]
        width = widths[byte]
        if width == 1:
            out[to] = byte
        else:
            for i in range(width):
                out[to + i] = replaced[byte, i]
        to += width


def escaped(texts: pa.LargeStringArray) -> pa.LargeBinaryArray:
    """Escape texts as JSON has them between quotes: control characters, `"` and `\\`; all else stays UTF-8.

    texts: without nulls.
    """
    offsets = np.frombuffer(texts.buffers()[1], np.int64, len(texts) + 1, texts.offset * 8)
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    ends = np.empty(len(texts) + 1, np.int64)
    _measure(data, offsets, _WIDTHS, ends)
    out = np.empty(int(ends[-1]), np.uint8)
    _write(data, int(offsets[0]), int(offsets[-1]), _WIDTHS, _BYTES, out)
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(out)]
    )
