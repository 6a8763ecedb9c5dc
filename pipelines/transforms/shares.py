"""Limits and buckets by the shares of a subset that lie above or below them, and the verdict that follows from them.

They depend on the values of all documents of a subset that rules and deduplication keep. Tasks count these values over
some parts each, in two rounds (`massivetext.quantiles`); what they leave is added up here, and the limits go into the
marker `work/done/shares/<subset>.json`, which the tasks of the final ledger read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.limits import Limit
from massivetext import storage
from massivetext.batches import Place, as_floats, is_outcome, with_columns
from massivetext.errors import OutputError
from massivetext.looking.quantiles import Unit, weighted
from massivetext.parquet import ParquetOutput, read_parquet
from massivetext.quantiles import Search, Sums, add_up, bucket_of, count
from pipelines.recipe import Recipe
from pipelines.run_folder.folder import Folder
from pipelines.stages.scores import bucket_column
from pipelines.tasks import Marker
from pipelines.transforms.compare import outrank
from pipelines.transforms.hash_tasks import values_path

__all__ = ["CountValues", "judge_shares", "perform_here", "share_limits", "write_share_limits"]

PARTS = 64
"""Parts that one task counts."""

_SCHEMA = pa.schema(
    [
        pa.field("signal", pa.int32(), nullable=False),
        pa.field("key", pa.uint64(), nullable=False),
        pa.field("weight", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class CountValues:
    """Count the values of some parts of a subset, of documents that rules and deduplication keep.

    Attributes:
        root: the output folder.
        subset: whose parts these are.
        parts: their names.
        number: of the task, from 0.
        signals: pairs of a column of the ledger, and what its values weigh: `tokens` or `documents`.
        bins: of each signal the bins whose values are counted; none in the first round, which counts bins.
        is_deduplicated: whether documents in work/duplicates are left out.
        limits: stage, signal, least and greatest value of what was compared. Documents outside are left out.
        fingerprint: of all that shapes what it leaves.
    """

    root: str
    subset: str
    parts: tuple[str, ...]
    number: int
    signals: tuple[tuple[str, Unit], ...]
    bins: tuple[tuple[int, ...], ...] | None = None
    is_deduplicated: bool = False
    limits: tuple[tuple[str, str, float | None, float | None], ...] = ()
    fingerprint: str = ""

    @property
    def _name(self) -> str:
        return f"{'bins' if self.bins is None else 'values'}-{self.number:05d}"

    @property
    def output(self) -> str:
        """The file of counts, below DIR."""
        return f"work/shares/{self.subset}/{self._name}.parquet"

    @property
    def marker(self) -> str:
        return Folder(self.root).marker("shares", self.subset, self._name)

    @property
    def weight(self) -> int:
        return len(self.parts)

    def __call__(self) -> None:
        sums: list[Sums] = [add_up(()) for _ in self.signals]
        for part in self.parts:
            for number, (values, weights) in enumerate(self._values(part)):
                bins = None if self.bins is None else self.bins[number]
                sums[number] = add_up([sums[number], count(values, weights, bins=bins)])
        folder = Folder(self.root)
        with ParquetOutput(folder.path(self.output), _SCHEMA) as output:
            for number, (keys, weights) in enumerate(sums):
                columns = [np.full(len(keys), number, np.int32), keys, weights]
                output.write(pa.Table.from_arrays([pa.array(column) for column in columns], schema=_SCHEMA))
        Marker(self.fingerprint, folder.outputs({self.output: output.summary})).write(self.marker)

    def _values(self, part: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """Values and weights of each signal in a part."""
        folder = Folder(self.root)
        columns = list(dict.fromkeys(["id", "outcome", "n_tokens", *(signal for signal, _ in self.signals)]))
        with storage.open_input(folder.part("work/ledger", self.subset, part)) as stream:
            table = read_parquet(stream, columns=columns)
        rows = table.filter(pc.equal(table.column("outcome"), "kept"))
        duplicates = folder.part("work/duplicates", self.subset, part)
        if self.is_deduplicated and storage.exists(duplicates):
            with storage.open_input(duplicates) as stream:
                ids = read_parquet(stream, columns=["id"]).column("id").combine_chunks()
            rows = rows.filter(pc.invert(pc.is_in(rows.column("id"), value_set=ids)))
        for stage, signal, low, high in self.limits:
            with storage.open_input(values_path(folder, stage, self.subset, part)) as stream:
                values = read_parquet(stream)
            is_over = Limit(low, high).broken_by(as_floats(values.column(signal).combine_chunks()))
            ids = values.column("id").filter(pa.array(is_over)).combine_chunks()
            rows = rows.filter(pc.invert(pc.is_in(rows.column("id"), value_set=ids)))
        return [weighted(rows.column(name), rows.column("n_tokens"), unit) for name, unit in self.signals]

    def read(self) -> list[Sums]:
        """Return what the task has counted, of each signal."""
        with storage.open_input(Folder(self.root).path(self.output)) as stream:
            table = read_parquet(stream)
        number, keys, weights = (table.column(name).to_numpy() for name in _SCHEMA.names)
        return [(keys[number == one], weights[number == one]) for one in range(len(self.signals))]


Perform = Callable[[Sequence[CountValues]], None]
"""Runs tasks to their end; those that are done already may be left out."""


def perform_here(tasks: Sequence[Callable[[], None]]) -> None:
    """Run tasks one after the other in this process."""
    for task in tasks:
        task()


def write_share_limits(
    folder: Folder,
    recipe: Recipe,
    parts: Mapping[str, Sequence[str]],
    fingerprints: Mapping[str, str],
    perform: Perform,
) -> dict[str, dict[str, Any]]:
    """Find the limits of every subset whose recipe has shares, where they are not known for the same documents.

    Args:
        folder: of the run; the pass over the text and deduplication are done in it.
        recipe: what is run.
        parts: names of the parts of each subset.
        fingerprints: of the measures and duplicates of each subset.
        perform: runs the tasks that count.

    Returns:
        By subset, then signal: `keep`, the least value of the best share (None: all stay), and `buckets`, the least
        value of each bucket but the first.
    """
    limits: dict[str, dict[str, Any]] = {}
    for subset in recipe.filled:
        shares = recipe.shares(subset)
        if not shares:
            continue
        spec = {name: [one.keep, one.by, one.buckets] for name, one in shares.items()}
        fingerprint = f"{fingerprints[subset]} {spec}"
        marker = Marker.read(folder.marker("shares", subset))
        if not fingerprints[subset] or marker is None or marker.fingerprint != fingerprint:
            is_deduplicated = recipe.goes_through(subset, "deduplication")
            first = CountValues(
                folder.root,
                subset,
                (),
                0,
                tuple((name, one.by) for name, one in shares.items()),
                is_deduplicated=is_deduplicated,
                limits=tuple((stage, name, own.min, own.max) for stage, name, own in recipe.compared_limits(subset)),
                fingerprint=fingerprint,
            )
            marker = Marker(fingerprint, {}, _find(first, list(parts.get(subset, ())), shares, perform))
            marker.write(folder.marker("shares", subset))
        limits[subset] = marker.counts
    return limits


def _find(
    task: CountValues, parts: Sequence[str], shares: Mapping[str, Any], perform: Perform
) -> dict[str, dict[str, Any]]:
    """The limits of one subset, in two rounds of tasks like `task` over its parts."""
    searches = {name: _searches(one) for name, one in shares.items()}
    tasks = [
        replace(task, number=number, parts=tuple(parts[start : start + PARTS]))
        for number, start in enumerate(range(0, len(parts), PARTS))
    ]
    perform(tasks)
    sums = _add_up(tasks, len(shares))
    searches = {name: [one.in_bins(own) for one in searches[name]] for name, own in zip(searches, sums)}
    bins = tuple(tuple(sorted({one.bin for one in own if one.bin is not None})) for own in searches.values())
    second = [replace(one, bins=bins, fingerprint=f"{one.fingerprint} {bins}") for one in tasks]
    perform(second)
    sums = _add_up(second, len(shares))
    searches = {name: [one.in_values(own) for one in searches[name]] for name, own in zip(searches, sums)}
    every = [*tasks, *second]
    storage.remove_all([*(Folder(one.root).path(one.output) for one in every), *(one.marker for one in every)])
    return {name: _limits(shares[name], own) for name, own in searches.items()}


def _searches(share: Any) -> list[Search]:
    """Of `keep`, if there is one, and of each end of a bucket: what lies above it has the rest of the weight."""
    kept = [] if share.keep is None else [Search.of(share.keep)]
    return kept + [Search(1 - Search.of(end).share) for end in share.buckets]


def _limits(share: Any, searches: Sequence[Search]) -> dict[str, Any]:
    limits = [search.limit for search in searches]
    n = 0 if share.keep is None else 1
    return {"keep": limits[0] if n else None, "buckets": limits[n:]}


def _add_up(tasks: Sequence[CountValues], n: int) -> list[Sums]:
    """The sums of all tasks for each signal; one task's counts are read at a time."""
    sums: list[Sums] = [add_up(()) for _ in range(n)]
    for task in tasks:
        sums = [add_up(pair) for pair in zip(sums, task.read())]
    return sums


def share_limits(folder: Folder, subset: str) -> dict[str, Any]:
    """Return what `write_share_limits` has found for a subset."""
    marker = Marker.read(folder.marker("shares", subset))
    return {} if marker is None else marker.counts


@lru_cache(maxsize=8)
def _known_limits(root: str, subset: str, part: str, fingerprint: str) -> dict[str, Any]:
    return share_limits(Folder(root), subset)


def judge_shares(batch: pa.RecordBatch, place: Place, folder: Folder, recipe: Recipe) -> pa.RecordBatch:
    """Return the batch with the outcome and reasons of documents below the best share of their subset, and with the
    bucket of each document that rules and deduplication keep. A document without a score stays, in the first bucket."""
    shares = recipe.shares(place.subset) if "deduplication" in place.stages else {}
    if not shares:
        return batch
    if place.fingerprint:
        limits = _known_limits(folder.root, place.subset, place.part, place.fingerprint)
    else:
        limits = share_limits(folder, place.subset)
    if set(limits) != set(shares):
        raise OutputError(f"{folder.marker('shares', place.subset)}: does not have the limits of {', '.join(shares)}")
    kept = is_outcome(batch, "kept")
    columns: dict[str, pa.Array] = {}
    broken: dict[str, np.ndarray] = {}
    for name, share in shares.items():
        values = as_floats(batch.column(name))
        least = limits[name]["keep"]
        if least is not None:
            # NaN, for a document without a value, is below nothing.
            broken[recipe.share_reason(place.subset, name)] = values < least
        if share.buckets:
            columns[bucket_column(name)] = pa.array(bucket_of(values, limits[name]["buckets"]), mask=~kept)
    return outrank(with_columns(batch, columns), broken)
