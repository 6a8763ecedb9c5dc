"""Banding: which documents are candidates of each other, and how surely a pair is found.

A signature of bands x rows hashes is cut into bands; two documents are candidates if all hashes of some band are
equal. At Jaccard similarity J that happens with probability 1 - (1 - J^rows)^bands. The usual choice of bands weighs
false candidates against missed pairs, and misses 60 % of the pairs at the threshold (9 bands of 13 rows at 0.8). Here
every candidate is verified, so a false one costs time only, and bands follow from the recall asked for.

References: Broder 1997 (MinHash); Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, chapter 3 (banding).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from massivetext.errors import RecipeError
from massivetext.kernels import njit
from massivetext.text.hashing import fmix

__all__ = ["Banding", "band_hashes", "plan"]

MAX_BANDS = 20
"""Bands are what is exchanged, 12 bytes each a document: no more of them than this while MIN_ROWS allow it."""

MARGIN = 4
"""The misses planned for are this many times fewer than the recall allows. A recall that is met on the average of many
sets of documents is missed on every other set with few pairs; so planned, it is met on nearly all."""

MIN_ROWS = 3
"""Fewer rows make candidates of documents that share a phrase."""


@dataclass(frozen=True, slots=True)
class Banding:
    """`bands` bands of `rows` hashes each."""

    bands: int
    rows: int

    @property
    def num_hashes(self) -> int:
        return self.bands * self.rows

    def recall(self, similarity: float) -> float:
        """The probability that a pair of this Jaccard similarity is a candidate."""
        return 1 - (1 - similarity**self.rows) ** self.bands

    def curve(self, step: float = 0.05) -> list[tuple[float, float]]:
        """The S-curve: (similarity, recall) from 0 to 1."""
        n = round(1 / step)
        return [(i / n, self.recall(i / n)) for i in range(n + 1)]


def plan(threshold: float = 0.8, recall: float = 0.99) -> Banding:
    """The banding with the most rows that finds a share of at least `recall` of the pairs at the threshold.

    At the defaults 20 bands of 6 rows: recall .9977 at J = .8. Raises RecipeError where more than 256 bands are needed.
    """
    if not 0 < threshold < 1 or not 0 < recall < 1:
        raise RecipeError(f"deduplication: threshold {threshold!r} and recall {recall!r} must lie between 0 and 1")
    best = None
    for rows in range(1, 33):
        # (1 - t^rows)^bands <= (1 - recall) / MARGIN
        bands = math.ceil(math.log((1 - recall) / MARGIN) / math.log1p(-(threshold**rows)) - 1e-9)
        if best is None or bands <= MAX_BANDS or rows <= MIN_ROWS:
            best = Banding(bands, rows)
    assert best is not None
    if best.bands > 256:
        raise RecipeError(
            f"deduplication: recall {recall} at threshold {threshold} takes {best.bands} bands; "
            "lower the recall or raise the threshold"
        )
    return best


@njit(cache=True, nogil=True)
def _band_hashes(signatures, bands, rows):
    out = np.empty((len(signatures), bands), np.uint64)
    for i in range(len(signatures)):
        for band in range(bands):
            h = fmix(np.uint64(band + 1))
            for k in range(band * rows, (band + 1) * rows):
                h = fmix(h ^ np.uint64(signatures[i, k])) + np.uint64(band)
            out[i, band] = h
    return out


def band_hashes(signatures: np.ndarray, banding: Banding) -> np.ndarray:
    """uint64[n, bands] of uint32[n, num_hashes]: equal where band number and hashes are; never equal across bands but
    by a collision of 64 bits, which makes a false candidate and no more."""
    return _band_hashes(signatures, banding.bands, banding.rows)
