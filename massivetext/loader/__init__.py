"""The trainer's loader: documents of a mixture or of curated subsets, and adapters for training frameworks."""

from __future__ import annotations

from massivetext.loader.stream import Loader, load

__all__ = ["Loader", "load"]
