"""Groups of commands: found by file name, listed under headings with one line each, with help for misspelt names."""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import click
from click.shell_completion import CompletionItem

from massivetext.suggestions import did_you_mean

__all__ = ["Commands", "Group"]

HEADINGS: dict[str, dict[str, str]] = {
    "Begin": {
        "demo": "run everything on a small corpus that every machine has",
        "init": "write a commented recipe from what lies in a folder",
        "recipe": "list and print packaged recipes, and resolve one",
        "validate": "check a recipe and the files that it names",
        "limits": "derive limits for other languages from reference texts",
        "plan": "forecast disk, memory, hours and epochs of a run",
    },
    "Run": {
        "run": "run every stage, from sources to a mixture",
        "curate": "extract, measure and filter documents",
        "deduplicate": "find and remove exact and near duplicates",
        "decontaminate": "remove documents that contain test items",
        "mix": "plan and write the training mixture",
    },
    "Look": {
        "inspect": "look into any shard, ledger or folder, as a table or JSON",
        "explain": "show why one document was kept or removed",
        "what-if": "show what other limits would keep, from the ledger",
        "diff": "compare two runs",
        "report": "write one HTML page about a run",
        "browse": "search and read the documents of a run in a browser",
    },
    "Check and change": {
        "verify": "check digests, counts, schema and order of a run",
        "audit": "count the test items that a mixture contains",
        "remove": "remove documents from a finished run",
        "index": "index a run, to deduplicate later ones against it",
    },
    "Train": {
        "pack": "write token sequences from a mixture",
        "export": "write a mixture in the formats that trainers read",
        "tokenizer": "train a tokenizer on a mixture",
        "classifier": "train a document classifier from labelled files",
        "safesearch": "train a classifier of unsafe text; list unsafe hosts",
    },
    "Other": {
        "warm-up": "compile all kernels now, so that no run waits for it",
        "completion": "print the completion script of a shell",
    },
}
"""Commands by heading, each with its line in `massivetext --help`, of at most 61 characters: 80 columns hold it."""

_PLACES = ("DIR", "FILE", "FOLDER", "PLAN", "MODEL")
"""What the placeholder of an argument or option begins with that is a file or a folder."""

SHORT = {"--output": "-o", "--workers": "-w", "--quiet": "-q", "--verbose": "-v"}
"""Short forms, the same in every command that has the option."""


class Group(click.Group):
    """A group that suggests the command that was meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and not name.startswith("-"):
            known = self.list_commands(ctx)
            ctx.fail(f"no command {name!r}{did_you_mean(name, known) or '; commands are ' + ', '.join(known)}")
        return super().resolve_command(ctx, args)


class Commands(Group):
    """Commands found by file name in massivetext/cli: what_if.py is `what-if`. A command is imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (module.name for module in iter_modules(sys.modules["massivetext.cli"].__path__))
        return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        module = name.replace("-", "_")
        command: click.Command = getattr(import_module(f"massivetext.cli.{module}"), module)
        _adapt(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings. No command is imported for a line that is known here."""
        there = self.list_commands(ctx)
        width = max(map(len, there))
        unlisted = [name for name in there if not any(name in lines for lines in HEADINGS.values())]
        for heading, lines in HEADINGS.items():
            rows = [(name, line) for name, line in lines.items() if name in there]
            if heading == "Other":
                for name in unlisted:
                    command = self.get_command(ctx, name)
                    rows.append((name, command.get_short_help_str(60) if command is not None else ""))
            if rows:
                with formatter.section(heading):
                    formatter.write_dl([(name.ljust(width), line) for name, line in rows])


class _Place(click.Path):
    """A file or a folder: a local path, or a URL of a store that can be used. An empty name, which is what an unset
    variable of the shell gives, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from massivetext.errors import MassiveTextError
        from massivetext.storage import check_scheme

        if not value:
            self.fail("the name is empty; is a variable of the shell not set?", param, ctx)
        try:
            check_scheme(value)
        except MassiveTextError as error:
            self.fail(str(error), param, ctx)
        return super().convert(value, param, ctx)


class _Recipe(_Place):
    """A recipe's file, or a packaged recipe by its name; a shell completes both."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        import os

        from massivetext.cli._recipes import packaged_recipes
        from massivetext.errors import RecipeError

        value = super().convert(value, param, ctx)
        if "/" not in value and not os.path.exists(value):
            known = packaged_recipes()
            files = [name for name in os.listdir() if name.endswith((".yaml", ".yml"))]
            suggestion = did_you_mean(value, [*known, *files])
            if value not in known and suggestion:
                raise RecipeError(f"{value}: no such recipe file{suggestion} Packaged recipes are {', '.join(known)}")
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from massivetext.cli._recipes import packaged_recipes

        items = [CompletionItem(name) for name in packaged_recipes() if name.startswith(incomplete)]
        return [*items, *super().shell_complete(ctx, param, incomplete)]


def _adapt(command: click.Command) -> None:
    """Give options their short forms; let a shell complete what stands for a path or a recipe, text to a command."""
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _adapt(inner)
    taken = {name for parameter in command.params for name in parameter.opts}
    for parameter in command.params:
        for long, short in SHORT.items():
            if long in parameter.opts and short not in taken:
                parameter.opts.insert(0, short)
        if parameter.type is not click.STRING:
            continue
        if parameter.name == "recipe":
            parameter.type = _Recipe()
        elif parameter.name == "path" or str(parameter.metavar).lstrip("[").startswith(_PLACES):
            parameter.type = _Place()
