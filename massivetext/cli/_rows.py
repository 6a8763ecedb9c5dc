"""Rows of Parquet files on a terminal: as a table where they fit, else one value a line."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from typing import Any

from massivetext.cli._output import echo
from massivetext.terminal_text import size_in_words, visible, visible_name

__all__ = ["describe_files", "show_record", "show_table", "terminal_width"]

CHARACTERS = 2000
"""Characters of a text that are shown."""

_NARROWEST = 6
"""Cells that a column keeps when a table is made to fit."""

_LONG = 200
"""Cells from which a value is a text to be read, and a table is not tried."""


def terminal_width() -> int:
    """Return the width of the terminal in cells; 100 where there is none."""
    return max(20, shutil.get_terminal_size((100, 24)).columns)


def show_table(names: Sequence[str], rows: Sequence[dict[str, Any]], *, cut: bool = False, force: bool = False) -> bool:
    r"""Print rows as a table, if every value fits on its line.

    Args:
        names: The columns, in order.
        rows: Values by column.
        cut: Shorten values to make the table fit the terminal, if none is a text of many characters or lines.
        force: Shorten them in any case, and show line ends as `\n`.

    Returns:
        Whether a table was printed.
    """
    from rich.cells import cell_len

    # Numbers stand at the right, as they do when they are added up.
    numeric = [all(isinstance(row[name], (int, float, type(None))) for row in rows) for name in names]
    cells = [[visible_name(name) for name in names], *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(cell_len(line[at]) for line in cells) for at in range(len(names))]
    room = terminal_width() - 2 * (len(names) - 1)
    has_text = any("\n" in value for row in rows for value in row.values() if isinstance(value, str))
    has_text |= max(widths) > _LONG
    if not force and (has_text or (sum(widths) > room and not cut)):
        return False
    if sum(widths) > room:
        widths = _narrowed(widths, room)
    lines = [
        "  ".join(_padded(cell, width, right) for cell, width, right in zip(line, widths, numeric)).rstrip()
        for line in cells
    ]
    echo("\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]]))
    return True


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else visible_name(str(value)[:CHARACTERS])


def _narrowed(widths: list[int], room: int) -> list[int]:
    """Return widths that fit the room, if the narrowest columns do: the widest give first."""
    widths = list(widths)
    while sum(widths) > room and max(widths) > _NARROWEST:
        widest = max(widths)
        next_width = max([width for width in widths if width < widest] + [_NARROWEST])
        for at in [at for at, width in enumerate(widths) if width == widest]:
            step = min(widest - next_width, sum(widths) - room)
            widths[at] -= max(step, 0)
    return widths


def _padded(cell: str, width: int, right: bool) -> str:
    from rich.cells import cell_len, set_cell_size

    if cell_len(cell) > width:
        cell = set_cell_size(cell, width - 1) + "\u2026"
    space = " " * (width - cell_len(cell))
    return space + cell if right else cell + space


def show_record(row: dict[str, Any]) -> None:
    """Print a row with one value a line; long text is wrapped by cells and cut. Values that are null are left out."""
    from rich.cells import cell_len

    width = terminal_width()
    echo("-" * min(width, 100))
    row = {visible_name(name): value for name, value in row.items() if value is not None and value != []}
    names = max([20, *(len(name) + 2 for name in row)])
    for name, value in row.items():
        text = str(value)
        shown = visible(text[:CHARACTERS]).expandtabs(4)
        if len(text) > CHARACTERS:
            shown += f" ... ({len(text):,} characters)"
        if "\n" in shown or cell_len(shown) > width - names:
            echo(f"{name}:")
            for line in shown.split("\n"):
                for piece in _wrapped(line, width - 2):
                    echo(f"  {piece}".rstrip())
        else:
            echo(f"{name:<{names}}{shown}")


def _wrapped(line: str, width: int) -> list[str]:
    """Return a line in pieces of at most `width` cells, broken at spaces where there are any; wide characters take two
    cells."""
    from rich.cells import cell_len, chop_cells

    pieces, at = [""], 0
    for number, word in enumerate(line.split(" ")):
        size = cell_len(word)
        if number and at + 1 + size <= width:
            pieces[-1] += f" {word}"
            at += 1 + size
            continue
        if number:
            pieces.append("")
        *full, rest = chop_cells(word, width) or [""]
        pieces[-1:] = [*full, rest]
        at = cell_len(rest)
    return pieces


def describe_files(path: str, files: Any, names: Iterable[str]) -> None:
    """Print what Parquet files contain: rows, row groups, and each column's type, sizes and nulls."""
    groups = [n for groups_of_file in files.groups for n in groups_of_file]
    n_files = f"{len(files.paths):,} file" + ("s" if len(files.paths) != 1 else "")
    echo(f"{visible_name(path)}: {n_files}, {files.n_rows:,} rows, {size_in_words(files.stored)} stored")
    if groups:
        sizes = sorted(files.group_bytes)
        rows = f"{min(groups):,}" if min(groups) == max(groups) else f"{min(groups):,} to {max(groups):,}"
        echo(
            f"{len(groups):,} row group{'s' if len(groups) != 1 else ''} of {rows} rows, "
            f"{size_in_words(sizes[len(sizes) // 2])} unpacked in the middle"
        )
    columns = [files.columns[name] for name in names]
    compressions = sorted({name for column in columns for name in column.compressions})
    if compressions:
        echo(f"compressed by {', '.join(compressions)}")
    width = max([len(visible_name(column.name)) for column in columns] + [6])
    types = [visible_name(column.type) for column in columns]
    kinds = max(8, min(max([*map(len, types), 4]), terminal_width() - width - 35))
    echo(f"\n{'column':<{width}}  {'type':<{kinds}}  {'stored':>8}  {'unpacked':>8}  {'nulls':>9}")
    for column, kind in zip(columns, types):
        kind = kind if len(kind) <= kinds else kind[: kinds - 1] + "\u2026"
        nulls = "" if column.nulls is None else f"{column.nulls:,}"
        echo(
            f"{visible_name(column.name):<{width}}  {kind:<{kinds}}  {size_in_words(column.stored):>8}  "
            f"{size_in_words(column.unpacked):>8}  {nulls:>9}".rstrip()
        )
    echo()
