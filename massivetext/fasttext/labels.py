"""The last layer of a fastText model: from the mean of a text's rows to its k best labels."""

from __future__ import annotations

import math

import numpy as np

from massivetext.fasttext.model import HIERARCHICAL, SOFTMAX
from massivetext.kernels import njit

__all__ = ["top_labels"]

_TINY = 1e-5
_LEAST = np.float32(math.log(_TINY))
"""fastText leaves out labels below it: what it takes for the logarithm of 0."""


@njit(cache=True, nogil=True, counts=False)
def _log(x):
    return np.float32(math.log(np.float64(x) + _TINY))


@njit(cache=True, nogil=True, counts=False)
def _dot(matrix, row, vector):
    total = np.float32(0)
    for k in range(len(vector)):
        total += matrix[row, k] * vector[k]
    return total


@njit(cache=True, nogil=True, counts=False)
def _sift_up(scores, ids, hole, top, score, label):
    """Put an entry where it belongs above `hole`: `std::push_heap`, the least score on top."""
    while hole > top:
        parent = (hole - 1) // 2
        if not scores[parent] > score:
            break
        scores[hole], ids[hole] = scores[parent], ids[parent]
        hole = parent
    scores[hole], ids[hole] = score, label


@njit(cache=True, nogil=True, counts=False)
def _pop(scores, ids, size):
    """Move the least entry of the heap to its end, as `std::pop_heap` does, so that ties come as in the library."""
    last = size - 1
    score, label = scores[last], ids[last]
    scores[last], ids[last] = scores[0], ids[0]
    hole = child = np.int64(0)
    while child < (last - 1) // 2:
        child = 2 * (child + 1)
        if scores[child] > scores[child - 1]:
            child -= 1
        scores[hole], ids[hole] = scores[child], ids[child]
        hole = child
    if last & 1 == 0 and child == (last - 2) // 2:
        child = 2 * (child + 1)
        scores[hole], ids[hole] = scores[child - 1], ids[child - 1]
        hole = child - 1
    _sift_up(scores, ids, hole, np.int64(0), score, label)


@njit(cache=True, nogil=True, counts=False)
def _offer(scores, ids, size, k, score, label):
    """Enter a label into the heap of the best k; return its size."""
    _sift_up(scores, ids, size, np.int64(0), score, label)
    if size < k:
        return size + 1
    _pop(scores, ids, size + 1)
    return size


@njit(cache=True, nogil=True, counts=False)
def _descend(layer, mean, k, scores, ids, nodes, sums):
    """The best k leaves of the Huffman tree, left before right, without branches that cannot be among them."""
    output, left, right = layer.output, layer.left, layer.right
    n_labels = len(output)
    size = np.int64(0)
    nodes[0], sums[0] = 2 * n_labels - 2, np.float32(0)
    depth = np.int64(1)
    while depth:
        depth -= 1
        node, score = nodes[depth], sums[depth]
        if score < _LEAST or (size == k and score < scores[0]):
            continue
        if left[node] < 0:
            size = _offer(scores, ids, size, k, score, node)
            continue
        f = np.float32(1) / (np.float32(1) + math.exp(-_dot(output, node - n_labels, mean)))
        nodes[depth], sums[depth] = right[node], score + _log(f)
        nodes[depth + 1], sums[depth + 1] = left[node], score + _log(np.float32(1) - f)
        depth += 2
    return size


@njit(cache=True, nogil=True, counts=False)
def _probabilities(layer, mean, result):
    """Softmax, or the sigmoid of each label from fastText's table."""
    output = layer.output
    for label in range(len(output)):
        result[label] = _dot(output, label, mean)
    if layer.loss == SOFTMAX:
        largest, total = result[0], np.float32(0)
        for label in range(len(output)):
            largest = max(largest, result[label])
        for label in range(len(output)):
            result[label] = math.exp(result[label] - largest)
            total += result[label]
        for label in range(len(output)):
            result[label] /= total
        return
    for label in range(len(output)):
        x = result[label]
        if x < -8:
            result[label] = 0
        elif x > 8:
            result[label] = 1
        else:
            result[label] = layer.sigmoid[
                np.int64((x + np.float32(8)) * np.float32(512) / np.float32(8) / np.float32(2))
            ]


@njit(cache=True, nogil=True, counts=False)
def top_labels(layer, mean, scratch, k):
    """Write the best k labels for a mean of rows and their scores, best first, to scratch.ids and scratch.scores.

    Returns how many there are: labels that fastText leaves out are missing. k is at most the number of labels.
    """
    scores, ids, sums = scratch.scores, scratch.ids, scratch.sums
    if layer.loss == HIERARCHICAL:
        size = _descend(layer, mean, k, scores, ids, scratch.nodes, sums)
    else:
        size = np.int64(0)
        _probabilities(layer, mean, sums)
        for label in range(len(layer.output)):
            score = _log(sums[label])
            if size < k or not score < scores[0]:
                size = _offer(scores, ids, size, k, score, label)
    for last in range(size, 1, -1):
        _pop(scores, ids, last)
    for i in range(size):
        scores[i] = math.exp(scores[i])
    return size
