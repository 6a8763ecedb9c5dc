"""Sorting and looking up in kernels. numba compiles its own for each type, in the time of six kernels each time."""

from __future__ import annotations

import numpy as np

from massivetext.kernels import njit

__all__ = ["first_at_least", "sort"]

_FEW = 16
"""So few values are sorted by insertion."""


@njit(counts=False)
def first_at_least(numbers, number):
    """Index of the first of ascending numbers that is not below this one, which is of their type."""
    low, high = 0, len(numbers)
    while low < high:
        middle = (low + high) >> 1
        if numbers[middle] < number:
            low = middle + 1
        else:
            high = middle
    return low


@njit(counts=False)
def _sort_by_bits(values, first, last, bit):
    """Sort values[first:last], which differ in no bit above this one.

    They are split by the highest bit in which they differ. So each value is looked at for each of its bits at most,
    whatever the values are.
    """
    while last - first > _FEW:
        differing = np.uint64(0)
        for i in range(first + 1, last):
            differing |= values[i] ^ values[first]
        if differing == 0:
            return
        while differing >> np.uint64(bit) == 0:
            bit -= 1
        middle = first
        for i in range(first, last):
            # values[first:middle] lack the bit, and values[middle:i] have it.
            value = values[i]
            values[i] = values[middle]
            values[middle] = value
            middle += 1 - np.int64((value >> np.uint64(bit)) & np.uint64(1))
        _sort_by_bits(values, first, middle, bit)
        first = middle
    for i in range(first + 1, last):
        value = values[i]
        k = i
        while k > first and values[k - 1] > value:
            values[k] = values[k - 1]
            k -= 1
        values[k] = value


@njit(counts=False)
def sort(values, n):
    """Sort the first n values of a uint64 array in place."""
    i = 1
    while i < n and values[i - 1] <= values[i]:
        i += 1
    if i < n:
        _sort_by_bits(values, 0, n, 63)
