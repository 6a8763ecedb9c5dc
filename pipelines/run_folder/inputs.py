"""Whether sources are what an earlier run read: DIR/work/inputs.json.

A source is known by its size and the time of its last change. A program that keeps times (`rsync -a`, `cp -p`, `tar`)
can put other bytes in its place with the same ones, so the time of the change of status is noted too, which nobody can
set back, and a digest of the bytes. Where only the status has changed, as that of every file has in a copy of a whole
project (`cp -a`), the digests are compared; `run --check-inputs` compares them in any case. The task that has read a
file notes it (`part_files`). An object of a store is known by its size and the time at which the store took it, which
nobody can set back either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from massivetext import storage
from massivetext.errors import OutputError
from massivetext.sealed import read_sealed, write_sealed
from massivetext.terminal_text import counted
from pipelines.input_splits import File, Part
from pipelines.run_folder.folder import Folder
from pipelines.run_folder.part_files import algorithm_of, content_digest, read_notes, status_of

__all__ = ["known_inputs", "note_inputs"]

FORMAT = "massivetext-inputs-4"
_FORMATS = ("massivetext-inputs-2", "massivetext-inputs-3", FORMAT)

Notes = dict[str, dict[str, Any]]
"""By subset and source. `seen`, `status`: the stamp and the status of the file that was read; `algorithm_of`: its
digest; `stamp`: what it goes by in fingerprints."""


def known_inputs(folder: Folder, parts: Sequence[Part], *, by_digest: bool, say: Callable[[str], None]) -> list[Part]:
    """Return the parts with the stamps by which an earlier run knew their files, where their bytes are the same.

    Args:
        folder: DIR, locked.
        parts: Of all sources.
        by_digest: Whether every file is read and compared, and not only those whose status alone has changed.
        say: Told how many files were compared, and how many differ.
    """
    path = folder.path("work", "inputs.json")
    notes = _read(path)
    files = {_key(part.subset, file): file for part in parts for file in part.members}
    compared = [
        key for key, file in files.items() if by_digest or (key in notes and _has_other_status(file, notes[key]))
    ]
    if compared:
        changed = _compare({key: files[key] for key in compared}, notes)
        write_sealed(path, {"format": FORMAT, "files": {key: notes[key] for key in sorted(files) if key in notes}})
        why = "" if by_digest else " whose status alone has changed"
        n_files = counted(len(compared), "file")
        say(f"inputs: {n_files}{why} compared by digest; {changed:,} changed since the last time")
    stamps = {key: notes[key]["stamp"] for key, file in files.items() if notes.get(key, {}).get("seen") == file.stamp}
    return [_with_stamps(part, stamps) for part in parts]


def _has_other_status(file: File, note: Mapping[str, Any]) -> bool:
    """Whether a file has the size and the time that are noted, and another status."""
    return bool(note["seen"] == file.stamp and note["status"] != status_of(file.path))


def _compare(files: Mapping[str, File], notes: Notes) -> int:
    """Bring the notes of some files up to date with their bytes, and return how many had others before."""
    # Reading and hashing wait for disks and stores, and leave Python's lock meanwhile.
    algorithms = [algorithm_of(notes.get(key, {})) for key in files]
    with ThreadPoolExecutor(storage.THREADS if any(storage.is_remote(f.path) for f in files.values()) else 4) as pool:
        looks = pool.map(_look, files.values(), algorithms)
    changed = 0
    for (key, file), algorithm, (status, digest) in zip(files.items(), algorithms, looks):
        before = notes.get(key)
        is_same = before is not None and before[algorithm] == digest != ""
        changed += before is not None and not is_same
        stamp = before["stamp"] if before is not None and is_same else _number(file.stamp, digest)
        notes[key] = {"seen": file.stamp, "status": status, "stamp": stamp, algorithm: digest}
    return changed


def _look(file: File, algorithm: str) -> tuple[int, str]:
    """The status and the digest of a file."""
    return status_of(file.path), content_digest(file.path, algorithm)


def note_inputs(folder: Folder, parts: Sequence[Part]) -> None:
    """Take what tasks have noted of the files that they read into DIR/work/inputs.json.

    Args:
        folder: DIR, locked.
        parts: Of all sources, as `known_inputs` returns them, all of them read.
    """
    path = folder.path("work", "inputs.json")
    notes = _read(path)
    current: Notes = {}
    pending: list[Part] = []
    for part in parts:
        keys = {_key(part.subset, file): file for file in part.members}
        current |= {key: notes[key] for key in keys if key in notes}
        if part.split == 0 and any(_is_unnoted(file, notes.get(key)) for key, file in keys.items()):
            pending.append(part)
    remote = storage.is_remote(folder.root)
    noted = storage.each(lambda part: read_notes(folder.root, part), pending, remote=remote)
    for part, by_source in zip(pending, noted):
        for file in part.members:
            if file.source in by_source:
                current[_key(part.subset, file)] = {**by_source[file.source], "stamp": file.stamp}
    if current != notes:
        write_sealed(path, {"format": FORMAT, "files": dict(sorted(current.items()))})


def _is_unnoted(file: File, note: Mapping[str, Any] | None) -> bool:
    """Whether a file was read since it was noted, if it ever was. Of objects of a store nothing is."""
    return (note is None or note["stamp"] != file.stamp) and not storage.is_remote(file.path)


def _read(path: str) -> Notes:
    """What is noted of each file; nothing where nothing is, or it is damaged: sources then go by size and time."""
    if not storage.exists(path):
        return {}
    try:
        data = read_sealed(path)
        return dict(data["files"]) if data["format"] in _FORMATS else {}
    except (OutputError, KeyError, TypeError):
        return {}


def _with_stamps(part: Part, stamps: dict[str, int]) -> Part:
    members = [file._replace(stamp=stamps.get(_key(part.subset, file), file.stamp)) for file in part.members]
    return replace(part, files=tuple(members)) if part.files else replace(part, stamp=members[0].stamp)


def _key(subset: str, file: File) -> str:
    return f"{subset}/{file.source}"


def _number(stamp: int, digest: str) -> int:
    """A stamp that no other content has, whatever its times."""
    return int.from_bytes(hashlib.blake2b(f"{stamp} {digest}".encode(), digest_size=8).digest(), "big")
