"""The limit of the best share against a full sort, whatever the pieces, ties, signs and weights."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.errors import RecipeError
from massivetext.looking.quantiles import best_share_limit, ledger_limit


def by_sorting(values: np.ndarray, weights: np.ndarray, share: float) -> float | None:
    order = np.argsort(-values, kind="stable")
    sums = np.cumsum(weights[order])
    exact = Fraction(repr(share)) * int(sums[-1])
    needed = max(1, -(-exact.numerator // exact.denominator))
    return None if sums[-1] == 0 else float(values[order][np.searchsorted(sums, needed)])


def pieces(values: np.ndarray, weights: np.ndarray, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(np.array_split(values, n), np.array_split(weights, n)))


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.999])
def test_a_million_documents_as_a_full_sort_has_it(share: float) -> None:
    draw = np.random.default_rng(7)
    values = np.round(draw.beta(4, 2, 1_000_000), 6)
    weights = draw.integers(1, 20_000, len(values))
    limit = best_share_limit(lambda: pieces(values, weights, 9), share)

    assert by_sorting(values, weights, share) == limit
    assert weights[values >= limit].sum() >= share * weights.sum() > weights[values > limit].sum()


@given(
    st.lists(st.tuples(st.floats(allow_nan=False), st.integers(0, 5)), min_size=1, max_size=40),
    st.floats(0.01, 0.99),
    st.integers(1, 4),
)
def test_any_values_as_a_sort_has_it(rows: list[tuple[float, int]], share: float, n: int) -> None:
    values = np.array([value for value, _ in rows])
    weights = np.array([weight for _, weight in rows], np.int64)

    assert by_sorting(values, weights, share) == best_share_limit(lambda: pieces(values, weights, n), share)


def test_equal_values_stay_together() -> None:
    values, weights = np.array([0.9, 0.5, 0.5, 0.5, 0.1]), np.ones(5, np.int64)

    assert 0.9 == best_share_limit(lambda: [(values, weights)], 0.2)
    assert 0.5 == best_share_limit(lambda: [(values, weights)], 0.21)
    assert 0.5 == best_share_limit(lambda: [(values, weights)], 0.8)
    assert 0.1 == best_share_limit(lambda: [(values, weights)], 0.81)


def test_a_share_is_meant_in_decimals() -> None:
    """0.55 * 100 is 55.00000000000001."""
    values, weights = np.arange(100) / 100, np.ones(100, np.int64)

    assert 0.45 == best_share_limit(lambda: [(values, weights)], 0.55)
    assert 0.0 == best_share_limit(lambda: [(values, weights)], 1.0)


def test_the_ledger_counts_what_is_kept_by_tokens_or_documents(tmp_path: Path) -> None:
    (tmp_path / "ledger/c4").mkdir(parents=True)
    rows = {
        "outcome": ["kept", "kept", "kept", "rejected", "kept"],
        "n_tokens": [10, 80, 10, 1000, 5],
        "score": [0.9, 0.8, 0.7, 1.0, None],
    }
    pq.write_table(pa.table(rows), tmp_path / "ledger/c4/part-0.parquet")

    assert 0.9 == ledger_limit(str(tmp_path), "score", 0.1)
    assert 0.8 == ledger_limit(str(tmp_path), "score", 0.11)
    assert 0.9 == ledger_limit(str(tmp_path), "score", 0.33, "documents")
    assert 0.8 == ledger_limit(str(tmp_path), "score", 0.34, "documents")
    with pytest.raises(RecipeError, match="no such column"):
        ledger_limit(str(tmp_path), "other", 0.1)
    with pytest.raises(RecipeError, match="expected numbers"):
        ledger_limit(str(tmp_path), "outcome", 0.1)
