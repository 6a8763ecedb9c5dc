"""Runs: records sorted by a key and written with an index, so that whoever wants one key reads that and no more.

This is how tasks exchange records through files. Each task on one side writes one run for all keys; each task on the
other side reads its key out of every run. A run appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from massivetext import storage
from massivetext.errors import OutputError

__all__ = ["key_rows", "read_key", "read_run", "run_keys", "write_run"]

_MAGIC = b"MTRUN-1\n"


def write_run(path: str, keys: np.ndarray, records: np.ndarray) -> None:
    """Write records (any dtype, n) by key (int64 or uint64[n]); records of one key keep their order."""
    keys = keys.astype(np.uint64)
    if len(keys) > 1 and np.any(keys[1:] < keys[:-1]):
        few = keys.max() < 1 << 16  # numpy sorts 16-bit integers by radix
        order = np.argsort(keys.astype(np.uint16) if few else keys, kind="stable")
        keys, records = keys[order], records[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, np.int64)
    write_blocks(path, keys[starts], np.r_[starts, len(keys)], [records])


def write_blocks(path: str, keys: np.ndarray, bounds: np.ndarray, blocks: Iterable[np.ndarray]) -> None:
    """Write blocks that lie in order of their keys: key i has records bounds[i] to bounds[i + 1]."""
    with storage.open_output(path) as stream:
        itemsize = -1
        for block in blocks:
            if itemsize < 0:
                itemsize = block.dtype.itemsize * int(np.prod(block.shape[1:]))
                stream.write(_MAGIC + np.array([len(keys), itemsize], "<u8").tobytes())
                stream.write(keys.astype("<u8").tobytes() + bounds.astype("<u8").tobytes())
            if len(block):
                stream.write(np.ascontiguousarray(block).view(np.uint8).data)
        if itemsize < 0:
            raise ValueError("a run is written from at least one block")


@lru_cache(maxsize=1024)
def _index(path: str) -> tuple[np.ndarray, np.ndarray, int, int]:
    with storage.open_input(path) as stream:
        head = stream.read(len(_MAGIC) + 16)
        if not head.startswith(_MAGIC) or len(head) != len(_MAGIC) + 16:
            raise OutputError(f"{path}: is not a file of ours; remove the folder that it is in and run again")
        n, itemsize = (int(value) for value in np.frombuffer(head[len(_MAGIC) :], "<u8"))
        keys = np.frombuffer(stream.read(8 * n), "<u8")
        bounds = np.frombuffer(stream.read(8 * (n + 1)), "<u8").astype(np.int64)
    return keys, bounds, itemsize, len(_MAGIC) + 16 + 8 * (2 * n + 1)


def run_keys(path: str) -> tuple[np.ndarray, np.ndarray]:
    """(keys uint64[k], records of each int64[k])."""
    keys, bounds, _, _ = _index(path)
    return keys, np.diff(bounds)


def key_rows(path: str, key: int) -> tuple[int, int]:
    """The range of records that a key has in a run; empty if it has none."""
    keys, bounds, _, _ = _index(path)
    at = int(np.searchsorted(keys, np.uint64(key)))
    return (int(bounds[at]), int(bounds[at + 1])) if at < len(keys) and keys[at] == key else (0, 0)


def read_run(path: str, dtype: np.dtype, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Records start to stop of a run, whatever their keys."""
    _, bounds, itemsize, offset = _index(path)
    stop = int(bounds[-1]) if stop is None else min(stop, int(bounds[-1]))
    if itemsize != dtype.itemsize:
        raise OutputError(f"{path}: holds records of {itemsize} bytes, expected {dtype.itemsize}; remove its folder")
    n = max(0, stop - start)
    out = np.empty(n, dtype)
    if n == 0:
        return out
    with storage.open_input(path) as stream:
        stream.seek(offset + start * itemsize)
        view, done = out.view(np.uint8).reshape(-1).data, 0
        while done < len(view):
            data = stream.read(min(len(view) - done, 16 << 20))
            if not data:
                raise OutputError(f"{path}: ends too early; remove the folder that it is in and run again")
            view[done : done + len(data)] = data
            done += len(data)
    return out


def read_key(paths: Sequence[str], key: int, dtype: np.dtype) -> np.ndarray:
    """All records of a key, in the order of the runs."""
    found = [np.zeros(0, dtype)]
    for path in paths:
        start, stop = key_rows(path, key)
        if stop > start:
            found.append(read_run(path, dtype, start, stop))
    return found[1] if len(found) == 2 else np.concatenate(found)
