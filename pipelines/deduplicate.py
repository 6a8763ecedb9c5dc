"""Deduplication: exact and near-duplicates of each subset, or of several together, found and verified.

Text goes through no shuffle: what is exchanged are hashes with document numbers, packed, by ranges of hashes. The
phases are those of massivetext.dedup.phases. The local engine runs their steps one phase after the other, and exchanges
through files. `FindDuplicates` is the same phases as one graph, for runners that have a shuffle.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import apache_beam as beam
import numpy as np

from massivetext import storage
from massivetext.dedup.account import account_of, lines_of, recall_in_words, write_account
from massivetext.dedup.candidates import MEMBER
from massivetext.dedup.packing import is_large, pack_large
from massivetext.dedup.phases import (
    GRAPH,
    Step,
    chains_of,
    clear,
    exchange_of,
    finish,
    is_finished,
    open_steps,
    prepare,
    steps_of,
)
from massivetext.dedup.runs import write_run
from massivetext.dedup.scope import Options, Part, Scope, make_scope, read_scope
from massivetext.own_files import own_parts
from pipelines.engines.engine import Engine, OnDone
from pipelines.recipe import Recipe
from pipelines.recipe.teams import block_of, indexed_parts, teams
from pipelines.run_folder.folder import Folder
from pipelines.transforms.run_steps import run_step

__all__ = ["FindDuplicates", "deduplicate", "find_documents", "options_of", "receive", "run_scope", "scopes", "send"]

Summaries = Mapping[str, Mapping[str, Any]]

BLOCK = 1 << 20
"""Records that go through an engine's shuffle as one value."""


def options_of(block: Any, seed: int, memory: int) -> Options:
    """Return a recipe's block as the phases take it."""
    return Options(
        threshold=block.threshold,
        recall=block.recall,
        keep=block.keep,
        seed=seed,
        newest_capture=block.newest_capture,
        only_against=block.only_against,
        memory=memory,
    )


def find_documents(folder: Folder, subset: str, noted: Summaries | None = None) -> list[Part]:
    """Return the parts of a subset that the pass over the text has left in DIR, by name.

    Args:
        folder: DIR.
        subset: whose parts these are.
        noted: what the markers of the pass say of its files, by their path in DIR; files that they say enough of are
            not looked at again.
    """
    evidence = folder.path("work", "evidence", subset)
    names = sorted(path[len(evidence) + 1 : -len(".parquet")] for path in own_parts(evidence))
    parts = []
    for name in names:
        part = Part(subset, name, folder.part("work/evidence", subset, name), folder.part("curated", subset, name))
        summary = (noted or {}).get(f"work/evidence/{subset}/{name}.parquet", {})
        if "footer" in summary:
            part = replace(part, **{key: summary[key] for key in ("rows", "source", "footer")})
        parts.append(part)
    return parts


def scopes(folder: Folder, recipe: Recipe, memory: int, noted: Summaries | None = None) -> list[Scope]:
    """Return what is deduplicated together: each subset by itself; those that `deduplication.across` lists as one, in
    order of preference. An index takes part with its documents of the same subsets, before all others."""
    found = []
    for team in teams(recipe):
        block = block_of(recipe, team)
        parts = indexed_parts(block, team)
        for level, subset in enumerate(team):
            parts += [replace(part, level=level) for part in find_documents(folder, subset, noted)]
        options = options_of(block, recipe.seed, memory)
        found.append(make_scope(folder.path("work", "dedup"), folder.path("work", "duplicates"), parts, options))
    return found


def deduplicate(
    folder: Folder,
    recipe: Recipe,
    engine: Engine,
    *,
    on_done: OnDone = lambda task: None,
    say: Callable[[str], None] = lambda line: None,
    say_detail: Callable[[str], None] = lambda line: None,
    noted: Summaries | None = None,
) -> dict[str, dict[str, int]]:
    """Find the duplicates of every subset that goes through the stage.

    Those removed are left in work/duplicates/<subset>/<part>.parquet, an account in report/deduplication.json. What is
    done already is not done again, neither a whole scope nor a step of one. Returns the counts of each scope by its
    subsets, joined by `+`; says what was found, and as a detail how surely pairs are found.
    noted: as `find_documents` takes it.
    """
    every_scope = scopes(folder, recipe, engine.execution.memory_of_task, noted)
    known = [is_finished(scope) for scope in every_scope]
    engine.deduplicate_all([scope for scope, own in zip(every_scope, known) if own is None], on_done=on_done)
    counts, account = {}, {}
    for scope, own in zip(every_scope, known):
        name = "+".join(scope.subsets)
        counts[name] = finish(scope) if own is None else own
        clear(scope)  # also what a kill after the last step may have left
        account[name] = account_of(scope.options, counts[name])
        say_detail(recall_in_words(name, account[name]))
        for line in lines_of(name, account[name]):
            say(line)
    write_account(folder.path("report", "deduplication.json"), account)
    return counts


def run_scope(scope: Scope, engine: Engine, *, on_done: OnDone = lambda task: None) -> dict[str, int]:
    """Run all phases of one scope, and return its counts."""
    held = is_finished(scope)
    if held is None:
        engine.deduplicate_all([scope], on_done=on_done)
        counts = is_finished(scope)
        return finish(scope) if counts is None else counts
    clear(scope)
    return held


class FindDuplicates(beam.PTransform):  # type: ignore[misc]
    """The phases of deduplication as one graph: markers of curated parts in, the same out once duplicates are known.

    A phase begins when the one before has ended, for all of its steps are a side input of what deals out the next ones;
    the rounds of a group of near-duplicates that is larger than memory are steps one after the other in one task.
    """

    def __init__(self, folder: Folder | str, recipe: Recipe, *, memory: int = 256 << 20) -> None:
        """memory: bytes that one step may hold."""
        super().__init__()
        self.folder = Folder(folder) if isinstance(folder, str) else folder
        self.recipe, self.memory = recipe, memory

    def expand(self, parts: beam.PCollection[str]) -> beam.PCollection[str]:
        start = parts.pipeline | "Start" >> beam.Create([None])
        found = start | "PlanScopes" >> beam.FlatMap(self._plan, beam.pvalue.AsIter(parts)).with_output_types(str)
        ended = found | Phases()
        done = ended | "Finish" >> beam.Map(_finish_scope).with_output_types(str)
        return parts | "AfterAll" >> beam.Map(_first, beam.pvalue.AsIter(done)).with_output_types(str)

    def _plan(self, _: None, parts: Iterable[str]) -> Iterator[str]:
        for _part in parts:
            pass  # all of them are written before the scopes are made of what they left
        for scope in scopes(self.folder, self.recipe, self.memory):
            if is_finished(scope) is None:
                prepare(scope)
                yield scope.folder


class Phases(beam.PTransform):  # type: ignore[misc]
    """All phases of some scopes, one after the other: the folders of scopes in and out."""

    def expand(self, scopes_in: beam.PCollection[str]) -> beam.PCollection[str]:
        done: Any = scopes_in
        for phase in GRAPH:
            name = phase.title()
            waiting = beam.Map(_first, beam.pvalue.AsIter(done)).with_output_types(str)
            work = _Phase(phase) if exchange_of(phase) is None else _Exchange(phase)
            done = scopes_in | f"Before{name}" >> waiting | name >> work
        return scopes_in | "AfterPhases" >> beam.Map(_first, beam.pvalue.AsIter(done)).with_output_types(str)


def _first(element: str, others: Iterable[Any]) -> str:
    """The element, once the others are all there."""
    for _ in others:
        pass
    return element


def _finish_scope(folder: str) -> str:
    finish(read_scope(folder))
    return folder


class _Phase(beam.PTransform):  # type: ignore[misc]
    """The steps of one phase; those of a chain one after the other."""

    def __init__(self, phase: str) -> None:
        super().__init__()
        self.phase = phase

    def expand(self, folders: beam.PCollection[str]) -> beam.PCollection[str]:
        return (
            folders
            | "Steps" >> beam.FlatMap(_chains, self.phase).with_output_types(tuple[Step, ...])
            | "Spread" >> beam.Reshuffle()
            | "Run" >> beam.FlatMap(_run_chain).with_output_types(str)
        )


def _chains(folder: str, phase: str) -> list[tuple[Step, ...]]:
    return chains_of(read_scope(folder), phase)


def _run_chain(steps: tuple[Step, ...]) -> list[str]:
    return [run_step(step) for step in steps]


class _Exchange(beam.PTransform):  # type: ignore[misc]
    """An exchange by hash: steps that send, packed records by partition, steps that receive."""

    def __init__(self, receiver: str) -> None:
        super().__init__()
        self.receiver = receiver

    def expand(self, folders: beam.PCollection[str]) -> beam.PCollection[str]:
        received = (
            folders
            | "Senders" >> beam.FlatMap(_senders, self.receiver).with_output_types(Step)
            | "Spread" >> beam.Reshuffle()
            | "Send" >> beam.FlatMap(send).with_output_types(tuple[str, bytes])
            | "ByPartition" >> beam.GroupByKey()
            | "Receive" >> beam.Map(lambda pair, phase: receive(phase, *pair), self.receiver).with_output_types(str)
        )
        waiting = folders | "AfterReceive" >> beam.Map(_first, beam.pvalue.AsIter(received)).with_output_types(str)
        # A partition that nothing was sent to has a result too.
        return waiting | "ReceiveNothing" >> beam.FlatMap(_receive_nothing, self.receiver).with_output_types(str)


def _senders(folder: str, receiver: str) -> list[Step]:
    """The steps that send in an exchange, unless all that receive in it are done."""
    scope = read_scope(folder)
    sender = exchange_of(receiver)
    assert sender is not None
    if not open_steps(steps_of(scope, receiver)):
        return []
    return steps_of(scope, sender[0])


def _receive_nothing(folder: str, receiver: str) -> Iterator[str]:
    scope = read_scope(folder)
    steps = steps_of(scope, receiver)
    for step in open_steps(steps):
        _receive(scope, step, [])
    yield from (step.marker for step in steps)


def send(step: Step) -> Iterator[tuple[str, bytes]]:
    """Return a step's records, packed, by scope and partition."""
    exchange = exchange_of(step.phase)
    assert exchange is not None
    partitions, records, counts = exchange[1].send(read_scope(step.folder), step.number)
    order = np.argsort(partitions, kind="stable")
    partitions, records = partitions[order], records[order]
    starts = np.flatnonzero(np.r_[len(partitions) > 0, partitions[1:] != partitions[:-1]]).tolist()
    for first, last in zip(starts, [*starts[1:], len(partitions)]):
        for start in range(first, last, BLOCK):
            yield f"{step.folder}\0{int(partitions[first])}", records[start : min(last, start + BLOCK)].tobytes()
    step.write_marker(counts)


def receive(phase: str, key: str, blocks: Iterable[bytes]) -> str:
    """Receive all records of a partition, as `send` packed them. Returns the marker of the step that has done so."""
    folder, _, partition = key.rpartition("\0")
    step = Step(folder, phase, int(partition))
    _receive(read_scope(folder), step, blocks)
    return step.marker


def _receive(scope: Scope, step: Step, blocks: Iterable[bytes]) -> None:
    exchange = exchange_of(step.phase)
    assert exchange is not None
    taken, coming, size = [], iter(blocks), 0
    for block in coming:
        taken.append(block)
        size += len(block)
        if step.phase == "pack" and is_large(scope, size // scope.records(MEMBER).itemsize):
            runs = _spool(scope, step, itertools.chain(taken, coming))
            step.write_marker(pack_large(scope, step.number, runs))
            return
    records = np.frombuffer(b"".join(taken), scope.records(exchange[1].dtype))
    step.write_marker(exchange[1].receive(scope, step.number, records))


def _spool(scope: Scope, step: Step, blocks: Iterable[bytes]) -> list[str]:
    """A partition of candidates that does not fit in memory, as the runs that the exchange by files would leave."""
    folder = scope.path("spooled", f"{step.number:05d}")
    storage.remove_tree(folder)  # of an attempt that may have been given other blocks
    paths = []
    for number, block in enumerate(blocks):
        records = np.frombuffer(block, scope.records(MEMBER))
        paths.append(storage.join(folder, f"{number:05d}.run"))
        write_run(paths[-1], np.full(len(records), step.number), records)
    return paths
