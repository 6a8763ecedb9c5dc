"""Scores by fastText models: expectations over labels, and words that a score rests on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from filters import scores
from filters.score_training import area_under_curve, calibration, fit_fasttext
from massivetext.errors import RecipeError

SETTINGS = {"dim": 8, "epoch": 20, "lr": 0.5, "minCount": 1, "wordNgrams": 1, "bucket": 100, "minn": 0, "maxn": 0}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    lines = [
        f"__label__{one} {words} w{i}" for i in range(40) for one, words in (("0", "spam buy"), ("3", "theorem proof"))
    ]
    output = str(tmp_path_factory.mktemp("scores") / "model.bin")
    fit_fasttext(lines, output, SETTINGS, seed=0)
    return output


def test_an_expectation_is_the_sum_of_probability_times_value(path: str) -> None:
    texts = pa.array(["theorem proof", "spam\nbuy", None, "", "theorem spam"], pa.large_string())
    model = scores.load_fasttext(path, {"3": 1.0})
    chance = scores.measure(texts, model, {"3": 1.0})
    stars = scores.measure(texts, model, {"0": 1.0, "3": 3.0})

    assert chance[0] > 0.9 > 0.1 > chance[1]
    assert stars == pytest.approx(1 + 2 * chance, abs=1e-4, nan_ok=True)
    library = pytest.importorskip("fasttext").load_model(path)
    labels, probabilities = library.predict("theorem spam", k=2)
    assert chance[4] == pytest.approx(dict(zip(labels, probabilities))["__label__3"], abs=1e-5)


def test_a_label_that_the_model_lacks_is_named(path: str) -> None:
    with pytest.raises(RecipeError, match="has no label '5'; its labels are"):
        scores.load_fasttext(path, {"5": 1.0})
    with pytest.raises(RecipeError, match="no such file"):
        scores.load_fasttext(f"{path}.missing", {})


def test_the_weightiest_word_is_the_one_that_moves_the_score_most(path: str) -> None:
    model = scores.load_fasttext(path, {"3": 1.0})
    words = scores.weightiest_words("w1 theorem w2 w3", lambda texts: scores.measure(texts, model, {"3": 1.0}))

    assert "theorem" == words[0][0]
    assert words[0][1] > 0


def test_area_under_the_curve_counts_ties_half() -> None:
    truth = np.array([1.0, 0, 1, 0])

    assert 1.0 == area_under_curve(truth, np.array([4.0, 1, 3, 2]))
    assert 0.0 == area_under_curve(truth, np.array([1.0, 3, 2, 4]))
    assert 0.5 == area_under_curve(truth, np.ones(4))
    assert 0.875 == area_under_curve(truth, np.array([4.0, 1, 2, 2]))


def test_calibration_divides_by_rank() -> None:
    assert [(2, 0.15, 0.5), (2, 0.85, 1.0)] == [
        (n, pytest.approx(mean), share)
        for n, mean, share in calibration(np.array([1.0, 0, 1, 1]), np.array([0.8, 0.1, 0.9, 0.2]), bins=2)
    ]
