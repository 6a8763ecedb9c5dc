"""Limits of shares from sums of tasks: by hand, just at and beside each share, and against a full sort."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.quantiles import Search, add_up, bucket_of, count, keys_of, value_of

VALUES = np.array([-math.inf, -2.5, -0.0, 0.0, 5e-324, 0.1, 0.5, math.nextafter(0.5, 1), 1.0, 1e300, math.inf])


def limit(values: list[float], share: str, n_tasks: int = 1, weights: list[int] | None = None) -> float | None:
    """The limit by two rounds over some tasks."""
    pieces = list(
        zip(
            np.array_split(np.array(values, np.float64), n_tasks),
            np.array_split(np.array(weights or [1] * len(values), np.int64), n_tasks),
        )
    )
    search = Search(Fraction(share)).in_bins(add_up(count(*piece) for piece in pieces))
    bins = [] if search.bin is None else [search.bin]
    return search.in_values(add_up(count(*piece, bins=bins) for piece in pieces)).limit


def test_keys_order_as_values_do_and_give_them_back() -> None:
    keys = keys_of(VALUES)

    assert sorted(keys.tolist()) == keys.tolist()
    assert keys[2] == keys[3]
    assert [0.0 if value == 0 else value for value in VALUES.tolist()] == [value_of(key) for key in keys.tolist()]


@pytest.mark.parametrize(
    ("share", "expected"),
    [("0.1", 10.0), ("0.11", 9.0), ("0.7", 4.0), ("0.71", 3.0), ("0.99", 1.0), ("1", 1.0)],
)
def test_a_share_of_ten_documents(share: str, expected: float) -> None:
    # .7 of 10 is 7 documents, though .7 * 10 is more than 7 in floating point.
    assert expected == limit([float(value) for value in range(1, 11)], share)


def test_weights_and_ties() -> None:
    values, weights = [0.9, 0.5, 0.5, 0.1], [10, 40, 40, 10]

    assert 0.9 == limit(values, "0.1", weights=weights)
    assert 0.5 == limit(values, "0.11", weights=weights)
    assert 0.5 == limit(values, "0.9", weights=weights)
    assert 0.1 == limit(values, "0.91", weights=weights)


def test_without_weight_there_is_no_limit() -> None:
    assert limit([], "0.5") is None
    assert limit([math.nan], "0.5") is None
    assert limit([1.0], "0.5", weights=[0]) is None


@given(
    st.lists(st.tuples(st.one_of(st.floats(), st.sampled_from([0.5, 0.25])), st.integers(0, 9)), max_size=50),
    st.integers(1, 100),
    st.integers(1, 5),
)
def test_any_tasks_as_a_sort_has_it(rows: list[tuple[float, int]], percent: int, n_tasks: int) -> None:
    share = Fraction(percent, 100)
    numbers = sorted(((value, weight) for value, weight in rows if value == value), reverse=True)
    total = sum(weight for _, weight in numbers)
    expected, sum_ = None, 0
    for value, weight in numbers:
        sum_ += weight
        if total and sum_ > 0 and sum_ >= share * total:
            expected = value
            break

    assert expected == limit([one[0] for one in rows], str(share), n_tasks, [one[1] for one in rows])


def test_buckets_begin_at_their_limits() -> None:
    values = np.array([0.1, 0.2, 0.3, math.nextafter(0.5, 0), 0.5, 0.9, math.nan])

    assert [0, 1, 1, 1, 2, 2, 0] == bucket_of(values, [0.2, 0.5]).tolist()
    assert [0] * 7 == bucket_of(values, []).tolist()
    assert [1, 1, 1, 1, 1, 1, 0] == bucket_of(values, [None]).tolist()
