"""Exact and near-duplicates: shingles, signatures, candidates, and the verified rule of removal."""

from __future__ import annotations

from massivetext.dedup.banding import Banding, plan
from massivetext.dedup.near import near_duplicates
from massivetext.dedup.shingles import shingles
from massivetext.dedup.signatures import signatures

__all__ = ["Banding", "near_duplicates", "plan", "shingles", "signatures"]
