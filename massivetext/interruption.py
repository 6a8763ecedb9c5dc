"""Ctrl-C in the moment before the command line is there to catch it: a line instead of a traceback.

The package imports this file before anything else, so it needs what Python has loaded already, and no more.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

__all__ = ["end_early", "end_early_in", "end_ignored"]


def end_early(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print what nobody caught, as Python does, but for an interruption, which ends the process with status 130."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    os.write(2, b"interrupted\n")
    os._exit(130)


def end_ignored(ignored: Any) -> None:
    """Print what Python ignores, as it does, but for an interruption, which ends the process with status 130.

    One that comes while a callback runs, such as that of a lock of the import system, would be lost, and the
    command would go on.
    """
    if ignored.exc_type is None or not issubclass(ignored.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(ignored)
        return
    os.write(2, b"interrupted\n")
    os._exit(130)


def end_early_in(*programs: str) -> None:
    """Use both if this process is one of some programs. A process that imports the library keeps its own hooks.

    programs: file names of programs; `-m` and `-c` are Python's own options.
    """
    if os.path.basename(sys.argv[0] if sys.argv else "") in programs:
        sys.excepthook = end_early
        sys.unraisablehook = end_ignored
