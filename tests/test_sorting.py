"""Sorting in kernels and looking up in kernels, against Python's own and numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.sorting import first_at_least, sort

_NUMBERS = st.integers(0, 2**64 - 1)
_ALIKE = st.integers(2**63, 2**63 + 9)
_FEW_BITS = st.integers(0, 63).map(lambda bit: 1 << bit)


@given(st.lists(_NUMBERS | _ALIKE | _FEW_BITS, max_size=200), st.integers(0, 9))
def test_the_first_values_ascend_and_the_others_stay(values: list[int], others: int) -> None:
    n = max(0, len(values) - others)
    array = np.array(values, np.uint64)

    sort(array, n)

    assert array.tolist() == sorted(values[:n]) + values[n:]


@pytest.mark.parametrize("n", [15, 16, 17, 18, 1000, 100_000])
@pytest.mark.parametrize("below", [1, 2, 2**20, 2**64])
def test_random_values(n: int, below: int) -> None:
    array = np.random.default_rng(n).integers(0, below, n, np.uint64)
    expected = sorted(array.tolist())

    sort(array, n)

    assert array.tolist() == expected


@pytest.mark.parametrize("order", ["ascending", "descending", "organ pipe", "saw"])
def test_values_in_an_order(order: str) -> None:
    up = list(range(50_000))
    values = {"ascending": up, "descending": up[::-1], "organ pipe": up + up[::-1], "saw": [i % 7 for i in up]}[order]
    array = np.array(values, np.uint64)

    sort(array, len(array))

    assert array.tolist() == sorted(values)


def test_no_values() -> None:
    sort(np.empty(0, np.uint64), 0)


@given(st.lists(st.integers(0, 20) | st.integers(0, 2**32 - 1), max_size=50), st.integers(-1, 21) | st.integers())
@pytest.mark.parametrize("kind", [np.uint32, np.int64])
def test_the_first_that_is_not_below(kind: type, numbers: list[int], number: int) -> None:
    ascending, number = np.array(sorted(numbers), kind), max(-1, min(number, 2**32))

    assert first_at_least(ascending, number) == np.searchsorted(ascending, number)
