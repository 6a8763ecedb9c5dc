"""Calls that are written where they stand give what NumPy and Python give, and compile no function of numba."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core import types
from numba.core.registry import cpu_target
from numba.core.runtime import _nrt_python, rtsys

from massivetext import linked_kernels
from massivetext.plain_calls import signature_of
from tests.test_plain_code import kernel

KINDS = [np.bool_, np.uint8, np.int32, np.uint64, np.float32, np.float64]


@kernel
def arrays(n: Any, k: Any, value: Any, like: Any) -> Any:
    empty = np.empty((n, k), like.dtype)
    for i in range(n):
        for j in range(k):
            empty[i, j] = like[(i + j) % len(like)]
    return np.zeros(n, like.dtype), empty, np.full((2, k, n), value, like.dtype), np.full(k, value, np.int16)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [(0, 0), (0, 3), (1, 1), (5, 2)])
def test_new_arrays_are_those_of_numpy(kind: type, lengths: tuple[int, int]) -> None:
    like = np.array([0, 1, 1, 0, 1], kind)
    for got, expected in zip(arrays(*lengths, 3, like), arrays.py_func(*lengths, 3, like), strict=True):
        assert got.dtype == expected.dtype
        assert got.shape == expected.shape
        assert got.flags.c_contiguous
        assert got.ctypes.data % 32 == 0
        if got.size:
            assert got.strides == expected.strides
        np.testing.assert_array_equal(got, expected)


@kernel
def of_shapes(n: Any, k: Any) -> Any:
    return np.zeros((n, k), np.int64), np.zeros(n, np.uint8), np.zeros((k, n)), np.empty(k)


def test_lengths_may_be_integers_of_any_type() -> None:
    for n, k in ((np.int8(3), np.uint32(2)), (np.uint64(3), np.int64(2)), (np.uint8(200), np.int16(1))):
        table, line, floats, new = of_shapes(n, k)
        assert (int(n), int(k)) == table.shape
        assert (int(n),) == line.shape
        assert (int(k), int(n)) == floats.shape
        assert (int(k),) == new.shape
        assert floats.dtype == new.dtype == np.float64
        assert not table.any()
        assert not line.any()
        assert not floats.any()


@kernel
def of_length(n: Any) -> Any:
    return len(np.empty(n, np.uint8)) + len(np.zeros((n, 8), np.float64))


@pytest.mark.parametrize("n", [-1, -(1 << 63), 1 << 50, 1 << 61, (1 << 63) - 1])
def test_an_array_that_cannot_be_is_an_error(n: int) -> None:
    """Also one whose number of bytes is 0 when it is taken with 64 bits: 8 x 8 x 2^61."""
    with pytest.raises(MemoryError, match="too large"):
        of_length(n)
    assert 12 == of_length(6)


@kernel
def many(n: Any) -> Any:
    total = 0
    for i in range(n):
        line = np.full(1000, i, np.int64)
        if i % 3 == 0:
            continue
        line = np.zeros(1000, np.int64) if i % 3 == 1 else line
        total += line[999]
    return total


def test_memory_is_given_back() -> None:
    _nrt_python.memsys_enable_stats()
    before = rtsys.get_allocation_stats()
    assert sum(range(2, 3000, 3)) == many(3000)
    after = rtsys.get_allocation_stats()
    _nrt_python.memsys_disable_stats()
    assert after.alloc - before.alloc == after.free - before.free
    assert after.mi_alloc - before.mi_alloc == after.mi_free - before.mi_free


@kernel
def limits(a: Any, b: Any) -> Any:
    return min(a, b), max(a, b), min(a, a), max(b, 7 * 0 + b)


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-(1 << 63), (1 << 63) - 1))
def test_the_lesser_and_the_larger_of_integers(a: int, b: int) -> None:
    assert (min(a, b), max(a, b), a, b) == limits(a, b)
    unsigned = np.uint64(a + (1 << 63)), np.uint64(b + (1 << 63))
    assert (min(unsigned), max(unsigned), *unsigned) == limits(*unsigned)


@kernel
def mixed_limits(a: Any, b: Any) -> Any:
    return min(a, b), max(a, b), min(b, a), max(b, a)


@given(st.integers(-128, 127), st.integers(-(1 << 63), (1 << 63) - 1))
def test_the_lesser_and_the_larger_of_integers_of_two_types(a: int, b: int) -> None:
    for narrow in (np.int8(a), np.int32(a)):
        assert (min(a, b), max(a, b), min(a, b), max(a, b)) == mixed_limits(narrow, np.int64(b))


def test_no_function_of_numba_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    def count(function: Any, options: Any) -> Any:
        compiled.append(function.__qualname__)
        return as_part(function, options)

    as_part = linked_kernels.as_part
    monkeypatch.setattr("massivetext.compiling.as_part", count)

    @kernel
    def plain(n: Any) -> Any:
        return np.zeros(n, np.int8)[min(n, 0)] + np.empty((n, 2), np.int8).size + np.full(n, 2, np.int8)[max(0, n - 1)]

    @kernel
    def by_name(n: Any) -> Any:
        return np.zeros(n, dtype=np.int8)[0]

    assert 8 == plain(3)
    assert not compiled
    assert 0 == by_name(3)
    assert compiled


def test_what_numba_has_to_find_out_is_left_to_it() -> None:
    context = cpu_target.typing_context
    context.refresh()
    empty, larger, length = (context.resolve_value_type(function) for function in (np.empty, max, len))
    uint8 = context.resolve_value_type(np.uint8)
    array = types.Array(types.uint8, 1, "C")

    assert array == signature_of(empty, [types.int64, uint8]).return_type
    assert types.Array(types.uint8, 2, "C") == signature_of(empty, [types.UniTuple(types.int32, 2), uint8]).return_type
    assert types.Array(types.float64, 1, "C") == signature_of(empty, [types.int64]).return_type
    assert types.int64 == signature_of(larger, [types.literal(3), types.int64]).return_type
    assert types.int64 == signature_of(larger, [types.int32, types.int64]).return_type
    assert types.int32 == signature_of(larger, [types.int32, types.int8]).return_type
    for function, kinds in (
        (empty, []),
        (empty, [types.float64, uint8]),
        (empty, [types.UniTuple(types.int64, 0), uint8]),
        (empty, [types.int64, types.unicode_type]),
        (empty, [types.int64, context.resolve_value_type(np.datetime64)]),
        (larger, [types.uint32, types.int64]),
        (larger, [types.float64, types.float64]),
        (larger, [types.int64, types.int64, types.int64]),
        (length, [array]),
        (array, [types.int64, uint8]),
    ):
        assert signature_of(function, kinds) is None
