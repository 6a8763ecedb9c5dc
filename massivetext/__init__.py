"""MassiveText: from raw web archives, books, news, code and Wikipedia to a clean training mixture."""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]
