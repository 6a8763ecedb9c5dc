"""Kernels compiled with numba's bounds checks, in a cache of their own: checked code is other code, and numba's cache
does not tell it from the code that ships."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["checked_environment"]

FOLDER = Path(__file__).resolve().parent.parent / ".pytest_cache" / "checked-kernels"


def checked_environment() -> dict[str, str]:
    """Return the variables of a process whose kernels raise IndexError beyond their arrays."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    return {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(FOLDER)}
