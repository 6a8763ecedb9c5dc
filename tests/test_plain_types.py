"""Types in kernels are those that numba finds, in fewer questions."""

from __future__ import annotations

import math
import operator
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import ir, itanium_mangler, types
from numba.core.registry import cpu_target

from massivetext import compiling, plain_types
from massivetext.compiling import spared
from tests.test_plain_code import kernel

LIMITS = (3, 0.5, np.arange(4), True)


def items(values: Any, words: Any) -> Any:
    """Items of tuples and arrays by constants, operations on arrays and on numbers, and functions of all kinds."""
    pair = values, 2.5, words
    both = values + words[0] * 2
    both -= values
    last, rest = pair[-1], pair[1:]
    total = pair[0][1] + pair[1] + last[2] + values[-1] + rest[0] + len(rest) + LIMITS[0] + LIMITS[-2][3]
    if LIMITS[3] and (values == words).any():
        total += math.floor(np.sqrt(total)) + abs(-total) + int(total)
    return total, both.sum(), -values[1], ~words[0], rest[1].max()


@pytest.mark.parametrize("kinds", [(np.int64, np.int64), (np.int32, np.uint8), (np.float32, np.int64)])
def test_a_kernel_gives_what_python_and_numba_give(kinds: tuple[type, type]) -> None:
    values, words = np.array([3, 1, 2, 9], kinds[0]), np.array([7, 1, 9, 1], kinds[1])

    ours = kernel(items)(values, words)

    assert ours == numba.njit(items)(values, words)
    assert ours[:2] == pytest.approx(items(values, words)[:2])


@pytest.mark.parametrize("index", [-3, 2])
def test_an_item_that_a_tuple_does_not_have_is_an_error(index: int) -> None:
    def beyond(values: Any) -> Any:
        pair = values, 3
        return pair[index]

    with pytest.raises(numba.core.errors.TypingError, match=r"out of range|out of bounds"):
        kernel(beyond)(np.arange(3))


VALUES = [len, max, abs, math.floor, np.sqrt, np.uint64, np, math, int, range, operator.add, kernel(items)]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_types_of_functions_and_modules_are_numbas(value: Any) -> None:
    inferer: Any = type("Inferer", (), {"context": cpu_target.typing_context})()
    inferer.context.refresh()
    line = ir.Const(value, ir.Loc("here", 1))
    for _ in range(2):
        assert plain_types._remembered_type(inferer, line, value) == plain_types._type_of_value(inferer, line, value)


def test_signatures_of_calls_are_numbas() -> None:
    asked: Any = cpu_target.typing_context
    asked.refresh()
    array, of_kernel = types.Array(types.int64, 1, "C"), kernel(items)
    for function, *kinds in [
        (asked.resolve_value_type(max), types.int64, types.float64),
        (asked.resolve_value_type(np.sqrt), array),
        (asked.resolve_value_type(of_kernel), array, array),
        (types.NumberClass(types.uint8), types.int64),
        (asked.resolve_getattr(array, "sum"),),
        ("static_getitem", array, 3),
    ]:
        expected = plain_types._find_called(asked, function, tuple(kinds), {})
        assert plain_types._called(asked, function, tuple(kinds), {}) == expected, function


def test_names_of_functions_are_numbas() -> None:
    kinds = [
        types.int64,
        types.Array(types.uint8, 1, "C", readonly=True),
        types.UniTuple(types.float64, 2),
        1,
        True,
        "a",
    ]
    expected = [itanium_mangler.mangle_args([kind]) for kind in kinds]
    for _ in range(2):
        with spared():
            assert [itanium_mangler.mangle_args([kind]) for kind in kinds] == expected


def test_an_operation_on_numbers_is_none_on_arrays() -> None:
    all_kinds = plain_types._ArrayOperator.__subclasses__()
    of_sums: Any = next(kind for kind in all_kinds if getattr(kind, "key", None) is operator.add)(
        cpu_target.typing_context
    )
    array = types.Array(types.int64, 1, "C")
    for kinds in [(types.int64, types.int64), (types.int64, types.float64), (array, types.int64), (array, array)]:
        assert plain_types._array_operator(of_sums, kinds, {}) == plain_types._type_of_operator(of_sums, kinds, {})


def test_variables_of_a_statement_are_numbas() -> None:
    here, names = ir.Loc("here", 1), [ir.Var(None, name, ir.Loc("here", 1)) for name in "abcd"]
    a, b, c, d = names
    call = ir.Expr.call(a, [b, c], [("key", d)], here)
    lines = [ir.Assign(call, b, here), ir.SetItem(a, b, c, here), ir.Branch(a, 1, 2, here), ir.Del("a", here), call]
    for line in [*lines, ir.Assign(ir.Const((1, "a"), here), d, here), ir.Return(c, here)]:
        expected = [variable.name for variable in line.list_vars()]
        with spared():
            assert [variable.name for variable in line.list_vars()] == expected
    assert compiling._variables_in(call, {"one": [a, (b, 3)], "two": None, "three": call}) == [a, b, *call.list_vars()]
