"""Names in kernels have one type each where that is what numba finds, and otherwise one for each assignment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core.runtime import _nrt_python, rtsys
from numba.core.untyped_passes import ReconstructSSA

from tests.test_plain_code import kernel


@pytest.fixture
def told_apart(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions of which assignments are told apart."""
    names: list[str] = []
    tell_apart: Callable[..., bool] = ReconstructSSA.run_pass

    def run_pass(step: Any, state: Any) -> bool:
        if state.func_ir.func_id.modname == "filters.for_tests":
            names.append(state.func_ir.func_id.func_name)
        return tell_apart(step, state)

    monkeypatch.setattr(ReconstructSSA, "run_pass", run_pass)
    return names


def longest_run(values: Any) -> Any:
    """Names that are assigned again in loops and branches, each of one type."""
    best = run = 0
    mean = 0.5
    previous = -1
    for i in range(len(values)):
        value = int(values[i])
        run = run + 1 if value == previous else 1
        if run > best:
            best = run
            mean = mean / 2 + value
        previous = value
    return best, mean


def halves(values: Any) -> Any:
    """An integer that becomes a float."""
    total = 1
    for i in range(len(values)):
        total = total * 0.5 + values[i]
    return total


def narrow(values: Any) -> Any:
    """A byte in one place, of which a sum is a word without a sign, and a word with a sign in another."""
    total, byte = values[0] - values[0], values[0]
    for i in range(len(values)):
        total += byte * 2
        byte = values[i]
        if i == 2:
            byte = i - 300
    return total, byte


def unsigned(values: Any) -> Any:
    """A word without a sign, of which one for both would be a float."""
    kept = np.uint64(0)
    for i in range(len(values)):
        word = (np.uint64(1) << np.uint64(63)) + np.uint64(i)
        kept |= word | np.uint64(1)
        word = i - 7
        kept ^= np.uint64(word & 255)
    return kept


def views(values: Any) -> Any:
    """An array that becomes one of another type."""
    total = 0.0
    for i in range(len(values)):
        part = values[i:]
        total += part[0]
        part = part * 2.5
        total += part[0]
    return total


def constant(values: Any) -> Any:
    """A constant of the module in one place, a number in another."""
    size = SIZE
    if len(values) > 3:
        size = len(values)
    return size


SIZE = 2


def test_names_of_one_type_stay_one_variable_each(told_apart: list[str]) -> None:
    assert kernel(longest_run)(np.array([3, 3, 3, 1, 1])) == (3, 0.5 / 8 + 3 * (1 + 0.5 + 0.25))
    assert told_apart == []


@pytest.mark.parametrize("function", [halves, narrow, unsigned, views, constant])
def test_a_name_of_several_types_is_taken_as_numba_takes_it(
    function: Callable[..., Any], told_apart: list[str]
) -> None:
    values = np.array([5, 2, 4, 1], np.uint8)

    ours = kernel(function)(values)

    assert function.__name__ in told_apart
    numbas = numba.njit(function)(values)
    assert (ours, type(ours)) == (numbas, type(numbas))


@given(st.lists(st.integers(0, 3), max_size=40))
def test_kernels_give_what_python_gives(values: list[int]) -> None:
    assert OURS(np.array(values, np.int64)) == longest_run(values)


OURS = kernel(longest_run)


def test_an_error_in_types_is_numbas() -> None:
    def lengths(values: Any) -> Any:
        size = len(values)
        size = len(size)
        return size

    with pytest.raises(numba.core.errors.TypingError, match="len"):
        kernel(lengths)(np.arange(3))


def test_an_array_that_grows_leaves_none_behind(told_apart: list[str]) -> None:
    @kernel
    def collect(values: Any) -> Any:
        found, size = np.empty(1, np.int64), 0
        for i in range(len(values)):
            if size == len(found):
                longer = np.empty(2 * len(found), np.int64)
                longer[: len(found)] = found
                found = longer
            found[size] = values[i]
            size += 1
        return found[:size]

    values = np.arange(1000)
    collect(values)
    _nrt_python.memsys_enable_stats()
    before = rtsys.get_allocation_stats()
    assert (collect(values) == values).all()
    after = rtsys.get_allocation_stats()
    _nrt_python.memsys_disable_stats()
    assert after.alloc - before.alloc == after.free - before.free > 10
    assert told_apart == []
