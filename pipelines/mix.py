"""Mixtures as tasks: one for each shard, planned beforehand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from massivetext import storage
from massivetext.errors import OutputError
from massivetext.looking.data_card import data_card
from massivetext.mixture import Available, Documents, Plan, ShardRows, allot, kept_documents, plan, write_shard
from massivetext.parquet import file_digest
from pipelines.execution import Marker, Workers
from pipelines.folder import Folder
from pipelines.recipe import Recipe

__all__ = ["WriteShard", "mix", "note_mixture", "put_manifest", "weights_of"]

_FAR_OFF = 1.0
"""Percentage points: above it is said which subset, and why."""


@dataclass(frozen=True)
class WriteShard:
    """The task for one shard. Its rows are in a file of the plan, so that the task itself is small."""

    folder: Folder
    mixture: str
    name: str
    rows: str
    weight: int
    fingerprint: str

    @property
    def marker(self) -> str:
        return self.folder.marker("mix", self.mixture, self.name)

    def __call__(self) -> None:
        with storage.open_input(self.rows) as stream, np.load(stream, allow_pickle=False) as data:
            paths = tuple(json.loads(str(data["paths"])))
            rows = ShardRows(paths, data["path"], data["row_group"], data["row"])
        name = f"mixture/{self.mixture}/{self.name}.parquet"
        summary = write_shard(self.folder.path(name), rows)
        Marker(self.fingerprint, self.folder.outputs({name: summary})).write(self.marker)


def mix(
    folder: Folder,
    recipe: Recipe,
    workers: Workers,
    *,
    parts: Mapping[str, Sequence[str]],
    say: Callable[[str], None],
    on_start: Callable[[Sequence[Any]], Callable[[Any], None]],
) -> Plan | None:
    """Plan and write the recipe's mixture from the final ledger. parts: names of the parts of each subset. None if the
    mixture stands, written for the same documents.

    Weights of subsets without sources are left out and the others scaled to sum to one, which is said.
    """
    block = recipe.mixture
    weights, is_scaled = weights_of(recipe)
    if is_scaled:
        said = ", ".join(f"{name} {weight:.4f}" for name, weight in weights.items())
        say(f"only these subsets have sources; their weights are scaled to sum to 1: {said}")
    standing = folder.marker("mix", f"{block.name}-mixture")
    stands = _stands(folder, recipe)
    if not stands:
        documents = {name: kept_documents(_sources(folder, name, parts[name])) for name in weights}
        inputs = _inputs(folder, recipe, documents)
        stands = folder.is_done(standing, inputs)
        if stands:
            _note_manifests(folder, recipe, inputs)
    if stands:
        say(f"mixture {block.name}: stands as it was written")
        on_start([])
        return None
    available = {name: Available(len(found), found.n_tokens, found.n_bytes) for name, found in documents.items()}
    tokens = None if block.tokens == "max" else block.tokens
    made = plan(available, weights, tokens=tokens, max_epochs=block.max_epochs)
    for line in made.lines(shard_bytes=block.shard_bytes):
        say(line)
    if recipe.tokenizer is None:
        say("tokens are estimated as bytes / 4: the recipe names no tokenizer")
    allotment = allot(made, documents, seed=recipe.seed, n_shards=made.n_shards(block.shard_bytes))
    off, subset, number = allotment.deviation(weights)
    say(f"a subset's share of a shard's tokens is at most {off:.2f} percentage points from its weight")
    if off > _FAR_OFF:
        say(
            f"  that is {subset} in shard {number}: its documents are large, or too few, for shards of "
            f"{block.shard_bytes:,} bytes; larger mixture.shard_bytes bring the shares closer"
        )
    base = folder.path("mixture", block.name)
    plan_data: dict[str, Any] = {
        "plan": made.data(shard_bytes=block.shard_bytes),
        "recipe": recipe.digest(),
        "seed": recipe.seed,
        "shards": allotment.n_shards,
        "deviation": {"percentage_points": round(off, 4), "subset": subset, "shard": number},
        "tokens_by": _tokens_by(recipe),
    }
    storage.write_bytes(storage.join(base, "plan.json"), _json(plan_data))
    fingerprint = _fingerprint(folder, plan_data["plan"], recipe)
    tasks = []
    for number in range(allotment.n_shards):
        name = f"shard-{number:05d}-of-{allotment.n_shards:05d}"
        rows_path = folder.path("work", "mix", block.name, f"{name}.npz")
        task = WriteShard(folder, block.name, name, rows_path, allotment.n_rows(number), fingerprint)
        tasks.append(task)
        if not folder.is_done(task.marker, task.fingerprint):
            rows = allotment.rows(number)
            with storage.open_output(task.rows) as stream:
                np.savez_compressed(
                    stream, paths=json.dumps(rows.paths), path=rows.path, row_group=rows.row_group, row=rows.row
                )
    left = [task for task in tasks if not folder.is_done(task.marker, task.fingerprint)]
    workers.run(left, on_done=on_start(left))
    files: dict[str, Any] = {}
    for task in tasks:
        marker = Marker.read(task.marker)
        if marker is None:
            raise OutputError(f"{task.marker}: is not there; run again")
        summary = marker.outputs[f"mixture/{block.name}/{task.name}.parquet"]
        files[f"{task.name}.parquet"] = {key: summary[key] for key in ("rows", "bytes", "blake2b", "tokens")}
    for path in storage.list_files(base):
        if path.endswith(".parquet") and path[len(base) + 1 :] not in files:
            storage.remove(path)
    written: dict[str, int] = {}
    for summary in files.values():
        for name, n in summary["tokens"].items():
            written[name] = written.get(name, 0) + n
    manifest = {
        "kind": "mixture",
        "schema": "document-1",
        "recipe": recipe.digest(),
        "seed": recipe.seed,
        "weights": weights,
        "tokens_by": _tokens_by(recipe),
        "counts": {"rows": sum(summary["rows"] for summary in files.values()), "tokens": dict(sorted(written.items()))},
        "files": files,
    }
    put_manifest(folder, block.name, manifest)
    _note(folder, block.name, inputs)
    _note_manifests(folder, recipe, inputs)
    return made


def _stands(folder: Folder, recipe: Recipe) -> bool:
    """Whether the mixture is known to stand by the manifests alone, without a look at any document."""
    standing = Marker.read(folder.marker("mix", f"{recipe.mixture.name}-mixture"))
    if standing is None or not folder.is_intact(standing):
        return False
    noted = folder.marker("mix", f"{recipe.mixture.name}-manifests")
    return folder.is_done(noted, _manifests(folder, ["mixture", recipe.digest(), standing.fingerprint]))


def _note_manifests(folder: Folder, recipe: Recipe, inputs: str) -> None:
    """Note of which files the documents with these inputs are."""
    digest = _manifests(folder, ["mixture", recipe.digest(), inputs])
    Marker(digest).write(folder.marker("mix", f"{recipe.mixture.name}-manifests"))


def _fingerprint(folder: Folder, planned: Mapping[str, Any], recipe: Recipe) -> str:
    """All that shapes the shards: what is kept, by the manifests' digests, the plan and the seed."""
    return _manifests(folder, ["mixture-2", planned, recipe.seed])


def _manifests(folder: Folder, values: Sequence[Any]) -> str:
    """A digest of some values, and of all files that documents are taken from, as their manifests have them."""
    digest = hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16)
    for kind in ("ledger", "curated", "pieces"):
        path = folder.path(kind, "manifest.json")
        if kind != "pieces" or storage.exists(path):
            digest.update(storage.read_bytes(path))
    return digest.hexdigest()


def put_manifest(folder: Folder, name: str, manifest: dict[str, Any]) -> None:
    """Write the data card of a mixture and, last, its manifest, which has the card's digest."""
    base = folder.path("mixture", name)
    text = data_card(folder.root, folder.recipe(), name, manifest).encode()
    storage.write_bytes(storage.join(base, "README.md"), text)
    digest = hashlib.blake2b(text, digest_size=32).hexdigest()
    data = {**manifest, "card": {"name": "README.md", "bytes": len(text), "blake2b": digest}}
    storage.write_bytes(storage.join(base, "manifest.json"), _json(data))


def note_mixture(folder: Folder, recipe: Recipe) -> None:
    """Note that the recipe's mixture stands for the documents as they are now, though it was planned for others: for
    one that documents were taken out of. Nothing is noted where nothing was."""
    block = recipe.mixture
    if not storage.exists(folder.marker("mix", f"{block.name}-mixture")):
        return
    documents = {}
    for name in (name for name, weight in block.weights.items() if name in recipe.filled and weight > 0):
        base = folder.path("curated", name)
        parts = [path[len(base) + 1 : -len(".parquet")] for path in storage.list_files(base)]
        documents[name] = kept_documents(_sources(folder, name, parts))
    _note(folder, block.name, _inputs(folder, recipe, documents))


def _note(folder: Folder, name: str, inputs: str) -> None:
    base = f"mixture/{name}"
    shards = json.loads(storage.read_bytes(folder.path(base, "manifest.json")))["files"]
    files = {f"{base}/{file}": {key: found[key] for key in ("bytes", "blake2b")} for file, found in shards.items()}
    for file in ("plan.json", "manifest.json", "README.md"):
        path = folder.path(base, file)
        files[f"{base}/{file}"] = {"bytes": storage.size(path), "blake2b": file_digest(path)}
    Marker(inputs, folder.outputs(files)).write(folder.marker("mix", f"{name}-mixture"))


def _inputs(folder: Folder, recipe: Recipe, documents: Mapping[str, Documents]) -> str:
    """What shapes a mixture and its manifest, as a digest: the recipe, the files of documents by their digests, for a
    text can change and take as many tokens, and each kept document's place and tokens."""
    digests: dict[str, str] = {}
    for kind in ("curated", "pieces"):
        path = folder.path(kind, "manifest.json")
        if storage.exists(path):
            files = json.loads(storage.read_bytes(path))["files"]
            digests |= {f"{kind}/{name}": found["blake2b"] for name, found in files.items()}
    digest = hashlib.blake2b(recipe.digest().encode(), digest_size=16)
    for subset, found in sorted(documents.items()):
        for number in sorted(range(len(found.paths)), key=lambda number: found.paths[number]):
            name = "/".join(found.paths[number].split("/")[-3:])
            first, last = np.searchsorted(found.part, [number, number + 1])
            chosen = slice(*np.searchsorted(found.unit, [first, last]))
            digest.update(f"{subset}\0{name}\0{digests[name]}\0{last - first}\0{chosen.stop - chosen.start}\0".encode())
            for column in (found.row_group[first:last], found.unit[chosen] - first, found.row[chosen]):
                digest.update(np.ascontiguousarray(column, np.int32).tobytes())
            digest.update(np.ascontiguousarray(found.tokens[chosen]).tobytes())
    return digest.hexdigest()


def weights_of(recipe: Recipe) -> tuple[dict[str, float], bool]:
    """The weights of the subsets that have sources, summing to one, and whether they were scaled to do so."""
    weights = {name: weight for name, weight in recipe.mixture.weights.items() if name in recipe.filled and weight > 0}
    if not weights:
        raise OutputError("mixture.weights: no subset with a weight has sources; there is nothing to mix")
    scale = sum(weights.values())
    if abs(scale - 1) <= 1e-9:
        return weights, False
    return {name: weight / scale for name, weight in weights.items()}, True


def _sources(folder: Folder, subset: str, parts: Sequence[str]) -> list[tuple[str, str | None]]:
    """Files of documents of a subset with their ledgers, and those of pieces, of which every row is kept."""
    found: list[tuple[str, str | None]] = []
    for part in parts:
        found.append((folder.part("curated", subset, part), folder.part("ledger", subset, part)))
        pieces = folder.part("pieces", subset, part)
        if storage.exists(pieces):
            found.append((pieces, None))
    return found


def _tokens_by(recipe: Recipe) -> str:
    return "estimate: bytes / 4" if recipe.tokenizer is None else "tokenizer " + recipe.canonical()["tokenizer"]


def _json(data: Any) -> bytes:
    return (json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()
