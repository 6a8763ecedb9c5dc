"""Batches: the documents of one part as an Arrow RecordBatch whose columns grow as it goes through the stages.

    id subset source offset url timestamp   where a document comes from
    text                                    null where there is none (yet), or where the record is no document
    page content_type                       the bytes of a web page, until its text has been extracted
    outcome reason                          set for a record that is no document, or one that failed
    metadata                                pairs of strings that the reader found beside the text

A batch of a run also says, in the metadata of its schema, which part it belongs to and which of its batches it is
(`Place`). A batch that somebody else has made needs only the columns that a stage reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import isolation
from massivetext.documents import DOCUMENT_SCHEMA, PROVENANCE, Record, document_id
from massivetext.errors import OutputError

__all__ = [
    "BATCH_SCHEMA",
    "Place",
    "as_floats",
    "at_place",
    "empty_batch",
    "filled",
    "from_records",
    "has_text",
    "is_outcome",
    "joined",
    "map_documents",
    "metadata_values",
    "pages_of",
    "place_of",
    "with_columns",
    "with_measures",
]

BATCH_SCHEMA = pa.schema(
    [
        *PROVENANCE,
        pa.field("content_type", pa.string()),
        pa.field("page", pa.large_binary()),
        pa.field("text", pa.large_string()),
        pa.field("outcome", pa.string()),
        pa.field("reason", pa.string()),
        DOCUMENT_SCHEMA.field("metadata"),
    ]
)
"""What a reader gives."""

_PLACE = b"massivetext.place"


@dataclass(frozen=True)
class Place:
    """Where a batch stands in its part.

    Attributes:
        subset, part: names of the subset and of the part.
        source: name of the part's source; empty for a part of several files, whose rows have each their own.
        number: of the batch in its part, from 0; of the first one of a batch that was joined from several.
        n_batches: how many it was joined from.
        first_row: of its first record in its part.
        is_last: whether the part ends with it. The last batch of a part has no rows.
        counts: in the last batch, what the reader counted.
        failures: in the last batch, why the part could not be read to its end.
        fingerprint: of all that shapes what is made of the part.
        stages: those after the pass over the text that have run, for the final ledger.
    """

    subset: str
    source: str
    part: str
    number: int = 0
    n_batches: int = 1
    first_row: int = 0
    is_last: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    fingerprint: str = ""
    stages: tuple[str, ...] = ()

    def next(self, n_rows: int) -> Place:
        """The place of the batch after one of `n_rows` rows."""
        return replace(self, number=self.number + self.n_batches, n_batches=1, first_row=self.first_row + n_rows)


def place_of(batch: pa.RecordBatch) -> Place | None:
    """Return the place of a batch in its part; None for a batch that no part is named for."""
    packed = (batch.schema.metadata or {}).get(_PLACE)
    if packed is None:
        return None
    data = json.loads(packed)
    return Place(**{**data, "failures": tuple(data["failures"]), "stages": tuple(data["stages"])})


def from_records(records: Sequence[Record], place: Place, sources: Sequence[str] | None = None) -> pa.RecordBatch:
    """Return BATCH_SCHEMA with one row a record, in order.

    Args:
        records: of a part.
        place: the batch's place in its part.
        sources: the source of each record; the place's for all if None.
    """
    n = len(records)
    names = [place.source] * n if sources is None else sources
    ids = [document_id(place.subset, name, record.offset) for name, record in zip(names, records)]
    columns = [
        pa.array(ids, pa.string()),
        pa.repeat(pa.scalar(place.subset, pa.string()), n),
        pa.array(names, pa.string()),
        pa.array([record.offset for record in records], pa.int64()),
        pa.array([record.url for record in records], pa.string()),
        pa.array([record.timestamp for record in records], pa.string()),
        pa.array([record.content_type for record in records], pa.string()),
        _page_column([record.page if record.outcome is None else None for record in records]),
        pa.array([record.text if record.outcome is None else None for record in records], pa.large_string()),
        pa.array([record.outcome for record in records], pa.string()),
        pa.array([record.reason for record in records], pa.string()),
        pa.array([sorted(record.metadata.items()) for record in records], DOCUMENT_SCHEMA.field("metadata").type),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_placed(BATCH_SCHEMA, place))


def _page_column(pages: Sequence[bytes | str | None]) -> pa.Array:
    """Return large_binary[n], as `pa.array` does, which takes a reader's text too. It moves what it has whenever its
    buffer grows: for megabytes of pages that takes three times as long as joining them."""
    valid = pa.array([page is not None for page in pages], pa.bool_())
    present = [page.encode() if isinstance(page, str) else page or b"" for page in pages]
    ends = np.cumsum([0, *map(len, present)], dtype=np.int64)
    buffers = [valid.buffers()[1], pa.py_buffer(ends), pa.py_buffer(b"".join(present))]
    return pa.Array.from_buffers(pa.large_binary(), len(pages), buffers)


def pages_of(batch: pa.RecordBatch) -> Iterator[bytes | None]:
    """Give the page of each row, None where there is none. Each is copied once, by `as_py` it would be twice."""
    column = batch.column("page").cast(pa.large_binary())
    _, ends, content = column.buffers()
    bounds = np.frombuffer(ends or bytes(8), np.int64)[column.offset : column.offset + len(column) + 1].tolist()
    data = memoryview(content or b"")
    for is_valid, start, stop in zip(column.is_valid().to_pylist(), bounds, bounds[1:]):
        yield bytes(data[start:stop]) if is_valid else None


def empty_batch(place: Place) -> pa.RecordBatch:
    """Return a batch without rows: the last one of a part."""
    return pa.RecordBatch.from_pylist([], schema=_placed(BATCH_SCHEMA, place))


def at_place(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    """Return the batch as one of a part."""
    return batch.replace_schema_metadata(_placed(batch.schema, place).metadata)


def _placed(schema: pa.Schema, place: Place) -> pa.Schema:
    return schema.with_metadata({_PLACE: json.dumps(asdict(place), sort_keys=True).encode()})


def with_columns(batch: pa.RecordBatch, columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """Return the batch with columns replaced by those of the same name, or appended."""
    arrays = dict(zip(batch.schema.names, batch.columns))
    fields = {one.name: one for one in batch.schema}
    for name, column in columns.items():
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        arrays[name] = column
        if name not in fields or fields[name].type != column.type:
            fields[name] = pa.field(name, column.type)
    schema = pa.schema(list(fields.values()), metadata=batch.schema.metadata)
    return pa.RecordBatch.from_arrays(list(arrays.values()), schema=schema)


def as_floats(column: pa.Array) -> np.ndarray:
    """Return a column of numbers as float64[n], NaN for a null."""
    values: np.ndarray = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values


def has_text(batch: pa.RecordBatch) -> pa.Array:
    """Return bool[n]: whether each row is a document with text."""
    return batch.column("text").is_valid()


def with_measures(
    batch: pa.RecordBatch, measure: Callable[[pa.RecordBatch], Mapping[str, pa.Array]], *, skip_empty: bool = False
) -> pa.RecordBatch:
    """Return the batch with what `measure` gives for its documents; null where a row has no text.

    Args:
        batch: needs `text`.
        measure: from a batch to columns of as many rows. Kernels take a null for an empty text.
        skip_empty: give `measure` only the rows with text, for a function that an empty text would harm or slow.
    """
    if batch.num_rows == 0 or batch.column("text").null_count == 0:
        return with_columns(batch, measure(batch))
    valid = has_text(batch)
    if skip_empty:
        columns, at = measure(batch.filter(valid)), pc.subtract(pc.cumulative_sum(valid.cast(pa.int64())), 1)
    else:
        columns, at = measure(batch), pa.array(np.arange(batch.num_rows))
    if not columns:
        return batch
    # One call for all columns: with few rows, a call for each would take longer than measuring.
    measured = pa.table(dict(columns)).take(pc.if_else(valid, at, None))
    return with_columns(batch, dict(zip(measured.column_names, measured.columns)))


def map_documents(
    function: Callable[[pa.RecordBatch], pa.RecordBatch], batch: pa.RecordBatch, *, step: str
) -> pa.RecordBatch:
    """Apply a function to a batch, so that a document that it fails on is `failed` and takes no other with it.

    The function is tried on the whole batch, then on halves, down to the single document. A document that cannot be
    done gets outcome `failed`, reason `failed.<error> in <step>`, and loses its text.

    Args:
        function: from a batch to a batch of as many rows.
        batch: at least one column.
        step: how limits of time and memory, and reasons, call what is done here.
    """
    if batch.num_rows <= 1 or not isolation.is_alone():
        scope = isolation.DOCUMENT if batch.num_rows == 1 else isolation.BATCH
        offset = batch.column("offset")[0].as_py() if batch.num_rows and "offset" in batch.schema.names else 0
        if batch.num_rows and "source" in batch.schema.names:
            isolation.of_file(batch.column("source")[0].as_py() or "")
        isolation.begin(step, offset or 0, batch.nbytes, scope)
        try:
            return function(batch)
        except OutputError:
            raise  # nobody can write here: that is no document's fault
        except Exception as error:
            if batch.num_rows <= 1:
                return _failed(batch, f"failed.{type(error).__name__}")
    half = batch.num_rows // 2
    pieces = [map_documents(function, piece, step=step) for piece in (batch.slice(0, half), batch.slice(half))]
    return _concatenated(pieces, batch.schema.metadata)


def _failed(batch: pa.RecordBatch, reason: str) -> pa.RecordBatch:
    n = batch.num_rows
    return with_columns(
        batch,
        {
            "text": pa.nulls(n, pa.large_string()),
            "outcome": pa.array(["failed"] * n, pa.string()),
            "reason": pa.array([reason] * n, pa.string()),
        },
    )


def joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Return consecutive batches of a part, which say so, as one in the place of the first."""
    if len(batches) == 1:
        return batches[0]
    places = [place for place in map(place_of, batches) if place is not None]
    n_batches = sum(place.n_batches for place in places)
    return at_place(_concatenated(batches, None), replace(places[0], n_batches=n_batches))


def _concatenated(batches: Sequence[pa.RecordBatch], metadata: Mapping[bytes, bytes] | None) -> pa.RecordBatch:
    """The rows of some batches in order; what one of them does not have is null in its rows."""
    tables = [pa.Table.from_batches([batch]).replace_schema_metadata(None) for batch in batches]
    table = pa.concat_tables(tables, promote_options="default").combine_chunks()
    columns = [column.combine_chunks() for column in table.columns]
    flat = [column.chunk(0) if isinstance(column, pa.ChunkedArray) else column for column in columns]
    return pa.RecordBatch.from_arrays(flat, schema=table.schema.with_metadata(metadata))


def filled(batch: pa.RecordBatch, schema: pa.Schema, given: Mapping[str, pa.Array] | None = None) -> pa.Table:
    """Return the columns of a schema: `given` ones, those of the batch, else nulls."""
    names = set(batch.schema.names)
    arrays = []
    for one in schema:
        if given is not None and one.name in given:
            column: Any = given[one.name]
        elif one.name in names:
            column = batch.column(one.name)
        else:
            column = pa.nulls(batch.num_rows, one.type)
        arrays.append(column if column.type == one.type else column.cast(one.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def metadata_values(batch: pa.RecordBatch, key: str) -> list[str | None]:
    """Return what each row's metadata has under a key."""
    if "metadata" not in batch.schema.names:
        return [None] * batch.num_rows
    rows = batch.column("metadata").to_pylist()
    return [next((pair["value"] for pair in pairs or () if pair["key"] == key), None) for pairs in rows]


def is_outcome(batch: pa.RecordBatch, outcome: str) -> np.ndarray:
    """Return bool[n]: the rows of this outcome."""
    return pc.fill_null(pc.equal(batch.column("outcome"), outcome), False).to_numpy(zero_copy_only=False)
