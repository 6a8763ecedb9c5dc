"""Rows of Arrow tables as records: which columns hold the fields that a recipe names, and their values as Python has
them. Shared by Parquet and Arrow files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, MutableMapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from massivetext.arrow_values import python_values
from massivetext.errors import SourceError
from massivetext.readers.fields import Fields, lookup

__all__ = ["Columns"]


class _Place(NamedTuple):
    """Where a field is: number of the column; names of structs' fields below it; names and numbers below that, which
    are looked up value by value."""

    column: int
    structs: tuple[str, ...]
    steps: tuple[str, ...]


class Columns:
    """The columns of a table that hold the fields of a recipe.

    A name is a column's own, or a path into structs, lists and maps: `doc.text`, `messages.0.content`. Of columns, and
    of fields of a struct, that have one name the first is read. Raises SourceError if a column that the recipe names is
    missing, or the text is no text.
    """

    def __init__(self, schema: pa.Schema, fields: Fields, source: str, counts: MutableMapping[str, int]) -> None:
        self.fields = fields
        self.places = {key: place for key, name in fields.names.items() if (place := _place(schema, name))}
        is_missing = {name for key, name in fields.names.items() if key not in self.places}
        missing = sorted(fields.required & is_missing)
        names = ", ".join(_paths(schema))
        if missing:
            raise SourceError(
                f"{source}: no column {', '.join(map(repr, missing))}; its columns are {names}; "
                f"name the right ones in the source's `fields`, such as {{{fields.body}: {_example(schema)}}}"
            )
        body = self.places[fields.body]
        kind = _kind(schema, body)
        if not body.steps and not is_text(kind) and not pa.types.is_null(kind):
            raise SourceError(
                f"{source}: column {fields.names[fields.body]!r} is of type {kind}; expected string or binary; "
                f"name the right one in the source's `fields`, such as {{{fields.body}: {_example(schema)}}}"
            )
        if len(set(schema.names)) < len(schema.names):
            counts["duplicate_columns"] = len(schema.names) - len(set(schema.names))

    def leaves(self, schema: pa.Schema) -> list[str]:
        """Names as Parquet takes them: whole columns, or fields of structs where a recipe names those alone."""
        return sorted({".".join((schema.names[place.column], *place.structs)) for place in self.places.values()})

    def rows(self, batch: pa.RecordBatch, schema: pa.Schema) -> Iterator[dict[str, Any]]:
        """The values of each row under the keys of the fields. schema: of the table; a batch may have fewer columns."""
        lists = {}
        for key, place in self.places.items():
            column = batch.column(batch.schema.names.index(schema.names[place.column]))
            for name in place.structs:
                column = pc.struct_field(column, [_field_index(column.type, name)])
            values = _values(column)
            lists[key] = [lookup(value, list(place.steps)) for value in values] if place.steps else values
        for i in range(batch.num_rows):
            yield {key: values[i] for key, values in lists.items()}


def _place(schema: pa.Schema, name: str) -> _Place | None:
    """Where a name leads: the column of that name, else the longest beginning of it that is a column's name."""
    names = schema.names
    if name in names:
        return _Place(names.index(name), (), ())
    steps = name.split(".")
    for cut in range(len(steps) - 1, 0, -1):
        root = ".".join(steps[:cut])
        if root not in names:
            continue
        index, rest, structs = names.index(root), steps[cut:], []
        kind = schema.field(index).type
        while rest and pa.types.is_struct(kind) and _field_index(kind, rest[0]) >= 0 and "." not in rest[0]:
            structs.append(rest[0])
            kind = kind.field(_field_index(kind, rest[0])).type
            rest = rest[1:]
        if not rest:
            return _Place(index, tuple(structs), ())
        is_open = pa.types.is_nested(kind) and not pa.types.is_struct(kind)
        return _Place(index, tuple(structs), tuple(rest)) if is_open else None
    return None


def _kind(schema: pa.Schema, place: _Place) -> pa.DataType:
    kind = schema.field(place.column).type
    for name in place.structs:
        kind = kind.field(_field_index(kind, name)).type
    return kind


def _field_index(kind: pa.StructType, name: str) -> int:
    """The number of a struct's first field of a name; -1 if it has none."""
    return next((at for at, field in enumerate(kind) if field.name == name), -1)


def _paths(schema: pa.Schema) -> list[str]:
    """Names of all columns, with dots those of structs' fields."""
    names = []
    for field in schema:
        inner = [f"{field.name}.{child.name}" for child in field.type] if pa.types.is_struct(field.type) else []
        names += inner or [field.name]
    return names


def _example(schema: pa.Schema) -> str:
    """A column that could hold text, for a message."""
    names = [name for name in _paths(schema) if (place := _place(schema, name)) and is_text(_kind(schema, place))]
    return next(iter(names), schema.names[0] if schema.names else "...")


def is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        kind = kind.value_type
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or (pa.types.is_large_binary(kind) or pa.types.is_string_view(kind) or pa.types.is_binary_view(kind))
    )


def _values(column: pa.Array) -> list[Any]:
    """A column as Python values. Text comes as bytes, so that a column that lies about being UTF-8 costs no row."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        inner = _values(column.dictionary)
        return [None if i is None else inner[i] for i in column.indices.to_pylist()]
    if pa.types.is_run_end_encoded(kind):
        return _values(pc.run_end_decode(column))
    if is_text(kind):
        return column.cast(pa.large_binary()).to_pylist()
    if pa.types.is_timestamp(kind):
        return _times(column)
    if pa.types.is_nested(kind):
        return _nested(column)
    try:
        return column.cast(pa.string()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return [None if value is None else str(value) for value in python_values(column, bytes)]


def _times(column: pa.Array) -> list[str | None]:
    """Times as text. In a zone that this machine does not know they are given in UTC, in which Arrow stores them."""
    try:
        return column.cast(pa.string()).to_pylist()
    except pa.ArrowInvalid:
        utc = pa.timestamp(column.type.unit, "UTC")
        try:
            return column.cast(utc).cast(pa.string()).to_pylist()
        except pa.ArrowInvalid:
            return [None] * len(column)


def _nested(column: pa.Array) -> list[Any]:
    """Lists and structs with text as bytes, where that can be; else as Python has them, and as bytes what is no
    UTF-8."""
    with contextlib.suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
        column = column.cast(_as_bytes(column.type))
    return python_values(column, bytes)


def _as_bytes(kind: pa.DataType) -> pa.DataType:
    """A type with binary in place of every string in lists and structs."""
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.large_binary()
    if pa.types.is_list(kind):
        return pa.list_(_as_bytes(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_as_bytes(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _as_bytes(field.type)) for field in kind])
    return kind
