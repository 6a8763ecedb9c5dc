"""Quality, repetition and the signature of every document in one pass: the text is decoded and split once."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from filters import quality, repetition
from filters.repetition import make_table
from massivetext.dedup.shingles import hash_shingles
from massivetext.dedup.signatures import permutations, sign
from massivetext.kernels import njit
from massivetext.text import Texts, buffers
from massivetext.text.scan import N_COUNTS, make_scratch, normalised_words, scan, unicode_tables, words_at_most

__all__ = ["Rules", "measure"]


class Rules(NamedTuple):
    """quality, repetition: as those modules measure them. signatures: uint32[n, num_hashes]. n_shingles: int64[n],
    shingles with repeats."""

    quality: pa.RecordBatch
    repetition: pa.RecordBatch
    signatures: np.ndarray
    n_shingles: np.ndarray


@njit(cache=True, nogil=True)
def _measure(data, offsets, t, salt, repeats, written, a, b):
    n_texts = len(offsets) - 1
    most = 1
    for i in range(n_texts):
        most = max(most, words_at_most(data, offsets[i], offsets[i + 1]))
    s = make_scratch(most)
    table = make_table(most)
    grams = np.empty(most, np.uint64)
    places = np.empty(most, np.int32)
    mixed = np.empty(most, np.uint32)
    counts = np.zeros((n_texts, N_COUNTS), np.int64)
    values = np.empty((n_texts, 13), np.float64)
    signed = np.empty((n_texts, len(a)), np.uint32)
    n_shingles = np.empty(n_texts, np.int64)
    for i in range(n_texts):
        scan(data, offsets[i], offsets[i + 1], t, s, counts[i], written)
        repetition.repetition(s, counts[i], table, grams, places, salt, repeats, values[i])
        n = normalised_words(data, offsets[i], offsets[i + 1], t, s, counts[i])
        n_shingles[i] = hash_shingles(s.normal, n, grams)
        sign(grams, n_shingles[i], mixed, a, b, signed[i])
    return counts, values, signed, n_shingles


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
    if count_duplicates not in ("all", "repeats"):
        raise ValueError(f"count_duplicates: {count_duplicates!r}; expected 'all' or 'repeats'")
    a, b = permutations(num_hashes, seed)
    written = quality.cuts_written(words)
    counts, values, signed, n_shingles = _measure(
        *buffers(texts), unicode_tables(), repetition.SALT, count_duplicates == "repeats", written, a, b
    )
    return Rules(quality.from_counts(counts), repetition.from_values(values), signed, n_shingles)
