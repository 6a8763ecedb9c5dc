"""The phases of deduplication, each a list of independent tasks over files, for whoever schedules them.

    phase         by         reads                      leaves
    captures      group      evidence                   documents by hash of their URL          (only if asked for)
    newest        partition  captures                   older captures
    digests       group      evidence                   documents by hash of their shingles
    collapse      partition  digests                    copies of a set of shingles, and the best-ranked one
    bands         group      evidence, copies           bands by hash
    edges         partition  bands                      stars: who shares a bucket with whom
    roots         once       edges                      component of each document; 4 or 8 bytes a document
    components    group      roots, evidence            candidates by component
    pack          partition  components                 batches that fit in memory, in rounds
    sets          group      batches, texts             shingles of candidates by batch
    decide        batch      shingles                   removed candidates; one round after the other
    resolve       group      removed, copies            results by document
    write         group      results                    <output>/<subset>/<part>.parquet

captures-newest, digests-collapse, bands-edges and components-pack are exchanges by hash: records as packed arrays,
through files here, or through an engine's own shuffle, which calls the same functions (`EXCHANGES`).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from massivetext import storage
from massivetext.dedup import candidates, collapse, packing, results, verification
from massivetext.dedup.runs import key_rows, read_key, write_run
from massivetext.dedup.scope import Scope, forget_runs, read_scope
from massivetext.errors import SourceError
from massivetext.parquet import file_digest
from massivetext.sealed import sealed, unsealed

__all__ = [
    "EXCHANGES",
    "GRAPH",
    "Step",
    "chains_of",
    "clear",
    "exchange_of",
    "finish",
    "is_finished",
    "noted_digests",
    "open_steps",
    "phases",
    "prepare",
    "run_here",
    "steps_of",
    "summary",
]

Send = Callable[[Scope, int], tuple[np.ndarray, np.ndarray, dict[str, int]]]
Receive = Callable[[Scope, int, np.ndarray], dict[str, int]]


@dataclass(frozen=True)
class Exchange:
    """send: a group's records with the partition of each. receive: all records of a partition. bytes_a_document: what
    receiving takes, which sets the number of partitions."""

    send: Send
    receive: Receive
    dtype: np.dtype
    bytes_a_document: Callable[[Scope], int]

    def partitions(self, scope: Scope) -> int:
        return scope.partitions(self.bytes_a_document(scope))


EXCHANGES: dict[tuple[str, str], Exchange] = {
    ("captures", "newest"): Exchange(
        collapse.captures, collapse.newest, collapse.DIGEST, lambda scope: collapse.BYTES_A_DOCUMENT
    ),
    ("digests", "collapse"): Exchange(
        collapse.digests, collapse.collapse, collapse.DIGEST, lambda scope: collapse.BYTES_A_DOCUMENT
    ),
    ("bands", "edges"): Exchange(candidates.bands, candidates.edges, candidates.BAND, candidates.band_bytes),
    ("components", "pack"): Exchange(
        candidates.components, packing.pack, candidates.MEMBER, lambda scope: candidates.BYTES_A_MEMBER
    ),
}

BY_GROUP: dict[str, Callable[[Scope, int], dict[str, Any]]] = {
    "roots": candidates.roots,
    "sets": verification.sets,
    "resolve": results.resolve,
    "write": results.write,
}


def exchange_of(phase: str) -> tuple[str, Exchange] | None:
    """The name of the sending phase and the exchange that a phase sends or receives in."""
    for names, exchange in EXCHANGES.items():
        if phase in names:
            return names[0], exchange
    return None


@dataclass(frozen=True)
class Step:
    """One task: a phase over one group, partition or batch. Picklable, safe to run twice, its marker written last."""

    folder: str
    phase: str
    number: int
    weight: int = 1
    earlier: range = range(0)

    @property
    def marker(self) -> str:
        return storage.join(self.folder, "done", self.phase, f"{self.number:012d}.json")

    @property
    def fingerprint(self) -> str:
        """The folder of a scope is named by all that shapes its results."""
        return self.folder

    def is_done(self) -> bool:
        return storage.exists(self.marker)

    def __call__(self) -> None:
        if not self.is_done():
            self.write_marker(self.run(read_scope(self.folder)))

    def write_marker(self, counts: Mapping[str, Any]) -> None:
        """Say that the step is done, and what it counted."""
        storage.write_bytes(self.marker, json.dumps(dict(counts), sort_keys=True).encode())

    def run(self, scope: Scope) -> dict[str, Any]:
        if self.phase.startswith("decide"):
            return verification.decide_batch(scope, self.number, self.earlier)
        found = exchange_of(self.phase)
        if found is None:
            return BY_GROUP[self.phase](scope, self.number)
        sender, exchange = found
        if self.phase == sender:
            partitions, records, counts = exchange.send(scope, self.number)
            write_run(scope.path(sender, f"{self.number:05d}.run"), partitions, records)
            return counts
        runs = scope.runs(sender)
        if self.phase == "pack":
            rows = (key_rows(path, self.number) for path in runs)
            if packing.is_large(scope, sum(stop - start for start, stop in rows)):
                return packing.pack_large(scope, self.number, runs)
        return exchange.receive(scope, self.number, read_key(runs, self.number, scope.records(exchange.dtype)))


GRAPH = ("newest", "collapse", "edges", "roots", "pack", "sets", "decide", "resolve", "write")
"""The phases as a graph has them: an exchange by the name of what receives, all rounds of deciding as one."""


def prepare(scope: Scope) -> None:
    """Write the scope down for its steps, and remove notes of results that are about to be replaced."""
    for path in _notes(scope):
        # Its results are about to be replaced by those of other options or another team of subsets.
        storage.remove(path)
    forget_runs()
    scope.write()


def open_steps(steps: Sequence[Step]) -> list[Step]:
    """Return those of a phase's steps that are not done, by one listing of their markers."""
    if not steps:
        return []
    done = set(storage.list_files(steps[0].marker.rpartition("/")[0]))
    return [step for step in steps if step.marker not in done]


def steps_of(scope: Scope, phase: str) -> list[Step]:
    """Return the steps of a phase that is not `decide`; none for a phase that the scope does not need."""
    exchange = exchange_of(phase)
    if scope.n_documents == 0 and phase != "write":
        n = 0
    elif exchange is None:
        n = 1 if phase == "roots" else len(scope.groups)
    elif exchange[0] == "captures" and not scope.options.newest_capture:
        n = 0
    else:
        n = len(scope.groups) if phase == exchange[0] else exchange[1].partitions(scope)
    return [Step(scope.folder, phase, number) for number in range(n)]


def chains_of(scope: Scope, phase: str) -> list[tuple[Step, ...]]:
    """Return the steps of a phase of a graph: those of a tuple are run one after the other, the tuples in any order."""
    if phase != "decide":
        return [(step,) for step in steps_of(scope, phase)]
    chains: dict[int, list[Step]] = {}
    for number, batches in enumerate(packing.batch_rounds(scope) if scope.n_documents else []):
        for batch, earlier in batches:
            # The batches of a component that is cut are numbered one after the other, in the order of its rounds.
            step = Step(scope.folder, f"decide-{number:05d}", batch, earlier=earlier)
            chains.setdefault(earlier.start if len(earlier) else batch, []).append(step)
    return [tuple(chain) for _, chain in sorted(chains.items())]


def phases(scope: Scope) -> Iterator[tuple[str, list[Step]]]:
    """Return each phase with its tasks, in order. Ask for the next one when all tasks of the one before are done:
    rounds are known only when candidates are packed."""
    prepare(scope)
    if scope.n_documents == 0:
        yield "write", steps_of(scope, "write")
        return
    for send, receive in EXCHANGES:
        if send == "captures" and not scope.options.newest_capture:
            continue
        if send == "components":
            yield "roots", steps_of(scope, "roots")
        yield send, steps_of(scope, send)
        yield receive, steps_of(scope, receive)
        storage.remove_tree(scope.path(send))  # all of it has been received
    yield "sets", steps_of(scope, "sets")
    for number, batches in enumerate(packing.batch_rounds(scope)):
        phase = f"decide-{number:05d}"
        yield phase, [Step(scope.folder, phase, batch, earlier=earlier) for batch, earlier in batches]
    yield "resolve", steps_of(scope, "resolve")
    yield "write", steps_of(scope, "write")


def summary(scope: Scope) -> dict[str, int]:
    """Counts of all steps: documents, copies, distinct, candidates, verifications, removals by reason, ..."""
    counts: Counter[str] = Counter()
    markers = storage.list_files(scope.path("done"))
    for data in storage.each(storage.read_bytes, markers, remote=storage.is_remote(scope.folder)):
        for name, value in json.loads(data).items():
            if name == results.DIGESTS:
                continue
            counts[name] = max(counts[name], value) if name.startswith("max_") else counts[name] + value
    return dict(sorted(counts.items()))


def _finished(scope: Scope) -> str:
    return storage.join(scope.output, f"finished-{'+'.join(scope.subsets)}.json")


def _notes(scope: Scope) -> list[str]:
    """Notes of finished scopes that have a subset in common with this one."""
    found = []
    for path in storage.list_files(scope.output):
        name = path.rpartition("/")[2]
        if name.startswith("finished-") and name.endswith(".json"):
            held = name.removeprefix("finished-").removesuffix(".json").split("+")
            found += [path] * (not set(held).isdisjoint(scope.subsets))
    return found


def is_finished(scope: Scope) -> dict[str, int] | None:
    """The summary of a scope whose results stand, or None."""
    path = _finished(scope)
    if not storage.exists(path):
        return None
    try:
        noted = unsealed(storage.read_bytes(path))
        if noted["fingerprint"] != scope.fingerprint or set(noted["digests"]) != set(_names(scope)):
            return None
        return noted["counts"] if _are_intact(scope, noted["digests"], noted.get("stamps", {})) else None
    except (SourceError, ValueError, KeyError, TypeError):
        return None  # the note or a result is damaged or gone


def noted_digests(output: str) -> dict[str, str]:
    """Return the digest of each file of results in a folder, by its name below it, as finished scopes note them."""
    digests: dict[str, str] = {}
    for path in storage.list_names(output):
        if path.startswith("finished-") and path.endswith(".json"):
            digests.update(unsealed(storage.read_bytes(storage.join(output, path)))["digests"])
    return digests


def _names(scope: Scope) -> list[str]:
    """Names of the files of results, below the scope's output."""
    return sorted(f"{part.subset}/{part.name}.parquet" for part in scope.parts if not part.fixed)


def _are_intact(scope: Scope, digests: Mapping[str, str], stamps: Mapping[str, str]) -> bool:
    """Whether the files of results are as noted. Reads those of other stamps. Raises SourceError if one is gone."""
    now = _stamps(scope)
    touched = [name for name in digests if name not in now or stamps.get(name) != now[name]]
    return {name: digests[name] for name in touched} == _digests(scope, touched)


def _stamps(scope: Scope) -> dict[str, str]:
    """Of each file of results its size and times, which tell a file that was written to since; those that are there."""
    stamps: dict[str, str] = {}
    if storage.is_remote(scope.output):
        sizes = storage.list_sizes(scope.output)
        paths = {name: storage.join(scope.output, name) for name in _names(scope)}
        return {name: f"{sizes[path]}" for name, path in paths.items() if path in sizes}
    for name in _names(scope):
        with contextlib.suppress(OSError):
            status = os.stat(f"{scope.output}/{name}")
            stamps[name] = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    return stamps


def _digests(scope: Scope, names: Sequence[str]) -> dict[str, str]:
    """BLAKE2b-256 of some files of results. Raises SourceError if one is gone."""
    paths = [storage.join(scope.output, name) for name in names]
    return dict(zip(names, storage.each(file_digest, paths, remote=storage.is_remote(scope.output))))


def _written_digests(scope: Scope) -> dict[str, str]:
    """The digests of all files of results: as the steps that wrote them said, or read where they did not."""
    digests: dict[str, str] = {}
    markers = storage.list_files(scope.path("done", "write"))
    for data in storage.each(storage.read_bytes, markers, remote=storage.is_remote(scope.folder)):
        digests.update(json.loads(data).get(results.DIGESTS, {}))
    names = _names(scope)
    return {name: digests[name] for name in names if name in digests} | _digests(
        scope, [name for name in names if name not in digests]
    )


def finish(scope: Scope) -> dict[str, int]:
    """Note the summary beside the results, and remove the temporary files."""
    counts = summary(scope)
    note = {
        "fingerprint": scope.fingerprint,
        "counts": counts,
        "digests": dict(sorted(_written_digests(scope).items())),
        "stamps": _stamps(scope),
    }
    storage.write_bytes(_finished(scope), sealed(note))
    clear(scope)
    return counts


def clear(scope: Scope) -> None:
    """Remove the temporary files of a scope, also those of an attempt with another memory limit."""
    storage.remove_tree(scope.folder.rpartition("/")[0])


def run_here(scope: Scope) -> dict[str, int]:
    """All phases one task after the other in this process. Returns the summary."""
    counts = is_finished(scope)
    if counts is not None:
        clear(scope)
        return counts
    for _, tasks in phases(scope):
        for task in tasks:
            task()
    return finish(scope)
