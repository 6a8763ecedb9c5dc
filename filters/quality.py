"""Quality rules of MassiveWeb (paper, appendix A.1.1, "Quality Filtering"): keep a document iff all hold.

A document without words has 0 in every signal, and fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from filters.limits import Limit
from filters.one_pass import pass_over
from massivetext.text import Texts
from massivetext.text.scan import (
    N_ALPHA_WORDS,
    N_BULLETS,
    N_CHARS,
    N_ELLIPSES,
    N_ELLIPSIS_LINES,
    N_HASHES,
    N_LINES,
    N_WORDS,
    STOP_WORDS,
)

__all__ = ["Limits", "from_counts", "measure"]


@dataclass(frozen=True)
class Limits:
    """The paper's thresholds.

    word_count: words. mean_word_length: code points a word. hash_ratio, ellipsis_ratio: symbols a word.
    bullet_line_fraction, ellipsis_line_fraction: of lines. alphabetic_word_fraction: of words.
    stop_word_count: how many different ones of the, be, to, of, and, that, have, with.
    """

    word_count: Limit = Limit(50, 100_000)
    mean_word_length: Limit = Limit(3, 10)
    hash_ratio: Limit = Limit(max=0.1)
    ellipsis_ratio: Limit = Limit(max=0.1)
    bullet_line_fraction: Limit = Limit(max=0.9)
    ellipsis_line_fraction: Limit = Limit(max=0.3)
    alphabetic_word_fraction: Limit = Limit(min=0.8)
    stop_word_count: Limit = Limit(min=2)


def from_counts(counts: np.ndarray) -> pa.RecordBatch:
    """The signals from the counts of a scan, int64[n, N_COUNTS]."""

    def per(numerator: int, denominator: int) -> np.ndarray:
        below = counts[:, denominator]
        return np.where(below > 0, counts[:, numerator] / np.maximum(below, 1), 0.0)

    return pa.RecordBatch.from_pydict(
        {
            "word_count": counts[:, N_WORDS].copy(),
            "mean_word_length": per(N_CHARS, N_WORDS),
            "hash_ratio": per(N_HASHES, N_WORDS),
            "ellipsis_ratio": per(N_ELLIPSES, N_WORDS),
            "bullet_line_fraction": per(N_BULLETS, N_LINES),
            "ellipsis_line_fraction": per(N_ELLIPSIS_LINES, N_LINES),
            "alphabetic_word_fraction": per(N_ALPHA_WORDS, N_WORDS),
            "stop_word_count": counts[:, STOP_WORDS].copy(),
        }
    )


def measure(texts: Texts, *, words: Literal["spaces", "written"] = "spaces") -> pa.RecordBatch:
    """Measure the quality signals of each text.

    Args:
        texts: Arrow array of strings; a null counts as empty.
        words: What a word is. "spaces": what stands between whitespace, as in the paper. "written": in scripts that are
            written without spaces (Han, Thai and others) each code point with its combining marks.

    Returns:
        One row per text; columns named as in `Limits`, counts int64, the others float64.

    Raises:
        ValueError: for another value of `words`.
    """
    return from_counts(pass_over(texts, words, repetition=False).counts)
