"""Deduplication as tasks on a Beam runner: the phases of massivetext.dedup.phases, one after the other.

Locally, what goes by hash is exchanged through files: the local runner holds all that crosses a stage in memory. On an
engine the same records go through its own shuffle, as packed arrays by partition. Text goes through neither.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import apache_beam as beam
import numpy as np

from massivetext import storage
from massivetext.dedup.account import account_of, lines_of, write_account
from massivetext.dedup.candidates import MEMBER
from massivetext.dedup.index import read_index
from massivetext.dedup.packing import is_large, pack_large
from massivetext.dedup.phases import EXCHANGES, Step, clear, exchange_of, finish, is_finished, phases
from massivetext.dedup.runs import write_run
from massivetext.dedup.scope import Options, Part, Scope, make_scope, read_scope
from massivetext.errors import RecipeError
from pipelines import engine
from pipelines.execution import Execution, Workers
from pipelines.folder import Folder
from pipelines.recipe import Deduplication, Recipe

__all__ = [
    "Exchange",
    "deduplicate",
    "exchange_pipeline",
    "find_documents",
    "options_of",
    "receive",
    "run_scope",
    "scopes",
    "send",
]

BLOCK = 1 << 20
"""Records that go through an engine's shuffle as one value."""


def options_of(block: Deduplication, seed: int, memory: int) -> Options:
    """A recipe's block as the phases take it."""
    return Options(
        threshold=block.threshold,
        recall=block.recall,
        keep=block.keep,
        seed=seed,
        newest_capture=block.newest_capture,
        only_against=block.only_against,
        memory=memory,
    )


def find_documents(folder: Folder, subset: str) -> list[Part]:
    """The parts of a subset that the pass over the text has left in DIR, by name."""
    evidence = folder.path("work", "evidence", subset)
    names = sorted(path[len(evidence) + 1 : -len(".parquet")] for path in storage.list_files(evidence))
    return [
        Part(subset, name, folder.part("work/evidence", subset, name), folder.part("curated", subset, name))
        for name in names
    ]


def scopes(folder: Folder, recipe: Recipe, memory: int) -> list[Scope]:
    """What is deduplicated together: each subset by itself; those that `deduplication.across` lists as one, in order of
    preference. An index takes part with its documents of the same subsets, before all others."""
    subsets = [name for name in recipe.filled if recipe.goes_through(name, "deduplication")]
    across = list(recipe.deduplication.across)
    for number, name in enumerate(across):
        if name not in recipe.subsets or name in across[:number]:
            raise RecipeError(
                f"deduplication.across.{number}: {name!r}; expected subsets of the recipe, each once: "
                + ", ".join(sorted(recipe.subsets))
            )
        if name in recipe.filled and name not in subsets:
            raise RecipeError(
                f"deduplication.across.{number}: {name!r} has no stage `deduplication`; add it to "
                f"subsets.{name}.stages, or leave the subset out here"
            )
        own = recipe.block(name, "deduplication")
        if (own.threshold, own.recall) != (recipe.deduplication.threshold, recipe.deduplication.recall):
            raise RecipeError(
                f"subsets.{name}.deduplication: threshold {own.threshold:g} and recall {own.recall:g} differ from the "
                f"recipe's {recipe.deduplication.threshold:g} and {recipe.deduplication.recall:g}; subsets that are "
                "deduplicated across each other (deduplication.across) share them"
            )
    together = [name for name in across if name in subsets]
    teams = ([together] if together else []) + [[name] for name in subsets if name not in across]
    found = []
    for team in teams:
        block: Deduplication = recipe.deduplication if len(team) > 1 else recipe.block(team[0], "deduplication")
        parts = [part for path in block.against for part in read_index(path, team, captures=block.newest_capture)]
        if block.only_against and not parts:
            raise RecipeError(
                f"deduplication.only_against: no index of {', '.join(block.against)} has documents of "
                f"{', '.join(team)}, so there is nothing to compare with"
            )
        for level, subset in enumerate(team):
            parts += [replace(part, level=level) for part in find_documents(folder, subset)]
        options = options_of(block, recipe.seed, memory)
        found.append(make_scope(folder.path("work", "dedup"), folder.path("work", "duplicates"), parts, options))
    return found


def deduplicate(
    folder: Folder,
    recipe: Recipe,
    workers: Workers,
    *,
    on_done: Callable[[Any], None] = lambda task: None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, dict[str, int]]:
    """Find the duplicates of every subset that goes through the stage, and leave those removed in
    work/duplicates/<subset>/<part>.parquet. Returns the counts of each scope by its subsets, joined by `+`; says how
    surely pairs are found and what was, and leaves the same in report/deduplication.json.

    What is done already is not done again, neither a whole scope nor a task of one.
    """
    execution = workers.execution
    # Each worker's share, less what a process takes for itself.
    memory = max(64 << 20, execution.memory // (4 * max(1, execution.workers)))
    counts = {}
    account = {}
    for scope in scopes(folder, recipe, memory):
        name = "+".join(scope.subsets)
        counts[name] = run_scope(scope, workers, on_done=on_done)
        account[name] = account_of(scope.options, counts[name])
        for line in lines_of(name, account[name]):
            say(line)
    write_account(folder.path("report", "deduplication.json"), account)
    return counts


def run_scope(
    scope: Scope,
    workers: Workers,
    *,
    on_done: Callable[[Any], None] = lambda task: None,
    through_engine: bool | None = None,
) -> dict[str, int]:
    """All phases of one scope. `through_engine`: exchange records through the runner's shuffle instead of files, as
    every runner but the local one does; the results are the same."""
    held = is_finished(scope)
    if held is not None:
        clear(scope)  # what a kill after the last step may have left
        return held
    if through_engine is None:
        through_engine = not workers.execution.is_local
    senders = {send for send, _ in EXCHANGES}
    for phase, steps in phases(scope):
        left = [step for step in steps if not storage.exists(step.marker)]
        found = exchange_of(phase)
        if found is None or not through_engine:
            workers.run(left, on_done=on_done)
        elif phase not in senders and left:
            _through_engine(scope, found[0], left, workers)
            for step in left:
                on_done(step)
    return finish(scope)


def _through_engine(scope: Scope, sender: str, receiving: Sequence[Step], workers: Workers) -> None:
    senders = [Step(scope.folder, sender, group) for group in range(len(scope.groups))]
    if workers.cluster is not None:
        workers.cluster.exchange(senders, receiving[0].phase)
    else:
        exchange_pipeline(senders, receiving[0].phase, workers.execution).run().wait_until_finish()
    for step in receiving:
        # A partition that nothing was sent to has a result too.
        if not storage.exists(step.marker):
            _receive(scope, step, [])


def exchange_pipeline(senders: Sequence[Step], receiver: str, execution: Execution) -> beam.Pipeline:
    """The job of one exchange."""
    pipeline = beam.Pipeline(options=engine.options_of(execution.runner, execution.beam_options, execution.memory))
    _ = pipeline | "Groups" >> beam.Create(senders) | "Exchange" >> Exchange(receiver)
    return pipeline


class Exchange(beam.PTransform):
    """Steps that send in, markers of the steps that have received out. Between them, per partition, packed arrays."""

    def __init__(self, receiver: str) -> None:
        super().__init__()
        self.receiver = receiver

    def expand(self, steps: Any) -> Any:
        return (
            steps
            | "Spread" >> beam.Reshuffle()
            | "Send" >> beam.FlatMap(send).with_output_types(tuple[int, bytes])
            | "ByPartition" >> beam.GroupByKey()
            | "Receive" >> beam.ParDo(_Receive(self.receiver))
        )


def send(step: Step) -> Iterator[tuple[int, bytes]]:
    """A step's records, packed, by partition."""
    found = exchange_of(step.phase)
    assert found is not None
    partitions, records, counts = found[1].send(read_scope(step.folder), step.number)
    order = np.argsort(partitions, kind="stable")
    partitions, records = partitions[order], records[order]
    starts = np.flatnonzero(np.r_[len(partitions) > 0, partitions[1:] != partitions[:-1]]).tolist()
    for first, last in zip(starts, [*starts[1:], len(partitions)]):
        for start in range(first, last, BLOCK):
            yield int(partitions[first]), _pack(step.folder, records[start : min(last, start + BLOCK)])
    _write_marker(step, counts)


def _pack(folder: str, records: np.ndarray) -> bytes:
    name = folder.encode()
    return len(name).to_bytes(4, "little") + name + records.tobytes()


def _unpack(value: bytes) -> tuple[str, bytes]:
    n = int.from_bytes(value[:4], "little")
    return value[4 : 4 + n].decode(), value[4 + n :]


class _Receive(beam.DoFn):
    def __init__(self, phase: str) -> None:
        self.phase = phase

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[str]:
        yield receive(self.phase, *element)


def receive(phase: str, partition: int, values: Iterable[bytes]) -> str:
    """All records of a partition, as `send` packed them. Returns the marker of the step that has received them."""
    unpacked = map(_unpack, values)
    folder, block = next(unpacked)
    step = Step(folder, phase, partition)
    _receive(read_scope(folder), step, itertools.chain([block], (block for _, block in unpacked)))
    return step.marker


def _receive(scope: Scope, step: Step, blocks: Iterable[bytes]) -> None:
    found = exchange_of(step.phase)
    assert found is not None
    held, left, size = [], iter(blocks), 0
    for block in left:
        held.append(block)
        size += len(block)
        if step.phase == "pack" and is_large(scope, size // MEMBER.itemsize):
            _spool(scope, step, itertools.chain(held, left))
            _write_marker(step, pack_large(scope, step.number))
            return
    records = np.frombuffer(b"".join(held), found[1].dtype)
    _write_marker(step, found[1].receive(scope, step.number, records))


def _spool(scope: Scope, step: Step, blocks: Iterable[bytes]) -> None:
    """A partition of candidates that does not fit in memory, as the runs that the exchange by files would leave."""
    prefix = scope.path("components", f"engine-{step.number:05d}-")
    for path in scope.runs("components"):
        if path.startswith(prefix):
            storage.remove(path)  # of an attempt that may have been given other blocks
    for number, block in enumerate(blocks):
        records = np.frombuffer(block, MEMBER)
        write_run(f"{prefix}{number:05d}.run", np.full(len(records), step.number), records)


def _write_marker(step: Step, counts: Mapping[str, int]) -> None:
    storage.write_bytes(step.marker, json.dumps(dict(counts), sort_keys=True).encode())
