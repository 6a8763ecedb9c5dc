"""Quality, repetition and the signature of every document in one pass: the text is decoded and split once."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from filters import quality, repetition
from filters.one_pass import pass_over
from massivetext.text import Texts

__all__ = ["Rules", "measure"]


class Rules(NamedTuple):
    """quality, repetition: as those modules measure them. signatures: uint32[n, num_hashes]. n_shingles: int64[n],
    shingles with repeats."""

    quality: pa.RecordBatch
    repetition: pa.RecordBatch
    signatures: np.ndarray
    n_shingles: np.ndarray


def measure(
    texts: Texts,
    *,
    count_duplicates: Literal["all", "repeats"] = "all",
    words: Literal["spaces", "written"] = "spaces",
    num_hashes: int = 128,
    seed: int = 1,
) -> Rules:
    """Measure what `quality.measure`, `repetition.measure` and `signatures` do for the same texts, decoded once.

    Args:
        texts: Arrow array of strings; a null counts as empty.
        count_duplicates: As in `repetition.measure`.
        words: As in `quality.measure`; shingles always have written words.
        num_hashes, seed: As in `massivetext.dedup.signatures`.

    Raises:
        ValueError: for another value of an option.
    """
    passed = pass_over(texts, words, count_duplicates=count_duplicates, num_hashes=num_hashes, seed=seed)
    return Rules(
        quality.from_counts(passed.counts),
        repetition.from_values(passed.repetition),
        passed.signatures,
        passed.n_shingles,
    )
