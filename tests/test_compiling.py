"""What numba is spared while a kernel is compiled, and that it is as it was afterwards."""

from __future__ import annotations

import gc
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numba import njit as plain_njit
from numba.core import errors, types
from numba.core.registry import cpu_target
from numba.core.types import functions
from numba.core.typing import templates

from massivetext import compiling
from massivetext.compiling import spared
from massivetext.kernels import njit


def state() -> tuple[Any, ...]:
    overload: Any = templates._OverloadFunctionTemplate  # type: ignore[attr-defined]
    return functions.BaseFunction.get_call_type, overload._get_jit_decorator, gc.isenabled()


def adding() -> Callable[..., Any]:
    def add(values: Any, words: Any) -> Any:
        sums = np.empty(len(values), np.float64)
        order = np.argsort(values)
        for i in range(len(values)):
            sums[i] = values[order[i]] / 2 + values[i] * 2 + words[i] % 3
        return np.sort(sums)

    return add


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint64, np.float64])
def test_a_kernel_gives_what_numba_by_itself_gives(kind: type) -> None:
    values, words = np.array([3, 1, 2, 9], kind), np.array([7, 8, 9, 1], np.uint8)

    ours = njit(cache=False)(adding())(values, words)

    assert plain_njit(adding())(values, words).tolist() == ours.tolist()


def test_numba_is_as_before_after_a_compilation_and_after_one_that_failed() -> None:
    before = state()

    with spared():
        during = state()
        with spared():
            assert during == state()
        assert during == state()
    assert before == state()
    assert all(one != other for one, other in zip(before, during))

    def wrong(value: Any) -> Any:
        return value + "one"

    with pytest.raises(errors.TypingError):
        njit(cache=False)(wrong)(1)
    assert before == state()


def test_what_was_answered_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    ask = compiling._call_type

    def count(self: Any, *rest: Any) -> Any:
        asked.append(self)
        return ask(self, *rest)

    monkeypatch.setattr(compiling, "_call_type", count)
    monkeypatch.setattr(functions.BaseFunction, "get_call_type", count)
    monkeypatch.setattr(compiling, "_ANSWERS", {})

    def many(a: Any, b: Any) -> Any:
        c = a + b
        c = c + b
        c = c + a
        return c + c

    assert 20 == njit(cache=False)(many)(3, 2)
    once = len(asked)
    assert 20 == plain_njit(many)(3, 2)
    assert 3 <= (len(asked) - once) - once


def test_a_function_of_numba_is_a_part_of_the_kernel() -> None:
    """Its callers by others' kernels find it all the same."""

    def first(values: Any) -> Any:
        return np.unique(values)[0]

    values = np.array([5, 4, 4], np.int16)

    assert 4 == njit(cache=False)(first)(values)
    assert 4 == plain_njit(first)(values)


def test_a_call_is_resolved_anew_only_where_types_have_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    resolve = compiling._resolve_call

    def count(call: Any, *rest: Any) -> None:
        calls.append(id(call))
        resolve(call, *rest)

    monkeypatch.setattr(compiling, "_resolve_call", count)

    def widened(n: int) -> Any:
        total = 0
        for i in range(n):
            total = total + i / 2
        return total

    assert 5.0 == njit(cache=False)(widened)(5)
    assert len(calls) <= 2 * len(set(calls))


def test_an_error_tells_where_it_is() -> None:
    def wrong(value: Any) -> Any:
        return value.nothing

    with pytest.raises(errors.TypingError, match=r"During: typing of get attribute at .*test_compiling"):
        njit(cache=False)(wrong)(1)


KINDS = (types.int64, types.int32, types.uint64, types.uint8, types.float64, types.float32, types.boolean)
CONSTANTS = (types.literal(3), types.literal(-1), types.literal(True))


@pytest.mark.parametrize(
    "name", ["add", "isub", "mul", "truediv", "floordiv", "mod", "lshift", "and_", "eq", "lt", "pow"]
)
def test_beside_a_number_a_constant_is_a_number(name: str) -> None:
    """numba tries the type of a constant first, and finds that of the number if nothing is special about it."""
    function = getattr(operator, name)
    context: Any = cpu_target.typing_context
    context.refresh()

    def answer(*kinds: Any) -> Any:
        try:
            return context.resolve_function_type(context.resolve_value_type(function), kinds, {})
        except errors.TypingError:
            return None

    pairs = [(kind, constant) for kind in KINDS for constant in CONSTANTS]
    for pair in pairs + [pair[::-1] for pair in pairs]:
        assert answer(*pair) == answer(*(types.unliteral(kind) for kind in pair)), pair
