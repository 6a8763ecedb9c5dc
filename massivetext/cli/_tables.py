"""Tables of two sides: what a run has and what it would have, or two runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from massivetext.cli._output import show_rich
from massivetext.terminal_text import visible_name

__all__ = ["in_order", "side_by_side"]

ORDER = ("skipped", "failed", "rejected", "duplicate", "outranked", "contaminated", "unknown", "kept")
"""Of outcomes in a funnel, from the first that loses a record to what is left."""


def side_by_side(rows: Iterable[dict[str, Any]], sides: tuple[str, str], units: Sequence[tuple[int, str]]) -> None:
    """Print rows of `subset`, `outcome`, `reason`, and under each side's name its documents, bytes and tokens.

    units: position in those three, and title.
    """
    from rich.table import Table

    table = Table("subset", "outcome", "reason")
    table.columns[2].overflow, table.columns[2].min_width = "fold", 24
    for _, title in units:
        for side in sides:
            table.add_column(f"{title}\n{side}", justify="right")
    last = None
    for row in rows:
        if last not in (None, row["subset"]):
            table.add_section()
        values = [f"{row[side][at]:,}" for at, _ in units for side in sides]
        name = "" if row["subset"] == last else row["subset"]
        names = (visible_name(value or "") for value in (name, row["outcome"], row["reason"]))
        table.add_row(*names, *values, style=row.get("style"))
        last = row["subset"]
    show_rich(table, width=92 + 18 * len(units))


def in_order(rows: Iterable[dict[str, Any]], side: str) -> list[dict[str, Any]]:
    """Rows of one subset as a funnel has them: by outcome, then the most documents first."""
    return sorted(rows, key=lambda row: (_place(row["outcome"]), -row[side][0], row["reason"] or ""))


def _place(outcome: str) -> int:
    """Place of an outcome in a funnel; one that no run of this version gives comes last."""
    return ORDER.index(outcome) if outcome in ORDER else len(ORDER)
