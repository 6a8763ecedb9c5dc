"""Linear models over signals: hand-computed scores, files that are refused, and training."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from filters import linear
from filters.linear import LinearModel, Term
from filters.score_training import fit_linear
from massivetext.errors import RecipeError

MODEL = LinearModel(
    (Term("word_count", True, 2.0, 0.5, 1.5), Term("hash_ratio", False, 0.1, 0.2, -1.0)), intercept=0.25, clip=3.0
)


def test_a_score_is_the_logistic_function_of_the_weighted_signals() -> None:
    columns = {"word_count": np.array([math.e**2 - 1, 0.0, np.nan]), "hash_ratio": np.array([0.3, 0.1, 0.1])}

    # The first: the mean of word counts, one scale above that of hash ratios. The second: 4 below, of which 3 count.
    expected = [1 / (1 + math.exp(0.75)), 1 / (1 + math.exp(4.25))]
    assert [round(one, 6) for one in expected] == MODEL.measure(columns)[:2].tolist()
    assert np.isnan(MODEL.measure(columns)[2])


def test_contributions_add_up_to_the_score() -> None:
    row = {"word_count": 90.0, "hash_ratio": 0.15}
    parts = MODEL.contributions(row)

    total = MODEL.intercept + sum(added for _, _, added in parts)
    assert [1 / (1 + math.exp(-total))] == pytest.approx(
        MODEL.measure({name: np.array([value]) for name, value in row.items()}), abs=1e-6
    )
    assert ["word_count", "hash_ratio"] == [name for name, _, _ in parts]


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(MODEL.as_json(), "utf-8")

    assert MODEL == linear.load(str(path))


@pytest.mark.parametrize(
    "change",
    [{"format": "other"}, {"link": "cubic"}, {"terms": []}, {"intercept": float("nan")}, {"terms": [{"signal": "x"}]}],
)
def test_a_damaged_file_is_refused(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps({**json.loads(MODEL.as_json()), **change}), "utf-8")

    with pytest.raises(RecipeError, match=r"model\.json"):
        linear.load(str(path))


def test_a_fit_is_that_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.linear_model")
    draw = np.random.default_rng(3)
    signals = {"a": draw.normal(5, 2, 300), "b": draw.uniform(0, 1, 300), "same": np.full(300, 0.5)}
    truth = (signals["a"] / 2 + draw.normal(0, 1, 300) > 2.5).astype(float)
    model = fit_linear(signals, truth, l2=2.0)
    assert ["a", "b"] == model.signals

    design = np.column_stack([term.values(signals[term.signal], 3.0) for term in model.terms])
    peer = sklearn.LogisticRegression(C=0.5, tol=1e-10, max_iter=1000).fit(design, truth)
    assert peer.coef_[0] == pytest.approx([term.weight for term in model.terms], abs=1e-4)
    assert peer.intercept_[0] == pytest.approx(model.intercept, abs=1e-4)


def test_numbers_are_fitted_without_a_link() -> None:
    values = np.linspace(0, 1, 50)
    model = fit_linear({"x": values}, 2 + 3 * values, "number", l2=1e-6)

    assert model.measure({"x": np.array([0.5])})[0] == pytest.approx(3.5, abs=1e-4)
