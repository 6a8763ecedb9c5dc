"""Plans by hand, and those that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.errors import LimitError, RecipeError
from massivetext.mixture import Available, plan
from massivetext.mixture.plan import _short

BOOKS, WIKIPEDIA = Available(10, 1000, 4000), Available(20, 200, 900)
WEIGHTS = {"books": 0.7, "wikipedia": 0.3}


def test_epochs_are_wanted_over_available() -> None:
    made = plan({"books": BOOKS, "wikipedia": WIKIPEDIA}, WEIGHTS, tokens=1000)

    books, wikipedia = made.shares
    assert (700.0, 0.7, (0, 1), 2800) == (books.wanted, books.epochs, books.repetition, books.n_bytes)
    assert (300.0, 1.5, (1, 2), 1350) == (wikipedia.wanted, wikipedia.epochs, wikipedia.repetition, wikipedia.n_bytes)
    assert 4150 == made.n_bytes
    assert [1, 2, 5] == [made.n_shards(n) for n in (4150, 4149, 1000)]


def test_gophers_budget_takes_wikipedia_one_and_a_half_times() -> None:
    """The paper's table 2, in billions of tokens; 300 B tokens in all."""
    tokens = {"massiveweb": 506, "books": 560, "c4": 182, "news": 676, "github": 422, "wikipedia": 4}
    weights = {"massiveweb": 0.48, "books": 0.27, "c4": 0.10, "news": 0.10, "github": 0.03, "wikipedia": 0.02}
    made = plan({name: Available(1, n * 10**9) for name, n in tokens.items()}, weights, tokens=300 * 10**9)

    epochs = {share.subset: round(share.epochs, 2) for share in made.shares}
    assert {"massiveweb": 0.28, "books": 0.14, "c4": 0.16, "news": 0.04, "github": 0.02, "wikipedia": 1.5} == epochs
    assert (800 * 10**9, "wikipedia") == (made.largest, made.scarcest.subset)


def test_the_table_of_gophers_mixture_fits_80_columns() -> None:
    sizes = {"massiveweb": (604, 506), "books": (4, 560), "c4": (361, 182), "news": (1100, 676), "wikipedia": (6, 4)}
    available = {name: Available(n * 10**6, tokens * 10**9, 10**12) for name, (n, tokens) in sizes.items()}
    weights = {"massiveweb": 0.51, "books": 0.27, "c4": 0.10, "news": 0.10, "wikipedia": 0.02}
    lines = plan(available, weights, tokens=300 * 10**9).lines()[:7]

    assert max(map(len, lines)) <= 80
    numbers = {line.split()[0]: line.split()[2:8] for line in lines}
    assert ["604", "M", "506", "G", "153", "G"] == numbers["massiveweb"]
    assert ["1.1", "G", "676", "G", "30", "G"] == numbers["news"]


def test_a_large_number_has_the_letter_of_its_size_from_one_on() -> None:
    numbers = (999_999, 1e6, 604e6, 1e9, 1.52e9, 1e12, 1.25e15)

    assert ["999,999", "1 M", "604 M", "1 G", "1.52 G", "1 T", "1250 T"] == [_short(n) for n in numbers]


def test_the_largest_budget_is_what_the_cap_allows() -> None:
    made = plan({"books": BOOKS, "wikipedia": WIKIPEDIA}, WEIGHTS, max_epochs=4)

    # 4 * 200 / 0.3 = 2666.67, and 4 * 1000 / 0.7 = 5714.3
    assert (2666, 2666) == (made.tokens, made.largest)
    assert (4, 4) == made.shares[1].repetition
    with pytest.raises(LimitError, match=r"wikipedia 4\.05 epochs; the largest budget under the cap is 2,666"):
        plan({"books": BOOKS, "wikipedia": WIKIPEDIA}, WEIGHTS, tokens=2700, max_epochs=4)
    assert 2700 == plan({"books": BOOKS, "wikipedia": WIKIPEDIA}, WEIGHTS, tokens=2700, max_epochs=5).tokens


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=6), st.floats(0.1, 8))
def test_the_largest_budget_is_not_refused_and_a_larger_is(tokens: list[int], max_epochs: float) -> None:
    available = {str(i): Available(1, n) for i, n in enumerate(tokens)}
    weights = {name: 1 / len(tokens) for name in available}
    largest = plan(available, weights, max_epochs=max_epochs).largest

    if largest:
        assert largest == plan(available, weights, tokens=largest, max_epochs=max_epochs).tokens
    with pytest.raises(LimitError):
        plan(available, weights, tokens=int(largest * 1.001) + 2, max_epochs=max_epochs)


def test_the_table_has_what_there_is_wanted_and_repeated() -> None:
    lines = plan({"books": BOOKS, "wikipedia": WIKIPEDIA}, WEIGHTS, tokens=1000).lines(shard_bytes=1000)

    assert ["subset", "weight", "documents", "available", "wanted", "epochs", "repeated", "size"] == lines[0].split()
    assert ["wikipedia", "0.300", "20", "200", "300", "1.50", "1", "to", "2", "1.4", "kB"] == lines[2].split()
    assert ["total", "1.000", "30", "1,200", "1,000", "4.2", "kB"] == lines[3].split()
    assert lines[4].startswith("5 shards of ")
    assert lines[5] == "tokens: 1,000; at most 4 epochs of each subset allow 2,666, which wikipedia sets"


def test_wrong_weights_and_empty_subsets_are_named() -> None:
    with pytest.raises(RecipeError, match=r"sum to 0\.9; expected shares that sum to 1"):
        plan({"books": BOOKS}, {"books": 0.9})
    with pytest.raises(RecipeError, match="expected shares that sum to 1"):
        plan({"books": BOOKS, "wikipedia": WIKIPEDIA}, {"books": 1.5, "wikipedia": -0.5})
    with pytest.raises(RecipeError, match="no documents are kept of wikipedia; see its ledger"):
        plan({"books": BOOKS}, WEIGHTS)
    with pytest.raises(RecipeError, match="no documents are kept of wikipedia"):
        plan({"books": BOOKS, "wikipedia": Available(0, 0, 0)}, WEIGHTS)
