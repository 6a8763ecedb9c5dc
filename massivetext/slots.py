"""Open-addressed hash tables in kernels: how many slots a table has, and which slot is a key's."""

from __future__ import annotations

import numpy as np

from massivetext.kernels import njit

__all__ = ["count_slots", "find_slot"]


@njit(cache=True, nogil=True, counts=False)
def count_slots(n):
    """Return the least power of two that is not below n, 16 at least: how many slots a table has."""
    size = np.int64(16)
    while size < n:
        size *= 2
    return size


@njit(cache=True, nogil=True, counts=False)
def find_slot(keys, key):
    """Return the slot of a key, or the empty one that it would take. keys: uint64[a power of two], 0 where empty."""
    mask = np.int64(len(keys) - 1)
    slot = np.int64(key ^ (key >> np.uint64(29))) & mask
    while keys[slot] != np.uint64(0) and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot
