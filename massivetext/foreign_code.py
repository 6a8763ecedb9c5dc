"""Code that a recipe names, such as `./mine.py:function`: it runs with the rights of whoever imports it.

Running a recipe imports it. Looking into a folder does not, because somebody else may have made the folder: what looks
works within `code_refused()`, and the command line lifts that by `--trust`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from massivetext.errors import RecipeError

__all__ = ["check_code", "code_of_folder", "code_refused", "code_trusted", "is_code_refused"]

_lock = threading.Lock()
_refusals = 0
_trusts = 0


@contextlib.contextmanager
def code_refused() -> Iterator[None]:
    """Import no code that a recipe names while the block runs, in any thread of this process."""
    global _refusals
    with _lock:
        _refusals += 1
    try:
        yield
    finally:
        with _lock:
            _refusals -= 1


@contextlib.contextmanager
def code_trusted() -> Iterator[None]:
    """Let `code_of_folder` import while the block runs: whoever works with the folder trusts it."""
    global _trusts
    with _lock:
        _trusts += 1
    try:
        yield
    finally:
        with _lock:
            _trusts -= 1


def code_of_folder() -> contextlib.AbstractContextManager[None]:
    """Return the context in which the recipe of an output folder is read: `code_refused`, unless within
    `code_trusted`."""
    return contextlib.nullcontext() if _trusts else code_refused()


def is_code_refused() -> bool:
    """Return whether code that a recipe names may not be imported now."""
    return _refusals > 0


def check_code(name: str) -> None:
    """Raise RecipeError if code of this name may not be imported now."""
    if is_code_refused():
        raise RecipeError(
            f"the recipe names code, {name!r}, which this command does not import; give --trust if you know that code, "
            "or whoever made the folder"
        )
