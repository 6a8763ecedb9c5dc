"""Functions of a user's own, named in a recipe by module or file: `package.module:function`, `./mine.py:function`."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import os
import sys
from typing import Any

from massivetext import storage
from massivetext.foreign_code import check_code, is_code_refused

__all__ = ["function_fingerprint", "importable", "is_function", "load_function"]


def is_function(name: str) -> bool:
    """Return whether a recipe's word names a function, and not one of ours."""
    return ":" in name


def load_function(name: str) -> Any:
    """Return the function that a recipe names.

    Raises:
        ValueError: there is none of that name, or it is no function.
        RecipeError: no code may be imported now (`massivetext.foreign_code`).
    """
    check_code(name)
    module, _, function = name.rpartition(":")
    if not module or not function:
        raise ValueError(f"{name!r} is not of the form package.module:function or ./file.py:function")
    try:
        value = getattr(_module(module), function)
    except (ImportError, AttributeError, OSError, SyntaxError) as error:
        raise ValueError(f"{name!r} cannot be imported: {error}") from error
    if not callable(value):
        raise ValueError(f"{name!r} is not a function")
    return value


def importable(name: str | None) -> str | None:
    """Return the name of a function that can be loaded, or None for none. Raises as `load_function` does.

    Where no code may be imported the name is taken as it is.
    """
    if name is not None and not is_code_refused():
        load_function(name)
    return name


@functools.lru_cache(maxsize=64)
def _module(name: str) -> Any:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = os.path.abspath(name)
    known = f"massivetext_user_{abs(hash(path)):x}"
    spec = importlib.util.spec_from_file_location(known, path)
    if spec is None or spec.loader is None or not os.path.exists(path):
        raise ImportError(f"no such file: {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[known] = module
    spec.loader.exec_module(module)
    return module


def function_fingerprint(name: str) -> str | None:
    """Return a digest of the file that a function of the user's is in; None for a name of ours.

    The same function in a changed file is another function.
    """
    if not is_function(name):
        return None
    path = inspect.getsourcefile(inspect.unwrap(load_function(name)))
    if path is None:
        return None
    from pipelines.stages.stage import content_digest

    return content_digest(path) if storage.exists(path) else None
