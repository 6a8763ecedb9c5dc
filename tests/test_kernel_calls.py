"""How kernels call each other: arrays and tuples of them by address, errors at once; no array is freed too early."""

from __future__ import annotations

import gc
import sys
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest
from numba.core.registry import cpu_target

from massivetext.kernel_calls import is_passed_by_address
from tests.test_plain_code import kernel


class Arrays(NamedTuple):
    """As a kernel has them."""

    first: Any
    second: Any


class Deep(NamedTuple):
    """One in another, and a number."""

    arrays: Any
    number: int
    flags: Any


class Elsewhere(NamedTuple):
    first: Any
    second: Any


Arrays.__module__ = Deep.__module__ = "filters.for_tests"


@kernel
def total(arrays: Any, start: int) -> Any:
    result = 0
    for i in range(start, len(arrays.first)):
        result += arrays.first[i] * 10 + arrays.second[i]
    return result


@kernel
def deep_total(deep: Any) -> Any:
    deep.arrays.second[0] += deep.number
    first, _second = deep.arrays
    if deep.flags[deep.number]:
        return total(deep.arrays, 0) + first[0]
    return total(Arrays(deep.arrays.second, deep.arrays.first), deep.number)


@kernel
def by_turns(one: Any, other: Any, turns: int) -> Any:
    """Tuples that are variables, of which one takes the other's place."""
    current, last = one, other
    result = 0
    for i in range(turns):
        result = result * 3 + total(current, 0) - total(last, i % 2)
        if i == 2:
            current = Arrays(last.first[1:], last.second[1:])
        else:
            current, last = last, current
    return result


def arrays(*numbers: int) -> Arrays:
    return Arrays(np.array(numbers), np.array(numbers[::-1]))


def test_tuples_of_the_program_with_arrays_are_passed_by_their_address() -> None:
    array = numba.typeof(np.arange(3))
    assert is_passed_by_address(numba.typeof(arrays(1, 2)))
    assert is_passed_by_address(numba.typeof(Deep(arrays(1), 2, np.ones(2))))
    assert not is_passed_by_address(numba.typeof(Arrays(1, 2)))
    assert not is_passed_by_address(numba.typeof(Elsewhere(np.arange(3), np.arange(3))))
    assert not is_passed_by_address(array)

    models = cpu_target.target_context.data_model_manager
    assert models[numba.typeof(arrays(1, 2))].get_argument_type().is_pointer
    assert not hasattr(models[numba.typeof(Elsewhere(np.arange(3), np.arange(3)))].get_argument_type(), "is_pointer")


def test_what_is_passed_is_what_python_passes() -> None:
    assert total.py_func(arrays(1, 2, 3), 1) == total(arrays(1, 2, 3), 1)
    assert 10 * 2 + 1 == total(Elsewhere(np.array([1, 2]), np.array([7, 1])), 1)
    for flags in ([True, True], [False, False]):
        ours, pythons = (Deep(arrays(4, 5, 6), 1, np.array(flags)) for _ in range(2))
        assert deep_total.py_func(pythons) == deep_total(ours)
        assert pythons.arrays.second.tolist() == ours.arrays.second.tolist()
    for turns in range(7):
        assert by_turns.py_func(arrays(1, 2, 3), arrays(5, 4, 9), turns) == by_turns(
            arrays(1, 2, 3), arrays(5, 4, 9), turns
        )


def test_numba_by_itself_calls_a_kernel_with_the_programs_tuples() -> None:
    @numba.njit
    def outside(values: Any) -> Any:
        return total(values, 0) + total(Arrays(values.second, values.first), 0)

    values = arrays(1, 2, 3)
    assert 2 * (10 * 6 + 6) == outside(values)


@kernel
def weigh(numbers: Any, start: Any, table: Any) -> Any:
    result = 0
    for i in range(start, len(numbers)):
        result += numbers[i] * (i + 1) + table[i % len(table), 0]
    numbers[0] += 1
    return result // (numbers[0] - 40)


@kernel
def arrays_by_turns(one: Any, other: Any, table: Any, turns: int) -> Any:
    """Arrays that are arguments, variables that take each other's place, parts, and arrays that are made here."""
    counted = np.full(len(one), turns)
    current, last = one, other
    result = 0
    for i in range(turns):
        result = result * 3 + weigh(current, 0, table) - weigh(last, i % 2, table[i % 2 :])
        if i == 2:
            current = last[::2]
        elif i == 3:
            current = counted
        else:
            current, last = last, current
    one = counted
    return result + weigh(one, 0, table) + weigh(np.arange(turns, turns + 4), 1, table), current, one


def numbers_by_turns(turns: int) -> tuple[Any, ...]:
    return np.array([1, 2, 3, 7]), np.array([9, 8, 5, 4, 4])[1:], np.arange(8).reshape(4, 2), turns


@pytest.mark.parametrize("turns", range(8))
def test_arrays_that_are_passed_are_those_that_python_passes(turns: int) -> None:
    pythons, ours = numbers_by_turns(turns), numbers_by_turns(turns)
    expected, result = arrays_by_turns.py_func(*pythons), arrays_by_turns(*ours)

    assert expected[0] == result[0]
    assert [array.tolist() for array in (*expected[1:], *pythons[:3])] == [
        array.tolist() for array in (*result[1:], *ours[:3])
    ]


def test_numba_by_itself_calls_a_kernel_with_arrays() -> None:
    def outside(one: Any, other: Any, table: Any, turns: int) -> Any:
        numbers = np.arange(turns, turns + 4)
        return (
            weigh(one, 0, table) + weigh(numbers, 1, table[1:]),
            arrays_by_turns(numbers, other, table, turns)[0],
            numbers,
        )

    expected, result = outside(*numbers_by_turns(3)), numba.njit(outside)(*numbers_by_turns(3))
    assert (*expected[:2], expected[2].tolist()) == (*result[:2], result[2].tolist())
    with pytest.raises(ZeroDivisionError):
        numba.njit(outside)(np.array([39, 1]), *numbers_by_turns(3)[1:])
    assert numba.njit(outside)(*numbers_by_turns(3))[0] == expected[0]


@kernel
def parts(values: Any, which: int) -> Any:
    """A part of an argument, a part of a part, and an array that is made here."""
    made = Arrays(np.full(3, which), values.second[1:])
    chosen = values.first if which else made.second
    return chosen, made.first, values.second, made


def test_arrays_live_as_long_as_someone_has_them() -> None:
    values = arrays(*range(1000, 1006))
    before = [sys.getrefcount(array) for array in values]
    for which in (0, 1):
        returned = [parts(values, which) for _ in range(50)]
        gc.collect()
        junk = [np.full(6, -1) for _ in range(100)]
        for chosen, made, second, both in returned:
            expected = parts.py_func(values, which)
            assert (expected[0].tolist(), expected[1].tolist()) == (chosen.tolist(), made.tolist())
            assert (expected[2].tolist(), expected[3].first.tolist()) == (second.tolist(), both.first.tolist())
            assert expected[3].second.tolist() == both.second.tolist()
        del returned, junk, chosen, made, second, both, expected
    assert before == [sys.getrefcount(array) for array in values]


@kernel
def divide(values: Any, divisor: int) -> Any:
    return values.first[0] // divisor


@kernel
def divide_twice(values: Any, divisor: int) -> Any:
    result = divide(values, divisor + 1)
    return result + divide(values, divisor)


def test_an_error_of_a_kernel_that_is_called_is_raised() -> None:
    assert 100 // 3 + 100 // 2 == divide_twice(arrays(100), 2)
    for divisor in (0, -1):
        with pytest.raises(ZeroDivisionError):
            divide_twice(arrays(100), divisor)
    assert 100 // 3 + 100 // 2 == divide_twice(arrays(100), 2)
