"""Duplicates: what makes two documents alike, as sets of shingles and as MinHash signatures of them."""

from __future__ import annotations

from massivetext.dedup.shingles import shingles
from massivetext.dedup.signatures import signatures

__all__ = ["shingles", "signatures"]
