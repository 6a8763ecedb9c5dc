"""Whether a mixture is what its manifest says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from massivetext import storage
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.errors import MassiveTextError
from massivetext.mixture.schema import MIXTURE_SCHEMA
from massivetext.parquet import FILE_ERRORS, file_digest, open_parquet
from massivetext.sealed import read_sealed, seal_fault

__all__ = ["verify_mixture"]

Each = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


def verify_mixture(folder: str, *, each: Each = map) -> list[str]:
    """Return faults of the mixture in `folder`, one line each: shards missing, added, changed, of another schema or
    count, and a plan, card or manifest that is damaged.

    each: calls a function on each shard, as `map` does.
    """
    path = storage.join(folder, "manifest.json")
    try:
        manifest = read_sealed(path)
        files: Mapping[str, Mapping[str, Any]] = manifest["files"]
        card = manifest.get("card")
        faults = _other_faults(folder, card)
        listed = {name: (summary["rows"], summary["blake2b"]) for name, summary in sorted(files.items())}
    except MassiveTextError as error:
        return [f"{path}: is no manifest: {str(error).removeprefix(f'{path}: ')}"]
    except (KeyError, TypeError, AttributeError) as error:
        return [f"{path}: is no manifest: it lacks {error}"]
    there = {name[len(folder) + 1 :] for name in storage.list_files(folder) if name.endswith(".parquet")}
    faults += [f"{folder}/{name}: is not in the manifest" for name in sorted(there - set(listed))]
    faults += [f"{folder}/{name}: is in the manifest, but not there" for name in listed if name not in there]
    shards = [(storage.join(folder, name), *listed[name]) for name in listed if name in there]
    for own in each(lambda shard: _shard_faults(*shard), shards):
        faults += own
    return faults


def _other_faults(folder: str, card: Mapping[str, Any] | None) -> list[str]:
    """Return faults of the data card and of the plan."""
    faults = []
    if card is not None:
        name = storage.join(folder, card["name"])
        if not storage.exists(name) or file_digest(name) != card["blake2b"]:
            faults.append(f"{name}: differs from what was written, or is not there")
    plan = storage.join(folder, "plan.json")
    if storage.exists(plan) and (fault := seal_fault(plan)):
        faults.append(fault)
    return faults


def _shard_faults(path: str, n_rows: int, digest: str) -> list[str]:
    faults = []
    try:
        if file_digest(path) != digest:
            return [f"{path}: has another digest than the manifest says"]
        with storage.open_input(path) as stream:
            file = open_parquet(stream)
            if not any(file.schema_arrow.equals(known) for known in (MIXTURE_SCHEMA, DOCUMENT_SCHEMA)):
                faults.append(f"{path}: has another schema")
            if file.metadata.num_rows != n_rows:
                faults.append(f"{path}: has {file.metadata.num_rows} rows, the manifest says {n_rows}")
    except FILE_ERRORS as error:
        faults.append(f"{path}: cannot be read: {error}")
    return faults
