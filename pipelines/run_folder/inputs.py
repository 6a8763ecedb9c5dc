"""Whether sources are what an earlier run read, by their bytes: DIR/work/inputs.json, which `run --check-inputs` keeps.

Without it a source is known by its size and the time of its last change. Those miss a file that was replaced by another
one with the same time, or whose bytes went bad, and take one that was only touched for a new one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from massivetext import storage
from massivetext.errors import MassiveTextError, OutputError
from massivetext.parquet import file_digest
from massivetext.sealed import read_sealed, write_sealed
from massivetext.terminal_text import counted
from pipelines.input_splits import File, Part
from pipelines.run_folder.folder import Folder

__all__ = ["known_inputs"]

FORMAT = "massivetext-inputs-1"


def known_inputs(folder: Folder, parts: Sequence[Part], *, by_digest: bool, say: Callable[[str], None]) -> list[Part]:
    """Return the parts with the stamps by which an earlier run knew their files, where their bytes are the same.

    Args:
        folder: DIR, locked.
        parts: Of all sources.
        by_digest: Whether every file is read and compared. One that was never compared before is read as a new one.
        say: Told how many files were compared, and how many differ.
    """
    path = folder.path("work", "inputs.json")
    notes = _notes(path)
    if not by_digest and not notes:
        return list(parts)
    files = {_key(part.subset, file): file for part in parts for file in part.members}
    stamps: dict[str, int] = {}
    if by_digest:
        remote = any(storage.is_remote(file.path) for file in files.values())
        digests = storage.each(lambda file: _digest(file.path), list(files.values()), remote=remote)
        changed = 0
        for (key, file), digest in zip(files.items(), digests):
            before = notes.get(key)
            is_same = before is not None and before["blake2b"] == digest
            changed += before is not None and not is_same
            stamps[key] = before["stamp"] if before is not None and is_same else _number(file.stamp, digest)
            notes[key] = {"seen": file.stamp, "stamp": stamps[key], "blake2b": digest}
        write_sealed(path, {"format": FORMAT, "files": {key: notes[key] for key in sorted(files)}})
        say(f"inputs: {counted(len(files), 'file')} compared by digest; {changed:,} changed since the last time")
    else:
        stamps = {
            key: notes[key]["stamp"] for key, file in files.items() if notes.get(key, {}).get("seen") == file.stamp
        }
    return [_with_stamps(part, stamps) for part in parts]


def _notes(path: str) -> dict[str, dict[str, Any]]:
    """What is noted of each file; nothing where nothing is, or it is damaged: the files are then read again."""
    if not storage.exists(path):
        return {}
    try:
        data = read_sealed(path)
        return dict(data["files"]) if data["format"] == FORMAT else {}
    except (OutputError, KeyError, TypeError):
        return {}


def _with_stamps(part: Part, stamps: dict[str, int]) -> Part:
    members = [file._replace(stamp=stamps.get(_key(part.subset, file), file.stamp)) for file in part.members]
    return replace(part, files=tuple(members)) if part.files else replace(part, stamp=members[0].stamp)


def _key(subset: str, file: File) -> str:
    return f"{subset}/{file.source}"


def _digest(path: str) -> str:
    """Return the digest of a file, or of all files of a folder of repositories; of what cannot be read an empty one."""
    try:
        if storage.is_remote(path) or not os.path.isdir(path):
            return file_digest(path)
        digests = [(name[len(path) :], file_digest(name)) for name in storage.list_files(path)]
        return hashlib.blake2b(ascii(digests).encode(), digest_size=32).hexdigest()
    except (MassiveTextError, OSError):
        return ""


def _number(stamp: int, digest: str) -> int:
    """A stamp that no other content has, whatever its times."""
    return int.from_bytes(hashlib.blake2b(f"{stamp} {digest}".encode(), digest_size=8).digest(), "big")
