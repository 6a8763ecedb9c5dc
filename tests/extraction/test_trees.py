"""Trees as arrays: the same sums as a plain walk, values at and beside a limit, any number of rows."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from massivetext.extraction.trees import (
    MAX_LEAVES,
    compile_trees,
    evaluate,
    evaluate_row,
    joined,
    measure_ranges,
    ranges_of,
)

STUMP = {"split_feature": 1, "threshold": 0.5, "left_child": {"leaf_value": -1.0}, "right_child": {"leaf_value": 2.0}}


def walk(tree: dict[str, Any], row: np.ndarray) -> float:
    while "split_feature" in tree:
        tree = tree["left_child"] if float(row[tree["split_feature"]]) <= tree["threshold"] else tree["right_child"]
    return tree["leaf_value"]


def grow(chance: random.Random, depth: int) -> dict[str, Any]:
    if depth == 0 or chance.random() < 0.2:
        return {"leaf_value": chance.uniform(-1, 1)}
    return {
        "split_feature": chance.randrange(5),
        "threshold": chance.choice((0.1, 0.25, chance.random())),
        "left_child": grow(chance, depth - 1),
        "right_child": grow(chance, depth - 1),
    }


def sums(trees: list[dict[str, Any]], x: np.ndarray, outputs: int = 1) -> np.ndarray:
    out = np.zeros((len(x), outputs), np.float32)
    evaluate(compile_trees(trees, outputs), 0, len(trees), x, ranges_of(x), out)
    return out


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.nextafter(np.float32(0.5), np.float32(0)), -1), (0.5, -1), (np.nextafter(np.float32(0.5), np.float32(1)), 2)],
)
def test_a_value_up_to_the_limit_goes_left(value, expected):
    assert sums([STUMP], np.array([[9, value]], np.float32)).tolist() == [[expected]]


def test_a_limit_between_two_float32_keeps_both_on_their_side():
    below = np.float32(0.1)  # 0.100000001490116 is over the float64 0.1
    tree = STUMP | {"split_feature": 0, "threshold": 0.1}

    assert sums([tree], np.array([[below], [np.nextafter(below, np.float32(0))]], np.float32)).tolist() == [[2], [-1]]


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 63, 64, 65, 200])
def test_as_a_plain_walk(rows):
    chance = random.Random(rows)
    trees = [grow(chance, 5) for _ in range(12)]
    x = np.random.default_rng(rows).choice([0.1, 0.25, 0.3, 0.7], (rows, 5)).astype(np.float32)
    expected = [[sum(walk(tree, row) for tree in trees)] for row in x]

    np.testing.assert_allclose(sums(trees, x), np.array(expected).reshape(rows, 1), atol=1e-5)


@pytest.mark.parametrize("rows", [1, 40, 64, 65, 300])
@pytest.mark.parametrize("seed", range(4))
def test_rows_that_are_alike_add_up_to_the_same_bits_as_alone(rows, seed):
    chance = random.Random(seed)
    forest = compile_trees([grow(chance, 5) for _ in range(20)], 2)
    rng = np.random.default_rng(rows + seed)
    x = np.full((rows, 5), 0.25, np.float32)
    x[:, 1] = np.arange(rows) / rows  # neighbours are alike
    x[:, 2] = rng.random()  # all are
    x[:, 3] = rng.random(rows)
    x[rows // 2 :, 4] = 0.7
    out = np.zeros((rows, 2), np.float32)
    evaluate(forest, 0, len(forest.output), x, ranges_of(x), out)
    alone = np.zeros((rows, 2), np.float32)
    for row, sums_of_row in zip(x, alone):
        evaluate_row(forest, 0, 20, row, sums_of_row)

    assert out.tobytes() == alone.tobytes()


@pytest.mark.parametrize("rows", [1, 100])
def test_some_of_the_trees_can_be_added_up(rows):
    chance = random.Random(rows)
    trees = [grow(chance, 4) for _ in range(9)]
    forest = joined([compile_trees(trees[:4]), compile_trees(trees[4:7]), compile_trees(trees[7:])])
    x = np.random.default_rng(rows).random((rows, 5), np.float32)
    out = np.zeros((rows, 1), np.float32)
    evaluate(forest, 4, 7, x, ranges_of(x), out)
    alone = np.zeros(1, np.float32)
    evaluate_row(forest, 4, 7, x[0], alone)

    assert out.tobytes() == sums(trees[4:7], x).tobytes()
    assert alone[0] == out[0, 0]


def test_some_columns_can_be_measured_anew():
    x = np.random.default_rng(0).random((130, 3), np.float32)
    ranges = ranges_of(x)
    x[:, 1] += 1
    measure_ranges(x, np.uint64(1), np.uint64(2), ranges)

    assert all(np.array_equal(one, another) for one, another in zip(ranges, ranges_of(x)))


@pytest.mark.parametrize("rows", [1, 64, 130])
def test_ranges_are_of_all_rows_and_of_parts(rows):
    x = np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)
    parts = [x, *(x[low : low + 64] for low in range(0, rows, 64))]
    ranges = ranges_of(x)

    assert np.array_equal(ranges.lowest, [part.min(axis=0) for part in parts])
    assert np.array_equal(ranges.highest, [part.max(axis=0) for part in parts])


def test_trees_of_several_outputs_take_turns():
    trees = [STUMP, {"leaf_value": 5.0}, STUMP, {"leaf_value": 7.0}]

    assert sums(trees, np.array([[0, 1], [0, 0]], np.float32), 2).tolist() == [[4, 12], [-2, 12]]


def chain(leaves: int) -> dict[str, Any]:
    """A tree that compares one feature with 0, 1, 2 and so on: leaf i has the value i."""
    tree: dict[str, Any] = {"leaf_value": float(leaves - 1)}
    for i in range(leaves - 2, -1, -1):
        tree = {"split_feature": 0, "threshold": i, "left_child": {"leaf_value": float(i)}, "right_child": tree}
    return tree


@pytest.mark.parametrize("leaves", [2, 31, 32])
def test_every_leaf_is_reached(leaves):
    x = np.arange(leaves, dtype=np.float32).reshape(-1, 1)

    assert sums([chain(leaves)], x).ravel().tolist() == list(range(leaves))


def test_a_tree_of_too_many_leaves_is_refused():
    with pytest.raises(ValueError, match=f"tree 0 has 33 leaves, more than {MAX_LEAVES}"):
        compile_trees([chain(33)])


def test_features_can_stand_for_other_columns():
    forest = compile_trees([STUMP], columns=np.array([7, 2]))
    out = np.zeros((1, 1), np.float32)
    x = np.array([[0, 0, 1]], np.float32)
    evaluate(forest, 0, len(forest.output), x, ranges_of(x), out)

    assert out.tolist() == [[2]]
