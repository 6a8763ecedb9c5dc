"""near_duplicates against the rule over all pairs, on real texts, on traps and on small sets of every kind."""

from __future__ import annotations

import json
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massivetext.dedup import near_duplicates, plan
from massivetext.dedup.digests import exact_digests
from massivetext.errors import RecipeError
from tests.dedup import brute_force


def result(texts, ids, **options) -> dict[str, tuple[str, float]]:
    table = near_duplicates(pa.array(texts, pa.large_string()), ids, **options)

    assert table["id"].to_pylist() == list(ids)
    return {row["id"]: (row["partner_id"], row["jaccard"]) for row in table.to_pylist() if not row["kept"]}


def expected(texts, ids, **options) -> dict[str, tuple[str, float]]:
    found = brute_force.near_duplicates(texts, ids, **options)
    return {name: (partner, float(jaccard)) for name, (partner, jaccard) in found.items()}


@pytest.mark.parametrize("name", ["licences", "peps", "windows", "chapters", "pages"])
def test_real_texts_as_by_all_pairs(name: str, request: pytest.FixtureRequest) -> None:
    texts = request.getfixturevalue(name)
    if name == "peps":
        texts = texts[2::3]  # the two that are near-duplicates among them; the oracle is slow on all 14 MB
    ids = [f"{name}-{i}" for i in range(len(texts))]
    got = result(texts, ids)

    for partner, jaccard in got.values():
        assert partner not in got
        assert jaccard > 0.8
    want = expected(texts, ids)
    differing = {key for key in {*got, *want} if got.get(key) != want.get(key)}
    assert len(differing) <= 0.01 * len(want), json.dumps(sorted(differing))
    assert len(got) > 0


def test_a_chain_keeps_more_than_one(windows: list[str]) -> None:
    ids = [f"w{i}" for i in range(len(windows))]

    assert len(windows) - len(result(windows, ids)) > 100


def words(*numbers: int) -> str:
    return " ".join(f"w{number}" for number in numbers)


def test_just_under_and_just_over_the_threshold() -> None:
    # 9 |a and b| > 4 (|a| + |b|). 89 + 12 words give 89 shingles. Cutting one of 112 words' ends by k keeps 100 - k.
    text = words(*range(112))  # 100 shingles
    just_over = words(*range(112 - 19))  # 81 of 100: J = .81
    at = words(*range(112 - 20))  # 80 of 100: J = .8 is not above .8

    assert len(result([text, just_over], ["a", "b"], recall=0.9999999)) == 1
    assert result([text, at], ["a", "b"], recall=0.9999999) == {}


def test_jaccard_and_partner_by_hand() -> None:
    texts = [words(*range(112)), words(*range(102))]
    ids = ["a", "b"]
    first, second = sorted(ids, key=lambda name: brute_force.rank(name, 0))

    assert result(texts, ids) == {second: (first, 0.9)}


def test_copies_of_a_removed_text_name_its_partner() -> None:
    """The best-ranked of equal texts stands for all; if it is removed, none of them may name it."""
    base, edited = words(*range(112)), words(*range(110))
    ids = sorted((f"id{i}" for i in range(30)), key=lambda name: brute_force.rank(name, 0))
    texts = [base, *[edited] * 29]
    got = result(texts, ids)

    assert got == dict.fromkeys(ids[1:], (ids[0], 0.98))


def test_texts_without_shingles_have_the_exact_rule_only() -> None:
    texts = ["", "  ", "!!", "!! ", "?!", "one", "One!"]
    got = result(texts, list("abcdefg"))

    assert {frozenset((name, partner)) for name, (partner, _) in got.items()} == {
        frozenset("ab"),
        frozenset("cd"),
        frozenset("fg"),
    }
    assert {jaccard for _, jaccard in got.values()} == {1.0}


def test_nulls_slices_and_chunks() -> None:
    texts = pa.chunked_array([pa.array(["skipped", None, "a b"]), pa.array(["", "a  b"])]).slice(1)

    assert near_duplicates(texts, list("abcd"))["kept"].to_pylist().count(False) == 2
    assert near_duplicates(pa.array([], pa.string()), []).num_rows == 0


def test_order_of_texts_changes_nothing(licences: list[str]) -> None:
    ids = [f"l{i}" for i in range(len(licences))]

    assert result(licences, ids, seed=5) == result(licences[::-1], ids[::-1], seed=5)
    assert result(licences, ids, seed=5) != result(licences, ids, seed=6)


def test_templates_just_below_the_threshold_are_all_kept() -> None:
    """300 texts of one template, pairwise J = .787, beside 60 near-copies of some: the way of large components."""
    texts = [words(*range(300), *range(1000 * (i + 1), 1000 * (i + 1) + 39)) for i in range(300)]
    texts += [text + " more" for text in texts[:60]]
    ids = [f"t{i}" for i in range(len(texts))]
    got = result(texts, ids)

    assert got == expected(texts, ids)
    assert len(got) == 60


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(0, 60)), min_size=1, max_size=90),
    st.sampled_from([0.5, 0.8, 0.85]),
    st.integers(0, 3),
)
def test_small_sets_as_by_all_pairs(pieces: list[tuple[int, int, int]], threshold: float, seed: int) -> None:
    """Ranges of words over four texts. At so high a recall every pair above the threshold is a candidate."""
    texts = [words(*range(1000 * text + first, 1000 * text + first + n)) for text, first, n in pieces]
    ids = [f"d{i}" for i in range(len(texts))]
    got = result(texts, ids, threshold=threshold, recall=0.9999999, seed=seed)

    assert got == expected(texts, ids, threshold=Fraction(str(threshold)), seed=seed)


def test_bands_follow_from_recall() -> None:
    for threshold, recall in ((0.8, 0.99), (0.8, 0.999), (0.5, 0.9), (0.9, 0.99)):
        assert 1 - plan(threshold, recall).recall(threshold) <= (1 - recall) / 4
    assert (plan().bands, plan().rows) == (20, 6)
    assert plan().recall(0.8) == pytest.approx(1 - (1 - 0.8**6) ** 20)
    assert [at for at, _ in plan().curve(0.25)] == [0, 0.25, 0.5, 0.75, 1]
    with pytest.raises(RecipeError, match="bands"):
        plan(0.1, 0.99)


def test_exact_is_up_to_whitespace_and_composition() -> None:
    texts = ["a  b\u3000c\n", "a b c", "e\u0301", "\u00e9", "a b C", "ab c", "x" * 8, "x" * 9]
    digests, lengths = exact_digests(pa.array(texts))
    same = [tuple(row) for row in digests.tolist()]

    assert [len(text) for text in texts] == lengths.tolist()
    assert same[0] == same[1]
    assert same[2] == same[3]
    assert len(set(same)) == len(texts) - 2


def test_faults_are_named() -> None:
    with pytest.raises(ValueError, match="2 texts but 1 ids"):
        near_duplicates(pa.array(["a", "b"]), ["a"])
    with pytest.raises(RecipeError, match="threshold"):
        near_duplicates(pa.array(["a"]), ["a"], threshold=1.5)
