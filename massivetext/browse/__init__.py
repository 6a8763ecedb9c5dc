"""Browse a run: a local web page to search, filter, read and compare its documents. Needs the extra `browse`."""

from __future__ import annotations

__all__: list[str] = []
