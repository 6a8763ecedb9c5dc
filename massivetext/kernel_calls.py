"""How kernels call each other: arrays and named tuples of them are passed by address, an error is returned at once.

numba passes an array as seven words and a tuple as all its parts, and asks after each call which of four things
happened. The program's own tuples alone are passed by their address, arrays where a kernel is called; how anything else
is passed is numba's. Numbers, arrays and tuples of them are returned as they are.
"""

from __future__ import annotations

import copy
import functools
from typing import Any

from llvmlite import ir as llvm
from numba.core import callconv, cpu, imputils, types
from numba.core.datamodel import default_manager, models, packer

__all__ = ["KernelContext", "address_of", "is_own", "is_passed_by_address", "kernel_function", "slot"]

# numba's types say less than it has.
_types: Any = types
_llvm: Any = llvm
_manager: Any = default_manager
_models: Any = models
_packer: Any = packer
_Context: Any = cpu.CPUContext
_CallConvention: Any = callconv.CPUCallConv
_callconv: Any = callconv
_imputils: Any = imputils

_OWN = ("massivetext", "filters")
"""The packages that have kernels."""


def is_own(module: str) -> bool:
    """Whether a module, by its name, is one of this program that may have kernels."""
    return module.partition(".")[0] in _OWN


def is_passed_by_address(kind: Any) -> bool:
    """Whether a type is a named tuple of this program that has arrays."""
    return (
        isinstance(kind, _types.BaseNamedTuple)
        and is_own(kind.instance_class.__module__)
        and any(isinstance(part, (_types.Array, _types.BaseTuple)) for part in kind.types)
    )


class _ByAddress:
    """How a named tuple is passed to a function that is called."""

    get_value_type: Any

    def get_argument_type(self) -> Any:
        return self.get_value_type().as_pointer()

    def as_argument(self, builder: Any, value: Any) -> Any:
        return address_of(builder, value)

    def from_argument(self, builder: Any, value: Any) -> Any:
        value.add_attribute("noalias")  # nobody changes it while the function runs
        whole = builder.load(value)
        whole.address = value
        return whole


def address_of(builder: Any, value: Any) -> Any:
    """Return where a value is in memory. It is written there if it is not anywhere yet."""
    address = getattr(value, "address", None)
    if address is None:
        address = slot(builder, value.type)
        builder.store(value, address)
    return address


class _TupleByAddress(_ByAddress, _models.TupleModel):  # type: ignore[misc]
    pass


class _UniTupleByAddress(_ByAddress, _models.UniTupleModel):  # type: ignore[misc]
    pass


def _tuple_model(manager: Any, kind: Any) -> Any:
    return (_TupleByAddress if is_passed_by_address(kind) else _models.TupleModel)(manager, kind)


def _uni_tuple_model(manager: Any, kind: Any) -> Any:
    return (_UniTupleByAddress if is_passed_by_address(kind) else _models.UniTupleModel)(manager, kind)


_manager.register(_types.NamedTuple, _tuple_model)
_manager.register(_types.NamedUniTuple, _uni_tuple_model)


class _ArrayByAddress(_ByAddress, _models.ArrayModel):  # type: ignore[misc]
    pass


_ARRAYS: dict[Any, _ArrayByAddress] = {}


class _Models:
    """What numba asks how an argument of a kernel is passed."""

    def __init__(self, numbas: Any) -> None:
        self._numbas = numbas

    def lookup(self, kind: Any) -> Any:
        if not isinstance(kind, _types.Array):
            return self._numbas.lookup(kind)
        if kind not in _ARRAYS:
            _ARRAYS[kind] = _ArrayByAddress(self._numbas, kind)
        return _ARRAYS[kind]


def _is_returned_whole(kind: Any) -> bool:
    """Whether a value is returned as it is. numba takes it apart and together again, for truth values in it."""
    if isinstance(kind, _types.BaseTuple):
        return all(_is_returned_whole(part) for part in kind.types)
    return isinstance(kind, (_types.Array, _types.Number))


class _KernelCalls(_CallConvention):  # type: ignore[misc]
    """How a kernel calls another: an error of the one that is called is returned at once, there is no `try`."""

    def call_function(
        self, builder: Any, callee: Any, kind: Any, kinds: Any, arguments: Any, attrs: Any = None
    ) -> tuple[Any, Any]:
        context = self.context.context_of(callee)
        caller = builder.function.args
        if isinstance(kind, _types.Optional) or len(caller) < 2 or caller[1].type != callee.args[1].type:
            numbas = _CallConvention(context)
            return numbas.call_function(builder, callee, kind, kinds, arguments, attrs)  # type: ignore[no-any-return]
        place = slot(builder, self.get_return_type(kind).pointee)
        passed = context.get_arg_packer(kinds).as_arguments(builder, arguments)
        code = builder.call(callee, [place, caller[1], *passed])
        is_error = builder.icmp_signed("!=", code, code.type(0))
        status = _callconv.Status(code, None, None, is_error, None, None, None, None)
        return status, self.context.get_returned_value(builder, kind, builder.load(place))

    def return_status_propagate(self, builder: Any, status: Any) -> None:
        if status.is_ok is None:
            builder.ret(status.code)
        else:
            super().return_status_propagate(builder, status)


class KernelContext(_Context):  # type: ignore[misc]
    """What numba asks for how a function of this program calls another."""

    @property
    def call_conv(self) -> Any:
        return _KernelCalls(self)

    @functools.cached_property
    def _numbas(self) -> Any:
        """What numba asks how a function of its own calls another, and is called."""
        context = copy.copy(self)
        context.__class__ = _Context
        return context

    def get_constant_generic(self, builder: Any, kind: Any, value: Any) -> Any:
        if isinstance(kind, _types.Integer):
            return _llvm.Constant(_llvm.IntType(kind.bitwidth), value)
        return super().get_constant_generic(builder, kind, value)

    def get_return_value(self, builder: Any, kind: Any, value: Any) -> Any:
        return value if _is_returned_whole(kind) else super().get_return_value(builder, kind, value)

    def get_returned_value(self, builder: Any, kind: Any, value: Any) -> Any:
        return value if _is_returned_whole(kind) else super().get_returned_value(builder, kind, value)

    def get_arg_packer(self, kinds: Any) -> Any:
        return _packer.ArgPacker(_Models(self.data_model_manager), kinds)

    def declare_function(self, module: Any, description: Any) -> Any:
        if is_own(description.modname):
            return super().declare_function(module, description)
        function = self._numbas.declare_function(module, description)
        function.is_numbas = True
        return function

    def _compile_subroutine_no_cache(self, *of_function: Any, **options: Any) -> Any:
        return self._numbas._compile_subroutine_no_cache(*of_function, **options)

    def context_of(self, callee: Any) -> Any:
        """What to ask how this function is called."""
        return self._numbas if getattr(callee, "is_numbas", False) else self


def kernel_function(description: Any, libraries: Any) -> Any:
    """Return what writes the call of a kernel, also into a function that is none."""
    write = _imputils.user_function(description, libraries)

    def write_call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not isinstance(context, KernelContext):
            context = copy.copy(context)
            context.__class__ = KernelContext
        return write(context, builder, signature, arguments)

    write_call.signature, write_call.libs = write.signature, write.libs  # type: ignore[attr-defined]
    return write_call


def slot(builder: Any, kind: Any) -> Any:
    """Memory for a value, which is written before it is read."""
    with builder.goto_entry_block():
        return builder.alloca(kind)
