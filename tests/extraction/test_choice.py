"""Which blocks are kept: the threshold of the greatest expected F, wholes, headings, repeated text."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.extraction import html
from massivetext.extraction.choice import choose, expected_threshold, join_wholes


def best_by_trying(p: list[float], words: list[float], beta: float) -> float:
    """The greatest expected F over every set of blocks."""
    total = sum(a * b for a, b in zip(p, words))
    best = 0.0
    for size in range(1, len(p) + 1):
        for blocks in itertools.combinations(range(len(p)), size):
            expected = sum(p[b] * words[b] for b in blocks)
            kept = sum(words[b] for b in blocks)
            best = max(best, (1 + beta**2) * expected / (kept + beta**2 * total))
    return best


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_no_set_of_blocks_has_a_greater_expected_f(seed, beta):
    rng = np.random.default_rng(seed)
    p, words = rng.random(7).astype(np.float32), rng.integers(1, 30, 7).astype(np.float64)
    threshold = expected_threshold(p, words, 0.0, 1.0, beta)
    kept = p >= threshold
    value = (1 + beta**2) * (p * words)[kept].sum() / (words[kept].sum() + beta**2 * (p * words).sum())

    assert value == pytest.approx(best_by_trying(p.tolist(), words.tolist(), beta), abs=1e-6)


def test_the_threshold_stays_within_its_bounds():
    sure = np.array([0.99, 0.98, 0.01], np.float32)
    unlikely = np.array([0.02, 0.01], np.float32)
    words = np.ones(3)

    assert expected_threshold(sure, words, 0.15, 0.6, 1.0) == np.float32(0.6)
    assert expected_threshold(unlikely, words[:2], 0.15, 0.6, 1.0) == np.float32(0.15)


def threshold_in_numbas_order(p, words, lowest, highest, beta):
    """The same from blocks in the order in which numba sorts them: equal probabilities in any order."""
    total = 0.0
    for b in range(len(p)):
        total += p[b] * words[b]
    kept = expected = best = 0.0
    threshold = np.float32(highest)
    square = beta * beta
    for b in sort_as_numba_does(-p):
        kept += words[b]
        expected += p[b] * words[b]
        value = expected / (kept + square * total + 1e-9)
        if value > best:
            best, threshold = value, p[b]
    return min(max(threshold, np.float32(lowest)), np.float32(highest))


@numba.njit
def sort_as_numba_does(values):
    return np.argsort(values)


@given(
    blocks=st.lists(
        st.tuples(
            st.floats(0, 1, width=32) | st.sampled_from([0.0, 0.25, 0.3, 0.5, 0.75, 1.0]).map(np.float32),
            st.integers(1, 3000),
        ),
        max_size=60,
    ),
    lowest=st.sampled_from([0.1, 0.15, 0.2]),
    beta=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_the_threshold_is_that_of_any_order_of_blocks_that_are_equally_likely(blocks, lowest, beta):
    p = np.array([one for one, _ in blocks], np.float32)
    words = np.array([count for _, count in blocks], np.float64)

    assert expected_threshold(p, words, lowest, 0.9, beta) == threshold_in_numbas_order(p, words, lowest, 0.9, beta)


def test_recall_lowers_and_precision_raises_the_threshold():
    p = np.linspace(0.05, 0.95, 19).astype(np.float32)
    low, middle, high = (expected_threshold(p, np.ones(19), 0.0, 1.0, beta) for beta in (2.0, 1.0, 0.5))

    assert low < middle < high


def joined(page: bytes, p: list[float]) -> list[float]:
    tree = html.parse(page)
    values = np.array(p, np.float32)
    words = tree.blocks[:, html.WORDS].astype(np.float64)
    join_wholes(values, words, tree.tag, tree.parent, tree.first, tree.last, tree.blocks)
    return [round(float(value), 4) for value in values]


def test_a_definition_list_is_decided_as_a_whole():
    page = b"<p>a b<p>c d<p>e f<p>x<dl><dt>one two three<dd>four</dl>"

    assert joined(page, [0.1, 0.2, 0.3, 0.4, 0.9, 0.1]) == [0.1, 0.2, 0.3, 0.4, 0.7, 0.7]


def test_a_table_of_data_is_a_whole_and_a_table_of_layout_is_none():
    around = b"<p>a<p>b<p>c<p>d<p>e"
    data = around + b"<table><tr><td>1<td>2</table>"
    layout = around + b"<table><tr><td><p>1<p>2<p>3<td><p>4<p>5</table>"

    assert joined(data, [0, 0, 0, 0, 0, 0.2, 0.4]) == [0, 0, 0, 0, 0, 0.3, 0.3]
    assert joined(layout, [0, 0, 0, 0, 0, 0.2, 0.4, 0.2, 0.4, 0.2])[5:] == [0.2, 0.4, 0.2, 0.4, 0.2]


def test_what_holds_most_of_the_page_is_no_whole():
    assert joined(b"<p>a<blockquote><p>b<p>c</blockquote>", [0, 0.2, 0.4]) == [0, 0.2, 0.4]


def kept(page: bytes, p: list[float], hashes: list[int] | None = None) -> list[bool]:
    tree = html.parse(page)
    numbers = np.array(hashes or [0] * len(p), np.uint64)
    return choose(np.array(p, np.float32), np.float32(0.5), tree.tag, tree.parent, tree.blocks, numbers, True).tolist()


def test_a_heading_needs_text_below_it():
    page = b"<h1>a</h1><p>text</p><h2>b</h2><p>text</p><h2>c</h2><p>no</p>"

    assert kept(page, [0.9, 0.9, 0.9, 0.9, 0.9, 0.1]) == [True, True, True, True, False, False]


@pytest.mark.parametrize(
    ("headings", "expected"),
    [([0.1, 0.9, 0.9], True), ([0.1, 0.9, 0.1], False), ([0.1, 0.9, 0.9, 0.1, 0.1], False)],
)
def test_a_heading_like_most_of_its_siblings_is_kept(headings, expected):
    page = b"".join(b"<h2>a</h2><p>text</p>" for _ in headings)

    assert kept(page, [value for p in headings for value in (p, 0.9)])[0] == expected


def test_headings_stay_where_the_page_is_a_list_of_them():
    tree = html.parse(b"<h2>a</h2><h2>b</h2>")
    p = np.array([0.9, 0.9], np.float32)

    assert choose(p, np.float32(0.5), tree.tag, tree.parent, tree.blocks, np.zeros(2, np.uint64), False).tolist() == [
        True,
        True,
    ]


@pytest.mark.parametrize(("length", "expected"), [(80, [True, True]), (81, [True, False])])
def test_a_block_of_over_80_characters_is_kept_once(length, expected):
    text = b"w" * length
    page = b"<p>" + text + b"<p>" + text

    assert kept(page, [0.9, 0.9], [5, 5]) == expected
    assert kept(page, [0.9, 0.9], [5, 6]) == [True, True]


def test_of_equal_blocks_the_likelier_is_kept():
    page = b"<p>" + b"w" * 90 + b"<p>" + b"w" * 90

    assert kept(page, [0.8, 0.9], [5, 5]) == [False, True]
