"""Weights of buckets: a bucket's share of its subset's weight is that of its tokens times its epochs."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from massivetext.errors import OutputError, RecipeError
from massivetext.looking.forecast import planned_mixture
from massivetext.mixture import bucket_weights, weights_with_sources

BLOCK = SimpleNamespace(score="quality_score", epochs=[0, 1, 2, 4])
TOKENS = {"c4:0": 20, "c4:1": 30, "c4:2": 30, "c4:3": 20}


def test_weights_by_hand() -> None:
    weights = bucket_weights({"c4": BLOCK}, {"c4": 0.8, "news": 0.2}, TOKENS)

    # 0, 30, 60 and 80 of 170 tokens.
    assert {"c4:1": 0.8 * 30 / 170, "c4:2": 0.8 * 60 / 170, "c4:3": 0.8 * 80 / 170, "news": 0.2} == pytest.approx(
        weights
    )
    assert math.isclose(1.0, math.fsum(weights.values()))
    assert {"news": 0.2} == bucket_weights({}, {"news": 0.2}, {})


def test_buckets_without_documents_are_left_out() -> None:
    assert {"c4:1": 1.0} == bucket_weights({"c4": BLOCK}, {"c4": 1.0}, {**TOKENS, "c4:2": 0, "c4:3": 0})
    with pytest.raises(RecipeError, match="no documents are kept in the buckets that have epochs"):
        bucket_weights({"c4": BLOCK}, {"c4": 1.0}, {"c4:0": 20, "c4:1": 0, "c4:2": 0, "c4:3": 0})


def test_weights_are_those_of_subsets_with_sources() -> None:
    assert ({"c4": 0.4, "news": 0.6}, False) == weights_with_sources({"c4": 0.4, "news": 0.6}, {"c4", "news"})
    assert ({"c4": 1.0}, True) == weights_with_sources({"c4": 0.4, "news": 0.6, "books": 0.0}, {"c4", "books"})
    with pytest.raises(OutputError, match="no subset with a weight has sources"):
        weights_with_sources({"c4": 1.0}, {"news"})


def test_a_forecast_plans_buckets() -> None:
    rows = [{"documents": 2.2, "tokens": float(n), "bytes": 9.0} for n in TOKENS.values()]
    block = SimpleNamespace(tokens="max", max_epochs=4, shard_bytes=1 << 20, buckets={"c4": BLOCK})
    mixture = planned_mixture(block, ({"c4": 1.0}, False), {"c4": {"remaining": rows}})

    assert [("c4:1", 1.0), ("c4:2", 2.0), ("c4:3", 4.0)] == [
        (share["subset"], pytest.approx(share["epochs"])) for share in mixture["shares"]
    ]
    assert 170 == mixture["tokens"] == mixture["largest"]
    # Without buckets in the mixture, what shares leave is what there is.
    block.buckets = {}
    mixture = planned_mixture(block, ({"c4": 1.0}, False), {"c4": {"remaining": rows[:1]}})
    assert [("c4", 20)] == [(share["subset"], share["available"]) for share in mixture["shares"]]
