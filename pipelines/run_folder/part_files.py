"""Which files a part was made from: `work/files/<subset>/<part>.json` of each part of several files.

A later run compares it with the files that are there now, to report what has changed.
"""

from __future__ import annotations

import json
from collections import Counter

from massivetext import storage
from massivetext.errors import MassiveTextError
from pipelines.input_splits import Part

__all__ = ["FILES", "changed_files", "gone_files", "write_files"]

FILES = "work/files"
"""The folder below DIR. `files` of each of its files: source -> [bytes, time of the last change in ns]."""


def _path(root: str, part: Part) -> str:
    return storage.join(root, FILES, part.subset, f"{part.name}.json")


def write_files(root: str, part: Part) -> None:
    """Note the files of a part in DIR; of a part of one file nothing, for its marker says it all."""
    if part.files:
        files = {file.source: [file.n_bytes, file.stamp] for file in part.files}
        storage.write_bytes(_path(root, part), json.dumps({"format": part.format, "files": files}).encode())


def _noted(root: str, part: Part) -> dict[str, list[int]] | None:
    """What was noted of a part of several files; None where nothing was, or it cannot be read."""
    path = _path(root, part)
    if not part.files or not storage.exists(path):
        return None
    try:
        return dict(json.loads(storage.read_bytes(path))["files"])
    except (MassiveTextError, ValueError, KeyError, TypeError):
        return None


def gone_files(root: str, part: Part) -> list[str]:
    """Return the sources that a part had when it was noted and has no more, sorted."""
    return sorted(set(_noted(root, part) or ()) - {file.source for file in part.files})


def changed_files(root: str, part: Part) -> Counter[str]:
    """Count the files of a part that are `new`, `changed` or `gone` since it was noted; none if it was not noted."""
    counts: Counter[str] = Counter()
    before = _noted(root, part)
    if before is None:
        return counts
    now = {file.source: [file.n_bytes, file.stamp] for file in part.files}
    counts["new"] = len(now.keys() - before.keys())
    counts["gone"] = len(before.keys() - now.keys())
    counts["changed"] = sum(before[source] != now[source] for source in now.keys() & before.keys())
    return counts
