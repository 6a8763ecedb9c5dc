"""Labels and scores of a column of texts by a fastText model, or by two that take texts apart alike."""

from __future__ import annotations

import numpy as np

from massivetext.fasttext.kernels import divide, make_scratch, sum_word_ngrams, sum_words
from massivetext.fasttext.labels import top_labels
from massivetext.fasttext.model import LastLayer, Model, Network
from massivetext.fasttext.pair import Halves, Pair
from massivetext.kernels import njit
from massivetext.text import Texts, buffers

__all__ = ["predict", "predict_both"]


@njit(cache=True, nogil=True, counts=False)
def _answer(layer, total, count, scratch, k, ids, scores):
    """Write the best labels of a text to ids and scores; total, the sum of its rows, becomes their mean."""
    if count:
        divide(total, count)
        for j in range(top_labels(layer, total, scratch, k)):
            ids[j], scores[j] = scratch.ids[j], scratch.scores[j]


@njit(cache=True, nogil=True)
def _predict(data, offsets, network, second, halves, k, scratch, ids, scores):
    longest = np.int64(0)
    for i in range(len(offsets) - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    text = np.empty(longest + 2, np.uint8)
    hashes = np.empty(longest // 2 + 2 if network.word_ngrams > 1 else 0, np.int32)
    first, mean, width = network.last, scratch.mean, halves.width
    for i in range(len(offsets) - 1):
        size = offsets[i + 1] - offsets[i]
        for j in range(size):
            text[j + 1] = data[offsets[i] + j]
        rows, n_hashes, only_first, only_second = sum_words(
            text, np.int64(1), size + 1, network, scratch, hashes, halves.n_both, halves.n_first
        )
        for has_runs in range(2):
            if has_runs:
                rows += sum_word_ngrams(network, scratch, hashes, n_hashes)
            if halves.first_has_runs == has_runs:
                _answer(first, mean[:width], rows - only_second, scratch, k, ids[0, i], scores[0, i])
            if len(ids) > 1 and halves.second_has_runs == has_runs:
                _answer(second, mean[width:], rows - only_first, scratch, k, ids[1, i], scores[1, i])


def predict(texts: Texts, model: Model, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return the best labels of each text and their scores, as fastText's `predict` gives them.

    Whitespace of fastText (space, tab, newline, vertical tab, form feed, carriage return, NUL) separates words; unlike
    there, a newline does not end the text. A text for which the model has no row at all gets no label.

    Args:
        texts: a column of text; nulls count as empty.
        model: as `load` returns it.
        k: labels wanted of each text; more than the model has are cut to that many.

    Returns:
        (ids, scores): int32[texts, k], indexes of `model.labels`, best first, -1 where there is none, which fastText
        too leaves out where the score would be about 1e-5 or less; float32[texts, k], 0 there.
    """
    network = model.network
    has_runs = int(network.word_ngrams > 1)
    halves = Halves(network.n_words, network.n_words, network.matrix.shape[1], has_runs, 0)
    ids, scores = _labels(texts, network, network.last, halves, min(k, len(model.labels)), 1)
    return ids[0], scores[0]


def predict_both(texts: Texts, pair: Pair, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return the best labels of each text by either model and their scores, equal to what `predict` gives for each.

    Args:
        texts: a column of text; nulls count as empty.
        pair: as `load_pair` returns it.
        k: labels wanted of each text, at most as many as either model has.

    Returns:
        (ids, scores): int32[2, texts, k] and float32[2, texts, k], see `predict`.
    """
    return _labels(texts, pair.network, pair.second, pair.halves, k, 2)


def _labels(
    texts: Texts, network: Network, second: LastLayer, halves: Halves, k: int, n_models: int
) -> tuple[np.ndarray, np.ndarray]:
    data, offsets = buffers(texts)
    ids = np.full((n_models, len(offsets) - 1, k), -1, np.int32)
    scores = np.zeros((n_models, len(offsets) - 1, k), np.float32)
    scratch = make_scratch(network, k, n_labels=len(second.output))
    _predict(data, offsets, network, second, halves, k, scratch, ids, scores)
    return ids, scores
