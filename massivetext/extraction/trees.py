"""Sums of decision trees, stored as arrays of numbers and evaluated in a kernel.

A tree's nodes lie one after the other, the two children of a node side by side: a step goes to `child[node]`, one
further if the value is over the node's limit. A leaf points to itself, so that every walk through a tree has the same
number of steps and needs no branch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from massivetext.kernels import njit

__all__ = ["Forest", "compile_trees", "evaluate"]

_CHUNK = 64
"""Blocks that go through all trees together: their values stay in the first-level cache."""


class Forest(NamedTuple):
    """feature, child: uint32[nodes]; limit: float32[nodes]; value: float32[nodes], 0 but at leaves; root:
    uint32[trees];
    depth: int32[trees]; output: int32[trees], which sum a tree belongs to; bias: float32[outputs]."""

    feature: np.ndarray
    limit: np.ndarray
    child: np.ndarray
    value: np.ndarray
    root: np.ndarray
    depth: np.ndarray
    output: np.ndarray
    bias: np.ndarray


def _float32_below(x: float) -> np.float32:
    """The largest float32 that is not above x: a float32 is over one exactly if it is over the other."""
    nearest = np.float32(x)
    return np.nextafter(nearest, np.float32(-np.inf)) if float(nearest) > x else nearest


def compile_trees(trees: list[dict[str, Any]], n_outputs: int = 1) -> Forest:
    """Turn trees into a Forest.

    Args:
        trees: as nested dictionaries with `split_feature`, `threshold`, `left_child`, `right_child` or `leaf_value`:
            the `tree_structure` of LightGBM's `dump_model`. A value up to the threshold goes left.
        n_outputs: tree i belongs to output i modulo this.

    Returns:
        The forest; values of one-leaf trees are in its bias.
    """
    feature: list[int] = []
    limit: list[np.float32] = []
    child: list[int] = []
    value: list[float] = []
    root, depth, output = [], [], []
    bias = np.zeros(n_outputs, np.float32)
    for number, tree in enumerate(trees):
        if "split_feature" not in tree:
            bias[number % n_outputs] += tree["leaf_value"]
            continue
        root.append(len(feature))
        output.append(number % n_outputs)
        queue = [(tree, 0)]
        deepest = 0
        base = len(feature)
        for node, level in queue:  # grows while it is read: breadth first
            deepest = max(deepest, level)
            if "split_feature" in node:
                feature.append(node["split_feature"])
                limit.append(_float32_below(node["threshold"]))
                child.append(base + len(queue))
                value.append(0.0)
                queue += [(node["left_child"], level + 1), (node["right_child"], level + 1)]
            else:
                feature.append(0)
                limit.append(np.float32(np.inf))
                child.append(len(child))
                value.append(node["leaf_value"])
        depth.append(deepest)
    return Forest(
        np.array(feature, np.uint32),
        np.array(limit, np.float32),
        np.array(child, np.uint32),
        np.array(value, np.float32),
        np.array(root, np.uint32),
        np.array(depth, np.int32),
        np.array(output, np.int32),
        bias,
    )


@njit(cache=True, nogil=True)
def _walk_one(forest, tree, x, b, out):
    node = forest.root[tree]
    for _ in range(forest.depth[tree]):
        node = forest.child[node] + np.uint32(x[b, forest.feature[node]] > forest.limit[node])
    out[b, forest.output[tree]] += forest.value[node]


@njit(cache=True, nogil=True)
def _walk_eight(feature, limit, child, value, root, depth, x, b, out):
    """Walk eight rows through a tree side by side: the processor waits for memory once instead of eight times."""
    n0 = n1 = n2 = n3 = n4 = n5 = n6 = n7 = root
    for _ in range(depth):
        n0 = child[n0] + np.uint32(x[b, feature[n0]] > limit[n0])
        n1 = child[n1] + np.uint32(x[b + 1, feature[n1]] > limit[n1])
        n2 = child[n2] + np.uint32(x[b + 2, feature[n2]] > limit[n2])
        n3 = child[n3] + np.uint32(x[b + 3, feature[n3]] > limit[n3])
        n4 = child[n4] + np.uint32(x[b + 4, feature[n4]] > limit[n4])
        n5 = child[n5] + np.uint32(x[b + 5, feature[n5]] > limit[n5])
        n6 = child[n6] + np.uint32(x[b + 6, feature[n6]] > limit[n6])
        n7 = child[n7] + np.uint32(x[b + 7, feature[n7]] > limit[n7])
    out[b] += value[n0]
    out[b + 1] += value[n1]
    out[b + 2] += value[n2]
    out[b + 3] += value[n3]
    out[b + 4] += value[n4]
    out[b + 5] += value[n5]
    out[b + 6] += value[n6]
    out[b + 7] += value[n7]


@njit(cache=True, nogil=True)
def evaluate(forest, x, out):
    """Add the forest's sums for the rows of x (float32[rows, features]) to out (float32[rows, outputs])."""
    n = len(x)
    for b in range(n):
        for k in range(out.shape[1]):
            out[b, k] += forest.bias[k]
    for low in range(0, n, _CHUNK):
        high = min(n, low + _CHUNK)
        for tree in range(len(forest.root)):
            b = low
            column = out[:, forest.output[tree]]
            while b + 8 <= high:
                _walk_eight(
                    forest.feature, forest.limit, forest.child, forest.value, forest.root[tree], forest.depth[tree],
                    x, b, column,
                )  # fmt: skip
                b += 8
            while b < high:
                _walk_one(forest, tree, x, b, out)
                b += 1
