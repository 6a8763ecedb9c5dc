"""What the recipe makes of the measures: which rules a document breaks, and which item decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["verdict", "with_decider"]

RULES = ("jaccard", "containment", "both")


def verdict(
    columns: pa.RecordBatch,
    *,
    contamination: Literal["jaccard", "containment", "both"] = "both",
    jaccard: float = 0.8,
    containment: float = 0.8,
    limits: Mapping[str, float] | None = None,
    rare: bool = False,
) -> dict[str, np.ndarray]:
    """By reason (`contamination.jaccard`, `contamination.containment`, ...), bool[n]: True where it removes.

    jaccard: removes what is above it (paper, appendix A.1). containment: removes what reaches it. limits: for further
    signals by name, the value from which they remove: {"contamination_alignment": 0.8}. rare: judge containment by
    `contamination_containment_rare`. The first reason that is True is what decided. Nulls break nothing.
    """
    if contamination not in RULES:
        raise ValueError(f"contamination: {contamination!r}; expected one of {', '.join(RULES)}")

    def values(name: str) -> np.ndarray:
        return pc.fill_null(columns.column(name).cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False)

    broken = {}
    if contamination != "containment":
        # Of doubles, too, c / u > .8 just if 5 c > 4 u: division rounds correctly, and 4 / 5 to the same double as .8.
        broken["contamination.jaccard"] = values("contamination_jaccard") > jaccard
    if contamination != "jaccard":
        name = "contamination_containment_rare" if rare else "contamination_containment"
        broken["contamination.containment"] = values(name) >= containment
    for name, limit in (limits or {}).items():
        broken[f"contamination.{name.removeprefix('contamination_')}"] = values(name) >= limit
    return broken


def with_decider(columns: pa.RecordBatch, broken: Mapping[str, np.ndarray]) -> pa.RecordBatch:
    """The columns with `test_set`, `test_item` and `test_span` of the item that decided, where one did: of the highest
    Jaccard where that is the first reason, of the alignment where nothing but that is."""
    decided = np.zeros(columns.num_rows, bool)
    out = columns
    for reason, mask in broken.items():
        chosen = pa.array(mask & ~decided)
        decided |= mask
        source = reason.replace(".", "_")
        for name in ("set", "item", "span"):
            if f"{source}_{name}" in columns.schema.names and f"test_{name}" in columns.schema.names:
                at = out.schema.get_field_index(f"test_{name}")
                merged = pc.if_else(chosen, columns.column(f"{source}_{name}"), out.column(at))
                out = out.set_column(at, f"test_{name}", merged)
    return out
