"""Kept documents, gone through by tasks: what a mixture is planned from is their sums by row group."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from massivetext import storage
from massivetext.errors import OutputError
from massivetext.looking.data_card import added_rows, kept_rows
from massivetext.mixture import Documents, Units, bucket_key, kept_by_bucket, kept_documents, read_units, write_units
from massivetext.parquet import sparing_memory
from massivetext.sealed import read_sealed
from pipelines.recipe import Recipe
from pipelines.run_folder.folder import Folder
from pipelines.stages.scores import bucket_column
from pipelines.tasks import Marker, read_markers

__all__ = ["PARTS", "ROWS", "KeptTask", "KeptUnits", "Perform", "kept_units", "perform_here"]

PARTS, ROWS = 64, 1_000_000
"""Parts, and rows of them, that one task goes through at most; a part of more rows has a task to itself."""

VERSION = 1
"""Of the files that tasks leave."""

Perform = Callable[[Sequence["KeptTask"]], None]
"""Runs tasks to their end."""


@dataclass(frozen=True)
class KeptTask:
    """Goes through the kept documents of some parts of a subset.

    Attributes:
        root: the output folder.
        subset: whose parts these are.
        number: of the task, from 0.
        parts: name of each part, and the digests of its curated texts, its ledger and its pieces; an empty one where
            there is no such file.
        column: of the ledger, with the bucket of each document; empty where there are none.
        n_buckets: from 0 on.
        n_rows: of the curated files of the parts, which set what the task takes.
    """

    root: str
    subset: str
    number: int
    parts: tuple[tuple[str, str, str, str], ...]
    column: str = ""
    n_buckets: int = 1
    n_rows: int = 0

    @property
    def _name(self) -> str:
        return f"{self.number:06d}"

    @property
    def output(self) -> str:
        """Its files below DIR, without their endings."""
        return f"work/kept/{self.subset}/{self._name}"

    @property
    def marker(self) -> str:
        return Folder(self.root).marker("kept", self.subset, self._name)

    @property
    def fingerprint(self) -> str:
        values = [VERSION, self.subset, self.parts, self.column, self.n_buckets]
        return hashlib.blake2b(json.dumps(values).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    @property
    def weight(self) -> int:
        return self.n_rows

    @property
    def sources(self) -> list[tuple[str, str | None]]:
        """Files of documents with their ledgers, and those of pieces, of which every row is kept."""
        folder = Folder(self.root)
        files: list[tuple[str, str | None]] = []
        for name, _, _, pieces in self.parts:
            files.append((folder.part("curated", self.subset, name), folder.part("ledger", self.subset, name)))
            if pieces:
                files.append((folder.part("pieces", self.subset, name), None))
        return files

    def __call__(self) -> None:
        with sparing_memory():
            self._go_through()

    def _go_through(self) -> None:
        folder = Folder(self.root)
        if self.column:
            buckets = kept_by_bucket(self.sources, self.column, self.n_buckets)
        else:
            buckets = [kept_documents(self.sources)]
        summaries = write_units(folder.path(self.output), buckets)
        outputs = {f"{self.output}.{ending}": summary for ending, summary in summaries.items()}
        ledgers = [folder.part("ledger", self.subset, name) for name, _, _, _ in self.parts]
        counts = {"inputs": self._inputs(buckets), "kept": kept_rows(ledgers)}
        Marker(self.fingerprint, folder.outputs(outputs), counts).write(self.marker)

    def _inputs(self, buckets: Sequence[Documents]) -> str:
        """A digest of the texts of the parts, by their files' digests, and of which of them are kept with how many
        tokens; not of the ledger, which can change without a change to any of these."""
        texts = [[name, curated, pieces] for name, curated, _, pieces in self.parts]
        digest = hashlib.blake2b(json.dumps(texts).encode("utf-8", "surrogatepass"), digest_size=16)
        for documents in buckets:
            for column in (documents.part, documents.row_group, documents.unit, documents.row, documents.tokens):
                digest.update(len(column).to_bytes(8, "little") + np.ascontiguousarray(column, "<i4").tobytes())
        return digest.hexdigest()


class KeptUnits(NamedTuple):
    """Kept documents.

    Attributes:
        units: by subset with a weight, or by bucket where the recipe has `mixture.buckets` of it: `massiveweb:0` is the
            worst.
        inputs: a digest of all that shapes a mixture of them.
        rows: what `massivetext.looking.data_card.kept_rows` says of the ledgers of all subsets.
    """

    units: dict[str, Units]
    inputs: str
    rows: list[dict[str, Any]]


def perform_here(tasks: Sequence[KeptTask]) -> None:
    """Run tasks one after the other in this process."""
    for task in tasks:
        task()


def kept_units(
    folder: Folder,
    recipe: Recipe,
    parts: Mapping[str, Sequence[str]],
    perform: Perform,
    *,
    recipe_digest: str | None = None,
) -> KeptUnits:
    """Return the kept documents of subsets by row groups.

    Args:
        folder: of a run whose ledger is final.
        recipe: of the run.
        parts: names of the parts of each subset.
        perform: runs the tasks that are not done.
        recipe_digest: by which the recipe is known; its own, if None.

    Raises:
        OutputError: a task left no marker, or files of a part do not belong together.
    """
    weighted = [name for name in parts if recipe.mixture.weights.get(name, 0) > 0]
    tasks = _tasks(folder, recipe, parts)
    _sweep(folder, tasks)
    done = folder.held(tasks)
    todo = [task for task, marker in zip(tasks, done) if marker is None]
    if todo:
        perform(todo)
        done = read_markers([task.marker for task in tasks])
    digest = hashlib.blake2b((recipe_digest or recipe.digest()).encode(), digest_size=16)
    rows: list[Mapping[str, Any]] = []
    of_subset: dict[str, list[KeptTask]] = {subset: [] for subset in parts}
    for task, marker in zip(tasks, done):
        if marker is None or marker.fingerprint != task.fingerprint:
            raise OutputError(f"{task.marker}: the task left no marker; run the command again")
        of_subset[task.subset].append(task)
        rows += marker.counts["kept"]
        if task.subset in weighted:
            digest.update(f"{task.subset}\0{task.column}\0{marker.counts['inputs']}\0".encode())
    units: dict[str, Units] = {}
    for subset in weighted:
        own = of_subset[subset]
        block = recipe.mixture.buckets.get(subset)
        n_buckets = 1 if block is None else len(block.epochs)
        files = [(folder.path(task.output), [path for path, _ in task.sources]) for task in own]
        buckets = read_units(files, n_buckets)
        if block is None:
            units[subset] = buckets[0]
        else:
            units |= {bucket_key(subset, number): one for number, one in enumerate(buckets)}
    return KeptUnits(units, digest.hexdigest(), added_rows(rows))


def _tasks(folder: Folder, recipe: Recipe, parts: Mapping[str, Sequence[str]]) -> list[KeptTask]:
    files = {kind: _files(folder, kind) for kind in ("curated", "ledger", "pieces")}
    tasks = []
    for subset, names in parts.items():
        block = recipe.mixture.buckets.get(subset)
        column, n_buckets = ("", 1) if block is None else (bucket_column(block.score), len(block.epochs))
        rows = [files["curated"].get(f"{subset}/{name}.parquet", {}).get("rows", 0) for name in names]
        for number, (start, stop) in enumerate(_ranges(rows)):
            own = []
            for name in names[start:stop]:
                file = f"{subset}/{name}.parquet"
                curated, ledger, pieces = (
                    files[kind].get(file, {}).get("blake2b", "") for kind in ("curated", "ledger", "pieces")
                )
                own.append((name, curated, ledger, pieces))
            task = KeptTask(folder.root, subset, number, tuple(own), column, n_buckets, sum(rows[start:stop]))
            tasks.append(task)
    return tasks


def _ranges(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Divide parts of so many rows into ranges of at most PARTS parts and ROWS rows, or of one part."""
    start, total = 0, 0
    for number, n in enumerate(rows):
        if number > start and (number - start >= PARTS or total + n > ROWS):
            yield start, number
            start, total = number, 0
        total += n
    if rows:
        yield start, len(rows)


def _files(folder: Folder, kind: str) -> Mapping[str, Mapping[str, Any]]:
    """Return what a manifest says of each file; nothing where there is no manifest."""
    path = folder.path(kind, "manifest.json")
    if not storage.exists(path):
        return {}
    files: Mapping[str, Mapping[str, Any]] = read_sealed(path)["files"]
    return files


def _sweep(folder: Folder, tasks: Sequence[KeptTask]) -> None:
    """Remove what tasks left that there are no longer."""
    wanted = {folder.path(f"{task.output}.{ending}") for task in tasks for ending in ("npz", "rows")}
    wanted |= {task.marker for task in tasks}
    subsets = {task.subset for task in tasks}
    for subset in sorted(subsets):
        for base in (folder.path("work", "kept", subset), folder.path("work", "done", "kept", subset)):
            others = [path for path in storage.list_files(base) if path not in wanted]
            storage.remove_all(path for path in others if path.rpartition(".")[2] in ("npz", "rows", "json"))
