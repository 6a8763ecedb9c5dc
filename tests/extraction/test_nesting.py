"""What lies in what on a page: columns of table cells."""

from __future__ import annotations

import numpy as np
import pytest

from massivetext.extraction import extract
from massivetext.extraction.nesting import cell_columns, nesting
from massivetext.extraction.tags import OL, TABLE, TD, TR


def columns(elements: list[tuple[int, int, int, int]]) -> list[int]:
    """The columns of a tree's nodes after its root. elements: (tag, parent, ordinal, rows) of each."""
    tag, parent, ordinal, rows = np.array([(0, 0, 0, 1), *elements], np.int32).T.copy()
    inside, _ = nesting(tag, parent)
    return cell_columns(tag, ordinal, rows, inside).tolist()[1:]  # type: ignore[no-any-return]


def test_a_cell_that_spans_rows_pushes_those_below_it() -> None:
    table = [(TABLE, 0, 0, 1), (TR, 1, 0, 1), (TD, 2, 0, 2), (TD, 2, 1, 1), (TR, 1, 1, 1), (TD, 5, 0, 1), (TD, 5, 1, 1)]
    column = columns(table)

    assert [column[2], column[3]] == [0, 1]
    assert [column[5], column[6]] == [1, 2]


@pytest.mark.parametrize("start", [-1, -7, -256, -300])
def test_a_cell_in_a_list_that_counts_from_below_zero_takes_the_first_column(start: int) -> None:
    """Its place was taken for one of the array of columns, before which it lay."""
    assert columns([(OL, 0, 0, 1), (TD, 1, start, 3)])[1] == 0
    assert columns([(TABLE, 0, 0, 1), (TR, 1, 0, 1), (OL, 2, 0, 1), (TD, 3, start, 3)])[3] == 0


@pytest.mark.parametrize("start", [-7, -100_000_000, -2_147_483_648, -99_999_999_999])
@pytest.mark.parametrize("before", ["", "<table>", "<table><tr>"])
def test_pages_with_cells_in_such_lists(start: int, before: str) -> None:
    """The second of these numbers ended the process."""
    sentences = "Some longer text that ends a sentence, with a comma. " * 5
    list_of_cells = f"{before}<ol reversed start={start}><td colspan=9 rowspan=3>{sentences}</td><li>two</li></ol>"
    page = f"<html><body><p>{sentences}</p>{list_of_cells}<p>{sentences}</body></html>".encode()
    for format in ("text", "markdown"):
        assert "ends a sentence" in extract(page, format=format)
