"""What transforms are written in: Beam, or in processes that run no pipeline of Beam's the same few words without it.

To import Beam takes a second, which is most of what a small run takes. The engine of this machine needs of it only how
transforms are chained (`pipelines.plain`). So the command line and the worker processes of this machine leave Beam out,
before they import a transform; every other process has Beam, and the same transforms are Beam's.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import apache_beam as beam

__all__ = ["LOCAL", "beam", "is_left_out", "leave_out"]

LOCAL = ("FnApiRunner", "DirectRunner", "local")
"""Names of the engine of this machine."""

_is_left_out = False


def leave_out() -> None:
    """Write the transforms of this process without Beam, unless they have been imported with it."""
    global _is_left_out
    _is_left_out = "beam" not in globals() or _is_left_out


def is_left_out() -> bool:
    return _is_left_out


def __getattr__(name: str) -> Any:
    if name != "beam":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, import_module("pipelines.plain" if _is_left_out else "apache_beam"))
