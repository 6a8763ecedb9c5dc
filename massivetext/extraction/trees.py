"""Sums of decision trees, stored as arrays of numbers and evaluated in a kernel without branches.

A tree's leaves are numbered from left to right, and a row begins with all of them possible, one bit each. Every split
that sends the row to the right strikes out the leaves on its left; the lowest bit that stays is the row's leaf. So a
tree is a few comparisons of one limit with many rows, which the compiler does eight at a time, whatever way each goes:

            x > 3                 all leaves         1 1 1 1    (leaf 3 2 1 0)
           /     \\                x > 3 strikes      1 1 0 0
       y > 1      y > 7           y > 1 strikes      1 1 1 0
      /    \\      /   \\           y > 7 strikes      1 0 1 1
     0      1    2     3          x = 5, y = 2:      1 1 0 0 -> leaf 2
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from massivetext.kernels import njit

__all__ = ["MAX_LEAVES", "Forest", "compile_trees", "evaluate", "evaluate_row"]

MAX_LEAVES = 32

_LANES = 64
"""Rows that go through all trees together."""

_ALL = np.uint32(0xFFFFFFFF)
_DE_BRUIJN = np.uint32(0x077CB531)
"""Times a power of two, its upper five bits are different for each of the 32: the leaf's place in `value`."""


class Forest(NamedTuple):
    """Splits lie one after the other, tree by tree.

    columns: uint32[used], the features that the trees read. Of splits: feature, uint32, an index of `columns`; limit,
    float32; mask, uint32, the leaves that stay possible if the value is over the limit. Of trees: first, uint32[trees +
    1], where its splits begin; value, float32[trees, MAX_LEAVES], by the place of the leaf (see _DE_BRUIJN); output,
    uint32, which sum it belongs to. bias: float32[outputs].
    """

    columns: np.ndarray
    feature: np.ndarray
    limit: np.ndarray
    mask: np.ndarray
    first: np.ndarray
    value: np.ndarray
    output: np.ndarray
    bias: np.ndarray


def _float32_below(x: float) -> np.float32:
    """The largest float32 that is not above x: a float32 is over one exactly if it is over the other."""
    nearest = np.float32(x)
    return np.nextafter(nearest, np.float32(-np.inf)) if float(nearest) > x else nearest


def _number_leaves(tree: dict[str, Any], splits: list[tuple[int, float, int]], leaves: list[float]) -> None:
    """Append a tree's splits as (feature, threshold, mask) and the values of its leaves, from left to right."""
    if "split_feature" not in tree:
        leaves.append(tree["leaf_value"])
        return
    place, begin = len(splits), len(leaves)
    splits.append((0, 0.0, 0))
    _number_leaves(tree["left_child"], splits, leaves)
    struck = (1 << len(leaves)) - (1 << begin)
    splits[place] = (tree["split_feature"], tree["threshold"], int(_ALL) & ~struck)
    _number_leaves(tree["right_child"], splits, leaves)


def compile_trees(trees: list[dict[str, Any]], n_outputs: int = 1, columns: np.ndarray | None = None) -> Forest:
    """Turn trees into a Forest.

    Args:
        trees: as nested dictionaries with `split_feature`, `threshold`, `left_child`, `right_child` or `leaf_value`:
            the `tree_structure` of LightGBM's `dump_model`. A value up to the threshold goes left.
        n_outputs: tree i belongs to output i modulo this.
        columns: the columns of the rows that the trees' features stand for; None if they are the same.

    Returns:
        The forest; values of one-leaf trees are in its bias.

    Raises:
        ValueError: a tree has more than MAX_LEAVES leaves.
    """
    splits: list[tuple[int, float, int]] = []
    first, output = [0], []
    values: list[np.ndarray] = []
    bias = np.zeros(n_outputs, np.float32)
    for number, tree in enumerate(trees):
        if "split_feature" not in tree:
            bias[number % n_outputs] += tree["leaf_value"]
            continue
        leaves: list[float] = []
        _number_leaves(tree, splits, leaves)
        if len(leaves) > MAX_LEAVES:
            raise ValueError(f"tree {number} has {len(leaves)} leaves, more than {MAX_LEAVES}")
        value = np.zeros(MAX_LEAVES, np.float32)
        for leaf, leaf_value in enumerate(leaves):
            value[(int(_DE_BRUIJN) << leaf & int(_ALL)) >> 27] = leaf_value
        values.append(value)
        first.append(len(splits))
        output.append(number % n_outputs)
    column_of = [feature if columns is None else int(columns[feature]) for feature, _, _ in splits]
    used = sorted(set(column_of))
    return Forest(
        np.array(used, np.uint32),
        np.array([used.index(column) for column in column_of], np.uint32),
        np.array([_float32_below(threshold) for _, threshold, _ in splits], np.float32),
        np.array([mask for _, _, mask in splits], np.uint32),
        np.array(first, np.uint32),
        np.array(values, np.float32).reshape(len(values), MAX_LEAVES),
        np.array(output, np.uint32),
        bias,
    )


@njit(cache=True, nogil=True)
def _gather(columns, x, values):
    """Copy the columns of x (at most _LANES rows) to the rows of values, float32[columns, _LANES]."""
    n, rows = np.uint64(len(columns)), np.uint64(len(x))  # signed ones are checked
    some = np.uint64(16)  # what is read of a row and written of columns stays in the nearest cache
    for begin in range(np.uint64(0), n, some):
        end = min(n, begin + some)
        for lane in range(rows):
            for k in range(begin, end):
                values[k, lane] = x[lane, columns[k]]


@njit(cache=True, nogil=True)
def _strike_leaves(feature, limit, mask, low, high, values, lanes, possible):
    """Strike out leaves of one tree, whose splits are low to high: possible is uint32[_LANES], all ones."""
    for split in range(low, high):
        column, bound, stay = feature[split], limit[split], mask[split]
        for lane in range(lanes):
            still = possible[lane]
            possible[lane] = still & stay if values[column, lane] > bound else still


@njit(cache=True, nogil=True)
def _add_leaves(tree, value, lanes, possible, total):
    """Add the values of one tree's leaves to total, float32[_LANES]."""
    for lane in range(lanes):
        lowest = possible[lane] & (~possible[lane] + np.uint32(1))
        total[lane] += value[tree, np.uint32(lowest * _DE_BRUIJN) >> np.uint32(27)]


@njit(cache=True, nogil=True)
def evaluate(forest, x, out):
    """Add the forest's sums for the rows of x (float32[rows, features]) to out (float32[rows, outputs])."""
    n, outputs = out.shape
    feature, limit, mask, first, value = forest.feature, forest.limit, forest.mask, forest.first, forest.value
    values = np.zeros((len(forest.columns), _LANES), np.float32)
    possible = np.empty(_LANES, np.uint32)
    total = np.empty((outputs, _LANES), np.float32)
    for low in range(0, n, _LANES):
        rows = min(n - low, _LANES)
        lanes = (rows + 7) // 8 * 8
        _gather(forest.columns, x[low : low + rows], values)
        for lane in range(rows):
            for k in range(outputs):
                total[k, lane] = out[low + lane, k] + forest.bias[k]
        for tree in range(len(forest.output)):
            possible[:lanes] = _ALL
            _strike_leaves(feature, limit, mask, first[tree], first[tree + 1], values, lanes, possible)
            _add_leaves(tree, value, rows, possible, total[forest.output[tree]])
        for lane in range(rows):
            for k in range(outputs):
                out[low + lane, k] = total[k, lane]


@njit(cache=True, nogil=True)
def evaluate_row(forest, row, out):
    """Add the forest's sums for one row (float32[features]) to out (float32[outputs])."""
    feature, limit, mask, first = forest.feature, forest.limit, forest.mask, forest.first
    values = np.empty(len(forest.columns), np.float32)
    for k in range(len(values)):
        values[k] = row[forest.columns[k]]
    for k in range(len(out)):
        out[k] += forest.bias[k]
    for tree in range(len(forest.output)):
        possible = _ALL
        for split in range(first[tree], first[tree + 1]):
            if values[feature[split]] > limit[split]:
                possible &= mask[split]
        lowest = possible & (~possible + np.uint32(1))
        out[forest.output[tree]] += forest.value[tree, np.uint32(lowest * _DE_BRUIJN) >> np.uint32(27)]
