"""Text as the rules see it: cleaned by readers, held in Arrow buffers, scanned by kernels."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["Texts", "buffers", "clean", "decode"]

Texts = pa.Array | pa.ChunkedArray
"""A string, large_string or chunked Arrow array, sliced or not, with or without nulls."""

_SURROGATES = re.compile("[\ud800-\udfff]")


def decode(data: bytes, encoding: str = "utf-8") -> tuple[str, int]:
    """Bytes to cleaned text, and how many U+FFFD decoding put in for bytes that it could not read."""
    try:
        return clean(data.decode(encoding)), 0
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
        before = data.count("\ufffd".encode(encoding)) if encoding.lower().startswith("utf") else 0
        return clean(text), max(1, text.count("\ufffd") - before)


def clean(text: str) -> str:
    r"""Text by the rules for readers: a leading BOM dropped, `\r\n` and then `\r` made `\n`, NUL and lone surrogates
    dropped, otherwise unchanged."""
    if text.startswith("\ufeff"):
        text = text[1:]
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    # Text that encodes has none; the pattern is for the rare one that does not.
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _SURROGATES.sub("", text)
    return text


def buffers(texts: Any) -> tuple[np.ndarray, np.ndarray]:
    """(data: uint8[m], offsets: int64[n + 1]): text i is data[offsets[i]:offsets[i + 1]], UTF-8; a null is empty.

    Copies nothing but for chunked arrays of more than one chunk, nulls over bytes, and 32-bit offsets. Raises
    TypeError for an array that is not of text.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)
        if isinstance(texts, pa.ChunkedArray):  # a chunked array without chunks stays one
            texts = pa.concat_arrays(texts.chunks) if texts.num_chunks else pa.array([], texts.type)
    if pa.types.is_null(texts.type):
        texts = texts.cast(pa.large_string())
    if pa.types.is_string(texts.type):
        width: Any = np.int32
    elif pa.types.is_large_string(texts.type):
        width = np.int64
    else:
        texts = getattr(texts, "cast", lambda _: None)(pa.large_string()) if _is_text_like(texts.type) else None
        width = np.int64
        if texts is None:
            raise TypeError("expected an Arrow array of string or large_string")
    if texts.null_count:
        texts = texts.fill_null("")
    if len(texts) == 0:
        none = np.zeros(0, np.uint8)
        none.flags.writeable = False
        return none, np.zeros(1, np.int64)
    _, offset_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offset_buffer, width)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    data = (
        np.frombuffer(data_buffer, np.uint8) if data_buffer is not None and data_buffer.size else np.zeros(0, np.uint8)
    )
    data = data[offsets[0] : offsets[-1]]
    # A column that was read from a stream can be written to: to a kernel that would be another type.
    data.flags.writeable = False
    return data, offsets - offsets[0]


def _is_text_like(kind: pa.DataType) -> bool:
    return pa.types.is_string_view(kind) or (
        pa.types.is_dictionary(kind)
        and (pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type))
    )
