"""The mixture: planned from the final ledger, written shard by shard."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import apache_beam as beam
import numpy as np

from massivetext import storage
from massivetext.errors import OutputError
from massivetext.mixture import (
    SCHEMA_NAME,
    Available,
    Deal,
    Plan,
    bucket_weights,
    deal,
    plan,
    read_deal,
    write_deal,
    write_shard,
)
from massivetext.mixture.allotment import deviation, remedy
from massivetext.own_files import is_shard
from massivetext.parquet import sparing_memory
from massivetext.sealed import read_sealed, write_sealed
from pipelines.engines.engine import Engine
from pipelines.kept_units import PARTS, ROWS, KeptTask, Perform, kept_units, perform_here
from pipelines.recipe import Recipe
from pipelines.run_folder.folder import Folder
from pipelines.run_folder.mixtures import (
    manifests_digest,
    note_manifests,
    note_shards,
    put_manifest,
    remove_earlier_mixtures,
    stands,
)
from pipelines.tasks import Marker, read_markers, task_begins, task_ends
from pipelines.transforms.base import Counters, PlainDoFn
from pipelines.transforms.run_steps import RunSteps
from pipelines.transforms.shares import share_limits
from pipelines.weights import weights_of

__all__ = ["ShardTask", "WriteMixture", "WriteShards", "mix", "plan_mixture"]


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


class _WriteShard(PlainDoFn):
    def setup(self) -> None:
        self.counters = Counters("WriteShards")

    def process(self, task: ShardTask) -> Iterator[str]:
        started = time.process_time()
        task_begins(task.marker)
        name = f"mixture/{task.mixture}/{task.name}.parquet"
        with sparing_memory():
            rows, tokens = _read_deal(task.plan, task.folder.root, task.fingerprint).rows(task.number)
            n_rows = len(rows)
            summary = write_shard(task.folder.path(name), rows)
            del rows
        Marker(task.fingerprint, task.folder.outputs({name: summary}), {"taken": tokens}).write(task.marker)
        task_ends(task.marker)
        self.counters.time(started)
        self.counters.add(shards=1, documents_out=n_rows)
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
        if sum(len(task.parts) for task in tasks) <= PARTS and sum(task.n_rows for task in tasks) <= ROWS:
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
    if stands(folder, recipe):
        return None
    kept = kept_units(folder, recipe, {name: parts.get(name, ()) for name in recipe.filled}, perform)
    units = kept.units
    if folder.is_done(folder.marker("mix", f"{block.name}-mixture"), kept.inputs):
        note_manifests(folder, recipe, kept.inputs)
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
    # All that shapes the shards: what is kept, by the manifests' digests, the plan and the seed.
    fingerprint = manifests_digest(folder, ["mixture-4", plan_data["plan"], recipe.seed])
    tasks = _shard_tasks(folder, recipe, dealt, fingerprint)
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
    shards = [path for path in storage.list_files(base) if is_shard(path)]
    storage.remove_all(path for path in shards if path[len(base) + 1 :] not in files)
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
    note_shards(folder, block.name, planned.inputs)
    note_manifests(folder, recipe, planned.inputs)


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
    weights = planned.weights_of_buckets
    off, subset, number = deviation(tokens, list(planned.taken), weights)
    advice = remedy(tokens, planned.taken, weights, shard_bytes=block.shard_bytes, plan=planned.plan)
    say(f"a subset's share of a shard's tokens is at most {off:.2f} percentage points from its weight")
    if advice is not None:
        say(f"  {advice}")
    path = folder.path("mixture", block.name, "plan.json")
    noted = {"percentage_points": round(off, 4), "subset": subset, "shard": number}
    plan_data = {**read_sealed(path), "deviation": noted}
    if block.buckets:
        # The manifest's counts are by subset.
        plan_data["taken"] = {name: int(n) for name, n in zip(planned.taken, tokens.sum(axis=1))}
    write_sealed(path, plan_data)
