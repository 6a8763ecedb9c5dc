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

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from massivetext.kernels import njit

__all__ = [
    "MAX_LEAVES",
    "Forest",
    "Ranges",
    "compile_trees",
    "evaluate",
    "evaluate_row",
    "joined",
    "measure_ranges",
    "ranges_of",
]

MAX_LEAVES = 32

_LANES = 64
"""Rows that go through all trees together."""

_ALL = np.uint32(0xFFFFFFFF)
_DE_BRUIJN = np.uint32(0x077CB531)
"""Times a power of two, its upper five bits are different for each of the 32: the leaf's place in `value`."""


class Forest(NamedTuple):
    """Splits lie one after the other, tree by tree.

    Of splits: feature, uint32, the column of the rows that it compares; limit, float32; left and right, uint32, the
    leaves on either side. Of trees: first, uint32[trees + 1], where its splits begin; value, float32[trees,
    MAX_LEAVES], by the place of the leaf (see _DE_BRUIJN); output, uint32, which sum it belongs to.
    """

    feature: np.ndarray
    limit: np.ndarray
    left: np.ndarray
    right: np.ndarray
    first: np.ndarray
    value: np.ndarray
    output: np.ndarray


class Ranges(NamedTuple):
    """lowest, highest: float32[1 + parts, features], the least and the greatest value of each column of some rows: in
    row 0 those of all, in the others those of _LANES rows each."""

    lowest: np.ndarray
    highest: np.ndarray


def _float32_below(x: float) -> np.float32:
    """The largest float32 that is not above x: a float32 is over one exactly if it is over the other."""
    nearest = np.float32(x)
    return np.nextafter(nearest, np.float32(-np.inf)) if float(nearest) > x else nearest


def _number_leaves(tree: dict[str, Any], splits: list[tuple[int, float, int, int]], leaves: list[float]) -> None:
    """Append a tree's splits as (feature, threshold, left, right) and the values of its leaves, from left to right."""
    if "split_feature" not in tree:
        leaves.append(tree["leaf_value"])
        return
    place, begin = len(splits), len(leaves)
    splits.append((0, 0.0, 0, 0))
    _number_leaves(tree["left_child"], splits, leaves)
    middle = len(leaves)
    _number_leaves(tree["right_child"], splits, leaves)
    left, right = (1 << middle) - (1 << begin), (1 << len(leaves)) - (1 << middle)
    splits[place] = (tree["split_feature"], tree["threshold"], left, right)


def compile_trees(trees: list[dict[str, Any]], n_outputs: int = 1, columns: np.ndarray | None = None) -> Forest:
    """Turn trees into a Forest.

    Args:
        trees: as nested dictionaries with `split_feature`, `threshold`, `left_child`, `right_child` or `leaf_value`:
            the `tree_structure` of LightGBM's `dump_model`. A value up to the threshold goes left.
        n_outputs: tree i belongs to output i modulo this.
        columns: the columns of the rows that the trees' features stand for; None if they are the same.

    Raises:
        ValueError: a tree has more than MAX_LEAVES leaves.
    """
    splits: list[tuple[int, float, int, int]] = []
    first, output = [0], []
    values: list[np.ndarray] = []
    for number, tree in enumerate(trees):
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
    column_of = [feature if columns is None else int(columns[feature]) for feature, *_ in splits]
    return Forest(
        np.array(column_of, np.uint32),
        np.array([_float32_below(threshold) for _, threshold, *_ in splits], np.float32),
        np.array([left for _, _, left, _ in splits], np.uint32),
        np.array([right for *_, right in splits], np.uint32),
        np.array(first, np.uint32),
        np.array(values, np.float32).reshape(len(values), MAX_LEAVES),
        np.array(output, np.uint32),
    )


def joined(forests: Sequence[Forest]) -> Forest:
    """Return the trees of all forests, one after the other."""
    ends = np.cumsum([0, *(len(forest.limit) for forest in forests)])
    first = [forest.first[:-1] + end for forest, end in zip(forests, ends)]
    columns = {name: np.concatenate([getattr(forest, name) for forest in forests]) for name in Forest._fields}
    return Forest(**columns | {"first": np.append(np.concatenate(first), ends[-1]).astype(np.uint32)})


@njit(cache=True, nogil=True, counts=False)
def measure_ranges(x, first, last, ranges):
    """Fill the ranges of columns first up to last (uint64) of x (float32[rows, features], at least one row)."""
    lowest, highest = ranges.lowest, ranges.highest
    rows = np.uint64(len(x))  # signed ones are checked
    for k in range(first, last):
        lowest[0, k] = highest[0, k] = x[0, k]
    for part in range(np.uint64(1), np.uint64(len(lowest))):
        begin = (part - np.uint64(1)) * np.uint64(_LANES)
        for k in range(first, last):
            lowest[part, k] = highest[part, k] = x[begin, k]
        for row in range(begin + np.uint64(1), min(begin + np.uint64(_LANES), rows)):
            for k in range(first, last):
                value, low, high = x[row, k], lowest[part, k], highest[part, k]
                lowest[part, k] = value if value < low else low
                highest[part, k] = value if value > high else high
        for k in range(first, last):
            lowest[0, k] = np.fmin(lowest[0, k], lowest[part, k])
        for k in range(first, last):
            highest[0, k] = np.fmax(highest[0, k], highest[part, k])


@njit(cache=True, nogil=True)
def ranges_of(x):
    """Return the Ranges of the rows of x (float32[rows, features])."""
    shape = 1 + (len(x) + _LANES - 1) // _LANES, x.shape[1]
    ranges = Ranges(np.empty(shape, np.float32), np.empty(shape, np.float32))
    if len(x):
        measure_ranges(x, np.uint64(0), np.uint64(x.shape[1]), ranges)
    return ranges


@njit(cache=True, nogil=True, counts=False)
def _settle_splits(
    feature, limit, left, right, lowest, highest, splits, begins, shared, open_splits, open_begins, open_shared
):
    """Take the splits that send all rows the same way, as the ranges of their columns show, and those that no row
    comes to.

    Args:
        feature, limit, left, right: of a Forest.
        lowest, highest: float32[features], the ranges.
        splits: uint32, the splits to look at, tree by tree.
        begins: uint32[trees + 1], where each tree's begin.
        shared: uint32[trees], the leaves that are possible for some row.
        open_splits, open_begins, open_shared: filled with those splits that are left, and alike; open_splits has room
            for one more.
    """
    none, one = np.uint32(0), np.uint32(1)
    count = np.uint64(0)
    for tree in range(np.uint64(len(shared))):
        possible = shared[tree]
        for k in range(begins[tree], begins[tree + np.uint64(1)]):
            split = splits[k]
            column, bound, on_left, on_right = feature[split], limit[split], left[split], right[split]
            # As numbers, for branches would be foreseen badly.
            all_right = np.uint32(lowest[column] > bound)
            all_left = np.uint32(not highest[column] > bound)
            is_reached = np.uint32(possible & on_left != none) & np.uint32(possible & on_right != none)
            open_splits[count] = split
            count += np.uint64(is_reached & ~(all_right | all_left) & one)
            possible &= ~((none - all_right) & on_left | (none - all_left) & on_right)
        open_shared[tree] = possible
        open_begins[tree + np.uint64(1)] = count


@njit(cache=True, nogil=True, counts=False)
def _gather(needed, x, values):
    """Copy the columns of x (at most _LANES rows) that are needed to the rows of values, float32[features, _LANES]."""
    rows = np.uint64(len(x))  # signed ones are checked
    for column in range(np.uint64(len(needed))):
        if needed[column]:
            for lane in range(rows):
                values[column, lane] = x[lane, column]


@njit(cache=True, nogil=True, counts=False)
def _strike_leaves(feature, limit, left, splits, low, high, values, lanes, possible):
    """Strike out leaves of one tree, whose open splits are low to high of splits: possible is uint32[_LANES]."""
    for k in range(low, high):
        split = splits[k]
        column, bound, stay = feature[split], limit[split], ~left[split]
        for lane in range(lanes):
            still = possible[lane]
            possible[lane] = still & stay if values[column, lane] > bound else still


@njit(counts=False)
def _place_of_lowest(possible):
    """The place in Forest.value of the lowest leaf that is possible."""
    lowest = possible & (~possible + np.uint32(1))
    return np.uint32(lowest * _DE_BRUIJN) >> np.uint32(27)


@njit(cache=True, nogil=True, counts=False)
def _add_leaves(tree, value, lanes, possible, total):
    """Add the values of one tree's leaves to total, float32[_LANES]; possible becomes the leaves' places in value."""
    for lane in range(lanes):
        possible[lane] = _place_of_lowest(possible[lane])
    for lane in range(lanes):
        total[lane] += value[tree, possible[lane]]


@njit(cache=True, nogil=True, counts=False)
def _add_leaf(leaf, lanes, total):
    """Add the value of the only leaf that is possible to total, float32[_LANES]."""
    for lane in range(lanes):
        total[lane] += leaf


@njit(cache=True, nogil=True, counts=False)
def _add_trees(forest, low, splits, begins, shared, values, lanes, possible, total):
    """Add the values of all trees' leaves to total, float32[outputs, _LANES]. possible: uint32[_LANES], to work in; the
    others: see _write_sums."""
    feature, limit, left, value, output = forest.feature, forest.limit, forest.left, forest.value, forest.output
    for k in range(len(shared)):
        tree = low + k
        if begins[k] == begins[k + 1]:
            _add_leaf(value[tree, _place_of_lowest(shared[k])], lanes, total[output[tree]])
            continue
        for lane in range(lanes):
            possible[lane] = shared[k]
        _strike_leaves(feature, limit, left, splits, begins[k], begins[k + 1], values, lanes, possible)
        _add_leaves(tree, value, lanes, possible, total[output[tree]])


@njit(cache=True, nogil=True)
def _write_sums(forest, low, splits, begins, shared, x, values, out):
    """Add the sums of at most _LANES rows to out. low: the first of the trees. splits, begins, shared: see
    _settle_splits. values: float32[features, _LANES], for use here."""
    rows, outputs = out.shape
    needed = np.zeros(len(values), np.bool_)
    for k in range(begins[-1]):
        needed[forest.feature[splits[k]]] = True
    _gather(needed, x, values)
    lanes = (rows + 7) // 8 * 8
    possible = np.empty(_LANES, np.uint32)
    total = np.empty((outputs, _LANES), np.float32)
    for lane in range(rows):
        for k in range(outputs):
            total[k, lane] = out[lane, k]
    _add_trees(forest, low, splits, begins, shared, values, lanes, possible, total)
    for lane in range(rows):
        for k in range(outputs):
            out[lane, k] = total[k, lane]


@njit(cache=True, nogil=True)
def evaluate(forest, low, high, x, ranges, out):
    """Add the sums of the trees from low up to high for the rows of x (float32[rows, features]) to out (float32[rows,
    outputs]).

    The rows of a page are alike, and neighbours more so: of the first stage's splits, three of four send all rows the
    same way or are reached by none, and seven of eight are so for _LANES rows, as the ranges of the columns (those of
    x) show. Only the others are compared row by row.
    """
    feature, limit, left, right = forest.feature, forest.limit, forest.left, forest.right
    n_trees, n_splits = high - low, forest.first[high] - forest.first[low]
    splits = np.empty(n_splits, np.uint32)
    for k in range(n_splits):
        splits[k] = forest.first[low] + k
    begins, shared = np.empty(n_trees + 1, np.uint32), np.full(n_trees, _ALL, np.uint32)
    for tree in range(n_trees + 1):
        begins[tree] = forest.first[low + tree] - forest.first[low]
    if len(x) > _LANES:
        of_all = np.empty(n_splits + 1, np.uint32), np.zeros(n_trees + 1, np.uint32), np.empty(n_trees, np.uint32)
        lowest, highest = ranges.lowest[0], ranges.highest[0]
        _settle_splits(feature, limit, left, right, lowest, highest, splits, begins, shared, *of_all)
        splits, begins, shared = of_all
    of_part = np.empty(n_splits + 1, np.uint32), np.zeros(n_trees + 1, np.uint32), np.empty(n_trees, np.uint32)
    values = np.empty((x.shape[1], _LANES), np.float32)
    for part in range(len(ranges.lowest) - 1):
        begin, end = part * _LANES, (part + 1) * _LANES
        lowest, highest = ranges.lowest[1 + part], ranges.highest[1 + part]
        _settle_splits(feature, limit, left, right, lowest, highest, splits, begins, shared, *of_part)
        _write_sums(forest, low, *of_part, x[begin:end], values, out[begin:end])


@njit(cache=True, nogil=True)
def evaluate_row(forest, low, high, row, out):
    """Add the sums of the trees from low up to high for one row (float32[features]) to out (float32[outputs])."""
    feature, limit, left, first = forest.feature, forest.limit, forest.left, forest.first
    for tree in range(low, high):
        possible = _ALL
        for split in range(first[tree], first[tree + 1]):
            if row[feature[split]] > limit[split]:
                possible &= ~left[split]
        out[forest.output[tree]] += forest.value[tree, _place_of_lowest(possible)]
