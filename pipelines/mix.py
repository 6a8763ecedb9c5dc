"""The mixture: planned from the final ledger, written shard by shard."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import apache_beam as beam
import numpy as np

from massivetext import storage
from massivetext.errors import LimitError, MassiveTextError, OutputError, RecipeError
from massivetext.looking.data_card import data_card
from massivetext.mixture import (
    SCHEMA_NAME,
    Available,
    Deal,
    Plan,
    bucket_weights,
    deal,
    front_matter,
    plan,
    read_deal,
    weights_with_sources,
    write_deal,
    write_shard,
)
from massivetext.mixture.allotment import deviation, remedy
from massivetext.own_files import is_shard, own_parts
from massivetext.parquet import file_digest
from massivetext.sealed import read_sealed, write_sealed
from pipelines.engines.engine import Engine
from pipelines.input_splits import Part
from pipelines.kept_units import PARTS, KeptTask, Perform, kept_units, perform_here
from pipelines.recipe import Recipe
from pipelines.run_folder.folder import Folder
from pipelines.tasks import Marker, read_markers, task_begins, task_ends
from pipelines.transforms.base import Counters
from pipelines.transforms.run_steps import RunSteps
from pipelines.transforms.shares import share_limits

__all__ = [
    "WriteMixture",
    "WriteShards",
    "check_weights",
    "mix",
    "note_mixture",
    "plan_mixture",
    "put_manifest",
    "remove_earlier_mixtures",
    "weights_of",
]


@dataclass(frozen=True)
class ShardTask:
    """One shard. Which rows it has follows from a file of the plan, which all shards share, and its number."""

    folder: Folder
    mixture: str
    name: str
    number: int
    plan: str
    weight: int
    fingerprint: str

    @property
    def marker(self) -> str:
        return self.folder.marker("mix", self.mixture, self.name)


class WriteShards(beam.PTransform):  # type: ignore[misc]
    """Write shards, each by itself. Returns their markers."""

    def expand(self, tasks: beam.PCollection[ShardTask]) -> beam.PCollection[str]:
        return tasks | "Write" >> beam.ParDo(_WriteShard()).with_output_types(str)


class _WriteShard(beam.DoFn):  # type: ignore[misc]
    def setup(self) -> None:
        self.counters = Counters("WriteShards")

    def process(self, task: ShardTask) -> Iterator[str]:
        started = time.process_time()
        task_begins(task.marker)
        rows, tokens = _read_deal(task.plan, task.folder.root, task.fingerprint).rows(task.number)
        name = f"mixture/{task.mixture}/{task.name}.parquet"
        summary = write_shard(task.folder.path(name), rows)
        Marker(task.fingerprint, task.folder.outputs({name: summary}), {"taken": tokens}).write(task.marker)
        task_ends(task.marker)
        self.counters.time(started)
        self.counters.add(shards=1, documents_out=len(rows))
        yield task.marker


@lru_cache(maxsize=1)
def _read_deal(path: str, root: str, fingerprint: str) -> Deal:
    """The plan of all shards, read once a process. The fingerprint tells it from an earlier one at the same path."""
    return read_deal(path, root)


class WriteMixture(beam.PTransform):  # type: ignore[misc]
    """From the markers of final ledgers to the path of the mixture: planned once all are there, written shard by shard,
    and named whole by its manifest at the end."""

    def __init__(self, folder: Folder | str, recipe: Recipe) -> None:
        super().__init__()
        self.folder = Folder(folder) if isinstance(folder, str) else folder
        self.recipe = recipe

    def expand(self, ledgers: beam.PCollection[str]) -> beam.PCollection[str]:
        start = ledgers.pipeline | "Start" >> beam.Create([None])
        shards = (
            start
            | "Plan" >> beam.FlatMap(self._plan, beam.pvalue.AsIter(ledgers)).with_output_types(ShardTask)
            | "Spread" >> beam.Reshuffle()
            | WriteShards()
        )
        return start | "Finish" >> beam.Map(self._finish, beam.pvalue.AsIter(shards)).with_output_types(str)

    def _plan(self, _: None, ledgers: Iterable[str]) -> list[ShardTask]:
        parts: dict[str, list[str]] = {}
        for marker in ledgers:
            subset, name = marker.split("/")[-2:]
            parts.setdefault(subset, []).append(name.removesuffix(".json"))
        self.folder.adopt(self.recipe, update=False)
        _write_manifests(self.folder, self.recipe, parts)
        planned = plan_mixture(self.folder, self.recipe, parts=parts, say=_log, perform=perform_here)
        return [] if planned is None else planned.tasks

    def _finish(self, _: None, shards: Iterable[str]) -> str:
        for _shard in shards:
            pass
        path = self.folder.path("mixture", self.recipe.mixture.name)
        planned = Planned.read(self.folder, self.recipe)
        if planned is not None:
            finish_mixture(self.folder, self.recipe, planned, _log)
        remove_earlier_mixtures(self.folder, self.recipe, _log)
        return path


def _log(line: str) -> None:
    logging.getLogger(__name__).info("%s", line)


def _write_manifests(folder: Folder, recipe: Recipe, parts: Mapping[str, Sequence[str]]) -> None:
    """The manifests of what the passes have left, where nobody else has written them."""
    names = [(subset, name) for subset, own in sorted(parts.items()) for name in sorted(own)]
    curated = read_markers([folder.marker("curate", *name) for name in names])
    settled = read_markers([folder.marker("settle", *name) for name in names])
    for kind in ("curated", "rejected"):
        folder.write_manifest(kind, recipe, [marker for marker in curated if marker], {})
    limits = {subset: share_limits(folder, subset) for subset in recipe.filled if recipe.shares(subset)}
    folder.write_manifest("ledger", recipe, [marker for marker in settled if marker], {}, limits=limits)


@dataclass(frozen=True)
class Planned:
    """A mixture that has been planned and not finished.

    Attributes:
        plan: its plan.
        weights: of the subsets.
        weights_of_buckets: of the subsets, or of their buckets.
        taken: documents taken of each of these.
        inputs: a digest of what shaped it.
        kept: kept documents by subset, language and licence.
        tasks: its shards.
    """

    plan: Plan
    weights: Mapping[str, float]
    weights_of_buckets: Mapping[str, float]
    taken: Mapping[str, int]
    inputs: str
    kept: list[dict[str, Any]]
    tasks: list[ShardTask]

    def write(self, folder: Folder, recipe: Recipe) -> None:
        """Keep what finishing needs, for a process that has not planned."""
        data = {
            "inputs": self.inputs,
            "weights": dict(self.weights),
            "names": [task.name for task in self.tasks],
            "taken": dict(self.taken),
            "kept": self.kept,
            "weights_of_buckets": dict(self.weights_of_buckets),
        }
        write_sealed(folder.path("work", "mix", recipe.mixture.name, "planned.json"), data)

    @classmethod
    def read(cls, folder: Folder, recipe: Recipe) -> Planned | None:
        path = folder.path("work", "mix", recipe.mixture.name, "planned.json")
        if not storage.exists(path):
            return None
        data = read_sealed(path)
        block = recipe.mixture
        tasks = [ShardTask(folder, block.name, name, k, "", 0, "") for k, name in enumerate(data["names"])]
        shared = (data["weights_of_buckets"], data["taken"], data["inputs"], data["kept"])
        return cls(Plan(0, 0, 0, ()), data["weights"], *shared, tasks)


def mix(
    folder: Folder,
    recipe: Recipe,
    engine: Engine,
    *,
    parts: Mapping[str, Sequence[str]],
    say: Callable[[str], None],
    on_start: Callable[[Sequence[Any]], Callable[[Any], None]],
) -> Plan | None:
    """Plan and write the recipe's mixture from the final ledger. parts: names of the parts of each subset. None if the
    mixture stands, written for the same documents."""

    def perform(tasks: Sequence[KeptTask]) -> None:
        if sum(task.weight for task in tasks) <= PARTS:
            perform_here(tasks)
        else:
            engine.run(RunSteps(), tasks)

    planned = plan_mixture(folder, recipe, parts=parts, say=say, perform=perform)
    if planned is None:
        say(f"mixture {recipe.mixture.name}: stands as it was written")
        on_start([])
        remove_earlier_mixtures(folder, recipe, say)
        return None
    todo = [task for task in planned.tasks if not folder.is_done(task.marker, task.fingerprint)]
    engine.run(WriteShards(), todo, on_done=on_start(todo))
    finish_mixture(folder, recipe, planned, say)
    remove_earlier_mixtures(folder, recipe, say)
    return planned.plan


def plan_mixture(
    folder: Folder,
    recipe: Recipe,
    *,
    parts: Mapping[str, Sequence[str]],
    say: Callable[[str], None],
    perform: Perform,
) -> Planned | None:
    """Plan the recipe's mixture, and write down what its shards are made by.

    Weights of subsets without sources are left out and the others scaled to sum to one, which is said.

    Args:
        folder: of a run whose ledger is final.
        recipe: of the run.
        parts: names of the parts of each subset.
        say: told the plan, a line at a time.
        perform: runs the tasks that go through the kept documents.

    Returns:
        None if the mixture stands, written for the same documents.
    """
    block = recipe.mixture
    weights, is_scaled = weights_of(recipe)
    if is_scaled:
        scaled = ", ".join(f"{name} {weight:.4f}" for name, weight in weights.items())
        say(f"only these subsets have sources; their weights are scaled to sum to 1: {scaled}")
    if _stands(folder, recipe):
        return None
    kept = kept_units(folder, recipe, {name: parts.get(name, ()) for name in recipe.filled}, perform)
    units = kept.units
    if folder.is_done(folder.marker("mix", f"{block.name}-mixture"), kept.inputs):
        _note_manifests(folder, recipe, kept.inputs)
        return None
    tokens_of = {name: own.n_tokens for name, own in units.items()}
    weights_of_buckets = bucket_weights(block.buckets, weights, tokens_of)
    units = {name: units[name] for name in weights_of_buckets}
    available = {name: Available(len(own), own.n_tokens, own.n_bytes) for name, own in units.items()}
    tokens = None if block.tokens == "max" else block.tokens
    plan_ = plan(available, weights_of_buckets, tokens=tokens, max_epochs=block.max_epochs)
    for line in plan_.lines(shard_bytes=block.shard_bytes):
        say(line)
    if recipe.tokenizer is None:
        say("tokens are estimated as bytes / 4: the recipe names no tokenizer")
    dealt = deal(plan_, units, seed=recipe.seed, n_shards=plan_.n_shards(block.shard_bytes))
    plan_data: dict[str, Any] = {
        "plan": plan_.data(shard_bytes=block.shard_bytes),
        "recipe": recipe.digest(),
        "seed": recipe.seed,
        "shards": dealt.n_shards,
        "tokens_by": recipe.tokens_by(),
    }
    write_sealed(folder.path("mixture", block.name, "plan.json"), plan_data)
    tasks = _shard_tasks(folder, recipe, dealt, _fingerprint(folder, plan_data["plan"], recipe))
    taken = {name: course.n for name, course in dealt.courses.items()}
    planned = Planned(plan_, weights, weights_of_buckets, taken, kept.inputs, kept.rows, tasks)
    planned.write(folder, recipe)
    return planned


def _shard_tasks(folder: Folder, recipe: Recipe, dealt: Deal, fingerprint: str) -> list[ShardTask]:
    """The tasks of all shards, and the file that they share."""
    name, n = recipe.mixture.name, dealt.n_shards
    path = folder.path("work", "mix", name, "deal.npz")
    write_deal(path, dealt, folder.root)
    names = [f"shard-{number:05d}-of-{n:05d}" for number in range(n)]
    return [
        ShardTask(folder, name, shard, number, path, dealt.n_rows(number), fingerprint)
        for number, shard in enumerate(names)
    ]


def finish_mixture(folder: Folder, recipe: Recipe, planned: Planned, say: Callable[[str], None]) -> None:
    """Write the manifest and the data card once all shards are there, and remove shards of an earlier plan."""
    block = recipe.mixture
    files: dict[str, Any] = {}
    taken: list[Mapping[str, int]] = []
    for task, marker in zip(planned.tasks, read_markers([task.marker for task in planned.tasks])):
        if marker is None:
            raise OutputError(f"{task.marker}: is not there; run again")
        summary = marker.outputs[f"mixture/{block.name}/{task.name}.parquet"]
        files[f"{task.name}.parquet"] = {key: summary[key] for key in ("rows", "bytes", "blake2b", "tokens")}
        taken.append(marker.counts["taken"])
    _say_deviation(folder, recipe, planned, taken, say)
    base = folder.path("mixture", block.name)
    for path in storage.list_files(base):
        if is_shard(path) and path[len(base) + 1 :] not in files:
            storage.remove(path)
    written: dict[str, int] = {}
    for summary in files.values():
        for name, n in summary["tokens"].items():
            written[name] = written.get(name, 0) + n
    manifest = {
        "kind": "mixture",
        "schema": SCHEMA_NAME,
        "recipe": recipe.digest(),
        "seed": recipe.seed,
        "weights": dict(planned.weights),
        "tokens_by": recipe.tokens_by(),
        "counts": {"rows": sum(summary["rows"] for summary in files.values()), "tokens": dict(sorted(written.items()))},
        "files": files,
    }
    put_manifest(folder, block.name, manifest, kept=planned.kept)
    _note(folder, block.name, planned.inputs)
    _note_manifests(folder, recipe, planned.inputs)


def _say_deviation(
    folder: Folder,
    recipe: Recipe,
    planned: Planned,
    taken: Sequence[Mapping[str, int]],
    say: Callable[[str], None],
) -> None:
    """Say how far shares are from their weights, and note it in the plan.

    Args:
        folder: of the run.
        recipe: of the run.
        planned: the mixture.
        taken: of each shard, the tokens of each subset or bucket.
        say: told so.
    """
    block = recipe.mixture
    tokens = np.array([[shard[name] for shard in taken] for name in planned.taken], np.int64)
    off, subset, number = deviation(tokens, list(planned.taken), planned.weights_of_buckets)
    say(f"a subset's share of a shard's tokens is at most {off:.2f} percentage points from its weight")
    advice = remedy(tokens, planned.taken, planned.weights_of_buckets, shard_bytes=block.shard_bytes)
    if advice is not None:
        say(f"  {advice}")
    path = folder.path("mixture", block.name, "plan.json")
    noted = {"percentage_points": round(off, 4), "subset": subset, "shard": number}
    plan_data = {**read_sealed(path), "deviation": noted}
    if block.buckets:
        # The manifest's counts are by subset.
        plan_data["taken"] = {name: int(n) for name, n in zip(planned.taken, tokens.sum(axis=1))}
    write_sealed(path, plan_data)


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
        for file in [*shards, "README.md", "plan.json", "manifest.json"]:
            storage.remove(storage.join(path, file))
        for marker in (folder.marker("mix", f"{name}-{note}") for note in ("mixture", "manifests")):
            storage.remove(marker)
        storage.remove_empty_folders(path)
        say(
            f"mixture {name}: removed, {rows:,} rows in {len(shards):,} shards; the recipe's mixture is called "
            f"{recipe.mixture.name} now, and another --output keeps both"
        )


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
    return _manifests(folder, ["mixture-4", planned, recipe.seed])


def _manifests(folder: Folder, values: Sequence[Any]) -> str:
    """A digest of some values, and of all files that documents are taken from, as their manifests have them."""
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
    _note(folder, block.name, kept.inputs)


def _note(folder: Folder, name: str, inputs: str) -> None:
    base = f"mixture/{name}"
    shards = read_sealed(folder.path(base, "manifest.json"))["files"]
    files = {f"{base}/{file}": {key: found[key] for key in ("bytes", "blake2b")} for file, found in shards.items()}
    for file in ("plan.json", "manifest.json", "README.md"):
        path = folder.path(base, file)
        files[f"{base}/{file}"] = {"bytes": storage.size(path), "blake2b": file_digest(path)}
    Marker(inputs, folder.outputs(files)).write(folder.marker("mix", f"{name}-mixture"))


def weights_of(recipe: Recipe) -> tuple[dict[str, float], bool]:
    """The weights of the subsets that have sources, summing to one, and whether they were scaled to do so."""
    return weights_with_sources(recipe.mixture.weights, recipe.filled)


def check_weights(recipe: Recipe, parts: Sequence[Part]) -> None:
    """Refuse, before any pass, weights that no pass could meet.

    Raises:
        OutputError: no subset with a weight has sources.
        RecipeError: a subset with a weight has empty files only; or its share of the budget is below half a token, and
            no document has fewer tokens than one.
    """
    weights, _ = weights_of(recipe)
    with_content = {part.subset for part in parts if _has_content(part)}
    empty = [name for name in weights if name not in with_content]
    if empty:
        raise RecipeError(
            f"mixture.weights: all files of {', '.join(empty)} are empty, so no document can have its weight; add "
            "files, or give it weight 0 and share its weight among the others"
        )
    tokens = recipe.mixture.tokens
    name = min(weights, key=lambda name: weights[name])
    if tokens != "max" and tokens * weights[name] < _LEAST_TOKENS:
        raise LimitError(
            f"mixture.tokens: {tokens:,} tokens leave {tokens * weights[name]:.2g} for {name}, of weight "
            f"{weights[name]:g}, which is less than any document has; take at least "
            f"{math.ceil(_LEAST_TOKENS / weights[name]):,} tokens and as many more as its documents are longer, or "
            "give it weight 0"
        )


_LEAST_TOKENS = 0.5
"""A document is taken for a share that is at least half of it, and has at least one token."""


def _has_content(part: Part) -> bool:
    """Whether a file of a part has bytes, or cannot be looked at."""
    if part.files:
        return any(file.n_bytes or not _is_empty(file.path) for file in part.files)
    return bool(part.stop) or not _is_empty(part.path)


def _is_empty(path: str) -> bool:
    """Whether a file is there and has no bytes. One that cannot be looked at is reported by its own task."""
    try:
        return storage.size(path) == 0
    except MassiveTextError:
        return False
