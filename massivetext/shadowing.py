"""Notice a module of the user's own that Python would import in place of one of MassiveText's packages."""

from __future__ import annotations

import os
from importlib.util import find_spec

from massivetext.errors import DependencyError

__all__ = ["check_packages"]


def check_packages(*names: str) -> None:
    """Raise DependencyError if another module comes before one of our packages on Python's path.

    `filters.py` or a folder `pipelines/` beside a user's own program is imported in place of ours, and what follows is
    an ImportError that explains nothing.

    Args:
        names: Packages that are installed beside `massivetext`: `filters`, `pipelines`.

    Raises:
        DependencyError: With the file that is in the way, and what to do.
    """
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for name in names:
        own = os.path.join(home, name, "__init__.py")
        try:
            spec = find_spec(name)
        except (ImportError, ValueError):
            continue
        origin = spec.origin if spec is not None else None
        if origin is None or not os.path.isfile(own) or os.path.realpath(origin) == os.path.realpath(own):
            continue
        folder = os.path.dirname(os.path.dirname(origin) if origin.endswith("__init__.py") else origin)
        raise DependencyError(
            f"{origin} comes before MassiveText's own package `{name}` on Python's path; rename it, or take {folder} "
            "off the path (PYTHONPATH, or the folder that you start in)"
        )
