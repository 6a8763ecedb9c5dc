"""How numba finds the types in a kernel, where it asks many and one is known to answer.

The answers are the same. numba asks all that it has for them, in turn, and each time anew: for the type of a function
that is called, for an item of a tuple, and whether an operation on two numbers is one on arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from numba.core import itanium_mangler, typeinfer, types
from numba.core.typing import context, npydecl

__all__ = ["CHEAPER"]

# numba's types say less than it has.
_types: Any = types
_mangler: Any = itanium_mangler
_Inferer: Any = typeinfer.TypeInferer
_StaticItem: Any = typeinfer.StaticGetItemConstraint
_Context: Any = context.BaseContext
_ArrayOperator: Any = npydecl.NumpyRulesArrayOperator

_type_of_value: Callable[..., Any] = _Inferer.resolve_value_type
_find_static_item: Callable[..., None] = _StaticItem.__call__
_type_of_operator: Callable[..., Any] = _ArrayOperator.generic
_find_called: Callable[..., Any] = _Context._resolve_user_function_type
_mangle: Callable[..., str] = _mangler.mangle_type_or_value

_OF_VALUES: dict[int, tuple[Any, Any]] = {}
"""The types of functions, of types and of modules, with what they are types of, which keeps its address."""


def _remembered_type(inferer: Any, line: Any, value: Any) -> Any:
    if not (callable(value) or isinstance(value, ModuleType)):
        return _type_of_value(inferer, line, value)
    known = _OF_VALUES.get(id(value))
    if known is None:
        known = _OF_VALUES[id(value)] = value, _type_of_value(inferer, line, value)
    return known[1]


def _static_item(item: Any, inferer: Any) -> None:
    """Find the type of an item with a constant index: of a tuple it is a part, of an array an element."""
    kinds = inferer.typevars[item.value.name].get()
    if len(kinds) == 1 and isinstance(item.index, int):
        kind = kinds[0]
        if isinstance(kind, _types.BaseTuple) and 0 <= item.index < len(kind):
            inferer.add_type(item.target, kind.types[item.index], loc=item.loc)
            return
        if isinstance(kind, _types.Array) and item.fallback is not None:
            item.fallback(inferer)
            return
    _find_static_item(item, inferer)


def _array_operator(template: Any, kinds: Any, keywords: Any) -> Any:
    """The signature of an operation on arrays. numba finds numpy's function for numbers as well, and drops it."""
    if not any(isinstance(kind, _types.ArrayCompatible) for kind in kinds):
        return None
    return _type_of_operator(template, kinds, keywords)


def _called(asked: Any, function: Any, *of_call: Any, **keywords: Any) -> Any:
    """The signature of a call. numba looks first whether the type of a function has a method `__call__`."""
    if isinstance(function, (_types.Function, _types.Dispatcher)):
        return function.get_call_type(asked, *of_call[:2])
    return _find_called(asked, function, *of_call, **keywords)


_mangled_type = functools.cache(_mangle)


def _mangle_once(kind: Any) -> str:
    """A type, or a number, in the name of a function. Of numbers True would be taken for 1."""
    return _mangled_type(kind) if isinstance(kind, _types.Type) else _mangle(kind)


CHEAPER: tuple[tuple[Any, str, Any], ...] = (
    (_Inferer, "resolve_value_type", _remembered_type),
    (_StaticItem, "__call__", _static_item),
    (_ArrayOperator, "generic", _array_operator),
    (_Context, "_resolve_user_function_type", _called),
    (_mangler, "mangle_type_or_value", _mangle_once),
)
"""Of which class or module what is replaced by what while a kernel is compiled."""
