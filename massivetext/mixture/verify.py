"""Whether a mixture is what its manifest says."""

from __future__ import annotations

import json

from massivetext import storage
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.mixture.schema import MIXTURE_SCHEMA
from massivetext.parquet import file_digest, open_parquet

__all__ = ["verify_mixture"]


def verify_mixture(folder: str) -> list[str]:
    """Faults of the mixture in `folder`, one line each: shards missing, added, changed, of another schema or count."""
    path = storage.join(folder, "manifest.json")
    try:
        manifest = json.loads(storage.read_bytes(path))
        files = manifest["files"]
    except (ValueError, KeyError) as error:
        return [f"{path}: is no manifest: {error}"]
    faults = []
    card = manifest.get("card")
    if card is not None:
        name = storage.join(folder, card["name"])
        if not storage.exists(name) or file_digest(name) != card["blake2b"]:
            faults.append(f"{name}: differs from what was written, or is not there")
    found = {name[len(folder) + 1 :] for name in storage.list_files(folder) if name.endswith(".parquet")}
    faults += [f"{folder}/{name}: is not in the manifest" for name in sorted(found - set(files))]
    for name, summary in sorted(files.items()):
        shard = storage.join(folder, name)
        if name not in found:
            faults.append(f"{shard}: is in the manifest, but not there")
        elif file_digest(shard) != summary["blake2b"]:
            faults.append(f"{shard}: has another digest than the manifest says")
        else:
            with storage.open_input(shard) as stream:
                file = open_parquet(stream)
                if not any(file.schema_arrow.equals(known) for known in (MIXTURE_SCHEMA, DOCUMENT_SCHEMA)):
                    faults.append(f"{shard}: has another schema")
                if file.metadata.num_rows != summary["rows"]:
                    faults.append(f"{shard}: has {file.metadata.num_rows} rows, the manifest says {summary['rows']}")
    return faults
