"""Small batches of a part, joined to larger ones."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from massivetext.batches import Place, joined, place_of
from pipelines.transforms.base import PlainDoFn
from pipelines.transforms.read_documents import BATCH_RECORDS

__all__ = ["GATHERED_BYTES", "GatherBatches"]

GATHERED_BYTES = 1 << 20
"""What a joined batch has at most. The text of 8 MB of web pages is a third of a megabyte; if it went through the other
transforms by itself, they would spend a tenth of the run on beginning, and find their models gone from the caches."""


class GatherBatches(beam.PTransform):  # type: ignore[misc]
    """Join consecutive batches of a part, as far as they come in one bundle, to batches of at most `n_bytes`.

    Rows and their order stay. A batch that is as large by itself passes, and so does one that belongs to no part.
    """

    def __init__(self, n_bytes: int = GATHERED_BYTES, n_rows: int = BATCH_RECORDS) -> None:
        """n_bytes, n_rows: the most that batches are joined to."""
        super().__init__()
        self.n_bytes, self.n_rows = n_bytes, n_rows

    def expand(self, batches: beam.PCollection[pa.RecordBatch]) -> beam.PCollection[pa.RecordBatch]:
        return batches | "Join" >> beam.ParDo(_Gather(self.n_bytes, self.n_rows)).with_output_types(pa.RecordBatch)


class _Gather(PlainDoFn):
    def __init__(self, n_bytes: int, n_rows: int) -> None:
        self.n_bytes, self.n_rows = n_bytes, n_rows

    def start_bundle(self) -> None:
        # What a bundle before this one has left when it failed will come again.
        self._begin()

    def _begin(self) -> None:
        self.held: list[pa.RecordBatch] = []
        self.next: Place | None = None
        self.size = self.rows = 0

    def process(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        place = place_of(batch)
        if self.held and (place != self.next or not self._has_room(batch)):
            yield self._joined()
        if place is None or batch.num_rows == 0 or not self._has_room(batch):
            yield batch
            return
        self.held.append(batch)
        self.next = place.next(batch.num_rows)
        self.rows += batch.num_rows
        self.size += batch.nbytes

    def _has_room(self, batch: pa.RecordBatch) -> bool:
        return self.rows + batch.num_rows < self.n_rows and self.size + batch.nbytes < self.n_bytes

    def _joined(self) -> pa.RecordBatch:
        batch = joined(self.held)
        self._begin()
        return batch

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self.held:
            yield WindowedValue(self._joined(), MIN_TIMESTAMP, (GlobalWindow(),))
