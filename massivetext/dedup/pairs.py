"""Whether two documents are near-duplicates, on the sets of shingles themselves."""

from __future__ import annotations

import numpy as np

from massivetext.kernels import njit

__all__ = ["CLASS_PAIRS", "CORE_OVERLAPS", "N_STATS", "VERIFICATIONS", "count_overlap", "least_overlap", "shares_band"]

# Counts that the kernels of removal keep, by index.
VERIFICATIONS, CORE_OVERLAPS, CLASS_PAIRS, N_STATS = range(4)


@njit(cache=True, nogil=True)
def least_overlap(a, b, p, q):
    """The least overlap at which sets of a and b members have J > p/q: (p + q) overlap > p (a + b)."""
    return p * (a + b) // (p + q) + 1


@njit(cache=True, nogil=True)
def count_overlap(hashes, i, i_end, j, j_end, need):
    """Members that two ascending runs of `hashes` share, or -1 once `need` is out of reach."""
    overlap = np.int64(0)
    while i < i_end and j < j_end:
        if overlap + min(i_end - i, j_end - j) < need:
            return np.int64(-1)
        stop = min(min(i_end - i, j_end - j), 32)
        for _ in range(stop):
            x, y = hashes[i], hashes[j]
            overlap += x == y
            i += x <= y
            j += y <= x
    return overlap if overlap >= need else np.int64(-1)


@njit(cache=True, nogil=True)
def shares_band(bands, i, j):
    """Whether two documents have an equal band, which makes them candidates."""
    is_shared = False
    for k in range(bands.shape[1]):
        is_shared |= bands[i, k] == bands[j, k]
    return is_shared
