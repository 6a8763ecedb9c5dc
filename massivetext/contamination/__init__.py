"""Test sets: every benchmark item that stands in the data, where, and how much of it.

TestSets measures, verdict judges, pieces cuts, Titles knows the pages of WikiText, Findings looks the other way;
massivetext.contamination.rare leaves out shingles that are everywhere.
"""

from __future__ import annotations

from massivetext.contamination.findings import Findings
from massivetext.contamination.items import PRESETS, TestSet
from massivetext.contamination.pieces import pieces
from massivetext.contamination.testsets import Members, TestSets
from massivetext.contamination.titles import Titles
from massivetext.contamination.verdict import verdict, with_decider

__all__ = ["PRESETS", "Findings", "Members", "TestSet", "TestSets", "Titles", "pieces", "verdict", "with_decider"]
