"""What the task of a part notes of the files that it has read: `work/files/<subset>/<part>.json`.

Of a part of several files it lists which they were, so that a later run can report what has changed. Of files on a disk
it also has what tells whether their bytes are the same later (`pipelines.run_folder.inputs`).
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import xxhash

from massivetext import readers, storage
from massivetext.errors import MassiveTextError
from massivetext.parquet import file_digest
from massivetext.sealed import read_sealed, write_sealed
from pipelines.input_splits import Part

__all__ = [
    "DIGEST",
    "FILES",
    "algorithm_of",
    "changed_files",
    "content_digest",
    "gone_files",
    "look_at_files",
    "read_notes",
    "status_of",
    "write_files",
]

FILES = "work/files"
"""The folder below DIR. Of each of its files: `files`, source -> [bytes, time of the last change in ns]; `read`, source
-> {seen, status, DIGEST}."""

DIGEST = "xxh3_128"
"""The digest of sources, by its name in notes. It tells a file that has changed from one that has not, and need not
resist anyone who makes two files alike on purpose: a twentieth of the time of SHA-256."""

_HASHES: dict[str, Callable[[], Any]] = {
    DIGEST: xxhash.xxh3_128,
    "sha256": hashlib.sha256,
    "blake2b": functools.partial(hashlib.blake2b, digest_size=32),
}
"""By name in notes: DIGEST, and the digests of earlier versions, whose notes still count."""

Looks = dict[str, tuple[int, int]]
"""By source: the stamp and the status of a file before it is read."""


def _path(root: str, part: Part) -> str:
    return storage.join(root, FILES, part.subset, f"{part.name}.json")


def status_of(path: str) -> int:
    """Return a number that changes with the status of a file, or of any file in a folder: with its size, its times, and
    the time of the change of these, which nobody can set back. 0 for an object of a store."""
    if storage.is_remote(path):
        return 0
    if not os.path.isdir(path):
        return storage.stamp(path)
    stamps = [(name[len(path) :], storage.stamp(name)) for name in storage.list_files(path)]
    return int.from_bytes(hashlib.blake2b(ascii(stamps).encode(), digest_size=8).digest(), "big")


def content_digest(path: str, algorithm: str = DIGEST) -> str:
    """Return the digest of a file, or of all files of a folder of repositories; of what cannot be read an empty one.

    Args:
        path: Of the file or folder.
        algorithm: DIGEST, or the one of the note that it is to be compared with.
    """
    new_hash = _HASHES[algorithm]
    try:
        if storage.is_remote(path) or not os.path.isdir(path):
            return file_digest(path, new_hash())
        digests = [(name[len(path) :], file_digest(name, new_hash())) for name in storage.list_files(path)]
        hashed = new_hash()
        hashed.update(ascii(digests).encode())
        return str(hashed.hexdigest())
    except (MassiveTextError, OSError):
        return ""


def algorithm_of(note: Mapping[str, Any]) -> str:
    """Return the name of the digest in a note of a file; DIGEST where it has none."""
    return next((name for name in _HASHES if name in note), DIGEST)


def look_at_files(part: Part) -> Looks:
    """Return stamp and status of the files on disks that a part is about to read; of one that several parts read, only
    the first part looks at it."""
    looks: Looks = {}
    for file in part.members if part.split == 0 else ():
        if not storage.is_remote(file.path):
            try:
                looks[file.source] = readers.stamp(file.path, part.format), status_of(file.path)
            except OSError:
                continue  # it cannot be read either, which its row says
    return looks


def write_files(root: str, part: Part, looks: Looks) -> None:
    """Note the files of a part in DIR.

    Args:
        root: DIR.
        part: What was read.
        looks: What `look_at_files` has returned before. Where the status is another one by now no digest is noted:
            the file was changed while it was read.
    """
    read: dict[str, dict[str, Any]] = {}
    for file in part.members:
        if file.source in looks:
            seen, status = looks[file.source]
            digest = content_digest(file.path)  # just read, and so mostly still in memory
            is_same = status == status_of(file.path)
            read[file.source] = {"seen": seen, "status": status, DIGEST: digest if is_same else ""}
    files = {file.source: [file.n_bytes, file.stamp] for file in part.files}
    if files or read:
        write_sealed(_path(root, part), {"format": part.format, "files": files, "read": read})


def read_notes(root: str, part: Part) -> dict[str, dict[str, Any]]:
    """Return seen, status and digest of the files of a part, by source; nothing of a file that nothing is noted of."""
    return dict(_read(root, part).get("read", {}))


def _read(root: str, part: Part) -> dict[str, Any]:
    """What is noted of a part; nothing where it cannot be read."""
    path = _path(root, part)
    try:
        return read_sealed(path) if storage.exists(path) else {}
    except MassiveTextError:
        return {}


def _noted(root: str, part: Part) -> dict[str, list[int]] | None:
    """What was noted of a part that had several files, of which it may have one now; None where nothing was noted, or
    it cannot be read."""
    return _read(root, part).get("files") or None


def gone_files(root: str, parts: Sequence[Part]) -> list[tuple[Part, str]]:
    """Return the sources that parts of several files had when they were noted and have no more, each with its part."""
    notes = set(storage.list_files(storage.join(root, FILES)))
    noted = [part for part in parts if _path(root, part) in notes]
    before = storage.each(lambda part: _noted(root, part) or {}, noted, remote=storage.is_remote(root))
    return [
        (part, source)
        for part, sources in zip(noted, before)
        for source in sorted(sources.keys() - {file.source for file in part.members})
    ]


def changed_files(root: str, part: Part) -> Counter[str]:
    """Count the files of a part that are `new`, `changed` or `gone` since it was noted; none if it was not noted."""
    counts: Counter[str] = Counter()
    before = _noted(root, part)
    if before is None:
        return counts
    now = {file.source: [file.n_bytes, file.stamp] for file in part.members}
    counts["new"] = len(now.keys() - before.keys())
    counts["gone"] = len(before.keys() - now.keys())
    counts["changed"] = sum(before[source] != now[source] for source in now.keys() & before.keys())
    return counts
