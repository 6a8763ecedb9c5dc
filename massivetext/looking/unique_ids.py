"""Whether ids of 16 bytes are all different, in bounded memory: beyond it they wait in files, by their first bytes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext.scratch import make_scratch, remove_scratch

__all__ = ["MEMORY", "UniqueIds", "packed_ids"]

MEMORY = 16 << 20
"""Bytes of ids that are sorted at a time; half as many more are needed to sort them."""
WAITING = 1 << 16
"""Ids that are put into files together, at least: a file is opened once for them all, not once for each batch."""


class UniqueIds:
    """Ids of which the repeated ones are counted. A context manager; `add` may be called by several threads.

    first bytes   00..3f    40..7f    80..bf    c0..ff
    files         0         1         2         3        each of at most MEMORY bytes or so, sorted by itself
    """

    def __init__(self, n_expected: int, *, memory: int = MEMORY) -> None:
        """n_expected: about how many ids come. memory: bytes of them that may be sorted at a time."""
        self._n_files = max(1, -(-16 * n_expected // memory))
        self._chunks: list[np.ndarray] = []
        self._n_waiting = 0
        self._lock = threading.Lock()
        self._folder: Path | None = None

    def __enter__(self) -> UniqueIds:
        if self._n_files > 1:
            self._folder = Path(make_scratch("ids"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            remove_scratch(str(self._folder))

    def add(self, ids: np.ndarray) -> None:
        """ids: uint8[n, 16]."""
        with self._lock:
            self._chunks.append(ids)
            self._n_waiting += len(ids)
            if self._folder is None or self._n_waiting < max(WAITING, 256 * self._n_files):
                return
            waiting, self._chunks, self._n_waiting = self._chunks, [], 0
        self._put(self._folder, np.concatenate(waiting))

    def _put(self, folder: Path, ids: np.ndarray) -> None:
        """Append ids to the files by their first bytes."""
        first = ids[:, :4].copy().view(">u4")[:, 0].astype(np.uint64)
        files = (first * np.uint64(self._n_files)) >> np.uint64(32)
        order = np.argsort(files, kind="stable")
        numbers, starts = np.unique(files[order], return_index=True)
        for number, rows in zip(numbers.tolist(), np.split(order, starts[1:])):
            data = ids[rows].tobytes()
            with self._lock, open(folder / str(number), "ab") as stream:
                stream.write(data)

    def n_repeated(self) -> int:
        """Return how many ids came after an equal one."""
        if self._folder is None:
            return _n_repeated(self._chunks)
        if self._chunks:
            self._put(self._folder, np.concatenate(self._chunks))
            self._chunks, self._n_waiting = [], 0
        return sum(
            _n_repeated([np.fromfile(path, np.uint8).reshape(-1, 16)]) for path in sorted(self._folder.glob("[0-9]*"))
        )


def _n_repeated(chunks: Sequence[np.ndarray]) -> int:
    """Return how many ids of some arrays come after an equal one. Only those whose first halves are equal are compared
    whole, so that no copy of all is sorted."""
    halves = [np.ascontiguousarray(ids).view(np.uint64) for ids in chunks]
    first = np.concatenate([np.zeros(0, np.uint64), *(pair[:, 0] for pair in halves)])
    first.sort()
    repeated = np.unique(first[1:][first[1:] == first[:-1]])
    if not len(repeated):
        return 0
    alike = np.concatenate([pair[np.isin(pair[:, 0], repeated)] for pair in halves])
    ordered = alike[np.lexsort((alike[:, 1], alike[:, 0]))]
    return int((ordered[1:] == ordered[:-1]).all(axis=1).sum())


_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def packed_ids(column: Any) -> np.ndarray:
    """Return uint8[n, 16] for a column of n ids of 32 hex digits.

    Raises ValueError, which pyarrow's own error is too, for an id of another form.
    """
    array = pa.concat_arrays([chunk.cast(pa.string()) for chunk in column.chunks] or [pa.array([], pa.string())])
    if array.null_count or array.nbytes == 0:
        if len(array):
            raise pa.ArrowInvalid("an id is null")
        return np.zeros((0, 16), np.uint8)
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    if (np.diff(offsets) != 32).any():
        raise pa.ArrowInvalid("an id has not 32 hex digits")
    text = np.frombuffer(array.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    digits = _DIGITS[text]
    if (digits == 255).any():
        raise pa.ArrowInvalid("an id has not 32 hex digits")
    return (digits[0::2] << 4 | digits[1::2]).reshape(-1, 16)
