"""`--trust` of the commands that look into a folder: without it no code is imported that the folder's recipe names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

__all__ = ["looks", "looks_at_recipe"]

_OPTION = click.option("--trust", is_flag=True, help="import code that the folder's recipe names; else none is")


def looks(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that looks into a folder the option --trust, and run it without the folder's code unless that is
    given."""

    @functools.wraps(command)
    def run(*arguments: Any, trust: bool, **options: Any) -> Any:
        from massivetext.foreign_code import code_refused, code_trusted

        with code_trusted() if trust else code_refused():
            return command(*arguments, **options)

    return _OPTION(run)


def looks_at_recipe(command: Callable[..., Any]) -> Callable[..., Any]:
    """Do what `looks` does for a command that takes RECIPE, where RECIPE is the recipe.yaml that a run left in its
    folder. Any other recipe is the user's own."""

    @functools.wraps(command)
    def run(*arguments: Any, recipe: str, trust: bool, **options: Any) -> Any:
        from massivetext.foreign_code import code_refused

        if trust or not _is_of_folder(recipe):
            return command(*arguments, recipe=recipe, **options)
        with code_refused():
            return command(*arguments, recipe=recipe, **options)

    return _OPTION(run)


def _is_of_folder(recipe: str) -> bool:
    """Whether a recipe is one that a run has written: it begins with its digest, and has its canonical form."""
    from massivetext import storage
    from massivetext.errors import MassiveTextError

    if not storage.exists(recipe):
        return False
    try:
        content = storage.read_bytes(recipe)
    except MassiveTextError:
        return False
    return b"\ncanonical:" in content and b"\nrecipe:" in content
