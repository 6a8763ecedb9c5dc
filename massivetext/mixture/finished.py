"""The shards of a mixture that is written, found again and compared with their manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from massivetext import storage
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.errors import OutputError
from massivetext.mixture.schema import MIXTURE_SCHEMA
from massivetext.sealed import read_sealed

__all__ = ["compare_files", "compare_footer", "finished_shards"]


def finished_shards(
    path: str | os.PathLike[str], mixture: str | None = None
) -> tuple[str, list[str], dict[str, Any] | None]:
    """path: an output folder, a mixture in it, or a folder or file of Parquet. mixture: its name, where an output
    folder has several.

    Returns the folder, its shards in order, and its manifest; None where there is none.

    Raises OutputError where there are no shards or they are not those of the manifest.
    """
    path = os.fspath(path)
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
    manifest = read_sealed(place)
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


def compare_footer(
    path: str, n_rows: int, schema: pa.Schema, listed: Mapping[str, Any], manifest: Mapping[str, Any]
) -> None:
    """Compare what a shard's footer says, which has no checksum, with the manifest.

    Args:
        path: The shard.
        n_rows: Rows by its footer.
        schema: Its schema.
        listed: What `files` of the manifest says of it.
        manifest: The mixture's; one that names no schema is not compared by it.

    Raises:
        OutputError: For another number of rows or other columns.
    """
    if n_rows != listed.get("rows", n_rows):
        raise OutputError(f"{path}: has {n_rows:,} rows, its manifest says {listed['rows']:,}; it is damaged")
    if "schema" in manifest and not any(schema.equals(known) for known in (MIXTURE_SCHEMA, DOCUMENT_SCHEMA)):
        raise OutputError(f"{path}: has not the columns of {manifest['schema']}; it is damaged")
