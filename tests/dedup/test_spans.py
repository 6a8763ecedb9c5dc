"""Repeated spans of 50 words: by hand at 49, 50 and 51, and against a slow count of every window."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massivetext.contamination.words import words as words_of
from massivetext.dedup.spans import SPAN, anchors, duplicate_span_fraction


def by_counting(texts: list[str]) -> list[float]:
    """Every window of every text in a dictionary. Words here are lower-case, without punctuation."""
    counts: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        words = text.split()
        counts.update(tuple(words[i : i + SPAN]) for i in range(len(words) - SPAN + 1))
    fractions = []
    for text in texts:
        words = text.split()
        covered: set[int] = set()
        for i in range(len(words) - SPAN + 1):
            if counts[tuple(words[i : i + SPAN])] > 1:
                covered |= set(range(i, i + SPAN))
        fractions.append(len(covered) / max(1, len(words)))
    return fractions


def measured(texts: list[str]) -> list[float]:
    return duplicate_span_fraction(pa.array(texts, pa.large_string())).tolist()


def different(prefix: str, n: int) -> str:
    return " ".join(f"{prefix}{i}" for i in range(n))


@pytest.mark.parametrize(("n", "expected"), [(49, 0.0), (50, 50 / 60), (51, 51 / 61)])
def test_just_under_at_and_over_fifty_words(n: int, expected: float) -> None:
    shared = different("w", n)

    assert [expected, expected] == measured(
        [f"{different('a', 4)} {shared} {different('b', 6)}"] * 1 + [f"{different('c', 10)} {shared}"]
    )


def test_twice_in_one_text_counts_and_case_and_punctuation_do_not() -> None:
    shared = different("w", 50)

    assert [100 / 101] == measured([f"{shared} x {shared}"])
    assert [1.0, 1.0] == measured([shared, shared.upper().replace(" ", ",\n")])
    assert [0.0, 0.0, 0.0] == measured(["", shared, "one word"])


def test_a_word_of_two_windows_is_counted_once() -> None:
    long = different("w", 80)
    first, second = " ".join(long.split()[:60]), " ".join(long.split()[20:])

    assert [1.0, 1.0, 1.0] == measured([long, first, second])
    assert by_counting([long, first, second]) == measured([long, first, second])


def test_periodic_text() -> None:
    texts = ["a " * 200, "a b " * 60, "a " * 49, "b a " * 30 + "end"]

    assert by_counting(texts) == measured(texts)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 12), st.sampled_from([2, 5, 400]))
def test_any_texts_as_counting_has_it(seed: int, n_texts: int, n_words: int) -> None:
    draw = random.Random(seed)
    texts = [[f"w{draw.randrange(n_words)}" for _ in range(draw.randrange(0, 160))] for _ in range(n_texts)]
    for text in texts:
        other = draw.choice(texts)
        start = draw.randrange(len(other) + 1)
        at = draw.randrange(len(text) + 1)
        text[at:at] = other[start : start + draw.choice([10, 49, 50, 51, 80])]
    joined = [" ".join(text) for text in texts]

    assert by_counting(joined) == measured(joined)


def test_anchors_are_few_and_every_window_names_one() -> None:
    draw = random.Random(1)
    words = words_of(pa.array([" ".join(f"w{draw.randrange(10**6)}" for _ in range(20_000))], pa.large_string()))
    every = anchors(words)

    assert 0.07 < len(every.hashes) / 20_000 < 0.085
    assert 0 == every.first[0]
    assert 20_000 - SPAN == every.last[-1]
    assert (every.last[:-1] + 1 == every.first[1:]).all()
    assert np.uint64 == every.hashes.dtype
