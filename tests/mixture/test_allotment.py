"""Which documents go into which shard: counts by epochs, shares of each shard, and orders."""

from __future__ import annotations

import gzip
import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massivetext.errors import LimitError, RecipeError
from massivetext.mixture import Allotment, Available, Documents, Plan, allot, plan
from massivetext.mixture.allotment import _epoch, _nearest, _straighten


def documents(tokens: np.ndarray | list[int], *, a_group: int = 50, name: str = "a") -> Documents:
    """Documents of these sizes, some a row group, four row groups a file."""
    n = len(tokens)
    unit = np.arange(n, dtype=np.int32) // a_group
    groups = np.arange(-(-n // a_group), dtype=np.int32)
    row = (np.arange(n) % a_group).astype(np.int32)
    paths = tuple(f"{name}-{i}" for i in range(len(groups) // 4 + 1))
    found = np.array(tokens, np.int32)
    return Documents(paths, groups // 4, groups % 4, unit, row, found, 4 * int(found.sum()))


def planned(held: dict[str, Documents], weights: dict[str, float], **options: float) -> Plan:
    available = {name: Available(len(found), found.n_tokens, found.n_bytes) for name, found in held.items()}
    return plan(available, weights, **options)  # type: ignore[arg-type]


def times(allotment: Allotment, subset: str) -> np.ndarray:
    return np.bincount(allotment.order[subset], minlength=len(allotment.documents[subset]))


def test_wikipedia_at_one_and_a_half_epochs_comes_once_or_twice() -> None:
    random = np.random.default_rng(0)
    held = {
        "massiveweb": documents(random.integers(100, 3000, 20_000)),
        "wikipedia": documents(random.integers(100, 3000, 400), name="w"),
    }
    tokens = int(1.5 * held["wikipedia"].n_tokens / 0.02)
    made = planned(held, {"massiveweb": 0.98, "wikipedia": 0.02}, tokens=tokens, max_epochs=4)

    found = times(allot(made, held, seed=0, n_shards=30), "wikipedia")

    assert {1, 2} == set(found.tolist())
    # In tokens one and a half epochs, to a document.
    assert abs(int((found * held["wikipedia"].tokens).sum()) / held["wikipedia"].n_tokens - 1.5) < 0.005


SIZES = st.lists(st.integers(0, 5000), min_size=1, max_size=120).filter(lambda tokens: sum(tokens) > 0)


@settings(max_examples=200)
@given(SIZES, st.floats(0.05, 3.9), st.integers(1, 40), st.integers(1, 20), st.integers(0, 3))
def test_nothing_is_taken_again_before_all_are(
    tokens: list[int], epochs: float, n_shards: int, a_group: int, seed: int
) -> None:
    held = {"a": documents(tokens, a_group=a_group)}
    made = planned(held, {"a": 1.0}, tokens=max(1, int(epochs * sum(tokens))))
    if 2 * made.tokens < min(n for n in tokens if n):
        return  # refused: less than half a document

    found = allot(made, held, seed=seed, n_shards=n_shards)

    least, most = made.shares[0].repetition
    n = len(tokens)
    assert set(times(found, "a").tolist()) <= {least, most}
    for epoch in range(least):
        assert list(range(n)) == sorted(found.order["a"][epoch * n : (epoch + 1) * n].tolist())
    # Every document taken stands in one shard, in that order.
    edges = found.edges["a"]
    assert (0, len(found.order["a"])) == (edges[0], edges[-1])
    assert (np.diff(edges) >= 0).all()
    assert int((times(found, "a") * held["a"].tokens).sum()) == int(found.tokens.sum())
    # To the document: half of the largest at each end.
    assert abs(found.tokens.sum() - made.tokens) <= max(tokens) / 2 + 1
    assert (np.abs(found.tokens - found.tokens.sum() / n_shards) <= max(tokens) + 1).all()


def test_shards_are_within_a_point_of_the_weights_though_books_are_large() -> None:
    """64 MB shards of about 16 M tokens. Books have 20,000 to 500,000 tokens: up to 3 points of a shard each."""
    random = np.random.default_rng(1)
    held = {
        "books": documents(random.lognormal(11.6, 0.6, 900).clip(20_000, 500_000), a_group=30),
        "massiveweb": documents(random.lognormal(6.5, 1, 180_000).clip(30, 100_000), a_group=2000, name="m"),
        "wikipedia": documents(random.lognormal(6, 1, 4000).clip(10, 50_000), a_group=2000, name="w"),
    }
    weights = {"books": 0.27, "massiveweb": 0.71, "wikipedia": 0.02}
    made = planned(held, weights, tokens=16 << 24, max_epochs=4)
    found = allot(made, held, seed=0, n_shards=16)

    off, _, _ = found.deviation(weights)
    assert off < 0.2
    shares = found.tokens / found.tokens.sum(axis=0)
    assert off == 100 * np.abs(shares - np.array([[0.27], [0.71], [0.02]])).max()
    # Dealt by the middle of each document alone, books are further off than half a point.
    sizes = held["books"].tokens[_epoch(held["books"], 0, "books", 0)]
    dealt = np.bincount(((np.cumsum(sizes) - sizes / 2) * 16 / (0.27 * made.tokens)).astype(int), sizes)[:16]
    assert np.abs(dealt / (made.tokens / 16) - 0.27).max() > 0.005


def test_a_hundred_shards_are_within_a_hundredth_of_the_weights_over_all() -> None:
    random = np.random.default_rng(2)
    held = {name: documents(random.lognormal(6, 1, n).clip(1), name=name) for name, n in (("a", 9000), ("b", 4000))}
    weights = {"a": 0.9, "b": 0.1}
    made = planned(held, weights, max_epochs=1)

    found = allot(made, held, seed=0, n_shards=100)

    shares = found.tokens.sum(axis=1) / found.tokens.sum()
    assert (np.abs(shares / np.array([0.9, 0.1]) - 1) < 0.01).all()
    assert abs(found.tokens.sum() / made.tokens - 1) < 0.001


def test_documents_as_large_as_a_shard_are_said_to_be_too_large() -> None:
    held = {"books": documents([1000] * 3), "news": documents([10] * 300, name="n")}
    weights = {"books": 0.5, "news": 0.5}
    found = allot(planned(held, weights, tokens=6000), held, seed=0, n_shards=10)

    off, subset, shard = found.deviation(weights)

    # 300 tokens of each in a shard; one with a book has 1000 to 300, one without 0 to 300.
    assert (50.0, "books") == (off, subset)
    assert 0 == found.tokens[0, shard]


def test_each_epoch_and_seed_has_an_order_of_its_own_and_shards_mix_subsets() -> None:
    held = {"a": documents([5] * 200), "b": documents([5] * 200, name="b")}
    made = planned(held, {"a": 0.5, "b": 0.5}, tokens=4000)
    one, again, other = (allot(made, held, seed=seed, n_shards=2) for seed in (0, 0, 1))

    assert (one.order["a"][:200] != one.order["a"][200:]).any()
    assert one.order["a"].tolist() == again.order["a"].tolist()
    assert one.order["a"].tolist() != other.order["a"].tolist()
    rows = one.rows(0)
    kinds = [rows.paths[path][0] for path in rows.path]
    assert Counter(kinds) == {"a": 200, "b": 200}
    assert 60 < sum(x != y for x, y in itertools.pairwise(kinds)) < 340
    assert (one.rows(0).row == again.rows(0).row).all()
    assert one.n_rows(0) == len(rows)


def test_a_run_of_an_order_comes_from_few_row_groups() -> None:
    held = {"a": documents([5] * 5000, a_group=100)}
    found = allot(planned(held, {"a": 1.0}, tokens=25_000), held, seed=0, n_shards=50)

    groups = [len({*zip(found.rows(n).path, found.rows(n).row_group)}) for n in range(50)]
    assert [1] * 50 == groups


def test_shards_of_64_mb_hold_the_weights_with_the_sizes_of_real_documents(shared_data: Path) -> None:
    """Lengths of the real books, PEPs and news, each a few dozen times, at 1.5 epochs of the scarcest subset."""
    with gzip.open(shared_data / "peps" / "peps.jsonl.gz", "rt", encoding="utf-8") as stream:
        peps = [len(json.loads(line)["text"].encode()) for line in stream]
    news = [len(line) for line in (shared_data / "news" / "lee-300-news-items.txt").read_bytes().splitlines()]
    books = [path.stat().st_size for path in sorted((shared_data / "books").glob("*.md"))]
    random = np.random.default_rng(0)
    held = {
        name: documents(random.permutation(sizes * times) // 4, a_group=a_group, name=name)
        for name, sizes, times, a_group in (("books", books, 40, 30), ("peps", peps, 20, 500), ("news", news, 80, 9000))
    }
    weights = {"books": 0.27, "peps": 0.71, "news": 0.02}
    made = planned(held, weights, max_epochs=1.5)
    n_shards = made.n_shards(64 << 20)

    found = allot(made, held, seed=0, n_shards=n_shards)

    assert n_shards >= 5
    assert max(books) / 4 > 0.01 * made.tokens / n_shards
    assert found.deviation(weights)[0] < 0.1
    most = {share.subset: share.repetition for share in made.shares}
    assert all(set(times(found, name).tolist()) <= {*most[name]} for name in held)


def test_a_weighted_subset_is_never_left_out() -> None:
    """Two documents of 60 tokens at .9 and a cap of 4: 533 tokens, of which 53 are b's, whose documents have 80 to 110:
    the nearest is taken. One of 1,000 would have twenty times its weight, and is refused."""
    held = {"a": documents([60, 60]), "b": documents([110, 100, 80, 90], name="b")}
    weights = {"a": 0.9, "b": 0.1}
    made = planned(held, weights, max_epochs=4)
    found = allot(made, held, seed=0, n_shards=1)

    assert (533, [80]) == (made.tokens, held["b"].tokens[found.order["b"]].tolist())
    remedy = found.remedy(weights, shard_bytes=1 << 26)
    assert remedy is not None
    assert remedy.endswith(
        "more mixture.tokens bring the shares closer, for which it takes a larger mixture.max_epochs (now 4) or more "
        "documents of a"
    )
    fewer = allot(planned(held, weights, max_epochs=4, tokens=500), held, seed=0, n_shards=1)
    remedy = fewer.remedy(weights, shard_bytes=1 << 26)
    assert remedy is not None
    assert remedy.endswith("more mixture.tokens bring the shares closer (max_epochs = 4 allows 533)")
    large = {**held, "b": documents([1000, 2000], name="b")}
    with pytest.raises(
        LimitError, match=r"leave 53\.3 for b, of weight 0\.1, and its nearest document has 1,000; take "
    ):
        allot(planned(large, weights, max_epochs=4), large, seed=0, n_shards=1)


@pytest.mark.parametrize(("tokens", "is_refused"), [(1, True), (24, True), (25, False), (50, False)])
def test_a_budget_below_half_a_document_is_refused(tokens: int, is_refused: bool) -> None:
    held = {"a": documents([50] * 9)}
    made = planned(held, {"a": 1.0}, tokens=tokens)
    if is_refused:
        with pytest.raises(LimitError, match="its nearest document has 50; take at least 25 tokens"):
            allot(made, held, seed=0, n_shards=1)
    else:
        assert 1 == allot(made, held, seed=0, n_shards=1).n_rows(0)
    with pytest.raises(RecipeError, match=r"mixture\.tokens: 0; expected at least 1"):
        planned(held, {"a": 1.0}, tokens=0)


def test_the_document_at_a_target_goes_to_the_side_on_which_most_of_it_is() -> None:
    ends = np.array([10, 20, 30])
    targets = np.array([0, 4, 5, 6, 14, 15, 29, 30, 31])

    assert [0, 0, 1, 1, 1, 2, 3, 3, 3] == _nearest(ends, targets).tolist()
    assert [0, 0] == _nearest(np.zeros(0, np.int64), np.array([0, 5])).tolist()


def test_a_subset_of_which_less_than_half_a_document_is_wanted_gives_its_nearest_one_with_tokens() -> None:
    held = {"a": documents([0, 1, 3]), "b": documents([1] * 1000, name="b")}
    allotment = allot(planned(held, {"a": 0.0005, "b": 0.9995}, tokens=1000, max_epochs=4), held, seed=0, n_shards=1)

    assert [1] == allotment.order["a"].tolist()


def test_a_document_of_one_token_is_the_nearest_to_less_than_half_a_token() -> None:
    by_subset = {"a": documents([0, 1, 3]), "b": documents([1] * 1000, name="b")}
    plan = planned(by_subset, {"a": 0.0004, "b": 0.9996}, tokens=1000)

    with pytest.raises(LimitError, match=r"leave 0\.4 for a, .*, and its nearest document has 1; take at least 1,250 "):
        allot(plan, by_subset, seed=0, n_shards=1)


@pytest.mark.parametrize("seed", range(4))
def test_a_document_without_tokens_does_not_stand_for_its_subset(seed: int) -> None:
    by_subset = {"a": documents([0, 1000]), "b": documents([1] * 8000, name="b")}
    plan = planned(by_subset, {"a": 0.1, "b": 0.9}, tokens=4000)

    with pytest.raises(LimitError, match="its nearest document has 1,000"):
        allot(plan, by_subset, seed=seed, n_shards=1)


def test_an_edge_before_the_first_document_has_no_tokens_before_it() -> None:
    # The error of that edge is 0 - 0: nothing is moved.
    order, tokens = np.array([0, 1, 2]), np.array([5, 3, 4])
    at = np.array([0])
    _straighten(order, tokens, np.cumsum(tokens), at, np.array([0]), np.array([0, 3]), 0.0)

    assert ([0, 1, 2], [0]) == (order.tolist(), at.tolist())
