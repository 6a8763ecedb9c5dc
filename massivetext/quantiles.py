"""Exact limits above which a share of the weight of values lies, from sums that any number of tasks have counted.

Two rounds with bounded memory. In the first one a task adds up the weight of values in bins: the bin of a value is the
upper part of its bits, taken so that they order as the values do. In the second one it does so for the distinct values
of the bins in which limits lie. Order and number of tasks do not matter, because weights are whole numbers.

    round 1    |   |####|  bin  |##|####|     which bin does the limit lie in?
    round 2             |.:.|:.|              which value of that bin is it?
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

__all__ = ["BINS", "VALUES", "Search", "Sums", "add_up", "bucket_of", "count", "keys_of", "value_of"]

BINS = 40
"""Bits of a value that its bin leaves out: 12 bits of the mantissa are in it, so 4,096 bins between .5 and 1."""
VALUES = 0
"""Bits that are left out in the second round."""
_SIGN = np.uint64(1 << 63)

Sums = tuple[np.ndarray, np.ndarray]
"""uint64[n], different keys, rising; int64[n], the weight of each."""


def keys_of(values: np.ndarray) -> np.ndarray:
    """Return uint64[n] that order as the values (float64[n] without NaN) do; -0.0 is 0.0."""
    bits = (values + 0.0).view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def value_of(key: int) -> float:
    """Return the value of a key."""
    bits = np.uint64(key)
    restored = bits & ~_SIGN if bits & _SIGN else ~bits
    return float(np.array([restored], np.uint64).view(np.float64)[0])


def count(values: np.ndarray, weights: np.ndarray, *, bins: Sequence[int] | None = None) -> Sums:
    """Return the weight of each bin of some values, or, with `bins`, of each value that lies in one of these bins.

    Args:
        values: float64[n]; NaN has no place in the order, and is left out.
        weights: int64[n], whole numbers of at least 0.
        bins: those that a first round has chosen; None in that round.
    """
    is_number = ~np.isnan(values)
    keys, weights = keys_of(values[is_number]), weights[is_number]
    if bins is None:
        return _grouped(keys >> np.uint64(BINS), weights)
    rows = np.isin(keys >> np.uint64(BINS), np.array(bins, np.uint64))
    return _grouped(keys[rows], weights[rows])


def add_up(pieces: Iterable[Sums]) -> Sums:
    """Return the sums of several tasks together. Memory: 16 bytes a key that is different, twice."""
    keys, weights = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    for own_keys, own_weights in pieces:
        keys, weights = _grouped(np.concatenate([keys, own_keys]), np.concatenate([weights, own_weights]))
    return keys, weights


def _grouped(keys: np.ndarray, weights: np.ndarray) -> Sums:
    distinct, places = np.unique(keys, return_inverse=True)
    totals = np.zeros(len(distinct), np.int64)
    np.add.at(totals, places, weights)
    return distinct.astype(np.uint64), totals


@dataclass(frozen=True)
class Search:
    """The search for the greatest value such that what has at least it has at least a share of the whole weight.

    Attributes:
        share: above 0, at most 1; as it is written in decimals, so that .7 of 10 documents are 7.
        needed: the weight that is looked for; None before the first round.
        bin: in which the limit lies; None before the first round, and where there is no weight.
        above: the weight above that bin.
        limit: the value; None before the second round, and where there is no weight.
    """

    share: Fraction
    needed: int | None = None
    bin: int | None = None
    above: int = 0
    limit: float | None = None

    @classmethod
    def of(cls, share: float | Fraction) -> Search:
        """Return a search for a share, a float by its shortest decimals."""
        return cls(share if isinstance(share, Fraction) else Fraction(repr(float(share))))

    def in_bins(self, sums: Sums) -> Search:
        """Return the search after the first round, whose sums are over all tasks."""
        keys, weights = sums
        total = int(weights.sum())
        if total == 0:
            return replace(self, needed=0)
        needed = max(1, -(-self.share.numerator * total // self.share.denominator))
        key, above = _reach(keys, weights, 0, needed)
        return replace(self, needed=needed, bin=key, above=above)

    def in_values(self, sums: Sums) -> Search:
        """Return the search after the second round, whose sums have at least the values of its bin."""
        if self.bin is None or self.needed is None:
            return self
        keys, weights = sums
        rows = keys >> np.uint64(BINS) == np.uint64(self.bin)
        key, _ = _reach(keys[rows], weights[rows], self.above, self.needed)
        return replace(self, limit=value_of(key))


def _reach(keys: np.ndarray, weights: np.ndarray, above: int, needed: int) -> tuple[int, int]:
    """Return the greatest key at which the weight from above reaches `needed`, and the weight above that key."""
    sums = above + np.cumsum(weights[::-1])
    at = int(np.searchsorted(sums, needed))
    return int(keys[::-1][at]), above if at == 0 else int(sums[at - 1])


def bucket_of(values: np.ndarray, limits: Sequence[float | None]) -> np.ndarray:
    """Return the bucket of each value, int64[n]: how many of the limits it reaches. NaN reaches none; a limit that is
    None, because there was no weight to find it from, is reached by every value."""
    numbers = np.sort(np.array([-np.inf if limit is None else limit for limit in limits], np.float64))
    buckets = np.searchsorted(numbers, values, side="right")
    buckets[np.isnan(values)] = 0
    return buckets.astype(np.int64)
