"""A finished mixture in the formats that trainers read."""

from __future__ import annotations

from massivetext.export.export import FORMATS, export

__all__ = ["FORMATS", "export"]
