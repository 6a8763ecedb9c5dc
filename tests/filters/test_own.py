from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from filters import own
from filters.limits import Limit, violations
from massivetext.errors import RecipeError
from pipelines.stages.functions import load_function


def test_a_rule_by_import_path_is_measured_and_judged() -> None:
    texts = pa.chunked_array([["a", None], ["abc"]], pa.large_string())
    columns = own.measure(texts, {"width": load_function("pyarrow.compute:utf8_length")})

    assert [1.0, None, 3.0] == columns["width"].to_pylist()
    assert [False, False, True] == violations(columns, {"width": Limit(max=2)})["width"].tolist()


def test_a_limit_keeps_min_and_max_but_not_what_it_is_to_be_below() -> None:
    values = np.array([0.9, 1.0, 2.0, 2.1, np.nan])

    assert [True, False, False, True, False] == Limit(min=1, max=2).broken_by(values).tolist()
    assert [False, False, True, True, False] == Limit(below=2).broken_by(values).tolist()


def test_booleans_are_numbers() -> None:
    columns = own.measure(pa.array(["a1", "b"]), {"digits": lambda texts: pc.match_substring_regex(texts, "[0-9]")})

    assert [1.0, 0.0] == columns["digits"].to_pylist()


@pytest.mark.parametrize(
    ("function", "said"),
    [(lambda texts: texts, "expected numbers"), (lambda texts: pa.array([1]), "returned 1 rows for 2 texts")],
)
def test_wrong_columns_are_refused(function: object, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        own.measure(pa.array(["a", "b"]), {"mine": function})  # type: ignore[dict-item]


def test_what_is_not_a_number_is_null_and_large_integers_are_rounded() -> None:
    columns = own.measure(pa.array(["a", "b", "c"]), {"mine": lambda texts: pa.array([float("nan"), None, 1.5])})
    assert [None, None, 1.5] == columns["mine"].to_pylist()

    large = own.as_numbers(pa.array([2**53 + 1, 2**62]), 2, "scores.mine")
    assert [float(2**53), float(2**62)] == large.to_pylist()
