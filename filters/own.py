"""A user's own rules: functions of an Arrow text column that return a column, named in the recipe by import path.

rules:
  digits: {function: "mypackage.rules:digit_fraction", max: 0.2}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from massivetext.errors import RecipeError
from massivetext.text import Texts

__all__ = ["as_numbers", "measure"]


def measure(texts: Texts, rules: Mapping[str, Callable[[Texts], Any]]) -> pa.RecordBatch:
    """One float64 column per rule, named as in the recipe, one row per text; a null is a value not had, and breaks no
    limit. Raises RecipeError for a function that returns another number of rows, or no numbers."""
    columns = {}
    for name, function in rules.items():
        columns[name] = as_numbers(function(texts), len(texts), f"rules.{name}")
    return pa.RecordBatch.from_pydict(columns)


def as_numbers(column: Any, n: int, key: str) -> pa.Array:
    """Return the result of a user's function as float64[n]; a null stays one, and a NaN becomes one.

    Integers beyond 2**53 are rounded to the nearest float.

    Args:
        column: an Arrow array, or anything that `pyarrow.array` takes.
        n: rows that are expected.
        key: of the recipe, for messages.

    Raises:
        RecipeError: it has another number of rows, or is no column of numbers or booleans.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    elif not isinstance(column, pa.Array):
        column = pa.array(column)
    if len(column) != n:
        raise RecipeError(f"{key}: returned {len(column)} rows for {n} texts; expected one a text")
    try:
        numbers = column.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise RecipeError(f"{key}: returned {column.type}; expected numbers or booleans") from error
    is_nan = pc.fill_null(pc.is_nan(numbers), False)
    return pc.if_else(is_nan, pa.scalar(None, pa.float64()), numbers) if pc.any(is_nan).as_py() else numbers
