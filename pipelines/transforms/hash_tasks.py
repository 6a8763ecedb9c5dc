"""Tasks that compare the documents of a subset by hashes, after deduplication: phase after phase, over files.

A task of a part reads the texts that rules and deduplication keep, and writes hashes by partition; one of a partition
reads its range of hashes from every part. All files are below work/<stage>/<subset>/<phase>/; those of the last phase,
whose tasks write a value for each document, are all that stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.batches import Place, is_outcome, with_columns
from massivetext.parquet import ParquetOutput, file_digest, read_parquet
from pipelines.run_folder.folder import Folder
from pipelines.tasks import Marker

__all__ = ["HashTask", "add_values", "partition_of", "perform_phases", "values_path"]

PARTITION_BYTES = 512 << 20
"""Bytes of input a partition."""


def values_path(folder: Folder, stage: str, subset: str, part: str) -> str:
    """Return the file of a part's values."""
    return folder.path("work", stage, subset, "values", f"{part}.parquet")


@dataclass(frozen=True)
class HashTask:
    """One task of a phase; a subclass has a method `_<phase>` for each of its phases.

    Class attributes:
        stage: the name of the stage.
        signal: the column that it measures.
        phases: in order; the last one is `values`.
        by_partition: those of which each task is a partition, and not a part.

    Attributes:
        root: the output folder.
        subset: whose documents are compared.
        phase: one of the phases.
        number: of the part or partition.
        parts: names of all parts of the subset, in order.
        n_partitions: ranges of hashes.
        is_deduplicated: whether documents in work/duplicates are left out.
        fingerprint: of the texts, what removes them, and the settings.
    """

    stage: ClassVar[str]
    signal: ClassVar[str]
    phases: ClassVar[tuple[str, ...]]
    by_partition: ClassVar[tuple[str, ...]]

    root: str
    subset: str
    phase: str
    number: int
    parts: tuple[str, ...]
    n_partitions: int
    is_deduplicated: bool
    fingerprint: str

    @property
    def marker(self) -> str:
        return Folder(self.root).marker(self.stage, self.subset, f"{self.phase}-{self.number:05d}")

    @property
    def weight(self) -> int:
        return 1

    def path(self, phase: str, number: int) -> str:
        """Return the file of a task of a phase that is not the last one."""
        return Folder(self.root).path("work", self.stage, self.subset, phase, f"{number:05d}.bin")

    @property
    def output(self) -> str:
        """The file that the task leaves."""
        if self.phase == self.phases[-1]:
            return values_path(Folder(self.root), self.stage, self.subset, self.parts[self.number])
        return self.path(self.phase, self.number)

    def __call__(self) -> None:
        getattr(self, f"_{self.phase}")()
        folder = Folder(self.root)
        name = self.output[len(folder.root.rstrip("/")) + 1 :]
        summary = {"bytes": storage.size(self.output), "blake2b": file_digest(self.output)}
        Marker(self.fingerprint, folder.outputs({name: summary})).write(self.marker)

    def input_bytes(self) -> int:
        """Return what partitions are cut by: the bytes of the subset's curated files."""
        folder = Folder(self.root)
        return storage.total_size([folder.part("curated", self.subset, part) for part in self.parts])

    def of_phase(self, phase: str) -> Iterator[HashTask]:
        """Return all tasks of a phase."""
        n = self.n_partitions if phase in self.by_partition else len(self.parts)
        for number in range(n):
            yield replace(self, phase=phase, number=number)

    def documents(self, *columns: str) -> pa.Table:
        """Return the part's documents that are compared, in one chunk: their ids and some columns."""
        folder, part = Folder(self.root), self.parts[self.number]
        with storage.open_input(folder.part("curated", self.subset, part)) as stream:
            table = read_parquet(stream, columns=["id", *columns])
        duplicates = folder.part("work/duplicates", self.subset, part)
        if self.is_deduplicated and storage.exists(duplicates):
            with storage.open_input(duplicates) as stream:
                ids = read_parquet(stream, columns=["id"]).column("id").combine_chunks()
            table = table.filter(pc.invert(pc.is_in(table.column("id"), value_set=ids)))
        return table.combine_chunks()

    def write(self, n_partitions: int, *columns: np.ndarray) -> None:
        """Write rows of uint64 columns by the partition of the first one; the file begins with where each starts."""
        partitions = partition_of(columns[0], n_partitions)
        order = np.argsort(partitions, kind="stable")
        bounds = np.searchsorted(partitions[order], np.arange(n_partitions + 1)).astype(np.uint64)
        rows = np.stack([column[order] for column in columns], 1)
        with storage.open_output(self.output) as stream:
            stream.write(np.uint64(n_partitions).tobytes())
            stream.write(bounds.tobytes())
            stream.write(np.ascontiguousarray(rows, np.uint64).tobytes())

    def read(self, phase: str, number: int, partition: int, width: int) -> tuple[np.ndarray, ...]:
        """Return the columns of one partition of a file that `write` has written."""
        with storage.open_input(self.path(phase, number)) as stream:
            n = int(np.frombuffer(stream.read(8), np.uint64)[0])
            bounds = np.frombuffer(stream.read(8 * (n + 1)), np.uint64).astype(np.int64)
            first, last = bounds[partition : partition + 2].tolist()
            stream.seek(8 * (n + 2) + 8 * width * first)
            rows = np.frombuffer(stream.read(8 * width * (last - first)), np.uint64).reshape(-1, width)
        return tuple(rows[:, k] for k in range(width))

    def gathered(self, phase: str, width: int) -> tuple[np.ndarray, ...]:
        """Return what all parts have of this partition, as columns."""
        pieces = [self.read(phase, number, self.number, width) for number in range(len(self.parts))]
        return tuple(np.concatenate([piece[k] for piece in pieces]) for k in range(width))

    def by_partitions(self, hashes: np.ndarray, phase: str, width: int) -> Iterator[tuple[np.ndarray, Any]]:
        """Yield for each partition the places of its hashes, and the columns that a phase has left of it."""
        partitions = partition_of(hashes, self.n_partitions)
        for number in range(self.n_partitions):
            yield np.flatnonzero(partitions == number), self.read(phase, number, 0, width)

    def write_values(self, ids: pa.ChunkedArray, values: np.ndarray) -> None:
        """Write the value of each document, rounded to 6 decimals."""
        schema = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field(self.signal, pa.float64())])
        with ParquetOutput(self.output, schema) as output:
            output.write(pa.Table.from_arrays([ids, pa.array(np.round(values, 6), pa.float64())], schema=schema))


def partition_of(hashes: np.ndarray, n: int) -> np.ndarray:
    """Return int64[m]: the partition of each hash, by ranges of its upper half."""
    return ((hashes >> np.uint64(32)) * np.uint64(n) >> np.uint64(32)).astype(np.int64)


def perform_phases(first: HashTask, perform: Callable[[Sequence[Any]], None]) -> None:
    """Run all phases over a subset, unless the values are there for the same texts.

    Args:
        first: a task of the subset, with names of parts; its phase, number and partitions do not matter.
        perform: runs tasks to their end; those that are done already may be left out.
    """
    folder = Folder(first.root)
    first = replace(first, n_partitions=1 + first.input_bytes() // PARTITION_BYTES)
    values = list(first.of_phase(first.phases[-1]))
    if first.fingerprint and all(marker is not None for marker in folder.held(values)):
        return
    for phase in first.phases:
        perform(list(first.of_phase(phase)))
    over = [task for phase in first.phases[:-1] for task in first.of_phase(phase)]
    storage.remove_all(path for task in over for path in (task.output, task.marker))


@lru_cache(maxsize=4)
def _known_values(path: str, fingerprint: str) -> pa.Table:
    return _read_values(path)


def _read_values(path: str) -> pa.Table:
    with storage.open_input(path) as stream:
        return read_parquet(stream).combine_chunks()


def add_values(batch: pa.RecordBatch, place: Place, folder: Folder, kind: type[HashTask]) -> pa.RecordBatch:
    """Return a batch of a ledger with what the tasks of a kind have measured; null for documents without a value."""
    path = values_path(folder, kind.stage, place.subset, place.part)
    values = _known_values(path, place.fingerprint) if place.fingerprint else _read_values(path)
    if values.num_rows == 0:
        return batch
    at = pc.index_in(batch.column("id"), value_set=values.column("id").chunk(0))
    # A document that was taken out since has values here, and none in the ledger.
    at = pc.if_else(pa.array(is_outcome(batch, "kept")), at, pa.scalar(None, at.type))
    return with_columns(batch, {kind.signal: values.column(kind.signal).chunk(0).take(at)})
