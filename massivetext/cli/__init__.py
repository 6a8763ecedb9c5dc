"""The command line. One command a file: massivetext/cli/<command>.py holds a click command of the same name.

Commands load on use, and what they need inside their own function: `massivetext inspect` never waits for Beam.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import NoReturn

try:
    import click
    from click.shell_completion import CompletionItem
except ImportError:  # only the base is installed, which is the library
    sys.exit("massivetext: the command line needs more than the library: pip install 'massivetext[pipeline]'")

from massivetext import __version__
from massivetext.errors import MassiveTextError

__all__ = ["main"]


class _Commands(click.Group):
    """Commands found by file name: what_if.py is `what-if`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (module.name for module in iter_modules(sys.modules[__name__].__path__))
        return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        module = name.replace("-", "_")
        command: click.Command = getattr(import_module(f"{__name__}.{module}"), module)
        _complete_paths(command)
        return command


class _Recipe(click.Path):
    """A recipe's file, or a packaged recipe by its name; a shell completes both."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from importlib.resources import files

        names = sorted(entry.name.removesuffix(".yaml") for entry in files("pipelines").joinpath("recipes").iterdir())
        found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*found, *super().shell_complete(ctx, param, incomplete)]


def _complete_paths(command: click.Command) -> None:
    """What stands for a path or a recipe is text to a command, and to a shell what it completes."""
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _complete_paths(inner)
    for parameter in command.params:
        if parameter.type is not click.STRING:
            continue
        if parameter.name == "recipe":
            parameter.type = _Recipe()
        elif parameter.name == "path" or str(parameter.metavar).startswith(("DIR", "FILE", "FOLDER", "PLAN")):
            parameter.type = click.Path()


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def commands() -> None:
    """Curate web-scale text into a training mixture, and look into what came of it."""


def main() -> NoReturn:
    """Entry point: exit 0 done, 1 a fault in data or folder, 2 wrong usage or recipe, 3 our error, 130 interrupted."""
    status = _status()
    # The interpreter is not torn down: a thread of Arrow that still holds a Python stream then would abort the process,
    # with status 134 after all work is done.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _status() -> int:
    for stream in (sys.stdout, sys.stderr):
        # What an encoding other than UTF-8 does not have is written as an escape.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    try:
        commands.main(prog_name="massivetext", standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; run the same command again to go on", err=True)
        return 130
    except MassiveTextError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_status
    except BrokenPipeError:
        return 0
    except Exception:
        import traceback

        traceback.print_exc()
        click.echo("this is an error of massivetext itself; please report it with the lines above", err=True)
        return 3
    return 0
