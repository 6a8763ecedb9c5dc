"""Limits, and verdicts made from columns: which rules a document breaks, all of them, not just the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["Limit", "limits_of", "violations"]


@dataclass(frozen=True, slots=True)
class Limit:
    """A value is kept iff min <= value <= max and value < below; None is no limit on that side."""

    min: float | None = None
    max: float | None = None
    below: float | None = None

    def broken_by(self, values: np.ndarray) -> np.ndarray:
        """bool[n]: True where a value is outside. NaN, which stands for a null, breaks nothing."""
        broken = np.zeros(len(values), dtype=bool)
        if self.min is not None:
            broken |= values < self.min
        if self.max is not None:
            broken |= values > self.max
        if self.below is not None:
            broken |= values >= self.below
        return broken


def limits_of(limits: Any) -> Iterator[tuple[str, Limit]]:
    """Name and limit of each rule of a limits dataclass, or of a mapping, in its own order."""
    if isinstance(limits, Mapping):
        yield from limits.items()
    else:
        for field in fields(limits):
            yield field.name, getattr(limits, field.name)


def violations(columns: pa.RecordBatch, limits: Any) -> dict[str, np.ndarray]:
    """For each limited signal among the columns, in the order of the limits, bool[n]: True where its limit is broken.

    A null value breaks no limit: what was not measured is not judged.
    """
    names = set(columns.schema.names)
    broken = {}
    for name, limit in limits_of(limits):
        if name in names:
            column = columns.column(name)
            if pa.types.is_boolean(column.type):
                column = column.cast(pa.uint8())
            values = column.to_numpy(zero_copy_only=False)
            broken[name] = limit.broken_by(values)
    return broken
