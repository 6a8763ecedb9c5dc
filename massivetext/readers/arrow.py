"""Arrow IPC files and streams, and Feather (version 2): one record a row; a split is a range of record batches.

A file of `datasets` is a stream: it has no index of its batches, and is read from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.documents import Record
from massivetext.errors import SourceError
from massivetext.readers.columns import Columns
from massivetext.readers.compression import DamagedError
from massivetext.readers.fields import DOCUMENT, Fields
from massivetext.readers.reader import Reader

__all__ = ["MAGIC", "READER", "read", "split"]

MAGIC = b"ARROW1"
_BATCH_BITS = 32
_ERRORS = (pa.ArrowException, OSError, ValueError, OverflowError, EOFError, MemoryError)


def read(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """One record a row; offset: the number of its record batch times 2^32, plus its number in that.

    A batch that cannot be read is one record `failed.corrupt`; of a file the next ones are read, a stream ends there,
    and then DamagedError is raised. Raises SourceError if it is no Arrow file, if a column is missing that the recipe
    names, or if the text is no text.
    """
    file = _open(stream, source)
    is_file = isinstance(file, pa.RecordBatchFileReader)
    columns = Columns(file.schema, Fields(options, DOCUMENT), source, counts)
    damage = None
    number = start if is_file else 0
    while not is_file or number < min(stop, file.num_record_batches):
        offset = number << _BATCH_BITS
        try:
            batch = file.get_batch(number) if is_file else file.read_next_batch()
            for column in batch.columns:
                _validate(column)
            for row, values in enumerate(columns.rows(batch, file.schema)):
                offset = (number << _BATCH_BITS) + row
                yield columns.fields.record(offset, values)
                offset += 1
        except StopIteration:
            break
        except _ERRORS as error:
            yield Record(offset, outcome="failed", reason="failed.corrupt")
            damage = DamagedError("corrupt", f"{source}: record batch {number} cannot be read: {error}")
            if not is_file:
                break
        number += 1
    if damage is not None:
        raise damage


def _validate(column: pa.Array) -> None:
    """Raise ArrowInvalid for offsets or indices that lead out of their buffers, which would end the process. Text
    that is not UTF-8 is no fault here."""
    kind = column.type
    column.validate()
    if pa.types.is_dictionary(kind):
        column.indices.validate(full=True)
        largest = pc.max(column.indices).as_py()
        if largest is not None and (largest >= len(column.dictionary) or pc.min(column.indices).as_py() < 0):
            raise pa.ArrowInvalid(f"index {largest} of a dictionary of {len(column.dictionary)} values")
        _validate(column.dictionary)
        return
    binary = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}
    if kind in binary:
        column = pa.Array.from_buffers(binary[kind], len(column), column.buffers(), offset=column.offset)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise


def split(path: str, size: int, target_bytes: int) -> list[tuple[int, int]]:
    """Ranges of record batches of a file, or all that a stream has."""
    with storage.open_input(path) as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            return [(0, size)]
        n_batches = _open(stream, path).num_record_batches
    pieces = max(1, min(n_batches, -(-size // target_bytes)))
    return [(n_batches * i // pieces, n_batches * (i + 1) // pieces) for i in range(pieces)]


def _open(stream: IO[bytes], source: str) -> pa.RecordBatchFileReader | pa.RecordBatchStreamReader:
    try:
        stream.seek(0)
        is_file = stream.read(len(MAGIC)) == MAGIC
        stream.seek(0)
        file = pa.ipc.open_file(stream) if is_file else pa.ipc.open_stream(stream)
        file.schema.names  # noqa: B018  raises for names that are no text
        return file
    except _ERRORS as error:
        raise SourceError(f"{source}: not an Arrow file or stream that can be read: {error}") from error


READER = Reader(
    name="arrow",
    read=read,
    record="a row",
    offset="number of its record batch times 2^32, plus its number in the batch",
    splits="record batches",
    extensions=(".arrow", ".feather", ".ipc"),
    signature=lambda head: head.startswith(MAGIC),
    fields=DOCUMENT,
    split=split,
)
