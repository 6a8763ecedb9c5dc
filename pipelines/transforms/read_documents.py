"""From files of any format to batches of documents."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import apache_beam as beam
import pyarrow as pa

from massivetext import isolation, readers
from massivetext.batches import Place, empty_batch, from_records
from massivetext.documents import Record, document_id
from massivetext.errors import DependencyError, OutputError, RecipeError, SourceError
from massivetext.guarded import Guarded
from massivetext.removed import held_removed
from pipelines.input_splits import File, Part, ranges_of, split_files
from pipelines.member_index import may_split, split_here
from pipelines.run_folder.part_files import look_at_files, write_files
from pipelines.tasks import PartTask, task_begins
from pipelines.transforms.base import Counters, PlainDoFn
from pipelines.transforms.guard import read_guarded

__all__ = ["BATCH_BYTES", "BATCH_RECORDS", "ReadDocuments", "read_documents"]

BATCH_BYTES = 8 << 20
BATCH_RECORDS = 2048
"""A batch is closed by whichever comes first; both depend on the input alone, so batches are the same in every run."""


class ReadDocuments(beam.PTransform):  # type: ignore[misc]
    """Read documents as batches (`massivetext.batches.BATCH_SCHEMA`), each of one part, in the part's order.

    Applied to a pipeline it reads the files that it names; applied to a PCollection of part tasks it reads those. The
    last batch of a part has no rows, and says what was counted while reading.
    """

    def __init__(
        self,
        path: str = "",
        *,
        format: str = "",
        subset: str = "documents",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            path: a file, a folder or a pattern, local or a URL; empty where part tasks come in.
            format: one of `massivetext.readers.FORMATS`, or a reader of one's own.
            subset: what the documents' subset is called.
            fields: which fields of a record hold `text`, `url` and so on, for formats of records.
        """
        super().__init__()
        self.path, self.format, self.subset, self.fields = path, format, subset, dict(fields or {})

    def expand(self, source: Any) -> beam.PCollection[pa.RecordBatch]:
        if self.path:
            parts = split_files(self.path, self.format, self.subset, self.fields)
            if any(map(may_split, parts)):
                files = source | "Files" >> beam.Create(parts) | "SpreadFiles" >> beam.Reshuffle()
                tasks = files | "Parts" >> beam.FlatMap(_split_tasks).with_output_types(PartTask)
            else:
                tasks = source | "Parts" >> beam.Create([_task(part) for part in parts])
            source = tasks | "Spread" >> beam.Reshuffle()
        return source | "Read" >> beam.ParDo(_ReadPart()).with_output_types(pa.RecordBatch)


def _task(part: Part) -> PartTask:
    return PartTask(part, "", "", "")


def _split_tasks(part: Part) -> list[PartTask]:
    """The tasks of a part, which is split if it is a large compressed file of many members."""
    return [_task(piece) for piece in split_here(part)]


class _ReadPart(PlainDoFn):
    def setup(self) -> None:
        self.counters, self.guarded = Counters("ReadDocuments"), Guarded()

    def teardown(self) -> None:
        self.guarded.close()

    def process(self, task: PartTask) -> Iterator[pa.RecordBatch]:
        task_begins(task.marker)
        looks = look_at_files(task.part) if task.root else {}
        # What comes after is done within each `yield`, and so within these limits.
        with isolation.limited(task.seconds, task.memory, task.blamed):
            is_guarded = bool(task.root) and not isolation.is_watched()
            batches = read_guarded(self.guarded, _read_limited, task) if is_guarded else read_documents(task)
            while True:
                started = time.process_time()
                batch = next(batches, None)
                isolation.end()
                self.counters.time(started)
                if batch is None:
                    break
                self.counters.add(parts=int(batch.num_rows == 0), documents_out=batch.num_rows, bytes=batch.nbytes)
                yield batch
        if task.root:
            write_files(task.root, task.part, {} if task.message else looks)


def _read_limited(task: PartTask) -> Iterator[pa.RecordBatch]:
    """`read_documents` within the task's limits, in a process that is watched."""
    with isolation.limited(task.seconds, task.memory, task.blamed):
        yield from read_documents(task)


def read_documents(task: PartTask) -> Iterator[pa.RecordBatch]:
    """Return the batches of a part, and last one without rows."""
    part = task.part
    counts: Counter[str] = Counter()
    failures: list[str] = []
    if task.message:
        failures.append(f"{part.path} and {len(part.files) - 1:,} more: {task.message}" if part.files else task.message)
    place = Place(part.subset, "" if part.files else part.source, part.name, fingerprint=task.fingerprint)
    for sourced in _batches(_records(task, counts, failures)):
        records = [record for _, record in sourced]
        counts["records"] += len(records)
        counts["undecodable"] += sum(record.n_replaced for record in records)
        yield from_records(records, place, [source for source, _ in sourced])
        place = place.next(len(records))
    yield empty_batch(replace(place, is_last=True, counts=dict(counts), failures=tuple(failures)))


Sourced = tuple[str, Record]
"""A record with the name of its source."""


def _records(task: PartTask, counts: Counter[str], failures: list[str]) -> Iterator[Sourced]:
    """The records of a part, without the text of those that were removed, or known to end the process that works on
    them. A file that cannot be read, or not to its end, gives what was read before the fault, or one record that
    failed; the fault is added to `failures`, and the next file is read."""
    for file in task.part.members:
        n, following = 0, task.part.start
        try:
            for record in _file_records(task, file, counts):
                n, following = n + 1, record.offset + 1
                yield file.source, record
        except SourceError as error:
            text = str(error)
            failures.append(text if text.startswith(f"{file.path}: ") else f"{file.path}: {text}")
            # Of a compressed file that was split, the first part stands for a file without records.
            if n == 0 and (task.part.member_range is None or task.part.split == 0):
                yield file.source, Record(task.part.start, outcome="failed", reason="failed.unreadable")
        except (DependencyError, OutputError, RecipeError):
            raise  # no file is to blame
        except Exception as error:
            if not task.is_careful:
                raise
            failures.append(f"{file.path}: given up ({type(error).__name__}: {error}); the next run tries it again")
            yield file.source, Record(following, outcome="failed", reason="failed.part")


def _file_records(task: PartTask, file: File, counts: Counter[str]) -> Iterator[Record]:
    """The records of one file of a part. Where reading itself ends the process, it stops there."""
    part, n, offset = task.part, 0, task.part.start - 1
    if task.message:
        yield Record(part.start, outcome="failed", reason="failed.part")
        return
    isolation.of_file(file.source)
    records = _read(part, file, counts)
    removed = held_removed(task.root) if task.root else None
    while True:
        isolation.of_file(file.source)
        reason = isolation.reading_ends(n)
        if reason is not None:
            yield Record(offset + 1, outcome="failed", reason=reason)
            raise SourceError(f"{file.path}: {reason}: nothing is read after record {n}; the next run tries it again")
        isolation.begin("reading", n, file.n_bytes, isolation.READING)
        record = next(records, None)
        if record is None:
            return
        n, offset = n + 1, record.offset
        reason = isolation.failure(record.offset)
        if reason is not None:
            record = replace(record, text=None, page=None, outcome="failed", reason=reason)
        if removed:
            reason = removed.reason(document_id(part.subset, file.source, record.offset), record.url)
            if reason is not None:
                record = replace(record, text=None, page=None, outcome="rejected", reason=reason)
        yield record


def _read(part: Part, file: File, counts: Counter[str]) -> Iterator[Record]:
    """What the reader of the part's format gives: of a packed file all of it, else the part's range."""
    ranges = ranges_of(file.path, part.format, file.n_bytes) if part.files else [(part.start, part.stop)]
    for start, stop in ranges:
        yield from readers.read_part(
            file.path,
            part.format,
            start=start,
            stop=stop,
            options=part.fields,
            counts=counts,
            members=part.member_range,
        )


def _batches(records: Iterator[Sourced]) -> Iterator[list[Sourced]]:
    """Records in lists of at most BATCH_RECORDS and about BATCH_BYTES of content."""
    batch: list[Sourced] = []
    size = 0
    for source, record in records:
        batch.append((source, record))
        size += len(record.page or b"") + len(record.text or "")
        if size >= BATCH_BYTES or len(batch) >= BATCH_RECORDS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
