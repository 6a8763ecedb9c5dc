"""Ctrl-C in the moment before `main` is there to catch it: a line instead of a traceback."""

from __future__ import annotations

import os
import sys
from types import TracebackType

__all__ = ["WHOLE_PROCESS"]

WHOLE_PROCESS = "whole process"
"""What the root context of a command holds where the process is that command's and nobody else's."""


def _end_early(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print what nobody caught, as Python does, but for an interruption."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    os.write(2, b"interrupted\n")
    os._exit(130)


if os.path.basename(sys.argv[0] if sys.argv else "") in ("massivetext", "-m", "-c"):  # the program, not a library
    sys.excepthook = _end_early
