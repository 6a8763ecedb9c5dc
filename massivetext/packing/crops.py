"""Crops of documents, and sequences of tokens from crops (spec section 10; Rae et al. 2021, appendix A.1.2).

    C = 15 n bytes, for sequences of n tokens
    start = floor(U(-C/4, B - C/4)), of a document of B bytes
    crop  = [start, start + C) cut to [0, B), then inwards to whole characters

A byte in the middle is covered with probability C / B, the last with 3C / 4B, the first with (C/4 + 1) / B: one more
than C / 4B, since a start in [0, 1) is rounded down to 0. A document of B <= C/4 is always whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

__all__ = ["BYTES_A_SEQUENCE_TOKEN", "CROPS_A_GROUP", "Crops", "crop", "crop_bytes", "sequences_of_group"]

BYTES_A_SEQUENCE_TOKEN = 15
CROPS_A_GROUP = 10


@dataclass(frozen=True)
class Crops:
    """One crop of each document. texts: UTF-8; first, last: bool arrays, whether it holds the document's start, end."""

    texts: list[bytes]
    first: np.ndarray
    last: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


def crop_bytes(length: int) -> int:
    """C, the bytes of a crop, for sequences of `length` tokens."""
    return BYTES_A_SEQUENCE_TOKEN * length


def crop(
    texts: pa.LargeStringArray, uniform: np.ndarray, *, length: int, rows: np.ndarray | slice = slice(None)
) -> Crops:
    """One crop of each text. uniform: float64, one for each text, from [0, 1), placing the crop. rows: which texts, all
    by default; the others are not looked at. A text that is null, of a document that was taken out, gives an
    empty crop of neither start nor end."""
    size = crop_bytes(length)
    offsets = np.frombuffer(texts.buffers()[1], np.int64, len(texts) + 1, texts.offset * 8)
    # Of texts that are all empty there may be no buffer at all.
    buffer = texts.buffers()[2] or pa.py_buffer(b"")
    data = np.frombuffer(buffer, np.uint8)
    begin, stop = offsets[:-1][rows], offsets[1:][rows]
    gone = np.zeros(len(begin), bool)
    if texts.null_count:
        gone = texts.is_null().to_numpy(zero_copy_only=False)[rows]
        begin, stop = np.where(gone, 0, begin), np.where(gone, 0, stop)
    start = np.floor(uniform * (stop - begin) - size / 4).astype(np.int64)
    first, last = start <= 0, start + size >= stop - begin
    at = np.where(first, begin, begin + start)
    end = np.where(last, stop, begin + start + size)
    # A character has at most three bytes after its first; where the crop meets the document's own edge none is moved.
    for _ in range(3):
        at = at + _within(data, at, at < end)
        end = end - _within(data, end, (end > at) & (end < stop))
    view = memoryview(buffer)
    return Crops([bytes(view[i:j]) for i, j in zip(at.tolist(), end.tolist())], first & ~gone, last & ~gone)


def _within(data: np.ndarray, at: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Whether each place is inside of a character: at a byte 10xxxxxx."""
    found = np.zeros(len(at), bool)
    found[where] = (data[at[where]] & 0xC0) == 0x80
    return found


def sequences_of_group(
    ids: Sequence[np.ndarray],
    first: Sequence[bool],
    last: Sequence[bool],
    *,
    bos: int,
    eos: int,
    length: int,
    dtype: np.dtype,
) -> tuple[np.ndarray, int]:
    """(sequences of the crops of one group, [n, length] of `dtype`; tokens of the rest, which is dropped).

    BOS stands before a crop that holds its document's start, EOS behind one that holds its end.
    """
    n = sum(map(len, ids)) + sum(map(int, first)) + sum(map(int, last))
    tokens = np.empty(n, dtype)
    at = 0
    for piece, starts, ends in zip(ids, first, last):
        if starts:
            tokens[at] = bos
            at += 1
        tokens[at : at + len(piece)] = piece
        at += len(piece)
        if ends:
            tokens[at] = eos
            at += 1
    whole = n // length
    return tokens[: whole * length].reshape(whole, length), n - whole * length
