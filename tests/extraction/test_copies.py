"""Copies within kernels are those that numpy makes, in memory of their own."""

from __future__ import annotations

import numpy as np
import pytest

from massivetext.extraction.copies import column_of, columns_of, copy_of, rows_of

TABLE = np.arange(12, dtype=np.int32).reshape(4, 3)


@pytest.mark.parametrize("kind", [np.int32, np.uint64])
@pytest.mark.parametrize("size", [0, 1, 5])
def test_a_copy_is_equal_and_apart(kind: type, size: int) -> None:
    values = np.arange(size).astype(kind)

    copied = copy_of(values)

    assert copied.dtype == kind
    assert copied.tolist() == values.tolist()
    assert not np.shares_memory(copied, values)


@pytest.mark.parametrize("table", [TABLE, TABLE[:0], TABLE[1:2]])
def test_parts_of_a_table_are_copied(table: np.ndarray) -> None:
    for column in range(3):
        assert column_of(table, column).tolist() == table[:, column].tolist()
    for first, last in [(0, 3), (1, 3), (2, 2)]:
        columns = columns_of(table, first, last)
        assert columns.tolist() == table[:, first:last].tolist()
        assert columns.shape == (len(table), last - first)
    assert columns_of(table, 0, 3).dtype == np.int32


@pytest.mark.parametrize("wanted", [[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1]])
def test_rows_that_are_wanted_are_copied_in_order(wanted: list[int]) -> None:
    mask = np.array(wanted, np.bool_)

    assert rows_of(TABLE, mask, sum(wanted)).tolist() == TABLE[mask].tolist()
