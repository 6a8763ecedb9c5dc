"""The mixtures of DIR: which stand, of which documents, and which are of an earlier recipe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from massivetext import storage
from massivetext.errors import MassiveTextError, OutputError
from massivetext.looking.data_card import data_card
from massivetext.mixture import front_matter
from massivetext.own_files import is_shard, own_parts
from massivetext.parquet import file_digest
from massivetext.sealed import read_sealed, write_sealed
from pipelines.kept_units import kept_units, perform_here
from pipelines.recipe import Recipe
from pipelines.run_folder.folder import Folder
from pipelines.tasks import Marker

__all__ = [
    "manifests_digest",
    "note_manifests",
    "note_mixture",
    "note_shards",
    "put_manifest",
    "remove_earlier_mixtures",
    "stands",
]


def remove_earlier_mixtures(folder: Folder, recipe: Recipe, say: Callable[[str], None]) -> None:
    """Remove mixtures of DIR that have another name than the recipe's: the recipe's was renamed since, and theirs are
    documents of an earlier run, which a pattern such as `mixture/*/*.parquet` would read beside those of this one.

    What goes is what their manifests list. Another folder, or one whose manifest is damaged, stays and is named.
    """
    base = folder.path("mixture")
    for name in storage.list_names(base):
        path = storage.join(base, name)
        there = {file[len(path) + 1 :] for file in storage.list_files(path)}
        if name == recipe.mixture.name or not there:
            continue
        try:
            manifest = read_sealed(storage.join(path, "manifest.json"))
            if manifest["kind"] != "mixture":
                raise OutputError(f"{path}: is of the kind {manifest['kind']!r}")
            # Only what is in the folder: a name such as `../main/shard-00000-of-00001.parquet` is not.
            shards = [file for file in manifest["files"] if is_shard(file) and file in there]
            rows = int(manifest["counts"]["rows"])
        except (MassiveTextError, KeyError, TypeError, ValueError):
            say(f"{path}: is no mixture of this recipe, and stays; move it to where {base}/* does not read it")
            continue
        # The manifest last: without it nobody could tell whose the others are.
        storage.remove_all(storage.join(path, file) for file in [*shards, "README.md", "plan.json"])
        storage.remove(storage.join(path, "manifest.json"))
        for marker in (folder.marker("mix", f"{name}-{note}") for note in ("mixture", "manifests")):
            storage.remove(marker)
        storage.remove_empty_folders(path)
        say(
            f"mixture {name}: removed, {rows:,} rows in {len(shards):,} shards; the recipe's mixture is called "
            f"{recipe.mixture.name} now, and another --output keeps both"
        )


def stands(folder: Folder, recipe: Recipe) -> bool:
    """Return whether the mixture is known to stand by the manifests alone, without a look at any document."""
    standing = Marker.read(folder.marker("mix", f"{recipe.mixture.name}-mixture"))
    if standing is None or not folder.is_intact(standing):
        return False
    noted = folder.marker("mix", f"{recipe.mixture.name}-manifests")
    return folder.is_done(noted, manifests_digest(folder, ["mixture", recipe.digest(), standing.fingerprint]))


def note_manifests(folder: Folder, recipe: Recipe, inputs: str) -> None:
    """Note of which files the documents with these inputs are."""
    digest = manifests_digest(folder, ["mixture", recipe.digest(), inputs])
    Marker(digest).write(folder.marker("mix", f"{recipe.mixture.name}-manifests"))


def manifests_digest(folder: Folder, values: Sequence[Any]) -> str:
    """Return a digest of some values, and of all files that documents are taken from, as their manifests have them."""
    digest = hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16)
    for kind in ("ledger", "curated", "pieces"):
        path = folder.path(kind, "manifest.json")
        if kind != "pieces" or storage.exists(path):
            digest.update(storage.read_bytes(path))
    return digest.hexdigest()


def put_manifest(
    folder: Folder, name: str, manifest: dict[str, Any], *, kept: Sequence[Mapping[str, Any]] | None = None
) -> None:
    """Write the data card of a mixture and, last, its manifest, which has the card's digest. kept: as `data_card` takes
    it."""
    base = folder.path("mixture", name)
    text = (front_matter(name, manifest) + data_card(folder.root, folder.recipe(), name, manifest, kept=kept)).encode()
    storage.write_bytes(storage.join(base, "README.md"), text)
    digest = hashlib.blake2b(text, digest_size=32).hexdigest()
    data = {**manifest, "card": {"name": "README.md", "bytes": len(text), "blake2b": digest}}
    write_sealed(storage.join(base, "manifest.json"), data)


def note_mixture(folder: Folder, recipe: Recipe) -> None:
    """Note that the recipe's mixture stands for the documents as they are now, though it was planned for others: for
    one that documents were taken out of. Nothing is noted where nothing was."""
    block = recipe.mixture
    if not storage.exists(folder.marker("mix", f"{block.name}-mixture")):
        return
    parts = {}
    for name in recipe.filled:
        base = folder.path("curated", name)
        parts[name] = [path[len(base) + 1 : -len(".parquet")] for path in own_parts(base)]
    kept = kept_units(folder, recipe, parts, perform_here, recipe_digest=folder.recipe_digest())
    note_shards(folder, block.name, kept.inputs)


def note_shards(folder: Folder, name: str, inputs: str) -> None:
    """Note that the mixture of this name is what its manifest says, made of documents with these inputs."""
    base = f"mixture/{name}"
    shards = read_sealed(folder.path(base, "manifest.json"))["files"]
    files = {f"{base}/{file}": {key: shard[key] for key in ("bytes", "blake2b")} for file, shard in shards.items()}
    for file in ("plan.json", "manifest.json", "README.md"):
        path = folder.path(base, file)
        files[f"{base}/{file}"] = {"bytes": storage.size(path), "blake2b": file_digest(path)}
    Marker(inputs, folder.outputs(files)).write(folder.marker("mix", f"{name}-mixture"))
