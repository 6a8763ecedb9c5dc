"""The command line in the process of the tests: what a process of its own prints and returns, without its start.

For tests of what a command does. Those of how a process starts, is killed, or has another environment start one.
"""

from __future__ import annotations

import io
import subprocess
from contextlib import redirect_stderr, redirect_stdout

from massivetext.cli import run_command

__all__ = ["massivetext"]


def massivetext(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Return the exit status of `massivetext` with these arguments, and what it printed."""
    words = [str(argument) for argument in arguments]
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(output), redirect_stderr(errors):
        status = run_command(words)
    texts = [stream.buffer.getvalue().decode("utf-8", "surrogateescape") for stream in (output, errors)]
    return subprocess.CompletedProcess(["massivetext", *words], status, *texts)
