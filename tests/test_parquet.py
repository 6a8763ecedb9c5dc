from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from massivetext.parquet import open_parquet, open_wide_indices

WORDS = pa.dictionary(pa.int8(), pa.string())
WIDE = pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize("words", [WORDS, pa.string()])
def test_indices_of_dictionaries_are_opened_as_int32(words: pa.DataType) -> None:
    """All else of a schema stays, also where a schema's entry in the footer is longer than 127 bytes."""
    wide = WIDE if words == WORDS else words
    values = {"a": ["x", None], "s": [{"t": "y"}, None], "l": [["z"], []], "n": [1, 2]}

    def schema(kind: pa.DataType) -> pa.Schema:
        items = pa.list_(pa.field("element", kind))
        fields = {"a": kind, "s": pa.struct([pa.field("t", kind)]), "l": items, "n": pa.timestamp("ms", "MST")}
        return pa.schema(fields.items(), {"key": "value"})

    stream = io.BytesIO()
    pq.write_table(pa.table(values, schema(words)), stream)

    assert open_wide_indices(stream).schema_arrow.equals(schema(wide), check_metadata=True)
    assert open_wide_indices(stream).read() == pa.table(values, schema(wide))
    assert open_parquet(stream).schema_arrow == schema(words)


def test_a_file_without_a_schema_of_arrow_is_opened_as_it_is() -> None:
    stream = io.BytesIO()
    pq.write_table(pa.table({"a": pa.array(["x"]).dictionary_encode()}), stream, store_schema=False)

    assert pa.schema({"a": pa.string()}) == open_wide_indices(stream).schema_arrow
