"""Context of blocks beside a slow oracle."""

from __future__ import annotations

import numpy as np
import pytest

from massivetext.extraction.context import CONTEXT, KEYS, N_CONTEXT, measure_context


def measured(p, words, heading, keys, threshold=0.3):
    out = np.zeros((len(p), N_CONTEXT), np.float32)
    measure_context(
        np.array(p, np.float32), np.array(words, np.float64), np.array(heading, np.bool_), keys, threshold, out
    )
    return {name: np.array([round(float(value), 4) for value in out[:, k]]) for k, name in enumerate(CONTEXT)}


@pytest.mark.parametrize("n", [1, 2, 9, 40])
def test_beside_a_plain_loop(n):
    rng = np.random.default_rng(n)
    p, words = rng.random(n), rng.integers(1, 20, n).astype(float)
    keys = rng.integers(0, 4, (n, len(KEYS))).astype(np.int32)
    columns = measured(p, words, np.zeros(n), keys)
    mean = (p * words).sum() / words.sum()
    for b in range(n):
        for k, name in enumerate(KEYS):
            others = (keys[:, k] == keys[b, k]) & (np.arange(n) != b)
            expected = ((p * words)[others].sum() + 3 * mean) / (words[others].sum() + 3)
            assert columns[f"p_{name}"][b] == pytest.approx(expected, abs=1e-4)
        for name, low, high in (("before", -8, 0), ("after", 1, 9), ("near", -2, 3), ("around", -5, 6)):
            rows = slice(max(0, b + low), max(0, min(n, b + high)))
            weight = max(1.0, words[rows].sum())
            assert columns[f"p_{name}"][b] == pytest.approx((p * words)[rows].sum() / weight, abs=1e-4)


def test_a_bridge_is_as_high_as_the_lower_side():
    columns = measured([0.9, 0.1, 0.7], [5, 5, 5], [0, 0, 0], np.zeros((3, len(KEYS)), np.int32))

    assert columns["p_bridge"].tolist() == [0, 0.7, 0]


def test_columns_along_the_page():
    columns = measured([0.9, 0.2, 0.4, 0.8], [10, 1, 10, 10], [0, 1, 0, 0], np.zeros((4, len(KEYS)), np.int32))

    assert columns["p_to_heading"].tolist() == [0.9, 0.6, 0.8, 0.8]
    assert columns["p_since_heading"].tolist() == [0.9, 0.2, 0.2, 0.3818]
    assert columns["since_kept"].tolist() == [99, 0, 1, 2]
    assert columns["until_kept"].tolist() == [2, 1, 0, 99]
    assert columns["expected_words"].tolist() == [21.2] * 4
    assert columns["page_threshold"].tolist() == [0.3] * 4
