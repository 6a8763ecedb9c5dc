"""MassiveText: from raw web archives, books, news, code and Wikipedia to a clean training mixture."""

from __future__ import annotations

from massivetext.interruption import end_early_in

end_early_in("massivetext", "-m")
# What is above is first: it is there for a Ctrl-C while modules load.

TYPE_CHECKING = False  # that of `typing`, without its import
if TYPE_CHECKING:
    from typing import Any

    from massivetext.loader import load
    from massivetext.packing import sequences

__version__ = "0.1.0"
__all__ = ["__version__", "load", "sequences"]

_HOMES = {"load": "massivetext.loader", "sequences": "massivetext.packing"}


def __getattr__(name: str) -> Any:
    # Loaded on use: the import of the package alone stays below 50 ms.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
