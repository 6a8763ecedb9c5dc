"""Token sequences from documents (spec section 10): crops, on the fly and as files."""

from __future__ import annotations

from massivetext.packing.stream import Sequences, sequences

__all__ = ["Sequences", "sequences"]
