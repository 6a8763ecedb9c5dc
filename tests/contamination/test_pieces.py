"""What is left when spans are cut out, and what the measures decide."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.contamination import pieces, verdict, with_decider


def test_pieces_around_a_span():
    text = "a" * 500 + "HIT" + "b" * 450

    assert pieces(text, [(500, 503)]) == ["a" * 300, "b" * 250]
    assert pieces(text, [(500, 503)], least=251) == ["a" * 300]
    assert pieces(text, []) == [text]
    assert pieces("short HIT", [(6, 9)]) == []


def test_eleven_pieces_drop_the_document():
    part = "x" * 700
    ten = "|".join([part] * 10)
    spans = [(700 + 701 * k, 701 + 701 * k) for k in range(10)]

    assert len(pieces(ten, spans[:9])) == 10
    assert pieces(ten + "|" + part, spans) == []


@given(
    st.text(max_size=300),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)), max_size=5),
    st.integers(0, 20),
)
def test_pieces_hold_nothing_of_the_margins(text, pairs, margin):
    spans = [(start, min(len(text), start + n)) for start, n in pairs if start < len(text)]
    cut = {i for a, b in spans for i in range(max(0, a - margin), min(len(text), b + margin))}
    expected = [c for i, c in enumerate(text) if i not in cut and not c.isspace()]
    found = pieces(text, spans, margin=margin, least=1, most=1000)

    assert [c for piece in found for c in piece if not c.isspace()] == expected


def _columns(jaccard, containment, **more):
    return pa.RecordBatch.from_pydict(
        {"contamination_jaccard": jaccard, "contamination_containment": containment, **more}
    )


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("both", {"contamination.jaccard": [False, True, False], "contamination.containment": [True, True, False]}),
        ("jaccard", {"contamination.jaccard": [False, True, False]}),
        ("containment", {"contamination.containment": [True, True, False]}),
    ],
)
def test_just_at_and_above_the_limits(rule, expected):
    columns = _columns([4 / 5, 5 / 6, 0.1], [4 / 5, 1.0, 11 / 14])

    assert {name: mask.tolist() for name, mask in verdict(columns, contamination=rule).items()} == expected


def test_further_signals_remove_only_where_a_recipe_says_so():
    columns = _columns([0.0, 0.0], [0.0, None], contamination_alignment=[0.9, 0.7])
    found = verdict(columns, limits={"contamination_alignment": 0.9})

    assert not any(mask.any() for mask in verdict(columns).values())
    assert found["contamination.alignment"].tolist() == [True, False]


def test_rare_containment_takes_the_place_of_containment():
    columns = _columns([0.0], [1.0], contamination_containment_rare=[0.5])

    assert verdict(columns, rare=True)["contamination.containment"].tolist() == [False]


def test_unknown_rule():
    with pytest.raises(ValueError, match="any"):
        verdict(_columns([0.0], [0.0]), contamination="any")  # type: ignore[arg-type]


def test_the_item_that_decided_is_named():
    columns = _columns(
        [0.9, 0.1, 0.0],
        [1.0, 1.0, 0.0],
        test_set=["a", "a", None],
        test_item=[1, 1, None],
        contamination_jaccard_set=["b", "b", None],
        contamination_jaccard_item=[2, 2, None],
    )
    found = with_decider(columns, verdict(columns))

    assert found.column("test_set").to_pylist() == ["b", "a", None]
    assert found.column("test_item").to_pylist() == [2, 1, None]
