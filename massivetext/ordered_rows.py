"""Two files whose rows stand in one order, read side by side a batch at a time, however many rows they have.

ledger     a b c d | e f g h | i j        batches of BATCH_ROWS
curated    a c | d f h | j                its own batches, in the ledger's order
taken      a c d     f h       j          with each batch of the ledger
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["BATCH_ROWS", "OrderedRows", "batches"]

BATCH_ROWS = 1 << 14
"""Rows of a file that are in memory at a time."""


def batches(file: pq.ParquetFile, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield these columns of a file, BATCH_ROWS rows at a time.

    Raises:
        pa.ArrowInvalid: The file has no such column, which `iter_batches` would leave out in silence.
    """
    missing = set(columns) - set(file.schema_arrow.names)
    if missing:
        raise pa.ArrowInvalid(f"there is no column {', '.join(sorted(missing))}")
    # One row group at a time: Arrow reads ahead the columns of all that it is asked for. And threads of Arrow's own
    # would each keep memory; files are read side by side by those who call this.
    for group in range(file.num_row_groups):
        yield from file.iter_batches(BATCH_ROWS, row_groups=[group], columns=list(columns), use_threads=False)


class OrderedRows:
    """Rows of a file, taken as the ids of another file come, which has all of them in the same order.

    Attributes:
        n_taken: Rows so far.
    """

    def __init__(self, file: pq.ParquetFile, columns: Sequence[str] = ("id",)) -> None:
        """file: has a column `id`. columns: those that are read, `id` among them."""
        self._batches = batches(file, columns)
        self._rest: pa.RecordBatch | None = None
        self.n_taken = 0

    def take(self, ids: pa.Array) -> tuple[list[pa.RecordBatch], np.ndarray]:
        """Return the next rows as far as these ids come, and the place of each row's id among the ids, int64, rising.

        What is neither among them nor in their order stays, so that `is_done` says no in the end.
        """
        rows: list[pa.RecordBatch] = []
        places = [np.zeros(0, np.int64)]
        last = -1
        while len(ids) and (batch := self._next()) is not None:
            at = pc.fill_null(pc.index_in(batch.column("id"), value_set=ids), -1).to_numpy().astype(np.int64)
            follows = np.diff(at, prepend=last) > 0
            n = len(at) if follows.all() else int(np.argmin(follows))
            if n:
                rows.append(batch.slice(0, n))
                places.append(at[:n])
                last = int(at[n - 1])
                self.n_taken += n
            if n < len(at):
                self._rest = batch.slice(n)
                break
        return rows, np.concatenate(places)

    def is_done(self) -> bool:
        """Whether all rows have been taken."""
        batch = self._next()
        self._rest = batch
        return batch is None

    def _next(self) -> pa.RecordBatch | None:
        if self._rest is not None:
            batch, self._rest = self._rest, None
            return batch
        return next((batch for batch in self._batches if batch.num_rows), None)
