"""What commands print: lines whose text is safe on a terminal, and JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from massivetext.terminal_text import safe_json, visible

__all__ = ["echo", "echo_json", "show_rich"]


def echo(line: str = "", *, err: bool = False) -> None:
    """Print lines for people. Characters that would move the cursor or hide text are shown as escapes.

    A value that must stay on its line goes through `massivetext.terminal_text.visible_name` first.
    """
    click.echo(visible(line), err=err)


def show_rich(table: Any, *, width: int) -> None:
    """Print a table of rich's, as wide as the terminal, or `width` where there is none. Square brackets and colons in
    its cells mean nothing; what they contain goes through `massivetext.terminal_text.visible_name` first."""
    from rich.console import Console

    Console(width=None if Console().is_terminal else width, markup=False, emoji=False, highlight=False).print(table)


def echo_json(data: Any, *, indent: int | None = None) -> None:
    """Print data as JSON, with the characters that a terminal would obey escaped."""
    # Of another encoding than UTF-8 only ASCII is sure to be written as it is.
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    click.echo(safe_json(json.dumps(data, ensure_ascii=ascii_only, indent=indent, default=str)))
