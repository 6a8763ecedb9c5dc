"""The steps of numba's compiler that kernels go through."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite.binding import parse_assembly
from numba.core import compiler

from massivetext import plain_compiler
from massivetext.kernels import njit
from tests.test_plain_code import kernel


def test_every_step_that_is_left_out_is_one_of_numbas() -> None:
    assert all(hasattr(compiler, name) for name in plain_compiler._UNUSED)


def test_a_branch_that_no_argument_takes_is_left_out() -> None:
    @kernel
    def length(values: Any, other: Any) -> Any:
        if other is None:
            return len(values)
        return len(values) + len(other)

    assert 3 == length(np.arange(3), None)
    assert 5 == length(np.arange(3), np.arange(2))


def test_functions_that_are_not_of_the_program_go_through_all_steps() -> None:
    def squares(count: int) -> Any:
        return [value * value for value in range(count)]

    assert [0, 1, 4] == njit(cache=False)(squares)(3)


def test_llvm_spends_no_pass_on_what_takes_the_arguments_apart() -> None:
    @kernel
    def add(values: Any, number: int) -> Any:
        return values[0] + number

    assert 3 == add(np.arange(2) + 1, 2)
    code = parse_assembly("".join(add.inspect_llvm().values()))
    attributes = {
        function.name.startswith("_ZN7cpython"): b"optnone" in b"".join(function.attributes)
        for function in code.functions
        if "add" in function.name and not function.is_declaration
    }
    assert attributes == {True: True, False: False}
