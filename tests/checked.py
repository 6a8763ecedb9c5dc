"""Kernels compiled with numba's bounds checks, in a cache of their own: checked code is other code, and numba's cache
does not tell it from the code that ships.

The cache is kept from one run of the tests to the next, in a folder named after the sources of all kernels.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numba

__all__ = ["checked_environment"]

REPOSITORY = Path(__file__).resolve().parent.parent
CACHES = REPOSITORY / ".pytest_cache" / "checked-kernels"


def checked_environment() -> dict[str, str]:
    """Return the variables of a process whose kernels raise IndexError beyond their arrays."""
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=8)
    paths = sorted(path for package in ("massivetext", "filters") for path in (REPOSITORY / package).rglob("*.py"))
    kernels = [path for path in paths if b"njit" in path.read_bytes()]
    # With what lies beside them, such as the numbers of columns that are compiled into them.
    folders = {path.parent for path in kernels} - {REPOSITORY / "massivetext"}
    for path in paths:
        if path in kernels or path.parent in folders:
            digest.update(path.read_bytes())
    folder = CACHES / digest.hexdigest()
    if not folder.is_dir():
        shutil.rmtree(CACHES, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    return {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(folder)}
