"""How kernels call each other: a named tuple of arrays is passed by its address, and an error is returned at once.

numba passes a tuple as all its parts, seven words for each array, and asks after each call which of four things
happened. The program's own tuples alone are passed by their address; how anything else is passed is numba's.
"""

from __future__ import annotations

from typing import Any

from numba.core import callconv, cpu, types
from numba.core.datamodel import default_manager, models

__all__ = ["KernelContext", "address_of", "is_own", "is_passed_by_address", "slot"]

# numba's types say less than it has.
_types: Any = types
_manager: Any = default_manager
_models: Any = models
_Context: Any = cpu.CPUContext
_CallConvention: Any = callconv.CPUCallConv
_callconv: Any = callconv

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


class _KernelCalls(_CallConvention):  # type: ignore[misc]
    """How a kernel calls another: an error of the one that is called is returned at once, there is no `try`."""

    def call_function(
        self, builder: Any, callee: Any, kind: Any, kinds: Any, arguments: Any, attrs: Any = None
    ) -> tuple[Any, Any]:
        caller = builder.function.args
        if isinstance(kind, _types.Optional) or len(caller) < 2 or caller[1].type != callee.args[1].type:
            return super().call_function(builder, callee, kind, kinds, arguments, attrs)  # type: ignore[no-any-return]
        place = slot(builder, self.get_return_type(kind).pointee)
        passed = self.context.get_arg_packer(kinds).as_arguments(builder, arguments)
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


def slot(builder: Any, kind: Any) -> Any:
    """Memory for a value, which is written before it is read."""
    with builder.goto_entry_block():
        return builder.alloca(kind)
