"""Files of token sequences: Parquet of fixed-size lists, and pairs .bin and .idx as Megatron-LM reads them.

.bin   the tokens of all sequences, one after the other, little-endian
.idx   "MMIDIDX" and two zero bytes; version 1, u64; type of a token, u8 (8: uint16, 4: int32); sequences n, u64;
       entries of the last table n + 1, u64; then of each sequence its tokens, i32, and its first byte in .bin,
       i64; and of each document the number of its first sequence, i64, with n behind the last
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.parquet import DigestStream, ParquetOutput

__all__ = ["FORMATS", "TYPE_CODES", "schema", "write_megatron", "write_parquet"]

FORMATS = ("parquet", "megatron")
TYPE_CODES = {"uint16": 8, "int32": 4}
_SLICE = 1 << 16

Slices = Iterable[tuple[np.ndarray, Sequence[str]]]


def schema(length: int, dtype: np.dtype) -> pa.Schema:
    """`tokens`, a list of `length` ids, and `subset`."""
    tokens = pa.list_(pa.field("element", pa.from_numpy_dtype(dtype), nullable=False), length)
    fields = [pa.field("tokens", tokens, nullable=False), pa.field("subset", pa.string(), nullable=False)]
    return pa.schema(fields, metadata={"massivetext.schema": "sequences-1"})


def write_parquet(path: str, slices: Slices, *, length: int, dtype: np.dtype) -> dict[str, Any]:
    """slices: (tokens [rows, length], subset of each row). Returns rows, bytes and digest of the file."""
    fields = schema(length, dtype)
    with ParquetOutput(path, fields) as output:
        for tokens, subsets in slices:
            step = max(1, (1 << 20) // (length * dtype.itemsize))
            for at in range(0, len(tokens), step):
                flat = pa.array(np.ascontiguousarray(tokens[at : at + step]).reshape(-1))
                lists = pa.FixedSizeListArray.from_arrays(flat, type=fields.field("tokens").type)
                names = pa.array(subsets[at : at + step], pa.string())
                output.write(pa.table([lists, names], schema=fields))
    return output.summary


def write_megatron(path: str, slices: Slices, *, rows: int, length: int, dtype: np.dtype) -> dict[str, dict[str, Any]]:
    """Write path.bin and path.idx, each sequence a document of its own. Returns rows, bytes and digest of both."""
    with _digested(f"{path}.bin") as tokens_file:
        for tokens, _ in slices:
            tokens_file.write(np.ascontiguousarray(tokens, dtype.newbyteorder("<")).data)
    with _digested(f"{path}.idx") as index:
        index.write(struct.pack("<9sQBQQ", b"MMIDIDX", 1, TYPE_CODES[dtype.name], rows, rows + 1))
        parts = ((at, min(at + _SLICE, rows)) for at in range(0, rows, _SLICE))
        bounds = list(parts)
        for first, last in bounds:
            index.write(np.full(last - first, length, "<i4").data)
        for first, last in bounds:
            index.write((np.arange(first, last, dtype="<i8") * (length * dtype.itemsize)).data)
        for first, last in bounds:
            index.write(np.arange(first, last, dtype="<i8").data)
        index.write(struct.pack("<q", rows))
    return {
        "bin": {"rows": rows, "bytes": tokens_file.n_bytes, "blake2b": tokens_file.hexdigest()},
        "idx": {"rows": rows, "bytes": index.n_bytes, "blake2b": index.hexdigest()},
    }


@contextlib.contextmanager
def _digested(path: str):
    with storage.open_output(path) as stream:
        yield DigestStream(stream)
