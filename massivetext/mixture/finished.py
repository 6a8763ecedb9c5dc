"""The shards of a mixture that is written, found again and compared with their manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from massivetext import storage
from massivetext.errors import OutputError

__all__ = ["compare_files", "finished_shards"]


def finished_shards(path: str, mixture: str | None = None) -> tuple[str, list[str], dict[str, Any] | None]:
    """path: an output folder, a mixture in it, or a folder or file of Parquet. mixture: its name, where an output
    folder has several.

    Returns the folder, its shards in order, and its manifest; None where there is none.

    Raises OutputError where there are no shards or they are not those of the manifest.
    """
    if not storage.is_remote(path) and path.endswith(".parquet") and storage.exists(path):
        return path.rpartition("/")[0] or ".", [path], None
    root = storage.join(path, "mixture")
    names = sorted({name[len(root) + 1 :].partition("/")[0] for name in storage.list_files(root)})
    if names:
        if mixture is None and len(names) > 1:
            raise OutputError(f"{root}: holds several mixtures ({', '.join(names)}); name one")
        if mixture is not None and mixture not in names:
            raise OutputError(f"{root}: there is no mixture {mixture!r}, only {', '.join(names)}")
        path = storage.join(root, mixture or names[0])
    path = path.rstrip("/")
    place = storage.join(path, "manifest.json")
    if not storage.exists(place):
        found = [name for name in storage.list_files(path) if name.endswith(".parquet")]
        if not found:
            raise OutputError(f"{path}: no shards there; `massivetext run` makes them")
        return path, found, None
    manifest = json.loads(storage.read_bytes(place))
    if manifest.get("kind") != "mixture":
        raise OutputError(f"{place}: is the manifest of {manifest.get('kind')!r}; expected that of a mixture")
    names = sorted(manifest["files"])
    compare_files(path, manifest["files"], names, remedy="run `massivetext mix` again")
    return path, [storage.join(path, name) for name in names], manifest


def compare_files(folder: str, listed: Mapping[str, Any], names: Sequence[str], *, remedy: str) -> None:
    """listed: `files` of the folder's manifest.

    Raises OutputError for one of the names that is not there, or has not the bytes that the manifest says.
    """
    there = storage.list_sizes(folder)
    for name in names:
        file, expected = storage.join(folder, name), listed[name]["bytes"]
        if file not in there:
            raise OutputError(f"{file}: is in the manifest, but not there; {remedy}")
        if there[file][0] != expected:
            raise OutputError(f"{file}: has {there[file][0]:,} bytes, its manifest says {expected:,}; {remedy}")
