"""The two ways of the rule, pair by pair and by core and classes, against plain Python over candidates."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massivetext.dedup.removal import decide, exact_threshold
from massivetext.dedup.templates import CORE
from massivetext.errors import RecipeError
from tests.dedup import brute_force


def arrays(sets: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    bounds = np.r_[0, np.cumsum([len(one) for one in sets])].astype(np.int64)
    return np.array([member for one in sets for member in sorted(one)], np.uint64), bounds


def by_hand(sets, bands, fixed, threshold, joins):
    """Partner and overlap of each removed document."""
    common = brute_force.overlaps(sets)
    kept: list[int] = []
    found = {}
    for i in range(len(sets)):
        if not fixed[i]:
            for k in kept:
                shared = int(common[i][k])
                total = len(sets[i]) + len(sets[k]) - shared
                if total and Fraction(shared, total) > threshold and (bands[i] == bands[k]).any():
                    found[i] = k, shared
                    break
        if i not in found and (fixed[i] or joins):
            kept.append(i)
    return found


def outcome(removals) -> dict[int, tuple[int, int]]:
    gone = np.flatnonzero(removals.partner >= 0)
    return {int(i): (int(removals.partner[i]), int(removals.overlap[i])) for i in gone}


@st.composite
def families(draw: st.DrawFn) -> list[set[int]]:
    """Sets of one core with a few members left out and a few of their own: J on both sides of the threshold."""
    core = draw(st.integers(0, 60))
    sets = []
    for number in range(draw(st.integers(1, 150))):
        out = draw(st.sets(st.integers(0, 59), max_size=4))
        own = draw(st.integers(0, 12))
        sets.append(set(range(core)) - out | {1000 + number // 2 * 50 + j for j in range(own)})
    return sets


@settings(max_examples=80, deadline=None)
@given(families(), st.sampled_from(["0.5", "0.8", "0.9"]), st.integers(0, 2**32), st.booleans(), st.integers(1, 4))
def test_both_ways_as_by_hand(sets: list[set[int]], threshold: str, seed: int, joins: bool, spread: int) -> None:
    generator = np.random.default_rng(seed)
    bands = generator.integers(0, spread, (len(sets), 3)).astype(np.uint64)
    fixed = np.zeros(len(sets), bool)
    fixed[: generator.integers(0, len(sets) + 1)] = generator.random() < 0.5
    hashes, bounds = arrays(sets)
    components = np.zeros(len(sets), np.int64)
    expected = by_hand(sets, bands, fixed, Fraction(threshold), joins)
    for small in (1, 10**9):
        ratio = exact_threshold(float(threshold))
        got = decide(hashes, bounds, bands, components, fixed, ratio, joins=joins, small=small)

        assert outcome(got) == expected


def test_a_template_kept_many_times_costs_no_pairs() -> None:
    """2,000 documents, J = .79 in every pair. Pair by pair that is two million comparisons."""
    n = 2000
    sets = [set(range(300)) | {1000 + 100 * i + j for j in range(40)} for i in range(n)]
    hashes, bounds = arrays(sets)
    bands = np.zeros((n, 2), np.uint64)
    removals = decide(hashes, bounds, bands, np.zeros(n, np.int64), np.zeros(n, bool), (4, 5))

    assert (removals.partner < 0).all()
    assert removals.verifications + removals.core_overlaps == 0
    assert removals.class_pairs <= n


def test_cores_that_all_differ() -> None:
    """Slots with common fillers: nearly every document has a core of its own."""
    fillers = np.random.default_rng(0).integers(0, 3, (1500, 12)).tolist()
    core = set(range(50_000, 50_110))
    sets = [core | {1000 * i + 20 * filler + j for i, filler in enumerate(row) for j in range(3)} for row in fillers]
    hashes, bounds = arrays(sets)
    bands = np.zeros((len(sets), 1), np.uint64)
    args = hashes, bounds, bands, np.zeros(len(sets), np.int64), np.zeros(len(sets), bool), (4, 5)
    large, small = decide(*args, small=1), decide(*args, small=10**9)

    assert len(sets) > CORE
    assert outcome(large) == outcome(small)
    assert 0 < len(outcome(large)) < len(sets)


def test_components_are_apart() -> None:
    sets = [{1, 2, 3}, {1, 2, 3}, {1, 2, 3}]
    hashes, bounds = arrays(sets)
    bands = np.zeros((3, 1), np.uint64)
    removals = decide(hashes, bounds, bands, np.array([0, 0, 7]), np.zeros(3, bool), (4, 5))

    assert removals.partner.tolist() == [-1, 0, -1]
    assert removals.overlap.tolist() == [0, 3, 0]


def test_thresholds_are_what_their_digits_say() -> None:
    assert exact_threshold(0.8) == (4, 5)
    assert exact_threshold(0.85) == (17, 20)
    # Nine decimals are the most.
    assert exact_threshold(0.123456789) == (123_456_789, 10**9)
    for wrong in (0.0, 1.0, 0.1234567891, 0.12345678901):
        with pytest.raises(RecipeError, match="threshold"):
            exact_threshold(wrong)
