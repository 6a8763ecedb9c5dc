"""Test sets: every benchmark item that stands in the data, where, and how much of it.

Public names: TestSets (index and measures), TestSet (where a set stands), verdict (measures to reasons).
"""

from __future__ import annotations

from massivetext.contamination.items import PRESETS, TestSet
from massivetext.contamination.testsets import TestSets
from massivetext.contamination.verdict import verdict, with_decider

__all__ = ["PRESETS", "TestSet", "TestSets", "verdict", "with_decider"]
