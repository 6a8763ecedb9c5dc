"""What stands beside a text, as JSON: by columns and by rows, which must be the same."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.export.described import beside, json_values

NAMES = ("id", "url", "timestamp", "n_tokens", "score", "metadata")
PAIRS = DOCUMENT_SCHEMA.field("metadata").type
texts = st.one_of(st.none(), st.text(st.sampled_from('ab"\\\\\n\x1f\x7fé漢😀'), max_size=8))
rows = st.fixed_dictionaries(
    {
        "id": texts,
        "url": texts,
        "timestamp": texts,
        "n_tokens": st.one_of(st.none(), st.integers(0, 1 << 40)),
        "score": st.one_of(st.none(), st.floats(allow_nan=False)),
        "metadata": st.one_of(
            st.none(), st.lists(st.tuples(st.sampled_from(["a", "b", "url", "timestamp"]), st.text()))
        ),
    }
)


def expected(row: dict[str, Any]) -> dict[str, Any]:
    pairs = dict(row["metadata"] or ())
    own = {name: row[name] for name in NAMES[1:-1] if row[name] is not None}
    return {**pairs, **own}


@given(st.lists(rows, min_size=1, max_size=6))
def test_members_are_those_of_a_dict(documents: list[dict[str, Any]]) -> None:
    kinds = {"n_tokens": pa.int64(), "score": pa.float64(), "metadata": PAIRS}
    table = pa.table({name: pa.array([row[name] for row in documents], kinds.get(name, pa.string())) for name in NAMES})
    described = beside(table)

    assert [json.dumps(expected(row), ensure_ascii=False)[1:-1] for row in documents] == [
        one.decode() for one in described.members.to_pylist()
    ]
    created = [expected(row).get("timestamp") for row in documents]
    assert ["" if one is None else f', "created": {json.dumps(one, ensure_ascii=False)}' for one in created] == [
        one.decode() for one in described.created.to_pylist()
    ]
    assert [expected(row).get("n_tokens", 0) for row in documents] == described.n_tokens.tolist()
    fewer = [{**expected(row)} for row in documents]
    for one in fewer:
        one.pop("n_tokens", None)
    assert fewer == [json.loads(b"{%s}" % one) for one in beside(table, without=("n_tokens",)).members.to_pylist()]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", None], pa.string()),
        ([1, None], pa.int32()),
        ([True, None], pa.bool_()),
        ([1.5, None], pa.float64()),
        ([["a"], None], pa.list_(pa.string())),
        ([{"x": 1}, None], pa.struct([("x", pa.int64())])),
    ],
)
def test_values_of_any_type(values: list[Any], kind: pa.DataType) -> None:
    assert values == [json.loads(one) for one in json_values(pa.array(values, kind)).to_pylist()]


def test_metadata_of_other_types_is_a_column() -> None:
    """Parquet from elsewhere."""
    table = pa.table({"text": ["a"], "metadata": [{"lang": "en", "n": 1}]})

    assert [{"metadata": {"lang": "en", "n": 1}}] == [
        json.loads(b"{%s}" % one) for one in beside(table).members.to_pylist()
    ]
    assert [b""] == beside(table.select(["text"])).members.to_pylist()
