"""What a document has beside its text, as JSON: by columns, where a dict a row would take as long as the text."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext.export.escape import escaped
from massivetext.export.rows import joined, one_array

__all__ = ["Beside", "beside", "json_values"]

to_json = json.JSONEncoder(ensure_ascii=False).encode
"""`json.dumps` makes an encoder for each value that is not written as ASCII, at four times the cost."""

_APART = ("id", "text", "subset")
_RESERVED = frozenset({*_APART, "timestamp", "n_tokens"})
"""Names that formats read or write by themselves, so that a pair of `metadata` under one of them needs a dict."""


class Beside(NamedTuple):
    """Of each row of a table what stands beside id, text and subset.

    members: the pairs of `metadata` and the columns that are not null, as JSON without the braces around them; created:
    `, "created": ...` where there is a timestamp; n_tokens: int64, 0 where it is not known.
    """

    members: pa.LargeBinaryArray
    created: pa.LargeBinaryArray
    n_tokens: np.ndarray


def beside(table: pa.Table, *, without: tuple[str, ...] = ()) -> Beside:
    """Describe the rows of a table. without: names to leave out of the members."""
    has_own = "metadata" in table.column_names and _are_pairs(table.schema.field("metadata").type)
    names = [name for name in table.column_names if name not in _APART and not (has_own and name == "metadata")]
    pairs = table.column("metadata").to_pylist() if has_own else [None] * table.num_rows
    if {pair["key"] for row in pairs for pair in row or ()} & {*names, *_RESERVED}:
        return _by_rows(table.select(names).to_pylist(), pairs, without)
    before = [to_json({pair["key"]: pair["value"] for pair in row})[1:-1] if row else "" for row in pairs]
    first = pa.array(before, pa.large_string()).cast(pa.large_binary())
    members = [_member(name, one_array(table.column(name))) for name in names if name not in without]
    rest = joined(*members) if members else _empty(len(first))
    has_pairs = pc.not_equal(first, pa.scalar(b"", pa.large_binary()))
    created, n_tokens = _empty(len(first)), np.zeros(len(first), np.int64)
    if "timestamp" in names:
        created = _member("created", one_array(table.column("timestamp")))
    if "n_tokens" in names:
        n_tokens = pc.fill_null(table.column("n_tokens").cast(pa.int64()), 0).to_numpy()
    # Not binary_slice, which pyarrow 25 ends with an error for rows of fewer bytes.
    alone = pc.utf8_slice_codeunits(rest.cast(pa.large_string()), 2).cast(pa.large_binary())
    return Beside(pc.if_else(has_pairs, joined(first, rest), alone), created, n_tokens)


def _are_pairs(kind: pa.DataType) -> bool:
    """Whether a column is that of shards, a list of (key, value); Parquet from elsewhere may have anything."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return is_list and pa.types.is_struct(kind.value_type) and {"key", "value"} == {one.name for one in kind.value_type}


def _by_rows(rows: list[dict[str, Any]], pairs: list[Any], without: tuple[str, ...]) -> Beside:
    """The same by a dict a row, where a pair has the name of a column: the column's value counts, if it is not null."""
    members, created, n_tokens = [], [], []
    for row, own_pairs in zip(rows, pairs):
        known = {pair["key"]: pair["value"] for pair in own_pairs or ()}
        known |= {key: value for key, value in row.items() if value is not None}
        created.append(f', "created": {to_json(known["timestamp"])}' if "timestamp" in known else "")
        n_tokens.append(int(known.get("n_tokens", 0)))
        members.append(to_json({key: value for key, value in known.items() if key not in without})[1:-1])
    arrays = [pa.array(texts, pa.large_string()).cast(pa.large_binary()) for texts in (members, created)]
    return Beside(arrays[0], arrays[1], np.array(n_tokens, np.int64))


def _empty(n: int) -> pa.LargeBinaryArray:
    return pa.array([b""] * n, pa.large_binary())


def _member(name: str, column: pa.Array) -> pa.LargeBinaryArray:
    """`, "name": value` of each row; nothing for a null."""
    member = joined(f", {to_json(name)}: ".encode(), json_values(column))
    return pc.if_else(column.is_valid(), member, pa.scalar(b"", pa.large_binary()))


def json_values(column: pa.Array) -> pa.LargeBinaryArray:
    """Each value of a column as JSON; `null` for nulls."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = pc.fill_null(column.cast(pa.large_string()), "")
        values = joined(b'"', escaped(texts), b'"')
    elif pa.types.is_integer(kind):
        values = pc.fill_null(column, 0).cast(pa.large_string()).cast(pa.large_binary())
    else:
        return pa.array([to_json(value).encode() for value in column.to_pylist()], pa.large_binary())
    return pc.if_else(column.is_valid(), values, pa.scalar(b"null", pa.large_binary()))
