"""FineWeb's rules by hand: just under, at and over each constant and each limit."""

from __future__ import annotations

import pyarrow as pa
import pytest

from filters import fineweb
from filters.limits import limits_of, violations


def measured(text: str) -> dict[str, float]:
    columns = fineweb.measure(pa.array([text], pa.large_string()))
    return {name: column[0].as_py() for name, column in zip(columns.schema.names, columns.columns)}


@pytest.mark.parametrize(("n", "is_short"), [(29, True), (30, False), (31, False)])
def test_a_line_is_short_below_30_code_points(n: int, is_short: bool) -> None:
    line = "é" * n
    assert float(is_short) == measured(line)["short_line_fraction"]
    assert float(is_short) == measured(f"  {line}\t")["short_line_fraction"]


@pytest.mark.parametrize(
    ("line", "ends"),
    [("a.", True), ("a!", True), ("a)", True), ("a”", True), ("a-", False), ("a", False), (".a", False)],
)
def test_a_line_ends_in_punctuation(line: str, ends: bool) -> None:
    assert float(ends) == measured(line)["punctuation_line_fraction"]


def test_shares_are_of_lines_and_copies_after_the_first_count() -> None:
    long = "a long line without an end and more"
    values = measured(f"ab.\n\n{long}\nab.\nab.")

    assert {
        "punctuation_line_fraction": 3 / 4,
        "repeated_line_character_fraction": pytest.approx(6 / (9 + len(long))),
        "short_line_fraction": 3 / 4,
    } == values
    assert {0.0} == set(measured("").values())


@pytest.mark.parametrize(
    ("signal", "kept", "removed"),
    [
        ("punctuation_line_fraction", [0.12, 1.0], [0.1199, 0.0]),
        ("repeated_line_character_fraction", [0.1, 0.0], [0.1001, 1.0]),
        ("short_line_fraction", [0.67, 0.0], [0.6701, 1.0]),
    ],
)
def test_limits_are_inclusive(signal: str, kept: list[float], removed: list[float]) -> None:
    columns = pa.RecordBatch.from_pydict({signal: [*kept, *removed]})
    limit = dict(limits_of(fineweb.Limits()))[signal]

    assert [False, False, True, True] == violations(columns, {signal: limit})[signal].tolist()
