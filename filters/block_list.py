"""Block lists: domains, hosts and URL prefixes that a user supplies, five million of them in 70 MB.

An entry is kept as the 64-bit hash of its lower-case bytes in an open table, and nothing else of it. That another of n
names has the hash of an entry happens with probability n entries / 2**64: never mind at any size that fits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.errors import RecipeError
from massivetext.kernels import njit
from massivetext.readers import compression

__all__ = ["BlockList", "files_of"]

CHUNK = 16 << 20
NAMES = ("domains", "urls")
"""The files of a UT1 folder that hold entries; beside them are expressions and usage, which hold none."""


@njit(cache=True, nogil=True)
def _lower(b):
    return b + 32 if 65 <= b <= 90 else b


@njit(cache=True, nogil=True)
def _finish(h):
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    return h if h != np.uint64(0) else np.uint64(1)


@njit(cache=True, nogil=True)
def _parts(data, start, end):
    """Start of the host without scheme, user and `www.`, end of the host without port, start and end of what follows
    it up to a fragment, trailing slashes removed."""
    while start < end and data[start] <= 32:
        start += 1
    while end > start and data[end - 1] <= 32:
        end -= 1
    i = start
    while i + 2 < end and data[i] != 47 and data[i] != 63 and data[i] != 35:
        if data[i] == 58 and data[i + 1] == 47 and data[i + 2] == 47:
            start = i + 3
            break
        i += 1
    if start + 1 < end and data[start] == 47 and data[start + 1] == 47:
        start += 2
    rest = start
    while rest < end and data[rest] != 47 and data[rest] != 63 and data[rest] != 35 and data[rest] != 92:
        if data[rest] == 64:
            start = rest + 1
        rest += 1
    stop = start
    while stop < rest and data[stop] != 58:
        stop += 1
    while stop > start and data[stop - 1] == 46:
        stop -= 1
    if (
        stop - start > 4
        and _lower(data[start]) == 119
        and _lower(data[start + 1]) == 119
        and _lower(data[start + 2]) == 119
        and data[start + 3] == 46
    ):
        start += 4
    last = rest
    while last < end and data[last] != 35:
        last += 1
    while last > rest and (data[last - 1] == 47 or data[last - 1] == 92):
        last -= 1
    return start, stop, rest, last


@njit(cache=True, nogil=True)
def _hash(data, start, end, h):
    for i in range(start, end):
        h = (h ^ np.uint64(_lower(data[i]))) * np.uint64(0x100000001B3)
    return h


@njit(cache=True, nogil=True)
def _entries(data, out):
    """Hashes of the entries of whole lines: plain, hosts format (the address goes), comments behind `#`. Returns how
    many, and how many of them have a path."""
    n, n_paths, i, size = 0, 0, 0, len(data)
    while i < size:
        line_end = i
        while line_end < size and data[line_end] != 10:
            line_end += 1
        first, fields = True, 0
        while i < line_end:
            while i < line_end and data[i] <= 32:
                i += 1
            start = i
            while i < line_end and data[i] > 32:
                i += 1
            if start == i:
                break
            if data[start] == 35:
                break
            is_address = first
            colons = 0
            for k in range(start, i):
                b = data[k]
                if b == 58:
                    colons += 1
                elif not (48 <= b <= 57 or b == 46):
                    is_address = is_address and colons > 0 and (65 <= b <= 70 or 97 <= b <= 102)
            if is_address and (colons > 1 or colons == 0):
                after = i
                while after < line_end and data[after] <= 32:
                    after += 1
                is_address = after < line_end and data[after] != 35
            else:
                is_address = False
            first = False
            if is_address:
                continue
            host, stop, rest, last = _parts(data, start, i)
            if stop > host:
                h = _hash(data, host, stop, np.uint64(0xCBF29CE484222325))
                if last > rest:
                    h = _hash(data, rest, last, h)
                    n_paths += 1
                out[n] = _finish(h)
                n += 1
            fields += 1
        i = line_end + 1
    return n, n_paths


@njit(cache=True, nogil=True)
def _insert(table, hashes):
    mask = np.uint64(len(table) - 1)
    n = 0
    for h in hashes:
        at = h & mask
        while table[at] != 0 and table[at] != h:
            at = (at + np.uint64(1)) & mask
        if table[at] == 0:
            table[at] = h
            n += 1
    return n


@njit(cache=True, nogil=True)
def _holds(table, h):
    h = _finish(h)
    mask = np.uint64(len(table) - 1)
    at = h & mask
    while table[at] != 0:
        if table[at] == h:
            return True
        at = (at + np.uint64(1)) & mask
    return False


@njit(cache=True, nogil=True)
def _find(data, start, end, table, has_paths, found):
    """found: host start, host end, rest start, rest end of the entry that covers the URL; False if there is none."""
    host, stop, rest, last = _parts(data, start, end)
    if not has_paths:
        last = rest
    i = host
    while i < stop:
        h = _hash(data, i, stop, np.uint64(0xCBF29CE484222325))
        matched = -1
        if _holds(table, h):
            matched = rest
        k = rest
        while k < last:
            h = _hash(data, k, k + 1, h)
            k += 1
            if (k == last or data[k] == 47 or data[k] == 63 or data[k] == 38) and _holds(table, h):
                matched = k
        if matched >= 0:
            found[0], found[1], found[2], found[3] = i, stop, rest, matched
            return True
        while i < stop and data[i] != 46:
            i += 1
        i += 1
    return False


@njit(cache=True, nogil=True)
def _find_all(data, offsets, table, has_paths, found):
    for row in range(len(offsets) - 1):
        if not _find(data, offsets[row], offsets[row + 1], table, has_paths, found[row]):
            found[row, 0] = -1


def files_of(paths: Iterable[str]) -> list[str]:
    """Return the files of block lists at some paths. Raises RecipeError for a path that is not there."""
    files: list[str] = []
    for number, path in enumerate(paths):
        candidates = storage.find(path)
        if not candidates:
            raise RecipeError(
                f"safe_search.block_lists.{number}: no file at {path!r}; expected a file or a folder with lists of "
                "domains, hosts or URLs"
            )
        named = [file for file in candidates if os.path.basename(file).split(".")[0] in NAMES]
        files += named if named and candidates != [path] else candidates
    return files


class BlockList:
    """Domains, hosts and URL prefixes. A domain covers its subdomains; a prefix covers what is below its path.

    Reads plain lists, hosts files (`0.0.0.0 name`) and the `domains` and `urls` files of UT1 folders; all may be
    compressed. Case of ASCII letters, scheme, `www.`, port, user and trailing slashes do not count.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._build(line.encode() + b"\n" for line in entries)

    @classmethod
    def read(cls, paths: Iterable[str]) -> BlockList:
        """From files and folders. Raises RecipeError for a path that is not there."""
        made = cls.__new__(cls)
        made._build(chunk for file in files_of(paths) for chunk in _chunks(file))
        return made

    def _build(self, chunks: Iterable[bytes]) -> None:
        hashes = []
        self._has_paths = False
        for lines in _joined(chunks):
            data = np.frombuffer(lines, np.uint8)
            # An entry takes at least a byte and what parts it from the next.
            out = np.empty(len(data) // 2 + 1, np.uint64)
            n, n_paths = _entries(data, out)
            hashes.append(out[:n].copy())
            self._has_paths |= n_paths > 0
        total = sum(map(len, hashes))
        size = 16
        while size < total * 1.5:
            size *= 2
        self._table = np.zeros(size, np.uint64)
        self._n = sum(_insert(self._table, part) for part in hashes)

    def __len__(self) -> int:
        return self._n

    @property
    def nbytes(self) -> int:
        """Bytes that the entries take in memory."""
        return int(self._table.nbytes)

    def match(self, url: str | None) -> str | None:
        """The entry that covers a URL: of the longest host the longest path; None if there is none."""
        return self.match_all(pa.array([url], pa.string()))[0]

    def match_all(self, urls: pa.Array | pa.ChunkedArray) -> list[str | None]:
        """`match` of each URL; null for null."""
        if isinstance(urls, pa.ChunkedArray):
            urls = urls.combine_chunks()
        urls = urls.cast(pa.large_string()).fill_null("")
        result: list[str | None] = [None] * len(urls)
        if not len(self) or not len(urls):
            return result
        _, offsets_buffer, data_buffer = urls.buffers()
        offsets = np.frombuffer(offsets_buffer, np.int64)[urls.offset : urls.offset + len(urls) + 1]
        data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.zeros(0, np.uint8)
        found = np.empty((len(urls), 4), np.int64)
        _find_all(data, offsets, self._table, self._has_paths, found)
        rows = np.flatnonzero(found[:, 0] >= 0)
        view = memoryview(data_buffer or b"")
        for row, (host, stop, rest, last) in zip(rows.tolist(), found[rows].tolist()):
            entry = bytes(view[host:stop]) + bytes(view[rest:last])
            result[row] = entry.lower().decode("utf-8", "replace")
        return result


def _chunks(path: str) -> Iterator[bytes]:
    with storage.open_input(path) as stream:
        for block in compression.blocks(stream, source=path):
            yield bytes(block.data or b"")
    yield b"\n"


def _joined(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Chunks of about CHUNK bytes that end with a line."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= CHUNK:
            data = b"".join(held)
            cut = data.rfind(b"\n") + 1
            if cut:
                yield data[:cut]
            held, size = [data[cut:]], len(data) - cut
    yield b"".join(held)
