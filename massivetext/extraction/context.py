"""What the first stage thinks of the blocks around each block: its neighbours, its group and container, its template.

The second stage reads these beside the features, so that holes in running text close and lone blocks go.
"""

from __future__ import annotations

import numpy as np

from massivetext.kernels import njit

__all__ = ["CONTEXT", "KEYS", "N_CONTEXT", "measure_context"]

KEYS = ("group", "container", "above", "twins", "unit", "unit_twins", "template", "group_template")
"""What blocks have in common: columns of the keys that `features.measure` returns."""

N_KEYS = len(KEYS)

_WINDOWS = ((-8, 0), (1, 9), (-2, 3), (-5, 6), (-25, 26))
CONTEXT = (
    "p",
    *(f"p_{name}" for name in KEYS),
    *("p_before", "p_after", "p_near", "p_around", "p_wide"),
    *("p_next", "p_previous", "p_next2", "p_previous2", "p_bridge", "p_to_heading", "p_since_heading"),
    *(
        "expected_words",
        "expected_share",
        "expected_before",
        "words_before",
        "since_kept",
        "until_kept",
        "page_threshold",
    ),
)
"""The columns of `measure_context`."""

N_CONTEXT = len(CONTEXT)
_O_WINDOWS = 1 + N_KEYS
_O_NEXT = _O_WINDOWS + len(_WINDOWS)
_STARTS = np.array([start for start, _ in _WINDOWS])
_ENDS = np.array([end for _, end in _WINDOWS])


@njit(cache=True, nogil=True)
def _write_shared(p, words, keys, mean, out):
    """Means of the other blocks with the same key, by words, drawn to the page's mean by the weight of three words."""
    n = len(p)
    for k in range(N_KEYS):
        size = 1
        for b in range(n):
            size = max(size, keys[b, k] + 1)
        weight = np.zeros(size)
        total = np.zeros(size)
        for b in range(n):
            weight[keys[b, k]] += words[b]
            total[keys[b, k]] += words[b] * p[b]
        for b in range(n):
            key = keys[b, k]
            own = words[b]
            out[b, 1 + k] = (total[key] - own * p[b] + 3.0 * mean) / (weight[key] - own + 3.0)


@njit(cache=True, nogil=True, counts=False)
def _write_along(p, words, heading, out):
    """Columns that run along the page: what stands to the next heading and since the last, and how far the nearest
    likely text is."""
    n = len(p)
    weight = total = 0.0
    distance = 99
    for b in range(n):
        row = out[b, _O_NEXT:]
        if heading[b]:
            weight = total = 0.0
        row[6] = total / weight if weight else np.float64(p[b])
        row[11] = distance
        weight += words[b]
        total += words[b] * p[b]
        distance = 0 if p[b] > 0.6 and words[b] > 4 else min(99, distance + 1)
    weight = total = 0.0
    distance = 99
    for b in range(n - 1, -1, -1):
        row = out[b, _O_NEXT:]
        row[5] = total / weight if weight else np.float64(p[b])
        row[12] = distance
        weight += words[b]
        total += words[b] * p[b]
        if heading[b]:
            weight = total = 0.0
        distance = 0 if p[b] > 0.6 and words[b] > 4 else min(99, distance + 1)


@njit(cache=True, nogil=True)
def measure_context(p, words, heading, keys, threshold, out):
    """Measure what the first stage thinks around each block.

    Args:
        p: float32[blocks], the first stage's probability that a block is text.
        words: float64[blocks], at least 1.
        heading: bool[blocks].
        keys: int32[blocks, KEYS].
        threshold: the page's threshold by the first stage.
        out: float32[blocks, CONTEXT], filled.
    """
    n = len(p)
    sums = np.zeros(n + 1)
    expected = np.zeros(n + 1)
    for b in range(n):
        sums[b + 1] = sums[b] + words[b]
        expected[b + 1] = expected[b] + words[b] * p[b]
    all_words = max(1.0, sums[n])
    _write_shared(p, words, keys, expected[n] / all_words, out)
    _write_along(p, words, heading, out)
    for b in range(n):
        row = out[b]
        row[0] = p[b]
        for k in range(len(_STARTS)):
            low, high = max(0, b + _STARTS[k]), min(n, b + _ENDS[k])
            row[_O_WINDOWS + k] = (expected[high] - expected[low]) / max(1.0, sums[high] - sums[low])
        row = out[b, _O_NEXT:]
        row[0] = p[b + 1] if b + 1 < n else np.float32(0.0)
        row[1] = p[b - 1] if b > 0 else np.float32(0.0)
        row[2] = p[b + 2] if b + 2 < n else np.float32(0.0)
        row[3] = p[b - 2] if b > 1 else np.float32(0.0)
        before = after = np.float32(0.0)
        for other in range(max(0, b - 4), b):
            before = max(before, p[other])
        for other in range(b + 1, min(n, b + 5)):
            after = max(after, p[other])
        row[4] = min(before, after)
        row[7] = expected[n]
        row[8] = expected[n] / all_words
        row[9] = expected[b] / max(1.0, expected[n])
        row[10] = sums[b] / all_words
        row[13] = threshold
