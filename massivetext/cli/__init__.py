"""The command line. One command a file: massivetext/cli/<command>.py holds a click command of the same name.

Commands load on use, and what they need inside their own function: `massivetext inspect` never waits for Beam.
"""

from __future__ import annotations

from massivetext.cli._process import WHOLE_PROCESS

# isort: split
# What is above is first: it is there for a Ctrl-C while the modules below load.

import atexit
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

try:
    import click
except ImportError:  # only the base is installed, which is the library
    sys.exit("massivetext: the command line needs more than the library: pip install 'massivetext[pipeline]'")

from massivetext import __version__
from massivetext.cli._groups import Commands
from massivetext.cli._output import echo
from massivetext.errors import MassiveTextError
from massivetext.shadowing import check_packages
from massivetext.terminal_text import visible_error

__all__ = ["commands", "main", "run_command"]


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def commands() -> None:
    """Curate web-scale text into a training mixture, and look into the result.

    `massivetext COMMAND --help` has the options and examples of a command.
    """


def main() -> NoReturn:
    """Entry point: exit 0 done, 1 a fault in data or folder, 2 wrong usage or recipe, 3 our error, 130 interrupted."""
    status = run_command(obj=WHOLE_PROCESS)
    # The interpreter is not torn down: a thread of Arrow that still holds a Python stream then would abort the process,
    # with status 134 after all work is done.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def run_command(arguments: Sequence[str] | None = None, *, obj: str | None = None) -> int:
    """Run a command in this process, print what it says and return its exit status.

    Args:
        arguments: Those after `massivetext`; this process's own for None.
        obj: WHOLE_PROCESS where this process is the command's and nobody else's.
    """
    for stream in (sys.stdout, sys.stderr):
        # What an encoding other than UTF-8 does not have is written as an escape.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    try:
        check_packages("filters", "pipelines")
        commands.main(arguments, prog_name="massivetext", standalone_mode=False, obj=obj)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except click.ClickException as error:
        message = io.StringIO()
        error.show(message)
        echo(message.getvalue().rstrip("\n"), err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        echo("interrupted; run the same command again to resume", err=True)
        return 130
    except MassiveTextError as error:
        echo(visible_error(f"error: {error}"), err=True)
        return error.exit_status
    except BrokenPipeError:
        return 0
    except Exception:
        import traceback

        echo(traceback.format_exc().rstrip("\n"), err=True)
        echo("this is an error of massivetext itself; please report it with the lines above", err=True)
        return 3
    return 0
