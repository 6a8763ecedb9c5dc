"""Who is removed: the greedy rule of the paper's "remove either one", over verified candidates.

Documents come best-ranked first. Each is kept unless it is a near-duplicate of one kept before; its partner is the best
of those. Candidates of a document are the documents that share a band with it. Nothing is removed but on the true sets
of shingles. No list of pairs is ever made: a document is compared with kept ones only.

A component (documents connected by bands) of up to SMALL documents is compared pair by pair. A larger one may be a
template below the threshold that is kept a hundred thousand times, where pairs are hopeless: templates.py decides it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from massivetext.dedup.pairs import N_STATS, VERIFICATIONS, count_overlap, least_overlap, shares_band
from massivetext.dedup.templates import decide_large
from massivetext.errors import RecipeError
from massivetext.kernels import njit

__all__ = ["Removals", "decide", "exact_threshold"]

SMALL = 64
_SALT = np.uint64(int.from_bytes(os.urandom(8), "little") | 1)  # places in a hash table only; never a result


@dataclass(frozen=True)
class Removals:
    """partner: int64[n], index of the kept document that document i duplicates, -1 if it is kept itself.
    overlap: int64[n], shingles that the two have in common. verifications: pairs of sets compared."""

    partner: np.ndarray
    overlap: np.ndarray
    verifications: int
    core_overlaps: int
    class_pairs: int


def exact_threshold(threshold: float) -> tuple[int, int]:
    """The threshold as the rational that its decimal digits say: 0.8 is (4, 5)."""
    value = Fraction(str(threshold))
    if not 0 < value < 1 or value.denominator > 10**9:
        raise RecipeError(f"deduplication.threshold: {threshold!r} must lie between 0 and 1, with at most 9 decimals")
    return value.numerator, value.denominator


@njit(cache=True, nogil=True)
def _small(hashes, bounds, bands, fixed, joins, p, q, first, last, partner, overlap, stats):
    kept = np.empty(last - first, np.int64)
    n_kept = 0
    for i in range(first, last):
        size = bounds[i + 1] - bounds[i]
        if not fixed[i]:
            for at in range(n_kept):
                k = kept[at]
                other = bounds[k + 1] - bounds[k]
                need = least_overlap(size, other, p, q)
                if need > min(size, other) or not shares_band(bands, i, k):
                    continue
                stats[VERIFICATIONS] += 1
                common = count_overlap(hashes, bounds[i], bounds[i + 1], bounds[k], bounds[k + 1], need)
                if common >= 0:
                    partner[i], overlap[i] = k, common
                    break
        if partner[i] < 0 and (fixed[i] or joins):
            kept[n_kept] = i
            n_kept += 1


@njit(cache=True, nogil=True)
def _decide(hashes, bounds, bands, components, fixed, joins, p, q, small, salt):
    n = len(components)
    partner = np.full(n, -1, np.int64)
    overlap = np.zeros(n, np.int64)
    stats = np.zeros(N_STATS, np.int64)
    first = 0
    while first < n:
        last = first + 1
        while last < n and components[last] == components[first]:
            last += 1
        if last - first > small:
            decide_large(hashes, bounds, bands, fixed, joins, p, q, first, last, partner, overlap, stats, salt)
        elif last - first > 1:
            _small(hashes, bounds, bands, fixed, joins, p, q, first, last, partner, overlap, stats)
        first = last
    return partner, overlap, stats


def decide(
    hashes: np.ndarray,
    bounds: np.ndarray,
    bands: np.ndarray,
    components: np.ndarray,
    fixed: np.ndarray,
    threshold: tuple[int, int],
    *,
    joins: bool = True,
    small: int = SMALL,
) -> Removals:
    """Apply the rule to documents ordered by component and, within it, best-ranked first.

    hashes, bounds: uint64[m], int64[n + 1]; document i's shingles are hashes[bounds[i]:bounds[i + 1]], ascending.
    bands: uint64[n, bands]. components: int64[n], equal for documents of one component. fixed: bool[n], documents that
    are kept whatever comes. threshold: numerator and denominator. joins: whether a document that is kept is compared
    with later ones; if not, only the fixed ones are. `small` changes the way, never the answer.
    """
    p, q = threshold
    partner, overlap, stats = _decide(
        hashes, bounds.astype(np.int64), bands, components.astype(np.int64), fixed, joins, p, q, small, _SALT
    )
    return Removals(partner, overlap, *(int(count) for count in stats))
