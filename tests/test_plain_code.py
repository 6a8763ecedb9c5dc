"""Kernels do what Python does, with half of the code that numba writes for them."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core.codegen import CPUCodeLibrary

from massivetext.kernels import njit
from massivetext.linked_kernels import as_part
from tests.checked import checked_environment


def kernel(function: Callable[..., Any]) -> Any:
    """A function as a kernel of this program."""
    function.__module__ = "filters.for_tests"
    sys.modules.setdefault(function.__module__, ModuleType(function.__module__))  # numba looks for it there
    return njit(cache=False)(function)


@kernel
def element(values: Any, index: Any) -> Any:
    return values[index]


@kernel
def from_the_end(values: Any) -> Any:
    return values[-1], values[-4]


@kernel
def pick(values: Any, row: Any, column: Any) -> Any:
    return values[row, column] + values[-1, -2]


@kernel
def put(values: Any, row: Any, column: Any, value: Any) -> None:
    values[row, column] = value
    values[-1, -1] += value


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint32, np.int64, np.uint64, np.float32, np.float64, np.bool_])
def test_an_element_is_that_of_python_also_from_the_end(kind: type) -> None:
    values: Any = np.array([0, 1, 7, 2, 0, 9], kind)
    assert from_the_end(values) == (values[-1], values[-4])
    for index in range(6):
        assert element(values, index) == values[index]
        assert element(values, np.int8(index)) == values[index]
    assert element(values, np.uint64(5)) == values[5]
    assert element(values[::2], 1) == values[2]
    assert from_the_end(values.repeat(2)[::2]) == (values[-1], values[-4])


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_element_of_two_indices_and_what_is_written_to_it(order: Any) -> None:
    values = np.asarray(np.arange(12, dtype=np.float32).reshape(3, 4), order=order)
    for row, column in itertools.product(range(-3, 3), range(-4, 4)):
        if row >= 0 and column >= 0:
            assert pick(values, row, column) == values[row, column] + values[-1, -2]
        ours, numpys = values.copy(order), values.copy(order)
        put(ours, row, column, 7)
        numpys[row, column] = 7
        numpys[-1, -1] += 7
        assert ours.tolist() == numpys.tolist()


def from_the_back(values: Any, k: Any) -> Any:
    return values[-k]


def test_functions_that_are_no_kernels_count_from_the_end_by_any_index() -> None:
    from_the_back.__module__ = "elsewhere"
    sys.modules.setdefault("elsewhere", ModuleType("elsewhere"))
    part = as_part(from_the_back, {"nogil": True})

    @kernel
    def last_three(values: Any) -> Any:
        return part(values, 1), part(values, 2), part(values, 3)

    assert last_three(np.array([0, 1, 7, 2, 9])) == (9, 2, 7)


CHECKED = """
import numpy as np
from tests.test_plain_code import element, from_the_end, pick, put, rows

values, table = np.arange(5), np.ones((3, 4))
assert from_the_end(values) == (4, 1) and element(values, 4) == 4 and pick(table, 2, 3) == 2
put(table, 2, 3, 7)
calls = (element, values, -1), (element, values, 5), (pick, table, -1, 0), (pick, table, 0, -1), (put, table, -1, 0, 7)
for function, *arguments in calls:
    try:
        function(*arguments)
    except IndexError as error:
        print(error)
"""


def test_where_bounds_are_checked_a_negative_index_is_an_error_unless_it_is_a_constant() -> None:
    command = [sys.executable, "-c", CHECKED]
    done = subprocess.run(command, capture_output=True, text=True, env=checked_environment(), check=False)
    assert done.returncode == 0, done.stderr
    negative = ["an index is negative"] * 3
    assert done.stdout.splitlines() == [negative[0], "index is out of bounds", *negative]


@kernel
def rows(values: Any, row: int) -> Any:
    values[0] = values[row]
    values[1, 1:] = values[row, :-1]
    return values[row].sum() + len(values) + len(values[row])


def test_rows_and_parts_of_rows_are_numbas() -> None:
    values = np.arange(12).reshape(3, 4)
    assert 8 + 9 + 10 + 11 + 3 + 4 == rows(values, -1)
    assert [[8, 9, 10, 11], [4, 8, 9, 10], [8, 9, 10, 11]] == values.tolist()


@kernel
def loops(first: Any, last: Any) -> Any:
    total, turns, last_seen = 0, 0, -99
    for i in range(last):
        turns += 1
        for j in range(first, i):
            if j == 3:
                continue
            if turns > 50:
                break
            total += j * 10 + i
        last_seen = i
    for i in range(last, first, -2):
        total += i
    for i in range(first, last, 3):
        total -= i
        last_seen = i
    return total, turns, last_seen


@given(st.integers(-12, 12), st.integers(-12, 80))
def test_loops_over_ranges(first: int, last: int) -> None:
    assert loops(first, last) == loops.py_func(first, last)


@kernel
def bounds(one: Any, other: Any) -> Any:
    return min(one, other), max(one, other)


@pytest.mark.parametrize("kinds", [(int, int), (np.uint64, np.uint64), (int, float), (np.uint8, np.int64)])
def test_the_smaller_and_the_larger_of_two(kinds: tuple[type, type]) -> None:
    for one, other in itertools.product((0, 1, 5, 200), repeat=2):
        pair = kinds[0](one), kinds[1](other)
        assert bounds(*pair) == (min(pair), max(pair))
    assert (1, 2**64 - 1) == bounds(np.uint64(2**64 - 1), np.uint64(1))
    assert (-3, 2) == bounds(2, -3)


@kernel
def assigned_anew(values: Any, turns: int) -> Any:
    count = 5
    for i in range(turns):
        if i % 2:
            values = values[1:]
        else:
            other = np.empty(len(values), values.dtype)
            other[:] = values
            values = other
        count = i
    return values, count


def test_an_argument_that_is_assigned_anew_and_returned() -> None:
    values = np.arange(10)
    for turns in range(7):
        ours, count = assigned_anew(values, turns)
        expected = assigned_anew.py_func(values, turns)
        assert (expected[0].tolist(), expected[1]) == (ours.tolist(), count)


def test_it_is_half_of_what_numba_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    add = CPUCodeLibrary.add_llvm_module

    def count(library: Any, module: Any) -> None:
        written.append(str(module).count("\n  "))
        add(library, module)

    element(np.arange(5), 1)  # what numba compiles once in a process is compiled by now
    monkeypatch.setattr(CPUCodeLibrary, "add_llvm_module", count)

    def function(values: Any, other: Any) -> Any:
        total = 0
        for i in range(len(values)):
            if values[i] > other[i]:
                total += values[i] - other[i - 1]
        return total

    values = np.arange(5)
    assert function(values, values[::-1].copy()) == kernel(function)(values, values[::-1].copy())
    (ours,) = written  # the wrapper for Python goes through no pass
    written.clear()
    numba.njit(function)(values, values[::-1].copy())
    assert 2 * ours < written[0], (ours, written)


@kernel
def kinds_of(number: Any, other: Any) -> Any:
    return number in (3, 5, 9), number not in (3, 5), number in (3,), number in (4.0, 2.5), other in (number, other)


@pytest.mark.parametrize("kind", [int, np.int8, np.uint64, float])
def test_a_number_is_searched_for_in_a_tuple(kind: Callable[[int], Any]) -> None:
    for number in range(10):
        found = kinds_of(kind(number), kind(4))
        is_three = number == 3
        assert found == (number in (3, 5, 9), number not in (3, 5), is_three, number == 4, True)
