from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from massivetext.distinct_columns import DistinctColumns, column_of_each_leaf, distinct_schema, rows_of


def test_columns_are_read_by_names_that_differ() -> None:
    """Of pyarrow, `a` is also `a.b`, and both columns `a`."""
    stream = io.BytesIO()
    structs = pa.array([{"x": 1, "y": [2]}])
    names = ["a", "a.b", "s", "a", "s"]
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), structs, pa.array(["3"]), structs], names)
    pq.write_table(table, stream)
    file = DistinctColumns(stream, "file")

    assert ["a", "a.b", "s", "a (2)", "s (2)"] == file.names
    assert {"a (2)": ["3"], "a": [1]} == file.read(0, ["a (2)", "a"]).to_pydict()
    assert {"a.b": [2]} == file.read(0, ["a.b"]).to_pydict()
    assert [["s (2)", "a"]] == [batch.schema.names for batch in file.batches(0, ["s (2)", "a"], 10)]
    assert [*names[:2], "s", "s", "a (2)", "s (2)", "s (2)"] == column_of_each_leaf(distinct_schema(table.schema))
    assert len(pq.ParquetFile(stream).schema) == 7


def test_rows_of_a_batch() -> None:
    lying = pa.array([b"caf\xe9", b"a", b"b"], pa.binary()).view(pa.string())
    views = pa.array([b"\xff", b"a", b"b"], pa.binary_view()).view(pa.string_view())
    batch = pa.record_batch({"text": lying, "view": views})
    rows = [{"text": "caf\ufffd", "view": "\ufffd"}, {"text": "a", "view": "a"}, {"text": "b", "view": "b"}]

    assert rows[::2] == rows_of(batch, np.array([0, 2]))
    assert [] == rows_of(batch, np.array([], np.int64))
