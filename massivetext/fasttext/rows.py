"""Adding up rows of a fastText model's input matrix, plain or quantised, in the order in which they were gathered."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from massivetext.kernels import njit

__all__ = ["add_rows", "resolve"]

LANES = 16
"""Columns of the matrices of most small models, lid.176 and the packaged ones among them: their sums are one vector."""


@intrinsic
def _bit_count(typing_context, value):
    """How many bits of a uint64 are 1: one instruction."""

    def generate(context, builder, signature, arguments):
        word = ir.IntType(64)
        count = builder.module.declare_intrinsic("llvm.ctpop", [word])
        return builder.call(count, arguments)

    return types.uint64(types.uint64), generate


@njit(cache=True, nogil=True, counts=False)
def resolve(rows, n, base, buckets, ranks):
    """Turn each ~bucket among rows[:n] into its row; `base` is the row of the first bucket."""
    if len(buckets) == 0:
        for k in range(n):
            rows[k] = rows[k] if rows[k] >= 0 else base + ~rows[k]
        return
    for k in range(n):
        row = np.int64(rows[k])
        bucket = max(~row, 0)
        below = buckets[bucket >> 6] & ((np.uint64(1) << np.uint64(bucket & 63)) - np.uint64(1))
        rank = base + np.int64(ranks[bucket >> 6]) + np.int64(_bit_count(below))  # type: ignore[call-arg]
        rows[k] = row if row >= 0 else rank


@njit(cache=True, nogil=True, counts=False)
def _add_codes(codes, centroids, norms, rows, n, total):
    """Add rows[:n] of a quantised matrix to `total`."""
    width = centroids.shape[2]
    for i in range(n):
        row = rows[i]
        for k in range(len(total)):
            part = k // width
            total[k] += norms[row] * centroids[part, codes[row, part], k - part * width]


def _make_adder(lanes):
    """Make the function that adds rows[:n] of a matrix of so many columns to `total`, in their order; the sum stays in
    registers."""

    @intrinsic
    def add(typing_context, matrix, rows, n, total):
        def generate(context, builder, signature, arguments):
            vector = ir.VectorType(ir.FloatType(), lanes)
            arrays = [context.make_array(signature.args[k])(context, builder, arguments[k]) for k in (0, 1, 3)]
            matrix, rows, total = (array.data for array in arrays)
            place = builder.bitcast(total, vector.as_pointer())
            before = builder.load(place, align=4)
            start, count = builder.block, arguments[2]
            loop, done = builder.append_basic_block("rows"), builder.append_basic_block("added")
            zero, one = count.type(0), count.type(1)
            builder.cbranch(builder.icmp_signed(">", count, zero), loop, done)
            builder.position_at_end(loop)
            i, so_far = builder.phi(count.type), builder.phi(vector)
            row = builder.sext(builder.load(builder.gep(rows, [i])), count.type)
            at = builder.gep(matrix, [builder.mul(row, count.type(lanes))])
            after = builder.fadd(so_far, builder.load(builder.bitcast(at, vector.as_pointer()), align=4))
            following = builder.add(i, one)
            for phi, first, later in ((i, zero, following), (so_far, before, after)):
                phi.add_incoming(first, start)
                phi.add_incoming(later, loop)
            builder.cbranch(builder.icmp_signed("<", following, count), loop, done)
            builder.position_at_end(done)
            result = builder.phi(vector)
            result.add_incoming(before, start)
            result.add_incoming(after, loop)
            builder.store(result, place, align=4)
            return context.get_dummy_value()

        return types.void(matrix, rows, types.int64, total), generate

    return add


_add_lanes, _add_two_lanes = _make_adder(LANES), _make_adder(2 * LANES)


@njit(cache=True, nogil=True, counts=False)
def _add_plain(matrix, rows, n, total):
    """Add rows[:n] of the matrix to `total`, in their order."""
    if len(total) == LANES:
        _add_lanes(matrix, rows, n, total)
        return
    if len(total) == 2 * LANES:
        _add_two_lanes(matrix, rows, n, total)
        return
    for i in range(n):
        a = rows[i]
        for k in range(len(total)):
            total[k] += matrix[a, k]


@njit(cache=True, nogil=True, counts=False)
def add_rows(rows, n, base, buckets, ranks, matrix, codes, centroids, norms, total):
    """Add the n rows gathered, numbers of rows or ~buckets, to `total`. The others are fields of Network."""
    resolve(rows, n, base, buckets, ranks)
    if len(codes):
        _add_codes(codes, centroids, norms, rows, n, total)
    else:
        _add_plain(matrix, rows, n, total)
