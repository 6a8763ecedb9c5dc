"""Repetition rules of MassiveWeb (paper, appendix A.1.1, table A1): remove a document if any value is over its limit.

The paper does not say whether the first of several equal lines, paragraphs or n-grams is a duplicate. `all` counts
every occurrence, as RedPajama-V2, DCLM and TextDescriptives do; `repeats` leaves the first one out, as datatrove and
NeMo Curator do, and gives roughly half the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from filters.limits import Limit
from filters.one_pass import pass_over
from massivetext.text import Texts

__all__ = ["Limits", "from_values", "measure"]


@dataclass(frozen=True)
class Limits:
    """Table A1. Line and paragraph fractions are of lines and paragraphs, or of their code points, stripped; n-gram
    fractions are of the code points in words."""

    duplicate_line_fraction: Limit = Limit(max=0.30)
    duplicate_paragraph_fraction: Limit = Limit(max=0.30)
    duplicate_line_character_fraction: Limit = Limit(max=0.20)
    duplicate_paragraph_character_fraction: Limit = Limit(max=0.20)
    top_2gram_character_fraction: Limit = Limit(max=0.20)
    top_3gram_character_fraction: Limit = Limit(max=0.18)
    top_4gram_character_fraction: Limit = Limit(max=0.16)
    duplicate_5gram_character_fraction: Limit = Limit(max=0.15)
    duplicate_6gram_character_fraction: Limit = Limit(max=0.14)
    duplicate_7gram_character_fraction: Limit = Limit(max=0.13)
    duplicate_8gram_character_fraction: Limit = Limit(max=0.12)
    duplicate_9gram_character_fraction: Limit = Limit(max=0.11)
    duplicate_10gram_character_fraction: Limit = Limit(max=0.10)


NAMES = tuple(Limits.__dataclass_fields__)


def from_values(values: np.ndarray) -> pa.RecordBatch:
    """The signals from float64[n, 13]."""
    return pa.RecordBatch.from_pydict({name: values[:, k].copy() for k, name in enumerate(NAMES)})


def measure(
    texts: Texts,
    *,
    count_duplicates: Literal["all", "repeats"] = "all",
    words: Literal["spaces", "written"] = "spaces",
) -> pa.RecordBatch:
    """Measure the repetition signals of each text.

    Args:
        texts: Arrow array of strings; a null counts as empty.
        count_duplicates: Whether every occurrence of a duplicate counts ("all"), or all but the first ("repeats").
        words: What a word of an n-gram is; see `filters.quality.measure`. Lines and paragraphs do not depend on it.

    Returns:
        One row per text; float64 columns named as in `Limits`, each in [0, 1].

    Raises:
        ValueError: for another value of an option.
    """
    return from_values(pass_over(texts, words, count_duplicates=count_duplicates).repetition)
