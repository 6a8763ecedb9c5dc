"""Values of Arrow arrays as Python has them, also where Python has no such value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

__all__ = ["distinct_names", "python_values"]

_ERRORS = (pa.ArrowException, ValueError, LookupError, OverflowError, NotImplementedError)
"""What `as_py` raises. A time zone that is not known is a LookupError, text that is not UTF-8 a ValueError."""

_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)


def python_values(column: pa.Array, undecodable: Callable[[bytes], Any]) -> list[Any]:
    """Return the values of an array as `to_pylist` does, and of those that it refuses what can be told.

    A time in a zone that this machine does not know is in UTC. A time finer than microseconds is text. A time outside
    Python's range, and a duration that Python cannot have, is the number that is stored. Fields of a struct that have
    one name are told apart as `distinct_names` does.

    Args:
        column: Of any type.
        undecodable: What to return for the bytes of a text that is not UTF-8.
    """
    try:
        values: list[Any] = column.to_pylist()
        return values
    except _ERRORS:
        return [_value(scalar, undecodable) for scalar in column]


def _value(scalar: pa.Scalar, undecodable: Callable[[bytes], Any]) -> Any:
    try:
        return scalar.as_py()
    except _ERRORS:
        pass
    kind = scalar.type
    if isinstance(scalar, (pa.DictionaryScalar, pa.ExtensionScalar)):
        return _value(scalar.value, undecodable)
    if isinstance(scalar, pa.StructScalar):
        names = distinct_names([field.name for field in kind])
        return {name: _value(scalar[at], undecodable) for at, name in enumerate(names)}
    if isinstance(scalar, pa.MapScalar):
        return [tuple(_value(pair[at], undecodable) for at in range(2)) for pair in scalar.values]
    if isinstance(scalar, pa.ListScalar):
        return python_values(scalar.values, undecodable)
    if any(is_text(kind) for is_text in _TEXTS):
        return undecodable(scalar.as_buffer().to_pybytes())
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return _time(scalar)
    return str(scalar)


def _time(scalar: pa.Scalar) -> Any:
    """Return a time, a date or a duration that Python does not have."""
    kind = scalar.type
    if not pa.types.is_timestamp(kind) and not pa.types.is_time(kind):
        return scalar.value
    try:
        text: str = scalar.cast(pa.string()).as_py()
    except pa.ArrowInvalid:  # the zone is not known
        return _value(scalar.cast(pa.timestamp(kind.unit, "UTC")), str)
    # Of coarser units only times out of range come here, for which Arrow's text is wrong where they have a zone.
    return text if kind.unit == "ns" and not text.startswith("<") else scalar.value


def distinct_names(names: Sequence[str]) -> list[str]:
    """Return names that differ: of equal ones the first as it is, the others with their number.

    >>> distinct_names(["text", "id", "text"])
    ['text', 'id', 'text (2)']
    """
    if len(set(names)) == len(names):
        return list(names)
    distinct: dict[str, None] = {}
    for name in names:
        label, number = name, 1
        while label in distinct or (number > 1 and label in names):
            number += 1
            label = f"{name} ({number})"
        distinct[label] = None
    return list(distinct)
