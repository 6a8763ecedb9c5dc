"""From batches to the files of a part, whole or not at all, whichever way the runner has cut the stream.

A writer takes the batches of a part as they come. Where they come all, in order and in one bundle, as after a runner
that fuses, it publishes the files of the part at its end. Where they do not, it leaves *pieces*; a GroupByKey on the
part's name gathers their descriptions, and the pieces are merged in the order of batches:

    batches  0 1 2 3 4 end      one bundle             -> the part
    batches  0 1 | 2 3 4 end    two bundles            -> piece 0-1, piece 2-end  -> merged -> the part

Row groups depend on the rows alone, so both ways give the same bytes.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from massivetext import storage
from massivetext.batches import Place, place_of
from massivetext.dedup.scope import look_at_evidence
from massivetext.errors import OutputError
from massivetext.parquet import ParquetOutput, open_parquet
from pipelines.recipe import Recipe
from pipelines.run_folder.folder import Folder
from pipelines.tasks import Marker, task_ends
from pipelines.transforms.base import Counters, PlainDoFn
from pipelines.transforms.layouts import CurateLayout

__all__ = ["Layout", "Piece", "WriteParts"]

MOST_OPEN = 8
"""Parts that one writer has open at a time; where more come interleaved, the oldest is left as a piece."""


class Layout(Protocol):
    """Which files a part has, and what of a batch goes into them."""

    @property
    def stage(self) -> str:
        """The name that markers go by: `curate`, `settle`."""

    def schemas(self, subset: str) -> dict[str, pa.Schema]:
        """Return by kind (`curated`, `ledger`, `work/evidence`) the schema of its file; a subset has no others."""

    def tables(self, batch: pa.RecordBatch, place: Place) -> dict[str, pa.Table]:
        """Return by kind the rows that a batch adds."""

    def count(self, batch: pa.RecordBatch, counts: dict[str, Any]) -> None:
        """Add what a batch holds to the counts of the part's marker."""


@dataclass(frozen=True)
class Piece:
    """Some consecutive batches of a part, written. suffix: what its files' names end with; empty for a whole part."""

    part: str
    first: int
    last: int
    is_whole: bool = False
    suffix: str = ""
    counts: dict[str, Any] = field(default_factory=dict)
    end: Place | None = None


class WriteParts(beam.PTransform):  # type: ignore[misc]
    """Write batches as the files of their parts. Returns the path of each part's marker, written last."""

    def __init__(self, folder: Folder | str, recipe: Recipe, layout: Layout | None = None) -> None:
        """layout: which files a part has; those of the pass over the text, if None."""
        super().__init__()
        self.folder = Folder(folder) if isinstance(folder, str) else folder
        self.layout = CurateLayout(recipe) if layout is None else layout

    def expand(self, batches: beam.PCollection[pa.RecordBatch]) -> beam.PCollection[str]:
        return (
            batches
            | "WritePieces" >> beam.ParDo(_WritePieces(self.folder, self.layout)).with_output_types(tuple[str, Piece])
            | "ByPart" >> beam.GroupByKey()
            | "Merge" >> beam.ParDo(_MergePieces(self.folder, self.layout)).with_output_types(str)
        )


class _Writer:
    """The files of one part, or of a piece of it, while batches come."""

    def __init__(self, folder: Folder, layout: Layout, place: Place) -> None:
        self.folder, self.layout, self.place = folder, layout, place
        self.first = self.next = place.number
        self.suffix = "" if place.number == 0 else _new_suffix(place)
        self.counts: dict[str, Any] = {}
        self._stack = contextlib.ExitStack()
        self._outputs = {
            kind: self._stack.enter_context(ParquetOutput(_path(folder, kind, place, self.suffix), schema))
            for kind, schema in layout.schemas(place.subset).items()
        }

    def write(self, batch: pa.RecordBatch, place: Place) -> None:
        self.next = place.next(batch.num_rows).number
        if batch.num_rows:
            for kind, table in self.layout.tables(batch, place).items():
                self._outputs[kind].write(table)
            self.layout.count(batch, self.counts)

    def close(self) -> dict[str, dict[str, Any]]:
        """Close the files, and return rows, bytes and digest of each by its path in DIR."""
        self._stack.close()
        return {_name(kind, self.place, self.suffix): output.summary for kind, output in self._outputs.items()}

    def abort(self) -> None:
        """Leave nothing of what was written."""
        error = OutputError(f"{self.place.part}: not finished")
        self._stack.__exit__(OutputError, error, None)

    def as_piece(self, end: Place | None = None) -> Piece:
        """Close the files as those of a piece, under a name that only its description knows."""
        self.close()
        if not self.suffix:
            self.suffix = _new_suffix(self.place)
            for kind in self._outputs:
                storage.move(
                    _path(self.folder, kind, self.place, ""), _path(self.folder, kind, self.place, self.suffix)
                )
        return Piece(self.place.part, self.first, self.next - 1, suffix=self.suffix, counts=self.counts, end=end)


class _WritePieces(PlainDoFn):
    def __init__(self, folder: Folder, layout: Layout) -> None:
        self.folder, self.layout = folder, layout

    def setup(self) -> None:
        self.counters = Counters("WriteParts")
        self.open: dict[str, _Writer] = {}

    def start_bundle(self) -> None:
        # What a bundle before this one has left when it failed will come again.
        self._abort()

    def process(self, batch: pa.RecordBatch) -> Iterator[tuple[str, Piece]]:
        place = place_of(batch)
        if place is None:
            raise OutputError("WriteParts: a batch does not say which part it belongs to; ReadDocuments gives such")
        started = time.process_time()
        key = _key(place)
        writer = self.open.get(key)
        if writer is not None and writer.next != place.number:
            yield key, self.open.pop(key).as_piece()
            writer = None
        if writer is None:
            if len(self.open) >= MOST_OPEN:
                oldest = next(iter(self.open))
                yield oldest, self.open.pop(oldest).as_piece()
            writer = self.open[key] = _Writer(self.folder, self.layout, place)
        writer.write(batch, place)
        self.counters.add(documents_in=batch.num_rows, bytes=batch.nbytes)
        if place.is_last:
            del self.open[key]
            if writer.first == 0:
                _publish(self.folder, self.layout, place, writer.close(), writer.counts)
                self.counters.add(parts=1)
                yield key, Piece(place.part, 0, place.number, is_whole=True)
            else:
                yield key, writer.as_piece(place)
        self.counters.time(started)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for key, writer in self.open.items():
            yield WindowedValue((key, writer.as_piece()), MIN_TIMESTAMP, (GlobalWindow(),))
        self.open.clear()

    def teardown(self) -> None:
        self._abort()

    def _abort(self) -> None:
        for writer in self.open.values():
            writer.abort()
        self.open.clear()


class _MergePieces(PlainDoFn):
    """Merges the pieces of a part, in the order of batches; a part that was written whole needs nothing."""

    def __init__(self, folder: Folder, layout: Layout) -> None:
        self.folder, self.layout = folder, layout

    def process(self, element: tuple[str, Iterable[Piece]]) -> Iterator[str]:
        key, described = element
        subset, _, part = key.partition("/")
        pieces = sorted(described, key=lambda piece: piece.first)
        if not any(piece.is_whole for piece in pieces):
            self._merge(subset, part, pieces)
        yield self.folder.marker(self.layout.stage, subset, part)

    def _merge(self, subset: str, part: str, pieces: list[Piece]) -> None:
        end = pieces[-1].end
        if end is None or [piece.first for piece in pieces] != [0, *(piece.last + 1 for piece in pieces[:-1])]:
            batches = ", ".join(f"{piece.first}-{piece.last}" for piece in pieces)
            raise OutputError(f"{subset}/{part}: batches are missing or came twice: {batches}; run again")
        counts: dict[str, Any] = {}
        for piece in pieces:
            _add(counts, piece.counts)
        summaries = {}
        for kind, schema in self.layout.schemas(subset).items():
            with ParquetOutput(_path(self.folder, kind, end, ""), schema) as output:
                for piece in pieces:
                    with storage.open_input(_path(self.folder, kind, end, piece.suffix)) as stream:
                        for batch in open_parquet(stream).iter_batches(1 << 14):
                            output.write(pa.Table.from_batches([batch]).cast(schema))
            summaries[_name(kind, end, "")] = output.summary
        _publish(self.folder, self.layout, end, summaries, counts)
        for piece in pieces:
            for kind in self.layout.schemas(subset):
                storage.remove(_path(self.folder, kind, end, piece.suffix))


def _publish(
    folder: Folder, layout: Layout, end: Place, summaries: Mapping[str, dict[str, Any]], counts: dict[str, Any]
) -> None:
    """Write the marker: from now on the part is done."""
    marker = folder.marker(layout.stage, end.subset, end.part)
    for name, summary in summaries.items():
        if name.startswith("work/evidence/"):
            # Deduplication numbers all documents by these, and need not open each part's file for them.
            summary.update(look_at_evidence(folder.path(name)))
    outputs = folder.outputs(summaries)
    Marker(end.fingerprint, outputs, {**counts, **end.counts}, end.failures).write(marker)
    task_ends(marker)


def _add(counts: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add numbers, or lists of numbers, by name."""
    for name, value in more.items():
        if isinstance(value, list):
            counts[name] = [a + b for a, b in zip(counts.get(name, [0] * len(value)), value)]
        else:
            counts[name] = counts.get(name, 0) + value


def _key(place: Place) -> str:
    return f"{place.subset}/{place.part}"


def _new_suffix(place: Place) -> str:
    """Unlike that of any other attempt: a bundle that is done twice must not meet its own files."""
    return f"-piece{place.number:06d}-{secrets.token_hex(6)}"


def _name(kind: str, place: Place, suffix: str) -> str:
    if suffix:
        kind = f"work/pieces/{kind.replace('/', '-')}"
    return f"{kind}/{place.subset}/{place.part}{suffix}.parquet"


def _path(folder: Folder, kind: str, place: Place, suffix: str) -> str:
    return folder.path(_name(kind, place, suffix))
