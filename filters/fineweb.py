"""The three rules that FineWeb adds (Penedo et al., "The FineWeb Datasets", arXiv 2406.17557, section 3.6).

Off in `gopher`. The paper removes pages with at most .12 of lines ending in punctuation, at least .1 of characters in
duplicated lines, or at least .67 of lines under 30 characters. Its code, datatrove, has .01 as the default of the
second; the paper's .1 is used here. Limits are inclusive here, so that a page exactly at .12, .1 or .67 is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import repetition
from filters.limits import Limit
from filters.lines import split_lines
from massivetext.text import Texts

__all__ = ["Limits", "measure"]

SHORT_LINE = 30
PUNCTUATION = r"[\p{Po}\p{Pf}\p{Pe}]$"


@dataclass(frozen=True)
class Limits:
    """Of lines, or for the second of the code points in lines; duplicates are the copies after the first."""

    punctuation_line_fraction: Limit = Limit(min=0.12)
    repeated_line_character_fraction: Limit = Limit(max=0.1)
    short_line_fraction: Limit = Limit(max=0.67)


def measure(texts: Texts) -> pa.RecordBatch:
    """One row per text, float64 columns named as in `Limits`; 0 where a text has no lines."""
    lines = split_lines(texts)
    ends = pc.match_substring_regex(lines.text, PUNCTUATION).to_numpy(zero_copy_only=False)
    short = pc.less(pc.utf8_length(lines.text), SHORT_LINE).to_numpy(zero_copy_only=False)
    repeats = repetition.measure(texts, count_duplicates="repeats")
    return pa.RecordBatch.from_pydict(
        {
            "punctuation_line_fraction": lines.fraction(ends.astype(np.float64)),
            "repeated_line_character_fraction": repeats.column("duplicate_line_character_fraction"),
            "short_line_fraction": lines.fraction(short.astype(np.float64)),
        }
    )
