"""The rules of C4 (Raffel et al., "Exploring the Limits of Transfer Learning", arXiv 1910.10683, section 2.2).

Off in `gopher`. Lines that do not end in terminal punctuation, have fewer than five words, or speak of Javascript are
taken out by `without_lines`; pages are judged by `measure` on what is left. The paper's first version said three words
a line and five sentences a page, its later ones five words and three sentences; the published code has the latter.
Not here: the list of bad words (see safe search) and removal of repeated three-sentence spans (see deduplication).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.limits import Limit
from filters.lines import split_lines
from massivetext.text import Texts

__all__ = ["Limits", "measure", "without_lines"]

TERMINAL = r"[.?!\"”]$"
ELLIPSIS = r"(\.\.\.|…)$"
MIN_WORDS_PER_LINE = 5


@dataclass(frozen=True)
class Limits:
    """sentence_count: runs of terminal punctuation before white space or the end. The others: occurrences a page."""

    sentence_count: Limit = Limit(min=3)
    lorem_ipsum_count: Limit = Limit(max=0)
    curly_bracket_count: Limit = Limit(max=0)


def _kept(lines: pa.Array) -> np.ndarray:
    ends = pc.and_not(pc.match_substring_regex(lines, TERMINAL), pc.match_substring_regex(lines, ELLIPSIS))
    words = pc.greater_equal(pc.count_substring_regex(lines, r"\S+"), MIN_WORDS_PER_LINE)
    script = pc.match_substring(lines, "javascript", ignore_case=True)
    return pc.and_not(pc.and_(ends, words), script).to_numpy(zero_copy_only=False)


def without_lines(texts: Texts) -> pa.LargeStringArray:
    """The texts with only those lines that C4 keeps, joined by newlines."""
    lines = split_lines(texts)
    kept = _kept(lines.text)
    counts = lines.total(kept).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), lines.text.filter(pa.array(kept)))
    return pc.binary_join(lists, pa.scalar("\n", pa.large_string()))


def measure(texts: Texts) -> pa.RecordBatch:
    """One row per text, int64 columns named as in `Limits`."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    column = pc.fill_null(column.cast(pa.large_string()), "")

    def count(pattern: str) -> pa.Array:
        return pc.count_substring_regex(column, pattern).cast(pa.int64())

    return pa.RecordBatch.from_pydict(
        {
            "sentence_count": count(r"[.?!]+[\"”')\]]*(\s|\z)"),
            "lorem_ipsum_count": count(r"(?i)lorem ipsum"),
            "curly_bracket_count": count(r"[{}]"),
        }
    )
