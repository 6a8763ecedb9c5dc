"""Bytes compared 32 at a time in kernels, by the processor's vector instructions.

numba has no way to ask where in a vector a comparison holds; two instructions of LLVM do. A mask is a uint32 with one
bit for each of 32 bytes, the lowest bit for the first.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["WIDTH", "count_bits", "equal_mask", "lowest_bit", "range_mask"]

WIDTH = 32
"""Bytes of a mask."""

_numba: Any = numba


def _load(context, builder, kind, page, at):
    """The LLVM value of the WIDTH bytes from `at` on."""
    from llvmlite import ir

    array = context.make_array(kind)(context, builder, page)
    place = cgutils.gep_inbounds(builder, array.data, at)
    return builder.load(builder.bitcast(place, ir.VectorType(ir.IntType(8), WIDTH).as_pointer()), align=1)


def _splat(builder, byte):
    """The LLVM value of WIDTH times the same byte."""
    from llvmlite import ir

    nothing = ir.Constant(ir.VectorType(ir.IntType(8), WIDTH), ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(builder.insert_element(nothing, byte, ir.IntType(32)(0)), nothing, zeros)


@intrinsic
def _equal_mask(typing_context, page, at, byte):
    def generate(context, builder, signature, arguments):
        from llvmlite import ir

        loaded = _load(context, builder, signature.args[0], arguments[0], arguments[1])
        equal = builder.icmp_unsigned("==", loaded, _splat(builder, arguments[2]))
        return builder.bitcast(equal, ir.IntType(32))

    return types.uint32(page, types.uintp, types.uint8), generate


@intrinsic
def _range_mask(typing_context, page, at, first, last):
    def generate(context, builder, signature, arguments):
        from llvmlite import ir

        loaded = _load(context, builder, signature.args[0], arguments[0], arguments[1])
        above = builder.sub(loaded, _splat(builder, arguments[2]))
        width = _splat(builder, builder.sub(arguments[3], arguments[2]))
        return builder.bitcast(builder.icmp_unsigned("<=", above, width), ir.IntType(32))

    return types.uint32(page, types.uintp, types.uint8, types.uint8), generate


@intrinsic
def _lowest_bit(typing_context, mask):
    def generate(context, builder, signature, arguments):
        from llvmlite import ir

        return builder.zext(builder.cttz(arguments[0], ir.IntType(1)(0)), ir.IntType(64))

    return types.uint64(types.uint32), generate


@intrinsic
def _count_bits(typing_context, mask):
    def generate(context, builder, signature, arguments):
        from llvmlite import ir

        return builder.zext(builder.ctpop(arguments[0]), ir.IntType(64))

    return types.uint64(types.uint32), generate


# Without a compiler (NUMBA_DISABLE_JIT) kernels are Python, and so are these.
def _plain_equal_mask(page: np.ndarray, at: int, byte: int) -> np.uint32:
    return np.packbits(page[at : at + WIDTH] == byte, bitorder="little").view(np.uint32)[0]


def _plain_range_mask(page: np.ndarray, at: int, first: int, last: int) -> np.uint32:
    some = page[at : at + WIDTH]
    return np.packbits((some >= first) & (some <= last), bitorder="little").view(np.uint32)[0]


def _plain_lowest_bit(mask: int) -> int:
    return WIDTH if mask == 0 else (int(mask) & -int(mask)).bit_length() - 1


def _plain_count_bits(mask: int) -> int:
    return int(mask).bit_count()


_is_plain = _numba.config.DISABLE_JIT

equal_mask: Any = _plain_equal_mask if _is_plain else _equal_mask
"""equal_mask(page, at, byte): the mask of the bytes from `at` on that equal `byte`. WIDTH bytes must stand there."""

range_mask: Any = _plain_range_mask if _is_plain else _range_mask
"""range_mask(page, at, first, last): the mask of the bytes from `at` on that are `first` to `last`, likewise."""

lowest_bit: Any = _plain_lowest_bit if _is_plain else _lowest_bit
"""lowest_bit(mask): the number of the lowest bit that is set, WIDTH if none is."""

count_bits: Any = _plain_count_bits if _is_plain else _count_bits
"""count_bits(mask): how many bits are set."""
