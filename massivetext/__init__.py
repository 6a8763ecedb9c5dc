"""MassiveText: from raw web archives, books, news, code and Wikipedia to a clean training mixture.

The library's public names load on first use, so that a trainer imports this in well under half a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "load", "sequences"]

_HOMES = {"load": "massivetext.loader", "sequences": "massivetext.packing"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'massivetext' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
