"""Tables of two sides: what a run has and what it would have, or two runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from massivetext.cli._output import show_rich
from massivetext.documents import FUNNEL
from massivetext.terminal_text import size_in_words, visible_name

__all__ = ["in_order", "lost_by", "side_by_side"]

ORDER = (*FUNNEL[:-1], "unknown", FUNNEL[-1])
"""Of outcomes in a funnel, from the first that loses a record to what is left."""


def side_by_side(rows: Iterable[dict[str, Any]], sides: tuple[str, str], units: Sequence[tuple[int, str]]) -> None:
    """Print rows of `subset`, `outcome`, `reason`, and beside each side's name its documents, bytes and tokens.

    units: position in those three, and title.
    """
    from rich.box import SIMPLE
    from rich.table import Table

    from massivetext.cli._rows import terminal_width

    table = Table("", "", *(title for _, title in units), box=SIMPLE, padding=(0, 0, 0, 1), pad_edge=False)
    table.columns[0].overflow = "fold"
    for column in table.columns[2:]:
        column.justify, column.no_wrap = "right", True
    last = None
    for row in rows:
        if last not in (None, row["subset"]):
            table.add_section()
        last = row["subset"]
        # Both sides on one line where they are the same.
        chosen = sides[:1] if row[sides[0]] == row[sides[1]] else sides
        title = f"{last}: {row['outcome']}" if row.get("style") else f"  {lost_by(row['outcome'], row['reason'])}"
        values = ("\n".join(_value(row[side][at], at) for side in chosen) for at, _ in units)
        names = "\n".join(chosen) if len(chosen) == 2 else "both"
        table.add_row(visible_name(title.rstrip()), names, *values, style=row.get("style"))
    show_rich(table, width=terminal_width())


def lost_by(outcome: str, reason: str | None = None) -> str:
    """Return what a row of a funnel is called: the reason alone, where it tells the outcome, so that tables fit 80
    columns; else both."""
    if reason is None:
        return outcome
    return f"{outcome} {reason}" if outcome in ("outranked", "unknown", "kept") else reason


def _value(n: int, at: int) -> str:
    """Return documents, bytes or tokens as a cell has them; at: position in these three."""
    return size_in_words(n) if at == 1 else f"{n:,}"


def in_order(rows: Iterable[dict[str, Any]], side: str) -> list[dict[str, Any]]:
    """Rows of one subset as a funnel has them: by outcome, then the most documents first."""
    return sorted(rows, key=lambda row: (_place(row["outcome"]), -row[side][0], row["reason"] or ""))


def _place(outcome: str) -> int:
    """Place of an outcome in a funnel; one that no run of this version gives comes last."""
    return ORDER.index(outcome) if outcome in ORDER else len(ORDER)
