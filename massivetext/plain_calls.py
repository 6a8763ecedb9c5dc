"""Calls of NumPy and Python that kernels make often, written where they stand: new arrays, `min` and `max`.

numba compiles functions of its own for each type that such a call has, four of them for `np.empty`. The calls here are
those in which it has nothing to find out: an array of a given shape and kind of number, the lesser of two integers of
one type, or of two with a sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numba.core import cgutils, types
from numba.core.typing import npydecl, signature

__all__ = ["signature_of", "write"]

# numba's types say less than it has.
_types: Any = types
_cgutils: Any = cgutils
_parse_dtype: Any = npydecl.parse_dtype  # type: ignore[attr-defined]
_signature: Any = signature

_PARAMETERS = {min: (2,), max: (2,), np.empty: (1, 2), np.zeros: (1, 2), np.full: (3,)}
"""How many arguments of a function are given. The type of an array is the last; without it, it is float64."""
_LARGEST = 59
"""An array has less than 2 to this many elements: else the number of its bytes would not be one of 64 bits."""
_TOO_MANY = (1 << 63) - 1
"""Bytes that no machine has. Asked for them, the allocator fails, and the kernel raises MemoryError."""


def signature_of(function: Any, kinds: Sequence[Any]) -> Any:
    """Return the signature of a call that can be written here; None for any other.

    kinds: the types of the arguments, all of them given by position.
    """
    if not isinstance(function, _types.Function) or len(kinds) not in _PARAMETERS.get(function.typing_key, ()):
        return None
    given = [_types.unliteral(kind) for kind in kinds]
    if function.typing_key in (min, max):
        is_plain = all(isinstance(kind, _types.Integer) for kind in given)
        if not is_plain or (given[0] != given[1] and not all(kind.signed for kind in given)):
            return None
        wider = max(given, key=lambda kind: kind.bitwidth)
        return _signature(wider, wider, wider)
    lengths = given[0].types if isinstance(given[0], _types.BaseTuple) else (given[0],)
    if not lengths or not all(isinstance(length, _types.Integer) for length in lengths):
        return None
    if len(given) == 1:
        number = _types.float64
    else:
        number = _parse_dtype(given[-1]) if isinstance(given[-1], _types.DTypeSpec) else None
    if not all(isinstance(kind, (_types.Number, _types.Boolean)) for kind in (number, *given[1:-1])):
        return None
    return _signature(_types.Array(number, len(lengths), "C"), *given)


def write(context: Any, builder: Any, function: Any, signature: Any, arguments: Sequence[Any]) -> Any:
    """Write a call that has such a signature, for values of the types in it; return its result."""
    key, kind = function.typing_key, signature.return_type
    if key in (min, max):
        one, other = arguments
        compare = builder.icmp_signed if kind.signed else builder.icmp_unsigned
        return builder.select(compare("<" if key is min else ">", other, one), other, one)
    lengths = _lengths(context, builder, signature.args[0], arguments[0])
    n_items, array = _new_array(context, builder, kind, lengths)
    if key is np.zeros:
        _cgutils.memset(builder, array.data, builder.mul(n_items, array.itemsize), 0)
    elif key is np.full:
        value = context.cast(builder, arguments[1], signature.args[1], kind.dtype)
        with _cgutils.for_range(builder, n_items) as loop:
            context.pack_value(builder, kind.dtype, value, builder.gep(array.data, [loop.index]))
    return array._getvalue()


def _lengths(context: Any, builder: Any, kind: Any, shape: Any) -> list[Any]:
    """The lengths of a shape, which is a number or a tuple of numbers."""
    if not isinstance(kind, _types.BaseTuple):
        return [context.cast(builder, shape, kind, _types.intp)]
    parts = [(builder.extract_value(shape, i), part) for i, part in enumerate(kind.types)]
    return [context.cast(builder, length, part, _types.intp) for length, part in parts]


def _new_array(context: Any, builder: Any, kind: Any, lengths: Sequence[Any]) -> tuple[Any, Any]:
    """The number of elements of an array in new memory, and the array."""
    # It imports all of strings, a tenth of a second that only compiling needs.
    arrayobj: Any = import_module("numba.np.arrayobj")
    word = lengths[0].type
    size = word(arrayobj.get_itemsize(context, kind))
    steps: list[Any] = []
    n_items, is_possible = word(1), _cgutils.true_bit
    for length in reversed(lengths):
        steps.insert(0, builder.mul(n_items, size))
        n_items = builder.mul(n_items, length)
        # A negative length is, without a sign, larger than any limit.
        is_short = builder.icmp_unsigned("<", length, word(1 << _LARGEST // kind.ndim))
        is_possible = builder.and_(is_possible, is_short)
    n_bytes = builder.select(is_possible, builder.mul(n_items, size), word(_TOO_MANY))
    memory = context.nrt.meminfo_alloc_aligned(builder, n_bytes, context.get_preferred_array_alignment(kind.dtype))
    address = context.get_data_type(kind.dtype).as_pointer()
    data = builder.bitcast(context.nrt.meminfo_data(builder, memory), address)
    array = arrayobj.make_array(kind)(context, builder)
    arrayobj.populate_array(array, data=data, shape=lengths, strides=steps, itemsize=size, meminfo=memory)
    return n_items, array
