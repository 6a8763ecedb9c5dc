"""Labels and scores of a column of texts by a fastText model."""

from __future__ import annotations

import numpy as np

from massivetext.fasttext.kernels import make_scratch, mean_row
from massivetext.fasttext.labels import top_labels
from massivetext.fasttext.model import Model
from massivetext.kernels import njit
from massivetext.text import Texts, buffers

__all__ = ["predict"]


@njit(cache=True, nogil=True)
def _predict(data, offsets, network, k, scratch, ids, scores):
    longest = np.int64(0)
    for i in range(len(offsets) - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    text = np.empty(longest + 2, np.uint8)
    hashes = np.empty(longest // 2 + 2 if network.word_ngrams > 1 else 0, np.int32)
    for i in range(len(offsets) - 1):
        size = offsets[i + 1] - offsets[i]
        for j in range(size):
            text[j + 1] = data[offsets[i] + j]
        if mean_row(text, np.int64(1), size + 1, network, scratch, hashes):
            count = top_labels(network, scratch, k)
            for j in range(count):
                ids[i, j], scores[i, j] = scratch.ids[j], scratch.scores[j]


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
    data, offsets = buffers(texts)
    k = min(k, len(model.labels))
    ids = np.full((len(offsets) - 1, k), -1, np.int32)
    scores = np.zeros((len(offsets) - 1, k), np.float32)
    _predict(data, offsets, model.network, k, make_scratch(model.network, k), ids, scores)
    return ids, scores
